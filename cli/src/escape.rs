//! Escapes of characters that a terminal obeys or that reorder text: C0 and C1 controls, DEL, line and paragraph
//! separators, and Unicode's bidirectional controls. Knows text; `output` decides where each function is used.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a terminal would do something other than show the character where it stands.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control() || is_reordering(c)
}

/// Bidirectional controls (Unicode Standard Annex 9, section 2) and the separators U+2028 and U+2029.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_fine = |c: char| !is_unsafe(c) || is_kept(c);
    if text.chars().all(is_fine) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if is_fine(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Writing to a string cannot fail.
            c => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    Cow::Owned(out)
}

/// A name, key or other part of a line: line feeds are escaped too, so it cannot begin a line of its own.
pub(crate) fn field(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// Text of several lines, laid out by the program.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c == '\n' || c == '\t')
}

/// A message: its lines after the first are indented, so that none of them looks like a line of the program.
pub(crate) fn message(message: &str) -> String {
    let message = text(message);
    let mut out = String::with_capacity(message.len());
    for (position, line) in message.split('\n').enumerate() {
        if position > 0 {
            out.push('\n');
            if !line.is_empty() && !line.starts_with(' ') {
                out.push_str("  ");
            }
        }
        out.push_str(line);
    }
    out
}

/// Encoded JSON. Only strings can have these characters, and `\u` is an escape of JSON, so the value stays the same.
pub(crate) fn json(json: &str) -> Cow<'_, str> {
    if json.chars().all(|c| !is_unsafe(c) || c == '\n') {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        // All of them are in the basic plane. Writing to a string cannot fail.
        if is_unsafe(c) && c != '\n' {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c)
        }
    }
    Cow::Owned(out)
}

/// Bytes of a result for a terminal: bytes that are no UTF-8 as `\xNN`, the rest as [`text`].
pub(crate) fn bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&text(chunk.valid()));
        // Writing to a string cannot fail.
        chunk.invalid().iter().for_each(|byte| {
            let _ = write!(out, "\\x{byte:02x}");
        });
    }
    out
}
