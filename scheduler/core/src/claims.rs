//! What workers say of themselves and of what they did, cut to what can be true before anything is computed with it.
//!
//! A worker may lie. Sums and products of what is let through here fit their integers, however many tasks and workers there are.

use crate::event::WorkerPlan;
use wasm_tasks_protocol::time::Duration;

/// A result's bytes: 64 times what results may have. A million of them fit 64 bits, and 64 of them times a million.
const SIZE_MAX: u64 = 1 << 36;
/// Bytes of memory of a worker, or of a task.
const MEMORY_MAX: u64 = 1 << 50;
/// Amounts of slots and pools, in thousandths.
const AMOUNT_MAX: u64 = u32::MAX as u64 * 1_000;
/// A year: longer than any attempt may take.
const RUN_MAX: Duration = Duration(366 * 24 * 3_600 * 1_000_000);
/// Bytes a second: slower links are of no use, and faster ones make no difference.
const BANDWIDTH_MIN: u64 = 64 << 10;
const BANDWIDTH_MAX: u64 = 16 << 30;
/// A minute: links with a longer round trip are not kept.
const ROUND_TRIP_MAX: Duration = Duration(60_000_000);

/// Bytes of a result.
pub(crate) fn size(claimed: u64) -> u64 {
    claimed.min(SIZE_MAX)
}

/// Bytes of memory.
pub(crate) fn memory_bytes(claimed: u64) -> u64 {
    claimed.min(MEMORY_MAX)
}

/// Bytes a second that came.
pub(crate) fn bandwidth(bytes: u64, took: Duration) -> u64 {
    ((bytes as f64 * 1e6 / took.0.max(1) as f64) as u64).clamp(BANDWIDTH_MIN, BANDWIDTH_MAX)
}

/// Wall time of an attempt.
pub(crate) fn run(claimed: Duration) -> Duration {
    claimed.min(RUN_MAX)
}

/// A round trip.
pub(crate) fn round_trip(claimed: Duration) -> Duration {
    claimed.min(ROUND_TRIP_MAX)
}

/// What a worker offers. A pool that is named twice counts once, as it was named first.
pub(crate) fn plan(mut claimed: WorkerPlan) -> WorkerPlan {
    claimed.slots_milli = claimed.slots_milli.min(AMOUNT_MAX);
    claimed.memory_bytes = memory_bytes(claimed.memory_bytes);
    claimed.round_trip = round_trip(claimed.round_trip);
    let mut seen: Vec<String> = Vec::with_capacity(claimed.pools.len());
    claimed.pools.retain_mut(|pool| {
        pool.milli = pool.milli.min(AMOUNT_MAX);
        let is_new = !seen.contains(&pool.name);
        if is_new {
            seen.push(pool.name.clone());
        }
        is_new
    });
    claimed
}
