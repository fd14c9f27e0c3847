//! Calls that end in tasks instead of with a result.

use crate::support::{Case, array, call, err, guest, int, string, text};
use wasm_tasks_protocol::limits::DELEGATION_BYTES_MAX;
use wasm_tasks_protocol::{ErrorCode, Value};
use wasm_tasks_sandbox::CancelFlag;

#[test]
fn a_call_may_end_in_tasks() {
    let recursion = guest("recursion");
    let outcome = call(&recursion, "fib", &[int(7)]);
    assert!(outcome.is_delegation);
    let tasks = Value::from_msgpack(&outcome.result.expect("tasks")).expect("a graph file");
    let Value::Map(fields) = tasks else { panic!("{tasks:?}") };
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["wasm-tasks", "functions", "tasks", "outputs"]);
    let plain = call(&recursion, "fib", &[int(1)]);
    assert!(!plain.is_delegation);
    assert_eq!(plain.result.expect("a result"), [1]);
}

#[test]
fn the_same_call_ends_in_the_same_tasks() {
    let recursion = guest("recursion");
    let sort = || call(&recursion, "sort", &[Value::Array([5, 1, 4, 2].map(int).to_vec()), int(1)]).result.expect("tasks");
    assert_eq!(sort(), sort());
}

#[test]
fn what_a_call_writes_is_bounded() {
    let recursion = guest("recursion");
    let write = |bytes: usize| call(&recursion, "write", &[Value::Bin(vec![7; bytes])]);
    let most = write(DELEGATION_BYTES_MAX);
    assert!(most.is_delegation);
    assert_eq!(most.result.expect("tasks").len(), DELEGATION_BYTES_MAX);
    let outcome = write(DELEGATION_BYTES_MAX + 1);
    assert!(!outcome.is_delegation);
    let error = err(outcome);
    assert_eq!(error.code, ErrorCode::LimitExceeded, "{error}");
}

#[test]
fn a_call_that_is_cancelled_ends_in_nothing() {
    let function = guest("recursion").function("fib").expect("it is exported");
    let cancel = CancelFlag::new();
    cancel.cancel();
    let args = array(&[int(9)]);
    let outcome = Case { args: &args, ..Case::default() }.run_cancellable(&function, &cancel);
    assert!(!outcome.is_delegation);
    assert_eq!(err(outcome).code, ErrorCode::Cancelled);
}

/// A list that lies outside of the guest's memory is the guest's fault.
#[test]
fn tasks_that_lie_nowhere_are_none() {
    let import = r#"(import "wasm-tasks:task/delegate@0.1.0" (instance $task (export "delegate" (func (param "tasks" (list u8))))))
      (core module $l (memory (export "mem") 1))
      (core instance $li (instantiate $l))
      (core func $delegate (canon lower (func $task "delegate") (memory (core memory $li "mem"))))"#;
    let component = format!(
        r#"(component {import}
          (core module $m (import "h" "delegate" (func $d (param i32 i32)))
            (func (export "f") (call $d (i32.const 65000) (i32.const 100000))))
          (core instance $h (export "delegate" (func $delegate)))
          (core instance $i (instantiate $m (with "h" (instance $h))))
          (func (export "f") (canon lift (core func $i "f"))))"#
    );
    let outcome = call(&text(&component), "f", &[]);
    assert!(!outcome.is_delegation);
    assert_eq!(err(outcome).code, ErrorCode::Trap);
    // A function that the interface does not have is denied.
    let other = import
        .replace("\"delegate\" (func (param", "\"another\" (func (param")
        .replace("$task \"delegate\"", "$task \"another\"");
    let component = format!(
        r#"(component {other}
          (core module $m (import "h" "delegate" (func $d (param i32 i32)))
            (func (export "f") (call $d (i32.const 0) (i32.const 1))))
          (core instance $h (export "delegate" (func $delegate)))
          (core instance $i (instantiate $m (with "h" (instance $h))))
          (func (export "f") (canon lift (core func $i "f"))))"#
    );
    assert_eq!(err(call(&text(&component), "f", &[])).code, ErrorCode::GrantDenied);
}

#[test]
fn others_of_the_guests_functions_are_plain() {
    let recursion = guest("recursion");
    assert_eq!(call(&recursion, "add", &[int(2), int(3)]).result.expect("a result"), [5]);
    assert_eq!(call(&recursion, "later", &[int(0), string("x")]).result.expect("a result"), [0xa1, b'x']);
    assert!(call(&recursion, "later", &[int(1), string("x")]).is_delegation);
    assert!(call(&recursion, "bomb", &[int(3)]).is_delegation);
    let lists = [1, 2, 3].map(|x| Value::Array(vec![int(x)]));
    assert!(!call(&recursion, "join", &lists).is_delegation);
}
