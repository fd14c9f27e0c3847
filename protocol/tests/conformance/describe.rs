//! Builds the graph that a vector's JSON describes, by the rules of `sdk/conformance/README.md`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value as Json;
use wasm_tasks_protocol::graph::{
    Alternative, Append, Argument, Arguments, DataEncoding, Dynamic, Extent, Grant, GraphBuilder, LabelRule, Options, PathStep,
    Reference, Resource, Source,
};
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_protocol::msgpack::Packed;
use wasm_tasks_protocol::thousandths;
use wasm_tasks_protocol::{Type, Value};

/// The bytes of the described graph.
pub(crate) fn build(json: &Json) -> Vec<u8> {
    assert_eq!(json["wasm-tasks"], 1);
    let mut builder = match json.get("append-to") {
        None => GraphBuilder::new(),
        Some(id) => {
            let count = |name: &str| uint(&json["base"][name]) as u32;
            let base = Extent {
                components: count("components"),
                functions: count("functions"),
                data: count("data"),
                tasks: count("tasks"),
                outputs: count("outputs"),
            };
            GraphBuilder::fragment(Append { graph: GraphId(bin(id).try_into().expect("16 bytes")), base })
        }
    };
    for component in list(&json["components"]) {
        let digest = text(&component["digest"]).parse().expect("a digest");
        let bytes = component.get("bytes").map(bin);
        builder.component(digest, component["name"].as_str(), bytes.as_deref(), source(component).as_ref());
    }
    for function in list(&json["functions"]) {
        let bind: Vec<Argument> = list(&function["bind"]).iter().map(argument).collect();
        let dynamic = function.get("dynamic").map(|dynamic| Dynamic {
            params: dynamic.get("params").map(|params| list(params).iter().map(ty).collect()),
            result: dynamic.get("result").map(ty),
        });
        let group = function["group"].as_str();
        builder.function(
            uint(&function["component"]) as u32,
            text(&function["export"]),
            &bind,
            dynamic.as_ref(),
            group,
            &options(&function["options"]),
        );
    }
    for entry in list(&json["data"]) {
        let encoding = match text(&entry["encoding"]) {
            "raw" => DataEncoding::Raw,
            _ => DataEncoding::Value,
        };
        let bytes = entry.get("bytes").map(bin);
        let digest = entry["digest"].as_str().map(|digest| digest.parse().expect("a digest"));
        let offset = entry.get("offset").map_or(0, uint);
        let (len, ty) = (entry.get("len").map(uint), entry.get("type").map(ty));
        builder.data_entry(digest, bytes.as_deref(), source(entry).as_ref(), offset, len, encoding, ty.as_ref());
    }
    for task in list(&json["tasks"]) {
        let arguments = match &task[2] {
            Json::Object(map) => Arguments::Named(map.iter().map(|(name, value)| (name.clone(), argument(value))).collect()),
            args => Arguments::Positional(list(args).iter().map(argument).collect()),
        };
        builder.task(text(&task[0]), uint(&task[1]) as u32, &arguments, &options(&task[3]));
    }
    for output in list(&json["outputs"]) {
        builder.output(reference(&output["$ref"]));
    }
    builder.options(options(&json["options"]));
    builder.to_bytes()
}

fn list(json: &Json) -> &[Json] {
    match json {
        Json::Null => &[],
        json => json.as_array().expect("an array"),
    }
}

fn text(json: &Json) -> &str {
    json.as_str().expect("a string")
}

fn ty(json: &Json) -> Type {
    text(json).parse().expect("a type")
}

fn bin(json: &Json) -> Vec<u8> {
    BASE64.decode(text(&json["$bin"])).expect("base64")
}

fn source(entry: &Json) -> Option<Source> {
    let source = entry.get("source")?.as_object()?;
    let (kind, value) = source.iter().next().expect("one entry");
    let value = text(value).to_owned();
    Some(match kind.as_str() {
        "path" => Source::Path(value),
        "url" => Source::Url(value),
        "oci" => Source::Oci(value),
        kind => panic!("a source of kind {kind}"),
    })
}

/// A number that may be `$int`.
fn integer(json: &Json) -> i128 {
    match json.get("$int") {
        Some(text) => text.as_str().expect("digits").parse().expect("an integer"),
        None => json.as_i64().map(i128::from).or(json.as_u64().map(i128::from)).expect("an integer"),
    }
}

fn uint(json: &Json) -> u64 {
    u64::try_from(integer(json)).expect("an integer of 0 or more")
}

fn float(json: &Json) -> f64 {
    match json.get("$float").unwrap_or(json) {
        Json::String(text) => text.parse().expect("a float"),
        number => number.as_f64().expect("a float"),
    }
}

