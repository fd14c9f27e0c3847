//! Tests of the workspace's shape, in one program. What they demand is said in `docs/architecture.md`.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/edges.rs"]
mod edges;
#[path = "tidy/engine.rs"]
mod engine;
#[path = "tidy/errors.rs"]
mod errors;
#[path = "tidy/generated.rs"]
mod generated;
#[path = "tidy/guests.rs"]
mod guests;
#[path = "tidy/pure.rs"]
mod pure;
#[path = "tidy/purity.rs"]
mod purity;
#[path = "tidy/sources.rs"]
mod sources;
#[path = "tidy/wasm.rs"]
mod wasm;
#[path = "tidy/words.rs"]
mod words;
