//! What Rust values are as arguments.

use super::handles::{Data, Part, Task};
use super::packed;
use std::collections::BTreeMap;
use wasm_tasks_protocol::Value;
use wasm_tasks_protocol::graph::{Argument, Arguments, Reference};

/// A value that can be an argument, or stand inside one.
///
/// Integers and floats are numbers, `Vec<u8>` and `&[u8]` are `list<u8>`, other lists and tuples are arrays,
/// `Option` is `option`, maps with string keys are records, and handles of tasks and data are references.
/// [`record!`](crate::record) builds records, [`from_serde`](crate::from_serde) takes what `serde` can write.
pub trait IntoArgument: Sized {
    /// The argument.
    fn into_argument(self) -> Argument;

    /// What a list of such values is; an array unless the element type knows better.
    fn list_into_argument(list: Vec<Self>) -> Argument {
        Argument::Array(list.into_iter().map(Self::into_argument).collect())
    }
}

/// The arguments of a call, in the order of the parameters; made by [`args!`](crate::args).
#[derive(Clone, Debug, Default)]
pub struct Args(Vec<Argument>);

impl Args {
    /// No arguments.
    pub const fn new() -> Args {
        Args(Vec::new())
    }

    /// Appends one.
    pub fn push(&mut self, argument: impl IntoArgument) {
        self.0.push(argument.into_argument());
    }

    pub(crate) fn into_list(self) -> Vec<Argument> {
        self.0
    }
}

impl<T: IntoArgument> FromIterator<T> for Args {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Args {
        Args(items.into_iter().map(T::into_argument).collect())
    }
}

/// Arguments of a call: values, tasks, parts of results, data.
///
/// ```
/// # let mut graph = wasm_tasks::Graph::new();
/// let one = wasm_tasks::args![1, "two", vec![3.0, 4.0], Some(5u8), (6, 7.5)];
/// ```
#[macro_export]
macro_rules! args {
    ($($argument:expr),* $(,)?) => {{
        #[allow(unused_mut, reason = "there may be no arguments")]
        let mut args = $crate::Args::new();
        $(args.push($argument);)*
        args
    }};
}

/// A record: `record! { "x" => 1.5, "y" => &task }`. Names are WIT's, in kebab-case.
#[macro_export]
macro_rules! record {
    ($($name:expr => $value:expr),* $(,)?) => {
        $crate::Argument::Map(vec![$(($name.to_string(), $crate::IntoArgument::into_argument($value))),*])
    };
}

impl IntoArgument for Argument {
    fn into_argument(self) -> Argument {
        self
    }
}

impl IntoArgument for Value {
    fn into_argument(self) -> Argument {
        Argument::Value(self)
    }
}

macro_rules! integers {
    ($($ty:ident)*) => {$(
        impl IntoArgument for $ty {
            fn into_argument(self) -> Argument {
                Argument::Value(i64::try_from(self).map_or(Value::Uint(self as u64), Value::int))
            }
        }
    )*};
}
integers! { u16 u32 u64 usize i8 i16 i32 i64 isize }

impl IntoArgument for u8 {
    fn into_argument(self) -> Argument {
        Argument::Value(Value::Uint(u64::from(self)))
    }
    fn list_into_argument(list: Vec<u8>) -> Argument {
        Argument::Value(Value::Bin(list))
    }
}

impl IntoArgument for f64 {
    fn into_argument(self) -> Argument {
        Argument::Value(Value::F64(self))
    }
    fn list_into_argument(list: Vec<f64>) -> Argument {
        packed(&list)
    }
}

impl IntoArgument for f32 {
    fn into_argument(self) -> Argument {
        Argument::Value(Value::F32(self))
    }
    fn list_into_argument(list: Vec<f32>) -> Argument {
        packed(&list)
    }
}

impl IntoArgument for bool {
    fn into_argument(self) -> Argument {
        Argument::Value(Value::Bool(self))
    }
}

