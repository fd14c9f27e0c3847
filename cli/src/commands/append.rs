//! `wasm-tasks submit --append-to`: adds a fragment to a graph of a fleet and prints what the fragment asks for.

use crate::Ended;
use crate::failure::{Exit, Failure};
use crate::follow::{Sink, or_interrupt, write};
use crate::output::print_line;
use crate::place::Place;
use crate::report::{self, Voice};
use crate::signals::Interrupts;
use bytes::Bytes;
use std::path::PathBuf;
use wasm_tasks::{GraphId, OutputError, Upload};

/// A fragment, and where it goes.
pub(super) struct Append {
    pub(super) graph: GraphId,
    pub(super) file: PathBuf,
    /// Folders below which it may read files too.
    pub(super) allowed: Vec<PathBuf>,
    /// Whether to leave once it is accepted.
    pub(super) is_detached: bool,
}

impl Append {
    pub(super) async fn run(self, place: &Place, sink: &Sink, voice: Voice, interrupts: &mut Interrupts) -> Ended {
        let bar = voice.bar();
        bar.phase("reading the fragment");
        let (path, graph, allowed) = (self.file, self.graph, self.allowed);
        let reading = tokio::task::spawn_blocking(move || Upload::fragment_from_file(&path, graph, &allowed));
        let upload = or_interrupt(interrupts, async { Ok(reading.await.map_err(Failure::system)??) }).await?;
        if !self.is_detached {
            sink.format.check(upload.graph.outputs().len(), sink.file.as_deref())?;
        }
        bar.phase("checking and compiling");
        let client = or_interrupt(interrupts, place.fleet()).await?;
        let submission = client.attach(graph).await?;
        // Whoever submitted the graph decides when it goes.
        submission.detach();
        let extended = or_interrupt(interrupts, async { Ok(submission.extend_upload(upload).await?) }).await?;
        if self.is_detached {
            drop(bar);
            print_line(graph)?;
            return Ok(Exit::Done);
        }
        bar.phase("running");
        let mut ready: Vec<(String, Bytes)> = Vec::new();
        let mut has_failed = false;
        let mut lacking = None;
        for position in extended.outputs {
            let value = tokio::select! {
                value = submission.output(position) => value,
                () = interrupts.next() => {
                    drop(bar);
                    let failure = Failure::interrupted(format!("interrupted; the graph `{graph}` goes on"));
                    return Err(failure.hint(Some("`wasm-tasks cancel ID` stops it")));
                }
            };
            match value {
                Ok(bytes) => ready.push((submission.output_names()[position].clone(), bytes)),
                Err(OutputError::Failed) => has_failed = true,
                Err(error @ (OutputError::NoPart(_) | OutputError::Client(_))) => {
                    lacking = lacking.or_else(|| Failure::of_output(&submission.output_names()[position], &error));
                }
            }
        }
        // What failed was told before the output that failed with it.
        let failures = submission.failures();
        drop(bar);
        if has_failed {
            report::failures(graph, Some(&graph.to_string()), &failures, 0);
        }
        if !has_failed || !ready.is_empty() {
            write(&ready, sink)?;
        }
        if let Some(failure) = lacking {
            return Err(failure);
        }
        Ok(if has_failed { Exit::TaskFailed } else { Exit::Done })
    }
}
