//! Tests of the core: random histories with a shell that does as it is told.

mod builders;
mod histories;
