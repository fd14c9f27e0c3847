//! The worker's shell over an in-memory link: a scripted scheduler on one side, a runner without a sandbox on the other.
//!
//! Run with `cargo test -p wasm-tasks-worker --no-default-features`; with the sandbox there is nothing here, so that no further
//! program links wasmtime.
#![cfg(not(feature = "sandbox"))]

#[path = "shell/cost.rs"]
mod cost;
#[path = "shell/ends.rs"]
mod ends;
#[path = "shell/inputs.rs"]
mod inputs;
#[path = "shell/runner.rs"]
mod runner;
#[path = "shell/scheduler.rs"]
mod scheduler;
