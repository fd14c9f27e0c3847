//! Guests that answer with nonsense, allocate nonsense, or make a small message grow on the host: every one ends in a typed
//! error, never in a panic, and never in more host memory than its limits say.

use crate::support::{Case, array, call, err, int, load_text, module_text, ok, string, text};
use std::time::Duration;
use wasm_tasks_protocol::{ErrorCode, TaskError, Value};
use wasm_tasks_sandbox::{Limits, Outcome};

const NO_ALLOC: &str = r#"(func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)"#;

fn guest_error(definitions: &str, signature: &str, pages: u32, core: &str, encoding: &str, args: &[Value]) -> TaskError {
    err(call(&text(&module_text(definitions, signature, pages, core, encoding)), "f", args))
}

/// A pointer and a length as they stand in memory.
fn pair(pointer: u32, len: u32) -> String {
    pointer.to_le_bytes().iter().chain(&len.to_le_bytes()).map(|byte| format!("\\{byte:02x}")).collect()
}

#[test]
fn bogus_results() {
    let pointing = |pointer: i64, memory: &str| {
        format!(r#"{NO_ALLOC} (data (i32.const 64) "{memory}") (func (export "f") (result i32) (i32.const {pointer}))"#)
    };
    let flat = |value: i64| format!(r#"{NO_ALLOC} (func (export "f") (result i32) (i32.const {value}))"#);
    let enumeration = r#"(type $e0 (enum "a" "b")) (export $e "e" (type $e0))"#;
    let variant = r#"(type $v0 (variant (case "a" u64) (case "b"))) (export $v "v" (type $v0))"#;
    let record = r#"(type $r0 (record (field "x" string))) (export $r "r" (type $r0))"#;
    for (what, definitions, ty, core, encoding) in [
        ("return pointer unaligned", "", "string", pointing(65, ""), "utf8"),
        ("return pointer past the end", "", "string", pointing(65_532, ""), "utf8"),
        ("return pointer -4", "", "string", pointing(-4, ""), "utf8"),
        ("string past the end", "", "string", pointing(64, &pair(65_530, 7)), "utf8"),
        ("string wraps around", "", "string", pointing(64, &pair(u32::MAX, u32::MAX)), "utf8"),
        ("not UTF-8", "", "string", pointing(64, &format!("{}\\ff\\fe", pair(72, 2))), "utf8"),
        ("lone surrogate", "", "string", pointing(64, &format!("{}\\00\\d8", pair(72, 1))), "utf16"),
        ("UTF-16 unaligned", "", "string", pointing(64, &pair(71, 1)), "utf16"),
        ("UTF-16 past the end", "", "string", pointing(64, &pair(2, 0x4000_0000)), "utf16"),
        ("list<u8> too long", "", "(list u8)", pointing(64, &pair(0, 65_537)), "utf8"),
        ("list<u8> of -1", "", "(list u8)", pointing(64, &pair(1, u32::MAX)), "utf8"),
        ("list<f64> unaligned", "", "(list f64)", pointing(64, &pair(4, 1)), "utf8"),
        ("list<f64> whose size wraps", "", "(list f64)", pointing(64, &pair(0, 0x2000_0001)), "utf8"),
        ("list<string> past the end", "", "(list string)", pointing(64, &pair(65_528, 2)), "utf8"),
        ("list<string> unaligned", "", "(list string)", pointing(64, &pair(66, 1)), "utf8"),
        ("list<char> with a surrogate", "", "(list char)", pointing(64, &format!("{}\\00\\d8\\00\\00", pair(72, 1))), "utf8"),
        ("char beyond Unicode", "", "char", flat(0x11_0000), "utf8"),
        ("enum discriminant", enumeration, "$e", flat(2), "utf8"),
        ("enum discriminant whose low byte fits", enumeration, "$e", flat(0x100), "utf8"),
        ("enum discriminant -1", enumeration, "$e", flat(-1), "utf8"),
        ("variant discriminant", variant, "$v", pointing(64, "\\02"), "utf8"),
        ("option discriminant", "", "(option u64)", pointing(64, "\\ff"), "utf8"),
        ("result discriminant", "", "(result u64 (error string))", pointing(64, "\\02"), "utf8"),
        ("flat result discriminant", "", "(result)", flat(2), "utf8"),
        ("field of a record", record, "$r", pointing(64, &pair(65_536, 1)), "utf8"),
    ] {
        let error = guest_error(definitions, &format!("(result {ty})"), 1, &core, encoding, &[]);
        assert_eq!(error.code, ErrorCode::BadResult, "{what}: {error}");
    }
    let error =
        guest_error(record, "(result (list $r))", 1, &pointing(64, &format!("{}{}", pair(72, 1), pair(9, 1 << 30))), "utf8", &[]);
    assert!(error.message.starts_with("result[0].x: "), "{error}");
}

#[test]
fn a_bool_is_true_unless_it_is_zero() {
    let core = format!(r#"{NO_ALLOC} (func (export "f") (result i32) (i32.const 256))"#);
    assert_eq!(ok(call(&text(&module_text("", "(result bool)", 1, &core, "utf8")), "f", &[])), Value::Bool(true));
}

#[test]
fn bogus_reallocs() {
    let spilled: String = (0..17).map(|i| format!("(param \"a{i}\" u64)")).collect();
    let strings = [Value::Array(vec![string(&"x".repeat(100)); 3])];
    let numbers = vec![int(7); 17];
    for (what, body) in [
        ("past the end", "(i32.const 65532)"),
        ("-4", "(i32.const -4)"),
        ("unaligned", "(i32.const 3)"),
        ("traps", "unreachable"),
        ("the very end", "(i32.const 65536)"),
    ] {
        let core = |params: &str| {
            format!(r#"(func (export "realloc") (param i32 i32 i32 i32) (result i32) {body}) (func (export "f") {params})"#)
        };
        for encoding in ["utf8", "utf16", "latin1+utf16"] {
            let error = guest_error("", "(param \"a\" (list string))", 1, &core("(param i32 i32)"), encoding, &strings);
            assert_eq!(error.code, ErrorCode::Trap, "{what}: {error}");
        }
        let error = guest_error("", &spilled, 1, &core("(param i32)"), "utf8", &numbers);
        assert_eq!(error.code, ErrorCode::Trap, "{what}: {error}");
        let error = guest_error(
            "",
            "(param \"a\" (list f64))",
            1,
            &core("(param i32 i32)"),
            "utf8",
            &[Value::Array(vec![Value::F64(1.0); 9])],
        );
        assert_eq!(error.code, ErrorCode::Trap, "{what}: {error}");
    }
    // One that always answers 0 overwrites its own memory: the guest's own loss.
    let core =
        r#"(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)) (func (export "f") (param i32 i32))"#;
    assert_eq!(ok(call(&text(&module_text("", "(param \"a\" (list string))", 1, core, "utf8")), "f", &strings)), Value::Nil);
    // One that grows the memory each time, which may move it.
    let core = r#"(func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (i32.mul (memory.grow (i32.const 1)) (i32.const 65536))) (func (export "f") (param i32 i32))"#;
    assert_eq!(ok(call(&text(&module_text("", "(param \"a\" (list string))", 1, core, "utf8")), "f", &strings)), Value::Nil);
    // One that never returns.
    let core = r#"(func (export "realloc") (param i32 i32 i32 i32) (result i32) (loop (br 0)) unreachable) (func (export "f") (param i32 i32))"#;
    let component = text(&module_text("", "(param \"a\" (list string))", 1, core, "utf8"));
    let limits = Limits { wall: Duration::from_millis(30), ..Limits::default() };
    let outcome = Case { args: &array(&strings), limits, ..Case::default() }.run(&component.function("f").unwrap());
    assert_eq!(err(outcome).code, ErrorCode::Timeout);
}

/// Resident memory of this process in KiB: now, or its peak.
fn resident_kib(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A guest that fills `n` pairs of pointer and length from 65536 on, and returns `len` of them.
fn aliases(n: u32, pointer: u32, len: u32) -> String {
    format!(
        r#"{NO_ALLOC} (func (export "f") (result i32) (local $i i32)
        (loop $l (i32.store offset=65536 (i32.shl (local.get $i) (i32.const 3)) (i32.const {pointer}))
          (i32.store offset=65540 (i32.shl (local.get $i) (i32.const 3)) (i32.const {len}))
          (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {n}))))
        (i32.store (i32.const 8) (i32.const 65536)) (i32.store (i32.const 12) (i32.const {n})) (i32.const 8))"#
    )
}

fn run_with_limit(ty: &str, pages: u32, core: &str, result_bytes_max: u64) -> Outcome {
    let component = text(&module_text("", &format!("(result {ty})"), pages, core, "utf8"));
    let limits = Limits { result_bytes_max, wall: Duration::from_secs(60), memory_bytes: 4 << 30, ..Limits::default() };
    Case { limits, ..Case::default() }.run(&component.function("f").unwrap())
}

/// A small message in the guest that would become huge on the host is refused before the host allocates for it.
#[test]
fn results_that_grow_on_the_host() {
    let mib = 1u64 << 20;
    let huge = |pointer: u32, len: u32| {
        format!(
            r#"{NO_ALLOC} (func (export "f") (result i32)
            (i32.store (i32.const 8) (i32.const {pointer})) (i32.store (i32.const 12) (i32.const {len})) (i32.const 8))"#
        )
    };
    for (what, ty, pages, core, limit) in [
        ("2^28 empty lists", "(list (list u8))", 65_536, huge(16, 1 << 28), 64 * mib),
        ("2^31 options", "(list (option u8))", 65_536, huge(16, (1 << 31) - 64), 64 * mib),
        ("4096 times the same MiB", "(list (list u8))", 32, aliases(4_096, 65_536, 1 << 20), 64 * mib),
        ("64k x 64k aliases", "(list (list (list u8)))", 32, aliases(65_536, 65_536, 65_536), 64 * mib),
        ("the same string again and again", "(list string)", 32, aliases(4_096, 0, 1 << 16), 16 * mib),
        ("100 MiB at once", "(list u8)", 1_700, huge(65_536, 100 << 20), 64 * mib),
        ("a million floats", "(list f64)", 160, huge(65_536, 1 << 20), mib),
    ] {
        // Clears the peak; other tests of this process run meanwhile, so the bound is a loose one.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let before = resident_kib("VmRSS:");
        let error = err(run_with_limit(ty, pages, &core, limit));
        assert_eq!(error.code, ErrorCode::ResultTooLarge, "{what}: {error}");
        let grown = resident_kib("VmHWM:").saturating_sub(before) / 1024;
        assert!(grown < 2 * (limit / mib) as usize + 512, "{what}: {grown} MiB");
    }
    assert!(
        matches!(ok(run_with_limit("(list (list u8))", 32, &aliases(20, 65_536, 1 << 20), 64 * mib)), Value::Array(lists) if lists.len() == 20)
    );
}

/// Arguments are as hostile as results: a million options in a megabyte want many times that in the guest.
#[test]
fn arguments_that_grow_in_the_guest() {
    let fields: String = (0..200).map(|i| format!("(field \"f{i}\" (option u64))")).collect();
    let definitions = format!("(type $r0 (record {fields})) (export $r \"r\" (type $r0))");
    let core = format!("{} (func (export \"f\") (param i32 i32))", crate::support::BUMP);
    let component = text(&module_text(&definitions, "(param \"a\" (list $r))", 4, &core, "utf8"));
    let args = Value::Array(vec![Value::Array(vec![Value::Map(vec![]); 1 << 20])]).to_msgpack();
    let before = resident_kib("VmRSS:");
    let error = err(Case { args: &args, ..Case::default() }.run(&component.function("f").unwrap()));
    assert_eq!(error.code, ErrorCode::Trap, "{error}");
    assert!(resident_kib("VmRSS:").saturating_sub(before) < 512 << 10);
    // Lengths that the bytes do not hold are refused before anything is allocated.
    let error =
        err(Case { args: &[0x91, 0xdd, 0xff, 0xff, 0xff, 0xff], ..Case::default() }.run(&component.function("f").unwrap()));
    assert_eq!(error.code, ErrorCode::BadMsgpack, "{error}");
}

#[test]
fn deep_types_are_refused_or_run() {
    for (depth, fits) in [(20, true), (60, true), (80, false)] {
        let mut definitions = "(type $t0 (list u8))".to_owned();
        for i in 1..depth {
            definitions += &format!("(type $t{i} (list $t{}))", i - 1);
        }
        // A list of one that contains itself, all the way down.
        let core = format!(
            r#"(data (i32.const 0) "\00\00\00\00\01\00\00\00") {NO_ALLOC} (func (export "f") (result i32) (i32.const 0))"#
        );
        let text = module_text(&definitions, &format!("(result $t{})", depth - 1), 1, &core, "utf8");
        let component = load_text(&text).unwrap();
        match component.function("f") {
            Ok(function) => {
                assert!(fits, "{depth}");
                assert!(Case::default().run(&function).result.is_ok());
            }
            Err(error) => assert!(!fits && error.code == ErrorCode::UnsupportedExport, "{depth}: {error}"),
        }
    }
}

#[test]
fn frames_of_a_backtrace_are_demangled_and_few() {
    let name = "_ZN4core9panicking9panic_fmt17h0123456789abcdefE";
    let core = format!(
        r#"{NO_ALLOC} (func ${name} (param i32) (if (local.get 0) (then (call ${name} (i32.sub (local.get 0) (i32.const 1))) (return))) unreachable)
           (func (export "f") (call ${name} (i32.const 50)))"#
    );
    let error = guest_error("", "", 1, &core, "utf8", &[]);
    assert_eq!((error.code, error.backtrace.len()), (ErrorCode::Trap, 20));
    assert!(error.backtrace[0].starts_with("core::panicking::panic_fmt"), "{:?}", error.backtrace);
}

#[test]
fn tables_and_memories_count_together() {
    let growing = |what: &str| {
        format!(
            r#"{NO_ALLOC} (table $t 1 funcref) (memory $other 1)
            (func (export "f") (result i32) (local $n i32)
              (loop $l {what} (if (i32.ne (i32.const -1)) (then (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $l (i32.lt_u (local.get $n) (i32.const 500))))))
              (local.get $n))"#
        )
    };
    let count = |what: &str, memory_bytes: u64| {
        let component = text(&module_text("", "(result u32)", 1, &growing(what), "utf8"));
        let limits = Limits { memory_bytes, ..Limits::default() };
        let outcome = Case { limits, ..Case::default() }.run(&component.function("f").unwrap());
        assert!(outcome.memory_peak_bytes <= memory_bytes);
        match ok(outcome) {
            Value::Uint(count) => count,
            other => panic!("{other:?}"),
        }
    };
    // Two memories of a page each and a table of one element stand at the start; eight pages are allowed.
    assert_eq!(count("(memory.grow $other (i32.const 1))", (8 << 16) + 8), 6);
    assert_eq!(count("(table.grow $t (ref.null func) (i32.const 8192))", (8 << 16) + 8), 6);
}

#[test]
fn a_task_that_fails_after_a_refused_growth_ran_out_of_memory() {
    let core = format!(r#"{NO_ALLOC} (func (export "f") (drop (memory.grow (i32.const 100))) unreachable)"#);
    let component = text(&module_text("", "", 1, &core, "utf8"));
    let limits = Limits { memory_bytes: 1 << 20, ..Limits::default() };
    let error = err(Case { limits, ..Case::default() }.run(&component.function("f").unwrap()));
    assert_eq!(error.code, ErrorCode::OutOfMemory, "{error}");
}
