//! One graph: its tasks, its edges both ways, and what was learnt of its functions.

use crate::dense_set::DenseSet;
use crate::dependents::Dependents;
use crate::event::{Expected, GraphPlan};
use crate::gang::Gangs;
use crate::lengths::{self, Lengths};
use crate::modules::ComponentIndex;
use crate::queue::{ShapeIndex, ShapeKey};
use crate::ranks::{Fleet, bounded_order, planned_order};
use crate::sizes::Sizes;
use crate::task::{GraphIndex, NONE, State, Task};
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::graph::edges::{edges_of, within};
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::limits::DELEGATED_TASKS_MAX;
use wasm_tasks_protocol::message::Priority;
use wasm_tasks_protocol::time::{Duration, Time};

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
    /// Of these, those that were begun beside others that took too long.
    pub copies: u64,
    /// Bytes of results that assignments had to move.
    pub bytes_moved: u64,
    /// Largest peak of a task's linear memory.
    pub memory_peak_bytes: u64,
    /// Sum of wall times in sandboxes.
    pub run: Duration,
    /// Tasks that ended in tasks which they wrote.
    pub delegated: u64,
}

/// What was learnt of a function.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionStatistics {
    /// Attempts that ended in a result.
    pub count: u64,
    /// Attempts that ended in tasks which they wrote.
    pub delegated: u64,
    /// The wall times of both, summed.
    pub total: Duration,
    /// The largest peak of linear memory, in bytes.
    pub memory_peak_bytes: u64,
    /// Exponential moving average of the wall time, in microseconds.
    pub mean_us: Option<f64>,
    /// How large its results are.
    pub(crate) sizes: Sizes,
    /// The same by how much tasks are given.
    pub(crate) lengths: Lengths,
    /// Attempts whose length was foreseen.
    pub(crate) foreseen: u64,
    /// How far they were off, as parts of what was foreseen: an exponential moving average.
    pub(crate) spread: f64,
    /// Of attempts whose length was expected: the sum of what was, in microseconds, the older the less.
    pub(crate) expected_us: f64,
    /// And of what they took.
    pub(crate) taken_us: f64,
}

/// Weight of the newest attempt in the average of how far attempts were off: that of deviations in RFC 6298.
const SPREAD_WEIGHT: f64 = 0.25;
/// No single attempt is taken to be further off than this many times what was foreseen.
const OFF_MAX: f64 = 10.0;
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

    /// Notes an attempt that was foreseen to take so many microseconds.
    pub(crate) fn note_spread(&mut self, foreseen_us: u64, taken: Duration) {
        let off = (taken.0 as f64 / foreseen_us.max(1) as f64 - 1.0).abs().min(OFF_MAX);
        // RFC 6298 begins with half of the first measurement.
        self.spread = if self.foreseen == 0 { off.max(0.5) } else { self.spread + SPREAD_WEIGHT * (off - self.spread) };
        self.foreseen += 1;
    }

    /// Whether its tasks end in other tasks more often than not.
    pub(crate) fn delegates(&self) -> bool {
        self.delegated > self.count
    }

    /// What tasks take over what is expected of them.
    pub(crate) fn ratio(&self) -> f64 {
        if self.expected_us > 0.0 { (self.taken_us / self.expected_us).clamp(0.01, 100.0) } else { 1.0 }
    }
}

/// When the tasks of a new part of a graph run, at equal priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// After all that came before: what was asked for first comes first.
    After,
    /// Before everything else, what was delegated before included: what was begun is finished first, depth first, so that
    /// few of the tasks which it ends in are open at once.
    First,
}

/// The first part. There is room before it for as many parts as can be delegated.
const FIRST_PART: u32 = DELEGATED_TASKS_MAX as u32;

/// What tasks with the same settings have in common.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) settings: Settings,
    pub(crate) shape: ShapeIndex,
    /// The same without fallbacks.
    plain: ShapeIndex,
}

