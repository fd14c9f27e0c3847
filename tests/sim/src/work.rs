//! A graph as the simulator knows it: what each task really takes and makes, and what its result must be.
//!
//! Cores and policies see parts of it only: the plan, and estimates.

use crate::delegate::Delegation;
use crate::random::mix;
use crate::reference::Estimates;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::message::FunctionSpec;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{ComponentDigest, ErrorCode};
use wasm_tasks_scheduler_core::{Expected, GraphPlan};

/// How a task ends when nothing else goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// With a result.
    Fine,
    /// With this error, every time.
    Fails(ErrorCode),
    /// With this error as often as said, then with a result.
    FailsFirst(u32, ErrorCode),
}

/// One task.
#[derive(Clone, Debug)]
pub struct WorkTask {
    /// How long it runs on a worker of speed 1.
    pub duration: Duration,
    /// What its author expects it to run.
    pub expected: Duration,
    /// Bytes of the parts of its result; consumers may need some of them only.
    pub parts: Vec<u64>,
    /// Bytes that it takes while it runs.
    pub peak: u64,
    /// Position of its function.
    pub function: u32,
    /// How it ends.
    pub fate: Fate,
    /// What it asks for.
    pub settings: Settings,
    /// What it needs: tasks, and parts of their results.
    pub needs: Vec<(TaskIndex, u32)>,
}

impl WorkTask {
    /// A task that is fine, of one function, with one slot and a result of one part.
    pub fn new(seconds: f64, expected_seconds: f64, bytes: u64) -> WorkTask {
        WorkTask {
            duration: Duration::from_secs_f64(seconds),
            expected: Duration::from_secs_f64(expected_seconds),
            parts: vec![bytes],
            peak: bytes,
            function: 0,
            fate: Fate::Fine,
            settings: Settings::default(),
            needs: Vec::new(),
        }
    }

    /// Bytes of the whole result.
    pub fn size(&self) -> u64 {
        self.parts.iter().sum()
    }
}

/// A graph.
#[derive(Clone, Debug)]
pub struct Work {
    /// For people.
    pub name: String,
    /// The tasks by position.
    pub tasks: Vec<WorkTask>,
    /// The tasks whose results are wanted.
    pub outputs: Vec<TaskIndex>,
    /// The tasks that each task needs, each once, in their order.
    pub dependencies: Vec<Vec<TaskIndex>>,
    /// The tasks that need each task.
    pub dependents: Vec<Vec<TaskIndex>>,
    /// A function whose component cannot be loaded anywhere.
    pub broken: Option<u32>,
    /// Where each fragment begins, when the graph is submitted in pieces; tasks before the first come with the graph.
    pub cuts: Vec<u32>,
    /// The tasks that write the fragments, when clients do not.
    pub delegations: Vec<Delegation>,
    /// How long after its submission the graph is stopped.
    pub deadline: Option<Duration>,
    /// Tasks that start together, by position.
    pub gangs: Vec<Range<usize>>,
    /// Tells the values of graphs apart.
    pub salt: u64,
    /// What each task's result must be.
    values: Vec<u64>,
}

/// Bytes that stand for a value in messages and stores.
pub(crate) const VALUE_BYTES: usize = 24;

impl Work {
    /// Derives edges and values. Outputs are the tasks that nothing needs, unless they are given.
    ///
    /// # Errors
    /// A task needs one that does not exist, or there is a circle.
    pub fn new(name: String, tasks: Vec<WorkTask>, outputs: Option<Vec<TaskIndex>>, salt: u64) -> Result<Work, WorkError> {
        Work::with_delegations(name, tasks, outputs, salt, Vec::new())
    }

    /// The same of a graph of which tasks write tasks: the result of one that does is that of what takes its place.
    ///
    /// # Errors
    /// As [`Work::new`].
    pub fn with_delegations(
        name: String,
        tasks: Vec<WorkTask>,
        outputs: Option<Vec<TaskIndex>>,
        salt: u64,
        delegations: Vec<Delegation>,
    ) -> Result<Work, WorkError> {
        let n = tasks.len();
        let mut dependencies = Vec::with_capacity(n);
        let mut dependents = vec![Vec::new(); n];
        for (position, task) in tasks.iter().enumerate() {
            let mut needs: Vec<TaskIndex> = task.needs.iter().map(|(task, _)| *task).collect();
            needs.sort_unstable();
            needs.dedup();
            for need in &needs {
                let from = dependents.get_mut(need.0 as usize).ok_or(WorkError::UnknownTask { task: position, needs: need.0 })?;
                from.push(TaskIndex(position as u32));
            }
            dependencies.push(needs);
        }
        let leaves = || (0..n).filter(|task| dependents[*task].is_empty()).map(|task| TaskIndex(task as u32)).collect();
        let outputs = outputs.unwrap_or_else(leaves);
        let (broken, cuts, deadline, values) = (None, Vec::new(), None, vec![0; n]);
        let gangs = crate::gangs::of(&tasks);
        let mut work =
            Work { name, tasks, outputs, dependencies, dependents, broken, cuts, delegations, deadline, gangs, salt, values };
        let order = work.topological();
        if order.len() != n {
            return Err(WorkError::Cycle);
        }
        for task in order {
            let inputs: Vec<u64> = work.dependencies[task.0 as usize].iter().map(|need| work.values[need.0 as usize]).collect();
            work.values[task.0 as usize] = match work.delegation_by(task) {
                Some(delegation) => work.values[work.delegations[delegation].output.0 as usize],
                None => work.result(task, &inputs),
            };
        }
        Ok(work)
    }

