//! Finds the gangs of a graph: tasks, one after the other, that say that they run together. Knows nothing of workers.

use super::{GraphError, Place, shorten};
use crate::ErrorCode;
use crate::graph::edges::{edges_of, topological};
use crate::graph::{Gang, Graph, Task};
use crate::ids::TaskIndex;

impl Graph {
    /// Cuts runs of tasks that name a gang into gangs, and refuses those that are not whole, or could never start together.
    pub(super) fn find_gangs(&mut self) -> Result<(), GraphError> {
        if self.task_options.iter().all(|options| options.gang.is_none()) {
            return Ok(());
        }
        let mut at = 0;
        while at < self.tasks.len() {
            let first = self.at(at);
            match first.gang_members() {
                None => at += 1,
                Some(len) => {
                    (1..len).try_for_each(|rank| self.check_member(first, rank, len))?;
                    self.gangs.push(Gang { first: first.index(), len });
                    at += len as usize;
                }
            }
        }
        self.refuse_members_that_wait_for_each_other()
    }

    fn at(&self, position: usize) -> Task<'_> {
        self.task(TaskIndex(self.base.tasks + position as u32))
    }

    /// Whether the task of a rank is there, and is a call like the first one.
    fn check_member(&self, first: Task<'_>, rank: u32, len: u32) -> Result<(), GraphError> {
        let place = || Place::named(format!("{}.options.gang", first.place()));
        let wrong = |message: String| Err(GraphError::new(ErrorCode::BadField, place(), message));
        let position = first.file_position() + rank as usize;
        if position >= self.tasks.len() || self.at(position).gang_members() != Some(len) {
            return wrong(format!(
                "it begins a gang of {len}, of which only {rank} are there: a gang's members follow each other in `tasks`, and each says `gang: {len}`"
            ));
        }
        let member = self.at(position);
        if member.function_index() != first.function_index() {
            return wrong(format!(
                "{} is of the same gang and calls another function; all members call the same",
                member.place()
            ));
        }
        let is_shared = member.settings_key() == first.settings_key();
        if !is_shared && member.own_options() != first.own_options() {
            return wrong(format!("{} is of the same gang and has other options; all members have the same", member.place()));
        }
        Ok(())
    }

    /// Members start together, so none may need another, directly or through tasks between them: with each gang taken as one
    /// task, there must be no circle.
    fn refuse_members_that_wait_for_each_other(&self) -> Result<(), GraphError> {
        let base = self.base.tasks;
        let mut one: Vec<u32> = (0..self.tasks.len() as u32).collect();
        for gang in &self.gangs {
            let first = gang.first.0 - base;
            one[first as usize..(first + gang.len) as usize].fill(first);
        }
        let mut starts = vec![0];
        let mut needs: Vec<TaskIndex> = Vec::new();
        let mut gangs = self.gangs.iter().peekable();
        for task in 0..self.tasks.len() as u32 {
            let is_first = gangs.next_if(|gang| gang.first.0 - base == task);
            let members = match is_first {
                Some(gang) => task..task + gang.len,
                None if one[task as usize] == task => task..task + 1,
                None => task..task,
            };
            for member in members {
                let own = edges_of(&self.dependency_starts, &self.dependencies, TaskIndex(member)).iter();
                needs.extend(own.filter(|need| need.0 >= base).map(|need| TaskIndex(one[(need.0 - base) as usize])));
            }
            starts.push(needs.len() as u32);
        }
        let Err(missing) = topological(&starts, &needs) else { return Ok(()) };
        // Going from one that is stuck to one that it waits for ends in a circle; without gangs there is none, so one is on it.
        let is_stuck = |task: &TaskIndex| missing[task.0 as usize] > 0;
        let mut seen = vec![false; self.tasks.len()];
        let mut walk = (0..self.tasks.len() as u32).map(TaskIndex).find(is_stuck).expect("something is stuck");
        let mut is_round = false;
        let gang = loop {
            let begun = std::mem::replace(&mut seen[walk.0 as usize], true);
            if begun && !is_round {
                is_round = true;
                seen.fill(false);
                seen[walk.0 as usize] = true;
            }
            let at = self.gangs.binary_search_by_key(&(walk.0 + base), |gang| gang.first.0);
            if let (true, Ok(at)) = (is_round, at) {
                break self.gangs[at];
            }
            let own = edges_of(&starts, &needs, walk);
            walk = *own.iter().find(|need| is_stuck(need)).expect("a stuck task waits for a stuck one");
        };
        let first = self.task(gang.first);
        let message = format!(
            "a member of the gang of {} that `{}` begins needs the result of another, directly or through other tasks; they start together",
            gang.len,
            shorten(first.key())
        );
        Err(GraphError::new(ErrorCode::Cycle, first.place(), message))
    }
}

impl Task<'_> {
    /// How many members the gang has that its own options name.
    fn gang_members(&self) -> Option<u32> {
        self.own_options()?.gang
    }
}
