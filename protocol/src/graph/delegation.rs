//! What a task ends in when it delegates: tasks as it writes them, and the fragment of its graph that they become.
//!
//! Owns the rules of `docs/graph-format.md` for delegations. The fragment that comes out is read and checked like any other, so
//! that nothing need be checked here but what is changed on the way.

use super::read::fields::{Field, Fields};
use super::read::options::Level;
use super::read::tables::FieldTable;
use super::read::{GraphError, Place};
use super::write::write_options;
use super::{Append, GraphBuilder, Options, Reference, read};
use crate::ErrorCode;
use crate::ids::{ComponentDigest, TaskIndex};
use crate::limits::{DELEGATED_BYTES_MAX, DELEGATION_BYTES_MAX, VALUE_DEPTH_MAX};
use crate::msgpack::{EXT_ARGUMENT, EXT_DATA, EXT_TASK, Kind, ReadError, Reader, Writer};

/// The interface with which a task delegates, as components import it.
pub const DELEGATE_INTERFACE: &str = "wasm-tasks:task/delegate@0.1.0";

/// The task that delegates, and the graph that it is in.
pub struct Delegator<'a> {
    /// The graph, and where its tables end.
    pub append: Append,
    /// The task's key.
    pub key: &'a str,
    /// The position of its component.
    pub component: u32,
    /// The position of its function.
    pub function: u32,
    /// The array of its bound arguments, where it has any.
    pub bound: Option<&'a [u8]>,
    /// Its other arguments: an array, or a map by parameter.
    pub args: &'a [u8],
    /// The names of its parameters, bound ones included; none for a dynamic function.
    pub params: &'a [String],
    /// What its options say on which results depend, from all levels: its tasks have them too, unless they say otherwise.
    pub options: Options,
    /// Of these, what it says itself: stronger than what its function says.
    pub own_options: Options,
    /// The position of a component of the graph.
    pub component_of: &'a dyn Fn(&ComponentDigest) -> Option<u32>,
    /// The position of a function that was written for a delegation before.
    pub function_of: &'a dyn Fn(&[u8]) -> Option<u32>,
}

/// A fragment that was made of a delegation.
#[derive(Clone, Debug)]
pub struct Delegated {
    /// Its file.
    pub file: Vec<u8>,
    /// The task that takes the delegating one's place.
    pub output: TaskIndex,
    /// Its functions as they are written, which follow those of the graph.
    pub functions: Vec<Vec<u8>>,
}

