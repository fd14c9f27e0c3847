//! Which results are fetched from which worker, how many at once, and what happens when one does not give them.

use crate::action::{Action, Actions};
use crate::meter::Meter;
use crate::result::Arrival;
use crate::slab::{Id, Slab};
use crate::{ResultId, WorkerCore};
use bytes::Bytes;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::ids::{TaskIndex, WorkerId};
use wasm_tasks_protocol::message::{FromWorker, Priority};

/// The kind of [`FetchId`].
#[derive(Debug)]
pub enum FetchKind {}

/// Names one try to fetch a result.
pub type FetchId = Id<FetchKind>;

pub(crate) struct Fetch {
    pub(crate) result: ResultId,
    pub(crate) from: WorkerId,
    pub(crate) size: u64,
}

/// Fetches that run, and results that wait for one.
pub(crate) struct Fetches {
    pub(crate) in_flight: Slab<FetchKind, Fetch>,
    pub(crate) bytes: u64,
    pub(crate) by_peer: BTreeMap<WorkerId, u32>,
    /// May name results that came in another way meanwhile.
    queue: BinaryHeap<Reverse<(Priority, ResultId)>>,
    meter: Meter,
}

impl Fetches {
    pub(crate) fn new() -> Fetches {
        Fetches { in_flight: Slab::new(), bytes: 0, by_peer: BTreeMap::new(), queue: BinaryHeap::new(), meter: Meter::default() }
    }
}

impl Fetches {
    /// Notes when something began to be on its way, or that nothing is.
    pub(crate) fn time(&mut self, now: Time) {
        self.meter.time(now, self.in_flight.len() > 0);
    }
}

