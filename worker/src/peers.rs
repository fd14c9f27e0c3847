//! Other workers: where they are, links to them that are made when needed, and who asks us.

use crate::inbox::{Inbox, Message};
use crate::runner::Runner;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_transport::{Dialer, Link, Listener, Peer, Role};

/// How a worker is reached by its peers, and reaches them.
#[derive(Debug)]
pub struct PeerServer {
    listener: Option<Listener>,
    dialer: Dialer,
    addresses: Vec<SocketAddr>,
}

impl PeerServer {
    /// Listens with `listener`, where there is one, and dials with `dialer`; both show the certificate of a worker.
    pub fn new(listener: Option<Listener>, dialer: Dialer) -> PeerServer {
        let addresses = listener.iter().map(Listener::local_address).collect();
        PeerServer { listener, dialer: dialer.with_timeout(DIAL_TIMEOUT), addresses }
    }

    /// Offers these addresses instead of the one that is listened on.
    #[must_use]
    pub fn advertise(mut self, addresses: Vec<SocketAddr>) -> PeerServer {
        self.addresses = addresses;
        self
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.clone()
    }

    /// The parts: who listens, and who dials.
    pub(crate) fn split(self) -> (Option<Listener>, Dialer) {
        (self.listener, self.dialer)
    }
}

/// A peer that does not answer this fast is asked through the scheduler.
const DIAL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a peer that could not be dialled is not dialled again.
const REDIAL_AFTER: Duration = Duration::from_secs(10);

/// The peers that the scheduler named, and links to some of them.
#[derive(Clone, Debug)]
pub(crate) struct Peers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    dialer: Option<Dialer>,
    entries: StdMutex<HashMap<WorkerId, Arc<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    addresses: Vec<SocketAddr>,
    link: Mutex<Reached>,
}

#[derive(Debug)]
enum Reached {
    NotTried,
    Linked(Peer),
    Failed(Instant),
}

impl Peers {
    pub(crate) fn new(dialer: Option<Dialer>) -> Peers {
        Peers(Arc::new(Shared { dialer, entries: StdMutex::default() }))
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<WorkerId, Arc<Entry>>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, worker: WorkerId, addresses: Vec<SocketAddr>) {
        self.entries().insert(worker, Arc::new(Entry { addresses, link: Mutex::new(Reached::NotTried) }));
    }

    pub(crate) fn remove(&self, worker: WorkerId) {
        self.entries().remove(&worker);
    }

    /// A link to a peer, made when there is none. None: it cannot be reached from here.
    pub(crate) async fn reach(&self, worker: WorkerId) -> Option<Peer> {
        let dialer = self.0.dialer.as_ref()?;
        let entry = self.entries().get(&worker).cloned()?;
        // Whoever else wants this peer waits for this dialling instead of dialling too.
        let mut reached = entry.link.lock().await;
        match &*reached {
            Reached::Linked(peer) if peer.close_reason().is_none() => return Some(peer.clone()),
            Reached::Failed(at) if at.elapsed() < REDIAL_AFTER => return None,
            Reached::NotTried | Reached::Linked(_) | Reached::Failed(_) => {}
        }
        for address in &entry.addresses {
            match dialer.dial::<(), ()>(*address, Role::Worker).await {
                Ok(link) => {
                    *reached = Reached::Linked(link.peer.clone());
                    return Some(link.peer);
                }
                Err(error) => tracing::debug!(worker = worker.0, %address, %error, "a peer cannot be dialled"),
            }
        }
        *reached = Reached::Failed(Instant::now());
        None
    }
}

/// Lets peers in and hands their requests to the shell, until the listener is closed.
pub(crate) async fn listen<R: Runner>(listener: Arc<Listener>, inbox: Inbox<R>) {
    while let Some(accepted) = listener.accept().await {
        match accepted.into_link::<(), ()>().await {
            Ok(link) => drop(tokio::spawn(forward(link, inbox.clone()))),
            Err(error) => tracing::debug!(%error, "a peer went away while it connected"),
        }
    }
}

/// Hands a peer's requests to the shell. Its identity is a worker's or a scheduler's of this cluster, or it would not be here.
async fn forward<R: Runner>(link: Link<(), ()>, inbox: Inbox<R>) {
    let Link { sender: _sender, receiver: _receiver, peer: _peer, mut incoming } = link;
    while let Some(request) = incoming.next().await {
        if inbox.send(Message::Asked(request)).await.is_err() {
            return;
        }
    }
}
