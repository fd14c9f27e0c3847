//! A cluster of one scheduler, one client and workers that do what a test says.

use bytes::Bytes;
use std::collections::HashMap;
use std::time::Duration;
use wasm_tasks_protocol::graph::{Argument, GraphBuilder, Options, Reference};
use wasm_tasks_protocol::ids::{Attempt, ComponentDigest, GraphId, TaskIndex};
use wasm_tasks_protocol::message::{
    FromClient, FromWorker, GraphSummary, OutputResult, Query, Refusal, ReplyHead, Request, TaskFailure, ToClient, ToWorker,
    WorkerOffer,
};
use wasm_tasks_scheduler::{Scheduler, SchedulerSettings};
use wasm_tasks_transport::{IncomingRequest, Link, Peer, memory_link};

/// A component with `add: func(a: u32, b: u32) -> u32`, `sum: func(bytes: list<u8>) -> u32` and
/// `pair: func(a: u32, b: u32) -> tuple<u32, u32>`. Nothing of it is ever run here.
pub(crate) fn calc() -> Bytes {
    let text = r#"(component
        (core module $m
            (memory (export "memory") 1)
            (func (export "add") (param i32 i32) (result i32) unreachable)
            (func (export "sum") (param i32 i32) (result i32) unreachable)
            (func (export "pair") (param i32 i32) (result i32) unreachable)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))
        (core instance $i (instantiate $m))
        (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
        (func (export "sum") (param "bytes" (list u8)) (result u32)
            (canon lift (core func $i "sum") (memory (core memory $i "memory")) (realloc (core func $i "cabi_realloc"))))
        (func (export "pair") (param "a" u32) (param "b" u32) (result (tuple u32 u32))
            (canon lift (core func $i "pair") (memory (core memory $i "memory")))))"#;
    wat::parse_str(text).expect("the component is well formed").into()
}

pub(crate) fn calc_digest() -> ComponentDigest {
    ComponentDigest::of(&calc())
}

/// A graph with `calc` in it; `fill` gets the position of `add`.
pub(crate) fn graph_of(fill: impl FnOnce(&mut GraphBuilder, u32)) -> Vec<u8> {
    let mut graph = GraphBuilder::new();
    let component = graph.component(calc_digest(), Some("calc"), Some(&calc()), None);
    let add = graph.function(component, "add", &[], None, None, &Options::default());
    fill(&mut graph, add);
    graph.to_bytes()
}

pub(crate) fn reference(task: TaskIndex) -> Argument {
    Argument::Task(Reference::whole(task))
}

/// Nothing here waits this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Cluster {
    /// Of workers that join.
    slots: u32,
    scheduler: Scheduler,
    client: Link<FromClient, ToClient>,
    worker: Option<Link<FromWorker, ToWorker>>,
    assigned: HashMap<TaskIndex, Attempt>,
    outputs: Vec<(u32, OutputResult)>,
    pub(crate) failures: Vec<TaskFailure>,
    heard: std::collections::VecDeque<ToClient>,
}

impl Cluster {
    pub(crate) async fn with_worker() -> Cluster {
        Cluster::with_slots(1).await
    }

    /// With a worker of so many slots.
    pub(crate) async fn with_slots(slots: u32) -> Cluster {
        Cluster::with(SchedulerSettings::default(), slots).await
    }

    pub(crate) async fn with(settings: SchedulerSettings, slots: u32) -> Cluster {
        let scheduler = Scheduler::start(settings);
        let (client, theirs) = memory_link();
        scheduler.attach_client(theirs);
        let mut cluster = Cluster {
            slots,
            scheduler,
            client,
            worker: None,
            assigned: HashMap::new(),
            outputs: Vec::new(),
            failures: Vec::new(),
            heard: std::collections::VecDeque::new(),
        };
        cluster.tell(FromClient::Opened { name: "script".into() }).await;
        assert!(matches!(cluster.hear().await, ToClient::Welcome { .. }));
        cluster.add_worker().await;
        cluster
    }

    /// Returns what the worker heard first.
    pub(crate) async fn add_worker(&mut self) -> Vec<ToWorker> {
        let (worker, theirs) = memory_link();
        self.scheduler.attach_worker(theirs);
        self.worker = Some(worker);
        self.assigned.clear();
        self.say_joined().await;
        let welcome = self.worker_hears().await;
        assert!(matches!(welcome[0], ToWorker::Welcome { .. }), "{welcome:?}");
        self.note(welcome.clone());
        welcome
    }

    fn note(&mut self, batch: Vec<ToWorker>) {
        for message in batch {
            if let ToWorker::AssignTasks { tasks, .. } = message {
                self.assigned.extend(tasks.into_iter().map(|task| (task.task, task.attempt)));
            }
        }
    }

    /// A new worker takes the place of the one of the script, which stays connected. What the new one hears first comes along.
    pub(crate) async fn swap_worker(&mut self) -> (Link<FromWorker, ToWorker>, Vec<ToWorker>) {
        let (worker, theirs) = memory_link();
        self.scheduler.attach_worker(theirs);
        let old = self.worker.replace(worker).expect("the script has a worker");
        self.say_joined().await;
        let heard = self.worker_hears().await;
        (old, heard)
    }

    pub(crate) fn lose_worker(&mut self) {
        self.worker = None;
    }

