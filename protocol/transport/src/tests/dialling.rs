//! Who may talk to whom, in which version, and what people are told when they may not.

use super::cluster::{ANY, Cluster, credentials};
use super::raw::{ALPN, connect, raw_listener};
use crate::{DialError, Dialer, Link, LinkError, ListenError, Listener, Role};
use quinn::{ConnectionError, Endpoint};
use std::time::Duration;
use wasm_tasks_protocol::{ErrorCode, TenantId};

type Nothing = Link<(), ()>;

async fn dial(cluster: &Cluster, dialer: &Dialer, expect: Role) -> Result<Nothing, DialError> {
    dialer.dial(cluster.address(), expect).await
}

#[tokio::test]
async fn roles_are_admitted_as_they_should_be_and_no_others() {
    for listener in [Role::Scheduler, Role::Worker] {
        let cluster = Cluster::of(listener);
        for role in Role::ALL {
            let dialler = cluster.dialer(role);
            let dialled = dial(&cluster, &dialler, listener).await;
            match dialled {
                Ok(link) => {
                    assert!(listener.admits(role), "a {listener} let a {role} in");
                    assert_eq!(link.peer.identity().role, listener);
                    let accepted = cluster.listener.accept().await.expect("listens");
                    assert_eq!((accepted.identity().role, accepted.identity().tenant), (role, TenantId::DEFAULT));
                }
                Err(error) => {
                    assert!(!listener.admits(role), "a {listener} did not let a {role} in: {error}");
                    assert_eq!(error.code(), ErrorCode::Unauthenticated, "{error}");
                    assert!(!error.is_retryable());
                    assert!(
                        error
                            .to_string()
                            .contains(&format!("it refused this program: wrong role: a {listener} does not let a {role} in\n")),
                        "{error}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_worker_is_not_taken_for_a_scheduler() {
    let cluster = Cluster::of(Role::Worker);
    let error = dial(&cluster, &cluster.dialer(Role::Worker), Role::Scheduler).await.expect_err("the wrong role");
    assert_eq!(error.code(), ErrorCode::Unauthenticated, "{error}");
    let text = format!(
        "the peer at {} and this program do not trust each other: its certificate is not believed: wrong role: \
         it is a worker, and a scheduler is expected here\nhint: check the address, and which role's credentials this program uses",
        cluster.address()
    );
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn a_client_cannot_listen_not_even_by_hand() {
    let (_directory, credentials) = credentials();
    assert!(matches!(Listener::bind(ANY, &credentials, Role::Client), Err(ListenError::RoleDoesNotListen(Role::Client))));
    let listener = raw_listener(&credentials, Role::Client, &[ALPN]);
    let dialer = Dialer::new(&credentials, Role::Worker).expect("has a certificate");
    let address = listener.local_addr().expect("is bound");
    for expect in Role::ALL {
        let accepting = async { listener.accept().await.expect("dialled").await };
        let (dialled, _) = tokio::join!(dialer.dial::<(), ()>(address, expect), accepting);
        assert_eq!(dialled.expect_err("not for listening").code(), ErrorCode::Unauthenticated);
    }
}

#[tokio::test]
async fn another_cluster_is_not_trusted_by_either_side() {
    let (ours, theirs) = (Cluster::new(), Cluster::new());
    let error = theirs.dialer(Role::Worker).dial::<(), ()>(ours.address(), Role::Scheduler).await.expect_err("strangers");
    assert!(matches!(error, DialError::Unauthenticated { .. }), "{error}");
    assert!(error.to_string().contains("hint: both sides must use credentials of the same cluster"), "{error}");

    // Had the dialer not looked, the listener would have.
    let config = no_questions_asked(&theirs, true);
    let endpoint = Endpoint::client(ANY).expect("binds");
    let connection =
        endpoint.connect_with(config, ours.address(), "scheduler.wasm-tasks").expect("dials").await.expect("connects");
    assert!(matches!(connection.closed().await, ConnectionError::ConnectionClosed(_)));
}

#[tokio::test]
async fn a_peer_without_a_certificate_is_sent_away() {
    let cluster = Cluster::new();
    let endpoint = Endpoint::client(ANY).expect("binds");
    let connecting = endpoint.connect_with(no_questions_asked(&cluster, false), cluster.address(), "scheduler.wasm-tasks");
    let connection = connecting.expect("dials").await.expect("connects");
    assert!(matches!(connection.closed().await, ConnectionError::ConnectionClosed(_)));
}

/// A dialer that trusts everyone.
fn no_questions_asked(cluster: &Cluster, has_certificate: bool) -> quinn::ClientConfig {
    #[derive(Debug)]
    struct TrustEveryone;
    impl rustls::client::danger::ServerCertVerifier for TrustEveryone {
        fn verify_server_cert(
            &self,
            _: &rustls::pki_types::CertificateDer<'_>,
            _: &[rustls::pki_types::CertificateDer<'_>],
            _: &rustls::pki_types::ServerName<'_>,
            _: &[u8],
            _: rustls::pki_types::UnixTime,
        ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
            Ok(rustls::client::danger::ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &rustls::pki_types::CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
        }
        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &rustls::pki_types::CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
        }
        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            vec![rustls::SignatureScheme::ECDSA_NISTP256_SHA256]
        }
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
    let builder =
        builder.expect("knows TLS 1.3").dangerous().with_custom_certificate_verifier(std::sync::Arc::new(TrustEveryone));
    let mut tls = if has_certificate {
        let key = cluster.credentials.key(Role::Worker).expect("has a certificate");
        builder.with_client_auth_cert(vec![key.certificate.clone()], key.secret.clone_key()).expect("fits")
    } else {
        builder.with_no_client_auth()
    };
    tls.alpn_protocols = vec![ALPN.as_bytes().to_vec()];
    quinn::ClientConfig::new(std::sync::Arc::new(quinn::crypto::rustls::QuicClientConfig::try_from(tls).expect("fits QUIC")))
}

#[tokio::test]
async fn versions_that_differ_are_both_named() {
    let cluster = Cluster::new();
    let newer = Dialer::speaking(&cluster.credentials, Role::Worker, 9).expect("has a certificate");
    let error = dial(&cluster, &newer, Role::Scheduler).await.expect_err("speaks another");
    assert!(matches!(error, DialError::ProtocolVersion { .. }), "{error}");
    assert!(
        error.to_string().starts_with(&format!(
            "the scheduler at {} speaks `{ALPN}`, this program speaks `wasm-tasks/9`\nhint: ",
            cluster.address()
        )),
        "{error}"
    );
    assert_eq!(error.code(), ErrorCode::ProtocolVersion);

    let newer = Listener::bind_speaking(ANY, &cluster.credentials, Role::Scheduler, 9).expect("binds");
    let error =
        cluster.dialer(Role::Client).dial::<(), ()>(newer.local_address(), Role::Scheduler).await.expect_err("speaks another");
    assert!(error.to_string().contains(&format!("speaks `wasm-tasks/9`, this program speaks `{ALPN}`")), "{error}");
}

#[tokio::test]
async fn a_listener_that_does_not_tell_its_version_has_another_one() {
    let (_directory, credentials) = credentials();
    let listener = raw_listener(&credentials, Role::Scheduler, &["h3"]);
    let address = listener.local_addr().expect("is bound");
    let dialer = Dialer::new(&credentials, Role::Worker).expect("has a certificate");
    let accepting = async { listener.accept().await.expect("dialled").await };
    let (dialled, _) = tokio::join!(dialer.dial::<(), ()>(address, Role::Scheduler), accepting);
    let error = dialled.expect_err("speaks HTTP");
    assert!(matches!(&error, DialError::ProtocolVersion { theirs: None, .. }), "{error}");
    assert!(error.to_string().contains("speaks another version of the protocol"), "{error}");

    let cluster = Cluster::new();
    let error = connect(&cluster.credentials, Role::Worker, &["wasm-tasks/0"], cluster.address(), Role::Scheduler).await;
    assert!(matches!(error, Err(ConnectionError::ConnectionClosed(_))), "{error:?}");
}

#[tokio::test]
async fn an_address_without_a_listener_is_unreachable_at_once() {
    let (_directory, credentials) = credentials();
    let free = std::net::UdpSocket::bind(ANY).expect("binds").local_addr().expect("is bound");
    // With a timeout of an hour, only the system's word ends this.
    let dialer = Dialer::new(&credentials, Role::Worker).expect("has a certificate").with_timeout(Duration::from_secs(3600));
    let error = dialer.dial::<(), ()>(free, Role::Scheduler).await.expect_err("nobody is there");
    assert!(matches!(error, DialError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("no scheduler answers at {free}: ")), "{text}");
    assert!(text.contains("hint: start one there with `wasm-tasks scheduler`"), "{text}");
    assert_eq!(error.code(), ErrorCode::Unreachable);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn an_address_that_swallows_packets_is_unreachable_in_time() {
    let (_directory, credentials) = credentials();
    let silent = std::net::UdpSocket::bind(ANY).expect("binds");
    let dialer = Dialer::new(&credentials, Role::Worker).expect("has a certificate").with_timeout(Duration::from_millis(50));
    let error = dialer.dial::<(), ()>(silent.local_addr().expect("is bound"), Role::Scheduler).await.expect_err("says nothing");
    assert!(error.to_string().contains("no answer within 50 ms"), "{error}");
    assert!(matches!(error, DialError::Unreachable { .. }));
}

#[tokio::test]
async fn closing_a_listener_keeps_its_links() {
    let cluster = Cluster::new();
    let dialer = cluster.dialer(Role::Worker);
    let mut worker: Link<u8, u8> = dialer.dial(cluster.address(), Role::Scheduler).await.expect("dials");
    let mut scheduler: Link<u8, u8> = cluster.listener.accept().await.expect("listens").into_link().await.expect("stands");
    cluster.listener.close();
    assert!(cluster.listener.accept().await.is_none());
    worker.sender.send(vec![1, 2]).await.expect("sends");
    assert_eq!(scheduler.receiver.recv().await.expect("receives"), [1, 2]);
    let refused = dialer.with_timeout(Duration::from_millis(500)).dial::<(), ()>(cluster.address(), Role::Scheduler).await;
    assert!(refused.is_err());
    // Both sides know that it is over before their processes may end.
    drop(worker);
    dialer.drained().await;
    assert_eq!(scheduler.peer.closed().await, "the peer dropped the link");
    drop(scheduler);
    cluster.listener.drained().await;
}

#[tokio::test]
async fn refusing_tells_the_peer_why() {
    let cluster = Cluster::new();
    let mut worker: Nothing = dial(&cluster, &cluster.dialer(Role::Worker), Role::Scheduler).await.expect("dials");
    cluster.listener.accept().await.expect("listens").refuse("this cluster is full");
    assert_eq!(worker.receiver.recv().await, Err(LinkError::Closed { reason: "this cluster is full".to_owned() }));
    let mut worker: Nothing = dial(&cluster, &cluster.dialer(Role::Worker), Role::Scheduler).await.expect("dials");
    drop(cluster.listener.accept().await.expect("listens"));
    assert!(worker.receiver.recv().await.expect_err("dropped").is_closed());
}

#[tokio::test]
async fn a_taken_address_and_a_missing_certificate_are_explained() {
    let cluster = Cluster::new();
    let taken = Listener::bind(cluster.address(), &cluster.credentials, Role::Scheduler).expect_err("taken").to_string();
    assert!(taken.starts_with(&format!("cannot listen on {}: ", cluster.address())), "{taken}");
    let directory = cluster.credentials.directory().to_owned();
    std::fs::remove_file(directory.join("worker.key")).expect("was there");
    let partial = crate::Credentials::load(&directory).expect("the rest is there");
    let missing = Dialer::new(&partial, Role::Worker).expect_err("no key").to_string();
    assert!(missing.starts_with("there is no certificate for a worker in "), "{missing}");
    assert!(Dialer::new(&partial, Role::Client).is_ok());
}

#[tokio::test]
async fn a_link_survives_when_the_dialer_moves_to_another_port() {
    let cluster = Cluster::new();
    let dialer = cluster.dialer(Role::Worker);
    let mut worker: Link<u8, u8> = dialer.dial(cluster.address(), Role::Scheduler).await.expect("dials");
    let mut scheduler: Link<u8, u8> = cluster.listener.accept().await.expect("listens").into_link().await.expect("stands");
    let before = scheduler.peer.remote_address();
    dialer.rebind();
    worker.sender.send(vec![1]).await.expect("sends");
    assert_eq!(scheduler.receiver.recv().await.expect("receives"), [1]);
    scheduler.sender.send(vec![2]).await.expect("sends");
    assert_eq!(worker.receiver.recv().await.expect("receives"), [2]);
    assert_ne!(scheduler.peer.remote_address(), before);
}

/// An address of this machine at which nobody listens, and the system says so.
async fn closed_address() -> std::net::SocketAddr {
    let socket = tokio::net::UdpSocket::bind(ANY).await.expect("binds");
    socket.local_addr().expect("has an address")
}

#[tokio::test]
async fn every_address_of_a_name_is_tried() {
    let cluster = Cluster::new();
    let dialer = cluster.dialer(Role::Worker);
    let (closed, open) = (closed_address().await, cluster.address());
    // Nobody ever answers at this one, and nothing says so.
    let silent = tokio::net::UdpSocket::bind(ANY).await.expect("binds");
    let silent = silent.local_addr().map(|address| (silent, address)).expect("has an address");
    for addresses in [vec![open], vec![closed, open], vec![open, closed], vec![silent.1, open], vec![closed, silent.1, open]] {
        let dialled: Result<Nothing, _> = dialer.dial_any(&addresses, Role::Scheduler).await;
        dialled.unwrap_or_else(|error| panic!("{addresses:?}: {error}"));
    }
    let dialled: Result<Nothing, _> = dialer.dial_any(&[closed, closed], Role::Scheduler).await;
    assert!(matches!(dialled, Err(DialError::Unreachable { address, .. }) if address == closed));
}

#[tokio::test]
async fn of_addresses_that_all_fail_the_one_that_says_most_is_told() {
    let cluster = Cluster::of(Role::Worker);
    let (closed, wrong) = (closed_address().await, cluster.address());
    let dialler = cluster.dialer(Role::Worker);
    for addresses in [[closed, wrong], [wrong, closed]] {
        let dialled: Result<Nothing, _> = dialler.dial_any(&addresses, Role::Scheduler).await;
        assert!(matches!(dialled, Err(DialError::Unauthenticated { .. })), "{addresses:?}");
    }
}