fn profiles(settings: Vec<Settings>, shape: &mut impl FnMut(ShapeKey) -> ShapeIndex) -> Vec<Profile> {
    let plain: Vec<ShapeIndex> = settings.iter().map(|settings| shape(ShapeKey::of(settings))).collect();
    let profile = |(position, settings): (usize, Settings)| {
        let fallbacks = &plain[position + 1..];
        let fallbacks = fallbacks.get(..settings.fallbacks.len()).expect("a plan has the fallbacks of its settings");
        let shape = match fallbacks {
            [] => plain[position],
            fallbacks => shape(ShapeKey { fallbacks: fallbacks.to_vec(), ..ShapeKey::of(&settings) }),
        };
        Profile { shape, plain: plain[position], settings }
    };
    settings.into_iter().enumerate().map(profile).collect()
}

#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) index: GraphIndex,
    pub(crate) tasks: Vec<Task>,
    dependency_starts: Vec<u32>,
    dependencies: Vec<TaskIndex>,
    dependents: Dependents,
    /// The first task of each part, and when its tasks run; the graph as it was submitted is the first part.
    parts: Vec<(u32, u32)>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) gangs: Gangs,
    /// Shapes of gangs of which only some members had to run again, each once.
    pub(crate) other_shapes: Vec<ShapeIndex>,
    pub(crate) functions: Vec<FunctionStatistics>,
    /// The component of each function; empty when that is not known.
    pub(crate) components: Vec<ComponentIndex>,
    /// What its author expects: empty, or one entry a task.
    pub(crate) expected: Vec<Expected>,
    /// Parts of results that edges move: empty, or one entry for each of `dependencies`.
    edge_bytes: Vec<u64>,
    pub(crate) counts: GraphCounts,
    /// Needed tasks that are neither done nor failed.
    pub(crate) open: u64,
    pub(crate) is_cancelled: bool,
    /// When it is stopped.
    pub(crate) deadline: Option<Time>,
    /// Whether it was stopped because of that.
    pub(crate) is_overdue: bool,
    pub(crate) is_finished: bool,
    /// Workers that were told of the graph.
    pub(crate) workers: DenseSet,
}

impl Graph {
    /// All tasks idle; what is needed is found by the caller.
    pub(crate) fn new(index: GraphIndex, plan: GraphPlan, fleet: Fleet, mut shape: impl FnMut(ShapeKey) -> ShapeIndex) -> Graph {
        let n = plan.functions.len();
        assert!(plan.dependency_starts.len() == n + 1 && plan.task_settings.len() == n, "a plan has one entry a task");
        assert!(plan.expected.is_empty() || plan.expected.len() == n, "a plan has one entry a task, or none");
        assert!(plan.edge_bytes.is_empty() || plan.edge_bytes.len() == plan.dependencies.len(), "and one an edge, or none");
        let ranks = planned_order(&plan.dependency_starts, &plan.dependencies, &plan.expected, fleet);
        let dependents = Dependents::new(&plan.dependency_starts, &plan.dependencies);
        let tasks = (0..n).map(|position| idle_task(&plan, position, ranks[position])).collect();
        let profiles = profiles(plan.settings, &mut shape);
        let functions = plan.functions.iter().max().map_or(0, |max| *max as usize + 1);
        let mut graph = Graph {
            index,
            tasks,
            dependency_starts: plan.dependency_starts,
            dependencies: plan.dependencies,
            dependents,
            parts: vec![(0, FIRST_PART)],
            profiles,
            gangs: Gangs::default(),
            other_shapes: Vec::new(),
            functions: vec![FunctionStatistics::default(); functions],
            components: Vec::new(),
            expected: plan.expected,
            edge_bytes: plan.edge_bytes,
            counts: GraphCounts::default(),
            open: 0,
            is_cancelled: false,
            deadline: None,
            is_overdue: false,
            is_finished: false,
            workers: DenseSet::default(),
        };
        (0..n as u32).for_each(|task| graph.find_family(TaskIndex(task)));
        graph.find_gangs(0);
        graph
    }

