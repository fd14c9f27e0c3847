//! Files that are no component, or not the one that a graph was made with.

use super::support::{Fleet, GraphFile, Home, guest, int};
use std::fs;

/// The shortest core module, and the header of one that is only a header.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

#[test]
fn a_core_module_is_told_how_to_become_a_component() {
    let home = Home::new();
    let module = home.write("module.wasm", CORE_MODULE);
    for words in [&["inspect", "module.wasm"][..], &["run", "module.wasm", "add", "1", "2"]] {
        home.run(words).refuses("core-module", &["core WebAssembly module", "wasm-tasks componentize"]);
    }
    let mut graph = GraphFile::new();
    graph.output_task("a", &module, "add", vec![int(1), int(2)]);
    let graph = graph.save(&home, "graph.msgpack");
    home.run_on("check", &graph, &[]).refuses("core-module", &["components[0] `module`", "componentize"]);
    home.run_on("submit", &graph, &[]).refuses("core-module", &["components[0] `module`", "componentize"]);
    let fleet = Fleet::shared();
    fleet.run_on("submit", &graph, &[]).refuses("core-module", &["components[0] `module`", "componentize"]);
}

#[test]
fn what_is_no_wasm_is_no_component() {
    let home = Home::new();
    let calc = fs::read(guest("calc")).expect("a component");
    let cases = [("text.wasm", &b"hello, world"[..]), ("empty.wasm", b""), ("half.wasm", &calc[..calc.len() / 2])];
    for (name, bytes) in cases {
        let path = home.write(name, bytes);
        home.run(&["inspect", name]).refuses("not-a-component", &[name]);
        let mut graph = GraphFile::new();
        graph.output_task("a", &path, "add", vec![int(1), int(2)]);
        let graph = graph.save(&home, "graph.msgpack");
        home.run_on("check", &graph, &[]).refuses("not-a-component", &["components[0]"]);
        home.run_on("submit", &graph, &[]).refuses("not-a-component", &[]);
    }
    home.run(&["inspect", "absent.wasm"]).refuses("source-unreadable", &["absent.wasm", "No such file"]);
}

#[test]
fn a_component_that_changed_or_vanished_is_refused() {
    let home = Home::new();
    let component = home.write("calc.wasm", fs::read(guest("calc")).expect("a component"));
    let mut graph = GraphFile::new();
    graph.output_task("a", &component, "add", vec![int(1), int(2)]);
    let graph = graph.save(&home, "graph.msgpack");
    home.run_on("submit", &graph, &[]).expect(0);
    let mut bytes = fs::read(&component).expect("a component");
    bytes.push(0);
    fs::write(&component, bytes).expect("a component that changed");
    let fleet = Fleet::shared();
    for answer in [home.run_on("check", &graph, &[]), home.run_on("submit", &graph, &[]), fleet.run_on("submit", &graph, &[])] {
        answer
            .refuses("digest-mismatch", &["components[0]", "calc.wasm", "sha256:", "the file changed since the graph was made"]);
    }
    fs::remove_file(&component).expect("a component");
    home.run_on("submit", &graph, &[]).refuses("source-unreadable", &["components[0]", "relative to the folder of the graph"]);
}

#[test]
fn an_export_that_is_not_there_names_the_nearest() {
    let home = Home::new();
    let mut graph = GraphFile::new();
    graph.output_task("a", &guest("calc"), "summ", vec![int(1)]);
    let graph = graph.save(&home, "graph.msgpack");
    home.run_on("check", &graph, &[]).refuses("unknown-export", &["no export `summ`", "did you mean `sum`"]);
    let fleet = Fleet::shared();
    fleet.run_on("submit", &graph, &[]).refuses("unknown-export", &["no export `summ`", "did you mean `sum`"]);
    // Interfaces have long names, and people forget versions.
    home.run_on("run", &guest("everything"), &["echo-strng", "x"]).refuses("unknown-export", &["echo-string"]);
}

/// A component that imports an instance of this name, and exports `f`.
fn importing(name: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
             (import "{name}" (instance (export "now" (func (result u64)))))
             (core module $m (func (export "f")))
             (core instance $i (instantiate $m))
             (func (export "f") (canon lift (core func $i "f"))))"#
    );
    wat::parse_str(text).expect("a component")
}

#[test]
fn a_component_that_needs_what_nobody_has_is_refused() {
    let home = Home::new();
    let cases = [
        ("wasi:clocks/monotonic-clock@0.3.0", "unsupported-component", "needs WASI 0.3"),
        ("nobody:has/this@1.0.0", "unknown-import", "`nobody:has/this@1.0.0`, which nobody provides"),
    ];
    for (import, code, says) in cases {
        let component = home.write("needy.wasm", importing(import));
        home.run(&["inspect", "needy.wasm"]).refuses(code, &["needy.wasm", says, "hint: "]);
        let mut graph = GraphFile::new();
        graph.output_task("a", &component, "f", vec![]);
        let graph = graph.save(&home, "graph.msgpack");
        home.run_on("check", &graph, &[]).refuses(code, &["components[0] `needy`", says]);
        let fleet = Fleet::shared();
        fleet.run_on("submit", &graph, &[]).refuses(code, &["components[0] `needy`", says]);
    }
}

#[test]
fn an_export_that_is_no_task_says_why_and_the_others_can_be_called() {
    let home = Home::new();
    let text = r#"(component
        (type $thing-type (resource (rep i32)))
        (export $thing "thing" (type $thing-type))
        (core module $m (func (export "take") (param i32)) (func (export "fine")))
        (core instance $i (instantiate $m))
        (func (export "take") (param "it" (own $thing)) (canon lift (core func $i "take")))
        (func (export "fine") (canon lift (core func $i "fine"))))"#;
    let component = home.write("things.wasm", wat::parse_str(text).expect("a component"));
    home.run_on("run", &component, &["take", "1"]).refuses("unsupported-export", &["`take`", "parameter `it` uses a resource"]);
    assert_eq!(home.run_on("run", &component, &["fine"]).expect(0).stdout, "null\n");
}
