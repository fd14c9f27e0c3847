//! A set of small numbers as a tree of bits: dense, ordered, and without allocations once it has grown.
//!
//! Knows nothing of what the numbers stand for.

/// Numbers from 0; takes a bit for each number up to the largest that was ever in it, and little more.
///
/// `levels[0]` has a bit a number; a bit of `levels[n + 1]` says whether a word of `levels[n]` is not zero. The last level is
/// one word, so finding, adding and removing take as many steps as there are levels: three up to 262,144 numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct DenseSet {
    levels: Vec<Vec<u64>>,
}

const BITS: usize = u64::BITS as usize;

impl DenseSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.levels.last().is_none_or(|words| words[0] == 0)
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        let number = number as usize;
        self.levels.first().and_then(|words| words.get(number / BITS)).is_some_and(|word| word >> (number % BITS) & 1 == 1)
    }

    /// Returns whether it was not there before.
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        if self.contains(number) {
            return false;
        }
        self.grow(number as usize / BITS + 1);
        let mut at = number as usize;
        for words in &mut self.levels {
            let word = &mut words[at / BITS];
            let was_empty = *word == 0;
            *word |= 1 << (at % BITS);
            if !was_empty {
                break;
            }
            at /= BITS;
        }
        true
    }

    /// Returns whether it was there.
    pub(crate) fn remove(&mut self, number: u32) -> bool {
        if !self.contains(number) {
            return false;
        }
        let mut at = number as usize;
        for words in &mut self.levels {
            let word = &mut words[at / BITS];
            *word &= !(1 << (at % BITS));
            if *word != 0 {
                break;
            }
            at /= BITS;
        }
        true
    }

    /// The smallest number that is at least `from`.
    pub(crate) fn next_from(&self, from: u32) -> Option<u32> {
        let mut at = from as usize;
        for (level, words) in self.levels.iter().enumerate() {
            let rest = words.get(at / BITS)? & (u64::MAX << (at % BITS));
            if rest != 0 {
                return Some(self.first_below(level, at / BITS * BITS + rest.trailing_zeros() as usize));
            }
            at = at / BITS + 1;
        }
        None
    }

    /// The largest number that is at most `from`.
    pub(crate) fn last_until(&self, from: u32) -> Option<u32> {
        let last = self.levels.first()?.len() * BITS - 1;
        let mut at = (from as usize).min(last);
        for (level, words) in self.levels.iter().enumerate() {
            let rest = words[at / BITS] & (u64::MAX >> (BITS - 1 - at % BITS));
            if rest != 0 {
                return Some(self.last_below(level, at / BITS * BITS + BITS - 1 - rest.leading_zeros() as usize));
            }
            at = (at / BITS).checked_sub(1)?;
        }
        None
    }

    /// The numbers, the smallest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let following = |number: &u32| number.checked_add(1).and_then(|next| self.next_from(next));
        std::iter::successors(self.next_from(0), following)
    }

    /// The numbers, the largest first.
    pub(crate) fn iter_down(&self) -> impl Iterator<Item = u32> + '_ {
        let following = |number: &u32| number.checked_sub(1).and_then(|next| self.last_until(next));
        std::iter::successors(self.last_until(u32::MAX), following)
    }

    fn first_below(&self, level: usize, mut at: usize) -> u32 {
        for words in self.levels[..level].iter().rev() {
            at = at * BITS + words[at].trailing_zeros() as usize;
        }
        at as u32
    }

    fn last_below(&self, level: usize, mut at: usize) -> u32 {
        for words in self.levels[..level].iter().rev() {
            at = at * BITS + BITS - 1 - words[at].leading_zeros() as usize;
        }
        at as u32
    }

    /// Makes room for so many words of the first level.
    fn grow(&mut self, words: usize) {
        if self.levels.first().is_some_and(|level| level.len() >= words) {
            return;
        }
        let mut words = words;
        for level in 0.. {
            if self.levels.len() == level {
                // What stood in one word, a new level above it says.
                let below = level.checked_sub(1).map(|below| u64::from(self.levels[below][0] != 0));
                self.levels.push(vec![below.unwrap_or(0)]);
            }
            words = words.max(self.levels[level].len());
            self.levels[level].resize(words, 0);
            if words == 1 {
                break;
            }
            words = words.div_ceil(BITS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DenseSet;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// It is a `BTreeSet`, whatever is added and removed, on one level or on four.
        #[test]
        fn is_a_set(steps in proptest::collection::vec((any::<bool>(), 0u32..20, 0u32..4), 1..200), probes in proptest::collection::vec(any::<u32>(), 5)) {
            let (mut dense, mut model) = (DenseSet::default(), BTreeSet::new());
            for (adds, number, scale) in steps {
                let number = number * 61u32.pow(scale);
                match adds {
                    true => prop_assert_eq!(dense.insert(number), model.insert(number)),
                    false => prop_assert_eq!(dense.remove(number), model.remove(&number)),
                }
                prop_assert_eq!(dense.is_empty(), model.is_empty());
                prop_assert_eq!(dense.contains(number), model.contains(&number));
                for probe in probes.iter().map(|probe| probe % 5_000_000).chain([number, number + 1]) {
                    prop_assert_eq!(dense.next_from(probe), model.range(probe..).next().copied());
                    prop_assert_eq!(dense.last_until(probe), model.range(..=probe).next_back().copied());
                }
            }
            prop_assert!(dense.iter().eq(model.iter().copied()));
            prop_assert!(dense.iter_down().eq(model.iter().rev().copied()));
        }
    }
}
