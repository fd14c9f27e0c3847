//! Scheduler, workers, links and time: what a simulation consists of, and its one loop.
//!
//! Control messages of a link arrive whole, once and in order, as on a QUIC stream; a link that loses one is dead. Different
//! links, and fetches, overtake each other freely.

mod trouble;

use crate::agenda::Agenda;
use crate::network::{FlowId, NetModel, Network};
use crate::process::{FETCHED, PASSING, Process, Tries, Wish};
use crate::random::Random;
use crate::scheduler::{Offer, Relay, Scheduler};
use crate::work::{Work, decode};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::message::{FromWorker, ToWorker};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{ErrorCode, TaskError, Time};
use wasm_tasks_worker_core::{ComponentId, Event, FetchId, LaneId};

/// What a world is like.
#[derive(Clone, Debug)]
pub struct WorldSettings {
    /// How transfers share the network.
    pub model: NetModel,
    /// Bytes a second of each worker's way up and of its way down.
    pub bandwidth: u64,
    /// One way between any two processes.
    pub latency: Duration,
    /// At most so much is added to each message's way.
    pub jitter: Duration,
    /// How long a component takes to load.
    pub load: Duration,
    /// How long the scheduler takes to notice that a worker is gone.
    pub notice: Duration,
    /// Whether workers' cores are checked after every event.
    pub is_checked: bool,
}

impl Default for WorldSettings {
    fn default() -> WorldSettings {
        WorldSettings {
            model: NetModel::Simple,
            bandwidth: 128 << 20,
            latency: Duration(100),
            jitter: Duration::ZERO,
            load: Duration(1_000),
            notice: Duration(5_000),
            is_checked: true,
        }
    }
}

/// The end of the network that is the scheduler.
const SCHEDULER: WorkerId = WorkerId(0);

/// A report that comes twice comes so much later at most.
const DUPLICATE_LATE: Duration = Duration::from_millis(30);
/// While messages overtake each other, a way takes so much longer at most.
const REORDER_MAX: Duration = Duration::from_millis(30);
/// What can happen at one moment, however large the world.
const MOMENT_MAX: u64 = 1_000_000;

#[derive(Debug)]
enum Happening<F> {
    Submit(GraphId, Arc<Work>),
    ToScheduler {
        from: WorkerId,
        number: u64,
        batch: Vec<FromWorker>,
    },
    ToWorker {
        to: WorkerId,
        batch: Vec<ToWorker>,
    },
    /// The scheduler notices that a worker is gone.
    Gone(WorkerId),
    LaneEnds {
        worker: WorkerId,
        lane: LaneId,
        serial: u64,
    },
    Loaded {
        worker: WorkerId,
        component: ComponentId,
        is_broken: bool,
    },
    /// A request for a result arrives.
    Asked {
        fetch: Asking,
        at: WorkerId,
        is_relayed: bool,
    },
    Fetched {
        fetch: Asking,
        value: Option<Bytes>,
    },
    FlowsDue(u64),
    WakeScheduler,
    WakeWorker(WorkerId),
    Fault(F),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asking {
    by: WorkerId,
    fetch: FetchId,
    graph: GraphId,
    task: TaskIndex,
    from: WorkerId,
    bytes: u64,
}

/// One direction of a link between the scheduler and a worker.
#[derive(Debug, Default)]
struct Way {
    /// When the last message arrives: none may arrive before.
    last: Time,
    /// Nothing arrives before.
    stalled_until: Time,
}

#[derive(Debug, Default)]
struct Link {
    up: Way,
    down: Way,
    sent: u64,
    /// The first message that is lost, when the link is dead.
    lost_from: Option<u64>,
}

/// Counts of a run.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Messages between scheduler and workers.
    pub messages: u64,
    /// Bytes of results that moved.
    pub bytes_moved: u64,
    /// The most bytes of results that were held at once, all workers together.
    pub peak_live_bytes: u64,
    /// The most that one worker held.
    pub peak_live_bytes_worker: u64,
    /// Time of workers in tasks.
    pub busy: Duration,
    /// Things that happened.
    pub happenings: u64,
}

