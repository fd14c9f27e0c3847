//! `wasm-tasks run`: one call of one export, with arguments as people type them.

use super::submit::keep_or_release;
use crate::Ended;
use crate::failure::Failure;
use crate::follow::{self, Interrupt, Sink, or_interrupt, until_end};
use crate::place::{Place, Size};
use crate::report::Voice;
use crate::signals::Interrupts;
use crate::values::Format;
use clap::Args;
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};
use wasm_tasks::{Argument, Arguments, ErrorCode, Graph, Options, Resource, Type, Value};
use wasm_tasks_interface::{Export, Interface, InterfaceError, parse_argument, signature_text};

/// Calls one export of a component and prints its result
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks run calc.wasm add 1 2
  wasm-tasks run calc.wasm examples:calc/calc#add 1 -2
  wasm-tasks run text.wasm count-words '\"to be or not\"'
  wasm-tasks run shapes.wasm area '{\"width\": 2, \"height\": 3.5}'     JSON
  wasm-tasks run shapes.wasm area '{width: 2, height: 3.5}'         WAVE
  wasm-tasks run image.wasm thumbnail @photo.png --format raw -o small.png

`wasm-tasks inspect COMPONENT` lists the exports and what they take.")]
pub(crate) struct Run {
    /// The component's file
    component: PathBuf,
    /// The export; its bare name is enough where only one fits
    export: String,
    /// The arguments, each a JSON or WAVE literal; texts and base64 may stand without quotes, and `@FILE` is the bytes of a file
    #[arg(allow_negative_numbers = true)]
    args: Vec<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// File for the result instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Time that the call may take, in milliseconds
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: Option<u64>,
    /// Memory that the call may use, such as `64 MiB`
    #[arg(long, value_name = "BYTES", value_parser = crate::format::parse_bytes)]
    memory_max: Option<u64>,
    /// Fuel that the call may use; makes it run in the metered engine
    #[arg(long, value_name = "UNITS")]
    fuel: Option<u64>,
    /// Show the summary
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    size: Size,
}

impl Run {
    pub(crate) async fn run(self) -> Ended {
        let voice = Voice::new(!self.verbose);
        let mut interrupts = Interrupts::listen()?;
        follow::check_file(self.output.as_deref())?;
        self.format.check(1, self.output.as_deref())?;
        let graph = self.graph().await?;
        // Relative to here, so that this folder may have any name.
        let folder = std::env::current_dir().map_err(|error| Failure::unreadable(Path::new("."), &error))?;
        let bytes = graph.to_bytes_in(&folder).map_err(|error| Failure::bad_input(error.code, &error))?;
        let bar = Voice::new(false).bar();
        bar.phase("compiling");
        let client = or_interrupt(&mut interrupts, self.place.open(&self.size)).await?;
        let submission = or_interrupt(&mut interrupts, async { Ok(client.submit(bytes, &folder).await?) }).await?;
        let (outcome, is_interrupted) = until_end(&submission, &bar, &mut interrupts, Interrupt::Stops).await?;
        drop(bar);
        let source = format!("{} {}", self.component.display(), self.export);
        let sink = Sink { format: self.format, file: self.output, is_bare: true };
        // The command itself is what runs the task again, where no cluster keeps the graph.
        let origin = (!client.is_embedded()).then(|| submission.id().to_string());
        let ended = follow::finish(&submission, &outcome, origin.as_deref(), &sink, voice, is_interrupted);
        keep_or_release(&client, &submission, &outcome, &source, ended.is_ok()).await;
        drop(submission);
        client.close().await;
        ended
    }

