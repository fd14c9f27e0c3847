//! Drives real processes of the command on loopback: everything is in `tests/cluster.rs`, one test program.
