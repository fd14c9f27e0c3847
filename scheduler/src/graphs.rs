//! A graph as the shell keeps it: its file, who follows it, and the small results.

use crate::dense_hash::DenseMap;
use crate::inbox::SessionId;
use crate::submit::Prepared;
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Instant;
use wasm_tasks_protocol::error::TaskError;
use wasm_tasks_protocol::graph::PathStep;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::message::{GraphSummary, OutputResult, TaskFailure};
use wasm_tasks_protocol::msgpack::follow;
use wasm_tasks_scheduler_core::GraphIndex;

/// Tasks of a graph that wrote something and are remembered; the last ones.
const LOGGED_TASKS_MAX: usize = 10_000;
/// Failures of a graph that are remembered.
const FAILURES_MAX: usize = 1_000;

#[derive(Debug)]
pub(crate) struct ShellGraph {
    pub(crate) id: GraphId,
    pub(crate) index: GraphIndex,
    pub(crate) prepared: Box<Prepared>,
    pub(crate) followers: BTreeSet<SessionId>,
    pub(crate) submitted: Instant,
    /// Workers that were sent `DefineGraph`.
    pub(crate) defined_at: HashSet<WorkerId>,
    /// Small results, as long as somebody needs them.
    pub(crate) inline: DenseMap<TaskIndex, Bytes>,
    /// What became of outputs, by their position.
    pub(crate) outputs: Vec<Option<OutputResult>>,
    /// Why tasks failed last; those that failed for good move to `failures`.
    pub(crate) errors: HashMap<TaskIndex, TaskError>,
    pub(crate) failures: Vec<TaskFailure>,
    pub(crate) failures_dropped: u64,
    /// Tasks that wrote something, and where.
    pub(crate) logged: HashMap<TaskIndex, WorkerId>,
    pub(crate) summary: Option<GraphSummary>,
    pub(crate) finished: Option<Instant>,
    pub(crate) is_cancelled: bool,
    /// Whether something happened since the last progress message.
    pub(crate) is_changed: bool,
}

impl ShellGraph {
    pub(crate) fn new(id: GraphId, index: GraphIndex, prepared: Box<Prepared>, session: SessionId) -> ShellGraph {
        let outputs = vec![None; prepared.graph.outputs().len()];
        ShellGraph {
            id,
            index,
            prepared,
            followers: BTreeSet::from([session]),
            submitted: Instant::now(),
            defined_at: HashSet::new(),
            inline: DenseMap::default(),
            outputs,
            errors: HashMap::new(),
            failures: Vec::new(),
            failures_dropped: 0,
            logged: HashMap::new(),
            summary: None,
            finished: None,
            is_cancelled: false,
            is_changed: true,
        }
    }

    pub(crate) fn key(&self, task: TaskIndex) -> &str {
        self.prepared.graph.task(task).key()
    }

    /// The task with a key. Looks at all of them: for questions of people.
    pub(crate) fn find(&self, key: &str) -> Option<TaskIndex> {
        self.prepared.graph.tasks().find(|task| task.key() == key).map(|task| task.index())
    }

    /// A function as people know it: the component's name and the export.
    pub(crate) fn function_name(&self, function: u32) -> String {
        let function = &self.prepared.graph.functions()[function as usize];
        let component = &self.prepared.graph.components()[function.component as usize];
        match &component.name {
            Some(name) => format!("{name} {}", function.export),
            None => function.export.clone(),
        }
    }

    pub(crate) fn note_log(&mut self, task: TaskIndex, worker: WorkerId) {
        if self.logged.len() < LOGGED_TASKS_MAX || self.logged.contains_key(&task) {
            self.logged.insert(task, worker);
        }
    }

    pub(crate) fn note_failure(&mut self, failure: TaskFailure) {
        if self.failures.len() < FAILURES_MAX {
            self.failures.push(failure);
        } else {
            self.failures_dropped += 1;
        }
    }

    /// An output whose task's result is here, as clients get it. A path is followed at once when that is possible.
    pub(crate) fn inline_output(&self, position: u32) -> Option<OutputResult> {
        let output = &self.prepared.graph.outputs()[position as usize];
        let bytes = self.inline.get(&output.task)?;
        if output.path.is_empty() {
            return Some(OutputResult::Inline(bytes.clone()));
        }
        let part = follow(bytes, output.path.iter().map(PathStep::as_step)).ok()?;
        Some(OutputResult::Inline(Bytes::copy_from_slice(&part)))
    }
}
