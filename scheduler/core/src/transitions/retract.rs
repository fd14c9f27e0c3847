//! Work that comes back from workers: because it was asked for, or because they are leaving or short of memory.

use crate::action::Actions;
use crate::core::SchedulerCore;
use wasm_tasks_protocol::ids::{Attempt, WorkerId};
use wasm_tasks_protocol::time::Duration;

/// A worker that keeps what it was asked for has it in a lane. It is left in peace so long: the lane may stall, and what is
/// behind in it becomes free again.
const KEPT_FOR: Duration = Duration::from_millis(20);

impl SchedulerCore {
    pub(crate) fn on_retracted(&mut self, id: WorkerId, asked: &[Attempt], returned: &[Attempt], out: &mut Actions) {
        let Some(worker) = self.worker_ids.get(&id).copied() else { return };
        let mine = |core: &SchedulerCore, attempt: &Attempt| {
            let index = core.attempts.find(*attempt)?;
            (core.attempts.at(index).worker == worker && core.report_of(index).is_none()).then_some(index)
        };
        let mut is_unasked = false;
        for attempt in returned {
            let Some(index) = mine(self, attempt) else { continue };
            is_unasked |= !self.attempts.at(index).is_retracting;
            let ended = self.end_attempt(index);
            let returned = ended.task;
            self.release_copy(&ended, out);
            self.counters.retracted += 1;
            let task = self.graph_mut(returned.graph).task_mut(returned.task);
            task.steals = task.steals.saturating_add(1);
            self.go_on_without(returned, worker, out);
        }
        for attempt in asked {
            if let Some(index) = mine(self, attempt) {
                let kept_until = self.now + KEPT_FOR;
                let live = self.attempts.at_mut(index);
                live.kept_until = kept_until;
                let was_retracting = std::mem::replace(&mut live.is_retracting, false);
                self.worker_mut(worker).retracting -= u32::from(was_retracting);
            }
        }
        self.reindex(worker);
        // Whoever gives back what it was not asked for would be given it again at once.
        let may_give_back = std::mem::take(&mut self.worker_mut(worker).memory.may_give_back);
        if is_unasked && !may_give_back && !self.worker(worker).is_leaving {
            self.on_worker_leaving(id);
        }
    }
}
