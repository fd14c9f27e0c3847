//! Waiting for something that another process does, always with a bound.

use std::time::{Duration, Instant};

/// How long anything may take on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks, so that looking does not take the time of what is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until there is an answer.
///
/// # Panics
/// When there is none for [`PATIENCE`].
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {} s in vain until {what}", PATIENCE.as_secs());
        std::thread::park_timeout(LOOK_EVERY);
    }
}
