//! Large results that several workers fetch at once: who asks whom, and who waits for a turn.
//!
//! A worker that has such a result gives it to few at a time, and whoever got it gives it on, so that one result reaches
//! n workers in the time of about log n transfers, not n: the binomial tree of broadcasts in message passing (Thakur,
//! Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH", 2005, section 4.4), made as copies
//! come into being. Must not know how bytes move.
//!
//! Who is told at once whom to ask is told in the assignment. Who has to wait gets an order ([`Action::Replicate`]) when
//! its turn comes, which it answers whatever becomes of the attempts that wait for the result.

use crate::action::{Action, Actions, InputAt};
use crate::attempt::LiveAttempt;
use crate::core::SchedulerCore;
use crate::task::{GraphIndex, State, TaskId};
use crate::worker::WorkerIndex;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use wasm_tasks_protocol::ids::{Attempt, GraphId, TaskIndex};
use wasm_tasks_protocol::time::{Duration, Time};

/// Smaller results are fetched from anybody at once: their way takes no longer than the words about it. At a gigabit a
/// second this many bytes take 8 ms.
pub(crate) const FAN_BYTES_MIN: u64 = 1 << 20;
/// Workers that one holder gives a result at a time. One at a time makes the tree fastest; two keep the way busy while one
/// of them has other things on its way.
const SERVED_MAX: u32 = 2;
/// Holders, and workers on the way to be some, that are compared for where a result could come from first.
const SOURCES_SEEN_MAX: usize = 64;
/// What should have come by now is taken to come after this.
const OVERDUE: Duration = Duration::from_millis(20);
/// Copies of one result that are let go in one round of placement at most, and attempts of a worker that are looked at for
/// whether they need it: where there are more, it is kept.
const DROPS_MAX: usize = 16;
/// Attempts of a worker that are looked at for whether they need a replica; with more, it is kept.
const ATTEMPTS_SEEN_MAX: usize = 64;
/// Orders for one worker that may fail, while nothing there waits for the result.
const TRIES_MAX: u8 = 4;

/// What a worker that is to get a result does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It waits, in the order of these numbers.
    Waits(u64),
    /// It asks this holder, as it was told in an assignment; ends without a word when nothing there needs the result.
    Asks(WorkerIndex),
    /// It asks this holder by order, and answers that.
    Ordered(WorkerIndex),
    /// It asked one that has it no longer. What is ordered is answered.
    Lost { is_ordered: bool },
}

#[derive(Debug)]
struct Fetcher {
    turn: Turn,
    /// Attempts there that need the result.
    users: BTreeSet<u32>,
    /// Whether a client wants a copy there.
    is_wanted: bool,
    /// Orders that failed.
    tries: u8,
}

/// One result on its way to workers.
#[derive(Debug, Default)]
struct Fan {
    fetchers: BTreeMap<WorkerIndex, Fetcher>,
    /// Workers that wait, and the number that the next one gets.
    queue: BTreeSet<(u64, WorkerIndex)>,
    next: u64,
    /// Holders, by how many they give it to.
    servers: BTreeSet<(u32, WorkerIndex)>,
    serving: BTreeMap<WorkerIndex, u32>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Fans {
    by_result: BTreeMap<TaskId, Fan>,
    /// Copies that clients want, of results that exist.
    wanted: BTreeMap<TaskId, u32>,
    /// Those where a turn may have come.
    changed: BTreeSet<TaskId>,
    /// Results that may have more copies than anybody needs.
    surplus: BTreeSet<TaskId>,
}

impl Fan {
    fn new(holders: &[u32]) -> Fan {
        let mut fan = Fan::default();
        holders.iter().for_each(|holder| fan.add_server(WorkerIndex(*holder)));
        fan
    }

    fn add_server(&mut self, worker: WorkerIndex) {
        // One that says again that it has the result goes on serving whom it serves.
        if let Entry::Vacant(serving) = self.serving.entry(worker) {
            serving.insert(0);
            self.servers.insert((0, worker));
        }
    }

