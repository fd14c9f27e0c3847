//! Which task goes where, decided when the inbox is empty.

mod ahead;
mod careful;
mod family;
mod gang;
mod link;
mod meeting;
pub(crate) mod reserve;
mod steal;
mod timeline;
mod ways;

pub(crate) use family::Families;
pub(crate) use link::{BANDWIDTH_GUESS, End, FLEET_RATES_KEPT, Inputs, Link, Rates};
pub(crate) use timeline::Stretch;

use crate::action::{Action, Actions, InputAt};
use crate::attempt::{LiveAttempt, Way};
use crate::core::SchedulerCore;
use crate::graph::Graph;
use crate::queue::ShapeIndex;
use crate::stragglers::Watch;
use crate::task::{NONE, State, TaskId};
use crate::worker::WorkerIndex;
use careful::Choice;
use wasm_tasks_protocol::time::Duration;

/// Inputs whose holders are looked at for one task.
const INPUTS_SEEN_MAX: usize = 64;
/// Workers, by load, that are looked at for a task which not every worker can run.
const WORKERS_SEEN_MAX: usize = 64;

impl SchedulerCore {
    /// Keeps the indices of workers true after what one has to do changed.
    pub(crate) fn reindex(&mut self, index: WorkerIndex) {
        let worker = self.workers[index.0 as usize].as_ref().expect("a worker is reindexed while it is there");
        self.free_workers.set(index, worker.load());
        if worker.is_idle() {
            self.idle_workers.insert(index.0);
        } else {
            self.idle_workers.remove(index.0);
        }
        let surplus = worker.surplus();
        self.loaded_workers.set(index, (surplus > 0).then(|| worker.wait_us()));
        self.crowded_workers.set(index, (surplus > 0).then(|| surplus / worker.slots()));
        if worker.wants_more_ahead() {
            self.hungry_workers.insert(index.0);
        } else {
            self.hungry_workers.remove(index.0);
        }
        self.reindex_family(index);
    }

    /// Places what can be placed, the most urgent first.
    pub(crate) fn settle(&mut self, out: &mut Actions) {
        self.is_unsettled = false;
        self.queues.begin_round();
        self.begin_reservations();
        self.resume_ahead(out);
        let mut held = Vec::new();
        let mut care = careful::CARE_PER_ROUND;
        let mut shared_at = None;
        loop {
            self.requeue_siblings();
            let first = self.queues.next();
            if let Some((shape, id)) = first
                && !self.is_ready(id)
            {
                self.queues.pop(shape);
                continue;
            }
            if self.attempts.is_full() {
                break;
            }
            if self.go_on_with_family(first.map(|(_, id)| self.graph(id.graph).priority(id.task)), out) {
                continue;
            }
            let Some((shape, id)) = first else {
                let before = shared_at.replace(self.attempts.len());
                // Until nothing that was shared was of use.
                if before == Some(self.attempts.len()) {
                    break;
                }
                self.share_families(before.is_some());
                continue;
            };
            if self.queues.key(shape).gang > 0 {
                self.place_gang(id, shape, out);
                continue;
            }
            if !self.queues.key(shape).has_choice() && self.is_worth_care(id) {
                let choice = match self.choose_carefully(id, shape, &mut care) {
                    // Nothing runs whose end would be a reason to look again: only a link is busy.
                    Choice::Later(worker) if self.attempts.len() == 0 => {
                        self.worker_mut(worker).plans.clear();
                        Choice::Now(worker)
                    }
                    choice => choice,
                };
                match choice {
                    Choice::Now(worker) => {
                        self.queues.pop(shape);
                        let settings = self.graph(id.graph).task(id.task).profile;
                        self.assign(id, worker, Way { shape, settings }, false, out);
                        self.placed(id, worker);
                    }
                    // Only a reservation binds tasks that are placed without care.
                    Choice::Later(_) if self.queues.has_smaller_rival(shape) => self.wait_for_room(id, shape),
                    Choice::Later(worker) => {
                        self.queues.pop(shape);
                        self.note_meeting(id, worker);
                        held.push((shape, id, worker));
                    }
                    Choice::Enough => self.queues.block(shape),
                    Choice::Nowhere => self.wait_for_room(id, shape),
                }
                continue;
            }
            if self.keep_for_family(id, shape) {
                continue;
            }
            let chosen = if self.queues.is_full(shape) { None } else { self.choose_way(id, shape) };
            match chosen {
                Some((worker, way)) => {
                    self.queues.pop(shape);
                    self.assign(id, worker, way, false, out);
                    self.placed(id, worker);
                    self.send_ahead(id, worker, out);
                }
                None => self.wait_for_room(id, shape),
            }
        }
        self.end_families();
        self.end_reservations();
        for (shape, id, worker) in held {
            self.worker_mut(worker).plans.clear();
            let priority = self.graph(id.graph).priority(id.task);
            self.queues.put_back(shape, priority, id);
        }
        self.is_round_short = self.queues.is_round_short();
        self.steal(out);
        self.copy_stragglers(out);
        self.drain(out);
        self.drop_surplus(out);
        self.serve_fans(out);
    }

