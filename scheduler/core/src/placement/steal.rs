//! Work that is asked back from a worker with too much of it for one that has none.

use crate::action::{Action, Actions};
use crate::core::SchedulerCore;
use crate::worker::WorkerIndex;
use wasm_tasks_protocol::time::Duration;

/// Less waiting work than this is not worth asking for, in microseconds.
const WORTH_US: u64 = 2_000;
/// A task is moved at most this often.
const STEALS_MAX: u8 = 2;
/// Idle workers that are served in a round of placement at most.
const THIEVES_MAX: usize = 4;
/// Attempts of a busy worker that are looked at to find some to ask for.
const ATTEMPTS_SEEN_MAX: usize = 1_024;
/// Workers that are looked at to find the busiest, by each of two measures of having much to do.
const VICTIMS_SEEN_MAX: usize = 4;

impl SchedulerCore {
    /// Asks the busiest worker for half of what it cannot start yet, once for each idle worker at most.
    ///
    /// The worker confirms: what it already runs stays there. What comes back is queued and placed like anything else.
    pub(crate) fn steal(&mut self, out: &mut Actions) {
        if !self.queues.is_empty() || self.loaded_workers.is_empty() {
            return;
        }
        let idle: Vec<WorkerIndex> = self.idle_workers.iter().take(THIEVES_MAX).map(WorkerIndex).collect();
        if idle.is_empty() || idle.len() == self.worker_ids.len() {
            return;
        }
        for thief in idle {
            let Some(victim) = self.busiest(thief) else { return };
            let surplus = self.worker(victim).surplus();
            let mut attempts: Vec<u32> = Vec::new();
            for at in (0..self.worker(victim).attempts.len()).rev().take(ATTEMPTS_SEEN_MAX) {
                let attempt = self.worker(victim).attempts[at];
                if self.may_be_stolen(attempt, thief) {
                    attempts.push(attempt);
                    if attempts.len() as u64 == surplus.div_ceil(2) {
                        break;
                    }
                }
            }
            if attempts.is_empty() {
                return;
            }
            self.worker_mut(victim).retracting += attempts.len() as u32;
            self.reindex(victim);
            for attempt in &attempts {
                self.attempts.at_mut(*attempt).is_retracting = true;
            }
            let attempts = attempts.iter().map(|attempt| self.attempts.at(*attempt).number).collect();
            out.push(Action::Retract { worker: self.worker(victim).id, attempts });
        }
    }

    /// Not what was sent ahead, which belongs where its inputs are made, and nothing that was moved often enough already.
    /// What takes long, or moves much, is asked for only if its inputs are at the thief before it would start where it is.
    fn may_be_stolen(&mut self, attempt: u32, thief: WorkerIndex) -> bool {
        let live = self.attempts.at(attempt);
        let (id, worker, starts) = (live.task, live.worker, live.starts);
        // Members of gangs wait for nothing that others could give them.
        let is_member = self.queues.key(live.way.shape).gang > 0;
        if is_member || live.is_ahead || live.is_started || live.is_retracting || live.kept_until > self.now {
            return false;
        }
        if self.graph(id.graph).task(id.task).steals >= STEALS_MAX {
            return false;
        }
        let load = self.load_wait_us(id, thief);
        if !self.is_worth_care(id) {
            return load == 0 || self.now + Duration(load) < starts;
        }
        let inputs = self.inputs_of(id);
        let (arrival, _) = self.arrival_us(&inputs, thief);
        let arrival = arrival.max(load);
        self.put_back(inputs);
        let [there, here] = [thief, worker].map(|at| Duration(self.length_at_us(id, at)));
        // What should have begun by now waits for something that takes longer than was expected.
        let starts = if starts < self.now {
            let slots_milli = self.queues.key(self.attempts.at(attempt).way.shape).slots_milli;
            let free = self.slots_free_us(worker, 0, here.0, slots_milli, crate::placement::timeline::Foresight::Cautious);
            self.now + Duration(free.saturating_sub(here.0))
        } else {
            starts
        };
        self.now + Duration(arrival) + self.worker(thief).round_trip() + there < starts + here
    }

    /// Microseconds until a slot is free, by what is known of durations now rather than when tasks were assigned.
    fn wait_as_known_now(&self, index: WorkerIndex) -> u64 {
        let worker = self.worker(index);
        // What is of unknown length takes no less than it has been there.
        let newest = worker.attempts.last().map(|attempt| {
            let live = self.attempts.at(*attempt);
            self.length_us(live.task).unwrap_or(self.now.since(live.assigned_at).0)
        });
        worker.wait_us().max(newest.unwrap_or(0).saturating_mul(worker.surplus()) / worker.slots())
    }

    /// The worker with the most waiting work, if that is worth moving.
    ///
    /// Durations may have been learnt since tasks were assigned, so those with the most tasks are looked at too.
    fn busiest(&self, thief: WorkerIndex) -> Option<WorkerIndex> {
        let round_trip = self.worker(thief).round_trip().0;
        let loaded = self.loaded_workers.most_first().take(VICTIMS_SEEN_MAX);
        let crowded = self.crowded_workers.most_first().take(VICTIMS_SEEN_MAX);
        loaded
            .chain(crowded)
            .filter(|worker| *worker != thief)
            .map(|index| (self.wait_as_known_now(index), index))
            .max()
            .filter(|(wait, _)| *wait > WORTH_US.max(4 * round_trip))
            .map(|(_, index)| index)
    }
}
