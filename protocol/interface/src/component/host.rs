//! The functions that the sandbox provides itself, with their types. Every other function of WASI 0.2 links too, whatever its
//! type, and denies.
//!
//! Types are texts in one line. A resource is known by its name, as the sandbox knows it, and owned and borrowed handles are
//! one: `resource<denied>` is any resource but the four that do something. A test of the sandbox keeps this table and the
//! linked functions together.

/// Names of the resources that are more than something to deny.
pub(super) const RESOURCES: [&str; 4] = ["pollable", "input-stream", "output-stream", "error"];

/// A function: the interfaces that have it, without version, its name, its type.
pub(super) struct HostFunction {
    pub(super) interfaces: &'static [&'static str],
    pub(super) name: &'static str,
    pub(super) ty: &'static str,
}

const fn function(interfaces: &'static [&'static str], name: &'static str, ty: &'static str) -> HostFunction {
    HostFunction { interfaces, name, ty }
}

const STREAMS: &[&str] = &["wasi:io/streams", "wasi:io/error"];
const POLL: &[&str] = &["wasi:io/poll"];
const MONOTONIC: &[&str] = &["wasi:clocks/monotonic-clock"];
const WALL: &[&str] = &["wasi:clocks/wall-clock"];
const ENVIRONMENT: &[&str] = &["wasi:cli/environment"];
const EXIT: &[&str] = &["wasi:cli/exit"];
const TERMINALS: &[&str] = &["wasi:cli/terminal-stdin", "wasi:cli/terminal-stdout", "wasi:cli/terminal-stderr"];

const READ: &str =
    "func(resource<input-stream>, u64) -> result<list<u8>, variant{last-operation-failed(resource<error>), closed}>";
const SKIP: &str = "func(resource<input-stream>, u64) -> result<u64, variant{last-operation-failed(resource<error>), closed}>";
const WRITE: &str =
    "func(resource<output-stream>, list<u8>) -> result<_, variant{last-operation-failed(resource<error>), closed}>";
const ZEROES: &str = "func(resource<output-stream>, u64) -> result<_, variant{last-operation-failed(resource<error>), closed}>";
const FLUSH: &str = "func(resource<output-stream>) -> result<_, variant{last-operation-failed(resource<error>), closed}>";
const SPLICE: &str = "func(resource<output-stream>, resource<input-stream>, u64) -> result<u64, variant{last-operation-failed(resource<error>), closed}>";
const CHECK_WRITE: &str = "func(resource<output-stream>) -> result<u64, variant{last-operation-failed(resource<error>), closed}>";
const DATETIME: &str = "func() -> record{seconds: u64, nanoseconds: u32}";
const TERMINAL: &str = "func() -> option<resource<denied>>";

/// All of them.
pub(super) const FUNCTIONS: &[HostFunction] = &[
    function(STREAMS, "[method]error.to-debug-string", "func(resource<error>) -> string"),
    function(STREAMS, "[method]input-stream.read", READ),
    function(STREAMS, "[method]input-stream.blocking-read", READ),
    function(STREAMS, "[method]input-stream.skip", SKIP),
    function(STREAMS, "[method]input-stream.blocking-skip", SKIP),
    function(STREAMS, "[method]input-stream.subscribe", "func(resource<input-stream>) -> resource<pollable>"),
    function(STREAMS, "[method]output-stream.subscribe", "func(resource<output-stream>) -> resource<pollable>"),
    function(STREAMS, "[method]output-stream.check-write", CHECK_WRITE),
    function(STREAMS, "[method]output-stream.write", WRITE),
    function(STREAMS, "[method]output-stream.blocking-write-and-flush", WRITE),
    function(STREAMS, "[method]output-stream.write-zeroes", ZEROES),
    function(STREAMS, "[method]output-stream.blocking-write-zeroes-and-flush", ZEROES),
    function(STREAMS, "[method]output-stream.flush", FLUSH),
    function(STREAMS, "[method]output-stream.blocking-flush", FLUSH),
    function(STREAMS, "[method]output-stream.splice", SPLICE),
    function(STREAMS, "[method]output-stream.blocking-splice", SPLICE),
    function(POLL, "[method]pollable.ready", "func(resource<pollable>) -> bool"),
    function(POLL, "[method]pollable.block", "func(resource<pollable>)"),
    function(POLL, "poll", "func(list<resource<pollable>>) -> list<u32>"),
    function(MONOTONIC, "now", "func() -> u64"),
    function(MONOTONIC, "resolution", "func() -> u64"),
    function(MONOTONIC, "subscribe-instant", "func(u64) -> resource<pollable>"),
    function(MONOTONIC, "subscribe-duration", "func(u64) -> resource<pollable>"),
    function(WALL, "now", DATETIME),
    function(WALL, "resolution", DATETIME),
    function(&["wasi:random/random"], "get-random-bytes", "func(u64) -> list<u8>"),
    function(&["wasi:random/random"], "get-random-u64", "func() -> u64"),
    function(&["wasi:random/insecure"], "get-insecure-random-bytes", "func(u64) -> list<u8>"),
    function(&["wasi:random/insecure"], "get-insecure-random-u64", "func() -> u64"),
    function(&["wasi:random/insecure-seed"], "insecure-seed", "func() -> tuple<u64, u64>"),
    function(ENVIRONMENT, "get-environment", "func() -> list<tuple<string, string>>"),
    function(ENVIRONMENT, "get-arguments", "func() -> list<string>"),
    function(ENVIRONMENT, "initial-cwd", "func() -> option<string>"),
    function(EXIT, "exit", "func(result<_, _>)"),
    function(EXIT, "exit-with-code", "func(u8)"),
    function(&["wasi:cli/stdin"], "get-stdin", "func() -> resource<input-stream>"),
    function(&["wasi:cli/stdout"], "get-stdout", "func() -> resource<output-stream>"),
    function(&["wasi:cli/stderr"], "get-stderr", "func() -> resource<output-stream>"),
    function(TERMINALS, "get-terminal-stdin", TERMINAL),
    function(TERMINALS, "get-terminal-stdout", TERMINAL),
    function(TERMINALS, "get-terminal-stderr", TERMINAL),
    function(&["wasi:filesystem/preopens"], "get-directories", "func() -> list<tuple<resource<denied>, string>>"),
    function(&["wasm-tasks:task/delegate"], "delegate", "func(list<u8>)"),
];

/// The type that a function must have; none where any will do.
pub(super) fn type_of(interface: &str, name: &str) -> Option<&'static str> {
    let is_it = |function: &&HostFunction| function.name == name && function.interfaces.contains(&interface);
    FUNCTIONS.iter().find(is_it).map(|function| function.ty)
}

/// How resources of a name are called in types.
pub(super) fn resource_name(name: &str) -> &'static str {
    RESOURCES.into_iter().find(|known| *known == name).unwrap_or("denied")
}

/// The functions that the sandbox provides itself: interface without version, name, type. For tests of the sandbox.
pub fn host_functions() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let of =
        |function: &'static HostFunction| function.interfaces.iter().map(|interface| (*interface, function.name, function.ty));
    FUNCTIONS.iter().flat_map(of)
}
