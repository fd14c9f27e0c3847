//! What a worker knows of a graph: its functions, data entries, settings, and which of its results have entries.

use crate::action::{Action, Actions};
use crate::pages::Pages;
use crate::ready::ShapeId;
use crate::slab::Id;
use crate::{AttemptId, ComponentId, ResultId, WorkerCore};
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::message::{DataSpec, FunctionSpec};
use wasm_tasks_protocol::msgpack::{InvalidValue, Reader, References, validate};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{ComponentDigest, GraphId, TaskError, TenantId};

/// The kind of [`GraphKey`].
#[derive(Debug)]
pub enum GraphKind {}

/// Names a graph between core and shell.
pub type GraphKey = Id<GraphKind>;

pub(crate) struct Graph {
    pub(crate) id: GraphId,
    pub(crate) functions: Vec<Function>,
    pub(crate) data: Vec<Data>,
    /// Whether any data entry has to be fetched; if none has, arguments are never looked at.
    pub(crate) has_remote_data: bool,
    pub(crate) settings: Vec<SettingsEntry>,
    pub(crate) results: Pages<ResultId>,
}

pub(crate) struct Function {
    digest: ComponentDigest,
    /// The component without and with metering, once an attempt needed it.
    pub(crate) components: [Option<ComponentId>; 2],
    /// Data entries that the bound arguments refer to and that have to be fetched.
    bound_data: Vec<u32>,
    pub(crate) mean: Mean,
    /// The largest peak of memory, in bytes.
    pub(crate) peak_bytes: u64,
}

/// Settings, for this worker.
pub(crate) struct SettingsEntry {
    /// The shape, or what the worker does not have.
    pub(crate) shape: Result<ShapeId, String>,
    pub(crate) is_metered: bool,
}

/// A data entry.
#[derive(Debug)]
pub(crate) enum Data {
    Here,
    /// Its bytes are at the scheduler, and nobody needed them yet.
    Remote,
    Loading(Vec<AttemptId>),
}

/// The mean duration of a function's attempts, the last ones counting most: each moves it by an eighth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mean {
    /// Sixteenths of a microsecond, from 1; 0: unknown.
    sixteenths: u32,
}

impl Mean {
    pub(crate) fn add(&mut self, run: Duration) {
        let new = u32::try_from(run.0.saturating_mul(16)).unwrap_or(u32::MAX).max(1);
        self.sixteenths = match self.sixteenths {
            0 => new,
            old => (old - old / 8).saturating_add(new / 8).max(1),
        };
    }

    /// Whole microseconds; nothing while no attempt has ended.
    pub(crate) const fn micros(self) -> Option<u32> {
        if self.sixteenths == 0 { None } else { Some(self.sixteenths / 16) }
    }
}

impl WorkerCore {
    /// Defines a graph. One that is there already is left as it is: schedulers define a graph once.
    pub(crate) fn on_graph_defined(&mut self, id: GraphId, tenant: TenantId, definition: Definition, out: &mut Actions) {
        if self.graph_keys.contains_key(&id) {
            return;
        }
        let empty = Graph {
            id,
            functions: Vec::new(),
            data: Vec::new(),
            has_remote_data: false,
            settings: Vec::new(),
            results: Pages::new(),
        };
        let key = self.graphs.insert(empty);
        self.graph_keys.insert(id, key);
        self.add_tables(key, &definition);
        let Definition { functions, data, settings } = definition;
        out.perform.push(Action::DefineGraph { graph: key, graph_id: id, tenant, functions, data, settings });
    }

    /// A graph goes on: positions keep their meaning, and what is known of the old ones stays. One that is not there is over.
    pub(crate) fn on_graph_extended(&mut self, id: GraphId, definition: Definition, out: &mut Actions) {
        let Some(key) = self.graph_keys.get(&id).copied() else { return };
        self.add_tables(key, &definition);
        let Definition { functions, data, settings } = definition;
        out.perform.push(Action::ExtendGraph { graph: key, functions, data, settings });
    }

    fn add_tables(&mut self, key: GraphKey, definition: &Definition) {
        let Definition { functions, data, settings } = definition;
        for settings in settings {
            let entry = self.settings_entry(settings);
            self.graphs[key].settings.push(entry);
        }
        let graph = &mut self.graphs[key];
        for entry in data {
            graph.data.push(if entry.inline.is_some() { Data::Here } else { Data::Remote });
            graph.has_remote_data |= entry.inline.is_none();
        }
        for function in functions {
            let bound_data = if graph.has_remote_data { remote_data(&function.bind, &graph.data) } else { Vec::new() };
            graph.functions.push(Function {
                digest: function.component,
                components: [None; 2],
                bound_data,
                mean: Mean::default(),
                peak_bytes: 0,
            });
        }
    }

