//! Guests in every language: the steps of the flights demo, each fed with the result of another language, and the
//! runners of source texts. A guest whose language is missing on this machine is left out, and says so.

use crate::support::{array, call, err, guest, guest_path, int, map, ok, string};
use wasm_tasks_protocol::{ErrorCode, Value};

const HEADER: &str = "year,hour,dep_delay,carrier";
const CSV: &str = "2013,5,10,AA\n2013,5,-4,B6\n2013,6,NA,UA\r\n2013,17,,UA\n2013,17,25,UA\n2013,6,0,DL";

/// Whether `cargo xtask guests` could build these here.
fn are_built(names: &[&str]) -> bool {
    let missing: Vec<&&str> = names.iter().filter(|name| !guest_path(name).is_file()).collect();
    if !missing.is_empty() {
        eprintln!("left out: the guests {missing:?} are not built; `cargo xtask guests` says why");
    }
    missing.is_empty()
}

fn step(component: &str, step: &str, function: &str, args: &[Value]) -> Value {
    ok(call(&guest(component), &format!("wasm-tasks:examples/flights-{step}@0.1.0#{function}"), args))
}

fn sum(hour: i64, flights: i64, delay: i64) -> Value {
    map(&[("hour", int(hour)), ("flights", int(flights)), ("delay", int(delay))])
}

fn parsed() -> Value {
    step("flights", "parse", "parse", &[string(HEADER), Value::Bin(CSV.into())])
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    let Value::Map(fields) = record else { panic!("no record: {record:?}") };
    match fields.iter().find(|(name, _)| name == field) {
        Some((_, Value::Str(text))) => text,
        other => panic!("no text `{field}`: {other:?}"),
    }
}

/// The four steps, by the given components.
fn demo(combine: &str, stats: &str, report: &str) -> Value {
    let total = step(combine, "combine", "combine", &[Value::Array(vec![parsed(), Value::Array(vec![]), parsed()])]);
    assert_eq!(total, Value::Array(vec![sum(5, 4, 12), sum(6, 2, 0), sum(17, 2, 50)]));
    let all = step(stats, "stats", "describe", std::slice::from_ref(&total));
    let expected = [("flights", int(8)), ("mean", Value::F64(7.75)), ("best-hour", int(6)), ("worst-hour", int(17))];
    assert_eq!(all, map(&expected));
    step(report, "report", "make", &[total, all])
}

const TABLE: &str = "05      4   3.0000\n06      2   0.0000\n17      2  25.0000\n";

#[test]
fn rust_does_every_step_of_the_demo() {
    assert_eq!(parsed(), Value::Array(vec![sum(5, 2, 6), sum(6, 1, 0), sum(17, 1, 25)]));
    let report = demo("flights", "flights", "flights");
    assert_eq!(text(&report, "table"), TABLE);
    assert!(text(&report, "svg").starts_with("<svg "));
}

#[test]
fn results_of_one_language_feed_another() {
    if !are_built(&["combine", "stats", "report"]) {
        return;
    }
    let report = demo("combine", "stats", "report");
    assert_eq!(text(&report, "table"), TABLE);
    assert!(text(&report, "svg").ends_with("</svg>\n"));
}

#[test]
fn errors_of_every_language_are_values() {
    let bad = [string("hour,dep_delay"), Value::Bin(b"1,2\n1,2,3\n".to_vec())];
    let error = err(call(&guest("flights"), "wasm-tasks:examples/flights-parse@0.1.0#parse", &bad));
    assert_eq!(error.code, ErrorCode::GuestError, "{error}");
    assert!(error.to_string().contains("line 2 of this part: 3 fields where the header has 2"), "{error}");
    if are_built(&["stats"]) {
        let error = err(call(&guest("stats"), "wasm-tasks:examples/flights-stats@0.1.0#describe", &[Value::Array(vec![])]));
        assert_eq!(error.code, ErrorCode::GuestError, "{error}");
        assert!(error.to_string().contains("there is no hour"), "{error}");
    }
}

/// Calls a function of a source text.
fn script(runner: &str, source: &str, entry: &str, args: &[Value]) -> Result<Value, String> {
    let outcome = call(&guest(runner), "call", &[string(source), string(entry), Value::Bin(array(args))]);
    match outcome.result {
        Ok(bytes) => {
            let Value::Bin(result) = Value::from_msgpack(&bytes).unwrap() else { panic!("no bytes") };
            Ok(Value::from_msgpack(&result).unwrap())
        }
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn python_runs_source_texts_with_its_standard_library() {
    if !are_built(&["python-runner"]) {
        return;
    }
    let source = "import statistics\ndef f(a, b): return {'mean': statistics.mean(a), 'b': b}\ndef g(x): return 1 / x";
    let numbers = Value::Array(vec![int(1), int(2), int(4), int(5)]);
    let result = script("python-runner", source, "f", &[numbers, Value::Bin(vec![0, 255])]);
    assert_eq!(result, Ok(map(&[("b", Value::Bin(vec![0, 255])), ("mean", int(3))])));
    let error = script("python-runner", source, "g", &[int(0)]).unwrap_err();
    assert!(error.contains("ZeroDivisionError") && error.contains("line 3, in g"), "{error}");
    assert!(script("python-runner", source, "h", &[]).unwrap_err().contains("defines no `h`"));
}

#[test]
fn python_and_javascript_draw_random_numbers_from_the_seed() {
    let cases = [
        ("python-runner", "import random\ndef f(): return [random.random(), random.random()]"),
        ("js-runner", "function f() { return [Math.random(), Math.random()] }"),
    ];
    for (runner, source) in cases {
        if !are_built(&[runner]) {
            continue;
        }
        let function = guest(runner).function("call").unwrap();
        let args = array(&[string(source), string("f"), Value::Bin(array(&[]))]);
        let drawn = |seed| ok(crate::support::Case { args: &args, seed, ..Default::default() }.run(&function));
        assert_eq!(drawn(1), drawn(1), "{runner}: the same seed gives the same numbers");
        assert_ne!(drawn(1), drawn(2), "{runner}: another seed gives others");
    }
}

#[test]
fn javascript_runs_source_texts() {
    if !are_built(&["js-runner"]) {
        return;
    }
    let source = "export function f(a, b) { console.log('seen', a); return { b, sum: a.reduce((x, y) => x + y) }; }\nconst g = () => { throw new Error('no') };";
    let numbers = Value::Array(vec![int(1), int(2)]);
    let result = script("js-runner", source, "f", &[numbers, Value::Nil]);
    assert_eq!(result, Ok(map(&[("b", Value::Nil), ("sum", int(3))])));
    let error = script("js-runner", source, "g", &[]).unwrap_err();
    assert!(error.contains("Error: no"), "{error}");
}
