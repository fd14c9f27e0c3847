//! Links of one kind by their numbers, and which of them may have been written to in this turn.
//!
//! Knows nothing of what is written: a turn ends with a look at those alone that were taken to be changed, however many there are.

use std::collections::BTreeMap;

#[derive(Debug)]
struct Entry<L> {
    link: L,
    is_touched: bool,
}

/// Links by their numbers.
#[derive(Debug)]
pub(crate) struct Links<K, L> {
    all: BTreeMap<K, Entry<L>>,
    /// Each once; some may be gone.
    touched: Vec<K>,
}

impl<K: Copy + Ord, L> Links<K, L> {
    pub(crate) const fn new() -> Links<K, L> {
        Links { all: BTreeMap::new(), touched: Vec::new() }
    }

    pub(crate) fn insert(&mut self, number: K, link: L) {
        self.all.insert(number, Entry { link, is_touched: false });
    }

    pub(crate) fn remove(&mut self, number: &K) -> Option<L> {
        self.all.remove(number).map(|entry| entry.link)
    }

    pub(crate) fn contains(&self, number: &K) -> bool {
        self.all.contains_key(number)
    }

    pub(crate) fn get(&self, number: &K) -> Option<&L> {
        self.all.get(number).map(|entry| &entry.link)
    }

    /// A link to write to.
    pub(crate) fn get_mut(&mut self, number: &K) -> Option<&mut L> {
        let entry = self.all.get_mut(number)?;
        if !std::mem::replace(&mut entry.is_touched, true) {
            self.touched.push(*number);
        }
        Some(&mut entry.link)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &L)> + Clone {
        self.all.iter().map(|(number, entry)| (number, &entry.link))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &L> + Clone {
        self.all.values().map(|entry| &entry.link)
    }

    /// Writes to all of them.
    pub(crate) fn for_each_mut(&mut self, mut write: impl FnMut(&mut L)) {
        for (number, entry) in &mut self.all {
            if !std::mem::replace(&mut entry.is_touched, true) {
                self.touched.push(*number);
            }
            write(&mut entry.link);
        }
    }

    /// Looks once at each that was taken to be written to since the last look.
    pub(crate) fn take_touched(&mut self, mut look: impl FnMut(&mut L)) {
        for number in self.touched.drain(..) {
            if let Some(entry) = self.all.get_mut(&number).filter(|entry| entry.is_touched) {
                entry.is_touched = false;
                look(&mut entry.link);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.all.clear();
        self.touched.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Links;

    #[test]
    fn a_turn_looks_at_what_was_written_to() {
        let mut links: Links<u32, Vec<&str>> = Links::new();
        (0..1_000).for_each(|number| links.insert(number, Vec::new()));
        for word in ["a", "b"] {
            links.get_mut(&7).expect("it is there").push(word);
        }
        links.get_mut(&9).expect("it is there").push("c");
        links.get_mut(&3).expect("it is there").push("d");
        links.remove(&3);
        // Its number may come again before the turn ends.
        links.get_mut(&5).expect("it is there");
        links.remove(&5);
        links.insert(5, vec!["new"]);
        let mut seen = Vec::new();
        links.take_touched(|link| seen.push(std::mem::take(link)));
        assert_eq!(seen, [vec!["a", "b"], vec!["c"]]);
        links.take_touched(|link| panic!("nobody wrote to {link:?}"));
        links.for_each_mut(|link| link.push("all"));
        let mut count = 0;
        links.take_touched(|_| count += 1);
        assert_eq!(count, 999);
    }
}
