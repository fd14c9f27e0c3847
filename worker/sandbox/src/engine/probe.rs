//! What this machine can do for the pool: scanning page tables, and whether pages may be swapped out.

use wasmtime::PoolingAllocationConfig;

/// Whether used pages may be found by a scan and reset in place, which makes a fresh instance several times cheaper.
///
/// Only with swap off: the scan does not see dirty pages that were swapped out, so the next task would read them
/// (bytecodealliance/wasmtime#14357).
pub(super) fn can_keep_resident() -> bool {
    cfg!(target_os = "linux") && PoolingAllocationConfig::is_pagemap_scan_available() && is_swap_off()
}

/// `/proc/swaps` has a line of titles and one for each swap area.
fn is_swap_off() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|swaps| swaps.lines().count() <= 1)
}
