//! Random types and values, their WAT, their `component::Val`s and their encodings: the reference that the sandbox is
//! compared with. Written apart from the code under test on purpose.

use std::collections::HashMap;
use wasm_tasks_protocol::{Type, Value};
use wasmtime::component::Val;

/// xorshift64*
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 33) as usize) % n
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

const SCALARS: [Type; 13] = [
    Type::Bool,
    Type::S8,
    Type::U8,
    Type::S16,
    Type::U16,
    Type::S32,
    Type::U32,
    Type::S64,
    Type::U64,
    Type::F32,
    Type::F64,
    Type::Char,
    Type::String,
];

fn name(prefix: &str, index: usize) -> String {
    // Some names need a longer header than others.
    if index % 3 == 2 { format!("{prefix}{index}-{}", "long".repeat(12)) } else { format!("{prefix}{index}") }
}

pub(crate) fn ty(rng: &mut Rng, depth: usize) -> Type {
    match if depth == 0 { rng.below(8) } else { rng.below(21) } {
        0..=5 => SCALARS[rng.below(SCALARS.len())].clone(),
        6 => Type::Enum((0..[1, 2, 5, 300][rng.below(4)]).map(|i| name("e", i)).collect()),
        7 => Type::Flags((0..[1, 7, 8, 9, 16, 17, 31, 32][rng.below(8)]).map(|i| name("g", i)).collect()),
        8..=11 => Type::List(ty(rng, depth - 1).into()),
        12 | 13 => Type::Record((0..1 + rng.below(4)).map(|i| (name("f", i), ty(rng, depth - 1))).collect()),
        14 => Type::Tuple((0..1 + rng.below(4)).map(|_| ty(rng, depth - 1)).collect()),
        15 | 16 => {
            let cases = [1, 2, 3, 4, 260][rng.below(5)];
            Type::Variant((0..cases).map(|i| (name("c", i), (i < 4 && !rng.one_in(4)).then(|| ty(rng, depth - 1)))).collect())
        }
        17 | 18 => Type::Option(ty(rng, depth - 1).into()),
        _ => {
            let mut side = || (!rng.one_in(4)).then(|| ty(rng, depth - 1).into());
            Type::Result(side(), side())
        }
    }
}

/// Appends definitions of types; returns how to refer to the type.
pub(crate) fn wat(ty: &Type, out: &mut String, count: &mut usize) -> String {
    let (body, named) = match ty {
        Type::List(element) => (format!("(list {})", wat(element, out, count)), false),
        Type::Tuple(types) => {
            let types: Vec<_> = types.iter().map(|ty| wat(ty, out, count)).collect();
            (format!("(tuple {})", types.join(" ")), false)
        }
        Type::Option(some) => (format!("(option {})", wat(some, out, count)), false),
        Type::Result(ok, err) => {
            let ok = ok.as_ref().map(|ty| format!(" {}", wat(ty, out, count))).unwrap_or_default();
            let err = err.as_ref().map(|ty| format!(" (error {})", wat(ty, out, count))).unwrap_or_default();
            (format!("(result{ok}{err})"), false)
        }
        Type::Record(fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, ty)| format!("(field {name:?} {})", wat(ty, out, count))).collect();
            (format!("(record {})", fields.join(" ")), true)
        }
        Type::Variant(cases) => {
            let cases: Vec<_> = cases
                .iter()
                .map(|(name, payload)| match payload {
                    Some(ty) => format!("(case {name:?} {})", wat(ty, out, count)),
                    None => format!("(case {name:?})"),
                })
                .collect();
            (format!("(variant {})", cases.join(" ")), true)
        }
        Type::Enum(names) => (format!("(enum {})", quoted(names)), true),
        Type::Flags(names) => (format!("(flags {})", quoted(names)), true),
        scalar => return scalar.to_string(),
    };
    *count += 1;
    let n = *count;
    if named {
        out.push_str(&format!("(type $u{n} {body})\n(export $t{n} \"t{n}\" (type $u{n}))\n"));
    } else {
        out.push_str(&format!("(type $t{n} {body})\n"));
    }
    format!("$t{n}")
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" ")
}

