//! Gangs of a graph: tasks, one after the other, that start together, each on a worker of its own, and end together.
//!
//! Owns which tasks are members, and what members reported whose mates still run: they keep their slots, and nobody hears of
//! their results, until all have ended. What becomes of members is `transitions/gang.rs`, where they go `placement/gang.rs`.

use crate::core::SchedulerCore;
use crate::task::{GraphIndex, State, TaskId};
use std::ops::Range;
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::time::Duration;

/// What an attempt that ended well reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Bytes of the result.
    pub(crate) size: u64,
    pub(crate) run: Duration,
    pub(crate) memory_peak_bytes: u64,
    /// Whether the shell has a copy of the result.
    pub(crate) is_inline: bool,
}

/// A member whose attempt ended well before those of its mates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Index of the attempt, which is live.
    pub(crate) attempt: u32,
    pub(crate) report: Report,
}

#[derive(Debug)]
pub(crate) struct Gang {
    first: u32,
    len: u32,
    /// In no order.
    pub(crate) ended: Vec<Ended>,
}

impl Gang {
    pub(crate) fn members(&self) -> impl DoubleEndedIterator<Item = TaskIndex> + use<> {
        (self.first..self.first + self.len).map(TaskIndex)
    }

    /// The member of rank 0, which stands for the gang in queues and reservations.
    pub(crate) fn first(&self) -> TaskIndex {
        TaskIndex(self.first)
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }
}

/// All gangs of a graph, in the order of their members.
#[derive(Debug, Default)]
pub(crate) struct Gangs(Vec<Gang>);

impl Gangs {
    /// Finds the gangs among tasks that were added: `members` gives the size of the gang that each of them names, 0 for none.
    pub(crate) fn extend(&mut self, tasks: Range<u32>, members: impl Fn(TaskIndex) -> u32) {
        let mut at = tasks.start;
        while at < tasks.end {
            let len = members(TaskIndex(at));
            if len > 0 {
                let is_whole = tasks.end - at >= len && (at..at + len).all(|task| members(TaskIndex(task)) == len);
                assert!(is_whole, "a plan's gangs are whole");
                self.0.push(Gang { first: at, len, ended: Vec::new() });
            }
            at += len.max(1);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Gang> {
        self.0.iter()
    }

    fn position(&self, task: TaskIndex) -> Option<usize> {
        let at = self.0.partition_point(|gang| gang.first <= task.0).checked_sub(1)?;
        (task.0 < self.0[at].first + self.0[at].len).then_some(at)
    }

    /// The gang that a task is a member of.
    pub(crate) fn of(&self, task: TaskIndex) -> Option<&Gang> {
        self.position(task).map(|at| &self.0[at])
    }

    pub(crate) fn of_mut(&mut self, task: TaskIndex) -> Option<&mut Gang> {
        self.position(task).map(|at| &mut self.0[at])
    }
}

impl SchedulerCore {
    pub(crate) fn is_member(&self, id: TaskId) -> bool {
        self.graph(id.graph).gangs.of(id.task).is_some()
    }

    /// The members of a task's gang that are needed and neither done nor failed; of a task in no gang itself, if it is.
    pub(crate) fn open_members(&self, id: TaskId) -> Vec<TaskId> {
        let graph = self.graph(id.graph);
        let is_open = |task: &TaskIndex| graph.task(*task).is_open();
        let own = |task: TaskIndex| TaskId { graph: id.graph, task };
        match graph.gangs.of(id.task) {
            Some(gang) => gang.members().filter(is_open).map(own).collect(),
            None => Some(id.task).filter(is_open).map(own).into_iter().collect(),
        }
    }

    /// Whether all that start with a task have their inputs and wait for workers.
    pub(crate) fn is_ready(&self, id: TaskId) -> bool {
        let Some(graph) = self.graph_at(id.graph) else { return false };
        match graph.gangs.of(id.task) {
            None => graph.task(id.task).state == State::Queued,
            Some(gang) => {
                let mut open = gang.members().map(|member| graph.task(member)).filter(|task| task.is_open()).peekable();
                open.peek().is_some() && open.all(|task| task.state == State::Queued)
            }
        }
    }

    /// Whether a task, or one that starts with it, must run alone on its worker, because workers died that had it.
    pub(crate) fn is_suspect(&self, id: TaskId) -> bool {
        let graph = self.graph(id.graph);
        match graph.gangs.of(id.task) {
            None => graph.task(id.task).deaths > 0,
            Some(gang) => gang.members().any(|member| graph.task(member).is_open() && graph.task(member).deaths > 0),
        }
    }

    /// What a live attempt reported that ended well and whose mates still run.
    pub(crate) fn report_of(&self, attempt: u32) -> Option<Report> {
        let id = self.attempts.at(attempt).task;
        let gang = self.graph(id.graph).gangs.of(id.task)?;
        gang.ended.iter().find(|ended| ended.attempt == attempt).map(|ended| ended.report)
    }

    /// What must hold of gangs after every event.
    ///
    /// # Panics
    /// When something does not.
    pub(crate) fn check_gangs(&self, index: GraphIndex) {
        let graph = self.graph(index);
        for gang in graph.gangs.iter() {
            let id = TaskId { graph: index, task: gang.first() };
            let open = self.open_members(id);
            let attempts: Vec<u32> =
                open.iter().flat_map(|member| graph.task(member.task).attempts_live().iter().copied()).collect();
            let assigned = open.iter().filter(|member| matches!(graph.task(member.task).state, State::Assigned(_))).count();
            assert!(assigned == 0 || assigned == open.len(), "members are at workers together or not at all");
            assert_eq!(attempts.len(), assigned, "a member has one attempt");
            let mut workers: Vec<_> = attempts.iter().map(|attempt| self.attempts.at(*attempt).worker).collect();
            workers.sort_unstable();
            workers.dedup();
            assert_eq!(workers.len(), assigned, "each member has a worker of its own");
            assert!(
                gang.ended.iter().all(|ended| attempts.contains(&ended.attempt)),
                "what members reported is of live attempts"
            );
            assert!(gang.ended.is_empty() || gang.ended.len() < assigned, "members end together");
            for attempt in &attempts {
                let live = self.attempts.at(*attempt);
                assert!(!live.is_ahead && !live.is_retracting, "members are neither sent ahead nor asked back");
                assert!(self.queues.key(live.way.shape).gang > 0, "what members take is known to be a gang's");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_their_positions() {
        let sizes = [0, 2, 2, 2, 2, 0, 1, 3, 3, 3];
        let mut gangs = Gangs::default();
        gangs.extend(0..6, |task| sizes[task.0 as usize]);
        gangs.extend(6..10, |task| sizes[task.0 as usize]);
        let found: Vec<Option<u32>> = (0..11).map(|task| gangs.of(TaskIndex(task)).map(|gang| gang.first)).collect();
        let expected = [None, Some(1), Some(1), Some(3), Some(3), None, Some(6), Some(7), Some(7), Some(7), None];
        assert_eq!(found, expected);
    }

    #[test]
    #[should_panic(expected = "a plan's gangs are whole")]
    fn half_a_gang_is_a_bug() {
        Gangs::default().extend(0..3, |_| 2);
    }
}