    /// The worker where the task can start first; none when nobody has room.
    fn choose_worker(&mut self, id: TaskId, shape: ShapeIndex) -> Option<WorkerIndex> {
        let least_loaded = self.least_loaded(id, shape)?;
        let graph = self.graph(id.graph);
        let mut best = (self.start_us(id, least_loaded), least_loaded);
        let mut seen: Vec<u32> = vec![least_loaded.0];
        // What continues a single task's work follows it; its siblings' links do so too.
        let is_link = matches!(graph.dependencies(id.task), [input] if graph.dependents(*input).len() == 1);
        let home = match graph.task(id.task).family {
            NONE => NONE,
            _ if is_link => NONE,
            family => self.home_of_family(graph, family),
        };
        let mut consider = |core: &SchedulerCore, worker: u32, is_near: bool| {
            if worker == NONE || (seen.contains(&worker) && !is_near) || !core.has_room(WorkerIndex(worker), id, shape) {
                return;
            }
            seen.push(worker);
            // Siblings that meet downstream go together unless they would wait there while others idle.
            let is_home = is_near && !is_link;
            if is_home && core.waits_while_others_idle(id, WorkerIndex(worker)) {
                return;
            }
            let start = if is_home { core.ready_us(id, WorkerIndex(worker)) } else { core.start_us(id, WorkerIndex(worker)) };
            if start < best.0 || (is_near && start <= best.0) {
                best = (start, WorkerIndex(worker));
            }
        };
        consider(self, home, true);
        if self.load_wait_us(id, least_loaded) > 0 {
            let near = self.free_workers.least_first().take(WORKERS_SEEN_MAX);
            let has_it = |worker: &WorkerIndex| self.load_wait_us(id, *worker) == 0 && self.has_room(*worker, id, shape);
            near.filter(has_it).take(1).for_each(|worker| consider(self, worker.0, false));
        }
        for input in graph.dependencies(id.task).iter().take(INPUTS_SEEN_MAX) {
            if let State::Done { holders, .. } = &graph.task(*input).state {
                holders.as_slice().iter().take(4).for_each(|holder| consider(self, *holder, is_link));
            }
        }
        Some(best.1)
    }

    /// Whether a task that is sent to a worker now would wait there for a slot, for longer than it and its result take to another
    /// worker that has one free. How long a task of unknown length waits nobody knows. A task that begins something may wait for
    /// what prefill is of, some milliseconds: its siblings stay together for that.
    pub(crate) fn waits_while_others_idle(&self, id: TaskId, index: WorkerIndex) -> bool {
        let worker = self.worker(index);
        if worker.has_free_slot() || self.idle_workers.is_empty() {
            return false;
        }
        let way = || self.meeting_of(id).map_or(0, |meeting| meeting.way_us);
        let is_long = || worker.wait_us() > worker.round_trip().0 + way();
        self.length_us(id).is_none() || (!family::is_root(self.graph(id.graph), id.task) && is_long())
    }

    /// Where a family lives: a worker that is there, or `NONE`. Whoever took the place of a lost one is as good as any.
    fn home_of_family(&self, graph: &Graph, family: u32) -> u32 {
        let home = graph.tasks[family as usize].home;
        if self.workers.get(home as usize).is_some_and(Option::is_some) { home } else { NONE }
    }

