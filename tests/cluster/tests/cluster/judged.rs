//! Components that are small and cost much: refused by the process that judges them, and no neighbour notices.

use super::support::{Fleet, GraphFile, Home, guest, int, is_running};
use std::fs;
use std::path::{Path, PathBuf};

/// An unsigned LEB128 number.
fn leb(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// That many types of two bytes, each of which is hundreds in the validator.
fn types(home: &Home, count: usize) -> PathBuf {
    let body = [leb(count), b"\x70\x7d".repeat(count)].concat();
    let bomb = [b"\0asm\x0d\0\x01\0\x07", &leb(body.len())[..], &body].concat();
    home.write(&format!("types-{count}.wasm"), bomb)
}

/// `f(u32) -> u32`, beside other functions of its module.
fn with_functions(home: &Home, name: &str, functions: &str) -> PathBuf {
    let text = format!(
        r#"(component
            (core module $m {functions} (func (export "f") (param i32) (result i32) local.get 0))
            (core instance $i (instantiate $m))
            (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))"#
    );
    home.write(name, wat::parse_str(text).expect("text"))
}

fn one_call(home: &Home, component: &Path, export: &str) -> PathBuf {
    let mut graph = GraphFile::new();
    graph.output_task("a", component, export, vec![int(1)]);
    let name = component.file_stem().and_then(|name| name.to_str()).expect("a name");
    graph.save(home, &format!("{name}.msgpack"))
}

/// The most memory that a process had so far, in bytes.
fn peak_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number") << 10
}

#[test]
fn a_component_that_unfolds_costs_the_scheduler_nothing() {
    let fleet = Fleet::up(&["--workers", "1", "--slots", "2"]);
    let home = &fleet.home;
    let harmless = one_call(home, &with_functions(home, "harmless.wasm", ""), "f");
    fleet.run_on("submit", &harmless, &["--quiet"]).expect(0);
    let before = peak_bytes(fleet.pid("scheduler"));
    let bombs = [950_000, 950_001, 950_002].map(|count| one_call(home, &types(home, count), "f"));
    let flood = bombs.each_ref().map(|bomb| fleet.start(&["submit", bomb.to_str().expect("a path")]));
    let neighbour = one_call(home, &with_functions(home, "neighbour.wasm", "(func)"), "f");
    fleet.run_on("submit", &neighbour, &["--quiet"]).expect(0);
    for bomb in flood {
        bomb.end().refuses("component-too-costly", &["validating the component takes more than", "MiB of memory"]);
    }
    let grown = peak_bytes(fleet.pid("scheduler")) - before;
    assert!(grown < 64 << 20, "the scheduler's peak grew by {} MiB", grown >> 20);
    home.run_on("submit", &bombs[0], &[]).refuses("component-too-costly", &["components[0]"]);
    let file = home.file("types-950000.wasm");
    home.run(&["inspect", file.to_str().expect("a path")]).refuses("component-too-costly", &["types-950000"]);
}

/// Components that are being compiled hold no slots: a neighbour whose component is loaded has all of them.
#[test]
fn a_neighbour_runs_while_components_compile() {
    let fleet = Fleet::up(&["--workers", "1", "--slots", "2"]);
    let home = &fleet.home;
    let loaded = one_call(home, &with_functions(home, "loaded.wasm", "(func) (func)"), "f");
    fleet.run_on("submit", &loaded, &["--quiet"]).expect(0);
    // Each takes seconds, and no other run of the tests has compiled it.
    let stamp = std::process::id();
    let dear = |number: u32| {
        let functions = format!("(func (result i64) (i64.const {}))", u64::from(stamp) << 8 | u64::from(number));
        one_call(home, &with_functions(home, &format!("dear-{number}.wasm"), &functions.repeat(60_000)), "f")
    };
    let dear: Vec<PathBuf> = (0..4).map(dear).collect();
    let flood: Vec<_> = dear.iter().map(|graph| fleet.start(&["submit", graph.to_str().expect("a path"), "--quiet"])).collect();
    for _ in 0..5 {
        fleet.run_on("submit", &loaded, &["--quiet"]).expect(0);
    }
    assert!(flood.iter().any(|one| is_running(one.pid())), "the neighbour did not wait for all of them");
    for one in flood {
        one.end().expect(0);
    }
}

/// Whatever is dear to compile is stopped by the limit that it hits, lowered here so that this takes a moment.
#[test]
fn components_that_are_dear_to_compile_are_refused() {
    let home = Home::with_own_modules();
    let live = |count: usize| {
        let locals = "(local i64)".repeat(count);
        let set: String = (0..count).map(|at| format!("(local.set {at} (call $g))")).collect();
        let add: String = (0..count).map(|at| format!("local.get {at} i64.add ")).collect();
        format!("(func $g (result i64) i64.const 1) (func (export \"live\") (result i64) {locals} {set} i64.const 0 {add})")
    };
    let nested = |depth: usize| format!("(func {} {})", "block ".repeat(depth), "end ".repeat(depth));
    let cases = [("functions.wasm", "(func) ".repeat(100_000)), ("live.wasm", live(6_000)), ("nested.wasm", nested(400_000))];
    for (name, functions) in cases {
        let graph = one_call(&home, &with_functions(&home, name, &functions), "f");
        let mut command = home.command(&["submit", graph.to_str().expect("a path")]);
        command.env("WASM_TASKS_JUDGE_CPU", "0.5").env("WASM_TASKS_JUDGE_MEMORY", "128 MiB");
        let answer = super::support::Running::start(&mut command).end();
        assert!(answer.to_string().contains("component-too-costly"), "{name}: {answer}");
    }
    let graph = one_call(&home, &with_functions(&home, "harmless.wasm", ""), "f");
    home.run_on("submit", &graph, &["--quiet"]).expect(0);
}

/// What was judged once is known to later runs, whatever the limits are then.
#[test]
fn judged_components_are_not_judged_again() {
    let home = Home::with_own_modules();
    let calc = guest("calc");
    let words = ["run", calc.to_str().expect("a path"), "add", "1", "2"];
    home.run(&words).expect(0);
    // With a limit under which nothing can be judged, what is known is still known.
    let mut again = home.command(&words);
    again.env("WASM_TASKS_JUDGE_MEMORY", "1").env("WASM_TASKS_JUDGE_CPU", "0.001");
    super::support::Running::start(&mut again).end().expect(0);
    let left: Vec<String> = fs::read_dir(home.path().join("cache/modules/compiled-1"))
        .expect("a cache")
        .map(|file| file.expect("a file").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".lock"))
        .collect();
    assert_eq!(left, [""; 0], "locks are removed");
}
