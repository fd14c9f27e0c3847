//! What the numbers were measured on, and with which versions.

use serde_json::{Value as Json, json};

/// The machine and the versions; `versions` are those that benchmarks found out, such as dask's.
pub(crate) fn describe(versions: &[(String, String)]) -> Json {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu_info = read("/proc/cpuinfo");
    let cpu = cpu_info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned()));
    let memory_info = read("/proc/meminfo");
    let memory_kib: u64 =
        memory_info.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    let profile = if cfg!(debug_assertions) { "dev: optimised, with debug assertions" } else { "release" };
    let mut machine = json!({
        "cpu": cpu,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory_mib": memory_kib / 1_024,
        "os": format!("{} {}", std::env::consts::OS, read("/proc/sys/kernel/osrelease").trim()),
        "arch": std::env::consts::ARCH,
        "wasm-tasks": env!("CARGO_PKG_VERSION"),
        "profile": profile,
        "wasmtime": locked("wasmtime"),
        "quinn": locked("quinn"),
        "load": read("/proc/loadavg").split_whitespace().take(1).collect::<String>(),
    });
    for (name, version) in versions {
        machine[name.as_str()] = json!(version);
    }
    machine
}

/// The version of a crate that this program was built with.
fn locked(name: &str) -> Option<&'static str> {
    let lock = include_str!("../../../Cargo.lock");
    let entry = lock.split("[[package]]").find(|entry| entry.lines().any(|line| line == format!("name = \"{name}\"")))?;
    entry.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
}
