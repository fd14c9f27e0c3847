//! What is kept of an accepted graph to check its fragments against: types, keys, options.
//!
//! All of it is bounded by the limits of a graph. Who takes it in turns is the shell's; whether a fragment is right, `extend`'s.

use crate::components::StoredComponent;
use crate::parts::Parts;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use wasm_tasks_interface::{Earlier, EarlierData, FoundTypes, FunctionSignature};
use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::graph::{Extent, Graph, Settings};
use wasm_tasks_protocol::ids::TaskIndex;

/// An accepted graph, for checks.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) parts: Parts,
    /// Components, by position: they are kept as long as the graph is.
    pub(crate) components: Vec<Arc<StoredComponent>>,
    signatures: Vec<FunctionSignature>,
    data_types: Vec<Vec<Type>>,
    pub(crate) settings: Vec<Settings>,
    pub(crate) edges: usize,
    pub(crate) bytes: usize,
    /// Made when the graph is extended for the first time.
    keys: Option<Keys>,
    /// The first task of each part that tasks wrote or that came after one, and how often over.
    depths: Vec<(u32, u32)>,
    /// Tasks that tasks wrote.
    pub(crate) delegated_tasks: usize,
    /// Functions that tasks wrote, by how they are written: the next that writes the same uses them too.
    pub(crate) written: HashMap<Vec<u8>, u32>,
}

/// What a part adds.
#[derive(Debug)]
pub(crate) struct Addition {
    pub(crate) part: Arc<Graph>,
    pub(crate) components: Vec<Arc<StoredComponent>>,
    pub(crate) types: FoundTypes,
    pub(crate) settings: Vec<Settings>,
    pub(crate) bytes: usize,
    /// The task that wrote it; none when a client did.
    pub(crate) writer: Option<TaskIndex>,
    /// How often over tasks wrote it that tasks wrote; 0 when a client did.
    pub(crate) depth: u32,
    /// Its functions as they are written, when a task wrote it.
    pub(crate) written: Vec<Vec<u8>>,
}

impl Known {
    /// Of a graph of its own.
    pub(crate) fn new(first: Addition) -> Known {
        let Addition { part, components, types, settings, bytes, writer: _, depth: _, written: _ } = first;
        let edges = part.edge_count();
        Known {
            parts: Parts::new(part),
            components,
            signatures: types.functions,
            data_types: types.data,
            settings,
            edges,
            bytes,
            keys: None,
            depths: Vec::new(),
            delegated_tasks: 0,
            written: HashMap::new(),
        }
    }

    /// A fragment was accepted.
    pub(crate) fn take_in(&mut self, addition: Addition) {
        let Addition { part, components, types, settings, bytes, writer, depth, written } = addition;
        if depth > 0 || !self.depths.is_empty() {
            self.depths.push((part.base().tasks, depth));
        }
        self.delegated_tasks += if depth > 0 { part.len() } else { 0 };
        self.written.extend(written.into_iter().zip(part.base().functions..));
        let keys = self.keys.get_or_insert_with(|| Keys::of(&self.parts));
        self.parts.push(Arc::clone(&part), writer);
        part.tasks().for_each(|task| keys.insert(task.key(), task.index(), &self.parts));
        self.components.extend(components);
        self.signatures.extend(types.functions);
        self.data_types.extend(types.data);
        for (position, more) in types.earlier_data {
            self.data_types[position as usize].extend(more);
        }
        self.settings.extend(settings);
        self.edges += part.edge_count();
        self.bytes += bytes;
    }

    /// How often over a task was written by tasks that tasks wrote; 0 for a client's.
    pub(crate) fn depth_of(&self, task: TaskIndex) -> u32 {
        let at = self.depths.partition_point(|(first, _)| *first <= task.0);
        at.checked_sub(1).map_or(0, |at| self.depths[at].1)
    }

    /// Whether checking a small fragment takes little time from now on.
    pub(crate) fn is_indexed(&self) -> bool {
        self.keys.is_some()
    }

    pub(crate) fn extent(&self) -> Extent {
        self.parts.extent()
    }

    /// The task with a key.
    pub(crate) fn find(&mut self, key: &str) -> Option<TaskIndex> {
        self.keys.get_or_insert_with(|| Keys::of(&self.parts)).find(key, &self.parts)
    }
}

impl Earlier for Known {
    fn signature(&self, function: u32) -> &FunctionSignature {
        &self.signatures[function as usize]
    }

    fn task(&self, task: TaskIndex) -> (&str, u32) {
        let task = self.parts.task(task);
        (task.key(), task.function_index())
    }

    fn data(&self, position: u32) -> EarlierData<'_> {
        let (entry, bytes) = self.parts.data(position).expect("positions of data entries were checked");
        let types = &self.data_types[position as usize];
        EarlierData { encoding: entry.encoding, is_declared: entry.ty.is_some(), bytes, types }
    }
}

/// Tasks by their keys. Keys are strangers' words: the hash is seeded, and a collision costs a second look.
#[derive(Debug, Default)]
struct Keys {
    hasher: RandomState,
    by_hash: HashMap<u64, TaskIndex>,
    collided: HashMap<String, TaskIndex>,
}

impl Keys {
    fn of(parts: &Parts) -> Keys {
        let mut keys = Keys::default();
        keys.by_hash.reserve(parts.extent().tasks as usize);
        parts.tasks().for_each(|task| keys.insert(task.key(), task.index(), parts));
        keys
    }

    /// Adds a task whose key is new.
    fn insert(&mut self, key: &str, task: TaskIndex, parts: &Parts) {
        match self.by_hash.entry(self.hasher.hash_one(key)) {
            std::collections::hash_map::Entry::Vacant(entry) => drop(entry.insert(task)),
            std::collections::hash_map::Entry::Occupied(entry) => {
                debug_assert!(parts.task(*entry.get()).key() != key, "a graph's keys are different");
                self.collided.insert(key.to_owned(), task);
            }
        }
    }

    fn find(&self, key: &str, parts: &Parts) -> Option<TaskIndex> {
        let task = *self.by_hash.get(&self.hasher.hash_one(key))?;
        if parts.task(task).key() == key { Some(task) } else { self.collided.get(key).copied() }
    }
}
