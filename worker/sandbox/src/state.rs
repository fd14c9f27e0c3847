//! What a store holds for one task: meters, logs, virtual clock, randomness.

use crate::abi::scope::Scope;
use crate::log::TailLog;
use crate::memory::MemoryMeter;
use crate::wasi::clocks::Clock;
use crate::wasi::poll::Pollables;
use crate::wasi::random::Random;
use std::fmt;
use std::time::Instant;

/// The data of a task's store.
pub(crate) struct TaskState {
    pub(crate) memory: MemoryMeter,
    pub(crate) stdout: TailLog,
    pub(crate) stderr: TailLog,
    pub(crate) clock: Clock,
    pub(crate) pollables: Pollables,
    /// Made when it is first asked for.
    pub(crate) random: Option<Random>,
    /// The first thing that was denied, for the message of a failure after it.
    pub(crate) denied: Option<String>,
    /// When the wall time is used up; none when that is beyond what a clock can say.
    pub(crate) deadline: Option<Instant>,
    pub(crate) scope: Scope,
}

impl TaskState {
    pub(crate) fn new(scope: Scope, start: Instant) -> TaskState {
        let call = scope.call();
        TaskState {
            memory: MemoryMeter::new(call.limits.memory_bytes),
            stdout: TailLog::default(),
            stderr: TailLog::default(),
            clock: Clock::new(call.grants.clock, start),
            pollables: Pollables::default(),
            random: None,
            denied: None,
            deadline: start.checked_add(call.limits.wall),
            scope,
        }
    }

    /// Ends the task when it was cancelled or its time is over. Asked at every tick, and by host functions that wait.
    pub(crate) fn check_time(&self) -> Result<(), Stop> {
        if self.scope.call().cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Stop::Timeout),
            _ => Ok(()),
        }
    }
}

/// Why the host ended a task, as the error of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its wall time is over.
    Timeout,
    /// It was cancelled.
    Cancelled,
    /// It called `exit` with this status.
    Exit(u8),
    /// It called a function that only a grant gives, or that nothing gives.
    Denied(String),
    /// It asked a host function for more than it may.
    TooMuch(String),
    /// It ends in tasks that it wrote.
    Delegated(Vec<u8>),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Timeout => f.write_str("out of time"),
            Stop::Cancelled => f.write_str("cancelled"),
            Stop::Exit(status) => write!(f, "exit with status {status}"),
            Stop::Denied(what) => write!(f, "`{what}` is denied"),
            Stop::TooMuch(what) => f.write_str(what),
            Stop::Delegated(tasks) => write!(f, "ended in tasks of {} bytes", tasks.len()),
        }
    }
}

impl std::error::Error for Stop {}
