//! Builds graphs and runs them: in this process, or on a fleet.
