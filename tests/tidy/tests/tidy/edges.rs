//! Which package may depend on which: protocol ← cores ← shells, and one package each for the engine and the network.

use std::collections::BTreeSet;
use wasm_tasks_tidy::{Package, Packages, Repository};

/// Every package of the workspace, and what of the workspace it may name (tests included).
const EDGES: [(&str, &[&str]); 17] = [
    ("wasm-tasks-protocol", &[]),
    ("wasm-tasks-interface", &["wasm-tasks-protocol"]),
    ("wasm-tasks-transport", &["wasm-tasks-protocol"]),
    ("wasm-tasks-scheduler-core", &["wasm-tasks-protocol"]),
    ("wasm-tasks-worker-core", &["wasm-tasks-protocol"]),
    ("wasm-tasks-judge", &["wasm-tasks-protocol", "wasm-tasks-interface"]),
    ("wasm-tasks-sandbox", &["wasm-tasks-protocol", "wasm-tasks-interface", "wasm-tasks-judge"]),
    (
        "wasm-tasks-scheduler",
        &["wasm-tasks-protocol", "wasm-tasks-interface", "wasm-tasks-judge", "wasm-tasks-transport", "wasm-tasks-scheduler-core"],
    ),
    (
        "wasm-tasks-worker",
        &["wasm-tasks-protocol", "wasm-tasks-judge", "wasm-tasks-transport", "wasm-tasks-worker-core", "wasm-tasks-sandbox"],
    ),
    (
        "wasm-tasks",
        &[
            "wasm-tasks-protocol",
            "wasm-tasks-interface",
            "wasm-tasks-judge",
            "wasm-tasks-transport",
            "wasm-tasks-scheduler",
            "wasm-tasks-worker",
            "wasm-tasks-sandbox",
        ],
    ),
    (
        "wasm-tasks-cli",
        &[
            "wasm-tasks",
            "wasm-tasks-allocator",
            "wasm-tasks-protocol",
            "wasm-tasks-interface",
            "wasm-tasks-judge",
            "wasm-tasks-transport",
            "wasm-tasks-scheduler",
            "wasm-tasks-worker",
            "wasm-tasks-sandbox",
        ],
    ),
    ("wasm-tasks-sim", &["wasm-tasks-protocol", "wasm-tasks-scheduler-core", "wasm-tasks-worker-core"]),
    ("wasm-tasks-cluster-tests", &["wasm-tasks-protocol", "wasm-tasks-transport"]),
    ("wasm-tasks-tidy", &["wasm-tasks-protocol", "wasm-tasks-scheduler-core", "wasm-tasks-worker-core"]),
    (
        "wasm-tasks-bench",
        &[
            "wasm-tasks",
            "wasm-tasks-allocator",
            "wasm-tasks-protocol",
            "wasm-tasks-interface",
            "wasm-tasks-transport",
            "wasm-tasks-scheduler",
            "wasm-tasks-scheduler-core",
            "wasm-tasks-worker",
            "wasm-tasks-worker-core",
            "wasm-tasks-sandbox",
            "wasm-tasks-sim",
        ],
    ),
    ("wasm-tasks-allocator", &[]),
    ("xtask", &[]),
];

/// Third-party packages that only one of ours may name, so that they can be replaced and audited in one place.
const OWNERS: [(&str, &str); 8] = [
    ("seccompiler", "wasm-tasks-judge"),
    ("close_fds", "wasm-tasks-judge"),
    ("wasmtime", "wasm-tasks-sandbox"),
    ("quinn", "wasm-tasks-transport"),
    ("rustls", "wasm-tasks-transport"),
    ("rcgen", "wasm-tasks-transport"),
    ("x509-parser", "wasm-tasks-transport"),
    ("mimalloc", "wasm-tasks-allocator"),
];

const PURE: [&str; 4] = ["wasm-tasks-protocol", "wasm-tasks-interface", "wasm-tasks-scheduler-core", "wasm-tasks-worker-core"];

/// What lets a program see the machine: a pure package reaches none of these, however indirectly.
const IMPURE: [&str; 11] =
    ["tokio", "quinn", "rustls", "wasmtime", "getrandom", "rand", "mio", "socket2", "rustix", "crossbeam-channel", "tracing"];

fn packages() -> Packages {
    Packages::read(Repository::open().root())
}

fn all(package: &Package) -> impl Iterator<Item = &str> {
    package.normal.iter().chain(&package.other).map(String::as_str)
}

#[test]
fn packages_name_only_what_they_may_see() {
    let packages = packages();
    let known: BTreeSet<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    let found: BTreeSet<&str> = packages.members().iter().map(|package| package.name.as_str()).collect();
    assert_eq!(
        found, known,
        "a package was added or removed: say in EDGES what it may see, and in docs/architecture.md what it is"
    );
    for (name, allowed) in EDGES {
        for needed in all(packages.member(name)).filter(|needed| known.contains(needed)) {
            assert!(allowed.contains(&needed), "`{name}` must not depend on `{needed}` (docs/architecture.md, Code map)");
        }
    }
}

#[test]
fn the_engine_and_the_network_have_one_owner_each() {
    let packages = packages();
    for (needed, owner) in OWNERS {
        assert!(
            all(packages.member(owner)).any(|name| name == needed),
            "`{owner}` does not use `{needed}` any more: change OWNERS"
        );
        for package in packages.members().iter().filter(|package| package.name != owner) {
            assert!(all(package).all(|name| name != needed), "only `{owner}` may name `{needed}`, and `{}` does", package.name);
        }
    }
}

#[test]
fn pure_packages_reach_nothing_that_sees_the_machine() {
    let packages = packages();
    for name in PURE {
        let closure = packages.closure(packages.member(name));
        for impure in IMPURE {
            assert!(
                !closure.contains(impure),
                "`{name}` is pure and reaches `{impure}`; `cargo tree -p {name} -i {impure}` shows how"
            );
        }
    }
    for core in ["wasm-tasks-scheduler-core", "wasm-tasks-worker-core"] {
        let direct: Vec<&str> = packages.member(core).normal.iter().map(String::as_str).collect();
        assert!(direct.iter().all(|name| ["wasm-tasks-protocol", "bytes"].contains(name)), "`{core}` names {direct:?}");
    }
}

#[test]
fn the_simulator_and_the_tools_build_without_the_engine() {
    let packages = packages();
    for name in ["wasm-tasks-sim", "wasm-tasks-tidy", "wasm-tasks-judge", "wasm-tasks-scheduler", "wasm-tasks-transport", "xtask"]
    {
        assert!(!packages.closure(packages.member(name)).contains("wasmtime"), "`{name}` must build without wasmtime");
    }
    // Otherwise the test above would pass because it finds nothing anywhere.
    assert!(packages.closure(packages.member("wasm-tasks-cli")).contains("wasmtime"));
}

#[test]
fn errors_have_types() {
    for package in packages().members() {
        assert!(all(package).all(|name| !["anyhow", "eyre"].contains(&name)), "`{}` hides its errors' types", package.name);
    }
}
