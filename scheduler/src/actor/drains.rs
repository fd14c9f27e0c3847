//! Workers that are to leave: who asked for it, and what they are told when the workers are gone.

use super::Actor;
use crate::inbox::SessionId;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use tracing::info;
use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::message::{Refusal, ToWorker};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_scheduler_core::{DrainSummary, Event};

/// Somebody waits for workers to be gone.
#[derive(Debug)]
pub(crate) struct DrainAsk {
    session: SessionId,
    number: u64,
    left: BTreeSet<WorkerId>,
    gone: Vec<Json>,
}

impl Actor {
    pub(super) fn on_drain_asked(
        &mut self,
        session: SessionId,
        number: u64,
        names: &[String],
        within: Option<Duration>,
        gives_up: bool,
    ) {
        match self.workers_called(names) {
            Err(refusal) => self.answer(session, number, Err(refusal)),
            Ok(workers) => {
                self.drain_asks.push(DrainAsk { session, number, left: workers.clone(), gone: Vec::new() });
                for worker in workers {
                    info!(worker = worker.0, name = self.worker_name(worker), "a worker is to leave");
                    self.event(Event::DrainWorker { worker, within, gives_up });
                }
            }
        }
    }

    /// The workers of these names or numbers.
    ///
    /// # Errors
    /// A name that no worker has.
    fn workers_called(&self, names: &[String]) -> Result<BTreeSet<WorkerId>, Refusal> {
        let joined = || self.workers.iter().filter_map(|(id, link)| Some((*id, &link.offer.as_ref()?.name)));
        let mut found = BTreeSet::new();
        let mut unknown = Vec::new();
        for name in names {
            let number = name.parse().ok().map(WorkerId);
            let before = found.len();
            let is_meant = |id: WorkerId, called: &String| called == name || Some(id) == number;
            let meant: Vec<WorkerId> = joined().filter(|(id, called)| is_meant(*id, called)).map(|(id, _)| id).collect();
            let is_known = !meant.is_empty();
            found.extend(meant);
            if !is_known && before == found.len() {
                unknown.push(format!("no worker is called `{name}`"));
            }
        }
        if unknown.is_empty() && !found.is_empty() {
            return Ok(found);
        }
        const SHOWN_MAX: usize = 20;
        let known: Vec<String> = joined().take(SHOWN_MAX).map(|(id, name)| format!("`{name}` ({})", id.0)).collect();
        unknown.push(match known.as_slice() {
            [] => "no worker is connected".to_owned(),
            known => format!("there are {}", known.join(", ")),
        });
        Err(Refusal { code: ErrorCode::NotFound, messages: unknown })
    }

    pub(super) fn on_dismissed(&mut self, worker: WorkerId, summary: DrainSummary) {
        info!(
            worker = worker.0,
            name = self.worker_name(worker),
            moved = summary.moved,
            moved_bytes = summary.moved_bytes,
            left = summary.left,
            stopped = summary.stopped,
            "a worker may go"
        );
        if let Some(link) = self.workers.get_mut(&worker) {
            link.dismissed = Some(summary);
            link.outbox.push(ToWorker::Shutdown);
        }
    }

    /// What is told of a worker that is about to be forgotten.
    pub(super) fn farewell(&self, worker: WorkerId) -> Json {
        let dismissed = self.workers.get(&worker).and_then(|link| link.dismissed.clone());
        let is_lost = dismissed.is_none();
        let state = self.core.drain_state(worker);
        let summary = dismissed.unwrap_or_else(|| {
            let state = state.unwrap_or_default();
            DrainSummary { left: state.unmoved, stopped: state.attempts, ..state.summary }
        });
        json!({
            "id": worker.0,
            "name": self.worker_name(worker),
            "moved": summary.moved,
            "moved_bytes": summary.moved_bytes,
            "left": summary.left,
            "stopped": summary.stopped,
            "is_timed_out": summary.is_timed_out,
            "is_lost": is_lost,
        })
    }

    /// A worker is gone: whoever waited for the last of theirs is answered.
    pub(super) fn answer_drains(&mut self, worker: WorkerId, farewell: &Json) {
        let (mut answered, sessions) = (Vec::new(), &self.sessions);
        self.drain_asks.retain_mut(|ask| {
            if ask.left.remove(&worker) {
                ask.gone.push(farewell.clone());
            }
            let is_done = ask.left.is_empty();
            if is_done {
                answered.push((ask.session, ask.number, Json::Array(std::mem::take(&mut ask.gone))));
            }
            !is_done && sessions.contains(&ask.session)
        });
        for (session, number, gone) in answered {
            self.answer(session, number, Ok(gone.to_string()));
        }
    }
}