/// A simulation. `F` is what may go wrong in it.
pub struct World<S: Scheduler, F> {
    /// The scheduler.
    pub scheduler: S,
    /// Workers' processes that run.
    pub workers: BTreeMap<WorkerId, Process>,
    /// Graphs that were submitted.
    pub graphs: BTreeMap<GraphId, Arc<Work>>,
    /// What happened so far.
    pub counts: Counts,
    /// Chance.
    pub random: Random,
    /// Faults of workers that tasks met.
    pub faults_met: BTreeMap<(GraphId, TaskIndex), u32>,
    /// Workers whose end the scheduler has not noticed.
    pub unnoticed: BTreeSet<WorkerId>,
    /// Now.
    pub now: Time,
    settings: WorldSettings,
    agenda: Agenda<Happening<F>>,
    network: Network,
    network_epoch: u64,
    links: BTreeMap<WorkerId, Link>,
    fetches: BTreeMap<(WorkerId, FetchId), Option<FlowId>>,
    flows: BTreeMap<FlowId, (Asking, Bytes)>,
    /// Pairs of workers that cannot reach each other, until when.
    partitions: BTreeMap<(WorkerId, WorkerId), Time>,
    /// Workers all of whose reports come twice, until when.
    duplicating: BTreeMap<WorkerId, Time>,
    /// Until then ways take very different times.
    reordering_until: Time,
    dirty: BTreeSet<WorkerId>,
    is_scheduler_dirty: bool,
    wakes: BTreeMap<WorkerId, Time>,
    tries: Tries,
    next_worker: u64,
}

impl<S: Scheduler, F> World<S, F> {
    /// A world without workers.
    pub fn new(settings: WorldSettings, scheduler: S, seed: u64) -> World<S, F> {
        World {
            scheduler,
            workers: BTreeMap::new(),
            graphs: BTreeMap::new(),
            counts: Counts::default(),
            random: Random::new(seed),
            faults_met: BTreeMap::new(),
            unnoticed: BTreeSet::new(),
            now: Time(0),
            agenda: Agenda::default(),
            network: Network::new(settings.model, settings.bandwidth),
            network_epoch: 0,
            links: BTreeMap::new(),
            fetches: BTreeMap::new(),
            flows: BTreeMap::new(),
            partitions: BTreeMap::new(),
            duplicating: BTreeMap::new(),
            reordering_until: Time(0),
            dirty: BTreeSet::new(),
            is_scheduler_dirty: false,
            wakes: BTreeMap::new(),
            tries: Tries::default(),
            next_worker: 1,
            settings,
        }
    }

    /// A worker joins now.
    pub fn join(&mut self, offer: &Offer, speed: f64) -> WorkerId {
        let id = WorkerId(self.next_worker);
        self.next_worker += 1;
        let mut process = Process::new(id, offer, Tries::clone(&self.tries));
        process.speed = speed;
        process.is_checked = self.settings.is_checked;
        process.bandwidth = self.settings.bandwidth;
        self.graphs.iter().for_each(|(graph, work)| process.know(*graph, work));
        self.workers.insert(id, process);
        self.links.insert(id, Link::default());
        self.scheduler.on_joined(self.now, id, offer);
        self.is_scheduler_dirty = true;
        id
    }

    /// A graph is submitted at a time.
    pub fn submit(&mut self, at: Time, graph: GraphId, work: Arc<Work>) {
        self.agenda.add(at, Happening::Submit(graph, work));
    }

    /// A fault is to happen at a time.
    pub fn plan_fault(&mut self, at: Time, fault: F) {
        self.agenda.add(at, Happening::Fault(fault));
    }

