//! Attempts that end in tasks which they wrote: these are checked, and take the place of the task if they may run.
//!
//! Small ones are checked on the spot, which takes less time than to ask somebody else; others elsewhere, so that a large one
//! holds up nobody. Those of one graph are checked one after the other, in the places for checks that its client has.

use super::Actor;
use crate::delegation::{Delegated, bad_delegation, prepare_delegation};
use crate::inbox::{DelegationReport, Input};
use crate::known::Known;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::OwnedMutexGuard;
use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::limits::DELEGATION_BYTES_MAX;
use wasm_tasks_protocol::message::{AttemptDelegated, Refusal};
use wasm_tasks_scheduler_core::Event;

/// Bytes of tasks that are checked on the spot: some tens of microseconds.
const SMALL_BYTES: usize = 4 << 10;

impl Actor {
    pub(super) fn on_delegated(&mut self, worker: WorkerId, delegated: AttemptDelegated) {
        let AttemptDelegated { attempt, run, memory_peak_bytes, fuel_used: _, has_logs, tasks } = delegated;
        let report = DelegationReport { worker, attempt, run, memory_peak_bytes };
        let id = self.core.attempt_task(worker, attempt);
        // What was said twice counts once.
        let Some(id) = id.filter(|_| !self.delegating.contains(&attempt)) else { return };
        self.note_change(id.graph);
        let Some(graph) = self.graph_of(id.graph) else { return };
        if has_logs {
            graph.note_log(id.task, worker);
        }
        let (asker, is_over) = (graph.asker.clone(), Arc::clone(&graph.is_over));
        let (graph, known) = (graph.id, Arc::clone(&graph.known));
        if tasks.len() > DELEGATION_BYTES_MAX {
            let message = format!("{} bytes; at most {DELEGATION_BYTES_MAX} are allowed", tasks.len());
            return self.refuse_delegation(&report, &Refusal::new(ErrorCode::LimitExceeded, message));
        }
        if tasks.len() <= SMALL_BYTES
            && let Ok(mut known) = Arc::clone(&known).try_lock_owned()
            && known.is_indexed()
        {
            let checked = prepare_delegation(&tasks, graph, id.task, &mut known, &|| true);
            return self.on_delegation_checked(&report, checked, known);
        }
        let Some(inbox) = self.inbox.upgrade() else { return };
        self.delegating.insert(attempt);
        let checks = self.checks.clone();
        tokio::spawn(async move {
            let again = Arc::clone(&known);
            let mut known = known.lock_owned().await;
            if is_over.load(Ordering::Relaxed) {
                // Nobody waits for the tasks any more; the attempt was stopped.
                let over = Err(Refusal::new(ErrorCode::Cancelled, "its graph was stopped"));
                drop(inbox.send(Input::Delegated { report, checked: Box::new(over), known }).await);
                return;
            }
            let permit = checks.acquire(&asker).await;
            let checking = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let checked = prepare_delegation(&tasks, graph, id.task, &mut known, &|| !is_over.load(Ordering::Relaxed));
                (checked, known)
            });
            let (checked, known) = match checking.await {
                Ok(done) => done,
                Err(_) => {
                    let message = "the check failed for a reason of the scheduler's; its log says more";
                    (Err(Refusal::new(ErrorCode::WorkerFault, message)), again.lock_owned().await)
                }
            };
            drop(inbox.send(Input::Delegated { report, checked: Box::new(checked), known }).await);
        });
    }

    pub(super) fn on_delegation_checked(
        &mut self,
        report: &DelegationReport,
        checked: Result<Delegated, Refusal>,
        mut known: OwnedMutexGuard<Known>,
    ) {
        let DelegationReport { worker, attempt, run, memory_peak_bytes } = *report;
        self.delegating.remove(&attempt);
        // It may have been stopped meanwhile, or its worker lost: then it writes nothing.
        let Some(id) = self.core.attempt_task(worker, attempt) else { return };
        let Delegated { extension, addition, output } = match checked {
            Ok(delegated) => delegated,
            Err(refusal) => return self.refuse_delegation(report, &refusal),
        };
        let Some(graph) = self.graph_of(id.graph) else { return };
        let plan = graph.extend(extension);
        graph.take_place(id.task, output);
        graph.errors.remove(&id.task);
        known.take_in(addition);
        drop(known);
        self.event(Event::AttemptDelegated { worker, attempt, run, memory_peak_bytes, plan, output });
    }

    fn refuse_delegation(&mut self, report: &DelegationReport, refusal: &Refusal) {
        let DelegationReport { worker, attempt, run, .. } = *report;
        let Some(id) = self.core.attempt_task(worker, attempt) else { return };
        if let Some(graph) = self.graph_of(id.graph) {
            graph.errors.insert(id.task, bad_delegation(refusal));
        }
        self.event(Event::AttemptFailed { worker, attempt, code: ErrorCode::BadDelegation, run });
    }
}
