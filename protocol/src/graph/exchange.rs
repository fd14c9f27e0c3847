//! The file of a graph with one field exchanged, and the one file of a graph and its fragments. Everything else keeps its
//! bytes, so that it costs a copy and not a rewrite.

use super::write::write_options;
use super::{Graph, Options, Reference};
use crate::msgpack::{Reader, Writer};

impl Graph {
    /// The file with other outputs.
    pub fn with_outputs(&self, outputs: &[Reference]) -> Vec<u8> {
        let mut value = Writer::new();
        value.array(outputs.len());
        outputs.iter().for_each(|output| output.write(&mut value));
        self.with_field("outputs", Some(value.as_bytes()))
    }

    /// The file with other options of the graph.
    pub fn with_options(&self, options: &Options) -> Vec<u8> {
        self.with_field("options", write_options(options).as_deref())
    }

    /// A field that is not there comes at the end, where a canonical file has its options.
    fn with_field(&self, field: &str, new: Option<&[u8]>) -> Vec<u8> {
        const CHECKED: &str = "a checked graph is a map";
        let mut reader = Reader::new(&self.file);
        let mut fields: Vec<(&str, &[u8])> = Vec::new();
        for _ in 0..reader.map().expect(CHECKED) {
            fields.push((reader.str().expect(CHECKED), reader.skip().expect(CHECKED)));
        }
        match (fields.iter().position(|(name, _)| *name == field), new) {
            (Some(at), Some(new)) => fields[at].1 = new,
            (Some(at), None) => drop(fields.remove(at)),
            (None, Some(new)) => fields.push((field, new)),
            (None, None) => {}
        }
        let mut out = Writer::new();
        out.reserve(self.file.len() + new.map_or(0, <[u8]>::len));
        out.map(fields.len());
        for (name, value) in fields {
            out.str(name);
            out.raw(value);
        }
        out.into_bytes()
    }
}

/// The file of a graph and the fragments that continue it, as if all had been written at once.
pub fn join<'a>(first: &'a Graph, fragments: impl IntoIterator<Item = &'a Graph> + Clone) -> Vec<u8> {
    const CHECKED: &str = "tables were checked when they were read";
    const TABLES: [&str; 5] = ["components", "functions", "data", "tasks", "outputs"];
    let mut out = Writer::new();
    let options = table(first, "options");
    out.map(1 + TABLES.len() + usize::from(options.is_some()));
    out.str("wasm-tasks");
    out.uint(1);
    for name in TABLES {
        let parts = std::iter::once(first).chain(fragments.clone());
        let entries = parts.filter_map(|part| table(part, name)).map(|bytes| {
            let mut reader = Reader::new(bytes);
            (reader.array().expect(CHECKED), reader.rest())
        });
        let entries: Vec<(usize, &[u8])> = entries.collect();
        out.str(name);
        out.array(entries.iter().map(|(count, _)| count).sum());
        entries.iter().for_each(|(_, bytes)| out.raw(bytes));
    }
    if let Some(options) = options {
        out.str("options");
        out.raw(options);
    }
    out.into_bytes()
}

/// A field of a file that was read.
fn table<'a>(graph: &'a Graph, field: &str) -> Option<&'a [u8]> {
    const CHECKED: &str = "a checked file is a map";
    let mut reader = Reader::new(&graph.file);
    for _ in 0..reader.map().expect(CHECKED) {
        let name = reader.str().expect(CHECKED);
        let value = reader.skip().expect(CHECKED);
        if name == field {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::graph::{Arguments, Graph, GraphBuilder, Options, Reference};
    use crate::ids::{ComponentDigest, TaskIndex};

    fn graph(options: Options) -> Graph {
        let mut builder = GraphBuilder::new();
        builder.component(ComponentDigest::of(b"it"), None, None, None);
        builder.function(0, "f", &[], None, None, &Options::default());
        for key in ["a", "b"] {
            builder.task(key, 0, &Arguments::Positional(vec![]), &Options::default());
        }
        builder.output(Reference::whole(TaskIndex(1)));
        builder.options(options);
        Graph::read(builder.to_bytes().into()).expect("a graph")
    }

    #[test]
    fn one_field_changes_and_nothing_else() {
        let given = graph(Options { seed: Some(1), ..Options::default() });
        let other = Graph::read(given.with_outputs(&[Reference::whole(TaskIndex(0))]).into()).expect("a graph");
        assert_eq!(other.outputs(), [Reference::whole(TaskIndex(0))]);
        assert_eq!(other.with_outputs(given.outputs()), given.file()[..]);
        let with_deadline = Options { deadline_ms: Some(5), seed: Some(1), ..Options::default() };
        assert_eq!(given.with_options(&with_deadline), graph(with_deadline.clone()).file()[..], "as if it had been written so");
        assert_eq!(given.with_options(&Options::default()), graph(Options::default()).file()[..]);
        assert_eq!(graph(Options::default()).with_options(&with_deadline), graph(with_deadline).file()[..]);
    }
}
