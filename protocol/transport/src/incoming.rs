//! Requests of the other side, and answers to them.

use crate::body;
use crate::error::LinkError;
use crate::peer::Peer;
use crate::quic::{GiveUp, ReplyStream};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use wasm_tasks_protocol::message::{ReplyHead, Request};

/// Requests that wait for [`Incoming::next`] on one link. More wait at the peer.
pub(crate) const QUEUE_LEN: usize = 64;

/// The other side's requests. When it is dropped, requests fail at whoever makes them.
#[derive(Debug)]
pub struct Incoming {
    pub(crate) requests: mpsc::Receiver<IncomingRequest>,
    /// Keeps the link open, and knows when it is not.
    pub(crate) peer: Peer,
}

impl Incoming {
    /// The next request, whole; nothing when the link is closed and all that had arrived is handed out. Cancel-safe.
    pub async fn next(&mut self) -> Option<IncomingRequest> {
        tokio::select! {
            biased;
            request = self.requests.recv() => request,
            _ = self.peer.closed() => self.requests.try_recv().ok(),
        }
    }
}

/// A request of the other side.
#[derive(Debug)]
pub struct IncomingRequest {
    /// What is asked.
    pub request: Request,
    /// What came with it.
    pub body: Bytes,
    /// Answers it. When it is dropped, the request fails at whoever made it.
    pub reply: Replier,
}

/// Answers one request.
#[derive(Debug)]
pub struct Replier {
    body_bytes_max: u64,
    wire: ReplyWire,
}

#[derive(Debug)]
enum ReplyWire {
    Quic(ReplyStream),
    Memory(oneshot::Sender<(ReplyHead, Bytes)>),
}

impl Replier {
    pub(crate) fn quic(request: &Request, stream: ReplyStream) -> Replier {
        Replier { body_bytes_max: body::reply_body_max(request), wire: ReplyWire::Quic(stream) }
    }

    pub(crate) fn memory(request: &Request, answer: oneshot::Sender<(ReplyHead, Bytes)>) -> Replier {
        Replier { body_bytes_max: body::reply_body_max(request), wire: ReplyWire::Memory(answer) }
    }

    /// The most bytes that the body of this answer may have.
    pub fn body_bytes_max(&self) -> u64 {
        self.body_bytes_max
    }

    /// Sends the answer. Refusals of more than 512 KiB are shortened.
    ///
    /// Returns when all of it is on its way; closing the link right afterwards may still lose it.
    ///
    /// # Errors
    /// [`LinkError::TooLarge`] when the body is larger than this kind of request allows; [`LinkError::Abandoned`] when the
    /// other side no longer waits; [`LinkError::Stalled`] when it stops reading; [`LinkError::Closed`].
    pub async fn send(self, head: ReplyHead, body: Bytes) -> Result<(), LinkError> {
        if let Err(error) = body::check("reply's body", body.len() as u64, self.body_bytes_max) {
            self.give_up(GiveUp::TooLarge);
            return Err(error);
        }
        let head = body::shorten(head);
        match self.wire {
            ReplyWire::Quic(stream) => stream.send(&head, body).await,
            ReplyWire::Memory(answer) => {
                answer.send((head, body)).map_err(|_| LinkError::Abandoned { reason: "nobody waits for the answer" })
            }
        }
    }

    /// Sends the answer as [`Replier::send`] does, and waits until the other side has all of it. Returns how many bytes of
    /// the body went over a network; none where both sides are in one process.
    ///
    /// # Errors
    /// As [`Replier::send`].
    pub async fn send_through(self, head: ReplyHead, body: Bytes) -> Result<u64, LinkError> {
        let len = body.len() as u64;
        match self.wire {
            ReplyWire::Quic(stream) if len <= self.body_bytes_max => {
                stream.send_through(&body::shorten(head), body).await.map(|()| len)
            }
            ReplyWire::Quic(_) | ReplyWire::Memory(_) => self.send(head, body).await.map(|()| 0),
        }
    }

    pub(crate) fn not_served(self) {
        self.give_up(GiveUp::NotServed);
    }

    fn give_up(self, why: GiveUp) {
        match self.wire {
            ReplyWire::Quic(stream) => stream.give_up(why),
            // In memory a dropped channel says enough.
            ReplyWire::Memory(_) => {}
        }
    }

    /// Waits until nobody waits for the answer any more, for answers that take long to make. Cancel-safe.
    pub async fn abandoned(&mut self) {
        match &mut self.wire {
            ReplyWire::Quic(stream) => stream.abandoned().await,
            ReplyWire::Memory(answer) => answer.closed().await,
        }
    }
}
