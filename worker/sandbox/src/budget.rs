//! What host code may spend for one call: bytes written, and the call's own time.
//!
//! Values are read and written by host code, where no epoch passes. Each value therefore counts as
//! one step, and every [`STEPS`]th step asks whether the call was cancelled or is out of time.

use crate::call::{Call, CancelFlag, Limits};
use crate::failure;
use crate::fault::Fault;
use crate::state::Stop;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::msgpack::Writer;

/// Values between two looks at the flag and the clock: a look costs a system's call for the time on some machines.
const STEPS: u32 = 1_024;
/// Bytes that a stream gathers before it hands them on.
const PIECE_BYTES: usize = 64 << 10;

/// Stops host code when its call is cancelled or out of time.
pub(crate) struct Watch<'a> {
    cancel: &'a CancelFlag,
    deadline: Option<Instant>,
    limits: Limits,
    /// Atomic only because the engine wants arguments that threads could share.
    left: AtomicU32,
}

impl<'a> Watch<'a> {
    /// A watch over a call that began at `start`.
    pub(crate) fn new(call: &Call<'a>, start: Instant) -> Watch<'a> {
        Watch::until(call, start.checked_add(call.limits.wall))
    }

    /// A watch over a call that ends at `deadline`.
    pub(crate) fn until(call: &Call<'a>, deadline: Option<Instant>) -> Watch<'a> {
        Watch { cancel: call.cancel, deadline, limits: call.limits, left: AtomicU32::new(STEPS) }
    }

    /// Counts one value.
    ///
    /// # Errors
    /// `cancelled` or `timeout`, at most [`STEPS`] values late.
    #[inline]
    pub(crate) fn step(&self) -> Result<(), Fault> {
        let left = self.left.load(Ordering::Relaxed) - 1;
        self.left.store(left, Ordering::Relaxed);
        if left == 0 { self.look() } else { Ok(()) }
    }

    #[cold]
    fn look(&self) -> Result<(), Fault> {
        self.left.store(STEPS, Ordering::Relaxed);
        let stop = if self.cancel.is_cancelled() {
            Stop::Cancelled
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Stop::Timeout
        } else {
            return Ok(());
        };
        let (code, message) = failure::stopped(&stop, &self.limits);
        Err(Fault::new(code, message))
    }
}

/// Where a stream's bytes go.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(&[u8]);

/// A writer with a budget of bytes and of time.
pub(crate) struct Bounded<'a> {
    writer: Writer,
    bytes_max: u64,
    watch: Option<&'a Watch<'a>>,
    sink: Option<Sink<'a>>,
}

impl<'a> Bounded<'a> {
    /// Keeps at most `bytes_max` bytes.
    pub(crate) fn new(bytes_max: u64, watch: Option<&'a Watch<'a>>) -> Bounded<'a> {
        Bounded { writer: Writer::new(), bytes_max, watch, sink: None }
    }

    /// Keeps nothing: hands all bytes to `sink`, piece by piece.
    pub(crate) fn stream(watch: &'a Watch<'a>, sink: Sink<'a>) -> Bounded<'a> {
        Bounded { writer: Writer::new(), bytes_max: u64::MAX, watch: Some(watch), sink: Some(sink) }
    }

    /// Asked before each value: whether it may still be written.
    ///
    /// # Errors
    /// `result-too-large`, `cancelled` or `timeout`.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<(), Fault> {
        if let Some(watch) = self.watch {
            watch.step()?;
        }
        let len = self.writer.as_bytes().len();
        if len as u64 > self.bytes_max {
            return Err(self.too_large());
        }
        if len >= PIECE_BYTES
            && let Some(sink) = &mut self.sink
        {
            sink(self.writer.as_bytes());
            self.writer = Writer::new();
        }
        Ok(())
    }

    #[cold]
    fn too_large(&self) -> Fault {
        let message = format!("the value is larger than {} bytes, the limit that `result-bytes-max` sets", self.bytes_max);
        Fault::new(ErrorCode::ResultTooLarge, message)
    }

    /// The bytes that were kept; none of a stream.
    ///
    /// # Errors
    /// As [`step`](Bounded::step).
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Fault> {
        self.step()?;
        if let Some(sink) = &mut self.sink {
            sink(self.writer.as_bytes());
            return Ok(Vec::new());
        }
        Ok(self.writer.into_bytes())
    }
}

impl Deref for Bounded<'_> {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl DerefMut for Bounded<'_> {
    fn deref_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }
}
