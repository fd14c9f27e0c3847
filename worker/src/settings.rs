//! What a worker is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;
use wasm_tasks_protocol::graph::Resource;
use wasm_tasks_protocol::message::WorkerOffer;
use wasm_tasks_worker_core::CoreSettings;

/// How a worker is set up.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// For people; need not be unique.
    pub name: String,
    /// Tasks of one slot that run at once.
    pub slots: u32,
    /// Bytes of memory for tasks and results.
    pub memory_bytes: u64,
    /// Labels beyond `arch` and `os`, which are always there.
    pub labels: Vec<(String, String)>,
    /// Named pools.
    pub pools: Vec<Resource>,
    /// Results are written to disk when they take more than this many hundredths of `memory_bytes`.
    pub spill_at: u8,
    /// One task runs at a time while results in memory take more than this many hundredths of `memory_bytes`.
    pub pause_at: u8,
    /// When it will leave, where that is known: tasks that ask for more time are not given to it. Whoever runs the worker
    /// drains it then.
    pub leaves_at: Option<Instant>,
    /// Where results are written; a folder of its own is made in it, mode
    /// 0700. None: they stay in memory.
    pub spill_dir: Option<PathBuf>,
    /// Bytes that are kept of all tasks' output together.
    pub log_bytes_max: usize,
}

impl WorkerSettings {
    /// A worker of that many slots with the memory that this machine has.
    pub fn new(name: impl Into<String>, slots: u32) -> WorkerSettings {
        WorkerSettings {
            name: name.into(),
            slots: slots.max(1),
            memory_bytes: machine_memory_bytes().unwrap_or(4 << 30),
            labels: Vec::new(),
            pools: Vec::new(),
            spill_at: 60,
            pause_at: 80,
            leaves_at: None,
            spill_dir: None,
            log_bytes_max: 64 << 20,
        }
    }

    /// Calls that may run at once: an engine must be made for that many.
    pub fn lanes(&self) -> u32 {
        self.core().lanes
    }

    /// Its labels with those that are always there: what tasks can ask for.
    pub fn all_labels(&self) -> Vec<(String, String)> {
        let own = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut labels = vec![own("arch", std::env::consts::ARCH), own("os", std::env::consts::OS)];
        labels.extend(self.labels.iter().filter(|(key, _)| key != "arch" && key != "os").cloned());
        labels
    }

    pub(crate) fn core(&self) -> CoreSettings {
        CoreSettings {
            pools: self.pools.clone(),
            pause_above_bytes: part(self.memory_bytes, self.pause_at),
            ..CoreSettings::new(self.slots.max(1), self.memory_bytes)
        }
    }

    pub(crate) fn offer(&self, addresses: Vec<SocketAddr>) -> WorkerOffer {
        WorkerOffer {
            name: self.name.clone(),
            slots: self.slots.max(1),
            memory_bytes: self.memory_bytes,
            labels: self.all_labels(),
            pools: self.pools.clone(),
            lifetime: self.leaves_at.map(|at| at.saturating_duration_since(Instant::now()).into()),
            addresses,
            pid: std::process::id(),
        }
    }

    /// Bytes of results in memory above which they are spilled.
    pub(crate) fn spill_above_bytes(&self) -> u64 {
        part(self.memory_bytes, self.spill_at)
    }
}

fn part(bytes: u64, hundredths: u8) -> u64 {
    (u128::from(bytes) * u128::from(hundredths) / 100) as u64
}

/// The memory that this process may use, as Linux tells it: the machine's, or what its container is limited to.
fn machine_memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.split_whitespace().next()?;
    let machine = kilobytes.parse::<u64>().ok()?.saturating_mul(1_024);
    // Inside a container with cgroup v2 this is its own limit; `max` and absence mean none.
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some(container.map_or(machine, |limit: u64| limit.min(machine)))
}

/// Resident memory of this process; 0 where the system does not tell.
pub(crate) fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0).saturating_mul(1_024)
}
