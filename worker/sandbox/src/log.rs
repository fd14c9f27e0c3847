//! Keeps the last bytes that a task printed.

use wasm_tasks_protocol::limits::LOG_BYTES_MAX;

/// The tail of an output stream. Allocates nothing until something is written.
#[derive(Debug, Default)]
pub(crate) struct TailLog {
    /// At most [`LOG_BYTES_MAX`] bytes; once that many, a ring.
    bytes: Vec<u8>,
    /// Where the ring starts.
    start: usize,
    dropped: u64,
}

impl TailLog {
    /// Appends, and drops what is too old.
    pub(crate) fn write(&mut self, data: &[u8]) {
        let kept = &data[data.len().saturating_sub(LOG_BYTES_MAX)..];
        self.dropped += (data.len() - kept.len()) as u64;
        let free = LOG_BYTES_MAX - self.bytes.len();
        let (append, overwrite) = kept.split_at(free.min(kept.len()));
        self.bytes.extend_from_slice(append);
        self.dropped += overwrite.len() as u64;
        for part in [
            &overwrite[..overwrite.len().min(LOG_BYTES_MAX - self.start)],
            &overwrite[overwrite.len().min(LOG_BYTES_MAX - self.start)..],
        ] {
            self.bytes[self.start..self.start + part.len()].copy_from_slice(part);
            self.start = (self.start + part.len()) % LOG_BYTES_MAX;
        }
    }

    pub(crate) fn is_truncated(&self) -> bool {
        self.dropped > 0
    }

    /// The bytes in order, after a note of how many were dropped where some were.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.rotate_left(self.start);
        if self.dropped == 0 {
            return self.bytes;
        }
        let mut noted = format!("[{} earlier bytes were dropped]\n", self.dropped).into_bytes();
        noted.append(&mut self.bytes);
        noted
    }
}
