//! Attempts that take much longer than was expected, and second attempts beside them.
//!
//! Owns which attempts run and when each is looked at, and which of them are late. Must not know why one is slow: whoever
//! ends first is believed, the other is stopped, and whatever that still reports is fenced like any report on an attempt
//! that is over. Backup tasks are those of MapReduce (Dean and Ghemawat, OSDI 2004, section 3.6); that few slots are spent
//! on them, none beside work that waits, and none at workers that are slow themselves, is from LATE (Zaharia et al., OSDI 2008).

use crate::action::{Action, Actions, InputAt};
use crate::attempt::{LiveAttempt, Way};
use crate::core::SchedulerCore;
use crate::task::{State, TaskId};
use crate::worker::WorkerIndex;
use std::collections::BTreeSet;
use wasm_tasks_protocol::time::{Duration, Time};

/// An attempt is late when it ran so many times what was expected. Spark had 1.5 as `spark.speculation.multiplier` until
/// version 4, and has 3 since.
const LATE_FACTOR: f64 = 2.0;
/// And when it ran so many times further than attempts of its function are off on average, as timeouts of TCP have it (RFC 6298).
const LATE_SPREADS: f64 = 4.0;
/// Attempts of a function that have to be measured before one is called late.
const MEASURED_MIN: u64 = 3;
/// What ran less than this is never late: a second attempt costs messages, and the way of its inputs. Spark's
/// `spark.speculation.minTaskRuntime` is 100 ms, for tasks that cost milliseconds to begin.
const LATE_MIN: Duration = Duration::from_millis(50);
/// Of the fleet's slots, one part of so many may be spent on second attempts: LATE's `SpeculativeCap`.
const FLEET_PART: u64 = 10;
/// Attempts that are looked at for one tick of the clock.
const LOOKS_MAX: usize = 256;
/// Second attempts that are begun in one round of placement at most, and late ones that are looked at for them.
const COPIES_PER_ROUND: usize = 4;
const LATE_SEEN_MAX: usize = 16;
/// A late one that fits nowhere is looked at again after one part of so many of what it ran.
const AGAIN_PART: u64 = 8;
/// Idle workers that are compared for one second attempt, and attempts of each that are looked at.
const WORKERS_SEEN_MAX: usize = 32;
const ATTEMPTS_SEEN_MAX: usize = 32;
/// Where tasks of more shapes wait, some of them can use what is idle.
const WAITING_SEEN_MAX: usize = 256;

/// Where an attempt stands in [`Stragglers`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Nowhere: it is not known to run, may not be copied, or was.
    #[default]
    No,
    /// It is looked at then.
    Until(Time),
    /// It is late since then, and no second attempt was begun.
    Late(Time),
}

/// Attempts that run, by when they are looked at, and those that are late.
#[derive(Debug, Default)]
pub(crate) struct Stragglers {
    looks: BTreeSet<(Time, u32)>,
    late: BTreeSet<(Time, u32)>,
    /// Live attempts that were begun beside others.
    pub(crate) copies: usize,
}

impl Stragglers {
    pub(crate) fn next_look(&self) -> Option<Time> {
        self.looks.first().map(|(at, _)| *at)
    }

    fn remove(&mut self, index: u32, watch: Watch) {
        let was_there = match watch {
            Watch::No => true,
            Watch::Until(at) => self.looks.remove(&(at, index)),
            Watch::Late(at) => self.late.remove(&(at, index)),
        };
        assert!(was_there, "an attempt stands where it says");
    }

    /// An attempt ended.
    pub(crate) fn forget(&mut self, index: u32, ended: &LiveAttempt) {
        self.remove(index, ended.watch);
        self.copies -= usize::from(ended.is_copy);
    }
}

impl SchedulerCore {
    fn set_watch(&mut self, index: u32, watch: Watch) {
        let before = std::mem::replace(&mut self.attempts.at_mut(index).watch, watch);
        self.stragglers.remove(index, before);
        match watch {
            Watch::No => true,
            Watch::Until(at) => self.stragglers.looks.insert((at, index)),
            Watch::Late(at) => self.stragglers.late.insert((at, index)),
        };
    }

    /// An attempt runs: it is watched if a second one would be allowed.
    pub(crate) fn watch(&mut self, index: u32) {
        let live = self.attempts.at(index);
        let graph = self.graph(live.task.graph);
        // A member of a gang cannot run apart from the others.
        let may_run_twice = graph.gangs.of(live.task.task).is_none() && graph.profile_of(live.task.task).settings.may_speculate();
        let watch = if may_run_twice { Watch::Until(self.next_look(index)) } else { Watch::No };
        self.set_watch(index, watch);
    }

    /// When an attempt that runs will be late, as far as is known now; none where too little is.
    fn late_at(&self, index: u32) -> Option<Time> {
        let live = self.attempts.at(index);
        let graph = self.graph(live.task.graph);
        let statistics = &graph.functions[graph.task(live.task.task).function as usize];
        let expected = self.length_us(live.task).filter(|_| statistics.foreseen >= MEASURED_MIN)? as f64;
        let factor = LATE_FACTOR.max(1.0 + LATE_SPREADS * statistics.spread);
        Some(live.starts + Duration((expected * factor) as u64).max(LATE_MIN))
    }

    /// When an attempt that is not late yet is looked at: when it will be, or when it ran twice as long as now.
    fn next_look(&self, index: u32) -> Time {
        let ran = self.now.since(self.attempts.at(index).starts);
        let later = self.now + ran.max(LATE_MIN);
        self.late_at(index).filter(|at| *at > self.now).unwrap_or(later)
    }

