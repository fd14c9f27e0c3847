//! How tasks go from state to state. Every change goes through [`SchedulerCore::change`], which knows the table.

mod cancel;
pub(crate) mod delegate;
mod extend;
mod fail;
mod finish;
mod gang;
mod lose;
mod need;
mod retract;
pub(crate) mod table;

use crate::core::SchedulerCore;
use crate::task::{State, StateName, TaskId};

impl SchedulerCore {
    /// Sets a task's state; leaves queues, counts and attempts to the caller.
    pub(crate) fn change(&mut self, id: TaskId, to: State) {
        let graph = self.graph_mut(id.graph);
        let task = graph.task_mut(id.task);
        let (old, new) = (task.state.name(), to.name());
        let Some(step) = table::position(old, new) else {
            panic!("task {} from {} to {}", id.task.0, old.as_str(), new.as_str());
        };
        task.state = to;
        if old == StateName::Done || new == StateName::Done {
            self.drains.note(id);
        }
        let graph = self.graph_mut(id.graph);
        graph.counts.assigned += u64::from(new == StateName::Assigned);
        graph.counts.assigned -= u64::from(old == StateName::Assigned);
        self.counters.transitions[step] += 1;
    }

    /// Sends a task that is needed and has nothing else to do to where it belongs: the queue, or waiting.
    pub(crate) fn requeue(&mut self, id: TaskId) {
        if !matches!(self.graph(id.graph).task(id.task).state, State::Waiting | State::Queued) {
            self.change(id, State::Waiting);
        }
        let graph = self.graph(id.graph);
        if graph.task(id.task).missing > 0 {
            return;
        }
        self.graph_mut(id.graph).classify(id.task);
        let graph = self.graph(id.graph);
        let (shape, priority) = (graph.profile_of(id.task).shape, graph.priority(id.task));
        let gang = graph.gangs.of(id.task).map(|gang| TaskId { graph: id.graph, task: gang.first() });
        if graph.task(id.task).state == State::Waiting {
            self.change(id, State::Queued);
        }
        match gang {
            None => self.queues.push(shape, priority, id),
            // A gang has one place in the queues, once all of it is ready.
            Some(first) if self.is_ready(first) => {
                let (shape, priority) = (self.gang_shape(first), self.graph(first.graph).priority(first.task));
                self.queues.push(shape, priority, first);
            }
            Some(_) => {}
        }
    }
}