impl Delegator<'_> {
    /// Makes a fragment of the tasks that the task wrote.
    ///
    /// # Errors
    /// [`GraphError`] for the first thing that is wrong, with places in what the task wrote.
    pub fn fragment(&self, file: &[u8]) -> Result<Delegated, GraphError> {
        if file.len() > DELEGATION_BYTES_MAX {
            let message = format!("{} bytes; at most {DELEGATION_BYTES_MAX} are allowed", file.len());
            return Err(GraphError::new(ErrorCode::LimitExceeded, Place::graph(), message));
        }
        let fields = Fields::whole(file, FieldTable::Delegation)?;
        let version = fields.required("wasm-tasks")?;
        if version.uint()? != 1 {
            return Err(GraphError::new(ErrorCode::UnsupportedVersion, version.place(), "this program reads version 1"));
        }
        let max = DELEGATION_BYTES_MAX;
        let mut rewrite = Rewrite { delegator: self, arguments: self.arguments(), tasks: 0, left: DELEGATED_BYTES_MAX };
        let components = fields.optional_table("components", max, |_, entry| self.component(&entry))?;
        let mut builder = GraphBuilder::fragment(self.append);
        // What is read is passed on at once: a list of entries would be many times as large as their bytes.
        fields.optional_table("data", max, |_, entry| {
            Fields::read(&entry, FieldTable::Data)?;
            let bytes = { entry.reader() }.skip().map_err(|error| GraphError::read(entry.place(), error))?;
            rewrite.spend(bytes.len(), &|| entry.place())?;
            builder.data_raw(bytes);
            Ok(())
        })?;
        let mut written = Vec::new();
        let mut functions = vec![self.function];
        fields.optional_table("functions", max, |_, entry| {
            let encoded = rewrite.function(&entry, &components)?;
            functions.push(match (self.function_of)(&encoded) {
                Some(known) => known,
                None => {
                    let position = builder.function_raw(encoded.clone());
                    written.push(encoded);
                    position
                }
            });
            Ok(())
        })?;
        let tasks = fields.required("tasks")?.list(max, "tasks")?;
        rewrite.tasks = tasks.len();
        for (position, task) in tasks.enumerate() {
            rewrite.task(position, &task?, &functions, &mut builder)?;
        }
        let outputs = fields.required("outputs")?;
        let mut entries = outputs.list(max, "outputs")?;
        let output = match (entries.len(), entries.next().transpose()?) {
            (1, Some(output)) => match { output.reader() }.ext() {
                Ok((EXT_TASK, payload)) => Reference::from_payload(payload).filter(|output| output.path.is_empty()),
                Ok(_) | Err(_) => None,
            },
            _ => None,
        };
        let Some(output) = output.filter(|output| (output.task.0 as usize) < rewrite.tasks) else {
            return Err(outputs.bad("a delegation has one output: one of its tasks, as a whole"));
        };
        let mut options =
            fields.optional("options").map(|field| read::options::read(&field, Level::Fragment)).transpose()?.unwrap_or_default();
        options.fill(&self.options);
        builder.options(options);
        let output = TaskIndex(self.append.base.tasks + output.task.0);
        Ok(Delegated { file: builder.to_bytes(), output, functions: written })
    }

    fn component(&self, entry: &Field<'_>) -> Result<u32, GraphError> {
        let fields = Fields::read(entry, FieldTable::DelegatedComponent)?;
        let digest = fields.required("digest")?;
        let parsed =
            digest.str()?.parse().map_err(|_| digest.bad("a component's digest is `sha256:` and 64 hexadecimal digits"))?;
        (self.component_of)(&parsed).ok_or_else(|| {
            let message = format!("the graph has no component `{parsed}`; a task can delegate to components of its graph only");
            GraphError::new(ErrorCode::NotUploaded, digest.place(), message)
        })
    }

    /// The encoded arguments, bound ones first. What is not given is not there.
    fn arguments(&self) -> Vec<Option<&[u8]>> {
        const CHECKED: &str = "arguments were checked when the graph was read";
        let mut arguments = Vec::new();
        if let Some(bound) = self.bound {
            let mut reader = Reader::new(bound);
            (0..reader.array().expect(CHECKED)).for_each(|_| arguments.push(Some(reader.skip().expect(CHECKED))));
        }
        let mut reader = Reader::new(self.args);
        if reader.kind() == Ok(Kind::Array) {
            (0..reader.array().expect(CHECKED)).for_each(|_| arguments.push(Some(reader.skip().expect(CHECKED))));
        } else {
            arguments.resize(self.params.len().max(arguments.len()), None);
            for _ in 0..reader.map().expect(CHECKED) {
                let name = reader.str().expect(CHECKED);
                let value = reader.skip().expect(CHECKED);
                if let Some(at) = self.params.iter().position(|param| param == name) {
                    arguments[at] = Some(value);
                }
            }
        }
        arguments
    }
}

/// Values with their positions moved, and arguments of the delegating task in their places.
struct Rewrite<'a> {
    delegator: &'a Delegator<'a>,
    arguments: Vec<Option<&'a [u8]>>,
    /// How many tasks there are.
    tasks: usize,
    /// Bytes that may still be written.
    left: usize,
}

