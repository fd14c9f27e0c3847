//! The tasks that a task ends in, written as docs/graph-format.md has it. To be copied into other guests.

use crate::wasm_tasks::task::delegate::delegate;

/// An argument of a task.
pub enum Argument<'a> {
    Int(i64),
    Ints(&'a [i64]),
    /// The result of a task that was added before.
    Result(Task),
    /// An argument of the task that delegates, as it got it: nothing of it passes through the guest.
    Own(u32),
}

/// A task that was added.
#[derive(Clone, Copy)]
pub struct Task(u32);

/// A function of these tasks.
#[derive(Clone, Copy)]
pub struct Function(u32);

/// The function of the task that delegates, with its bound arguments.
pub const SELF: Function = Function(0);

/// Tasks under construction.
#[derive(Default)]
pub struct Tasks {
    functions: Vec<u8>,
    function_count: u32,
    tasks: Vec<u8>,
    task_count: u32,
}

impl Tasks {
    /// Another export of the same component.
    pub fn function(&mut self, export: &str) -> Function {
        let out = &mut self.functions;
        map(out, 2);
        text(out, "component");
        int(out, 0);
        text(out, "export");
        text(out, export);
        self.function_count += 1;
        Function(self.function_count)
    }

    /// A call. Keys are the caller's choice, and different from each other.
    pub fn task(&mut self, key: &str, function: Function, arguments: &[Argument<'_>]) -> Task {
        let out = &mut self.tasks;
        array(out, 3);
        text(out, key);
        int(out, i64::from(function.0));
        array(out, arguments.len() as u32);
        for argument in arguments {
            match argument {
                Argument::Int(value) => int(out, *value),
                Argument::Ints(values) => {
                    array(out, values.len() as u32);
                    values.iter().for_each(|value| int(out, *value));
                }
                Argument::Result(task) => reference(out, 1, task.0),
                Argument::Own(position) => reference(out, 4, *position),
            }
        }
        self.task_count += 1;
        Task(self.task_count - 1)
    }

    /// Ends the calling task: its result is that of `output`.
    pub fn end_in(self, output: Task) -> ! {
        let mut file = Vec::new();
        map(&mut file, 4);
        text(&mut file, "wasm-tasks");
        int(&mut file, 1);
        text(&mut file, "functions");
        array(&mut file, self.function_count);
        file.extend(self.functions);
        text(&mut file, "tasks");
        array(&mut file, self.task_count);
        file.extend(self.tasks);
        text(&mut file, "outputs");
        array(&mut file, 1);
        reference(&mut file, 1, output.0);
        end_in(&file)
    }
}

/// Ends the calling task in tasks that are written already.
pub fn end_in(file: &[u8]) -> ! {
    delegate(file);
    unreachable!("`delegate` does not return");
}

fn reference(out: &mut Vec<u8>, code: u8, position: u32) {
    let mut payload = Vec::new();
    int(&mut payload, i64::from(position));
    out.extend([0xc7, payload.len() as u8, code]);
    out.extend(payload);
}

fn int(out: &mut Vec<u8>, value: i64) {
    match u8::try_from(value) {
        Ok(small @ 0..=0x7f) => out.push(small),
        _ => {
            out.push(0xd3);
            out.extend(value.to_be_bytes());
        }
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(0xdb);
    out.extend((text.len() as u32).to_be_bytes());
    out.extend(text.as_bytes());
}

fn array(out: &mut Vec<u8>, len: u32) {
    out.push(0xdd);
    out.extend(len.to_be_bytes());
}

fn map(out: &mut Vec<u8>, len: u32) {
    out.push(0xdf);
    out.extend(len.to_be_bytes());
}
