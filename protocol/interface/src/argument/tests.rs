use super::*;
use crate::walk::tests::any_type;
use proptest::prelude::*;
use wasm_tasks_protocol::Value;

fn ty(text: &str) -> Type {
    text.parse().expect("a type")
}

#[test]
fn json_comes_first_and_wave_second() {
    let read =
        |text: &str, literal: &str| Value::from_msgpack(&parse_argument(&ty(text), literal).expect(literal)).expect("a value");
    assert_eq!(read("s64", "-3"), Value::Int(-3));
    assert_eq!(read("list<u8>", "\"AAEC\""), Value::Bin(vec![0, 1, 2]));
    assert_eq!(read("record { a: u8 }", r#"{"a": 1}"#), read("record { a: u8 }", "{a: 1}"));
    assert_eq!(read("option<u8>", "null"), read("option<u8>", "none"));
    assert_eq!(read("tuple<u8, u8>", "[1, 2]"), read("tuple<u8, u8>", "(1, 2)"));
    assert_eq!(read("enum { red, green }", "\"red\""), read("enum { red, green }", "red"));
}

#[test]
fn an_argument_that_fits_neither_shows_both_reasons_and_an_example() {
    let error = parse_argument(&ty("list<record { id: u32 }>"), "[{id: x}]").expect_err("neither");
    assert_eq!(error.example, r#"[{"id":1}]"#);
    assert!(!error.json.is_empty() && !error.wave.is_empty());
    let error = parse_argument(&ty("u8"), "300").expect_err("too large").to_string();
    assert!(
        error.starts_with("not a `u8`\n  as JSON: expected `u8`, found the integer 300 (a `u8` is 0 to 255)\n  as WAVE: "),
        "{error}"
    );
    assert!(error.ends_with("hint: such as '1'"), "{error}");
    assert!(parse_argument(&ty("string"), "hello").expect_err("no quotes").to_string().contains("such as '\"text\"'"));
}

proptest! {
    #[test]
    fn the_example_of_every_type_fits(ty in any_type()) {
        let example = example(&ty);
        prop_assert!(parse_argument(&ty, &example).is_ok(), "{}: {}", ty, example);
    }

    #[test]
    fn no_text_panics(ty in any_type(), text in ".{0,60}") {
        let _ = parse_argument(&ty, &text);
    }

    #[test]
    fn no_text_of_symbols_panics(ty in any_type(), text in "[\\[\\]{}(),:\"'a-c0-3%\\\\. some|none|ok|err]{0,40}") {
        let _ = parse_argument(&ty, &text);
    }
}