    /// The free worker with the least to do that can run the task. Where few can, it may be hidden behind many: then the look goes
    /// through all that may have room, about once in a round for all tasks of a shape.
    fn least_loaded(&mut self, id: TaskId, shape: ShapeIndex) -> Option<WorkerIndex> {
        let near = self.free_workers.least_first().take(WORKERS_SEEN_MAX).find(|worker| self.has_room(*worker, id, shape));
        if near.is_some() || self.queues.key(shape).is_ordinary() || !self.is_possible(shape) {
            return near;
        }
        let mut looks = self.queues.looks(shape);
        let room = |core: &Self, worker: WorkerIndex| core.has_room(worker, id, shape);
        let at_once = |core: &Self, worker: WorkerIndex| {
            core.worker(worker).is_available(core.queues.key(shape)) && core.has_room(worker, id, shape)
        };
        let found = self.find_free(shape, (looks.available, u32::MAX), at_once);
        looks.available = found.map_or(u32::MAX, |found| found.0);
        // What was passed over for another task of the shape is looked at again before there is said to be no room.
        let found = found.or_else(|| self.find_free(shape, (looks.room, u32::MAX), room));
        let found = found.or_else(|| self.find_free(shape, (0, looks.room), room));
        if looks.available == u32::MAX {
            looks.room = found.map_or(looks.room, |found| found.0.max(looks.room));
        }
        self.queues.note_looks(shape, looks);
        found
    }

    /// Whether some worker could run tasks of a shape if it had nothing else to do; for gangs, whether as many could as are
    /// needed. Looks at them once for each fleet.
    pub(crate) fn is_possible(&mut self, shape: ShapeIndex) -> bool {
        let fleet = self.fleet;
        if let Some(known) = self.queues.possible_in(shape, fleet) {
            return known;
        }
        let key = self.queues.key(shape);
        let all = self.worker_ids.values().map(|worker| self.worker(*worker));
        let needed = key.gang.max(1) as usize;
        let could = all.filter(|worker| !worker.is_leaving && worker.could_ever(key, self.now));
        let is_possible = could.take(needed).count() == needed;
        self.queues.note_possible(shape, fleet, is_possible);
        is_possible
    }

    /// The first worker that will do among those with numbers from the one to below the other.
    fn find_free(
        &self,
        shape: ShapeIndex,
        (from, until): (u32, u32),
        will_do: impl Fn(&Self, WorkerIndex) -> bool,
    ) -> Option<WorkerIndex> {
        // Who has room for a slot or more has room for an ordinary task.
        let takes_a_slot = self.queues.key(shape).slots_milli >= 1_000;
        let next = |from: u32| match takes_a_slot {
            true => self.free_workers.next_from(from),
            false => (from..self.workers.len() as u32).map(WorkerIndex).find(|index| self.workers[index.0 as usize].is_some()),
        };
        let mut candidates = std::iter::successors(next(from), |last| next(last.0 + 1)).take_while(|worker| worker.0 < until);
        candidates.find(|worker| will_do(self, *worker))
    }

    pub(crate) fn has_room(&self, index: WorkerIndex, id: TaskId, shape: ShapeIndex) -> bool {
        let (worker, key) = (self.worker(index), self.queues.key(shape));
        if self.graph(id.graph).task(id.task).deaths > 0 && !worker.attempts.is_empty() {
            return false;
        }
        let length_us = self.length_us(id);
        let has_room = match key.is_ordinary() {
            true => worker.has_room(length_us.is_some()),
            false => worker.could_ever(key, self.now) && worker.has_room_for(key, length_us),
        };
        has_room && !self.outruns(worker, id) && self.has_memory(index, id) && self.respects_hold(index, id, key)
    }

    /// Expected microseconds until the task could start at a worker: the queue there, the inputs' way or the load of its
    /// component, whichever is longest.
    pub(crate) fn start_us(&self, id: TaskId, worker: WorkerIndex) -> u64 {
        let at = self.worker(worker);
        // Where a slot is free nothing waits for what runs in the others.
        let wait = if at.has_free_slot() { 0 } else { at.wait_us() };
        wait.max(self.ready_us(id, worker))
    }

    /// Expected microseconds until a worker has what the task needs.
    fn ready_us(&self, id: TaskId, worker: WorkerIndex) -> u64 {
        self.transfer_us(id, worker).max(self.load_wait_us(id, worker))
    }

