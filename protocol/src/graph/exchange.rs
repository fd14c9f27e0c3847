//! The file of a graph with one field exchanged, and the one file of a graph and its fragments. Everything else keeps its
//! bytes, so that it costs a copy and not a rewrite; only tasks of fragments that have options of their own are written anew.

use super::write::write_options;
use super::{Graph, Options, Reference, Task};
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
///
/// What a fragment's options say stands with its tasks then, where neither they nor their functions say otherwise.
pub fn join<'a>(first: &'a Graph, fragments: impl IntoIterator<Item = &'a Graph>) -> Vec<u8> {
    const CHECKED: &str = "tables were checked when they were read";
    const TABLES: [&str; 5] = ["components", "functions", "data", "tasks", "outputs"];
    let parts: Vec<&Graph> = std::iter::once(first).chain(fragments).collect();
    let mut out = Writer::new();
    let options = table(first, "options");
    out.map(1 + TABLES.len() + usize::from(options.is_some()));
    out.str("wasm-tasks");
    out.uint(1);
    for name in TABLES {
        let entries = parts.iter().filter_map(|part| Some((*part, table(part, name)?))).map(|(part, bytes)| {
            let mut reader = Reader::new(bytes);
            (part, reader.array().expect(CHECKED), reader.rest())
        });
        let entries: Vec<(&Graph, usize, &[u8])> = entries.collect();
        out.str(name);
        out.array(entries.iter().map(|(_, count, _)| count).sum());
        for (part, _, bytes) in entries {
            if name == "tasks" && !std::ptr::eq(part, first) && *part.options() != Options::default() {
                part.tasks().for_each(|task| write_with_level(&task, &parts, &mut out));
            } else {
                out.raw(bytes);
            }
        }
    }
    if let Some(options) = options {
        out.str("options");
        out.raw(options);
    }
    out.into_bytes()
}

/// A task of a fragment, with what the fragment's options say among its own.
fn write_with_level(task: &Task<'_>, parts: &[&Graph], out: &mut Writer) {
    let position = task.function_index();
    let part = parts[parts.partition_point(|part| part.base().functions <= position) - 1];
    let function = part.function(position).expect("positions of functions were checked");
    let mut options = task.own_options().cloned().unwrap_or_default();
    options.fill_between(&function.options, &task.graph.options);
    let options = write_options(&options);
    out.array(3 + usize::from(options.is_some()));
    out.str(task.key());
    out.uint(u64::from(position));
    out.raw(task.args());
    if let Some(options) = options {
        out.raw(&options);
    }
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
    use super::join;
    use crate::graph::{Append, Arguments, Fragment, Graph, GraphBuilder, Options, Reference, Resource, Settings};
    use crate::ids::{ComponentDigest, GraphId, TaskIndex};
    use crate::time::Duration;

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

    #[test]
    fn tasks_keep_the_options_of_their_fragment() {
        let no_arguments = || Arguments::Positional(vec![]);
        let gpu = |milli| Some(vec![Resource { name: "gpu".to_owned(), milli }]);
        let first = graph(Options { seed: Some(1), timeout_ms: Some(9), ..Options::default() });
        let mut builder = GraphBuilder::fragment(Append { graph: GraphId([1; 16]), base: first.extent() });
        let own = builder.function(0, "g", &[], None, None, &Options { seed: Some(3), pools: gpu(1), ..Options::default() });
        builder.task("plain", 0, &no_arguments(), &Options::default());
        builder.task("by function", own, &no_arguments(), &Options::default());
        builder.task("own", own, &no_arguments(), &Options { fuel: Some(5), ..Options::default() });
        builder.options(Options { seed: Some(2), fuel: Some(4), slots_milli: Some(2_000), pools: gpu(2), ..Options::default() });
        let fragment = Fragment::read(builder.to_bytes().into()).expect("a fragment").into_tables();
        let mut builder =
            GraphBuilder::fragment(Append { graph: GraphId([1; 16]), base: first.extent().plus(fragment.extent()) });
        builder.task("after", own, &no_arguments(), &Options::default());
        let second = Fragment::read(builder.to_bytes().into()).expect("a fragment").into_tables();
        let joined = Graph::read(join(&first, [&fragment, &second]).into()).expect("a graph");
        let settings = |key: &str| joined.tasks().find(|task| task.key() == key).expect("a task").settings().clone();
        let found = |key| {
            let Settings { seed, fuel, slots_milli, pools, timeout, .. } = settings(key);
            assert_eq!(timeout, Duration::from_millis(9), "{key}: the graph's holds for all");
            (seed, fuel, slots_milli, pools.iter().map(|pool| pool.milli).collect::<Vec<_>>())
        };
        assert_eq!(found("a"), (1, None, 1_000, vec![]));
        assert_eq!(found("plain"), (2, Some(4), 2_000, vec![2]));
        assert_eq!(found("by function"), (3, Some(4), 2_000, vec![1]));
        assert_eq!(found("own"), (3, Some(5), 2_000, vec![1]));
        assert_eq!(found("after"), (3, None, 1_000, vec![1]), "another fragment's options do not hold");
    }
}
