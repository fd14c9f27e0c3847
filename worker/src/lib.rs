//! The worker's shell: result store, peer fetch, executor threads; it drives the core.
