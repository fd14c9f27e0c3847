//! The words of wasm-tasks: ids, values, types, the graph format, messages and limits.
//!
//! Owns everything that crosses a boundary (file, wire, core). Pure: it must not know a clock,
//! a file, the environment, a runtime or wasmtime.

pub mod codec;
pub mod error;
pub mod graph;

pub mod ids;
pub mod limits;
pub mod looks;
pub mod message;

pub mod msgpack;
pub mod thousandths;
pub mod time;
pub mod value;
pub mod value_type;

pub use error::{ErrorCode, TaskError};
pub use ids::{Attempt, ComponentDigest, ContentDigest, GraphId, TaskIndex, TaskRef, TenantId};
pub use time::{Duration, Time};
pub use value::Value;
pub use value_type::Type;
