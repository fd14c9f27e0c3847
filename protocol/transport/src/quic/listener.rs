//! Waits for peers: makes connections of those that the cluster's certificates let in.

use super::codes::{CLOSE_DONE, CLOSE_VERSION, CLOSE_VIOLATION};
use super::connection::link;
use super::control::HELLO;
use super::places::{PlaceId, Places};
use super::settings::{
    ALPN_VERSION, FIRST_FLIGHT_TIMEOUT, HANDSHAKE_TIMEOUT, HANDSHAKES_MAX, HANDSHAKES_PER_SOURCE_MAX, SOCKET_BUFFER_BYTES, alpn,
    endpoint_config, server_config,
};
use super::trust::identity_of;
use crate::credentials::Credentials;
use crate::error::{LinkError, ListenError};
use crate::identity::{Identity, Role};
use crate::link::Link;
use quinn::crypto::rustls::HandshakeData;
use rustls::pki_types::CertificateDer;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, MutexGuard, PoisonError};
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::task::AbortHandle;
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

/// Handshakes that have not finished, with the means to stop each.
struct Unfinished {
    places: Places,
    running: HashMap<PlaceId, AbortHandle>,
}

impl Unfinished {
    /// A place for a new handshake; stops the one that has to make room.
    fn take(&mut self, source: IpAddr) -> PlaceId {
        let (place, evicted) = self.places.take(source);
        if let Some(oldest) = evicted.and_then(|evicted| self.running.remove(&evicted)) {
            oldest.abort();
        }
        place
    }

    /// Remembers how to stop a handshake, unless it has ended.
    fn began(&mut self, place: PlaceId, handle: AbortHandle) {
        if self.places.holds(place) {
            self.running.insert(place, handle);
        }
    }
}

type Shared = Arc<std::sync::Mutex<Unfinished>>;

fn locked(unfinished: &Shared) -> MutexGuard<'_, Unfinished> {
    // The table is whole between its calls, whatever became of who held the lock.
    unfinished.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place of one handshake, given back when it is dropped.
struct Held {
    place: PlaceId,
    unfinished: Shared,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut unfinished = locked(&self.unfinished);
        unfinished.places.leave(self.place);
        unfinished.running.remove(&self.place);
    }
}

/// Accepts connections until the listener is closed or dropped.
async fn accept(
    endpoint: quinn::Endpoint,
    accepted: mpsc::Sender<Accepted>,
    mut is_closing: watch::Receiver<bool>,
    version: String,
) {
    let places = Places::new(HANDSHAKES_MAX, HANDSHAKES_PER_SOURCE_MAX);
    let unfinished: Shared = Arc::new(std::sync::Mutex::new(Unfinished { places, running: HashMap::new() }));
    // Peers with credentials that nobody has accepted yet.
    let finished = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let incoming = tokio::select! {
            // Also when the listener is dropped.
            _ = is_closing.wait_for(|closing| *closing) => break,
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => incoming,
                None => break,
            },
        };
        let source = incoming.remote_address().ip();
        let is_pressed = locked(&unfinished).places.is_pressed(source);
        if is_pressed && incoming.may_retry() && !incoming.remote_address_validated() {
            // May only fail when it was retried before, which `may_retry` excludes.
            let _ = incoming.retry();
            continue;
        }
        let place = locked(&unfinished).take(source);
        let held = Held { place, unfinished: Arc::clone(&unfinished) };
        let serving = serve(incoming, held, version.clone(), accepted.clone(), Arc::clone(&finished));
        // Not under the lock: a runtime that shuts down drops the task, and with it the place, at once.
        let handle = tokio::spawn(serving).abort_handle();
        locked(&unfinished).began(place, handle);
    }
    endpoint.set_server_config(None);
}

/// Takes one peer through its handshake.
async fn serve(
    incoming: quinn::Incoming,
    held: Held,
    version: String,
    accepted: mpsc::Sender<Accepted>,
    finished: Arc<Semaphore>,
) {
    let address = incoming.remote_address();
    let first_flight = if incoming.remote_address_validated() { FIRST_FLIGHT_TIMEOUT } else { HANDSHAKE_TIMEOUT };
    let whole = async {
        let connecting = async { incoming.accept().map_err(|error| error.to_string())?.await.map_err(|error| error.to_string()) };
        let connection = tokio::time::timeout(first_flight, connecting).await.map_err(|_| "its handshake took too long")??;
        // Its certificate was checked: no longer somebody who has to make room.
        drop(held);
        let Ok(permit) = finished.try_acquire_owned() else {
            connection.close(CLOSE_DONE, b"too many peers wait to be accepted");
            return Err("too many peers wait to be accepted".to_owned());
        };
        Ok::<_, String>((open(connection, &version).await?, permit))
    };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, whole).await {
        Ok(Ok((Some(peer), permit))) => {
            // Fails when the listener is closed: the peer is told by the connection that is dropped.
            let _ = accepted.send(peer).await;
            // Held until here, so that peers that nobody accepts are bounded too.
            drop(permit);
        }
        Ok(Ok((None, _))) => tracing::debug!(%address, "a peer asked for our version"),
        Ok(Err(reason)) => tracing::warn!(%address, reason, "a peer failed to connect"),
        Err(_) => tracing::warn!(%address, "a peer did not finish connecting in time"),
    }
}

/// Opens the control stream of a connection, with the first message each way. Nothing when the peer only learnt our
/// version.
async fn open(connection: quinn::Connection, version: &str) -> Result<Option<Accepted>, String> {
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
