//! Graphs, fragments and delegations: each field of each table, from the reader's own list.

use super::Kind;
use wasm_tasks_protocol::graph::FieldTable;
use wasm_tasks_protocol::msgpack::{EXT_TASK, Writer};
use wasm_tasks_protocol::{ComponentDigest, ContentDigest};

type Map = Vec<(&'static str, Vec<u8>)>;

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::new();
    write(&mut out);
    out.into_bytes()
}

fn text(text: &str) -> Vec<u8> {
    written(|out| out.str(text))
}

fn uint(value: u64) -> Vec<u8> {
    written(|out| out.uint(value))
}

fn bin(bytes: &[u8]) -> Vec<u8> {
    written(|out| out.bin(bytes))
}

fn list(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let items: Vec<Vec<u8>> = items.into_iter().collect();
    written(|out| {
        out.array(items.len());
        items.iter().for_each(|item| out.raw(item));
    })
}

fn map<'n>(fields: impl IntoIterator<Item = (&'n str, Vec<u8>)>) -> Vec<u8> {
    let fields: Vec<(&str, Vec<u8>)> = fields.into_iter().collect();
    written(|out| {
        out.map(fields.len());
        for (name, value) in &fields {
            out.str(name);
            out.raw(value);
        }
    })
}

fn task_reference(task: usize) -> Vec<u8> {
    written(|out| out.ext(EXT_TASK, &uint(task as u64)))
}

/// The fields with one set, or set anew.
fn with(mut fields: Map, name: &'static str, value: Vec<u8>) -> Map {
    match fields.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known = value,
        None => fields.push((name, value)),
    }
    fields
}

fn component() -> Map {
    vec![("digest", text(&ComponentDigest::of(b"component").to_string()))]
}

fn function() -> Map {
    vec![("component", uint(0)), ("export", text("f"))]
}

fn data() -> Map {
    vec![("encoding", text("raw")), ("bytes", bin(b"bytes"))]
}

fn base() -> Map {
    ["components", "functions", "data", "tasks", "outputs"].map(|name| (name, uint(1))).into()
}

fn graph() -> Map {
    vec![
        ("wasm-tasks", uint(1)),
        ("components", list([map(component())])),
        ("functions", list([map(function())])),
        ("tasks", list([])),
        ("outputs", list([])),
    ]
}

fn fragment() -> Map {
    let mut fields = with(graph(), "append-to", bin(&[1; 16]));
    fields.push(("base", map(base())));
    fields
}

fn delegation() -> Map {
    vec![("wasm-tasks", uint(1)), ("tasks", list([list([text("a"), uint(0), list([])])])), ("outputs", list([task_reference(0)]))]
}

/// A file in which entries of a table stand: of the list that holds them, where there is one. And its reader.
fn file(table: FieldTable, entries: Vec<Vec<u8>>) -> (&'static str, Vec<u8>) {
    let first = || entries.first().cloned().unwrap_or_else(|| map([]));
    match table {
        FieldTable::Graph => ("graph", first()),
        FieldTable::Component => ("graph", map(with(graph(), "components", list(entries)))),
        FieldTable::Function => ("graph", map(with(graph(), "functions", list(entries)))),
        FieldTable::Dynamic => {
            let functions = entries.into_iter().map(|entry| map(with(function(), "dynamic", entry)));
            ("graph", map(with(graph(), "functions", list(functions))))
        }
        FieldTable::Data => ("graph", map(with(graph(), "data", list(entries)))),
        FieldTable::Options => {
            let task = |(position, entry): (usize, Vec<u8>)| list([text(&format!("k{position}")), uint(0), list([]), entry]);
            let tasks = list(entries.into_iter().enumerate().map(task));
            ("graph", map(with(with(graph(), "tasks", tasks), "outputs", list([task_reference(0)]))))
        }
        FieldTable::Alternative => {
            let task = |(position, entry): (usize, Vec<u8>)| {
                let options = map([("any-of", list([entry]))]);
                list([text(&format!("k{position}")), uint(0), list([]), options])
            };
            let tasks = list(entries.into_iter().enumerate().map(task));
            ("graph", map(with(with(graph(), "tasks", tasks), "outputs", list([task_reference(0)]))))
        }
        FieldTable::Base => ("graph", map(with(fragment(), "base", first()))),
        FieldTable::Delegation => ("delegation", first()),
        FieldTable::DelegatedComponent => ("delegation", map(with(delegation(), "components", list(entries)))),
    }
}

