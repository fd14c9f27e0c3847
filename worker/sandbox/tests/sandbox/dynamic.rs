//! Dynamic functions: values of any type, with references anywhere in them.

use crate::support::{BUMP, Case, Table, array, data, err, int, map, module_text, ok, string, text};
use wasm_tasks_protocol::{ErrorCode, Type, Value};
use wasm_tasks_sandbox::{CancelFlag, Function, Outcome};

/// Returns the bytes that it was given.
fn echo() -> Function {
    let core = format!(
        r#"{BUMP} (func (export "f") (param i32 i32) (result i32)
             (i32.store (i32.const 8) (local.get 0)) (i32.store (i32.const 12) (local.get 1)) (i32.const 8))"#
    );
    text(&module_text("", "(param \"message\" (list u8)) (result (list u8))", 4, &core, "utf8")).function("f").unwrap()
}

fn run(args: &[Value], table: &Table, declared: Option<&Type>) -> Outcome {
    let args = array(args);
    let case = Case { args: &args, resolve: table, ..Case::default() };
    let cancel = CancelFlag::new();
    echo().call_dynamic(&case.call(&cancel), declared)
}

#[test]
fn references_are_replaced_wherever_they_stand() {
    let table = Table {
        tasks: [(0, map(&[("x", int(5)), ("list", Value::Ext(24, 1.5f64.to_le_bytes().to_vec()))]).to_msgpack())].into(),
        values: [(0, string("data").to_msgpack())].into(),
        raw: [(1, vec![9; 300])].into(),
    };
    let task = |steps: &[Value]| Value::Ext(1, array(steps));
    let args = [
        map(&[("deep", Value::Array(vec![data(0), task(&[int(0), string("x")])]))]),
        data(1),
        task(&[int(0), string("list"), int(0)]),
        Value::Ext(1, vec![0]),
    ];
    let expected = Value::Array(vec![
        map(&[("deep", Value::Array(vec![string("data"), int(5)]))]),
        Value::Bin(vec![9; 300]),
        Value::F64(1.5),
        map(&[("x", int(5)), ("list", Value::Ext(24, 1.5f64.to_le_bytes().to_vec()))]),
    ]);
    assert_eq!(ok(run(&args, &table, None)), expected);
}

#[test]
fn a_declared_result_is_checked_and_written_in_its_type() {
    let ty: Type = "tuple<f32, list<u8>>".parse().unwrap();
    let args = [int(1), Value::Array(vec![int(2)])];
    assert_eq!(ok(run(&args, &Table::default(), Some(&ty))), Value::Array(vec![Value::F32(1.0), Value::Bin(vec![2])]));
    let error = err(run(&[string("x"), Value::Nil], &Table::default(), Some(&ty)));
    assert_eq!(error.code, ErrorCode::BadResult, "{error}");
    assert!(error.message.contains("[0]: expected f32"), "{error}");
}

#[test]
fn bad_arguments_and_results() {
    let nothing = Table::default();
    assert_eq!(err(run(&[data(7)], &nothing, None)).code, ErrorCode::WorkerFault);
    let cancel = CancelFlag::new();
    let by_name = map(&[("message", int(1))]).to_msgpack();
    let case = Case { args: &by_name, ..Case::default() };
    assert_eq!(err(echo().call_dynamic(&case.call(&cancel), None)).code, ErrorCode::WrongArity);
    // A guest whose answer is not MessagePack, has something after it, or refers to a task.
    for (bytes, len) in [("\\c1", 1), ("\\01\\02", 2), ("\\d4\\01\\00", 3), ("", 0), ("\\82\\a1x\\01\\a1x\\01", 7)] {
        let core = format!(
            r#"{BUMP} (data (i32.const 64) "{bytes}") (func (export "f") (param i32 i32) (result i32)
                 (i32.store (i32.const 8) (i32.const 64)) (i32.store (i32.const 12) (i32.const {len})) (i32.const 8))"#
        );
        let guest = text(&module_text("", "(param \"message\" (list u8)) (result (list u8))", 1, &core, "utf8"));
        let args = array(&[]);
        let case = Case { args: &args, ..Case::default() };
        let error = err(guest.function("f").unwrap().call_dynamic(&case.call(&cancel), None));
        assert_eq!(error.code, ErrorCode::BadResult, "{error}");
    }
}

#[test]
fn signatures_that_cannot_be_dynamic() {
    assert!(echo().check_dynamic(0).is_ok());
    let error = echo().check_dynamic(1).unwrap_err();
    assert_eq!(error.code, ErrorCode::UnsupportedExport);
    let add = crate::support::guest("calc").function("add").unwrap();
    assert!(add.check_dynamic(0).is_err() && add.check_dynamic(1).is_err());
}

/// Absent options of a declared type are written by the host: their bytes count before they are.
#[test]
fn absent_options_count_against_the_results_limit() {
    let fields: String = (0..1_000).map(|at| format!("field-{at}: option<u8>, ")).collect();
    let ty: Type = format!("list<record {{ {} }}>", fields.trim_end_matches(", ")).parse().unwrap();
    // The guest returns its arguments: 2 KB that would become 26 MB.
    let args = array(&vec![Value::Map(Vec::new()); 2_000]);
    let limits = wasm_tasks_sandbox::Limits { result_bytes_max: 1 << 20, ..Default::default() };
    let case = Case { args: &args, limits, ..Case::default() };
    let cancel = CancelFlag::new();
    let error = err(echo().call_dynamic(&case.call(&cancel), Some(&ty)));
    assert_eq!(error.code, ErrorCode::ResultTooLarge, "{error}");
}
