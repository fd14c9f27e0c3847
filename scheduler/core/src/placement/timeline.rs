//! When a worker will have slots free, by what runs there, what was sent there, and what is planned there.

use crate::core::SchedulerCore;
use crate::worker::WorkerIndex;

/// A stretch of time in which something holds slots of a worker, in microseconds from now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stretch {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) slots_milli: u64,
}

/// How the ends of what runs are foreseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foresight {
    /// As they are expected: to have things ready in time.
    Likely,
    /// Not before they are likely, as well as the function's forecasts were so far: to decide whether to wait for them.
    Cautious,
}

/// Stretches that are looked at one by one; a worker with more is taken to be busy evenly.
const STRETCHES_MAX: usize = 64;
/// What runs longer than was expected is taken to run one part of so many of that more, and at least so many microseconds.
const OVERDUE_PART: u64 = 4;
/// And at least so many microseconds: less is the noise of reports.
const OVERDUE_US_MIN: u64 = 20_000;

impl SchedulerCore {
    /// Microseconds from now, not before `from`, until a worker has these slots free for that long.
    pub(crate) fn slots_free_us(
        &self,
        index: WorkerIndex,
        from: u64,
        length: u64,
        slots_milli: u64,
        foresight: Foresight,
    ) -> u64 {
        let worker = self.worker(index);
        let planned: u64 = worker.plans.iter().map(|plan| plan.slots_milli).sum();
        let capacity = worker.plan.slots_milli;
        if worker.slots_used_milli + planned + slots_milli <= capacity {
            return from;
        }
        let count = worker.attempts.len() + worker.plans.len();
        if count > STRETCHES_MAX {
            let planned = worker.plans.iter().map(|plan| (plan.to - plan.from) as f64 * plan.slots_milli as f64).sum::<f64>();
            return from.max(worker.wait_us().saturating_add((planned / capacity.max(1) as f64) as u64));
        }
        let mut stretches = [Stretch::default(); STRETCHES_MAX];
        for (stretch, attempt) in stretches.iter_mut().zip(&worker.attempts) {
            *stretch = self.stretch_of(*attempt, foresight);
        }
        stretches[worker.attempts.len()..count].copy_from_slice(&worker.plans);
        let stretches = &stretches[..count];
        let is_free = |at: u64| {
            let overlapping =
                stretches.iter().filter(|stretch| stretch.from < at.saturating_add(length.max(1)) && stretch.to > at);
            overlapping.map(|stretch| stretch.slots_milli).sum::<u64>() + slots_milli <= capacity
        };
        if is_free(from) {
            return from;
        }
        let ends = stretches.iter().map(|stretch| stretch.to).filter(|end| *end > from && is_free(*end));
        ends.min().unwrap_or(from)
    }

    /// When an attempt holds its slots, as far as it is known.
    fn stretch_of(&self, attempt: u32, foresight: Foresight) -> Stretch {
        let live = self.attempts.at(attempt);
        let slots_milli = self.queues.key(live.way.shape).slots_milli;
        // More may be known than when it was assigned.
        let length = self.length_us(live.task).map(|length| self.worker(live.worker).pace.here_us(length));
        let expected = length.unwrap_or_else(|| u64::from(live.expected_us));
        let waits = live.starts.0.saturating_sub(self.now.0);
        let ran = self.now.since(live.starts).0;
        let left = if ran < expected { expected - ran } else { (expected / OVERDUE_PART).max(OVERDUE_US_MIN) };
        let left = match foresight {
            // What has not ended by the time that is expected of it is not about to end for that.
            Foresight::Cautious if ran > 0 => left.max((expected as f64 * self.uncertainty(live.task)) as u64),
            Foresight::Cautious | Foresight::Likely => left,
        };
        Stretch { from: waits, to: waits.saturating_add(left), slots_milli }
    }

    pub(crate) fn on_attempts_started(
        &mut self,
        now: wasm_tasks_protocol::time::Time,
        worker: wasm_tasks_protocol::ids::WorkerId,
        attempts: &[wasm_tasks_protocol::ids::Attempt],
    ) {
        for attempt in attempts {
            match self.find_attempt(worker, *attempt) {
                Some(index) => {
                    let live = self.attempts.at_mut(index);
                    (live.starts, live.is_started) = (now, true);
                    self.watch(index);
                }
                None => self.counters.stale_reports += 1,
            }
        }
    }
}
