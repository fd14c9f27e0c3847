//! `wasi:cli` and the preopened folders: an empty environment, no arguments, no terminal, no files, and `exit`.

use super::Denied;
use super::streams::{InputStream, OutputStream};
use crate::state::{Stop, TaskState};
use wasmtime::Result;
use wasmtime::component::{LinkerInstance, Resource};

/// Defines a function of an interface that this file has; false for any other.
pub(super) fn define(linker: &mut LinkerInstance<'_, TaskState>, interface: &str, name: &str) -> Result<bool> {
    match (interface, name) {
        ("cli/environment", "get-environment") => linker.func_wrap(name, |_, (): ()| Ok((Vec::<(String, String)>::new(),))),
        ("cli/environment", "get-arguments") => linker.func_wrap(name, |_, (): ()| Ok((Vec::<String>::new(),))),
        ("cli/environment", "initial-cwd") => linker.func_wrap(name, |_, (): ()| Ok((None::<String>,))),
        ("cli/exit", "exit") => linker.func_wrap(name, |_, (status,): (std::result::Result<(), ()>,)| -> Result<()> {
            Err(Stop::Exit(u8::from(status.is_err())).into())
        }),
        ("cli/exit", "exit-with-code") => {
            linker.func_wrap(name, |_, (status,): (u8,)| -> Result<()> { Err(Stop::Exit(status).into()) })
        }
        ("cli/stdin", "get-stdin") => linker.func_wrap(name, |_, (): ()| Ok((Resource::<InputStream>::new_own(0),))),
        ("cli/stdout", "get-stdout") => linker.func_wrap(name, |_, (): ()| Ok((OutputStream::stdout(),))),
        ("cli/stderr", "get-stderr") => linker.func_wrap(name, |_, (): ()| Ok((OutputStream::stderr(),))),
        (
            "cli/terminal-stdin" | "cli/terminal-stdout" | "cli/terminal-stderr",
            "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr",
        ) => linker.func_wrap(name, |_, (): ()| Ok((None::<Resource<Denied>>,))),
        ("filesystem/preopens", "get-directories") => {
            linker.func_wrap(name, |_, (): ()| Ok((Vec::<(Resource<Denied>, String)>::new(),)))
        }
        _ => return Ok(false),
    }?;
    Ok(true)
}
