//! Components, functions and data of a session: what they are, and where the scheduler's tables have them.
//!
//! Numbers are those of handles, given in order; positions are those of the graph, given when a fragment first needs an entry.

use bytes::Bytes;
use wasm_tasks_protocol::graph::{DataEncoding, Dynamic, Extent, GraphBuilder, Options};
use wasm_tasks_protocol::{ComponentDigest, Type};

/// Everything that calls can refer to but calls.
#[derive(Default)]
pub(super) struct Tables {
    components: Vec<Entry<Component>>,
    functions: Vec<Entry<Function>>,
    data: Vec<Entry<Data>>,
    /// How far the tables go that the scheduler has.
    pub(super) written: Extent,
}

struct Entry<T> {
    what: T,
    position: Option<u32>,
}

pub(super) struct Component {
    pub(super) digest: ComponentDigest,
    pub(super) name: Option<String>,
    /// None for one that was, or will be, uploaded apart.
    pub(super) bytes: Option<Bytes>,
}

pub(super) struct Function {
    pub(super) component: u32,
    pub(super) export: String,
    pub(super) dynamic: Option<Dynamic>,
    pub(super) options: Options,
}

pub(super) struct Data {
    pub(super) bytes: Bytes,
    pub(super) encoding: DataEncoding,
    pub(super) ty: Option<Type>,
}

/// The entries that one fragment writes for the first time.
#[derive(Default)]
pub(super) struct Added {
    components: Vec<u32>,
    functions: Vec<u32>,
    data: Vec<u32>,
}

fn add<T>(entries: &mut Vec<Entry<T>>, what: T) -> u32 {
    entries.push(Entry { what, position: None });
    entries.len() as u32 - 1
}

fn position<T>(entries: &[Entry<T>], number: u32) -> Option<u32> {
    entries[number as usize].position
}

impl Tables {
    pub(super) fn add_component(&mut self, component: Component) -> u32 {
        add(&mut self.components, component)
    }

    pub(super) fn add_function(&mut self, function: Function) -> u32 {
        add(&mut self.functions, function)
    }

    pub(super) fn add_data(&mut self, data: Data) -> u32 {
        add(&mut self.data, data)
    }

    /// Whether there is such a function; a handle may be of another session.
    pub(super) fn has_function(&self, number: u32) -> bool {
        (number as usize) < self.functions.len()
    }

    pub(super) fn has_component(&self, number: u32) -> bool {
        (number as usize) < self.components.len()
    }

    pub(super) fn has_data(&self, number: u32) -> bool {
        (number as usize) < self.data.len()
    }

    /// The position of a function in the graph; the first time it is written into the fragment.
    pub(super) fn function(&mut self, number: u32, fragment: &mut GraphBuilder, added: &mut Added) -> u32 {
        if let Some(position) = position(&self.functions, number) {
            return position;
        }
        let component = self.component(self.functions[number as usize].what.component, fragment, added);
        let Entry { what, position } = &mut self.functions[number as usize];
        fragment.function(component, &what.export, &[], what.dynamic.as_ref(), None, &what.options);
        added.functions.push(number);
        *position.insert(self.written.functions + added.functions.len() as u32 - 1)
    }

    fn component(&mut self, number: u32, fragment: &mut GraphBuilder, added: &mut Added) -> u32 {
        let Entry { what, position } = &mut self.components[number as usize];
        if let Some(position) = *position {
            return position;
        }
        fragment.component(what.digest, what.name.as_deref(), None, None);
        added.components.push(number);
        *position.insert(self.written.components + added.components.len() as u32 - 1)
    }

    /// The position of a data entry in the graph; the first time it is written into the fragment.
    pub(super) fn data(&mut self, number: u32, fragment: &mut GraphBuilder, added: &mut Added) -> u32 {
        let Entry { what, position } = &mut self.data[number as usize];
        if let Some(position) = *position {
            return position;
        }
        fragment.data_bytes(&what.bytes, None, what.encoding, what.ty.as_ref());
        added.data.push(number);
        *position.insert(self.written.data + added.data.len() as u32 - 1)
    }

    /// The bytes of components that a fragment names first, where they are here.
    pub(super) fn uploads(&self, added: &Added) -> Vec<Bytes> {
        added.components.iter().filter_map(|number| self.components[*number as usize].what.bytes.clone()).collect()
    }

    /// The scheduler has them. It keeps what is uploaded and written, so bytes need not be kept here.
    pub(super) fn commit(&mut self, added: &Added) {
        self.written.components += added.components.len() as u32;
        self.written.functions += added.functions.len() as u32;
        self.written.data += added.data.len() as u32;
        added.components.iter().for_each(|number| self.components[*number as usize].what.bytes = None);
        added.data.iter().for_each(|number| self.data[*number as usize].what.bytes = Bytes::new());
    }

    /// The scheduler refused the fragment.
    pub(super) fn roll_back(&mut self, added: &Added) {
        added.components.iter().for_each(|number| self.components[*number as usize].position = None);
        added.functions.iter().for_each(|number| self.functions[*number as usize].position = None);
        added.data.iter().for_each(|number| self.data[*number as usize].position = None);
    }
}
