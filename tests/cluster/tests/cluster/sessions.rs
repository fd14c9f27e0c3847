//! `wasm-tasks session`, as SDKs use it: frames in, frames out, and what is left when it ends.

use super::support::{Fleet, GraphFile, Home, Running, guest, int, until};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use wasm_tasks_protocol::graph::{Argument, Arguments, GraphBuilder, Options, Reference};
use wasm_tasks_protocol::msgpack::Writer;
use wasm_tasks_protocol::{ComponentDigest, TaskIndex, Value};

/// A session, and the ends of its pipes.
struct Session {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

impl Session {
    fn start(mut command: Command) -> Session {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
        let (stdin, stdout) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let mut session = Session { child, stdin, stdout };
        assert_eq!(session.hear()[0], Value::Str("ready".into()));
        session
    }

    fn say_bytes(&mut self, frame: &[u8]) {
        self.stdin.write_all(&(frame.len() as u32).to_le_bytes()).expect("the session reads");
        self.stdin.write_all(frame).expect("the session reads");
    }

    fn say(&mut self, kind: &str, write: impl FnOnce(&mut Writer)) {
        let mut frame = Writer::new();
        frame.array(2);
        frame.str(kind);
        write(&mut frame);
        self.say_bytes(frame.as_bytes());
    }

    /// The next frame.
    fn hear(&mut self) -> Vec<Value> {
        let mut length = [0; 4];
        self.stdout.read_exact(&mut length).expect("a frame");
        let mut frame = vec![0; u32::from_le_bytes(length) as usize];
        self.stdout.read_exact(&mut frame).expect("a frame");
        match Value::from_msgpack(&frame).expect("a value") {
            Value::Array(values) => values,
            other => panic!("a frame is an array, not {other:?}"),
        }
    }

    /// The next frame of a kind.
    fn hear_of(&mut self, kind: &str) -> Vec<Value> {
        loop {
            let frame = self.hear();
            if frame[0] == Value::Str(kind.into()) {
                return frame;
            }
        }
    }

    fn append(&mut self, tables: &GraphBuilder) {
        let tables = tables.to_bytes();
        self.say("append", |frame| frame.bin(&tables));
    }

