use super::*;
use crate::fits::NoReferences;
use crate::walk::tests::{any_type, type_and_value};
use proptest::prelude::*;
use wasm_tasks_protocol::Value;

fn typed(ty: &str, value: &Value) -> Result<Value, String> {
    let ty: Type = ty.parse().expect("a type");
    let bytes = encode_typed(&ty, &value.to_msgpack()).map_err(|mismatch| mismatch.to_string())?;
    validate_typed(&ty, &bytes).expect("what was encoded is the typed encoding");
    Ok(Value::from_msgpack(&bytes).expect("what was encoded is a value"))
}

fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn str(text: &str) -> Value {
    Value::Str(text.to_owned())
}

#[test]
fn the_table_of_docs_values() {
    let ints = Value::Array(vec![Value::Uint(1), Value::Uint(2)]);
    assert_eq!(typed("list<u8>", &ints), Ok(Value::Bin(vec![1, 2])));
    assert_eq!(typed("list<s16>", &ints), Ok(Value::Ext(18, vec![1, 0, 2, 0])));
    assert_eq!(typed("list<f32>", &ints), Ok(Value::Ext(23, [1f32.to_le_bytes(), 2f32.to_le_bytes()].concat())));
    assert_eq!(typed("list<f64>", &Value::Array(vec![])), Ok(Value::Ext(24, vec![])));
    assert_eq!(typed("tuple<u8, f64>", &ints), Ok(Value::Array(vec![Value::Uint(1), Value::F64(2.0)])));
    assert_eq!(typed("f32", &Value::F64(0.5)), Ok(Value::F32(0.5)));
    assert!(typed("f32", &Value::F64(0.1)).is_err());
    assert!(typed("f32", &Value::Uint(16_777_217)).is_err());
    assert!(typed("f64", &Value::Uint((1 << 53) + 1)).is_err());
    assert_eq!(typed("f64", &Value::Uint(1 << 53)), Ok(Value::F64(9_007_199_254_740_992.0)));
    assert!(typed("u8", &Value::Uint(256)).is_err());
    assert!(typed("s8", &Value::Int(-129)).is_err());
    assert!(typed("u64", &Value::F64(1.0)).expect_err("a float").contains("float 1.0"));
    assert_eq!(typed("char", &str("ß")), Ok(str("ß")));
    assert!(typed("char", &str("ab")).is_err() && typed("char", &str("")).is_err());
    let record = "record { b: u8, a: option<string>, c: bool }";
    assert_eq!(
        typed(record, &map(&[("c", Value::Bool(true)), ("b", Value::Uint(1))])),
        Ok(map(&[("b", Value::Uint(1)), ("a", Value::Nil), ("c", Value::Bool(true))]))
    );
    assert!(typed(record, &map(&[("b", Value::Uint(1))])).expect_err("c is missing").contains("without the field `c`"));
    assert!(typed(record, &map(&[("d", Value::Uint(1))])).expect_err("d is unknown").contains("the field `d`"));
    let twice = map(&[("b", Value::Uint(1)), ("b", Value::Uint(1)), ("c", Value::Bool(true))]);
    assert!(typed(record, &twice).is_err());
    let variant = "variant { none, some-text(string) }";
    assert_eq!(typed(variant, &str("none")), Ok(str("none")));
    assert_eq!(typed(variant, &map(&[("none", Value::Nil)])), Ok(str("none")));
    assert_eq!(typed(variant, &map(&[("some-text", str("x"))])), Ok(map(&[("some-text", str("x"))])));
    assert!(typed(variant, &str("some-text")).is_err());
    assert!(typed(variant, &map(&[("none", Value::Uint(1))])).is_err());
    assert_eq!(typed("option<u8>", &Value::Nil), Ok(Value::Nil));
    assert_eq!(typed("option<u8>", &Value::Uint(1)), Ok(Value::Uint(1)));
    assert!(typed("option<u8>", &map(&[("some", Value::Uint(1))])).is_err());
    assert_eq!(typed("option<option<u8>>", &map(&[("some", Value::Nil)])), Ok(map(&[("some", Value::Nil)])));
    assert!(typed("option<option<u8>>", &Value::Uint(1)).is_err());
    assert_eq!(typed("result", &map(&[("ok", Value::Nil)])), Ok(map(&[("ok", Value::Nil)])));
    assert!(typed("result", &map(&[("ok", Value::Uint(1))])).is_err());
    assert_eq!(typed("result<_, string>", &map(&[("err", str("e"))])), Ok(map(&[("err", str("e"))])));
    let flags = "flags { read, write, exec }";
    assert_eq!(typed(flags, &Value::Array(vec![str("exec"), str("read")])), Ok(Value::Array(vec![str("read"), str("exec")])));
    assert!(typed(flags, &Value::Array(vec![str("read"), str("read")])).is_err());
    assert!(typed("list<s64>", &Value::Ext(24, vec![0; 8])).expect_err("another list").contains("packed `list<f64>`"));
    assert_eq!(typed("unit", &Value::Nil), Ok(Value::Nil));
    assert_eq!(
        typed("any", &map(&[("b", Value::F32(0.5)), ("a", Value::Nil)])),
        Ok(map(&[("a", Value::Nil), ("b", Value::F64(0.5))]))
    );
}

