//! `wasm-tasks inspect`: what a component exports.

use crate::Ended;
use crate::failure::{Exit, Failure};
use crate::format::bytes;
use crate::output::{print, print_json};
use clap::Args;
use serde_json::{Value as Json, json};
use std::fs;
use std::path::PathBuf;
use wasm_tasks::ComponentDigest;
use wasm_tasks_interface::{Export, example};

/// Bytes of an example that people still read.
const EXAMPLE_MAX: usize = 120;

/// Shows a component's exports as WIT, and how to call them
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks inspect calc.wasm
  wasm-tasks inspect calc.wasm --json | jq '.exports[].name'")]
pub(crate) struct Inspect {
    /// The component's file
    component: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) async fn run(self) -> Ended {
        let content = fs::read(&self.component).map_err(|error| Failure::unreadable(&self.component, &error))?;
        let (digest, len) = (ComponentDigest::of(&content), content.len());
        let interface = crate::judge::interface(&self.component, content.into()).await?;
        if self.json {
            let mut json = json!({"digest": digest.to_string(), "bytes": len});
            if let (Json::Object(json), Json::Object(interface)) = (&mut json, interface.to_json()) {
                json.extend(interface);
            }
            print_json(&json)?;
            return Ok(Exit::Done);
        }
        let mut text = format!("// {}, {digest}\n", bytes(len as u64));
        interface.imports().iter().for_each(|import| text.push_str(&format!("import {import};\n")));
        text.push_str(&interface.to_wit());
        let args = |export: &Export| -> String {
            export.params.iter().map(|(_, ty)| format!(" '{}'", example(ty).replace('\'', "'\\''"))).collect()
        };
        let short = interface.exports().iter().map(|export| (export, args(export))).find(|(_, args)| args.len() <= EXAMPLE_MAX);
        if let Some((export, args)) = short {
            text.push_str(&format!("// wasm-tasks run {} '{}'{args}\n", self.component.display(), export.name));
        }
        print(&text)?;
        Ok(Exit::Done)
    }
}
