//! A graph as the shell keeps it: its file, who follows it, and the small results.

use crate::dense_hash::DenseMap;
use crate::inbox::SessionId;
use crate::known::Known;
use crate::owed::Owed;
use crate::parts::Parts;
use crate::places::Places;
use crate::submit::{Extension, Prepared, Tables};
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use wasm_tasks_judge::Asker;
use wasm_tasks_protocol::error::TaskError;
use wasm_tasks_protocol::graph::{PathStep, redirect};
use wasm_tasks_protocol::ids::{GraphId, TaskIndex, TenantId, WorkerId};
use wasm_tasks_protocol::message::{GraphSummary, OutputResult, TaskFailure, ToWorker};
use wasm_tasks_protocol::msgpack::follow;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_scheduler_core::{GraphIndex, GraphPlan};

/// Tasks of a graph that wrote something and are remembered; the last ones.
const LOGGED_TASKS_MAX: usize = 10_000;
/// Failures of a graph that are remembered.
const FAILURES_MAX: usize = 1_000;

#[derive(Debug)]
pub(crate) struct ShellGraph {
    pub(crate) id: GraphId,
    pub(crate) index: GraphIndex,
    pub(crate) parts: Parts,
    /// For those who check fragments, one after the other.
    pub(crate) known: Arc<tokio::sync::Mutex<Known>>,
    tables: Tables,
    pub(crate) followers: BTreeSet<SessionId>,
    pub(crate) submitted: Instant,
    /// Workers that were sent `DefineGraph`, and how many functions, data entries and settings each was told of.
    pub(crate) defined_at: HashMap<WorkerId, [usize; 3]>,
    /// Small results, as long as somebody needs them.
    pub(crate) inline: DenseMap<TaskIndex, Bytes>,
    /// Which outputs clients are owed.
    pub(crate) owed: Owed,
    /// Tasks that ended in tasks which they wrote, and what took their places.
    pub(crate) places: Places,
    /// Why tasks failed last; those that failed for good move to `failures`.
    pub(crate) errors: HashMap<TaskIndex, TaskError>,
    pub(crate) failures: Vec<TaskFailure>,
    pub(crate) failures_dropped: u64,
    /// Tasks that wrote something, and where.
    pub(crate) logged: HashMap<TaskIndex, WorkerId>,
    /// How it ended last; none while it runs.
    pub(crate) summary: Option<GraphSummary>,
    pub(crate) finished: Option<Instant>,
    pub(crate) is_cancelled: bool,
    /// In whose places for checks its delegations are checked.
    pub(crate) asker: Asker,
    /// Set when nothing that it still wants checked matters any more.
    pub(crate) is_over: Arc<AtomicBool>,
    /// Whether something happened since the last progress message.
    pub(crate) is_changed: bool,
}

impl ShellGraph {
    pub(crate) fn new(id: GraphId, index: GraphIndex, prepared: Box<Prepared>, session: SessionId, asker: Asker) -> ShellGraph {
        let Prepared { known, tables, outputs_by_task, plan: _ } = *prepared;
        ShellGraph {
            id,
            index,
            parts: known.parts.clone(),
            known: Arc::new(tokio::sync::Mutex::new(known)),
            tables,
            followers: BTreeSet::from([session]),
            submitted: Instant::now(),
            defined_at: HashMap::new(),
            inline: DenseMap::default(),
            owed: Owed::new(outputs_by_task),
            places: Places::default(),
            errors: HashMap::new(),
            failures: Vec::new(),
            failures_dropped: 0,
            logged: HashMap::new(),
            summary: None,
            finished: None,
            is_cancelled: false,
            asker,
            is_over: Arc::default(),
            is_changed: false,
        }
    }

    /// A fragment was checked; what the core is to know of it is given back.
    pub(crate) fn extend(&mut self, extension: Extension) -> GraphPlan {
        let Extension { part, writer, tables, plan } = extension;
        self.parts.push(part, writer);
        self.tables.functions.extend(tables.functions);
        self.tables.data.extend(tables.data);
        self.tables.settings.extend(tables.settings);
        let outputs: Vec<TaskIndex> = plan.outputs.iter().map(|task| self.places.now(*task)).collect();
        self.owed.add(&outputs);
        self.summary = None;
        self.finished = None;
        plan
    }

    /// What a worker must be told before the next assignment.
    pub(crate) fn definition_for(&mut self, worker: WorkerId) -> Option<ToWorker> {
        let Tables { functions, data, settings } = &self.tables;
        let all = [functions.len(), data.len(), settings.len()];
        let told = self.defined_at.insert(worker, all);
        match told {
            None => Some(ToWorker::DefineGraph {
                graph: self.id,
                tenant: TenantId::DEFAULT,
                functions: functions.clone(),
                data: data.clone(),
                settings: settings.clone(),
            }),
            Some(told) if told == all => None,
            Some(told) => Some(ToWorker::ExtendGraph {
                graph: self.id,
                functions: functions[told[0]..].to_vec(),
                data: data[told[1]..].to_vec(),
                settings: settings[told[2]..].to_vec(),
            }),
        }
    }

    /// A task took another's place: for whoever asks for the one there is the other.
    pub(crate) fn take_place(&mut self, of: TaskIndex, by: TaskIndex) {
        self.places.take(of, by);
        self.owed.take_place(of, by);
    }

    /// A task's arguments as workers get them: their references lead to what took the places of tasks.
    pub(crate) fn arguments(&self, task: TaskIndex) -> Bytes {
        let part = self.parts.part_of(task);
        let entry = part.task(task);
        let args = part.file().slice(entry.args_range());
        if self.places.is_any_taken(entry.dependencies()) { redirect(&args, |task| self.places.now(task)).into() } else { args }
    }

    /// How long after its submission it is stopped.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.parts.options().deadline_ms.map(Duration::from_millis)
    }

    /// The deadline that it did not keep.
    pub(crate) fn overdue(&self) -> Option<Duration> {
        self.summary.as_ref().and_then(|summary| summary.overdue)
    }

    pub(crate) fn key(&self, task: TaskIndex) -> &str {
        self.parts.task(task).key()
    }

    /// The task with a key. Looks at all of them: for questions of people.
    pub(crate) fn find(&self, key: &str) -> Option<TaskIndex> {
        self.parts.tasks().find(|task| task.key() == key).map(|task| task.index())
    }

    /// A function as people know it: the component's name and the export.
    pub(crate) fn function_name(&self, function: u32) -> String {
        let function = self.parts.function(function);
        let component = self.parts.component(function.component);
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
        let output = self.parts.output(position)?;
        let bytes = self.inline.get(&self.places.now(output.task))?;
        if output.path.is_empty() {
            return Some(OutputResult::Inline(bytes.clone()));
        }
        let part = follow(bytes, output.path.iter().map(PathStep::as_step)).ok()?;
        Some(OutputResult::Inline(Bytes::copy_from_slice(&part)))
    }
}
