//! Tasks that end in tasks, as a worker reports them: what is right takes the place of the task, what is wrong fails it.

use super::script::{Cluster, calc_digest, graph_of, reference};
use super::{ID, finished};
use bytes::Bytes;
use wasm_tasks_protocol::Value;
use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::graph::{Argument, Grant, GraphBuilder, Options, Reference};
use wasm_tasks_protocol::ids::{Attempt, ComponentDigest, TaskIndex};
use wasm_tasks_protocol::limits::{DELEGATED_TASKS_MAX, DELEGATION_BYTES_MAX, DELEGATION_DEPTH_MAX};
use wasm_tasks_protocol::message::{AttemptDelegated, FromWorker, OutputResult, Query, ReplyHead, Request, ToWorker};
use wasm_tasks_protocol::time::Duration;

fn number(value: u64) -> Argument {
    Value::Uint(value).into()
}

fn own(position: u8) -> Argument {
    Value::Ext(4, vec![position]).into()
}

pub(super) fn delegated(attempt: Attempt, tasks: impl Into<Bytes>) -> FromWorker {
    FromWorker::AttemptDelegated(AttemptDelegated {
        attempt,
        run: Duration(50),
        memory_peak_bytes: 65_536,
        fuel_used: None,
        has_logs: false,
        tasks: tasks.into(),
    })
}

fn tasks(write: impl FnOnce(&mut GraphBuilder)) -> Vec<u8> {
    let mut builder = GraphBuilder::new();
    write(&mut builder);
    builder.to_bytes()
}

/// `x` = add(first, second) of the delegating task's own function, which takes its place.
pub(super) fn one(first: Argument, second: Argument) -> Vec<u8> {
    tasks(|builder| {
        let x = builder.task("x", 0, &vec![first, second].into(), &Options::default());
        builder.output(Reference::whole(x));
    })
}

/// `a` = add(1, 2) and `b` = add(a, a), of which `b` is the output.
fn two() -> Vec<u8> {
    graph_of(|graph, add| {
        let a = graph.task("a", add, &vec![number(1), number(2)].into(), &Options::default());
        // Too long to be sent ahead of what it needs.
        let long = Options { expected_us: Some(50_000), ..Options::default() };
        let b = graph.task("b", add, &vec![reference(a), reference(a)].into(), &long);
        graph.output(Reference::whole(b));
    })
}

#[tokio::test]
async fn what_takes_the_place_of_a_task_is_what_others_get() {
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, two()).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    // `a/s` = add(own 0, 40), then `a/t` = add(a/s, own 1).
    let file = tasks(|builder| {
        let s = builder.task("s", 0, &vec![own(0), number(40)].into(), &Options::default());
        let t = builder.task("t", 0, &vec![reference(s), own(1)].into(), &Options::default());
        builder.output(Reference::whole(t));
    });
    cluster.say(delegated(a, file)).await;
    let s = cluster.assigned("a/s", 2).await;
    let asked: serde_json::Value =
        serde_json::from_str(&cluster.ask(Query::Explain { graph: ID, key: Some("a".into()) }).await).expect("JSON");
    assert_eq!((asked["state"].as_str(), asked["delegated_to"].as_str()), (Some("delegated"), Some("a/t")));
    cluster.say(finished(s, &Value::Uint(41))).await;
    let t = cluster.assigned("a/t", 3).await;
    cluster.say(finished(t, &Value::Uint(43))).await;
    // `b` refers to task 0 twice in its file, and is told of task 3, once.
    let heard = loop {
        let heard = cluster.worker_hears().await;
        if let Some(assigned) = heard.into_iter().find_map(|message| match message {
            ToWorker::AssignTasks { mut tasks, .. } if tasks[0].task == TaskIndex(1) => Some(tasks.remove(0)),
            _ => None,
        }) {
            break assigned;
        }
    };
    let tasks: Vec<TaskIndex> = heard.inputs.iter().map(|input| input.task).collect();
    assert_eq!(tasks, [TaskIndex(3)]);
    assert_eq!(heard.args[..], [0x92, 0xd4, 1, 3, 0xd4, 1, 3]);
    cluster.say(finished(heard.attempt, &Value::Uint(86))).await;
    let (outputs, summary) = cluster.finish().await;
    assert_eq!(outputs, [(0, OutputResult::Inline(Bytes::from_static(&[86])))]);
    assert_eq!((summary.tasks, summary.finished, summary.failed), (4, 4, 0));
    // Its file has all of it.
    let (head, file) = cluster.client_asks(Request::FetchGraph { graph: ID }).await;
    assert!(matches!(head, ReplyHead::Ok { .. }));
    let whole = wasm_tasks_protocol::graph::Graph::read(file).expect("a graph");
    let keys: Vec<&str> = whole.tasks().map(|task| task.key()).collect();
    assert_eq!(keys, ["a", "b", "a/s", "a/t"]);
}