    /// Finds out which of those that are due are late. More may be known now than when they were begun.
    pub(crate) fn look_for_stragglers(&mut self) {
        for _ in 0..LOOKS_MAX {
            let Some((_, index)) = self.stragglers.looks.first().copied().filter(|(at, _)| *at <= self.now) else { return };
            let is_late = self.late_at(index).is_some_and(|at| at <= self.now);
            let watch = if is_late { Watch::Late(self.now) } else { Watch::Until(self.next_look(index)) };
            self.attempts.at_mut(index).is_late |= is_late;
            self.set_watch(index, watch);
        }
    }

    /// Begins second attempts where slots are idle and nothing that is ready could use them.
    pub(crate) fn copy_stragglers(&mut self, out: &mut Actions) {
        if self.stragglers.late.is_empty() || self.idle_workers.is_empty() {
            return;
        }
        let late: Vec<u32> = self.stragglers.late.iter().take(LATE_SEEN_MAX).map(|(_, index)| *index).collect();
        let mut begun = 0;
        for index in late {
            let budget = (self.fleet_slots_milli / 1_000 / FLEET_PART).max(1);
            if begun == COPIES_PER_ROUND || self.stragglers.copies as u64 >= budget || self.attempts.is_full() {
                return;
            }
            let id = self.attempts.at(index).task;
            let way = self.attempts.at(index).way;
            match self.copier(id, way) {
                Some(worker) => {
                    self.set_watch(index, Watch::No);
                    self.assign(id, worker, way, false, out);
                    begun += 1;
                }
                // Those behind it may fit elsewhere.
                None => {
                    let ran = self.now.since(self.attempts.at(index).starts);
                    let again = Duration(ran.0 / AGAIN_PART).max(LATE_MIN);
                    self.set_watch(index, Watch::Until(self.now + again));
                }
            }
        }
    }

    /// The idle worker where a second attempt of a task would start first; none when there should be none now.
    fn copier(&self, id: TaskId, way: Way) -> Option<WorkerIndex> {
        let task = self.graph(id.graph).task(id.task);
        let [only] = task.attempts_live() else { return None };
        if task.missing > 0 || task.deaths > 0 {
            return None;
        }
        let slow = self.attempts.at(*only).worker;
        let idle = self.idle_workers.iter().take(WORKERS_SEEN_MAX).map(WorkerIndex);
        let fits =
            idle.filter(|worker| *worker != slow && self.has_room(*worker, id, way.shape) && self.may_copy_at(*worker, way));
        fits.min_by_key(|worker| self.start_us(id, *worker))
    }

    /// Whether a worker has idle slots for the shape, which nothing that waits could use, and is not late itself.
    fn may_copy_at(&self, index: WorkerIndex, way: Way) -> bool {
        let worker = self.worker(index);
        let is_late = |attempt: &u32| self.attempts.at(*attempt).is_late;
        let key = self.queues.key(way.shape);
        worker.could_ever(key, self.now)
            && worker.is_available(key)
            && !worker.attempts.iter().take(ATTEMPTS_SEEN_MAX).any(is_late)
            && self.queues.waiting_count() <= WAITING_SEEN_MAX
            && !self.queues.waiting().any(|(shape, _)| self.could_run(index, shape))
    }

    /// The attempt that lost against another: its worker is told where the result is for what was sent ahead of it.
    pub(crate) fn cancel_loser(&mut self, index: u32, out: &mut Actions) {
        let (id, worker) = (self.attempts.at(index).task, self.attempts.at(index).worker);
        for position in 0..self.graph(id.graph).dependents(id.task).len() {
            let dependent = TaskId { graph: id.graph, task: self.graph(id.graph).dependents(id.task)[position] };
            let Some(ahead) = self.attempt_at(dependent, worker) else { continue };
            let attempt = self.attempts.at(ahead).number;
            let input = self.input(dependent, id.task, worker).expect("the result exists");
            assert!(!matches!(input.at, InputAt::Pending(_)), "the result exists");
            out.push(Action::UpdateInput { worker: self.worker(worker).id, attempt, input, graph: id.graph });
        }
        self.cancel_attempt(index, out);
    }

    /// What must hold of stragglers after every event.
    ///
    /// # Panics
    /// When something does not.
    pub(crate) fn check_stragglers(&self) {
        let (mut looks, mut late) = (BTreeSet::new(), BTreeSet::new());
        for (index, live) in self.attempts.iter() {
            match live.watch {
                Watch::No => true,
                Watch::Until(at) => looks.insert((at, index)),
                Watch::Late(at) => late.insert((at, index)),
            };
            let settings = &self.graph(live.task.graph).profile_of(live.task.task).settings;
            let is_watched = live.watch != Watch::No;
            assert!(!is_watched || (live.is_started && settings.may_speculate()), "what runs and may be copied is watched");
            let State::Assigned(attempts) = &self.graph(live.task.graph).task(live.task.task).state else { continue };
            let workers: BTreeSet<WorkerIndex> = attempts.as_slice().iter().map(|at| self.attempts.at(*at).worker).collect();
            assert_eq!(workers.len(), attempts.as_slice().len(), "attempts of a task are at different workers");
            assert!(workers.len() <= 2, "a task has one second attempt at most");
        }
        assert_eq!((&looks, &late), (&self.stragglers.looks, &self.stragglers.late), "attempts stand where they say");
        let copies = self.attempts.iter().filter(|(_, live)| live.is_copy).count();
        assert_eq!(self.stragglers.copies, copies, "second attempts are counted");
        let slots: u64 = self.worker_ids.values().map(|index| self.worker(*index).plan.slots_milli).sum();
        assert_eq!(self.fleet_slots_milli, slots, "slots of the fleet are counted");
    }
}
