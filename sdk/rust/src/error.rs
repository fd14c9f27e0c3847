//! What can go wrong between a client and what runs its graphs. Errors of tasks are not here: they are data.

use crate::graph::GraphFileError;
use crate::home::NoHome;
use crate::upload::UploadError;
use std::sync::Arc;
use wasm_tasks_protocol::graph::{Extent, GraphError};
use wasm_tasks_protocol::message::Refusal;
use wasm_tasks_protocol::{ErrorCode, GraphId};
use wasm_tasks_transport::{CredentialsError, DialError, LinkError, ListenError};

/// Why a client cannot do what it was asked. Cheap to clone, since everybody who waits for a graph gets it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// The graph, or a file that it names, is wrong.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The graph's file cannot be read or written.
    #[error(transparent)]
    File(Arc<GraphFileError>),
    /// The scheduler refuses.
    #[error("{}", .0.messages.join("\n"))]
    Refused(Refusal),
    /// A fragment continues the graph from where it no longer ends: somebody else extended it.
    #[error("{}", .refusal.messages.join("\n"))]
    BaseMoved {
        /// What the scheduler says.
        refusal: Refusal,
        /// How far the graph's tables go now.
        extent: Extent,
    },
    /// `HOST:PORT` does not lead anywhere.
    #[error("`{address}` is no address of a scheduler: {reason}\nhint: write HOST:PORT, such as `127.0.0.1:7077`")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The scheduler cannot be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The credentials cannot be used.
    #[error(transparent)]
    Credentials(Arc<CredentialsError>),
    /// Nothing to dial with.
    #[error(transparent)]
    Listen(Arc<ListenError>),
    /// The connection broke. The graph goes on where the scheduler does.
    #[error("lost the scheduler: {0}")]
    Lost(LinkError),
    /// The peer answered what makes no sense.
    #[error("the scheduler's answer makes no sense: {0}")]
    Answer(&'static str),
    /// The graph is not known there.
    #[error("the scheduler knows no graph `{0}`")]
    UnknownGraph(GraphId),
    /// A task's result is not where it should be.
    #[error("output {0} is no longer there")]
    OutputGone(u32),
    /// The embedded cluster cannot start.
    #[error("cannot start the embedded cluster: {0}")]
    Start(String),
    /// There is nowhere to keep things.
    #[error(transparent)]
    NoHome(#[from] NoHome),
}

impl ClientError {
    /// That a name of a scheduler cannot be resolved.
    pub fn address(name: &str, error: &std::io::Error) -> ClientError {
        ClientError::Address { address: name.to_owned(), reason: error.to_string() }
    }

    /// The code under which people see it.
    pub fn code(&self) -> ErrorCode {
        match self {
            ClientError::Upload(error) => error.code(),
            ClientError::File(error) => error.code(),
            ClientError::Refused(refusal) | ClientError::BaseMoved { refusal, .. } => refusal.code,
            ClientError::Address { .. } | ClientError::NoHome(_) => ErrorCode::BadArguments,
            ClientError::Dial(error) => error.code(),
            // A folder that cannot be used is one to choose otherwise; whether anybody would be trusted was never asked.
            ClientError::Credentials(error) if matches!(&**error, CredentialsError::Io { .. }) => ErrorCode::BadArguments,
            ClientError::Credentials(_) => ErrorCode::Unauthenticated,
            ClientError::Listen(error) => match &**error {
                ListenError::NoCertificate { .. } | ListenError::BadCertificate { .. } => ErrorCode::Unauthenticated,
                // A port that somebody has, or an address of another machine: what was asked for cannot be.
                ListenError::Bind { .. } => ErrorCode::BadArguments,
                ListenError::RoleDoesNotListen(_) | ListenError::NoRuntime => ErrorCode::WorkerFault,
            },
            ClientError::Lost(error) => error.code(),
            ClientError::Answer(_) => ErrorCode::ProtocolViolation,
            ClientError::UnknownGraph(_) | ClientError::OutputGone(_) => ErrorCode::NotFound,
            ClientError::Start(_) => ErrorCode::WorkerFault,
        }
    }

    /// What to do next, where there is advice that the message does not hold.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ClientError::Upload(error) => error.hint(),
            ClientError::UnknownGraph(_) => Some("`wasm-tasks status` lists the graphs"),
            ClientError::OutputGone(_) => Some("submit the graph again"),
            ClientError::Lost(_) => {
                Some("the graph goes on as long as the scheduler does; `wasm-tasks attach ID` follows it again")
            }
            ClientError::Refused(refusal) | ClientError::BaseMoved { refusal, .. } => hint_of(refusal.code),
            ClientError::File(_)
            | ClientError::Address { .. }
            | ClientError::Dial(_)
            | ClientError::Credentials(_)
            | ClientError::Listen(_)
            | ClientError::Answer(_)
            | ClientError::Start(_)
            | ClientError::NoHome(_) => None,
        }
    }

    /// Whether the cause is the connection, and not what was asked.
    pub fn is_connection(&self) -> bool {
        matches!(
            self.code(),
            ErrorCode::Unreachable | ErrorCode::ProtocolVersion | ErrorCode::Unauthenticated | ErrorCode::ProtocolViolation
        )
    }
}

/// Advice on a refusal; the scheduler says what is wrong, and knows no commands.
pub(crate) fn hint_of(code: ErrorCode) -> Option<&'static str> {
    let hints = [
        (
            ErrorCode::CoreModule,
            "make a component of it with `wasm-tasks componentize CORE.wasm --wit DIR --world NAME -o OUT.wasm`",
        ),
        (ErrorCode::UnsupportedComponent, "build for WASI 0.2 with synchronous exports: target `wasm32-wasip2` in Rust"),
        (ErrorCode::UnknownImport, "a component may import `wasi:…@0.2` and interfaces that only have types"),
        (ErrorCode::UnknownExport, "`wasm-tasks inspect COMPONENT` lists the exports"),
        (ErrorCode::NotUploaded, "submit from a machine that has the file, with its path in the graph"),
    ];
    hints.into_iter().find(|(known, _)| *known == code).map(|(_, hint)| hint)
}

impl From<GraphError> for ClientError {
    fn from(error: GraphError) -> ClientError {
        ClientError::Upload(UploadError::Graph(error))
    }
}

impl From<GraphFileError> for ClientError {
    fn from(error: GraphFileError) -> ClientError {
        ClientError::File(Arc::new(error))
    }
}

impl From<CredentialsError> for ClientError {
    fn from(error: CredentialsError) -> ClientError {
        ClientError::Credentials(Arc::new(error))
    }
}

impl From<ListenError> for ClientError {
    fn from(error: ListenError) -> ClientError {
        ClientError::Listen(Arc::new(error))
    }
}