    /// Does everything that happens next at one moment. Returns the faults that are to be done now, or nothing when
    /// nothing will ever happen.
    pub fn step(&mut self) -> Option<Vec<F>> {
        self.end_turns();
        let now = self.agenda.next_at()?;
        self.now = self.now.max(now);
        let mut faults = Vec::new();
        let mut count = 0;
        while self.agenda.next_at() == Some(now) {
            count += 1;
            assert!(count < MOMENT_MAX, "more and more happens at one moment");
            let (_, happening) = self.agenda.pop().expect("something happens now");
            self.counts.happenings += 1;
            match happening {
                Happening::Fault(fault) => faults.push(fault),
                Happening::Submit(graph, work) => {
                    self.workers.values_mut().for_each(|worker| worker.know(graph, &work));
                    self.graphs.insert(graph, Arc::clone(&work));
                    self.scheduler.on_submitted(self.now, graph, &work);
                    self.is_scheduler_dirty = true;
                }
                other => self.happen(other),
            }
        }
        Some(faults)
    }

    /// The scheduler has something to do when this moment ends.
    pub fn wake_scheduler(&mut self) {
        self.is_scheduler_dirty = true;
    }

    /// A worker has something to do when this moment ends.
    pub fn wake(&mut self, worker: WorkerId) {
        self.dirty.insert(worker);
    }

    fn happen(&mut self, happening: Happening<F>) {
        let now = self.now;
        match happening {
            Happening::ToScheduler { from, number, batch } => {
                let is_lost = self.links.get(&from).is_none_or(|link| link.lost_from.is_some_and(|lost| number >= lost));
                if !is_lost {
                    self.counts.messages += batch.len() as u64;
                    batch.into_iter().for_each(|message| self.scheduler.on_said(now, from, message));
                    self.is_scheduler_dirty = true;
                }
            }
            Happening::ToWorker { to, batch } => {
                self.counts.messages += batch.len() as u64;
                if let Some(worker) = self.workers.get_mut(&to) {
                    batch.into_iter().for_each(|order| worker.feed(now, Event::Ordered(order)));
                    self.dirty.insert(to);
                }
            }
            Happening::Gone(worker) => {
                self.unnoticed.remove(&worker);
                self.links.remove(&worker);
                self.end(worker);
                self.scheduler.on_gone(now, worker);
                self.is_scheduler_dirty = true;
            }
            Happening::LaneEnds { worker, lane, serial } => {
                if let Some(process) = self.workers.get_mut(&worker)
                    && process.on_lane_ended(now, lane, serial)
                {
                    self.dirty.insert(worker);
                }
            }
            Happening::Loaded { worker, component, is_broken } => {
                if let Some(process) = self.workers.get_mut(&worker) {
                    let result = if is_broken {
                        Err(TaskError::new(ErrorCode::CompileFailed, "as the simulation has it"))
                    } else if process.faults_to_come > 0 && self.random.chance(300) {
                        process.faults_to_come -= 1;
                        Err(TaskError::new(ErrorCode::WorkerFault, PASSING))
                    } else {
                        Ok(())
                    };
                    process.loaded(now, component, self.settings.load, result);
                    self.dirty.insert(worker);
                }
            }
            Happening::Asked { fetch, at, is_relayed } => self.on_asked(fetch, at, is_relayed),
            Happening::Fetched { fetch, value } => self.on_fetched(fetch, value),
            Happening::FlowsDue(epoch) => {
                if epoch == self.network_epoch {
                    for flow in self.network.ended(now) {
                        if let Some((fetch, value)) = self.flows.remove(&flow) {
                            self.counts.bytes_moved += fetch.bytes;
                            self.on_fetched(fetch, Some(value));
                        }
                    }
                    self.reschedule_flows();
                }
            }
            Happening::WakeScheduler => self.is_scheduler_dirty = true,
            Happening::WakeWorker(worker) => drop(self.dirty.insert(worker)),
            Happening::Fault(_) | Happening::Submit(..) => unreachable!("taken by the loop"),
        }
    }

