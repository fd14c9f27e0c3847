//! Judges components: validates them, reads their types, compiles them, in processes that can be killed.
//!
//! A component is hostile until it was judged, and small bytes may take gigabytes or minutes. [`Judge`] gives each
//! component to a child process with limits on memory, CPU time and wall time, once per digest, fairly between the
//! clients that ask; [`child`] is that process's side. Whatever happens there costs the component and nobody else.
//!
//! [`fair`] decides who is next and knows no process, so that other pools can use it; [`private`] keeps files that only
//! this user may write, with authenticators.
//!
//! It must not name the engine: the program that is started as a child brings the compiler.

mod ask;
mod budget;
mod cache;
pub mod child;
mod failure;
pub mod fair;
mod lock_down;
mod pool;
pub mod private;
mod process;
mod wire;

pub use ask::{Judge, JudgeSettings};
pub use budget::{Budget, Budgets, Work};
pub use failure::{Cost, Failure};
pub use fair::Asker;
pub use lock_down::enter as lock_down;
pub use process::Program;
