//! How attempts end: by themselves, cancelled, given back, or with their graph; and what that sets free.

use crate::action::{Action, Actions};
use crate::attempt::State;
use crate::event::{Ended, Outcome};
use crate::lane::LaneId;
use crate::result::Arrival;
use crate::{AttemptId, ResultId, WorkerCore};
use bytes::Bytes;
use wasm_tasks_protocol::message::{AttemptFinished, FromWorker};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{Attempt, GraphId, TaskIndex, Time};

impl WorkerCore {
    /// A lane is done with attempts.
    ///
    /// # Panics
    /// When the lane was not handed one of them.
    pub(crate) fn on_ended(&mut self, now: Time, lane: LaneId, ended: Vec<Ended>, out: &mut Actions) {
        let front = self.lanes[lane.0 as usize].queue.front().copied();
        for Ended { id, outcome } in ended {
            self.leave_lane(lane, id);
            let is_wanted = matches!(self.attempts[id].state(), State::Running(_));
            match outcome {
                _ if !is_wanted => {
                    self.attempts[id].enter(State::Gone, &mut self.steps);
                    self.attempts.remove(id);
                }
                Outcome::Finished { report, value } => self.finish(id, *report, value, out),
                Outcome::Failed(mut report) => {
                    report.attempt = self.attempts[id].number;
                    out.send.push(FromWorker::AttemptFailed(*report));
                    let output = self.remove_attempt(id, out);
                    self.producer_gone(output, out);
                }
                Outcome::Delegated(mut report) => {
                    let record = &self.attempts[id];
                    report.attempt = record.number;
                    let learnt = &mut self.graphs[record.graph].functions[record.function as usize];
                    learnt.mean.add(report.run);
                    learnt.peak_bytes = learnt.peak_bytes.max(report.memory_peak_bytes);
                    out.send.push(FromWorker::AttemptDelegated(*report));
                    let output = self.remove_attempt(id, out);
                    self.producer_gone(output, out);
                }
                Outcome::NotRun => self.on_not_run(id),
            }
        }
        self.settle_lane(now, lane, front);
    }

    /// Takes an attempt out of a lane's queue.
    fn leave_lane(&mut self, lane: LaneId, id: AttemptId) {
        let lane = &mut self.lanes[lane.0 as usize];
        let at = lane.queue.iter().position(|queued| *queued == id).expect("a lane ends what it was handed");
        lane.queue.remove(at);
        lane.is_started_known &= at != 0;
        match self.attempts[id].state() {
            State::Running(place) | State::Stopping(place) => lane.expected_us -= u64::from(place.expected_us),
            state @ (State::New | State::Waiting { .. } | State::Ready | State::Gone) => {
                panic!("an attempt in a lane is {}", state.phase().as_str())
            }
        }
    }

    fn settle_lane(&mut self, now: Time, id: LaneId, front: Option<AttemptId>) {
        let lane = &mut self.lanes[id.0 as usize];
        if lane.queue.front().copied() != front {
            lane.since = now;
            // While the attempt that stalled the lane is in front, whatever queues behind it would be recalled at once.
            lane.is_recalled = false;
        }
        match lane.queue.front().map(|front| self.attempts[*front].state()) {
            Some(State::Running(place) | State::Stopping(place)) => lane.front_us = place.expected_us,
            Some(State::New | State::Waiting { .. } | State::Ready | State::Gone) => panic!("a lane runs what is not running"),
            None => {
                lane.memory_bytes = 0;
                let shape = lane.shape;
                self.resources.give_back(self.ready.shape(shape));
                self.ready.let_go(shape);
            }
        }
    }

    fn finish(&mut self, id: AttemptId, mut report: AttemptFinished, value: Bytes, out: &mut Actions) {
        let record = &self.attempts[id];
        report.attempt = record.number;
        let (output, graph, function) = (record.output, record.graph, record.function);
        let learnt = &mut self.graphs[graph].functions[function as usize];
        learnt.mean.add(report.run);
        learnt.peak_bytes = learnt.peak_bytes.max(report.memory_peak_bytes);
        // The result is kept before the inputs go, so that an entry that is both never goes to and fro.
        if self.results[output].arrival == Arrival::Held {
            self.results[output].is_wanted = true;
        } else {
            self.result_came(output, value, true, out);
        }
        self.results[output].made_by = Some(report.attempt);
        self.remove_attempt(id, out);
        out.finished(report);
    }

    /// Removes an attempt that is not in a lane, with its hold on results. Returns where its result would have been;
    /// the caller tells those who wait for it.
    pub(crate) fn remove_attempt(&mut self, id: AttemptId, out: &mut Actions) -> ResultId {
        if self.attempts[id].state() == State::Ready {
            self.ready.withdraw(self.attempts[id].shape);
        }
        self.attempts[id].enter(State::Gone, &mut self.steps);
        let output = self.let_go(id, out);
        self.attempts.remove(id);
        output
    }

    /// Ends an attempt's hold on its number, its output and its inputs.
    fn let_go(&mut self, id: AttemptId, out: &mut Actions) -> ResultId {
        let record = &mut self.attempts[id];
        self.numbers.remove(&record.number);
        let output = record.output;
        record.args = Bytes::new();
        let inputs = std::mem::take(&mut record.inputs);
        self.results[output].producers -= 1;
        for input in inputs {
            if let crate::InputValue::Stored(result) = input.value {
                self.results[result].users -= 1;
                self.drop_unneeded(result, out);
            }
        }
        output
    }