#[test]
fn other_forms_of_the_same_value_are_not_the_typed_encoding() {
    for (ty, bytes) in [
        ("u8", &[0xcc, 1][..]),
        ("f64", &[0xca, 0, 0, 0, 0]),
        ("f64", &[0x01]),
        ("f64", &[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 1]),
        ("string", &[0xd9, 1, b'a']),
        ("list<u8>", &[0x91, 1]),
        ("list<u8>", &[0xc5, 0, 1, 1]),
        ("list<s8>", &[0xc7, 1, 16, 1]),
        ("list<f32>", &[0xd6, 23, 1, 0, 0xc0, 0x7f]),
        ("tuple<u8>", &[0xdc, 0, 1, 1]),
        ("record { a: u8, b: u8 }", &[0x82, 0xa1, b'b', 1, 0xa1, b'a', 1]),
        ("record { a: option<u8> }", &[0x80]),
        ("variant { a, b(u8) }", &[0x81, 0xa1, b'a', 0xc0]),
        ("flags { a, b }", &[0x92, 0xa1, b'b', 0xa1, b'a']),
    ] {
        let ty: Type = ty.parse().expect("a type");
        encode_typed(&ty, bytes).expect("it is a value of the type");
        assert!(validate_typed(&ty, bytes).is_err(), "{ty}: {bytes:02x?}");
    }
    assert!(validate_typed(&Type::U8, &[1, 1]).is_err(), "bytes after the value");
}

/// A small value must not become gigabytes: each empty record stands for thousands of absent fields.
#[test]
fn absent_fields_are_limited() {
    let fields: Vec<String> = (0..1_000).map(|field| format!("f{field}: option<u8>")).collect();
    let ty: Type = format!("list<record {{ {} }}>", fields.join(", ")).parse().expect("a type");
    let value = |len| Value::Array(vec![Value::Map(vec![]); len]).to_msgpack();
    assert!(encode_typed(&ty, &value(50)).is_ok());
    assert_eq!(encode_typed(&ty, &value(10_000)).expect_err("too many").code, ErrorCode::LimitExceeded);
}

proptest! {
    #[test]
    fn what_is_encoded_is_valid_and_stays(case in type_and_value()) {
        let (ty, value) = case;
        let file = value.clone().to_file_encoding().to_msgpack();
        let typed = encode_typed(&ty, &file).expect("a value of the type");
        validate_typed(&ty, &typed).expect("the typed encoding");
        prop_assert_eq!(encode_typed(&ty, &typed).expect("it reads its own writing"), typed.clone());
        fits_whole(&ty, &file, &mut NoReferences).expect("it fits");
        // There is one typed encoding of a value: any other bytes that are valid are another value.
        let again = Value::from_msgpack(&typed).expect("a value").to_file_encoding().to_msgpack();
        prop_assert_eq!(encode_typed(&ty, &again).expect("through the file encoding and back"), typed);
    }

    #[test]
    fn the_three_walks_agree_on_damaged_bytes(case in type_and_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (ty, value) = case;
        let mut bytes = value.to_msgpack();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        agree(&ty, &bytes)?;
    }

    #[test]
    fn the_three_walks_agree_on_random_bytes(ty in any_type(), bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        agree(&ty, &bytes)?;
    }
}

fn agree(ty: &Type, bytes: &[u8]) -> Result<(), TestCaseError> {
    let encoded = encode_typed(ty, bytes);
    prop_assert_eq!(fits_whole(ty, bytes, &mut NoReferences).is_ok(), encoded.is_ok(), "{} {:02x?}", ty, bytes);
    let is_typed = validate_typed(ty, bytes).is_ok();
    prop_assert_eq!(is_typed, encoded.as_deref() == Ok(bytes), "{} {:02x?}", ty, bytes);
    Ok(())
}
