//! `check` and `submit` are of one mind: the same code and the same words, embedded and in a fleet.

use super::support::{Fleet, GraphFile, Home, guest, int};
use std::fs;
use std::path::PathBuf;
use wasm_tasks_protocol::graph::{Argument, Arguments, DataEncoding, Options, PathStep, Reference, Source};
use wasm_tasks_protocol::{ComponentDigest, ContentDigest, TaskIndex, Type, Value};

/// A good component with something more in it.
fn component(home: &Home, name: &str, more: &str) -> PathBuf {
    let text = format!(
        "(component {more}
           (core module $m (func (export \"f\") (result i32) i32.const 7))
           (core instance $i (instantiate $m))
           (func (export \"f\") (result u32) (canon lift (core func $i \"f\"))))"
    );
    home.write(&format!("{name}.wasm"), wat::parse_str(text).expect("the component's text"))
}

fn import(name: &str, items: &str) -> String {
    format!("(import \"{name}\" (instance {items}))")
}

/// Graphs that call one component, by name: what is in it, and the code for it.
fn with_components(home: &Home) -> Vec<(PathBuf, Option<&'static str>)> {
    let types = "(type $l (enum \"debug\" \"info\")) (export \"level\" (type (eq $l)))";
    let cases = [
        ("good", String::new(), None),
        ("bad-body", "(core module (func (export \"x\") i32.add))".to_owned(), Some("not-a-component")),
        ("bad-branch", "(core module (func (br 3)))".to_owned(), Some("not-a-component")),
        ("bad-inner", "(component (core module (func (result i64) i32.const 1)))".to_owned(), Some("not-a-component")),
        ("types-of-wasi", import("wasi:logging/logging", types), None),
        ("types-of-a-draft", import("wasi:logging/logging@0.1.0-draft", types), None),
        ("types-of-others", import("my:own/types@1.0.0", types), None),
        ("unknown", import("my:own/host@1.0.0", "(export \"f\" (func))"), Some("unknown-import")),
        (
            "wrong-random",
            import("wasi:random/random@0.2.0", "(export \"get-random-bytes\" (func (param \"len\" u32) (result (list u8))))"),
            Some("unsupported-component"),
        ),
        (
            "wrong-clock",
            import("wasi:clocks/monotonic-clock@0.2.3", "(export \"now\" (func (result u32)))"),
            Some("unsupported-component"),
        ),
        ("right-clock", import("wasi:clocks/monotonic-clock@0.2.3", "(export \"now\" (func (result u64)))"), None),
        (
            "wrong-delegate",
            import("wasm-tasks:task/delegate@0.1.0", "(export \"delegate\" (func (param \"tasks\" string)))"),
            Some("unsupported-component"),
        ),
        ("unknown-of-wasi", import("wasi:http/types@0.2.0", "(export \"no-such\" (func (param \"x\" u8)))"), None),
        ("memories", format!("(core module {})", "(memory 1)".repeat(9)), Some("unsupported-component")),
        ("table", "(core module (table 200000 funcref))".to_owned(), Some("unsupported-component")),
        ("threads", "(core module (memory 1 1 shared))".to_owned(), Some("unsupported-component")),
    ];
    let graph = |(name, more, code): (&str, String, Option<&'static str>)| {
        let component = component(home, name, &more);
        let mut graph = GraphFile::new();
        graph.output_task("a", &component, "f", Vec::new());
        (graph.save(home, &format!("{name}.msgpack")), code)
    };
    cases.into_iter().map(graph).collect()
}

/// Graphs with data, sources and outputs that are not what they are said to be.
fn with_data(home: &Home) -> Vec<(PathBuf, Option<&'static str>)> {
    let calc = guest("calc");
    let mut graphs = Vec::new();
    let mut add = |name: &str, code: Option<&'static str>, make: &dyn Fn(&mut GraphFile)| {
        let mut graph = GraphFile::new();
        make(&mut graph);
        graphs.push((graph.save(home, &format!("{name}.msgpack")), code));
    };
    let sum = |graph: &mut GraphFile, data: u32| {
        graph.output_task("sum", &calc, "sum", vec![Argument::Data(data)]);
    };
    let numbers = Value::Array(vec![Value::Uint(1), Value::Uint(2)]).to_msgpack();
    let text = Value::Str("no numbers".to_owned()).to_msgpack();
    let file = |name: &str, bytes: &[u8]| Source::Path(home.write(name, bytes).to_str().expect("UTF-8").to_owned());
    let (right, wrong, broken) = (file("right", &numbers), file("wrong", &text), file("broken", b"\xc1"));
    let other = ContentDigest::of(b"other bytes");
    add("digest", Some("digest-mismatch"), &|graph| {
        let data = graph.builder.data_bytes(&numbers, Some(other), DataEncoding::Value, None);
        sum(graph, data);
    });
    add("digest-of-file", Some("digest-mismatch"), &|graph| {
        let data = graph.builder.data_entry(Some(other), None, Some(&right), 0, None, DataEncoding::Value, None);
        sum(graph, data);
    });
    add("data", Some("type-mismatch"), &|graph| {
        let data = graph.builder.data_bytes(&text, None, DataEncoding::Value, None);
        sum(graph, data);
    });
    add("data-of-file", Some("type-mismatch"), &|graph| {
        let data = graph.builder.data_source(&wrong, 0, None, DataEncoding::Value, None);
        sum(graph, data);
    });
    add("declared-data-of-file", Some("type-mismatch"), &|graph| {
        let ty: Type = "list<s64>".parse().expect("a type");
        let data = graph.builder.data_source(&wrong, 0, None, DataEncoding::Value, Some(&ty));
        sum(graph, data);
    });
    add("broken-data-of-file", Some("bad-msgpack"), &|graph| {
        let data = graph.builder.data_source(&broken, 0, None, DataEncoding::Value, None);
        sum(graph, data);
    });
    add("good-data-of-file", None, &|graph| {
        let data = graph.builder.data_source(&right, 0, None, DataEncoding::Value, None);
        sum(graph, data);
    });
    add("url-of-data", Some("source-not-allowed"), &|graph| {
        let source = Source::Url("https://example.org/rows".to_owned());
        let data = graph.builder.data_source(&source, 0, None, DataEncoding::Value, None);
        sum(graph, data);
    });
    for (name, source) in
        [("url", Source::Url("https://example.org/c.wasm".to_owned())), ("oci", Source::Oci("example.org/c:1".to_owned()))]
    {
        add(name, Some("source-not-allowed"), &|graph| {
            let component = graph.builder.component(ComponentDigest::of(b"elsewhere"), None, None, Some(&source));
            let function = graph.builder.function(component, "f", &[], None, None, &Options::default());
            let task = graph.builder.task("a", function, &Arguments::Positional(Vec::new()), &Options::default());
            graph.output(task);
        });
    }
    add("names", Some("duplicate-key"), &|graph| {
        let pair = graph.task("a", &calc, "add", vec![int(1), int(2)]);
        graph.output_task("a[0]", &calc, "add", vec![int(1), int(2)]);
        graph.builder.output(Reference { task: pair, path: vec![PathStep::Index(0)] });
    });
    add("path", Some("type-mismatch"), &|graph| {
        graph.task("a", &calc, "add", vec![int(1), int(2)]);
        graph.builder.output(Reference { task: TaskIndex(0), path: vec![PathStep::Index(0)] });
    });
    add("arguments", Some("type-mismatch"), &|graph| {
        graph.output_task("a", &calc, "add", vec![Argument::Value(Value::Str("1".to_owned())), int(2)]);
    });
    graphs
}

#[test]
fn what_submit_refuses_check_refuses_in_the_same_words() {
    let home = Home::new();
    let fleet = Fleet::shared();
    for (graph, code) in with_components(&home).into_iter().chain(with_data(&home)) {
        let check = home.run_on("check", &graph, &[]);
        let embedded = home.run_on("submit", &graph, &["--quiet"]);
        let in_fleet = fleet.run_on("submit", &graph, &["--quiet"]);
        match code {
            None => drop([&check, &embedded, &in_fleet].map(|answer| answer.expect(0))),
            Some(code) => drop([&check, &embedded, &in_fleet].map(|answer| answer.refuses(code, &[]))),
        }
        assert_eq!(check.stderr, embedded.stderr, "{check}\n{embedded}");
        assert_eq!(check.stderr, in_fleet.stderr, "{check}\n{in_fleet}");
    }
}

#[test]
fn what_is_no_graph_and_no_component_is_named() {
    let home = Home::new();
    let component = fs::read(guest("calc")).expect("a component");
    for (name, bytes, words) in [
        ("empty", &b""[..], "an empty file"),
        ("graph.json", b"{\"wasm-tasks\": 1, \"tasks\": []}", "JSON"),
        ("list.json", b"[1, 2]", "JSON"),
        ("graph.gz", b"\x1f\x8b\x08\0\0\0\0\0", "compressed with gzip"),
        ("graph.zip", b"PK\x03\x04\x14\0\0\0", "a zip archive"),
        ("calc.wasm", &component, "a WebAssembly component"),
        ("module.wasm", b"\0asm\x01\0\0\0", "a core WebAssembly module"),
        ("notes.txt", b"my graph\n", "text"),
        ("graph.pickle", b"\x80\x04\x95\x05\0\0\0\0\0\0\0N.", "a pickle"),
    ] {
        let file = home.write(name, bytes);
        for command in ["check", "submit", "show"] {
            home.run_on(command, &file, &[]).expect(2).says(&["graph: this is ", words, "hint: "]).does_not_say("expected a map");
        }
        if name != "calc.wasm" {
            home.run(&["run", name, "f"]).expect(2).says(&[name, "hint: "]);
        }
    }
    for words in [&["check", "."][..], &["submit", "."], &["run", ".", "f"], &["inspect", "."]] {
        home.run(words).refuses("source-unreadable", &["folder", "hint: name the"]);
    }
}

#[test]
fn an_output_that_is_not_in_the_result_is_a_failure_of_the_graph() {
    let home = Home::new();
    let fleet = Fleet::shared();
    let list = home.write(
        "list.wasm",
        wat::parse_str(
            "(component
               (core module $m (memory (export \"m\") 1)
                 (func (export \"f\") (param i32) (result i32)
                   (i32.store (i32.const 64) (i32.const 0)) (i32.store (i32.const 68) (local.get 0)) (i32.const 64)))
               (core instance $i (instantiate $m))
               (func (export \"f\") (param \"n\" u32) (result (list u32))
                 (canon lift (core func $i \"f\") (memory (core memory $i \"m\")))))",
        )
        .expect("text"),
    );
    // Small results travel with the report and large ones are fetched.
    for len in [3, 10_000] {
        let mut graph = GraphFile::new();
        let task = graph.output_task("xs", &list, "f", vec![int(len)]);
        graph.builder.output(Reference { task, path: vec![PathStep::Index(1)] });
        graph.builder.output(Reference { task, path: vec![PathStep::Index(60_000)] });
        let graph = graph.save(&home, "list.msgpack");
        home.run_on("check", &graph, &[]).expect(0);
        for answer in [home.run_on("submit", &graph, &[]), fleet.run_on("submit", &graph, &[])] {
            answer.expect(1).says(&["error[type-mismatch]: output `xs[60000]`", "index 60000 is beyond the end"]);
            assert!(answer.stdout.contains("\"xs[1]\":0"), "{answer}");
        }
    }
}
