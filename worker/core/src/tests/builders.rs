//! Short ways to write graphs, assignments and reports.

use crate::{CoreSettings, Ended, Outcome};
use bytes::Bytes;
use wasm_tasks_protocol::graph::{Resource, Settings};
use wasm_tasks_protocol::message::{
    Assignment, AttemptDelegated, AttemptFailed, AttemptFinished, DataSpec, FunctionSpec, Input, InputSource, Priority, ToWorker,
};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{Attempt, ComponentDigest, ContentDigest, ErrorCode, GraphId, TaskError, TaskIndex, TenantId};

pub(super) fn graph_id(graph: u8) -> GraphId {
    GraphId([graph; 16])
}

pub(super) fn core_settings(slots: u32) -> CoreSettings {
    let pools = vec![Resource { name: "gpu".into(), milli: 1_000 }];
    let run_target = Duration(500);
    CoreSettings {
        fetches_max: 2,
        fetch_bytes_max: 1_000,
        pools,
        idle_components_max: 1,
        run_target,
        ..CoreSettings::new(slots, 1_000)
    }
}

/// Function 0 and 1 in component 0, function 2 in component 1; data entry 0 is here, entry 1 is not.
/// Settings: 0 default, 1 half a slot, 2 two slots, 3 600 bytes, 4 a gpu, 5 metered, 6 impossible.
pub(super) fn definition(graph: u8) -> ToWorker {
    let function = |component: u8| FunctionSpec {
        component: ComponentDigest([component; 32]),
        export: "f".into(),
        bind: Bytes::new(),
        dynamic: None,
    };
    let data = vec![
        DataSpec { is_raw: true, len: 1, inline: Some(Bytes::from_static(b"x")) },
        DataSpec { is_raw: true, len: 9_000, inline: None },
    ];
    let gpu = |milli| vec![Resource { name: "gpu".into(), milli }];
    let settings = vec![
        Settings::default(),
        Settings { slots_milli: 500, ..Settings::default() },
        Settings { slots_milli: 2_000, ..Settings::default() },
        Settings { memory_bytes: 600, memory_declared: true, ..Settings::default() },
        Settings { pools: gpu(1_000), ..Settings::default() },
        Settings { fuel: Some(1), ..Settings::default() },
        Settings { pools: gpu(2_000), ..Settings::default() },
    ];
    let functions = vec![function(0), function(0), function(1)];
    ToWorker::DefineGraph { graph: graph_id(graph), tenant: TenantId::DEFAULT, functions, data, settings }
}

/// After that: function 3 in component 1, whose bound argument is data entry 2, which is not here, and settings 7, a quarter of a slot.
pub(super) fn extension(graph: u8) -> ToWorker {
    ToWorker::ExtendGraph {
        graph: graph_id(graph),
        functions: vec![FunctionSpec {
            component: ComponentDigest([1; 32]),
            export: "f".into(),
            bind: Bytes::from_static(&[0x91, 0xd4, 2, 2]),
            dynamic: None,
        }],
        data: vec![DataSpec { is_raw: true, len: 9_000, inline: None }],
        settings: vec![Settings { slots_milli: 250, ..Settings::default() }],
    }
}

pub(super) fn assignment(task: u32, attempt: u64, function: u32, settings: u32, inputs: Vec<Input>) -> Assignment {
    let priority = Priority { rank: task, ..Priority::default() };
    let args = Bytes::from_static(&[0x90]);
    Assignment { task: TaskIndex(task), attempt: Attempt(attempt), function, settings, priority, args, inputs }
}

pub(super) fn input(task: u32, size: u64, source: InputSource) -> Input {
    Input { task: TaskIndex(task), size, source }
}

pub(super) fn finished(run_us: u64, value: &'static [u8]) -> Outcome {
    let report = AttemptFinished {
        attempt: Attempt(0),
        size: value.len() as u64,
        digest: ContentDigest([0; 32]),
        run: Duration(run_us),
        memory_peak_bytes: 0,
        fuel_used: None,
        has_logs: false,
        inline: Some(Bytes::from_static(value)),
    };
    Outcome::Finished { report: Box::new(report), value: Bytes::from_static(value) }
}

pub(super) fn failed() -> Outcome {
    let error = TaskError::new(ErrorCode::Trap, "unreachable");
    Outcome::Failed(Box::new(AttemptFailed { attempt: Attempt(0), run: Duration(5), has_logs: false, error }))
}

pub(super) fn delegated() -> Outcome {
    let report = AttemptDelegated {
        attempt: Attempt(0),
        run: Duration(5),
        memory_peak_bytes: 0,
        fuel_used: None,
        has_logs: false,
        tasks: Bytes::from_static(b"tasks"),
    };
    Outcome::Delegated(Box::new(report))
}

pub(super) fn ended(id: crate::AttemptId, outcome: Outcome) -> Ended {
    Ended { id, outcome }
}
