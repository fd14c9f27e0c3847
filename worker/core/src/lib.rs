//! The worker's state machine: events in, actions out. Pure.
