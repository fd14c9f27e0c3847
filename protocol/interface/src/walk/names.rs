//! Finds names of fields, cases and flags, and remembers which were seen.

use std::collections::BTreeMap;

/// Fewer names than this are looked through one by one.
const FEW: usize = 16;

/// Positions of names in sorted order, for the long lists of names met so far.
#[derive(Default)]
pub(super) struct Names {
    sorted: BTreeMap<(usize, usize), Vec<u32>>,
}

impl Names {
    /// The position of a name. Long lists are sorted once; they are known by where they stand in memory,
    /// so what is found is compared again.
    pub(super) fn find<T>(&mut self, list: &[T], name_of: impl Fn(&T) -> &String, name: &str) -> Option<usize> {
        if list.len() <= FEW {
            return list.iter().position(|item| name_of(item) == name);
        }
        let sorted = self.sorted.entry((list.as_ptr() as usize, list.len())).or_insert_with(|| {
            let mut sorted: Vec<u32> = (0..list.len() as u32).collect();
            sorted.sort_by(|a, b| name_of(&list[*a as usize]).cmp(name_of(&list[*b as usize])));
            sorted
        });
        let found = sorted.binary_search_by(|at| name_of(&list[*at as usize]).as_str().cmp(name)).ok()?;
        Some(sorted[found] as usize)
    }
}

/// A set of positions.
pub(super) enum Seen {
    Few(u64),
    Many(Vec<bool>),
}

impl Seen {
    pub(super) fn new(len: usize) -> Seen {
        if len <= 64 { Seen::Few(0) } else { Seen::Many(vec![false; len]) }
    }

    /// Adds a position; false when it is there already.
    pub(super) fn insert(&mut self, position: usize) -> bool {
        let known = self.has(position);
        match self {
            Seen::Few(bits) => *bits |= 1 << position,
            Seen::Many(list) => list[position] = true,
        }
        !known
    }

    pub(super) fn has(&self, position: usize) -> bool {
        match self {
            Seen::Few(bits) => bits >> position & 1 == 1,
            Seen::Many(list) => list[position],
        }
    }
}
