//! Work that comes back from workers.

use crate::action::Actions;
use crate::core::SchedulerCore;
use wasm_tasks_protocol::ids::{Attempt, WorkerId};

impl SchedulerCore {
    pub(crate) fn on_retracted(&mut self, worker: WorkerId, asked: &[Attempt], returned: &[Attempt], out: &mut Actions) {
        let Some(worker) = self.worker_ids.get(&worker).copied() else { return };
        let mine = |core: &SchedulerCore, attempt: &Attempt| {
            core.attempts.find(*attempt).filter(|index| core.attempts.at(*index).worker == worker)
        };
        for attempt in asked {
            if let Some(index) = mine(self, attempt) {
                let was_retracting = std::mem::replace(&mut self.attempts.at_mut(index).is_retracting, false);
                self.worker_mut(worker).retracting -= u32::from(was_retracting);
                self.reindex(worker);
            }
        }
        for attempt in returned {
            // Only what was asked for can be given back.
            let Some(index) = mine(self, attempt).filter(|_| asked.contains(attempt)) else { continue };
            let id = self.end_attempt(index).task;
            self.counters.retracted += 1;
            let task = self.graph_mut(id.graph).task_mut(id.task);
            task.steals = task.steals.saturating_add(1);
            if self.graph(id.graph).task(id.task).attempts_live().is_empty() {
                self.requeue(id);
                self.withdraw_dependents(id, out);
            }
        }
    }
}
