//! Tests of what builds, reads and uploads graphs, without a cluster. Takes the modules in by path, so that
//! this program does not link the engine.

#![allow(dead_code, unreachable_pub, unused_imports, clippy::unwrap_used, reason = "modules of the library, seen from a test")]

#[path = "../src"]
mod library {
    pub mod decode;
    pub mod error;
    pub mod graph;
    pub mod home;
    pub mod json;
    pub mod reach;
    pub mod upload;
    pub mod session {
        mod error;
        mod ledger;
        mod tables;
    }
}

use library::{decode, error, graph, home, json, reach, upload};

// The names that the library's macros use.
pub use self::graph::{Args, Graph, IntoArgument, packed};
pub use wasm_tasks_protocol::graph::Argument;

use self::library::decode::{decode, from_serde};
use self::upload::{Upload, UploadError};
use serde::{Deserialize, Serialize};
use std::fs;
use wasm_tasks_protocol::graph::{
    Append, Arguments, DataEncoding, Fragment, Graph as Read, GraphBuilder, Options, PathStep, Reference, Source,
};
use wasm_tasks_protocol::msgpack::{InvalidValue, Reader, References, validate};
use wasm_tasks_protocol::{ComponentDigest, ErrorCode, GraphId, TaskIndex, Value};

fn read(graph: &Graph) -> Read {
    Read::read(graph.to_bytes().unwrap()).unwrap()
}

#[test]
fn keys_are_made_and_step_aside_for_chosen_ones() {
    let mut graph = Graph::new();
    let component = graph.component_bytes(b"one".as_slice());
    let add = graph.function(&component, "examples:calc/calc@0.1.0#add");
    graph.call_named("add-2", &add, crate::args![1, 2]);
    let keys: Vec<String> = (0..3).map(|_| graph.call(&add, crate::args![1, 2]).key().to_owned()).collect();
    assert_eq!(keys, ["add-1", "add-3", "add-4"]);
}

#[test]
fn without_outputs_the_unused_tasks_are_the_outputs() {
    let mut graph = Graph::new();
    let component = graph.component_bytes(b"one".as_slice());
    let add = graph.function(&component, "add");
    let a = graph.call(&add, crate::args![1, 2]);
    let b = graph.call(&add, crate::args![&a, vec![(a.field("x").at(3), 4)]]);
    let c = graph.call(&add, crate::args![1, 2]);
    let outputs = read(&graph).outputs().to_vec();
    assert_eq!(outputs, [Reference::whole(b.index()), Reference::whole(c.index())]);
    graph.output(a.field("x").at(3));
    let path = vec![PathStep::Field("x".into()), PathStep::Index(3)];
    assert_eq!(read(&graph).outputs(), [Reference { task: TaskIndex(0), path }]);
}

#[test]
fn rust_values_are_the_arguments_that_they_look_like() {
    let mut graph = Graph::new();
    let component = graph.component_bytes(b"one".as_slice());
    let function = graph.function(&component, "f");
    let data = graph.data(vec!["a", "b"], None).unwrap();
    graph.call(
        &function,
        crate::args![
            -1,
            u64::MAX,
            1.5f32,
            true,
            'x',
            "text",
            vec![1u8, 2],
            vec![1, 2],
            vec![0.5],
            packed(&[-1i16]),
            Some(7),
            None::<i32>,
            (1, "a"),
            crate::record! { "b" => 2, "a" => 1 },
            &data,
        ],
    );
    let graph = read(&graph);
    let args = Value::from_msgpack(graph.task(TaskIndex(0)).args()).unwrap();
    let text = "text".to_owned();
    assert_eq!(
        args,
        Value::Array(vec![
            Value::Int(-1),
            Value::Uint(u64::MAX),
            Value::F64(1.5),
            Value::Bool(true),
            Value::Str("x".into()),
            Value::Str(text),
            Value::Bin(vec![1, 2]),
            Value::Array(vec![Value::Uint(1), Value::Uint(2)]),
            Value::Ext(24, 0.5f64.to_le_bytes().to_vec()),
            Value::Ext(18, vec![0xff, 0xff]),
            Value::Uint(7),
            Value::Nil,
            Value::Array(vec![Value::Uint(1), Value::Str("a".into())]),
            Value::Map(vec![("a".into(), Value::Uint(1)), ("b".into(), Value::Uint(2))]),
            Value::Ext(2, vec![0]),
        ])
    );
}