    /// Tasks, inputs first; shorter than the list of tasks when there is a circle.
    pub fn topological(&self) -> Vec<TaskIndex> {
        let mut missing: Vec<usize> = self.dependencies.iter().map(Vec::len).collect();
        // Who delegates comes after what takes its place.
        self.delegations.iter().for_each(|delegation| missing[delegation.by.0 as usize] += 1);
        let mut order: Vec<TaskIndex> =
            (0..self.tasks.len()).filter(|task| missing[*task] == 0).map(|task| TaskIndex(task as u32)).collect();
        let mut next = 0;
        while let Some(task) = order.get(next).copied() {
            next += 1;
            let waits = self.delegations.iter().filter(|delegation| delegation.output == task).map(|delegation| &delegation.by);
            for dependent in self.dependents[task.0 as usize].iter().chain(waits) {
                missing[dependent.0 as usize] -= 1;
                if missing[dependent.0 as usize] == 0 {
                    order.push(*dependent);
                }
            }
        }
        order
    }

    /// What a task makes of its inputs' values, which are in the order of its dependencies.
    pub fn result(&self, task: TaskIndex, inputs: &[u64]) -> u64 {
        inputs.iter().fold(mix(self.salt ^ mix(u64::from(task.0) + 1)), |digest, input| mix(digest.rotate_left(7) ^ input))
    }

    /// What a task's result must be.
    pub fn value(&self, task: TaskIndex) -> u64 {
        self.values[task.0 as usize]
    }

    /// The task at a position.
    pub fn task(&self, task: TaskIndex) -> &WorkTask {
        &self.tasks[task.0 as usize]
    }

    /// What stands for a value: its digest, its size, its task.
    pub fn encode(&self, task: TaskIndex, value: u64) -> Bytes {
        let mut bytes = Vec::with_capacity(VALUE_BYTES);
        bytes.extend_from_slice(&value.to_le_bytes());
        bytes.extend_from_slice(&self.task(task).size().to_le_bytes());
        bytes.extend_from_slice(&(u64::from(task.0)).to_le_bytes());
        bytes.into()
    }

    /// What the scheduler's core is told.
    pub fn plan(&self) -> GraphPlan {
        let (outputs, deadline) = (self.outputs.clone(), self.deadline);
        let components = self.functions().into_iter().map(|function| function.component).collect();
        let mut plan = GraphPlan { dependency_starts: vec![0], outputs, deadline, components, ..GraphPlan::default() };
        let mut positions: BTreeMap<&Settings, u32> = BTreeMap::new();
        for (task, dependencies) in self.tasks.iter().zip(&self.dependencies) {
            plan.dependencies.extend_from_slice(dependencies);
            plan.dependency_starts.push(plan.dependencies.len() as u32);
            plan.functions.push(task.function);
            let next = plan.settings.len() as u32;
            let position = *positions.entry(&task.settings).or_insert_with(|| {
                plan.settings.extend(task.settings.ways());
                next
            });
            plan.task_settings.push(position);
        }
        plan
    }

    /// Tells a plan what policies know of durations and sizes.
    pub fn expect(&self, estimates: Estimates, plan: &mut GraphPlan) {
        let parts: usize = self.tasks.iter().map(|task| task.parts.len()).sum();
        let mean = |sum: f64, count: usize| (sum / count.max(1) as f64) as u64;
        let mean_us = mean(self.tasks.iter().map(|task| task.duration.0 as f64).sum(), self.tasks.len());
        let mean_bytes = mean(self.tasks.iter().map(|task| task.size() as f64).sum(), parts);
        let expected = |task: &WorkTask| match estimates {
            Estimates::Exact => Expected { run_us: task.duration.0, result_bytes: task.size() },
            Estimates::Mean => Expected { run_us: mean_us, result_bytes: mean_bytes * task.parts.len() as u64 },
        };
        plan.expected = self.tasks.iter().map(expected).collect();
        if self.tasks.iter().all(|task| task.parts.len() < 2) {
            return;
        }
        for (task, dependencies) in self.tasks.iter().zip(&self.dependencies) {
            for need in dependencies {
                let mut parts: Vec<u32> = task.needs.iter().filter(|(other, _)| other == need).map(|(_, part)| *part).collect();
                parts.sort_unstable();
                parts.dedup();
                let bytes = match estimates {
                    Estimates::Exact => parts.iter().map(|part| self.task(*need).parts[*part as usize]).sum(),
                    Estimates::Mean => mean_bytes * parts.len() as u64,
                };
                plan.edge_bytes.push(bytes);
            }
        }
    }

