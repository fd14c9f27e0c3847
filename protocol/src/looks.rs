//! Says what bytes look like that are not what was asked for, so that a message can tell people what they have in their hands.

/// What bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// No bytes.
    Empty,
    /// Compressed with the program of this name.
    Compressed(&'static str),
    /// A zip archive.
    Zip,
    /// A WebAssembly component.
    Component,
    /// A core WebAssembly module.
    CoreModule,
    /// The first bytes of WebAssembly, and no more.
    WasmHead,
    /// Machine code: ELF, Mach-O, PE. wasmtime's compiled components are ELF files as well.
    MachineCode,
    /// A pickle of Python.
    Pickle,
    /// JSON.
    Json,
    /// A web page or other markup.
    Markup,
    /// WebAssembly text.
    WasmText,
    /// WIT text.
    WitText,
    /// Another text.
    Text,
    /// A graph file.
    Graph,
    /// Something else.
    Binary,
}

impl Looks {
    /// What these bytes look like. Reads no more than their beginning.
    pub fn of(bytes: &[u8]) -> Looks {
        let starts = |prefix: &[u8]| bytes.starts_with(prefix);
        if bytes.is_empty() {
            return Looks::Empty;
        }
        let compressed: [(&[u8], _); 4] =
            [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")];
        if let Some((_, program)) = compressed.into_iter().find(|(prefix, _)| starts(prefix)) {
            return Looks::Compressed(program);
        }
        match bytes {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Looks::Zip,
            [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Looks::CoreModule,
            [0, b'a', b's', b'm', _, 0, 1, 0, ..] => Looks::Component,
            _ if b"\0asm\x0d\0\x01\0".starts_with(bytes) || b"\0asm\x01\0\0\0".starts_with(bytes) => Looks::WasmHead,
            [0x7f, b'E', b'L', b'F', ..] | [b'M', b'Z', 0..=0x1f | 0x7f.., ..] | [0xcf, 0xfa, 0xed, 0xfe, ..] => {
                Looks::MachineCode
            }
            [0xca, 0xfe, 0xba, 0xbe, ..] => Looks::MachineCode,
            [0x80, 2..=5, ..] => Looks::Pickle,
            _ if bytes.windows(11).take(16).any(|window| window == b"\xaawasm-tasks") => Looks::Graph,
            _ => text(bytes),
        }
    }

    /// What it is, after "this is".
    pub fn as_str(self) -> &'static str {
        match self {
            Looks::Empty => "an empty file",
            Looks::Compressed("gzip") => "a file compressed with gzip",
            Looks::Compressed("zstd") => "a file compressed with zstd",
            Looks::Compressed("xz") => "a file compressed with xz",
            Looks::Compressed("bzip2") => "a file compressed with bzip2",
            Looks::Compressed(_) => "a compressed file",
            Looks::Zip => "a zip archive",
            Looks::Component => "a WebAssembly component",
            Looks::CoreModule => "a core WebAssembly module",
            Looks::WasmHead => "the first bytes of a WebAssembly file",
            Looks::MachineCode => "machine code",
            Looks::Pickle => "a pickle of Python",
            Looks::Json => "JSON",
            Looks::Markup => "text that begins like a web page",
            Looks::WasmText => "WebAssembly text",
            Looks::WitText => "WIT text",
            Looks::Text => "text",
            Looks::Graph => "a graph file",
            Looks::Binary => "binary data of an unknown kind",
        }
    }

    /// What somebody can do who gave this for a graph file.
    pub const fn hint_for_graphs(self) -> &'static str {
        match self {
            Looks::Empty => "make the graph again: the program that wrote it may have been interrupted",
            Looks::Compressed(_) | Looks::Zip => "unpack it first, and name the graph file that is in it",
            Looks::Component => {
                "`wasm-tasks run FILE EXPORT ARGUMENTS…` calls a component; `wasm-tasks inspect FILE` lists its exports"
            }
            Looks::CoreModule => "`wasm-tasks componentize` makes a component of it, which `wasm-tasks run` calls",
            Looks::WasmHead => "the file is cut off; make it again",
            Looks::Json => "a graph file is MessagePack with the same fields: write it with an SDK, see docs/graph-format.md",
            Looks::MachineCode
            | Looks::Pickle
            | Looks::Markup
            | Looks::WasmText
            | Looks::WitText
            | Looks::Text
            | Looks::Graph
            | Looks::Binary => "a graph file is MessagePack: write it with an SDK, see docs/graph-format.md",
        }
    }
}

fn text(bytes: &[u8]) -> Looks {
    let head = &bytes[..bytes.len().min(512)];
    let head = match std::str::from_utf8(head) {
        Ok(head) => head,
        // A character may be cut at the end of the head.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
        Err(_) => return Looks::Binary,
    };
    if head.is_empty() || head.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return Looks::Binary;
    }
    let head = head.trim_start_matches('\u{feff}').trim_start();
    let begins = |words: &[&str]| words.iter().any(|word| head.starts_with(word));
    if begins(&["(component", "(module", ";;"]) {
        Looks::WasmText
    } else if begins(&["package ", "world ", "interface "]) {
        Looks::WitText
    } else if begins(&["<"]) {
        Looks::Markup
    } else if begins(&["{", "[", "\""]) {
        Looks::Json
    } else {
        Looks::Text
    }
}

#[cfg(test)]
mod tests {
    use super::Looks;

    #[test]
    fn what_people_give_by_mistake_is_named() {
        for (bytes, looks) in [
            (&b""[..], Looks::Empty),
            (b"{\"wasm-tasks\": 1}", Looks::Json),
            (b"\xef\xbb\xbf\n[1]", Looks::Json),
            (b"\x1f\x8b\x08\0", Looks::Compressed("gzip")),
            (b"\xfd7zXZ\0\0", Looks::Compressed("xz")),
            (b"PK\x03\x04\x14", Looks::Zip),
            (b"\0asm\x0d\0\x01\0\x07", Looks::Component),
            (b"\0asm\x01\0\0\0", Looks::CoreModule),
            (b"\0as", Looks::WasmHead),
            (b"\x7fELF\x02", Looks::MachineCode),
            (b"\x80\x04\x95\x20", Looks::Pickle),
            (b"<!DOCTYPE html>", Looks::Markup),
            (b"(component)", Looks::WasmText),
            (b"package a:b;", Looks::WitText),
            (b"name: x\n", Looks::Text),
            ("é".as_bytes(), Looks::Text),
            (b"\x86\xaawasm-tasks\x01", Looks::Graph),
            (b"\xff\xfe\0", Looks::Binary),
        ] {
            assert_eq!(Looks::of(bytes), looks, "{bytes:?}");
        }
    }
}
