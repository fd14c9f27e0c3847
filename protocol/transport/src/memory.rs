//! The link of the embedded cluster: bounded channels inside one process, nothing serialised.
//!
//! It keeps the promises and the size limits of a link over QUIC.

use crate::control;
use crate::error::LinkError;
use crate::identity::{Identity, Role};
use crate::incoming::{Incoming, IncomingRequest, QUEUE_LEN, Replier};
use crate::link::Link;
use crate::peer::{Peer, Wire};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use wasm_tasks_protocol::message::{ReplyHead, Request};

/// Batches that wait at the receiver; beyond this the sender waits.
const BATCHES_MAX: usize = 256;

/// Links two parts of one process: the first end is a scheduler's, whose peer is a worker; the second is the worker's.
pub fn memory_link<A, B>() -> (Link<A, B>, Link<B, A>) {
    memory_link_between(Identity::of(Role::Scheduler), Identity::of(Role::Worker))
}

/// Links two parts of one process: the first end belongs to `first`, whose peer is `second`.
pub fn memory_link_between<A, B>(first: Identity, second: Identity) -> (Link<A, B>, Link<B, A>) {
    let (a_sender, a_receiver) = mpsc::channel(BATCHES_MAX);
    let (b_sender, b_receiver) = mpsc::channel(BATCHES_MAX);
    let (to_first, first_incoming) = mpsc::channel(QUEUE_LEN);
    let (to_second, second_incoming) = mpsc::channel(QUEUE_LEN);
    let closing = Closing(Arc::new(watch::Sender::new(None)));
    (
        end(second, closing.clone(), to_second, first_incoming, a_sender, b_receiver),
        end(first, closing, to_first, second_incoming, b_sender, a_receiver),
    )
}

fn end<S, R>(
    peer: Identity,
    closing: Closing,
    to_peer: mpsc::Sender<IncomingRequest>,
    requests: mpsc::Receiver<IncomingRequest>,
    sender: mpsc::Sender<Vec<S>>,
    receiver: mpsc::Receiver<Vec<R>>,
) -> Link<S, R> {
    let peer = Peer::new(peer, Wire::Memory(End { closing: closing.clone(), requests: to_peer }));
    Link {
        sender: control::ControlSender::memory(ControlSender { batches: sender, closing: closing.clone(), _peer: peer.clone() }),
        receiver: control::ControlReceiver::memory(ControlReceiver { batches: receiver, closing }, peer.clone()),
        incoming: Incoming { requests, peer: peer.clone() },
        peer,
    }
}

/// Whether the link is closed, and why; both ends share it.
#[derive(Clone, Debug)]
struct Closing(Arc<watch::Sender<Option<String>>>);

impl Closing {
    /// The first reason stays.
    fn close(&self, reason: &str) {
        self.0.send_if_modified(|state| {
            let is_first = state.is_none();
            if is_first {
                *state = Some(reason.to_owned());
            }
            is_first
        });
    }

    fn reason(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    async fn wait(&self) -> String {
        let mut watch = self.0.subscribe();
        let reason = watch.wait_for(Option::is_some).await.ok().and_then(|state| state.clone());
        reason.unwrap_or_default()
    }

    fn error(&self, otherwise: &str) -> LinkError {
        LinkError::Closed { reason: self.reason().unwrap_or_else(|| otherwise.to_owned()) }
    }
}

/// One end's way to the other.
#[derive(Debug)]
pub(crate) struct End {
    closing: Closing,
    requests: mpsc::Sender<IncomingRequest>,
}

impl End {
    pub(crate) async fn request(&self, request: Request, body: Bytes) -> Result<(ReplyHead, Bytes), LinkError> {
        if self.closing.reason().is_some() {
            return Err(self.closing.error(""));
        }
        let (answer, answered) = oneshot::channel();
        let reply = Replier::memory(&request, answer);
        let abandoned = |reason| match self.closing.reason() {
            Some(reason) => LinkError::Closed { reason },
            None => LinkError::Abandoned { reason },
        };
        tokio::select! {
            biased;
            sent = self.requests.send(IncomingRequest { request, body, reply }) => {
                sent.map_err(|_| abandoned("it does not answer requests"))?;
            }
            reason = self.closing.wait() => return Err(LinkError::Closed { reason }),
        }
        tokio::select! {
            biased;
            answer = answered => answer.map_err(|_| abandoned("it did not answer")),
            reason = self.closing.wait() => Err(LinkError::Closed { reason }),
        }
    }

    pub(crate) fn close(&self, reason: &str) {
        self.closing.close(reason);
    }

    pub(crate) async fn closed(&self) -> String {
        self.closing.wait().await
    }

    pub(crate) fn close_reason(&self) -> Option<String> {
        self.closing.reason()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.closing.close("the peer dropped the link");
    }
}

#[derive(Debug)]
pub(crate) struct ControlSender<S> {
    batches: mpsc::Sender<Vec<S>>,
    closing: Closing,
    _peer: Peer,
}

impl<S> ControlSender<S> {
    pub(crate) async fn send(&mut self, batch: Vec<S>) -> Result<(), LinkError> {
        tokio::select! {
            biased;
            reason = self.closing.wait() => Err(LinkError::Closed { reason }),
            sent = self.batches.send(batch) => sent.map_err(|_| self.closing.error("the peer receives no more messages")),
        }
    }

    /// What is in the channel is received even when the link is closed.
    pub(crate) fn finish(self) -> Result<(), LinkError> {
        match self.closing.reason() {
            Some(reason) => Err(LinkError::Closed { reason }),
            None => Ok(()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct ControlReceiver<R> {
    batches: mpsc::Receiver<Vec<R>>,
    closing: Closing,
}

impl<R> ControlReceiver<R> {
    pub(crate) async fn recv(&mut self) -> Result<Vec<R>, LinkError> {
        let batch = tokio::select! {
            biased;
            batch = self.batches.recv() => batch,
            // What was sent before the link was closed may have come between the two polls.
            _ = self.closing.wait() => self.batches.try_recv().ok(),
        };
        batch.ok_or_else(|| self.closing.error(crate::quic::FINISHED))
    }

    pub(crate) fn try_recv(&mut self) -> Option<Vec<R>> {
        self.batches.try_recv().ok()
    }
}
