//! Places that a user of the command may be in: folders that cannot be written, or whose names are no UTF-8, graphs that come
//! through a pipe, and the moment at which somebody presses Ctrl-C.

use super::support::{Home, Running, guest, int, until};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use wasm_tasks_protocol::ComponentDigest;
use wasm_tasks_protocol::graph::{Arguments, GraphBuilder, Options, Reference, Source};

/// `/proc` takes no folders, not even from the superuser.
const UNWRITABLE: &str = "/proc/nobody";

#[test]
fn tasks_run_without_a_folder_that_can_be_written() {
    let home = Home::new();
    let calc = guest("calc");
    let words = ["run", calc.to_str().expect("UTF-8"), "add", "1", "2"];
    let mut command = home.command(&words);
    command.env_remove("WASM_TASKS_HOME").env("HOME", UNWRITABLE);
    command.env_remove("XDG_CACHE_HOME").env_remove("XDG_STATE_HOME");
    let answer = Running::start(&mut command).end();
    assert_eq!(answer.expect(0).stdout, "3\n");
    answer.says(&["Set `WASM_TASKS_HOME` to a folder of your own"]);
    assert_eq!(answer.stderr.lines().count(), 1, "one line of warning: {answer}");
}

#[test]
fn what_needs_a_folder_names_the_variable() {
    let home = Home::new();
    for words in [&["up"][..], &["scheduler", "--listen", "127.0.0.1:0"], &["worker", "127.0.0.1:1"]] {
        let mut command = home.command(words);
        let answer = Running::start(command.env("WASM_TASKS_HOME", UNWRITABLE)).end();
        answer.expect(2).says(&[UNWRITABLE, "WASM_TASKS_HOME"]);
    }
}

#[test]
fn folders_whose_names_are_no_utf_8_are_folders_like_others() {
    let home = Home::new();
    let folder = home.file("").join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&folder).expect("a folder");
    fs::copy(guest("calc"), folder.join("calc.wasm")).expect("a copy");
    let run = Running::start(home.command(&["run", "calc.wasm", "add", "1", "2"]).current_dir(&folder)).end();
    assert_eq!(run.expect(0).stdout, "3\n");

    fs::write(folder.join("graph.msgpack"), sum_graph()).expect("a graph");
    for words in [&["check", "graph.msgpack"][..], &["submit", "graph.msgpack"], &["show", "graph.msgpack"]] {
        Running::start(home.command(words).current_dir(&folder)).end().expect(0);
    }
    // A fleet whose home has such a name.
    let elsewhere = folder.join("home");
    let with = |words: &[&str]| Running::start(home.command(words).env("WASM_TASKS_HOME", &elsewhere)).end();
    with(&["up", "--workers", "1"]).expect(0);
    with(&["down"]).expect(0).says(&["stopped 2 processes"]);
    // A file that the graph would have to name.
    let odd = folder.join(OsStr::from_bytes(b"\xff.wasm"));
    fs::copy(guest("calc"), &odd).expect("a copy");
    let mut command = home.command(&["run"]);
    let refused = Running::start(command.arg(&odd).args(["add", "1", "2"])).end();
    refused.refuses("bad-value", &["components[0]", "no UTF-8"]);
}

/// A graph whose output `sum` is 3, computed by `calc.wasm` beside it.
fn sum_graph() -> Vec<u8> {
    let mut graph = GraphBuilder::default();
    let digest = ComponentDigest::of(&fs::read(guest("calc")).expect("a component"));
    let calc = graph.component(digest, None, None, Some(&Source::Path("calc.wasm".to_owned())));
    let add = graph.function(calc, "add", &[], None, None, &Options::default());
    let sum = graph.task("sum", add, &Arguments::Positional(vec![int(1), int(2)]), &Options::default());
    graph.output(Reference::whole(sum));
    graph.to_bytes()
}

#[test]
fn a_graph_may_come_through_standard_input() {
    let home = Home::new();
    fs::copy(guest("calc"), home.file("calc.wasm")).expect("a copy");
    let path = home.write("graph.msgpack", sum_graph());
    for (command, stdout) in [("submit", "{\"sum\":3}\n"), ("check", "ok: 1 task, 1 function, 1 output\n")] {
        let file = fs::File::open(&path).expect("it is there");
        let ended = home.command(&[command, "-"]).stdin(file).stderr(Stdio::inherit()).output().expect("it runs");
        assert_eq!(String::from_utf8_lossy(&ended.stdout), stdout, "{command}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let home = Home::new();
    let pipe = home.file("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("it can be run");
    assert!(made.success(), "a pipe that nobody writes to");
    for command in ["submit", "check", "show"] {
        for path in [pipe.as_path(), Path::new("/dev/zero")] {
            home.run_on(command, path, &[]).refuses("source-unreadable", &["no regular file", "standard input"]);
        }
    }
}

/// Processes that were started with a folder in their words.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.as_os_str().as_bytes();
    let processes = fs::read_dir("/proc").expect("a list of processes").filter_map(Result::ok);
    let of_folder = processes.filter_map(|process| {
        let words = fs::read(process.path().join("cmdline")).ok()?;
        let is_of_it = words.windows(folder.len()).any(|window| window == folder);
        is_of_it.then(|| process.file_name().to_string_lossy().into_owned())
    });
    of_folder.collect()
}

#[test]
fn an_interrupt_at_any_instant_of_up_leaves_nothing_that_down_does_not_stop() {
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        for step in 0..25 {
            let home = Home::new();
            let up = home.start(&["up", "--workers", "2"]);
            let started = Instant::now();
            while started.elapsed() < Duration::from_millis(step * step) {
                std::thread::yield_now();
            }
            up.signal(signal);
            up.end();
            home.run(&["down"]);
            until(&format!("nothing is left of an `up` that {signal:?} ended after {} ms", step * step), || {
                processes_of(&home.path()).is_empty().then_some(())
            });
        }
    }
}
