//! The `wasm-tasks` command.

fn main() {}
