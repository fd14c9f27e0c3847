//! What will happen when, in order; what happens at the same time happens in the order in which it was put down.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use wasm_tasks_protocol::Time;

/// Things to come.
#[derive(Debug)]
pub struct Agenda<T> {
    heap: BinaryHeap<Reverse<(Time, u64)>>,
    things: Vec<Option<T>>,
    free: Vec<usize>,
    places: std::collections::BTreeMap<u64, usize>,
    next: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Agenda<T> {
        Agenda { heap: BinaryHeap::new(), things: Vec::new(), free: Vec::new(), places: Default::default(), next: 0 }
    }
}

impl<T> Agenda<T> {
    /// Puts something down.
    pub fn add(&mut self, at: Time, thing: T) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.things.push(None);
            self.things.len() - 1
        });
        self.things[place] = Some(thing);
        self.places.insert(self.next, place);
        self.heap.push(Reverse((at, self.next)));
        self.next += 1;
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the next thing.
    pub fn pop(&mut self) -> Option<(Time, T)> {
        let Reverse((at, number)) = self.heap.pop()?;
        let place = self.places.remove(&number).expect("what is in the heap has a place");
        self.free.push(place);
        self.things[place].take().map(|thing| (at, thing))
    }
}
