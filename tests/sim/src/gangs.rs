//! Gangs in random graphs: which tasks become members, and the reference model of how members start.
//!
//! Knows the core only by its actions and the states that it tells.

use crate::random::Random;
use crate::work::{Work, WorkTask};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex, WorkerId};
use wasm_tasks_scheduler_core::{SchedulerCore, StateName, TaskId};

/// Members of a gang at most: every run ends with so many workers that can run everything.
pub(crate) const MEMBERS_MAX: u64 = 3;

/// Makes gangs of tasks that follow each other, in some graphs. What members would need of each other they do not need.
pub(crate) fn draw(tasks: &mut [WorkTask], salt: u64) {
    let mut random = Random::new(salt ^ 0x6a09_e667);
    if !random.chance(300) {
        return;
    }
    let mut at = 0;
    while at < tasks.len() {
        let len = random.between(1, MEMBERS_MAX) as usize;
        if random.chance(200) && at + len <= tasks.len() {
            let (function, settings) = (tasks[at].function, tasks[at].settings.clone());
            for task in &mut tasks[at..at + len] {
                task.function = function;
                task.settings = settings.clone();
                task.settings.gang = len as u32;
                task.needs.retain(|(need, _)| (need.0 as usize) < at);
            }
        }
        at += len;
    }
}

/// The gangs among tasks, by their positions.
pub(crate) fn of(tasks: &[WorkTask]) -> Vec<Range<usize>> {
    let mut gangs = Vec::new();
    let mut at = 0;
    while at < tasks.len() {
        let len = tasks[at].settings.gang as usize;
        if len > 0 {
            gangs.push(at..at + len);
        }
        at += len.max(1);
    }
    gangs
}

/// Members that were assigned in one step of the core.
#[derive(Debug, Default)]
pub struct Watch {
    /// By the gang's first member.
    assigned: BTreeMap<(GraphId, usize), Sent>,
}

#[derive(Debug)]
struct Sent {
    members: Range<usize>,
    sent: Vec<(TaskId, WorkerId)>,
}

impl Watch {
    /// A task was sent to a worker.
    pub fn note(&mut self, graph: GraphId, work: &Work, id: TaskId, worker: WorkerId) {
        let gang = work.gangs.partition_point(|gang| gang.start <= id.task.0 as usize).checked_sub(1);
        let gang = gang.map(|gang| &work.gangs[gang]).filter(|gang| gang.contains(&(id.task.0 as usize)));
        if let Some(members) = gang.cloned() {
            let entry = self.assigned.entry((graph, members.start));
            entry.or_insert_with(|| Sent { members, sent: Vec::new() }).sent.push((id, worker));
        }
    }

    /// The step is over: of each gang of which one member was sent, all were that are open, to different workers. Returns how
    /// many gangs of several members started.
    ///
    /// # Panics
    /// When that is not so.
    pub fn check(&mut self, core: &SchedulerCore) -> u64 {
        let mut started = 0;
        for ((graph, first), Sent { members, sent }) in std::mem::take(&mut self.assigned) {
            let workers: BTreeSet<WorkerId> = sent.iter().map(|(_, worker)| *worker).collect();
            assert_eq!(workers.len(), sent.len(), "gang {first} of graph {graph}: each member has a worker of its own");
            let tasks: BTreeSet<TaskIndex> = sent.iter().map(|(id, _)| id.task).collect();
            assert_eq!(tasks.len(), sent.len(), "gang {first} of graph {graph}: each member is sent once");
            for task in members.map(|task| TaskIndex(task as u32)).filter(|task| !tasks.contains(task)) {
                let state = core.state_of(TaskId { graph: sent[0].0.graph, task });
                let is_over = matches!(state, Some(StateName::Idle | StateName::Done | StateName::Failed));
                assert!(is_over, "gang {first} of graph {graph} started without {}, which is {state:?}", task.0);
            }
            started += u64::from(sent.len() > 1);
        }
        started
    }
}
