//! The pages of `docs/errors`, built in: one for each code. A code without a page does not compile.

use wasm_tasks_protocol::ErrorCode;

macro_rules! pages {
    ($($code:ident $name:literal,)*) => {
        /// The page of a code.
        pub(crate) fn page(code: ErrorCode) -> &'static str {
            match code {
                $(ErrorCode::$code => include_str!(concat!("../../docs/errors/", $name, ".md")),)*
            }
        }
    };
}

pages! {
    BadMsgpack "bad-msgpack",
    TrailingBytes "trailing-bytes",
    DuplicateMapKey "duplicate-map-key",
    UnknownField "unknown-field",
    MissingField "missing-field",
    BadField "bad-field",
    ReservedField "reserved-field",
    UnsupportedVersion "unsupported-version",
    LimitExceeded "limit-exceeded",
    BadValue "bad-value",
    DuplicateKey "duplicate-key",
    UnknownTask "unknown-task",
    UnknownData "unknown-data",
    Cycle "cycle",
    PathInGraph "path-in-graph",
    SourceNotAllowed "source-not-allowed",
    DigestMismatch "digest-mismatch",
    NotUploaded "not-uploaded",
    SourceUnreadable "source-unreadable",
    NotAComponent "not-a-component",
    CoreModule "core-module",
    UnsupportedComponent "unsupported-component",
    UnknownImport "unknown-import",
    UnknownExport "unknown-export",
    UnsupportedExport "unsupported-export",
    WrongArity "wrong-arity",
    TypeMismatch "type-mismatch",
    GrantDenied "grant-denied",
    CompileFailed "compile-failed",
    ComponentTooCostly "component-too-costly",
    GuestError "guest-error",
    Trap "trap",
    Exit "exit",
    Timeout "timeout",
    OutOfFuel "out-of-fuel",
    OutOfMemory "out-of-memory",
    StackOverflow "stack-overflow",
    ResultTooLarge "result-too-large",
    BadDelegation "bad-delegation",
    BadResult "bad-result",
    Cancelled "cancelled",
    DeadlineExceeded "deadline-exceeded",
    WorkerDied "worker-died",
    DependencyFailed "dependency-failed",
    Unrunnable "unrunnable",
    WorkerFault "worker-fault",
    Unreachable "unreachable",
    ProtocolVersion "protocol-version",
    Unauthenticated "unauthenticated",
    ProtocolViolation "protocol-violation",
    BaseMoved "base-moved",
    NotFound "not-found",
    BadArguments "bad-arguments",
}
