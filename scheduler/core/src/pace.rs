//! How fast a worker is: what tasks took there over what was foreseen of them, beside what they took everywhere.
//!
//! Must not know what tasks are. A worker that lies about durations is given more or less to do than it could, up to a bound.

/// How much the newest task counts once enough were measured.
const NEWEST_WEIGHT: f64 = 0.05;
/// Of an average with that weight, the number of values whose plain average is as good.
const AS_GOOD_AS: f64 = (2.0 - NEWEST_WEIGHT) / NEWEST_WEIGHT;
/// Tasks that are measured before anything is believed.
const MEASURED_MIN: u64 = 3;
/// Standard errors by which a worker is taken to differ less than it seems to: chance alone makes no worker slow.
const DOUBT: f64 = 2.0;
/// As if so many times more of them while one task was measured, a half of that after two, and so on: how much lengths vary is
/// not known well from a few.
const DOUBT_OF_FEW: f64 = 6.0;
/// No worker is taken to be slower or faster than this many times.
const FACTOR_MAX: f64 = 16.0;
/// No single task is taken to have differed more from what was foreseen.
const RATIO_MAX: f64 = 100.0;

/// What was measured, in natural logarithms: twice as slow is as far from usual as twice as fast.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pace {
    count: u64,
    mean: f64,
    variance: f64,
    /// How much longer tasks take than elsewhere, less 1.
    excess: f64,
}

impl Pace {
    /// Notes a task, and what became of the pace beside that of all.
    pub(crate) fn note(&mut self, foreseen_us: u64, taken_us: u64, all: &mut Pace) {
        let ratio = taken_us.max(1) as f64 / foreseen_us.max(1) as f64;
        let value = ratio.clamp(1.0 / RATIO_MAX, RATIO_MAX).ln();
        all.add(value);
        self.add(value);
        if self.count < MEASURED_MIN {
            return;
        }
        let off = self.mean - all.mean;
        let doubt = DOUBT * (1.0 + DOUBT_OF_FEW / self.count as f64) * (self.variance / AS_GOOD_AS.min(self.count as f64)).sqrt();
        let believed = off.signum() * (off.abs() - doubt).max(0.0);
        self.excess = believed.exp().clamp(1.0 / FACTOR_MAX, FACTOR_MAX) - 1.0;
    }

    fn add(&mut self, value: f64) {
        self.count = self.count.saturating_add(1);
        let weight = NEWEST_WEIGHT.max(1.0 / self.count as f64);
        let delta = value - self.mean;
        self.mean += weight * delta;
        self.variance = (1.0 - weight) * (self.variance + weight * delta * delta);
    }

    /// How many times longer tasks take here than elsewhere.
    pub(crate) fn factor(&self) -> f64 {
        1.0 + self.excess
    }

    /// What a task takes here that takes so long elsewhere, in microseconds.
    pub(crate) fn here_us(&self, elsewhere_us: u64) -> u64 {
        if self.excess == 0.0 { elsewhere_us } else { (elsewhere_us as f64 * self.factor()) as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;

    /// Paces of workers of which the first takes so many times longer, after so many tasks of each; lengths vary by a pattern.
    fn measure(times: f64, tasks: u64, pattern: &[f64]) -> [f64; 3] {
        let mut all = Pace::default();
        let mut paces = [Pace::default(), Pace::default(), Pace::default()];
        for task in 0..tasks {
            for (worker, pace) in paces.iter_mut().enumerate() {
                let varied = pattern[(task as usize + worker) % pattern.len()] * if worker == 0 { times } else { 1.0 };
                pace.note(10_000, (10_000.0 * varied) as u64, &mut all);
            }
        }
        paces.map(|pace| pace.factor())
    }

    #[test]
    fn a_slow_worker_is_told_from_the_others() {
        let [slow, ..] = measure(4.0, 2, &[1.0]);
        assert_eq!(slow, 1.0, "a few tasks prove nothing");
        let [slow, one, other] = measure(4.0, 200, &[1.0]);
        assert!((3.8..4.1).contains(&(slow / one)) && (3.8..4.1).contains(&(slow / other)), "{slow} beside {one} and {other}");
        let [slow, one, other] = measure(4.0, 200, &[0.5, 1.0, 1.7]);
        assert!((2.5..4.5).contains(&(slow / one)) && (slow / other) > 2.5, "{slow} beside {one} and {other}");
    }

    #[test]
    fn chance_makes_no_worker_slow() {
        for pattern in [&[0.1, 3.0, 0.7, 1.0, 9.0][..], &[1.0, 1.0, 1.0, 50.0][..], &[1.0][..]] {
            for factor in measure(1.0, 400, pattern) {
                assert!((0.8..1.25).contains(&factor), "{factor} where lengths are {pattern:?} times as foreseen");
            }
        }
    }

    #[test]
    fn lies_are_bounded() {
        let [slow, one, _] = measure(1e30, 1_000, &[1.0]);
        assert!(slow <= 16.0 && one >= 1.0 / 16.0, "{slow} beside {one}");
        let [fast, ..] = measure(0.0, 1_000, &[1.0]);
        assert!(fast >= 1.0 / 16.0, "{fast}");
    }
}
