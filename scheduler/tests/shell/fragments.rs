//! Graphs that grow while they run.

use super::script::{Cluster, calc_digest, graph_of, reference};
use super::{ID, failed, finished};
use bytes::Bytes;
use wasm_tasks_protocol::Value;
use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::graph::{Append, Extent, GraphBuilder, Options, Reference};
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_protocol::message::{FromClient, OutputResult, Query, Refusal, ReplyHead, Request, ToWorker};

/// `a` = add(1, 2), which is the output.
fn first() -> Vec<u8> {
    graph_of(|graph, add| {
        let a = graph.task("a", add, &vec![Value::Uint(1).into(), Value::Uint(2).into()].into(), &Options::default());
        graph.output(Reference::whole(a));
    })
}

fn extent(functions: u32, tasks: u32, outputs: u32) -> Extent {
    Extent { components: 1, functions, data: 0, tasks, outputs }
}

fn fragment(base: Extent, write: impl FnOnce(&mut GraphBuilder)) -> Vec<u8> {
    let mut builder = GraphBuilder::fragment(Append { graph: ID, base });
    write(&mut builder);
    builder.to_bytes()
}

/// `key` = add(task, 3), which is an output.
fn one_more(base: Extent, key: &str, needs: u32) -> Vec<u8> {
    fragment(base, |graph| {
        let args = vec![reference(TaskIndex(needs)), Value::Uint(3).into()];
        let expected = Options { expected_us: Some(50), ..Options::default() };
        let task = graph.task(key, 0, &args.into(), &expected);
        graph.output(Reference::whole(task));
    })
}

async fn extend(cluster: &mut Cluster, graph: GraphId, file: Vec<u8>) -> Result<Extent, (Refusal, Option<Extent>)> {
    let (head, body) = cluster.client_sends(Request::ExtendGraph { graph }, file.into()).await;
    let extent = || Extent::from_msgpack(&body).expect("an extent");
    match head {
        ReplyHead::Ok { .. } => Ok(extent()),
        ReplyHead::Refused(refusal) => Err((refusal, (!body.is_empty()).then(extent))),
        ReplyHead::NotFound => panic!("a fragment is accepted or refused"),
    }
}

/// A graph whose one task has ended with 3.
async fn grown() -> Cluster {
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, first()).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    cluster.say(finished(a, &Value::Uint(3))).await;
    let (outputs, summary) = cluster.finish().await;
    assert_eq!((outputs.len(), summary.outputs), (1, 1));
    cluster
}

