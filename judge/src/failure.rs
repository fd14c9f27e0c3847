//! Why a component was not judged well.

use crate::budget::Work;
use std::fmt;
use std::time::Duration;
use wasm_tasks_protocol::ErrorCode;

/// The limit that was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Bytes of memory.
    Memory(u64),
    /// CPU time.
    Cpu(Duration),
    /// Wall time.
    Wall(Duration),
    /// Bytes of the answer.
    Answer(usize),
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cost::Memory(bytes) => write!(f, "{} MiB of memory", bytes >> 20),
            Cost::Cpu(time) => write!(f, "{} s of CPU time", time.as_secs_f64()),
            Cost::Wall(time) => write!(f, "{} s", time.as_secs_f64()),
            Cost::Answer(bytes) => write!(f, "{} MiB of interface or code", bytes >> 20),
        }
    }
}

/// Why a component has no interface or no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The component is at fault.
    #[error("{message}")]
    Component {
        /// The code under which people see it.
        code: ErrorCode,
        /// What is wrong and what to do.
        message: String,
    },
    /// It takes more than is allowed.
    #[error("{} takes more than {cost}", .work.as_str())]
    TooCostly {
        /// What was done.
        work: Work,
        /// The limit.
        cost: Cost,
    },
    /// The process ended without an answer.
    #[error("{} ended its process: {how}", .work.as_str())]
    Crashed {
        /// What was done.
        work: Work,
        /// How it ended.
        how: String,
    },
    /// This machine is at fault, not the component.
    #[error("the component cannot be judged on this machine: {0}")]
    Host(String),
}

impl Failure {
    /// The code under which people see it.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Failure::Component { code, .. } => *code,
            Failure::TooCostly { .. } => ErrorCode::ComponentTooCostly,
            Failure::Crashed { .. } => ErrorCode::CompileFailed,
            Failure::Host(_) => ErrorCode::WorkerFault,
        }
    }

    /// Whether judging it again, here, would end the same way.
    pub const fn is_lasting(&self) -> bool {
        match self {
            Failure::Component { .. } | Failure::TooCostly { .. } | Failure::Crashed { .. } => true,
            Failure::Host(_) => false,
        }
    }
}