    /// Lets everybody who heard something decide, and carries out what they want.
    fn end_turns(&mut self) {
        let now = self.now;
        let mut count = 0;
        while !self.dirty.is_empty() || self.is_scheduler_dirty {
            count += 1;
            assert!(count < MOMENT_MAX, "turns follow turns at one moment");
            for id in std::mem::take(&mut self.dirty) {
                let Some(process) = self.workers.get_mut(&id) else { continue };
                let wishes = process.settle(now);
                for (graph, task) in std::mem::take(&mut process.faults_met) {
                    *self.faults_met.entry((graph, task)).or_default() += 1;
                }
                let wake = process.core.next_timeout().map(|(at, _)| at);
                if let Some(at) = wake.filter(|at| self.wakes.get(&id) != Some(at)) {
                    self.wakes.insert(id, at);
                    self.agenda.add(at.max(now), Happening::WakeWorker(id));
                }
                wishes.into_iter().for_each(|wish| self.grant(id, wish));
            }
            if std::mem::take(&mut self.is_scheduler_dirty) {
                self.scheduler.end_turn(now);
                if let Some(at) = self.scheduler.next_timeout().filter(|at| self.wakes.get(&SCHEDULER) != Some(at)) {
                    self.wakes.insert(SCHEDULER, at);
                    self.agenda.add(at.max(now), Happening::WakeScheduler);
                }
                for (to, batch) in self.scheduler.take_messages() {
                    let way = self.way();
                    // Nothing comes through a dead link.
                    if let Some(link) = self.links.get_mut(&to).filter(|link| link.lost_from.is_none()) {
                        let at = (now + way).max(link.down.last).max(link.down.stalled_until);
                        link.down.last = at;
                        self.agenda.add(at, Happening::ToWorker { to, batch });
                    }
                }
            }
        }
        let live: u64 = self.workers.values().map(|worker| worker.store.live_bytes.0).sum();
        self.counts.peak_live_bytes = self.counts.peak_live_bytes.max(live);
    }

    fn grant(&mut self, id: WorkerId, wish: Wish) {
        let now = self.now;
        match wish {
            Wish::LaneEnds { at, lane, serial } => self.agenda.add(at, Happening::LaneEnds { worker: id, lane, serial }),
            Wish::Load { component, is_broken } => {
                // Where ways take different times, loads do so too.
                let is_even = self.settings.jitter == Duration::ZERO;
                let more = Duration(if is_even { 0 } else { self.random.below(2 * self.settings.load.0 + 1) });
                self.agenda.add(now + self.settings.load + more, Happening::Loaded { worker: id, component, is_broken });
            }
            Wish::Die => self.crash(id),
            Wish::Fetch { fetch, graph, task, from, bytes } => {
                self.fetches.insert((id, fetch), None);
                let fetch = Asking { by: id, fetch, graph, task, from, bytes };
                let at = now + self.way();
                self.agenda.add(at, Happening::Asked { fetch, at: from, is_relayed: false });
            }
            Wish::CancelFetch(fetch) => {
                if let Some(Some(flow)) = self.fetches.remove(&(id, fetch)) {
                    self.network.stop(now, flow);
                    self.flows.remove(&flow);
                    self.reschedule_flows();
                }
            }
            Wish::Say(batch) => self.say(id, batch),
            Wish::Leave => {
                let link = self.links.get(&id);
                let at = link.map_or(now, |link| link.up.last.max(link.up.stalled_until)) + self.settings.latency;
                self.unnoticed.insert(id);
                self.agenda.add(at, Happening::Gone(id));
                self.end(id);
            }
        }
    }

