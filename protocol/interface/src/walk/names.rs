//! Finds names of fields, cases and flags, and remembers which were seen.

use crate::names::NameOrder;
use std::collections::BTreeMap;

/// The orders of the lists of names met so far.
#[derive(Default)]
pub(super) struct Names {
    sorted: BTreeMap<(usize, usize), NameOrder>,
}

impl Names {
    /// The position of a name. A list is sorted once; it is known by where it stands in memory, so what is found is
    /// compared again.
    pub(super) fn find<T>(&mut self, list: &[T], name_of: impl Fn(&T) -> &String, name: &str) -> Option<usize> {
        if list.len() <= NameOrder::FEW {
            return NameOrder::default().find(list, name_of, name);
        }
        let order = self.sorted.entry((list.as_ptr() as usize, list.len())).or_insert_with(|| NameOrder::new(list, &name_of));
        order.find(list, name_of, name)
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
