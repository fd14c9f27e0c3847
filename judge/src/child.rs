//! The side of a judging process: it reads one request from standard input, does the work, answers on standard output, ends.
//!
//! It ends too when its standard input does: whoever started it keeps the other end open as long as the answer is wanted.

use crate::budget::Work;
use crate::lock_down;
use crate::wire::{Answer, Head};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use wasm_tasks_interface::Interface;
use wasm_tasks_protocol::ErrorCode;

/// What a program that compiles makes of a component: the code, or why there is none.
pub type Compiled = Result<Vec<u8>, (ErrorCode, String)>;

/// Serves one request. Call it first thing in `main`, before there are threads: limits and filters hold for those that follow.
///
/// `compile` gets a component and whether its code is to count fuel.
pub fn serve(compile: impl Fn(&[u8], bool) -> Compiled) -> ExitCode {
    match answer(&compile) {
        Ok(answer) => match answer.write(io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            tracing::error!(%error, "a judging process cannot begin");
            eprintln!("cannot begin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answer(compile: &impl Fn(&[u8], bool) -> Compiled) -> io::Result<Answer> {
    let mut stdin = io::stdin();
    let head = Head::read(&mut stdin)?;
    lock_down::enter(&head.budget)?;
    let mut component = Vec::new();
    component.try_reserve_exact(head.len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    (&mut stdin).take(head.len as u64).read_to_end(&mut component)?;
    if component.len() < head.len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    std::thread::Builder::new().stack_size(64 << 10).spawn(|| {
        // Nothing is said any more: a byte, an error and the end all mean that nobody waits.
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(1)
    })?;
    let work = || match head.work {
        Work::Inspect => inspect(&component),
        Work::Compile { is_metered } => compile(&component, is_metered),
    };
    // Neither the validator nor the compiler promises not to panic on hostile input.
    let done = catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err((ErrorCode::CompileFailed, "the compiler failed on this component".to_owned())));
    Ok(match done {
        Ok(bytes) => Answer::Done(bytes),
        // ENOMEM, as the system says it.
        Err((_, message)) if message.contains("(os error 12)") => Answer::OutOfMemory,
        Err((code, message)) => Answer::Refused(code, message),
    })
}

/// The interface of a component as bytes, or why it has none.
pub(crate) fn inspect(component: &[u8]) -> Result<Vec<u8>, (ErrorCode, String)> {
    let interface = Interface::judge(component).map_err(|error| {
        let hint = error.hint().map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
        (error.code(), format!("{error}{hint}"))
    })?;
    interface.encode().map_err(|error| (ErrorCode::LimitExceeded, error.to_string()))
}
