//! Drives real processes of the command on loopback.
