//! The command, as its users meet it: real processes, real files, QUIC on loopback. Knows nothing of what is inside.
//!
//! `cargo xtask test` builds what this needs. By hand: `cargo build -p wasm-tasks-cli`, `cargo xtask guests`,
//! `cargo test -p wasm-tasks-cluster-tests`.

mod cluster {
    mod bad_components;
    mod bad_graphs;
    mod check_agrees;
    mod clients;
    mod delegations;
    mod failures;
    mod fleets;
    mod fragments;
    mod gangs;
    mod judged;
    mod looking;
    mod misfits;
    mod outputs;
    mod places;
    mod polyglot;
    mod replay;
    mod resources;
    mod run;
    mod sessions;
    mod sharing;
    mod support;
    mod vectors;
    mod workers;
}
