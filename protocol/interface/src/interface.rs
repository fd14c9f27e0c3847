//! What a component offers and needs, and how its exports are named.
//!
//! Knows no bytes: [`component`](crate::component) reads them.

use crate::nearest::{listed, nearest, shorten};
use std::collections::BTreeMap;
use wasm_tasks_protocol::limits::COMPONENT_EXPORTS_MAX;
use wasm_tasks_protocol::{ErrorCode, Type};

/// The interface of a component.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    exports: Vec<Export>,
    unsupported: Vec<UnsupportedExport>,
    imports: Vec<String>,
    /// Full name → position in `exports`.
    by_name: BTreeMap<String, usize>,
    /// Name without version → positions in `exports`.
    by_name_without_version: BTreeMap<String, Vec<usize>>,
    /// Only for printing: what fits what depends on no name.
    named_types: Vec<NamedType>,
}

/// A type that an interface gives a name.
#[derive(Clone, Debug)]
pub(crate) struct NamedType {
    /// The interface as exports name it; empty for the world itself.
    pub(crate) interface: String,
    pub(crate) name: String,
    pub(crate) ty: Type,
}

/// An export that can be called as a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// `ns:pkg/interface@1.2.0#func`, or `func` for an export of the world itself.
    pub name: String,
    /// Names and types of the parameters.
    pub params: Vec<(String, Type)>,
    /// What WIT says that it returns; none when it returns nothing.
    pub returns: Option<Type>,
    /// The type of its task's result: T where it returns `result<T, E>`, [`Type::Unit`] where there is no value.
    pub result: Type,
    /// Whether it returns a `result`, so that `err` fails its task.
    pub is_fallible: bool,
    /// The type of the error's value, where it returns a `result` that has one.
    pub error: Option<Type>,
}

/// An export that cannot be a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedExport {
    /// The name as exports have it.
    pub name: String,
    /// Why, for people: "it uses a resource".
    pub reason: String,
}

/// Why a component or one of its exports is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterfaceError {
    /// More bytes than a component may have.
    #[error("the component has {bytes} bytes; at most {max} are allowed")]
    TooLarge {
        /// How many there are.
        bytes: usize,
        /// How many are allowed.
        max: usize,
    },
    /// More exports than a component may have.
    #[error("the component has more than {COMPONENT_EXPORTS_MAX} exports")]
    TooManyExports,
    /// Instances whose exports together are more than a component of its size may have.
    #[error(
        "the component has {instances} instances of components with up to {exports} exports each, which are copied for each instance"
    )]
    TooManyCopies {
        /// How many instances.
        instances: usize,
        /// The exports of the largest.
        exports: usize,
    },
    /// Something else than a component.
    #[error("not a WebAssembly component: {0}")]
    NotAComponent(&'static str),
    /// A component that breaks the rules of WebAssembly.
    #[error("not a valid WebAssembly component: {0}")]
    Invalid(String),
    /// A core module.
    #[error("this is a core WebAssembly module, not a component")]
    CoreModule,
    /// Compiled machine code.
    #[error("this is compiled machine code ({0}); compiled code is never accepted, only components are")]
    Precompiled(&'static str),
    /// A component that needs what is switched off.
    #[error("the component needs {0}")]
    Unsupported(String),
    /// Imports that nobody provides.
    #[error("the component imports {}, which nobody provides", listed(.0.iter().map(String::as_str), 5))]
    UnknownImports(Vec<String>),
    /// An import of a known interface that is not what the interface has.
    #[error("the import `{name}` cannot be linked: {reason}")]
    WrongImport {
        /// The interface and the item.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// An export that the component does not have.
    #[error("the component has no export `{}`; {suggestion}", shorten(.name))]
    UnknownExport {
        /// What was asked for.
        name: String,
        /// What may have been meant, or what there is.
        suggestion: String,
    },
    /// A name without version that several exports have.
    #[error("the component has several exports `{}`: {candidates}", shorten(.name))]
    AmbiguousExport {
        /// What was asked for.
        name: String,
        /// The full names.
        candidates: String,
    },
    /// An export that cannot be a task.
    #[error("the export `{}` cannot be a task: {reason}", shorten(.name))]
    UnsupportedExport {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
}

impl InterfaceError {
    /// The code under which people see it.
    pub const fn code(&self) -> ErrorCode {
        match self {
            InterfaceError::TooLarge { .. } | InterfaceError::TooManyExports | InterfaceError::TooManyCopies { .. } => {
                ErrorCode::LimitExceeded
            }
            InterfaceError::NotAComponent(_) | InterfaceError::Invalid(_) | InterfaceError::Precompiled(_) => {
                ErrorCode::NotAComponent
            }
            InterfaceError::CoreModule => ErrorCode::CoreModule,
            InterfaceError::Unsupported(_) | InterfaceError::WrongImport { .. } => ErrorCode::UnsupportedComponent,
            InterfaceError::UnknownImports(_) => ErrorCode::UnknownImport,
            InterfaceError::UnknownExport { .. } | InterfaceError::AmbiguousExport { .. } => ErrorCode::UnknownExport,
            InterfaceError::UnsupportedExport { .. } => ErrorCode::UnsupportedExport,
        }
    }

    /// What to do next, where there is advice.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            InterfaceError::CoreModule => {
                Some("make a component of it with `wasm-tasks componentize CORE.wasm --wit DIR --world NAME -o OUT.wasm`")
            }
            InterfaceError::Unsupported(_) => {
                Some("build for WASI 0.2 with synchronous exports: target `wasm32-wasip2` in Rust, `--sync` for componentize-qjs")
            }
            InterfaceError::UnknownImports(_) => {
                Some("a component may import `wasi:…@0.2`, `wasm-tasks:task/delegate@0.1.0` and interfaces that only have types")
            }
            InterfaceError::WrongImport { .. } => {
                Some("build the component with the WIT of WASI 0.2 that its toolchain comes with")
            }
            InterfaceError::AmbiguousExport { .. } => Some("name the export with its version"),
            InterfaceError::UnknownExport { .. } => Some("`wasm-tasks inspect COMPONENT` lists the exports"),
            InterfaceError::UnsupportedExport { .. } => {
                Some("parameters and results of tasks are plain values: see docs/values.md")
            }
            InterfaceError::NotAComponent(_) => {
                Some("a component is a `.wasm` file, such as `cargo build --target wasm32-wasip2` makes; see docs/tutorial.md")
            }
            InterfaceError::TooLarge { .. }
            | InterfaceError::TooManyExports
            | InterfaceError::TooManyCopies { .. }
            | InterfaceError::Invalid(_)
            | InterfaceError::Precompiled(_) => None,
        }
    }
}