    fn serve(&mut self, server: WorkerIndex, change: i32) {
        let Some(count) = self.serving.get_mut(&server) else { return };
        self.servers.remove(&(*count, server));
        *count = count.checked_add_signed(change).expect("whoever is served was counted");
        self.servers.insert((*count, server));
    }

    /// The holder with the fewest to serve, if it may serve one more; of equals the one that comes first after a number,
    /// so that many results do not all ask the same.
    fn free_server(&self, salt: u32) -> Option<WorkerIndex> {
        let (least, first) = *self.servers.first().filter(|(count, _)| *count < SERVED_MAX)?;
        let after = self.servers.range((least, WorkerIndex(salt))..).next().filter(|(count, _)| *count == least);
        Some(after.map_or(first, |(_, server)| *server))
    }

    /// Ends what a fetcher does; its place is kept.
    fn interrupt(&mut self, worker: WorkerIndex) {
        let Some(fetcher) = self.fetchers.get(&worker) else { return };
        match fetcher.turn {
            Turn::Waits(number) => drop(self.queue.remove(&(number, worker))),
            Turn::Asks(server) | Turn::Ordered(server) => self.serve(server, -1),
            Turn::Lost { .. } => {}
        }
    }

    fn remove(&mut self, worker: WorkerIndex) -> Option<Fetcher> {
        self.interrupt(worker);
        self.fetchers.remove(&worker)
    }

    fn set(&mut self, worker: WorkerIndex, turn: Turn) {
        self.interrupt(worker);
        match turn {
            Turn::Waits(number) => drop(self.queue.insert((number, worker))),
            Turn::Asks(server) | Turn::Ordered(server) => self.serve(server, 1),
            Turn::Lost { .. } => {}
        }
        let fetcher = self.fetchers.entry(worker).or_insert(Fetcher { turn, users: BTreeSet::new(), is_wanted: false, tries: 0 });
        fetcher.turn = turn;
    }

    /// A place at the end of the queue.
    fn place(&mut self) -> Turn {
        self.next += 1;
        Turn::Waits(self.next)
    }

    /// Nobody holds it there any more.
    fn remove_server(&mut self, server: WorkerIndex) {
        let Some(count) = self.serving.remove(&server) else { return };
        self.servers.remove(&(count, server));
        for fetcher in self.fetchers.values_mut() {
            match fetcher.turn {
                Turn::Asks(asked) if asked == server => fetcher.turn = Turn::Lost { is_ordered: false },
                Turn::Ordered(asked) if asked == server => fetcher.turn = Turn::Lost { is_ordered: true },
                Turn::Waits(_) | Turn::Asks(_) | Turn::Ordered(_) | Turn::Lost { .. } => {}
            }
        }
    }
}

impl Fans {
    /// Workers that are to get a result, with those that have it.
    pub(crate) fn fetchers_of(&self, result: TaskId) -> impl Iterator<Item = WorkerIndex> + '_ {
        self.by_result.get(&result).into_iter().flat_map(|fan| fan.fetchers.keys().copied())
    }

    /// A large result may have more copies than are needed: one less needs it, or one more has it.
    pub(crate) fn note_surplus(&mut self, result: TaskId) {
        self.surplus.insert(result);
    }

    /// Whether a worker gives a result to somebody now.
    fn is_serving(&self, result: TaskId, worker: WorkerIndex) -> bool {
        self.by_result.get(&result).and_then(|fan| fan.serving.get(&worker)).is_some_and(|count| *count > 0)
    }

    /// A worker has a result now.
    pub(crate) fn on_arrived(&mut self, result: TaskId, worker: WorkerIndex) {
        if let Some(fan) = self.by_result.get_mut(&result) {
            fan.remove(worker);
            fan.add_server(worker);
            self.changed.insert(result);
        }
    }

