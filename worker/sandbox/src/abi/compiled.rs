//! Loads code that this machine compiled before. Compiled code is native code: whoever can choose it, owns the process.

use std::path::Path;
use wasmtime::component::Component;
use wasmtime::{Engine, Result};

/// Loads compiled code that the caller has just authenticated, or just compiled.
pub(crate) fn from_bytes(engine: &Engine, compiled: &[u8]) -> Result<Component> {
    // SAFETY: callers pass what `Engine::precompile_component` returned in this process.
    unsafe { Component::deserialize(engine, compiled) }
}

/// Maps a file of compiled code whose authenticity the caller has just checked, by the same open file.
pub(crate) fn from_file(engine: &Engine, path: &Path) -> Result<Component> {
    // SAFETY: `cache::entry` has checked that the file belongs to this user, that nobody else may write it or its folder, and
    // that its keyed digest is one that this user's processes made with a key that nobody else can read.
    unsafe { Component::deserialize_file(engine, path) }
}
