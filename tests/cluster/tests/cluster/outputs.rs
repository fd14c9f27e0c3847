//! Where outputs go: formats, files, full disks and readers that go away.

use super::support::{Fleet, GraphFile, Home, Running, everything, guest, int};
use std::fs::File;
use std::path::PathBuf;
use wasm_tasks_protocol::Value;

/// One output of so many bytes.
fn bytes_graph(home: &Home, len: i64) -> PathBuf {
    let mut graph = GraphFile::new();
    graph.output_task("bytes", &guest("everything"), &everything("make-bytes"), vec![int(len)]);
    graph.save(home, &format!("bytes-{len}.msgpack"))
}

#[test]
fn a_full_disk_is_a_clear_error_on_files_and_on_standard_output() {
    let home = Home::new();
    let graph = bytes_graph(&home, 10);
    home.run_on("submit", &graph, &["-o", "/dev/full"])
        .expect(2)
        .says(&["error: cannot write `/dev/full`", "No space left on device"]);
    let mut command = home.command(&["submit", graph.to_str().expect("UTF-8")]);
    let full = File::options().write(true).open("/dev/full").expect("Linux has one");
    let answer = Running::start_writing_to(&mut command, full).end();
    answer.expect(2).says(&["error: cannot write to standard output", "No space left on device"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = Home::new();
    // More than a pipe holds, so that it is noticed.
    let graph = bytes_graph(&home, 4 << 20);
    let running = Running::start_without_reader(&mut home.command(&["submit", graph.to_str().expect("UTF-8")]));
    running.end().expect(0).does_not_say("error");
}

#[test]
fn outputs_are_written_whole_in_the_format_that_was_asked_for() {
    let home = Home::new();
    let graph = bytes_graph(&home, 3);
    let out = home.file("out");
    let words = |format: &'static str| ["--format", format, "-o", out.to_str().expect("UTF-8"), "--quiet"].map(str::to_owned);
    let written = |format: &'static str| {
        let words = words(format);
        let answer = home.run_on("submit", &graph, &words.iter().map(String::as_str).collect::<Vec<_>>());
        answer.expect(0);
        assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("", ""), "{answer}");
        std::fs::read(&out).expect("the output")
    };
    assert_eq!(written("json"), b"{\"bytes\":\"AAEC\"}\n");
    assert_eq!(written("raw"), [0, 1, 2]);
    let map = Value::Map(vec![("bytes".to_owned(), Value::Bin(vec![0, 1, 2]))]);
    assert_eq!(written("msgpack"), map.to_msgpack());
    // Nothing is left beside it.
    let names: Vec<String> = std::fs::read_dir(out.parent().expect("a folder"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("out"))
        .collect();
    assert_eq!(names, ["out"]);
}

#[test]
fn formats_and_files_that_cannot_work_are_refused_before_anything_runs() {
    let fleet = Fleet::shared();
    let home = Home::new();
    let mut graph = GraphFile::new();
    for key in ["a", "b"] {
        graph.output_task(key, &guest("calc"), "neg", vec![int(1)]);
    }
    let path = graph.save(&home, "two.msgpack");
    home.run_on("submit", &path, &["--format", "raw"]).refuses("bad-arguments", &["the graph has 2", "--format json"]);
    home.run_on("submit", &path, &["-o", "/"]).refuses("bad-arguments", &["names a folder"]);
    fleet.run_on("submit", &path, &["-o", "/no/such/file"]).refuses("bad-arguments", &["no folder `/no/such`"]);
    fleet.run_on("submit", &path, &["--slots", "2"]).refuses("bad-arguments", &["embedded cluster"]);
    assert_eq!(home.run(&["status", "--json"]).expect(0).stdout, "{\"runs\":[]}\n");
}
