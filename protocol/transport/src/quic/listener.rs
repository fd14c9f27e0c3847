//! Waits for peers: makes connections of those that the cluster's certificates let in.

use super::codes::{CLOSE_DONE, CLOSE_VERSION, CLOSE_VIOLATION};
use super::connection::link;
use super::control::HELLO;
use super::settings::{
    ALPN_VERSION, HANDSHAKE_TIMEOUT, HANDSHAKES_MAX, SOCKET_BUFFER_BYTES, alpn, endpoint_config, server_config,
};
use super::trust::identity_of;
use crate::credentials::Credentials;
use crate::error::{LinkError, ListenError};
use crate::identity::{Identity, Role};
use crate::link::Link;
use quinn::crypto::rustls::HandshakeData;
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use wasm_tasks_protocol::message::PROTOCOL_VERSION;

/// Connections that wait for [`Listener::accept`].
const ACCEPTED_MAX: usize = 64;

/// Listens on a UDP address. Dropping it stops listening; links that it made stay.
#[derive(Debug)]
pub struct Listener {
    endpoint: quinn::Endpoint,
    address: SocketAddr,
    accepted: Mutex<mpsc::Receiver<Accepted>>,
    closing: watch::Sender<bool>,
}

impl Listener {
    /// Listens on an address, port 0 for any. Peers are let in as [`Role::admits`] says.
    ///
    /// # Errors
    /// [`ListenError`]: the address is taken, there is no certificate for the role, clients do not listen, or there is no
    /// tokio runtime.
    pub fn bind(address: SocketAddr, credentials: &Credentials, role: Role) -> Result<Listener, ListenError> {
        Listener::bind_speaking(address, credentials, role, PROTOCOL_VERSION)
    }

    /// Listens as another version of the protocol would: for tests of what dialers say to that.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub fn bind_speaking(
        address: SocketAddr,
        credentials: &Credentials,
        role: Role,
        version: u32,
    ) -> Result<Listener, ListenError> {
        if role == Role::Client {
            return Err(ListenError::RoleDoesNotListen(role));
        }
        let name = alpn(version);
        let config = server_config(credentials, role, vec![name.clone().into_bytes(), ALPN_VERSION.to_vec()], address)?;
        let endpoint = endpoint(address, Some(config))?;
        let bind_error = |source| ListenError::Bind { address, source };
        let address = endpoint.local_addr().map_err(bind_error)?;
        let (accepted, receiver) = mpsc::channel(ACCEPTED_MAX);
        let (closing, is_closing) = watch::channel(false);
        tokio::spawn(accept(endpoint.clone(), accepted, is_closing, name));
        Ok(Listener { endpoint, address, accepted: Mutex::new(receiver), closing })
    }

    /// The address that is listened on, with its port.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// The next peer, whose certificate is checked; nothing once the listener is closed. Cancel-safe.
    ///
    /// Peers that fail to connect are logged and not seen here.
    pub async fn accept(&self) -> Option<Accepted> {
        self.accepted.lock().await.recv().await
    }

    /// Stops listening. Links that were made stay.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until all links that were made here are closed and their peers told so; call it last before a process ends.
    pub async fn drained(&self) {
        self.endpoint.wait_idle().await;
    }
}

/// Makes an endpoint in the current runtime.
pub(super) fn endpoint(address: SocketAddr, config: Option<quinn::ServerConfig>) -> Result<quinn::Endpoint, ListenError> {
    let runtime = quinn::default_runtime().ok_or(ListenError::NoRuntime)?;
    let bind_error = |source| ListenError::Bind { address, source };
    let socket = std::net::UdpSocket::bind(address).map_err(bind_error)?;
    let buffers = socket2::SockRef::from(&socket);
    // As much as the system allows; with less, bursts are lost and sent again.
    let _ = buffers.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = buffers.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    quinn::Endpoint::new(endpoint_config(), config, socket, runtime).map_err(bind_error)
}

