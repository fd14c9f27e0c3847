//! Who runs next and where: ready attempts to lanes, in runs when they are short.
//!
//! The best attempt goes first. One that does not fit reserves what it lacks: nothing behind it may take of that, and
//! everything else goes on. So a large task waits for its slots to drain but never starves, and never holds up tasks
//! that want other things.

use crate::action::{Action, Actions, Launch};
use crate::attempt::{AttemptRecord, Place, State};
use crate::lane::{LONG_US, Lane, LaneId, UNKNOWN_US};
use crate::ready::{ResourceSet, ShapeId};
use crate::{AttemptId, WorkerCore};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::message::Priority;

/// Attempts of a run at most: more gain nothing, and would make a lane slow to hear that they are not wanted.
pub(crate) const RUN_LEN_MAX: u32 = 512;

/// The best attempt of a shape, and the shape.
type Head = ((Priority, AttemptId), ShapeId);

impl WorkerCore {
    /// Hands out what fits.
    pub(crate) fn dispatch(&mut self, now: Time, out: &mut Actions) {
        if self.gate.is_closed {
            return self.dispatch_alone(now, out);
        }
        let mut reserved = ResourceSet::NONE;
        let share = self.run_share();
        let mut heads = self.heads();
        while let Some(Reverse((_, shape))) = heads.pop() {
            let uses = self.ready.shape(shape).uses();
            let lacking = self.resources.lacking(self.ready.shape(shape));
            let Some(lane) = self.lanes.iter().position(Lane::is_idle).filter(|_| lacking.is_empty() && !uses.meets(reserved))
            else {
                if shape == ShapeId::DEFAULT && !uses.meets(reserved) {
                    self.top_up(now, out);
                }
                reserved = reserved.with(if lacking.is_empty() { uses } else { lacking });
                if reserved.meets(ResourceSet::A_SLOT) && !self.lanes.iter().any(Lane::is_idle) {
                    // Nothing can begin, nor be put behind what runs.
                    break;
                }
                continue;
            };
            let lane = LaneId(lane as u32);
            let run = match shape {
                ShapeId::DEFAULT => self.take_run(share, u64::from(UNKNOWN_US), lane),
                shape => self.take_one(shape, lane),
            };
            if run.is_empty() {
                // There is no memory for it beside what runs.
                continue;
            }
            self.hand_over(now, lane, shape, run, out);
            heads.extend(self.head(shape).map(Reverse));
        }
        self.extend_chains(out);
    }

    /// Gives busy lanes what follows from what they run, before they are idle.
    fn extend_chains(&mut self, out: &mut Actions) {
        for at in 0..self.lanes.len() {
            if !self.lanes[at].is_idle() && self.lanes[at].wants_more(self.settings.run_target) {
                let mut run = Vec::new();
                self.follow(LaneId(at as u32), 0, &mut run);
                if !run.is_empty() {
                    self.execute(LaneId(at as u32), run, out);
                }
            }
        }
    }

    /// The best attempt of a shape.
    fn head(&mut self, shape: ShapeId) -> Option<Head> {
        let attempts = &self.attempts;
        self.ready.peek(shape, |id| is_ready(attempts.get(id))).map(|head| (head, shape))
    }

    /// The best attempts of all shapes that have any, the best of them first.
    fn heads(&mut self) -> BinaryHeap<Reverse<Head>> {
        (0..self.ready.open().len()).filter_map(|at| self.head(self.ready.open()[at])).map(Reverse).collect()
    }

    /// The shape whose best attempt is best of all.
    pub(crate) fn best_shape(&mut self) -> Option<ShapeId> {
        (0..self.ready.open().len()).filter_map(|at| self.head(self.ready.open()[at])).min().map(|(_, shape)| shape)
    }

    /// Gives busy lanes their next run before they are idle, the emptiest first.
    fn top_up(&mut self, now: Time, out: &mut Actions) {
        let target = self.settings.run_target;
        let mut lanes: Vec<_> = (0u32..)
            .zip(&self.lanes)
            .filter(|(_, lane)| !lane.is_idle() && lane.wants_more(target))
            .map(|(at, lane)| (lane.expected_us, at))
            .collect();
        lanes.sort_unstable();
        let share = self.run_share();
        for (_, lane) in lanes {
            let run = self.take_run(share, u64::from(LONG_US), LaneId(lane));
            if run.is_empty() {
                return;
            }
            self.hand_over(now, LaneId(lane), ShapeId::DEFAULT, run, out);
        }
    }

