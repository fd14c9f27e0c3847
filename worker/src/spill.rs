//! Results on disk: written once, read back whole, checked, and deleted when nobody needs them.

use bytes::Bytes;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use wasm_tasks_protocol::{ContentDigest, ErrorCode, TaskError};

/// A spilled result. Its file is deleted when it is dropped.
#[derive(Debug)]
pub(crate) struct SpillFile {
    path: PathBuf,
    len: u64,
    digest: ContentDigest,
}

impl SpillFile {
    /// Writes a result into a new file of the folder.
    ///
    /// # Errors
    /// What the system says; nothing is left behind then.
    pub(crate) fn write(folder: &Path, number: u64, bytes: &Bytes) -> io::Result<SpillFile> {
        let path = folder.join(format!("{number}.result"));
        let file = SpillFile { path, len: bytes.len() as u64, digest: ContentDigest::of(bytes) };
        File::create_new(&file.path)?.write_all(bytes)?;
        Ok(file)
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Reads all of it, and checks that it is what was written.
    ///
    /// # Errors
    /// The worker's fault.
    pub(crate) fn read(&self) -> Result<Bytes, TaskError> {
        let fault = |what: String| {
            TaskError::new(ErrorCode::WorkerFault, format!("a result that the worker wrote to `{}` {what}", self.path.display()))
        };
        let bytes = std::fs::read(&self.path).map_err(|error| fault(format!("cannot be read back: {error}")))?;
        if ContentDigest::of(&bytes) != self.digest {
            return Err(fault("is not what was written; check the disk".to_owned()));
        }
        Ok(bytes.into())
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a spilled result cannot be deleted");
        }
    }
}
