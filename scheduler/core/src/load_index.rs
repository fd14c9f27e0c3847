//! Workers by an amount that changes with every event, in buckets: each change is a few bits, however many workers there are.
//!
//! Knows nothing of what the amount means; the core keeps one for workers with room and others for workers with too much.

use crate::dense_set::DenseSet;
use crate::worker::WorkerIndex;

/// Amounts below this have a bucket each.
const EXACT: u64 = 64;
/// Binary digits of a larger amount that count: buckets are 3 % wide. What is that close is not worth telling apart, because
/// amounts are estimates; workers in a bucket stand in the order of their numbers.
const DIGITS: u32 = 5;

/// The bucket of a worker that is not in the index.
const OUT: u16 = u16::MAX;

/// Workers in the order of an amount, roughly.
#[derive(Debug, Default)]
pub(crate) struct LoadIndex {
    /// By worker: its bucket, or `OUT`.
    bucket_of: Vec<u16>,
    buckets: Vec<DenseSet>,
    /// Buckets that have workers.
    occupied: DenseSet,
    /// All of them.
    workers: DenseSet,
}

impl LoadIndex {
    /// Moves a worker to where its amount belongs, or takes it out.
    pub(crate) fn set(&mut self, worker: WorkerIndex, amount: Option<u64>) {
        let new = amount.map_or(OUT, bucket);
        let at = worker.0 as usize;
        if self.bucket_of.len() <= at {
            if new == OUT {
                return;
            }
            self.bucket_of.resize(at + 1, OUT);
        }
        let old = std::mem::replace(&mut self.bucket_of[at], new);
        if old == new {
            return;
        }
        if old != OUT {
            let workers = &mut self.buckets[usize::from(old)];
            workers.remove(worker.0);
            if workers.is_empty() {
                self.occupied.remove(u32::from(old));
            }
        } else {
            self.workers.insert(worker.0);
        }
        if new != OUT {
            if self.buckets.len() <= usize::from(new) {
                self.buckets.resize_with(usize::from(new) + 1, DenseSet::default);
            }
            self.buckets[usize::from(new)].insert(worker.0);
            self.occupied.insert(u32::from(new));
        } else {
            self.workers.remove(worker.0);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// The worker with the smallest number that is at least `from`.
    pub(crate) fn next_from(&self, from: u32) -> Option<WorkerIndex> {
        self.workers.next_from(from).map(WorkerIndex)
    }

    /// All workers, those with the least first.
    pub(crate) fn least_first(&self) -> impl Iterator<Item = WorkerIndex> + '_ {
        self.occupied.iter().flat_map(|bucket| self.buckets[bucket as usize].iter()).map(WorkerIndex)
    }

    /// All workers, those with the most first.
    pub(crate) fn most_first(&self) -> impl Iterator<Item = WorkerIndex> + '_ {
        self.occupied.iter_down().flat_map(|bucket| self.buckets[bucket as usize].iter()).map(WorkerIndex)
    }

    /// Whether a worker stands where this amount belongs. For invariants.
    pub(crate) fn holds(&self, worker: WorkerIndex, amount: Option<u64>) -> bool {
        let bucket_of = self.bucket_of.get(worker.0 as usize).copied().unwrap_or(OUT);
        let is_listed = |(_, workers): &(usize, &DenseSet)| workers.contains(worker.0);
        let listed: Vec<usize> = self.buckets.iter().enumerate().filter(is_listed).map(|(bucket, _)| bucket).collect();
        match amount.map(bucket) {
            None => bucket_of == OUT && listed.is_empty() && !self.workers.contains(worker.0),
            Some(bucket) => {
                bucket_of == bucket
                    && listed == [usize::from(bucket)]
                    && self.occupied.contains(u32::from(bucket))
                    && self.workers.contains(worker.0)
            }
        }
    }
}

/// Grows with the amount; at most 1,920.
fn bucket(amount: u64) -> u16 {
    if amount < EXACT {
        return amount as u16;
    }
    let octave = amount.ilog2();
    let digits = (amount >> (octave - DIGITS)) - (1 << DIGITS);
    (EXACT + (u64::from(octave - EXACT.ilog2()) << DIGITS) + digits) as u16
}

#[cfg(test)]
mod tests {
    use super::{LoadIndex, bucket};
    use crate::worker::WorkerIndex;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn buckets_grow_with_the_amount() {
        assert_eq!([0, 1, 63, 64, 65, 66, 127, 128].map(bucket), [0, 1, 63, 64, 64, 65, 95, 96]);
        assert_eq!(bucket(u64::MAX), 1_919);
        let amounts = (0..64).flat_map(|shift| [1u64 << shift, (1u64 << shift) + (1u64 << shift) / 2]);
        assert!(amounts.map(bucket).is_sorted());
    }

    proptest! {
        #[test]
        fn keeps_workers_in_order(steps in proptest::collection::vec((0u32..300, proptest::option::of(any::<u64>()), 0u32..64), 1..200)) {
            let (mut index, mut model) = (LoadIndex::default(), BTreeSet::new());
            for (worker, amount, shift) in steps {
                let amount = amount.map(|amount| amount >> shift);
                index.set(WorkerIndex(worker), amount);
                model.retain(|(_, known)| *known != worker);
                model.extend(amount.map(|amount| (bucket(amount), worker)));
                prop_assert!(index.holds(WorkerIndex(worker), amount));
            }
            prop_assert!(index.least_first().map(|worker| worker.0).eq(model.iter().map(|(_, worker)| *worker)));
            prop_assert!(index.most_first().map(|worker| index.bucket_of[worker.0 as usize]).is_sorted_by(|a, b| a >= b));
            prop_assert_eq!(index.most_first().count(), model.len());
            prop_assert_eq!(index.is_empty(), model.is_empty());
        }
    }
}
