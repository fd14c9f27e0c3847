//! One QUIC connection as the parts of a link share it: it closes when the last of them is dropped, after what
//! was sent has arrived.

use super::codes::{CLOSE_DONE, CLOSE_VIOLATION};
use super::control::{ControlReceiver, ControlSender};
use super::requests::{self, serve};
use super::settings::{BODY_BYTES_MAX, FLUSH_TIMEOUT, IDLE_TIMEOUT};
use crate::control;
use crate::error::LinkError;
use crate::identity::Identity;
use crate::incoming::{Incoming, IncomingRequest, QUEUE_LEN};
use crate::link::Link;
use crate::peer::{Peer, Wire};
use bytes::Bytes;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use wasm_tasks_protocol::message::{ReplyHead, Request};

/// Ends when what was sent on the control stream has arrived.
pub(super) type Flush = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection, with what happens when nobody needs it any more.
pub(crate) struct Connection {
    quinn: quinn::Connection,
    /// Why it was closed on this side; quinn keeps only that it was.
    closed_here: OnceLock<String>,
    /// Left behind by a control sender that was dropped.
    unflushed: Mutex<Option<Flush>>,
    /// Tells the connection's task that the last part of the link is gone.
    dropped: Option<oneshot::Sender<Option<Flush>>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("remote_address", &self.remote_address()).finish_non_exhaustive()
    }
}

/// Makes the link of a connection whose control stream is open.
pub(super) fn link<S, R>(
    connection: quinn::Connection,
    identity: Identity,
    control: (quinn::SendStream, quinn::RecvStream),
) -> Link<S, R> {
    let (to_incoming, requests) = mpsc::channel(QUEUE_LEN);
    let (dropped, is_dropped) = oneshot::channel();
    tokio::spawn(accept_requests(connection.clone(), to_incoming, is_dropped));
    let wire =
        Connection { quinn: connection, closed_here: OnceLock::new(), unflushed: Mutex::new(None), dropped: Some(dropped) };
    let peer = Peer::new(identity, Wire::Quic(wire));
    Link {
        sender: control::ControlSender::quic(ControlSender::new(control.0, peer.clone())),
        receiver: control::ControlReceiver::quic(ControlReceiver::new(control.1, peer.clone()), peer.clone()),
        incoming: Incoming { requests, peer: peer.clone() },
        peer,
    }
}

/// Accepts the peer's requests until the connection is closed or no longer needed.
async fn accept_requests(
    connection: quinn::Connection,
    requests: mpsc::Sender<IncomingRequest>,
    mut is_dropped: oneshot::Receiver<Option<Flush>>,
) {
    let budget = Arc::new(Semaphore::new(BODY_BYTES_MAX));
    loop {
        tokio::select! {
            flush = &mut is_dropped => {
                if let Ok(Some(flush)) = flush {
                    // Late is late: the link closes either way.
                    let _ = tokio::time::timeout(FLUSH_TIMEOUT, flush).await;
                }
                connection.close(CLOSE_DONE, b"the peer dropped the link");
                return;
            }
            stream = connection.accept_bi() => match stream {
                Ok(stream) => {
                    tokio::spawn(serve(stream, requests.clone(), Arc::clone(&budget)));
                }
                Err(_) => return,
            },
        }
    }
}

impl Connection {
    pub(crate) async fn request(&self, request: Request, body: Bytes) -> Result<(ReplyHead, Bytes), LinkError> {
        let result = requests::request(&self.quinn, request, body).await;
        result.map_err(|failure| failure.into_error(|lost| self.closed_error(&lost)))
    }

    pub(crate) fn round_trip(&self) -> Duration {
        self.quinn.rtt()
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        self.quinn.remote_address()
    }

    pub(crate) fn bytes_moved(&self) -> (u64, u64) {
        let stats = self.quinn.stats();
        (stats.udp_tx.bytes, stats.udp_rx.bytes)
    }

    pub(crate) fn close(&self, reason: &str) {
        self.close_with(CLOSE_DONE, reason);
    }

    /// Closes the connection because of what the peer did.
    pub(super) fn close_violation(&self, error: &LinkError) {
        self.close_with(CLOSE_VIOLATION, &error.to_string());
    }

    fn close_with(&self, code: quinn::VarInt, reason: &str) {
        if self.quinn.close_reason().is_none() && self.closed_here.set(reason.to_owned()).is_ok() {
            self.quinn.close(code, reason.as_bytes());
        }
    }

    pub(crate) async fn closed(&self) -> String {
        let error = self.quinn.closed().await;
        self.describe(&error)
    }

    pub(crate) fn close_reason(&self) -> Option<String> {
        self.quinn.close_reason().map(|error| self.describe(&error))
    }

    pub(super) fn closed_error(&self, error: &quinn::ConnectionError) -> LinkError {
        LinkError::Closed { reason: self.describe(error) }
    }

    fn describe(&self, error: &quinn::ConnectionError) -> String {
        match (error, self.closed_here.get()) {
            (quinn::ConnectionError::LocallyClosed, Some(reason)) => reason.clone(),
            _ => describe(error),
        }
    }

    /// Takes over what a dropped control sender waited for.
    pub(super) fn keep_flush(&self, flush: Flush) {
        *self.unflushed.lock().unwrap_or_else(PoisonError::into_inner) = Some(flush);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let flush = self.unflushed.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(dropped) = self.dropped.take() {
            // The task is gone when the connection is closed already.
            let _ = dropped.send(flush);
        }
    }
}

/// Why a connection ended, for people.
pub(super) fn describe(error: &quinn::ConnectionError) -> String {
    use quinn::ConnectionError as E;
    match error {
        E::ApplicationClosed(close) if close.reason.is_empty() => "the peer closed the link".to_owned(),
        E::ApplicationClosed(close) => String::from_utf8_lossy(&close.reason).into_owned(),
        E::LocallyClosed => "closed on this side".to_owned(),
        E::TimedOut => format!("nothing was heard from the peer for {} s", IDLE_TIMEOUT.as_secs()),
        E::Reset => "the peer does not know the link any more, it may have restarted".to_owned(),
        E::VersionMismatch | E::TransportError(_) | E::ConnectionClosed(_) | E::CidsExhausted => error.to_string(),
    }
}
