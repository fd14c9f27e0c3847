//! Where inputs, components and data come from.

use crate::scheduler::{GRAPH, Scheduler, Tables, args, component, input, references, settings, task};
use bytes::Bytes;
use std::sync::atomic::Ordering;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::message::{FromWorker, InputSource, PeerAddress, Request, ToWorker};
use wasm_tasks_protocol::{Attempt, ErrorCode, TaskIndex};
use wasm_tasks_transport::{Credentials, Dialer, Listener, Role};
use wasm_tasks_worker::{PeerServer, WorkerSettings};

fn tables(scheduler: &Scheduler) -> std::sync::MutexGuard<'_, Tables> {
    scheduler.tables.lock().expect("not poisoned")
}

/// A bin of that many bytes, encoded.
fn bin(len: usize) -> Bytes {
    let mut out = wasm_tasks_protocol::msgpack::Writer::new();
    out.bin(&vec![9; len]);
    out.into_bytes().into()
}

#[tokio::test]
async fn a_chain_runs_without_a_word_from_the_scheduler() {
    let mut scheduler = Scheduler::start(settings(2));
    scheduler.open().await;
    let link = |at: u32| match at {
        0 => task(0, "sum", args(&[1]), vec![]),
        _ => {
            let previous = Attempt(u64::from(at) + 999);
            task(at, "sum", references(&[at - 1]), vec![input(at - 1, InputSource::Pending(previous))])
        }
    };
    scheduler.assign((0..500).map(link).collect()).await;
    for at in 0..500 {
        let report = scheduler.hear_finished().await;
        assert_eq!((report.attempt, report.inline.as_deref()), (Attempt(1_000 + at), Some(&[1][..])));
    }
}

#[tokio::test]
async fn what_follows_a_failure_is_not_run_and_asks() {
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    // Both functions are known to be short, so that what follows is handed over with what it follows.
    scheduler.assign(vec![task(0, "sum", args(&[1]), vec![]), task(1, "fail-if-one", args(&[0]), vec![])]).await;
    scheduler.hear_finished().await;
    scheduler.hear_finished().await;
    let pending = |task: u32| vec![input(task, InputSource::Pending(Attempt(u64::from(task) + 1_000)))];
    let chain = vec![
        task(2, "sum", args(&[1]), vec![]),
        task(3, "fail-if-one", references(&[2]), pending(2)),
        task(4, "sum", references(&[3]), pending(3)),
        task(5, "sum", references(&[4]), pending(4)),
    ];
    scheduler.assign(chain).await;
    assert_eq!(scheduler.hear_finished().await.attempt, Attempt(1_002));
    assert_eq!(scheduler.hear_failed().await.attempt, Attempt(1_003));
    let missing = FromWorker::InputMissing { attempt: Attempt(1_004), task: TaskIndex(3), tried: vec![] };
    assert_eq!(scheduler.hear().await, missing);
    // It runs once its input is found, and so does what follows it.
    let found = input(3, InputSource::Inline(Bytes::from_static(&[9])));
    scheduler.say(ToWorker::UpdateInput { attempt: Attempt(1_004), input: found }).await;
    for attempt in [1_004, 1_005] {
        let report = scheduler.hear_finished().await;
        assert_eq!((report.attempt, report.inline.as_deref()), (Attempt(attempt), Some(&[9][..])));
    }
}

#[tokio::test]
async fn inline_and_stored_inputs_meet_in_one_task() {
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    scheduler.assign(vec![task(0, "bytes", args(&[70_000]), vec![])]).await;
    scheduler.hear_finished().await;
    let inputs = vec![input(0, InputSource::At(vec![WorkerId(1)])), input(5, InputSource::Inline(Bytes::from_static(&[30])))];
    scheduler.assign(vec![task(6, "sum", references(&[5, 0]), inputs)]).await;
    assert_eq!(scheduler.hear_finished().await.inline.as_deref(), Some(&[0xce, 0, 1, 17, 142][..]));
}

