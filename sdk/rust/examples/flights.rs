//! Writes the graph of the flights demo with the Rust SDK: the same bytes as `guest-examples/flights/make_graph.py`.
//!
//! ```text
//! flights --parse flights.wasm --combine flights.wasm --stats flights.wasm --report flights.wasm \
//!     [--pieces N] --out graph.msgpack 2013-*.csv
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use wasm_tasks::{Component, Function, Graph, Options, args};

const VERSION: &str = "0.1.0";
/// Partial sums that one task combines.
const FAN_IN: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let command = Command::parse(std::env::args().skip(1))?;
    let mut steps = Steps::default();
    steps.graph.set_options(Options { name: Some("flights".into()), ..Options::default() });

    let mut parsers: HashMap<String, Function> = HashMap::new();
    let mut sums = Vec::new();
    for path in &command.files {
        let name = path.file_stem().ok_or("a CSV needs a name")?.to_string_lossy();
        let (header, ranges) = cut(path, command.pieces)?;
        if !parsers.contains_key(&header) {
            let parse = steps.export(command.component("parse")?, "parse", "parse")?;
            steps.graph.bind(&parse, args![header.as_str()]);
            steps.graph.set_group(&parse, "parse");
            parsers.insert(header.clone(), parse);
        }
        for (i, (offset, len)) in ranges.into_iter().enumerate() {
            let part = steps.graph.data_file(path, offset, Some(len))?;
            sums.push(steps.graph.call_named(&format!("parse-{name}-{i}"), &parsers[&header], args![&part]));
        }
    }

    let combine = steps.export(command.component("combine")?, "combine", "combine")?;
    steps.graph.set_group(&combine, "combine");
    let mut level = 0;
    while sums.len() > 1 || level == 0 {
        let groups = sums.chunks(FAN_IN).enumerate();
        let combined =
            groups.map(|(i, group)| steps.graph.call_named(&format!("combine-{level}-{i}"), &combine, args![group.to_vec()]));
        sums = combined.collect();
        level += 1;
    }
    let total = sums.pop().ok_or("there are no flights in these files")?;

    let describe = steps.export(command.component("stats")?, "stats", "describe")?;
    let summary = steps.graph.call_named("summary", &describe, args![&total]);
    let make = steps.export(command.component("report")?, "report", "make")?;
    let report = steps.graph.call_named("report", &make, args![&total, &summary]);
    steps.graph.output(&report);
    steps.graph.save(&command.out)?;
    Ok(())
}

/// The graph under construction and the components that are in it already.
#[derive(Default)]
struct Steps {
    graph: Graph,
    components: HashMap<PathBuf, Component>,
}

impl Steps {
    fn export(&mut self, component: &Path, step: &str, function: &str) -> Result<Function, Box<dyn Error>> {
        if !self.components.contains_key(component) {
            self.components.insert(component.to_owned(), self.graph.component_file(component)?);
        }
        let export = format!("wasm-tasks:examples/flights-{step}@{VERSION}#{function}");
        Ok(self.graph.function(&self.components[component], &export))
    }
}

/// The header line of a CSV, and ranges (offset, length) that together are everything after it.
///
/// A range begins at the start of a line and ends after a line end, or at the end of the file. That holds
/// for files whose quoted fields contain no line ends, which the task checks by counting fields.
fn cut(path: &Path, pieces: u64) -> std::io::Result<(String, Vec<(u64, u64)>)> {
    let mut file = BufReader::new(File::open(path)?);
    let size = file.get_ref().metadata()?.len();
    let mut header = String::new();
    let first = file.read_line(&mut header)? as u64;
    let mut starts = Vec::new();
    if first < size {
        starts.push(first);
    }
    for i in 1..pieces {
        file.seek(SeekFrom::Start(first.max(first + (size - first) * i / pieces - 1)))?;
        let mut rest = Vec::new();
        file.read_until(b'\n', &mut rest)?;
        let start = file.stream_position()?;
        if starts.last().is_some_and(|last| start > *last) && start < size {
            starts.push(start);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([size]);
    let ranges = starts.iter().zip(ends).map(|(start, end)| (*start, end - start)).collect();
    Ok((header.trim_end_matches(['\r', '\n']).to_owned(), ranges))
}

/// The command line.
struct Command {
    components: HashMap<String, PathBuf>,
    pieces: u64,
    out: PathBuf,
    files: Vec<PathBuf>,
}

impl Command {
    fn parse(args: impl Iterator<Item = String>) -> Result<Command, Box<dyn Error>> {
        let (mut components, mut pieces, mut out, mut files) = (HashMap::new(), 2, None, Vec::new());
        let mut args = args;
        while let Some(arg) = args.next() {
            let Some(name) = arg.strip_prefix("--") else {
                files.push(PathBuf::from(arg));
                continue;
            };
            let value = args.next().ok_or_else(|| format!("`{arg}` needs a value"))?;
            match name {
                "parse" | "combine" | "stats" | "report" => {
                    components.insert(name.to_owned(), PathBuf::from(value));
                }
                "pieces" => pieces = value.parse::<u64>()?.max(1),
                "out" => out = Some(PathBuf::from(value)),
                _ => return Err(format!("there is no option `{arg}`").into()),
            }
        }
        Ok(Command { components, pieces, out: out.ok_or("`--out` is missing")?, files })
    }

    fn component(&self, step: &str) -> Result<&Path, String> {
        self.components.get(step).map(PathBuf::as_path).ok_or_else(|| format!("`--{step}` is missing"))
    }
}