    /// A worker has a result no longer, and others do.
    pub(crate) fn on_copy_lost(&mut self, result: TaskId, worker: WorkerIndex) {
        if let Some(fan) = self.by_result.get_mut(&result) {
            fan.remove_server(worker);
            self.changed.insert(result);
        }
    }

    /// A worker is gone: it fetches nothing.
    pub(crate) fn on_worker_lost(&mut self, worker: WorkerIndex) {
        for (result, fan) in &mut self.by_result {
            if fan.remove(worker).is_some() {
                self.changed.insert(*result);
            }
        }
    }

    /// A result is let go everywhere.
    pub(crate) fn forget(&mut self, result: TaskId) {
        self.by_result.remove(&result);
        self.wanted.remove(&result);
    }

    /// A graph goes with its results.
    pub(crate) fn forget_graph(&mut self, graph: GraphIndex) {
        let all = TaskId { graph, task: TaskIndex(0) }..=TaskId { graph, task: TaskIndex(u32::MAX) };
        let on_their_way = self.by_result.range(all.clone()).map(|(result, _)| *result);
        let results: BTreeSet<TaskId> = on_their_way.chain(self.wanted.range(all).map(|(result, _)| *result)).collect();
        results.into_iter().for_each(|result| self.forget(result));
    }
}

impl SchedulerCore {
    /// Whether a worker that gets an input of a task could give it on, and that is worth the words. Whoever gets a part of a
    /// result cannot.
    pub(crate) fn is_given_on(&self, id: TaskId, position: usize, size: u64) -> bool {
        size >= FAN_BYTES_MIN && self.graph(id.graph).input_bytes(id.task, position, size) == size
    }

    /// Where a worker is to get a large result that an attempt there needs. It does not have it; others do.
    pub(crate) fn join_fan(&mut self, result: TaskId, worker: WorkerIndex, attempt: u32) -> InputAt {
        let booked = self.worker(worker).link.comes_from(result);
        let fan = self.fan_of(result);
        let before = fan.fetchers.get(&worker).map(|fetcher| fetcher.turn);
        match before {
            None | Some(Turn::Lost { is_ordered: false }) => {
                // The one on whose way up it was booked, unless it is busy with this result.
                let booked = booked.filter(|server| fan.serving.get(server).is_some_and(|count| *count < SERVED_MAX));
                let turn = match booked.or_else(|| fan.free_server(worker.0 ^ result.task.0)) {
                    Some(server) => Turn::Asks(server),
                    None => fan.place(),
                };
                fan.set(worker, turn);
            }
            Some(Turn::Waits(_) | Turn::Asks(_) | Turn::Ordered(_) | Turn::Lost { is_ordered: true }) => {}
        }
        let fetcher = fan.fetchers.get_mut(&worker).expect("it was just there");
        fetcher.users.insert(attempt);
        let turn = fetcher.turn;
        self.attempts.at_mut(attempt).is_fetching = true;
        match turn {
            Turn::Asks(server) => InputAt::Workers(vec![self.worker(server).id]),
            Turn::Waits(_) | Turn::Ordered(_) | Turn::Lost { .. } => InputAt::Later,
        }
    }

    /// The fan of a result that exists, made when there is none.
    fn fan_of(&mut self, result: TaskId) -> &mut Fan {
        let graph = self.graphs[result.graph.slot()].as_ref().expect("a result's graph is there");
        let State::Done { holders, .. } = &graph.task(result.task).state else { panic!("only what exists is fetched") };
        self.fans.by_result.entry(result).or_insert_with(|| Fan::new(holders.as_slice()))
    }