#[tokio::test]
async fn a_finished_graph_goes_on_and_finishes_again() {
    let mut cluster = grown().await;
    assert_eq!(
        cluster.ask(Query::Extent { graph: ID }).await,
        r#"{"components":1,"functions":1,"data":0,"tasks":1,"outputs":1}"#
    );
    assert_eq!(extend(&mut cluster, ID, one_more(extent(1, 1, 1), "b", 0)).await, Ok(extent(1, 2, 2)));
    assert_eq!(extend(&mut cluster, ID, one_more(extent(1, 2, 2), "c", 1)).await, Ok(extent(1, 3, 3)));
    let b = cluster.assigned("b", 1).await;
    cluster.say(finished(b, &Value::Uint(6))).await;
    let c = cluster.assigned("c", 2).await;
    cluster.say(finished(c, &Value::Uint(9))).await;
    let (mut outputs, mut summary) = cluster.finish().await;
    while summary.outputs < 3 || summary.finished < 3 {
        let (more, next) = cluster.finish().await;
        outputs.extend(more);
        summary = next;
    }
    assert_eq!(
        outputs,
        [(1, OutputResult::Inline(Bytes::from_static(&[6]))), (2, OutputResult::Inline(Bytes::from_static(&[9])))]
    );
    assert_eq!(cluster.ask(Query::Outputs { graph: ID }).await, r#"["a","b","c"]"#);
}

#[tokio::test]
async fn clients_need_not_know_what_tasks_write() {
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, first()).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    // `a` ends in two calls of an own function, the second of which takes its place.
    let tasks = {
        let mut builder = GraphBuilder::new();
        let args = || vec![Value::Uint(4).into(), Value::Uint(5).into()].into();
        builder.task("x", 0, &args(), &Options::default());
        let y = builder.task("y", 0, &args(), &Options::default());
        builder.output(Reference::whole(y));
        builder.to_bytes()
    };
    cluster.say(super::delegations::delegated(a, tasks.clone())).await;
    let y = cluster.assigned("a/y", 2).await;
    // The fragment continues what clients wrote: one task. It is the fourth of the tables.
    assert_eq!(extend(&mut cluster, ID, one_more(extent(1, 1, 1), "b", 0)).await, Ok(extent(1, 2, 2)));
    assert_eq!(
        cluster.ask(Query::Extent { graph: ID }).await,
        r#"{"components":1,"functions":1,"data":0,"tasks":2,"outputs":2}"#
    );
    cluster.say(finished(y, &Value::Uint(9))).await;
    let b = cluster.assigned("b", 3).await;
    cluster.say(super::delegations::delegated(b, tasks)).await;
    let b = cluster.assigned("b/y", 5).await;
    assert_eq!(extend(&mut cluster, ID, one_more(extent(1, 2, 2), "c", 1)).await, Ok(extent(1, 3, 3)));
    let (refusal, told) = extend(&mut cluster, ID, one_more(extent(1, 2, 2), "d", 1)).await.expect_err("another was there first");
    assert_eq!((refusal.code, told), (ErrorCode::BaseMoved, Some(extent(1, 3, 3))));
    // What fails of what `b` led to has failed of `b`, for those who count it as task 1.
    cluster.say(failed(b, ErrorCode::Trap)).await;
    let (_, summary) = cluster.finish().await;
    assert_eq!((summary.failed, summary.dependents_failed), (1, 1), "`c` needs `b`");
    assert_eq!(cluster.failures.iter().map(|failure| (failure.task.0, &*failure.key)).collect::<Vec<_>>(), [(1, "b/y")]);
    // A call that is stopped by its number is the one that took its place.
    assert_eq!(extend(&mut cluster, ID, one_more(extent(1, 3, 3), "e", 0)).await, Ok(extent(1, 4, 4)));
    let e = cluster.assigned("e", 7).await;
    cluster.say(super::delegations::delegated(e, super::delegations::one(Value::Uint(1).into(), Value::Uint(1).into()))).await;
    let x = cluster.assigned("e/x", 8).await;
    cluster.tell(FromClient::CancelTasks { graph: ID, tasks: vec![TaskIndex(3), TaskIndex(4)] }).await;
    loop {
        let heard = cluster.worker_hears().await;
        if heard.iter().any(|message| matches!(message, ToWorker::CancelAttempts(attempts) if attempts == &[x])) {
            break;
        }
    }
    let (_, summary) = cluster.finish().await;
    assert_eq!(summary.failed, 2);
}

#[tokio::test]
async fn what_a_worker_knows_of_a_graph_is_continued() {
    let mut cluster = grown().await;
    let file = fragment(extent(1, 1, 1), |graph| {
        let retried = Options { retries: Some(2), ..Options::default() };
        let add = graph.function(0, "add", &[Value::Uint(40).into()], None, None, &retried);
        let task = graph.task("b", add, &vec![reference(TaskIndex(0))].into(), &Options::default());
        graph.output(Reference::whole(task));
    });
    assert_eq!(extend(&mut cluster, ID, file).await, Ok(extent(2, 2, 2)));
    let heard = cluster.worker_hears().await;
    let [ToWorker::ExtendGraph { graph: ID, functions, data, settings }, ToWorker::AssignTasks { tasks, .. }] = &heard[..] else {
        panic!("{heard:?}");
    };
    assert_eq!((functions.len(), data.len(), settings.len()), (1, 0, 1));
    assert_eq!((functions[0].component, settings[0].retries), (calc_digest(), 2));
    assert_eq!((tasks[0].task, tasks[0].function, tasks[0].settings), (TaskIndex(1), 1, 1));
    // One who comes later is told all at once.
    cluster.lose_worker();
    let mut heard = cluster.add_worker().await;
    loop {
        let all = heard.iter().find_map(|message| match message {
            ToWorker::DefineGraph { functions, settings, .. } => Some((functions.len(), settings.len())),
            _ => None,
        });
        match all {
            Some(all) => break assert_eq!(all, (2, 2)),
            None => heard = cluster.worker_hears().await,
        }
    }
}

