//! What the world asks of a scheduler: the real core in its small shell, or a reference policy.

use crate::store::Room;
use crate::work::Work;
use bytes::Bytes;
use std::sync::Arc;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::graph::Resource;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::message::{FromWorker, ToWorker};
use wasm_tasks_protocol::time::Duration;

/// What a worker of the simulation is.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Tasks of one slot that run at once.
    pub slots: u32,
    /// Named pools.
    pub pools: Vec<Resource>,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// The way to the scheduler and back.
    pub round_trip: Duration,
    /// Bytes of memory that it offers to tasks.
    pub memory_bytes: u64,
    /// Room for results.
    pub room: Room,
    /// How long it says that it stays.
    pub lifetime: Option<Duration>,
}

impl Offer {
    /// A worker with slots only, and no limits.
    pub fn of_slots(slots: u32, round_trip: Duration) -> Offer {
        Offer {
            slots,
            pools: Vec::new(),
            labels: Vec::new(),
            round_trip,
            memory_bytes: MEMORY_BYTES,
            room: Room::ENDLESS,
            lifetime: None,
        }
    }
}

/// Bytes of memory that workers without limits offer.
pub(crate) const MEMORY_BYTES: u64 = 1 << 40;

/// Where a scheduler says that a result is, when a worker asks it instead of a peer.
#[derive(Clone, Debug)]
pub enum Relay {
    /// Here.
    Here(Bytes),
    /// At a worker.
    At(WorkerId),
    /// Nowhere.
    Nowhere,
}

/// A scheduler. Messages for workers are collected until [`Scheduler::end_turn`] and taken then.
pub trait Scheduler {
    /// A graph is to be run.
    fn on_submitted(&mut self, now: Time, graph: GraphId, work: &Arc<Work>);
    /// A graph is to stop.
    fn on_cancelled(&mut self, now: Time, graph: GraphId);
    /// Nobody needs a graph any more.
    fn on_released(&mut self, now: Time, graph: GraphId);
    /// A worker is there.
    fn on_joined(&mut self, now: Time, worker: WorkerId, offer: &Offer);
    /// A worker said something.
    fn on_said(&mut self, now: Time, worker: WorkerId, message: FromWorker);
    /// A worker is gone.
    fn on_gone(&mut self, now: Time, worker: WorkerId);
    /// Nothing more is there at this moment: timers, placement.
    fn end_turn(&mut self, now: Time);
    /// When [`Scheduler::end_turn`] is due although nothing happens.
    fn next_timeout(&self) -> Option<Time>;
    /// Takes the messages of this turn.
    fn take_messages(&mut self) -> Vec<(WorkerId, Vec<ToWorker>)>;
    /// Where a result is.
    fn relay(&self, graph: GraphId, task: TaskIndex) -> Relay;
    /// Whether nothing more will happen to any graph.
    fn is_finished(&self) -> bool;
}
