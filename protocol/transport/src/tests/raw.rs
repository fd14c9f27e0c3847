//! Hand-made peers: quinn with our certificates, and whatever bytes a test likes.

use super::cluster::{ANY, Cluster, credentials};
use crate::quic::{client_config, server_config, server_name};
use crate::{Credentials, Dialer, Link, Role};
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use serde::Serialize;
use std::net::SocketAddr;
use tempfile::TempDir;
use wasm_tasks_protocol::codec::encode;
use wasm_tasks_protocol::message::{FromWorker, ToWorker};

pub(super) const HELLO: &[u8] = &[1, 0, 0, 0, 0];
pub(super) const ALPN: &str = "wasm-tasks/4";

/// Connects, and does nothing else.
pub(super) async fn connect(
    credentials: &Credentials,
    role: Role,
    alpn: &[&str],
    address: SocketAddr,
    expect: Role,
) -> Result<Connection, ConnectionError> {
    let alpn = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let config = client_config(credentials, role, alpn, true).expect("configures");
    let endpoint = Endpoint::client(ANY).expect("binds");
    endpoint.connect_with(config, address, &server_name(expect)).expect("dials").await
}

/// A worker that has connected to a scheduler as workers do, and from now on sends raw bytes.
pub(super) struct RawWorker {
    pub(super) connection: Connection,
    pub(super) send: SendStream,
    pub(super) recv: RecvStream,
    pub(super) scheduler: Link<ToWorker, FromWorker>,
    pub(super) _cluster: Cluster,
}

pub(super) async fn raw_worker() -> RawWorker {
    let cluster = Cluster::new();
    let connection =
        connect(&cluster.credentials, Role::Worker, &[ALPN], cluster.address(), Role::Scheduler).await.expect("connects");
    let (mut send, mut recv) = connection.open_bi().await.expect("opens");
    send.write_all(HELLO).await.expect("writes");
    let mut hello = [0; 5];
    recv.read_exact(&mut hello).await.expect("answers");
    assert_eq!(hello, HELLO);
    let scheduler = cluster.listener.accept().await.expect("listens").into_link().await.expect("stands");
    RawWorker { connection, send, recv, scheduler, _cluster: cluster }
}

/// A scheduler that has accepted a worker as schedulers do, and from now on sends raw bytes.
pub(super) struct RawScheduler {
    pub(super) connection: Connection,
    pub(super) worker: Link<FromWorker, ToWorker>,
    pub(super) _control: (SendStream, RecvStream),
    pub(super) _endpoint: Endpoint,
    pub(super) _directory: TempDir,
}

pub(super) async fn raw_scheduler() -> RawScheduler {
    let (directory, credentials) = credentials();
    let endpoint = raw_listener(&credentials, Role::Scheduler, &[ALPN]);
    let dialer = Dialer::new(&credentials, Role::Worker).expect("has a certificate");
    let address = endpoint.local_addr().expect("is bound");
    let accepting = async {
        let connection = endpoint.accept().await.expect("dialled").await.expect("connects");
        let (mut send, mut recv) = connection.accept_bi().await.expect("opens");
        let mut hello = [0; 5];
        recv.read_exact(&mut hello).await.expect("greets");
        assert_eq!(hello, HELLO);
        send.write_all(HELLO).await.expect("writes");
        (connection, (send, recv))
    };
    let (worker, (connection, control)) = tokio::join!(dialer.dial(address, Role::Scheduler), accepting);
    RawScheduler { connection, worker: worker.expect("dials"), _control: control, _endpoint: endpoint, _directory: directory }
}

pub(super) fn raw_listener(credentials: &Credentials, role: Role, alpn: &[&str]) -> Endpoint {
    let alpn = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let config = server_config(credentials, role, alpn, ANY).expect("configures");
    Endpoint::server(config, ANY).expect("binds")
}

/// A frame, a body's length and a body.
pub(super) fn message<T: Serialize>(head: &T, announced: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = encode(head, Vec::new()).expect("encodes");
    bytes.extend_from_slice(&announced.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}
