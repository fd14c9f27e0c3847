//! The repository as tidy tests see it: its files, and its packages with their dependencies.
//!
//! Owns how these are found. Must not know what is demanded of them: the tests say that.

mod files;
mod packages;

pub use files::{Repository, SourceFile, code_lines};
pub use packages::{Package, Packages};