    fn settings_entry(&mut self, settings: &Settings) -> SettingsEntry {
        let shape = self.resources.shape(settings).map(|shape| self.ready.intern(shape));
        SettingsEntry { shape, is_metered: settings.fuel.is_some() }
    }

    /// The component that a function needs. `None`: there is no such function.
    pub(crate) fn component_of(
        &mut self,
        graph: GraphKey,
        function: u32,
        is_metered: bool,
        out: &mut Actions,
    ) -> Option<ComponentId> {
        let entry = self.graphs[graph].functions.get(function as usize)?;
        if let Some(component) = entry.components[usize::from(is_metered)] {
            return Some(component);
        }
        let component = self.use_component(entry.digest, is_metered, out);
        self.graphs[graph].functions[function as usize].components[usize::from(is_metered)] = Some(component);
        Some(component)
    }

    /// Asks for the data entries that an attempt refers to. Returns how many it must wait for.
    pub(crate) fn await_data(&mut self, key: GraphKey, function: u32, args: &[u8], attempt: AttemptId, out: &mut Actions) -> u32 {
        let graph = &mut self.graphs[key];
        if !graph.has_remote_data {
            return 0;
        }
        let mut positions = remote_data(args, &graph.data);
        positions.extend(&graph.functions[function as usize].bound_data);
        positions.sort_unstable();
        positions.dedup();
        let mut missing = 0;
        for position in positions {
            let data = &mut graph.data[position as usize];
            match data {
                Data::Here => continue,
                Data::Loading(waiters) => waiters.push(attempt),
                Data::Remote => {
                    *data = Data::Loading(vec![attempt]);
                    out.perform.push(Action::LoadData { graph: key, graph_id: graph.id, position });
                }
            }
            missing += 1;
        }
        missing
    }

    /// Fetches data entries that no task here needs yet. What cannot be had is asked for again when one does.
    pub(crate) fn load_data(&mut self, graph: GraphId, positions: &[u32], out: &mut Actions) {
        let Some(key) = self.graph_keys.get(&graph).copied() else { return };
        for position in positions {
            if let Some(data @ Data::Remote) = self.graphs[key].data.get_mut(*position as usize) {
                *data = Data::Loading(Vec::new());
                out.perform.push(Action::LoadData { graph: key, graph_id: graph, position: *position });
            }
        }
    }

    pub(crate) fn on_data_loaded(&mut self, key: GraphKey, position: u32, result: Result<(), TaskError>, out: &mut Actions) {
        let Some(data) = self.graphs.get_mut(key).and_then(|graph| graph.data.get_mut(position as usize)) else { return };
        let next = if result.is_ok() { Data::Here } else { Data::Remote };
        let Data::Loading(waiters) = std::mem::replace(data, next) else { return };
        match result {
            Ok(()) => self.arrived(waiters),
            Err(error) => waiters.into_iter().for_each(|attempt| self.fail_unrun(attempt, error.clone(), out)),
        }
    }
}

/// The tables of a definition.
pub(crate) struct Definition {
    pub(crate) functions: Vec<FunctionSpec>,
    pub(crate) data: Vec<DataSpec>,
    pub(crate) settings: Vec<Settings>,
}

/// The data entries that a value refers to and that are not here. What is malformed refers to nothing: running it says what is wrong.
fn remote_data(value: &[u8], data: &[Data]) -> Vec<u32> {
    struct Found<'a>(Vec<u32>, &'a [Data]);
    impl References for Found<'_> {
        fn task(&mut self, _: u64, _: usize) -> Result<(), InvalidValue> {
            Ok(())
        }
        fn data(&mut self, position: u64) -> Result<(), InvalidValue> {
            let entry = usize::try_from(position).ok().and_then(|at| self.1.get(at));
            if entry.is_some_and(|entry| !matches!(entry, Data::Here)) {
                self.0.push(position as u32);
            }
            Ok(())
        }
    }
    let mut found = Found(Vec::new(), data);
    if !value.is_empty() && validate(&mut Reader::new(value), &mut found).is_err() {
        return Vec::new();
    }
    found.0
}
