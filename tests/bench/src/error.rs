//! Why something could not be measured.

use std::path::PathBuf;

/// A benchmark that could not run, or whose results were wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be read or written.
    #[error("`{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A guest or program was not built.
    #[error("`{0}` is not there; `cargo xtask bench` builds everything first")]
    NotBuilt(PathBuf),
    /// What was measured does not compute what it should.
    #[error("a wrong result: {0}")]
    Wrong(String),
    /// Something that is measured failed.
    #[error("{what}: {reason}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// Why it did not work.
        reason: String,
    },
}

impl BenchError {
    /// For `map_err`: what was tried, and then the reason.
    pub(crate) fn at<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> BenchError {
        move |error| BenchError::Failed { what, reason: error.to_string() }
    }
}

/// Fails unless a result is as it should be.
pub(crate) fn check<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), BenchError> {
    if found == expected { Ok(()) } else { Err(BenchError::Wrong(format!("{what} is {found:?}, not {expected:?}"))) }
}
