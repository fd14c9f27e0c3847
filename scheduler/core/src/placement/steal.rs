//! Work that is asked back from a worker with too much of it for one that has none.

use crate::action::{Action, Actions};
use crate::core::SchedulerCore;
use crate::worker::WorkerIndex;

/// Less waiting work than this is not worth asking for, in microseconds.
const WORTH_US: u64 = 2_000;

impl SchedulerCore {
    /// Asks the busiest worker for half of what it cannot start yet, once for each idle worker at most.
    ///
    /// The worker confirms: what it already runs stays there. What comes back is queued and placed like anything else.
    pub(crate) fn steal(&mut self, out: &mut Actions) {
        if !self.queues.is_empty() {
            return;
        }
        let is_idle = |(_, worker): &&(u64, WorkerIndex)| {
            let worker = self.worker(*worker);
            (worker.attempts.len() as u64) < worker.slots()
        };
        let idle: Vec<WorkerIndex> = self.free_workers.iter().take_while(is_idle).take(4).map(|(_, worker)| *worker).collect();
        if idle.is_empty() || idle.len() == self.worker_ids.len() {
            return;
        }
        for thief in idle {
            let Some(victim) = self.busiest(thief) else { return };
            let waiting = self.worker(victim).attempts.len() as u64 - self.worker(victim).slots();
            let newest = self.worker(victim).attempts.iter().rev().copied();
            let attempts: Vec<u32> = newest
                .filter(|attempt| {
                    let live = self.attempts.at(*attempt);
                    !live.is_ahead && !live.is_retracting
                })
                .take(waiting.div_ceil(2) as usize)
                .collect();
            if attempts.is_empty() {
                return;
            }
            for attempt in &attempts {
                self.attempts.at_mut(*attempt).is_retracting = true;
            }
            let attempts = attempts.iter().map(|attempt| self.attempts.at(*attempt).number).collect();
            out.push(Action::Retract { worker: self.worker(victim).id, attempts });
        }
    }

    /// The worker with the most waiting work, if that is worth moving. Looks at all workers, but only when somebody idles
    /// and nothing is queued.
    fn busiest(&self, thief: WorkerIndex) -> Option<WorkerIndex> {
        let workers = self.worker_ids.values().copied().filter(|worker| *worker != thief);
        let waiting = |index: WorkerIndex| {
            let worker = self.worker(index);
            let is_asked = worker.attempts.iter().any(|attempt| self.attempts.at(*attempt).is_retracting);
            (!is_asked && worker.attempts.len() as u64 > worker.slots()).then(|| worker.wait_us())
        };
        let round_trip = self.worker(thief).round_trip().0;
        workers
            .filter_map(|index| waiting(index).map(|wait| (wait, index)))
            .max()
            .filter(|(wait, _)| *wait > WORTH_US.max(4 * round_trip))
            .map(|(_, index)| index)
    }
}
