//! The project's own readers of foreign bytes. As a guest they can be measured to the instruction on every machine: the
//! sandbox's fuel counts what they execute, and its limits what they allocate. See `worker/sandbox/tests/sandbox/readers.rs`.

wit_bindgen::generate!({ path: "../../wit/readers", world: "readers" });

use std::sync::Arc;
use wasm_tasks_interface::admission::{Components, admit, judge_component};
use wasm_tasks_interface::{Interface, encode_typed, parse_argument, validate_typed};
use wasm_tasks_protocol::codec::decode;
use wasm_tasks_protocol::graph::{Append, Delegator, Extent, GraphFile, Options};
use wasm_tasks_protocol::ids::{ComponentDigest, GraphId};
use wasm_tasks_protocol::message::{FromClient, FromWorker, Refusal, ReplyHead, Request, ToClient, ToWorker};
use wasm_tasks_protocol::{Type, Value};

type Bytes = wasm_tasks_interface::admission::Bytes;

struct Readers;

impl Guest for Readers {
    fn read(reader: String, bytes: Vec<u8>) -> Result<bool, String> {
        Ok(match reader.as_str() {
            "graph" => GraphFile::read(bytes.into()).is_ok(),
            "delegation" => delegation(&bytes),
            "component" => Interface::judge(&bytes).is_ok(),
            "admission" => admit(bytes.into(), &Judged).is_ok(),
            "value" => Value::from_msgpack(&bytes).is_ok(),
            "type" => str::from_utf8(&bytes).is_ok_and(|text| text.parse::<Type>().is_ok()),
            "to-worker" => decode::<Vec<ToWorker>>(&bytes).is_ok(),
            "from-worker" => decode::<Vec<FromWorker>>(&bytes).is_ok(),
            "to-client" => decode::<Vec<ToClient>>(&bytes).is_ok(),
            "from-client" => decode::<Vec<FromClient>>(&bytes).is_ok(),
            "request" => decode::<Request>(&bytes).is_ok(),
            "reply" => decode::<ReplyHead>(&bytes).is_ok(),
            // For the measure's own test: work that grows with the square of the bytes.
            "pairs" => bytes.iter().all(|byte| bytes.iter().filter(|other| std::hint::black_box(*other) == byte).count() > 0),
            reader => {
                let (form, ty) = reader.split_once(' ').ok_or_else(|| format!("there is no reader `{reader}`"))?;
                let ty: Type = ty.parse().map_err(|error| format!("{error}"))?;
                match form {
                    "literal" => str::from_utf8(&bytes).is_ok_and(|text| parse_argument(&ty, text).is_ok()),
                    "typed" => encode_typed(&ty, &bytes).is_ok_and(|typed| validate_typed(&ty, &typed).is_ok()),
                    _ => return Err(format!("there is no reader `{form}`")),
                }
            }
        })
    }
}

fn delegation(bytes: &[u8]) -> bool {
    let base = Extent { components: 1, functions: 1, data: 1, tasks: 1, outputs: 1 };
    let delegator = Delegator {
        append: Append { graph: GraphId([1; 16]), base },
        key: "task",
        component: 0,
        function: 0,
        bound: None,
        args: &[0x92, 1, 2],
        params: &[],
        options: Options::default(),
        own_options: Options::default(),
        component_of: &|_| Some(0),
        function_of: &|_| None,
    };
    delegator.fragment(bytes).is_ok()
}

/// Components that are in the file.
struct Judged;

impl Components for Judged {
    fn interface(&self, digest: &ComponentDigest, bytes: Option<Bytes>) -> Result<Option<Arc<Interface>>, Refusal> {
        bytes.map(|bytes| judge_component(digest, &bytes).map(Arc::new)).transpose()
    }
}

export!(Readers);
