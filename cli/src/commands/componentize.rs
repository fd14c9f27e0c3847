//! `wasm-tasks componentize`: a component of a core module.

use crate::Ended;
use crate::componentize::{ComponentizeError, componentize};
use crate::failure::{Exit, Failure};
use crate::format::bytes;
use crate::output::{note, write_file};
use clap::Args;
use std::fs;
use std::path::PathBuf;
use wasm_tasks::ErrorCode;

/// Makes a component of a core WebAssembly module and a WIT world
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks componentize stats.core.wasm --wit wit --world stats -o stats.wasm

The module is a reactor (`-mexec-model=reactor` in C) that exports functions under the names of the canonical ABI,
as `wit-bindgen` writes them. WASI preview 1 imports become WASI 0.2.")]
pub(crate) struct Componentize {
    /// The core module
    core: PathBuf,
    /// The WIT: a file, or a folder with one package
    #[arg(long, value_name = "DIR")]
    wit: PathBuf,
    /// The world that the module implements
    #[arg(long, value_name = "NAME")]
    world: String,
    /// The component's file
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

impl Componentize {
    pub(crate) fn run(self) -> Ended {
        let core = fs::read(&self.core).map_err(|error| Failure::unreadable(&self.core, &error))?;
        let component = componentize(&core, &self.wit, &self.world).map_err(|error| failure(&self, &error))?;
        write_file(&self.output, &component)?;
        note(format!("`{}`: {}", self.output.display(), bytes(component.len() as u64)));
        Ok(Exit::Done)
    }
}

fn failure(command: &Componentize, error: &ComponentizeError) -> Failure {
    let message = format!("`{}`: {error}", command.core.display());
    match error {
        ComponentizeError::NotCoreModule { .. } => Failure::bad_arguments(message),
        ComponentizeError::Wit { .. } | ComponentizeError::World { .. } => Failure::bad_arguments(error),
        ComponentizeError::Misfit { .. } => Failure::bad_input(ErrorCode::TypeMismatch, message),
    }
}