/// Where a holder stands among others for one worker and one result: workers do not all ask the same one
/// (Thaler, Ravishankar, "Using name-based mappings to increase hit rates", 1998).
fn spread(me: u64, holder: WorkerId, task: TaskIndex) -> u64 {
    // SplitMix64's finaliser.
    let mut mixed = me.rotate_left(32) ^ holder.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(task.0);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl WorkerCore {
    /// Tells the scheduler from time to time how fast bytes come. What is on its way still is not counted: a link is at least
    /// as fast as that.
    pub(crate) fn measure_fetches(&mut self, now: Time, bytes: u64, out: &mut Actions) {
        let is_busy = self.fetches.in_flight.len() > 0;
        if let Some((bytes, took)) = self.fetches.meter.note(now, bytes, is_busy) {
            out.send.push(FromWorker::BytesFetched { bytes, took });
        }
    }

    /// Tells the scheduler from time to time how fast bytes go from here, to all together: whoever fetches sees only its own part.
    pub(crate) fn measure_gifts(&mut self, now: Time, bytes: u64, going_on: u32, out: &mut Actions) {
        let is_busy = going_on > 0;
        if let Some((bytes, took)) = self.given.note(now, bytes, is_busy) {
            out.send.push(FromWorker::BytesGiven { bytes, took });
        }
        self.given.time(now, is_busy);
    }

    pub(crate) fn queue_fetch(&mut self, result: ResultId, priority: Priority) {
        self.results[result].arrival = Arrival::Queued;
        self.fetches.queue.push(Reverse((priority, result)));
    }

    /// Starts what may start, best first.
    pub(crate) fn start_fetches(&mut self, out: &mut Actions) {
        while let Some(Reverse((_, result))) = self.fetches.queue.peek().copied() {
            let Some(entry) = self.results.get(result).filter(|entry| entry.arrival == Arrival::Queued) else {
                self.fetches.queue.pop();
                continue;
            };
            let is_first = self.fetches.in_flight.len() == 0;
            let has_room = (self.fetches.in_flight.len() as u64) < u64::from(self.settings.fetches_max)
                && self.fetches.bytes.saturating_add(entry.size) <= self.settings.fetch_bytes_max;
            if !is_first && !has_room {
                return;
            }
            self.fetches.queue.pop();
            let me = self.me.map_or(0, |me| me.0);
            // The first is the one whose way up is free, as far as the scheduler knows.
            let first = entry.holders.first().copied();
            let load = |worker: &WorkerId| {
                let asked = self.fetches.by_peer.get(worker).copied().unwrap_or(0);
                (asked, Some(*worker) != first, spread(me, *worker, entry.task))
            };
            let holder = entry.holders.iter().filter(|holder| !entry.tried.contains(holder)).min_by_key(|holder| load(holder));
            match holder.copied() {
                Some(from) => self.start_fetch(result, from, out),
                None if entry.producers > 0 => self.results[result].arrival = Arrival::Idle,
                None => self.report_missing(result, out),
            }
        }
    }

    fn start_fetch(&mut self, result: ResultId, from: WorkerId, out: &mut Actions) {
        let entry = &mut self.results[result];
        let (task, size) = (entry.task, entry.size);
        let fetch = self.fetches.in_flight.insert(Fetch { result, from, size });
        entry.arrival = Arrival::InFlight(fetch);
        self.fetches.bytes = self.fetches.bytes.saturating_add(size);
        *self.fetches.by_peer.entry(from).or_default() += 1;
        out.perform.push(Action::Fetch { fetch, graph: self.graphs[entry.graph].id, task, from, size });
    }

    /// A fetch gave the result, or did not: then the next holder is asked.
    pub(crate) fn on_fetch_ended(&mut self, fetch: FetchId, value: Option<Bytes>, out: &mut Actions) {
        let Some(ended) = self.forget_fetch(fetch) else { return };
        let entry = &mut self.results[ended.result];
        assert_eq!(entry.arrival, Arrival::InFlight(fetch), "a fetch belongs to the result that waits for it");
        entry.arrival = Arrival::Idle;
        match value {
            Some(value) => {
                let (graph, task) = (self.graphs[entry.graph].id, entry.task);
                self.result_came(ended.result, value, true, out);
                out.replica_added(graph, task);
            }
            None => {
                entry.tried.push(ended.from);
                self.retry_fetch(ended.result);
            }
        }
    }

    /// A worker is gone: nothing is asked of it any more.
    pub(crate) fn on_peer_removed(&mut self, peer: WorkerId, out: &mut Actions) {
        let from_peer = |(id, fetch): (FetchId, &Fetch)| (fetch.from == peer).then_some(id);
        let lost: Vec<_> = self.fetches.in_flight.iter().filter_map(from_peer).collect();
        for fetch in lost {
            out.perform.push(Action::CancelFetch(fetch));
            self.on_fetch_ended(fetch, None, out);
        }
        let holds = |(id, entry): (ResultId, &crate::result::ResultEntry)| entry.holders.contains(&peer).then_some(id);
        let named: Vec<_> = self.results.iter().filter_map(holds).collect();
        for result in named {
            self.results[result].holders.retain(|holder| *holder != peer);
        }
    }

    /// Ends a fetch in the books.
    pub(crate) fn forget_fetch(&mut self, fetch: FetchId) -> Option<Fetch> {
        let ended = self.fetches.in_flight.remove(fetch)?;
        self.fetches.bytes -= ended.size;
        if let Some(count) = self.fetches.by_peer.get_mut(&ended.from) {
            *count -= 1;
            if *count == 0 {
                self.fetches.by_peer.remove(&ended.from);
            }
        }
        Some(ended)
    }

    fn retry_fetch(&mut self, result: ResultId) {
        let entry = &mut self.results[result];
        let attempts = &self.attempts;
        entry.waiters.retain(|id| attempts.get(*id).is_some());
        // A retry was begun before, so it goes before what was not.
        let priority = entry.waiters.iter().map(|id| attempts[*id].priority).min().unwrap_or_default();
        self.queue_fetch(result, priority);
    }
}
