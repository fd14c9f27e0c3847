//! What the core wants done, done.

use crate::fetch::{self, Wanted};
use crate::inbox::Message;
use crate::job::Job;
use crate::runner::{ComponentWanted, Runner};
use crate::shell::Shell;
use crate::store::Value;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;
use wasm_tasks_protocol::message::AttemptFailed;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{ErrorCode, GraphId, TaskError};
use wasm_tasks_worker_core::{Action, ComponentId, Ended, Event, GraphKey, InputValue, LaneId, Launch, Outcome};

impl<R: Runner> Shell<R> {
    pub(crate) fn perform(&mut self, action: Action) {
        match action {
            Action::Execute { lane, run, report_at } => self.execute(lane, run, report_at),
            Action::Interrupt { lane, id } => self.lanes.interrupt(lane, id),
            Action::Recall(lane) => self.lanes.recall(lane),
            Action::Store { result, value } => {
                self.store.insert(result, value);
                self.spill_some();
            }
            Action::Drop(result) => {
                self.store.remove(result);
                self.last_read.take_if(|(read, _)| *read == result);
            }
            Action::LoadComponent { component, digest, is_metered, client } => {
                self.load_component(component, ComponentWanted { digest, is_metered, client });
            }
            Action::UnloadComponent(component) => {
                if let Some(place) = self.modules.get_mut(component.index()) {
                    place.take_if(|(at, _)| *at == component);
                }
            }
            Action::LoadData { graph, graph_id, position } => self.load_data(graph, graph_id, position),
            Action::Fetch { fetch, graph, task, from, size: _ } => self.fetch(fetch, Wanted { graph, task, from }),
            Action::CancelFetch(fetch) => {
                let entry = self.fetches.get_mut(fetch.index()).and_then(|entry| entry.take_if(|(at, _)| *at == fetch));
                if let Some((_, errand)) = entry {
                    errand.abort();
                }
            }
            Action::DefineGraph { graph, graph_id: _, tenant: _, functions, data, settings }
            | Action::ExtendGraph { graph, functions, data, settings } => {
                self.graphs.define(graph, (functions, data, settings));
            }
            Action::ForgetGraph(graph) => {
                self.graphs.forget(graph);
                self.logs.forget(graph);
            }
            Action::AddPeer(peer) => self.peers.add(peer.worker, peer.addresses),
            Action::RemovePeer(peer) => self.peers.remove(peer),
            Action::Welcomed(worker) => tracing::debug!(worker = worker.0, "the scheduler knows this worker"),
            Action::Heartbeat => self.send_heartbeat(),
            Action::Leave => self.is_leaving = true,
        }
    }

    fn execute(&mut self, lane: LaneId, run: Vec<Launch>, report_at: u32) {
        let jobs = run.into_iter().map(|launch| self.job(launch)).collect();
        if let Err((error, jobs)) = self.lanes.execute(lane, jobs, report_at) {
            tracing::error!(%error, "a thread for tasks cannot be started");
            let error = TaskError::new(ErrorCode::WorkerFault, format!("the worker cannot start a thread: {error}"));
            let failed = |job: Job<R>| {
                let report = AttemptFailed { attempt: job.attempt, run: Duration::ZERO, has_logs: false, error: error.clone() };
                Ended { id: job.id, outcome: Outcome::Failed(Box::new(report)) }
            };
            let ended = jobs.into_iter().map(failed).collect();
            self.feed(Event::AttemptsEnded { lane, ended });
        }
    }

    /// Puts together what the core only names.
    fn job(&self, launch: Launch) -> Job<R> {
        let Launch { id, attempt, graph, task, function, settings, component, args, inputs } = launch;
        let mut follows = Vec::new();
        let values = inputs.into_iter().enumerate().map(|(at, input)| match input.value {
            InputValue::Inline(bytes) => (input.task, Value::Memory(bytes)),
            InputValue::Stored(result) => {
                let value = self.store.get(result).expect("the core launches what has its inputs, and they are stored before");
                (input.task, value.clone())
            }
            InputValue::Following(maker) => {
                follows.push((at, maker));
                (input.task, Value::Memory(Bytes::new()))
            }
        });
        let inputs = values.collect();
        let module = self.modules.get(component.index()).and_then(Option::as_ref).filter(|(at, _)| *at == component);
        Job {
            id,
            attempt,
            key: graph,
            graph: Arc::clone(self.graphs.get(graph).expect("the core launches attempts of graphs that it has defined")),
            task,
            function,
            settings,
            module: Arc::clone(&module.expect("the core launches what is loaded").1),
            args,
            inputs,
            follows,
        }
    }

    /// Compiling may take minutes, so it has a thread of its own and blocks neither tasks nor this loop.
    fn load_component(&self, component: ComponentId, wanted: ComponentWanted) {
        let (runner, scheduler, inbox) = (Arc::clone(&self.runner), self.scheduler.clone(), self.inbox.clone());
        let (runtime, began) = (Handle::current(), Instant::now());
        tokio::task::spawn_blocking(move || {
            let mut unavailable = None;
            let mut bytes = || match runtime.block_on(fetch::component(wanted.digest, &scheduler)) {
                Ok(bytes) => Some(bytes),
                Err(error) => {
                    unavailable = Some(error);
                    None
                }
            };
            let loaded = runner.load(&wanted, &mut bytes);
            let result = loaded.map(Arc::new).map_err(|error| unavailable.unwrap_or(error));
            // Fails when the worker has ended.
            let _ = inbox.blocking_send(Message::ComponentLoaded { component, took: began.elapsed().into(), result });
        });
    }

    fn load_data(&self, graph: GraphKey, id: GraphId, position: u32) {
        let entry = self.graphs.get(graph).and_then(|graph| graph.data.get(position as usize)).map(Arc::clone);
        let entry = entry.expect("the core asks for entries of graphs that it has defined");
        let (scheduler, inbox) = (self.scheduler.clone(), self.inbox.clone());
        tokio::spawn(async move {
            let result = fetch::data(id, position, entry.len(), scheduler).await.map(|bytes| entry.fill(bytes));
            // Fails when the worker has ended.
            let _ = inbox.send(Message::DataLoaded { graph, position, result }).await;
        });
    }

    fn fetch(&mut self, fetch: wasm_tasks_worker_core::FetchId, wanted: Wanted) {
        let (peers, scheduler, inbox) = (self.peers.clone(), self.scheduler.clone(), self.inbox.clone());
        let errand = tokio::spawn(async move {
            let value = fetch::result(wanted, peers, scheduler).await;
            // Fails when the worker has ended.
            let _ = inbox.send(Message::Fetched { fetch, value }).await;
        });
        if self.fetches.len() <= fetch.index() {
            self.fetches.resize_with(fetch.index() + 1, || None);
        }
        self.fetches[fetch.index()] = Some((fetch, errand.abort_handle()));
    }
}
