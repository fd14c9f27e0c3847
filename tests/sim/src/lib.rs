//! Simulates the scheduler's and the workers' cores over virtual time.