#[tokio::test]
async fn an_output_that_delegates_comes_from_what_took_its_place() {
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, two()).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    cluster.say(finished(a, &Value::Uint(3))).await;
    let b = cluster.assigned("b", 1).await;
    cluster.say(delegated(b, one(own(0), number(7)))).await;
    // What was said twice counts once.
    cluster.say(delegated(b, one(own(0), number(8)))).await;
    let x = cluster.assigned("b/x", 2).await;
    cluster.say(delegated(x, one(own(1), own(0)))).await;
    let xx = cluster.assigned("b/x/x", 3).await;
    cluster.say(finished(xx, &Value::Uint(10))).await;
    let (outputs, summary) = cluster.finish().await;
    assert_eq!(outputs, [(0, OutputResult::Inline(Bytes::from_static(&[10])))]);
    assert_eq!((summary.tasks, summary.finished), (4, 4));
    let (head, body) = cluster.client_asks(Request::FetchOutput { graph: ID, output: 0 }).await;
    assert_eq!((head, &body[..]), (ReplyHead::Ok { total: 1 }, &[10][..]));
    let result = Request::FetchResult { graph: ID, task: TaskIndex(1), offset: 0, len: 9 };
    assert_eq!(&cluster.client_asks(result).await.1[..], &[10], "by its old name");
    let released = wasm_tasks_protocol::message::FromClient::ReleaseOutputs { graph: ID, outputs: vec![0] };
    cluster.tell(released).await;
    loop {
        let heard = cluster.worker_hears().await;
        let let_go =
            heard.iter().any(|message| matches!(message, ToWorker::ReleaseResults { tasks, .. } if tasks == &[TaskIndex(3)]));
        if let_go {
            break;
        }
    }
}

/// Runs `a` of `a` and `b` into tasks that cannot run. Gives the failure's message.
async fn refused(file: impl Into<Bytes>) -> String {
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, two()).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    cluster.say(delegated(a, file)).await;
    let (outputs, summary) = cluster.finish().await;
    assert_eq!(outputs, [(0, OutputResult::Failed)]);
    assert_eq!((summary.failed, summary.dependents_failed, summary.tasks), (1, 1, 2), "nothing of it is left");
    let failure = &cluster.failures[0];
    assert_eq!((failure.key.as_str(), failure.error.code), ("a", ErrorCode::BadDelegation));
    failure.error.message.clone()
}

#[tokio::test]
async fn what_cannot_run_fails_the_task() {
    let has = |message: String, part: &str| assert!(message.contains(part), "{part}: {message}");
    has(refused(b"rubbish".to_vec()).await, "bad-field");
    has(refused(vec![0xc0; DELEGATION_BYTES_MAX + 1]).await, "limit-exceeded");
    has(refused(one(number(1), own(2))).await, "wrong-arity");
    has(refused(one(number(1), reference(TaskIndex(1)))).await, "unknown-task");
    has(refused(one(Value::Str("text".into()).into(), number(1))).await, "type-mismatch");
    let other = |export: &'static str, digest: Option<ComponentDigest>, options: Options| {
        tasks(|builder| {
            let component = digest.map_or(0, |digest| builder.component(digest, None, None, None) + 1);
            builder.function(component, export, &[], None, None, &options);
            let x = builder.task("x", 1, &vec![number(1), number(2)].into(), &Options::default());
            builder.output(Reference::whole(x));
        })
    };
    let message = refused(other("pair", None, Options::default())).await;
    has(message, "the result of `a/x` is tuple<u32, u32>; what takes the place of `a` must be u32");
    has(refused(other("add", Some(ComponentDigest::of(b"foreign")), Options::default())).await, "not-uploaded");
    let granted = Options { grants: Some(vec![Grant::Clock]), ..Options::default() };
    has(refused(other("add", Some(calc_digest()), granted)).await, "grant-denied");
}

