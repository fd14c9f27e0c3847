//! What clients say, and graphs that they bring.

use super::Actor;
use super::perform::output_bytes;
use super::perform::state_of;
use crate::answers;
use crate::graphs::ShellGraph;
use crate::inbox::SessionId;
use crate::known::Known;
use crate::submit::{Extension, Prepared};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;
use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_protocol::message::{FromClient, Query, Refusal, ToClient};
use wasm_tasks_scheduler_core::Event;

impl Actor {
    pub(super) fn on_submitted(
        &mut self,
        session: SessionId,
        graph: GraphId,
        mut prepared: Box<Prepared>,
        accepted: oneshot::Sender<Result<(), Refusal>>,
    ) {
        // Whoever went before the graph was accepted was promised nothing, and says that nothing runs.
        let refusal = match (self.sessions.contains(&session), self.core.graph_index(graph)) {
            (false, _) => Some(Refusal::new(ErrorCode::Unreachable, "its client went while it was checked")),
            (true, Some(_)) => {
                Some(Refusal::new(ErrorCode::BadArguments, format!("a graph with the id `{graph}` is here already")))
            }
            (true, None) => None,
        };
        if let Some(refusal) = refusal {
            // A client that is gone needs no answer.
            let _ = accepted.send(Err(refusal));
            return;
        }
        let plan = std::mem::take(&mut prepared.plan);
        // Accepted before anything of it is announced.
        let _ = accepted.send(Ok(()));
        self.arriving = Some((graph, prepared, session));
        let components = plan.components.iter().copied().collect();
        self.event(Event::GraphSubmitted { graph, plan });
        self.tell_loaded(&components);
    }

    /// Fragments of one graph are checked one after the other; whoever checks has what is known of the graph for so long.
    pub(super) fn on_extending(
        &mut self,
        graph: GraphId,
        known: oneshot::Sender<Result<Arc<tokio::sync::Mutex<Known>>, Refusal>>,
    ) {
        // A client that is gone needs no answer.
        let _ = known.send(self.extensible(graph).map(|graph| Arc::clone(&graph.known)));
    }

    pub(super) fn on_extended(&mut self, id: GraphId, extension: Extension, accepted: oneshot::Sender<Result<(), Refusal>>) {
        match self.extensible(id) {
            Err(refusal) => drop(accepted.send(Err(refusal))),
            Ok(graph) => {
                let plan = graph.extend(extension);
                graph.is_over.store(false, Ordering::Relaxed);
                let index = graph.index;
                let _ = accepted.send(Ok(()));
                self.note_change(index);
                let components = plan.components.iter().copied().collect();
                self.event(Event::GraphExtended { graph: id, plan });
                self.tell_loaded(&components);
            }
        }
    }

    fn extensible(&mut self, id: GraphId) -> Result<&mut ShellGraph, Refusal> {
        match self.graph_by_id_mut(id) {
            None => Err(answers::unknown_graph(id)),
            Some(graph) if graph.is_cancelled => {
                Err(Refusal::new(ErrorCode::Cancelled, format!("the graph `{id}` was cancelled; nothing can be added to it")))
            }
            Some(graph) => Ok(graph),
        }
    }

    /// Only who follows a graph has a say in what is kept of it.
    fn on_outputs_released(&mut self, session: SessionId, id: GraphId, positions: &[u32]) {
        let Some(graph) = self.graph_by_id_mut(id).filter(|graph| graph.followers.contains(&session)) else { return };
        let (parts, places) = (&graph.parts, &graph.places);
        let task_of = |position| places.now(parts.output(position).expect("it has the outputs that are owed").task);
        let tasks = graph.owed.release(session, positions, &graph.followers, task_of);
        if !tasks.is_empty() {
            self.event(Event::OutputsReleased { graph: id, tasks });
        }
    }

