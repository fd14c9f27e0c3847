//! The compiled code of one component for one engine: a file, its authenticator, and a lock.

use crate::abi::compiled;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use wasm_tasks_judge::private::{Key, check_private, write_whole};
use wasmtime::Engine;
use wasmtime::component::Component;

/// An entry of the disk cache.
pub(crate) struct Entry<'c> {
    key: &'c Key,
    /// Digest, profile and compatibility: what the authenticator binds the content to.
    name: String,
    code: PathBuf,
    authenticator: PathBuf,
    lock: PathBuf,
}

impl<'c> Entry<'c> {
    pub(super) fn new(folder: &Path, key: &'c Key, name: String) -> Entry<'c> {
        let path = |ending: &str| folder.join(format!("{name}.{ending}"));
        Entry { key, code: path("cwasm"), authenticator: path("mac"), lock: path("lock"), name }
    }

    /// Loads the entry; none when there is none that counts.
    pub(crate) fn load(&self, engine: &Engine) -> Option<Component> {
        let file = File::open(&self.code).ok()?;
        match self
            .check(&file)
            .and_then(|()| compiled::from_file(engine, &open_path(&file, &self.code)).map_err(|error| format!("{error:#}")))
        {
            Ok(component) => {
                // Best effort: the time of the last use decides what is removed first.
                let _ = file.set_modified(std::time::SystemTime::now());
                Some(component)
            }
            Err(reason) => {
                tracing::warn!(file = %self.code.display(), reason, "compiled code is not used and will be compiled again");
                None
            }
        }
    }

    pub(super) fn code_path(&self) -> &Path {
        &self.code
    }

    /// Says why the file does not count.
    fn check(&self, file: &File) -> Result<(), String> {
        check_private(&file.metadata().map_err(|error| error.to_string())?, false)?;
        let expected = fs::read(&self.authenticator).map_err(|error| error.to_string())?;
        let found = self.key.authenticate(&self.name, file).map_err(|error| error.to_string())?;
        // `blake3::Hash` compares in constant time.
        match <[u8; 32]>::try_from(expected) {
            Ok(expected) if blake3::Hash::from_bytes(expected) == blake3::Hash::from_bytes(found) => Ok(()),
            _ => Err("its authenticator does not match".to_owned()),
        }
    }

    /// Writes the entry: both files aside, then in their place, the authenticator last.
    pub(crate) fn store(&self, code: &[u8]) -> io::Result<()> {
        let authenticator = self.key.authenticate(&self.name, code)?;
        write_whole(&self.code, code)?;
        write_whole(&self.authenticator, &authenticator)
    }

    /// Waits until no other process compiles this component. None where files cannot be locked, which costs a second
    /// compilation and nothing else.
    pub(crate) fn lock(&self) -> Option<Lock> {
        loop {
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&self.lock).ok()?;
            file.lock().ok()?;
            // Whoever held it before has removed the file: others lock another one by now.
            if is_at(&file, &self.lock) {
                return Some(Lock { _file: file, path: self.lock.clone() });
            }
        }
    }
}

/// Held while a component is compiled. The file goes with it.
pub(crate) struct Lock {
    _file: File,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is locked: see `Entry::lock`. Elsewhere an open file cannot be told from another; there it stays.
        #[cfg(unix)]
        let _ = fs::remove_file(&self.path);
        #[cfg(not(unix))]
        let _ = &self.path;
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let (file, path) = (place(file.metadata()), place(fs::symlink_metadata(path)));
    file.is_some() && file == path
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// A path to the very file that is open, so that what was checked is what is mapped.
fn open_path(file: &File, path: &Path) -> PathBuf {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        let _ = path;
        PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        path.to_owned()
    }
}
