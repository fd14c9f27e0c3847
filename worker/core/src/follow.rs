//! Attempts that are handed to a lane behind the one whose result they wait for: a chain costs no turn of the shell a hop.
//!
//! The lane's thread has the result before anybody else and gives it to the follower itself. When it has none, because what
//! was to make it failed or was stopped, the follower ends as [`Outcome::NotRun`](crate::Outcome::NotRun) and waits as
//! before.

use crate::action::{InputValue, Launch, LaunchInput};
use crate::attempt::{Place, State};
use crate::dispatch::RUN_LEN_MAX;
use crate::lane::{LONG_US, LaneId};
use crate::ready::ShapeId;
use crate::result::Arrival;
use crate::{AttemptId, WorkerCore};

/// An attempt with more inputs follows nothing: looking at all of them again and again would cost more than it saves.
const INPUTS_MAX: usize = 16;
/// Attempts that wait for one result and are looked at.
const WAITERS_SEEN_MAX: usize = 32;

impl WorkerCore {
    /// Extends a run of one-slot attempts by those that wait for nothing but results of the lane. `from` is the position in the
    /// lane's queue of the first that may be followed.
    ///
    /// With more than one slot an attempt is followed by one other at most: the rest may run beside it.
    pub(crate) fn follow(&mut self, lane: LaneId, from: usize, run: &mut Vec<Launch>) {
        let is_alone = self.settings.slots == 1;
        let (mut at, mut added_us) = (from, run.iter().map(|launch| u64::from(self.expected_us(launch.id))).sum::<u64>());
        let best = self.best_ready();
        let allowed_bytes = self.allowed_bytes(lane);
        while let Some(first) = self.lanes[lane.0 as usize].queue.get(at).copied() {
            at += 1;
            let record = &self.attempts[first];
            if record.is_followed && !is_alone {
                continue;
            }
            let output = record.output;
            let Some(entry) = self.results.get(output) else { continue };
            let waiters = entry.waiters.iter().take(WAITERS_SEEN_MAX).copied();
            let mut followers: Vec<_> = waiters
                .filter(|id| self.may_follow(*id, lane) && self.expected_bytes(*id) <= allowed_bytes)
                .map(|id| (self.attempts[id].priority, id))
                .filter(|(priority, _)| best.is_none_or(|best| *priority < best))
                .collect();
            followers.sort_unstable();
            followers.dedup();
            for (_, id) in followers.into_iter().take(if is_alone { usize::MAX } else { 1 }) {
                let expected_us = self.expected_us(id);
                let is_next_of_one = run.is_empty() && self.lanes[lane.0 as usize].queue.len() == 1 && expected_us <= LONG_US;
                if run.len() >= RUN_LEN_MAX as usize
                    || (added_us + u64::from(expected_us) > self.settings.run_target.0 && !is_next_of_one)
                {
                    return;
                }
                added_us += u64::from(expected_us);
                self.attempts[first].is_followed = true;
                let launch = self.place(id, Place { lane, expected_us, is_following: true });
                run.push(launch);
            }
        }
    }

    fn best_ready(&mut self) -> Option<wasm_tasks_protocol::message::Priority> {
        let attempts = &self.attempts;
        self.ready
            .peek(ShapeId::DEFAULT, |id| attempts.get(id).is_some_and(|it| it.state() == State::Ready))
            .map(|(best, _)| best)
    }

    /// Whether an attempt waits for nothing but what is being made in a lane.
    fn may_follow(&self, id: AttemptId, lane: LaneId) -> bool {
        let Some(record) = self.attempts.get(id) else { return false };
        let State::Waiting { missing } = record.state() else { return false };
        if record.shape != ShapeId::DEFAULT || record.inputs.len() > INPUTS_MAX || missing as usize > record.inputs.len() {
            return false;
        }
        let mut not_here = record.uses().filter(|result| self.results[*result].arrival != Arrival::Held);
        let mut count = 0;
        let all = not_here.all(|result| {
            count += 1;
            self.maker(result, lane).is_some()
        });
        all && count == missing
    }

    /// The attempt that makes a result in a lane.
    fn maker(&self, result: crate::ResultId, lane: LaneId) -> Option<AttemptId> {
        let entry = &self.results[result];
        let maker = entry.maker.filter(|_| entry.arrival == Arrival::Idle)?;
        let record = self.attempts.get(maker).filter(|record| record.output == result)?;
        matches!(record.state(), State::Running(place) if place.lane == lane).then_some(maker)
    }

    /// Puts an attempt at the end of a lane's queue. Returns what the lane is told.
    pub(crate) fn place(&mut self, id: AttemptId, place: Place) -> Launch {
        let inputs = self.launch_inputs(id, place);
        let bytes = self.expected_bytes(id);
        let record = &mut self.attempts[id];
        record.enter(State::Running(place), &mut self.steps);
        record.is_followed = false;
        let lane = &mut self.lanes[place.lane.0 as usize];
        lane.memory_bytes = lane.memory_bytes.max(bytes);
        lane.queue.push_back(id);
        lane.expected_us += u64::from(place.expected_us);
        Launch {
            id,
            attempt: record.number,
            graph: record.graph,
            task: record.task,
            function: record.function,
            settings: record.settings,
            component: record.component,
            args: record.args.clone(),
            inputs,
        }
    }

    fn launch_inputs(&self, id: AttemptId, place: Place) -> Vec<LaunchInput> {
        let mut inputs = self.attempts[id].inputs.clone();
        if place.is_following {
            for input in &mut inputs {
                if let InputValue::Stored(result) = input.value
                    && self.results[result].arrival != Arrival::Held
                {
                    let maker = self.maker(result, place.lane).expect("whoever follows was seen to wait for the lane alone");
                    input.value = InputValue::Following(maker);
                }
            }
        }
        inputs
    }

    /// A lane gave an attempt back: it is ready, or it waits for what it followed.
    pub(crate) fn on_not_run(&mut self, id: AttemptId) {
        let uses: Vec<_> = self.attempts[id].uses().collect();
        let mut missing = 0;
        for result in &uses {
            let entry = &mut self.results[*result];
            entry.waiters.retain(|waiter| *waiter != id);
        }
        for result in &uses {
            let entry = &mut self.results[*result];
            if entry.arrival != Arrival::Held {
                entry.waiters.push(id);
                missing += 1;
            }
        }
        if missing == 0 {
            self.make_ready(id);
        } else {
            self.attempts[id].enter(State::Waiting { missing }, &mut self.steps);
        }
    }
}
