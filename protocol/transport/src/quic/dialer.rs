//! Dials listeners, and says precisely why it failed when it did.

use super::codes::{CLOSE_VERSION, CLOSE_VIOLATION};
use super::connection::{describe, link};
use super::control::HELLO;
use super::listener::{endpoint, peer_identity, spoken};
use super::settings::{ALPN_VERSION, DIAL_TIMEOUT, alpn, client_config, server_name};
use super::trust::{Distrust, plain};
use crate::credentials::Credentials;
use crate::error::{DialError, ListenError};
use crate::identity::Role;
use crate::link::Link;
use quinn::{ConnectionError, TransportErrorCode};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasm_tasks_protocol::message::PROTOCOL_VERSION;

/// Dials with the certificate of one role. Cloning is cheap; all links share a socket for each address family.
#[derive(Clone, Debug)]
pub struct Dialer(Arc<Dialing>);

#[derive(Debug)]
struct Dialing {
    near: quinn::ClientConfig,
    far: quinn::ClientConfig,
    /// Made when it is first needed: one for IPv4, one for IPv6.
    endpoints: Mutex<[Option<quinn::Endpoint>; 2]>,
    version: String,
    timeout: Duration,
}

impl Dialer {
    /// A dialer that shows the certificate of a role.
    ///
    /// # Errors
    /// [`ListenError`] when there is no certificate for it that can be used.
    pub fn new(credentials: &Credentials, role: Role) -> Result<Dialer, ListenError> {
        Dialer::speaking(credentials, role, PROTOCOL_VERSION)
    }

    /// A dialer that speaks another version of the protocol, for tests of what listeners say to that.
    ///
    /// # Errors
    /// As [`Dialer::new`].
    pub fn speaking(credentials: &Credentials, role: Role, version: u32) -> Result<Dialer, ListenError> {
        let version = alpn(version);
        let names = vec![version.clone().into_bytes(), ALPN_VERSION.to_vec()];
        Ok(Dialer(Arc::new(Dialing {
            near: client_config(credentials, role, names.clone(), true)?,
            far: client_config(credentials, role, names, false)?,
            endpoints: Mutex::new([None, None]),
            version,
            timeout: DIAL_TIMEOUT,
        })))
    }

