//! Random histories: a scheduler that says anything, a shell that does as it is told in any order. After every event the
//! invariants hold; at the end everything settles and every attempt has ended exactly once.

use super::builders::{assignment, core_settings, definition, delegated, ended, failed, finished, graph_id, input};
use crate::{Action, Actions, AttemptId, ComponentId, Event, FetchId, GraphKey, LaneId, Outcome, ResultId, WorkerCore};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::message::{FromWorker, InputSource, ToWorker};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{Attempt, ComponentDigest, ErrorCode, TaskError, TaskIndex, Time};

const GRAPHS: u8 = 2;
const TASKS: u32 = 12;

/// A task, its function and settings, and its inputs.
type Task = (u32, u32, u32, Vec<(u32, Source)>);

#[derive(Clone, Debug)]
enum Step {
    Assign { graph: u8, tasks: Vec<Task> },
    Cancel(Vec<u16>),
    Retract(Vec<u16>),
    Release(u8, Vec<u32>),
    Forget(u8),
    Update(u16, u32, Source),
    RemovePeer(u64),
    EndFront { lane: u8, count: u8, how: u8 },
    Load(bool),
    Data(bool),
    Fetched(bool),
    Wait(u16),
    Settle,
    Shutdown,
    Drain(bool),
    Memory(u64),
    Spill(u16),
    Replicate(u8, Vec<(u32, Source)>),
    Broadcast(u8, Vec<u32>),
}

#[derive(Clone, Debug)]
enum Source {
    Inline,
    At(Vec<u64>),
    Pending(u16),
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        Just(Source::Inline),
        proptest::collection::vec(1u64..5, 0..3).prop_map(Source::At),
        any::<u16>().prop_map(Source::Pending),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let task = (0..TASKS, 0u32..4, 0u32..7, proptest::collection::vec((0..TASKS, source()), 0..3));
    let some = || proptest::collection::vec(any::<u16>(), 0..4);
    prop_oneof![
        6 => (0..GRAPHS, proptest::collection::vec(task, 1..6)).prop_map(|(graph, tasks)| Step::Assign { graph, tasks }),
        1 => some().prop_map(Step::Cancel),
        1 => some().prop_map(Step::Retract),
        1 => (0..GRAPHS, proptest::collection::vec(0..TASKS, 0..4)).prop_map(|(graph, tasks)| Step::Release(graph, tasks)),
        1 => (0..GRAPHS).prop_map(Step::Forget),
        1 => (any::<u16>(), 0..TASKS, source()).prop_map(|(attempt, task, source)| Step::Update(attempt, task, source)),
        1 => (1u64..5).prop_map(Step::RemovePeer),
        8 => (any::<u8>(), 1u8..4, 0u8..9).prop_map(|(lane, count, how)| Step::EndFront { lane, count, how }),
        3 => prop::bool::weighted(0.8).prop_map(Step::Load),
        2 => prop::bool::weighted(0.8).prop_map(Step::Data),
        3 => any::<bool>().prop_map(Step::Fetched),
        2 => any::<u16>().prop_map(Step::Wait),
        6 => Just(Step::Settle),
        1 => prop::bool::weighted(0.02).prop_map(|leaves| if leaves { Step::Shutdown } else { Step::Settle }),
        1 => (prop::bool::weighted(0.03), any::<bool>()).prop_map(|(leaves, itself)| if leaves { Step::Drain(itself) } else { Step::Settle }),
        2 => (0..GRAPHS, proptest::collection::vec((0..TASKS, source()), 0..4)).prop_map(|(graph, results)| Step::Replicate(graph, results)),
        1 => (0u64..17).prop_map(Step::Memory),
        1 => (0..GRAPHS, proptest::collection::vec(0u32..4, 0..3)).prop_map(|(graph, data)| Step::Broadcast(graph, data)),
        1 => any::<u16>().prop_map(Step::Spill),
    ]
}

/// A shell that has done nothing yet of what it was told.
struct Shell {
    core: WorkerCore,
    now: Time,
    lanes: BTreeMap<LaneId, VecDeque<AttemptId>>,
    /// What attempts in lanes follow.
    follows: BTreeMap<AttemptId, Vec<AttemptId>>,
    /// Attempts that ended well.
    made: BTreeSet<AttemptId>,
    loads: Vec<ComponentId>,
    loaded: BTreeSet<ComponentId>,
    data: Vec<(GraphKey, u32)>,
    fetches: Vec<FetchId>,
    stored: BTreeSet<ResultId>,
    graphs: BTreeSet<GraphKey>,
    /// Attempts that were assigned, and how they ended: none of this is the core's.
    open: BTreeSet<Attempt>,
    next_attempt: u64,
    /// The last attempt of each task that was assigned.
    makers: BTreeMap<(u8, u32), Attempt>,
    has_left: bool,
    is_short: bool,
    /// Components that the scheduler was told are here.
    told: BTreeSet<(ComponentDigest, bool)>,
}