/// The fields that an entry of a table has at least.
fn least(table: FieldTable) -> Map {
    match table {
        FieldTable::Graph => graph(),
        FieldTable::Component | FieldTable::DelegatedComponent => component(),
        FieldTable::Function => function(),
        FieldTable::Data => data(),
        FieldTable::Base => base(),
        FieldTable::Delegation => delegation(),
        FieldTable::Dynamic | FieldTable::Options | FieldTable::Alternative => Vec::new(),
    }
}

/// Values of all shapes, of so many elements; about as many bytes.
fn shape(name: &str, count: usize) -> Vec<u8> {
    let of = |item: &str| item.repeat(count);
    match name {
        "nils" => list((0..count).map(|_| vec![0xc0])),
        "zeroes" => list((0..count).map(|_| uint(0))),
        "empty texts" => list((0..count).map(|_| text(""))),
        "empty maps" => list((0..count).map(|_| map([]))),
        "short maps" => list((0..count).map(|_| map([("a", uint(0))]))),
        "lists of lists" => list((0..count).map(|_| list([list([])]))),
        "references" => list((0..count).map(|_| task_reference(0))),
        "text" => text(&of("a")),
        "bytes" => bin(of("a").as_bytes()),
        "deep" => [vec![0x91; count], vec![0xc0]].concat(),
        "different keys" => {
            let keys: Vec<String> = (0..count).map(|at| format!("k{at}")).collect();
            map(keys.iter().map(|key| (key.as_str(), uint(0))))
        }
        "falling keys" => {
            let keys: Vec<String> = (0..count).rev().map(|at| format!("k{at:06}")).collect();
            map(keys.iter().map(|key| (key.as_str(), uint(0))))
        }
        "one key" => map((0..count).map(|_| ("slots", uint(0)))),
        "path" => written(|out| out.ext(EXT_TASK, &list((0..count).map(|_| uint(0))))),
        "packed" => written(|out| out.ext(24, &vec![0; 8 * count])),
        "tuple" => text(&format!("tuple<{}u8>", of("u8, "))),
        "record" => text(&format!("record {{{}}}", of("a: u8, "))),
        "enum" => text(&format!("enum {{{}}}", of("a,"))),
        "list of" => text(&of("list<")),
        "labels" => text(&format!("a in ({}b)", of("b, "))),
        "rules" => list((0..count).map(|_| text("a=b"))),
        "types" => list((0..count).map(|_| text("u8"))),
        "grants" => list((0..count).map(|_| text("clock"))),
        other => panic!("there is no shape `{other}`"),
    }
}

const SHAPES: [&str; 23] = [
    "nils",
    "zeroes",
    "empty texts",
    "empty maps",
    "short maps",
    "lists of lists",
    "references",
    "text",
    "bytes",
    "deep",
    "different keys",
    "falling keys",
    "one key",
    "path",
    "packed",
    "tuple",
    "record",
    "enum",
    "list of",
    "labels",
    "rules",
    "types",
    "grants",
];

/// Every known, reserved and unknown field of every table with a value of every shape.
pub(super) fn shapes() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for table in FieldTable::ALL {
        for field in table.fields().iter().chain(table.reserved()).chain(&["no-such-field"]) {
            for name in SHAPES {
                let bytes = move |count| file(table, vec![map(with(least(table), field, shape(name, count)))]).1;
                kinds.push(Kind::new(format!("{table:?}.{field}: {name}"), file(table, Vec::new()).0, 3_000, bytes));
            }
        }
        // Whole maps of unknown and of repeated fields.
        for name in ["different keys", "falling keys", "one key"] {
            let bytes = move |count| file(table, vec![shape(name, count)]).1;
            kinds.push(Kind::new(format!("{table:?}: {name}"), file(table, Vec::new()).0, 3_000, bytes));
        }
    }
    kinds
}

