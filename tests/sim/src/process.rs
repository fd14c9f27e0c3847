//! A worker's process: the real worker core in a shell of values, as `worker/src` has it, with lanes that take virtual time.

use crate::scheduler::Offer;
use crate::store::{Store, Stored};
use crate::work::{Fate, Work, decode};
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use wasm_tasks_protocol::ids::{Attempt, ContentDigest, GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::limits::INLINE_BYTES_MAX;
use wasm_tasks_protocol::message::{AttemptDelegated, AttemptFailed, AttemptFinished, FromWorker, ToWorker};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{ErrorCode, TaskError, Time};
use wasm_tasks_worker_core::{
    Action, Actions, AttemptId, ComponentId, CoreSettings, Ended, Event, FetchId, GraphKey, InputValue, LaneId, Launch, Outcome,
    ResultId, Steps, WorkerCore,
};

/// A lane that has ended attempts says so at the latest when one of them ends this long after it last did.
const REPORT_EVERY: Duration = Duration::from_millis(2);

/// What is said of a component that could not be loaded, but may be the next time.
pub(crate) const PASSING: &str = "the component could not be fetched";

/// A turn has as many rounds as attempts end in it at most, and few in practice.
const ROUNDS_MAX: u32 = 100_000;

/// What a process asks of the world.
#[derive(Debug)]
pub enum Wish {
    /// A lane's first attempt ends at this time, unless it is stopped.
    LaneEnds {
        /// When.
        at: Time,
        /// Which lane.
        lane: LaneId,
        /// Which of its attempts.
        serial: u64,
    },
    /// Load a component.
    Load {
        /// Which.
        component: ComponentId,
        /// Whether that is impossible.
        is_broken: bool,
    },
    /// Ask a peer for a result, of which so many bytes are needed.
    Fetch {
        /// Names the try.
        fetch: FetchId,
        /// The graph.
        graph: GraphId,
        /// Whose result.
        task: TaskIndex,
        /// Who has it.
        from: WorkerId,
        /// Bytes of the parts that are needed.
        bytes: u64,
    },
    /// Stop a fetch.
    CancelFetch(FetchId),
    /// Say this to the scheduler.
    Say(Vec<FromWorker>),
    /// The process ends when everything is said.
    Leave,
    /// The process ends at once: the machine has no memory left for it.
    Die,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Launch>,
    /// The attempt that runs, whether it was interrupted, and since when it runs.
    current: Option<(Launch, bool, Time)>,
    done: Vec<Ended>,
    /// Results that attempts of this lane made and others of it may still follow.
    made: BTreeMap<AttemptId, Bytes>,
    /// Tells timers of attempts that were stopped from those that count.
    serial: u64,
    report_at: usize,
    has_reported: bool,
    last_report: Time,
    /// It is time to take what is done.
    is_due: bool,
}

/// How often each task ran, wherever it did.
pub type Tries = Rc<RefCell<BTreeMap<(GraphId, TaskIndex), u32>>>;

/// Marks a value that was fetched: of its parts only those that are needed are here.
pub(crate) const FETCHED: u8 = 1;

/// A worker's process.
pub struct Process {
    /// The core.
    pub core: WorkerCore,
    /// Its number.
    pub id: WorkerId,
    /// How many times faster than others it runs tasks.
    pub speed: f64,
    /// The next attempts that run fail for a reason of this worker's.
    pub faults_to_come: u32,
    /// Events so far.
    pub events: u64,
    /// Time in attempts, summed over lanes.
    pub busy: Duration,
    /// Whether the core is checked after every event.
    pub is_checked: bool,
    works: BTreeMap<GraphId, Arc<Work>>,
    graphs: BTreeMap<GraphKey, GraphId>,
    lanes: Vec<Lane>,
    /// Results that are here.
    pub store: Store,
    /// The core's steps that were counted.
    pub steps_seen: Steps,
    /// Parts of other workers' results that are here or on their way.
    parts: BTreeSet<(GraphId, TaskIndex, u32)>,
    /// Tasks that were assigned here, for the parts that they need.
    assigned: BTreeMap<(GraphId, TaskIndex), BTreeSet<TaskIndex>>,
    /// Results that the scheduler asked for: all parts of them are needed.
    ordered: BTreeSet<(GraphId, TaskIndex)>,
    /// A component could not be loaded in this turn.
    has_load_failed: bool,
    /// Attempts that began to run, where the core is checked.
    begun: BTreeSet<Attempt>,
    /// Bytes of results that the core knows of.
    stored_seen: u64,
    components: BTreeSet<ComponentId>,
    out: Actions,
    wishes: Vec<Wish>,
    tries: Tries,
    /// Bytes a second, for parts of results that are fetched after the rest.
    pub bandwidth: u64,
    /// The most that results in memory and tasks that ran took together.
    pub peak_memory_bytes: u64,
    /// Bytes of such parts.
    pub late_bytes: u64,
    /// Faults of workers that tasks met here.
    pub faults_met: Vec<(GraphId, TaskIndex)>,
}

impl Process {
    /// A process without work.
    pub fn new(id: WorkerId, offer: &Offer, tries: Tries) -> Process {
        let mut settings = CoreSettings::new(offer.slots, offer.memory_bytes);
        settings.pools = offer.pools.clone();
        Process {
            lanes: (0..settings.lanes).map(|_| Lane::default()).collect(),
            core: WorkerCore::new(settings),
            id,
            speed: 1.0,
            faults_to_come: 0,
            events: 0,
            busy: Duration::ZERO,
            is_checked: true,
            works: BTreeMap::new(),
            graphs: BTreeMap::new(),
            store: Store::new(offer.room),
            steps_seen: Steps::default(),
            parts: BTreeSet::new(),
            assigned: BTreeMap::new(),
            ordered: BTreeSet::new(),
            has_load_failed: false,
            begun: BTreeSet::new(),
            stored_seen: 0,
            components: BTreeSet::new(),
            out: Actions::default(),
            wishes: Vec::new(),
            tries,
            bandwidth: u64::MAX,
            peak_memory_bytes: 0,
            late_bytes: 0,
            faults_met: Vec::new(),
        }
    }

    /// Lets the process know what tasks of a graph do.
    pub fn know(&mut self, graph: GraphId, work: &Arc<Work>) {
        self.works.insert(graph, Arc::clone(work));
    }

    /// Feeds the core.
    pub fn feed(&mut self, now: Time, event: Event) {
        if let Event::Ordered(ToWorker::AssignTasks { graph, tasks }) = &event {
            for task in tasks {
                for input in &self.works[graph].dependencies[task.task.0 as usize] {
                    self.assigned.entry((*graph, *input)).or_default().insert(task.task);
                }
            }
        }
        if let Event::Ordered(ToWorker::FetchReplicas { graph, results }) = &event {
            self.ordered.extend(results.iter().map(|input| (*graph, input.task)));
        }
        self.core.handle(now, event, &mut self.out);
        self.events += 1;
        if self.is_checked {
            self.core.check_invariants();
        }
    }

    /// Ends a turn: decides and does until nothing is left to do. What the world must do is returned.
    pub fn settle(&mut self, now: Time) -> Vec<Wish> {
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds < ROUNDS_MAX, "the core wants more and more at one moment");
            let is_late = self.core.next_timeout().is_some_and(|(at, _)| at <= now);
            for at in 0..self.lanes.len() {
                let is_due = std::mem::take(&mut self.lanes[at].is_due);
                let ended = if is_due || is_late { std::mem::take(&mut self.lanes[at].done) } else { Vec::new() };
                if !ended.is_empty() {
                    // From here on the core knows: nothing new follows what ended.
                    let Lane { made, queue, current, .. } = &mut self.lanes[at];
                    let launches = queue.iter().chain(current.iter().map(|(launch, ..)| launch));
                    let followed: BTreeSet<AttemptId> = launches.flat_map(followed).collect();
                    made.retain(|maker, _| followed.contains(maker));
                    self.feed(now, Event::AttemptsEnded { lane: LaneId(at as u32), ended });
                }
            }
            if self.core.next_timeout().is_some_and(|(at, _)| at <= now) {
                self.feed(now, Event::TimedOut);
            }
            for (result, took) in std::mem::take(&mut self.store.newly_spilled) {
                self.feed(now, Event::Spilled { result, took });
            }
            let stored_bytes = self.store.memory_bytes();
            if stored_bytes != self.stored_seen {
                self.stored_seen = stored_bytes;
                self.feed(now, Event::MemoryMeasured { stored_bytes, process_bytes: stored_bytes });
            }
            self.feed(now, Event::Settle);
            if self.out.perform.is_empty() {
                break;
            }
            for action in std::mem::take(&mut self.out.perform) {
                self.perform(now, action);
            }
        }
        let batch = std::mem::take(&mut self.out.send);
        for message in &batch {
            if let FromWorker::Retracted { returned, .. } = message {
                let has_begun = returned.iter().find(|attempt| self.begun.contains(attempt));
                assert_eq!(has_begun, None, "what runs is not given back");
            }
            if let FromWorker::AttemptFailed(failed) = message {
                let is_old = !self.has_load_failed && failed.error.message == PASSING;
                assert!(!is_old, "a component that could not be loaded is asked for again");
            }
        }
        self.has_load_failed = false;
        if !batch.is_empty() {
            self.wishes.push(Wish::Say(batch));
        }
        if self.core.has_left() {
            self.wishes.push(Wish::Leave);
        }
        std::mem::take(&mut self.wishes)
    }

    fn perform(&mut self, now: Time, action: Action) {
        match action {
            Action::Execute { lane, run, report_at } => {
                // A shell looks for it now, and not when an attempt's turn comes.
                let is_loaded = run.iter().all(|launch| self.components.contains(&launch.component));
                assert!(is_loaded, "the core hands over what is loaded");
                let entry = &mut self.lanes[lane.0 as usize];
                entry.queue.extend(run);
                entry.report_at = report_at as usize;
                entry.has_reported = false;
                self.start_next(now, lane);
            }
            Action::Interrupt { lane, id } => self.interrupt(now, lane, id),
            Action::Recall(lane) => {
                let Lane { queue, done, is_due, .. } = &mut self.lanes[lane.0 as usize];
                *is_due = true;
                done.extend(queue.drain(..).map(|launch| Ended { id: launch.id, outcome: Outcome::NotRun }));
            }
            Action::LoadComponent { component, digest, .. } => {
                let is_broken = self.works.values().any(|work| work.broken_component() == Some(digest));
                self.wishes.push(Wish::Load { component, is_broken });
            }
            Action::UnloadComponent(component) => drop(self.components.remove(&component)),
            Action::LoadData { .. } => panic!("no graph of the simulator has data that is loaded"),
            Action::Fetch { fetch, graph, task, from, size: _ } => {
                let bytes = self.parts_to_come(graph, task);
                self.wishes.push(Wish::Fetch { fetch, graph, task, from, bytes });
            }
            Action::CancelFetch(fetch) => self.wishes.push(Wish::CancelFetch(fetch)),
            Action::Store { result, value } => self.keep(result, value),
            Action::Drop(result) => {
                let dropped = self.store.remove(result).expect("what is dropped was stored");
                self.parts.retain(|(graph, task, _)| (*graph, *task) != (dropped.graph, dropped.task));
            }
            Action::DefineGraph { graph, graph_id, .. } => drop(self.graphs.insert(graph, graph_id)),
            Action::ExtendGraph { .. } => {}
            Action::ForgetGraph(graph) => drop(self.graphs.remove(&graph)),
            Action::Welcomed(_) | Action::Heartbeat | Action::AddPeer(_) | Action::RemovePeer(_) | Action::Leave => {}
        }
    }

    /// A component is here.
    pub fn loaded(&mut self, now: Time, component: ComponentId, took: Duration, result: Result<(), TaskError>) {
        if result.is_ok() {
            self.components.insert(component);
        }
        self.has_load_failed |= result.is_err();
        self.feed(now, Event::ComponentLoaded { component, took, result });
    }

    fn keep(&mut self, result: ResultId, value: Bytes) {
        let (digest, size, task) = decode(&value);
        let found = self.works.iter().find(|(_, work)| task.0 < work.tasks.len() as u32 && work.value(task) == digest);
        let graph = *found.expect("a value is that of a task: nothing else is ever stored").0;
        let is_whole = value.last() != Some(&FETCHED);
        let bytes = if is_whole { size } else { self.part_bytes(graph, task) };
        self.store.insert(result, Stored { value, graph, task, bytes, is_whole, is_lost: false, is_spilled: false });
        if self.store.is_out_of_memory() {
            self.wishes.push(Wish::Die);
        }
    }

    /// Marks the parts of a result that assigned tasks need as coming, and returns the bytes of those that were not.
    fn parts_to_come(&mut self, graph: GraphId, task: TaskIndex) -> u64 {
        let work = &self.works[&graph];
        let consumers = self.assigned.get(&(graph, task)).into_iter().flatten();
        let needs = consumers.flat_map(|consumer| &work.task(*consumer).needs).filter(|(need, _)| *need == task);
        let all = (0..work.task(task).parts.len() as u32).filter(|_| self.ordered.contains(&(graph, task)));
        let mut bytes = 0;
        for part in needs.map(|(_, part)| *part).chain(all) {
            if self.parts.insert((graph, task, part)) {
                bytes += work.task(task).parts[part as usize];
            }
        }
        bytes
    }

    /// Inputs are read from disk, and parts of them that did not come with the rest are fetched, before a task runs.
    /// Returns the microseconds.
    fn read_inputs(&mut self, graph: GraphId, launch: &Launch) -> u64 {
        let work = Arc::clone(&self.works[&graph]);
        let mut late = 0;
        let mut micros = 0;
        for input in &launch.inputs {
            let InputValue::Stored(result) = &input.value else { continue };
            micros += self.store.read_micros(*result);
            if self.store.get(*result).is_none_or(|stored| stored.is_whole) {
                continue;
            }
            for (_, part) in work.task(launch.task).needs.iter().filter(|(need, _)| work.stand_in(*need) == input.task) {
                if self.parts.insert((graph, input.task, *part)) {
                    let size = work.task(input.task).parts[*part as usize];
                    late += size;
                    self.store.grow(*result, size);
                }
            }
        }
        self.late_bytes += late;
        micros + (late as f64 * 1e6 / self.bandwidth as f64) as u64
    }

    fn part_bytes(&self, graph: GraphId, task: TaskIndex) -> u64 {
        let here = self.parts.range((graph, task, 0)..=(graph, task, u32::MAX));
        here.map(|(_, _, part)| self.works[&graph].task(task).parts[*part as usize]).sum()
    }

    /// Looks whether this is the most that was ever taken.
    fn note_memory(&mut self) {
        let running = self.lanes.iter().filter_map(|lane| lane.current.as_ref());
        let peak = |launch: &Launch| self.works[&self.graphs[&launch.graph]].task(launch.task).peak;
        let taken = self.store.memory_bytes() + running.map(|(launch, ..)| peak(launch)).sum::<u64>();
        self.peak_memory_bytes = self.peak_memory_bytes.max(taken);
    }

    fn interrupt(&mut self, now: Time, lane: LaneId, id: AttemptId) {
        let entry = &mut self.lanes[lane.0 as usize];
        entry.is_due = true;
        if entry.current.as_ref().is_some_and(|(launch, ..)| launch.id == id) {
            entry.serial += 1;
            self.end_current(now, lane, true);
        } else if let Some(at) = entry.queue.iter().position(|launch| launch.id == id) {
            entry.queue.remove(at);
            entry.done.push(Ended { id, outcome: Outcome::NotRun });
        }
    }

    fn start_next(&mut self, now: Time, lane: LaneId) {
        let entry = &mut self.lanes[lane.0 as usize];
        if entry.current.is_some() {
            return;
        }
        let launch = loop {
            let Some(launch) = entry.queue.pop_front() else { return };
            if followed(&launch).all(|maker| entry.made.contains_key(&maker)) {
                break launch;
            }
            entry.done.push(Ended { id: launch.id, outcome: Outcome::NotRun });
            entry.is_due = true;
        };
        assert!(self.components.contains(&launch.component), "the core launches what is loaded");
        let graph = self.graphs[&launch.graph];
        let micros = (self.works[&graph].task(launch.task).duration.0 as f64 / self.speed) as u64;
        let micros = micros + self.read_inputs(graph, &launch);
        if self.is_checked {
            self.begun.insert(launch.attempt);
        }
        let entry = &mut self.lanes[lane.0 as usize];
        entry.serial += 1;
        let serial = entry.serial;
        entry.current = Some((launch, false, now));
        self.note_memory();
        self.wishes.push(Wish::LaneEnds { at: now + Duration(micros.max(1)), lane, serial });
    }

    /// The time of a lane's attempt has come. Returns whether a turn is due.
    pub fn on_lane_ended(&mut self, now: Time, lane: LaneId, serial: u64) -> bool {
        if self.lanes[lane.0 as usize].serial != serial {
            return false;
        }
        self.end_current(now, lane, false);
        let entry = &mut self.lanes[lane.0 as usize];
        let left = entry.queue.len() + usize::from(entry.current.is_some());
        let is_low = left <= entry.report_at + 1;
        let is_due = left == 0 || (is_low && !entry.has_reported) || now.since(entry.last_report) >= REPORT_EVERY;
        if is_due {
            entry.has_reported |= is_low;
            entry.last_report = now;
            entry.is_due = true;
        }
        is_due || !self.wishes.is_empty()
    }

    fn end_current(&mut self, now: Time, lane: LaneId, is_interrupted: bool) {
        let (launch, _, since) = self.lanes[lane.0 as usize].current.take().expect("the serial is that of a running attempt");
        let run = now.since(since);
        self.busy = self.busy + run;
        let outcome = self.outcome(lane, &launch, run, is_interrupted);
        if let Outcome::Finished { value, .. } = &outcome {
            self.lanes[lane.0 as usize].made.insert(launch.id, value.clone());
        }
        self.lanes[lane.0 as usize].done.push(Ended { id: launch.id, outcome });
        self.start_next(now, lane);
    }

    fn outcome(&mut self, lane: LaneId, launch: &Launch, run: Duration, is_interrupted: bool) -> Outcome {
        let failed = |code: ErrorCode| {
            let error = TaskError::new(code, "as the simulation has it");
            Outcome::Failed(Box::new(AttemptFailed { attempt: launch.attempt, run, has_logs: false, error }))
        };
        if is_interrupted {
            return failed(ErrorCode::Cancelled);
        }
        let graph = self.graphs[&launch.graph];
        let work = Arc::clone(&self.works[&graph]);
        let Some(inputs) = self.inputs(&work, graph, lane, launch) else {
            self.faults_met.push((graph, launch.task));
            return failed(ErrorCode::WorkerFault);
        };
        if self.faults_to_come > 0 {
            self.faults_to_come -= 1;
            self.faults_met.push((graph, launch.task));
            return failed(ErrorCode::WorkerFault);
        }
        let tries = {
            let mut tries = self.tries.borrow_mut();
            let count = tries.entry((graph, launch.task)).or_default();
            *count += 1;
            *count
        };
        match work.task(launch.task).fate {
            Fate::Fails(code) => return failed(code),
            Fate::FailsFirst(times, code) if tries <= times => return failed(code),
            Fate::Fine | Fate::FailsFirst(..) => {}
        }
        if let Some(piece) = work.delegation_by(launch.task) {
            let (attempt, memory_peak_bytes) = (launch.attempt, work.task(launch.task).peak);
            let tasks = Bytes::copy_from_slice(&(piece as u64).to_le_bytes());
            let report = AttemptDelegated { attempt, run, memory_peak_bytes, fuel_used: None, has_logs: false, tasks };
            return Outcome::Delegated(Box::new(report));
        }
        let value = work.encode(launch.task, work.result(launch.task, &inputs));
        let size = work.task(launch.task).size();
        let report = AttemptFinished {
            attempt: launch.attempt,
            size,
            digest: ContentDigest([0; 32]),
            run,
            memory_peak_bytes: work.task(launch.task).peak,
            fuel_used: None,
            has_logs: false,
            inline: (size <= INLINE_BYTES_MAX as u64).then(|| value.clone()),
        };
        Outcome::Finished { report: Box::new(report), value }
    }

    /// The inputs' values; none when one of them cannot be read.
    ///
    /// # Panics
    /// When the core launched a task without its inputs, or with another's.
    fn inputs(&self, work: &Work, graph: GraphId, lane: LaneId, launch: &Launch) -> Option<Vec<u64>> {
        let needs = work.inputs_of(launch.task);
        let given: Vec<TaskIndex> = launch.inputs.iter().map(|input| input.task).collect();
        assert_eq!(needs, given, "a task gets what it needs");
        let mut values = BTreeMap::new();
        for input in &launch.inputs {
            let value = match &input.value {
                InputValue::Inline(value) => value,
                InputValue::Following(maker) => &self.lanes[lane.0 as usize].made[maker],
                InputValue::Stored(result) => {
                    let stored =
                        self.store.get(*result).expect("the core launches what has its inputs, and they are stored before");
                    assert_eq!((stored.graph, stored.task), (graph, input.task), "an input is the result of its task");
                    if stored.is_lost {
                        return None;
                    }
                    &stored.value
                }
            };
            let (digest, _, task) = decode(value);
            assert_eq!((digest, task), (work.value(input.task), input.task), "an input has the right value");
            values.insert(input.task, digest);
        }
        let needs = &work.dependencies[launch.task.0 as usize];
        Some(needs.iter().map(|need| values[&work.stand_in(*need)]).collect())
    }

    /// Answers a peer that asks for a result.
    pub fn serve(&self, graph: GraphId, task: TaskIndex) -> Option<Bytes> {
        self.store.get(self.core.held(graph, task)?)?.serve()
    }

    /// Results that are here.
    pub fn holdings(&self) -> Vec<(GraphId, TaskIndex)> {
        self.store.iter().map(|stored| (stored.graph, stored.task)).collect()
    }
}

/// The attempts whose results a launch takes from its lane.
fn followed(launch: &Launch) -> impl Iterator<Item = AttemptId> + '_ {
    launch.inputs.iter().filter_map(|input| match &input.value {
        InputValue::Following(maker) => Some(*maker),
        InputValue::Inline(_) | InputValue::Stored(_) => None,
    })
}