/// How long results take to be written to disk.
const WRITE: Duration = Duration(43);
/// How long components take to load.
const LOAD: Duration = Duration(41);

impl Shell {
    fn new(slots: u32) -> Shell {
        Shell {
            core: WorkerCore::new(core_settings(slots)),
            now: Time(0),
            lanes: BTreeMap::new(),
            follows: BTreeMap::new(),
            made: BTreeSet::new(),
            loads: Vec::new(),
            loaded: BTreeSet::new(),
            data: Vec::new(),
            fetches: Vec::new(),
            stored: BTreeSet::new(),
            graphs: BTreeSet::new(),
            open: BTreeSet::new(),
            next_attempt: 0,
            makers: BTreeMap::new(),
            has_left: false,
            is_short: false,
            told: BTreeSet::new(),
        }
    }

    fn feed(&mut self, event: Event) {
        let mut out = Actions::default();
        self.core.handle(self.now, event, &mut out);
        self.core.check_invariants();
        out.send.into_iter().for_each(|message| self.hear(message));
        out.perform.into_iter().for_each(|action| self.perform(action));
    }

    fn order(&mut self, order: ToWorker) {
        self.feed(Event::Ordered(order));
    }

    /// The scheduler hears: each attempt ends once, and only when it is open.
    fn hear(&mut self, message: FromWorker) {
        let mut close = |attempt: Attempt| assert!(self.open.remove(&attempt), "attempt {} ended twice or never was", attempt.0);
        match message {
            FromWorker::AttemptsFinished(reports) => reports.iter().for_each(|report| close(report.attempt)),
            FromWorker::AttemptFailed(report) => close(report.attempt),
            FromWorker::AttemptDelegated(report) => close(report.attempt),
            FromWorker::Retracted { returned, .. } => returned.into_iter().for_each(close),
            FromWorker::InputMissing { attempt, .. } => assert!(self.open.contains(&attempt)),
            FromWorker::AttemptsStarted(attempts) => assert!(attempts.iter().all(|attempt| self.open.contains(attempt))),
            FromWorker::ResultSpilled { took, .. } => assert_eq!(took, WRITE, "as it was"),
            FromWorker::ComponentLoaded { digest, is_metered, took } => {
                assert!(took == LOAD && self.told.insert((digest, is_metered)), "a component is told of once");
            }
            FromWorker::ComponentUnloaded { digest, is_metered } => drop(self.told.remove(&(digest, is_metered))),
            FromWorker::BytesFetched { bytes, took } | FromWorker::BytesGiven { bytes, took } => {
                assert!(bytes >= 1 << 20 && took.0 <= self.now.0)
            }
            FromWorker::ReplicasAdded { .. } | FromWorker::ReplicasMissing { .. } | FromWorker::Draining { .. } => {}
            FromWorker::MemoryShort(is_short) => assert!(std::mem::replace(&mut self.is_short, is_short) != is_short),
            FromWorker::Leaving => assert!(self.open.is_empty()),
            FromWorker::Joined(_) | FromWorker::Heartbeat { .. } => panic!("the shell says that"),
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Execute { lane, run, .. } => {
                for launch in run {
                    assert!(self.loaded.contains(&launch.component), "what runs is loaded");
                    assert!(self.graphs.contains(&launch.graph));
                    for input in &launch.inputs {
                        match input.value {
                            crate::InputValue::Inline(_) => {}
                            crate::InputValue::Stored(result) => {
                                assert!(self.stored.contains(&result), "what runs has its inputs");
                            }
                            crate::InputValue::Following(maker) => {
                                let is_before = self.lanes[&lane].contains(&maker);
                                assert!(is_before, "what follows comes after what it follows, in the same lane");
                                self.follows.entry(launch.id).or_default().push(maker);
                            }
                        }
                    }
                    self.lanes.entry(lane).or_default().push_back(launch.id);
                }
            }
            Action::Interrupt { lane, id } => assert!(self.lanes[&lane].contains(&id)),
            Action::Recall(lane) => {
                let back = self.lanes.get_mut(&lane).expect("a lane with work").split_off(1);
                back.iter().for_each(|id| drop(self.follows.remove(id)));
                let ended = back.into_iter().map(|id| ended(id, Outcome::NotRun)).collect();
                self.feed(Event::AttemptsEnded { lane, ended });
            }
            Action::LoadComponent { component, .. } => self.loads.push(component),
            Action::UnloadComponent(component) => drop(self.loaded.remove(&component)),
            Action::LoadData { graph, position, .. } => self.data.push((graph, position)),
            Action::Fetch { fetch, .. } => self.fetches.push(fetch),
            Action::CancelFetch(fetch) => self.fetches.retain(|running| *running != fetch),
            Action::Store { result, .. } => assert!(self.stored.insert(result), "a result is stored once"),
            Action::Drop(result) => assert!(self.stored.remove(&result), "what is dropped was stored"),
            Action::DefineGraph { graph, .. } => drop(self.graphs.insert(graph)),
            Action::ExtendGraph { graph, .. } => assert!(self.graphs.contains(&graph)),
            Action::ForgetGraph(graph) => assert!(self.graphs.remove(&graph)),
            Action::Leave => self.has_left = true,
            Action::Welcomed(_) | Action::Heartbeat | Action::AddPeer(_) | Action::RemovePeer(_) => {}
        }
    }

