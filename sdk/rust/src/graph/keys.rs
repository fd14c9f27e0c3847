//! Keys that are made for tasks that have none: a label and a number.

use std::collections::{HashMap, HashSet};

/// The keys of one graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    chosen: HashSet<String>,
    counters: HashMap<String, u64>,
    /// No number is smaller or equal: so many tasks are in earlier parts of the graph, whose keys are not known.
    after: u64,
}

impl Keys {
    pub(super) fn after(tasks: u32) -> Keys {
        Keys { after: u64::from(tasks), ..Keys::default() }
    }

    /// Takes note of a key that was chosen.
    pub(crate) fn choose<'a>(&mut self, key: &'a str) -> &'a str {
        self.chosen.insert(key.to_owned());
        key
    }

    /// A key that nothing has so far: `add-1`, `add-2`, …
    pub(crate) fn free(&mut self, label: &str) -> String {
        let number = match self.counters.get_mut(label) {
            Some(number) => number,
            None => self.counters.entry(label.to_owned()).or_insert(self.after),
        };
        loop {
            *number += 1;
            let key = format!("{label}-{number}");
            if !self.chosen.contains(&key) {
                return key;
            }
        }
    }
}
