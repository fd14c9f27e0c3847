//! An interface as JSON, and signatures as text. Types are written out where they stand.

use crate::interface::{Export, Interface};
use serde_json::{Value as Json, json};
use wasm_tasks_protocol::Type;

/// `a: s64, b: s64`
pub(crate) fn parameters_text(params: &[(String, Type)]) -> String {
    params.iter().map(|(name, ty)| format!("{name}: {ty}")).collect::<Vec<_>>().join(", ")
}

/// An export's signature as WIT has it: `func(a: s64, b: s64) -> result<s64, string>`.
pub fn signature_text(export: &Export) -> String {
    let params = parameters_text(&export.params);
    match &export.returns {
        Some(ty) => format!("func({params}) -> {ty}"),
        None => format!("func({params})"),
    }
}

impl Interface {
    /// `{exports: [{name, params: [{name, type}], returns, result, error}], unsupported: [{name, reason}], imports: [name]}`,
    /// types as text. `returns` is what WIT says (null: nothing), `result` is what a task gives (null: no value),
    /// `error` is null where no task fails with a value.
    pub fn to_json(&self) -> Json {
        let text = |ty: Option<&Type>| ty.filter(|ty| **ty != Type::Unit).map_or(Json::Null, |ty| Json::String(ty.to_string()));
        let export = |export: &Export| {
            let params: Vec<Json> =
                export.params.iter().map(|(name, ty)| json!({"name": name, "type": ty.to_string()})).collect();
            json!({
                "name": export.name,
                "params": params,
                "returns": text(export.returns.as_ref()),
                "result": text(Some(&export.result)),
                "error": text(export.error.as_ref()),
            })
        };
        json!({
            "exports": self.exports().iter().map(export).collect::<Vec<_>>(),
            "unsupported": self.unsupported().iter().map(|export| json!({"name": export.name, "reason": export.reason})).collect::<Vec<_>>(),
            "imports": self.imports(),
        })
    }
}