    fn say(&mut self, from: WorkerId, batch: Vec<FromWorker>) {
        let way = self.way();
        let Some(link) = self.links.get_mut(&from) else { return };
        let at = (self.now + way).max(link.up.last).max(link.up.stalled_until);
        link.up.last = at;
        let number = link.sent;
        link.sent += 1;
        if self.duplicating.get(&from).is_some_and(|until| *until > self.now) {
            // Not copies of results: a second word on one that was let go meanwhile would be a lie.
            let is_report = |message: &&FromWorker| !matches!(message, FromWorker::ReplicasAdded { .. });
            let again: Vec<FromWorker> = batch.iter().filter(is_report).cloned().collect();
            let late = at + Duration(self.random.below(DUPLICATE_LATE.0));
            self.agenda.add(late, Happening::ToScheduler { from, number, batch: again });
        }
        self.agenda.add(at, Happening::ToScheduler { from, number, batch });
    }

    fn way(&mut self) -> Duration {
        let more = if self.now < self.reordering_until { REORDER_MAX } else { self.settings.jitter };
        self.settings.latency + Duration(self.random.below(more.0 + 1))
    }

    /// A request for a result arrives at a worker, or at the scheduler which passes it on.
    fn on_asked(&mut self, fetch: Asking, at: WorkerId, is_relayed: bool) {
        if !self.fetches.contains_key(&(fetch.by, fetch.fetch)) {
            return;
        }
        let way = self.way();
        let is_cut = !is_relayed && self.partitions.get(&pair(fetch.by, at)).is_some_and(|until| *until > self.now);
        match self.workers.get(&at).filter(|_| !is_cut).map(|holder| holder.serve(fetch.graph, fetch.task)) {
            Some(Some(value)) => self.transfer(fetch, at, value),
            Some(None) => self.agenda.add(self.now + way, Happening::Fetched { fetch, value: None }),
            None if is_relayed => self.agenda.add(self.now + way, Happening::Fetched { fetch, value: None }),
            None => match self.scheduler.relay(fetch.graph, fetch.task) {
                Relay::Here(value) => self.transfer(fetch, SCHEDULER, value),
                Relay::At(holder) => {
                    self.agenda.add(self.now + way + way, Happening::Asked { fetch, at: holder, is_relayed: true })
                }
                Relay::Nowhere => self.agenda.add(self.now + way, Happening::Fetched { fetch, value: None }),
            },
        }
    }

    fn transfer(&mut self, fetch: Asking, from: WorkerId, value: Bytes) {
        let (_, size, _) = decode(&value);
        let mut marked = value.to_vec();
        marked.push(FETCHED);
        let bytes = fetch.bytes.min(size);
        let flow = self.network.start(self.now, from, fetch.by, bytes);
        self.flows.insert(flow, (Asking { bytes, ..fetch }, marked.into()));
        self.fetches.insert((fetch.by, fetch.fetch), Some(flow));
        self.reschedule_flows();
    }

    fn reschedule_flows(&mut self) {
        for (giver, bytes, going_on) in self.network.take_givers() {
            if let Some(process) = self.workers.get_mut(&giver) {
                process.feed(self.now, Event::Gave { bytes, going_on });
                self.dirty.insert(giver);
            }
        }
        self.network_epoch += 1;
        if let Some(at) = self.network.next_end(self.now) {
            self.agenda.add(at, Happening::FlowsDue(self.network_epoch));
        }
    }

    fn on_fetched(&mut self, fetch: Asking, value: Option<Bytes>) {
        if self.fetches.remove(&(fetch.by, fetch.fetch)).is_none() {
            return;
        }
        if let Some(process) = self.workers.get_mut(&fetch.by) {
            let bytes = if value.is_some() { fetch.bytes } else { 0 };
            process.feed(self.now, Event::FetchEnded { fetch: fetch.fetch, value, bytes });
            self.dirty.insert(fetch.by);
        }
    }

    /// Ends everything, for the counts.
    pub fn close(&mut self) -> Counts {
        let all: Vec<WorkerId> = self.workers.keys().copied().collect();
        all.into_iter().for_each(|worker| self.end(worker));
        self.counts.clone()
    }
}

fn pair(one: WorkerId, other: WorkerId) -> (WorkerId, WorkerId) {
    (one.min(other), one.max(other))
}
