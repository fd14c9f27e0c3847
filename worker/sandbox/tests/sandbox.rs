//! The sandbox's tests, as one binary because linking wasmtime takes a minute. Knows the crate from outside only.
#![allow(clippy::print_stdout, reason = "tests say what they did when asked with `--nocapture`")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "sandbox/attacks.rs"]
mod attacks;
#[path = "sandbox/cache.rs"]
mod cache;
#[path = "sandbox/delegations.rs"]
mod delegations;
#[path = "sandbox/differential.rs"]
mod differential;
#[path = "sandbox/dynamic.rs"]
mod dynamic;
#[path = "sandbox/generate.rs"]
mod generate;
#[path = "sandbox/host_functions.rs"]
mod host_functions;
#[path = "sandbox/hostile.rs"]
mod hostile;
#[path = "sandbox/languages.rs"]
mod languages;
#[path = "sandbox/loading.rs"]
mod loading;
#[path = "sandbox/readers.rs"]
mod readers;
#[path = "sandbox/speed.rs"]
mod speed;
#[path = "sandbox/support.rs"]
mod support;
#[path = "sandbox/surroundings.rs"]
mod surroundings;
#[path = "sandbox/values.rs"]
mod values;
