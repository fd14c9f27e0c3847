//! Whether there is memory to begin something: by what functions took before, and a gate that closes above one threshold and opens below a lower one.
//!
//! Knows numbers that the shell measured; how they are measured is the shell's.

use crate::action::Actions;
use crate::lane::{Lane, LaneId, UNKNOWN_US};
use crate::ready::ShapeId;
use crate::{AttemptId, WorkerCore};
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::message::FromWorker;

/// The gate opens again when this part of what closes it is free: a tenth.
const HYSTERESIS: u64 = 10;
/// A quarter of a function's largest peak is set aside beyond it: peaks vary with inputs.
const HEADROOM: u64 = 4;

/// The state of the gate.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) is_closed: bool,
    /// Results in memory, as they were measured last.
    stored_bytes: u64,
    /// Results that were here then.
    held_bytes: u64,
}

impl WorkerCore {
    /// The shell measured the memory: bytes of results, and of the whole process beyond what it took when it started.
    pub(crate) fn on_memory_measured(&mut self, stored_bytes: u64, process_bytes: u64, out: &mut Actions) {
        (self.gate.stored_bytes, self.gate.held_bytes) = (stored_bytes, self.held_bytes);
        let limits = [(stored_bytes, self.settings.pause_above_bytes), (process_bytes, self.settings.memory_bytes)];
        let is_over = limits.iter().any(|(used, limit)| used > limit);
        let is_under = limits.iter().all(|(used, limit)| *used <= limit - limit / HYSTERESIS);
        let closes = if self.gate.is_closed { !is_under } else { is_over };
        if closes != self.gate.is_closed {
            self.gate.is_closed = closes;
            out.send.push(FromWorker::MemoryShort(closes));
            if closes {
                // The scheduler sends first what frees memory, and the rest elsewhere.
                self.give_back_unbegun(out);
            }
        }
    }

    /// With the gate closed one attempt runs at a time: what runs frees memory, and without it nothing would go on.
    pub(crate) fn dispatch_alone(&mut self, now: Time, out: &mut Actions) {
        if self.lanes.iter().any(|lane| !lane.is_idle()) {
            return;
        }
        let Some(shape) = self.best_shape() else { return };
        let Some(lane) = self.lanes.iter().position(Lane::is_idle) else { return };
        let lane = LaneId(lane as u32);
        let run = match shape {
            ShapeId::DEFAULT => self.take_run(1, u64::from(UNKNOWN_US), lane),
            shape => self.take_one(shape, lane),
        };
        if !run.is_empty() {
            self.hand_over(now, lane, shape, run, out);
        }
    }

    /// What an attempt is expected to take, by what its function took here; 0 when that is unknown, and for tasks that
    /// declared it, which are counted with the other resources.
    pub(crate) fn expected_bytes(&self, id: AttemptId) -> u64 {
        let attempt = &self.attempts[id];
        if self.ready.shape(attempt.shape).memory_bytes > 0 {
            return 0;
        }
        let function = self.graphs.get(attempt.graph).and_then(|graph| graph.functions.get(attempt.function as usize));
        function.map_or(0, |function| function.peak_bytes.saturating_add(function.peak_bytes / HEADROOM))
    }

    /// Results in memory: as they were measured, and what came or went since.
    fn stored_bytes(&self) -> u64 {
        (self.gate.stored_bytes + self.held_bytes).saturating_sub(self.gate.held_bytes)
    }

    /// What an attempt of a lane may take beside what the other lanes run: anything when they run nothing.
    pub(crate) fn allowed_bytes(&self, lane: LaneId) -> u64 {
        let others = (0u32..).zip(&self.lanes).filter(|(at, other)| *at != lane.0 && !other.is_idle());
        let mut count = 0;
        let running = others.fold(0u64, |sum, (_, other)| {
            count += 1;
            sum.saturating_add(other.memory_bytes)
        });
        if count == 0 {
            return u64::MAX;
        }
        let taken = running.saturating_add(self.resources.used().memory_bytes).saturating_add(self.stored_bytes());
        self.settings.memory_bytes.saturating_sub(taken)
    }
}
