//! Components, types as text, literals of the command, and whole graphs with the component that they call.

use super::Kind;
use wasm_tasks_protocol::graph::{Argument, Arguments, GraphBuilder, Options, Reference};
use wasm_tasks_protocol::{ComponentDigest, TaskIndex};

fn each(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect()
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {text})")).unwrap()
}

fn of_component(name: &str, count: usize, text: fn(usize) -> String) -> Kind {
    Kind::new(format!("component: {name}"), "component", count, move |count| component(&text(count)))
}

/// Components in each other, the innermost first.
fn nested(count: usize) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    for _ in 0..count {
        let len = bytes.len() as u32;
        let len = [0x80 | len as u8, 0x80 | (len >> 7) as u8, 0x80 | (len >> 14) as u8, (len >> 21) as u8];
        bytes = [b"\0asm\x0d\0\x01\0\x04", &len[..], &bytes[..]].concat();
    }
    bytes
}

const CORE: &str = r#"(core module $m (func (export "f") (result i32) i32.const 1)) (core instance $i (instantiate $m))"#;

fn components() -> Vec<Kind> {
    vec![
        of_component("exports", 1_000, |count| {
            let export = |at| format!(r#"(func (export "f{at}") (result u32) (canon lift (core func $i "f")))"#);
            format!("{CORE} {}", each(count, export))
        })
        .accepted(),
        of_component("exports of an instance", 1_000, |count| {
            let export = |at| format!(r#"(export "f{at}" (func $f))"#);
            format!(
                r#"{CORE} (func $f (result u32) (canon lift (core func $i "f"))) (instance $e {}) (export "a:b/c" (instance $e))"#,
                each(count, export)
            )
        })
        .accepted(),
        of_component("imports of types", 1_000, |count| {
            each(count, |at| format!(r#"(import "a:b/c{at}" (instance (type $t u32) (export "t" (type (eq $t)))))"#))
        }),
        of_component("functions of WASI", 1_000, |count| {
            let functions = each(count, |at| format!(r#"(export "f{at}" (func (param "x" u32)))"#));
            format!(r#"(import "wasi:http/types@0.2.0" (instance {functions}))"#)
        })
        .accepted(),
        of_component("resources of WASI", 1_000, |count| {
            let resources = each(count, |at| format!(r#"(export "r{at}" (type (sub resource)))"#));
            format!(r#"(import "wasi:http/types@0.2.0" (instance {resources}))"#)
        })
        .accepted(),
        of_component("types", 2_000, |count| each(count, |at| format!("(type $t{at} (list {}))", if at % 50 == 0 { "u8".to_owned() } else { format!("$t{}", at - 1) })))
            .accepted(),
        of_component("fields", 1_000, |count| format!("(type (record {}))", each(count, |at| format!(r#"(field "a{at}" u8)"#)))).accepted(),
        of_component("cases", 1_000, |count| format!("(type (variant {}))", each(count, |at| format!(r#"(case "a{at}")"#)))).accepted(),
        of_component("an export with many fields, often", 200, |count| {
            let record = format!("(type $r' (record {}))", each(500, |at| format!(r#"(field "a{at}" u8)"#)));
            let export = |at| format!(r#"(export "f{at}" (func $f))"#);
            let core = r#"(core module $m (memory (export "m") 1) (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 0) (func (export "f") (param i32))) (core instance $i (instantiate $m))"#;
            let lift = r#"(canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r")))"#;
            format!(r#"{core} {record} (export $r "r" (type $r')) (func $f (param "x" $r) {lift}) {}"#, each(count, export))
        })
        .accepted(),
        // The validator's work grows with the square of their number, up to the limit of 512.
        of_component("components beside each other", 500, |count| each(count, |_| "(component)".to_owned())),
        Kind::new("component: components in each other", "component", 500, nested),
        of_component("modules", 500, |count| each(count, |_| "(core module)".to_owned())),
        of_component("instances of a large component", 400, |count| {
            let inner = format!("(component $c {})", each(count * 10, |at| format!(r#"(type $t{at} u8) (export "a{at}" (type $t{at}))"#)));
            format!("{inner} {}", each(count, |_| "(instance (instantiate $c))".to_owned()))
        }),
        of_component("core instances of a large module", 400, |count| {
            let inner = each(count * 10, |at| format!(r#"(export "a{at}" (func 0))"#));
            format!("(core module $m (func) {inner}) {}", each(count, |_| "(core instance (instantiate $m))".to_owned()))
        }),
        of_component("functions", 2_000, |count| format!("(core module {})", each(count, |_| "(func)".to_owned()))).accepted(),
        of_component("a long body", 10_000, |count| format!("(core module (func {}))", "i32.const 1 drop ".repeat(count))).accepted(),
        of_component("a deep body", 5_000, |count| format!("(core module (func {} {}))", "block ".repeat(count), "end ".repeat(count))).accepted(),
        of_component("branches", 5_000, |count| format!("(core module (func i32.const 0 br_table {}))", "0 ".repeat(count))).accepted(),
        of_component("locals", 5_000, |count| format!("(core module (func (local {})))", "i32 i64 ".repeat(count))).accepted(),
        of_component("globals", 5_000, |count| format!("(core module {})", "(global i32 (i32.const 0))".repeat(count))).accepted(),
        of_component("segments", 5_000, |count| {
            format!("(core module (memory 1) {})", r#"(data (i32.const 0) "a")"#.repeat(count))
        })
        .accepted(),
        of_component("a custom section", 50_000, |count| format!(r#"(@custom "x" "{}")"#, "a".repeat(count))).accepted(),
    ]
}

fn texts() -> Vec<Kind> {
    let ty = |name: &str, count, text: fn(usize) -> String| {
        Kind::new(format!("type: {name}"), "type", count, move |count| text(count).into_bytes())
    };
    let literal = |ty: &str, name: &str, count, text: fn(usize) -> String| {
        Kind::new(format!("literal: {name} of {ty}"), &format!("literal {ty}"), count, move |count| text(count).into_bytes())
    };
    vec![
        ty("tuple", 5_000, |count| format!("tuple<{}u8>", "u8, ".repeat(count))),
        ty("record", 3_000, |count| format!("record {{ {} }}", each(count, |at| format!("a{at}: u8, ")))),
        ty("enum", 3_000, |count| format!("enum {{ {} }}", each(count, |at| format!("a{at}, ")))),
        ty("nesting", 5_000, |count| "list<".repeat(count)),
        ty("space", 20_000, |count| format!("list<{}u8>", " ".repeat(count))),
        ty("an open list", 10_000, |count| "tuple<".to_owned() + &"u8,".repeat(count)),
        ty("commas", 20_000, |count| "tuple<".to_owned() + &",".repeat(count)),
        literal("any", "JSON list", 10_000, |count| format!("[{}0]", "0, ".repeat(count))).accepted(),
        literal("any", "JSON object", 4_000, |count| format!("{{{}\"z\": 0}}", each(count, |at| format!("\"k{at}\": 0, "))))
            .accepted(),
        literal("any", "one key", 4_000, |count| format!("{{{}\"z\": 0}}", "\"k\": 0, ".repeat(count))),
        literal("any", "nesting", 10_000, |count| "[".repeat(count)),
        literal("any", "digits", 20_000, |count| "1".repeat(count)),
        literal("f64", "digits", 20_000, |count| format!("0.{}", "1".repeat(count))).accepted(),
        literal("any", "many numbers that no float has", 2_000, |count| format!("[{}0]", "18446744073709551617, ".repeat(count))),
        literal("string", "text", 50_000, |count| format!("\"{}\"", "a".repeat(count))).accepted(),
        literal("string", "escapes", 10_000, |count| format!("\"{}\"", "\\n".repeat(count))).accepted(),
        literal("list<u8>", "base64", 50_000, |count| format!("\"{}\"", "AAAA".repeat(count / 4))).accepted(),
        literal("list<u32>", "WAVE list", 10_000, |count| format!("[{}0,]", "0, ".repeat(count))),
        literal("any", "WAVE record", 3_000, |count| format!("{{{}}}", each(count, |at| format!("k{at}: 0, ")))),
        literal("any", "WAVE nesting", 10_000, |count| "some(".repeat(count)),
        literal("list<enum { a, b }>", "WAVE names", 10_000, |count| format!("[{}]", "a, ".repeat(count))),
    ]
}

/// A graph with the component in it, all of whose types are compared.
fn admission(name: &str, count: usize, fill: fn(&mut GraphBuilder, usize)) -> Kind {
    Kind::new(format!("admission: {name}"), "admission", count, move |count| {
        let bytes = component(
            r#"(core module $m (memory (export "m") 1)
                 (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 0)
                 (func (export "f") (param i32 i32) (result i32) i32.const 0))
               (core instance $i (instantiate $m))
               (func (export "f") (param "xs" (list u32)) (result u32)
                 (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r"))))"#,
        );
        let mut builder = GraphBuilder::new();
        builder.component(ComponentDigest::of(&bytes), None, Some(&bytes), None);
        builder.function(0, "f", &[], None, None, &Options::default());
        fill(&mut builder, count);
        builder.output(Reference::whole(TaskIndex(0)));
        builder.to_bytes()
    })
    .accepted()
}

fn graphs() -> Vec<Kind> {
    vec![
        admission("tasks", 2_000, |builder, count| {
            for at in 0..count {
                builder.task(
                    &format!("k{at}"),
                    0,
                    &Arguments::Positional(vec![Argument::Array(Vec::new())]),
                    &Options::default(),
                );
            }
        }),
        admission("edges", 2_000, |builder, count| {
            let first = || Argument::Task(Reference::whole(TaskIndex(1)));
            let list = |at| if at < 2 { Vec::new() } else { vec![first()] };
            for at in 0..count {
                builder.task(&format!("k{at}"), 0, &Arguments::Positional(vec![Argument::Array(list(at))]), &Options::default());
            }
        }),
        admission("one long argument", 10_000, |builder, count| {
            let numbers = vec![Argument::Value(wasm_tasks_protocol::Value::Uint(1)); count];
            builder.task("k", 0, &Arguments::Positional(vec![Argument::Array(numbers)]), &Options::default());
        }),
        admission("functions", 1_000, |builder, count| {
            for _ in 0..count {
                builder.function(0, "f", &[], None, None, &Options::default());
            }
            builder.task("k", 0, &Arguments::Positional(vec![Argument::Array(Vec::new())]), &Options::default());
        }),
        admission("functions with bound arguments", 1_000, |builder, count| {
            let bound = [Argument::Array(Vec::new())];
            for _ in 0..count {
                builder.function(0, "f", &bound, None, None, &Options::default());
            }
            builder.task("k", 0, &Arguments::Positional(vec![Argument::Array(Vec::new())]), &Options::default());
        }),
    ]
}

pub(super) fn kinds() -> Vec<Kind> {
    components().into_iter().chain(texts()).chain(graphs()).collect()
}
