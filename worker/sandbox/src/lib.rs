//! Runs one export of a component in a fresh sandbox, with limits.
//!
//! [`Engine`] loads [`Component`]s (compiling each once per machine), a component hands out [`Function`]s, and
//! [`Function::call`] runs one in a fresh instance: arguments as MessagePack in, the result's typed encoding out, or a typed
//! error. A task may compute, print, and draw numbers from its seed; everything else of WASI 0.2 is linked and denied.
//!
//! The only crate that names wasmtime. It knows no graph, no scheduler and no network.

mod abi;
mod arguments;
pub mod bare;
mod budget;
mod cache;
mod call;
mod canonical;
mod component;
mod component_types;
mod delegate;
mod dynamic;
mod engine;
mod failure;
mod fault;
mod function;
mod loading;
mod log;
mod memory;
mod numbers;
mod reading;
mod resolve;
mod run;
mod seed;
mod shape;
mod state;
mod wasi;

pub use call::{Arguments, Call, CancelFlag, Grants, Limits, Outcome};
pub use canonical::canonical;
pub use component::{BindError, Component, LoadError};
pub use engine::{Engine, EngineError, EngineSettings, EngineStats, Profile};
pub use function::Function;
pub use loading::compile_here;
pub use resolve::{Element, Resolve, ResolveError, Resolved, follow};
