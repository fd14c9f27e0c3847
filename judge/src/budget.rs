//! What judging a component may take, by its size and by what is done with it.

use std::time::Duration;
use wasm_tasks_protocol::limits::{
    COMPILE_CPU_MS, COMPILE_CPU_MS_PER_MIB, COMPILE_MEMORY_BYTES, COMPILE_MEMORY_PER_BYTE, COMPILED_BYTES_MAX, INSPECT_CPU_MS,
    INSPECT_CPU_MS_PER_MIB, INSPECT_MEMORY_BYTES, INSPECT_MEMORY_PER_BYTE, INTERFACE_BYTES_MAX, JUDGE_MEMORY_BYTES_MAX,
    JUDGE_WALL_PER_CPU,
};

/// What is done with a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// Validate it and read its interface.
    Inspect,
    /// Compile it.
    Compile {
        /// Whether the code counts fuel.
        is_metered: bool,
    },
}

impl Work {
    /// For people, as the beginning of a sentence.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Work::Inspect => "validating the component",
            Work::Compile { .. } => "compiling the component",
        }
    }

    /// Bytes that the answer may have.
    pub(crate) const fn answer_bytes_max(self) -> usize {
        match self {
            Work::Inspect => INTERFACE_BYTES_MAX,
            Work::Compile { .. } => COMPILED_BYTES_MAX,
        }
    }
}

/// Limits of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of address space beyond what the process has when it starts.
    pub memory_bytes: u64,
    /// CPU time of all its threads; counted in whole seconds, from 1.
    pub cpu: Duration,
    /// Time from its start to its answer.
    pub wall: Duration,
    /// How far it steps back behind other processes, as `nice` counts.
    pub niceness: u8,
}

/// The limits for all components: those of `limits.rs`, or bases that an operator set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budgets {
    /// Bytes of memory for a component of no size, instead of the limit.
    pub memory_bytes: Option<u64>,
    /// CPU time for a component of no size, instead of the limit.
    pub cpu: Option<Duration>,
    /// How far processes step back behind others, as `nice` counts: some where tasks run meanwhile, none where somebody waits.
    pub niceness: u8,
}

impl Budgets {
    /// The limits for a component of that many bytes.
    pub fn of(&self, work: Work, len: usize) -> Budget {
        let (memory, per_byte, cpu_ms, per_mib) = match work {
            Work::Inspect => (INSPECT_MEMORY_BYTES, INSPECT_MEMORY_PER_BYTE, INSPECT_CPU_MS, INSPECT_CPU_MS_PER_MIB),
            Work::Compile { .. } => (COMPILE_MEMORY_BYTES, COMPILE_MEMORY_PER_BYTE, COMPILE_CPU_MS, COMPILE_CPU_MS_PER_MIB),
        };
        let len = len as u64;
        let memory_bytes = self.memory_bytes.unwrap_or(memory).saturating_add(len.saturating_mul(per_byte));
        let cpu = self.cpu.unwrap_or(Duration::from_millis(cpu_ms)) + Duration::from_millis(len.saturating_mul(per_mib) >> 20);
        Budget {
            memory_bytes: memory_bytes.min(JUDGE_MEMORY_BYTES_MAX),
            cpu,
            wall: cpu * JUDGE_WALL_PER_CPU as u32,
            niceness: self.niceness,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_grow_with_the_component_up_to_a_limit() {
        let budgets = Budgets::default();
        for work in [Work::Inspect, Work::Compile { is_metered: false }] {
            let (none, mib) = (budgets.of(work, 0), budgets.of(work, 1 << 20));
            assert!(none.memory_bytes < mib.memory_bytes && none.cpu < mib.cpu && mib.cpu < mib.wall);
            assert_eq!(budgets.of(work, usize::MAX >> 8).memory_bytes, JUDGE_MEMORY_BYTES_MAX);
        }
    }
}
