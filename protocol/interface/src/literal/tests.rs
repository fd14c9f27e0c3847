use crate::argument::parse_argument;
use crate::json::from_json;
use crate::typed::encode_typed;
use crate::walk::tests::type_and_value;
use crate::wave::from_wave;
use proptest::prelude::*;
use wasm_tasks_protocol::{ErrorCode, Type, Value};

/// Numbers in every notation, many of which no float has.
fn numbers() -> impl Strategy<Value = String> {
    let near = |bits: u32| (1u64 << bits) - 3..(1u64 << bits) + 3;
    let exponent =
        prop::option::of(prop_oneof![-5i32..40, Just(308), Just(309), Just(400), Just(-324), Just(-400), Just(38), Just(39)]);
    let digits = prop_oneof![
        near(24).prop_map(|value| value.to_string()),
        near(53).prop_map(|value| value.to_string()),
        near(63).prop_map(|value| value.to_string()),
        any::<u64>().prop_map(|value| value.to_string()),
        any::<u128>().prop_map(|value| value.to_string()),
        (0u32..1000).prop_map(|value| value.to_string()),
        any::<f32>().prop_filter("finite", |value| value.is_finite()).prop_map(|value| value.abs().to_string()),
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(|value| value.abs().to_string()),
    ];
    let fraction = prop_oneof![3 => Just(""), 1 => Just(".0"), 1 => Just(".5"), 1 => Just(".125")];
    (any::<bool>(), digits, fraction, exponent).prop_map(|(negative, digits, fraction, exponent)| {
        let fraction = if digits.contains('.') { "" } else { fraction };
        let exponent = exponent.map_or_else(String::new, |exponent| format!("e{exponent}"));
        format!("{}{digits}{fraction}{exponent}", if negative { "-" } else { "" })
    })
}

/// What the command makes of a literal: the typed encoding, or the code.
fn typed(ty: &Type, text: &str) -> Result<Vec<u8>, ErrorCode> {
    parse_argument(ty, text).map_err(|error| error.code()).map(|file| encode_typed(ty, &file).expect("it was checked"))
}

