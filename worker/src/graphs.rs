//! Definitions of graphs as the threads that run tasks use them: exports bound once, data entries filled in once.

use crate::runner::Runner;
use crate::table::Table;
use bytes::Bytes;
use std::sync::{Arc, OnceLock};
use wasm_tasks_protocol::TaskError;
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::message::{DataSpec, FunctionSpec};
use wasm_tasks_worker_core::GraphKey;

/// A graph's tables. Shared, and replaced when the graph is extended.
pub(crate) struct GraphDefinition<R: Runner> {
    pub(crate) functions: Table<Arc<FunctionEntry<R>>>,
    pub(crate) data: Arc<Table<Arc<DataEntry>>>,
    pub(crate) settings: Table<Arc<Settings>>,
}

/// A function, and its export once it was needed, without and with metering.
pub(crate) struct FunctionEntry<R: Runner> {
    pub(crate) spec: FunctionSpec,
    bound: [OnceLock<Result<R::Function, TaskError>>; 2],
}

impl<R: Runner> FunctionEntry<R> {
    /// The export, bound when this is the first to ask.
    pub(crate) fn bind(&self, runner: &R, module: &R::Module, is_metered: bool) -> Result<&R::Function, TaskError> {
        self.bound[usize::from(is_metered)].get_or_init(|| runner.bind(module, &self.spec)).as_ref().map_err(Clone::clone)
    }
}

/// A data entry, and its bytes once they are here.
pub(crate) struct DataEntry {
    is_raw: bool,
    len: u64,
    bytes: OnceLock<Bytes>,
}

impl DataEntry {
    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        self.bytes.get()
    }

    pub(crate) fn is_raw(&self) -> bool {
        self.is_raw
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Keeps the bytes; those that came first stay.
    pub(crate) fn fill(&self, bytes: Bytes) {
        let _ = self.bytes.set(bytes);
    }
}

/// The graphs of a worker.
pub(crate) struct Graphs<R: Runner> {
    by_key: Vec<Option<(GraphKey, Arc<GraphDefinition<R>>)>>,
}

impl<R: Runner> Graphs<R> {
    pub(crate) const fn new() -> Graphs<R> {
        Graphs { by_key: Vec::new() }
    }

    /// The graph, unless it was forgotten.
    pub(crate) fn get(&self, key: GraphKey) -> Option<&Arc<GraphDefinition<R>>> {
        self.by_key.get(key.index())?.as_ref().filter(|(at, _)| *at == key).map(|(_, graph)| graph)
    }

    /// Takes in a definition, or what follows one: entries are added at the end of each table.
    pub(crate) fn define(&mut self, key: GraphKey, tables: (Vec<FunctionSpec>, Vec<DataSpec>, Vec<Settings>)) {
        let (functions, data, settings) = tables;
        let mut definition = match self.get(key) {
            Some(old) => {
                GraphDefinition { functions: old.functions.clone(), data: old.data.clone(), settings: old.settings.clone() }
            }
            None => GraphDefinition { functions: Table::new(), data: Arc::new(Table::new()), settings: Table::new() },
        };
        definition.functions.extend(
            functions.into_iter().map(|spec| Arc::new(FunctionEntry { spec, bound: [OnceLock::new(), OnceLock::new()] })),
        );
        Arc::make_mut(&mut definition.data).extend(data.into_iter().map(|spec| {
            let bytes = spec.inline.map_or_else(OnceLock::new, OnceLock::from);
            Arc::new(DataEntry { is_raw: spec.is_raw, len: spec.len, bytes })
        }));
        definition.settings.extend(settings.into_iter().map(Arc::new));
        if self.by_key.len() <= key.index() {
            self.by_key.resize_with(key.index() + 1, || None);
        }
        self.by_key[key.index()] = Some((key, Arc::new(definition)));
    }

    pub(crate) fn forget(&mut self, key: GraphKey) {
        if self.get(key).is_some() {
            self.by_key[key.index()] = None;
        }
    }
}
