//! A scheduler that says what a test says, and answers requests from tables.

use crate::runner::{Scripted, Watch};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::message::{
    Assignment, AttemptFailed, AttemptFinished, DataSpec, FromWorker, FunctionSpec, Input, InputSource, Priority, ReplyHead,
    Request, ToWorker,
};
use wasm_tasks_protocol::msgpack::Writer;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{Attempt, ComponentDigest, GraphId, TaskIndex, TenantId};
use wasm_tasks_transport::{ControlReceiver, ControlSender, Link, Peer, memory_link};
use wasm_tasks_worker::{PeerServer, Worker, WorkerHandle, WorkerSettings};

pub(crate) const GRAPH: GraphId = GraphId([1; 16]);
pub(crate) const EXPORTS: [&str; 10] =
    ["sum", "bytes", "len", "gate", "gate-if-one", "fail", "fail-if-one", "panic", "print", "nothing"];

/// What the scheduler has for those who ask.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) components: HashMap<ComponentDigest, Bytes>,
    pub(crate) data: HashMap<u32, Bytes>,
    pub(crate) results: HashMap<u32, Bytes>,
    pub(crate) asked: Vec<Request>,
}

pub(crate) struct Scheduler {
    sender: ControlSender<ToWorker>,
    receiver: ControlReceiver<FromWorker>,
    pub(crate) worker: Peer,
    pub(crate) tables: Arc<Mutex<Tables>>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) handle: WorkerHandle,
    heard: VecDeque<FromWorker>,
}

pub(crate) fn settings(slots: u32) -> WorkerSettings {
    WorkerSettings { memory_bytes: 1 << 30, ..WorkerSettings::new("test", slots) }
}

pub(crate) fn component() -> ComponentDigest {
    ComponentDigest([3; 32])
}

/// An array of numbers.
pub(crate) fn args(numbers: &[u64]) -> Bytes {
    let mut out = Writer::new();
    out.array(numbers.len());
    numbers.iter().for_each(|number| out.uint(*number));
    out.into_bytes().into()
}

/// An array of references to tasks.
pub(crate) fn references(tasks: &[u32]) -> Bytes {
    let mut out = Writer::new();
    out.array(tasks.len());
    tasks.iter().for_each(|task| wasm_tasks_protocol::graph::Reference::whole(TaskIndex(*task)).write(&mut out));
    out.into_bytes().into()
}

/// Attempt numbers are 1,000 more than tasks.
pub(crate) fn task(task: u32, export: &str, args: Bytes, inputs: Vec<Input>) -> Assignment {
    Assignment {
        task: TaskIndex(task),
        attempt: Attempt(u64::from(task) + 1_000),
        function: EXPORTS.iter().position(|name| *name == export).expect("an export") as u32,
        settings: 0,
        priority: Priority { rank: task, ..Priority::default() },
        args,
        inputs,
    }
}

pub(crate) fn input(task: u32, source: InputSource) -> Input {
    Input { task: TaskIndex(task), size: 0, source }
}

impl Scheduler {
    pub(crate) fn start(settings: WorkerSettings) -> Scheduler {
        Scheduler::start_with(settings, None)
    }

    pub(crate) fn start_with(settings: WorkerSettings, peers: Option<PeerServer>) -> Scheduler {
        let (ours, theirs): (Link<ToWorker, FromWorker>, Link<FromWorker, ToWorker>) = memory_link();
        let watch = Arc::new(Watch::default());
        let handle = Worker::start_with(settings, Scripted(Arc::clone(&watch)), theirs, peers);
        let tables = Arc::new(Mutex::new(Tables::default()));
        tables.lock().expect("not poisoned").components.insert(component(), Bytes::from_static(b"component"));
        let Link { sender, receiver, peer, mut incoming } = ours;
        let answers = Arc::clone(&tables);
        tokio::spawn(async move {
            while let Some(asked) = incoming.next().await {
                let answer = answer(&mut answers.lock().expect("not poisoned"), asked.request);
                let (head, body) = match answer {
                    Some(body) => (ReplyHead::Ok { total: body.0 }, body.1),
                    None => (ReplyHead::NotFound, Bytes::new()),
                };
                let _ = asked.reply.send(head, body).await;
            }
        });
        Scheduler { sender, receiver, worker: peer, tables, watch, handle, heard: VecDeque::new() }
    }

