//! From the tasks of a graph to something small, in pages: a worker sees stretches of a graph, not all of it.
//!
//! Knows nothing of what the values mean.

use wasm_tasks_protocol::TaskIndex;

const PAGE: usize = 256;

struct Page<V> {
    values: [Option<V>; PAGE],
    used: u32,
}

/// A map from task to `V` with constant time and no hashing.
pub(crate) struct Pages<V> {
    pages: Vec<Option<Box<Page<V>>>>,
    /// An emptied page, kept because work that comes and goes one task at a time would allocate it each time.
    spare: Option<Box<Page<V>>>,
    len: usize,
}

impl<V: Copy> Pages<V> {
    pub(crate) const fn new() -> Pages<V> {
        Pages { pages: Vec::new(), spare: None, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    fn place(task: TaskIndex) -> (usize, usize) {
        (task.0 as usize / PAGE, task.0 as usize % PAGE)
    }

    pub(crate) fn get(&self, task: TaskIndex) -> Option<V> {
        let (page, at) = Self::place(task);
        self.pages.get(page)?.as_ref()?.values[at]
    }

    pub(crate) fn insert(&mut self, task: TaskIndex, value: V) {
        let (page, at) = Self::place(task);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let spare = &mut self.spare;
        let page = self.pages[page]
            .get_or_insert_with(|| spare.take().unwrap_or_else(|| Box::new(Page { values: [None; PAGE], used: 0 })));
        if page.values[at].replace(value).is_none() {
            page.used += 1;
            self.len += 1;
        }
    }

    pub(crate) fn remove(&mut self, task: TaskIndex) -> Option<V> {
        let (at_page, at) = Self::place(task);
        let page = self.pages.get_mut(at_page)?.as_mut()?;
        let value = page.values[at].take()?;
        page.used -= 1;
        self.len -= 1;
        if page.used == 0 {
            self.spare = self.pages[at_page].take();
        }
        Some(value)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = V> {
        self.pages.iter().flatten().flat_map(|page| page.values.iter().flatten().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::Pages;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use wasm_tasks_protocol::TaskIndex;

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in proptest::collection::vec((any::<bool>(), 0u32..2_000), 0..200)) {
            let (mut pages, mut map) = (Pages::new(), BTreeMap::new());
            for (at, (insert, task)) in steps.into_iter().enumerate() {
                if insert {
                    pages.insert(TaskIndex(task), at);
                    map.insert(task, at);
                } else {
                    prop_assert_eq!(pages.remove(TaskIndex(task)), map.remove(&task));
                }
                prop_assert_eq!(pages.get(TaskIndex(task)), map.get(&task).copied());
            }
            prop_assert_eq!(pages.len(), map.len());
            prop_assert_eq!(pages.values().collect::<Vec<_>>(), map.into_values().collect::<Vec<_>>());
        }
    }
}
