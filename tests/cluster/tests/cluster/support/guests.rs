//! The components that `cargo xtask guests` builds.

use super::home::target;
use std::io::Write as _;
use std::path::PathBuf;

/// Prefix of the exports of the guest `everything`.
const EVERYTHING: &str = "wasm-tasks:examples/everything@0.1.0";

/// The component of a guest in Rust, which is always built.
pub(crate) fn guest(name: &str) -> PathBuf {
    let path = file(name);
    assert!(path.exists(), "`{}` is not built; run `cargo xtask guests`", path.display());
    path
}

/// Whether a guest of another language was built here.
pub(crate) fn is_built(name: &str) -> bool {
    file(name).exists()
}

/// Says that a part of a test did not run: past the test runner, which shows what `eprintln!` writes only of tests that fail.
pub(crate) fn skip(what: &str, missing: &[&str]) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr(), "skipped: {what}; not built here: {}", missing.join(", "));
}

/// An export of the guest `everything`.
pub(crate) fn everything(function: &str) -> String {
    format!("{EVERYTHING}#{function}")
}

fn file(name: &str) -> PathBuf {
    folder().join(name).with_extension("wasm")
}

/// The folder of all guests.
pub(crate) fn folder() -> PathBuf {
    target().join("guests")
}
