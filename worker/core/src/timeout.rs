//! What is due when: heartbeats, lanes that stall, attempts that the scheduler should know to have begun.

use crate::WorkerCore;
use crate::action::{Action, Actions, TimerName};
use crate::lane::LaneId;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::message::FromWorker;

impl WorkerCore {
    /// When the core wants to hear [`Event::TimedOut`](crate::Event::TimedOut), and what for.
    pub fn next_timeout(&self) -> Option<(Time, TimerName)> {
        let heartbeat = self.heartbeat.filter(|_| !self.has_left).map(|(_, at)| (at, TimerName::Heartbeat));
        let lanes = self.lanes.iter().filter(|lane| !lane.is_idle()).flat_map(|lane| {
            let stall = lane.stalls_at().map(|at| (at, TimerName::Stall));
            stall.into_iter().chain(lane.starts_at().map(|at| (at, TimerName::Started)))
        });
        heartbeat.into_iter().chain(lanes).min()
    }

    pub(crate) fn on_timed_out(&mut self, now: Time, out: &mut Actions) {
        if let Some((every, at)) = self.heartbeat
            && at <= now
            && !self.has_left
        {
            out.perform.push(Action::Heartbeat);
            self.heartbeat = Some((every, now + every));
        }
        let mut started = Vec::new();
        for (id, lane) in (0u32..).map(LaneId).zip(&mut self.lanes) {
            if lane.stalls_at().is_some_and(|at| at <= now) {
                lane.is_recalled = true;
                out.perform.push(Action::Recall(id));
            }
            if lane.starts_at().is_some_and(|at| at <= now) {
                lane.is_started_known = true;
                // An attempt that is being stopped is none that the scheduler knows.
                let number = lane.queue.front().map(|front| self.attempts[*front].number);
                started.extend(number.filter(|number| self.numbers.contains_key(number)));
            }
        }
        if !started.is_empty() {
            out.send.push(FromWorker::AttemptsStarted(started));
        }
    }
}