    /// Stops an attempt wherever it is, without a report.
    fn stop(&mut self, id: AttemptId, out: &mut Actions) -> ResultId {
        match self.attempts[id].state() {
            State::Running(place) => {
                self.attempts[id].enter(State::Stopping(place), &mut self.steps);
                out.perform.push(Action::Interrupt { lane: place.lane, id });
                self.let_go(id, out)
            }
            State::New | State::Waiting { .. } | State::Ready | State::Stopping(_) | State::Gone => self.remove_attempt(id, out),
        }
    }

    pub(crate) fn cancel(&mut self, attempts: &[Attempt], out: &mut Actions) {
        let mut outputs = Vec::with_capacity(attempts.len());
        let mut unknown = Vec::new();
        for attempt in attempts {
            match self.numbers.get(attempt).copied() {
                Some(id) => outputs.push(self.stop(id, out)),
                None => unknown.push(*attempt),
            }
        }
        outputs.into_iter().for_each(|output| self.producer_gone(output, out));
        if !unknown.is_empty() {
            self.stale += unknown.len() as u64;
            self.disown(&unknown, out);
        }
    }

    /// Attempts were cancelled whose reports were on their way: the scheduler ignores these, and does not count on the results.
    ///
    /// Looks at all results, but only when a cancellation and a report crossed.
    fn disown(&mut self, attempts: &[Attempt], out: &mut Actions) {
        let made_by = |made: Option<Attempt>| made.is_some_and(|made| attempts.contains(&made));
        let results: Vec<ResultId> = self.results.iter().filter(|(_, entry)| made_by(entry.made_by)).map(|(id, _)| id).collect();
        for result in results {
            self.results[result].is_wanted = false;
            self.drop_unneeded(result, out);
        }
    }

    /// Gives back what is not handed to a lane.
    pub(crate) fn retract(&mut self, asked: Vec<Attempt>, out: &mut Actions) {
        let mut outputs = Vec::new();
        let mut returned = Vec::new();
        for attempt in &asked {
            let Some(id) = self.numbers.get(attempt).copied() else { continue };
            if matches!(self.attempts[id].state(), State::Waiting { .. } | State::Ready) {
                outputs.push(self.remove_attempt(id, out));
                returned.push(*attempt);
            }
        }
        out.send.push(FromWorker::Retracted { asked, returned });
        outputs.into_iter().for_each(|output| self.producer_gone(output, out));
    }

    pub(crate) fn forget_graph(&mut self, graph: GraphId, out: &mut Actions) {
        let Some(key) = self.graph_keys.remove(&graph) else { return };
        let ids: Vec<_> = self.attempts.iter().filter(|(_, record)| record.graph == key).map(|(id, _)| id).collect();
        for id in ids {
            if !matches!(self.attempts[id].state(), State::Stopping(_)) {
                self.stop(id, out);
            }
        }
        let forgotten = self.graphs.remove(key).expect("a graph has one key");
        forgotten.settings.iter().filter_map(|entry| entry.shape.as_ref().ok()).for_each(|shape| self.ready.let_go(*shape));
        forgotten.results.values().for_each(|result| self.drop_result(result, out));
        for component in forgotten.functions.iter().flat_map(|function| function.components.iter().flatten()) {
            self.disuse_component(*component, out);
        }
        out.perform.push(Action::ForgetGraph(key));
    }

    /// The scheduler does not count on these results any more.
    pub(crate) fn release(&mut self, graph: GraphId, tasks: &[TaskIndex], out: &mut Actions) {
        let Some(key) = self.graph_keys.get(&graph).copied() else { return };
        for task in tasks {
            if let Some(result) = self.graphs[key].results.get(*task) {
                self.results[result].is_wanted = false;
                self.results[result].is_ordered = false;
                self.drop_unneeded(result, out);
            }
        }
    }

    /// Tells the scheduler that the worker wants to leave.
    pub(crate) fn drain_by_itself(&mut self, within: Option<Duration>, out: &mut Actions) {
        if !self.has_left && !self.may_go {
            out.send.push(FromWorker::Draining { within });
            self.drain(out);
        }
    }

    /// Gives back what does not run; the worker leaves when the rest has ended and the scheduler lets it go.
    pub(crate) fn drain(&mut self, out: &mut Actions) {
        if self.is_leaving {
            return;
        }
        self.is_leaving = true;
        self.give_back_unbegun(out);
    }

    /// Gives back what is not handed to a lane, without being asked.
    pub(crate) fn give_back_unbegun(&mut self, out: &mut Actions) {
        let gives_back = |id: &AttemptId| matches!(self.attempts[*id].state(), State::Waiting { .. } | State::Ready);
        let back: Vec<_> = self.numbers.iter().filter(|(_, id)| gives_back(id)).map(|(number, _)| *number).collect();
        if !back.is_empty() {
            self.retract(back, out);
        }
    }

    pub(crate) fn leave_when_done(&mut self, out: &mut Actions) {
        if self.may_go && !self.has_left && self.attempts.len() == 0 {
            self.has_left = true;
            out.send.push(FromWorker::Leaving);
            out.perform.push(Action::Leave);
        }
    }
}