    /// Waits for another time than 5 s before it gives up. The dialer returned shares nothing with this one.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Dialer {
        Dialer(Arc::new(Dialing {
            near: self.0.near.clone(),
            far: self.0.far.clone(),
            endpoints: Mutex::new([None, None]),
            version: self.0.version.clone(),
            timeout,
        }))
    }

    /// Makes a link to a peer of a role.
    ///
    /// # Errors
    /// [`DialError`], within the timeout. That nobody listens at an address shows at once where the system or network says so.
    pub async fn dial<S, R>(&self, address: SocketAddr, expect: Role) -> Result<Link<S, R>, DialError> {
        let unreachable = |reason: String| DialError::Unreachable { address, expected: expect, reason };
        let dialled = async {
            tokio::select! {
                biased;
                link = self.connect(address, expect) => link,
                error = refused(address) => Err(unreachable(error.to_string())),
            }
        };
        let timeout = self.0.timeout;
        tokio::time::timeout(timeout, dialled)
            .await
            .unwrap_or_else(|_| Err(unreachable(format!("no answer within {} ms", timeout.as_millis()))))
    }

    async fn connect<S, R>(&self, address: SocketAddr, expected: Role) -> Result<Link<S, R>, DialError> {
        let failed = |error: ConnectionError| self.dial_error(address, expected, &error);
        let endpoint = self.endpoint(address)?;
        let config = if address.ip().is_loopback() { &self.0.near } else { &self.0.far };
        let connecting = endpoint.connect_with(config.clone(), address, &server_name(expected));
        let connecting = connecting.map_err(|error| DialError::Local { address, reason: error.to_string() })?;
        let connection = connecting.await.map_err(failed)?;
        if spoken(&connection).as_deref() == Some(ALPN_VERSION) {
            // The listener closes it with its version as the reason.
            return Err(failed(connection.closed().await));
        }
        let untrusted = |reason| unauthenticated(address, expected, reason);
        let identity = peer_identity(&connection).map_err(untrusted)?;
        // Whether the listener believes our certificate shows only now.
        let lost = |error: String| match connection.close_reason() {
            Some(error) => failed(error),
            None => DialError::Closed { address, expected, reason: error },
        };
        let (mut send, mut recv) = connection.open_bi().await.map_err(failed)?;
        send.write_all(&HELLO).await.map_err(|error| lost(error.to_string()))?;
        let mut hello = [0; HELLO.len()];
        recv.read_exact(&mut hello).await.map_err(|error| lost(error.to_string()))?;
        if hello != HELLO {
            let reason = "its first message is not an empty batch".to_owned();
            connection.close(CLOSE_VIOLATION, reason.as_bytes());
            return Err(DialError::Closed { address, expected, reason });
        }
        Ok(link(connection, identity, (send, recv)))
    }

    /// The endpoint for an address family.
    fn endpoint(&self, address: SocketAddr) -> Result<quinn::Endpoint, DialError> {
        let (index, any) = match address {
            SocketAddr::V4(_) => (0, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            SocketAddr::V6(_) => (1, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        };
        let mut endpoints = self.0.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = &endpoints[index] {
            return Ok(endpoint.clone());
        }
        let made = endpoint(SocketAddr::new(any, 0), None);
        let made = made.map_err(|error| DialError::Local { address, reason: error.to_string() })?;
        endpoints[index] = Some(made.clone());
        Ok(made)
    }

    fn dial_error(&self, address: SocketAddr, expected: Role, error: &ConnectionError) -> DialError {
        let version = |theirs| DialError::ProtocolVersion { address, expected, ours: self.0.version.clone(), theirs };
        match error {
            ConnectionError::ApplicationClosed(close) if close.error_code == CLOSE_VERSION => {
                version(Some(String::from_utf8_lossy(&close.reason).into_owned()))
            }
            ConnectionError::VersionMismatch => version(None),
            ConnectionError::TransportError(error) => match alert(error.code) {
                Some(ALERT_NO_APPLICATION_PROTOCOL) => version(None),
                Some(alert) if is_distrust(alert) => {
                    unauthenticated(address, expected, format!("its certificate is not believed: {}", plain(&error.reason)))
                }
                _ => DialError::Closed { address, expected, reason: error.to_string() },
            },
            ConnectionError::ConnectionClosed(close) => match alert(close.error_code) {
                Some(ALERT_NO_APPLICATION_PROTOCOL) => version(None),
                Some(alert) if is_distrust(alert) => {
                    let reason = String::from_utf8_lossy(&close.reason);
                    unauthenticated(address, expected, format!("it refused this program: {}", plain(&reason)))
                }
                _ => DialError::Closed { address, expected, reason: close.to_string() },
            },
            ConnectionError::TimedOut | ConnectionError::Reset => {
                DialError::Unreachable { address, expected, reason: describe(error) }
            }
            ConnectionError::ApplicationClosed(_) => DialError::Closed { address, expected, reason: describe(error) },
            ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => {
                DialError::Local { address, reason: describe(error) }
            }
        }
    }

    /// Moves to other ports, as a machine does that changes its network.
    #[cfg(test)]
    pub(crate) fn rebind(&self) {
        let endpoints = self.0.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        for endpoint in endpoints.iter().flatten() {
            let any = endpoint.local_addr().map(|address| SocketAddr::new(address.ip(), 0)).expect("is bound");
            endpoint.rebind(std::net::UdpSocket::bind(any).expect("binds")).expect("moves");
        }
    }

    /// Waits until all links that were dialled here are closed and their peers told so; call it last before a process ends.
    pub async fn drained(&self) {
        let endpoints = self.0.endpoints.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for endpoint in endpoints.into_iter().flatten() {
            endpoint.wait_idle().await;
        }
    }
}

/// Ends with the system's error when it says that nobody listens at an address, as ICMP does; otherwise never. QUIC does not
/// look at that (RFC 9000, 14.2.1), which would make people wait for the whole timeout for a scheduler that does not run.
async fn refused(address: SocketAddr) -> std::io::Error {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let probe = async {
        let socket = tokio::net::UdpSocket::bind(SocketAddr::new(any, 0)).await?;
        socket.connect(address).await?;
        // Too short to be a packet of QUIC: a listener drops it.
        socket.send(&[0]).await?;
        socket.recv(&mut [0]).await
    };
    match probe.await {
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => error,
        // Whatever else happens, the connection attempt tells.
        Ok(_) | Err(_) => std::future::pending().await,
    }
}

fn unauthenticated(address: SocketAddr, expected: Role, reason: String) -> DialError {
    let hint = if reason.contains(Distrust::ROLE_MARK) {
        "check the address, and which role's credentials this program uses"
    } else {
        "both sides must use credentials of the same cluster: copy the folder made where the scheduler first ran"
    };
    DialError::Unauthenticated { address, expected, reason, hint }
}

/// RFC 7301, 3.2.
const ALERT_NO_APPLICATION_PROTOCOL: u8 = 120;

/// The TLS alert in a QUIC error: RFC 9001, 4.8.
fn alert(code: TransportErrorCode) -> Option<u8> {
    u64::from(code).checked_sub(0x100).and_then(|alert| u8::try_from(alert).ok())
}

/// Alerts about certificates: RFC 8446, 6.2.
fn is_distrust(alert: u8) -> bool {
    matches!(alert, 42..=46 | 48 | 49 | 51 | 116)
}
