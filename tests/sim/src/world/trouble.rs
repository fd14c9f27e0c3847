//! What can go wrong in a world: processes that end, links that die or stand still, workers that cannot reach each other.

use super::{Happening, World, pair};
use crate::network::FlowId;
use crate::scheduler::Scheduler;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::time::Duration;

impl<S: Scheduler, F> World<S, F> {
    /// A process ends; what it said last may be lost, and the scheduler notices later.
    pub fn crash(&mut self, worker: WorkerId) {
        let notice = Duration(self.random.below(self.settings.notice.0 + 1));
        self.crash_noticed(worker, notice);
    }

    /// The same, and the scheduler notices as soon as it has heard everything.
    pub fn crash_in_sight(&mut self, worker: WorkerId) {
        self.crash_noticed(worker, Duration::ZERO);
    }

    fn crash_noticed(&mut self, worker: WorkerId, notice: Duration) {
        if !self.workers.contains_key(&worker) || self.unnoticed.contains(&worker) {
            return;
        }
        self.unnoticed.insert(worker);
        let link = self.links.get_mut(&worker).expect("a process that the scheduler has has a link");
        link.lost_from = Some(link.sent - self.random.below(3).min(link.sent));
        let at = self.now.max(link.up.last).max(link.up.stalled_until) + notice;
        self.agenda.add(at, Happening::Gone(worker));
        self.end(worker);
    }

    /// The link to the scheduler dies: the scheduler notices at some time, the process runs until then or ends before.
    pub fn lose_link(&mut self, worker: WorkerId) {
        if !self.workers.contains_key(&worker) || self.unnoticed.contains(&worker) {
            return;
        }
        self.unnoticed.insert(worker);
        let link = self.links.get_mut(&worker).expect("a process that the scheduler has has a link");
        link.lost_from = Some(link.sent);
        let at = self.now.max(link.up.last) + Duration(self.random.below(self.settings.notice.0 + 1));
        self.agenda.add(at, Happening::Gone(worker));
    }

    /// Nothing passes between a worker and the scheduler for a while.
    pub fn stall(&mut self, worker: WorkerId, length: Duration) {
        if let Some(link) = self.links.get_mut(&worker).filter(|link| link.lost_from.is_none()) {
            link.up.stalled_until = self.now + length;
            link.down.stalled_until = self.now + length;
        }
    }

    /// Two workers cannot reach each other for a while.
    pub fn partition(&mut self, one: WorkerId, other: WorkerId, length: Duration) {
        self.partitions.insert(pair(one, other), self.now + length);
    }

    /// What a worker says comes twice for a while.
    pub fn duplicate(&mut self, worker: WorkerId, length: Duration) {
        self.duplicating.insert(worker, self.now + length);
    }

    /// Messages of different links, and results, overtake each other for a while.
    pub fn reorder(&mut self, length: Duration) {
        self.reordering_until = self.now + length;
    }

    /// Ends a process and what it fetches or gives.
    pub(super) fn end(&mut self, worker: WorkerId) {
        let Some(process) = self.workers.remove(&worker) else { return };
        self.counts.busy = self.counts.busy + process.busy;
        self.counts.bytes_moved += process.late_bytes;
        self.counts.peak_live_bytes_worker = self.counts.peak_live_bytes_worker.max(process.store.live_bytes.1);
        self.counts.happenings += process.events;
        self.fetches.retain(|(by, _), _| *by != worker);
        let cut: Vec<FlowId> = self
            .flows
            .iter()
            .filter(|(_, (fetch, _))| fetch.by == worker || fetch.from == worker)
            .map(|(flow, _)| *flow)
            .collect();
        for flow in cut {
            self.network.stop(self.now, flow);
            let (fetch, _) = self.flows.remove(&flow).expect("it was just there");
            let at = self.now + self.way();
            self.agenda.add(at, Happening::Fetched { fetch, value: None });
        }
        self.reschedule_flows();
    }
}
