//! The vectors of `sdk/conformance`: what their JSON describes is built, and must have the very bytes; what is read
//! must be written again as it was; what is no graph must be refused with the code and a place that is right.

#[path = "conformance/describe.rs"]
mod describe;

use std::path::{Path, PathBuf};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::{Fragment, Graph, GraphError};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/conformance")
}

/// Names of the pairs `NAME.json` and `NAME.msgpack`; a pair without its other half is an error.
fn pairs(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of vectors") {
        let path = entry.expect("an entry of the folder").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => {
                assert!(path.with_extension("msgpack").exists(), "{name} has no .msgpack");
                names.push(name);
            }
            Some("msgpack") => assert!(path.with_extension("json").exists(), "{name} has no .json"),
            _ => {}
        }
    }
    names.sort();
    names
}

fn read_json(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).expect("a vector");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn graphs_are_built_and_rewritten_byte_by_byte() {
    built_and_rewritten(&folder(), &|bytes| Graph::read(bytes.into()).map(|graph| graph.rewrite(|_| (), |_| None)));
}

#[test]
fn fragments_are_built_and_rewritten_byte_by_byte() {
    let rewrite = |bytes: Vec<u8>| Fragment::read(bytes.into()).map(|fragment| fragment.rewrite(|_| (), |_| None));
    built_and_rewritten(&folder().join("fragments"), &rewrite);
}

fn built_and_rewritten(folder: &Path, rewrite: &dyn Fn(Vec<u8>) -> Result<Vec<u8>, GraphError>) {
    // Those that can be executed are graphs like all others.
    let runnable = if folder.ends_with("fragments") { Vec::new() } else { pairs(&folder.join("run")) };
    let names: Vec<String> = pairs(folder).into_iter().chain(runnable.into_iter().map(|name| format!("run/{name}"))).collect();
    assert!(names.len() > 5, "no vectors");
    let mut wrong = Vec::new();
    for name in &names {
        let expected = std::fs::read(folder.join(name).with_extension("msgpack")).expect("a vector");
        let built = describe::build(&read_json(&folder.join(name).with_extension("json")));
        if built != expected {
            wrong.push(format!(
                "{name}: built {} bytes, expected {}: {}",
                built.len(),
                expected.len(),
                first_difference(&built, &expected)
            ));
        }
        match rewrite(expected.clone()) {
            Err(error) => wrong.push(format!("{name}: refused: {error}")),
            Ok(written) => {
                if written != expected {
                    wrong.push(format!("{name}: rewritten otherwise: {}", first_difference(&written, &expected)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} vectors:\n{}", wrong.len(), names.len(), wrong.join("\n"));
}

fn first_difference(a: &[u8], b: &[u8]) -> String {
    let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    let around =
        |bytes: &[u8]| bytes[at.saturating_sub(8).min(bytes.len())..(at + 8).min(bytes.len())].escape_ascii().to_string();
    format!("at byte {at}: \"{}\" instead of \"{}\"", around(a), around(b))
}

/// What the JSON describes is the canonical form of what the file has in another.
#[test]
fn what_is_not_canonical_is_read_and_written_canonically() {
    let folder = folder().join("read");
    let names = pairs(&folder);
    assert!(names.len() > 5, "no vectors");
    let mut wrong = Vec::new();
    for name in &names {
        let bytes = std::fs::read(folder.join(name).with_extension("msgpack")).expect("a vector");
        let canonical = describe::build(&read_json(&folder.join(name).with_extension("json")));
        if bytes == canonical {
            wrong.push(format!("{name}: is canonical already"));
        }
        match Graph::read(bytes.into()).map(|graph| graph.rewrite(|_| (), |_| None)) {
            Err(error) => wrong.push(format!("{name}: refused: {error}")),
            Ok(written) if written != canonical => {
                wrong.push(format!("{name}: written otherwise: {}", first_difference(&written, &canonical)));
            }
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {} vectors:\n{}", wrong.len(), names.len(), wrong.join("\n"));
}

#[test]
fn what_is_no_graph_is_refused_with_its_code_and_place() {
    refused(&folder().join("bad"), &|bytes| Graph::read(bytes.into()).map(drop));
    refused(&folder().join("fragments/bad"), &|bytes| Fragment::read(bytes.into()).map(drop));
}

fn refused(folder: &Path, read: &dyn Fn(Vec<u8>) -> Result<(), GraphError>) {
    let names = pairs(folder);
    assert!(!names.is_empty(), "no vectors");
    let mut wrong = Vec::new();
    for name in &names {
        let refusal = read_json(&folder.join(name).with_extension("json"));
        let code: ErrorCode =
            refusal["error"].as_str().and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{name}: an unknown code"));
        let bytes = std::fs::read(folder.join(name).with_extension("msgpack")).expect("a vector");
        match read(bytes) {
            Ok(()) => wrong.push(format!("{name}: read, but it is {code}")),
            Err(error) if error.code != code => wrong.push(format!("{name}: {} instead of {code}: {error}", error.code)),
            Err(error) => {
                let place = path_of(&error.place.to_string());
                if let Some(expected) = refusal["where"].as_str()
                    && !is_part_of(&place, expected)
                {
                    wrong.push(format!("{name}: at `{place}` instead of `{expected}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} vectors:\n{}", wrong.len(), names.len(), wrong.join("\n"));
}

/// `docs/refusals.md` ends with a table of all vectors of refusals, which `UPDATE_DOCS=1` writes.
#[test]
fn the_page_of_refusals_lists_every_vector() {
    const MARK: &str = "<!-- generated from sdk/conformance: UPDATE_DOCS=1 -->\n";
    let page = folder().join("../../docs/refusals.md");
    let text = std::fs::read_to_string(&page).expect("the page");
    let (prose, table) = text.split_once(MARK).expect("the mark of the table");
    let mut rows = String::from("\n| vector | code | place |\n|---|---|---|\n");
    for part in ["bad", "fragments/bad"] {
        for name in pairs(&folder().join(part)) {
            let refusal = read_json(&folder().join(part).join(&name).with_extension("json"));
            let code = refusal["error"].as_str().expect("a code");
            let place = refusal["where"].as_str().map_or_else(String::new, |place| format!("`{place}`"));
            rows.push_str(&format!("| `{part}/{name}` | [`{code}`](errors/{code}.md) | {place} |\n"));
        }
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, format!("{prose}{MARK}{rows}")).expect("the page is written");
    } else {
        assert_eq!(table, rows, "docs/refusals.md is old: UPDATE_DOCS=1 cargo test -p wasm-tasks-protocol --test conformance");
    }
}

/// A place as a path from the root of the file: without the task's key, which is for people.
fn path_of(place: &str) -> String {
    let place = match (place.find(" `"), place.rfind('`')) {
        (Some(start), Some(end)) if start < end => format!("{}{}", &place[..start], &place[end + 1..]),
        _ => place.to_owned(),
    };
    place.strip_prefix("graph").map(|rest| rest.trim_start_matches('.').to_owned()).unwrap_or(place)
}

/// Whether a place is the expected one, or one that it is in.
fn is_part_of(place: &str, expected: &str) -> bool {
    place.is_empty() || expected.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