    /// An attempt ended: what it needed is not fetched for it any more.
    pub(crate) fn leave_fans(&mut self, index: u32, ended: &LiveAttempt) {
        if !ended.is_fetching {
            return;
        }
        let graph = ended.task.graph;
        for position in 0..self.graph(graph).dependencies(ended.task.task).len() {
            let result = TaskId { graph, task: self.graph(graph).dependencies(ended.task.task)[position] };
            let Some(fan) = self.fans.by_result.get_mut(&result) else { continue };
            let Some(fetcher) = fan.fetchers.get_mut(&ended.worker) else { continue };
            if !fetcher.users.remove(&index) {
                continue;
            }
            let ends = match fetcher.turn {
                Turn::Waits(_) => fetcher.users.is_empty() && !fetcher.is_wanted,
                Turn::Asks(_) | Turn::Lost { is_ordered: false } => fetcher.users.is_empty(),
                Turn::Ordered(_) | Turn::Lost { is_ordered: true } => false,
            };
            if ends {
                fan.remove(ended.worker);
                self.fans.changed.insert(result);
            }
        }
    }

    /// A worker could not get a result that it was ordered to fetch. Returns whether it was ordered to.
    pub(crate) fn on_order_failed(&mut self, result: TaskId, worker: WorkerIndex) -> bool {
        let is_leaving = self.worker(worker).is_leaving;
        let Some(fan) = self.fans.by_result.get_mut(&result) else { return false };
        let Some(fetcher) = fan.fetchers.get_mut(&worker) else { return false };
        match fetcher.turn {
            Turn::Waits(_) | Turn::Asks(_) | Turn::Lost { is_ordered: false } => return false,
            Turn::Ordered(_) | Turn::Lost { is_ordered: true } => {}
        }
        fetcher.tries += 1;
        let has_no_use = fetcher.users.is_empty() && (!fetcher.is_wanted || fetcher.tries == TRIES_MAX);
        if is_leaving || has_no_use {
            fan.remove(worker);
        } else {
            let turn = fan.place();
            fan.set(worker, turn);
        }
        self.fans.changed.insert(result);
        true
    }

    /// The last copy of a result is gone: whoever waits for it without having been told whom to ask is not told anything any
    /// more. An order may have failed at its worker before all that wait for it there arrived, so these go back too.
    pub(crate) fn end_fan(&mut self, result: TaskId, out: &mut Actions) {
        let fan = self.fans.by_result.remove(&result);
        self.fans.forget(result);
        let Some(fan) = fan else { return };
        let waits = |fetcher: &Fetcher| match fetcher.turn {
            Turn::Waits(_) | Turn::Ordered(_) | Turn::Lost { is_ordered: true } => true,
            Turn::Asks(_) | Turn::Lost { is_ordered: false } => false,
        };
        let users = fan.fetchers.values().filter(|fetcher| waits(fetcher)).flat_map(|fetcher| &fetcher.users);
        let waiting: Vec<Attempt> = users.map(|user| self.attempts.at(*user).number).collect();
        for number in waiting {
            // The end of one may have ended another, of its gang.
            let Some(attempt) = self.attempts.find(number) else { continue };
            let (id, worker) = (self.attempts.at(attempt).task, self.attempts.at(attempt).worker);
            self.cancel_attempt(attempt, out);
            self.go_on_without(id, worker, out);
        }
    }

    /// Gives turns to those who wait, where holders have time.
    pub(crate) fn serve_fans(&mut self, out: &mut Actions) {
        while let Some(result) = self.fans.changed.pop_first() {
            let Some(fan) = self.fans.by_result.get_mut(&result) else { continue };
            let mut orders = Vec::new();
            while let Some((_, worker)) = fan.queue.first().copied() {
                let Some(server) = fan.free_server(worker.0 ^ result.task.0) else { break };
                fan.set(worker, Turn::Ordered(server));
                orders.push((worker, server));
            }
            if fan.fetchers.is_empty() {
                self.fans.by_result.remove(&result);
            }
            for (worker, server) in orders {
                let graph = self.graph_mut(result.graph);
                graph.workers.insert(worker.0);
                let size = graph.task(result.task).size();
                let holders = vec![self.worker(server).id];
                out.push(Action::Replicate { worker: self.worker(worker).id, task: result, size, holders });
            }
        }
    }

