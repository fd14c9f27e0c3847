//! Requests that need what the actor knows: data, outputs, and results that are relayed.

use super::Actor;
use crate::inbox::{Asker, Input, OutputFetch};
use crate::scheduler::reply_found;
use bytes::{Bytes, BytesMut};
use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::graph::Reference;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::message::{OutputResult, Refusal, ReplyHead, Request};
use wasm_tasks_protocol::msgpack::follow;
use wasm_tasks_scheduler_core::{Event, StateName, TaskId};
use wasm_tasks_transport::{IncomingRequest, Peer, Replier};

/// Bytes of a result that are asked for at once.
const CHUNK_BYTES: u64 = 16 << 20;
/// Holders that may fail to give an output before its client is told that it is not there.
const TRIES_MAX: u8 = 4;

impl Actor {
    pub(super) fn on_asked(&mut self, asker: Asker, asked: IncomingRequest) {
        let IncomingRequest { request, reply, .. } = asked;
        match request {
            Request::FetchData { graph, position } => {
                let found = self.graph_by_id(graph).and_then(|graph| graph.parts.data_slice(position));
                tokio::spawn(reply_found(reply, found));
            }
            Request::FetchGraph { graph } => {
                let found = self.graph_by_id(graph).map(|graph| graph.parts.file());
                tokio::spawn(reply_found(reply, found));
            }
            Request::CancelTasks { graph, keys } => reply_done(reply, self.on_cancel_keys(graph, &keys)),
            Request::Publish { graph, name } => reply_done(reply, self.on_publish(graph, name)),
            Request::Unpublish { name } => reply_done(reply, self.on_unpublish(&name)),
            Request::FetchOutput { graph, output } => {
                self.on_fetch_output(OutputFetch { graph, position: output, reply, tries: 0 });
            }
            Request::FetchResult { graph, task, offset, len } => self.on_relay(asker, graph, task, offset, len, reply),
            Request::SubmitGraph { .. }
            | Request::ExtendGraph { .. }
            | Request::MissingComponents { .. }
            | Request::UploadComponent { .. }
            | Request::FetchComponent { .. }
            | Request::FetchLogs { .. } => unreachable!("served without the actor, or refused"),
        }
    }

    /// A worker that has a task's result, other than the asker.
    fn holder(&self, graph: GraphId, task: TaskIndex, but: Option<WorkerId>) -> Option<(WorkerId, u64, Peer)> {
        let index = self.core.graph_index(graph)?;
        let (size, worker) = self.core.result_of(TaskId { graph: index, task })?;
        let worker = worker.filter(|worker| Some(*worker) != but)?;
        Some((worker, size, self.workers.get(&worker)?.outbox.peer().clone()))
    }

    fn on_fetch_output(&mut self, fetch: OutputFetch) {
        let (graph, position) = (fetch.graph, fetch.position);
        let known = self.graph_by_id(graph).and_then(|known| {
            let mut output = known.parts.output(position)?.clone();
            output.task = known.places.now(output.task);
            let result = known.owed.results()[position as usize].clone();
            let is_released = matches!(result, Some(OutputResult::Released));
            (!is_released).then(|| (output, result.or_else(|| known.inline_output(position))))
        });
        match known {
            None => drop(tokio::spawn(reply_found(fetch.reply, None))),
            Some((_, Some(OutputResult::Inline(bytes)))) => drop(tokio::spawn(reply_found(fetch.reply, Some(bytes)))),
            Some((output, _)) => {
                let inline = self.graph_by_id(graph).and_then(|known| known.inline.get(&output.task).cloned());
                let holder = self.holder(graph, output.task, None);
                let inbox = self.inbox.clone();
                tokio::spawn(async move {
                    let whole = match (inline, holder) {
                        (Some(bytes), _) => Whole::Here(bytes),
                        (None, Some((worker, size, peer))) => fetch_whole(&peer, graph, output.task, size, worker).await,
                        (None, None) => Whole::Lost,
                    };
                    let (head, body) = match (whole, inbox.upgrade()) {
                        (Whole::Here(whole), _) => part(&whole, &output),
                        (Whole::NotAt(worker), Some(inbox)) if fetch.tries < TRIES_MAX => {
                            // Whoever stops the scheduler gives no answer to anybody.
                            let _ = inbox.send(Input::Unreadable { worker, task: output.task, fetch }).await;
                            return;
                        }
                        (Whole::NotAt(_) | Whole::Lost, _) => (ReplyHead::NotFound, Bytes::new()),
                    };
                    drop(fetch.reply.send(head, body).await);
                });
            }
        }
    }