    /// The graph of one task.
    async fn graph(&self) -> Result<Graph, Failure> {
        let bytes = fs::read(&self.component).map_err(|error| Failure::unreadable(&self.component, &error))?;
        let interface = crate::judge::interface(&self.component, bytes.into()).await?;
        let export = find_export(&interface, &self.export).map_err(|error| component_failure(&self.component, &error))?;
        let arguments = self.arguments(export)?;
        let mut graph = Graph::new();
        graph.set_options(Options { name: Some(format!("run {}", export.name)), ..Options::default() });
        let component = graph.component_file(&self.component).map_err(|error| Failure::bad_input(error.code(), &error))?;
        let function = graph.function(&component, &export.name);
        let key = export.name.rsplit('#').next().unwrap_or(&export.name);
        let pools = None::<Vec<Resource>>;
        let options =
            Options { timeout_ms: self.timeout_ms, memory_bytes: self.memory_max, fuel: self.fuel, pools, ..Options::default() };
        graph.call_with(key, &function, Arguments::Positional(arguments), &options);
        Ok(graph)
    }

    fn arguments(&self, export: &Export) -> Result<Vec<Argument>, Failure> {
        let (wanted, given) = (export.params.len(), self.args.len());
        if wanted != given {
            let message = format!("`{}` takes {}, found {given}", export.name, crate::format::counted(wanted as u64, "argument"));
            let failure = Failure::bad_input(ErrorCode::WrongArity, message);
            return Err(failure.hint(Some(format!("its signature is `{}`", signature_text(export)))));
        }
        let parse = |((name, ty), text): (&(String, Type), &String)| {
            literal(ty, text).map_err(|failure| match failure {
                Literal::Unreadable(failure) => failure,
                Literal::Misfit(code, reason) => Failure::bad_input(code, format!("argument `{name}`: {reason}")),
            })
        };
        export.params.iter().zip(&self.args).map(parse).collect()
    }
}

enum Literal {
    Unreadable(Failure),
    Misfit(ErrorCode, String),
}

fn literal(ty: &Type, text: &str) -> Result<Argument, Literal> {
    if let Some(file) = text.strip_prefix('@').map(Path::new)
        && (*ty == Type::bytes() || *ty == Type::String)
    {
        let bytes = fs::read(file).map_err(|error| Literal::Unreadable(Failure::unreadable(file, &error)))?;
        if *ty == Type::bytes() {
            return Ok(Argument::Value(Value::Bin(bytes)));
        }
        return match String::from_utf8(bytes) {
            Ok(text) => Ok(Argument::Value(Value::Str(text))),
            Err(_) => Err(Literal::Misfit(ErrorCode::TypeMismatch, format!("`{}` is no UTF-8", file.display()))),
        };
    }
    // Quotes are eaten by shells, so a bare word is the JSON string that it looks like where one would fit.
    let is_text = *ty == Type::String || *ty == Type::Char || *ty == Type::bytes();
    let bare = || parse_argument(ty, &Json::from(text).to_string()).ok().filter(|_| is_text && !text.starts_with(['"', '\'']));
    let encoded = match parse_argument(ty, text) {
        Ok(encoded) => encoded,
        Err(error) => bare().ok_or_else(|| Literal::Misfit(error.code(), error.to_string()))?,
    };
    Value::from_msgpack(&encoded).map(Argument::Value).map_err(|error| Literal::Misfit(error.code(), error.to_string()))
}

/// The export of a name, or the only one whose function has the name.
fn find_export<'a>(interface: &'a Interface, name: &str) -> Result<&'a Export, InterfaceError> {
    let error = match interface.export(name) {
        Ok(export) => return Ok(export),
        Err(error) => error,
    };
    let mut found =
        interface.exports().iter().filter(|export| export.name.rsplit_once('#').is_some_and(|(_, function)| function == name));
    match (found.next(), found.next()) {
        (Some(export), None) => Ok(export),
        (Some(_), Some(_)) | (None, _) => Err(error),
    }
}

pub(super) fn component_failure(path: &Path, error: &InterfaceError) -> Failure {
    Failure::bad_input(error.code(), format!("`{}`: {error}", path.display())).hint(error.hint())
}
