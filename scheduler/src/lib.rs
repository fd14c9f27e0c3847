//! The scheduler's shell: sessions of clients, uploads, checks, links to workers. It drives the core.
//!
//! Owns the bytes of graphs and components, and everything that touches a link or a clock. One task, the
//! [`actor`], owns the core; everything else sends it events. Must not know how tasks are placed or run.

mod actor;
mod answers;
mod checks;
mod components;
mod delegation;
mod dense_hash;
mod graphs;
mod inbox;
mod known;
mod links;
mod loads;
mod numbering;
mod order;
mod outbox;
mod owed;
mod parts;
mod places;
mod scheduler;
mod submit;

pub use order::GraphOrder;
pub use scheduler::{Scheduler, SchedulerSettings};
