//! Which files a graph may name, and how they are opened: whoever sends a graph file to somebody must not learn what
//! else that person can read. Knows paths and files; what is read of them is `upload`'s.

use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Files that a graph may name.
///
/// A graph file is not trusted: it reaches its own folder, and folders that its user allows. A graph that the calling
/// program built itself may name whatever the program may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Whatever this process may read.
    Everything,
    /// Regular files below these folders, after links have been followed.
    Below(Vec<PathBuf>),
}

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOpened {
    /// The system refused.
    #[error(transparent)]
    System(#[from] io::Error),
    /// It is a pipe, a device, a socket or a folder.
    #[error("it is no regular file")]
    NotRegular,
    /// It is not below a folder that is allowed.
    #[error("it is outside of the folders that the graph may read")]
    Outside,
}

impl Reach {
    /// Reach of a graph file in `folder`, with more folders that its user allows.
    pub fn of_file(folder: &Path, allowed: &[PathBuf]) -> Reach {
        Reach::Below(std::iter::once(folder.to_owned()).chain(allowed.iter().cloned()).collect())
    }

    /// Opens a regular file for reading; never waits for whoever writes to a pipe.
    pub(crate) fn open(&self, path: &Path) -> Result<File, NotOpened> {
        let Reach::Below(folders) = self else { return open_regular(path) };
        let real = fs::canonicalize(path)?;
        let folders: Vec<PathBuf> = folders.iter().filter_map(|folder| fs::canonicalize(folder).ok()).collect();
        let is_within = |path: &Path| folders.iter().any(|folder| path.starts_with(folder));
        if !is_within(&real) {
            return Err(NotOpened::Outside);
        }
        let file = open_regular(&real)?;
        if is_within(&real_path(&file, &real)?) { Ok(file) } else { Err(NotOpened::Outside) }
    }
}

/// Opening a device may have effects, so a path is looked at before and, because it may change, after.
fn open_regular(path: &Path) -> Result<File, NotOpened> {
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder").into());
    }
    if !kind.is_file() {
        return Err(NotOpened::NotRegular);
    }
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(NotOpened::NotRegular) }
}

/// Where an open file is. A folder of its path may have become a link between the check and the opening.
fn real_path(file: &File, opened: &Path) -> Result<PathBuf, NotOpened> {
    use std::os::fd::AsRawFd as _;
    if let Ok(path) = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())) {
        return Ok(path);
    }
    // Without /proc: the path still leads to the file that is open.
    let path = fs::canonicalize(opened)?;
    let (open, there) = (file.metadata()?, fs::metadata(&path)?);
    if (open.dev(), open.ino()) == (there.dev(), there.ino()) { Ok(path) } else { Err(NotOpened::Outside) }
}
