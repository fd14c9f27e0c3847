use super::{Step, Type};

#[test]
fn types_print_as_they_are_read() {
    for text in [
        "bool",
        "list<u8>",
        "tuple<s64, string>",
        "option<option<char>>",
        "result",
        "result<f32>",
        "result<_, string>",
        "result<list<f64>, string>",
        "record { a: u8, b-c: list<record { x: f64 }> }",
        "variant { none, circle(f32) }",
        "enum { red, green }",
        "flags { read, write }",
        "any",
        "unit",
        "record { }",
        "tuple<>",
    ] {
        let ty: Type = text.parse().expect(text);
        assert_eq!(ty.to_string(), text);
    }
    assert_eq!("record{a:u8,b:s8,}".parse::<Type>().map(|ty| ty.to_string()), Ok("record { a: u8, b: s8 }".to_owned()));
}

#[test]
fn bad_types_say_where() {
    for (text, at) in [("list<u9>", 5), ("list<u8", 7), ("u8 u8", 3), ("", 0), ("record { a u8 }", 11)] {
        assert_eq!(text.parse::<Type>().expect_err(text).at, at, "{text}");
    }
    let deep = "list<".repeat(1000);
    assert!(deep.parse::<Type>().is_err());
}

#[test]
fn steps_lead_into_types() {
    let ty: Type = "record { a: list<tuple<u8, string>> }".parse().expect("a type");
    let a = ty.step(&Step::Field("a")).and_then(|ty| ty.step(&Step::Index(7))).and_then(|ty| ty.step(&Step::Index(1)));
    assert_eq!(a, Some(Type::String));
    assert_eq!(ty.step(&Step::Field("b")), None);
    assert_eq!(ty.step(&Step::Index(0)), None);
}
