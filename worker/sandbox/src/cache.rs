//! Compiled code on disk, between runs and shared by the processes of one user.
//!
//! Compiled code is native code, so a file counts only when it belongs to this user, nobody else may write it, and its keyed
//! BLAKE3 digest was made with a key that only this user can read. What does not count is compiled again.

mod entry;
mod eviction;
mod key;

pub(crate) use entry::Entry;

use crate::engine::{EngineError, Runtime};
use key::Key;
use std::fs::{self, DirBuilder};
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use wasm_tasks_protocol::ComponentDigest;

/// The folder inside the cache folder; a change of the files' form gets another name.
const FOLDER: &str = "compiled-1";

/// A folder of compiled code.
#[derive(Debug)]
pub(crate) struct DiskCache {
    folder: PathBuf,
    key: Key,
    bytes_max: u64,
}

impl DiskCache {
    /// Opens the cache in a folder, making what is missing.
    pub(crate) fn open(cache_dir: &Path, bytes_max: u64) -> Result<DiskCache, EngineError> {
        let folder = cache_dir.join(FOLDER);
        let failed = |reason: String| EngineError::Cache { path: folder.clone(), reason };
        private_folder(&folder).map_err(|error| failed(error.to_string()))?;
        check_private(&fs::symlink_metadata(&folder).map_err(|error| failed(error.to_string()))?, true).map_err(failed)?;
        let key = Key::open(&folder.join("key")).map_err(|error| failed(error.to_string()))?;
        Ok(DiskCache { folder, key, bytes_max })
    }

    /// Makes room after an entry was written, but not by removing that one.
    pub(crate) fn make_room(&self, written: &Entry<'_>) {
        eviction::make_room(&self.folder, self.bytes_max, written.code_path());
    }

    /// The entry of a component for an engine.
    pub(crate) fn entry(&self, runtime: &Runtime, digest: ComponentDigest) -> Entry<'_> {
        let mut hasher = DigestHasher(blake3::Hasher::new());
        runtime.engine().precompile_compatibility_hash().hash(&mut hasher);
        let compatibility = hasher.0.finalize().to_hex();
        let hex: String = digest.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{hex}-{}-{}", runtime.profile().as_str(), &compatibility[..16]);
        Entry::new(&self.folder, &self.key, name)
    }
}

/// Hands a `Hash` to BLAKE3.
struct DigestHasher(blake3::Hasher);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.finalize();
        u64::from_le_bytes(*digest.as_bytes().first_chunk().unwrap_or(&[0; 8]))
    }
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(folder)
}

/// Says why something is not this user's alone.
#[cfg(unix)]
fn check_private(metadata: &fs::Metadata, folder: bool) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let me = rustix::process::geteuid().as_raw();
    if metadata.is_symlink() || metadata.is_dir() != folder {
        return Err(format!("it is not a {}", if folder { "folder" } else { "file" }));
    }
    if metadata.uid() != me {
        return Err(format!("it belongs to user {}, not to user {me} who runs this", metadata.uid()));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(format!(
            "its mode is {:o}; others must not have access, so make it {}",
            metadata.mode() & 0o777,
            if folder { "700" } else { "600" }
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &fs::Metadata, _: bool) -> Result<(), String> {
    Ok(())
}

/// Opens a new file that only this user can read.
fn create_private(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}
