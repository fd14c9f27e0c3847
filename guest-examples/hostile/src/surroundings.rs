//! What a task can see of where it runs: clocks, randomness, standard input, its own globals and handles.

use std::cell::Cell;
use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) fn stdin() -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was read before an error is what there was to see.
    let _ = std::io::stdin().read_to_end(&mut bytes);
    bytes
}

pub(crate) fn wall_clock_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

pub(crate) fn monotonic_clock_ns() -> u64 {
    wasip2::clocks::monotonic_clock::now()
}

pub(crate) fn random(len: u32) -> Vec<u8> {
    wasip2::random::random::get_random_bytes(u64::from(len))
}

pub(crate) fn insecure_random(len: u32) -> Vec<u8> {
    wasip2::random::insecure::get_insecure_random_bytes(u64::from(len))
}

/// Counts its calls in a global: more than 1 means that another task ran in the same instance.
pub(crate) fn count() -> u32 {
    thread_local! {
        static CALLS: Cell<u32> = const { Cell::new(0) };
    }
    CALLS.with(|calls| {
        calls.set(calls.get() + 1);
        calls.get()
    })
}

pub(crate) fn hoard_handles(n: u32) {
    for _ in 0..n {
        std::mem::forget(wasip2::clocks::monotonic_clock::subscribe_duration(0));
    }
}