/// A value that a field may have: short ones, so that there are many in a file. Different ones for different positions.
fn good(table: FieldTable, field: &str, position: usize) -> Vec<u8> {
    let name = || text(&format!("name{position}"));
    let rules = || list([text(&format!("zone=z{position}"))]);
    let resources = || map([("slots", uint(1 + position as u64 % 1_000)), ("gpu", uint(1))]);
    let named = |names: [&str; 2]| text(names[position % 2]);
    match (table, field) {
        (FieldTable::Component | FieldTable::DelegatedComponent, "digest") => {
            text(&ComponentDigest::of(&position.to_le_bytes()).to_string())
        }
        (FieldTable::Data, "digest") => text(&ContentDigest::of(&position.to_le_bytes()).to_string()),
        (FieldTable::Component | FieldTable::Data, "source") => map([("path", name())]),
        (FieldTable::Component | FieldTable::Data, "bytes") => bin(&position.to_le_bytes()),
        (FieldTable::Data, "offset" | "len") => uint(position as u64),
        (FieldTable::Data, "encoding") => text("raw"),
        (FieldTable::Data, "type") => text("list<u8>"),
        (FieldTable::Function, "component") => uint(0),
        (FieldTable::Function, "bind") => list([uint(position as u64)]),
        (FieldTable::Function, "dynamic") => map([("result", text("list<u8>"))]),
        (FieldTable::Function, "options") => map([("seed", uint(position as u64))]),
        (_, "name" | "export" | "group") => name(),
        (FieldTable::Dynamic, "params") => list([text("u8"), text("list<string>")]),
        (FieldTable::Dynamic, "result") => text("record { a: u8 }"),
        (FieldTable::Options, "any-of") => list([map([("labels", rules())]), map([("resources", resources())])]),
        (FieldTable::Options | FieldTable::Alternative, "labels" | "prefer") => rules(),
        (FieldTable::Options | FieldTable::Alternative, "resources") => resources(),
        (FieldTable::Options, "grants") => list([text("clock")]),
        (FieldTable::Options, "cache" | "speculate") => named(["auto", "never"]),
        (FieldTable::Options, "gang") => uint(1),
        (FieldTable::Options, "retries") => uint(position as u64 % 100),
        (
            FieldTable::Options,
            "backoff-ms"
            | "deadline-ms"
            | "expected-ms"
            | "expected-result-bytes"
            | "fuel"
            | "priority"
            | "result-bytes-max"
            | "seed"
            | "time-request-ms"
            | "timeout-ms",
        ) => uint(1 + position as u64),
        (table, field) => panic!("say what a good value of {table:?}.{field} is"),
    }
}

/// Tables of so many entries, each with a field. What stands once in a file has its shapes above, and its tables below.
pub(super) fn entries() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for table in FieldTable::ALL {
        if matches!(table, FieldTable::Graph | FieldTable::Base | FieldTable::Delegation) {
            continue;
        }
        for field in table.fields() {
            let entry = move |position| {
                let mut fields = least(table);
                // Bytes or a source, not both; ranges are of sources.
                if matches!(*field, "source" | "offset" | "len") {
                    fields.retain(|(name, _)| *name != "bytes");
                    fields = with(fields, "source", good(table, "source", position));
                }
                map(with(fields, field, good(table, field, position)))
            };
            let bytes = move |count: usize| file(table, (0..count).map(entry).collect()).1;
            let kind = Kind::new(format!("{table:?}.{field}"), file(table, Vec::new()).0, 1_000, bytes);
            // Only a graph's own options have these, and digests are of other bytes.
            let is_elsewhere = matches!((table, *field), (FieldTable::Options, "name" | "deadline-ms"));
            kinds.push(if is_elsewhere { kind } else { kind.accepted() });
        }
    }
    kinds
}

/// A graph of tasks with their arguments, and one output.
fn of_tasks(tasks: Vec<Vec<u8>>, functions: Vec<u8>) -> Vec<u8> {
    map(with(with(with(graph(), "tasks", list(tasks)), "outputs", list([task_reference(0)])), "functions", functions))
}

fn task(key: usize, args: Vec<u8>) -> Vec<u8> {
    list([text(&format!("k{key}")), uint(0), args])
}

