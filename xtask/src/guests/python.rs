//! The guests in Python: `combine` of the flights demo and the runner of source texts, by componentize-py.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{path, unless_fresh, wit};
use crate::exec::{capture, execute_quietly};
use crate::failure::Failure;
use crate::tools;

pub(super) fn build() -> Result<bool, Failure> {
    let Some(python) = tools::python("venv", "guests.txt")? else {
        println!("   python3 (3.9 or newer) not found: Python guests skipped");
        return Ok(false);
    };
    let root = tools::root();
    let tool = root.join("xtask/requirements/guests.txt");
    let combine = root.join("guest-examples/python/combine");
    unless_fresh("python", "componentize-py", &[combine.clone(), tool.clone()], &["combine"], || {
        componentize_py(&python, &wit(), "combine", &[combine], "combine")
    })?;

    let runner = root.join("guest-examples/python/runner");
    let interface = root.join("wit/runner");
    let sdk = root.join("sdk/python/src");
    let sources = [runner.clone(), interface.clone(), sdk.clone(), tool];
    unless_fresh("python runner", "componentize-py", &sources, &["python-runner"], || {
        let msgpack = pure_msgpack(&python)?;
        componentize_py(&python, &interface, "runner", &[runner, sdk, msgpack], "python-runner")
    })?;
    Ok(true)
}

/// Makes the component `name` of the module `app` on the given Python path.
fn componentize_py(python: &Path, wit: &Path, world: &str, paths: &[PathBuf], name: &str) -> Result<(), Failure> {
    let mut command = Command::new(python.with_file_name("componentize-py"));
    command.arg("--wit-path").arg(wit).args(["--world", world, "componentize"]);
    for path in paths {
        command.arg("--python-path").arg(path);
    }
    execute_quietly(command.args(["app", "--output"]).arg(path(name)))
}

/// A folder with the package `msgpack` of the virtual environment, without its native code.
fn pure_msgpack(python: &Path) -> Result<PathBuf, Failure> {
    let script = "import msgpack; print(msgpack.__path__[0])";
    let installed = PathBuf::from(capture(Command::new(python).args(["-c", script]))?.trim());
    let folder = tools::target().join("guests-python");
    let package = folder.join("msgpack");
    std::fs::create_dir_all(&package).map_err(|error| Failure::file("create", &package, &error))?;
    let list = |error| Failure::file("list", &installed, &error);
    for entry in std::fs::read_dir(&installed).map_err(list)? {
        let file = entry.map_err(list)?.path();
        if let (Some("py"), Some(name)) = (file.extension().and_then(|end| end.to_str()), file.file_name()) {
            std::fs::copy(&file, package.join(name)).map_err(|error| Failure::file("copy", &file, &error))?;
        }
    }
    Ok(folder)
}
