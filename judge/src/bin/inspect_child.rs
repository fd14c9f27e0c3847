//! A judging process that validates and types, and has no compiler: for the tests of this package.

use std::process::ExitCode;
use wasm_tasks_protocol::ErrorCode;

fn main() -> ExitCode {
    wasm_tasks_judge::child::serve(|_, _| Err((ErrorCode::CompileFailed, "this program has no compiler".to_owned())))
}
