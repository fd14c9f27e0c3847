//! Results that are here, on their way, or expected from an attempt of this worker.
//!
//! An entry lives as long as an attempt here makes it, an attempt here needs it, or the scheduler counts on it.

use crate::action::{Action, Actions};
use crate::attempt::AttemptRecord;
use crate::fetch::FetchId;
use crate::slab::Id;
use crate::{AttemptId, GraphKey, WorkerCore};
use bytes::Bytes;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::message::{FromWorker, InputSource, Priority};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{Attempt, TaskIndex};

/// The kind of [`ResultId`].
#[derive(Debug)]
pub enum ResultKind {}

/// Names a result between core and shell.
pub type ResultId = Id<ResultKind>;

/// How a result that is not here may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is here.
    Held,
    /// Nobody asked for it, or an attempt here makes it.
    Idle,
    /// It is to be fetched.
    Queued,
    /// It is being fetched.
    InFlight(FetchId),
    /// The scheduler was told that nobody gave it.
    Missing,
    /// The scheduler will say when it is to be fetched.
    Promised,
}

/// What is known of a result.
pub(crate) struct ResultEntry {
    pub(crate) graph: GraphKey,
    pub(crate) task: TaskIndex,
    pub(crate) arrival: Arrival,
    /// Bytes, where known.
    pub(crate) size: u64,
    /// Whether the scheduler counts on it being here.
    pub(crate) is_wanted: bool,
    /// Whether the scheduler asked for a copy that is not here yet.
    pub(crate) is_ordered: bool,
    /// The last attempt here that made it.
    pub(crate) made_by: Option<Attempt>,
    /// The attempt here that was last to be assigned its making; it may be gone.
    pub(crate) maker: Option<AttemptId>,
    /// Attempts here that will make it.
    pub(crate) producers: u32,
    /// Attempts here that need it.
    pub(crate) users: u32,
    pub(crate) holders: Vec<WorkerId>,
    pub(crate) tried: Vec<WorkerId>,
    /// Attempts that wait for it; some may be gone.
    pub(crate) waiters: Vec<AttemptId>,
}

/// The largest size that is believed before the bytes are here.
const SIZE_CLAIM_MAX: u64 = 1 << 40;

impl WorkerCore {
    /// The entry for a task's result, made when there is none.
    pub(crate) fn result_of(&mut self, graph: GraphKey, task: TaskIndex) -> ResultId {
        if let Some(result) = self.graphs[graph].results.get(task) {
            return result;
        }
        let result = self.results.insert(ResultEntry {
            graph,
            task,
            arrival: Arrival::Idle,
            size: 0,
            is_wanted: false,
            is_ordered: false,
            made_by: None,
            maker: None,
            producers: 0,
            users: 0,
            holders: Vec::new(),
            tried: Vec::new(),
            waiters: Vec::new(),
        });
        self.graphs[graph].results.insert(task, result);
        result
    }

    /// Learns where a result may come from. Does nothing when it is here.
    pub(crate) fn add_source(&mut self, result: ResultId, source: InputSource, size: u64, priority: Priority, out: &mut Actions) {
        let me = self.me;
        let entry = &mut self.results[result];
        if entry.arrival == Arrival::Held {
            return;
        }
        // A size is only a claim: it bounds what is fetched at once, and sums of it must not overflow.
        entry.size = entry.size.max(size.min(SIZE_CLAIM_MAX));
        match source {
            InputSource::Inline(value) => self.result_came(result, value, false, out),
            InputSource::Pending(attempt) => {
                let is_made_here = self.numbers.get(&attempt).is_some_and(|id| self.attempts[*id].output == result);
                let entry = &mut self.results[result];
                if is_made_here || entry.producers > 0 {
                    if entry.arrival == Arrival::Missing {
                        entry.arrival = Arrival::Idle;
                    }
                } else if !entry.is_on_its_way() {
                    self.queue_fetch(result, priority);
                }
            }
            InputSource::Later => {
                if matches!(entry.arrival, Arrival::Idle | Arrival::Missing) {
                    entry.arrival = Arrival::Promised;
                }
            }
            InputSource::At(holders) => {
                entry.tried.retain(|tried| !holders.contains(tried));
                for holder in holders {
                    // A scheduler that believes that it is here must learn that it is not.
                    let list = if Some(holder) == me { &mut entry.tried } else { &mut entry.holders };
                    if !list.contains(&holder) {
                        list.push(holder);
                    }
                }
                if !entry.is_on_its_way() {
                    self.queue_fetch(result, priority);
                }
            }
        }
    }