    /// A worker cannot give a result that it was to keep for clients: it is made again if nobody else has it.
    pub(super) fn on_unreadable(&mut self, worker: WorkerId, task: TaskIndex, fetch: OutputFetch) {
        self.event(Event::ResultUnreadable { worker, graph: fetch.graph, task });
        let fetch = OutputFetch { tries: fetch.tries + 1, ..fetch };
        match self.core.graph_index(fetch.graph) {
            Some(graph) => self.unread.push((graph, task, fetch)),
            None => drop(tokio::spawn(reply_found(fetch.reply, None))),
        }
    }

    /// Fetches outputs that were made again, or will not be.
    pub(super) fn read_again(&mut self) {
        for (graph, task, fetch) in std::mem::take(&mut self.unread) {
            match self.core.state_of(TaskId { graph, task }) {
                Some(StateName::Waiting | StateName::Queued | StateName::Assigned | StateName::Resting) => {
                    self.unread.push((graph, task, fetch));
                }
                Some(StateName::Idle | StateName::Done | StateName::Failed | StateName::Delegated) | None => {
                    self.on_fetch_output(fetch);
                }
            }
        }
    }

    /// For workers that cannot reach each other, and clients, which reach none.
    fn on_relay(&mut self, asker: Asker, graph: GraphId, task: TaskIndex, offset: u64, len: u64, reply: Replier) {
        let but = match asker {
            Asker::Worker(worker) => Some(worker),
            Asker::Client(_) => None,
        };
        let known = self.graph_by_id(graph);
        let task = known.map_or(task, |graph| graph.places.now(task));
        let inline = known.and_then(|graph| graph.inline.get(&task).cloned());
        let holder = self.holder(graph, task, but);
        tokio::spawn(async move {
            let (head, body) = match (inline, holder) {
                (Some(bytes), _) => {
                    let start = (offset as usize).min(bytes.len());
                    let end = (offset.saturating_add(len) as usize).min(bytes.len());
                    (ReplyHead::Ok { total: bytes.len() as u64 }, bytes.slice(start..end))
                }
                (None, Some((.., peer))) => {
                    let request = Request::FetchResult { graph, task, offset, len: len.min(CHUNK_BYTES) };
                    peer.request(request, Bytes::new()).await.unwrap_or((ReplyHead::NotFound, Bytes::new()))
                }
                (None, None) => (ReplyHead::NotFound, Bytes::new()),
            };
            drop(reply.send(head, body).await);
        });
    }
}

/// Answers that something was done, or why not.
fn reply_done(reply: Replier, done: Result<(), Refusal>) {
    let head = done.map_or_else(ReplyHead::Refused, |()| ReplyHead::Ok { total: 0 });
    // An asker that is gone needs no answer.
    tokio::spawn(async move { drop(reply.send(head, Bytes::new()).await) });
}

/// What became of a request for a whole result.
enum Whole {
    Here(Bytes),
    /// The worker that should have it says that it cannot give it.
    NotAt(WorkerId),
    /// The link to the worker failed, or nobody has it.
    Lost,
}

/// A result in pieces from a worker.
async fn fetch_whole(peer: &Peer, graph: GraphId, task: TaskIndex, size: u64, worker: WorkerId) -> Whole {
    let mut whole = BytesMut::new();
    loop {
        let offset = whole.len() as u64;
        let request = Request::FetchResult { graph, task, offset, len: CHUNK_BYTES };
        match peer.request(request, Bytes::new()).await {
            Ok((ReplyHead::Ok { total }, body)) if total == size && (!body.is_empty() || size == offset) => {
                if offset == 0 && body.len() as u64 == size {
                    return Whole::Here(body);
                }
                whole.extend_from_slice(&body);
                if whole.len() as u64 >= size {
                    return Whole::Here(whole.freeze());
                }
            }
            Ok(_) => return Whole::NotAt(worker),
            Err(_) => return Whole::Lost,
        }
    }
}

/// The part of a result that an output names.
fn part(whole: &Bytes, output: &Reference) -> (ReplyHead, Bytes) {
    if output.path.is_empty() {
        return (ReplyHead::Ok { total: whole.len() as u64 }, whole.clone());
    }
    match follow(whole, output.path.iter().map(|step| step.as_step())) {
        Ok(part) => (ReplyHead::Ok { total: part.len() as u64 }, Bytes::copy_from_slice(&part)),
        Err(error) => {
            (ReplyHead::Refused(Refusal::new(ErrorCode::TypeMismatch, format!("the output's path: {error}"))), Bytes::new())
        }
    }
}