/// The core types of a value passed flat.
pub(crate) fn flatten(ty: &Type) -> Vec<&'static str> {
    fn cases<'a>(payloads: impl Iterator<Item = Option<&'a Type>>) -> Vec<&'static str> {
        let mut joined: Vec<&'static str> = vec![];
        for flat in payloads.flatten().map(flatten) {
            for (index, core) in flat.into_iter().enumerate() {
                match joined.get_mut(index) {
                    None => joined.push(core),
                    Some(known) if *known == core => {}
                    Some(known) if matches!((*known, core), ("i32", "f32") | ("f32", "i32")) => *known = "i32",
                    Some(known) => *known = "i64",
                }
            }
        }
        joined.insert(0, "i32");
        joined
    }
    match ty {
        Type::S64 | Type::U64 => vec!["i64"],
        Type::F32 => vec!["f32"],
        Type::F64 => vec!["f64"],
        Type::String | Type::List(_) => vec!["i32", "i32"],
        Type::Record(fields) => fields.iter().flat_map(|(_, ty)| flatten(ty)).collect(),
        Type::Tuple(types) => types.iter().flat_map(flatten).collect(),
        Type::Variant(variants) => cases(variants.iter().map(|(_, payload)| payload.as_ref())),
        Type::Option(some) => cases([None, Some(&**some)].into_iter()),
        Type::Result(ok, err) => cases([ok.as_deref(), err.as_deref()].into_iter()),
        _ => vec!["i32"],
    }
}

pub(crate) fn value(ty: &Type, rng: &mut Rng) -> Val {
    let bits = if rng.one_in(3) { rng.next() | 1 << 63 } else { rng.next() >> rng.below(64) };
    match ty {
        Type::Bool => Val::Bool(bits & 1 == 1),
        Type::S8 => Val::S8(bits as i8),
        Type::U8 => Val::U8(bits as u8),
        Type::S16 => Val::S16(bits as i16),
        Type::U16 => Val::U16(bits as u16),
        Type::S32 => Val::S32(bits as i32),
        Type::U32 => Val::U32(bits as u32),
        Type::S64 => Val::S64(bits as i64),
        Type::U64 => Val::U64(bits),
        // Other NaNs become this one on their way, by the rules of values.
        Type::F32 if rng.one_in(6) => Val::Float32(f32::from_bits(0x7fc0_0000)),
        Type::F64 if rng.one_in(6) => Val::Float64(f64::from_bits(0x7ff8_0000_0000_0000)),
        Type::F32 => Val::Float32(match f32::from_bits(rng.next() as u32) {
            x if x.is_nan() => -0.0,
            x => x,
        }),
        Type::F64 => Val::Float64(match f64::from_bits(rng.next()) {
            x if x.is_nan() => f64::INFINITY,
            x => x,
        }),
        Type::Char => Val::Char(char::from_u32(bits as u32 % 0x11_0000).unwrap_or('x')),
        Type::String => Val::String((0..rng.below(9)).map(|_| ['a', 'ß', 'é', '漢', '🦀', '\0'][rng.below(6)]).collect()),
        Type::List(element) => Val::List((0..rng.below(5)).map(|_| value(element, rng)).collect()),
        Type::Record(fields) => Val::Record(fields.iter().map(|(name, ty)| (name.clone(), value(ty, rng))).collect()),
        Type::Tuple(types) => Val::Tuple(types.iter().map(|ty| value(ty, rng)).collect()),
        Type::Variant(cases) => {
            let (name, payload) = &cases[rng.below(cases.len())];
            Val::Variant(name.clone(), payload.as_ref().map(|ty| Box::new(value(ty, rng))))
        }
        Type::Enum(names) => Val::Enum(names[rng.below(names.len())].clone()),
        Type::Flags(names) => Val::Flags(names.iter().filter(|_| rng.one_in(2)).cloned().collect()),
        Type::Option(some) => Val::Option((!rng.one_in(2)).then(|| Box::new(value(some, rng)))),
        Type::Result(ok, err) => {
            let is_ok = rng.one_in(2);
            let payload = if is_ok { ok } else { err }.as_ref().map(|ty| Box::new(value(ty, rng)));
            Val::Result(if is_ok { Ok(payload) } else { Err(payload) })
        }
        Type::Any | Type::Unit => unreachable!("not generated"),
    }
}

/// How a value is written. With a random source, any of the ways that readers accept; without, the typed encoding.
#[derive(Default)]
pub(crate) struct Encoder<'r> {
    pub(crate) rng: Option<&'r mut Rng>,
    /// Values that were written aside, with a reference in their place.
    pub(crate) data: HashMap<u32, Vec<u8>>,
}

