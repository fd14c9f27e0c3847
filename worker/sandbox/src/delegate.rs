//! The host function with which a task ends in tasks: `wasm-tasks:task/delegate`.
//!
//! Owns the bound on what a guest may write. What the tasks say is the scheduler's business: it reads and checks them.

use crate::state::{Stop, TaskState};
use wasm_tasks_protocol::limits::DELEGATION_BYTES_MAX;
use wasmtime::component::{LinkerInstance, WasmList};
use wasmtime::{Result, StoreContextMut};

/// Defines a function of the interface; one that it does not have ends the task.
pub(crate) fn define(linker: &mut LinkerInstance<'_, TaskState>, import: &str, name: &str) -> Result<()> {
    if name != "delegate" {
        let full_name = format!("{import}#{name}");
        return linker.func_new(name, move |_, _, _, _| Err(Stop::Denied(full_name.clone()).into()));
    }
    linker.func_wrap(name, |store: StoreContextMut<'_, TaskState>, (tasks,): (WasmList<u8>,)| -> Result<()> {
        let bytes = tasks.as_le_slice(&store);
        if bytes.len() > DELEGATION_BYTES_MAX {
            let message = format!("the task wrote tasks of {} bytes; {DELEGATION_BYTES_MAX} is the limit", bytes.len());
            return Err(Stop::TooMuch(message).into());
        }
        Err(Stop::Delegated(bytes.to_vec()).into())
    })
}
