//! Every size limit of files, messages and tasks, with its reason. `docs/limits.md` is generated from [`TABLE`].

/// Bytes of a graph file. A file is kept whole while its graph lives.
pub const GRAPH_BYTES_MAX: usize = 2 << 30;
/// Tasks of a graph. Positions are `u32` and the cores keep about 200 bytes for each.
pub const GRAPH_TASKS_MAX: usize = 16 << 20;
/// Components of a graph.
pub const GRAPH_COMPONENTS_MAX: usize = 4_096;
/// Functions of a graph.
pub const GRAPH_FUNCTIONS_MAX: usize = 65_536;
/// Data entries of a graph.
pub const GRAPH_DATA_MAX: usize = 1 << 20;
/// Outputs of a graph.
pub const GRAPH_OUTPUTS_MAX: usize = 1 << 20;
/// Bytes that a fragment counts for beyond its file, against [`GRAPH_BYTES_MAX`].
pub const FRAGMENT_BYTES: usize = 1 << 10;
/// Edges of a graph that is extended. The table of a growing graph takes up to five places for each.
pub const GROWN_EDGES_MAX: usize = 512 << 20;
/// Bytes of the tasks that one task ends in, as it writes them.
pub const DELEGATION_BYTES_MAX: usize = 1 << 20;
/// Bytes of these as they are added to the graph, with what they refer to of the arguments of the task.
pub const DELEGATED_BYTES_MAX: usize = 4 << 20;
/// Tasks of a graph that other tasks of it end in.
pub const DELEGATED_TASKS_MAX: usize = 1 << 18;
/// How often tasks may be written by tasks that were written by tasks.
pub const DELEGATION_DEPTH_MAX: usize = 256;
/// References in one task's arguments.
pub const TASK_REFERENCES_MAX: usize = 1 << 20;
/// Bytes of one task's arguments; what is larger belongs into `data`. Half a message, so that an assignment fits one.
pub const TASK_ARGS_BYTES_MAX: usize = 32 << 20;
/// Bytes of a task's key.
pub const KEY_BYTES_MAX: usize = 1_024;
/// Bytes of a name, label, export or source.
pub const NAME_BYTES_MAX: usize = 4_096;
/// Steps of a path into a result.
pub const PATH_STEPS_MAX: usize = 32;
/// How deep values nest. Readers recurse, so this bounds their stack.
pub const VALUE_DEPTH_MAX: usize = 64;
/// Bytes of a component. The largest useful one known (CPython with numpy and pandas) has 122 MB.
pub const COMPONENT_BYTES_MAX: usize = 256 << 20;
/// Exports of a component. Each is read and named.
pub const COMPONENT_EXPORTS_MAX: usize = 16_384;
/// Bytes of an interface as the judging process writes it. CPython's with all of WASI has 4 KiB.
pub const INTERFACE_BYTES_MAX: usize = 4 << 20;
/// Bytes of a component's compiled code. CPython's has 31 MiB.
pub const COMPILED_BYTES_MAX: usize = 1 << 30;
/// Bytes of memory in which a component of no size is validated and typed.
pub const INSPECT_MEMORY_BYTES: u64 = 192 << 20;
/// Bytes of memory on top of it for each byte of the component.
pub const INSPECT_MEMORY_PER_BYTE: u64 = 8;
/// CPU time in which a component of no size is validated and typed, in milliseconds.
pub const INSPECT_CPU_MS: u64 = 5_000;
/// CPU time on top of it for each MiB of the component, in milliseconds.
pub const INSPECT_CPU_MS_PER_MIB: u64 = 500;
/// Bytes of memory in which a component of no size is compiled.
pub const COMPILE_MEMORY_BYTES: u64 = 1 << 30;
/// Bytes of memory on top of it for each byte of the component.
pub const COMPILE_MEMORY_PER_BYTE: u64 = 128;
/// Bytes of memory in which any component is validated, typed or compiled.
pub const JUDGE_MEMORY_BYTES_MAX: u64 = 16 << 30;
/// CPU time in which a component of no size is compiled, in milliseconds.
pub const COMPILE_CPU_MS: u64 = 30_000;
/// CPU time on top of it for each MiB of the component, in milliseconds. 1 to 1.6 s were measured, on a fast machine.
pub const COMPILE_CPU_MS_PER_MIB: u64 = 10_000;
/// Wall time of judging, in units of its CPU time: processes share a busy machine.
pub const JUDGE_WALL_PER_CPU: u64 = 4;
/// Instances of a component times the exports of its largest inner component, beside a quarter of its bytes. The validator
/// copies the exports for each instance.
pub const COMPONENT_COPIES_MAX: usize = 16_384;
/// Core modules and components in a component. The validator's work grows with their square; CPython's has about 30.
pub const COMPONENT_PARTS_MAX: u32 = 512;
/// Parts of one type, written out: fields, cases and what they hold. Comparing two types walks them.
pub const TYPE_PARTS_MAX: usize = 4_096;
/// Parts of all types of a function together. Whoever prepares a call walks them.
pub const SIGNATURE_PARTS_MAX: usize = 16_384;
/// Linear memories of a component, and of one module of it. A slot reserves address space for them.
pub const COMPONENT_MEMORIES_MAX: u32 = 8;
/// Tables of a component, and of one module of it. A slot reserves address space for them.
pub const COMPONENT_TABLES_MAX: u32 = 16;
/// Elements that a table may have. CPython's have 10,000.
pub const TABLE_ELEMENTS_MAX: u32 = 100_000;
/// Different types that a data entry without a declared one may be used as. Its bytes are checked against each.
pub const DATA_TYPES_MAX: usize = 64;
/// Bytes of one control message.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Bytes of a result that travel with the message that reports it, instead of by a fetch.
pub const INLINE_BYTES_MAX: usize = 4 << 10;
/// Bytes of a task's result, unless its options say less or more.
pub const RESULT_BYTES_MAX_DEFAULT: u64 = 64 << 20;
/// Bytes of a task's result that options may ask for.
pub const RESULT_BYTES_MAX: u64 = 1 << 30;
/// Bytes of a task's linear memories and tables together, unless its options say otherwise.
pub const TASK_MEMORY_BYTES_DEFAULT: u64 = 1 << 30;
/// Bytes of a task's linear memories that options may ask for: what 32-bit memories can have.
pub const TASK_MEMORY_BYTES_MAX: u64 = 4 << 30;
/// Wall time of one attempt, unless options say otherwise.
pub const TIMEOUT_MS_DEFAULT: u64 = 600_000;
/// Wall time of one attempt that options may ask for: 30 days.
pub const TIMEOUT_MS_MAX: u64 = 30 * 24 * 3_600_000;
/// Bytes kept of a task's standard output and of its standard error, each: the last ones.
pub const LOG_BYTES_MAX: usize = 64 << 10;
/// Bytes of a task's native and WebAssembly stack.
pub const STACK_BYTES: usize = 1 << 20;
/// Component handles that a task may hold.
pub const HANDLES_MAX: usize = 1_000;
/// Retries that options may ask for.
pub const RETRIES_MAX: u32 = 100;
/// Names under which a scheduler has graphs published.
pub const PUBLISHED_MAX: usize = 10_000;
/// Alternatives of a task. Each is tried in every search for a worker.
pub const ALTERNATIVES_MAX: usize = 8;
/// Members of a gang. Each has a worker of its own, and is looked at when one of the others starts, ends or is held room for.
pub const GANG_MEMBERS_MAX: u32 = 1_024;
/// Grants in one list: room for more kinds than there are.
pub const GRANTS_MAX: usize = 16;
/// Entries of one map of resources. Each is compared with the resources of every worker that is looked at.
pub const RESOURCES_MAX: usize = 64;
/// Parameters that a dynamic function may declare: as many as a function of WebAssembly may have.
pub const DYNAMIC_PARAMS_MAX: usize = 1_000;
/// Rules for labels in one list. Each is compared with the labels of every worker that is looked at.
pub const LABEL_RULES_MAX: usize = 64;
/// Deaths of workers after which the task that ran on each of them is stopped.
pub const WORKER_DEATHS_MAX: u32 = 3;

