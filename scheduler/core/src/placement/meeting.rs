//! Where the result of a task will be needed, and what it costs to make it elsewhere: its way there.
//!
//! An estimate for decisions: nothing is moved because of it. A task that meets its siblings elsewhere after all makes the
//! estimate wrong, not harmful.

use crate::core::SchedulerCore;
use crate::event::Expected;
use crate::placement::link::micros;
use crate::task::{NONE, State, TaskId};
use crate::worker::WorkerIndex;
use wasm_tasks_protocol::ids::TaskIndex;

/// Siblings of a task that are looked at for where they are.
const SIBLINGS_SEEN_MAX: usize = 4;
/// Tasks from one to where it meets its siblings, at most.
const LINKS_MAX: usize = 4;
/// Meetings that are looked at, one after the other, for the first whose place is known.
const MEETINGS_MAX: usize = 4;

/// The worker that needs a result, as far as that can be foreseen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meeting {
    pub(crate) at: WorkerIndex,
    /// Microseconds that the result takes to it from another worker.
    pub(crate) way_us: u64,
}

impl Meeting {
    /// Microseconds that the result of a task has to move after the task ended at a worker.
    pub(crate) fn way_from_us(&self, from: WorkerIndex) -> u64 {
        if from == self.at { 0 } else { self.way_us }
    }
}

impl SchedulerCore {
    /// Where the result of a task will be needed; none where that is not known.
    ///
    /// The task that needs it and those of its siblings may have no place yet. Then it will meet its own siblings, and so on: the
    /// first place that is known on this way is the place, and the fewest bytes between two tasks of it are what has to move.
    pub(super) fn meeting_of(&self, id: TaskId) -> Option<Meeting> {
        let (mut at, mut least) = (id.task, u64::MAX);
        for level in 0..MEETINGS_MAX {
            let family = self.graph(id.graph).task(at).family;
            if family == NONE {
                return None;
            }
            least = least.min(self.bytes_to_meeting(TaskId { graph: id.graph, task: at }, family));
            if let Some(place) = self.sibling_at(id, family, level > 0) {
                let way_us = micros(least, self.bandwidth_down(place));
                return (!self.consumers_part(id, way_us)).then_some(Meeting { at: place, way_us });
            }
            at = TaskIndex(family);
        }
        None
    }

    /// Whether tasks that need the result of one will be in several places anyway, and so must it: what all of them but the first
    /// take is longer than the way of the result to another worker.
    fn consumers_part(&self, id: TaskId, way_us: u64) -> bool {
        let [first, others @ ..] = self.graph(id.graph).dependents(id.task) else { return false };
        let length = self.length_or_guess_us(TaskId { graph: id.graph, task: *first });
        length.saturating_mul(others.len() as u64) > way_us
    }

    /// A worker that has the result of a sibling, makes it, or is to make it. Siblings that meet siblings of their own will be
    /// where these meet.
    fn sibling_at(&self, id: TaskId, family: u32, are_meetings: bool) -> Option<WorkerIndex> {
        let graph = self.graph(id.graph);
        let known = |worker: u32| (worker != NONE).then_some(worker);
        let home = |family: u32| known(family).and_then(|family| known(self.home_of_family(graph, family)));
        let place = |sibling: &TaskIndex| match &graph.task(*sibling).state {
            State::Done { holders, .. } => holders.as_slice().first().copied(),
            State::Assigned(attempts) => attempts.as_slice().first().map(|attempt| self.attempts.at(*attempt).worker.0),
            State::Queued => home(graph.task(*sibling).family),
            State::Waiting if are_meetings => home(sibling.0),
            State::Waiting | State::Idle | State::Resting { .. } | State::Failed { .. } | State::Delegated { .. } => None,
        };
        let siblings = graph.dependencies(TaskIndex(family)).iter().take(SIBLINGS_SEEN_MAX);
        home(family).or_else(|| siblings.filter_map(place).next()).map(WorkerIndex)
    }

    /// The fewest bytes that have to move between a task and the one where it meets its siblings: what is between them may run
    /// at either end.
    fn bytes_to_meeting(&self, id: TaskId, family: u32) -> u64 {
        let graph = self.graph(id.graph);
        let (mut at, mut least) = (id.task, u64::MAX);
        for _ in 0..LINKS_MAX {
            least = least.min(self.result_bytes(TaskId { graph: id.graph, task: at }));
            match graph.dependents(at) {
                [next, ..] if next.0 != family => at = *next,
                _ => break,
            }
        }
        least
    }

    /// Bytes that a task is expected to make: what its graph says, or what its function made so far; 0 where neither tells.
    pub(crate) fn result_bytes(&self, id: TaskId) -> u64 {
        let graph = self.graph(id.graph);
        let function = &graph.functions[graph.task(id.task).function as usize];
        let said = graph.expected.get(id.task.0 as usize).map(|expected| expected.result_bytes);
        function.sizes.foreseen(said.filter(|bytes| *bytes != Expected::NOT_SAID))
    }

    /// A task is, or will be, at a worker: its siblings' results are needed there, unless others were placed before it.
    pub(super) fn note_meeting(&mut self, id: TaskId, worker: WorkerIndex) {
        let family = self.graph(id.graph).task(id.task).family;
        if family != NONE && self.home_of_family(self.graph(id.graph), family) == NONE {
            self.graph_mut(id.graph).task_mut(TaskIndex(family)).home = worker.0;
        }
    }
}
