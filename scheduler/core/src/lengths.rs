//! What tasks of one function take, by how many bytes they are given.
//!
//! Must not know what a task is. Bounded: a function has at most one entry for each power of two.

/// The class of a task whose inputs are not all known.
pub(crate) const UNKNOWN: u8 = u8::MAX;

/// The class of tasks with so many bytes of inputs: 0 for none, else one more than the logarithm to base 2.
pub(crate) fn class_of(bytes: u64) -> u8 {
    (u64::BITS - bytes.leading_zeros()) as u8
}

/// Averages by class, in microseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lengths {
    /// By class, ascending, each once.
    classes: Vec<(u8, f32)>,
}

impl Lengths {
    /// Notes what a task of a class took. The newest counts for `weight`.
    pub(crate) fn note(&mut self, class: u8, taken_us: f64, weight: f64) {
        if class == UNKNOWN {
            return;
        }
        match self.classes.binary_search_by_key(&class, |(class, _)| *class) {
            Ok(at) => {
                let mean = &mut self.classes[at].1;
                *mean += (weight * (taken_us - f64::from(*mean))) as f32;
            }
            Err(at) => self.classes.insert(at, (class, taken_us as f32)),
        }
    }

    /// Whether classes differ at all.
    pub(crate) fn are_several(&self) -> bool {
        self.classes.len() > 1
    }

    /// What a task of a class takes: what such tasks took, or what lies on the line between its neighbours where both axes are
    /// logarithms, so that a power of the size stays one. Beyond the first and the last class it is as there. None where nothing
    /// is known, or the class is not.
    pub(crate) fn of(&self, class: u8) -> Option<f64> {
        if class == UNKNOWN {
            return None;
        }
        let at = self.classes.partition_point(|(other, _)| *other < class);
        let above = self.classes.get(at).copied();
        if let Some((_, mean)) = above.filter(|(other, _)| *other == class) {
            return Some(f64::from(mean));
        }
        let below = at.checked_sub(1).map(|at| self.classes[at]);
        match (below, above) {
            (Some((low, less)), Some((high, more))) => {
                let part = f64::from(class - low) / f64::from(high - low);
                let [less, more] = [less, more].map(|mean| f64::from(mean).max(1.0).ln());
                Some((less + part * (more - less)).exp())
            }
            (Some((_, mean)), None) | (None, Some((_, mean))) => Some(f64::from(mean)),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lengths, UNKNOWN, class_of};

    #[test]
    fn classes_are_powers_of_two() {
        assert_eq!([0, 1, 2, 3, 4, 1 << 20, u64::MAX].map(class_of), [0, 1, 2, 2, 3, 21, 64]);
    }

    #[test]
    fn what_was_not_seen_lies_between_what_was() {
        let mut lengths = Lengths::default();
        assert_eq!(lengths.of(3), None);
        lengths.note(UNKNOWN, 7.0, 0.5);
        assert_eq!((lengths.of(UNKNOWN), lengths.are_several()), (None, false));
        // A task that takes 10 µs a KiB.
        lengths.note(class_of(1 << 10), 10.0, 0.5);
        assert_eq!(lengths.of(class_of(1 << 30)), Some(10.0), "one class tells nothing of others");
        lengths.note(class_of(1 << 20), 10_240.0, 0.5);
        let between = lengths.of(class_of(1 << 15)).map(f64::round);
        assert_eq!((between, lengths.of(class_of(1 << 30)), lengths.of(0)), (Some(320.0), Some(10_240.0), Some(10.0)));
        lengths.note(class_of(1 << 20), 20_480.0, 0.5);
        assert_eq!(lengths.of(class_of(1 << 20)), Some(15_360.0));
    }

    #[test]
    fn there_is_one_entry_a_class_at_most() {
        let mut lengths = Lengths::default();
        (0..10_000u64).for_each(|at| lengths.note(class_of(at * at * at), f64::MAX, 0.5));
        assert!(lengths.classes.len() <= 65 && lengths.of(9).is_some_and(|us| us > 0.0));
    }
}
