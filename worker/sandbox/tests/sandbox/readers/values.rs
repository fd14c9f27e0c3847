//! Values along types: the largest value of each type, and types as large as their values.

use super::Kind;
use wasm_tasks_protocol::{Type, Value};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("n{at}")).collect()
}

fn joined(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(", ")
}

/// A type and a value of so many elements. Every kind of type is here; one that is added must be.
fn large(ty: &Type, count: usize) -> (String, Value) {
    let list = |item: Value| Value::Array(vec![item; count]);
    let numbers = |ty: &str| (format!("list<{ty}>"), list(Value::Uint(1)));
    let name = |name: &str| Value::Str(name.to_owned());
    match ty {
        Type::Bool => ("list<bool>".to_owned(), list(Value::Bool(true))),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::S8 | Type::S16 | Type::S32 | Type::S64 | Type::F32 | Type::F64 => {
            numbers(&ty.to_string())
        }
        Type::Char => ("list<char>".to_owned(), list(name("c"))),
        Type::String => ("string".to_owned(), name(&"a".repeat(count))),
        Type::List(_) => ("list<list<u8>>".to_owned(), list(Value::Bin(vec![1]))),
        Type::Tuple(_) => (format!("tuple<{}>", joined(names(count).iter().map(|_| "u8".to_owned()))), list(Value::Uint(1))),
        Type::Record(_) => {
            let ty = format!("record {{ {} }}", joined(names(count).iter().map(|name| format!("{name}: u8"))));
            // In the order that costs most: none is where the type has it.
            (ty, Value::Map(names(count).into_iter().rev().map(|name| (name, Value::Uint(1))).collect()))
        }
        Type::Variant(_) => {
            let ty = format!("list<variant {{ {} }}>", joined(names(count)));
            (ty, list(name(&format!("n{}", count - 1))))
        }
        Type::Enum(_) => {
            let ty = format!("list<enum {{ {} }}>", joined(names(count)));
            (ty, list(name(&format!("n{}", count - 1))))
        }
        Type::Flags(_) => {
            let ty = format!("flags {{ {} }}", joined(names(count)));
            (ty, Value::Array(names(count).into_iter().rev().map(Value::Str).collect()))
        }
        Type::Option(_) => ("list<option<option<u8>>>".to_owned(), list(Value::Map(vec![("some".to_owned(), Value::Nil)]))),
        Type::Result(..) => ("list<result<u8, string>>".to_owned(), list(Value::Map(vec![("ok".to_owned(), Value::Uint(1))]))),
        Type::Any => ("any".to_owned(), list(Value::Map(vec![("b".to_owned(), Value::Nil), ("a".to_owned(), Value::Nil)]))),
        Type::Unit => ("list<unit>".to_owned(), list(Value::Nil)),
    }
}

/// One of each kind of type, in the order of the enum.
fn types() -> Vec<Type> {
    [
        "bool",
        "u8",
        "u16",
        "u32",
        "u64",
        "s8",
        "s16",
        "s32",
        "s64",
        "f32",
        "f64",
        "char",
        "string",
        "list<u8>",
        "tuple<u8>",
        "record { a: u8 }",
        "variant { a }",
        "enum { a }",
        "flags { a }",
        "option<u8>",
        "result",
        "any",
        "unit",
    ]
    .iter()
    .map(|text| text.parse().unwrap())
    .collect()
}

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for ty in types() {
        // Types are at most 64 KiB of text.
        let count = 1_500;
        for form in ["typed", "literal"] {
            let (of_reader, of_bytes) = (ty.clone(), ty.clone());
            let bytes = move |count| {
                let (_, value) = large(&of_bytes, count);
                match form {
                    "typed" => value.to_msgpack(),
                    _ => json(&value).into_bytes(),
                }
            };
            let mut kind = Kind::new(format!("{form} {ty}"), "", count, bytes).accepted();
            kind.reader = Box::new(move |count| format!("{form} {}", large(&of_reader, count).0));
            kinds.push(kind);
        }
    }
    // Absent fields cost work that no byte pays for, up to a limit.
    let mut absent =
        Kind::new("typed absent fields", "", 1_000, |count| Value::Array(vec![Value::Map(Vec::new()); count]).to_msgpack());
    absent.reader = Box::new(|count| {
        format!("typed list<record {{ {} }}>", joined(names(count).iter().map(|name| format!("{name}: option<u8>"))))
    });
    // 32 fields for each byte, and 65,536 altogether, each with its name.
    absent.memory_multiple = 2_048;
    kinds.push(absent);
    kinds
}

/// JSON in which bytes are lists, as the command reads them too.
fn json(value: &Value) -> String {
    match value {
        Value::Bin(bytes) => format!("[{}]", joined(bytes.iter().map(ToString::to_string))),
        Value::Array(values) => format!("[{}]", joined(values.iter().map(json))),
        Value::Map(pairs) => format!("{{{}}}", joined(pairs.iter().map(|(key, value)| format!("\"{key}\": {}", json(value))))),
        Value::Str(text) => format!("\"{text}\""),
        Value::Uint(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Nil => "null".to_owned(),
        Value::Int(_) | Value::F32(_) | Value::F64(_) | Value::Ext(..) => panic!("no value here has one"),
    }
}
