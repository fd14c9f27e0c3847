//! The scheduler's shell over memory links, with a client and a worker that follow a script.

#[path = "shell/delegations.rs"]
mod delegations;
#[path = "shell/fragments.rs"]
mod fragments;
#[path = "shell/outputs.rs"]
mod outputs;
mod script;

use bytes::Bytes;
use script::{Cluster, calc, calc_digest, graph_of, reference};
use wasm_tasks_protocol::Value;
use wasm_tasks_protocol::error::{ErrorCode, TaskError};
use wasm_tasks_protocol::graph::{Argument, Arguments, DataEncoding, GraphBuilder, Options, PathStep, Reference, Source};
use wasm_tasks_protocol::ids::{Attempt, ComponentDigest, ContentDigest, GraphId, TaskIndex};
use wasm_tasks_protocol::message::{
    AttemptFailed, AttemptFinished, FromClient, FromWorker, OutputResult, Query, ReplyHead, Request, ToClient, ToWorker,
};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_scheduler::SchedulerSettings;

const ID: GraphId = GraphId([7; 16]);

fn finished(attempt: Attempt, value: &Value) -> FromWorker {
    let bytes = value.to_msgpack();
    FromWorker::AttemptsFinished(vec![AttemptFinished {
        attempt,
        size: bytes.len() as u64,
        digest: ContentDigest::of(&bytes),
        run: Duration(50),
        memory_peak_bytes: 65_536,
        fuel_used: None,
        has_logs: false,
        inline: Some(bytes.into()),
    }])
}

fn failed(attempt: Attempt, code: ErrorCode) -> FromWorker {
    FromWorker::AttemptFailed(AttemptFailed {
        attempt,
        run: Duration(5),
        has_logs: false,
        error: TaskError::new(code, "as the script says"),
    })
}