#[test]
fn two_tasks_with_one_key_are_refused_when_bytes_are_wanted() {
    let mut graph = Graph::new();
    let component = graph.component_bytes(b"one".as_slice());
    let add = graph.function(&component, "add");
    graph.call_named("a", &add, crate::args![]);
    graph.call_named("a", &add, crate::args![]);
    assert_eq!(graph.to_bytes().unwrap_err().code, ErrorCode::DuplicateKey);
}

#[test]
fn a_saved_graph_names_files_relative_to_its_folder_and_is_uploaded_without_paths() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("graphs")).unwrap();
    fs::write(at("calc.wasm"), b"component").unwrap();
    fs::write(at("data.csv"), b"0123456789").unwrap();
    let mut graph = Graph::new();
    let component = graph.component_file(at("calc.wasm")).unwrap();
    let sum = graph.function(&component, "sum");
    let middle = graph.data_file(at("data.csv"), 2, Some(3)).unwrap();
    let rest = graph.data_file(at("data.csv"), 8, None).unwrap();
    graph.call(&sum, crate::args![&middle, &rest]);
    graph.save(at("graphs/graph.msgpack")).unwrap();

    let saved = fs::read(at("graphs/graph.msgpack")).unwrap();
    let text = String::from_utf8_lossy(&saved);
    assert!(text.contains("../calc.wasm") && text.contains("../data.csv"), "{text}");

    let upload = Upload::from_file(&at("graphs/graph.msgpack"), &[folder.path().to_owned()]).unwrap();
    assert_eq!(upload.components, [(ComponentDigest::of(b"component"), Some(b"component".as_slice().into()))]);
    let sent = Read::read(upload.file).unwrap();
    assert!(sent.components().iter().all(|component| component.source.is_none()));
    let bytes: Vec<&[u8]> = sent.data().iter().map(|entry| &sent.file()[entry.bytes.clone().unwrap()]).collect();
    assert_eq!(bytes, [b"234".as_slice(), b"89"]);
    assert_eq!(sent.task(TaskIndex(0)).args(), Read::read(saved.into()).unwrap().task(TaskIndex(0)).args());
}

#[test]
fn files_that_are_gone_short_or_changed_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calc.wasm");
    fs::write(&path, b"component").unwrap();
    let mut graph = Graph::new();
    let component = graph.component_file(&path).unwrap();
    let function = graph.function(&component, "f");
    let data = graph.data_file(&path, 4, Some(5)).unwrap();
    graph.call(&function, crate::args![&data]);
    let upload = || Upload::read(read(&graph), folder.path());
    upload().unwrap();
    fs::write(&path, b"changed!!").unwrap();
    assert!(matches!(upload().unwrap_err(), UploadError::Digest { .. }));
    fs::remove_file(&path).unwrap();
    let error = upload().unwrap_err();
    assert_eq!(error.code(), ErrorCode::SourceUnreadable);
    assert!(error.to_string().contains("components[0] `calc`"), "{error}");

    let mut graph = Graph::new();
    let component = graph.component_bytes(b"one".as_slice());
    let function = graph.function(&component, "f");
    fs::write(&path, b"short").unwrap();
    let data = graph.data_file(&path, 4, Some(5)).unwrap();
    graph.call(&function, crate::args![&data]);
    let error = Upload::read(read(&graph), folder.path()).unwrap_err();
    assert!(matches!(error, UploadError::Range { len: 5, offset: 4, wanted: 5, .. }), "{error}");
}

#[test]
fn a_graph_without_paths_is_sent_as_it_is() {
    let mut graph = Graph::new();
    let component = graph.component_digest(ComponentDigest::of(b"elsewhere"), None);
    let function = graph.function(&component, "f");
    graph.call(&function, crate::args![1]);
    let bytes = graph.to_bytes().unwrap();
    let upload = Upload::read(Read::read(bytes.clone()).unwrap(), ".".as_ref()).unwrap();
    assert_eq!(upload.file, bytes);
    assert_eq!(upload.components, [(ComponentDigest::of(b"elsewhere"), None)]);
}