    fn attempt(&self, pick: u16) -> Attempt {
        Attempt(u64::from(pick) % (self.next_attempt + 1))
    }

    /// Mostly a pending result is really made here.
    fn source_of(&self, graph: u8, task: u32, source: Source) -> InputSource {
        match (&source, self.makers.get(&(graph, task))) {
            (Source::Pending(pick), Some(maker)) if pick % 4 != 0 => InputSource::Pending(*maker),
            (Source::Pending(_) | Source::Inline | Source::At(_), _) => self.source(source),
        }
    }

    fn source(&self, source: Source) -> InputSource {
        match source {
            Source::Inline => InputSource::Inline(Bytes::from_static(b"inline")),
            Source::At(workers) => InputSource::At(workers.into_iter().map(WorkerId).collect()),
            Source::Pending(pick) => InputSource::Pending(self.attempt(pick)),
        }
    }

    fn end_front(&mut self, lane: LaneId, count: u8, how: u8) {
        let Some(queue) = self.lanes.get_mut(&lane) else { return };
        let batch: Vec<_> = queue.drain(..queue.len().min(usize::from(count))).collect();
        if batch.is_empty() {
            return;
        }
        let outcome = || match how {
            0 => failed(),
            8 => delegated(),
            how => finished([0, 3, 10, 10, 90, 400, 6_000, 80_000][usize::from(how)], b"result"),
        };
        let mut result = Vec::new();
        for id in batch {
            let makers = self.follows.remove(&id).unwrap_or_default();
            let can_run = makers.iter().all(|maker| self.made.contains(maker));
            let outcome = if can_run { outcome() } else { Outcome::NotRun };
            if matches!(outcome, Outcome::Finished { .. }) {
                self.made.insert(id);
            }
            result.push(ended(id, outcome));
        }
        self.feed(Event::AttemptsEnded { lane, ended: result });
    }

    fn load(&mut self, succeeds: bool) {
        let Some(component) = self.loads.pop() else { return };
        let code = if self.next_attempt.is_multiple_of(2) { ErrorCode::CompileFailed } else { ErrorCode::WorkerFault };
        if succeeds {
            self.loaded.insert(component);
        }
        let result = if succeeds { Ok(()) } else { Err(TaskError::new(code, "no")) };
        self.feed(Event::ComponentLoaded { component, took: LOAD, result });
    }