/// Accepts connections until the listener is closed or dropped.
async fn accept(
    endpoint: quinn::Endpoint,
    accepted: mpsc::Sender<Accepted>,
    mut is_closing: watch::Receiver<bool>,
    version: String,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let incoming = tokio::select! {
            // Also when the listener is dropped.
            _ = is_closing.wait_for(|closing| *closing) => break,
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => incoming,
                None => break,
            },
        };
        let Ok(permit) = Arc::clone(&handshakes).try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        if handshakes.available_permits() < HANDSHAKES_MAX / 2 && incoming.may_retry() && !incoming.remote_address_validated() {
            // May only fail when it was retried before, which `may_retry` excludes.
            let _ = incoming.retry();
            continue;
        }
        let (accepted, version) = (accepted.clone(), version.clone());
        tokio::spawn(async move {
            let address = incoming.remote_address();
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake(incoming, &version)).await {
                Ok(Ok(Some(peer))) => {
                    // Fails when the listener is closed: the peer is told by the connection that is dropped.
                    let _ = accepted.send(peer).await;
                    // Held until here, so that peers that nobody accepts are bounded too.
                    drop(permit);
                }
                Ok(Ok(None)) => tracing::debug!(%address, "a peer asked for our version"),
                Ok(Err(reason)) => tracing::warn!(%address, reason, "a peer failed to connect"),
                Err(_) => tracing::warn!(%address, "a peer did not finish connecting in time"),
            }
        });
    }
    endpoint.set_server_config(None);
}

/// Makes a connection, and opens the control stream with the first message each way. Nothing when the peer
/// only learnt our version.
async fn handshake(incoming: quinn::Incoming, version: &str) -> Result<Option<Accepted>, String> {
    let connection = incoming.accept().map_err(|error| error.to_string())?.await.map_err(|error| error.to_string())?;
    if spoken(&connection).as_deref() == Some(ALPN_VERSION) {
        connection.close(CLOSE_VERSION, version.as_bytes());
        connection.closed().await;
        return Ok(None);
    }
    let identity = peer_identity(&connection).inspect_err(|reason| connection.close(CLOSE_VIOLATION, reason.as_bytes()))?;
    let (mut send, mut recv) = connection.accept_bi().await.map_err(|error| error.to_string())?;
    let mut hello = [0; HELLO.len()];
    recv.read_exact(&mut hello).await.map_err(|error| error.to_string())?;
    if hello != HELLO {
        let reason = "the first message is not an empty batch";
        connection.close(CLOSE_VIOLATION, reason.as_bytes());
        return Err(reason.to_owned());
    }
    send.write_all(&HELLO).await.map_err(|error| error.to_string())?;
    Ok(Some(Accepted { connection, identity, control: (send, recv) }))
}

/// The version that a connection speaks.
pub(super) fn spoken(connection: &quinn::Connection) -> Option<Vec<u8>> {
    connection.handshake_data()?.downcast::<HandshakeData>().ok()?.protocol
}

/// Who is on the other side, from its certificate, which is checked by now.
pub(super) fn peer_identity(connection: &quinn::Connection) -> Result<Identity, String> {
    let chain = connection.peer_identity().and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    let certificate = chain.as_ref().and_then(|chain| chain.first()).ok_or("the peer showed no certificate")?;
    identity_of(certificate).map_err(|error| error.to_string())
}

/// A peer that has connected. Dropping it closes the connection.
#[derive(Debug)]
pub struct Accepted {
    connection: quinn::Connection,
    identity: Identity,
    control: (quinn::SendStream, quinn::RecvStream),
}

impl Accepted {
    /// Who it is, as its certificate says.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where it dialled from.
    pub fn remote_address(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    /// Makes the link.
    ///
    /// # Errors
    /// [`LinkError::Closed`] when the peer is gone already.
    // Asynchronous so that what a link needs before it stands may change without its callers.
    #[expect(clippy::unused_async, reason = "part of the interface: what a link needs may have to wait")]
    pub async fn into_link<S, R>(self) -> Result<Link<S, R>, LinkError> {
        if let Some(error) = self.connection.close_reason() {
            return Err(LinkError::Closed { reason: super::connection::describe(&error) });
        }
        Ok(link(self.connection, self.identity, self.control))
    }

    /// Sends the peer away.
    pub fn refuse(self, reason: &str) {
        self.connection.close(CLOSE_DONE, reason.as_bytes());
    }
}
