//! Getting things from elsewhere: results from peers or through the scheduler, components and data from the scheduler.
//!
//! Each function is one errand of a task of the runtime; none touches the shell's state.

use crate::peers::Peers;
use bytes::Bytes;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::limits::RESULT_BYTES_MAX;
use wasm_tasks_protocol::message::{ReplyHead, Request};
use wasm_tasks_protocol::{ComponentDigest, ErrorCode, GraphId, TaskError, TaskIndex};
use wasm_tasks_transport::{LinkError, Peer};

/// Bytes that one request asks for: larger results come in pieces, so that a lost link loses little and no message is huge.
const RANGE_BYTES: u64 = 16 << 20;

/// What is fetched: a result at a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) graph: GraphId,
    pub(crate) task: TaskIndex,
    pub(crate) from: WorkerId,
}

/// Why a source did not give a result.
enum Failed {
    /// It does not have it.
    NotThere,
    /// The link failed, or was not there.
    Link,
}

/// A result from the worker that holds it; through the scheduler when that worker cannot be reached from here.
pub(crate) async fn result(wanted: Wanted, peers: Peers, scheduler: Peer) -> Option<Bytes> {
    if let Some(peer) = peers.reach(wanted.from).await {
        match ranges(&peer, wanted).await {
            Ok(value) => return Some(value),
            Err(Failed::NotThere) => return None,
            Err(Failed::Link) => {}
        }
    }
    ranges(&scheduler, wanted).await.ok()
}

async fn ranges(source: &Peer, wanted: Wanted) -> Result<Bytes, Failed> {
    let Wanted { graph, task, .. } = wanted;
    let mut whole: Vec<u8> = Vec::new();
    loop {
        let offset = whole.len() as u64;
        let request = Request::FetchResult { graph, task, offset, len: RANGE_BYTES };
        let (head, body) = source.request(request, Bytes::new()).await.map_err(|error| {
            tracing::debug!(?wanted, %error, "a result cannot be fetched");
            Failed::Link
        })?;
        let total = match head {
            ReplyHead::Ok { total } if total <= RESULT_BYTES_MAX => total,
            ReplyHead::Ok { .. } | ReplyHead::NotFound | ReplyHead::Refused(_) => return Err(Failed::NotThere),
        };
        let end = offset + body.len() as u64;
        if end > total || (body.is_empty() && end < total) {
            tracing::warn!(?wanted, offset, total, got = body.len(), "a peer sent a range that was not asked for");
            return Err(Failed::NotThere);
        }
        if offset == 0 && end == total {
            return Ok(body);
        }
        if whole.is_empty() {
            whole.reserve_exact(total as usize);
        }
        whole.extend_from_slice(&body);
        if end == total {
            return Ok(whole.into());
        }
    }
}

/// A component's bytes, or why there are none.
pub(crate) async fn component(digest: ComponentDigest, scheduler: &Peer) -> Result<Bytes, TaskError> {
    let what = format!("component {digest}");
    answer(&what, scheduler.request(Request::FetchComponent { digest }, Bytes::new()).await)
}

/// A data entry's bytes, or why there are none.
pub(crate) async fn data(graph: GraphId, position: u32, len: u64, scheduler: Peer) -> Result<Bytes, TaskError> {
    let what = format!("data entry {position}");
    let bytes = answer(&what, scheduler.request(Request::FetchData { graph, position }, Bytes::new()).await)?;
    if bytes.len() as u64 != len {
        let message = format!("the scheduler sent {} bytes of {what}, which has {len}", bytes.len());
        return Err(TaskError::new(ErrorCode::WorkerFault, message));
    }
    Ok(bytes)
}

fn answer(what: &str, answer: Result<(ReplyHead, Bytes), LinkError>) -> Result<Bytes, TaskError> {
    match answer {
        Ok((ReplyHead::Ok { .. }, body)) => Ok(body),
        Ok((ReplyHead::NotFound, _)) => Err(TaskError::new(
            ErrorCode::NotUploaded,
            format!("the scheduler does not have {what} any more; submit the graph again"),
        )),
        Ok((ReplyHead::Refused(refusal), _)) => Err(TaskError::new(refusal.code, refusal.messages.join("\n"))),
        Err(error) => {
            Err(TaskError::new(ErrorCode::WorkerFault, format!("{what} cannot be fetched from the scheduler: {error}")))
        }
    }
}
