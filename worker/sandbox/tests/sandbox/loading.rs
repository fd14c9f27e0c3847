//! What is refused when a component is loaded or an export is bound, and with which words.

use crate::support::{Case, FRESH, call, err, guest, guest_bytes, int, load_text, ok, text};
use bytes::Bytes;
use wasm_tasks_protocol::limits::COMPONENT_BYTES_MAX;
use wasm_tasks_protocol::{ComponentDigest, ErrorCode, Type, Value};
use wasm_tasks_sandbox::{CancelFlag, LoadError, Profile};

fn load(bytes: impl Into<Bytes>) -> LoadError {
    let bytes = bytes.into();
    FRESH.load(ComponentDigest::of(&bytes), || Some(bytes.clone()), Profile::Plain).unwrap_err()
}

#[test]
fn files_that_are_no_components() {
    for bytes in [&b""[..], b"\0asm", b"(component)", b"#!/bin/sh\n", &[0xff; 100]] {
        let error = load(Bytes::copy_from_slice(bytes));
        assert_eq!(error.code(), ErrorCode::NotAComponent, "{error}");
    }
    let error = load(wat::parse_str("(module)").unwrap());
    assert_eq!(error.code(), ErrorCode::CoreModule, "{error}");
    assert!(error.to_string().contains("wasm-tasks componentize"), "{error}");
    let mut truncated = guest_bytes("calc").to_vec();
    truncated.truncate(truncated.len() / 2);
    assert_eq!(load(truncated).code(), ErrorCode::NotAComponent);
    let invalid = wat::parse_str(r#"(component (core module (func (result i32))))"#).unwrap();
    let error = load(invalid);
    assert_eq!(error.code(), ErrorCode::NotAComponent, "{error}");
}

#[test]
fn compiled_code_is_never_accepted() {
    let engine = wasmtime::Engine::default();
    let compiled = engine.precompile_component(&wat::parse_str("(component)").unwrap()).unwrap();
    let error = load(compiled);
    assert_eq!(error.code(), ErrorCode::NotAComponent, "{error}");
    assert!(error.to_string().contains("compiled code"), "{error}");
}

#[test]
fn wrong_digests_and_missing_bytes() {
    let bytes = guest_bytes("calc");
    let other = ComponentDigest::of(b"something else");
    let error = FRESH.load(other, || Some(bytes), Profile::Plain).unwrap_err();
    assert_eq!(error.code(), ErrorCode::DigestMismatch, "{error}");
    let missing = ComponentDigest::of(b"never uploaded");
    let error = FRESH.load(missing, || None, Profile::Plain).unwrap_err();
    assert_eq!(error, LoadError::NotAvailable(missing));
    assert!(error.is_retryable());
    let error = load(vec![0; COMPONENT_BYTES_MAX + 1]);
    assert_eq!(error.code(), ErrorCode::LimitExceeded, "{error}");
}

#[test]
fn features_that_are_off() {
    for (what, wat) in [
        ("threads", r#"(component (core module (memory 1 1 shared)))"#),
        ("memory64", r#"(component (core module (memory i64 1)))"#),
        ("exceptions", r#"(component (core module (tag)))"#),
        ("gc", r#"(component (core module (type (struct (field i32)))))"#),
        (
            "relaxed SIMD",
            r#"(component (core module (func (param v128 v128 v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))))"#,
        ),
        ("async", r#"(component (import "f" (func async)))"#),
    ] {
        let error = load_text(wat).unwrap_err();
        assert_eq!(error.code(), ErrorCode::UnsupportedComponent, "{what}: {error}");
        println!("{what}: {error}");
    }
}

#[test]
fn imports_that_nobody_provides() {
    for (wat, code, words) in [
        (
            r#"(component (import "my:pkg/iface@1.0.0" (instance (export "f" (func)))))"#,
            ErrorCode::UnknownImport,
            "my:pkg/iface@1.0.0",
        ),
        (r#"(component (import "f" (func)))"#, ErrorCode::UnknownImport, "`f`"),
        (
            r#"(component (import "wasi:clocks/monotonic-clock@0.3.0" (instance (export "now" (func (result u64))))))"#,
            ErrorCode::UnsupportedComponent,
            "WASI 0.2",
        ),
        (
            r#"(component (import "wasi:io/poll@0.2.0" (instance (export "poll" (func (param "x" u32) (result u32))))))"#,
            ErrorCode::UnsupportedComponent,
            "poll",
        ),
    ] {
        let error = load_text(wat).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    // Instances that only name types provide nothing and need nothing.
    load_text(r#"(component (import "my:pkg/types@1.0.0" (instance (type $u u32) (export "t" (type (eq $u))))))"#).unwrap();
}

/// A function of WASI that we have never heard of links, and denies when it is called.
#[test]
fn unknown_functions_of_wasi_link_and_deny() {
    let wat = r#"(component
  (import "wasi:future/thing@0.2.9" (instance $t
    (export "thing" (type $thing (sub resource)))
    (export "make" (func (result (own $thing))))
    (export "[method]thing.count" (func (param "self" (borrow $thing)) (result u32)))
    (export "ask" (func (result (option string))))))
  (core module $mem (memory (export "mem") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64)))
  (core instance $mem (instantiate $mem))
  (core func $make (canon lower (func $t "make")))
  (core func $count (canon lower (func $t "[method]thing.count")))
  (core func $ask (canon lower (func $t "ask") (memory (core memory $mem "mem")) (realloc (core func $mem "realloc"))))
  (core module $m
    (import "t" "make" (func $make (result i32))) (import "t" "count" (func $count (param i32) (result i32)))
    (import "t" "ask" (func $ask (param i32)))
    (func (export "asks") (call $ask (i32.const 8)))
    (func (export "counts") (result i32) (call $count (call $make))))
  (core instance $i (instantiate $m (with "t" (instance (export "make" (func $make)) (export "count" (func $count)) (export "ask" (func $ask))))))
  (func (export "asks") (canon lift (core func $i "asks")))
  (func (export "counts") (result u32) (canon lift (core func $i "counts"))))"#;
    let component = text(wat);
    assert_eq!(ok(call(&component, "asks", &[])), Value::Nil);
    let error = err(call(&component, "counts", &[]));
    assert_eq!(error.code, ErrorCode::GrantDenied, "{error}");
    assert!(error.message.contains("wasi:future/thing@0.2.9#[method]thing.count"), "{error}");
}

#[test]
fn exports_by_name() {
    let calc = guest("calc");
    let add = calc.function("add").unwrap();
    assert_eq!(add.params(), [("a".to_owned(), Type::S64), ("b".to_owned(), Type::S64)]);
    assert_eq!((add.result(), add.error(), add.export()), (&Type::S64, None, "add"));
    let error = calc.function("ad").unwrap_err();
    assert_eq!(error.code, ErrorCode::UnknownExport);
    assert!(error.message.contains("did you mean `add`?"), "{error}");
    let everything = guest("everything");
    let with_version = everything.function("wasm-tasks:examples/everything@0.1.0#noop").unwrap();
    assert_eq!(everything.function("wasm-tasks:examples/everything#noop").unwrap().export(), with_version.export());
    for wrong in ["wasm-tasks:examples/everything@0.2.0#noop", "wasm-tasks:examples/everything#nop", "noop", "#", ""] {
        let error = everything.function(wrong).unwrap_err();
        assert_eq!(error.code, ErrorCode::UnknownExport, "{wrong}");
    }
    assert!(everything.function("wasm-tasks:examples/everything#nop").unwrap_err().message.contains("#noop`"));
}

#[test]
fn exports_that_cannot_be_tasks() {
    let wat = r#"(component
  (type $t (resource (rep i32))) (export $r "r" (type $t))
  (core module $m (func (export "f") (param i32)))
  (core instance $i (instantiate $m))
  (func (export "f") (param "x" (own $r)) (canon lift (core func $i "f"))))"#;
    let error = text(wat).function("f").unwrap_err();
    assert_eq!(error.code, ErrorCode::UnsupportedExport);
    assert!(error.message.contains("a resource"), "{error}");
}

/// A type of a few lines that written out has 2^15 parts.
#[test]
fn types_that_grow_when_they_are_written_out() {
    let mut definitions = "(type $u0 (record (field \"x\" u8)))".to_owned();
    for i in 1..15 {
        let before = i - 1;
        definitions += &format!("(type $u{i} (tuple $t{before} $t{before}))").replace("$t", "$u");
    }
    let definitions = definitions.replace("(type $u0 (record (field \"x\" u8)))", "(type $u0 (tuple u8 u8))");
    let core = r#"(func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable) (func (export "f") (result i32) (i32.const 0))"#;
    let component = load_text(&crate::support::module_text(&definitions, "(result $u14)", 1, core, "utf8")).unwrap();
    let error = component.function("f").unwrap_err();
    assert!(error.code == ErrorCode::UnsupportedExport && error.message.contains("parts of types"), "{error}");
}

/// Every guest of every language loads and says what it exports.
#[test]
fn guests_of_every_language_load() {
    for name in ["calc", "everything", "flights", "hostile", "stats", "report", "combine"] {
        let exports = guest(name).exports();
        assert!(!exports.is_empty(), "{name}");
        for export in exports {
            guest(name).function(&export).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn a_call_that_was_cancelled_before_does_not_run() {
    let cancel = CancelFlag::new();
    cancel.cancel();
    let add = guest("calc").function("add").unwrap();
    let outcome = Case { args: &[0x92, 1, 2], ..Case::default() }.run_cancellable(&add, &cancel);
    assert_eq!(err(outcome).code, ErrorCode::Cancelled);
}

#[test]
fn calls_from_many_threads() {
    let add = guest("calc").function("add").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let add = &add;
            scope.spawn(move || {
                for i in 0..200 {
                    let args = Value::Array(vec![int(thread), int(i)]).to_msgpack();
                    assert_eq!(ok(Case { args: &args, ..Case::default() }.run(add)), int(thread + i));
                }
            });
        }
    });
}

/// A process whose address space is too small for a pool runs tasks all the same. Runs this very test again in such a one.
#[test]
fn without_address_space_instances_are_allocated_on_demand() {
    const IN_CHILD: &str = "SANDBOX_TEST_SMALL";
    if std::env::var_os(IN_CHILD).is_some() {
        let engine =
            wasm_tasks_sandbox::Engine::new(wasm_tasks_sandbox::EngineSettings { slots: 64, ..Default::default() }).unwrap();
        assert_eq!(engine.describe(), "on demand");
        let bytes = guest_bytes("calc");
        let component = engine.load(ComponentDigest::of(&bytes), || Some(bytes), Profile::Plain).unwrap();
        assert_eq!(ok(call(&component, "add", &[int(1), int(2)])), int(3));
        return;
    }
    let test = "loading::without_address_space_instances_are_allocated_on_demand";
    let command = format!("ulimit -v 30000000 && exec \"$0\" --exact {test}");
    let child = std::process::Command::new("sh")
        .args(["-c", &command])
        .arg(std::env::current_exe().unwrap())
        .env(IN_CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&child.stderr));
}

#[test]
fn more_calls_than_slots_fail_and_say_so() {
    let engine = wasm_tasks_sandbox::Engine::new(wasm_tasks_sandbox::EngineSettings { slots: 1, ..Default::default() }).unwrap();
    if !engine.describe().starts_with("pooling") {
        return; // Without a pool there is no such limit.
    }
    let bytes = guest_bytes("hostile");
    let component = engine.load(ComponentDigest::of(&bytes), || Some(bytes), Profile::Plain).unwrap();
    let (spin, count) = (component.function("spin").unwrap(), component.function("count").unwrap());
    let cancel = CancelFlag::new();
    // Either of the two finds the slot taken; the one that spins tries until it has it, so the other cannot win for ever.
    let is_full =
        |outcome: &wasm_tasks_sandbox::Outcome| outcome.result.as_ref().is_err_and(|error| error.code == ErrorCode::WorkerFault);
    std::thread::scope(|scope| {
        let spinning = scope.spawn(|| {
            loop {
                let outcome = Case::default().run_cancellable(&spin, &cancel);
                if !is_full(&outcome) {
                    break outcome;
                }
            }
        });
        while !is_full(&Case::default().run(&count)) {}
        cancel.cancel();
        assert_eq!(err(spinning.join().unwrap()).code, ErrorCode::Cancelled);
        assert_eq!(ok(Case::default().run(&count)), int(1), "the slot is free again");
    });
}
