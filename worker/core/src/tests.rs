//! Tests of the core: random histories with a shell that does as it is told, and scripts with their answers.

mod builders;
mod histories;
mod scripts;
