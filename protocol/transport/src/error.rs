//! The errors of links: while dialling, while listening, and on a link that stands.

use crate::identity::Role;
use std::net::SocketAddr;
use std::time::Duration;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::codec::CodecError;

/// What went wrong on a link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The link is gone, or the other side has said all that it will say.
    #[error("the link is closed: {reason}")]
    Closed {
        /// Why, in the words of whoever closed it.
        reason: String,
    },
    /// The peer sent bytes that are no message. After this on the control stream the link is closed.
    #[error("the peer sent a bad {what}: {source}")]
    Malformed {
        /// What it should have been.
        what: &'static str,
        /// What is wrong with it.
        source: CodecError,
    },
    /// The peer stopped in the middle, or went on after the end.
    #[error("the peer sent a {what} that {problem}")]
    Framing {
        /// What it should have been.
        what: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Something is larger than its limit, here or as announced by the peer.
    #[error("a {what} of {bytes} bytes; at most {limit} are allowed")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// Its limit.
        limit: u64,
    },
    /// The peer stopped sending or reading in the middle of something.
    #[error("no progress on a {what} for {} s", waited.as_secs())]
    Stalled {
        /// What it was.
        what: &'static str,
        /// How long nothing moved.
        waited: Duration,
    },
    /// The peer gave up this one request, and the link goes on.
    #[error("the peer gave up the request: {reason}")]
    Abandoned {
        /// Why.
        reason: &'static str,
    },
    /// A message cannot be put into bytes: a bug of ours.
    #[error("a {what} cannot be encoded: {source}")]
    Unencodable {
        /// What it was.
        what: &'static str,
        /// Why not.
        source: CodecError,
    },
}

impl LinkError {
    /// Whether the same may go well on a new link or at another time.
    pub fn is_retryable(&self) -> bool {
        match self {
            LinkError::Closed { .. } | LinkError::Stalled { .. } | LinkError::Abandoned { .. } => true,
            LinkError::Malformed { .. }
            | LinkError::Framing { .. }
            | LinkError::TooLarge { .. }
            | LinkError::Unencodable { .. } => false,
        }
    }

    /// Whether the whole link is over, and not only a request.
    pub fn is_closed(&self) -> bool {
        matches!(self, LinkError::Closed { .. })
    }

    /// The code that people see.
    pub fn code(&self) -> ErrorCode {
        match self {
            LinkError::Closed { .. } | LinkError::Stalled { .. } | LinkError::Abandoned { .. } => ErrorCode::Unreachable,
            LinkError::TooLarge { .. } => ErrorCode::LimitExceeded,
            LinkError::Malformed { .. } | LinkError::Framing { .. } | LinkError::Unencodable { .. } => {
                ErrorCode::ProtocolViolation
            }
        }
    }
}

/// Why no link could be made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DialError {
    /// Nobody answers.
    #[error(
        "no {expected} answers at {address}: {reason}\nhint: start one there with `wasm-tasks {}`, or check the address, and that UDP passes",
        if *expected == Role::Worker { "worker SCHEDULER" } else { "scheduler" }
    )]
    Unreachable {
        /// Who was dialled.
        address: SocketAddr,
        /// What should be there.
        expected: Role,
        /// What happened instead.
        reason: String,
    },
    /// The other side speaks another version.
    #[error(
        "the {expected} at {address} speaks {theirs}, this program speaks `{ours}`\nhint: install the same version of wasm-tasks on both sides",
        theirs = theirs.as_ref().map_or("another version of the protocol".to_owned(), |theirs| format!("`{theirs}`"))
    )]
    ProtocolVersion {
        /// Who was dialled.
        address: SocketAddr,
        /// What is there.
        expected: Role,
        /// Our version, as `wasm-tasks/N`.
        ours: String,
        /// Theirs, where they tell.
        theirs: Option<String>,
    },
    /// The other side is not of this cluster, not of this role, or says so of us.
    #[error("the peer at {address} and this program do not trust each other: {reason}\nhint: {hint}")]
    Unauthenticated {
        /// Who was dialled.
        address: SocketAddr,
        /// What should be there.
        expected: Role,
        /// What is wrong.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// The other side hung up while the link was being made.
    #[error("the {expected} at {address} closed the connection: {reason}")]
    Closed {
        /// Who was dialled.
        address: SocketAddr,
        /// What is there.
        expected: Role,
        /// Why, in its words.
        reason: String,
    },
    /// Something on this side.
    #[error("cannot dial {address}: {reason}")]
    Local {
        /// Who was dialled.
        address: SocketAddr,
        /// What is wrong.
        reason: String,
    },
}

impl DialError {
    /// Whether dialling again later may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            DialError::Unreachable { .. } | DialError::Closed { .. } => true,
            DialError::ProtocolVersion { .. } | DialError::Unauthenticated { .. } | DialError::Local { .. } => false,
        }
    }

    /// The code that people see.
    pub fn code(&self) -> ErrorCode {
        match self {
            DialError::Unreachable { .. } | DialError::Closed { .. } | DialError::Local { .. } => ErrorCode::Unreachable,
            DialError::ProtocolVersion { .. } => ErrorCode::ProtocolVersion,
            DialError::Unauthenticated { .. } => ErrorCode::Unauthenticated,
        }
    }
}

/// Why a listener or a dialer could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {source}\nhint: choose another port, or stop the program that has this one")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The credentials have nothing for this role.
    #[error(
        "there is no certificate for a {role} in {directory}\nhint: copy `{role}.pem` and `{role}.key` there from where the cluster's credentials were created"
    )]
    NoCertificate {
        /// The role.
        role: Role,
        /// The folder of the credentials.
        directory: String,
    },
    /// The certificate and key cannot be used.
    #[error("the credentials for a {role} cannot be used: {reason}")]
    BadCertificate {
        /// The role.
        role: Role,
        /// What is wrong.
        reason: String,
    },
    /// Clients are not listened for.
    #[error("nobody dials a {0}, so it cannot listen")]
    RoleDoesNotListen(Role),
    /// Called outside a tokio runtime.
    #[error("links need a tokio runtime with I/O and time")]
    NoRuntime,
}
