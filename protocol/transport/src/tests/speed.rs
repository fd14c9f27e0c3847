//! How fast a link is here; nothing is asserted about time. `cargo test -p wasm-tasks-transport speed -- --nocapture`

use super::cluster::quic_pair;
use bytes::Bytes;
use std::time::{Duration, Instant};
use wasm_tasks_protocol::message::{FromWorker, ReplyHead, Request, ToWorker};
use wasm_tasks_protocol::{Attempt, GraphId, TaskIndex};

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_micros();
    eprintln!("{what}: p50 {} µs, p90 {} µs, p99 {} µs", at(0.5), at(0.9), at(0.99));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ping_pong_and_bulk() {
    let mut pair = quic_pair::<ToWorker, FromWorker>().await;
    let count = 2_000;
    let echo = tokio::spawn(async move {
        for _ in 0..count {
            let order = pair.worker.receiver.recv().await.expect("pinged").remove(0);
            let ToWorker::CancelAttempts(attempts) = order else { panic!("{order:?}") };
            pair.worker.sender.send(vec![FromWorker::AttemptsStarted(attempts)]).await.expect("sends");
        }
        pair.worker
    });
    let mut times = Vec::new();
    for attempt in 0..count {
        let start = Instant::now();
        pair.scheduler.sender.send(vec![ToWorker::CancelAttempts(vec![Attempt(attempt); 8])]).await.expect("sends");
        assert_eq!(pair.scheduler.receiver.recv().await.expect("ponged").len(), 1);
        times.push(start.elapsed());
    }
    report("control message and answer", times);

    let mut worker = echo.await.expect("echoes");
    let body = Bytes::from(vec![7u8; 64 << 20]);
    let serving = tokio::spawn(async move {
        while let Some(asked) = worker.incoming.next().await {
            let Request::FetchResult { len, .. } = asked.request else { panic!("a fetch") };
            asked.reply.send(ReplyHead::Ok { total: len }, body.slice(..len as usize)).await.expect("replies");
        }
    });
    let fetch = |len| Request::FetchResult { graph: GraphId([0; 16]), task: TaskIndex(0), offset: 0, len };
    let mut times = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        pair.scheduler.peer.request(fetch(64), Bytes::new()).await.expect("answered");
        times.push(start.elapsed());
    }
    report("request and answer of 64 B", times);
    for len in [1u64 << 20, 16 << 20, 64 << 20] {
        let rounds = (64u64 << 20) / len;
        let start = Instant::now();
        for _ in 0..rounds {
            let (_, body) = pair.scheduler.peer.request(fetch(len), Bytes::new()).await.expect("answered");
            assert_eq!(body.len() as u64, len);
        }
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("bodies of {} MiB: {:.0} MiB/s", len >> 20, 64.0 / seconds);
    }
    pair.scheduler.peer.close("done");
    serving.await.expect("ends");
}