    fn transfer_us(&self, id: TaskId, worker: WorkerIndex) -> u64 {
        let graph = self.graph(id.graph);
        let (mut bytes, mut disk) = (0, 0);
        let mut moved = false;
        for input in graph.dependencies(id.task).iter().take(INPUTS_SEEN_MAX) {
            if let State::Done { size, holders, is_inline } = &graph.task(*input).state
                && !*is_inline
            {
                let is_here = holders.contains(worker.0);
                let holder = if is_here { Some(&worker.0) } else { holders.as_slice().first() };
                let result = TaskId { graph: id.graph, task: *input };
                disk += holder.map_or(0, |holder| self.unspill_us(result, *holder, *size));
                bytes += if is_here { 0 } else { *size };
                moved |= !is_here;
            }
        }
        let round_trip = if moved { self.worker(worker).round_trip().0 } else { 0 };
        round_trip + disk + link::micros(bytes, self.bandwidth_down(worker))
    }

    pub(crate) fn assign(&mut self, id: TaskId, worker: WorkerIndex, way: Way, is_ahead: bool, out: &mut Actions) {
        let mut inputs: Vec<_> = {
            let graph = self.graph(id.graph);
            let input = |task: &_| self.input(id, *task, worker).expect("a placed task's inputs exist or are made there");
            graph.dependencies(id.task).iter().map(input).collect()
        };
        let expected_us = self.length_at_us(id, worker).min(u64::from(u32::MAX)) as u32;
        let starts = self.now + Duration(self.book(id, worker, way.shape));
        let is_careful = self.is_worth_care(id);
        self.note_loading(id, worker);
        let graph = self.graph(id.graph);
        let priority = graph.priority(id.task);
        let is_suspect = graph.task(id.task).deaths > 0;
        let assigned_at = self.now;
        let memory_bytes = self.learnt_memory(id);
        let mut others = self.graph(id.graph).task(id.task).attempts_set();
        let is_copy = !others.is_empty();
        let key = self.queues.key(way.shape);
        let target = self.workers[worker.0 as usize].as_mut().expect("only workers that are there are chosen");
        let position = target.attempts.len() as u32;
        let index = self.attempts.insert(|number| LiveAttempt {
            number,
            task: id,
            worker,
            position,
            assigned_at,
            expected_us,
            starts,
            is_started: false,
            memory_bytes,
            way,
            is_ahead,
            is_retracting: false,
            kept_until: wasm_tasks_protocol::time::Time::default(),
            is_copy,
            is_fetching: false,
            is_late: false,
            watch: Watch::No,
            has_copy: false,
        });
        target.attempts.push(index);
        target.occupancy_us += key.occupancy_us(expected_us);
        target.suspects += u32::from(is_suspect);
        target.ahead += u32::from(is_ahead);
        target.account(key, true);
        target.memory.begin(memory_bytes);
        let worker_id = target.id;
        self.reindex(worker);
        others.insert(index);
        self.change(id, State::Assigned(others));
        self.counters.sent_ahead += u64::from(is_ahead);
        self.counters.copies += u64::from(is_copy);
        self.stragglers.copies += usize::from(is_copy);
        let mut moved: u64 = 0;
        for (position, input) in inputs.iter_mut().enumerate() {
            let InputAt::Workers(holders) = &input.at else { continue };
            if !holders.contains(&worker_id) {
                moved += input.size;
                if self.is_given_on(id, position, input.size) {
                    input.at = self.join_fan(TaskId { graph: id.graph, task: input.task }, worker, index);
                }
            }
        }
        let graph = self.graph_mut(id.graph);
        graph.workers.insert(worker.0);
        graph.counts.attempts += 1;
        graph.counts.copies += u64::from(is_copy);
        graph.counts.bytes_moved += moved;
        let task = graph.task_mut(id.task);
        task.attempts = task.attempts.saturating_add(1);
        let family = task.family;
        if is_careful && !is_copy {
            self.note_meeting(id, worker);
        } else if family != NONE && !is_copy {
            graph.tasks[family as usize].home = worker.0;
        }
        let attempt = self.attempts.at(index).number;
        out.push(Action::Assign { worker: worker_id, task: id, attempt, settings: way.settings, priority, inputs });
    }
}
