//! What must hold after every event. For tests and the simulator: it looks at everything.

use crate::core::SchedulerCore;
use crate::placement::reserve::Hold;
use crate::queue::ShapeKey;
use crate::task::{State, StateName, TaskId};
use crate::worker::WorkerIndex;
use std::collections::BTreeSet;
use wasm_tasks_protocol::ids::TaskIndex;

impl SchedulerCore {
    /// Checks every invariant.
    ///
    /// # Panics
    /// When one does not hold: that is a bug of the core.
    pub fn check_invariants(&self) {
        for index in self.graph_ids.values() {
            let graph = self.graph(*index);
            let mut open = 0;
            let mut assigned = 0;
            for position in 0..graph.tasks.len() as u32 {
                let id = TaskId { graph: *index, task: TaskIndex(position) };
                open += u64::from(graph.task(id.task).is_open());
                assigned += u64::from(matches!(graph.task(id.task).state, State::Assigned(_)));
                self.check_task(id);
            }
            assert_eq!(graph.open, open, "open tasks are counted");
            self.check_gangs(*index);
            let delegated = graph.tasks.iter().filter(|task| task.state.name() == StateName::Delegated).count() as u64;
            assert_eq!(graph.counts.delegated, delegated, "tasks that delegated are counted");
            assert_eq!(graph.counts.assigned, assigned, "assigned tasks are counted");
            assert!(graph.is_finished || open > 0, "a graph without open tasks is finished");
            assert!(graph.deadline.is_none_or(|at| self.deadlines.contains(&(at, *index))), "a deadline has a timer");
        }
        for (index, live) in self.attempts.iter() {
            let task = self.graph(live.task.graph).task(live.task.task);
            assert!(task.attempts_live().contains(&index), "a live attempt is known to its task");
            let worker = self.worker(live.worker);
            assert_eq!(worker.attempts[live.position as usize], index, "a live attempt is known to its worker");
        }
        for (id, index) in &self.worker_ids {
            assert_eq!(self.worker(*index).id, *id);
            self.check_worker(*index);
        }
        for (position, worker) in self.workers.iter().enumerate() {
            let index = WorkerIndex(position as u32);
            assert_eq!(self.vacant_workers.contains(index.0), worker.is_none(), "vacant places are indexed");
            let is_gone = worker.is_none();
            let is_indexed = self.idle_workers.contains(index.0)
                || self.hungry_workers.contains(index.0)
                || [&self.free_workers, &self.loaded_workers, &self.crowded_workers].iter().any(|list| !list.holds(index, None));
            assert!(!is_gone || !is_indexed, "who is gone is not indexed");
        }
        let on_workers: usize = self.worker_ids.values().map(|worker| self.worker(*worker).attempts.len()).sum();
        assert_eq!(on_workers, self.attempts.len(), "every attempt is at a worker");
        let with_deadline = self.graph_ids.values().filter(|index| self.graph(**index).deadline.is_some()).count();
        assert_eq!(self.deadlines.len(), with_deadline, "timers of deadlines are of graphs that are there");
        self.check_reservations();
        self.check_drains();
        self.check_memory();
        self.check_held();
        self.queues.check(self.graph_ids.values().flat_map(|index| self.graph(*index).shapes()));
        self.check_stragglers();
        self.check_fans();
        self.check_modules();
        self.check_spilled();
        self.check_families();
    }

    fn check_reservations(&self) {
        assert_eq!(self.reservations.iter().count(), self.reservations.len(), "reservations are counted");
        let mut tasks = BTreeSet::new();
        for (index, held) in self.reservations.iter() {
            assert!(tasks.insert(held.task), "a task has one reservation");
            assert!(self.graph_at(held.task.graph).is_some(), "nothing is held for a graph that is gone");
            for (at, place) in held.places.iter().enumerate() {
                let hold = Some(Hold { reservation: index, place: at as u32 });
                assert_eq!(self.worker(place.worker).hold, hold, "a reservation's workers are held");
            }
            assert_eq!(held.places.len() as u32, self.queues.key(held.shape).gang.max(1), "each member has a worker held");
        }
    }