#[tokio::test]
async fn bad_fragments_are_refused_and_leave_the_graph_as_it_was() {
    let mut cluster = grown().await;
    let base = extent(1, 1, 1);
    let with = |args: Vec<wasm_tasks_protocol::graph::Argument>| {
        fragment(base, |graph| _ = graph.task("b", 0, &args.into(), &Options::default()))
    };
    let cases = [
        (one_more(base, "a", 0), ErrorCode::DuplicateKey, "tasks[0] `a`"),
        (with(vec![reference(TaskIndex(0)), Value::Str("x".into()).into()]), ErrorCode::TypeMismatch, "argument 2"),
        (with(vec![reference(TaskIndex(0))]), ErrorCode::WrongArity, "tasks[0] `b`"),
        (with(vec![reference(TaskIndex(7)), Value::Uint(1).into()]), ErrorCode::UnknownTask, "tasks[0] `b`"),
        (first(), ErrorCode::MissingField, "append-to"),
        (vec![0x81], ErrorCode::BadMsgpack, "graph"),
    ];
    for (file, code, place) in cases {
        let (refusal, extent) = extend(&mut cluster, ID, file).await.expect_err("it is wrong");
        assert_eq!((refusal.code, extent), (code, None), "{refusal:?}");
        assert!(refusal.messages[0].contains(place), "{refusal:?}");
    }
    // An edge of the wrong type says which task of the graph it is about.
    let typed = fragment(base, |graph| {
        let text = graph.function(0, "sum", &[], None, None, &Options::default());
        graph.task("b", text, &vec![reference(TaskIndex(0))].into(), &Options::default());
    });
    let (refusal, _) = extend(&mut cluster, ID, typed).await.expect_err("no bytes");
    assert!(refusal.messages[0].contains("the result of task `a`"), "{refusal:?}");
    let elsewhere = GraphId([9; 16]);
    assert_eq!(extend(&mut cluster, elsewhere, one_more(base, "b", 0)).await.expect_err("unknown").0.code, ErrorCode::NotFound);
    assert_eq!(extend(&mut cluster, ID, one_more(base, "b", 0)).await, Ok(extent(1, 2, 2)), "all were refused whole");
}

#[tokio::test]
async fn who_comes_second_is_told_where_the_graph_ends() {
    let mut cluster = grown().await;
    let base = extent(1, 1, 1);
    assert_eq!(extend(&mut cluster, ID, one_more(base, "b", 0)).await, Ok(extent(1, 2, 2)));
    let (refusal, now) = extend(&mut cluster, ID, one_more(base, "c", 0)).await.expect_err("another was faster");
    assert_eq!((refusal.code, now), (ErrorCode::BaseMoved, Some(extent(1, 2, 2))));
    assert!(refusal.messages[0].contains("2 tasks, not 1"), "{refusal:?}");
    assert_eq!(extend(&mut cluster, ID, one_more(extent(1, 2, 2), "c", 0)).await, Ok(extent(1, 3, 3)));
}

#[tokio::test]
async fn a_cancelled_graph_takes_nothing_more() {
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, first()).await, Ok(()));
    cluster.assigned("a", 0).await;
    cluster.tell(FromClient::Cancel(ID)).await;
    assert!(cluster.finish().await.1.is_cancelled);
    let refused = extend(&mut cluster, ID, one_more(extent(1, 1, 1), "b", 0)).await.expect_err("it is over");
    assert_eq!(refused.0.code, ErrorCode::Cancelled);
}

#[tokio::test]
async fn what_needs_a_failed_task_of_the_graph_fails_at_once() {
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, first()).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    cluster.say(failed(a, ErrorCode::Trap)).await;
    cluster.finish().await;
    assert_eq!(extend(&mut cluster, ID, one_more(extent(1, 1, 1), "b", 0)).await, Ok(extent(1, 2, 2)));
    let (outputs, summary) = cluster.finish().await;
    assert_eq!(outputs, [(1, OutputResult::Failed)]);
    assert_eq!((summary.failed, summary.dependents_failed), (1, 1));
}

#[tokio::test]
async fn outputs_are_let_go_one_by_one() {
    let mut cluster = grown().await;
    let fetch = Request::FetchOutput { graph: ID, output: 0 };
    assert_eq!(cluster.client_asks(fetch.clone()).await.0, ReplyHead::Ok { total: 1 });
    cluster.tell(FromClient::ReleaseOutputs { graph: ID, outputs: vec![0, 0, 17] }).await;
    // An answer comes after what was said before it.
    let told: serde_json::Value =
        serde_json::from_str(&cluster.ask(Query::Explain { graph: ID, key: Some("a".into()) }).await).expect("JSON");
    assert_eq!(told["state"], "idle", "{told}");
    assert_eq!(cluster.client_asks(fetch).await.0, ReplyHead::NotFound);
    assert_eq!(extend(&mut cluster, ID, one_more(extent(1, 1, 1), "b", 0)).await, Ok(extent(1, 2, 2)));
    let again = cluster.assigned("a", 0).await;
    cluster.say(finished(again, &Value::Uint(3))).await;
    let b = cluster.assigned("b", 1).await;
    cluster.say(finished(b, &Value::Uint(6))).await;
    assert_eq!(cluster.finish().await.0, [(1, OutputResult::Inline(Bytes::from_static(&[6])))], "nobody waits for the first");
}
