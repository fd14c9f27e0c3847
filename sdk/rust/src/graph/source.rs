//! Files that a graph is made of, and the file that it is saved in.

use bytes::Bytes;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::{GraphError, Place, Source};

/// Why a graph's file, or a file that it names, cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum GraphFileError {
    /// A file cannot be read.
    #[error("cannot read `{}`: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The graph is wrong.
    #[error(transparent)]
    Graph(GraphError),
    /// A shared literal refers to a task or to another one.
    #[error("a shared literal may not hold references to tasks or data")]
    ReferenceInData,
}

impl GraphFileError {
    /// The code under which people see it.
    pub fn code(&self) -> ErrorCode {
        match self {
            GraphFileError::Read { .. } => ErrorCode::SourceUnreadable,
            GraphFileError::Write { .. } => ErrorCode::BadArguments,
            GraphFileError::Graph(error) => error.code,
            GraphFileError::ReferenceInData => ErrorCode::BadValue,
        }
    }
}

/// Where an entry's bytes are.
#[derive(Clone, Debug)]
pub(super) enum BytesFrom {
    /// In the graph file.
    File(Bytes),
    /// In another file; the path is absolute.
    Path(PathBuf),
    /// Nobody says: uploaded apart.
    Elsewhere,
}

impl BytesFrom {
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            BytesFrom::File(bytes) => Some(bytes),
            BytesFrom::Path(_) | BytesFrom::Elsewhere => None,
        }
    }

    /// The path, where it is one, as a graph file in a folder names it; without a folder it is absolute.
    ///
    /// # Errors
    /// `bad-value` at `place()` for a path that is no UTF-8: a graph file cannot name it.
    pub(super) fn source(&self, folder: Option<&Path>, place: impl FnOnce() -> Place) -> Result<Option<Source>, GraphError> {
        let BytesFrom::Path(path) = self else { return Ok(None) };
        match relative_to(path, folder) {
            Some(text) => Ok(Some(Source::Path(text))),
            None => Err(GraphError {
                code: ErrorCode::BadValue,
                place: place(),
                message: format!("a graph file cannot name `{}`, which is no UTF-8; rename it or give its bytes", path.display()),
            }),
        }
    }
}

/// A component's file: its name without the extension, and its bytes.
pub(crate) fn read_component(path: &Path) -> Result<(Option<String>, Vec<u8>), GraphFileError> {
    Ok((path.file_stem().map(|stem| stem.to_string_lossy().into_owned()), read(path)?))
}

fn read(path: &Path) -> Result<Vec<u8>, GraphFileError> {
    std::fs::read(path).map_err(|error| GraphFileError::Read { path: path.to_owned(), error })
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf, GraphFileError> {
    let path = std::path::absolute(path).map_err(|error| GraphFileError::Read { path: path.to_owned(), error })?;
    Ok(without_dots(&path))
}

/// `a/b/../c` as `a/c`, by the words alone: symbolic links are not followed.
fn without_dots(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    out
}

/// An absolute path as a graph file in `folder` names it, with `/` on every system; none when that is no UTF-8.
fn relative_to(path: &Path, folder: Option<&Path>) -> Option<String> {
    let absolute = || path.to_str().map(str::to_owned);
    let Some(folder) = folder else { return absolute() };
    let (from, to): (Vec<_>, Vec<_>) = (folder.components().collect(), path.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if shared == 0 {
        return absolute();
    }
    let up = std::iter::repeat_n(Some(".."), from.len() - shared);
    let down = to[shared..].iter().map(|part| part.as_os_str().to_str());
    Some(up.chain(down).collect::<Option<Vec<_>>>()?.join("/"))
}

/// Writes beside the file and renames, so that nobody ever sees half of it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), GraphFileError> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = std::fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|error| {
        drop(std::fs::remove_file(&temporary));
        GraphFileError::Write { path: path.to_owned(), error }
    })
}
