//! One graph: its tasks, its edges both ways, and what was learnt of its functions.

use crate::dense_set::DenseSet;
use crate::event::GraphPlan;
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
    /// Exponential moving average of the wall time, in microseconds.
    pub mean_us: Option<f64>,
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
    pub(crate) fn new(index: GraphIndex, plan: GraphPlan, mut shape: impl FnMut(ShapeKey) -> ShapeIndex) -> Graph {
        let n = plan.functions.len();
        assert!(plan.dependency_starts.len() == n + 1 && plan.task_settings.len() == n, "a plan has one entry a task");
        let ranks = static_order(&plan.dependency_starts, &plan.dependencies);
        let (dependent_starts, dependents) = transpose(&plan.dependency_starts, &plan.dependencies);
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
