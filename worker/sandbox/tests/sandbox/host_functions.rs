//! The table of host functions by which components are judged, and the functions that are linked: neither has what the other
//! has not. So nothing that was judged to fit is refused by the engine.

use crate::support::FRESH;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::path::Path;
use wasm_tasks_interface::host_functions;
use wasm_tasks_protocol::ComponentDigest;
use wasm_tasks_sandbox::{LoadError, Profile};

fn load(text: &str) -> Result<(), LoadError> {
    let bytes = Bytes::from(wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}")));
    FRESH.load(ComponentDigest::of(&bytes), || Some(bytes.clone()), Profile::Plain).map(drop)
}

/// WebAssembly text of a type that the table has as text.
#[derive(Default)]
struct Translation {
    /// What stands before the function: resources, and types that must have a name.
    definitions: String,
    resources: BTreeSet<String>,
    named: usize,
}

/// Splits at commas outside of brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '<' | '{' | '(' => depth += 1,
            '>' | '}' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

impl Translation {
    fn ty(&mut self, text: &str, handle: &str) -> String {
        let Some((word, inner)) = text.split_once(['<', '{']).map(|(word, rest)| (word, &rest[..rest.len() - 1])) else {
            return text.to_owned();
        };
        match word {
            "resource" => {
                // Any resource that is nothing to the host.
                let name = if inner == "denied" { "descriptor" } else { inner };
                if self.resources.insert(name.to_owned()) {
                    self.definitions += &format!("(export \"{name}\" (type ${name} (sub resource)))");
                }
                format!("({handle} ${name})")
            }
            "result" => {
                let sides = split(inner);
                let ok = if sides[0] == "_" { String::new() } else { self.ty(sides[0], handle) };
                let err = if sides[1] == "_" { String::new() } else { format!("(error {})", self.ty(sides[1], "own")) };
                format!("(result {ok} {err})")
            }
            "record" | "variant" => {
                let part = |text: &str, own: &mut Translation| match text.split_once([':', '(']) {
                    Some((name, ty)) if word == "record" => format!("(field \"{name}\" {})", own.ty(ty.trim(), "own")),
                    Some((name, ty)) => format!("(case \"{name}\" {})", own.ty(&ty[..ty.len() - 1], "own")),
                    None => format!("(case \"{text}\")"),
                };
                let parts: Vec<String> = split(inner).into_iter().map(|text| part(text, self)).collect();
                self.named += 1;
                let name = format!("$named{}", self.named);
                self.definitions += &format!(
                    "(type {name}d ({word} {})) (export \"named{}\" (type {name} (eq {name}d)))",
                    parts.join(" "),
                    self.named
                );
                name
            }
            "list" | "option" | "tuple" => {
                let parts: Vec<String> = split(inner).into_iter().map(|text| self.ty(text, handle)).collect();
                format!("({word} {})", parts.join(" "))
            }
            word => panic!("there is no `{word}` in the table so far"),
        }
    }

    /// The function as an export of an instance.
    fn function(&mut self, name: &str, ty: &str) -> String {
        let (params, result) = ty.split_once(" -> ").map_or((ty, None), |(params, result)| (params, Some(result)));
        let params = split(params.strip_prefix("func(").and_then(|rest| rest.strip_suffix(')')).expect("a function"));
        // A method's first parameter is called so.
        let is_method = name.starts_with("[method]");
        let names = (0..params.len()).map(|at| if at == 0 && is_method { "self".to_owned() } else { format!("p{at}") });
        let params: Vec<String> =
            params.iter().zip(names).map(|(ty, name)| format!("(param \"{name}\" {})", self.ty(ty, "borrow"))).collect();
        let result = result.map_or(String::new(), |ty| format!("(result {})", self.ty(ty, "own")));
        format!("(export \"{name}\" (func {} {result}))", params.join(" "))
    }
}

