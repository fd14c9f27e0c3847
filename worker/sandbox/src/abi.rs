//! Typed calls of exports whose types are known only at run time, at the speed of `TypedFunc`.
//!
//! wasmtime's `TypedFunc` uses its static types for the number of slots only; `Lower` and `Lift` are handed the component's
//! real types. So one parameter type with sixteen slots and one result type with one slot serve every synchronous signature:
//! more parameters are stored in guest memory here, and a larger result is followed as the pointer that it is.
//!
//! **This tree is the only `unsafe` code of the project.** What it must uphold:
//! * `Lower` types are arrays of `ValRaw`, and every slot is initialised before anything else happens;
//! * guest memory is touched through checked slices only, sliced again after every `realloc`;
//! * layouts come from [`Shape`](crate::shape::Shape)s that [`agreement`] has compared with the component's own types;
//! * a [`scope::Scope`] never outlives the call whose borrows it hides.
//!
//! The traits and `component::__internal` carry no promise of stability: wasmtime is pinned, and the differential tests are
//! run on every change of it.

#![allow(unsafe_code, reason = "implements wasmtime's unsafe component traits; see the module's documentation")]

mod agreement;
pub(crate) mod compiled;
pub(crate) mod derived;
mod lift;
mod lower;
pub(crate) mod scope;
mod slots;

pub(crate) use lift::ResultFault;
pub(crate) use lower::ArgumentFault;
pub(crate) use slots::{Lifted, Signature, invoke};