    /// How many tasks come with a piece and those before it.
    pub fn end_of(&self, piece: usize) -> usize {
        self.cuts.get(piece).map_or(self.tasks.len(), |cut| *cut as usize)
    }

    /// The piece in which a task is asked for as an output: the one that it comes in, or for some the last.
    fn piece_of_output(&self, output: TaskIndex) -> usize {
        let own = self.cuts.partition_point(|cut| *cut <= output.0);
        if !self.delegations.is_empty() {
            return 0;
        }
        if mix(self.salt ^ u64::from(output.0)).is_multiple_of(3) { self.cuts.len() } else { own }
    }

    /// The part of the whole plan that a piece brings.
    pub fn piece(&self, whole: &GraphPlan, piece: usize) -> GraphPlan {
        let from = if piece == 0 { 0 } else { self.end_of(piece - 1) };
        let to = self.end_of(piece);
        let starts = &whole.dependency_starts[from..=to];
        GraphPlan {
            dependency_starts: starts.iter().map(|start| start - starts[0]).collect(),
            dependencies: whole.dependencies[starts[0] as usize..starts[to - from] as usize].to_vec(),
            functions: whole.functions[from..to].to_vec(),
            task_settings: whole.task_settings[from..to].to_vec(),
            settings: whole.settings[settings_of(whole, from)..settings_of(whole, to)].to_vec(),
            expected: part(&whole.expected, from..to),
            edge_bytes: part(&whole.edge_bytes, starts[0] as usize..starts[to - from] as usize),
            outputs: whole.outputs.iter().copied().filter(|output| self.piece_of_output(*output) == piece).collect(),
            components: if piece == 0 { whole.components.clone() } else { Vec::new() },
            deadline: if piece == 0 { whole.deadline } else { None },
        }
    }

    /// Functions as workers are told of them; each has a component of its own.
    pub fn functions(&self) -> Vec<FunctionSpec> {
        let count = self.tasks.iter().map(|task| task.function + 1).max().unwrap_or(0);
        let spec = |function: u32| FunctionSpec {
            component: self.component(function),
            export: "run".to_owned(),
            bind: Bytes::new(),
            dynamic: None,
        };
        (0..count).map(spec).collect()
    }

    /// Graphs share the components of their functions, but not one that is broken.
    fn component(&self, function: u32) -> ComponentDigest {
        let salt = if self.broken == Some(function) { self.salt } else { 0 };
        ComponentDigest::of(&(u64::from(function) ^ salt).to_le_bytes())
    }

    /// The component that cannot be loaded.
    pub fn broken_component(&self) -> Option<ComponentDigest> {
        self.broken.map(|function| self.component(function))
    }

    /// The longest path, by real durations.
    pub fn critical_path(&self) -> Duration {
        self.b_levels(|task| task.duration).into_iter().max().unwrap_or(Duration::ZERO)
    }

    /// The longest path from each task to an end, itself included.
    pub fn b_levels(&self, length: impl Fn(&WorkTask) -> Duration) -> Vec<Duration> {
        let mut levels = vec![Duration::ZERO; self.tasks.len()];
        for task in self.topological().into_iter().rev() {
            let after = self.dependents[task.0 as usize].iter().map(|dependent| levels[dependent.0 as usize]).max();
            levels[task.0 as usize] = length(self.task(task)) + after.unwrap_or(Duration::ZERO);
        }
        levels
    }

    /// Durations times slots, summed, in microseconds.
    pub fn slot_micros(&self) -> f64 {
        self.tasks.iter().map(|task| task.duration.0 as f64 * task.settings.slots_milli as f64 / 1_000.0).sum()
    }
}

/// A part of a list that may be empty as a whole.
fn part<T: Clone>(list: &[T], range: Range<usize>) -> Vec<T> {
    if list.is_empty() { Vec::new() } else { list[range].to_vec() }
}

/// Reads what [`Work::encode`] wrote: digest, size, task.
pub(crate) fn decode(value: &[u8]) -> (u64, u64, TaskIndex) {
    let word = |at: usize| {
        let bytes = value.get(8 * at..8 * at + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(bytes.expect("values in the simulator are three words"))
    };
    (word(0), word(1), TaskIndex(word(2) as u32))
}

/// Why something is not a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// An edge leads nowhere.
    #[error("task {task} needs task {needs}, which does not exist")]
    UnknownTask {
        /// Who.
        task: usize,
        /// What.
        needs: u32,
    },
    /// Tasks need each other.
    #[error("tasks need each other in a circle")]
    Cycle,
}

/// How many settings the first tasks of a plan bring: their own, and those of the other ways in which they may run.
pub(crate) fn settings_of(plan: &GraphPlan, tasks: usize) -> usize {
    let end = |position: &u32| *position as usize + 1 + plan.settings[*position as usize].fallbacks.len();
    plan.task_settings[..tasks].iter().map(end).max().unwrap_or(0)
}