    fn unfollow(&mut self, session: SessionId, id: GraphId) {
        let Some(graph) = self.graph_by_id_mut(id).filter(|graph| graph.followers.contains(&session)) else { return };
        graph.followers.remove(&session);
        let (parts, places) = (&graph.parts, &graph.places);
        let task_of = |position| places.now(parts.output(position).expect("it has the outputs that are owed").task);
        let tasks = graph.owed.unfollow(&graph.followers, task_of);
        if !tasks.is_empty() {
            self.event(Event::OutputsReleased { graph: id, tasks });
        }
    }

    pub(super) fn on_client_said(&mut self, session: SessionId, batch: Vec<FromClient>) {
        for message in batch {
            match message {
                FromClient::Opened { name } => {
                    let welcome = ToClient::Welcome { name: self.settings.name.clone() };
                    if let Some(session) = self.sessions.get_mut(&session) {
                        session.name = Some(name);
                        session.outbox.push(welcome);
                    }
                }
                FromClient::Attach(graph) => self.on_attach(session, graph),
                FromClient::Cancel(graph) => {
                    if let Some(cancelled) = self.graph_by_id(graph) {
                        cancelled.is_over.store(true, Ordering::Relaxed);
                    }
                    self.event(Event::GraphCancelled(graph));
                }
                FromClient::Release(graph) => self.on_release(session, graph),
                FromClient::ReleaseOutputs { graph, outputs } => self.on_outputs_released(session, graph, &outputs),
                FromClient::Bind(graph) => self.on_bind(session, graph),
                FromClient::CancelTasks { graph, tasks } => {
                    let tasks = self.named_by_clients(graph, tasks);
                    self.event(Event::TasksCancelled { graph, tasks });
                }
                FromClient::Replicate { graph, tasks, copies } => {
                    let tasks = self.named_by_clients(graph, tasks);
                    self.event(Event::ReplicasWanted { graph, tasks, copies });
                }
                FromClient::Broadcast { graph, data } => self.broadcast(graph, &data),
                FromClient::Ask { number, query } => self.on_question(session, number, query),
                FromClient::DrainWorkers { number, workers, within, gives_up } => {
                    self.on_drain_asked(session, number, &workers, within, gives_up);
                }
            }
        }
    }

    /// The graph lives on for those who come back for it; what is finished goes after a while.
    pub(super) fn on_client_gone(&mut self, session: SessionId) {
        for graph in self.sessions.remove(&session).map(|session| session.own).unwrap_or_default() {
            self.on_release(session, graph);
        }
        let followed = self.graphs.iter().flatten().filter(|graph| graph.followers.contains(&session));
        let followed: Vec<GraphId> = followed.map(|graph| graph.id).collect();
        followed.into_iter().for_each(|graph| self.unfollow(session, graph));
    }

    /// A client can only bind what it follows.
    fn on_bind(&mut self, id: SessionId, graph: GraphId) {
        let follows = self.graph_by_id(graph).is_some_and(|graph| graph.followers.contains(&id));
        if let Some(session) = self.sessions.get_mut(&id)
            && follows
            && !session.own.contains(&graph)
        {
            session.own.push(graph);
        }
    }

    fn on_release(&mut self, session: SessionId, graph: GraphId) {
        self.unfollow(session, graph);
        if self.graph_by_id(graph).is_some_and(|graph| graph.followers.is_empty()) && !self.published.holds(graph) {
            self.event(Event::GraphReleased(graph));
        }
    }

    pub(super) fn on_cancel_keys(&mut self, graph: GraphId, keys: &[String]) -> Result<(), Refusal> {
        let known = self.graph_by_id(graph).ok_or_else(|| answers::unknown_graph(graph))?;
        let wanted: HashSet<&str> = keys.iter().map(String::as_str).collect();
        let found = known.parts.tasks().filter(|task| wanted.contains(task.key()));
        let found: Vec<(&str, TaskIndex)> = found.map(|task| (task.key(), task.index())).collect();
        if found.len() < wanted.len() {
            let is_found = |key: &&String| found.iter().any(|(known, _)| known == key);
            let missing = keys.iter().filter(|key| !is_found(key)).map(|key| format!("the graph has no task `{key}`")).collect();
            return Err(Refusal { code: ErrorCode::NotFound, messages: missing });
        }
        let tasks = found.into_iter().map(|(_, task)| known.places.now(task)).collect();
        self.event(Event::TasksCancelled { graph, tasks });
        Ok(())
    }

