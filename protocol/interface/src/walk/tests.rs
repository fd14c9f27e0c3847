//! Random types, and random values of them in the forms that may be read.

use proptest::prelude::*;
use proptest::sample::subsequence;
use std::sync::Arc;
use wasm_tasks_protocol::{Type, Value};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("n{}", (b'a' + (at * 7 % 26) as u8) as char).repeat(1 + at / 26)).collect()
}

/// A type without `any`, whose values travel in one form only.
pub(crate) fn any_type() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            Type::Bool,
            Type::U8,
            Type::U16,
            Type::U32,
            Type::U64,
            Type::S8,
            Type::S16,
            Type::S32,
            Type::S64,
            Type::F32,
            Type::F64,
            Type::Char,
            Type::String,
            Type::bytes(),
        ]),
        (1usize..30).prop_map(|count| Type::Enum(names(count).into())),
        (1usize..30).prop_map(|count| Type::Flags(names(count).into())),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let list = prop::collection::vec(inner.clone(), 1..5);
        let maybe = prop::option::of(inner.clone().prop_map(Arc::new));
        prop_oneof![
            inner.clone().prop_map(|ty| Type::List(Arc::new(ty))),
            inner.clone().prop_map(|ty| Type::Option(Arc::new(ty))),
            list.clone().prop_map(|types| Type::Tuple(types.into())),
            prop::collection::vec(inner.clone(), 1..24)
                .prop_map(|types| Type::Record(names(types.len()).into_iter().zip(types).collect())),
            prop::collection::vec(prop::option::of(inner), 1..24)
                .prop_map(|types| Type::Variant(names(types.len()).into_iter().zip(types).collect())),
            (maybe.clone(), maybe).prop_map(|(ok, err)| Type::Result(ok, err)),
        ]
    })
}

/// A type and one of its values.
pub(crate) fn type_and_value() -> impl Strategy<Value = (Type, Value)> {
    any_type().prop_flat_map(|ty| {
        let value = value_of(&ty);
        (Just(ty), value)
    })
}

fn integer(min: i128, max: i128) -> BoxedStrategy<Value> {
    prop_oneof![Just(min), Just(max), min..=max, (-40i128..300).prop_map(move |value| value.clamp(min, max))]
        .prop_map(|value| u64::try_from(value).map_or_else(|_| Value::Int(value as i64), Value::Uint))
        .boxed()
}

fn value_of(ty: &Type) -> BoxedStrategy<Value> {
    let entry = |name: &str, value: BoxedStrategy<Value>| {
        let name = name.to_owned();
        value.prop_map(move |value| Value::Map(vec![(name.clone(), value)])).boxed()
    };
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::U8 => integer(0, u8::MAX.into()),
        Type::U16 => integer(0, u16::MAX.into()),
        Type::U32 => integer(0, u32::MAX.into()),
        Type::U64 => integer(0, u64::MAX.into()),
        Type::S8 => integer(i8::MIN.into(), i8::MAX.into()),
        Type::S16 => integer(i16::MIN.into(), i16::MAX.into()),
        Type::S32 => integer(i32::MIN.into(), i32::MAX.into()),
        Type::S64 => integer(i64::MIN.into(), i64::MAX.into()),
        Type::F32 => prop_oneof![
            any::<f32>().prop_map(Value::F32),
            any::<f32>().prop_map(|value| Value::F64(value.into())),
            (0u64..1000).prop_map(Value::Uint)
        ]
        .boxed(),
        Type::F64 => {
            prop_oneof![any::<f64>().prop_map(Value::F64), any::<f32>().prop_map(Value::F32), (0u64..1000).prop_map(Value::Uint)]
                .boxed()
        }
        Type::Char => any::<char>().prop_map(|c| Value::Str(c.into())).boxed(),
        Type::String => ".{0,40}".prop_map(Value::Str).boxed(),
        Type::List(element) if **element == Type::U8 => {
            let elements = prop::collection::vec(value_of(element), 0..6).prop_map(Value::Array);
            prop_oneof![prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bin), elements].boxed()
        }
        Type::List(element) => prop::collection::vec(value_of(element), 0..6).prop_map(Value::Array).boxed(),
        Type::Tuple(types) => types.iter().map(value_of).collect::<Vec<_>>().prop_map(Value::Array).boxed(),
        Type::Record(fields) => {
            let names: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();
            let values: Vec<_> = fields.iter().map(|(_, ty)| value_of(ty)).collect();
            let leaves_out_options: Vec<bool> = fields.iter().map(|(_, ty)| matches!(ty, Type::Option(_))).collect();
            (values, any::<bool>(), any::<u64>())
                .prop_map(move |(values, reversed, left_out)| {
                    let mut pairs: Vec<(String, Value)> = names
                        .iter()
                        .cloned()
                        .zip(values)
                        .enumerate()
                        .filter(|(at, _)| !(leaves_out_options[*at] && left_out >> (at % 64) & 1 == 1))
                        .map(|(_, pair)| pair)
                        .collect();
                    if reversed {
                        pairs.reverse();
                    }
                    Value::Map(pairs)
                })
                .boxed()
        }
        Type::Variant(cases) => {
            let case = |(name, payload): &(String, Option<Type>)| match payload {
                None => prop_oneof![Just(Value::Str(name.clone())), Just(Value::Map(vec![(name.clone(), Value::Nil)]))].boxed(),
                Some(ty) => entry(name, value_of(ty)),
            };
            prop::strategy::Union::new(cases.iter().map(case)).boxed()
        }
        Type::Enum(names) => prop::sample::select(names.to_vec()).prop_map(Value::Str).boxed(),
        Type::Flags(names) => {
            let names = names.to_vec();
            let count = names.len();
            (subsequence(names, 0..=count), any::<bool>())
                .prop_map(|(mut flags, reversed)| {
                    if reversed {
                        flags.reverse();
                    }
                    Value::Array(flags.into_iter().map(Value::Str).collect())
                })
                .boxed()
        }
        Type::Option(some) => {
            let is_nested = matches!(**some, Type::Option(_));
            let inner = if is_nested { entry("some", value_of(some)) } else { value_of(some) };
            prop_oneof![Just(Value::Nil), inner].boxed()
        }
        Type::Result(ok, err) => {
            let side = |ty: &Option<Arc<Type>>| ty.as_ref().map_or(Just(Value::Nil).boxed(), |ty| value_of(ty));
            prop_oneof![entry("ok", side(ok)), entry("err", side(err))].boxed()
        }
        Type::Any | Type::Unit => Just(Value::Nil).boxed(),
    }
}
