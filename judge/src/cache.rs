//! Interfaces on disk, between runs: one file for each component, an authenticator in front.
//!
//! What does not count (of another user, damaged, of another form) is judged again. Nothing here fails a judgement.

use crate::private::{Key, check_private, private_folder, write_whole};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasm_tasks_protocol::ComponentDigest;
use wasm_tasks_protocol::limits::INTERFACE_BYTES_MAX;

/// The folder inside the cache folder; a change of what is kept gets another name.
const FOLDER: &str = "interfaces-1";
/// Files that are kept; with the 2 KiB of a usual one, 32 MiB.
const FILES_MAX: usize = 16_384;
const AUTHENTICATOR_BYTES: usize = 32;

/// A folder of interfaces.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: Arc<Path>,
    key: Arc<Key>,
}

impl Cache {
    pub(crate) fn open(cache_dir: &Path) -> io::Result<Cache> {
        let folder = cache_dir.join(FOLDER);
        private_folder(&folder)?;
        check_private(&fs::symlink_metadata(&folder)?, true).map_err(io::Error::other)?;
        let key = Key::open(&folder.join("key"))?;
        let cache = Cache { folder: folder.into(), key: Arc::new(key) };
        Ok(cache)
    }

    fn path(&self, digest: ComponentDigest) -> (String, PathBuf) {
        let name: String = digest.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.folder.join(&name);
        (name, path)
    }

    /// The interface of a component as it was kept.
    pub(crate) fn find(&self, digest: ComponentDigest) -> Option<Vec<u8>> {
        let (name, path) = self.path(digest);
        let file = File::open(path).ok()?;
        check_private(&file.metadata().ok()?, false).ok()?;
        let mut bytes = Vec::new();
        let most = (AUTHENTICATOR_BYTES + INTERFACE_BYTES_MAX) as u64;
        file.take(most + 1).read_to_end(&mut bytes).ok()?;
        let (expected, content) = bytes.split_first_chunk::<AUTHENTICATOR_BYTES>()?;
        let found = self.key.authenticate(&name, content).ok()?;
        // `blake3::Hash` compares in constant time.
        let counts = blake3::Hash::from_bytes(*expected) == blake3::Hash::from_bytes(found);
        counts.then(|| content.to_vec())
    }

    /// Keeps the interface of a component.
    pub(crate) fn keep(&self, digest: ComponentDigest, content: &[u8]) {
        let (name, path) = self.path(digest);
        let kept = self.key.authenticate(&name, content).and_then(|authenticator| {
            self.make_room()?;
            write_whole(&path, &[&authenticator, content].concat())
        });
        if let Err(error) = kept {
            tracing::debug!(%error, "an interface is not kept");
        }
    }

    /// Forgets everything when there is too much: interfaces are quickly read again.
    fn make_room(&self) -> io::Result<()> {
        let mut files = fs::read_dir(&self.folder)?;
        if files.by_ref().nth(FILES_MAX).is_none() {
            return Ok(());
        }
        for file in fs::read_dir(&self.folder)? {
            let file = file?;
            if file.file_name() != "key" {
                fs::remove_file(file.path())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_and_what_was_changed_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (cache, digest) = (Cache::open(folder.path()).expect("a cache"), ComponentDigest::of(b"a component"));
        assert_eq!(cache.find(digest), None);
        cache.keep(digest, b"its interface");
        assert_eq!(cache.find(digest).as_deref(), Some(&b"its interface"[..]));
        let again = Cache::open(folder.path()).expect("the same cache");
        assert_eq!(again.find(digest).as_deref(), Some(&b"its interface"[..]), "another process has the same key");
        let (_, path) = cache.path(digest);
        let whole = fs::read(&path).expect("the file");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).expect("writable");
            assert_eq!(cache.find(digest), None, "changed at {at}");
        }
        fs::write(&path, &whole).expect("writable");
        let other = ComponentDigest::of(b"another");
        fs::rename(&path, cache.path(other).1).expect("writable");
        assert_eq!(cache.find(other), None, "of another component");
    }
}
