//! Error codes that people see, and the error of a task, which is data.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A user-visible error code. Each has a page `docs/errors/CODE.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ErrorCode { $($(#[$doc])* $name,)* }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name,)*];

            /// The code as it is printed, and as its page is called.
            pub const fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$name => $text,)* }
            }
        }
    };
}

codes! {
    // The graph file
    /// Bytes that are no MessagePack, or end early.
    BadMsgpack = "bad-msgpack",
    /// Bytes after the graph.
    TrailingBytes = "trailing-bytes",
    /// A map has a key twice.
    DuplicateMapKey = "duplicate-map-key",
    /// A field that the format does not have.
    UnknownField = "unknown-field",
    /// A field that must be there is not.
    MissingField = "missing-field",
    /// A field of the wrong kind or with an impossible value.
    BadField = "bad-field",
    /// A field that is reserved for later.
    ReservedField = "reserved-field",
    /// The file says another version of the format.
    UnsupportedVersion = "unsupported-version",
    /// A size limit is broken.
    LimitExceeded = "limit-exceeded",
    /// A value that no type of ours can have.
    BadValue = "bad-value",
    /// Two tasks have the same key.
    DuplicateKey = "duplicate-key",
    /// A reference to a task that the graph does not have.
    UnknownTask = "unknown-task",
    /// A reference to a data entry that the graph does not have.
    UnknownData = "unknown-data",
    /// Tasks that wait for each other.
    Cycle = "cycle",
    /// A path in a graph that a scheduler was sent.
    PathInGraph = "path-in-graph",
    /// A source that the tenant's policy does not allow.
    SourceNotAllowed = "source-not-allowed",
    /// Bytes that do not have the digest that was promised.
    DigestMismatch = "digest-mismatch",
    /// A component or data entry that was neither sent along nor uploaded before.
    NotUploaded = "not-uploaded",
    /// A file named by the graph that cannot be read.
    SourceUnreadable = "source-unreadable",
    // Components and types
    /// Bytes that are not a WebAssembly component.
    NotAComponent = "not-a-component",
    /// A core module where a component is needed.
    CoreModule = "core-module",
    /// A component that needs a feature that is off, such as WASI 0.3.
    UnsupportedComponent = "unsupported-component",
    /// An import that nobody provides.
    UnknownImport = "unknown-import",
    /// An export that the component does not have.
    UnknownExport = "unknown-export",
    /// An export that cannot be a task.
    UnsupportedExport = "unsupported-export",
    /// The wrong number of arguments.
    WrongArity = "wrong-arity",
    /// An argument, an edge or a path that does not have the type it needs.
    TypeMismatch = "type-mismatch",
    /// A grant that is not given.
    GrantDenied = "grant-denied",
    /// Compilation failed or was stopped.
    CompileFailed = "compile-failed",
    /// Judging the component took more memory or time than is allowed.
    ComponentTooCostly = "component-too-costly",
    // Tasks
    /// The task's export returned `err`.
    GuestError = "guest-error",
    /// The task trapped.
    Trap = "trap",
    /// The task called `exit`.
    Exit = "exit",
    /// The task ran longer than its time limit.
    Timeout = "timeout",
    /// The task used up its fuel.
    OutOfFuel = "out-of-fuel",
    /// The task needed more memory than its limit.
    OutOfMemory = "out-of-memory",
    /// The task's stack was exhausted.
    StackOverflow = "stack-overflow",
    /// The task's result is larger than its limit.
    ResultTooLarge = "result-too-large",
    /// The task returned something that is not a value of its type.
    BadResult = "bad-result",
    /// The task ended in tasks that cannot be run.
    BadDelegation = "bad-delegation",
    /// The task was cancelled.
    Cancelled = "cancelled",
    /// The graph did not end before its deadline.
    DeadlineExceeded = "deadline-exceeded",
    /// Workers died each time that the task ran.
    WorkerDied = "worker-died",
    /// A task that this one depends on failed.
    DependencyFailed = "dependency-failed",
    /// No worker can ever run the task.
    Unrunnable = "unrunnable",
    /// The worker failed, not the task.
    WorkerFault = "worker-fault",
    // Connections and commands
    /// The scheduler cannot be reached.
    Unreachable = "unreachable",
    /// The other side speaks another version of the protocol.
    ProtocolVersion = "protocol-version",
    /// The other side's certificate is not of this cluster, or there are no credentials.
    Unauthenticated = "unauthenticated",
    /// The peer said something malformed, oversized or out of order.
    ProtocolViolation = "protocol-violation",
    /// No such graph, task or worker.
    NotFound = "not-found",
    /// Words of a command that cannot be understood.
    BadArguments = "bad-arguments",
    /// A fragment continues a graph from where it no longer ends.
    BaseMoved = "base-moved",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for ErrorCode {
    type Err = ();
    fn from_str(text: &str) -> Result<ErrorCode, ()> {
        ErrorCode::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(())
    }
}

/// Why a task failed: data that its tenant may read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskError {
    /// The code.
    pub code: ErrorCode,
    /// What happened, and what to do next, for the tenant.
    pub message: String,
    /// The payload of `err` in the typed encoding, for [`ErrorCode::GuestError`].
    pub value: Option<Vec<u8>>,
    /// The last bytes of standard error, as text.
    pub stderr_tail: String,
    /// Frames of the guest, innermost first; empty when there are none.
    pub backtrace: Vec<String>,
    /// Peak of the task's linear memory in bytes, where it was measured.
    pub memory_peak_bytes: u64,
    /// Fuel used, where it was metered.
    pub fuel_used: Option<u64>,
}

impl TaskError {
    /// An error with nothing but a code and a message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> TaskError {
        TaskError {
            code,
            message: message.into(),
            value: None,
            stderr_tail: String::new(),
            backtrace: Vec::new(),
            memory_peak_bytes: 0,
            fuel_used: None,
        }
    }

    /// Whether the same task may end differently elsewhere. Traps, limits and guest errors are
    /// deterministic: they are retried only where the task's options ask for it.
    pub fn is_infrastructure(&self) -> bool {
        matches!(self.code, ErrorCode::WorkerFault | ErrorCode::WorkerDied)
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}
