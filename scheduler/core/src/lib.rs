//! The scheduler's state machine: events in, actions out. Pure.