    /// Adds a fragment's tasks, all idle; what is needed is found by the caller. Takes time for the fragment, not for the graph
    /// (but for the first one, see [`Dependents`]).
    pub(crate) fn extend(&mut self, mut plan: GraphPlan, order: Order, mut shape: impl FnMut(ShapeKey) -> ShapeIndex) {
        let n = plan.functions.len();
        assert!(plan.dependency_starts.len() == n + 1 && plan.task_settings.len() == n, "a plan has one entry a task");
        let base = self.tasks.len() as u32;
        if self.counts.delegated > 0 {
            plan.dependencies.iter_mut().filter(|need| need.0 < base).for_each(|need| *need = self.stand_in(*need));
        }
        let (starts, inner) = within(&plan.dependency_starts, &plan.dependencies, base);
        let ranks = bounded_order(&starts, &inner, &plan.expected);
        self.tasks.extend((0..n).map(|position| idle_task(&plan, position, ranks[position])));
        let order = self.next_part(order);
        self.parts.push((base, order));
        self.dependents.extend(n);
        for (task, pair) in (base..).zip(plan.dependency_starts.windows(2)) {
            for need in &plan.dependencies[pair[0] as usize..pair[1] as usize] {
                self.dependents.add(*need, TaskIndex(task));
            }
        }
        append(&mut self.expected, base as usize, plan.expected, n, Expected::NOTHING);
        let (edges, new_edges) = (self.dependencies.len(), plan.dependencies.len());
        append(&mut self.edge_bytes, edges, plan.edge_bytes, new_edges, Expected::NOT_SAID);
        let edges = self.dependencies.len() as u32;
        self.dependency_starts.extend(plan.dependency_starts[1..].iter().map(|start| start + edges));
        self.dependencies.extend_from_slice(&plan.dependencies);
        let functions = plan.functions.iter().max().map_or(0, |max| *max as usize + 1);
        self.profiles.extend(profiles(plan.settings, &mut shape));
        if functions > self.functions.len() {
            self.functions.resize(functions, FunctionStatistics::default());
        }
        // Earlier tasks that met nobody so far may meet siblings now.
        for need in plan.dependencies.iter().filter(|need| need.0 < base) {
            if self.task(*need).family == NONE {
                self.find_family(*need);
            }
        }
        (base..base + n as u32).for_each(|task| self.find_family(TaskIndex(task)));
        self.find_gangs(base);
    }

    /// Finds the gangs among the tasks from one on.
    fn find_gangs(&mut self, first: u32) {
        let Graph { gangs, tasks, profiles, .. } = self;
        if profiles.iter().any(|profile| profile.settings.gang > 0) {
            let members = |task: TaskIndex| profiles[tasks[task.0 as usize].profile as usize].settings.gang;
            gangs.extend(first..tasks.len() as u32, members);
        }
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

    /// The task that took a task's place; itself where none did.
    pub(crate) fn stand_in(&self, mut task: TaskIndex) -> TaskIndex {
        while let State::Delegated { to } = self.task(task).state {
            task = to;
        }
        task
    }

    /// Puts a task in another's place: whoever needs that one needs this one instead. Only after [`Graph::extend`].
    ///
    /// Takes time for the inputs of those that need it.
    pub(crate) fn replace(&mut self, task: TaskIndex, by: TaskIndex) {
        for position in 0..self.dependents(task).len() {
            let dependent = self.dependents(task)[position].0 as usize;
            let inputs = self.dependency_starts[dependent] as usize..self.dependency_starts[dependent + 1] as usize;
            let inputs = &mut self.dependencies[inputs];
            let at = inputs.iter().position(|input| *input == task).expect("an edge is known at both ends");
            inputs[at] = by;
        }
        self.dependents.take_over(task, by);
        let old = self.task_mut(task);
        let (needed, is_output) = (std::mem::take(&mut old.needed), std::mem::take(&mut old.is_output));
        let is_announced = std::mem::take(&mut old.is_announced);
        let new = self.task_mut(by);
        new.needed += needed;
        (new.is_output, new.is_announced) = (is_output, is_announced);
    }

    /// Finds out how much a task is given, if its inputs are all done.
    pub(crate) fn classify(&mut self, task: TaskIndex) {
        if self.task(task).input_class != lengths::UNKNOWN || self.task(task).missing > 0 {
            return;
        }
        let inputs = self.dependencies(task).iter().enumerate();
        let bytes = inputs.map(|(position, input)| self.input_bytes(task, position, self.task(*input).size()));
        let class = lengths::class_of(bytes.fold(0, u64::saturating_add));
        self.task_mut(task).input_class = class;
    }

    pub(crate) fn dependents(&self, task: TaskIndex) -> &[TaskIndex] {
        self.dependents.of(task)
    }

    pub(crate) fn task(&self, task: TaskIndex) -> &Task {
        &self.tasks[task.0 as usize]
    }

    pub(crate) fn task_mut(&mut self, task: TaskIndex) -> &mut Task {
        &mut self.tasks[task.0 as usize]
    }

    /// The shapes that it uses, each as often as it was asked for.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = ShapeIndex> + '_ {
        let of =
            |profile: &Profile| [profile.plain, profile.shape].into_iter().take(1 + usize::from(profile.shape != profile.plain));
        self.profiles.iter().flat_map(of).chain(self.other_shapes.iter().copied())
    }

