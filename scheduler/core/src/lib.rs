//! The scheduler's state machine: events in, actions out.
//!
//! Owns which task runs where and when, and what results are still needed. Must not know bytes of
//! arguments or results, connections, clocks, or how anything is stored.
//!
//! Usage: feed every [`Event`] to [`SchedulerCore::handle`], send [`Event::Settle`] when nothing
//! more is waiting, carry out the [`Actions`] in their order, and call `handle` with [`Event::Tick`] at
//! [`SchedulerCore::next_timeout`].

mod action;
mod attempt;
mod claims;
mod core;
mod dense_set;
mod dependents;
mod drain;
mod event;
mod explain;
mod fan;
mod forecast;
mod gang;
mod graph;
mod held;
mod invariants;
mod lengths;
mod levels;
mod load_index;
mod memory;
mod modules;
mod order;
mod pace;
mod placement;
mod queue;
mod ranks;
mod sizes;
mod small_set;
mod spilled;
mod stragglers;
mod task;
mod transitions;
mod worker;

pub use action::{Action, Actions, AssignedInput, InputAt, OutputOutcome};
pub use core::{Counters, SchedulerCore, Settings, TimerName};
pub use drain::{DrainState, DrainSummary};
pub use event::{Event, Expected, GraphPlan, WorkerPlan};
pub use explain::{Explanation, GangStanding, WorkerFit};
pub use graph::{FunctionStatistics, GraphCounts};
pub use order::{living_results, static_order, static_order_by_size};
pub use ranks::{Fleet, planned_order};
pub use task::{GraphIndex, StateName, TaskId};
pub use transitions::table::{TRANSITIONS, Transition};

#[cfg(test)]
mod tests;
