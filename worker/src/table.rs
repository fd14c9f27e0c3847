//! A table that grows at its end while others read what it was: graphs do so when they are extended.
//!
//! The logarithmic method (Bentley and Saxe, "Decomposable searching problems I", 1980): chunks, each larger than all that follow
//! it together. An entry is copied once for each doubling of the table, and a lookup looks at few chunks.

use std::sync::Arc;

/// Entries by position. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Table<T> {
    /// Position of the first entry, and the entries; in their order.
    chunks: Vec<(usize, Arc<[T]>)>,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Table<T> {
        Table { chunks: self.chunks.clone() }
    }
}

impl<T: Clone> Table<T> {
    pub(crate) const fn new() -> Table<T> {
        Table { chunks: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |(first, entries)| first + entries.len())
    }

    pub(crate) fn get(&self, position: usize) -> Option<&T> {
        let (first, entries) = self.chunks.iter().rev().find(|(first, _)| *first <= position)?;
        entries.get(position - first)
    }

    /// Adds entries at the end.
    pub(crate) fn extend(&mut self, more: impl IntoIterator<Item = T>) {
        let mut added: Vec<T> = more.into_iter().collect();
        if added.is_empty() {
            return;
        }
        while let Some((_, last)) = self.chunks.last()
            && last.len() <= added.len()
        {
            let mut merged = last.to_vec();
            merged.append(&mut added);
            added = merged;
            self.chunks.pop();
        }
        self.chunks.push((self.len(), added.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn entries_keep_their_positions_however_they_came() {
        let mut table: Table<usize> = Table::new();
        let mut old = Vec::new();
        for round in 0..300 {
            let from = table.len();
            table.extend(from..from + [1, 0, 3, 40][round % 4]);
            old.push(table.clone());
            assert!(table.chunks.len() <= 14, "{} chunks for {} entries", table.chunks.len(), table.len());
            for earlier in &old {
                let last = earlier.len();
                assert_eq!((earlier.get(last), earlier.get(0)), (None, (last > 0).then_some(&0)));
            }
        }
        assert_eq!(table.len(), 3_300);
        assert!((0..3_300).all(|position| table.get(position) == Some(&position)));
    }
}
