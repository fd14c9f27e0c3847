//! Whose certificates are believed: those that the cluster's authority signed, and only for the role they name.

use super::settings::{provider, server_name};
use crate::identity::{Identity, Role};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme};
use std::fmt;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Why a certificate of the cluster is not believed all the same.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Distrust {
    #[error("its certificate does not say which role it has")]
    NoRole,
    #[error("wrong role: it is a {found}, and a {expected} is expected here")]
    WrongRole { found: Role, expected: Role },
    #[error("wrong role: a {listener} does not let a {dialer} in")]
    NotAdmitted { listener: Role, dialer: Role },
}

impl Distrust {
    /// What only the texts about roles have, for those who get no more than the text.
    pub(crate) const ROLE_MARK: &str = "wrong role: ";
}

/// As text: rustls prints the errors of others for debugging, and sends that to the peer.
impl fmt::Debug for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What rustls or a peer says about a certificate, without the names of Rust's types.
pub(crate) fn plain(reason: &str) -> &str {
    let bare = reason.strip_prefix("invalid peer certificate: ").unwrap_or(reason);
    bare.strip_prefix("Other(OtherError(").and_then(|inner| inner.strip_suffix("))")).unwrap_or(bare)
}

impl From<Distrust> for Error {
    fn from(distrust: Distrust) -> Error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(distrust))))
    }
}

/// Who a certificate is for. Says nothing about whether it may be believed.
pub(crate) fn identity_of(certificate: &CertificateDer<'_>) -> Result<Identity, Distrust> {
    let (rest, certificate) = X509Certificate::from_der(certificate).map_err(|_| Distrust::NoRole)?;
    let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default();
    let names = certificate.subject_alternative_name().ok().flatten().ok_or(Distrust::NoRole)?;
    let mut identities = names.value.general_names.iter().filter_map(|general| {
        if let GeneralName::URI(uri) = general { Some(Identity::from_uri(uri, name.to_owned())) } else { None }
    });
    // Exactly one, so that nobody reads another one than we do.
    match (identities.next(), identities.next(), rest.is_empty()) {
        (Some(Some(identity)), None, true) => Ok(identity),
        _ => Err(Distrust::NoRole),
    }
}

fn roots(authority: &CertificateDer<'static>) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone())?;
    Ok(Arc::new(roots))
}

/// A listener's check of whoever dials it.
#[derive(Debug)]
pub(crate) struct AdmitPeers {
    chain: Arc<dyn ClientCertVerifier>,
    role: Role,
}

impl AdmitPeers {
    pub(crate) fn new(authority: &CertificateDer<'static>, role: Role) -> Result<AdmitPeers, Error> {
        let chain = WebPkiClientVerifier::builder_with_provider(roots(authority)?, provider()).build();
        Ok(AdmitPeers { chain: chain.map_err(|error| Error::General(error.to_string()))?, role })
    }
}

impl ClientCertVerifier for AdmitPeers {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        let peer = identity_of(end_entity)?;
        if self.role.admits(peer.role) {
            Ok(verified)
        } else {
            Err(Distrust::NotAdmitted { listener: self.role, dialer: peer.role }.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// A dialer's check of whoever answers: the role is the one in the name that was asked for.
#[derive(Debug)]
pub(crate) struct ExpectRole {
    chain: Arc<dyn ServerCertVerifier>,
}

impl ExpectRole {
    pub(crate) fn new(authority: &CertificateDer<'static>) -> Result<ExpectRole, Error> {
        let chain = WebPkiServerVerifier::builder_with_provider(roots(authority)?, provider()).build();
        Ok(ExpectRole { chain: chain.map_err(|error| Error::General(error.to_string()))? })
    }
}

impl ServerCertVerifier for ExpectRole {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let expected = Role::ALL.into_iter().find(|role| server_name(*role) == server.to_str()).ok_or(Distrust::NoRole)?;
        let found = identity_of(end_entity)?.role;
        // The chain first, with the name that the certificate claims, so that a stranger is called a stranger.
        let claimed = ServerName::try_from(server_name(found)).map_err(|_| Distrust::NoRole)?;
        let verified = self.chain.verify_server_cert(end_entity, intermediates, &claimed, ocsp_response, now)?;
        if found == expected { Ok(verified) } else { Err(Distrust::WrongRole { found, expected }.into()) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
