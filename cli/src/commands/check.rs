//! `wasm-tasks check`: everything that can be found wrong with a graph without running it.

use super::submit::check_names;
use crate::Ended;
use crate::failure::{Exit, Failure};
use crate::format::counted;
use crate::output::{note, print_json, print_line};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use wasm_tasks::{CheckFailure, Checked, Upload, check_upload};

/// Checks a graph: format, references, cycles, files, exports and types
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks check graph.msgpack
  wasm-tasks check graph.msgpack --json

Reads the components and data files that the graph names, and refuses with the same words as `submit` whatever can be
known without running. Whether a cluster has room for the tasks, and what compiling tells, is not known here. Components that were uploaded apart are not here,
so the types of their functions are left to the scheduler.")]
pub(crate) struct Check {
    /// The graph file, `-` for standard input
    graph: PathBuf,
    /// Folder below which the graph may read files too, besides its own; may be given several times
    #[arg(long, value_name = "DIR")]
    allow_path: Vec<PathBuf>,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(crate) fn run(self) -> Ended {
        let upload = match Upload::from_file(&self.graph, &self.allow_path) {
            Ok(upload) => upload,
            Err(error) => return self.refused(&error.into()),
        };
        check_names(&upload)?;
        let missing = match check_upload(&upload) {
            Ok(Checked::Whole(_)) => Vec::new(),
            Ok(Checked::Without(missing)) => missing,
            Err(refusal) => return self.refused(&refusal.into()),
        };
        let graph = &upload.graph;
        if self.json {
            print_json(&json!({
                "ok": true, "tasks": graph.len(), "functions": graph.functions().len(),
                "components": graph.components().len(), "outputs": graph.outputs().len(), "unchecked": missing,
            }))?;
            return Ok(Exit::Done);
        }
        let (tasks, functions) = (counted(graph.len() as u64, "task"), counted(graph.functions().len() as u64, "function"));
        print_line(format!("ok: {tasks}, {functions}, {}", counted(graph.outputs().len() as u64, "output")))?;
        if !missing.is_empty() {
            note(format!("note: types were not checked; not on this machine: {}", missing.join(", ")));
        }
        Ok(Exit::Done)
    }

    fn refused(&self, error: &CheckFailure) -> Ended {
        if self.json {
            let messages = match error {
                CheckFailure::Refused(refusal) => refusal.messages.clone(),
                CheckFailure::Upload(_) => vec![error.to_string()],
            };
            print_json(&json!({"ok": false, "code": error.code().as_str(), "messages": messages}))?;
        }
        Err(Failure::bad_input(error.code(), error).hint(error.hint()))
    }
}
