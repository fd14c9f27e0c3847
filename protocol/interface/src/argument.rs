//! Arguments as people type them: JSON, or WAVE.

use crate::fits::shown;
use crate::json::from_json;
use crate::literal::{REPEATED_KEY, lossy_number, strict};
use crate::wave::{WaveError, from_wave};
use serde_json::{Map, Value as Json, json};
use wasm_tasks_protocol::{ErrorCode, Type};
use wasm_wave::parser::ParserErrorKind;

/// Text that is no literal of the type that is needed, neither as JSON nor as WAVE.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {ty}\n  as JSON: {json}\n  as WAVE: {wave}\n  hint: such as '{example}'")]
pub struct ArgumentError {
    /// The type.
    pub ty: String,
    /// Why it is not JSON that fits.
    pub json: String,
    /// Why it is not WAVE that fits.
    pub wave: String,
    /// A literal of the type.
    pub example: String,
    code: ErrorCode,
}

impl ArgumentError {
    /// The code under which people see it: the one that the same value has in a graph file.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }
}

/// A value of a type from text, in the canonical file encoding: JSON when it fits, else WAVE. It means what the same literal
/// means in a graph file.
///
/// # Errors
/// [`ArgumentError`] with the reasons of both, and an example.
pub fn parse_argument(ty: &Type, text: &str) -> Result<Vec<u8>, ArgumentError> {
    let (json, code) = match argument_of_json(ty, text) {
        Ok(value) => return Ok(value),
        Err(refused) => refused,
    };
    from_wave(ty, text).map_err(|wave| {
        let of_wave = match &wave {
            WaveError::Mismatch(mismatch) => Some(mismatch.code),
            WaveError::Parse(error) if error.kind() == ParserErrorKind::DuplicateField => Some(ErrorCode::DuplicateMapKey),
            WaveError::Parse(error) if error.kind() == ParserErrorKind::DuplicateFlag => Some(ErrorCode::BadValue),
            WaveError::Parse(_) => None,
        };
        let code = code.or(of_wave).unwrap_or(ErrorCode::TypeMismatch);
        ArgumentError { ty: shown(ty), json, wave: wave.to_string(), example: example(ty), code }
    })
}

/// The value that a text is as JSON, or why it is none, with the code when it is JSON that does not fit.
fn argument_of_json(ty: &Type, text: &str) -> Result<Vec<u8>, (String, Option<ErrorCode>)> {
    let json = strict(text).map_err(|error| {
        let message = error.to_string();
        let code = message.starts_with(REPEATED_KEY).then_some(ErrorCode::DuplicateMapKey);
        (message, code)
    })?;
    if let Some(number) = lossy_number(text) {
        return Err((format!("the number {number}"), Some(ErrorCode::TypeMismatch)));
    }
    from_json(ty, &json).map_err(|mismatch| {
        let message = match &mismatch.hint {
            Some(hint) => format!("{mismatch} ({hint})"),
            None => mismatch.to_string(),
        };
        (message, Some(mismatch.code))
    })
}

/// A literal of a type, as JSON.
pub fn example(ty: &Type) -> String {
    example_json(ty).to_string()
}

fn example_json(ty: &Type) -> Json {
    match ty {
        Type::Bool => json!(true),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => json!(1),
        Type::S8 | Type::S16 | Type::S32 | Type::S64 => json!(-1),
        Type::F32 | Type::F64 => json!(1.5),
        Type::Char => json!("a"),
        Type::String => json!("text"),
        Type::List(element) if **element == Type::U8 => json!("AAEC"),
        Type::List(element) => Json::Array(vec![example_json(element)]),
        Type::Tuple(types) => Json::Array(types.iter().map(example_json).collect()),
        Type::Record(fields) => {
            Json::Object(fields.iter().map(|(name, ty)| (name.clone(), example_json(ty))).collect::<Map<_, _>>())
        }
        Type::Variant(cases) => match cases.first() {
            Some((name, Some(ty))) => json!({ name: example_json(ty) }),
            Some((name, None)) => json!(name),
            None => Json::Null,
        },
        Type::Enum(names) => names.first().map_or(Json::Null, |name| json!(name)),
        Type::Flags(names) => Json::Array(names.first().map(|name| json!(name)).into_iter().collect()),
        Type::Option(some) if matches!(**some, Type::Option(_)) => json!({ "some": example_json(some) }),
        Type::Option(some) => example_json(some),
        Type::Result(ok, _) => json!({ "ok": ok.as_deref().map_or(Json::Null, example_json) }),
        Type::Any => json!([1, "text"]),
        Type::Unit => Json::Null,
    }
}

#[cfg(test)]
mod tests;
