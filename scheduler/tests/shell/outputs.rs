//! Outputs that their holder cannot give: nobody who was promised one goes without.

use super::script::{Cluster, graph_of};
use super::{ID, finished};
use bytes::Bytes;
use wasm_tasks_protocol::Value;
use wasm_tasks_protocol::graph::{Options, Reference};
use wasm_tasks_protocol::ids::{Attempt, ContentDigest, TaskIndex};
use wasm_tasks_protocol::message::{AttemptFinished, FromWorker, ReplyHead, Request, ToWorker};
use wasm_tasks_protocol::time::Duration;

/// Too large to be sent along.
const BYTES: usize = 100_000;

/// A report on a result that stays at the worker.
fn kept(attempt: Attempt) -> FromWorker {
    FromWorker::AttemptsFinished(vec![AttemptFinished {
        attempt,
        size: BYTES as u64,
        digest: ContentDigest::of(b"large"),
        run: Duration(50),
        memory_peak_bytes: 65_536,
        fuel_used: None,
        has_logs: false,
        inline: None,
    }])
}

/// A client fetches the output of a graph of one task whose result stays at the worker, and the worker says that it has none.
async fn ask_in_vain() -> (Cluster, tokio::task::JoinHandle<(ReplyHead, Bytes)>) {
    let mut cluster = Cluster::with_worker().await;
    let file = graph_of(|graph, add| {
        let a = graph.task("a", add, &vec![Value::Uint(1).into(), Value::Uint(2).into()].into(), &Options::default());
        graph.output(Reference::whole(a));
    });
    assert_eq!(cluster.submit(ID, file).await, Ok(()));
    let first = cluster.assigned("a", 0).await;
    cluster.say(kept(first)).await;
    cluster.finish().await;
    let client = cluster.client_peer();
    let asking = tokio::spawn(async move {
        client.request(Request::FetchOutput { graph: ID, output: 0 }, Bytes::new()).await.expect("the scheduler answers")
    });
    let asked = cluster.worker_is_asked().await;
    assert!(matches!(asked.request, Request::FetchResult { task: TaskIndex(0), .. }), "{:?}", asked.request);
    asked.reply.send(ReplyHead::NotFound, Bytes::new()).await.expect("the scheduler waits");
    (cluster, asking)
}

#[tokio::test]
async fn an_output_that_cannot_be_read_is_made_again_while_its_client_waits() {
    let (mut cluster, asking) = ask_in_vain().await;
    let again = cluster.assigned("a", 0).await;
    cluster.say(kept(again)).await;
    let asked = cluster.worker_is_asked().await;
    asked.reply.send(ReplyHead::Ok { total: BYTES as u64 }, vec![7; BYTES].into()).await.expect("the scheduler waits");
    let (head, body) = asking.await.expect("it does not panic");
    assert_eq!((head, body.len()), (ReplyHead::Ok { total: BYTES as u64 }, BYTES));
}

#[tokio::test]
async fn what_is_small_the_second_time_is_handed_over_too() {
    let (mut cluster, asking) = ask_in_vain().await;
    let again = cluster.assigned("a", 0).await;
    cluster.say(finished(again, &Value::Uint(3))).await;
    let (head, body) = asking.await.expect("it does not panic");
    assert_eq!((head, &body[..]), (ReplyHead::Ok { total: 1 }, &[3][..]));
}

#[tokio::test]
async fn the_holder_lets_the_old_copy_go() {
    let (mut cluster, asking) = ask_in_vain().await;
    let heard = cluster.worker_hears().await;
    let has = |want: fn(&ToWorker) -> bool| heard.iter().any(want);
    assert!(has(|message| matches!(message, ToWorker::ReleaseResults { .. })), "{heard:?}");
    drop(asking);
}
