//! Tasks of a fleet that end in tasks: the same as in one process, with the work of one going to several workers.

use super::support::{Fleet, GraphFile, guest, int, result};
use serde_json::json;
use wasm_tasks_protocol::Value;

#[test]
fn a_recursion_runs_on_a_fleet_and_embedded() {
    let fleet = Fleet::shared();
    let mut graph = GraphFile::new();
    let recursion = guest("recursion");
    let fib = graph.output_task("fib", &recursion, "fib", vec![int(9)]);
    graph.output_task("more", &recursion, "add", vec![result(fib), int(1)]);
    let numbers: Vec<Value> = (0..40).map(|x| Value::int(x * 37 % 41)).collect();
    graph.output_task("sorted", &recursion, "sort", vec![Value::Array(numbers).into(), int(3)]);
    let sorted: Vec<i64> = {
        let mut all: Vec<i64> = (0..40).map(|x| x * 37 % 41).collect();
        all.sort_unstable();
        all
    };
    let expected = json!({"fib": 34, "more": 35, "sorted": sorted});
    let file = graph.save(&fleet.home, "recursion.msgpack");
    let id = fleet.detach(&file);
    assert_eq!(fleet.run(&["attach", &id]).expect(0).json(), expected);
    let file = file.to_str().expect("UTF-8");
    assert_eq!(fleet.home.run(&["submit", file]).expect(0).json(), expected, "embedded");
    for (key, words) in [("fib", ["delegated", "fib/sum"]), ("fib/one/two", ["delegated", "fib/one/two/sum"])] {
        let answer = fleet.run(&["explain", &id, key]);
        assert!(words.iter().all(|word| answer.expect(0).stdout.contains(word)), "{answer}");
    }
}

#[test]
fn bombs_end_and_harm_nobody_else() {
    let fleet = Fleet::shared();
    let mut graph = GraphFile::new();
    let recursion = guest("recursion");
    graph.output_task("bomb", &recursion, "bomb", vec![int(1)]);
    graph.output_task("fine", &recursion, "fib", vec![int(6)]);
    let file = graph.save(&fleet.home, "bomb.msgpack");
    let answer = fleet.run(&["submit", file.to_str().expect("UTF-8")]);
    answer.expect(1).says(&["bad-delegation", "limit-exceeded"]);
}
