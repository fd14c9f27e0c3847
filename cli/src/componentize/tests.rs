//! Tests of `componentize` on modules written by hand.

use std::path::PathBuf;

use super::{ComponentizeError, componentize};

/// `(module (func (export "twice") (param i64) (result i64) local.get 0 i64.const 2 i64.mul))`
const TWICE: &[u8] = &[
    0, b'a', b's', b'm', 1, 0, 0, 0, 1, 6, 1, 0x60, 1, 0x7e, 1, 0x7e, 3, 2, 1, 0, 7, 9, 1, 5, b't', b'w', b'i', b'c', b'e', 0, 0,
    10, 9, 1, 7, 0, 0x20, 0, 0x42, 2, 0x7e, 0x0b,
];

fn wit(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("world.wit");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_module_becomes_a_component_with_the_worlds_exports() {
    let folder = tempfile::tempdir().unwrap();
    let path = wit(&folder, "package t:t; world w { export twice: func(x: s64) -> s64; }");
    let component = componentize(TWICE, &path, "w").unwrap();
    assert_eq!(&component[..8], &[0, b'a', b's', b'm', 13, 0, 1, 0]);
    let wit_parser::decoding::DecodedWasm::Component(resolve, world) = wit_parser::decoding::decode(&component).unwrap() else {
        panic!("decoded as a WIT package")
    };
    let exports: Vec<String> = resolve.worlds[world].exports.keys().map(|key| resolve.name_world_key(key)).collect();
    assert_eq!(exports, ["twice"]);
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = wit(&folder, "package t:t; world w { export thrice: func(x: s64) -> s64; } world v {}");

    let error = componentize(TWICE, &path, "w").unwrap_err();
    assert!(matches!(&error, ComponentizeError::Misfit { .. }), "{error}");
    assert!(error.to_string().contains("thrice"), "{error}");

    let error = componentize(TWICE, &path, "x").unwrap_err();
    assert!(error.to_string().ends_with("has no world `x`; it has `w`, `v`"), "{error}");

    let error = componentize(b"\0asm\x0d\0\x01\0", &path, "w").unwrap_err();
    assert!(error.to_string().contains("a component already"), "{error}");

    let error = componentize(b"#!/bin/sh", &path, "w").unwrap_err();
    assert!(error.to_string().contains("no WebAssembly"), "{error}");

    let bad = wit(&folder, "package t:t; world w { export twice: func(x: s65); }");
    let error = componentize(TWICE, &bad, "w").unwrap_err();
    assert!(matches!(&error, ComponentizeError::Wit { .. }), "{error}");
}