    fn take(&mut self, step: Step) {
        self.now = self.now + Duration(37);
        match step {
            Step::Assign { graph, tasks } => {
                let mut built = Vec::new();
                for (task, function, settings, inputs) in tasks {
                    self.next_attempt += 1;
                    self.open.insert(Attempt(self.next_attempt));
                    let inputs =
                        inputs.into_iter().map(|(task, from)| input(task, 300, self.source_of(graph, task, from))).collect();
                    self.makers.insert((graph, task), Attempt(self.next_attempt));
                    let mut task = assignment(task, self.next_attempt, function, settings, inputs);
                    if self.next_attempt.is_multiple_of(3) {
                        // An array with a reference to data entry 1.
                        task.args = Bytes::from_static(&[0x91, 0xd4, 2, 1]);
                    }
                    built.push(task);
                }
                self.order(definition(graph));
                self.order(ToWorker::AssignTasks { graph: graph_id(graph), tasks: built });
            }
            Step::Cancel(picks) => {
                let attempts: Vec<_> = picks.into_iter().map(|pick| self.attempt(pick)).collect();
                self.open.retain(|attempt| !attempts.contains(attempt));
                self.order(ToWorker::CancelAttempts(attempts));
            }
            Step::Retract(picks) => {
                let mut attempts: Vec<_> = picks.into_iter().map(|pick| self.attempt(pick)).collect();
                attempts.dedup();
                self.order(ToWorker::RetractAttempts(attempts));
            }
            Step::Release(graph, tasks) => {
                let tasks = tasks.into_iter().map(TaskIndex).collect();
                self.order(ToWorker::ReleaseResults { graph: graph_id(graph), tasks });
            }
            Step::Forget(graph) => {
                let before: Vec<_> = self.open.iter().copied().filter(|attempt| self.core.explain(*attempt).is_some()).collect();
                self.order(ToWorker::ForgetGraph(graph_id(graph)));
                for attempt in before {
                    if self.core.explain(attempt).is_none() {
                        self.open.remove(&attempt);
                    }
                }
            }
            Step::Update(pick, task, from) => {
                let input = input(task, 300, self.source(from));
                self.order(ToWorker::UpdateInput { attempt: self.attempt(pick), input });
            }
            Step::RemovePeer(peer) => self.order(ToWorker::RemovePeer(WorkerId(peer))),
            Step::EndFront { lane, count, how } => self.end_front(LaneId(u32::from(lane) % 6), count, how),
            Step::Load(succeeds) => self.load(succeeds),
            Step::Spill(pick) => {
                let count = self.stored.len().max(1);
                if let Some(result) = self.stored.iter().nth(usize::from(pick) % count).copied() {
                    self.feed(Event::Spilled { result, took: WRITE });
                }
            }
            Step::Data(succeeds) => {
                let Some((graph, position)) = self.data.pop() else { return };
                let result = if succeeds { Ok(()) } else { Err(TaskError::new(ErrorCode::WorkerFault, "no")) };
                self.feed(Event::DataLoaded { graph, position, result });
            }
            Step::Fetched(succeeds) => {
                let Some(fetch) = self.fetches.pop() else { return };
                let value = succeeds.then(|| Bytes::from_static(b"fetched"));
                self.feed(Event::FetchEnded { fetch, value, bytes: 4 << 20 });
            }
            Step::Wait(micros) => {
                self.now = self.now + Duration(u64::from(micros));
                if self.core.next_timeout().is_some_and(|(at, _)| at <= self.now) {
                    self.feed(Event::TimedOut);
                    assert!(self.core.next_timeout().is_none_or(|(at, _)| at > self.now), "what was due is done");
                }
            }
            Step::Settle => self.feed(Event::Settle),
            Step::Shutdown => self.order(ToWorker::Shutdown),
            Step::Memory(part) => {
                let stored_bytes = core_settings(1).memory_bytes / 16 * part;
                self.feed(Event::MemoryMeasured { stored_bytes, process_bytes: stored_bytes / 2 });
            }
            Step::Drain(true) => self.feed(Event::Drain { within: None }),
            Step::Drain(false) => self.order(ToWorker::Drain),
            Step::Broadcast(graph, data) => self.order(ToWorker::LoadData { graph: graph_id(graph), data }),
            Step::Replicate(graph, results) => {
                let results = results.into_iter().map(|(task, from)| input(task, 300, self.source(from))).collect();
                self.order(ToWorker::FetchReplicas { graph: graph_id(graph), results });
            }
        }
    }

    /// Everything succeeds from now on; what waits for what nobody has is given up by the scheduler.
    fn heal(&mut self) {
        for _ in 0..2_000 {
            self.feed(Event::Settle);
            let lanes: Vec<_> = self.lanes.keys().copied().collect();
            lanes.into_iter().for_each(|lane| self.end_front(lane, 255, 2));
            self.take(Step::Load(true));
            self.take(Step::Data(true));
            self.take(Step::Fetched(true));
            let is_busy = self.lanes.values().any(|queue| !queue.is_empty());
            if !is_busy && self.loads.is_empty() && self.data.is_empty() && self.fetches.is_empty() {
                self.feed(Event::Settle);
                if self.lanes.values().all(VecDeque::is_empty) && self.fetches.is_empty() {
                    break;
                }
            }
        }
        for attempt in self.open.clone() {
            let why = self.core.explain(attempt).expect("open attempts are here");
            assert!(why.reasons.iter().any(|reason| reason.contains("nobody") || reason.contains("being made here")), "{why:?}");
        }
        let open: Vec<_> = self.open.iter().copied().collect();
        self.open.clear();
        self.order(ToWorker::CancelAttempts(open));
        assert_eq!(self.core.attempt_count(), 0);
        (0..GRAPHS).for_each(|graph| self.order(ToWorker::ForgetGraph(graph_id(graph))));
        assert!(self.stored.is_empty() && self.graphs.is_empty() && self.core.held_bytes() == 0, "nothing is left over");
        self.order(ToWorker::Shutdown);
        assert!(self.has_left);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]
    #[test]
    fn invariants_hold_and_everything_ends(slots in 1u32..4, steps in proptest::collection::vec(step(), 0..80)) {
        let mut shell = Shell::new(slots);
        steps.into_iter().for_each(|step| shell.take(step));
        shell.heal();
    }
}
