//! How attempts end: results, errors, panics, cancels, retracts, and the worker's own end.

use crate::scheduler::{GRAPH, Scheduler, args, input, references, settings, task};
use bytes::Bytes;
use std::sync::atomic::Ordering;
use wasm_tasks_protocol::message::{FromWorker, InputSource, ReplyHead, Request, ToWorker};
use wasm_tasks_protocol::{Attempt, ContentDigest, ErrorCode, TaskIndex};

#[tokio::test]
async fn small_results_come_inline_and_are_kept() {
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    scheduler.assign(vec![task(0, "sum", args(&[1, 2, 4]), vec![])]).await;
    let report = scheduler.hear_finished().await;
    assert_eq!((report.attempt, report.size, report.inline.as_deref()), (Attempt(1_000), 1, Some(&[7][..])));
    assert_eq!(report.digest, ContentDigest::of(&[7]));
    assert_eq!(scheduler.fetch(0, 10).await, Some(vec![7]));
    scheduler.say(ToWorker::ReleaseResults { graph: GRAPH, tasks: vec![TaskIndex(0)] }).await;
    // Orders and requests come on different ways, so the release is known to be done only after another task.
    scheduler.assign(vec![task(1, "sum", args(&[1]), vec![])]).await;
    scheduler.hear_finished().await;
    assert_eq!(scheduler.fetch(0, 10).await, None);
}

#[tokio::test]
async fn large_results_stay_and_are_fetched_in_pieces() {
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    scheduler.assign(vec![task(0, "bytes", args(&[100_000]), vec![])]).await;
    let report = scheduler.hear_finished().await;
    assert_eq!((report.inline.clone(), report.size), (None, 100_005));
    let bytes = scheduler.fetch(0, 33_333).await.expect("it is here");
    assert_eq!(ContentDigest::of(&bytes), report.digest);
}

#[tokio::test]
async fn errors_and_panics_end_one_task_alone() {
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    let tasks = vec![task(0, "fail", args(&[]), vec![]), task(1, "panic", args(&[]), vec![]), task(2, "sum", args(&[2]), vec![])];
    scheduler.assign(tasks).await;
    assert_eq!(scheduler.hear_failed().await.error.code, ErrorCode::Trap);
    let failed = scheduler.hear_failed().await;
    assert_eq!(failed.error.code, ErrorCode::WorkerFault);
    assert!(failed.error.message.contains("a bug"), "{}", failed.error.message);
    assert_eq!(scheduler.hear_finished().await.attempt, Attempt(1_002));
}

#[tokio::test]
async fn a_running_task_is_cancelled_at_once_and_says_nothing() {
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    scheduler.assign(vec![task(0, "gate", args(&[]), vec![])]).await;
    while scheduler.watch.running.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    scheduler.say(ToWorker::CancelAttempts(vec![Attempt(1_000)])).await;
    scheduler.assign(vec![task(1, "sum", args(&[3]), vec![])]).await;
    assert_eq!(scheduler.hear_finished().await.attempt, Attempt(1_001));
}

#[tokio::test]
async fn what_does_not_run_is_given_back() {
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    scheduler.assign((0..3).map(|at| task(at, "gate", args(&[]), vec![])).collect()).await;
    while scheduler.watch.running.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let asked = vec![Attempt(1_000), Attempt(1_001), Attempt(1_002), Attempt(7)];
    scheduler.say(ToWorker::RetractAttempts(asked.clone())).await;
    let returned = vec![Attempt(1_001), Attempt(1_002)];
    assert_eq!(scheduler.hear().await, FromWorker::Retracted { asked, returned });
    scheduler.watch.open();
    assert_eq!(scheduler.hear_finished().await.attempt, Attempt(1_000));
}

#[tokio::test]
async fn short_tasks_do_not_stay_behind_one_that_turns_out_long() {
    let mut scheduler = Scheduler::start(settings(2));
    scheduler.open().await;
    // The function is known to be short.
    for at in 0..4 {
        scheduler.assign(vec![task(at, "gate-if-one", args(&[0]), vec![])]).await;
        scheduler.hear_finished().await;
    }
    let number = |at: u32| u64::from(at == 10);
    scheduler.assign((10..200).map(|at| task(at, "gate-if-one", args(&[number(at)]), vec![])).collect()).await;
    for _ in 11..200 {
        assert_ne!(scheduler.hear_finished().await.attempt, Attempt(1_010));
    }
    scheduler.watch.open();
    assert_eq!(scheduler.hear_finished().await.attempt, Attempt(1_010));
}

#[tokio::test]
async fn logs_are_kept_for_those_who_ask() {
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    scheduler.assign(vec![task(0, "print", args(&[]), vec![]), task(1, "sum", args(&[]), vec![])]).await;
    assert!(scheduler.hear_finished().await.has_logs);
    assert!(!scheduler.hear_finished().await.has_logs);
    let logs = |task| scheduler.worker.request(Request::FetchLogs { graph: GRAPH, task: TaskIndex(task) }, Bytes::new());
    let (_, body) = logs(0).await.expect("an answer");
    assert_eq!(body, [&[0x92, 0xc4, 6][..], b"hello\n", &[0xc4, 0]].concat());
    assert_eq!(logs(1).await.expect("an answer").0, ReplyHead::NotFound);
}

#[tokio::test]
async fn a_worker_that_leaves_finishes_what_runs_and_gives_back_the_rest() {
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    let waits = task(2, "sum", references(&[1]), vec![input(1, InputSource::Pending(Attempt(1_001)))]);
    scheduler.assign(vec![task(0, "gate", args(&[]), vec![]), task(1, "gate", args(&[]), vec![]), waits]).await;
    while scheduler.watch.running.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    scheduler.handle.drain(None);
    assert_eq!(scheduler.hear().await, FromWorker::Draining { within: None });
    let back = vec![Attempt(1_001), Attempt(1_002)];
    assert_eq!(scheduler.hear().await, FromWorker::Retracted { asked: back.clone(), returned: back });
    scheduler.watch.open();
    assert_eq!(scheduler.hear_finished().await.attempt, Attempt(1_000));
    // It stays until the scheduler lets it go: others may still need what it has.
    let held = Request::FetchResult { graph: GRAPH, task: TaskIndex(0), offset: 0, len: 100 };
    let (head, _) = scheduler.worker.request(held, Bytes::new()).await.expect("an answer");
    assert!(matches!(head, ReplyHead::Ok { .. }), "{head:?}");
    scheduler.say(ToWorker::Shutdown).await;
    assert_eq!(scheduler.hear().await, FromWorker::Leaving);
    assert!(scheduler.handle.end().await.is_ok());
}

#[tokio::test]
async fn a_worker_without_a_scheduler_ends() {
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    scheduler.assign(vec![task(0, "gate", args(&[]), vec![])]).await;
    while scheduler.watch.running.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    scheduler.worker.close("the test is over");
    assert!(scheduler.handle.end().await.is_err());
    assert_eq!(scheduler.watch.running.load(Ordering::SeqCst), 0, "the running task was stopped");
}

#[test]
fn a_dropped_runtime_leaves_no_threads_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let watch = runtime.block_on(async {
        let mut scheduler = Scheduler::start(settings(1));
        scheduler.open().await;
        scheduler.assign(vec![task(0, "gate", args(&[]), vec![])]).await;
        while scheduler.watch.running.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        scheduler.watch
    });
    drop(runtime);
    // The lane's thread holds the runner, and with it the watch, until it ends.
    while std::sync::Arc::strong_count(&watch) > 1 {
        std::thread::yield_now();
    }
}
