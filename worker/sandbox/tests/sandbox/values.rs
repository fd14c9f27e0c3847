//! Every type there and back through a real guest (`guest-examples/rust/everything`), and what is refused with which words.

use crate::support::{Case, Table, array, call, data, err, guest, int, map, ok, string};
use wasm_tasks_protocol::msgpack::{Packed, Reader};
use wasm_tasks_protocol::{ErrorCode, TaskError, Type, Value};
use wasm_tasks_sandbox::{Resolved, canonical, follow};

const EVERYTHING: &str = "wasm-tasks:examples/everything#";

fn echo(function: &str, value: Value) -> Value {
    ok(call(&guest("everything"), &format!("{EVERYTHING}{function}"), &[value]))
}

fn refused(function: &str, value: Value) -> TaskError {
    err(call(&guest("everything"), &format!("{EVERYTHING}{function}"), &[value]))
}

fn packed(packed: Packed, bytes: &[u8]) -> Value {
    Value::Ext(packed.code(), bytes.to_vec())
}

fn row(id: i64, x: f64, label: &str) -> Value {
    map(&[("id", int(id)), ("x", Value::F64(x)), ("label", string(label))])
}

fn floats(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn scalars() {
    for (function, values) in [
        ("echo-bool", vec![Value::Bool(true), Value::Bool(false)]),
        ("echo-u8", vec![int(0), int(255)]),
        ("echo-u16", vec![int(65_535)]),
        ("echo-u32", vec![int(u32::MAX.into())]),
        ("echo-u64", vec![Value::Uint(u64::MAX), int(0)]),
        ("echo-s8", vec![int(-128), int(127)]),
        ("echo-s16", vec![int(-32_768), int(-1)]),
        ("echo-s32", vec![int(i32::MIN.into())]),
        ("echo-s64", vec![int(i64::MIN), int(i64::MAX), int(-33)]),
        ("echo-f32", vec![Value::F32(1.5), Value::F32(-0.0), Value::F32(f32::INFINITY)]),
        ("echo-f64", vec![Value::F64(0.1), Value::F64(-0.0), Value::F64(f64::NEG_INFINITY)]),
        ("echo-char", vec![string("漢"), string("\0")]),
        ("echo-string", vec![string(""), string("naïve 🦀")]),
        ("echo-bytes", vec![Value::Bin(vec![]), Value::Bin(vec![0, 255])]),
    ] {
        for value in values {
            assert_eq!(echo(function, value.clone()).to_msgpack(), value.to_msgpack(), "{function}");
        }
    }
}

#[test]
fn numbers_that_a_type_represents_exactly_fit_it() {
    assert_eq!(echo("echo-f64", int(-3)), Value::F64(-3.0));
    assert_eq!(echo("echo-f64", Value::F32(0.5)), Value::F64(0.5));
    assert_eq!(echo("echo-f32", int(1 << 24)), Value::F32(16_777_216.0));
    assert_eq!(echo("echo-f32", Value::F64(0.25)), Value::F32(0.25));
    let nan = echo("echo-f64", Value::F64(f64::from_bits(0xfff0_0000_0000_0001)));
    assert_eq!(nan.to_msgpack(), [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]);
    for (function, value, expected) in [
        ("echo-u8", int(256), "expected u8, found the integer 256"),
        ("echo-u8", int(-1), "expected u8, found the integer -1"),
        ("echo-s8", int(128), "expected s8"),
        ("echo-s64", Value::Uint(1 << 63), "expected s64"),
        ("echo-s64", Value::F64(1.0), "expected s64, found the float 1"),
        ("echo-f64", int((1 << 53) + 1), "expected f64"),
        ("echo-f32", Value::F64(0.1), "expected f32, found the float 0.1"),
        ("echo-f32", int((1 << 24) + 1), "expected f32"),
        ("echo-bool", int(1), "expected bool"),
        ("echo-char", string("ab"), "expected char, found the string \"ab\""),
        ("echo-char", string(""), "expected char"),
        ("echo-string", Value::Bin(vec![]), "expected string, found bytes"),
        ("echo-bytes", string("x"), "expected list<u8>"),
    ] {
        let error = refused(function, value);
        assert_eq!(error.code, ErrorCode::TypeMismatch, "{error}");
        assert!(error.message.starts_with("argument 1 (v): ") && error.message.contains(expected), "{error}");
    }
}

#[test]
fn lists_of_numbers_are_packed() {
    for (function, kind) in [
        ("echo-list-s8", Packed::S8),
        ("echo-list-u16", Packed::U16),
        ("echo-list-s16", Packed::S16),
        ("echo-list-u32", Packed::U32),
        ("echo-list-s32", Packed::S32),
        ("echo-list-u64", Packed::U64),
        ("echo-list-s64", Packed::S64),
        ("echo-list-f32", Packed::F32),
        ("echo-list-f64", Packed::F64),
    ] {
        let bytes: Vec<u8> = (0..3 * kind.width() as u8).collect();
        assert_eq!(echo(function, packed(kind, &bytes)), packed(kind, &bytes), "{function}");
        assert_eq!(echo(function, packed(kind, &[])), packed(kind, &[]), "{function}");
        let ones: Vec<u8> = std::iter::repeat_n(int(1), 2).flat_map(|_| one(kind)).collect();
        assert_eq!(echo(function, Value::Array(vec![int(1), int(1)])), packed(kind, &ones), "{function}");
    }
    let error = refused("echo-list-f64", packed(Packed::F32, &[0; 8]));
    assert!(error.message.contains("expected list<f64>, found a packed list (f32)"), "{error}");
    let error = refused("echo-list-f64", packed(Packed::F64, &[0; 7]));
    assert_eq!(error.code, ErrorCode::BadValue, "{error}");
    let nans = floats(&[f64::from_bits(0x7ff0_0000_0000_0001), 1.0]);
    assert_eq!(
        echo("echo-list-f64", packed(Packed::F64, &nans)),
        packed(Packed::F64, &floats(&[f64::from_bits(0x7ff8 << 48), 1.0]))
    );
    // Long lists are copied in pieces; a NaN in any of them becomes the canonical one, and nothing else changes.
    for (count, at) in [(1_024, 0), (1_025, 1_024), (10_000, 5_000), (20_000, 19_999)] {
        let mut long: Vec<f64> = (0..count).map(|i| f64::from(i) - 0.5).collect();
        (long[0], long[1], long[2]) = (f64::INFINITY, f64::NEG_INFINITY, f64::MAX);
        long[at] = f64::from_bits(0xfff8_dead_beef_0001);
        let found = echo("echo-list-f64", packed(Packed::F64, &floats(&long)));
        long[at] = f64::from_bits(0x7ff8 << 48);
        assert_eq!(found, packed(Packed::F64, &floats(&long)));
        let mut short: Vec<u8> = long.iter().flat_map(|float| (*float as f32).to_le_bytes()).collect();
        short[4 * at..4 * at + 4].copy_from_slice(&0x7f80_0001u32.to_le_bytes());
        let found = echo("echo-list-f32", packed(Packed::F32, &short));
        short[4 * at..4 * at + 4].copy_from_slice(&0x7fc0_0000u32.to_le_bytes());
        assert_eq!(found, packed(Packed::F32, &short));
    }
    // Bytes as an array, and other lists.
    assert_eq!(echo("echo-bytes", Value::Array(vec![int(1), int(255)])), Value::Bin(vec![1, 255]));
    let lists = Value::Array(vec![packed(Packed::S64, &7i64.to_le_bytes()), packed(Packed::S64, &[])]);
    assert_eq!(echo("echo-lists", lists.clone()), lists);
    let bools = Value::Array(vec![Value::Bool(true), Value::Bool(false)]);
    assert_eq!(echo("echo-list-bool", bools.clone()), bools);
}

/// The number one as an element.
fn one(kind: Packed) -> Vec<u8> {
    match kind {
        Packed::F32 => 1f32.to_le_bytes().to_vec(),
        Packed::F64 => 1f64.to_le_bytes().to_vec(),
        kind => 1u64.to_le_bytes()[..kind.width()].to_vec(),
    }
}

#[test]
fn records_options_and_variants() {
    let rows = Value::Array((0..5_000).map(|i| row(i, i as f64 / 2.0, &format!("row {i}"))).collect());
    assert_eq!(echo("echo-rows", rows.clone()), rows);
    let shuffled = map(&[("label", string("a")), ("id", int(1)), ("x", int(2))]);
    assert_eq!(echo("echo-rows", Value::Array(vec![shuffled])), Value::Array(vec![row(1, 2.0, "a")]));
    assert_eq!(echo("echo-all-optional", map(&[])), map(&[("a", Value::Nil), ("b", Value::Nil)]));
    assert_eq!(echo("echo-all-optional", map(&[("b", string("x"))])), map(&[("a", Value::Nil), ("b", string("x"))]));
    for value in [Value::Nil, map(&[("some", Value::Nil)]), map(&[("some", string("x"))])] {
        assert_eq!(echo("echo-option-option", value.clone()), value);
    }
    for value in
        [map(&[("circle", Value::F32(1.5))]), map(&[("rect", Value::Array(vec![Value::F64(1.0), int(-2)]))]), string("none")]
    {
        assert_eq!(echo("echo-shape", value.clone()), value);
    }
    assert_eq!(echo("echo-shape", map(&[("none", Value::Nil)])), string("none"));
    assert_eq!(echo("echo-color", string("green")), string("green"));
    let perms = |names: &[&str]| Value::Array(names.iter().map(|name| string(name)).collect());
    assert_eq!(echo("echo-perms", perms(&["exec", "read"])), perms(&["read", "exec"]));
    assert_eq!(echo("echo-many", perms(&["f16"])), perms(&["f16"]));
    let results = Value::Array(vec![map(&[("ok", int(1))]), map(&[("err", string("no"))])]);
    assert_eq!(echo("echo-results", results.clone()), results);
    let empty = Value::Array(vec![map(&[("ok", Value::Nil)]), map(&[("err", Value::Nil)])]);
    assert_eq!(echo("echo-empty-results", empty.clone()), empty);
}

#[test]
fn wide_records_and_many_parameters_go_through_memory() {
    let wide = map(&[
        ("a", int(1)),
        ("b", int(-2)),
        ("c", Value::Nil),
        ("d", map(&[("name", string("n"))])),
        ("e", Value::Array(vec![string("write")])),
        ("f", string("blue")),
        ("g", map(&[("ok", packed(Packed::F64, &floats(&[0.5])))])),
        ("h", Value::Array(vec![string("x"), Value::Bool(true)])),
        ("i", Value::Array(vec![Value::Nil, string("s")])),
        ("j", string("end")),
    ]);
    assert_eq!(echo("echo-wide", wide.clone()), wide);
    let args = [
        int(1),
        int(2),
        int(3),
        int(4),
        int(-5),
        int(-6),
        int(-7),
        int(-8),
        Value::F64(1.5),
        Value::F64(2.5),
        Value::Bool(true),
        string("c"),
        string("text"),
        Value::Bin(vec![9]),
        Value::Nil,
    ];
    let Value::Str(text) = ok(call(&guest("everything"), &format!("{EVERYTHING}spill"), &args)) else { panic!("no string") };
    assert!(text.contains("text") && text.contains("2.5"), "{text}");
}

#[test]
fn errors_name_the_place() {
    let bad = Value::Array(vec![row(1, 0.5, "a"), map(&[("id", int(1)), ("x", int(1)), ("label", int(5))])]);
    let error = refused("echo-rows", bad);
    assert_eq!(error.message, "argument 1 (v)[1].label: expected string, found the integer 5");
    let error = refused("echo-rows", Value::Array(vec![map(&[("id", int(1)), ("x", int(1))])]));
    assert_eq!(error.message, "argument 1 (v)[0]: the field `label` is missing");
    let error = refused("echo-record", map(&[("x", int(1)), ("y", int(1)), ("z", int(1))]));
    assert!(error.code == ErrorCode::UnknownField && error.message.contains("`z` is not one of `x`, `y`"), "{error}");
    let twice = [vec![0x91, 0x82], string("x").to_msgpack(), vec![1], string("x").to_msgpack(), vec![1]].concat();
    let function = guest("everything").function(&format!("{EVERYTHING}echo-record")).unwrap();
    let error = Case { args: &twice, ..Case::default() }.run(&function).result.unwrap_err();
    assert_eq!(error.code, ErrorCode::DuplicateMapKey, "{error}");
    let error = refused("echo-shape", map(&[("circle", string("x"))]));
    assert_eq!(error.message, "argument 1 (v)(circle): expected f32, found the string \"x\"");
    assert!(refused("echo-shape", string("circle")).message.contains("has a payload"));
    assert!(refused("echo-shape", string("square")).message.contains("found the string \"square\""));
    assert!(refused("echo-perms", Value::Array(vec![string("read"), string("read")])).message.contains("twice"));
    assert!(refused("echo-tuple", Value::Array(vec![int(1)])).message.contains("found an array of 1"));
    assert_eq!(refused("echo-u8", Value::Ext(5, vec![0])).code, ErrorCode::TypeMismatch);
}

#[test]
fn arguments_by_position_by_name_and_bound() {
    let add = guest("calc").function("add").unwrap();
    let run = |bound: &[u8], args: &[u8]| Case { bound, args, ..Case::default() }.run(&add).result;
    let named = |pairs: &[(&str, Value)]| map(pairs).to_msgpack();
    assert_eq!(run(&[], &array(&[int(2), int(3)])).unwrap(), [5]);
    assert_eq!(run(&array(&[int(2)]), &array(&[int(3)])).unwrap(), [5]);
    assert_eq!(run(&array(&[int(2), int(3)]), &array(&[])).unwrap(), [5]);
    assert_eq!(run(&[], &named(&[("b", int(3)), ("a", int(2))])).unwrap(), [5]);
    assert_eq!(run(&array(&[int(2)]), &named(&[("b", int(3))])).unwrap(), [5]);
    for (bound, args, code) in [
        (vec![], array(&[int(1)]), ErrorCode::WrongArity),
        (vec![], array(&[int(1), int(2), int(3)]), ErrorCode::WrongArity),
        (array(&[int(1)]), array(&[int(1), int(2)]), ErrorCode::WrongArity),
        (vec![], named(&[("a", int(1))]), ErrorCode::WrongArity),
        (array(&[int(1)]), named(&[("a", int(1)), ("b", int(2))]), ErrorCode::UnknownField),
        (vec![], vec![], ErrorCode::BadMsgpack),
        (vec![], vec![0x92, 1], ErrorCode::BadMsgpack),
        (vec![], vec![0x92, 1, 2, 3], ErrorCode::TrailingBytes),
        (vec![], vec![0x92, 1, 0xc1], ErrorCode::BadMsgpack),
        (vec![], vec![7], ErrorCode::TypeMismatch),
    ] {
        let error = run(&bound, &args).unwrap_err();
        assert_eq!(error.code, code, "{error}");
    }
}

#[test]
fn references_are_put_in_place() {
    let table = Table {
        tasks: [
            (3, Value::Array(vec![row(1, 0.5, "a"), row(2, 1.5, "b")]).to_msgpack()),
            (4, packed(Packed::S64, &floats(&[])).to_msgpack()),
        ]
        .into(),
        values: [(0, string("from data").to_msgpack()), (1, map(&[("$", Value::Nil)]).to_msgpack())].into(),
        raw: [(2, vec![1, 2, 3])].into(),
    };
    let task = |steps: Value| Value::Ext(1, steps.to_msgpack());
    let run = |function: &str, value: Value| {
        let function = guest("everything").function(&format!("{EVERYTHING}{function}")).unwrap();
        Case { args: &array(&[value]), resolve: &table, ..Case::default() }.run(&function)
    };
    assert_eq!(ok(run("echo-rows", task(int(3)))), Value::Array(vec![row(1, 0.5, "a"), row(2, 1.5, "b")]));
    assert_eq!(
        ok(run("echo-rows", Value::Array(vec![task(Value::Array(vec![int(3), int(1)]))]))),
        Value::Array(vec![row(2, 1.5, "b")])
    );
    assert_eq!(ok(run("echo-string", task(Value::Array(vec![int(3), int(0), string("label")])))), string("a"));
    assert_eq!(ok(run("echo-string", data(0))), string("from data"));
    assert_eq!(ok(run("echo-bytes", data(2))), Value::Bin(vec![1, 2, 3]));
    assert_eq!(
        ok(run("echo-list-u32", Value::Array(vec![task(Value::Array(vec![int(3), int(0), string("id")])), int(9)]))),
        packed(Packed::U32, &[1, 0, 0, 0, 9, 0, 0, 0])
    );
    for (function, value, code) in [
        ("echo-string", data(2), ErrorCode::TypeMismatch),
        ("echo-string", data(1), ErrorCode::TypeMismatch),
        ("echo-string", data(77), ErrorCode::WorkerFault),
        ("echo-string", task(Value::Array(vec![int(3), int(2)])), ErrorCode::TypeMismatch),
        ("echo-string", Value::Ext(1, vec![0xc0]), ErrorCode::BadValue),
        ("echo-string", Value::Ext(3, vec![0]), ErrorCode::BadValue),
    ] {
        assert_eq!(err(run(function, value)).code, code);
    }
    // A value that a reference leads to may not refer on.
    let circle = Table { values: [(0, data(0).to_msgpack())].into(), ..Table::default() };
    let function = guest("everything").function(&format!("{EVERYTHING}echo-string")).unwrap();
    let error = Case { args: &array(&[data(0)]), resolve: &circle, ..Case::default() }.run(&function).result.unwrap_err();
    assert_eq!(error.code, ErrorCode::BadValue, "{error}");
}

#[test]
fn paths_lead_into_values() {
    use wasm_tasks_protocol::value_type::Step::{Field, Index};
    let value =
        map(&[("a", Value::Array(vec![int(1), packed(Packed::F64, &floats(&[0.5, 1.5]))])), ("b", Value::Bin(vec![200, 7]))])
            .to_msgpack();
    let at = |path: &[_]| match follow(&value, path) {
        Ok(Resolved::Value(bytes)) => Ok(Value::from_msgpack(bytes).unwrap()),
        Ok(Resolved::Element(element)) => Ok(Value::from_msgpack(element.as_bytes()).unwrap()),
        Ok(Resolved::Raw(_)) => panic!("raw"),
        Err(error) => Err(error.to_string()),
    };
    assert_eq!(at(&[Field("a"), Index(0)]), Ok(int(1)));
    assert_eq!(at(&[Field("a"), Index(1), Index(1)]), Ok(Value::F64(1.5)));
    assert_eq!(at(&[Field("b"), Index(0)]), Ok(int(200)));
    assert_eq!(at(&[Field("b"), Index(2)]), Err("index 2 is beyond the end of a list of 2".to_owned()));
    assert_eq!(at(&[Field("a"), Index(9)]), Err("index 9 is beyond the end of a list of 2".to_owned()));
    assert_eq!(at(&[Field("c")]), Err("the value has no field `c`".to_owned()));
    assert_eq!(at(&[Index(0)]), Err("step `[0]` leads into a map".to_owned()));
    assert_eq!(at(&[Field("a"), Index(1), Index(1), Index(0)]), Err("step `[0]` leads into a number".to_owned()));
}

#[test]
fn canonical_writes_the_typed_encoding() {
    let ty: Type = "record { a: list<f32>, b: option<u8>, c: variant { x, y(list<u8>) } }".parse().unwrap();
    let value = map(&[("c", map(&[("y", Value::Array(vec![int(7)]))])), ("a", Value::Array(vec![int(1)]))]).to_msgpack();
    let typed = canonical(&ty, &mut Reader::new(&value), &()).unwrap();
    let expected =
        map(&[("a", packed(Packed::F32, &1f32.to_le_bytes())), ("b", Value::Nil), ("c", map(&[("y", Value::Bin(vec![7]))]))]);
    assert_eq!(typed, expected.to_msgpack());
    assert_eq!(canonical(&ty, &mut Reader::new(&typed), &()).unwrap(), typed, "canonical is a fixed point");
}

#[test]
fn results_of_functions() {
    let everything = guest("everything");
    assert_eq!(ok(call(&everything, &format!("{EVERYTHING}noop"), &[])), Value::Nil);
    let try_echo = everything.function(&format!("{EVERYTHING}try-echo")).unwrap();
    assert_eq!((try_echo.result(), try_echo.error()), (&Type::bytes(), Some(&Type::String)));
    assert_eq!(echo("try-echo", map(&[("ok", Value::Bin(vec![1]))])), Value::Bin(vec![1]));
    let error = refused("try-echo", map(&[("err", string("so"))]));
    assert_eq!((error.code, error.message.as_str(), error.value), (ErrorCode::GuestError, "so", Some(string("so").to_msgpack())));
    let error = refused("check", Value::Bool(true));
    let Some(value) = &error.value else { panic!("no value") };
    assert!(Value::from_msgpack(value).unwrap().get("label").is_some());
    assert!(error.message.starts_with("{id: ") && error.message.contains("label: "), "{error}");
    let check = everything.function(&format!("{EVERYTHING}check")).unwrap();
    assert_eq!((echo("check", Value::Bool(false)), check.result()), (Value::Nil, &Type::Unit));
    let outcome = call(&everything, &format!("{EVERYTHING}print"), &[string("out\n"), string("err")]);
    assert!(outcome.stdout.starts_with(b"out") && outcome.stderr.starts_with(b"err"), "{outcome:?}");
}