    /// Welcomes the worker and defines a graph with all exports and two data entries, the second of which is not sent along.
    pub(crate) async fn open(&mut self) {
        assert!(matches!(self.hear().await, FromWorker::Joined(_)));
        let function =
            |export: &str| FunctionSpec { component: component(), export: export.into(), bind: Bytes::new(), dynamic: None };
        let data = vec![
            DataSpec { is_raw: false, len: 1, inline: Some(Bytes::from_static(&[5])) },
            DataSpec { is_raw: true, len: 10_000, inline: None },
        ];
        self.say(ToWorker::Welcome { worker: WorkerId(1), heartbeat: Duration(0) }).await;
        let functions = EXPORTS.iter().map(|export| function(export)).collect();
        let settings = vec![Settings::default()];
        self.say(ToWorker::DefineGraph { graph: GRAPH, tenant: TenantId::DEFAULT, functions, data, settings }).await;
    }

    pub(crate) async fn say(&mut self, order: ToWorker) {
        self.sender.send(vec![order]).await.expect("the worker listens");
    }

    pub(crate) async fn assign(&mut self, tasks: Vec<Assignment>) {
        self.say(ToWorker::AssignTasks { graph: GRAPH, tasks }).await;
    }

    /// The next message, finished attempts one at a time. What runs and how much memory is left is passed over.
    pub(crate) async fn hear(&mut self) -> FromWorker {
        loop {
            if let Some(message) = self.heard.pop_front() {
                return message;
            }
            for message in self.receiver.recv().await.expect("the worker speaks") {
                match message {
                    FromWorker::AttemptsFinished(reports) => {
                        self.heard.extend(reports.into_iter().map(|report| FromWorker::AttemptsFinished(vec![report])));
                    }
                    FromWorker::AttemptsStarted(_)
                    | FromWorker::MemoryShort(_)
                    | FromWorker::BytesFetched { .. }
                    | FromWorker::ResultSpilled { .. }
                    | FromWorker::ComponentLoaded { .. }
                    | FromWorker::ComponentUnloaded { .. }
                    | FromWorker::BytesGiven { .. } => {}
                    other => self.heard.push_back(other),
                }
            }
        }
    }

    pub(crate) async fn hear_finished(&mut self) -> AttemptFinished {
        match self.hear().await {
            FromWorker::AttemptsFinished(mut reports) => reports.remove(0),
            other => panic!("expected a finished attempt: {other:?}"),
        }
    }

    pub(crate) async fn hear_failed(&mut self) -> AttemptFailed {
        match self.hear().await {
            FromWorker::AttemptFailed(failed) => failed,
            other => panic!("expected a failed attempt: {other:?}"),
        }
    }

    /// Fetches a result from the worker in pieces of a size.
    pub(crate) async fn fetch(&self, task: u32, piece: u64) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let request = Request::FetchResult { graph: GRAPH, task: TaskIndex(task), offset: whole.len() as u64, len: piece };
            let (head, body) = self.worker.request(request, Bytes::new()).await.expect("an answer");
            let ReplyHead::Ok { total } = head else { return None };
            whole.extend_from_slice(&body);
            if whole.len() as u64 >= total {
                return Some(whole);
            }
        }
    }

    pub(crate) fn asked(&self, which: impl Fn(&Request) -> bool) -> usize {
        self.tables.lock().expect("not poisoned").asked.iter().filter(|request| which(request)).count()
    }
}

/// An answer's total and body.
fn answer(tables: &mut Tables, request: Request) -> Option<(u64, Bytes)> {
    tables.asked.push(request.clone());
    let whole = |bytes: &Bytes| (bytes.len() as u64, bytes.clone());
    match request {
        Request::FetchComponent { digest } => tables.components.get(&digest).map(whole),
        Request::FetchData { position, .. } => tables.data.get(&position).map(whole),
        Request::FetchResult { task, offset, len, .. } => tables.results.get(&task.0).map(|bytes| {
            let end = bytes.len().min((offset + len) as usize);
            (bytes.len() as u64, bytes.slice(offset as usize..end))
        }),
        other => panic!("a worker does not ask {other:?}"),
    }
}
