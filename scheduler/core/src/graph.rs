//! One graph: its tasks, its edges both ways, and what was learnt of its functions.

use crate::dense_set::DenseSet;
use crate::event::{Expected, GraphPlan};
use crate::levels::{self, Edges};
use crate::order::static_order;
use crate::queue::{ShapeIndex, ShapeKey};
use crate::task::{GraphIndex, NONE, State, Task};
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::graph::edges::{edges_of, transpose};
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::message::Priority;
use wasm_tasks_protocol::time::Duration;

/// How a graph stands. Counts of tasks that outputs need; others are never run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphCounts {
    /// Tasks that outputs need.
    pub tasks: u64,
    /// Done at least once.
    pub finished: u64,
    /// Failed of their own.
    pub failed: u64,
    /// Failed because another did.
    pub dependents_failed: u64,
    /// Assigned now.
    pub assigned: u64,
    /// Assignments so far.
    pub attempts: u64,
    /// Bytes of results that assignments had to move.
    pub bytes_moved: u64,
    /// Largest peak of a task's linear memory.
    pub memory_peak_bytes: u64,
    /// Sum of wall times in sandboxes.
    pub run: Duration,
}

/// What was learnt of a function.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionStatistics {
    /// Attempts that ended well.
    pub count: u64,
    /// Their wall times, summed.
    pub total: Duration,
    /// The largest peak of linear memory, in bytes.
    pub memory_peak_bytes: u64,
    /// Exponential moving average of the wall time, in microseconds.
    pub mean_us: Option<f64>,
    /// Of attempts whose length was expected: the sum of what was, in microseconds, the older the less.
    pub(crate) expected_us: f64,
    /// And of what they took.
    pub(crate) taken_us: f64,
}

/// How much the sums of earlier attempts count beside the newest.
const OLDER_WEIGHT: f64 = 0.98;

impl FunctionStatistics {
    /// Notes an attempt that its author expected to take so long.
    pub(crate) fn compare(&mut self, expected_us: u64, taken: Duration) {
        // The first is counted as if one had been before that took what was expected.
        if self.expected_us == 0.0 {
            (self.expected_us, self.taken_us) = (expected_us as f64, expected_us as f64);
        }
        self.expected_us = self.expected_us * OLDER_WEIGHT + expected_us as f64;
        self.taken_us = self.taken_us * OLDER_WEIGHT + taken.0 as f64;
    }

    /// What tasks take over what is expected of them.
    pub(crate) fn ratio(&self) -> f64 {
        if self.expected_us > 0.0 { (self.taken_us / self.expected_us).clamp(0.01, 100.0) } else { 1.0 }
    }
}

/// What tasks with the same settings have in common.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) settings: Settings,
    pub(crate) shape: ShapeIndex,
}

#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) index: GraphIndex,
    pub(crate) tasks: Vec<Task>,
    dependency_starts: Vec<u32>,
    dependencies: Vec<TaskIndex>,
    dependent_starts: Vec<u32>,
    dependents: Vec<TaskIndex>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) functions: Vec<FunctionStatistics>,
    /// What its author expects: empty, or one entry a task.
    pub(crate) expected: Vec<Expected>,
    /// Parts of results that edges move: empty, or one entry for each of `dependencies`.
    edge_bytes: Vec<u64>,
    pub(crate) outputs: Vec<TaskIndex>,
    pub(crate) counts: GraphCounts,
    /// Needed tasks that are neither done nor failed.
    pub(crate) open: u64,
    pub(crate) is_cancelled: bool,
    pub(crate) is_finished: bool,
    /// Workers that were told of the graph.
    pub(crate) workers: DenseSet,
}

