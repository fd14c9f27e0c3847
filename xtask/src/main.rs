//! `cargo xtask`: tasks of the project itself.

fn main() {}
