//! The other side of a link: who it is, how far away, and requests to it.

use crate::body;
use crate::error::LinkError;
use crate::identity::Identity;
use crate::memory;
use crate::quic;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use wasm_tasks_protocol::message::{ReplyHead, Request};

/// The other side of a link. Cloning is cheap, and each clone keeps the link open.
#[derive(Clone, Debug)]
pub struct Peer(Arc<Shared>);

/// What all parts of an end share. Dropping the wire closes the link.
#[derive(Debug)]
struct Shared {
    identity: Identity,
    wire: Wire,
}

#[derive(Debug)]
pub(crate) enum Wire {
    Quic(quic::Connection),
    Memory(memory::End),
}

impl Peer {
    pub(crate) fn new(identity: Identity, wire: Wire) -> Peer {
        Peer(Arc::new(Shared { identity, wire }))
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.0.wire
    }

    /// Asks for something and waits for the whole answer, for as long as the link stands: give up by dropping the future,
    /// which the other side notices.
    ///
    /// # Errors
    /// [`LinkError::TooLarge`] when `body` is larger than this kind of request allows, before anything is sent, or when the
    /// answer is; [`LinkError::Abandoned`] when the other side dropped the request; [`LinkError::Stalled`] when either body
    /// stops moving; [`LinkError::Malformed`] and [`LinkError::Framing`] when the answer is not one;
    /// [`LinkError::Closed`]. Only the last one ends the link.
    pub async fn request(&self, request: Request, body: Bytes) -> Result<(ReplyHead, Bytes), LinkError> {
        body::check("request's body", body.len() as u64, body::request_body_max(&request))?;
        match self.wire() {
            Wire::Quic(connection) => connection.request(request, body).await,
            Wire::Memory(end) => end.request(request, body).await,
        }
    }

    /// Who is there.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// The smoothed round trip time; zero in memory.
    pub fn round_trip(&self) -> Duration {
        match self.wire() {
            Wire::Quic(connection) => connection.round_trip(),
            Wire::Memory(_) => Duration::ZERO,
        }
    }

    /// Where the peer's packets come from at this moment; it changes when the peer roams. Nothing in memory.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        match self.wire() {
            Wire::Quic(connection) => Some(connection.remote_address()),
            Wire::Memory(_) => None,
        }
    }

    /// Addresses under which the peer may be reached when it listens on `port`: where its packets come from. None in memory.
    pub fn remote_addresses(&self, port: u16) -> Vec<SocketAddr> {
        self.remote_address().map(|address| SocketAddr::new(address.ip(), port)).into_iter().collect()
    }

    /// Bytes sent and received so far, packet overhead included; zero in memory.
    pub fn bytes_moved(&self) -> (u64, u64) {
        match self.wire() {
            Wire::Quic(connection) => connection.bytes_moved(),
            Wire::Memory(_) => (0, 0),
        }
    }

    /// Closes the link at once. What was sent and not yet received may be lost: see
    /// [`ControlSender::finish`](crate::ControlSender::finish). Closing again changes nothing.
    pub fn close(&self, reason: &str) {
        match self.wire() {
            Wire::Quic(connection) => connection.close(reason),
            Wire::Memory(end) => end.close(reason),
        }
    }

    /// Waits until the link is closed, by either side or because the peer is silent, and says why.
    pub async fn closed(&self) -> String {
        match self.wire() {
            Wire::Quic(connection) => connection.closed().await,
            Wire::Memory(end) => end.closed().await,
        }
    }

    /// Why the link is closed, when it is.
    pub fn close_reason(&self) -> Option<String> {
        match self.wire() {
            Wire::Quic(connection) => connection.close_reason(),
            Wire::Memory(end) => end.close_reason(),
        }
    }
}
