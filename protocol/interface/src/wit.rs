//! Prints the exports of a component as WIT that other tools can read.

use crate::interface::{Export, Interface, NamedType};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use wasm_tasks_protocol::Type;

/// Names of an interface: `ns:pkg/name@version` in parts.
struct Qualified<'a> {
    package: &'a str,
    name: &'a str,
    version: Option<&'a str>,
}

impl<'a> Qualified<'a> {
    fn parse(text: &'a str) -> Option<Qualified<'a>> {
        let (path, version) = text.split_once('@').map_or((text, None), |(path, version)| (path, Some(version)));
        let (package, name) = path.rsplit_once('/')?;
        Some(Qualified { package, name, version })
    }

    fn package(&self) -> String {
        self.version.map_or_else(|| self.package.to_owned(), |version| format!("{}@{version}", self.package))
    }
}

/// The functions and types of one interface; its name is empty for the world itself.
struct Block<'a> {
    interface: &'a str,
    exports: Vec<&'a Export>,
    types: Vec<&'a NamedType>,
}

impl Interface {
    /// The exports as WIT: a world `root`, and the packages of the interfaces that it exports. Names of records,
    /// variants, enums and flags are those of the component; other aliases are written out.
    /// Exports that cannot be tasks are comments with the reason.
    pub fn to_wit(&self) -> String {
        let blocks = self.blocks();
        let mut out = "package root:component;\n\nworld root {\n".to_owned();
        for block in &blocks {
            if block.interface.is_empty() {
                block.write_items(&mut out, 1);
            } else if Qualified::parse(block.interface).is_some() {
                line(&mut out, 1, &format!("export {};", block.interface));
            } else {
                line(&mut out, 1, &format!("export {}: interface {{", escaped(block.interface)));
                block.write_items(&mut out, 2);
                line(&mut out, 1, "}");
            }
        }
        for export in self.unsupported() {
            line(&mut out, 1, &format!("// {} cannot be a task: {}", export.name, export.reason));
        }
        out.push_str("}\n");
        let mut open = String::new();
        let mut packages: Vec<(String, &Block<'_>, &str)> = blocks
            .iter()
            .filter_map(|block| Qualified::parse(block.interface).map(|qualified| (qualified.package(), block, qualified.name)))
            .collect();
        packages.sort_by(|a, b| a.0.cmp(&b.0));
        for (package, block, name) in packages {
            if package != open {
                let end = if open.is_empty() { "" } else { "}\n" };
                out.push_str(&format!("{end}\npackage {package} {{\n"));
                open = package;
            }
            line(&mut out, 1, &format!("interface {} {{", escaped(name)));
            block.write_items(&mut out, 2);
            line(&mut out, 1, "}");
        }
        if !open.is_empty() {
            out.push_str("}\n");
        }
        out
    }

    /// Exports by interface, in the order of their first function.
    fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks: Vec<Block<'_>> = Vec::new();
        let mut positions: BTreeMap<&str, usize> = BTreeMap::new();
        for export in self.exports() {
            let interface = export.name.rsplit_once('#').map_or("", |(interface, _)| interface);
            let position = *positions.entry(interface).or_insert_with(|| {
                let types = self.named_types().iter().filter(|named| named.interface == interface).collect();
                blocks.push(Block { interface, exports: Vec::new(), types });
                blocks.len() - 1
            });
            blocks[position].exports.push(export);
        }
        blocks
    }
}

impl Block<'_> {
    fn write_items(&self, out: &mut String, level: usize) {
        for named in &self.types {
            self.write_type(out, level, named);
        }
        let export = if self.interface.is_empty() { "export " } else { "" };
        for function in &self.exports {
            let name = function.name.rsplit_once('#').map_or(function.name.as_str(), |(_, name)| name);
            let params: Vec<String> =
                function.params.iter().map(|(name, ty)| format!("{}: {}", escaped(name), self.text(ty))).collect();
            let result = function.returns.as_ref().map(|ty| format!(" -> {}", self.text(ty))).unwrap_or_default();
            line(out, level, &format!("{export}{}: func({}){result};", escaped(name), params.join(", ")));
        }
    }

    fn write_type(&self, out: &mut String, level: usize, named: &NamedType) {
        let name = escaped(&named.name);
        let case = |(name, payload): &(String, Option<Type>)| match payload {
            Some(ty) => format!("{}({})", escaped(name), self.text(ty)),
            None => escaped(name),
        };
        let (word, items): (&str, Vec<String>) = if let Type::Record(fields) = &named.ty {
            ("record", fields.iter().map(|(name, ty)| format!("{}: {}", escaped(name), self.text(ty))).collect())
        } else if let Type::Variant(cases) = &named.ty {
            ("variant", cases.iter().map(case).collect())
        } else if let Type::Enum(names) = &named.ty {
            ("enum", names.iter().map(|name| escaped(name)).collect())
        } else if let Type::Flags(names) = &named.ty {
            ("flags", names.iter().map(|name| escaped(name)).collect())
        } else {
            return line(out, level, &format!("type {name} = {};", self.text(&named.ty)));
        };
        line(out, level, &format!("{word} {name} {{"));
        items.iter().for_each(|item| line(out, level + 1, &format!("{item},")));
        line(out, level, "}");
    }

    /// A type with the names that this interface has for it.
    fn text(&self, ty: &Type) -> String {
        if let Some(named) = self.types.iter().find(|named| named.ty == *ty) {
            return escaped(&named.name);
        }
        if let Type::List(element) = ty {
            format!("list<{}>", self.text(element))
        } else if let Type::Option(some) = ty {
            format!("option<{}>", self.text(some))
        } else if let Type::Tuple(types) = ty {
            format!("tuple<{}>", types.iter().map(|ty| self.text(ty)).collect::<Vec<_>>().join(", "))
        } else if let Type::Result(ok, err) = ty {
            match (ok, err) {
                (None, None) => "result".to_owned(),
                (Some(ok), None) => format!("result<{}>", self.text(ok)),
                (None, Some(err)) => format!("result<_, {}>", self.text(err)),
                (Some(ok), Some(err)) => format!("result<{}, {}>", self.text(ok), self.text(err)),
            }
        } else {
            ty.to_string()
        }
    }
}

fn line(out: &mut String, level: usize, text: &str) {
    writeln!(out, "{:1$}{text}", "", 2 * level).expect("writing to a string does not fail");
}

/// A name, marked where WIT has a word of the same spelling.
fn escaped(name: &str) -> String {
    const WORDS: &[&str] = &[
        "as",
        "async",
        "bool",
        "borrow",
        "char",
        "constructor",
        "enum",
        "error-context",
        "export",
        "f32",
        "f64",
        "flags",
        "float32",
        "float64",
        "from",
        "func",
        "future",
        "import",
        "include",
        "interface",
        "list",
        "map",
        "option",
        "own",
        "package",
        "record",
        "resource",
        "result",
        "s16",
        "s32",
        "s64",
        "s8",
        "static",
        "stream",
        "string",
        "tuple",
        "type",
        "u16",
        "u32",
        "u64",
        "u8",
        "use",
        "variant",
        "with",
        "world",
    ];
    if WORDS.contains(&name) { format!("%{name}") } else { name.to_owned() }
}
