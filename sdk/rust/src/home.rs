//! Where things are kept on this machine. Owns the names of folders, not what is in them.
//!
//! `WASM_TASKS_HOME` holds everything when it is set. Otherwise compiled modules are in the cache folder
//! (`$XDG_CACHE_HOME/wasm-tasks`, `~/.cache/wasm-tasks`) and credentials, runs and local fleets in the state
//! folder (`$XDG_STATE_HOME/wasm-tasks`, `~/.local/state/wasm-tasks`).

use std::path::{Path, PathBuf};

/// Bytes that are written to see whether a folder takes files: a block, because an empty file fits on a full disk.
const PROBE_BYTES: usize = 4_096;

/// Makes a folder that only this user can look into, where it is not there yet.
///
/// # Errors
/// Those of the file system.
pub fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The folders of this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    state: PathBuf,
    cache: PathBuf,
}

/// Neither `WASM_TASKS_HOME` nor a home folder is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no home folder is known; set `WASM_TASKS_HOME` to a folder of your own")]
pub struct NoHome;

/// Files cannot be written where they are to be kept.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot write in `{}`: {error}; compiled code and records of runs are not kept. \
     Set `WASM_TASKS_HOME` to a folder of your own",
    folder.display()
)]
pub struct Unwritable {
    /// The folder.
    pub folder: PathBuf,
    /// Why not.
    #[source]
    pub error: std::io::Error,
}

impl Home {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`NoHome`].
    pub fn from_env() -> Result<Home, NoHome> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(home) = set("WASM_TASKS_HOME") {
            return Ok(Home::at(&home));
        }
        let under = |name: &str, default: &str| {
            let base = set(name).filter(|path| path.is_absolute());
            base.or_else(|| Some(std::env::home_dir()?.join(default))).map(|base| base.join("wasm-tasks")).ok_or(NoHome)
        };
        Ok(Home { state: under("XDG_STATE_HOME", ".local/state")?, cache: under("XDG_CACHE_HOME", ".cache")? })
    }

    /// Everything in one folder.
    pub fn at(folder: &Path) -> Home {
        Home { state: folder.to_owned(), cache: folder.join("cache") }
    }

    /// Whether files can be written in these folders, which are made where they are not there.
    ///
    /// # Errors
    /// [`Unwritable`], for the first folder where they cannot.
    pub fn check_writable(&self) -> Result<(), Unwritable> {
        for folder in [&self.cache, &self.state] {
            let probe = folder.join(format!(".probe-{}", std::process::id()));
            let written = create_private(folder).and_then(|()| std::fs::write(&probe, [0; PROBE_BYTES]));
            // It is not there where it could not be written.
            drop(std::fs::remove_file(&probe));
            written.map_err(|error| Unwritable { folder: folder.clone(), error })?;
        }
        Ok(())
    }

    /// These folders if files can be written there, otherwise none and a warning: nothing is kept then.
    pub fn if_writable(self) -> Option<Home> {
        let checked = self.check_writable().inspect_err(|unwritable| tracing::warn!("{unwritable}"));
        checked.is_ok().then_some(self)
    }

    /// Compiled modules; may be deleted at any time.
    pub fn modules(&self) -> PathBuf {
        self.cache.join("modules")
    }

    /// Results that do not fit into memory, while a worker runs.
    pub fn spill(&self) -> PathBuf {
        self.cache.join("spill")
    }

    /// Keys and certificates of the clusters of this machine.
    pub fn credentials(&self) -> PathBuf {
        self.state.join("credentials")
    }

    /// Folders of embedded runs.
    pub fn runs(&self) -> PathBuf {
        self.state.join("runs")
    }

    /// What `wasm-tasks up` keeps about its processes.
    pub fn fleet(&self) -> PathBuf {
        self.state.join("fleet")
    }
}
