//! What is read from a component's bytes is what the WIT says that it was made from: for every world of `wit/`.
//!
//! Components are made by wit-component around an empty module; the WIT is read by wit-parser. Neither is what
//! [`Interface::read`] uses.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasm_tasks_interface::{Export, Interface};
use wasm_tasks_protocol::Type;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{Function, ManglingAndAbi, PackageId, Resolve, TypeDefKind, WorldId, WorldItem};

/// The component of a world, with a module that does nothing.
fn component(resolve: &Resolve, world: WorldId) -> Vec<u8> {
    let mut module = dummy_module(resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).expect("a world's metadata");
    ComponentEncoder::default().module(&module).expect("a module").encode().expect("a component")
}

fn type_of(resolve: &Resolve, ty: &wit_parser::Type) -> Type {
    use wit_parser::Type as Wit;
    let inner = |ty: &Wit| Arc::new(type_of(resolve, ty));
    let id = match ty {
        Wit::Bool => return Type::Bool,
        Wit::U8 => return Type::U8,
        Wit::U16 => return Type::U16,
        Wit::U32 => return Type::U32,
        Wit::U64 => return Type::U64,
        Wit::S8 => return Type::S8,
        Wit::S16 => return Type::S16,
        Wit::S32 => return Type::S32,
        Wit::S64 => return Type::S64,
        Wit::F32 => return Type::F32,
        Wit::F64 => return Type::F64,
        Wit::Char => return Type::Char,
        Wit::String => return Type::String,
        Wit::ErrorContext => panic!("no world of ours has error contexts"),
        Wit::Id(id) => *id,
    };
    let kind = &resolve.types[id].kind;
    match kind {
        TypeDefKind::Record(record) => {
            Type::Record(record.fields.iter().map(|field| (field.name.clone(), type_of(resolve, &field.ty))).collect())
        }
        TypeDefKind::Tuple(tuple) => Type::Tuple(tuple.types.iter().map(|ty| type_of(resolve, ty)).collect()),
        TypeDefKind::Variant(variant) => Type::Variant(
            variant.cases.iter().map(|case| (case.name.clone(), case.ty.as_ref().map(|ty| type_of(resolve, ty)))).collect(),
        ),
        TypeDefKind::Enum(names) => Type::Enum(names.cases.iter().map(|case| case.name.clone()).collect()),
        TypeDefKind::Flags(flags) => Type::Flags(flags.flags.iter().map(|flag| flag.name.clone()).collect()),
        TypeDefKind::Option(some) => Type::Option(inner(some)),
        TypeDefKind::Result(result) => Type::Result(result.ok.as_ref().map(inner), result.err.as_ref().map(inner)),
        TypeDefKind::List(element) => Type::List(inner(element)),
        TypeDefKind::Type(alias) => type_of(resolve, alias),
        TypeDefKind::Resource
        | TypeDefKind::Handle(_)
        | TypeDefKind::Map(..)
        | TypeDefKind::FixedLengthList(..)
        | TypeDefKind::Future(_)
        | TypeDefKind::Stream(_)
        | TypeDefKind::Unknown => panic!("no world of ours has a {}", kind.as_str()),
    }
}

fn export_of(resolve: &Resolve, name: String, function: &Function) -> Export {
    let params = function.params.iter().map(|param| (param.name.clone(), type_of(resolve, &param.ty))).collect();
    Export::new(name, params, function.result.as_ref().map(|ty| type_of(resolve, ty)))
}

fn exports_of(resolve: &Resolve, world: WorldId) -> Vec<Export> {
    let mut exports = Vec::new();
    for (key, item) in &resolve.worlds[world].exports {
        let name = resolve.name_world_key(key);
        match item {
            WorldItem::Function(function) => exports.push(export_of(resolve, name, function)),
            WorldItem::Interface { id, .. } => {
                let functions = resolve.interfaces[*id].functions.values();
                exports.extend(functions.map(|function| export_of(resolve, format!("{name}#{}", function.name), function)));
            }
            WorldItem::Type { .. } => {}
        }
    }
    exports
}

/// The exports of an interface as wit-parser reads them in what is printed of it.
fn printed(interface: &Interface) -> Vec<Export> {
    let text = interface.to_wit();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("printed.wit", &text).unwrap_or_else(|error| panic!("{error:#}\n{text}"));
    let world = resolve.packages[package].worlds["root"];
    let mut exports = exports_of(&resolve, world);
    exports.sort_by(|a, b| a.name.cmp(&b.name));
    exports
}

/// The packages of `wit/`: each folder is one.
fn packages() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let entries = std::fs::read_dir(folder).expect("the folder of WIT");
    entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect()
}

/// A package, with what tasks may import beside it.
fn read(package: &Path) -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let imports = package.with_file_name("task");
    let (task, _) = resolve.push_dir(&imports).expect("the WIT of what tasks may import");
    let id = if package == imports { task } else { resolve.push_dir(package).expect("a WIT package").0 };
    (resolve, id)
}

#[test]
fn every_world_is_read_as_it_was_written() {
    let mut worlds = 0;
    let mut functions = 0;
    for package in packages() {
        let (resolve, id) = read(&package);
        for (name, world) in resolve.packages[id].worlds.clone() {
            let mut expected = exports_of(&resolve, world);
            let interface = Interface::read(&component(&resolve, world)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut found = interface.exports().to_vec();
            expected.sort_by(|a, b| a.name.cmp(&b.name));
            found.sort_by(|a, b| a.name.cmp(&b.name));
            assert_eq!(found, expected, "{name}");
            assert!(interface.unsupported().is_empty(), "{name}: {:?}", interface.unsupported());
            assert_eq!(printed(&interface), expected, "{name} as it is printed:\n{}", interface.to_wit());
            worlds += 1;
            functions += found.len();
        }
    }
    assert!(worlds >= 5 && functions >= 50, "{worlds} worlds with {functions} functions: is wit/ complete?");
}

#[test]
fn types_survive_their_text() {
    for package in packages() {
        let (resolve, id) = read(&package);
        for world in resolve.packages[id].worlds.values() {
            for export in exports_of(&resolve, *world) {
                for (_, ty) in &export.params {
                    assert_eq!(ty.to_string().parse::<Type>().as_ref(), Ok(ty), "{}", export.name);
                }
            }
        }
    }
}
