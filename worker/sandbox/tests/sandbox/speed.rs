//! That the sandbox and the bare wasmtime loop of the same configuration do the same, and how fast. To measure, on a quiet
//! machine: `WASM_TASKS_MEASURE=1 cargo test -p wasm-tasks-sandbox --test sandbox -- --nocapture speed`; otherwise each runs
//! once. `tests/bench` has the bars.

use crate::support::{Case, array, guest, int};
use std::time::{Duration, Instant};
use wasm_tasks_protocol::Value;
use wasm_tasks_sandbox::bare::{Bare, Row};
use wasm_tasks_sandbox::{CancelFlag, Function};

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// Runs both in turn; prints medians in microseconds and their ratio.
fn compare(what: &str, runs: usize, mut ours: impl FnMut(), mut bare: impl FnMut()) -> f64 {
    let runs = if std::env::var_os("WASM_TASKS_MEASURE").is_some() { runs } else { 1 };
    let (mut our_times, mut bare_times) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let start = Instant::now();
        ours();
        our_times.push(start.elapsed());
        let start = Instant::now();
        bare();
        bare_times.push(start.elapsed());
    }
    let (ours, bare) = (median(our_times), median(bare_times));
    println!("{what:<28} ours {ours:>10.2} µs   bare {bare:>10.2} µs   ratio {:.2}", ours / bare);
    ours / bare
}

fn everything(function: &str) -> Function {
    guest("everything").function(&format!("wasm-tasks:examples/everything#{function}")).unwrap()
}

#[test]
fn speed() {
    let cancel = CancelFlag::new();
    let add = guest("calc").function("add").unwrap();
    println!("{}", crate::support::ENGINE.describe());
    let args = array(&[int(1), int(2)]);
    let case = Case { args: &args, ..Case::default() };
    let call = case.call(&cancel);
    let bare = Bare::new(&add);
    compare(
        "1,000 cycles of add",
        25,
        || (0..1_000).for_each(|_| assert!(add.call(&call).result.is_ok())),
        || assert_eq!(bare.add(&call, 1, 2, 1_000).unwrap(), 3),
    );

    let bytes = vec![7u8; 1 << 20];
    let args = array(&[Value::Bin(bytes.clone())]);
    let case = Case { args: &args, ..Case::default() };
    let (echo, call) = (everything("echo-bytes"), case.call(&cancel));
    let bare = Bare::new(&echo);
    compare(
        "echo of 1 MiB",
        101,
        || assert!(echo.call(&call).result.is_ok()),
        || assert_eq!(bare.bytes(&call, &bytes).unwrap().len(), 1 << 20),
    );

    let floats: Vec<f64> = (0..1_000_000).map(f64::from).collect();
    let packed: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
    let args = array(&[Value::Ext(24, packed)]);
    let case = Case { args: &args, ..Case::default() };
    let (sum, call) = (everything("sum"), case.call(&cancel));
    let bare = Bare::new(&sum);
    compare(
        "sum of 1 M floats",
        51,
        || assert!(sum.call(&call).result.is_ok()),
        || assert!(bare.sum(&call, &floats).unwrap() > 0.0),
    );
    let echo = everything("echo-list-f64");
    let bare = Bare::new(&echo);
    compare(
        "echo of 1 M floats",
        51,
        || assert!(echo.call(&call).result.is_ok()),
        || assert_eq!(bare.floats(&call, &floats).unwrap().len(), 1_000_000),
    );

    let rows: Vec<Row> = (0..10_000).map(|i| Row { id: i, x: f64::from(i) / 2.0, label: format!("row {i}") }).collect();
    let value = |row: &Row| {
        Value::Map(vec![
            ("id".to_owned(), Value::Uint(row.id.into())),
            ("x".to_owned(), Value::F64(row.x)),
            ("label".to_owned(), Value::Str(row.label.clone())),
        ])
    };
    let args = array(&[Value::Array(rows.iter().map(value).collect())]);
    let case = Case { args: &args, ..Case::default() };
    let (echo, call) = (everything("echo-rows"), case.call(&cancel));
    let bare = Bare::new(&echo);
    compare(
        "echo of 10,000 records",
        51,
        || assert!(echo.call(&call).result.is_ok()),
        || assert_eq!(bare.rows(&call, &rows).unwrap().len(), 10_000),
    );
}
