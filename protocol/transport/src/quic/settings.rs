//! The numbers of the transport, and the TLS configurations of both sides, each built here and nowhere else.

use super::trust::{AdmitPeers, ExpectRole};
use crate::credentials::Credentials;
use crate::error::ListenError;
use crate::identity::Role;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{EndpointConfig, IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Silence after which a link is given up. Keep-alives make sure that a living peer is never silent for as long.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// Round trip time assumed before it is measured: a lost first packet is sent again after three of them. Clusters are
/// near; the standard's 333 ms (RFC 9002, 6.2.2) is for the internet.
const INITIAL_RTT: Duration = Duration::from_millis(25);
/// Bytes of one stream, and of all streams of a connection, that are received before they are read. Two
/// workers at 10 Gbit/s and 10 ms have 12 MB under way.
const STREAM_WINDOW_BYTES: u32 = 16 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 64 << 20;
/// Streams that a peer may have open: requests under way, plus the control stream.
const STREAMS_MAX: u32 = 256;
/// The largest packet tried on loopback, which takes 64 KiB. Bodies of 1 MiB over one connection, 2026-11, 2 busy cores:
/// 380 MiB/s with 1,472 bytes, 710 with 4,096; from 8,192 on, the first burst loses so many that quinn takes the path for
/// one that swallows large packets and stays at 1,200 bytes, with 240 MiB/s. BBR had half of Cubic's throughput or less, and
/// fewer acknowledgements (the ACK frequency extension) changed nothing.
const LOOPBACK_MTU: u16 = 4 << 10;
/// Bytes asked for a socket's buffers. With the 208 KiB that Linux gives by itself, 6 % of the packets were lost.
pub(super) const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// A connection must be made, control stream included, within this.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Dialling takes at most this, unless the dialer says otherwise.
pub(super) const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// A message or body whose sender is silent for this long is given up.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A body whose receiver takes nothing for this long is given up. Longer than [`READ_TIMEOUT`] and [`BUDGET_TIMEOUT`]
/// together, so that the receiver's reason is the one that is told.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a request's body waits for others on the same link to be received.
pub(super) const BUDGET_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of requests' bodies that one link may be receiving at once: two of the largest graphs.
pub(super) const BODY_BYTES_MAX: usize = 4 << 30;
/// How long finishing a control stream waits for a peer that does not read.
pub(super) const FINISH_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a dropped link waits for what was sent to arrive.
pub(super) const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of a buffer that are kept for the next message.
pub(super) const BUFFER_KEPT_BYTES: usize = 1 << 20;
/// After a Retry the peer is known to be near enough to answer, so the rest of its handshake may take only this long.
pub(super) const FIRST_FLIGHT_TIMEOUT: Duration = Duration::from_secs(1);
/// Unfinished handshakes at one listener. When half of them are taken, a peer first has to prove its address (Retry);
/// when all are, the oldest of the fullest source makes room for the newest. Finished ones that wait to be accepted: as
/// many again.
pub(super) const HANDSHAKES_MAX: usize = 256;
/// Unfinished handshakes of one source. At 150 new ones a second from the same address, one that will finish has 850 ms.
pub(super) const HANDSHAKES_PER_SOURCE_MAX: usize = 128;

/// The name by which our version is asked for, whatever it is.
pub(super) const ALPN_VERSION: &[u8] = b"wasm-tasks/version";

/// The name of a version.
pub(crate) fn alpn(version: u32) -> String {
    format!("wasm-tasks/{version}")
}

/// The name that the certificate of a role has, as TLS needs one.
pub(crate) fn server_name(role: Role) -> String {
    format!("{role}.wasm-tasks")
}

fn transport(is_loopback: bool) -> TransportConfig {
    let mut config = TransportConfig::default();
    let idle = IdleTimeout::try_from(IDLE_TIMEOUT).unwrap_or(IdleTimeout::from(VarInt::from_u32(10_000)));
    config
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(INITIAL_RTT)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(u64::from(CONNECTION_WINDOW_BYTES))
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None);
    if is_loopback {
        let mut discovery = MtuDiscoveryConfig::default();
        discovery.upper_bound(LOOPBACK_MTU);
        config.mtu_discovery_config(Some(discovery));
    }
    config
}

/// The settings of an endpoint that is bound to an address.
pub(super) fn endpoint_config() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    // Fails only below 1,200 bytes.
    let _ = config.max_udp_payload_size(LOOPBACK_MTU);
    config
}

/// How a listener of a role talks.
pub(crate) fn server_config(
    credentials: &Credentials,
    role: Role,
    alpn: Vec<Vec<u8>>,
    address: SocketAddr,
) -> Result<quinn::ServerConfig, ListenError> {
    let bad = |reason: String| ListenError::BadCertificate { role, reason };
    let key = credentials.key(role)?;
    let verifier = AdmitPeers::new(credentials.authority(), role).map_err(|error| bad(error.to_string()))?;
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| bad(error.to_string()))?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(vec![key.certificate.clone()], key.secret.clone_key())
        .map_err(|error| bad(error.to_string()))?;
    tls.alpn_protocols = alpn;
    // Every connection shows its certificate: a resumed one would not be checked again.
    tls.send_tls13_tickets = 0;
    tls.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    let tls = QuicServerConfig::try_from(tls).map_err(|error| bad(error.to_string()))?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    config.transport_config(Arc::new(transport(address.ip().is_loopback()))).migration(true);
    Ok(config)
}

/// How a dialer of a role talks.
pub(crate) fn client_config(
    credentials: &Credentials,
    role: Role,
    alpn: Vec<Vec<u8>>,
    is_loopback: bool,
) -> Result<quinn::ClientConfig, ListenError> {
    let bad = |reason: String| ListenError::BadCertificate { role, reason };
    let key = credentials.key(role)?;
    let verifier = ExpectRole::new(credentials.authority()).map_err(|error| bad(error.to_string()))?;
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| bad(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(vec![key.certificate.clone()], key.secret.clone_key())
        .map_err(|error| bad(error.to_string()))?;
    tls.alpn_protocols = alpn;
    tls.resumption = rustls::client::Resumption::disabled();
    let tls = QuicClientConfig::try_from(tls).map_err(|error| bad(error.to_string()))?;
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(transport(is_loopback)));
    Ok(config)
}

pub(super) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