#[test]
fn results_become_rust_values() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Row {
        the_name: String,
        mean: Option<f64>,
        kind: Kind,
        bytes: Vec<u8>,
        list: Vec<f32>,
        pair: (i64, bool),
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        Plain,
        Sized(u32),
    }
    let value = |kind: Value, mean: Value| {
        let list: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|number| number.to_le_bytes()).collect();
        Value::Map(vec![
            ("the-name".into(), Value::Str("a".into())),
            ("mean".into(), mean),
            ("kind".into(), kind),
            ("bytes".into(), Value::Bin(vec![7, 8])),
            ("list".into(), Value::Ext(23, list)),
            ("pair".into(), Value::Array(vec![Value::Int(-3), Value::Bool(true)])),
        ])
    };
    let row = |kind, mean| Row { the_name: "a".into(), mean, kind, bytes: vec![7, 8], list: vec![1.5, -2.0], pair: (-3, true) };
    let sized = Value::Map(vec![("sized".into(), Value::Uint(9))]);
    assert_eq!(decode::<Row>(&value(sized, Value::F64(0.5)).to_msgpack()).unwrap(), row(Kind::Sized(9), Some(0.5)));
    assert_eq!(decode::<Row>(&value(Value::Str("plain".into()), Value::Nil).to_msgpack()).unwrap(), row(Kind::Plain, None));
    assert!(decode::<Row>(&Value::Uint(1).to_msgpack()).is_err());
    assert!(decode::<u8>(&Value::Uint(300).to_msgpack()).is_err());
    let Argument::Value(argument) = from_serde(&row(Kind::Sized(9), None)).unwrap() else { panic!("a value") };
    assert_eq!(argument.get("kind"), Some(&Value::Map(vec![("sized".into(), Value::Uint(9))])));
}

/// Builds each vector's graph from its parts, by way of [`Graph`], and compares bytes.
#[test]
fn graphs_have_the_bytes_of_the_conformance_vectors() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "msgpack") {
            continue;
        }
        let vector = fs::read(&path).unwrap();
        let rebuilt = rebuild(&Read::read(vector.clone().into()).unwrap());
        if let Some(rebuilt) = rebuilt {
            count += 1;
            assert!(rebuilt == vector, "{}", path.display());
        }
    }
    assert!(count >= 20, "only {count} vectors could be written with handles");
}

/// The same graph, written with handles; nothing where it has what handles do not offer.
fn rebuild(given: &Read) -> Option<Vec<u8>> {
    let mut graph = Graph::new();
    graph.set_options(given.options().clone());
    let mut components = Vec::new();
    for component in given.components() {
        if component.source.is_some() || (component.bytes.is_some() && component.name.is_some()) {
            return None;
        }
        components.push(match &component.bytes {
            Some(range) => graph.component_bytes(given.file().slice(range.clone())),
            None => graph.component_digest(component.digest, component.name.as_deref()),
        });
    }
    if !given.data().is_empty() {
        return None;
    }
    let mut functions = Vec::new();
    for entry in given.functions() {
        let function = graph.function(&components[entry.component as usize], &entry.export);
        if let Some(range) = &entry.bind {
            let Value::Array(bound) = Value::from_msgpack(&given.file()[range.clone()]).unwrap() else { panic!("an array") };
            graph.bind(&function, bound.into_iter().collect());
        }
        if let Some(dynamic) = &entry.dynamic {
            graph.set_dynamic(&function, dynamic.clone());
        }
        if let Some(group) = &entry.group {
            graph.set_group(&function, group);
        }
        graph.set_function_options(&function, entry.options.clone());
        functions.push(function);
    }
    for task in given.tasks() {
        let arguments = match Value::from_msgpack(task.args()).unwrap() {
            Value::Array(list) => Arguments::Positional(list.into_iter().map(Argument::Value).collect()),
            Value::Map(pairs) => Arguments::Named(pairs.into_iter().map(|(name, value)| (name, value.into())).collect()),
            other => panic!("arguments are {other:?}"),
        };
        let none = Options::default();
        graph.call_with(task.key(), &functions[task.function_index() as usize], arguments, task.own_options().unwrap_or(&none));
    }
    given.outputs().iter().for_each(|output| graph.output(output.clone()));
    // Vectors without outputs would get those that handles choose.
    (!given.outputs().is_empty() || given.is_empty()).then(|| graph.to_bytes().unwrap().to_vec())
}

/// Every argument that Rust can write is a value of the profile.
#[test]
fn packed_lists_are_values() {
    struct None;
    impl References for None {
        fn task(&mut self, _: u64, _: usize) -> Result<(), InvalidValue> {
            unreachable!("no references here")
        }
        fn data(&mut self, _: u64) -> Result<(), InvalidValue> {
            unreachable!("no references here")
        }
    }
    for argument in [packed(&[1i8]), packed(&[1u16]), packed(&[1u32]), packed(&[1i64]), packed(&[f64::NAN]), packed::<f32>(&[])] {
        let Argument::Value(value) = argument else { panic!("a value") };
        let bytes = value.to_msgpack();
        validate(&mut Reader::new(&bytes), &mut None).unwrap();
    }
}