    fn check_task(&self, id: TaskId) {
        let graph = self.graph(id.graph);
        let task = graph.task(id.task);
        let at = || format!("task {} is {}", id.task.0, task.state.name().as_str());
        let dependents = graph.dependents(id.task).iter().filter(|dependent| graph.task(**dependent).is_open()).count() as u32;
        let gang = u32::from(task.is_open() && self.is_member(id));
        assert_eq!(task.needed, dependents + u32::from(task.is_output) + gang, "{}: who needs it is counted", at());
        if task.is_open() {
            let missing = graph.dependencies(id.task).iter().filter(|input| !graph.task(**input).is_done()).count() as u32;
            assert_eq!(task.missing, missing, "{}: what it misses is counted", at());
            assert!(task.needed > 0, "{}: only what is needed is open", at());
            for input in graph.dependencies(id.task) {
                let state = &graph.task(*input).state;
                assert!(
                    !matches!(state, State::Idle | State::Failed { .. } | State::Delegated { .. }),
                    "{}: its inputs exist or are on their way",
                    at()
                );
            }
        }
        match &task.state {
            State::Waiting => assert!(task.missing > 0, "{}: it waits for something", at()),
            State::Queued => assert_eq!(task.missing, 0, "{}: nothing is missing", at()),
            State::Assigned(attempts) => {
                assert!(!attempts.is_empty(), "{}: it has an attempt", at());
                for attempt in attempts.as_slice() {
                    assert_eq!(self.attempts.at(*attempt).task, id, "{}: its attempts are its own", at());
                }
            }
            State::Resting { until } => assert!(self.resting.contains(&(*until, id)), "{}: it has a timer", at()),
            State::Done { holders, is_inline, .. } => {
                assert!(!holders.is_empty() || *is_inline, "{}: somebody has the result", at());
                assert!(task.needed > 0, "{}: only what is needed is kept", at());
                for holder in holders.as_slice() {
                    assert!(self.workers[*holder as usize].is_some(), "{}: its holders are there", at());
                }
            }
            State::Idle | State::Failed { .. } => {}
            State::Delegated { .. } => self.check_delegated(id),
        }
    }

    fn check_delegated(&self, id: TaskId) {
        let graph = self.graph(id.graph);
        let task = graph.task(id.task);
        assert!(graph.dependents(id.task).is_empty() && task.needed == 0, "task {}: nobody needs what delegated", id.task.0);
        assert!(!task.is_output, "task {}: what took its place is the output", id.task.0);
        assert!(graph.stand_in(id.task).0 > id.task.0, "task {}: what took its place came after it", id.task.0);
    }

    fn check_worker(&self, index: WorkerIndex) {
        let worker = self.worker(index);
        assert!(worker.plans.is_empty(), "plans last for one round of placement");
        let (mut slots, mut memory, mut occupancy, mut suspects) = (0, 0, 0, 0);
        let (mut ahead, mut retracting) = (0, 0);
        let mut pools = vec![0; worker.plan.pools.len()];
        for attempt in &worker.attempts {
            let live = self.attempts.at(*attempt);
            let graph = self.graph(live.task.graph);
            let shape: &ShapeKey = self.queues.key(live.way.shape);
            slots += shape.slots_milli;
            for (sum, need) in pools.iter_mut().zip(&worker.amounts_of(shape).pools) {
                *sum += need;
            }
            memory += shape.memory_bytes;
            occupancy += shape.occupancy_us(live.expected_us);
            suspects += u32::from(graph.task(live.task.task).deaths > 0);
            ahead += u32::from(live.is_ahead);
            retracting += u32::from(live.is_retracting);
        }
        assert_eq!(
            (worker.slots_used_milli, worker.memory_used, worker.occupancy_us, worker.suspects),
            (slots, memory, occupancy, suspects),
            "a worker's use is the sum of its attempts'"
        );
        assert_eq!(worker.used().pools, pools, "what is used of pools is the sum of what attempts take");
        assert_eq!((worker.ahead, worker.retracting), (ahead, retracting), "a worker's special attempts are counted");
        let surplus = Some(worker.surplus()).filter(|surplus| *surplus > 0);
        assert!(self.free_workers.holds(index, worker.load()), "workers with room are indexed by their load");
        assert_eq!(self.idle_workers.contains(index.0), worker.is_idle(), "idle workers are indexed");
        assert!(self.loaded_workers.holds(index, surplus.map(|_| worker.wait_us())), "workers are indexed by what waits");
        let crowd = surplus.map(|surplus| surplus / worker.slots());
        assert!(self.crowded_workers.holds(index, crowd), "workers are indexed by how many tasks wait");
        let is_hungry = self.hungry_workers.contains(index.0);
        assert!(worker.wants_more_ahead() || !is_hungry, "only workers that may be sent more are sent more");
        if let Some(hold) = worker.hold {
            let place = &self.reservations.at(hold.reservation).places[hold.place as usize];
            assert_eq!(place.worker, index, "a worker is held for its own reservation");
        }
    }
}