fn import(interface: &str, items: &str) -> String {
    let version = if interface.starts_with("wasi:") { "0.2.3" } else { "0.1.0" };
    format!("(component (import \"{interface}@{version}\" (instance {items})))")
}

#[test]
fn every_function_of_the_table_links_with_its_type() {
    let mut count = 0;
    for (interface, name, ty) in host_functions() {
        let mut translation = Translation::default();
        let function = translation.function(name, ty);
        let text = import(interface, &format!("{}{function}", translation.definitions));
        load(&text).unwrap_or_else(|error| panic!("{interface}#{name}: {error}\n{text}"));
        // And with no other: one more parameter is one too many for the table as for the host.
        let more = function.replacen("(func ", "(func (param \"more\" u8) ", 1).replace("[method]", "no-");
        if !name.starts_with("[method]") {
            let error = load(&import(interface, &format!("{}{more}", translation.definitions))).unwrap_err();
            assert!(error.to_string().contains("it must be"), "{interface}#{name}: {error}");
        }
        count += 1;
    }
    assert!(count > 50, "only {count}");
}

/// All string literals of the sources that link host functions.
fn literals() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut literals = BTreeSet::new();
    let files = std::fs::read_dir(folder.join("wasi")).unwrap().map(|entry| entry.unwrap().path());
    for file in files.chain([folder.join("wasi.rs"), folder.join("delegate.rs")]) {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            literals.extend(line.split('"').skip(1).step_by(2).map(str::to_owned));
        }
    }
    literals
}

#[test]
fn no_function_is_linked_that_the_table_does_not_have() {
    let literals = literals();
    let is_interface = |text: &&String| {
        let parts: Vec<&str> = text.split('/').collect();
        matches!(parts[..], [package, name] if [package, name].iter().all(|part| part.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !part.is_empty()))
    };
    let interfaces: BTreeSet<String> = literals.iter().filter(is_interface).map(|name| format!("wasi:{name}")).collect();
    let is_name = |text: &&String| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.[]".contains(c))
    };
    // Methods stand without their prefix in the sources.
    let names: BTreeSet<String> = literals.iter().filter(is_name).map(|name| name.replace("[method]", "")).collect();
    assert!(interfaces.len() > 10 && names.len() > 40, "{interfaces:?} {names:?}");
    let known: BTreeSet<(&str, &str)> = host_functions().map(|(interface, name, _)| (interface, name)).collect();
    let mut tried = 0;
    for interface in &interfaces {
        // One component for all names that the table does not have there: were one linked with a type, it would not be this one.
        let mut items = "(export \"error\" (type $error (sub resource))) (export \"pollable\" (type $pollable (sub resource))) \
                         (export \"input-stream\" (type $input-stream (sub resource))) (export \"output-stream\" (type $output-stream (sub resource)))"
            .to_owned();
        for name in &names {
            let method = format!("[method]{name}");
            let (full, params) = match name.split_once('.') {
                Some((resource @ ("error" | "pollable" | "input-stream" | "output-stream"), function))
                    if !function.is_empty() =>
                {
                    (method.as_str(), format!("(param \"self\" (borrow ${resource}))"))
                }
                Some(_) => continue,
                None if name.contains(['[', ']', '.'])
                    || !name.starts_with(|c: char| c.is_ascii_lowercase())
                    || name.ends_with('-') =>
                {
                    continue;
                }
                None if matches!(name.as_str(), "error" | "pollable" | "input-stream" | "output-stream") => continue,
                None => (name.as_str(), String::new()),
            };
            if known.contains(&(interface.as_str(), full)) {
                continue;
            }
            items += &format!("(export \"{full}\" (func {params} (param \"x\" (tuple u8 u16 s64 char)) (result (list s16))))");
            tried += 1;
        }
        let text = import(interface, &items);
        load(&text).unwrap_or_else(|error| panic!("{interface}: the table lacks a function: {error}"));
    }
    assert!(tried > 400, "only {tried}");
}
