//! An interface as text: WIT for people, JSON for programs. Types are written out where they stand.

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
    /// The exports as WIT, grouped by interface, with the types written out in place of their names.
    /// Exports that cannot be tasks follow as comments with the reason.
    pub fn to_wit(&self) -> String {
        let mut text = String::new();
        let mut open: Option<&str> = None;
        for export in self.exports() {
            let (interface, function) = match export.name.rsplit_once('#') {
                Some((interface, function)) => (Some(interface), function),
                None => (None, export.name.as_str()),
            };
            if open != interface {
                if open.is_some() {
                    text.push_str("}\n");
                }
                if let Some(interface) = interface {
                    text.push_str(&format!("export {interface} {{\n"));
                }
                open = interface;
            }
            let line = match interface {
                Some(_) => format!("    {function}: {};\n", signature_text(export)),
                None => format!("export {function}: {};\n", signature_text(export)),
            };
            text.push_str(&line);
        }
        if open.is_some() {
            text.push_str("}\n");
        }
        for export in self.unsupported() {
            text.push_str(&format!("// {} cannot be a task: {}\n", export.name, export.reason));
        }
        text
    }

    /// `{exports: [{name, params: [{name, type}], returns, result, error}], unsupported: [{name, reason}], imports: [name]}`,
    /// types as text. `returns` is what WIT says (null: nothing), `result` is what a task gives (null: no value),
    /// `error` is null where no task fails with a value.
    pub fn to_json(&self) -> Json {
        let text = |ty: Option<&Type>| ty.filter(|ty| **ty != Type::Unit).map_or(Json::Null, |ty| Json::String(ty.to_string()));
        let export = |export: &Export| {
            let params: Vec<Json> = export.params.iter().map(|(name, ty)| json!({"name": name, "type": ty.to_string()})).collect();
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
