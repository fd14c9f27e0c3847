//! How much memory is in use: results at every turn, the whole process now and then.

use crate::settings::resident_bytes;
use std::time::{Duration, Instant};

/// How often the system is asked what the process takes: it costs some 20 µs.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What was measured last.
#[derive(Debug)]
pub(crate) struct MemoryWatch {
    /// What the process took when the worker started.
    base_bytes: u64,
    process_bytes: u64,
    stored_bytes: u64,
    looked: Instant,
}

impl MemoryWatch {
    pub(crate) fn start() -> MemoryWatch {
        MemoryWatch { base_bytes: resident_bytes(), process_bytes: 0, stored_bytes: 0, looked: Instant::now() }
    }

    /// Bytes of results in memory, and of the process beyond what it took at the start, when one of them changed.
    pub(crate) fn look(&mut self, stored_bytes: u64) -> Option<(u64, u64)> {
        let is_due = self.looked.elapsed() >= LOOK_EVERY;
        if is_due {
            self.looked = Instant::now();
            self.process_bytes = resident_bytes().saturating_sub(self.base_bytes);
        }
        let is_news = is_due || stored_bytes != self.stored_bytes;
        self.stored_bytes = stored_bytes;
        is_news.then_some((stored_bytes, self.process_bytes))
    }
}
