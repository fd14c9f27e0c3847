use crate::interface::{Interface, InterfaceError};
use wasm_tasks_protocol::{ErrorCode, Type};

/// A component with a core module whose exports stand for anything, from the text of its lifts and exports.
pub(crate) fn component(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export "none"))
                (func (export "ii-i") (param i64 i64) (result i64) unreachable)
                (func (export "l-i") (param i32 i32) (result i32) unreachable)
                (func (export "many") (param i32 i32 i32 i32 i32) (result i32) unreachable)
                (func (export "i-i") (param i32) (result i32) unreachable)
            )
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (alias core export $i "realloc" (core func $realloc))
            {body})"#
    );
    wat::parse_str(text).expect("the test's component is valid text")
}

const CALC: &str = r#"
    (func $add (param "a" s64) (param "b" s64) (result s64) (canon lift (core func $i "ii-i")))
    (func $noop (canon lift (core func $i "none")))
    (instance $calc (export "add" (func $add)) (export "noop" (func $noop)))
    (export "test:pkg/calc@1.2.0" (instance $calc))
"#;

#[test]
fn exports_are_read_with_their_types() {
    let bytes = component(&format!(
        r#"{CALC}
        (type $row' (record (field "id" u32) (field "label" string)))
        (export $row "row" (type $row'))
        (func $count (param "rows" (list $row)) (result (result u32 (error string)))
            (canon lift (core func $i "l-i") (memory $memory) (realloc (func $realloc))))
        (export "count" (func $count))"#
    ));
    let interface = Interface::read(&bytes).expect("a component");
    let names: Vec<&str> = interface.exports().iter().map(|export| export.name.as_str()).collect();
    assert_eq!(names, ["test:pkg/calc@1.2.0#add", "test:pkg/calc@1.2.0#noop", "count"]);
    let count = interface.export("count").expect("it is there");
    assert_eq!(count.params[0].1.to_string(), "list<record { id: u32, label: string }>");
    assert_eq!((count.result.clone(), count.error.clone(), count.is_fallible), (Type::U32, Some(Type::String), true));
    assert_eq!(interface.export("test:pkg/calc#noop").expect("without version").result, Type::Unit);
    assert_eq!(
        interface.to_wit(),
        "package root:component;\n\n\
         world root {\n  \
           export test:pkg/calc@1.2.0;\n  \
           record row {\n    id: u32,\n    label: string,\n  }\n  \
           export count: func(rows: list<row>) -> result<u32, string>;\n\
         }\n\n\
         package test:pkg@1.2.0 {\n  \
           interface calc {\n    \
             add: func(a: s64, b: s64) -> s64;\n    \
             noop: func();\n  \
           }\n\
         }\n"
    );
    let json = interface.to_json();
    assert_eq!(json["exports"][2]["result"], "u32");
    assert_eq!(json["exports"][1]["result"], serde_json::Value::Null);
    assert_eq!(json["exports"][0]["params"][1]["type"], "s64");
}

#[test]
fn unknown_exports_suggest_known_ones() {
    let interface = Interface::read(&component(CALC)).expect("a component");
    let message = |name| interface.export(name).expect_err("no such export").to_string();
    assert!(message("add").contains("did you mean `test:pkg/calc@1.2.0#add`?"), "{}", message("add"));
    assert!(message("adn").contains("`test:pkg/calc@1.2.0#add`"), "{}", message("adn"));
    assert!(message("test:pkg/calc@1.3.0#add").contains("did you mean `test:pkg/calc@1.2.0#add`?"));
    assert!(message("multiply").contains("it has `test:pkg/calc@1.2.0#add`"), "{}", message("multiply"));
    assert_eq!(interface.export("x").expect_err("no such export").code(), ErrorCode::UnknownExport);
}

#[test]
fn several_versions_need_a_version() {
    let interface =
        Interface::read(&component(&format!("{CALC} (export \"test:pkg/calc@2.0.0\" (instance $calc))"))).expect("a component");
    let error = interface.export("test:pkg/calc#add").expect_err("ambiguous");
    assert_eq!(error.code(), ErrorCode::UnknownExport);
    assert!(error.to_string().contains("`test:pkg/calc@1.2.0#add`, `test:pkg/calc@2.0.0#add`"), "{error}");
    assert!(interface.export("test:pkg/calc@2.0.0#add").is_ok());
}

#[test]
fn exports_with_resources_are_listed_and_refused() {
    let bytes = component(
        r#"
        (type $r' (resource (rep i32)))
        (export $r "thing" (type $r'))
        (func $use (param "x" (own $r)) (result u32) (canon lift (core func $i "i-i")))
        (export "use-it" (func $use))
        (export "[static]thing.go" (func $use))"#,
    );
    let interface = Interface::read(&bytes).expect("a component");
    assert!(interface.exports().is_empty());
    let error = interface.export("use-it").expect_err("a resource");
    assert_eq!(error.code(), ErrorCode::UnsupportedExport);
    assert_eq!(error.to_string(), "the export `use-it` cannot be a task: parameter `x` uses a resource");
    assert!(interface.to_wit().contains("// use-it cannot be a task: parameter `x` uses a resource"));
}

#[test]
fn what_is_no_component_is_named() {
    let code_and_text = |bytes: &[u8]| {
        let error = Interface::read(bytes).expect_err("no component");
        (error.code(), error.to_string())
    };
    for (bytes, says) in [
        (&b""[..], "empty"),
        (b"hello", "it is text"),
        (b"(component)", "WebAssembly text"),
        (b"package a:b; world x {}", "WIT text"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"\x28\xb5\x2f\xfd\0", "zstd"),
        (b"PK\x03\x04", "zip"),
        (b"\x7fELF\x02\x01", "compiled machine code"),
        (b"\0asm", "ends after a few bytes"),
        (b"\0as", "ends after a few bytes"),
        (b"\0asm\x0c\0\x01\0", "another version"),
        (b"\x82\xaawasm-tasks\x01\xaacomponents\x90", "it is a graph"),
        (b"\xff\xfe\0\0", "binary data"),
    ] {
        let (code, text) = code_and_text(bytes);
        assert_eq!(code, ErrorCode::NotAComponent, "{bytes:?}");
        assert!(text.contains(says), "{bytes:?}: {text}");
    }
    let module = wat::parse_str("(module)").expect("a module");
    let error = Interface::read(&module).expect_err("a module");
    assert_eq!(error.code(), ErrorCode::CoreModule);
    assert!(error.hint().expect("a hint").contains("wasm-tasks componentize"));
}

#[test]
fn imports_are_known_or_refused() {
    let with_import = |import: &str| Interface::read(&wat::parse_str(format!("(component {import})")).expect("text"));
    let poll = r#"(import "wasi:io/poll@0.2.6" (instance (export "some-day" (func))))"#;
    assert_eq!(with_import(poll).expect("WASI 0.2").imports(), ["wasi:io/poll@0.2.6"]);
    let wrong = r#"(import "wasi:io/poll@0.2.6" (instance (export "poll" (func (param "in" (list u32))))))"#;
    let wrong = with_import(wrong).expect_err("another type");
    assert_eq!(wrong.code(), ErrorCode::UnsupportedComponent);
    assert!(wrong.to_string().contains("`func(list<u32>)`; it must be `func(list<resource<pollable>>) -> list<u32>`"), "{wrong}");
    let proposal = r#"(import "wasi:logging/logging" (instance (type $l (enum "a" "b")) (export "level" (type (eq $l)))))"#;
    assert!(with_import(proposal).is_ok(), "only types, of whichever interface");
    let types = r#"(import "test:pkg/types" (instance (type (record (field "a" u32))) (export "t" (type (eq 0)))))"#;
    assert!(with_import(types).is_ok());
    let function = with_import(r#"(import "test:pkg/host" (instance (export "f" (func))))"#).expect_err("unknown");
    assert_eq!(function.code(), ErrorCode::UnknownImport);
    assert!(function.to_string().contains("`test:pkg/host`"), "{function}");
    for import in [
        r#"(import "f" (func))"#,
        r#"(import "m" (core module))"#,
        r#"(import "test:pkg/things" (instance (export "t" (type (sub resource)))))"#,
        r#"(import "wasi:io/poll" (instance (export "poll" (func))))"#,
    ] {
        assert_eq!(with_import(import).expect_err(import).code(), ErrorCode::UnknownImport, "{import}");
    }
}

#[test]
fn bodies_are_judged() {
    let text = "(component (core module (func (export \"x\") i32.add)))";
    let bytes = wat::parse_str(text).expect("text");
    assert!(Interface::read(&bytes).is_ok());
    let error = Interface::judge(&bytes).expect_err("i32.add of nothing");
    assert_eq!(error.code(), ErrorCode::NotAComponent);
    assert!(error.to_string().contains("type mismatch"), "{error}");
}

#[test]
fn what_no_slot_has_room_for_is_refused() {
    let code = |module: &str| {
        let text = format!("(component (core module {module}))");
        Interface::judge(&wat::parse_str(text).expect("text")).map(drop).map_err(|error| error.code())
    };
    assert_eq!(code(&"(memory 1)".repeat(8)), Ok(()));
    assert_eq!(code(&"(memory 1)".repeat(9)), Err(ErrorCode::UnsupportedComponent));
    assert_eq!(code(&"(table 1 funcref)".repeat(17)), Err(ErrorCode::UnsupportedComponent));
    assert_eq!(code("(table 100000 funcref)"), Ok(()));
    assert_eq!(code("(table 100001 funcref)"), Err(ErrorCode::UnsupportedComponent));
}

#[test]
fn what_needs_switched_off_features_says_so() {
    let wasi_03 = r#"(component (import "wasi:cli/run@0.3.0" (instance (export "run" (func async)))))"#;
    let error = Interface::read(&wat::parse_str(wasi_03).expect("text")).expect_err("WASI 0.3");
    assert_eq!(error.code(), ErrorCode::UnsupportedComponent);
    assert!(error.to_string().contains("WASI 0.3 (`wasi:cli/run@0.3.0`)"), "{error}");
    let stream = "(component (type (stream u8)))";
    let error = Interface::read(&wat::parse_str(stream).expect("text")).expect_err("async");
    assert_eq!(error.code(), ErrorCode::UnsupportedComponent);
    assert!(error.hint().expect("a hint").contains("--sync"));
}

#[test]
fn a_wit_package_has_no_code() {
    let text = r#"(component (type (component (export "a:b/c" (component)))) (export "c" (type 0)))"#;
    let error = Interface::read(&wat::parse_str(text).expect("text")).expect_err("WIT");
    assert!(error.to_string().contains("WIT package"), "{error}");
}

/// Types of which each is a pair of the one before: written out they are 2^14 parts.
#[test]
fn types_that_explode_are_refused() {
    let mut types = "(type $t0 (tuple u8 u8))".to_owned();
    for level in 1..14 {
        types.push_str(&format!("(type $t{level} (tuple $t{0} $t{0}))", level - 1));
    }
    let bytes = component(&format!(
        r#"{types} (func $f (param "x" $t13) (result u32) (canon lift (core func $i "i-i") (memory $memory) (realloc (func $realloc))))
        (export "f" (func $f))"#
    ));
    let error = Interface::read(&bytes).expect("a component").export("f").expect_err("too large").to_string();
    assert!(error.contains("more than 4096 parts"), "{error}");
}

#[test]
fn deep_types_are_refused() {
    let mut types = "(type $t0 (list u8))".to_owned();
    for level in 1..99 {
        types.push_str(&format!("(type $t{level} (list $t{}))", level - 1));
    }
    let bytes = component(&format!(
        r#"{types} (func $f (param "x" $t98) (result u32) (canon lift (core func $i "l-i") (memory $memory) (realloc (func $realloc))))
        (export "f" (func $f))"#
    ));
    let interface = Interface::read(&bytes).expect("a component");
    let error = interface.export("f").expect_err("too deep");
    assert!(matches!(error, InterfaceError::UnsupportedExport { .. }), "{error}");
    assert!(error.to_string().contains("nests more than 64 deep"), "{error}");
}

/// Cut and damaged components are refused or read, and never panic.
#[test]
fn damage_never_panics() {
    let bytes = component(CALC);
    let whole = Interface::read(&bytes).expect("the whole").exports().len();
    for len in 0..bytes.len() {
        // Cut between sections, what is left is a component that may export less.
        if let Ok(interface) = Interface::read(&bytes[..len]) {
            assert!(interface.exports().len() <= whole, "cut at {len}");
        }
    }
    for at in 0..bytes.len() {
        for flip in [1, 0x10, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if let Ok(interface) = Interface::read(&damaged) {
                let _ = (interface.to_wit(), interface.to_json(), interface.export("nothing"));
            }
        }
    }
}
