//! Simulates the scheduler's and the workers' cores over virtual time.
//!
//! Owns a world of the real cores joined by links of values, with faults, checks and measurements. It knows no clock and
//! no file: everything follows from a seed.

pub mod agenda;
pub mod checks;
pub mod compare;
pub mod core_shell;
pub mod coverage;
pub mod delegate;
pub mod draw;
pub mod faults;
mod gangs;
pub mod generate;
pub mod mutant;
pub mod network;
pub mod order_line;
pub mod order_shapes;
pub mod process;
pub mod promises;
pub mod random;
pub mod read;
pub mod reference;
pub mod scenario;
pub mod scheduler;
pub mod store;
pub mod work;
pub mod world;