    /// Lets copies go that nobody needs: as many are kept as there are tasks that may still want one, so that none of them
    /// has to wait for a copy that was there. dask's `ReduceReplicas` keeps as many.
    pub(crate) fn drop_surplus(&mut self, out: &mut Actions) {
        while let Some(result) = self.fans.surplus.pop_first() {
            let Some(graph) = self.graph_at(result.graph) else { continue };
            let task = graph.task(result.task);
            let State::Done { holders, size, .. } = &task.state else { continue };
            let wanted = self.fans.wanted.get(&result).copied().unwrap_or(1);
            let (needed, size) = (task.needed.max(wanted) as usize, *size);
            let is_kept = |holder: &u32| self.worker(WorkerIndex(*holder)).is_leaving;
            // Those that leave are no copies to rely on, and go by themselves.
            let staying = holders.as_slice().iter().filter(|holder| !is_kept(holder)).count();
            let surplus = staying.saturating_sub(needed).min(DROPS_MAX);
            if surplus == 0 {
                continue;
            }
            // The first is where clients are sent.
            let seen = holders.as_slice().iter().skip(1).take(SOURCES_SEEN_MAX).map(|holder| WorkerIndex(*holder));
            let unused = seen.filter(|holder| !is_kept(&holder.0) && !self.uses(*holder, result));
            for holder in unused.take(surplus).collect::<Vec<_>>() {
                self.drop_copy(result, holder, size, out);
            }
        }
    }

    /// Whether a worker may need its copy of a result: for an attempt there, or to give it to somebody.
    fn uses(&self, index: WorkerIndex, result: TaskId) -> bool {
        let worker = self.worker(index);
        let needs = |attempt: &u32| {
            let id = self.attempts.at(*attempt).task;
            id.graph == result.graph && self.graph(id.graph).dependencies(id.task).contains(&result.task)
        };
        worker.attempts.len() > ATTEMPTS_SEEN_MAX || worker.attempts.iter().any(needs) || self.fans.is_serving(result, index)
    }

    /// Lets one of several copies go.
    fn drop_copy(&mut self, result: TaskId, holder: WorkerIndex, size: u64, out: &mut Actions) {
        let State::Done { holders, .. } = &mut self.graph_mut(result.graph).task_mut(result.task).state else {
            panic!("only what exists has copies");
        };
        let was_there = holders.remove(holder.0);
        assert!(was_there && !holders.is_empty(), "one copy of several is let go");
        self.count_held(holder, result, size, false);
        self.fans.on_copy_lost(result, holder);
        self.drains.note(result);
        self.counters.copies_dropped += 1;
        out.push(Action::Release { worker: self.worker(holder).id, task: result });
    }

    /// The worker that could begin to give a result first, and when: one that has it, or one that is to get it.
    pub(crate) fn first_source(&self, result: TaskId, holders: &[u32]) -> (u32, Time) {
        let free = |worker: u32| self.worker(WorkerIndex(worker)).link.up_free();
        let holders = holders.iter().take(SOURCES_SEEN_MAX).map(|holder| (free(*holder).max(self.now), *holder));
        let coming = self.fans.fetchers_of(result).take(SOURCES_SEEN_MAX).filter_map(|fetcher| {
            let at = self.worker(fetcher).link.comes_at(result)?.max(self.now + OVERDUE);
            Some((at.max(free(fetcher.0)), fetcher.0))
        });
        let (at, source) = holders.chain(coming).min().expect("a result that is not with the shell has a holder");
        (source, at)
    }