impl Export {
    /// An export with what WIT says of it; takes `result<T, E>` apart.
    pub fn new(name: impl Into<String>, params: Vec<(String, Type)>, returns: Option<Type>) -> Export {
        let (result, is_fallible, error) = match &returns {
            None => (Type::Unit, false, None),
            Some(Type::Result(ok, error)) => (ok.as_deref().cloned().unwrap_or(Type::Unit), true, error.as_deref().cloned()),
            Some(ty) => (ty.clone(), false, None),
        };
        Export { name: name.into(), params, returns, result, is_fallible, error }
    }
}

/// The name without `@version`.
pub(crate) fn without_version(name: &str) -> String {
    let (interface, function) = name.split_once('#').map_or((name, None), |(interface, function)| (interface, Some(function)));
    let interface = interface.split_once('@').map_or(interface, |(interface, _)| interface);
    function.map_or_else(|| interface.to_owned(), |function| format!("{interface}#{function}"))
}

impl Interface {
    /// An interface of parts; what [`Interface::read`] ends with, and for tests of those who use it.
    pub fn new(exports: Vec<Export>, unsupported: Vec<UnsupportedExport>, imports: Vec<String>) -> Interface {
        let by_name = exports.iter().enumerate().map(|(position, export)| (export.name.clone(), position)).collect();
        let mut by_name_without_version: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (position, export) in exports.iter().enumerate() {
            by_name_without_version.entry(without_version(&export.name)).or_default().push(position);
        }
        Interface { exports, unsupported, imports, by_name, by_name_without_version, named_types: Vec::new() }
    }

    pub(crate) fn with_named_types(self, named_types: Vec<NamedType>) -> Interface {
        Interface { named_types, ..self }
    }

    pub(crate) fn named_types(&self) -> &[NamedType] {
        &self.named_types
    }

    /// The exports that can be tasks, in the order of the component.
    pub fn exports(&self) -> &[Export] {
        &self.exports
    }

    /// The functions that it exports and that cannot be tasks.
    pub fn unsupported(&self) -> &[UnsupportedExport] {
        &self.unsupported
    }

    /// The names of what it imports, with versions.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// The export with a name; the version may be left out when only one fits.
    ///
    /// # Errors
    /// [`InterfaceError::UnknownExport`] with the nearest names, [`InterfaceError::AmbiguousExport`],
    /// [`InterfaceError::UnsupportedExport`].
    pub fn export(&self, name: &str) -> Result<&Export, InterfaceError> {
        if let Some(position) = self.by_name.get(name) {
            return Ok(&self.exports[*position]);
        }
        if !name.contains('@')
            && let Some(positions) = self.by_name_without_version.get(name)
        {
            return match &positions[..] {
                [position] => Ok(&self.exports[*position]),
                positions => {
                    let candidates = listed(positions.iter().map(|position| self.exports[*position].name.as_str()), 5);
                    Err(InterfaceError::AmbiguousExport { name: name.to_owned(), candidates })
                }
            };
        }
        let is_meant =
            |export: &&UnsupportedExport| export.name == name || (!name.contains('@') && without_version(&export.name) == name);
        if let Some(export) = self.unsupported.iter().find(is_meant) {
            return Err(InterfaceError::UnsupportedExport { name: export.name.clone(), reason: export.reason.clone() });
        }
        Err(InterfaceError::UnknownExport { name: name.to_owned(), suggestion: self.suggestion(name) })
    }

    /// What may have been meant by a name that no export has.
    fn suggestion(&self, name: &str) -> String {
        let function = |name: &str| name.rsplit_once('#').map_or(name, |(_, function)| function).to_owned();
        let wanted = function(name);
        let names = || self.exports.iter().map(|export| export.name.as_str());
        let mut meant: Vec<&str> = names().filter(|known| function(known) == wanted).take(3).collect();
        if meant.is_empty() {
            meant = nearest(name, names(), 3);
        }
        if meant.is_empty() {
            let functions: Vec<String> = names().map(function).collect();
            let near = nearest(&wanted, functions.iter().map(String::as_str), 3);
            meant = names().filter(|known| near.contains(&function(known).as_str())).take(3).collect();
        }
        if self.exports.is_empty() {
            "it has no exports that can be tasks".to_owned()
        } else if meant.is_empty() {
            format!("it has {}", listed(names(), 10))
        } else {
            format!("did you mean {}?", listed(meant.into_iter(), 3))
        }
    }
}