impl IntoArgument for char {
    fn into_argument(self) -> Argument {
        Argument::Value(Value::Str(self.to_string()))
    }
}

impl IntoArgument for &str {
    fn into_argument(self) -> Argument {
        Argument::Value(Value::Str(self.to_owned()))
    }
}

impl IntoArgument for String {
    fn into_argument(self) -> Argument {
        Argument::Value(Value::Str(self))
    }
}

impl IntoArgument for bytes::Bytes {
    fn into_argument(self) -> Argument {
        Argument::Value(Value::Bin(self.to_vec()))
    }
}

impl<T: IntoArgument> IntoArgument for Vec<T> {
    fn into_argument(self) -> Argument {
        T::list_into_argument(self)
    }
}

impl<T: IntoArgument + Clone> IntoArgument for &[T] {
    fn into_argument(self) -> Argument {
        T::list_into_argument(self.to_vec())
    }
}

impl<T: IntoArgument, const N: usize> IntoArgument for [T; N] {
    fn into_argument(self) -> Argument {
        T::list_into_argument(self.into_iter().collect())
    }
}

impl<T: IntoArgument> IntoArgument for Option<T> {
    fn into_argument(self) -> Argument {
        self.map_or(Argument::Value(Value::Nil), T::into_argument)
    }
}

impl<T: IntoArgument> IntoArgument for BTreeMap<String, T> {
    fn into_argument(self) -> Argument {
        Argument::Map(self.into_iter().map(|(name, value)| (name, value.into_argument())).collect())
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {$(
        impl<$($name: IntoArgument),+> IntoArgument for ($($name,)+) {
            fn into_argument(self) -> Argument {
                #[expect(non_snake_case, reason = "the types' names serve as the values'")]
                let ($($name,)+) = self;
                Argument::Array(vec![$($name.into_argument()),+])
            }
        }
    )*};
}
tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }

impl IntoArgument for &Task {
    fn into_argument(self) -> Argument {
        Argument::Task(Reference::whole(self.index))
    }
}

impl IntoArgument for Task {
    fn into_argument(self) -> Argument {
        (&self).into_argument()
    }
}

impl IntoArgument for Part {
    fn into_argument(self) -> Argument {
        Argument::Task(self.reference)
    }
}

impl IntoArgument for &Part {
    fn into_argument(self) -> Argument {
        self.clone().into_argument()
    }
}

impl IntoArgument for &Data {
    fn into_argument(self) -> Argument {
        Argument::Data(self.position)
    }
}

/// The argument as one value, where no reference is in it.
pub(crate) fn without_references(argument: Argument) -> Option<Value> {
    Some(match argument {
        Argument::Value(value) => value,
        Argument::Array(items) => Value::Array(items.into_iter().map(without_references).collect::<Option<_>>()?),
        Argument::Map(pairs) => {
            Value::Map(pairs.into_iter().map(|(name, item)| Some((name, without_references(item)?))).collect::<Option<_>>()?)
        }
        Argument::Task(_) | Argument::Data(_) => return None,
    })
}

/// Visits every reference to a task.
pub(super) fn for_each_reference(arguments: &Arguments, visit: &mut impl FnMut(&Reference)) {
    match arguments {
        Arguments::Positional(list) => list.iter().for_each(|argument| in_argument(argument, visit)),
        Arguments::Named(pairs) => pairs.iter().for_each(|(_, argument)| in_argument(argument, visit)),
    }
}

fn in_argument(argument: &Argument, visit: &mut impl FnMut(&Reference)) {
    match argument {
        Argument::Task(reference) => visit(reference),
        Argument::Array(items) => items.iter().for_each(|item| in_argument(item, visit)),
        Argument::Map(pairs) => pairs.iter().for_each(|(_, item)| in_argument(item, visit)),
        Argument::Value(_) | Argument::Data(_) => {}
    }
}
