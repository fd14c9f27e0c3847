//! `wasm-tasks explain-error`: the page of an error code.

use crate::Ended;
use crate::failure::{Exit, Failure};
use crate::output::{print, print_line};
use crate::pages::page;
use clap::Args;
use wasm_tasks::ErrorCode;

/// Explains an error code
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks explain-error type-mismatch
  wasm-tasks explain-error              lists all codes")]
pub(crate) struct ExplainError {
    /// The code, as messages show it in brackets
    code: Option<String>,
}

impl ExplainError {
    pub(crate) fn run(self) -> Ended {
        let Some(text) = self.code else {
            for code in ErrorCode::ALL {
                print_line(format!("{:22} {}", code.as_str(), summary(page(*code))))?;
            }
            return Ok(Exit::Done);
        };
        let word = text.trim().trim_start_matches("error").trim_matches(['[', ']']);
        let Ok(code) = word.parse::<ErrorCode>() else {
            let failure = Failure::bad_arguments(format!("there is no error code `{text}`"));
            let near = ErrorCode::ALL.iter().map(|code| code.as_str()).find(|known| known.contains(word) && !word.is_empty());
            return Err(match near {
                Some(near) => failure.hint(Some(format!("did you mean `{near}`?"))),
                None => failure.hint(Some("`wasm-tasks explain-error` lists all codes")),
            });
        };
        print(page(code))?;
        Ok(Exit::Done)
    }
}

/// The first sentence below the title.
fn summary(page: &str) -> &str {
    page.lines().skip(1).find(|line| !line.is_empty()).unwrap_or_default()
}
