//! Compiled code on disk, between runs and shared by the processes of one user.
//!
//! Compiled code is native code, so a file counts only when it belongs to this user, nobody else may write it, and its keyed
//! BLAKE3 digest was made with a key that only this user can read. What does not count is compiled again.

mod entry;
mod eviction;

pub(crate) use entry::Entry;

use crate::engine::{EngineError, Runtime};
use eviction::Room;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use wasm_tasks_judge::private::{Key, check_private, private_folder};
use wasm_tasks_protocol::ComponentDigest;

/// The folder inside the cache folder; a change of the files' form gets another name.
const FOLDER: &str = "compiled-1";

/// A folder of compiled code.
#[derive(Debug)]
pub(crate) struct DiskCache {
    folder: PathBuf,
    key: Key,
    room: Room,
}

impl DiskCache {
    /// Opens the cache in a folder, making what is missing.
    pub(crate) fn open(cache_dir: &Path, bytes_max: u64) -> Result<DiskCache, EngineError> {
        let folder = cache_dir.join(FOLDER);
        let failed = |reason: String| EngineError::Cache { path: folder.clone(), reason };
        private_folder(&folder).map_err(|error| failed(error.to_string()))?;
        check_private(&fs::symlink_metadata(&folder).map_err(|error| failed(error.to_string()))?, true).map_err(failed)?;
        let key = Key::open(&folder.join("key")).map_err(|error| failed(error.to_string()))?;
        Ok(DiskCache { folder, key, room: Room::new(bytes_max) })
    }

    /// Makes room after an entry of so many bytes was written, but not by removing that one.
    pub(crate) fn make_room(&self, written: &Entry<'_>, bytes: u64) {
        self.room.after(&self.folder, bytes, written.code_path());
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