    /// Tasks as clients count them: where they are, or what took their places. Those that are not there are left out.
    fn named_by_clients(&self, graph: GraphId, tasks: Vec<TaskIndex>) -> Vec<TaskIndex> {
        let Some(known) = self.graph_by_id(graph) else { return Vec::new() };
        let numbering = known.parts.numbering();
        let positions = tasks.into_iter().filter_map(|task| numbering.position(task.0, |extent| extent.tasks));
        positions.map(|position| known.places.now(TaskIndex(position))).collect()
    }

    fn on_attach(&mut self, id: SessionId, graph: GraphId) {
        let counts = self.core.graph_index(graph).and_then(|index| self.core.graph_counts(index)).cloned();
        let found = self.core.graph_index(graph).and_then(|index| self.graphs.get_mut(index.slot())?.as_mut());
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (Some(counts), Some(found)) = (counts, found) else {
            session.outbox.push(ToClient::UnknownGraph(graph));
            return;
        };
        found.followers.insert(id);
        session.outbox.push(ToClient::Progress { graph, state: state_of(&counts) });
        for failure in &found.failures {
            session.outbox.push(ToClient::TaskFailed { graph, failure: failure.clone() });
        }
        let known = (0..).zip(found.owed.results());
        for (position, result) in known.filter_map(|(position, result)| Some((position, result.clone()?))) {
            let bytes = output_bytes(&result);
            match session.outbox.last_with_room(bytes) {
                Some(ToClient::Outputs { graph: of, outputs }) if *of == graph => outputs.push((position, result)),
                _ => session.outbox.push_sized(ToClient::Outputs { graph, outputs: vec![(position, result)] }, bytes),
            }
        }
        if let Some(summary) = &found.summary {
            session.outbox.push(ToClient::Finished { graph, summary: summary.clone() });
        }
    }

    fn on_question(&mut self, session: SessionId, number: u64, query: Query) {
        let answer = match query {
            Query::Status => Ok(answers::status(self)),
            Query::Workers => Ok(answers::workers(self)),
            Query::Outputs { graph } => answers::outputs(self, graph),
            Query::Extent { graph } => answers::extent(self, graph),
            Query::Published { name } => Ok(answers::published(self, name.as_deref())),
            Query::Explain { graph, key } => answers::explain(self, graph, key.as_deref()),
            Query::Stuck { graph } => answers::stuck(self, graph),
            Query::Logs { graph, key } => return self.on_logs_question(session, number, graph, key.as_deref()),
        };
        self.answer(session, number, answer.map(|json| json.to_string()));
    }

    pub(super) fn answer(&mut self, session: SessionId, number: u64, answer: Result<String, Refusal>) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.outbox.push(ToClient::Answer { number, answer });
        }
    }

    /// Logs are with the workers: the answer is the places, and the client's question is answered when they are here.
    fn on_logs_question(&mut self, session: SessionId, number: u64, graph: GraphId, key: Option<&str>) {
        match answers::log_places(self, graph, key) {
            Err(refusal) => self.answer(session, number, Err(refusal)),
            Ok(places) => {
                let Some(sender) = self.sessions.get(&session).map(|session| session.outbox.sender()) else { return };
                tokio::spawn(async move {
                    let logs = answers::collect_logs(graph, places).await;
                    // A client that is gone, or far behind, gets none.
                    drop(sender.try_send(vec![ToClient::Answer { number, answer: Ok(logs.to_string()) }]));
                });
            }
        }
    }
}
