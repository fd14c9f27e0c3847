//! What the system knows of processes: processor time and resident memory. Linux only, by proc_pid_stat(5).

use crate::error::BenchError;
use std::path::PathBuf;
use std::time::Instant;

/// A process, by its number; 0 is this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// This process.
    pub(crate) const SELF: Process = Process(0);

    fn read(self, file: &str) -> Result<String, BenchError> {
        let path = match self.0 {
            0 => PathBuf::from(format!("/proc/self/{file}")),
            pid => PathBuf::from(format!("/proc/{pid}/{file}")),
        };
        std::fs::read_to_string(&path).map_err(|source| BenchError::File { path, source })
    }

    /// Processor time of all threads so far, those that ended included, in seconds. Exact to a tick of the clock (10 ms).
    pub(crate) fn cpu_seconds(self) -> Result<f64, BenchError> {
        let stat = self.read("stat")?;
        // The name in parentheses may hold anything; fields are counted after it: utime and stime are the 14th and 15th.
        let ticks: u64 = stat
            .rsplit_once(')')
            .map_or("", |(_, rest)| rest)
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(self) -> Result<u64, BenchError> {
        let statm = self.read("statm")?;
        let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        Ok(pages * rustix::param::page_size() as u64)
    }
}

impl Process {
    /// The most memory that was ever resident, in bytes.
    pub(crate) fn peak_bytes(self) -> Result<u64, BenchError> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kib.unwrap_or(0) * 1_024)
    }
}

/// Measures what the calling thread does, without the time that it was ready to run and others had the processor.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    waited: f64,
    start: Instant,
}

impl Stopwatch {
    /// Starts.
    pub(crate) fn start() -> Result<Stopwatch, BenchError> {
        let waited = waited_seconds()?;
        Ok(Stopwatch { waited, start: Instant::now() })
    }

    /// Seconds since the start, on the same thread.
    pub(crate) fn seconds(&self) -> Result<f64, BenchError> {
        let passed = self.start.elapsed().as_secs_f64();
        Ok((passed - (waited_seconds()? - self.waited)).max(0.0))
    }
}

/// How long the calling thread waited for a processor so far: the second field of schedstat, in nanoseconds.
fn waited_seconds() -> Result<f64, BenchError> {
    let path = PathBuf::from("/proc/thread-self/schedstat");
    let text = std::fs::read_to_string(&path).map_err(|source| BenchError::File { path, source })?;
    Ok(text.split_whitespace().nth(1).and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0) as f64 / 1e9)
}