    pub(crate) fn profile_of(&self, task: TaskIndex) -> &Profile {
        &self.profiles[self.task(task).profile as usize]
    }

    pub(crate) fn priority(&self, task: TaskIndex) -> Priority {
        Priority {
            user: -self.profile_of(task).settings.priority,
            generation: self.index.generation,
            fragment: self.part_of(task),
            rank: self.task(task).rank,
        }
    }

    /// When the tasks of a new part run, among those of the graph's parts.
    fn next_part(&self, order: Order) -> u32 {
        let delegated = self.counts.delegated;
        match order {
            Order::After => FIRST_PART + (self.parts.len() as u64 - delegated) as u32,
            Order::First => FIRST_PART.saturating_sub(1 + u32::try_from(delegated).unwrap_or(u32::MAX)),
        }
    }

    /// When the part runs in which a task came.
    fn part_of(&self, task: TaskIndex) -> u32 {
        let at = match self.parts.len() {
            1 => 1,
            _ => self.parts.partition_point(|(start, _)| *start <= task.0),
        };
        self.parts[at - 1].1
    }

    /// The task in which a task meets siblings: its first dependent that has several inputs,
    /// at most four links away. Structure alone decides, never names.
    pub(crate) fn find_family(&mut self, task: TaskIndex) {
        const LINKS_MAX: usize = 4;
        let mut at = task;
        for _ in 0..LINKS_MAX {
            let [first, ..] = self.dependents(at) else { break };
            at = *first;
            if self.dependencies(at).len() > 1 {
                self.task_mut(task).family = at.0;
                break;
            }
        }
    }
}

/// Adds to a list that is empty, or has an entry for each of `old`, one that is empty or has an entry for each of `new`.
fn append<T: Clone>(list: &mut Vec<T>, old: usize, more: Vec<T>, new: usize, none: T) {
    if list.is_empty() && more.is_empty() {
        return;
    }
    if list.is_empty() {
        list.resize(old, none.clone());
    }
    list.extend(more);
    list.resize(old + new, none);
}

fn idle_task(plan: &GraphPlan, position: usize, rank: u32) -> Task {
    Task {
        state: State::Idle,
        missing: plan.dependency_starts[position + 1] - plan.dependency_starts[position],
        needed: 0,
        rank,
        family: NONE,
        home: NONE,
        function: plan.functions[position],
        profile: plan.task_settings[position],
        input_class: crate::lengths::UNKNOWN,
        attempts: 0,
        retries: 0,
        faults: 0,
        steals: 0,
        deaths: 0,
        was_counted: false,
        was_done: false,
        is_output: false,
        is_announced: false,
    }
}
