//! Graph files for tests: components by path, functions and tasks by name.

use super::home::Home;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use wasm_tasks_protocol::graph::{Argument, Arguments, GraphBuilder, Options, PathStep, Reference, Source};
use wasm_tasks_protocol::{ComponentDigest, TaskIndex, Value};

/// A graph under construction. Components and functions are added once each.
#[derive(Default)]
pub(crate) struct GraphFile {
    /// For what has no method here.
    pub(crate) builder: GraphBuilder,
    components: BTreeMap<PathBuf, u32>,
    functions: BTreeMap<(PathBuf, String), u32>,
}

impl GraphFile {
    pub(crate) fn new() -> GraphFile {
        GraphFile::default()
    }

    /// The position of a component, by path.
    pub(crate) fn component(&mut self, path: &Path) -> u32 {
        if let Some(position) = self.components.get(path) {
            return *position;
        }
        let bytes = fs::read(path).expect("a component");
        let name = path.file_stem().and_then(|name| name.to_str()).expect("components have names");
        let source = Source::Path(path.to_str().expect("a path in UTF-8").to_owned());
        let position = self.builder.component(ComponentDigest::of(&bytes), Some(name), None, Some(&source));
        self.components.insert(path.to_owned(), position);
        position
    }

    /// Adds a task without options.
    pub(crate) fn task(&mut self, key: &str, component: &Path, export: &str, arguments: Vec<Argument>) -> TaskIndex {
        self.task_with(key, component, export, arguments, &Options::default())
    }

    /// Adds a task.
    pub(crate) fn task_with(
        &mut self,
        key: &str,
        component: &Path,
        export: &str,
        arguments: Vec<Argument>,
        options: &Options,
    ) -> TaskIndex {
        let position = self.component(component);
        let builder = &mut self.builder;
        let function = *self
            .functions
            .entry((component.to_owned(), export.to_owned()))
            .or_insert_with(|| builder.function(position, export, &[], None, None, &Options::default()));
        builder.task(key, function, &Arguments::Positional(arguments), options)
    }

    /// Makes a task's result an output.
    pub(crate) fn output(&mut self, task: TaskIndex) {
        self.builder.output(Reference::whole(task));
    }

    /// Adds a task and makes its result an output.
    pub(crate) fn output_task(&mut self, key: &str, component: &Path, export: &str, arguments: Vec<Argument>) -> TaskIndex {
        let task = self.task(key, component, export, arguments);
        self.output(task);
        task
    }

    /// Writes the file into the home of a test.
    pub(crate) fn save(&self, home: &Home, name: &str) -> PathBuf {
        home.write(name, self.builder.to_bytes())
    }
}

/// An integer.
pub(crate) fn int(value: i64) -> Argument {
    Argument::Value(Value::int(value))
}

/// A string.
pub(crate) fn text(value: &str) -> Argument {
    Argument::Value(Value::Str(value.to_owned()))
}

/// A list.
pub(crate) fn list(items: impl IntoIterator<Item = Argument>) -> Argument {
    Argument::Array(items.into_iter().collect())
}

/// The result of a task.
pub(crate) fn result(task: TaskIndex) -> Argument {
    Argument::Task(Reference::whole(task))
}

/// A part of the result of a task.
pub(crate) fn part(task: TaskIndex, path: Vec<PathStep>) -> Argument {
    Argument::Task(Reference { task, path })
}
