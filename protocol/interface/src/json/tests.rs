use super::*;
use crate::walk::tests::type_and_value;
use proptest::prelude::*;
use serde_json::json;

fn ty(text: &str) -> Type {
    text.parse().expect("a type")
}

/// What the command line prints of a result of a type.
fn printed(ty_text: &str, value: &Value) -> Json {
    to_json(&encode_typed(&ty(ty_text), &value.to_msgpack()).expect("it fits")).expect("a value")
}

fn typed(text: &str, json: Json) -> Value {
    let file = from_json(&ty(text), &json).unwrap_or_else(|mismatch| panic!("{json}: {mismatch}"));
    Value::from_msgpack(&file).expect("a value")
}

#[test]
fn values_look_as_people_expect() {
    assert_eq!(printed("list<u8>", &Value::Bin(vec![0, 1, 2])), json!("AAEC"));
    assert_eq!(printed("u64", &Value::Uint(u64::MAX)).to_string(), "18446744073709551615");
    assert_eq!(printed("s64", &Value::Int(i64::MIN)).to_string(), "-9223372036854775808");
    assert_eq!(printed("f64", &Value::F64(f64::NAN)), json!("NaN"));
    assert_eq!(
        printed("list<f64>", &Value::Array(vec![Value::F64(f64::INFINITY), Value::F64(f64::NEG_INFINITY), Value::F64(0.1)])),
        json!(["Infinity", "-Infinity", 0.1])
    );
    assert_eq!(printed("list<f32>", &Value::Array(vec![Value::F32(0.1)])), json!([0.1]));
    assert_eq!(printed("f32", &Value::F32(0.1)), json!(0.1));
    assert_eq!(printed("list<s16>", &Value::Array(vec![Value::Int(-2), Value::Uint(300)])), json!([-2, 300]));
    assert_eq!(printed("result<_, string>", &Value::Map(vec![("err".into(), Value::Str("e".into()))])), json!({"err": "e"}));
    assert_eq!(
        printed("record { b: u8, a: option<u8> }", &Value::Map(vec![("b".into(), Value::Uint(1))])).to_string(),
        r#"{"b":1,"a":null}"#
    );
}

#[test]
fn json_is_read_along_the_type() {
    assert_eq!(typed("list<u8>", json!("AAEC")), Value::Bin(vec![0, 1, 2]));
    assert_eq!(typed("list<u8>", json!([0, 1])), Value::Array(vec![Value::Uint(0), Value::Uint(1)]));
    assert_eq!(typed("f64", json!("-Infinity")), Value::F64(f64::NEG_INFINITY));
    assert_eq!(typed("f32", json!(0.1)), Value::F64(f64::from(0.1f32)));
    assert_eq!(typed("option<list<u8>>", json!("AA==")), Value::Bin(vec![0]));
    assert_eq!(
        typed("list<variant { a(list<u8>), b }>", json!([{"a": "AA=="}, "b"])),
        Value::Array(vec![Value::Map(vec![("a".into(), Value::Bin(vec![0]))]), Value::Str("b".into())])
    );
    assert_eq!(typed("any", json!({"b": [1, -1, 1.5, null], "a": "AA=="})).get("a"), Some(&Value::Str("AA==".into())));
    assert_eq!(typed("option<option<u8>>", json!({"some": null})), Value::Map(vec![("some".into(), Value::Nil)]));
}

#[test]
fn json_that_does_not_fit_is_refused_with_its_place() {
    let refused = |text: &str, json: Json| from_json(&ty(text), &json).expect_err("it does not fit");
    assert_eq!(refused("list<record { x: u8 }>", json!([{"x": 1}, {"x": 256}])).path(), "[1].x");
    assert_eq!(refused("tuple<u8, list<u8>>", json!([1, "?"])).path(), "[1]");
    assert!(refused("u8", json!(1.0)).to_string().contains("the float 1.0"));
    assert!(refused("string", json!(1)).to_string().contains("expected `string`, found the integer 1"));
}

proptest! {
    /// Whatever is printed can be typed again and is the same value.
    #[test]
    fn printed_values_are_read_again(case in type_and_value()) {
        let (ty, value) = case;
        let typed = encode_typed(&ty, &value.to_msgpack()).expect("a value of the type");
        let json = to_json(&typed).expect("a value");
        let text = json.to_string();
        let again = from_json(&ty, &serde_json::from_str(&text).expect("JSON")).expect("it fits again");
        prop_assert_eq!(encode_typed(&ty, &again).expect("it fits"), typed, "{} {}", ty, text);
    }
}
