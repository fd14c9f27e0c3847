//! Makes a component of a core module and a WIT world, as `wasm-tools component embed` and
//! `component new` do together. Knows files of WIT, nothing of graphs or of running components.

use std::path::{Path, PathBuf};

use wasi_preview1_component_adapter_provider::{WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// Why no component could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComponentizeError {
    /// The bytes are not a core module: something else, or a component already.
    #[error("the input is {found}, not a core WebAssembly module")]
    NotCoreModule {
        /// What the first bytes say it is.
        found: &'static str,
    },
    /// The WIT cannot be read.
    #[error("cannot read the WIT in `{}`: {reason}", path.display())]
    Wit {
        /// The file or folder that was given.
        path: PathBuf,
        /// What the parser says, with line and column; its errors have no type to keep.
        reason: String,
    },
    /// The WIT has no such world.
    #[error("the WIT in `{}` has no world `{world}`; it has {}", path.display(), list(worlds))]
    World {
        /// The file or folder that was given.
        path: PathBuf,
        /// The name that was asked for.
        world: String,
        /// The names that there are.
        worlds: Vec<String>,
    },
    /// The module does not fit the world: an export is missing, or has another signature.
    #[error("the module does not fit world `{world}`: {reason}")]
    Misfit {
        /// The world's name.
        world: String,
        /// What the encoder says; its errors have no type to keep.
        reason: String,
    },
}

/// Makes a component that exports `world` out of the core module `core`.
///
/// `wit` is a `.wit` file or a folder with one package. The module exports functions under the
/// names of the canonical ABI, and `cabi_realloc` where a parameter needs memory. WASI preview 1
/// imports are joined to WASI 0.2 by the reactor adapter, so the module must be a reactor
/// (`-mexec-model=reactor`), not a command.
///
/// # Errors
/// [`ComponentizeError`] says which of the two inputs is wrong and why.
pub(crate) fn componentize(core: &[u8], wit: &Path, world: &str) -> Result<Vec<u8>, ComponentizeError> {
    check_is_core_module(core)?;
    let mut resolve = Resolve::default();
    let (package, _) =
        resolve.push_path(wit).map_err(|error| ComponentizeError::Wit { path: wit.to_owned(), reason: format!("{error:#}") })?;
    let selected = resolve.select_world(&[package], Some(world)).map_err(|_| ComponentizeError::World {
        path: wit.to_owned(),
        world: world.to_owned(),
        worlds: resolve.packages[package].worlds.keys().cloned().collect(),
    })?;

    let mut module = core.to_vec();
    let mut encode = || {
        wit_component::embed_component_metadata(&mut module, &resolve, selected, StringEncoding::UTF8)?;
        ComponentEncoder::default()
            .validate(true)
            .module(&module)?
            .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?
            .encode()
    };
    encode().map_err(|error| ComponentizeError::Misfit { world: world.to_owned(), reason: format!("{error:#}") })
}

/// Looks at the eight bytes that say what a WebAssembly file is.
fn check_is_core_module(bytes: &[u8]) -> Result<(), ComponentizeError> {
    let found = match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => return Ok(()),
        [0, b'a', b's', b'm', _, 0, 1, 0, ..] => "a component already",
        [0, b'a', b's', b'm', ..] => "WebAssembly of an unknown version",
        [] => "empty",
        [_, ..] => "no WebAssembly",
    };
    Err(ComponentizeError::NotCoreModule { found })
}

fn list(worlds: &[String]) -> String {
    let quoted: Vec<String> = worlds.iter().map(|world| format!("`{world}`")).collect();
    if quoted.is_empty() { "none".to_owned() } else { quoted.join(", ") }
}

#[cfg(test)]
mod tests;
