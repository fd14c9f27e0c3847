//! The WIT interface of a component, read from its bytes, and what fits what.
//!
//! Owns: [`Interface::read`], [`check`] of a whole graph, the conversion between the file encoding and the typed
//! encoding, and values as JSON and WAVE. Pure: knows neither wasmtime nor files; what it says of a component is
//! tested to agree with the sandbox.

pub mod admission;
pub mod argument;
pub mod check;
mod component;
mod encoded;
pub mod fits;
mod interface;
pub mod json;
mod literal;
mod names;
mod nearest;
mod text;
pub mod typed;
mod walk;
pub mod wave;
mod wit;

pub use argument::{ArgumentError, example, parse_argument};
pub use check::{
    CheckError, CheckErrors, CheckedGraph, Earlier, EarlierData, FoundTypes, FunctionSignature, check, check_fragment,
    check_while,
};
pub use component::host_functions;
pub use encoded::BadInterface;
pub use fits::{Mismatch, NoReferences, Resolver, fits};
pub use interface::{Export, Interface, InterfaceError, UnsupportedExport};
pub use names::NameOrder;
pub use text::signature_text;
pub use typed::{encode_typed, validate_typed};
