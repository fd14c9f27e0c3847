//! Follows a graph to its end: progress, Ctrl-C, outputs, failures, the summary. Shared by `submit`, `run` and `attach`.

use crate::failure::{Exit, Failure};
use crate::output::write_to;
use crate::report::{self, Bar, Voice};
use crate::signals::Interrupts;
use crate::values::Format;
use bytes::Bytes;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wasm_tasks::{ClientError, Outcome, Submission, Upload};

/// How long nothing moves before the scheduler is asked whether anything can.
const PATIENCE: Duration = Duration::from_secs(1);
const PATIENCE_MAX: Duration = Duration::from_secs(30);

/// Where outputs go.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    /// How they are written.
    pub(crate) format: Format,
    /// The file; standard output when there is none.
    pub(crate) file: Option<PathBuf>,
    /// Whether the only output is written without its name.
    pub(crate) is_bare: bool,
}

/// Reads a graph file and what it names, unless somebody presses Ctrl-C: it may come through standard input, slowly or never.
pub(crate) async fn read_upload(graph: &Path, allowed: &[PathBuf], interrupts: &mut Interrupts) -> Result<Upload, Failure> {
    let (path, allowed) = (graph.to_owned(), allowed.to_vec());
    let reading = tokio::task::spawn_blocking(move || Upload::from_file(&path, &allowed));
    or_interrupt(interrupts, async { Ok(reading.await.map_err(Failure::system)??) }).await
}

/// Waits for what cannot be cancelled by the scheduler, unless somebody presses Ctrl-C.
pub(crate) async fn or_interrupt<T>(
    interrupts: &mut Interrupts,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        result = work => result,
        () = interrupts.next() => Err(Failure::interrupted("interrupted before the graph was accepted; nothing has run")),
    }
}

/// What somebody means who presses Ctrl-C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// Stop the graph; the second time, leave at once.
    Stops,
    /// Leave; the graph goes on.
    Leaves,
}

/// Waits for the end, or for somebody to press Ctrl-C.
pub(crate) async fn until_end(
    submission: &Submission,
    bar: &Bar,
    interrupts: &mut Interrupts,
    interrupt: Interrupt,
) -> Result<(Outcome, bool), Failure> {
    let mut events = submission.events();
    let mut is_interrupted = false;
    let mut patience = PATIENCE;
    let mut told: Vec<String> = Vec::new();
    loop {
        tokio::select! {
            event = events.next() => match event.map_err(|error| lost(submission, error))? {
                Some(_) => {
                    patience = PATIENCE;
                    bar.progress(&submission.progress());
                }
                None => break,
            },
            () = tokio::time::sleep(patience) => {
                // Nothing moves: it may be that nobody can run what is left. Whoever lost the scheduler hears so elsewhere.
                patience = (patience * 2).min(PATIENCE_MAX);
                for (key, text) in submission.stuck().await.unwrap_or_default() {
                    if !told.contains(&key) {
                        bar.line(format!("waiting: `{key}`: {text}"));
                        told.push(key);
                    }
                }
            }
            () = interrupts.next() => {
                if interrupt == Interrupt::Leaves {
                    let failure = Failure::interrupted(format!("interrupted; the graph `{}` goes on", submission.id()));
                    return Err(failure.hint(Some(format!("`wasm-tasks cancel {}` stops it", submission.id()))));
                }
                if is_interrupted {
                    return Err(Failure::interrupted("interrupted twice; the graph may not have been cancelled everywhere"));
                }
                is_interrupted = true;
                bar.line("cancelling the graph; interrupt again to leave at once");
                submission.cancel().await?;
            }
        }
    }
    bar.phase("  fetching outputs");
    tokio::select! {
        outcome = submission.wait() => Ok((outcome?, is_interrupted)),
        () = interrupts.next() => Err(Failure::interrupted("interrupted while outputs were fetched")),
    }
}

/// A connection that broke while a graph ran leaves the graph behind.
fn lost(submission: &Submission, error: ClientError) -> Failure {
    let is_connection = error.is_connection();
    let failure = Failure::from(error);
    let hint =
        format!("the graph goes on as long as the scheduler does; `wasm-tasks attach {}` follows it again", submission.id());
    if is_connection { failure.hint(Some(hint)) } else { failure }
}

/// Writes outputs, failures and the summary; says what the process ends with. `origin` is what `replay` knows the graph by.
pub(crate) fn finish(
    submission: &Submission,
    outcome: &Outcome,
    origin: Option<&str>,
    sink: &Sink,
    voice: Voice,
    is_interrupted: bool,
) -> Result<Exit, Failure> {
    let ready = outcome.outputs.iter().filter_map(|output| Some((output.name.clone(), output.value.clone().ok()?)));
    let ready: Vec<(String, Bytes)> = ready.collect();
    report::failures(submission.id(), origin, &outcome.failures, outcome.failures_omitted);
    if !is_interrupted || !ready.is_empty() {
        let hint = format!("the outputs are kept: `wasm-tasks results {} -o FILE`", submission.id());
        write(&ready, sink).map_err(|failure| failure.hint(Some(hint)))?;
    }
    report::summary(voice, &outcome.summary);
    if let Some(failure) =
        outcome.outputs.iter().find_map(|output| Failure::of_output(&output.name, output.value.as_ref().err()?))
    {
        return Err(failure);
    }
    Ok(match (is_interrupted, outcome.summary.is_cancelled, outcome.is_success()) {
        (true, _, _) => Exit::Interrupted,
        (false, false, true) => Exit::Done,
        (false, _, _) => Exit::TaskFailed,
    })
}

/// Writes outputs that have a value.
pub(crate) fn write(ready: &[(String, Bytes)], sink: &Sink) -> Result<(), Failure> {
    let bytes = match ready {
        [(_, value)] if sink.is_bare => sink.format.encode_one(value)?,
        [] if sink.is_bare || sink.format == Format::Raw => return Ok(()),
        _ => sink.format.encode(ready)?,
    };
    write_to(sink.file.as_deref(), &bytes)
}

/// The file of `-o`, refused early where it cannot become one.
pub(crate) fn check_file(file: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = file else { return Ok(()) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        return Err(Failure::bad_arguments(format!("`-o {}` names a folder, not a file", path.display())));
    }
    if !folder.is_dir() {
        return Err(Failure::bad_arguments(format!("`-o {}`: there is no folder `{}`", path.display(), folder.display())));
    }
    Ok(())
}
