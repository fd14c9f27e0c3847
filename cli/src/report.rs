//! What people see of a run on standard error: progress, failures, the summary.

use crate::escape::field;
use crate::failed::{failure_text, quoted};
use crate::format::{bytes, count, counted, seconds};
use crate::output::note;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal as _};
use std::time::Duration;
use wasm_tasks::{ErrorCode, GraphId, GraphState, GraphSummary, TaskFailure};

/// Failures that are shown; `logs` and `explain` have the rest.
const FAILURES_SHOWN: usize = 10;

/// How much people want to see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice {
    is_quiet: bool,
}

impl Voice {
    /// Quiet when asked to be.
    pub(crate) fn new(is_quiet: bool) -> Voice {
        Voice { is_quiet }
    }

    /// A line that is not needed to understand an error.
    pub(crate) fn say(self, line: impl std::fmt::Display) {
        if !self.is_quiet {
            note(line);
        }
    }

    /// A bar on a terminal, nothing anywhere else.
    pub(crate) fn bar(self) -> Bar {
        if self.is_quiet || !io::stderr().is_terminal() {
            return Bar(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        bar.set_style(ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(120));
        Bar(bar)
    }
}

/// A progress bar that clears itself.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// Before there are numbers.
    pub(crate) fn phase(&self, what: &'static str) {
        self.0.set_message(what);
    }

    /// How far a graph is.
    pub(crate) fn progress(&self, state: &GraphState) {
        if state.tasks == 0 {
            return;
        }
        if self.0.length().is_none() {
            let template = "{bar:30.green} {pos}/{len} tasks  {elapsed}{msg}";
            self.0.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        self.0.set_length(state.tasks);
        self.0.set_position(state.finished + state.failed);
        let failed = if state.failed > 0 { format!(", {} failed", count(state.failed)) } else { String::new() };
        self.0.set_message(format!("  {} running{failed}", count(state.assigned)));
    }

    /// A line above the bar.
    pub(crate) fn line(&self, line: impl std::fmt::Display) {
        self.0.suspend(|| note(line));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Shows why tasks failed.
pub(crate) fn failures(graph: GraphId, origin: Option<&str>, failures: &[TaskFailure], omitted: u64) {
    failures.iter().take(FAILURES_SHOWN).for_each(|failure| note(failure_text(failure)));
    let more = failures.len().saturating_sub(FAILURES_SHOWN) as u64 + omitted;
    if more > 0 {
        note(format!("… and {} more", counted(more, "failure")));
    }
    if let Some(first) = failures.first() {
        note(format!("hint: `wasm-tasks explain-error {}` says what that means", first.error.code));
        let key = if failures.len() == 1 { format!(" {}", quoted(&first.key)) } else { " KEY".to_owned() };
        if failures.iter().any(|failure| !failure.error.stderr_tail.is_empty()) {
            note(format!("hint: `wasm-tasks logs {graph}{key}` shows all that was written"));
        }
        if let Some(origin) = origin {
            let key = quoted(&first.key);
            note(format!("hint: `wasm-tasks replay {} {key}` writes it with its inputs, to run it again alone", quoted(origin)));
        }
    }
}

/// Shows the numbers of a graph that ended.
pub(crate) fn summary(voice: Voice, summary: &GraphSummary) {
    let failed = summary.failed + summary.dependents_failed;
    if let Some(deadline) = summary.overdue {
        let (code, after) = (ErrorCode::DeadlineExceeded, seconds(deadline.as_secs_f64()));
        note(format!("graph stopped [{code}]: its deadline of {after} had passed"));
        note(format!("hint: `wasm-tasks explain-error {code}` says what that means"));
    }
    let state = match (summary.is_cancelled, failed) {
        (true, _) => format!("cancelled after {} of {}", count(summary.finished), counted(summary.tasks, "task")),
        (false, 0) => counted(summary.tasks, "task"),
        (false, _) => format!(
            "{}, {} failed, {} failed with them",
            counted(summary.tasks, "task"),
            summary.failed,
            summary.dependents_failed
        ),
    };
    let mut parts = vec![state, seconds(summary.elapsed.as_secs_f64())];
    if summary.bytes_moved > 0 {
        parts.push(format!("{} moved", bytes(summary.bytes_moved)));
    }
    if summary.memory_peak_bytes > 0 {
        parts.push(format!("peak memory {}", bytes(summary.memory_peak_bytes)));
    }
    if let Some((function, run, tasks)) = &summary.slowest {
        parts.push(format!("slowest `{}` {} in {}", field(function), seconds(run.as_secs_f64()), counted(*tasks, "task")));
    }
    if summary.attempts > summary.finished + summary.failed {
        parts.push(counted(summary.attempts, "attempt"));
    }
    voice.say(parts.join(" · "));
}
