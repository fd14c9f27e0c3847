//! A fragment written anew for other positions: what it names stands elsewhere, and it starts elsewhere.

use super::redirect::copy;
use super::{Append, Extent, Fragment, GraphBuilder, Options, Reference};
use crate::ids::TaskIndex;
use crate::msgpack::{EXT_DATA, EXT_TASK, Reader, Writer};

/// Where entries of the graph stand that a fragment continues, by the positions that the fragment uses for them.
#[derive(Clone, Copy)]
pub struct Positions<'a> {
    /// How far the tables go.
    pub end: Extent,
    /// Of components.
    pub component: &'a dyn Fn(u32) -> u32,
    /// Of functions.
    pub function: &'a dyn Fn(u32) -> u32,
    /// Of data entries.
    pub data: &'a dyn Fn(u32) -> u32,
    /// Of tasks.
    pub task: &'a dyn Fn(u32) -> u32,
}

/// The fragment's own entries follow each other wherever it starts.
fn moved(position: u32, base: u32, end: u32, earlier: impl Fn(u32) -> u32) -> u32 {
    match position.checked_sub(base) {
        Some(own) => end + own,
        None => earlier(position),
    }
}

impl Fragment {
    /// The file of the same fragment for tables that go further than it says.
    ///
    /// # Panics
    /// When the end of the tables and the fragment have more entries than 32 bits can count.
    pub fn renumbered(&self, to: Positions<'_>) -> Vec<u8> {
        let (graph, base, end) = (&self.tables, self.base(), to.end);
        let component = |position| moved(position, base.components, end.components, to.component);
        let function = |position| moved(position, base.functions, end.functions, to.function);
        let data = |position| moved(position, base.data, end.data, to.data);
        let task = |position| moved(position, base.tasks, end.tasks, to.task);
        let reference = |reference: Reference| Reference { task: TaskIndex(task(reference.task.0)), path: reference.path };
        let rewritten = |value: &[u8]| {
            let mut out = Writer::new();
            out.reserve(value.len() + 16);
            copy(&mut Reader::new(value), &mut out, &|code, payload, out| match code {
                EXT_TASK => {
                    let found = Reference::from_payload(payload).expect("references were checked when the fragment was read");
                    reference(found).write(out);
                    true
                }
                EXT_DATA => {
                    let found = Reader::new(payload).int().expect("references were checked when the fragment was read");
                    let mut position = Writer::new();
                    position.uint(u64::from(data(found as u32)));
                    out.ext(EXT_DATA, position.as_bytes());
                    true
                }
                _ => false,
            });
            out.into_bytes()
        };
        let mut builder = GraphBuilder::fragment(Append { graph: self.append_to(), base: end });
        let bytes = |range: &std::ops::Range<usize>| &graph.file()[range.clone()];
        for entry in graph.components() {
            builder.component(entry.digest, entry.name.as_deref(), entry.bytes.as_ref().map(bytes), entry.source.as_ref());
        }
        for entry in graph.functions() {
            let bind = entry.bind.as_ref().map(|range| rewritten(bytes(range)));
            let (dynamic, group) = (entry.dynamic.as_ref(), entry.group.as_deref());
            builder.function_encoded(component(entry.component), &entry.export, bind.as_deref(), dynamic, group, &entry.options);
        }
        for entry in graph.data() {
            let (source, part) = (entry.source.as_ref(), entry.bytes.as_ref().map(bytes));
            builder.data_entry(entry.digest, part, source, entry.offset, entry.len, entry.encoding, entry.ty.as_ref());
        }
        let none = Options::default();
        for entry in graph.tasks() {
            let options = entry.own_options().unwrap_or(&none);
            builder.task_with(entry.key(), function(entry.function_index()), options, |out| out.raw(&rewritten(entry.args())));
        }
        graph.outputs().iter().for_each(|output| builder.output(reference(output.clone())));
        builder.options(graph.options().clone());
        builder.to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::Positions;
    use crate::graph::{Append, Argument, Arguments, DataEncoding, Extent, Fragment, GraphBuilder, Options, Reference};
    use crate::ids::{ComponentDigest, GraphId, TaskIndex};
    use crate::value::Value;

    /// The same fragment, for the positions that it names and those where it starts.
    fn fragment(base: Extent, [function, data, task]: [u32; 3]) -> Vec<u8> {
        let mut builder = GraphBuilder::fragment(Append { graph: GraphId([7; 16]), base });
        let component = builder.component(ComponentDigest::of(b"component"), Some("more"), None, None);
        let own = builder.data_bytes(b"bytes", None, DataEncoding::Raw, None);
        let bind = [Argument::Data(data), Argument::Data(own), Value::int(1).into()];
        let options = Options { seed: Some(2), ..Options::default() };
        let more = builder.function(component, "add", &bind, None, Some("group"), &options);
        builder.function(0, "sub", &[], None, None, &Options::default());
        let whole = |task: u32| Argument::Task(Reference::whole(TaskIndex(task)));
        let map = Argument::Map(vec![("k".to_owned(), Argument::Array(vec![whole(task), Argument::Data(own)]))]);
        let first = builder.task("first", function, &Arguments::Positional(vec![whole(base.tasks + 1), map]), &options);
        builder.task("second", more, &Arguments::Named(vec![("a".to_owned(), Argument::Data(data))]), &Options::default());
        builder.output(Reference::whole(TaskIndex(task)));
        builder.output(Reference::whole(first));
        builder.options(Options { retries: Some(1), ..Options::default() });
        builder.to_bytes()
    }

    #[test]
    fn everything_that_a_fragment_names_moves_with_it() {
        let base = Extent { components: 1, functions: 2, data: 3, tasks: 4, outputs: 5 };
        let end = Extent { components: 1, functions: 20, data: 300, tasks: 70_000, outputs: 5 };
        let read = Fragment::read(fragment(base, [1, 2, 3]).into()).expect("a fragment");
        let positions = Positions {
            end,
            component: &|position| position,
            function: &|position| position + 10,
            data: &|position| position + 100,
            task: &|position| position + 1_000,
        };
        let expected = fragment(end, [11, 102, 1_003]);
        assert_eq!(read.renumbered(positions), expected);
        assert_eq!(Fragment::read(expected.into()).expect("a fragment").base(), end);
    }
}