impl Graph {
    /// All tasks idle; what is needed is found by the caller.
    pub(crate) fn new(
        index: GraphIndex,
        plan: GraphPlan,
        memory_bytes: u64,
        mut shape: impl FnMut(ShapeKey) -> ShapeIndex,
    ) -> Graph {
        let n = plan.functions.len();
        assert!(plan.dependency_starts.len() == n + 1 && plan.task_settings.len() == n, "a plan has one entry a task");
        assert!(plan.expected.is_empty() || plan.expected.len() == n, "a plan has one entry a task, or none");
        assert!(plan.edge_bytes.is_empty() || plan.edge_bytes.len() == plan.dependencies.len(), "and one an edge, or none");
        let mut ranks = static_order(&plan.dependency_starts, &plan.dependencies);
        let (dependent_starts, dependents) = transpose(&plan.dependency_starts, &plan.dependencies);
        if !plan.expected.is_empty() {
            let edges = Edges { starts: &plan.dependency_starts, list: &plan.dependencies };
            let back = Edges { starts: &dependent_starts, list: &dependents };
            ranks = levels::order(&edges, &back, &plan.expected, ranks, memory_bytes);
        }
        let profiles =
            plan.settings.into_iter().map(|settings| Profile { shape: shape(ShapeKey::of(&settings)), settings }).collect();
        let functions = plan.functions.iter().max().map_or(0, |max| *max as usize + 1);
        let tasks = (0..n)
            .map(|task| Task {
                state: State::Idle,
                missing: plan.dependency_starts[task + 1] - plan.dependency_starts[task],
                needed: 0,
                rank: ranks[task],
                family: NONE,
                home: NONE,
                function: plan.functions[task],
                profile: plan.task_settings[task],
                attempts: 0,
                retries: 0,
                faults: 0,
                steals: 0,
                deaths: 0,
                was_counted: false,
                was_done: false,
                is_output: false,
                is_announced: false,
            })
            .collect();
        let mut graph = Graph {
            index,
            tasks,
            dependency_starts: plan.dependency_starts,
            dependencies: plan.dependencies,
            dependent_starts,
            dependents,
            profiles,
            functions: vec![FunctionStatistics::default(); functions],
            expected: plan.expected,
            edge_bytes: plan.edge_bytes,
            outputs: plan.outputs,
            counts: GraphCounts::default(),
            open: 0,
            is_cancelled: false,
            is_finished: false,
            workers: DenseSet::default(),
        };
        graph.find_families();
        graph
    }

    pub(crate) fn dependencies(&self, task: TaskIndex) -> &[TaskIndex] {
        edges_of(&self.dependency_starts, &self.dependencies, task)
    }

    /// Bytes that move when a task gets one of its inputs, of which the whole result has `size`.
    pub(crate) fn input_bytes(&self, task: TaskIndex, position: usize, size: u64) -> u64 {
        let Some(part) = self.edge_bytes.get(self.dependency_starts[task.0 as usize] as usize + position) else { return size };
        let input = self.dependencies(task)[position];
        match (*part, self.expected.get(input.0 as usize).map(|expected| expected.result_bytes)) {
            (Expected::NOT_SAID, _) => size,
            (part, Some(whole)) if whole != Expected::NOT_SAID && whole > 0 => {
                (part as f64 * (size as f64 / whole as f64)).min(size as f64) as u64
            }
            (part, _) => part.min(size),
        }
    }

    pub(crate) fn dependents(&self, task: TaskIndex) -> &[TaskIndex] {
        edges_of(&self.dependent_starts, &self.dependents, task)
    }

    pub(crate) fn task(&self, task: TaskIndex) -> &Task {
        &self.tasks[task.0 as usize]
    }

    pub(crate) fn task_mut(&mut self, task: TaskIndex) -> &mut Task {
        &mut self.tasks[task.0 as usize]
    }

    pub(crate) fn profile_of(&self, task: TaskIndex) -> &Profile {
        &self.profiles[self.task(task).profile as usize]
    }

    pub(crate) fn priority(&self, task: TaskIndex) -> Priority {
        Priority {
            user: -self.profile_of(task).settings.priority,
            generation: self.index.generation,
            fragment: 0,
            rank: self.task(task).rank,
        }
    }

    /// The task in which each task meets siblings: its first dependent that has several inputs,
    /// at most four links away. Structure alone decides, never names.
    fn find_families(&mut self) {
        const LINKS_MAX: usize = 4;
        for task in 0..self.tasks.len() {
            let mut at = TaskIndex(task as u32);
            for _ in 0..LINKS_MAX {
                let [first, ..] = self.dependents(at) else { break };
                at = *first;
                if self.dependencies(at).len() > 1 {
                    self.tasks[task].family = at.0;
                    break;
                }
            }
        }
    }
}
