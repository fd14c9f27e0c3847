//! When results go to disk, and where: one at a time, the oldest first, while too much is in memory.

use crate::inbox::Message;
use crate::runner::Runner;
use crate::shell::Shell;
use crate::spill::SpillFile;
use std::io;
use std::path::PathBuf;
use std::time::Instant;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_worker_core::{Event, ResultId};

/// Time from a failed write to the next try: short beside the time in which a disk is cleared, long
/// beside the write of a result.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(5);

/// The spilling of a worker.
#[derive(Debug)]
pub(crate) struct Spiller {
    /// The folder of the settings; none: nothing is spilled.
    base: Option<PathBuf>,
    /// Our own folder in it, once something was spilled.
    folder: Option<PathBuf>,
    above_bytes: u64,
    is_busy: bool,
    /// Writing failed; the next try is not before this.
    retry_at: Option<Instant>,
    next: u64,
}

impl Spiller {
    pub(crate) const fn new(base: Option<PathBuf>, above_bytes: u64) -> Spiller {
        Spiller { base, folder: None, above_bytes, is_busy: false, retry_at: None, next: 0 }
    }

    /// The folder, made when it is first needed.
    fn folder(&mut self) -> io::Result<Option<PathBuf>> {
        if self.folder.is_none()
            && let Some(base) = &self.base
        {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(io::Error::other)?;
            let folder = base.join(format!("spill-{}-{:016x}", std::process::id(), u64::from_le_bytes(random)));
            let mut builder = std::fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            std::fs::create_dir_all(base)?;
            builder.create(&folder)?;
            self.folder = Some(folder);
        }
        Ok(self.folder.clone())
    }

    /// Deletes the folder with everything in it.
    pub(crate) fn close(&mut self) {
        if let Some(folder) = self.folder.take()
            && let Err(error) = std::fs::remove_dir_all(&folder)
        {
            tracing::warn!(path = %folder.display(), %error, "the folder of spilled results cannot be deleted");
        }
        self.base = None;
    }
}

/// A worker whose runtime is dropped leaves no files behind.
impl Drop for Spiller {
    fn drop(&mut self) {
        self.close();
    }
}

impl<R: Runner> Shell<R> {
    /// Writes the next result to disk when too much is in memory and none is being written.
    pub(crate) fn spill_some(&mut self) {
        let must_wait = self.spiller.retry_at.is_some_and(|at| Instant::now() < at);
        if must_wait || self.spiller.is_busy || self.store.memory_bytes() <= self.spiller.above_bytes {
            return;
        }
        let folder = match self.spiller.folder() {
            Ok(Some(folder)) => folder,
            Ok(None) => return,
            Err(error) => return self.pause_spilling(&error),
        };
        let Some((result, bytes)) = self.store.next_to_spill() else { return };
        self.spiller.is_busy = true;
        self.spiller.next += 1;
        let (number, inbox) = (self.spiller.next, self.inbox.clone());
        tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let file = SpillFile::write(&folder, number, &bytes);
            let took = began.elapsed().into();
            // Fails when the worker has ended.
            let _ = inbox.blocking_send(Message::Spilled { result, took, file });
        });
    }

    pub(crate) fn on_spilled(&mut self, result: ResultId, took: Duration, file: io::Result<SpillFile>) {
        self.spiller.is_busy = false;
        match file {
            Ok(file) => {
                if self.spiller.retry_at.take().is_some() {
                    tracing::info!("results are spilled again");
                }
                self.store.spilled(result, file);
                self.feed(Event::Spilled { result, took });
                self.spill_some();
            }
            Err(error) => self.pause_spilling(&error),
        }
    }

    /// A full or broken disk costs memory, not results, until it takes them again. Says so once.
    fn pause_spilling(&mut self, error: &io::Error) {
        if self.spiller.retry_at.is_none() {
            tracing::error!(%error, "results cannot be spilled; they stay in memory until they can");
        }
        self.spiller.retry_at = Some(Instant::now() + RETRY_AFTER);
    }
}
