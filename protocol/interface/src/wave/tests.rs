use super::*;

fn read(ty: &str, text: &str) -> Result<Value, String> {
    let ty: Type = ty.parse().expect("a type");
    let file = from_wave(&ty, text).map_err(|error| error.to_string())?;
    Ok(Value::from_msgpack(&file).expect("a value"))
}

fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

#[test]
fn literals_become_values() {
    assert_eq!(read("bool", "true"), Ok(Value::Bool(true)));
    assert_eq!(read("s8", "-3"), Ok(Value::Int(-3)));
    assert_eq!(read("f32", "0.1"), Ok(Value::F64(0.1f32.into())));
    assert_eq!(read("f64", "inf"), Ok(Value::F64(f64::INFINITY)));
    assert_eq!(read("char", "'ß'"), Ok(Value::Str("ß".into())));
    assert_eq!(read("string", r#""a\nb""#), Ok(Value::Str("a\nb".into())));
    assert_eq!(read("list<u8>", "[1, 2]"), Ok(Value::Array(vec![Value::Uint(1), Value::Uint(2)])));
    assert_eq!(read("tuple<u8, string>", r#"(1, "x")"#), Ok(Value::Array(vec![Value::Uint(1), Value::Str("x".into())])));
    assert_eq!(
        read("record { id: u32, label: option<string> }", r#"{id: 1, label: some("a")}"#),
        Ok(map(&[("id", Value::Uint(1)), ("label", Value::Str("a".into()))]))
    );
    assert_eq!(read("record { id: u32, label: option<string> }", "{id: 1}"), Ok(map(&[("id", Value::Uint(1))])));
    assert_eq!(read("variant { circle(f32), none }", "circle(1.5)"), Ok(map(&[("circle", Value::F64(1.5))])));
    assert_eq!(read("variant { circle(f32), dot }", "dot"), Ok(Value::Str("dot".into())));
    assert_eq!(read("enum { red, green }", "green"), Ok(Value::Str("green".into())));
    assert_eq!(
        read("flags { read, write }", "{write, read}"),
        Ok(Value::Array(vec![Value::Str("read".into()), Value::Str("write".into())]))
    );
    assert_eq!(read("option<option<u8>>", "some(none)"), Ok(map(&[("some", Value::Nil)])));
    assert_eq!(read("result<u8, string>", r#"err("e")"#), Ok(map(&[("err", Value::Str("e".into()))])));
    assert_eq!(read("result", "ok"), Ok(map(&[("ok", Value::Nil)])));
    assert_eq!(
        read("any", r#"{a: [1, some(-2)], b: circle}"#),
        Ok(map(&[("a", Value::Array(vec![Value::Uint(1), Value::Int(-2)])), ("b", Value::Str("circle".into()))]))
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    for (ty, text) in [
        ("u8", "256"),
        ("u8", "-1"),
        ("bool", "1"),
        ("tuple<u8, u8>", "(1)"),
        ("tuple<u8, u8>", "(1, 2, 3)"),
        ("record { a: u8 }", "{b: 1}"),
        ("enum { a }", "b"),
        ("flags { a }", "{a, a}"),
        ("variant { a(u8) }", "a"),
        ("result<u8>", "ok"),
        ("string", "text"),
        ("u8", "1 2"),
        ("list<u8>", "[1"),
        ("u8", ""),
    ] {
        assert!(read(ty, text).is_err(), "{ty}: {text}");
    }
    let deep = "[".repeat(10_000);
    assert!(read("list<u8>", &deep).is_err());
}
