//! `wasi:clocks`: a virtual clock that starts at a fixed moment, or the real one where it is granted.
//!
//! The virtual clock moves by sleeping, and by one microsecond with every reading, so that a program that waits by looking at
//! the clock comes to an end, and always the same one.

use crate::abi::derived::Datetime;
use crate::state::TaskState;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use wasmtime::component::LinkerInstance;
use wasmtime::{Result, StoreContextMut};

/// When virtual time begins, in seconds since 1970: 2026-01-01T00:00:00Z.
pub(crate) const VIRTUAL_START_S: u64 = 1_767_225_600;
/// What a reading puts the virtual clock forward by.
const READING_NS: u64 = 1_000;
const NS_PER_S: u64 = 1_000_000_000;

/// A task's clock, in nanoseconds since the task began.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    Virtual { now_ns: u64 },
    Real { start: Instant },
}

impl Clock {
    pub(crate) fn new(real: bool, start: Instant) -> Clock {
        if real { Clock::Real { start } } else { Clock::Virtual { now_ns: 0 } }
    }

    /// The time, without moving it.
    pub(super) fn peek(&self) -> u64 {
        match self {
            Clock::Virtual { now_ns } => *now_ns,
            Clock::Real { start } => u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }

    fn read(&mut self) -> u64 {
        if let Clock::Virtual { now_ns } = self {
            *now_ns = now_ns.saturating_add(READING_NS);
        }
        self.peek()
    }

    /// Moves a virtual clock to a later moment; false for the real one.
    pub(super) fn try_put_forward(&mut self, moment_ns: u64) -> bool {
        match self {
            Clock::Virtual { now_ns } => {
                *now_ns = moment_ns.max(*now_ns);
                true
            }
            Clock::Real { .. } => false,
        }
    }

    fn wall(&mut self) -> Datetime {
        match self {
            Clock::Virtual { .. } => {
                let now_ns = self.read();
                Datetime { seconds: VIRTUAL_START_S + now_ns / NS_PER_S, nanoseconds: (now_ns % NS_PER_S) as u32 }
            }
            Clock::Real { .. } => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() }
            }
        }
    }
}

/// Defines a function of `wasi:clocks/monotonic-clock`; false for one that we do not have.
pub(super) fn define_monotonic(linker: &mut LinkerInstance<'_, TaskState>, name: &str) -> Result<bool> {
    match name {
        "now" => linker.func_wrap(name, |mut store: StoreContextMut<'_, TaskState>, (): ()| Ok((store.data_mut().clock.read(),))),
        "resolution" => linker.func_wrap(name, |_, (): ()| Ok((READING_NS,))),
        "subscribe-instant" => linker.func_wrap(name, |mut store: StoreContextMut<'_, TaskState>, (moment,): (u64,)| {
            Ok((store.data_mut().pollables.at(moment),))
        }),
        "subscribe-duration" => linker.func_wrap(name, |mut store: StoreContextMut<'_, TaskState>, (length,): (u64,)| {
            let state = store.data_mut();
            let moment = state.clock.peek().saturating_add(length);
            Ok((state.pollables.at(moment),))
        }),
        _ => return Ok(false),
    }?;
    Ok(true)
}

/// Defines a function of `wasi:clocks/wall-clock`; false for one that we do not have.
pub(super) fn define_wall(linker: &mut LinkerInstance<'_, TaskState>, name: &str) -> Result<bool> {
    match name {
        "now" => linker.func_wrap(name, |mut store: StoreContextMut<'_, TaskState>, (): ()| Ok((store.data_mut().clock.wall(),))),
        "resolution" => linker.func_wrap(name, |_, (): ()| Ok((Datetime { seconds: 0, nanoseconds: READING_NS as u32 },))),
        _ => return Ok(false),
    }?;
    Ok(true)
}
