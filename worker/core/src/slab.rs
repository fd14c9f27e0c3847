//! Slabs with generations: dense storage whose ids go stale instead of naming something new.
//!
//! Knows nothing of what it stores.

use std::fmt;
use std::marker::PhantomData;

/// A position in a slab of things of kind `K`, good for the one thing that was put there.
pub struct Id<K> {
    index: u32,
    generation: u32,
    kind: PhantomData<fn() -> K>,
}

impl<K> Id<K> {
    /// The dense position, for tables that run along the slab.
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// How often the position was used before.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Id<K> {}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.index, self.generation).cmp(&(other.index, other.generation))
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

enum Place<T> {
    Full(T),
    /// The next free place; `u32::MAX`: none.
    Free(u32),
}

/// Things of kind `K` by [`Id`].
pub(crate) struct Slab<K, T> {
    places: Vec<(u32, Place<T>)>,
    free: u32,
    len: usize,
    kind: PhantomData<fn() -> K>,
}

impl<K, T> Slab<K, T> {
    pub(crate) const fn new() -> Slab<K, T> {
        Slab { places: Vec::new(), free: u32::MAX, len: 0, kind: PhantomData }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, value: T) -> Id<K> {
        self.len += 1;
        if self.free == u32::MAX {
            let index = u32::try_from(self.places.len()).expect("fewer than 2^32 things live at once");
            self.places.push((0, Place::Full(value)));
            return Id { index, generation: 0, kind: PhantomData };
        }
        let index = self.free;
        let (generation, place) = &mut self.places[index as usize];
        match std::mem::replace(place, Place::Full(value)) {
            Place::Free(next) => self.free = next,
            Place::Full(_) => panic!("the free list led to place {index}, which is taken"),
        }
        Id { index, generation: *generation, kind: PhantomData }
    }

    pub(crate) fn get(&self, id: Id<K>) -> Option<&T> {
        match self.places.get(id.index as usize) {
            Some((generation, Place::Full(value))) if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, id: Id<K>) -> Option<&mut T> {
        match self.places.get_mut(id.index as usize) {
            Some((generation, Place::Full(value))) if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, id: Id<K>) -> Option<T> {
        self.get(id)?;
        let (generation, place) = &mut self.places[id.index as usize];
        *generation = generation.wrapping_add(1);
        let old = std::mem::replace(place, Place::Free(self.free));
        self.free = id.index;
        self.len -= 1;
        match old {
            Place::Full(value) => Some(value),
            Place::Free(_) => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<K>, &T)> {
        self.places.iter().enumerate().filter_map(|(index, (generation, place))| match place {
            Place::Full(value) => Some((Id { index: index as u32, generation: *generation, kind: PhantomData }, value)),
            Place::Free(_) => None,
        })
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Id<K>, &mut T)> {
        self.places.iter_mut().enumerate().filter_map(|(index, (generation, place))| match place {
            Place::Full(value) => Some((Id { index: index as u32, generation: *generation, kind: PhantomData }, value)),
            Place::Free(_) => None,
        })
    }
}

impl<K, T> std::ops::Index<Id<K>> for Slab<K, T> {
    type Output = T;
    fn index(&self, id: Id<K>) -> &T {
        self.get(id).expect("an id that the core itself keeps names something that lives")
    }
}

impl<K, T> std::ops::IndexMut<Id<K>> for Slab<K, T> {
    fn index_mut(&mut self, id: Id<K>) -> &mut T {
        self.get_mut(id).expect("an id that the core itself keeps names something that lives")
    }
}

#[cfg(test)]
mod tests {
    use super::Slab;

    #[test]
    fn ids_go_stale() {
        let mut slab = Slab::<(), char>::new();
        let a = slab.insert('a');
        let b = slab.insert('b');
        assert_eq!(slab.remove(a), Some('a'));
        assert_eq!(slab.remove(a), None);
        let c = slab.insert('c');
        assert_eq!(c.index(), a.index());
        assert_eq!((slab.get(a), slab.get(b), slab.get(c)), (None, Some(&'b'), Some(&'c')));
        assert_eq!(slab.len(), 2);
        assert_eq!(slab.iter().map(|(_, value)| *value).collect::<String>(), "cb");
    }
}
