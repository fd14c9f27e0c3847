//! The guests in JavaScript: `report` of the flights demo and the runner of source texts, by componentize-qjs.

use std::path::Path;
use std::process::Command;

use super::{path, unless_fresh, wit};
use crate::exec::execute_quietly;
use crate::failure::Failure;
use crate::tools;

pub(super) fn build() -> Result<bool, Failure> {
    if !tools::is_node_present() {
        println!("   node (20 or newer) with npm not found: JavaScript guest skipped");
        return Ok(false);
    }
    let root = tools::root();
    let report = root.join("guest-examples/js/report");
    let sources = [report.clone()];
    unless_fresh("js", "componentize-qjs", &sources, &["report"], || {
        componentize_qjs(&report, &wit(), "report", &report, "report")
    })?;

    let runner = root.join("guest-examples/js/runner");
    let interface = root.join("wit/runner");
    let sources = [runner.clone(), interface.clone(), report.join("package-lock.json")];
    unless_fresh("js runner", "componentize-qjs", &sources, &["js-runner"], || {
        componentize_qjs(&runner, &interface, "runner-bare", &report, "js-runner")
    })?;
    Ok(true)
}

/// Makes the component `name` of the script that `package` is called after, with the tool installed in `tools`.
fn componentize_qjs(package: &Path, wit: &Path, world: &str, tools: &Path, name: &str) -> Result<(), Failure> {
    tools::ensure_npm(tools)?;
    let script = package.file_name().expect("a package is a folder below the root");
    execute_quietly(
        Command::new("npx")
            .args(["--no-install", "componentize-qjs", "--sync", "--world", world, "--wit"])
            .arg(wit)
            .arg("--js")
            .arg(package.join(script).with_extension("js"))
            .arg("--module-root")
            .arg(package)
            .arg("--output")
            .arg(path(name))
            .current_dir(tools),
    )
}
