//! Types of WIT that a host function or a bare call uses and the standard library has no like of.
//! wasmtime's derive macros write the unsafe implementations; nothing here is written by hand.

use crate::wasi::IoError;
use wasmtime::component::{ComponentType, Lift, Lower, Resource};

/// `wasi:io/streams.stream-error`
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum StreamError {
    #[component(name = "last-operation-failed")]
    #[allow(dead_code, reason = "a case of the WIT type; our streams do not fail, they are closed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// `wasi:clocks/wall-clock.datetime`
#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct Datetime {
    pub(crate) seconds: u64,
    pub(crate) nanoseconds: u32,
}

/// A record like those that the benchmarks pass around.
#[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq)]
#[component(record)]
pub struct Row {
    /// A number.
    pub id: u32,
    /// A float.
    pub x: f64,
    /// A string.
    pub label: String,
}