#[test]
fn a_fragment_goes_on_with_handles_of_the_graph() {
    let mut graph = Graph::new();
    let component = graph.component_bytes(b"one".as_slice());
    let add = graph.function(&component, "add");
    let a = graph.call(&add, crate::args![1, 2]);
    let first = read(&graph);

    let id = GraphId([7; 16]);
    let mut more = Graph::fragment(Append { graph: id, base: first.extent() });
    let neg = more.function(&component, "neg");
    let b = more.call(&add, crate::args![&a, 3]);
    let c = more.call(&neg, crate::args![&b]);
    assert_eq!((b.key(), c.key(), c.index()), ("add-2", "neg-2", TaskIndex(2)));
    let fragment = Fragment::read(more.to_bytes().unwrap()).unwrap();
    assert_eq!((fragment.append_to(), fragment.base()), (id, first.extent()));
    assert_eq!(fragment.tables().outputs(), [Reference::whole(c.index())], "what no task of it needs");
    assert_eq!(fragment.tables().task(b.index()).dependencies(), [a.index()]);

    // The file says where it goes, and can be sent elsewhere.
    let folder = tempfile::tempdir().unwrap();
    more.save(folder.path().join("more.msgpack")).unwrap();
    let upload = Upload::fragment_from_file(&folder.path().join("more.msgpack"), GraphId([1; 16]), &[]).unwrap();
    assert_eq!(Fragment::read(upload.file).unwrap().append_to(), GraphId([1; 16]));
}

/// The code with which a graph file in `folder` that names `path`, as data and as a component, is refused, or none.
fn refusal_of(folder: &std::path::Path, path: &str, allowed: &[std::path::PathBuf]) -> Option<ErrorCode> {
    let source = Source::Path(path.to_owned());
    let mut tables = GraphBuilder::new();
    tables.component(ComponentDigest::of(b"bytes"), None, Some(b"bytes"), None);
    tables.data_source(&source, 0, None, DataEncoding::Raw, None);
    let data = tables.to_bytes();
    let mut tables = GraphBuilder::new();
    tables.component(ComponentDigest::of(b"bytes"), None, None, Some(&source));
    let component = tables.to_bytes();
    let codes = [data, component].map(|file| {
        fs::write(folder.join("graph.msgpack"), file).unwrap();
        Upload::from_file(&folder.join("graph.msgpack"), allowed).err().map(|error| error.code())
    });
    assert_eq!(codes[0], codes[1], "data and components are opened alike: {path}");
    codes[0]
}

#[test]
fn a_graph_file_reads_regular_files_below_its_folder_and_no_others() {
    use std::os::unix::fs::symlink;
    let place = tempfile::tempdir().unwrap();
    let (folder, outside) = (place.path().join("far/away"), place.path().join("outside"));
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::create_dir_all(&outside).unwrap();
    fs::create_dir_all(place.path().join("far/away-too")).unwrap();
    for file in ["secret", "outside/data", "far/away/sub/data", "far/away/data", "far/away-too/data"] {
        fs::write(place.path().join(file), b"bytes").unwrap();
    }
    symlink(place.path().join("secret"), folder.join("link-out")).unwrap();
    symlink(&outside, folder.join("folder-out")).unwrap();
    symlink("sub/data", folder.join("link-in")).unwrap();
    symlink("link-loop", folder.join("link-loop")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, folder.join("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let absolute = |file: &str| place.path().join(file).display().to_string();

    for fine in ["data", "sub/data", "link-in", "./sub/../data", &absolute("far/away/data")] {
        assert_eq!(refusal_of(&folder, fine, &[]), None, "{fine}");
    }
    let outside_of_it = [
        "../../secret",
        "../away-too/data",
        "link-out",
        "folder-out/data",
        &absolute("secret"),
        "/proc/self/environ",
        "/dev/zero",
        "/proc/self/exe",
        "sub/../../../secret",
        "/",
        "..",
    ];
    for path in outside_of_it {
        assert_eq!(refusal_of(&folder, path, &[]), Some(ErrorCode::SourceNotAllowed), "{path}");
    }
    for path in ["pipe", "sub", ".", "link-loop", "missing"] {
        assert_eq!(refusal_of(&folder, path, &[]), Some(ErrorCode::SourceUnreadable), "{path}");
    }
    let allowed = [outside.clone()];
    assert_eq!(refusal_of(&folder, "folder-out/data", &allowed), None);
    assert_eq!(refusal_of(&folder, &absolute("outside/data"), &allowed), None);
    assert_eq!(refusal_of(&folder, &absolute("secret"), &allowed), Some(ErrorCode::SourceNotAllowed));
    assert_eq!(refusal_of(&folder, "/dev/null", &["/".into()]), Some(ErrorCode::SourceUnreadable));
}