fn reference(json: &Json) -> Reference {
    let Json::Array(steps) = json else { return Reference::whole(TaskIndex(uint(json) as u32)) };
    let step = |step: &Json| match step {
        Json::String(name) => PathStep::Field(name.clone()),
        index => PathStep::Index(uint(index) as u32),
    };
    Reference { task: TaskIndex(uint(&steps[0]) as u32), path: steps[1..].iter().map(step).collect() }
}

fn value_int(value: i128) -> Value {
    u64::try_from(value).map_or_else(|_| Value::Int(i64::try_from(value).expect("64 bits")), Value::Uint)
}

fn argument(json: &Json) -> Argument {
    Argument::Value(match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) if number.is_f64() => Value::F64(float(json)),
        Json::Number(_) => value_int(integer(json)),
        Json::String(text) => Value::Str(text.clone()),
        Json::Array(items) => return Argument::Array(items.iter().map(argument).collect()),
        Json::Object(map) => match map.iter().next().filter(|_| map.len() == 1).map(|(key, value)| (key.as_str(), value)) {
            Some(("$ref", value)) => return Argument::Task(reference(value)),
            Some(("$data", value)) => return Argument::Data(uint(value) as u32),
            Some(("$bin", _)) => Value::Bin(bin(json)),
            Some(("$int", _)) => value_int(integer(json)),
            Some(("$float", _)) => Value::F64(float(json)),
            Some(("$packed", value)) => packed(value),
            _ => return Argument::Map(map.iter().map(|(name, value)| (name.clone(), argument(value))).collect()),
        },
    })
}

fn packed(json: &Json) -> Value {
    let packed = ty(&json[0]).packed().expect("a number that is packed");
    let mut payload = Vec::new();
    for element in list(&json[1]) {
        match packed {
            Packed::F32 => payload.extend((float(element) as f32).to_le_bytes()),
            Packed::F64 => payload.extend(float(element).to_le_bytes()),
            Packed::S8 | Packed::U16 | Packed::S16 | Packed::U32 | Packed::S32 | Packed::U64 | Packed::S64 => {
                payload.extend_from_slice(&integer(element).to_le_bytes()[..packed.width()]);
            }
        }
    }
    Value::Ext(packed.code(), payload)
}

/// An amount in thousandths.
fn milli(json: &Json) -> u64 {
    if json.is_f64() { thousandths::of_float(float(json)).expect("an amount") } else { uint(json) * 1000 }
}

/// Slots, memory and pools.
fn amounts(json: &Json) -> Alternative {
    let resources = json.get("resources").and_then(Json::as_object);
    let pools: Vec<Resource> = resources
        .into_iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "slots" | "memory"))
        .map(|(name, amount)| Resource { name: name.clone(), milli: milli(amount) })
        .collect();
    Alternative {
        labels: rules(json, "labels"),
        slots_milli: resources.and_then(|map| map.get("slots")).map(milli),
        memory_bytes: resources.and_then(|map| map.get("memory")).map(uint),
        pools: (!pools.is_empty()).then_some(pools),
    }
}

fn rules(json: &Json, name: &str) -> Option<Vec<LabelRule>> {
    json.get(name).map(|rules| list(rules).iter().map(|rule| LabelRule::parse(text(rule)).expect("a rule")).collect())
}

fn options(json: &Json) -> Options {
    let number = |name: &str| json.get(name).map(uint);
    let texts = |name: &str| json.get(name).map(|texts| list(texts).iter().map(text).collect::<Vec<_>>());
    let amounts = amounts(json);
    Options {
        any_of: json.get("any-of").map(|any_of| list(any_of).iter().map(self::amounts).collect()),
        backoff_ms: number("backoff-ms"),
        cache: json.get("cache").map(|cache| cache == "auto"),
        expected_us: json.get("expected-ms").map(milli),
        expected_result_bytes: number("expected-result-bytes"),
        fuel: number("fuel"),
        gang: number("gang").map(|members| members as u32),
        grants: texts("grants").map(|names| names.into_iter().map(|name| Grant::from_name(name).expect("a grant")).collect()),
        labels: amounts.labels,
        name: json["name"].as_str().map(str::to_owned),
        prefer: rules(json, "prefer"),
        priority: json.get("priority").map(|priority| integer(priority) as i32),
        slots_milli: amounts.slots_milli,
        memory_bytes: amounts.memory_bytes,
        pools: amounts.pools,
        result_bytes_max: number("result-bytes-max"),
        retries: number("retries").map(|retries| retries as u32),
        seed: number("seed"),
        speculate: json.get("speculate").map(|speculate| speculate == "auto"),
        deadline_ms: number("deadline-ms"),
        time_request_ms: number("time-request-ms"),
        timeout_ms: number("timeout-ms"),
    }
}
