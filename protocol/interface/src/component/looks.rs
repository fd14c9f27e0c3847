//! What is said of bytes that are no component.

use crate::interface::InterfaceError;
use wasm_tasks_protocol::looks::Looks;

/// Passes what has the header of a component.
pub(super) fn refuse_what_is_no_component(bytes: &[u8]) -> Result<(), InterfaceError> {
    let Some(version) = bytes.strip_prefix(b"\0asm") else { return Err(what_it_is(bytes)) };
    match version.first_chunk::<4>() {
        None => Err(InterfaceError::NotAComponent("it ends after a few bytes")),
        Some([1, 0, 0, 0]) => Err(InterfaceError::CoreModule),
        Some([0x0d, 0, 1, 0]) => Ok(()),
        Some([_, _, 1, 0]) => Err(InterfaceError::NotAComponent(
            "it is a component of another version of the binary format; build it with current tools",
        )),
        Some(_) => Err(InterfaceError::NotAComponent("it is WebAssembly of an unknown version")),
    }
}

fn what_it_is(bytes: &[u8]) -> InterfaceError {
    InterfaceError::NotAComponent(match Looks::of(bytes) {
        // wasmtime's compiled components are ELF files.
        Looks::MachineCode if bytes.starts_with(b"\x7fELF") => {
            return InterfaceError::Precompiled("an ELF file, such as a `.cwasm`");
        }
        Looks::MachineCode => return InterfaceError::Precompiled("a program of another system"),
        Looks::Empty => "it is empty",
        Looks::Compressed("gzip") => "it is compressed with gzip; unpack it first",
        Looks::Compressed("zstd") => "it is compressed with zstd; unpack it first",
        Looks::Compressed(_) => "it is compressed; unpack it first",
        Looks::Zip => "it is a zip archive; unpack it first",
        Looks::Graph => "it is a graph; `wasm-tasks submit` runs it",
        Looks::Component | Looks::CoreModule | Looks::WasmHead => "it ends after a few bytes",
        Looks::Pickle => "it is a pickle of Python",
        Looks::Json => "it is JSON text",
        Looks::Markup => "it is text that begins like a web page",
        Looks::WasmText => "it is WebAssembly text; make it binary with `wasm-tools parse`",
        Looks::WitText => "it is WIT text, which has no code",
        Looks::Text => "it is text",
        Looks::Binary => "it is binary data of an unknown kind",
    })
}
