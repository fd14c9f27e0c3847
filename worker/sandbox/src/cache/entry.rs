//! The compiled code of one component for one engine: a file, its authenticator, and a lock.

use super::key::Key;
use super::{check_private, create_private};
use crate::abi::compiled;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
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

    /// Waits until no other process compiles this component. Held until the file is dropped; none where files cannot be
    /// locked, which costs a second compilation and nothing else.
    pub(crate) fn lock(&self) -> Option<File> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(&self.lock).ok()?;
        file.lock().ok()?;
        Some(file)
    }
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

/// Replaces a file as a whole.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let aside = path.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&aside);
    let mut file = create_private(&aside)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}
