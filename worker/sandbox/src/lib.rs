//! Runs one export of a component in a fresh sandbox, with limits. The only crate that names wasmtime.
