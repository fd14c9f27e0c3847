//! Builders: credentials, listeners and pairs of links.

use crate::{Credentials, Dialer, Identity, Link, Listener, Role, memory_link_between};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::{Ipv4Addr, SocketAddr};
use tempfile::TempDir;

pub(super) const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The two ends of a link, the scheduler's first, and what must stay for it to work.
pub(super) struct Pair<S, R> {
    pub(super) scheduler: Link<S, R>,
    pub(super) worker: Link<R, S>,
    pub(super) _cluster: Option<Cluster>,
}

/// A cluster's credentials in a folder of their own, and its scheduler's listener.
pub(super) struct Cluster {
    pub(super) _directory: TempDir,
    pub(super) credentials: Credentials,
    pub(super) listener: Listener,
}

pub(super) fn credentials() -> (TempDir, Credentials) {
    let directory = tempfile::tempdir().expect("a folder");
    let credentials = Credentials::load_or_create(&directory.path().join("credentials")).expect("credentials");
    (directory, credentials)
}

impl Cluster {
    pub(super) fn new() -> Cluster {
        Cluster::of(Role::Scheduler)
    }

    pub(super) fn of(role: Role) -> Cluster {
        let (directory, credentials) = credentials();
        let listener = Listener::bind(ANY, &credentials, role).expect("binds");
        Cluster { _directory: directory, credentials, listener }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_address()
    }

    pub(super) fn dialer(&self, role: Role) -> Dialer {
        Dialer::new(&self.credentials, role).expect("has a certificate")
    }
}

/// Both kinds of link, to run a test through each.
pub(super) async fn pairs<S, R>() -> [(&'static str, Pair<S, R>); 2]
where
    S: Serialize + DeserializeOwned + Send + 'static,
    R: Serialize + DeserializeOwned + Send + 'static,
{
    let (scheduler, worker) = memory_link_between(Identity::of(Role::Scheduler), Identity::of(Role::Worker));
    let memory = Pair { scheduler, worker, _cluster: None };
    [("memory", memory), ("quic", quic_pair().await)]
}

pub(super) async fn quic_pair<S, R>() -> Pair<S, R> {
    let cluster = Cluster::new();
    let dialer = cluster.dialer(Role::Worker);
    let (worker, accepted) = tokio::join!(dialer.dial(cluster.address(), Role::Scheduler), cluster.listener.accept());
    let scheduler = accepted.expect("listens").into_link().await.expect("stands");
    Pair { scheduler, worker: worker.expect("dials"), _cluster: Some(cluster) }
}
