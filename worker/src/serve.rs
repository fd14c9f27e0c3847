//! Requests of peers and of the scheduler: results and logs.

use crate::inbox::Message;
use crate::runner::Runner;
use crate::shell::Shell;
use crate::store::Value;
use bytes::Bytes;
use wasm_tasks_protocol::message::{Refusal, ReplyHead, Request};
use wasm_tasks_protocol::{ErrorCode, GraphId, TaskIndex};
use wasm_tasks_transport::{IncomingRequest, Replier};
use wasm_tasks_worker_core::Event;

/// How fast smaller pieces go is not measured: it is the round trip that takes time.
const MEASURED_BYTES_MIN: usize = 64 << 10;

impl<R: Runner> Shell<R> {
    /// Answers a request, or starts to: nothing here waits.
    pub(crate) fn serve(&mut self, request: IncomingRequest) {
        let IncomingRequest { request, body: _, reply } = request;
        match request {
            Request::FetchResult { graph, task, offset, len } => self.serve_result(graph, task, (offset, len), reply),
            Request::FetchLogs { graph, task } => {
                let logs = self.core.graph_key(graph).and_then(|key| self.logs.body(key, task));
                match logs {
                    Some(body) => answer(reply, ReplyHead::Ok { total: body.len() as u64 }, body),
                    None => answer(reply, ReplyHead::NotFound, Bytes::new()),
                }
            }
            Request::SubmitGraph { .. }
            | Request::ExtendGraph { .. }
            | Request::MissingComponents { .. }
            | Request::UploadComponent { .. }
            | Request::FetchComponent { .. }
            | Request::FetchData { .. }
            | Request::FetchOutput { .. }
            | Request::FetchGraph { .. }
            | Request::CancelTasks { .. }
            | Request::Publish { .. }
            | Request::Unpublish { .. } => {
                let refusal = Refusal::new(ErrorCode::ProtocolViolation, "a worker does not answer this; ask the scheduler");
                answer(reply, ReplyHead::Refused(refusal), Bytes::new());
            }
        }
    }

    fn serve_result(&mut self, graph: GraphId, task: TaskIndex, range: (u64, u64), reply: Replier) {
        let Some(result) = self.core.held(graph, task) else { return answer(reply, ReplyHead::NotFound, Bytes::new()) };
        match self.store.get(result) {
            Some(Value::Memory(bytes)) => {
                let (head, body) = slice(bytes, range);
                self.give(reply, head, body);
            }
            Some(Value::Spilled(file)) => {
                if let Some((_, bytes)) = self.last_read.as_ref().filter(|(read, _)| *read == result) {
                    let (head, body) = slice(bytes, range);
                    return self.give(reply, head, body);
                }
                let (file, inbox) = (std::sync::Arc::clone(file), self.inbox.clone());
                tokio::task::spawn_blocking(move || match file.read() {
                    Ok(bytes) => {
                        // Not measured: the disk may be slower than the link.
                        let (head, body) = slice(&bytes, range);
                        answer(reply, head, body);
                        // Fails when the worker has ended.
                        let _ = inbox.blocking_send(Message::ReadBack { result, bytes });
                    }
                    Err(error) => {
                        tracing::error!(%error, "a spilled result is lost");
                        answer(reply, ReplyHead::NotFound, Bytes::new());
                    }
                });
            }
            None => answer(reply, ReplyHead::NotFound, Bytes::new()),
        }
    }

    /// Sends a piece of a result, and lets the core know while it goes.
    fn give(&mut self, reply: Replier, head: ReplyHead, body: Bytes) {
        if body.len() < MEASURED_BYTES_MIN {
            return answer(reply, head, body);
        }
        self.giving += 1;
        self.feed(Event::Gave { bytes: 0, going_on: self.giving });
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            let bytes = reply.send_through(head, body).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "an answer did not arrive");
                0
            });
            // Fails when the worker has ended.
            let _ = inbox.send(Message::Gave { bytes }).await;
        });
    }
}

fn slice(bytes: &Bytes, (offset, len): (u64, u64)) -> (ReplyHead, Bytes) {
    let total = bytes.len() as u64;
    let start = offset.min(total);
    let end = offset.saturating_add(len).min(total);
    (ReplyHead::Ok { total }, bytes.slice(start as usize..end.max(start) as usize))
}

/// Sends an answer without waiting for it to arrive.
fn answer(reply: Replier, head: ReplyHead, body: Bytes) {
    tokio::spawn(async move {
        if let Err(error) = reply.send(head, body).await {
            tracing::debug!(%error, "an answer did not arrive");
        }
    });
}
