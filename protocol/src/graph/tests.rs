use super::{Argument, Arguments, Graph, GraphBuilder, Options, PathStep, Reference};
use crate::ids::{ComponentDigest, TaskIndex};
use crate::value::Value;
use crate::{ErrorCode, graph::GraphError};
use bytes::Bytes;
use proptest::prelude::*;

/// A graph whose task `i` needs `edges[i]`.
fn graph(edges: &[&[u32]]) -> Result<Graph, GraphError> {
    let mut builder = builder();
    for (task, needs) in edges.iter().enumerate() {
        let list = needs.iter().map(|need| Argument::Task(Reference::whole(TaskIndex(*need)))).collect();
        builder.task(&format!("t{task}"), 0, &Arguments::Positional(vec![Argument::Array(list)]), &Options::default());
    }
    builder.output(Reference::whole(TaskIndex(0)));
    Graph::read(builder.to_bytes().into())
}

fn builder() -> GraphBuilder {
    let mut builder = GraphBuilder::new();
    let component = builder.component(ComponentDigest::of(b"component"), None, None, None);
    builder.function(component, "add", &[], None, None, &Options::default());
    builder
}

#[test]
fn references_become_dependencies() {
    let graph = graph(&[&[1, 2, 1], &[2], &[]]).expect("a graph");
    assert_eq!(graph.task(TaskIndex(0)).dependencies(), [TaskIndex(1), TaskIndex(2)]);
    assert_eq!(graph.topological_order(), [TaskIndex(2), TaskIndex(1), TaskIndex(0)]);
    assert_eq!(graph.edge_count(), 3);
    assert_eq!(graph.task(TaskIndex(1)).key(), "t1");
}

#[test]
fn circles_are_named() {
    let error = graph(&[&[], &[2], &[3], &[1], &[3]]).expect_err("a circle");
    assert_eq!(error.code, ErrorCode::Cycle);
    assert!(error.message.contains("`t1`, `t2`, `t3`"), "{error}");
    assert_eq!(graph(&[&[0]]).expect_err("itself").code, ErrorCode::Cycle);
}

#[test]
fn unknown_tasks_are_refused() {
    assert_eq!(graph(&[&[5]]).expect_err("no such task").code, ErrorCode::UnknownTask);
}

#[test]
fn duplicate_keys_are_refused() {
    let mut builder = builder();
    for _ in 0..2 {
        builder.task("same", 0, &Arguments::Positional(vec![]), &Options::default());
    }
    builder.output(Reference::whole(TaskIndex(0)));
    let error = Graph::read(builder.to_bytes().into()).expect_err("a duplicate");
    assert_eq!(
        (error.code, error.to_string()),
        (ErrorCode::DuplicateKey, "tasks[1] `same`: tasks[0] has the same key".to_owned())
    );
}

#[test]
fn settings_come_from_the_most_specific_level() {
    let mut builder = GraphBuilder::new();
    let component = builder.component(ComponentDigest::of(b"component"), None, None, None);
    builder.options(Options { retries: Some(1), priority: Some(1), ..Options::default() });
    builder.function(component, "f", &[], None, None, &Options { priority: Some(2), seed: Some(7), ..Options::default() });
    builder.task(
        "a",
        0,
        &Arguments::Positional(vec![]),
        &Options { priority: Some(-3), slots_milli: Some(500), ..Options::default() },
    );
    builder.output(Reference { task: TaskIndex(0), path: vec![PathStep::Field("x".into()), PathStep::Index(2)] });
    let graph = Graph::read(builder.to_bytes().into()).expect("a graph");
    let settings = graph.task(TaskIndex(0)).settings();
    assert_eq!((settings.priority, settings.retries, settings.seed, settings.slots_milli), (-3, 1, 7, 500));
    assert_eq!(graph.output_name(&graph.outputs()[0]), "a.x[2]");
}

#[test]
fn every_cut_of_a_graph_is_refused() {
    let mut builder = builder();
    let argument = Argument::Value(Value::Map(vec![
        ("k".into(), Value::Array(vec![Value::F64(1.5), Value::Nil])),
        ("b".into(), Value::Bool(true)),
    ]));
    builder.task(
        "a",
        0,
        &vec![argument].into(),
        &Options { labels: Some(vec![super::LabelRule::parse("zone in (a, b)").expect("a rule")]), ..Options::default() },
    );
    builder.output(Reference::whole(TaskIndex(0)));
    let bytes = builder.to_bytes();
    for len in 0..bytes.len() {
        assert!(Graph::read(Bytes::copy_from_slice(&bytes[..len])).is_err(), "cut at {len}");
    }
    let graph = Graph::read(bytes.clone().into()).expect("the whole");
    assert_eq!(graph.rewrite(|_| (), |_| None), bytes);
}

proptest! {
    #[test]
    fn damaged_graphs_never_panic(at in 0usize..200, byte in any::<u8>(), extra in proptest::collection::vec(any::<u8>(), 0..4)) {
        let mut builder = builder();
        for task in 0..4u32 {
            let list = (task + 1..4).map(|need| Argument::Task(Reference::whole(TaskIndex(need)))).collect();
            builder.task(&format!("t{task}"), 0, &Arguments::Positional(vec![Argument::Array(list)]), &Options { seed: Some(3), ..Options::default() });
        }
        builder.output(Reference::whole(TaskIndex(0)));
        let mut bytes = builder.to_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Graph::read(bytes.clone().into());
        bytes.splice(at..at, extra);
        let _ = Graph::read(bytes.into());
    }
}