#[tokio::test]
async fn a_recursion_without_end_is_stopped() {
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, two()).await, Ok(()));
    let mut task = 0;
    let mut attempt = cluster.assigned("a", task).await;
    for depth in 0..=DELEGATION_DEPTH_MAX as u32 {
        cluster.say(delegated(attempt, one(own(0), own(1)))).await;
        if depth < DELEGATION_DEPTH_MAX as u32 {
            task = 2 + depth;
            attempt = cluster.assigned("the next", task).await;
        }
    }
    let (outputs, summary) = cluster.finish().await;
    assert_eq!((outputs, summary.failed), (vec![(0, OutputResult::Failed)], 1));
    let failure = &cluster.failures[0];
    assert_eq!(
        (failure.error.code, failure.task),
        (ErrorCode::BadDelegation, TaskIndex(0)),
        "for its client it is the first that failed"
    );
    assert_eq!(failure.key, format!("a{}", "/x".repeat(DELEGATION_DEPTH_MAX)));
    assert!(failure.error.message.contains("256"), "{}", failure.error.message);
}

#[tokio::test]
async fn a_graph_does_not_grow_without_end() {
    let wide = |count: usize| {
        tasks(|builder| {
            let mut last = TaskIndex(0);
            for key in 0..count {
                last = builder.task(&key.to_string(), 0, &vec![own(0), number(1)].into(), &Options::default());
            }
            builder.output(Reference::whole(last));
        })
    };
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, two()).await, Ok(()));
    let mut attempt = cluster.assigned("a", 0).await;
    let (mut end, width) = (2, DELEGATED_TASKS_MAX / 4);
    for _ in 0..4 {
        cluster.say(delegated(attempt, wide(width))).await;
        end += width as u32;
        attempt = cluster.assigned("the last", end - 1).await;
    }
    cluster.say(delegated(attempt, wide(1))).await;
    let (outputs, summary) = cluster.finish().await;
    assert_eq!((outputs, summary.failed), (vec![(0, OutputResult::Failed)], 1));
    assert!(cluster.failures[0].error.message.contains("limit-exceeded"), "{}", cluster.failures[0].error.message);
}

#[tokio::test]
async fn a_client_extends_a_graph_whose_tasks_delegate() {
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, two()).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    cluster.say(delegated(a, one(number(1), own(1)))).await;
    let x = cluster.assigned("a/x", 2).await;
    cluster.say(finished(x, &Value::Uint(3))).await;
    let b = cluster.assigned("b", 1).await;
    cluster.say(finished(b, &Value::Uint(6))).await;
    cluster.finish().await;
    let asked: serde_json::Value = serde_json::from_str(&cluster.ask(Query::Extent { graph: ID }).await).expect("JSON");
    assert_eq!(asked["tasks"], 2, "what tasks wrote is not counted");
    let base = wasm_tasks_protocol::graph::Extent { components: 1, functions: 1, data: 0, tasks: 2, outputs: 1 };
    let mut more = GraphBuilder::fragment(wasm_tasks_protocol::graph::Append { graph: ID, base });
    let long = Options { expected_us: Some(50_000), ..Options::default() };
    let c = more.task("c", 0, &vec![reference(TaskIndex(0)), number(5)].into(), &long);
    more.output(Reference::whole(c));
    more.output(Reference::whole(TaskIndex(0)));
    let (head, _) = cluster.client_sends(Request::ExtendGraph { graph: ID }, more.to_bytes().into()).await;
    assert!(matches!(head, ReplyHead::Ok { .. }), "{head:?}");
    // What took the place of `a` had been let go, and is made again; `a` is not.
    let x = cluster.assigned("a/x", 2).await;
    cluster.say(finished(x, &Value::Uint(3))).await;
    let c = cluster.assigned("c", 3).await;
    cluster.say(finished(c, &Value::Uint(8))).await;
    let (mut outputs, mut summary) = cluster.finish().await;
    while summary.outputs < 3 || outputs.len() < 2 {
        let (more, next) = cluster.finish().await;
        outputs.extend(more);
        summary = next;
    }
    outputs.sort_by_key(|(position, _)| *position);
    let inline = |value: &'static [u8]| OutputResult::Inline(Bytes::from_static(value));
    assert_eq!(outputs, [(1, inline(&[8])), (2, inline(&[3]))]);
}