    fn worker(&mut self) -> &mut Link<FromWorker, ToWorker> {
        self.worker.as_mut().expect("the script has a worker")
    }

    pub(crate) async fn say_joined(&mut self) {
        let slots = self.slots;
        self.say(FromWorker::Joined(WorkerOffer {
            name: "scripted".into(),
            slots,
            memory_bytes: 1 << 30,
            labels: vec![],
            pools: vec![],
            lifetime: None,
            addresses: vec![],
            pid: 1,
        }))
        .await;
        // Loads are no matter of the script.
        self.say(FromWorker::ComponentLoaded { digest: calc_digest(), is_metered: false, took: Default::default() }).await;
    }

    pub(crate) async fn say(&mut self, message: FromWorker) {
        self.worker().sender.send(vec![message]).await.expect("the scheduler is there");
    }

    /// Says much at once; whether the scheduler still takes it.
    pub(crate) async fn try_say(&mut self, messages: Vec<FromWorker>) -> bool {
        self.worker().sender.send(messages).await.is_ok()
    }

    pub(crate) fn worker_peer(&mut self) -> Peer {
        self.worker().peer.clone()
    }

    pub(crate) async fn worker_hears(&mut self) -> Vec<ToWorker> {
        let receiver = &mut self.worker.as_mut().expect("the script has a worker").receiver;
        tokio::time::timeout(PATIENCE, receiver.recv()).await.expect("the worker hears something").expect("the link is open")
    }

    pub(crate) async fn worker_closed(&mut self) -> String {
        let peer = self.worker().peer.clone();
        tokio::time::timeout(PATIENCE, peer.closed()).await.expect("the link closes")
    }

    /// Waits until the task is assigned; the key is for the reader.
    pub(crate) async fn assigned(&mut self, _key: &str, task: u32) -> Attempt {
        loop {
            if let Some(attempt) = self.assigned.remove(&TaskIndex(task)) {
                return attempt;
            }
            let batch = self.worker_hears().await;
            self.note(batch);
        }
    }

    /// The client leaves, and another one takes its place.
    pub(crate) async fn change_client(&mut self) {
        let (client, theirs) = memory_link();
        self.scheduler.attach_client(theirs);
        self.client = client;
        self.heard.clear();
        self.tell(FromClient::Opened { name: "another".into() }).await;
        assert!(matches!(self.hear().await, ToClient::Welcome { .. }));
    }

    pub(crate) async fn tell(&mut self, message: FromClient) {
        self.client.sender.send(vec![message]).await.expect("the scheduler is there");
    }

    pub(crate) async fn hear(&mut self) -> ToClient {
        loop {
            if let Some(message) = self.heard.pop_front() {
                return message;
            }
            let batch = tokio::time::timeout(PATIENCE, self.client.receiver.recv()).await.expect("the client hears something");
            self.heard.extend(batch.expect("the link is open"));
        }
    }

    pub(crate) async fn client_asks(&mut self, request: Request) -> (ReplyHead, Bytes) {
        self.client_sends(request, Bytes::new()).await
    }

    pub(crate) async fn client_sends(&mut self, request: Request, body: Bytes) -> (ReplyHead, Bytes) {
        self.client.peer.request(request, body).await.expect("the scheduler answers")
    }

    /// A client, for requests that are made while the script goes on.
    pub(crate) fn client_peer(&self) -> Peer {
        self.client.peer.clone()
    }

    /// The next request that the worker gets.
    pub(crate) async fn worker_is_asked(&mut self) -> IncomingRequest {
        let incoming = &mut self.worker().incoming;
        tokio::time::timeout(PATIENCE, incoming.next()).await.expect("the worker is asked").expect("the link is open")
    }

    pub(crate) async fn worker_asks(&mut self, request: Request) -> (ReplyHead, Bytes) {
        self.worker().peer.request(request, Bytes::new()).await.expect("the scheduler answers")
    }

    pub(crate) async fn submit(&mut self, graph: GraphId, file: Vec<u8>) -> Result<(), Refusal> {
        let answer = self.client.peer.request(Request::SubmitGraph { graph }, file.into()).await.expect("the scheduler answers");
        match answer.0 {
            ReplyHead::Ok { .. } => Ok(()),
            ReplyHead::Refused(refusal) => Err(refusal),
            ReplyHead::NotFound => panic!("a submission is accepted or refused"),
        }
    }

    /// Listens until the graph is finished.
    pub(crate) async fn finish(&mut self) -> (Vec<(u32, OutputResult)>, GraphSummary) {
        loop {
            match self.hear().await {
                ToClient::Outputs { outputs, .. } => self.outputs.extend(outputs),
                ToClient::TaskFailed { failure, .. } => self.failures.push(failure),
                ToClient::Finished { summary, .. } => return (std::mem::take(&mut self.outputs), summary),
                ToClient::Progress { .. } => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    pub(crate) async fn try_ask(&mut self, query: Query) -> Result<String, Refusal> {
        self.tell(FromClient::Ask { number: 1, query }).await;
        loop {
            match self.hear().await {
                ToClient::Answer { number: 1, answer } => return answer,
                ToClient::Progress { .. } => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    pub(crate) async fn ask(&mut self, query: Query) -> String {
        self.try_ask(query).await.expect("an answer")
    }
}