/// What a limit is called, its value, and why it exists.
pub struct Limit {
    /// The constant's name in lower case.
    pub name: &'static str,
    /// Its value, in the unit that the name ends with (bytes, milliseconds, or a count).
    pub value: u64,
    /// The reason.
    pub reason: &'static str,
}

/// All limits, for the documentation.
pub const TABLE: &[Limit] = &[
    Limit { name: "graph_bytes_max", value: GRAPH_BYTES_MAX as u64, reason: "a graph file is kept whole while its graph lives" },
    Limit {
        name: "graph_tasks_max",
        value: GRAPH_TASKS_MAX as u64,
        reason: "positions are 32 bits and the scheduler keeps about 200 bytes a task",
    },
    Limit { name: "graph_components_max", value: GRAPH_COMPONENTS_MAX as u64, reason: "each is checked and compiled" },
    Limit {
        name: "graph_functions_max",
        value: GRAPH_FUNCTIONS_MAX as u64,
        reason: "functions are shared by tasks; more are a mistake",
    },
    Limit { name: "graph_data_max", value: GRAPH_DATA_MAX as u64, reason: "entries are indexed in memory" },
    Limit { name: "graph_outputs_max", value: GRAPH_OUTPUTS_MAX as u64, reason: "each is handed over to the client" },
    Limit {
        name: "fragment_bytes",
        value: FRAGMENT_BYTES as u64,
        reason: "a fragment counts for so much more than its file has, because its tables are kept too",
    },
    Limit {
        name: "grown_edges_max",
        value: GROWN_EDGES_MAX as u64,
        reason: "edges of a graph that is extended: each takes up to five places in the table of a growing graph",
    },
    Limit {
        name: "delegation_bytes_max",
        value: DELEGATION_BYTES_MAX as u64,
        reason: "the tasks that one task ends in are written in its memory and travel with the report; large values belong into results",
    },
    Limit {
        name: "delegated_bytes_max",
        value: DELEGATED_BYTES_MAX as u64,
        reason: "the same tasks with the arguments that they take over from the task, which may be named often",
    },
    Limit {
        name: "delegated_tasks_max",
        value: DELEGATED_TASKS_MAX as u64,
        reason: "a graph whose tasks write tasks without end is stopped by it",
    },
    Limit {
        name: "delegation_depth_max",
        value: DELEGATION_DEPTH_MAX as u64,
        reason: "a recursion without end is stopped by it, and keys grow with each level",
    },
    Limit { name: "task_references_max", value: TASK_REFERENCES_MAX as u64, reason: "each is an edge of the graph" },
    Limit {
        name: "task_args_bytes_max",
        value: TASK_ARGS_BYTES_MAX as u64,
        reason: "arguments travel with the assignment; larger ones belong into data",
    },
    Limit { name: "key_bytes_max", value: KEY_BYTES_MAX as u64, reason: "keys are kept and printed" },
    Limit { name: "name_bytes_max", value: NAME_BYTES_MAX as u64, reason: "names are kept and printed" },
    Limit { name: "path_steps_max", value: PATH_STEPS_MAX as u64, reason: "each step walks a value" },
    Limit { name: "value_depth_max", value: VALUE_DEPTH_MAX as u64, reason: "readers recurse; this bounds their stack" },
    Limit { name: "component_bytes_max", value: COMPONENT_BYTES_MAX as u64, reason: "the largest useful one known has 122 MB" },
    Limit { name: "component_exports_max", value: COMPONENT_EXPORTS_MAX as u64, reason: "each is read and named" },
    Limit {
        name: "interface_bytes_max",
        value: INTERFACE_BYTES_MAX as u64,
        reason: "the scheduler keeps the interface of each component that a graph uses",
    },
    Limit {
        name: "compiled_bytes_max",
        value: COMPILED_BYTES_MAX as u64,
        reason: "compiled code is handed from process to process, written to the cache and mapped",
    },
    Limit {
        name: "inspect_memory_bytes",
        value: INSPECT_MEMORY_BYTES,
        reason: "the process that validates and types a component may have this much memory; beyond it: component-too-costly",
    },
    Limit {
        name: "inspect_memory_per_byte",
        value: INSPECT_MEMORY_PER_BYTE,
        reason: "and this much for each byte of the component",
    },
    Limit {
        name: "inspect_cpu_ms",
        value: INSPECT_CPU_MS,
        reason: "CPU time of the process that validates and types a component; beyond it: component-too-costly",
    },
    Limit {
        name: "inspect_cpu_ms_per_mib",
        value: INSPECT_CPU_MS_PER_MIB,
        reason: "and this much for each MiB of the component",
    },
    Limit {
        name: "compile_memory_bytes",
        value: COMPILE_MEMORY_BYTES,
        reason: "the process that compiles a component may have this much memory; beyond it: component-too-costly",
    },
    Limit {
        name: "compile_memory_per_byte",
        value: COMPILE_MEMORY_PER_BYTE,
        reason: "and this much for each byte of the component",
    },
    Limit {
        name: "judge_memory_bytes_max",
        value: JUDGE_MEMORY_BYTES_MAX,
        reason: "no component has more memory for validation or compilation, however large it is",
    },
    Limit {
        name: "compile_cpu_ms",
        value: COMPILE_CPU_MS,
        reason: "CPU time of the process that compiles a component; beyond it: component-too-costly",
    },
    Limit {
        name: "compile_cpu_ms_per_mib",
        value: COMPILE_CPU_MS_PER_MIB,
        reason: "and this much for each MiB of the component: real ones take 1 to 1.6 s a MiB on a fast machine",
    },
    Limit {
        name: "judge_wall_per_cpu",
        value: JUDGE_WALL_PER_CPU,
        reason: "wall time of these processes is so many times their CPU time, because a machine may be busy",
    },
    Limit {
        name: "component_copies_max",
        value: COMPONENT_COPIES_MAX as u64,
        reason: "instances times exports of the largest inner component, and a quarter of the bytes: exports are copied for each instance",
    },
    Limit {
        name: "component_parts_max",
        value: COMPONENT_PARTS_MAX as u64,
        reason: "core modules and components in a component: the validator's work grows with their square",
    },
    Limit {
        name: "type_parts_max",
        value: TYPE_PARTS_MAX as u64,
        reason: "comparing two types walks their fields and cases; an export with a larger one cannot be a task",
    },
    Limit {
        name: "signature_parts_max",
        value: SIGNATURE_PARTS_MAX as u64,
        reason: "preparing a call walks all types of a function; an export with more cannot be a task",
    },
    Limit {
        name: "component_memories_max",
        value: COMPONENT_MEMORIES_MAX as u64,
        reason: "a slot reserves address space for each",
    },
    Limit { name: "component_tables_max", value: COMPONENT_TABLES_MAX as u64, reason: "a slot reserves address space for each" },
    Limit { name: "table_elements_max", value: TABLE_ELEMENTS_MAX as u64, reason: "a slot reserves address space for them" },
    Limit {
        name: "data_types_max",
        value: DATA_TYPES_MAX as u64,
        reason: "a data entry without a declared type is checked against the type of each parameter that it feeds",
    },
    Limit { name: "message_bytes_max", value: MESSAGE_BYTES_MAX as u64, reason: "a message is read whole" },
    Limit {
        name: "inline_bytes_max",
        value: INLINE_BYTES_MAX as u64,
        reason: "small results travel with the message that reports them",
    },
    Limit {
        name: "result_bytes_max_default",
        value: RESULT_BYTES_MAX_DEFAULT,
        reason: "option `result-bytes-max` changes it for a task",
    },
    Limit { name: "result_bytes_max", value: RESULT_BYTES_MAX, reason: "a result is built in the worker's memory" },
    Limit {
        name: "task_memory_bytes_default",
        value: TASK_MEMORY_BYTES_DEFAULT,
        reason: "resource `memory` changes it for a task",
    },
    Limit { name: "task_memory_bytes_max", value: TASK_MEMORY_BYTES_MAX, reason: "what a 32-bit linear memory can have" },
    Limit { name: "timeout_ms_default", value: TIMEOUT_MS_DEFAULT, reason: "option `timeout-ms` changes it for a task" },
    Limit { name: "timeout_ms_max", value: TIMEOUT_MS_MAX, reason: "30 days" },
    Limit {
        name: "log_bytes_max",
        value: LOG_BYTES_MAX as u64,
        reason: "the last bytes of a task's output and error are kept, each",
    },
    Limit { name: "stack_bytes", value: STACK_BYTES as u64, reason: "the stack of a task, which runs on a thread of the worker" },
    Limit { name: "handles_max", value: HANDLES_MAX as u64, reason: "component handles are host memory" },
    Limit { name: "retries_max", value: RETRIES_MAX as u64, reason: "more would hide that a task cannot succeed" },
    Limit { name: "published_max", value: PUBLISHED_MAX as u64, reason: "what is published is kept until it is withdrawn" },
    Limit {
        name: "gang_members_max",
        value: GANG_MEMBERS_MAX as u64,
        reason: "each has a worker of its own, and is looked at when another starts or ends",
    },
    Limit { name: "alternatives_max", value: ALTERNATIVES_MAX as u64, reason: "each is tried in every search for a worker" },
    Limit { name: "grants_max", value: GRANTS_MAX as u64, reason: "room for more kinds of grants than there are" },
    Limit {
        name: "resources_max",
        value: RESOURCES_MAX as u64,
        reason: "each is compared with the resources of every worker that is looked at",
    },
    Limit {
        name: "dynamic_params_max",
        value: DYNAMIC_PARAMS_MAX as u64,
        reason: "as many parameters as a function of WebAssembly may have",
    },
    Limit {
        name: "label_rules_max",
        value: LABEL_RULES_MAX as u64,
        reason: "each is compared with the labels of every worker that is looked at",
    },
    Limit {
        name: "worker_deaths_max",
        value: WORKER_DEATHS_MAX as u64,
        reason: "a task that was running on that many workers when they died is stopped",
    },
];