/// Whether a decimal number is exactly a float: both are written out.
fn is_exact(text: &str, value: f64) -> bool {
    let digits = |text: &str| text.trim_start_matches('-').trim_start_matches('0').to_owned();
    digits(text) == digits(&format!("{value:.0}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// An integer means for every numeric type what it means in a file, or is refused with the file's code.
    #[test]
    fn integers_mean_what_they_mean_in_files(number in prop_oneof![any::<i64>().prop_map(i128::from), any::<u64>().prop_map(i128::from), (-300i128..300)]) {
        let value = u64::try_from(number).map_or_else(|_| Value::Int(number as i64), Value::Uint).to_msgpack();
        for ty in [Type::U8, Type::S8, Type::U16, Type::S16, Type::U32, Type::S32, Type::U64, Type::S64, Type::F32, Type::F64, Type::Any] {
            let file = encode_typed(&ty, &value).map_err(|mismatch| mismatch.code);
            prop_assert_eq!(typed(&ty, &number.to_string()), file, "{} as {}", number, ty);
        }
    }

    /// No literal becomes another number: an integer is exact, a fraction is the nearest float, nothing becomes infinite or zero.
    #[test]
    fn numbers_are_kept_or_refused(text in numbers()) {
        let nearest: f64 = text.parse().expect("a number");
        let is_integer = !text.contains(['.', 'e']);
        let is_zero = text.trim_start_matches('-').split('e').next().expect("digits").bytes().all(|byte| matches!(byte, b'0' | b'.'));
        for ty in [Type::F64, Type::F32, Type::Any] {
            let Ok(bytes) = typed(&ty, &text) else { continue };
            let value = match Value::from_msgpack(&bytes).expect("a value") {
                Value::F64(value) => value,
                Value::F32(value) => f64::from(value),
                Value::Uint(value) => { prop_assert_eq!(value.to_string(), text.clone()); continue }
                Value::Int(value) => { prop_assert_eq!(value.to_string(), text.clone()); continue }
                other => panic!("{other:?}"),
            };
            prop_assert!(value.is_finite() && (value == 0.0) == is_zero, "{} became {}", text, value);
            if is_integer && ty != Type::F32 {
                prop_assert!(is_exact(&text, value), "{} became {}", text, value);
            } else if ty == Type::F32 {
                let single = value as f32;
                prop_assert!(value == nearest || single.to_string().parse() == Ok(nearest), "{} became {}", text, single);
            } else {
                prop_assert_eq!(value, nearest);
            }
        }
    }

    /// Both notations of literals agree on numbers.
    #[test]
    fn json_and_wave_agree(text in numbers()) {
        for ty in [Type::U8, Type::S64, Type::U64, Type::F32, Type::F64, Type::Any] {
            let json = serde_json::from_str(&text).ok().filter(|_| super::lossy_number(&text).is_none());
            let json = json.and_then(|json| from_json(&ty, &json).ok());
            let wave = from_wave(&ty, &text).ok();
            if let (Some(json), Some(wave)) = (&json, &wave) {
                prop_assert_eq!(encode_typed(&ty, json).ok(), encode_typed(&ty, wave).ok(), "{} as {}", text, ty);
            }
            if matches!(ty, Type::F32 | Type::F64 | Type::Any) && text != "-0" {
                prop_assert_eq!(json.is_some(), wave.is_some(), "{} as {}", text, ty);
            }
        }
    }

    /// A value of one type as a literal for another: what a file of it means, or its code.
    #[test]
    fn literals_of_all_kinds_are_taken_as_in_files(case in type_and_value(), other in type_and_value()) {
        let ((_, value), (ty, _)) = (case, other);
        let text = ty.to_string();
        // Bytes are base64 and some floats are strings in JSON only.
        if !(is_json(&value) && !text.contains("list<u8>") && !text.contains("f32") && !text.contains("f64")) { return Ok(()); }
        let file = encode_typed(&ty, &value.to_msgpack()).map_err(|mismatch| mismatch.code);
        let literal = crate::json::json_of(&value).to_string();
        let json = super::strict(&literal).expect("JSON");
        let read = from_json(&ty, &json).map_err(|mismatch| mismatch.code).map(|file| encode_typed(&ty, &file).expect("it fits"));
        prop_assert_eq!(read, file, "{} as {}", literal, ty);
    }
}

fn is_json(value: &Value) -> bool {
    match value {
        Value::Nil | Value::Bool(_) | Value::Uint(_) | Value::Int(_) | Value::Str(_) => true,
        Value::F32(_) | Value::F64(_) | Value::Bin(_) | Value::Ext(..) => false,
        Value::Array(values) => values.iter().all(is_json),
        Value::Map(pairs) => pairs.iter().all(|(_, value)| is_json(value)),
    }
}

#[test]
fn what_would_change_is_refused_with_the_code_of_a_file() {
    for (ty, text, code) in [
        ("f64", "9007199254740993", ErrorCode::TypeMismatch),
        ("f64", "9007199254740993.0", ErrorCode::TypeMismatch),
        ("f64", "9007199254740993e0", ErrorCode::TypeMismatch),
        ("f64", "1e400", ErrorCode::TypeMismatch),
        ("f64", "-1e400", ErrorCode::TypeMismatch),
        ("f64", "1e-400", ErrorCode::TypeMismatch),
        ("f64", "18446744073709551617", ErrorCode::TypeMismatch),
        ("any", "18446744073709551617", ErrorCode::TypeMismatch),
        ("f32", "16777217", ErrorCode::TypeMismatch),
        ("f32", "16777217.0", ErrorCode::TypeMismatch),
        ("f32", "1e39", ErrorCode::TypeMismatch),
        ("f32", "0.123456789", ErrorCode::TypeMismatch),
        ("list<f64>", "[1, 9007199254740993]", ErrorCode::TypeMismatch),
        ("option<f32>", "some(16777217)", ErrorCode::TypeMismatch),
        ("record { a: f64 }", "{a: 9007199254740993}", ErrorCode::TypeMismatch),
        ("tuple<f32>", "(1e39)", ErrorCode::TypeMismatch),
        ("record { a: u8 }", r#"{"a": 1, "a": 2}"#, ErrorCode::DuplicateMapKey),
        ("any", r#"[{"a": 1, "a": 1}]"#, ErrorCode::DuplicateMapKey),
        ("record { a: u8 }", "{a: 1, a: 2}", ErrorCode::DuplicateMapKey),
        ("flags { a, b }", r#"["a", "a"]"#, ErrorCode::BadValue),
    ] {
        let ty: Type = ty.parse().expect("a type");
        assert_eq!(typed(&ty, text), Err(code), "{text} as {ty}");
    }
}

#[test]
fn floats_are_taken_as_they_are_printed() {
    let f64_of = |text: &str| match Value::from_msgpack(&typed(&Type::F64, text).expect(text)) {
        Ok(Value::F64(value)) => value,
        other => panic!("{other:?}"),
    };
    assert_eq!(f64_of("0.1"), 0.1);
    assert_eq!(f64_of("1e23"), 1e23);
    assert_eq!(f64_of("3.14159265358979323846"), std::f64::consts::PI);
    assert_eq!(f64_of("18446744073709551616"), 18446744073709551616.0);
    assert!(f64_of("-0").is_sign_negative());
    assert_eq!(f64_of("inf"), f64::INFINITY);
    assert!(f64_of("nan").is_nan());
    for text in ["0.1", "16777216", "3.4028235e38", "0.100000001490116119384765625"] {
        assert!(typed(&Type::F32, text).is_ok(), "{text}");
    }
    assert_eq!(typed(&Type::S64, "-0"), typed(&Type::S64, "0"));
}
