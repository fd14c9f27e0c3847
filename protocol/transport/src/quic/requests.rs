//! Requests over QUIC: asking on a stream of one's own, and taking what the peer asks.

use super::codes::GiveUp;
use super::connection::describe;
use super::settings::BUDGET_TIMEOUT;
use super::stream::{Failure, Reader, Writer};
use crate::body::{self, REPLY_HEAD_BYTES_MAX, REQUEST_HEAD_BYTES_MAX};
use crate::error::LinkError;
use crate::incoming::{IncomingRequest, Replier};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use wasm_tasks_protocol::message::{ReplyHead, Request};

/// Bodies up to this wait for no others: the number of streams bounds them enough.
const SMALL_BODY_BYTES: usize = 1 << 20;

/// Asks, and waits for the answer.
pub(super) async fn request(
    connection: &quinn::Connection,
    request: Request,
    body: Bytes,
) -> Result<(ReplyHead, Bytes), Failure> {
    let (send, recv) = connection.open_bi().await.map_err(Failure::Lost)?;
    let mut reader = Reader::new(recv);
    let mut writer = Writer::new(send);
    writer.message("request", &request, REQUEST_HEAD_BYTES_MAX, body).await?;
    let answer = async {
        reader.wait("reply").await?;
        let head = reader.frame("reply", REPLY_HEAD_BYTES_MAX).await?;
        let len = reader.body_len("reply's body", body::reply_body_max(&request)).await?;
        Ok((head, reader.body("reply's body", len).await?))
    };
    let answer: Result<_, Failure> = answer.await;
    if let Err(failure) = &answer {
        reader.stop(failure.give_up());
    }
    answer
}

/// Receives one request of the peer and hands it over.
pub(super) async fn serve(
    (send, recv): (quinn::SendStream, quinn::RecvStream),
    requests: mpsc::Sender<IncomingRequest>,
    budget: Arc<Semaphore>,
) {
    let mut writer = Writer::new(send);
    let mut reader = Reader::new(recv);
    let (request, body) = match receive(&mut reader, &budget).await {
        Ok(received) => received,
        Err(failure) => {
            let why = failure.give_up();
            reader.stop(why);
            writer.give_up(why);
            if let Failure::Link(error) = failure {
                tracing::warn!(%error, "refused a request");
            }
            return;
        }
    };
    let reply = Replier::quic(&request, ReplyStream(writer));
    // When nobody takes requests, the reply that comes back with the error says so by being dropped.
    if let Err(mpsc::error::SendError(unserved)) = requests.send(IncomingRequest { request, body, reply }).await {
        unserved.reply.not_served();
    }
}

async fn receive(reader: &mut Reader, budget: &Arc<Semaphore>) -> Result<(Request, Bytes), Failure> {
    let request = reader.frame("request", REQUEST_HEAD_BYTES_MAX).await?;
    let what = "request's body";
    let len = reader.body_len(what, body::request_body_max(&request)).await?;
    if len <= SMALL_BODY_BYTES {
        return Ok((request, reader.body(what, len).await?));
    }
    // Held until all of it is here.
    let permits = u32::try_from(len).unwrap_or(u32::MAX);
    let Ok(Ok(_permit)) = tokio::time::timeout(BUDGET_TIMEOUT, budget.acquire_many(permits)).await else {
        return Err(LinkError::Stalled { what, waited: BUDGET_TIMEOUT }.into());
    };
    Ok((request, reader.body(what, len).await?))
}

/// The way back of a request.
#[derive(Debug)]
pub(crate) struct ReplyStream(Writer);

impl ReplyStream {
    pub(crate) async fn send(mut self, head: &ReplyHead, body: Bytes) -> Result<(), LinkError> {
        let sent = self.0.message("reply", head, REPLY_HEAD_BYTES_MAX, body).await;
        sent.map_err(|failure| failure.into_error(|lost| LinkError::Closed { reason: describe(&lost) }))
    }

    /// The same, and waits until the other side has all of it.
    pub(crate) async fn send_through(mut self, head: &ReplyHead, body: Bytes) -> Result<(), LinkError> {
        let sent = self.0.message("reply", head, REPLY_HEAD_BYTES_MAX, body).await;
        sent.map_err(|failure| failure.into_error(|lost| LinkError::Closed { reason: describe(&lost) }))?;
        self.0.stopped().await;
        Ok(())
    }

    pub(crate) async fn abandoned(&mut self) {
        self.0.stopped().await;
    }

    /// Says that the answer will not come, and why.
    pub(crate) fn give_up(mut self, why: GiveUp) {
        self.0.give_up(why);
    }
}
