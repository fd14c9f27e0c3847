//! How fast bytes come or go while something is on its way all the time, and when that is worth a word.
//!
//! Must not know what moves, or where to.

use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::time::Duration;

/// Of less than this it is the round trip that is measured, not the link.
const MEASURED_BYTES_MIN: u64 = 1 << 20;
/// While more is on its way, so many bytes are worth a word.
const MEASURED_BYTES_OFTEN: u64 = 64 << 20;

/// One way of a link.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Since when something is on its way all the time.
    busy_since: Option<Time>,
    /// What moved since then, and how much of it was told.
    bytes: u64,
    told_bytes: u64,
}

impl Meter {
    /// Notes when something began to be on its way, or that nothing is.
    pub(crate) fn time(&mut self, now: Time, is_busy: bool) {
        if is_busy {
            self.busy_since.get_or_insert(now);
        } else {
            *self = Meter::default();
        }
    }

    /// Notes bytes that moved. Returns what is to be told: all bytes since something is on its way, and how long that is.
    pub(crate) fn note(&mut self, now: Time, bytes: u64, is_busy: bool) -> Option<(u64, Duration)> {
        let since = self.busy_since?;
        self.bytes = self.bytes.saturating_add(bytes);
        let untold = self.bytes - self.told_bytes;
        let is_worth = untold >= if is_busy { MEASURED_BYTES_OFTEN } else { MEASURED_BYTES_MIN };
        let told = is_worth.then(|| (self.bytes, now.since(since)));
        if is_worth {
            self.told_bytes = self.bytes;
        }
        self.time(now, is_busy);
        told
    }
}

#[cfg(test)]
mod tests {
    use super::Meter;
    use wasm_tasks_protocol::Time;
    use wasm_tasks_protocol::time::Duration;

    #[test]
    fn what_moves_at_once_is_measured_together() {
        let mut meter = Meter::default();
        assert_eq!(meter.note(Time(5), 1 << 30, false), None, "nothing was on its way");
        meter.time(Time(10), true);
        meter.time(Time(20), true);
        assert_eq!(meter.note(Time(30), 1 << 20, true), None, "too little to tell while more comes");
        assert_eq!(meter.note(Time(40), 63 << 20, true), Some((64 << 20, Duration(30))));
        assert_eq!(meter.note(Time(50), 1 << 20, false), Some((65 << 20, Duration(40))));
        meter.time(Time(70), true);
        assert_eq!(meter.note(Time(80), 1 << 20, false), Some((1 << 20, Duration(10))), "a pause does not count");
        meter.time(Time(90), true);
        assert_eq!(meter.note(Time(99), (1 << 20) - 1, false), None, "of so little it is the round trip that is measured");
    }
}