#[tokio::test]
async fn results_come_through_the_scheduler_when_peers_cannot_be_reached() {
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    let large = bin(40 << 20);
    tables(&scheduler).results.insert(0, large.clone());
    let at_others = || vec![input(0, InputSource::At(vec![WorkerId(4), WorkerId(5)]))];
    scheduler.assign(vec![task(1, "len", references(&[0]), at_others()), task(2, "len", references(&[0]), at_others())]).await;
    assert_eq!(scheduler.hear().await, FromWorker::ReplicasAdded { graph: GRAPH, tasks: vec![TaskIndex(0)] });
    assert_eq!(scheduler.hear_finished().await.inline, scheduler.hear_finished().await.inline);
    assert_eq!(scheduler.asked(|request| matches!(request, Request::FetchResult { .. })), 3, "once, in ranges of 16 MiB");
    assert_eq!(scheduler.fetch(0, 64 << 20).await.as_deref(), Some(&large[..]), "the replica is served");
}

#[tokio::test]
async fn a_missing_input_is_asked_for_and_found() {
    let mut scheduler = Scheduler::start(settings(1));
    scheduler.open().await;
    let lost = vec![input(0, InputSource::At(vec![WorkerId(4), WorkerId(1)]))];
    scheduler.assign(vec![task(1, "len", references(&[0]), lost)]).await;
    let FromWorker::InputMissing { attempt, task: missing, mut tried } = scheduler.hear().await else { panic!("it is missing") };
    tried.sort_unstable();
    assert_eq!((attempt, missing, tried), (Attempt(1_001), TaskIndex(0), vec![WorkerId(1), WorkerId(4)]));
    scheduler.say(ToWorker::UpdateInput { attempt, input: input(0, InputSource::Inline(bin(11))) }).await;
    assert_eq!(scheduler.hear_finished().await.inline.as_deref(), Some(&[11][..]));
}

#[tokio::test]
async fn a_component_is_loaded_once_and_its_failure_fails_its_tasks() {
    let mut scheduler = Scheduler::start(settings(2));
    scheduler.open().await;
    scheduler.assign((0..20).map(|at| task(at, "sum", args(&[1]), vec![])).collect()).await;
    for _ in 0..20 {
        scheduler.hear_finished().await;
    }
    assert_eq!(scheduler.watch.loads.load(Ordering::SeqCst), 1);

    let mut scheduler = Scheduler::start(settings(2));
    tables(&scheduler).components.insert(component(), Bytes::from_static(b"something else"));
    scheduler.open().await;
    scheduler.assign((0..3).map(|at| task(at, "sum", args(&[1]), vec![])).collect()).await;
    for _ in 0..3 {
        assert_eq!(scheduler.hear_failed().await.error.code, ErrorCode::NotAComponent);
    }
    assert_eq!(scheduler.watch.runs.load(Ordering::SeqCst), 0);

    let mut scheduler = Scheduler::start(settings(2));
    tables(&scheduler).components.clear();
    scheduler.open().await;
    scheduler.assign(vec![task(0, "sum", args(&[1]), vec![])]).await;
    assert_eq!(scheduler.hear_failed().await.error.code, ErrorCode::NotUploaded);
}

#[tokio::test]
async fn data_is_fetched_once_and_only_when_needed() {
    let mut scheduler = Scheduler::start(settings(2));
    scheduler.open().await;
    tables(&scheduler).data.insert(1, Bytes::from(vec![0; 10_000]));
    let with_data = |at: u32, position: u8| task(at, "sum", Bytes::from(vec![0x91, 0xd4, 2, position]), vec![]);
    scheduler.assign(vec![with_data(0, 0)]).await;
    assert_eq!(scheduler.hear_finished().await.inline.as_deref(), Some(&[5][..]));
    assert_eq!(scheduler.asked(|request| matches!(request, Request::FetchData { .. })), 0);
    scheduler.assign((1..10).map(|at| with_data(at, 1)).collect()).await;
    for _ in 1..10 {
        assert_eq!(scheduler.hear_finished().await.inline.as_deref(), Some(&[0xcd, 0x27, 0x10][..]));
    }
    assert_eq!(scheduler.asked(|request| matches!(request, Request::FetchData { .. })), 1);
}

