//! A set of small numbers that mostly has none or one: replicas of a result, attempts of a task.

/// At most a handful of different numbers, in no order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum SmallSet {
    #[default]
    Empty,
    One(u32),
    #[allow(clippy::box_collection, reason = "a list of its own would make every task 16 bytes larger")]
    Many(Box<Vec<u32>>),
}

impl SmallSet {
    pub(crate) fn as_slice(&self) -> &[u32] {
        match self {
            SmallSet::Empty => &[],
            SmallSet::One(one) => std::slice::from_ref(one),
            SmallSet::Many(many) => many,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    pub(crate) fn contains(&self, value: u32) -> bool {
        self.as_slice().contains(&value)
    }

    /// Returns whether it was not there before.
    pub(crate) fn insert(&mut self, value: u32) -> bool {
        if self.contains(value) {
            return false;
        }
        match self {
            SmallSet::Empty => *self = SmallSet::One(value),
            SmallSet::One(one) => *self = SmallSet::Many(Box::new(vec![*one, value])),
            SmallSet::Many(many) => many.push(value),
        }
        true
    }

    /// Returns whether it was there.
    pub(crate) fn remove(&mut self, value: u32) -> bool {
        match self {
            SmallSet::One(one) if *one == value => *self = SmallSet::Empty,
            SmallSet::Many(many) => {
                let Some(at) = many.iter().position(|item| *item == value) else { return false };
                many.swap_remove(at);
                if let [one] = many[..] {
                    *self = SmallSet::One(one);
                }
            }
            SmallSet::Empty | SmallSet::One(_) => return false,
        }
        true
    }
}