impl Encoder<'_> {
    fn one_in(&mut self, n: usize) -> bool {
        self.rng.as_mut().is_some_and(|rng| rng.one_in(n))
    }

    pub(crate) fn encode(&mut self, ty: &Type, value: &Val) -> Value {
        if self.data.len() < 100 && self.one_in(12) {
            let aside = self.plain(ty, value);
            // What a reference leads to has no references of its own.
            if !contains_reference(&aside) {
                let position = self.data.len() as u32;
                self.data.insert(position, aside.to_msgpack());
                return Value::Ext(2, Value::Uint(u64::from(position)).to_msgpack());
            }
            return aside;
        }
        self.plain(ty, value)
    }

    fn plain(&mut self, ty: &Type, value: &Val) -> Value {
        match (ty, value) {
            (_, Val::Bool(x)) => Value::Bool(*x),
            (_, Val::S8(x)) => Value::int(i64::from(*x)),
            (_, Val::U8(x)) => Value::Uint(u64::from(*x)),
            (_, Val::S16(x)) => Value::int(i64::from(*x)),
            (_, Val::U16(x)) => Value::Uint(u64::from(*x)),
            (_, Val::S32(x)) => Value::int(i64::from(*x)),
            (_, Val::U32(x)) => Value::Uint(u64::from(*x)),
            (_, Val::S64(x)) => Value::int(*x),
            (_, Val::U64(x)) => Value::Uint(*x),
            (_, Val::Float32(x)) if self.one_in(2) => Value::F64(f64::from(*x)),
            (_, Val::Float32(x)) => Value::F32(*x),
            (_, Val::Float64(x)) if f64::from(*x as f32) == *x && self.one_in(2) => Value::F32(*x as f32),
            (_, Val::Float64(x)) => Value::F64(*x),
            (_, Val::Char(x)) => Value::Str(x.to_string()),
            (_, Val::String(x)) => Value::Str(x.clone()),
            (Type::List(element), Val::List(values)) => self.list(element, values),
            (Type::Record(types), Val::Record(fields)) => {
                let mut pairs: Vec<_> = types
                    .iter()
                    .zip(fields)
                    .filter_map(|((_, ty), (name, value))| {
                        let absent = matches!(value, Val::Option(None)) && self.one_in(2);
                        (!absent).then(|| (name.clone(), self.encode(ty, value)))
                    })
                    .collect();
                if self.one_in(2) {
                    pairs.reverse();
                }
                Value::Map(pairs)
            }
            (Type::Tuple(types), Val::Tuple(values)) => {
                Value::Array(types.iter().zip(values).map(|(ty, value)| self.encode(ty, value)).collect())
            }
            (Type::Variant(cases), Val::Variant(name, payload)) => {
                let ty = cases.iter().find(|(case, _)| case == name).and_then(|(_, ty)| ty.as_ref());
                match (ty, payload) {
                    (Some(ty), Some(payload)) => Value::Map(vec![(name.clone(), self.encode(ty, payload))]),
                    _ if self.one_in(2) => Value::Map(vec![(name.clone(), Value::Nil)]),
                    _ => Value::Str(name.clone()),
                }
            }
            (_, Val::Enum(name)) => Value::Str(name.clone()),
            (_, Val::Option(None)) => Value::Nil,
            (Type::Option(some), Val::Option(Some(value))) => {
                let inner = self.encode(some, value);
                if matches!(**some, Type::Option(_)) { Value::Map(vec![("some".to_owned(), inner)]) } else { inner }
            }
            (Type::Result(ok, err), Val::Result(result)) => {
                let (name, ty, payload) = match result {
                    Ok(payload) => ("ok", ok, payload),
                    Err(payload) => ("err", err, payload),
                };
                let payload = ty.as_ref().zip(payload.as_ref()).map_or(Value::Nil, |(ty, value)| self.encode(ty, value));
                Value::Map(vec![(name.to_owned(), payload)])
            }
            (_, Val::Flags(names)) => {
                let mut names: Vec<_> = names.iter().map(|name| Value::Str(name.clone())).collect();
                if self.one_in(2) {
                    names.reverse();
                }
                Value::Array(names)
            }
            (ty, value) => panic!("{ty} and {value:?}"),
        }
    }

    fn list(&mut self, element: &Type, values: &[Val]) -> Value {
        let packed = element.packed();
        if (packed.is_none() && *element != Type::U8) || self.one_in(2) {
            return Value::Array(values.iter().map(|value| self.encode(element, value)).collect());
        }
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| match value {
                Val::S8(x) => x.to_le_bytes().to_vec(),
                Val::U8(x) => x.to_le_bytes().to_vec(),
                Val::S16(x) => x.to_le_bytes().to_vec(),
                Val::U16(x) => x.to_le_bytes().to_vec(),
                Val::S32(x) => x.to_le_bytes().to_vec(),
                Val::U32(x) => x.to_le_bytes().to_vec(),
                Val::S64(x) => x.to_le_bytes().to_vec(),
                Val::U64(x) => x.to_le_bytes().to_vec(),
                Val::Float32(x) => x.to_le_bytes().to_vec(),
                Val::Float64(x) => x.to_le_bytes().to_vec(),
                other => panic!("{other:?} in a packed list"),
            })
            .collect();
        packed.map_or(Value::Bin(bytes.clone()), |packed| Value::Ext(packed.code(), bytes))
    }
}

fn contains_reference(value: &Value) -> bool {
    match value {
        Value::Ext(code, _) => *code == 2,
        Value::Array(values) => values.iter().any(contains_reference),
        Value::Map(pairs) => pairs.iter().any(|(_, value)| contains_reference(value)),
        _ => false,
    }
}
