//! Judging processes of this command: this program, started with a word of its own.

use crate::failure::Failure;
use crate::format::parse_bytes;
use bytes::Bytes;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use wasm_tasks::{ComponentDigest, Home};
use wasm_tasks_interface::Interface;
use wasm_tasks_judge::{Asker, Budgets, Judge, JudgeSettings, Program};
use wasm_tasks_sandbox::{Profile, compile_here};

/// The word that makes this program a judging process. Not a command for people, so the command line does not know it.
const WORD: &str = "judge-component";

/// Serves as a judging process when it was started as one. To be called before there are threads.
pub(crate) fn serve() -> Option<ExitCode> {
    let is_one = std::env::args_os().nth(1).is_some_and(|word| word == WORD);
    let compile =
        |component: &[u8], is_metered: bool| compile_here(component, if is_metered { Profile::Metered } else { Profile::Plain });
    is_one.then(|| wasm_tasks_judge::child::serve(compile))
}

/// How far processes step back that compile beside tasks: they get a third of what a task's thread gets.
pub(crate) const BESIDE_TASKS: u8 = 5;

/// A judge that starts this program. Interfaces are kept beside compiled code, where there is room for it.
pub(crate) fn judge(niceness: u8) -> Result<Judge, Failure> {
    let cache_dir = Home::from_env().ok().and_then(Home::if_writable).map(|home| home.modules());
    // The very file that runs, also after another one was installed in its place.
    let running = Path::new("/proc/self/exe");
    let path = if running.exists() {
        running.to_owned()
    } else {
        std::env::current_exe().map_err(|error| Failure::system(format!("cannot find this program's own file: {error}")))?
    };
    let budgets = Budgets {
        memory_bytes: variable("WASM_TASKS_JUDGE_MEMORY", parse_bytes)?,
        cpu: variable("WASM_TASKS_JUDGE_CPU", seconds)?,
        niceness,
    };
    let program = Program { path, words: vec![WORD.into()] };
    Ok(Judge::children(JudgeSettings { program, budgets, places: None, cache_dir }))
}

/// The interface of a component that a person named.
pub(crate) async fn interface(path: &Path, component: Bytes) -> Result<Arc<Interface>, Failure> {
    let digest = ComponentDigest::of(&component);
    let judge = judge(0)?;
    let judged = judge.interface(&Asker::new("this command", 0), digest, component).await;
    judged.map_err(|failure| Failure::bad_input(failure.code(), format!("`{}`: {failure}", path.display())))
}

fn variable<T>(name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, Failure> {
    let Some(text) = std::env::var(name).ok().filter(|text| !text.is_empty()) else { return Ok(None) };
    parse(&text).map(Some).map_err(|reason| Failure::bad_arguments(format!("{name}: {reason}")))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.001..=1e6).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "a number of seconds from 0.001".to_owned())
}
