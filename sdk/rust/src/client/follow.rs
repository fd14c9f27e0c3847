//! What a client knows of one graph. Anybody may wait for it to change; nobody has a queue that could grow.

use crate::error::ClientError;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use wasm_tasks_protocol::limits::GRAPH_OUTPUTS_MAX;
use wasm_tasks_protocol::message::{GraphState, GraphSummary, OutputResult, TaskFailure, ToClient};

/// Failures that are kept in full; the rest is counted. A graph has up to 16 million tasks, and all may fail.
const FAILURES_MAX: usize = 1_000;

/// One graph that is followed.
pub(super) struct Followed {
    known: Mutex<Known>,
    /// Counts changes, for those who wait.
    changes: watch::Sender<u64>,
}

/// All that has been heard.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) state: GraphState,
    pub(super) outputs: Vec<Option<OutputResult>>,
    /// Positions of outputs in the order in which they were heard of.
    pub(super) arrived: Vec<u32>,
    pub(super) failures: Vec<TaskFailure>,
    pub(super) failures_omitted: u64,
    /// The last end that was told. A graph that is extended ends again.
    end: Option<Result<GraphSummary, ClientError>>,
}

impl Followed {
    /// Nothing is known yet, except how many outputs there are.
    pub(super) fn new(outputs: usize) -> Followed {
        let known = Known { outputs: vec![None; outputs], ..Known::default() };
        Followed { known: Mutex::new(known), changes: watch::Sender::new(0) }
    }

    /// All that is known now. Must not be held over an `await`.
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To wait for changes with; subscribe before looking at [`Followed::known`].
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until `look` finds something.
    pub(super) async fn until<T>(&self, mut look: impl FnMut(&Known) -> Option<T>) -> T {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            if let Some(found) = look(&self.known()) {
                return found;
            }
            // The sender lives in `self`, so this cannot fail.
            drop(changes.changed().await);
        }
    }

    /// Takes in what the scheduler says of this graph.
    pub(super) fn handle(&self, message: ToClient) {
        {
            let mut known = self.known();
            match message {
                ToClient::Progress { state, .. } => known.state = state,
                ToClient::Outputs { outputs, .. } => {
                    outputs.into_iter().for_each(|(position, result)| known.output(position, result))
                }
                ToClient::TaskFailed { failure, .. } => known.failure(failure),
                ToClient::Finished { summary, .. } => known.finish(Ok(summary)),
                ToClient::UnknownGraph(graph) => known.finish(Err(ClientError::UnknownGraph(graph))),
                ToClient::Welcome { .. } | ToClient::Answer { .. } => {}
            }
        }
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Outputs that were expected will not come, because they were refused.
    pub(super) fn forget_outputs(&self, count: usize) {
        self.known().forget_outputs(count);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Nothing more will be heard.
    pub(super) fn end(&self, error: ClientError) {
        self.known().finish(Err(error));
        self.changes.send_modify(|changes| *changes += 1);
    }
}

impl Known {
    fn output(&mut self, position: u32, result: OutputResult) {
        // One that is beyond those known is of a fragment, which another client may have added.
        if position as usize >= self.outputs.len() && (position as usize) < GRAPH_OUTPUTS_MAX {
            self.outputs.resize(position as usize + 1, None);
        }
        if let Some(slot) = self.outputs.get_mut(position as usize) {
            if slot.is_none() {
                self.arrived.push(position);
            }
            *slot = Some(result);
        }
    }

    fn failure(&mut self, failure: TaskFailure) {
        if self.failures.iter().any(|known| known.task == failure.task) {
            return;
        }
        if self.failures.len() < FAILURES_MAX { self.failures.push(failure) } else { self.failures_omitted += 1 }
    }

    fn finish(&mut self, end: Result<GraphSummary, ClientError>) {
        if let Ok(summary) = &end {
            self.state.tasks = summary.tasks;
            self.state.finished = summary.finished;
            self.state.failed = summary.failed + summary.dependents_failed;
            self.state.assigned = 0;
        }
        // What is known of a graph that has ended stays known when the connection breaks.
        if !matches!((&self.end, &end), (Some(Ok(_)), Err(_))) {
            self.end = Some(end);
        }
    }

    /// The end of the graph as it is known here; an end that was told before it was extended is none.
    pub(super) fn ended(&self) -> Option<&Result<GraphSummary, ClientError>> {
        self.end.as_ref().filter(|end| !matches!(end, Ok(summary) if (summary.outputs as usize) < self.outputs.len()))
    }

    /// More outputs are to come: room for them is made before they are asked for.
    pub(super) fn expect_outputs(&mut self, count: usize) {
        if count > self.outputs.len() {
            self.outputs.resize(count, None);
        }
    }

    fn forget_outputs(&mut self, count: usize) {
        let heard = self.outputs.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.outputs.truncate(count.max(heard));
    }
}
