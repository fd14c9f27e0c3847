//! Positions in a graph's tables as its clients count them. What tasks write stands between what clients write, and clients, who
//! cannot name it, do not count it: so whoever writes a fragment need not know what tasks write meanwhile.
//!
//! Free of cost for graphs in which no task wrote anything.

use wasm_tasks_protocol::graph::Extent;
use wasm_tasks_protocol::ids::TaskIndex;

/// A run of parts that were written by clients, or by tasks that one task of a client's led to.
#[derive(Clone, Debug)]
struct Run {
    /// Where it starts in the tables.
    base: Extent,
    /// Where the next entries of clients start, as they count.
    theirs: Extent,
    /// The task of a client's, as it counts, that led to it.
    root: Option<TaskIndex>,
}

/// How clients count.
#[derive(Clone, Debug)]
pub(crate) struct Numbering {
    runs: Vec<Run>,
    extent: Extent,
}

impl Numbering {
    /// Of a graph as a client submitted it.
    pub(crate) fn new(first: Extent) -> Numbering {
        Numbering { runs: vec![Run { base: Extent::default(), theirs: Extent::default(), root: None }], extent: first }
    }

    /// A part was added at `base`, by a client or by a task.
    pub(crate) fn push(&mut self, base: Extent, part: Extent, writer: Option<TaskIndex>) {
        let root = writer.map(|writer| self.task_for_clients(writer));
        if self.runs.last().is_none_or(|last| last.root != root) {
            self.runs.push(Run { base, theirs: self.extent, root });
        }
        if root.is_none() {
            self.extent = self.extent.plus(part);
        }
    }

    /// How far the tables go for clients.
    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    /// Whether clients count as the tables do.
    pub(crate) fn is_plain(&self) -> bool {
        self.runs.len() == 1
    }

    /// The position in the tables of what a client calls `position`. `count` names the table.
    pub(crate) fn position(&self, position: u32, count: impl Fn(&Extent) -> u32) -> Option<u32> {
        if position >= count(&self.extent) {
            return None;
        }
        // Of runs that start at the same entry the last one has it.
        let run = &self.runs[self.runs.partition_point(|run| count(&run.theirs) <= position) - 1];
        debug_assert!(run.root.is_none(), "what tasks wrote has no entries of clients");
        Some(count(&run.base) + position - count(&run.theirs))
    }

    /// What clients call a task: one that was written by a task is part of the one of theirs that led to it.
    pub(crate) fn task_for_clients(&self, task: TaskIndex) -> TaskIndex {
        let run = &self.runs[self.runs.partition_point(|run| run.base.tasks <= task.0) - 1];
        run.root.unwrap_or(TaskIndex(run.theirs.tasks + task.0 - run.base.tasks))
    }
}

#[cfg(test)]
mod tests {
    use super::Numbering;
    use wasm_tasks_protocol::graph::Extent;
    use wasm_tasks_protocol::ids::TaskIndex;

    fn part(functions: u32, tasks: u32) -> Extent {
        Extent { functions, tasks, ..Extent::default() }
    }

    #[test]
    fn clients_do_not_count_what_tasks_write() {
        let mut numbering = Numbering::new(part(1, 3));
        let mut end = part(1, 3);
        assert!(numbering.is_plain());
        // A client's, then tasks of task 1 and of what it wrote, then a client's, tasks of task 4, and two of clients.
        let parts = [
            (part(0, 2), None),
            (part(1, 10), Some(1)),
            (part(0, 5), Some(6)),
            (part(1, 1), None),
            (part(0, 4), Some(20)),
            (part(0, 0), None),
            (part(1, 2), None),
        ];
        for (part, writer) in parts {
            numbering.push(end, part, writer.map(TaskIndex));
            end = end.plus(part);
        }
        assert!(!numbering.is_plain());
        assert_eq!((end, numbering.extent()), (part(4, 27), part(3, 8)));
        let tasks: Vec<Option<u32>> = (0..9).map(|task| numbering.position(task, |extent| extent.tasks)).collect();
        assert_eq!(tasks, [Some(0), Some(1), Some(2), Some(3), Some(4), Some(20), Some(25), Some(26), None]);
        let functions: Vec<Option<u32>> =
            (0..4).map(|function| numbering.position(function, |extent| extent.functions)).collect();
        assert_eq!(functions, [Some(0), Some(2), Some(3), None]);
        let names: Vec<u32> =
            [0, 1, 4, 5, 14, 15, 19, 20, 21, 24, 25, 26].map(|task| numbering.task_for_clients(TaskIndex(task)).0).into();
        assert_eq!(names, [0, 1, 4, 1, 1, 1, 1, 5, 5, 5, 6, 7]);
    }
}