/// Tables of tasks, edges and outputs.
pub(super) fn tasks() -> Vec<Kind> {
    let functions = || list([map(function())]);
    let graph_of = move |name: &str, count, make: fn(usize) -> Vec<Vec<u8>>| {
        Kind::new(name, "graph", count, move |count| of_tasks(make(count), functions()))
    };
    let args = |name: &str, make: fn(usize) -> Vec<u8>| {
        Kind::new(name, "graph", 4_000, move |count| of_tasks(vec![task(0, make(count))], functions()))
    };
    vec![
        graph_of("tasks", 3_000, |count| (0..count).map(|at| task(at, list([]))).collect()).accepted(),
        graph_of("a chain", 3_000, |count| {
            (0..count).map(|at| task(at, list((at > 0).then(|| task_reference(at - 1))))).collect()
        })
        .accepted(),
        graph_of("a chain backwards", 3_000, |count| {
            (0..count).map(|at| task(at, list((at + 1 < count).then(|| task_reference(at + 1))))).collect()
        })
        .accepted(),
        graph_of("a circle", 3_000, |count| (0..count).map(|at| task(at, list([task_reference((at + 1) % count)]))).collect()),
        graph_of("one key", 3_000, |count| (0..count).map(|_| task(0, list([]))).collect()),
        graph_of("fan in", 3_000, |count| {
            let all = list((0..count).map(task_reference));
            (0..count).map(|at| task(at, list([]))).chain([task(count, all)]).collect()
        })
        .accepted(),
        graph_of("fan in of repetitions", 3_000, |count| {
            vec![task(0, list([])), task(1, list((0..count).map(|_| task_reference(0))))]
        })
        .accepted(),
        graph_of("gangs", 2_048, |count| {
            let member = |at| list([text(&format!("k{at}")), uint(0), list([]), map([("gang", uint(1_024))])]);
            (0..count).map(member).collect()
        })
        .accepted(),
        graph_of("gangs in a row", 2_048, |count| {
            let gang = || map([("gang", uint(2))]);
            let need = |at: usize| list((at > 1).then(|| task_reference(at - 2)));
            (0..count).map(|at| list([text(&format!("k{at}")), uint(0), need(at), gang()])).collect()
        })
        .accepted(),
        graph_of("different long options", 200, |count| {
            let options = |at| map([("labels", list((0..60).map(|rule| text(&format!("a{rule}=b{at}")))))]);
            (0..count).map(|at| list([text(&format!("k{at}")), uint(0), list([]), options(at)])).collect()
        })
        .accepted(),
        args("arguments", |count| list((0..count).map(|_| uint(0)))).accepted(),
        args("named arguments", |count| shape("different keys", count)).accepted(),
        args("named arguments in falling order", |count| shape("falling keys", count)).accepted(),
        args("named arguments of one name", |count| shape("one key", count)),
        args("deep arguments", |count| shape("deep", count)),
        args("lists of maps", |count| list([list((0..count).map(|_| map([("a", uint(0))])))])).accepted(),
        args("packed numbers", |count| list([shape("packed", count)])).accepted(),
        args("unknown extensions", |count| list((0..count).map(|_| written(|out| out.ext(99, b"a"))))),
        args("long path", |count| list([shape("path", count)])),
        Kind::new("outputs", "graph", 3_000, move |count| {
            let outputs = list((0..count).map(task_reference));
            let tasks = list((0..count).map(|at| task(at, list([]))));
            map(with(with(graph(), "tasks", tasks), "outputs", outputs))
        })
        .accepted(),
        Kind::new("one output many times", "graph", 3_000, move |count| {
            let outputs = list((0..count).map(|_| task_reference(0)));
            map(with(with(graph(), "tasks", list([task(0, list([]))])), "outputs", outputs))
        })
        .accepted(),
        Kind::new("fragment", "graph", 3_000, move |count| {
            map(with(fragment(), "tasks", list((0..count).map(|at| task(at, list([task_reference(0)]))))))
        })
        .accepted(),
        Kind::new("delegated tasks", "delegation", 2_000, move |count| {
            map(with(delegation(), "tasks", list((0..count).map(|at| task(at, list([]))))))
        })
        .accepted(),
        Kind::new("delegated functions", "delegation", 1_000, move |count| {
            map(with(
                delegation(),
                "functions",
                list((0..count).map(|at| map(with(function(), "group", text(&format!("g{at}")))))),
            ))
        })
        .accepted(),
        Kind::new("delegated data", "delegation", 1_000, move |count| {
            map(with(delegation(), "data", list((0..count).map(|_| map(data())))))
        })
        .accepted(),
        Kind::new("delegated arguments", "delegation", 2_000, move |count| {
            let taken = |at: usize| written(|out| out.ext(4, &uint(at as u64 % 2)));
            map(with(delegation(), "tasks", list((0..count).map(|at| task(at, list([taken(at)]))))))
        })
        .accepted(),
        Kind::new("what is no graph", "graph", 30_000, |count| vec![b'{'; count]),
        Kind::new("a value", "value", 10_000, |count| shape("nils", count)).accepted(),
        Kind::new("a value of a map", "value", 5_000, |count| shape("falling keys", count)).accepted(),
    ]
}
