//! How large the results of a function are, and whether that can be foreseen.
//!
//! Must not know what a task is.

/// Weight of the newest result in the averages: sizes of a function drift with its inputs, as durations do.
const NEWEST_WEIGHT: f64 = 0.5;
/// Weight of the newest result in the average of how far forecasts were off: that of deviations in RFC 6298.
const OFF_WEIGHT: f64 = 0.25;
/// Results before it is believed how well they are foreseen.
const MEASURED_MIN: u64 = 8;
/// Where forecasts are off by more than this part on average, nothing is foreseen.
const OFF_MAX: f64 = 0.5;

/// What was measured of a function's results.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sizes {
    count: u64,
    /// Bytes on average.
    mean: f64,
    /// How far forecasts were off on average, as a part of the larger of forecast and result.
    off: f64,
}

impl Sizes {
    /// Notes a result, and how many bytes the graph's author expected, if anything.
    pub(crate) fn note(&mut self, said: Option<u64>, bytes: u64) {
        let bytes = bytes as f64;
        let foreseen = said.map_or(self.mean, |said| said as f64);
        if said.is_some() || self.count > 0 {
            let off = (bytes - foreseen).abs() / bytes.max(foreseen).max(1.0);
            self.off += OFF_WEIGHT * (off - self.off);
        }
        self.mean = if self.count == 0 { bytes } else { self.mean + NEWEST_WEIGHT * (bytes - self.mean) };
        self.count += 1;
    }

    /// Bytes that a result will have, by what its graph's author expects, if anything; 0 where that cannot be foreseen.
    pub(crate) fn foreseen(&self, said: Option<u64>) -> u64 {
        if self.count >= MEASURED_MIN && self.off > OFF_MAX {
            return 0;
        }
        said.unwrap_or(self.mean as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::Sizes;

    #[test]
    fn sizes_are_what_is_said_and_else_what_was_measured() {
        let mut sizes = Sizes::default();
        assert_eq!((sizes.foreseen(None), sizes.foreseen(Some(7))), (0, 7));
        sizes.note(None, 100);
        assert_eq!((sizes.foreseen(None), sizes.foreseen(Some(7))), (100, 7));
    }

    #[test]
    fn what_is_said_wrongly_is_not_believed() {
        let mut sizes = Sizes::default();
        (0..20).for_each(|at| sizes.note(Some(1_000), if at % 2 == 0 { 1_900 } else { 16 }));
        assert_eq!(sizes.foreseen(Some(1_000)), 0);
        (0..20).for_each(|_| sizes.note(Some(1_000), 1_100));
        assert_eq!(sizes.foreseen(Some(1_000)), 1_000);
    }
}
