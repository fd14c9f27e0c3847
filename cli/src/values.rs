//! Outputs as people and programs want them: JSON, MessagePack or raw bytes.

use crate::failure::{Exit, Failure};
use bytes::Bytes;
use clap::ValueEnum;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use wasm_tasks::{ErrorCode, msgpack_to_json};
use wasm_tasks_protocol::msgpack::{Kind, Reader, Writer};

/// How outputs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One object, output name to value; bytes as base64
    #[default]
    Json,
    /// One map, output name to value in the typed encoding
    Msgpack,
    /// The bytes of the only output: contents of `list<u8>` and `string`, the typed encoding of others
    Raw,
}

impl Format {
    /// Refuses what can be seen not to work before anything runs.
    pub(crate) fn check(self, outputs: usize, file: Option<&Path>) -> Result<(), Failure> {
        match self {
            Format::Raw if outputs != 1 => {
                let failure = Failure::bad_arguments(format!("`--format raw` writes one output; the graph has {outputs}"));
                Err(failure.hint(Some("write `--format json` or `--format msgpack`")))
            }
            Format::Msgpack if file.is_none() && io::stdout().is_terminal() => {
                let failure = Failure::bad_arguments("MessagePack is not for a terminal");
                Err(failure.hint(Some("name a file with `-o FILE`, or write `> FILE`")))
            }
            Format::Json | Format::Msgpack | Format::Raw => Ok(()),
        }
    }

    /// The bytes to write for outputs by name. Those without a value have been left out.
    pub(crate) fn encode(self, outputs: &[(String, Bytes)]) -> Result<Vec<u8>, Failure> {
        match self {
            Format::Json => {
                let mut object = Map::new();
                for (name, bytes) in outputs {
                    object.insert(name.clone(), to_json(name, bytes)?);
                }
                Ok(json_text(&Json::Object(object)))
            }
            Format::Msgpack => {
                let sorted: BTreeMap<&str, &Bytes> = outputs.iter().map(|(name, bytes)| (name.as_str(), bytes)).collect();
                let mut out = Writer::new();
                out.map(sorted.len());
                for (name, bytes) in sorted {
                    out.str(name);
                    out.raw(bytes);
                }
                Ok(out.into_bytes())
            }
            Format::Raw => Ok(outputs.first().map(|(_, bytes)| raw(bytes)).unwrap_or_default()),
        }
    }

    /// The bytes to write for one value without a name.
    pub(crate) fn encode_one(self, value: &Bytes) -> Result<Vec<u8>, Failure> {
        match self {
            Format::Json => Ok(json_text(&to_json("result", value)?)),
            Format::Msgpack => Ok(value.to_vec()),
            Format::Raw => Ok(raw(value)),
        }
    }
}

/// An output as JSON.
pub(crate) fn to_json(name: &str, bytes: &[u8]) -> Result<Json, Failure> {
    msgpack_to_json(bytes)
        .map_err(|error| Failure::new(Exit::TaskFailed, ErrorCode::BadResult, format!("output `{name}` is no value: {error}")))
}

fn json_text(json: &Json) -> Vec<u8> {
    if io::stdout().is_terminal() { format!("{json:#}\n").into_bytes() } else { format!("{json}\n").into_bytes() }
}

fn raw(bytes: &Bytes) -> Vec<u8> {
    let mut reader = Reader::new(bytes);
    let content = match reader.kind() {
        Ok(Kind::Bin) => reader.bin().map(<[u8]>::to_vec),
        Ok(Kind::Str) => reader.str().map(|text| text.as_bytes().to_vec()),
        Ok(_) | Err(_) => Ok(bytes.to_vec()),
    };
    content.unwrap_or_else(|_| bytes.to_vec())
}