#[tokio::test]
async fn results_beyond_the_memory_are_spilled_used_served_and_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let spill_dir = Some(folder.path().to_owned());
    let mut scheduler = Scheduler::start(WorkerSettings { memory_bytes: 1 << 20, spill_at: 50, spill_dir, ..settings(1) });
    scheduler.open().await;
    scheduler.assign((0..8).map(|at| task(at, "bytes", args(&[300_000]), vec![])).collect()).await;
    let mut digests = Vec::new();
    for _ in 0..8 {
        digests.push(scheduler.hear_finished().await.digest);
    }
    let files = || {
        let folders = std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        folders.flat_map(|folder| std::fs::read_dir(folder).expect("a folder")).count()
    };
    // 2.4 MB are held and half a MiB may stay: seven are written, one after the other.
    while files() < 7 {
        tokio::task::yield_now().await;
    }
    for at in 0..8 {
        let bytes = scheduler.fetch(at, 70_000).await.expect("it is held");
        assert_eq!(wasm_tasks_protocol::ContentDigest::of(&bytes), digests[at as usize]);
    }
    let inputs = (0..8).map(|at| input(at, InputSource::At(vec![WorkerId(1)]))).collect();
    scheduler.assign(vec![task(9, "sum", references(&[0, 1, 2, 3, 4, 5, 6, 7]), inputs)]).await;
    assert_eq!(scheduler.hear_finished().await.inline.as_deref(), Some(&[0xce, 0, 0x24, 0x9f, 0][..]));
    scheduler.say(ToWorker::ForgetGraph(GRAPH)).await;
    while files() > 0 {
        tokio::task::yield_now().await;
    }
    scheduler.say(ToWorker::Shutdown).await;
    assert_eq!(scheduler.hear().await, FromWorker::Leaving);
    assert!(scheduler.handle.end().await.is_ok());
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is left on disk");
}

#[tokio::test]
async fn a_spilled_result_that_was_changed_is_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let spill_dir = Some(folder.path().to_owned());
    let mut scheduler = Scheduler::start(WorkerSettings { memory_bytes: 1 << 10, spill_dir, ..settings(1) });
    scheduler.open().await;
    scheduler.assign(vec![task(0, "bytes", args(&[300_000]), vec![])]).await;
    scheduler.hear_finished().await;
    let file = loop {
        let inner = std::fs::read_dir(folder.path()).expect("a folder").next().map(|entry| entry.expect("an entry").path());
        if let Some(file) = inner.and_then(|inner| std::fs::read_dir(inner).expect("a folder").next()) {
            let path = file.expect("an entry").path();
            if path.metadata().is_ok_and(|meta| meta.len() == 300_005) {
                break path;
            }
        }
        tokio::task::yield_now().await;
    };
    // The shell must have heard that the file is there, or the task would still use the memory: a request tells.
    let mut bytes = std::fs::read(&file).expect("a file");
    bytes[1_000] ^= 1;
    std::fs::write(&file, bytes).expect("writable");
    while scheduler.fetch(0, 1 << 20).await.is_some() {}
    let inputs = vec![input(0, InputSource::At(vec![WorkerId(1)]))];
    scheduler.assign(vec![task(1, "len", references(&[0]), inputs)]).await;
    let error = scheduler.hear_failed().await.error;
    assert_eq!(error.code, ErrorCode::WorkerFault);
    assert!(error.message.contains("not what was written"), "{}", error.message);
}

#[tokio::test]
async fn peers_fetch_from_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let loopback = "127.0.0.1:0".parse().expect("an address");
    let credentials = Credentials::for_listener(folder.path(), loopback).expect("credentials");
    let peers = || {
        let listener = Listener::bind(loopback, &credentials, Role::Worker).expect("a listener");
        let address = listener.local_address();
        let dialer = Dialer::new(&credentials, Role::Worker).expect("a dialer");
        (address, PeerServer::new(Some(listener), dialer))
    };
    let ((address, first), (_, second)) = (peers(), peers());
    let mut maker = Scheduler::start_with(settings(1), Some(first));
    let mut user = Scheduler::start_with(settings(1), Some(second));
    maker.open().await;
    user.open().await;
    maker.assign(vec![task(0, "bytes", args(&[20 << 20]), vec![])]).await;
    maker.hear_finished().await;
    user.say(ToWorker::AddPeer(PeerAddress { worker: WorkerId(2), addresses: vec![address] })).await;
    let inputs = vec![input(0, InputSource::At(vec![WorkerId(2)]))];
    user.assign(vec![task(1, "len", references(&[0]), inputs)]).await;
    assert_eq!(user.hear().await, FromWorker::ReplicasAdded { graph: GRAPH, tasks: vec![TaskIndex(0)] });
    user.hear_finished().await;
    assert_eq!(user.asked(|request| matches!(request, Request::FetchResult { .. })), 0, "the scheduler was not needed");
}
