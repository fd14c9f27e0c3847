//! Says what bytes look like that are no component, so that a message can tell people what they have in their hands.

use crate::interface::InterfaceError;

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
    let starts = |prefix: &[u8]| bytes.starts_with(prefix);
    if starts(b"\x7fELF") {
        // wasmtime's compiled components are ELF files as well.
        return InterfaceError::Precompiled("an ELF file, such as a `.cwasm`");
    }
    if starts(b"MZ") || starts(b"\xcf\xfa\xed\xfe") || starts(b"\xca\xfe\xba\xbe") {
        return InterfaceError::Precompiled("a program of another system");
    }
    InterfaceError::NotAComponent(if bytes.is_empty() {
        "it is empty"
    } else if starts(b"\x1f\x8b") {
        "it is compressed with gzip; unpack it first"
    } else if starts(b"\x28\xb5\x2f\xfd") {
        "it is compressed with zstd; unpack it first"
    } else if starts(b"PK\x03\x04") {
        "it is a zip archive"
    } else if bytes.windows(11).take(16).any(|window| window == b"\xaawasm-tasks") {
        "it is a graph; `wasm-tasks submit` runs it"
    } else if b"\0asm\x0d\0\x01\0".starts_with(bytes) {
        "it ends after a few bytes"
    } else {
        text(bytes)
    })
}

fn text(bytes: &[u8]) -> &'static str {
    let head = &bytes[..bytes.len().min(512)];
    // A character may be cut at the end of the head.
    let is_text = |head: &str| head.chars().all(|c| !c.is_control() || c.is_whitespace());
    let head = match std::str::from_utf8(head) {
        Ok(head) => head,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
        Err(_) => return "it is binary data of an unknown kind",
    };
    if !is_text(head) {
        return "it is binary data of an unknown kind";
    }
    match head.trim_start() {
        head if head.starts_with("(component") || head.starts_with("(module") || head.starts_with(";;") => {
            "it is WebAssembly text; make it binary with `wasm-tools parse`"
        }
        head if head.starts_with("package ") || head.starts_with("world ") || head.starts_with("interface ") => {
            "it is WIT text, which has no code"
        }
        head if head.starts_with('<') => "it is text that begins like a web page",
        _ => "it is text",
    }
}