#[tokio::test]
async fn a_graph_runs_and_its_outputs_come() {
    let mut cluster = Cluster::with_worker().await;
    let file = graph_of(|graph, add| {
        let a = graph.task("a", add, &vec![Value::Uint(1).into(), Value::Uint(2).into()].into(), &Options::default());
        let b = graph.task("b", add, &vec![reference(a), Value::Uint(3).into()].into(), &Options::default());
        graph.output(Reference::whole(b));
    });
    assert_eq!(cluster.submit(ID, file).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    cluster.say(finished(a, &Value::Uint(3))).await;
    let b = cluster.assigned("b", 1).await;
    cluster.say(finished(b, &Value::Uint(6))).await;
    let (outputs, summary) = cluster.finish().await;
    assert_eq!(outputs, [(0, OutputResult::Inline(Bytes::from_static(&[6])))]);
    assert_eq!((summary.tasks, summary.finished, summary.failed), (2, 2, 0));
    assert_eq!(cluster.ask(Query::Outputs { graph: ID }).await, "[\"b\"]");
}

#[tokio::test]
async fn failures_name_the_task_and_spare_the_rest() {
    let mut cluster = Cluster::with_worker().await;
    let file = graph_of(|graph, add| {
        let a = graph.task("a", add, &vec![Value::Uint(1).into(), Value::Uint(2).into()].into(), &Options::default());
        let b = graph.task("b", add, &vec![reference(a), Value::Uint(3).into()].into(), &Options::default());
        let c = graph.task("c", add, &vec![Value::Uint(4).into(), Value::Uint(4).into()].into(), &Options::default());
        graph.output(Reference::whole(b));
        graph.output(Reference::whole(c));
    });
    assert_eq!(cluster.submit(ID, file).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    cluster.say(failed(a, ErrorCode::Trap)).await;
    let c = cluster.assigned("c", 2).await;
    cluster.say(finished(c, &Value::Uint(8))).await;
    let (mut outputs, summary) = cluster.finish().await;
    outputs.sort_by_key(|(position, _)| *position);
    assert_eq!(outputs, [(0, OutputResult::Failed), (1, OutputResult::Inline(Bytes::from_static(&[8])))]);
    assert_eq!((summary.failed, summary.dependents_failed, summary.finished), (1, 1, 1));
    let failure = &cluster.failures[0];
    assert_eq!((failure.key.as_str(), failure.function.as_str(), failure.dependents), ("a", "calc add", 1));
    assert_eq!(failure.error.message, "as the script says");
    let explained = cluster.ask(Query::Explain { graph: ID, key: Some("b".into()) }).await;
    assert!(explained.contains("it failed because `a` failed"), "{explained}");
}

#[tokio::test]
async fn a_worker_that_is_drained_hands_over_what_only_it_has() {
    let mut cluster = Cluster::with_worker().await;
    let file = graph_of(|graph, add| {
        let a = graph.task("a", add, &vec![Value::Uint(1).into(), Value::Uint(2).into()].into(), &Options::default());
        graph.output(Reference::whole(a));
    });
    assert_eq!(cluster.submit(ID, file).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    let FromWorker::AttemptsFinished(mut reports) = finished(a, &Value::Uint(3)) else { unreachable!("made as such") };
    (reports[0].size, reports[0].inline) = (1_000_000, None);
    cluster.say(FromWorker::AttemptsFinished(reports)).await;
    let (outputs, _) = cluster.finish().await;
    assert_eq!(outputs, [(0, OutputResult::Stored { size: 1_000_000 })]);
    let drain =
        |number, name: &str| FromClient::DrainWorkers { number, workers: vec![name.to_owned()], within: None, gives_up: false };
    cluster.tell(drain(1, "nobody")).await;
    let ToClient::Answer { number: 1, answer: Err(refusal) } = cluster.hear().await else { panic!("it is refused") };
    assert_eq!(refusal.code, ErrorCode::NotFound);
    assert!(refusal.messages[1].contains("`scripted`"), "{refusal:?}");

    cluster.tell(drain(2, "scripted")).await;
    assert_eq!(cluster.worker_hears().await, [ToWorker::Drain]);
    let (mut leaver, heard) = cluster.swap_worker().await;
    let [.., define, fetch] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(matches!(define, ToWorker::DefineGraph { graph: ID, .. }), "{heard:?}");
    assert!(matches!(fetch, ToWorker::FetchReplicas { graph: ID, results } if results.len() == 1), "{heard:?}");
    let workers = cluster.ask(Query::Workers).await;
    assert!(workers.contains(r#""unmoved":1"#), "{workers}");
    cluster.say(FromWorker::ReplicasAdded { graph: ID, tasks: vec![TaskIndex(0)] }).await;
    let peer = leaver.receiver.recv().await.expect("the link is open");
    assert!(matches!(&peer[0], ToWorker::AddPeer(_)), "{peer:?}");
    assert_eq!(leaver.receiver.recv().await.expect("the link is open"), [ToWorker::Shutdown]);
    drop(leaver);
    let ToClient::Answer { number: 2, answer: Ok(gone) } = cluster.hear().await else { panic!("it is answered") };
    assert!(gone.contains(r#""left":0"#) && gone.contains(r#""moved":1,"moved_bytes":1000000"#), "{gone}");
}

#[tokio::test]
async fn bad_graphs_are_refused_before_anything_runs() {
    let mut cluster = Cluster::with_worker().await;
    let component = |source: Option<Source>, bytes: Option<&[u8]>, digest| {
        let mut graph = GraphBuilder::new();
        let component = graph.component(digest, Some("calc"), bytes, source.as_ref());
        let add = graph.function(component, "add", &[], None, None, &Options::default());
        let a = graph.task("a", add, &vec![Value::Uint(1).into(), Value::Uint(2).into()].into(), &Options::default());
        graph.output(Reference::whole(a));
        graph.to_bytes()
    };
    let args = |export: &str, args: Arguments| {
        let export = export.to_owned();
        graph_of(move |graph, _| {
            let function = graph.function(0, &export, &[], None, None, &Options::default());
            let a = graph.task("a", function, &args, &Options::default());
            graph.output(Reference::whole(a));
        })
    };
    let other = ComponentDigest::of(b"something else");
    let text = || Argument::from(Value::Str("x".into()));
    let one = || Argument::from(Value::Uint(1));
    let cases: Vec<(ErrorCode, &str, Vec<u8>)> = vec![
        (ErrorCode::BadMsgpack, "", vec![0x81]),
        (ErrorCode::PathInGraph, "components[0] `calc`", component(Some(Source::Path("calc.wasm".into())), None, calc_digest())),
        (
            ErrorCode::SourceNotAllowed,
            "example.org",
            component(Some(Source::Url("https://example.org/calc.wasm".into())), None, calc_digest()),
        ),
        (ErrorCode::NotUploaded, "was not uploaded", component(None, None, other)),
        (ErrorCode::DigestMismatch, "components[0]", component(None, Some(&calc()), other)),
        (ErrorCode::NotAComponent, "components[0]", component(None, Some(b"hello"), ComponentDigest::of(b"hello"))),
        (ErrorCode::UnknownExport, "add", args("ad", vec![one(), one()].into())),
        (ErrorCode::WrongArity, "`a`", args("add", vec![one()].into())),
        (ErrorCode::TypeMismatch, "`a`", args("add", vec![one(), text()].into())),
    ];
    for (code, part, file) in cases {
        let refusal = cluster.submit(ID, file).await.expect_err(code.as_str());
        assert_eq!(refusal.code, code, "{refusal:?}");
        assert!(refusal.messages.concat().contains(part), "{code}: {refusal:?}");
    }
    // Nothing of all that is left behind.
    assert!(cluster.ask(Query::Status).await.contains("\"graphs\":[]"));
}

#[tokio::test]
async fn data_is_served_to_workers_and_checked_before() {
    let mut cluster = Cluster::with_worker().await;
    let data = |digest: Option<ContentDigest>| {
        graph_of(move |graph, _| {
            let sum = graph.function(0, "sum", &[], None, None, &Options::default());
            let entry = graph.data_bytes(&[9; 10_000], digest, DataEncoding::Raw, None);
            let a = graph.task("a", sum, &vec![Argument::Data(entry)].into(), &Options::default());
            graph.output(Reference::whole(a));
        })
    };
    let refusal = cluster.submit(ID, data(Some(ContentDigest::of(b"other")))).await.expect_err("a wrong digest");
    assert_eq!(refusal.code, ErrorCode::DigestMismatch);
    assert_eq!(cluster.submit(ID, data(Some(ContentDigest::of(&[9; 10_000])))).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    cluster.tell(FromClient::Broadcast { graph: ID, data: vec![7] }).await;
    cluster.tell(FromClient::Broadcast { graph: ID, data: vec![0, 1] }).await;
    assert_eq!(cluster.worker_hears().await, [ToWorker::LoadData { graph: ID, data: vec![0] }], "what is there");
    let (head, body) = cluster.worker_asks(Request::FetchData { graph: ID, position: 0 }).await;
    assert_eq!((head, body.len()), (ReplyHead::Ok { total: 10_000 }, 10_000));
    assert_eq!(cluster.worker_asks(Request::FetchData { graph: ID, position: 1 }).await.0, ReplyHead::NotFound);
    let (head, body) = cluster.worker_asks(Request::FetchComponent { digest: calc_digest() }).await;
    assert_eq!((head, body), (ReplyHead::Ok { total: calc().len() as u64 }, calc()));
    cluster.say(finished(a, &Value::Uint(90_000))).await;
    cluster.finish().await;
}

#[tokio::test]
async fn outputs_with_paths_are_parts() {
    let mut cluster = Cluster::with_worker().await;
    let file = graph_of(|graph, _| {
        let pair = graph.function(0, "pair", &[], None, None, &Options::default());
        let a = graph.task("a", pair, &vec![Value::Uint(1).into(), Value::Uint(2).into()].into(), &Options::default());
        graph.output(Reference { task: a, path: vec![PathStep::Index(1)] });
    });
    assert_eq!(cluster.submit(ID, file).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    cluster.say(finished(a, &Value::Array(vec![Value::Uint(2), Value::Uint(1)]))).await;
    let (outputs, _) = cluster.finish().await;
    assert_eq!(outputs, [(0, OutputResult::Inline(Bytes::from_static(&[1])))]);
    let (head, body) = cluster.client_asks(Request::FetchOutput { graph: ID, output: 0 }).await;
    assert_eq!((head, &body[..]), (ReplyHead::Ok { total: 1 }, &[1][..]));
    assert_eq!(cluster.ask(Query::Outputs { graph: ID }).await, "[\"a[1]\"]");
}

#[tokio::test]
async fn a_cancelled_graph_ends_and_a_released_one_is_gone() {
    let mut cluster = Cluster::with_worker().await;
    let file = graph_of(|graph, add| {
        let a = graph.task("a", add, &vec![Value::Uint(1).into(), Value::Uint(2).into()].into(), &Options::default());
        graph.output(Reference::whole(a));
    });
    assert_eq!(cluster.submit(ID, file.clone()).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    let again = cluster.submit(ID, file).await.expect_err("the id is taken");
    assert_eq!(again.code, ErrorCode::BadArguments);
    cluster.tell(FromClient::Cancel(ID)).await;
    let (outputs, summary) = cluster.finish().await;
    assert_eq!(outputs, [(0, OutputResult::Failed)]);
    assert!(summary.is_cancelled);
    // Too late, and not believed.
    cluster.say(finished(a, &Value::Uint(3))).await;
    cluster.tell(FromClient::Release(ID)).await;
    cluster.tell(FromClient::Attach(ID)).await;
    assert_eq!(cluster.hear().await, ToClient::UnknownGraph(ID));
}

/// `a` and `b` are outputs; `b` needs `a`.
fn chain_of_two() -> Vec<u8> {
    graph_of(|graph, add| {
        let a = graph.task("a", add, &vec![Value::Uint(1).into(), Value::Uint(2).into()].into(), &Options::default());
        let b = graph.task("b", add, &vec![script::reference(a), Value::Uint(1).into()].into(), &Options::default());
        graph.output(Reference::whole(a));
        graph.output(Reference::whole(b));
    })
}

#[tokio::test]
async fn tasks_are_cancelled_by_key_all_or_none() {
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, chain_of_two()).await, Ok(()));
    let a = cluster.assigned("a", 0).await;
    cluster.say(finished(a, &Value::Uint(3))).await;
    cluster.assigned("b", 1).await;
    let cancel = |keys: &[&str]| {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Request::CancelTasks { graph: ID, keys }
    };
    let (head, _) = cluster.client_asks(cancel(&["b", "c"])).await;
    assert!(matches!(head, ReplyHead::Refused(refusal) if refusal.messages == ["the graph has no task `c`"]));
    assert_eq!(cluster.client_asks(cancel(&["b", "a"])).await.0, ReplyHead::Ok { total: 0 });
    let (outputs, summary) = cluster.finish().await;
    assert_eq!(outputs, [(0, OutputResult::Inline(Bytes::from_static(&[3]))), (1, OutputResult::Failed)]);
    assert_eq!((summary.finished, summary.failed, summary.is_cancelled), (1, 1, false));
    let failure = &cluster.failures[0];
    assert_eq!((failure.key.as_str(), failure.error.code, &failure.worker), ("b", ErrorCode::Cancelled, &None));
}

#[tokio::test]
async fn what_is_published_outlives_its_client_and_its_release() {
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, chain_of_two()).await, Ok(()));
    let publish = |name: &str| Request::Publish { graph: ID, name: name.to_owned() };
    assert_eq!(cluster.client_asks(publish("x")).await.0, ReplyHead::Ok { total: 0 });
    for (task, value) in [(0, 3), (1, 4)] {
        let attempt = cluster.assigned("", task).await;
        cluster.say(finished(attempt, &Value::Uint(value))).await;
    }
    cluster.finish().await;
    cluster.tell(FromClient::Release(ID)).await;
    cluster.change_client().await;
    assert!(cluster.ask(Query::Published { name: Some("x".into()) }).await.contains(&ID.to_string()));
    let output = Request::FetchOutput { graph: ID, output: 1 };
    assert_eq!(cluster.client_asks(output.clone()).await.1, [4][..]);
    // Its file can be had too, and its results by task.
    assert_eq!(cluster.client_asks(Request::FetchGraph { graph: ID }).await.1, chain_of_two());
    let result = Request::FetchResult { graph: ID, task: TaskIndex(0), offset: 0, len: 9 };
    assert_eq!(cluster.client_asks(result).await, (ReplyHead::Ok { total: 1 }, Bytes::from_static(&[3])));
    // Without its name it is one that nobody follows: the next release is the last.
    assert_eq!(cluster.client_asks(Request::Unpublish { name: "x".into() }).await.0, ReplyHead::Ok { total: 0 });
    cluster.tell(FromClient::Release(ID)).await;
    assert_eq!(cluster.ask(Query::Published { name: None }).await, "[]");
    assert_eq!(cluster.client_asks(output).await.0, ReplyHead::NotFound);
}

#[tokio::test]
async fn a_lost_worker_is_replaced_by_the_next() {
    let mut cluster = Cluster::with_worker().await;
    let file = graph_of(|graph, add| {
        let a = graph.task("a", add, &vec![Value::Uint(1).into(), Value::Uint(2).into()].into(), &Options::default());
        graph.output(Reference::whole(a));
    });
    assert_eq!(cluster.submit(ID, file).await, Ok(()));
    cluster.assigned("a", 0).await;
    cluster.lose_worker();
    cluster.add_worker().await;
    let a = cluster.assigned("a", 0).await;
    cluster.say(finished(a, &Value::Uint(3))).await;
    let (outputs, summary) = cluster.finish().await;
    assert_eq!(outputs, [(0, OutputResult::Inline(Bytes::from_static(&[3])))]);
    assert_eq!(summary.attempts, 2);
}

#[tokio::test]
async fn workers_that_break_the_protocol_are_cut_off() {
    let mut cluster = Cluster::with_worker().await;
    // An invented attempt is ignored.
    cluster.say(finished(Attempt(12_345), &Value::Nil)).await;
    cluster.say(FromWorker::ReplicasAdded { graph: ID, tasks: vec![TaskIndex(9)] }).await;
    cluster.say(FromWorker::Retracted { asked: vec![Attempt(1)], returned: vec![Attempt(1)] }).await;
    assert!(cluster.ask(Query::Workers).await.contains("\"name\":\"scripted\""));
    // Requests of other roles are refused.
    let (head, _) = cluster.worker_asks(Request::SubmitGraph { graph: ID }).await;
    assert!(matches!(head, ReplyHead::Refused(refusal) if refusal.code == ErrorCode::ProtocolViolation));
    let (head, _) = cluster.client_asks(Request::FetchData { graph: ID, position: 0 }).await;
    assert!(matches!(head, ReplyHead::Refused(_)));
    // Joining twice is not.
    cluster.say_joined().await;
    assert_eq!(cluster.worker_closed().await, "it joined twice");
}

#[tokio::test]
async fn assignments_with_large_arguments_travel_in_messages_of_their_own() {
    const BYTES: usize = 700 << 10;
    let mut cluster = Cluster::with_slots(16).await;
    let mut graph = GraphBuilder::new();
    let component = graph.component(calc_digest(), Some("calc"), Some(&calc()), None);
    let sum = graph.function(component, "sum", &[], None, None, &Options::default());
    for at in 0..16u8 {
        let args: Arguments = vec![Value::Bin(vec![at; BYTES]).into()].into();
        let task = graph.task(&format!("task-{at}"), sum, &args, &Options::default());
        graph.output(Reference::whole(task));
    }
    assert_eq!(cluster.submit(ID, graph.to_bytes()).await, Ok(()));
    let mut sizes = Vec::new();
    while sizes.iter().map(|(count, _)| count).sum::<usize>() < 16 {
        for message in cluster.worker_hears().await {
            if let ToWorker::AssignTasks { tasks, .. } = message {
                sizes.push((tasks.len(), tasks.iter().map(|task| task.args.len()).sum::<usize>()));
            }
        }
    }
    assert!(sizes.iter().all(|(_, bytes)| *bytes < 2 << 20), "what does not fit one message is not put into one: {sizes:?}");
}

#[tokio::test]
async fn a_worker_that_asks_and_never_reads_is_cut_off() {
    let mut cluster = Cluster::with_worker().await;
    let file = graph_of(|graph, add| {
        let first = graph.task("first", add, &vec![Value::Uint(1).into(), Value::Uint(2).into()].into(), &Options::default());
        let second = graph.task("second", add, &vec![reference(first), Value::Uint(3).into()].into(), &Options::default());
        graph.output(Reference::whole(second));
    });
    assert_eq!(cluster.submit(ID, file).await, Ok(()));
    let attempt = cluster.assigned("first", 0).await;
    cluster.say(finished(attempt, &Value::Uint(3))).await;
    let attempt = cluster.assigned("second", 1).await;
    let asks = || FromWorker::InputMissing { attempt, task: TaskIndex(0), tried: vec![] };
    let peer = cluster.worker_peer();
    let flood = async {
        // Each is answered with the result, which nobody reads.
        while cluster.try_say((0..10_000).map(|_| asks()).collect()).await {}
    };
    let reason = tokio::select! {
        () = flood => peer.closed().await,
        reason = peer.closed() => reason,
    };
    assert_eq!(reason, "it does not read what it is sent");
}

#[tokio::test]
async fn a_worker_that_goes_silent_is_cut_off_and_its_tasks_run_elsewhere() {
    let settings = SchedulerSettings { heartbeat: Duration::from_millis(100), ..SchedulerSettings::default() };
    let mut cluster = Cluster::with(settings, 1).await;
    let file = graph_of(|graph, add| {
        let a = graph.task("a", add, &vec![Value::Uint(1).into(), Value::Uint(2).into()].into(), &Options::default());
        graph.output(Reference::whole(a));
    });
    assert_eq!(cluster.submit(ID, file).await, Ok(()));
    cluster.assigned("a", 0).await;
    assert_eq!(cluster.worker_closed().await, "it said nothing for too long");
    cluster.lose_worker();
    cluster.add_worker().await;
    let a = cluster.assigned("a", 0).await;
    cluster.say(finished(a, &Value::Uint(3))).await;
    assert_eq!(cluster.finish().await.1.attempts, 2);
}

fn chain_of_100_000() -> Vec<u8> {
    graph_of(|graph, add| {
        let mut last: Argument = Value::Uint(1).into();
        for position in 0..100_000 {
            let task = graph.task(&position.to_string(), add, &vec![last, Value::Uint(1).into()].into(), &Options::default());
            last = reference(task);
            if position == 99_999 {
                graph.output(Reference::whole(task));
            }
        }
    })
}

#[tokio::test]
async fn a_graph_whose_client_goes_while_it_is_checked_does_not_run() {
    let mut cluster = Cluster::with_worker().await;
    let (peer, file) = (cluster.client_peer(), bytes::Bytes::from(chain_of_100_000()));
    let body = file.clone();
    let submitting = tokio::spawn(async move { peer.request(Request::SubmitGraph { graph: ID }, body).await });
    cluster.ask(Query::Status).await;
    submitting.abort();
    assert!(submitting.await.is_err_and(|error| error.is_cancelled()), "it is being checked");
    cluster.change_client().await;
    // Begun after the first, this check ends after it too.
    assert_eq!(cluster.submit(ID, file.to_vec()).await, Ok(()), "nobody has a graph of this id");
}

#[tokio::test]
async fn a_chain_of_100_000_tasks_is_checked_accepted_and_cancelled() {
    let mut cluster = Cluster::with_worker().await;
    assert_eq!(cluster.submit(ID, chain_of_100_000()).await, Ok(()));
    cluster.assigned("0", 0).await;
    cluster.tell(FromClient::Cancel(ID)).await;
    let (outputs, summary) = cluster.finish().await;
    assert_eq!((outputs.as_slice(), summary.is_cancelled), ([(0, OutputResult::Failed)].as_slice(), true));
}

#[tokio::test]
async fn questions_about_what_is_not_there_say_so() {
    let mut cluster = Cluster::with_worker().await;
    for query in [Query::Explain { graph: ID, key: None }, Query::Logs { graph: ID, key: None }, Query::Outputs { graph: ID }] {
        let refusal = cluster.try_ask(query).await.expect_err("no such graph");
        assert_eq!(refusal.code, ErrorCode::NotFound);
    }
}
