//! The secret that authenticates compiled code: 32 random bytes in a file that only this user can read.

use super::{check_private, create_private};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// The secret. Not printed.
pub(super) struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Reads the key, or makes it when there is none.
    pub(super) fn open(path: &Path) -> io::Result<Key> {
        if let Some(key) = Key::read(path)? {
            return Ok(key);
        }
        // Written aside and linked into place, so that no process ever reads half a key; of two that make one, one wins.
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let aside = path.with_extension(format!("new-{}", std::process::id()));
        let mut file = create_private(&aside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        let linked = fs::hard_link(&aside, path);
        fs::remove_file(&aside)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        Key::read(path)?.ok_or_else(|| io::Error::other("the key vanished while it was made"))
    }

    fn read(path: &Path) -> io::Result<Option<Key>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        check_private(&file.metadata()?, false).map_err(|reason| io::Error::other(format!("the file `key`: {reason}")))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let bytes = bytes.try_into().map_err(|_| io::Error::other("the file `key` does not have 32 bytes; remove it"))?;
        Ok(Some(Key(bytes)))
    }

    /// Authenticates the content of a file of this name.
    pub(super) fn authenticate(&self, name: &str, mut content: impl Read) -> io::Result<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        let mut buffer = vec![0; 256 << 10];
        loop {
            match content.read(&mut buffer)? {
                0 => return Ok(*hasher.finalize().as_bytes()),
                len => hasher.update(&buffer[..len]),
            };
        }
    }
}
