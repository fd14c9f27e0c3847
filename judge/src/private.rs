//! Files that only this user may read or write, and the secret that tells what this user wrote.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Makes a folder that only this user can look into, and those above it.
///
/// # Errors
/// Those of the file system.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Checks that a file or folder is this user's alone.
///
/// # Errors
/// Why it is not.
#[cfg(unix)]
pub fn check_private(metadata: &fs::Metadata, folder: bool) -> Result<(), String> {
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

/// Checks nothing on systems without owners and modes.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn check_private(_: &fs::Metadata, _: bool) -> Result<(), String> {
    Ok(())
}

/// Opens a new file that only this user can read.
///
/// # Errors
/// Those of the file system.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Replaces a file as a whole: readers see the old content or the new.
///
/// # Errors
/// Those of the file system; the old content stays.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let aside = path.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&aside);
    let mut file = create_private(&aside)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}

/// The secret: 32 random bytes in a file that only this user can read. Not printed.
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Reads the key, or makes it when there is none.
    ///
    /// # Errors
    /// Those of the file system, and when the file is not this user's alone or has another length.
    pub fn open(path: &Path) -> io::Result<Key> {
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
    ///
    /// # Errors
    /// Those of reading the content.
    pub fn authenticate(&self, name: &str, mut content: impl Read) -> io::Result<[u8; 32]> {
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
