//! What a pure package must not do, so that the test is known to see it.

use std::collections::HashMap;
use std::time::Instant;

/// Reads the clock, and draws random numbers for the order of a hash map.
#[unsafe(no_mangle)]
pub extern "C" fn impure(out: &mut HashMap<u64, Instant>) {
    *out = HashMap::new();
    out.insert(out.len() as u64, Instant::now());
}
