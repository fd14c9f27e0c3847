//! Clocks and randomness: the same for every run of the same task, and nothing of the real machine without a grant.

use crate::support::{Case, Table, array, call, data, guest, int, ok, text};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wasm_tasks_protocol::Value;
use wasm_tasks_sandbox::Grants;

fn hostile(export: &str) -> wasm_tasks_sandbox::Function {
    guest("hostile").function(export).unwrap()
}

fn uint(value: &Value) -> u64 {
    match value {
        Value::Uint(value) => *value,
        other => panic!("{other:?} is no number"),
    }
}

#[test]
fn wall_clock() {
    let virtual_start_ns = 1_767_225_600_000_000_000;
    let reading = || uint(&ok(call(&guest("hostile"), "wall-clock", &[])));
    let first = reading();
    assert_eq!(first, reading(), "virtual time is the same for each run");
    assert!((virtual_start_ns..virtual_start_ns + 1_000_000).contains(&first), "{first}");
    let real = Case { grants: Grants { clock: true, ..Grants::default() }, ..Case::default() };
    let real = uint(&ok(real.run(&hostile("wall-clock"))));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    assert!(now.abs_diff(real) < 600_000_000_000, "{now} {real}");
}

#[test]
fn monotonic_clock() {
    let reading = || uint(&ok(call(&guest("hostile"), "monotonic-clock", &[])));
    assert_eq!(reading(), reading());
}

#[test]
fn sleeping_is_real_with_the_grant() {
    let args = array(&[int(30)]);
    let case = Case { args: &args, grants: Grants { clock: true, ..Grants::default() }, ..Case::default() };
    let outcome = case.run(&hostile("sleep-ms"));
    assert!(outcome.wall >= Duration::from_millis(30), "{:?}", outcome.wall);
    assert!(uint(&ok(outcome)) >= 30);
}

#[test]
fn a_real_sleep_ends_with_the_wall_time() {
    let args = array(&[int(3_600_000)]);
    let case = Case { args: &args, grants: Grants { clock: true, ..Grants::default() }, ..Case::default() };
    let case = Case { limits: wasm_tasks_sandbox::Limits { wall: Duration::from_millis(40), ..case.limits }, ..case };
    let outcome = case.run(&hostile("sleep-ms"));
    assert_eq!(outcome.result.unwrap_err().code, wasm_tasks_protocol::ErrorCode::Timeout);
}

fn drawn(export: &str, args: &[Value], seed: u64, grants: Grants) -> Vec<u8> {
    match ok(Case { args: &array(args), seed, grants, ..Case::default() }.run(&hostile(export))) {
        Value::Bin(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn random_bytes() {
    let none = Grants::default();
    let first = drawn("random-bytes", &[int(32)], 0, none);
    assert_eq!(first, drawn("random-bytes", &[int(32)], 0, none), "the same task draws the same");
    assert_ne!(first, drawn("random-bytes", &[int(33)], 0, none)[..32], "other arguments draw otherwise");
    assert_ne!(first, drawn("random-bytes", &[int(32)], 1, none), "another seed draws otherwise");
    assert_ne!(first, drawn("insecure-random-bytes", &[int(32)], 0, none), "another export draws otherwise");
    let real = Grants { entropy: true, ..none };
    assert_ne!(drawn("random-bytes", &[int(32)], 0, real), drawn("random-bytes", &[int(32)], 0, real));
}

#[test]
fn insecure_random_bytes() {
    let drawn = |seed| drawn("insecure-random-bytes", &[int(16)], seed, Grants::default());
    assert_eq!(drawn(7), drawn(7));
    assert_ne!(drawn(7), drawn(8));
}

/// The seed follows from the typed arguments, so it does not matter how they were written or where they came from.
#[test]
fn the_seed_does_not_depend_on_how_arguments_are_written() {
    let function = hostile("random-bytes");
    let plain = Case { args: &array(&[int(32)]), ..Case::default() }.run(&function).result.unwrap();
    // The same number in a longer form, by name, bound, and behind a reference.
    let long = Case { args: &[0x91, 0xce, 0, 0, 0, 32], ..Case::default() }.run(&function).result.unwrap();
    let name = Value::Map(vec![("len".to_owned(), int(32))]).to_msgpack();
    let by_name = Case { args: &name, ..Case::default() }.run(&function).result.unwrap();
    let bound = Case { bound: &array(&[int(32)]), args: &[0x90], ..Case::default() }.run(&function).result.unwrap();
    let table = Table { values: [(0, vec![32])].into(), ..Table::default() };
    let referred = Case { args: &array(&[data(0)]), resolve: &table, ..Case::default() }.run(&function).result.unwrap();
    assert!([long, by_name, bound, referred].iter().all(|drawn| *drawn == plain));
}

#[test]
fn too_many_random_bytes_at_once_are_refused() {
    let args = array(&[int(1 << 30)]);
    let error = Case { args: &args, ..Case::default() }.run(&hostile("random-bytes")).result.unwrap_err();
    assert_eq!(error.code, wasm_tasks_protocol::ErrorCode::LimitExceeded, "{error}");
}

/// Different components draw differently, too.
#[test]
fn the_seed_depends_on_the_component() {
    let component = |constant: u32| {
        text(&format!(
            r#"(component
  (import "wasi:random/random@0.2.0" (instance $r (export "get-random-u64" (func (result u64)))))
  (core func $draw (canon lower (func $r "get-random-u64")))
  (core module $m (import "r" "draw" (func $draw (result i64))) (func (export "f") (result i64) (call $draw)) (func (result i32) (i32.const {constant})))
  (core instance $i (instantiate $m (with "r" (instance (export "draw" (func $draw))))))
  (func (export "f") (result u64) (canon lift (core func $i "f"))))"#
        ))
    };
    let (one, two) = (component(1), component(2));
    assert_eq!(ok(call(&one, "f", &[])), ok(call(&one, "f", &[])));
    assert_ne!(ok(call(&one, "f", &[])), ok(call(&two, "f", &[])));
}
