//! The one task that owns the core: it turns what links say into events, and actions into messages.
//!
//! It works in turns: everything in the inbox, then placement, then one batch for each link.

mod clients;
mod delegations;
mod drains;
mod loading;
mod perform;
mod published;
mod requests;
mod workers;

use self::drains::DrainAsk;
use self::loading::Loaded;
use crate::checks::Checks;
use crate::graphs::ShellGraph;
use crate::inbox::{Input, OutputFetch, SessionId};
use crate::links::Links;
use crate::loads::{Loads, Module};
use crate::outbox::Outbox;
use crate::scheduler::SchedulerSettings;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};
use wasm_tasks_protocol::ids::{Attempt, GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::message::{ToClient, ToWorker, WorkerOffer};
use wasm_tasks_protocol::time::{Duration, Time};
use wasm_tasks_scheduler_core::{Actions, DrainSummary, Event, GraphIndex, SchedulerCore, Settings};

/// Inputs that are taken before placement, so that a flood cannot keep it from happening.
const TURN_MAX: usize = 1_024;
/// How often clients are told how a graph is getting on.
const PROGRESS_EVERY: std::time::Duration = std::time::Duration::from_millis(100);
/// A worker that says nothing for so many heartbeats is cut off: its link stands, but nobody is there.
const SILENT_HEARTBEATS: u32 = 15;
/// How often what is old is let go, and links are looked at.
const SWEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Session {
    outbox: Outbox<ToClient>,
    /// Set by its first message.
    name: Option<String>,
    /// Graphs that go with it.
    own: Vec<GraphId>,
}

#[derive(Debug)]
pub(crate) struct WorkerLink {
    pub(crate) outbox: Outbox<ToWorker>,
    /// Set by its first message.
    pub(crate) offer: Option<WorkerOffer>,
    pub(crate) stored_bytes: u64,
    pub(crate) spilled_bytes: u64,
    pub(crate) resident_bytes: u64,
    pub(crate) instantiations: u64,
    /// The components that it has, with or without metering.
    pub(crate) modules: BTreeMap<Module, Loaded>,
    /// When it last said anything.
    heard: Instant,
    /// Set when it may go.
    dismissed: Option<DrainSummary>,
}

pub(crate) struct Actor {
    pub(crate) settings: SchedulerSettings,
    pub(crate) core: SchedulerCore,
    actions: Actions,
    started: Instant,
    pub(crate) graphs: Vec<Option<ShellGraph>>,
    /// Submitted graphs between their event and the core's answer.
    arriving: Option<(GraphId, Box<crate::submit::Prepared>, SessionId)>,
    pub(crate) workers: Links<WorkerId, WorkerLink>,
    sessions: Links<SessionId, Session>,
    drain_asks: Vec<DrainAsk>,
    pub(crate) published: published::Published,
    /// Graphs of which something happened since the last progress message; some may be gone.
    changed: Vec<GraphIndex>,
    last_progress: Instant,
    last_sweep: Instant,
    /// Its own inbox, for what goes on beside it. Alone it does not keep the actor going.
    inbox: mpsc::WeakSender<Input>,
    /// Outputs that clients want and that are being made again.
    unread: Vec<(GraphIndex, TaskIndex, OutputFetch)>,
    /// Attempts whose tasks are being checked.
    pub(crate) delegating: BTreeSet<Attempt>,
    checks: Checks,
    /// Graphs that wait for components.
    loads: Loads,
    is_stopping: Option<oneshot::Sender<()>>,
}

impl Actor {
    pub(crate) fn new(settings: SchedulerSettings, inbox: mpsc::WeakSender<Input>, checks: Checks) -> Actor {
        let first_serial = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
        Actor {
            settings,
            core: SchedulerCore::new(&Settings { first_serial }),
            actions: Actions::new(),
            started: Instant::now(),
            graphs: Vec::new(),
            arriving: None,
            workers: Links::new(),
            sessions: Links::new(),
            drain_asks: Vec::new(),
            published: published::Published::default(),
            changed: Vec::new(),
            last_progress: Instant::now(),
            last_sweep: Instant::now(),
            inbox,
            unread: Vec::new(),
            delegating: BTreeSet::new(),
            checks,
            loads: Loads::default(),
            is_stopping: None,
        }
    }

    pub(crate) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        while self.is_stopping.is_none() {
            match tokio::time::timeout_at(self.wake_at().into(), inputs.recv()).await {
                Ok(Some(input)) => self.take(input),
                Ok(None) => break,
                Err(_) => self.event(Event::Tick),
            }
            for _ in 1..TURN_MAX {
                let Ok(input) = inputs.try_recv() else { break };
                self.take(input);
            }
            self.end_turn();
        }
        self.stop();
    }

    /// When the next turn is due without an input.
    fn wake_at(&self) -> Instant {
        let sweep = self.last_sweep + SWEEP_EVERY;
        let progress = (!self.changed.is_empty()).then(|| self.last_progress + PROGRESS_EVERY);
        let timer = self.core.next_timeout().map(|(at, _)| self.started + at.since(Time(0)).to_std());
        [Some(sweep), progress, timer].into_iter().flatten().min().unwrap_or(sweep)
    }

    pub(crate) fn now(&self) -> Time {
        Time(0) + Duration::from(self.started.elapsed())
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::WorkerAttached { worker, peer, sender } => self.on_worker_attached(worker, peer, sender),
            Input::WorkerSaid { worker, batch, permit } => {
                drop(permit);
                self.on_worker_said(worker, batch);
            }
            Input::WorkerGone { worker, reason } => self.on_worker_gone(worker, &reason),
            Input::ClientAttached { session, peer, sender } => {
                self.sessions.insert(session, Session { outbox: Outbox::new(sender, peer), name: None, own: Vec::new() });
            }
            Input::ClientSaid { session, batch, permit } => {
                drop(permit);
                self.on_client_said(session, batch);
            }
            Input::ClientGone { session } => self.on_client_gone(session),
            Input::Submitted { session, graph, prepared, accepted } => self.on_submitted(session, graph, prepared, accepted),
            Input::Loading { session, components, loaded } => self.on_loading(session, &components, loaded),
            Input::Extending { graph, known } => self.on_extending(graph, known),
            Input::Extended { graph, extension, accepted } => self.on_extended(graph, *extension, accepted),
            Input::Delegated { report, checked, known } => self.on_delegation_checked(&report, *checked, known),
            Input::Asked { asker, request } => self.on_asked(asker, request),
            Input::Unreadable { worker, task, fetch } => self.on_unreadable(worker, task, fetch),
            Input::Shutdown { done } => self.is_stopping = Some(done),
        }
    }

    /// Gives the core an event and carries out what it answers.
    pub(crate) fn event(&mut self, event: Event) {
        let mut actions = std::mem::take(&mut self.actions);
        self.core.handle(self.now(), event, &mut actions);
        for action in actions.drain() {
            self.perform(action);
        }
        self.actions = actions;
    }

    fn end_turn(&mut self) {
        if self.core.next_timeout().is_some_and(|(at, _)| at <= self.now()) {
            self.event(Event::Tick);
        }
        if self.core.is_unsettled() {
            self.event(Event::Settle);
        }
        if self.last_progress.elapsed() >= PROGRESS_EVERY {
            self.last_progress = Instant::now();
            self.send_progress();
        }
        if self.last_sweep.elapsed() >= SWEEP_EVERY {
            self.last_sweep = Instant::now();
            self.sweep();
        }
        self.read_again();
        self.workers.take_touched(|worker| worker.outbox.flush());
        self.sessions.take_touched(|session| session.outbox.flush());
    }

    /// Lets go of what nobody came back for, cuts off who is silent, and looks at round trips.
    fn sweep(&mut self) {
        self.loads.release(Instant::now());
        let retention = self.settings.retention.to_std();
        let is_held = |graph: &ShellGraph| !graph.followers.is_empty() || self.published.holds(graph.id);
        let unfollowed = self.graphs.iter().flatten().filter(|graph| !is_held(graph));
        let mut finished: Vec<(Instant, GraphId, usize)> =
            unfollowed.filter_map(|graph| Some((graph.finished?, graph.id, graph.parts.extent().tasks as usize))).collect();
        finished.sort_unstable_by_key(|(at, ..)| std::cmp::Reverse(*at));
        let mut tasks = 0;
        finished.retain(|(at, _, len)| {
            tasks += len;
            at.elapsed() > retention || tasks > self.settings.retained_tasks_max
        });
        let old: Vec<GraphId> = finished.into_iter().map(|(_, graph, _)| graph).collect();
        for graph in old {
            self.event(Event::GraphReleased(graph));
        }
        let patience = self.settings.heartbeat.to_std() * SILENT_HEARTBEATS;
        for link in self.workers.values().filter(|link| link.heard.elapsed() > patience) {
            link.outbox.peer().close("it said nothing for too long");
        }
        let measured: Vec<(WorkerId, std::time::Duration)> =
            self.workers.iter().map(|(worker, link)| (*worker, link.outbox.peer().round_trip())).collect();
        for (worker, round_trip) in measured {
            self.event(Event::WorkerMeasured { worker, round_trip: round_trip.into() });
        }
    }

    fn stop(&mut self) {
        self.workers.for_each_mut(|worker| {
            worker.outbox.push(ToWorker::Shutdown);
            worker.outbox.flush();
        });
        // Outboxes send what they have before their links close.
        self.workers.clear();
        self.sessions.clear();
        if let Some(done) = self.is_stopping.take() {
            // Whoever asked may be gone.
            let _ = done.send(());
        }
    }

    /// Something happened that those who follow a graph are told of.
    pub(crate) fn note_change(&mut self, index: GraphIndex) {
        if let Some(graph) = self.graph_of(index)
            && !std::mem::replace(&mut graph.is_changed, true)
        {
            self.changed.push(index);
        }
    }

    pub(crate) fn graph_of(&mut self, index: GraphIndex) -> Option<&mut ShellGraph> {
        self.graphs.get_mut(index.slot())?.as_mut().filter(|graph| graph.index == index)
    }

    pub(crate) fn graph_by_id(&self, id: GraphId) -> Option<&ShellGraph> {
        let index = self.core.graph_index(id)?;
        self.graphs.get(index.slot())?.as_ref()
    }

    fn graph_by_id_mut(&mut self, id: GraphId) -> Option<&mut ShellGraph> {
        let index = self.core.graph_index(id)?;
        self.graph_of(index)
    }

    pub(crate) fn worker_name(&self, worker: WorkerId) -> String {
        let offer = self.workers.get(&worker).and_then(|link| link.offer.as_ref());
        offer.map_or_else(|| format!("worker {}", worker.0), |offer| offer.name.clone())
    }
}