    /// How many attempts a run may have so that every slot gets its part.
    fn run_share(&self) -> u32 {
        self.ready.len(ShapeId::DEFAULT).div_ceil(self.settings.slots.max(1)).clamp(1, RUN_LEN_MAX)
    }

    /// Takes the best attempts of one slot that together are short, or the best one alone when it takes no longer than `first_max_us`;
    /// none for which the lane has no memory.
    pub(crate) fn take_run(&mut self, len_max: u32, first_max_us: u64, lane: LaneId) -> Vec<(AttemptId, u32)> {
        let allowed_bytes = self.allowed_bytes(lane);
        let mut run = Vec::new();
        let mut total = 0;
        while (run.len() as u32) < len_max {
            let attempts = &self.attempts;
            let Some((_, id)) = self.ready.peek(ShapeId::DEFAULT, |id| is_ready(attempts.get(id))) else { break };
            let expected = self.expected_us(id);
            let limit = if run.is_empty() { first_max_us } else { self.settings.run_target.0 };
            if total + u64::from(expected) > limit || self.expected_bytes(id) > allowed_bytes {
                break;
            }
            total += u64::from(expected);
            self.ready.pop(ShapeId::DEFAULT);
            run.push((id, expected));
        }
        run
    }

    pub(crate) fn take_one(&mut self, shape: ShapeId, lane: LaneId) -> Vec<(AttemptId, u32)> {
        let attempts = &self.attempts;
        let Some((_, id)) = self.ready.peek(shape, |id| is_ready(attempts.get(id))) else { return Vec::new() };
        if self.expected_bytes(id) > self.allowed_bytes(lane) {
            return Vec::new();
        }
        let expected = self.expected_us(id);
        self.ready.pop(shape);
        vec![(id, expected)]
    }

    /// What an attempt is expected to take, in whole microseconds from 1.
    pub(crate) fn expected_us(&self, id: AttemptId) -> u32 {
        let attempt = &self.attempts[id];
        let function = self.graphs.get(attempt.graph).and_then(|graph| graph.functions.get(attempt.function as usize));
        function.and_then(|function| function.mean.micros()).unwrap_or(UNKNOWN_US).clamp(1, UNKNOWN_US)
    }

    pub(crate) fn hand_over(
        &mut self,
        now: Time,
        id: LaneId,
        shape: ShapeId,
        attempts: Vec<(AttemptId, u32)>,
        out: &mut Actions,
    ) {
        assert!(!attempts.is_empty(), "a run has attempts");
        let lane = &mut self.lanes[id.0 as usize];
        if lane.is_idle() {
            self.resources.take(self.ready.shape(shape));
            self.ready.hold(shape);
            lane.since = now;
            lane.front_us = attempts[0].1;
            (lane.shape, lane.is_started_known, lane.is_recalled) = (shape, false, false);
        }
        assert!(lane.shape == shape, "a lane runs one shape at a time");
        let from = lane.queue.len();
        let mut run = Vec::with_capacity(attempts.len());
        for (attempt, expected_us) in attempts {
            run.push(self.place(attempt, Place { lane: id, expected_us, is_following: false }));
        }
        if shape == ShapeId::DEFAULT {
            self.follow(id, from, &mut run);
        }
        self.execute(id, run, out);
    }

    /// With how many attempts left a lane wants more: see [`Lane::wants_more`].
    fn low_water(&self, id: LaneId) -> u32 {
        let mut left_us = self.settings.run_target.0 / 2;
        let queue = &self.lanes[id.0 as usize].queue;
        let fitting = queue.iter().rev().take_while(|id| match self.attempts[**id].state() {
            State::Running(place) | State::Stopping(place) => {
                let fits = u64::from(place.expected_us) <= left_us;
                left_us = left_us.saturating_sub(u64::from(place.expected_us));
                fits
            }
            State::New | State::Waiting { .. } | State::Ready | State::Gone => false,
        });
        // When only the last is left, there is room for another however long it takes.
        fitting.count().max(1).min(queue.len() - 1) as u32
    }

    fn execute(&mut self, id: LaneId, run: Vec<Launch>, out: &mut Actions) {
        let report_at = self.low_water(id);
        out.perform.push(Action::Execute { lane: id, run, report_at });
    }
}

fn is_ready(attempt: Option<&AttemptRecord>) -> bool {
    attempt.is_some_and(|attempt| attempt.state() == State::Ready)
}
