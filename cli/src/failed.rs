//! A failed task as text for people. Everything that a graph or a guest chose is escaped here, where its place in a
//! line is known.

use super::escape::{self, field, is_unsafe};
use super::format::{bytes, count, counted};
use wasm_tasks_interface::json::json_of;
use wasm_tasks_protocol::Value;
use wasm_tasks_protocol::message::TaskFailure;

/// Lines of a task's standard error that are shown.
const STDERR_LINES: usize = 20;
/// Frames of a backtrace that are shown.
const FRAMES: usize = 10;

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if word.chars().any(is_unsafe) {
        return format!("$'{}'", word.chars().map(ansi_c).collect::<String>());
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A character between `$'` and `'`, as bash, zsh and POSIX.1-2024 read it.
fn ansi_c(c: char) -> String {
    match c {
        '\\' | '\'' => format!("\\{c}"),
        c if is_unsafe(c) => c.to_string().bytes().map(|byte| format!("\\{byte:03o}")).collect(),
        c => c.to_string(),
    }
}

/// A task's failure as lines; only the first begins at the left, so that none of what the guest said looks like ours.
pub(crate) fn failure_text(failure: &TaskFailure) -> String {
    let error = &failure.error;
    let (message, stderr) = (escape::text(&error.message), escape::text(&error.stderr_tail));
    let mut message = message.lines();
    let mut text = format!("task `{}` failed [{}]: {}\n", field(&failure.key), error.code, message.next().unwrap_or_default());
    message.for_each(|line| text.push_str(&format!("  {line}\n")));
    text.push_str(&format!("  in `{}`", field(&failure.function)));
    if let Some(worker) = &failure.worker {
        text.push_str(&format!(" on worker `{}`", field(worker)));
    }
    if failure.attempts > 1 {
        text.push_str(&format!(", after {} attempts", failure.attempts));
    }
    text.push('\n');
    if let Some(value) =
        error.value.as_deref().and_then(|bytes| Value::from_msgpack(bytes).ok()).filter(|value| *value != Value::Nil)
    {
        text.push_str(&format!("  err: {}\n", escape::json(&json_of(&value).to_string())));
    }
    if error.memory_peak_bytes > 0 {
        text.push_str(&format!("  peak memory {}", bytes(error.memory_peak_bytes)));
        text.push_str(&error.fuel_used.map_or_else(|| "\n".to_owned(), |fuel| format!(", {} units of fuel\n", count(fuel))));
    }
    let lines: Vec<&str> = stderr.trim_matches('\n').lines().collect();
    if !lines.is_empty() {
        text.push_str("  stderr:\n");
        lines.iter().skip(lines.len().saturating_sub(STDERR_LINES)).for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    let frames = frames(&error.backtrace);
    if !frames.is_empty() {
        text.push_str("  backtrace:\n");
        frames.iter().take(FRAMES).for_each(|frame| text.push_str(&format!("    {}\n", field(frame))));
    }
    if failure.dependents > 0 {
        text.push_str(&format!("  {} failed because of it\n", counted(u64::from(failure.dependents), "dependent task")));
    }
    text.pop();
    text
}

/// A backtrace for people: a frame that repeats once, nothing when no frame has a name.
fn frames(backtrace: &[String]) -> Vec<String> {
    if backtrace.iter().all(|frame| frame.starts_with("<wasm function")) {
        return Vec::new();
    }
    let mut frames: Vec<(&String, usize)> = Vec::new();
    for frame in backtrace {
        match frames.last_mut() {
            Some((last, times)) if *last == frame => *times += 1,
            Some(_) | None => frames.push((frame, 1)),
        }
    }
    frames.into_iter().map(|(frame, times)| if times > 1 { format!("{frame} ({times} times)") } else { frame.clone() }).collect()
}