    /// A result is here now: from an attempt, a peer, or the scheduler's own words.
    pub(crate) fn result_came(&mut self, result: ResultId, value: Bytes, is_wanted: bool, out: &mut Actions) {
        let entry = &mut self.results[result];
        assert!(entry.arrival != Arrival::Held, "a result is stored once");
        let before = std::mem::replace(&mut entry.arrival, Arrival::Held);
        entry.size = value.len() as u64;
        let was_ordered = std::mem::take(&mut entry.is_ordered);
        entry.is_wanted = is_wanted || was_ordered;
        if was_ordered && !is_wanted {
            out.replica_added(self.graphs[entry.graph].id, entry.task);
        }
        entry.holders = Vec::new();
        entry.tried = Vec::new();
        let waiters = std::mem::take(&mut entry.waiters);
        self.held_bytes += value.len() as u64;
        out.perform.push(Action::Store { result, value });
        if let Arrival::InFlight(fetch) = before {
            self.forget_fetch(fetch);
            out.perform.push(Action::CancelFetch(fetch));
        }
        self.arrived(waiters);
    }

    /// Reading a result takes a while from now on.
    pub(crate) fn on_spilled(&mut self, result: ResultId, took: Duration, out: &mut Actions) {
        let Some(entry) = self.results.get(result).filter(|entry| entry.is_wanted) else { return };
        out.send.push(FromWorker::ResultSpilled { graph: self.graphs[entry.graph].id, task: entry.task, took });
    }

    /// Nobody can give a result: every attempt that waits for it asks the scheduler.
    pub(crate) fn report_missing(&mut self, result: ResultId, out: &mut Actions) {
        let entry = &mut self.results[result];
        entry.arrival = Arrival::Missing;
        let (task, tried) = (entry.task, std::mem::take(&mut entry.tried));
        // Whoever has it now is somebody that the scheduler is yet to name.
        entry.holders = Vec::new();
        let attempts = &self.attempts;
        entry.waiters.retain(|id| attempts.get(*id).is_some_and(AttemptRecord::is_wanted));
        for id in &entry.waiters {
            let attempt = attempts[*id].number;
            out.send.push(FromWorker::InputMissing { attempt, task, tried: tried.clone() });
        }
        if std::mem::take(&mut self.results[result].is_ordered) {
            out.replicas_missing(self.graphs[self.results[result].graph].id, std::iter::once(task));
            self.drop_unneeded(result, out);
        }
    }

    /// An attempt that would have made a result ended without it.
    pub(crate) fn producer_gone(&mut self, result: ResultId, out: &mut Actions) {
        let Some(entry) = self.results.get(result) else { return };
        let is_awaited = entry.waiters.iter().any(|id| self.attempts.get(*id).is_some_and(AttemptRecord::is_wanted));
        if entry.producers == 0 && entry.arrival == Arrival::Idle && (is_awaited || entry.is_ordered) {
            self.report_missing(result, out);
        }
        self.drop_unneeded(result, out);
    }

    /// Lets a result go when nothing needs it.
    pub(crate) fn drop_unneeded(&mut self, result: ResultId, out: &mut Actions) {
        let Some(entry) = self.results.get(result) else { return };
        if entry.is_wanted || entry.is_ordered || entry.producers > 0 || entry.users > 0 {
            return;
        }
        self.graphs[entry.graph].results.remove(entry.task);
        self.drop_result(result, out);
    }

    /// Removes an entry that its graph does not know any more.
    pub(crate) fn drop_result(&mut self, result: ResultId, out: &mut Actions) {
        let Some(entry) = self.results.remove(result) else { return };
        match entry.arrival {
            Arrival::Held => {
                self.held_bytes -= entry.size;
                out.perform.push(Action::Drop(result));
            }
            Arrival::InFlight(fetch) => {
                self.forget_fetch(fetch);
                out.perform.push(Action::CancelFetch(fetch));
            }
            Arrival::Idle | Arrival::Queued | Arrival::Missing | Arrival::Promised => {}
        }
    }
}

impl ResultEntry {
    fn is_on_its_way(&self) -> bool {
        matches!(self.arrival, Arrival::Queued | Arrival::InFlight(_))
    }
}