impl Rewrite<'_> {
    fn function(&mut self, entry: &Field<'_>, components: &[u32]) -> Result<Vec<u8>, GraphError> {
        let fields = Fields::read(entry, FieldTable::Function)?;
        let component = fields.required("component")?;
        let position = match component.uint()? {
            0 => self.delegator.component,
            own => *components.get(own as usize - 1).ok_or_else(|| {
                component.bad(format!("component {own} is not there: 0 is the task's own, {} follow", components.len()))
            })?,
        };
        let names = ["export", "bind", "dynamic", "group", "options"];
        let mut out = Writer::new();
        out.map(1 + names.iter().filter(|name| fields.optional(name).is_some()).count());
        out.str("component");
        out.uint(u64::from(position));
        for name in names {
            let Some(field) = fields.optional(name) else { continue };
            out.str(name);
            self.value(&mut field.reader(), &mut out, 0, &|| field.place())?;
        }
        Ok(out.into_bytes())
    }

    fn task(
        &mut self,
        position: usize,
        task: &Field<'_>,
        functions: &[u32],
        builder: &mut GraphBuilder,
    ) -> Result<(), GraphError> {
        let place = || Place::entry("tasks", position);
        let mut fields = task.list(DELEGATION_BYTES_MAX, "fields")?;
        if !(3..=4).contains(&fields.len()) {
            return Err(task.bad("a task is an array of 3 or 4, [key, function, args, options]"));
        }
        let mut next = || fields.next().transpose();
        let (Some(key), Some(function), Some(args), options) = (next()?, next()?, next()?, next()?) else {
            unreachable!("three or four were counted");
        };
        let key = format!("{}/{}", self.delegator.key, key.name(crate::limits::KEY_BYTES_MAX)?);
        let own = function.uint()?;
        let Some(position) = functions.get(usize::try_from(own).unwrap_or(usize::MAX)) else {
            let message = format!("function {own} is not there: 0 is the task's own, {} follow", functions.len() - 1);
            return Err(function.bad(message));
        };
        let mut options = options.map(|field| read::options::read(&field, Level::Task)).transpose()?.unwrap_or_default();
        if own == 0 {
            options.fill(&self.delegator.own_options);
        }
        let mut encoded = Writer::new();
        self.value(&mut args.reader(), &mut encoded, 0, &place)?;
        self.spend(key.len() + write_options(&options).map_or(0, |bytes| bytes.len()), &place)?;
        builder.task_with(&key, *position, &options, |out| out.raw(encoded.as_bytes()));
        Ok(())
    }

    fn spend(&mut self, bytes: usize, place: &dyn Fn() -> Place) -> Result<(), GraphError> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            let message = format!("with arguments of the task in their places these are more than {DELEGATED_BYTES_MAX} bytes");
            GraphError::new(ErrorCode::LimitExceeded, place(), message)
        })?;
        Ok(())
    }

    fn value(
        &mut self,
        reader: &mut Reader<'_>,
        out: &mut Writer,
        depth: usize,
        place: &dyn Fn() -> Place,
    ) -> Result<(), GraphError> {
        let read = |error: ReadError| GraphError::read(place(), error);
        if depth > VALUE_DEPTH_MAX {
            let message = format!("the value nests more than {VALUE_DEPTH_MAX} deep");
            return Err(GraphError::new(ErrorCode::LimitExceeded, place(), message));
        }
        match reader.kind().map_err(read)? {
            Kind::Array => {
                let len = reader.array().map_err(read)?;
                self.spend(1, place)?;
                out.array(len);
                (0..len).try_for_each(|_| self.value(reader, out, depth + 1, place))
            }
            Kind::Map => {
                let len = reader.map().map_err(read)?;
                self.spend(1, place)?;
                out.map(len);
                for _ in 0..len {
                    self.value(reader, out, depth + 1, place)?;
                    self.value(reader, out, depth + 1, place)?;
                }
                Ok(())
            }
            Kind::Ext => self.ext(reader, out, place),
            Kind::Nil | Kind::Bool | Kind::Int | Kind::Float | Kind::Str | Kind::Bin => {
                let bytes = reader.skip().map_err(read)?;
                self.spend(bytes.len(), place)?;
                out.raw(bytes);
                Ok(())
            }
        }
    }

    fn ext(&mut self, reader: &mut Reader<'_>, out: &mut Writer, place: &dyn Fn() -> Place) -> Result<(), GraphError> {
        let read = |error: ReadError| GraphError::read(place(), error);
        let bad = |code, message: String| GraphError::new(code, place(), message);
        let mut ahead = *reader;
        let (code, payload) = ahead.ext().map_err(read)?;
        let base = self.delegator.append.base;
        match code {
            EXT_TASK => {
                let found = Reference::from_payload(payload)
                    .ok_or_else(|| bad(ErrorCode::BadValue, "a reference (extension code 1) that is none".to_owned()))?;
                if found.task.0 as usize >= self.tasks {
                    let message = format!("task {} is not one of the {} tasks here", found.task.0, self.tasks);
                    return Err(bad(ErrorCode::UnknownTask, message));
                }
                let moved = Reference { task: TaskIndex(base.tasks + found.task.0), path: found.path };
                self.spend(payload.len() + 8, place)?;
                moved.write(out);
            }
            EXT_DATA | EXT_ARGUMENT => {
                let position = Reader::new(payload).int().ok().and_then(|position| u32::try_from(position).ok());
                let Some(position) = position else {
                    return Err(bad(ErrorCode::BadValue, format!("a reference (extension code {code}) that is none")));
                };
                if code == EXT_DATA {
                    let mut moved = Writer::new();
                    moved.uint(u64::from(base.data.saturating_add(position)));
                    self.spend(8, place)?;
                    out.ext(EXT_DATA, moved.as_bytes());
                } else {
                    let Some(argument) = self.arguments.get(position as usize).copied().flatten() else {
                        let message = format!("the task has no argument {position}; bound ones are counted first, from 0");
                        return Err(bad(ErrorCode::WrongArity, message));
                    };
                    self.spend(argument.len(), place)?;
                    out.raw(argument);
                }
            }
            _ => {
                let bytes = { *reader }.skip().map_err(read)?;
                self.spend(bytes.len(), place)?;
                out.raw(bytes);
            }
        }
        *reader = ahead;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
