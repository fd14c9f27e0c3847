//! What is true of a worker after every event. Tests and the simulator check all of it; nothing here is on a hot path.

use crate::attempt::{AttemptRecord, State};
use crate::ready::Shape;
use crate::result::Arrival;
use crate::{InputValue, LaunchInput, ResultId, WorkerCore};
use std::collections::BTreeMap;

impl WorkerCore {
    /// Checks the state against itself.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn check_invariants(&self) {
        self.check_attempts();
        self.check_results();
        self.check_lanes();
        self.check_fetches();
    }

    fn check_attempts(&self) {
        for (number, id) in &self.numbers {
            let record = self.attempts.get(*id).expect("a number leads to an attempt");
            assert_eq!(record.number, *number);
            assert!(self.graphs.get(record.graph).is_some(), "attempt {} is of a graph that is here", number.0);
        }
        for (id, record) in self.attempts.iter() {
            let is_known = self.numbers.get(&record.number) == Some(&id);
            match record.state() {
                State::Waiting { missing } => {
                    assert!(is_known && missing > 0);
                    assert!(self.explain(record.number).is_some_and(|why| !why.reasons.is_empty()), "whoever waits has a reason");
                    let missing_inputs = record.uses().filter(|result| self.results[*result].arrival != Arrival::Held);
                    for result in missing_inputs {
                        assert!(self.results[result].waiters.contains(&id), "whoever waits is told");
                    }
                }
                State::Ready | State::Running(_) => assert!(is_known),
                State::Stopping(_) => assert!(!is_known && record.inputs.is_empty()),
                State::New | State::Gone => panic!("attempt {} is neither coming nor going", record.number.0),
            }
            let is_here = |result: ResultId| self.results[result].arrival == Arrival::Held;
            match record.state() {
                State::Running(place) if place.is_following => {
                    let is_told = |result: ResultId| self.results[result].waiters.contains(&id);
                    assert!(record.uses().all(|result| is_here(result) || is_told(result)), "whoever follows is told");
                }
                State::Ready | State::Running(_) => assert!(record.uses().all(is_here), "whatever runs has its inputs"),
                State::New | State::Waiting { .. } | State::Stopping(_) | State::Gone => {}
            }
            let is_named = |input: &LaunchInput| matches!(input.value, InputValue::Inline(_) | InputValue::Stored(_));
            assert!(record.inputs.iter().all(is_named), "what follows what is decided when it is handed over");
        }
        let settings = self.graphs.iter().flat_map(|(_, graph)| &graph.settings);
        let named = settings.filter_map(|entry| entry.shape.as_ref().ok().copied());
        let busy = self.lanes.iter().filter(|lane| !lane.is_idle()).map(|lane| lane.shape);
        let ready = self.attempts.iter().filter(|(_, record)| record.state() == State::Ready).map(|(_, record)| record.shape);
        self.ready.check(named.chain(busy), ready);
    }

    fn check_results(&self) {
        let (mut producers, mut users): (BTreeMap<ResultId, u32>, BTreeMap<ResultId, u32>) = Default::default();
        for (_, record) in self.attempts.iter().filter(|(_, record)| !matches!(record.state(), State::Stopping(_))) {
            *producers.entry(record.output).or_default() += 1;
            for input in &record.inputs {
                if let InputValue::Stored(result) = input.value {
                    *users.entry(result).or_default() += 1;
                }
            }
        }
        let mut held_bytes = 0;
        for (id, entry) in self.results.iter() {
            assert_eq!(entry.producers, producers.get(&id).copied().unwrap_or(0), "producers are counted");
            assert_eq!(entry.users, users.get(&id).copied().unwrap_or(0), "users are counted");
            let is_asked_for = entry.is_wanted || entry.is_ordered;
            assert!(is_asked_for || entry.producers + entry.users > 0, "whatever is kept is needed");
            assert!(!entry.is_ordered || entry.arrival != Arrival::Held, "what was asked for is not here yet");
            assert_eq!(self.graphs[entry.graph].results.get(entry.task), Some(id));
            match entry.arrival {
                Arrival::Held => {
                    held_bytes += entry.size;
                    assert!(entry.waiters.is_empty(), "nobody waits for what is here");
                }
                Arrival::InFlight(fetch) => assert_eq!(self.fetches.in_flight[fetch].result, id),
                Arrival::Idle => {
                    let is_awaited =
                        entry.waiters.iter().any(|waiter| self.attempts.get(*waiter).is_some_and(AttemptRecord::is_wanted));
                    let is_awaited = is_awaited || entry.is_ordered;
                    assert!(!is_awaited || entry.producers > 0, "somebody makes what is awaited and not fetched");
                }
                Arrival::Queued | Arrival::Missing => {}
                Arrival::Promised => assert!(!entry.is_ordered, "what was ordered is fetched"),
            }
            assert!(!entry.is_wanted || entry.arrival == Arrival::Held, "the scheduler counts on what is here");
        }
        assert_eq!(self.held_bytes, held_bytes);
        assert_eq!(self.results.len(), self.graphs.iter().map(|(_, graph)| graph.results.len()).sum::<usize>());
        assert_eq!(self.graphs.len(), self.graph_keys.len());
    }

    fn check_lanes(&self) {
        let mut used = Shape::default();
        let mut queued = 0;
        for lane in &self.lanes {
            let mut expected = 0;
            for id in &lane.queue {
                let record = &self.attempts[*id];
                assert!(record.shape == lane.shape, "a lane runs one shape at a time");
                match record.state() {
                    State::Running(place) | State::Stopping(place) => {
                        assert!(std::ptr::eq(&self.lanes[place.lane.0 as usize], lane));
                        expected += u64::from(place.expected_us);
                    }
                    state @ (State::New | State::Waiting { .. } | State::Ready | State::Gone) => panic!("in a lane: {state:?}"),
                }
            }
            assert_eq!(lane.expected_us, expected);
            queued += lane.queue.len();
            if !lane.is_idle() {
                let shape = self.ready.shape(lane.shape);
                used.slots_milli += shape.slots_milli;
                used.memory_bytes += shape.memory_bytes;
            }
        }
        let running = self.attempts.iter().filter(|(_, record)| matches!(record.state(), State::Running(_) | State::Stopping(_)));
        assert_eq!(queued, running.count(), "what runs is in one lane");
        let counted = self.resources.used();
        assert_eq!((used.slots_milli, used.memory_bytes), (counted.slots_milli, counted.memory_bytes), "resources are counted");
        assert!(used.slots_milli <= u64::from(self.settings.slots) * 1_000);
        assert!(used.memory_bytes <= self.settings.memory_bytes);
    }

    fn check_fetches(&self) {
        let mut bytes = 0;
        let mut by_peer = BTreeMap::new();
        for (id, fetch) in self.fetches.in_flight.iter() {
            assert_eq!(self.results[fetch.result].arrival, Arrival::InFlight(id), "a fetch is for a result that waits");
            bytes += fetch.size;
            *by_peer.entry(fetch.from).or_insert(0) += 1;
        }
        assert_eq!(bytes, self.fetches.bytes);
        assert_eq!(by_peer, self.fetches.by_peer);
        let count = self.fetches.in_flight.len();
        assert!(count <= self.settings.fetches_max as usize, "{count} fetches");
        assert!(count <= 1 || bytes <= self.settings.fetch_bytes_max, "{bytes} bytes are fetched");
    }
}