    /// A client wants copies of results. Looks at all workers, for each of them.
    pub(crate) fn on_replicas_wanted(&mut self, graph: GraphId, tasks: &[TaskIndex], copies: u32) {
        let Some(graph) = self.graph_ids.get(&graph).copied() else { return };
        for task in tasks.iter().copied() {
            let Some(entry) = self.graph(graph).tasks.get(task.0 as usize) else { continue };
            let State::Done { holders, size, is_inline: false } = &entry.state else { continue };
            let (result, size, holders) = (TaskId { graph, task }, *size, holders.clone());
            let copies = copies.max(1);
            let mut coming: BTreeSet<WorkerIndex> = self.fans.fetchers_of(result).collect();
            let mut missing = (copies as usize).saturating_sub(holders.as_slice().len() + coming.len());
            for index in self.worker_ids.values().copied().filter(|index| !holders.contains(index.0)).collect::<Vec<_>>() {
                let worker = self.worker(index);
                let stored = worker.memory.held_bytes.saturating_sub(worker.memory.spilled_bytes).saturating_add(size);
                let may_take = !worker.is_leaving && !worker.memory.is_paused && stored <= worker.plan.memory_bytes;
                if missing == 0 || !may_take || !coming.insert(index) {
                    continue;
                }
                missing -= 1;
                let fan = self.fan_of(result);
                let turn = fan.place();
                fan.set(index, turn);
                fan.fetchers.get_mut(&index).expect("it was just put there").is_wanted = true;
            }
            self.fans.wanted.insert(result, copies);
            self.fans.changed.insert(result);
            self.fans.note_surplus(result);
        }
    }

    /// What must hold of results on their way after every event.
    ///
    /// # Panics
    /// When something does not.
    pub(crate) fn check_fans(&self) {
        for result in self.fans.wanted.keys() {
            assert!(self.graph(result.graph).task(result.task).is_done(), "only copies of what exists are wanted");
        }
        for (result, fan) in &self.fans.by_result {
            let State::Done { holders, .. } = &self.graph(result.graph).task(result.task).state else {
                panic!("what is on its way exists");
            };
            let mut serving: BTreeMap<WorkerIndex, u32> = holders.as_slice().iter().map(|it| (WorkerIndex(*it), 0)).collect();
            let mut queue = BTreeSet::new();
            for (worker, fetcher) in &fan.fetchers {
                assert!(self.workers[worker.0 as usize].is_some(), "only workers that are there fetch");
                assert!(!holders.contains(worker.0), "who has a result does not fetch it");
                match fetcher.turn {
                    Turn::Waits(number) => drop(queue.insert((number, *worker))),
                    Turn::Asks(server) | Turn::Ordered(server) => {
                        *serving.get_mut(&server).expect("only holders are asked") += 1;
                    }
                    Turn::Lost { .. } => {}
                }
                let is_ordered = matches!(fetcher.turn, Turn::Ordered(_) | Turn::Lost { is_ordered: true });
                let waits = matches!(fetcher.turn, Turn::Waits(_));
                let is_for_somebody = is_ordered || !fetcher.users.is_empty() || (waits && fetcher.is_wanted);
                assert!(is_for_somebody, "results are fetched for somebody");
                for user in &fetcher.users {
                    let live = self.attempts.at(*user);
                    assert!(live.is_fetching && live.worker == *worker, "a result is fetched for attempts there");
                    let needs = self.graph(live.task.graph).dependencies(live.task.task);
                    assert!(live.task.graph == result.graph && needs.contains(&result.task), "that need it");
                }
            }
            let has_turns = fan.servers.first().is_some_and(|(count, _)| *count < SERVED_MAX) && !queue.is_empty();
            assert!(!has_turns || self.fans.changed.contains(result), "nobody waits while a holder has time");
            assert!(!fan.fetchers.is_empty() || self.fans.changed.contains(result), "what nobody fetches is forgotten");
            assert_eq!((&fan.serving, &fan.queue), (&serving, &queue), "who serves and who waits is counted");
            let servers: BTreeSet<(u32, WorkerIndex)> = serving.iter().map(|(server, count)| (*count, *server)).collect();
            assert_eq!(fan.servers, servers, "holders are indexed by how many they serve");
        }
    }
}
