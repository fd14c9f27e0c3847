//! Messages: one closed enum for each direction, and the requests that travel on streams of their own.
//!
//! Facts are in the past tense, orders imperative. A control message is a batch: all that one side
//! has to say in one turn. Bulk data (graphs, components, results) never travels in control messages,
//! except results of at most [`INLINE_BYTES_MAX`](crate::limits::INLINE_BYTES_MAX).

mod client;
mod request;
mod worker;

pub use client::{FromClient, GraphState, GraphSummary, OutputResult, Query, Refusal, TaskFailure, ToClient};
pub use request::{ReplyHead, Request};
pub use worker::{
    Assignment, AttemptDelegated, AttemptFailed, AttemptFinished, DataSpec, FromWorker, FunctionSpec, Input, InputSource,
    PeerAddress, Priority, ToWorker, WorkerOffer,
};

/// Version of everything on the wire. It is part of the ALPN name, so that versions that do not know each other never talk.
/// Whoever changes a message, or anything that is in one, raises it.
pub const PROTOCOL_VERSION: u32 = 4;
