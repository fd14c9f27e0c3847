//! The worker's shell: result store, peer fetch, executor threads; it drives the core.
//!
//! [`Worker::start`] joins a scheduler over a link. From then on one task of the runtime owns the core and does what it
//! decides; tasks run on threads of their own, in the sandbox, through the boundary of [`Runner`]. It must not know how
//! tasks are placed, and only one of its modules knows the sandbox.

mod fetch;
mod graphs;
mod inbox;
mod job;
mod lanes;
mod links;
mod logs;
mod memory;
mod peers;
mod perform;
mod runner;
#[cfg(feature = "sandbox")]
mod sandboxed;
mod serve;
mod settings;
mod shell;
mod spill;
mod spiller;
mod store;
mod table;
mod worker;

pub use peers::PeerServer;
pub use runner::{Call, CallOutcome, ComponentWanted, Inputs, Runner, STACK_BYTES};
pub use settings::WorkerSettings;
pub use worker::{Worker, WorkerError, WorkerHandle};
