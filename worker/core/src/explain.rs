//! Why an attempt is where it is, for people.

use crate::attempt::State;
use crate::component::Availability;
use crate::graph::Data;
use crate::result::Arrival;
use crate::{AttemptId, Phase, WorkerCore};
use wasm_tasks_protocol::Attempt;

/// What is known of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Its state.
    pub phase: Phase,
    /// What it waits for, or where it runs; one line each.
    pub reasons: Vec<String>,
}

impl WorkerCore {
    /// Explains an attempt; nothing when it is not here.
    pub fn explain(&self, attempt: Attempt) -> Option<Explanation> {
        let id = *self.numbers.get(&attempt)?;
        let state = self.attempts[id].state();
        let reasons = match state {
            State::Waiting { .. } => self.missing_for(id),
            State::Ready => vec![self.why_not_running(id)],
            State::Running(place) => {
                let at = self.lanes[place.lane.0 as usize].queue.iter().position(|queued| *queued == id).unwrap_or(0);
                vec![if at == 0 {
                    format!("runs in lane {}", place.lane.0)
                } else {
                    format!("{at} attempts are before it in lane {}", place.lane.0)
                }]
            }
            State::New | State::Stopping(_) | State::Gone => Vec::new(),
        };
        Some(Explanation { phase: state.phase(), reasons })
    }

    fn missing_for(&self, id: AttemptId) -> Vec<String> {
        let record = &self.attempts[id];
        let mut reasons = Vec::new();
        for result in record.uses() {
            let entry = &self.results[result];
            let task = entry.task.0;
            match entry.arrival {
                Arrival::Held => {}
                Arrival::Idle => reasons.push(format!("the result of task {task} is being made here")),
                Arrival::Queued => reasons.push(format!("the result of task {task} waits to be fetched")),
                Arrival::InFlight(fetch) => {
                    let from = self.fetches.in_flight[fetch].from.0;
                    reasons.push(format!("the result of task {task} is being fetched from worker {from}"));
                }
                Arrival::Promised => {
                    reasons.push(format!("the result of task {task} is given to others first; the scheduler will say when"))
                }
                Arrival::Missing => reasons.push(format!("nobody gave the result of task {task}; the scheduler was asked")),
            }
        }
        let component = &self.components.slab[record.component];
        if let Availability::Loading(_) = component.availability {
            reasons.push(format!("component {} is being loaded", component.digest));
        }
        let waits_for = |data: &Data| matches!(data, Data::Loading(waiters) if waiters.contains(&id));
        let positions = self.graphs[record.graph].data.iter().enumerate().filter(|(_, data)| waits_for(data));
        reasons.extend(positions.map(|(position, _)| format!("data entry {position} is being fetched")));
        reasons
    }

    fn why_not_running(&self, id: AttemptId) -> String {
        let record = &self.attempts[id];
        let shape = self.ready.shape(record.shape);
        let lacking = self.resources.describe_lacking(shape);
        if lacking.is_empty() {
            return format!("{} attempts are ready, and better ones go first", self.ready.total());
        }
        lacking
    }
}