    /// Appends one call of a component that is uploaded with it, and waits until it is taken.
    fn call(&mut self, component: &str, export: &str, arguments: Vec<Argument>) {
        let bytes = std::fs::read(guest(component)).expect("a component");
        self.say("component", |frame| frame.bin(&bytes));
        self.append(&one_call(ComponentDigest::of(&bytes), export, arguments, 0));
        self.hear_of("appended");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn one_call(component: ComponentDigest, export: &str, arguments: Vec<Argument>, position: u32) -> GraphBuilder {
    let mut tables = GraphBuilder::new();
    tables.component(component, None, None, None);
    tables.function(position, export, &[], None, None, &Options::default());
    tables.task(&format!("task-{position}"), position, &Arguments::Positional(arguments), &Options::default());
    tables.output(Reference::whole(TaskIndex(position)));
    tables
}

#[test]
fn calls_are_appended_one_by_one_and_values_come_as_they_are_made() {
    let home = Home::new();
    let mut session = Session::start(home.command(&["session", "--slots", "1"]));
    session.call("calc", "add", vec![int(40), int(2)]);
    assert_eq!(session.hear_of("output")[1..], [Value::Uint(0), Value::Bin(vec![42])]);
    session.hear_of("quiet");
    // One that needs it, from a component of the graph's own.
    let bytes = std::fs::read(guest("calc")).expect("a component");
    let wrong = one_call(ComponentDigest::of(&bytes), "add", vec![int(1)], 1);
    session.append(&wrong);
    let refused = session.hear_of("refused");
    assert_eq!(refused[1..3], [Value::Str("appended".into()), Value::Str("wrong-arity".into())]);
    let range = vec![Argument::Task(Reference::whole(TaskIndex(0))), int(10_000)];
    session.append(&one_call(ComponentDigest::of(&bytes), "range", range, 1));
    let Value::Uint(size) = session.hear_of("output")[2] else { panic!("it is too large to come along") };
    session.say("fetch", |frame| frame.uint(1));
    let Value::Bin(value) = session.hear_of("value").remove(2) else { panic!("the value") };
    assert_eq!(value.len() as u64, size);
    // Standard input ends, and so does it.
    let Session { stdin, .. } = &mut session;
    drop(std::mem::replace(stdin, detached_stdin()));
    assert!(session.child.wait().expect("it ends").success());
}

/// A pipe that leads nowhere, to put in the place of one that is to be closed.
fn detached_stdin() -> ChildStdin {
    let mut child = Command::new("true").stdin(Stdio::piped()).spawn().expect("a process");
    let stdin = child.stdin.take().expect("piped");
    child.wait().expect("it ends");
    stdin
}

#[test]
fn frames_that_make_no_sense_end_it() {
    let home = Home::new();
    let frames: [&[u8]; 5] = [b"", b"\xc1", b"\x92\xa5dance\x01", b"\x91\xa6append", b"\x92\xa7release\x91\xff"];
    for frame in frames {
        let mut session = Session::start(home.command(&["session", "--slots", "1"]));
        session.say_bytes(frame);
        assert_eq!(session.child.wait().expect("it ends").code(), Some(2), "{frame:?}");
    }
}

#[test]
fn what_a_session_leaves_is_what_it_published() {
    let fleet = Fleet::shared();
    let start = |name: &str| Session::start(fleet.command(&["session", "--name", name]));
    // One dies with a task that never ends: the task is stopped and the graph is gone.
    let mut dying = start("dying");
    dying.call("hostile", "spin", vec![]);
    fleet.until_graph("dying", "spins", |graph| graph["assigned"] == 1);
    dying.child.kill().expect("it runs");
    let find = |name: &str| fleet.graphs().into_iter().find(|graph| graph["name"] == name);
    until("the graph of a session that died is gone", || find("dying").is_none().then_some(()));
    // One leaves what it published; everybody has it until the name is withdrawn.
    let mut leaving = start("leaving");
    leaving.call("calc", "add", vec![int(1), int(2)]);
    leaving.hear_of("output");
    leaving.say("publish", |frame| frame.str("left behind"));
    leaving.hear_of("published");
    drop(leaving);
    assert_eq!(fleet.run(&["results", "left behind"]).expect(0).json(), json!({"task-0": 3}));
    // A second name for it, and the graph of fragments can be replayed as if it had been one file.
    let id = find("leaving").expect("it is kept")["id"].as_str().expect("an id").to_owned();
    let replayed = fleet.run(&["replay", &id, "task-0"]);
    let file = fleet.home.file(replayed.expect(0).stdout.trim());
    assert_eq!(fleet.run_on("submit", &file, &[]).expect(0).json(), json!({"task-0": 3}));
    fleet.run(&["unpublish", "left behind"]).expect(0);
    let mut graph = GraphFile::new();
    graph.output_task("still", &guest("calc"), "neg", vec![int(1)]);
    fleet.run_on("submit", &graph.save(&fleet.home, "still.msgpack"), &[]).expect(0);
}

/// What the example of futures prints, wherever it runs.
const FUTURES: &str = "\
the first 1000 squares are 333833500 together
60 by 1 to 4 is [60, 30, 20, 15]
div-1: task `div-1` failed [guest-error]: cannot divide 60 by zero
add-1000: task `div-1` failed [guest-error]: cannot divide 60 by zero
add-1001: tasks[0] `add-1001`: argument 1 (a): expected `s64`, found the string \"one\"
";

#[test]
fn futures_of_the_rust_sdk_come_embedded_and_from_a_fleet_which_keeps_nothing_of_them() {
    let calc = guest("calc");
    let words = [calc.to_str().expect("UTF-8")];
    let home = Home::new();
    assert_eq!(Running::start(&mut home.example("futures", &words)).end().expect(0).stdout, FUTURES);
    let fleet = Fleet::up(&["--workers", "2"]);
    let mut command = fleet.home.example("futures", &words);
    command.env("WASM_TASKS_SCHEDULER", &fleet.address);
    assert_eq!(Running::start(&mut command).end().expect(0).stdout, FUTURES);
    until("the results are let go", || {
        let stored: u64 = fleet.workers().iter().filter_map(|worker| worker["stored_bytes"].as_u64()).sum();
        (stored == 0).then_some(())
    });
}
