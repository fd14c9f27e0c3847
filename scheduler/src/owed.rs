//! The outputs of a graph: what became of each, and who said that it is no longer needed.

use crate::dense_hash::DenseMap;
use crate::inbox::SessionId;
use std::collections::{BTreeMap, BTreeSet};
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::message::OutputResult;

/// Outputs, by their position.
#[derive(Debug)]
pub(crate) struct Owed {
    results: Vec<Option<OutputResult>>,
    /// The outputs that the graph came with, sorted by task.
    first: Vec<(TaskIndex, u32)>,
    /// Those of fragments.
    more: BTreeSet<(TaskIndex, u32)>,
    /// Who let go of outputs that others still need.
    let_go: BTreeMap<u32, BTreeSet<SessionId>>,
    /// How many outputs are left of tasks that are several, for tasks of which one was let go.
    left: DenseMap<TaskIndex, usize>,
}

impl Owed {
    /// `outputs` are sorted.
    pub(crate) fn new(outputs: Vec<(TaskIndex, u32)>) -> Owed {
        Owed {
            results: vec![None; outputs.len()],
            first: outputs,
            more: BTreeSet::new(),
            let_go: BTreeMap::new(),
            left: DenseMap::default(),
        }
    }

    /// More outputs follow those that are there.
    pub(crate) fn add(&mut self, tasks: &[TaskIndex]) {
        for task in tasks {
            self.more.insert((*task, self.results.len() as u32));
            self.results.push(None);
            if let Some(left) = self.left.get_mut(task) {
                *left += 1;
            }
        }
    }

    /// A task that was no output took another's place.
    pub(crate) fn take_place(&mut self, of: TaskIndex, by: TaskIndex) {
        let positions: Vec<u32> = self.positions_of(of).collect();
        for position in positions {
            self.more.remove(&(of, position));
            self.more.insert((by, position));
        }
        if let Some(left) = self.left.remove(&of) {
            self.left.insert(by, left);
        }
    }

    /// Where a task stands among the outputs; for one whose place was taken, where it stood.
    pub(crate) fn positions_of(&self, task: TaskIndex) -> impl Iterator<Item = u32> {
        let start = self.first.partition_point(|(output, _)| *output < task);
        let first = self.first[start..].iter().take_while(move |(output, _)| *output == task).map(|(_, position)| *position);
        first.chain(self.more.range((task, 0)..=(task, u32::MAX)).map(|(_, position)| *position))
    }

    /// What became of each.
    pub(crate) fn results(&self) -> &[Option<OutputResult>] {
        &self.results
    }

    /// Notes what became of an output. Whether that is news.
    pub(crate) fn settle(&mut self, position: u32, result: &OutputResult) -> bool {
        let slot = &mut self.results[position as usize];
        if matches!(slot, Some(OutputResult::Released)) || slot.as_ref() == Some(result) {
            return false;
        }
        *slot = Some(result.clone());
        true
    }

    /// A follower no longer needs some outputs. Returns tasks that are outputs for nobody any more. `task_of` gives the task at a
    /// position.
    pub(crate) fn release(
        &mut self,
        session: SessionId,
        positions: &[u32],
        followers: &BTreeSet<SessionId>,
        task_of: impl Fn(u32) -> TaskIndex,
    ) -> Vec<TaskIndex> {
        let mut tasks = Vec::new();
        for position in positions {
            match self.results.get(*position as usize) {
                None | Some(Some(OutputResult::Released)) => continue,
                Some(None | Some(OutputResult::Inline(_) | OutputResult::Stored { .. } | OutputResult::Failed)) => {}
            }
            if followers.len() > 1 || !followers.contains(&session) {
                let by = self.let_go.entry(*position).or_default();
                by.insert(session);
                if !followers.is_subset(by) {
                    continue;
                }
                self.let_go.remove(position);
            }
            tasks.extend(self.drop_output(*position, task_of(*position)));
        }
        tasks
    }

    /// Somebody follows the graph no more: what everybody else let go of is let go.
    pub(crate) fn unfollow(&mut self, followers: &BTreeSet<SessionId>, task_of: impl Fn(u32) -> TaskIndex) -> Vec<TaskIndex> {
        if followers.is_empty() {
            return Vec::new();
        }
        let free: Vec<u32> =
            self.let_go.iter().filter(|(_, by)| followers.is_subset(by)).map(|(position, _)| *position).collect();
        let mut tasks = Vec::new();
        for position in free {
            self.let_go.remove(&position);
            tasks.extend(self.drop_output(position, task_of(position)));
        }
        tasks
    }

    fn drop_output(&mut self, position: u32, task: TaskIndex) -> Option<TaskIndex> {
        let left = match self.left.get(&task) {
            Some(left) => *left,
            None => {
                let is_left = |at: &u32| !matches!(self.results[*at as usize], Some(OutputResult::Released));
                self.positions_of(task).filter(is_left).count()
            }
        };
        self.results[position as usize] = Some(OutputResult::Released);
        if left > 1 {
            self.left.insert(task, left - 1);
            return None;
        }
        self.left.remove(&task);
        Some(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u64) -> SessionId {
        SessionId(number)
    }

    const TASKS: [u32; 4] = [5, 5, 6, 7];

    fn task_of(position: u32) -> TaskIndex {
        TaskIndex(TASKS[position as usize])
    }

    fn owed() -> Owed {
        let mut owed = Owed::new(vec![(TaskIndex(5), 0), (TaskIndex(5), 1)]);
        owed.add(&[TaskIndex(6), TaskIndex(7)]);
        owed
    }

    #[test]
    fn a_task_is_let_go_with_the_last_of_its_outputs() {
        let (mut owed, one) = (owed(), BTreeSet::from([session(1)]));
        assert_eq!(owed.release(session(1), &[0, 0, 99], &one, task_of), []);
        assert!(!owed.settle(0, &OutputResult::Failed), "it is of no interest any more");
        assert_eq!(owed.release(session(1), &[1, 3], &one, task_of), [TaskIndex(5), TaskIndex(7)]);
        assert_eq!(owed.release(session(1), &[1, 3], &one, task_of), []);
        assert_eq!(owed.positions_of(TaskIndex(6)).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn an_output_is_kept_while_one_follower_needs_it() {
        let (mut owed, both) = (owed(), BTreeSet::from([session(1), session(2)]));
        assert_eq!(owed.release(session(1), &[2, 3], &both, task_of), []);
        assert_eq!(owed.release(session(2), &[2], &both, task_of), [TaskIndex(6)]);
        assert_eq!(owed.unfollow(&BTreeSet::from([session(2)]), task_of), [], "the one who stays needs it");
        assert_eq!(owed.unfollow(&BTreeSet::new(), task_of), [], "with nobody left all is kept for who comes back");
        assert_eq!(owed.unfollow(&BTreeSet::from([session(1)]), task_of), [TaskIndex(7)]);
    }
}
