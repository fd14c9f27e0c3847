//! Reads types from text.

use super::Type;
use crate::limits::{NAME_BYTES_MAX, TYPE_PARTS_MAX, VALUE_DEPTH_MAX};
use std::str::FromStr;
use std::sync::Arc;

/// Text that is not a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a type at byte {at}: {what}")]
pub struct BadType {
    /// Where, in bytes from the start.
    pub at: usize,
    /// What was expected.
    pub what: &'static str,
    /// Whether it could be a type, but is larger or deeper than types may be.
    pub is_limit: bool,
}

impl FromStr for Type {
    type Err = BadType;
    fn from_str(text: &str) -> Result<Type, BadType> {
        let mut parser = Parser { text, at: 0, parts: 0 };
        if text.len() > 16 * NAME_BYTES_MAX {
            return Err(parser.beyond("at most 65,536 bytes are allowed"));
        }
        let ty = parser.ty(0)?;
        parser.space();
        if parser.at == text.len() { Ok(ty) } else { Err(parser.bad("the end of the type")) }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Types, cases and flags so far.
    parts: usize,
}

impl<'a> Parser<'a> {
    fn bad(&self, what: &'static str) -> BadType {
        BadType { at: self.at, what, is_limit: false }
    }

    fn beyond(&self, what: &'static str) -> BadType {
        BadType { is_limit: true, ..self.bad(what) }
    }

    fn part(&mut self) -> Result<(), BadType> {
        self.parts += 1;
        if self.parts > TYPE_PARTS_MAX { Err(self.beyond("at most 4,096 parts are allowed")) } else { Ok(()) }
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn take(&mut self, symbol: char) -> bool {
        self.space();
        let found = self.text[self.at..].starts_with(symbol);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, symbol: char, what: &'static str) -> Result<(), BadType> {
        if self.take(symbol) { Ok(()) } else { Err(self.bad(what)) }
    }

    fn name(&mut self) -> Result<&'a str, BadType> {
        self.space();
        let rest = &self.text[self.at..];
        let len = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
        if len == 0 {
            return Err(self.bad("a name"));
        }
        self.at += len;
        Ok(&rest[..len])
    }

    /// `item, item` up to `end`, which is taken too.
    fn items<T>(&mut self, end: char, mut item: impl FnMut(&mut Self) -> Result<T, BadType>) -> Result<Arc<[T]>, BadType> {
        let mut items = Vec::new();
        while !self.take(end) {
            if !items.is_empty() {
                self.need(',', "`,` or the end of the list")?;
                if self.take(end) {
                    break;
                }
            }
            items.push(item(self)?);
        }
        Ok(items.into())
    }

    fn ty(&mut self, depth: usize) -> Result<Type, BadType> {
        if depth > VALUE_DEPTH_MAX {
            return Err(self.beyond("a type that nests at most 64 deep"));
        }
        self.part()?;
        let inner = |parser: &mut Self| parser.ty(depth + 1);
        let case = |parser: &mut Self| {
            parser.part()?;
            parser.name().map(str::to_owned)
        };
        Ok(match self.name()? {
            "bool" => Type::Bool,
            "u8" => Type::U8,
            "u16" => Type::U16,
            "u32" => Type::U32,
            "u64" => Type::U64,
            "s8" => Type::S8,
            "s16" => Type::S16,
            "s32" => Type::S32,
            "s64" => Type::S64,
            "f32" => Type::F32,
            "f64" => Type::F64,
            "char" => Type::Char,
            "string" => Type::String,
            "any" => Type::Any,
            "unit" => Type::Unit,
            "list" => {
                self.need('<', "`<`")?;
                let element = inner(self)?;
                self.need('>', "`>`")?;
                Type::List(Arc::new(element))
            }
            "option" => {
                self.need('<', "`<`")?;
                let some = inner(self)?;
                self.need('>', "`>`")?;
                Type::Option(Arc::new(some))
            }
            "tuple" => {
                self.need('<', "`<`")?;
                Type::Tuple(self.items('>', inner)?)
            }
            "result" => self.result(depth)?,
            "record" => {
                self.need('{', "`{`")?;
                Type::Record(self.items('}', |parser| {
                    let name = parser.name()?.to_owned();
                    parser.need(':', "`:`")?;
                    Ok((name, inner(parser)?))
                })?)
            }
            "variant" => {
                self.need('{', "`{`")?;
                Type::Variant(self.items('}', |parser| {
                    let name = case(parser)?;
                    let payload = if parser.take('(') {
                        let payload = inner(parser)?;
                        parser.need(')', "`)`")?;
                        Some(payload)
                    } else {
                        None
                    };
                    Ok((name, payload))
                })?)
            }
            "enum" => {
                self.need('{', "`{`")?;
                Type::Enum(self.items('}', case)?)
            }
            "flags" => {
                self.need('{', "`{`")?;
                Type::Flags(self.items('}', case)?)
            }
            name => {
                self.at -= name.len();
                return Err(self.bad("a type such as `u32`, `list<string>` or `record { a: f64 }`"));
            }
        })
    }

    fn result(&mut self, depth: usize) -> Result<Type, BadType> {
        if !self.take('<') {
            return Ok(Type::Result(None, None));
        }
        let ok = if self.take('_') { None } else { Some(Arc::new(self.ty(depth + 1)?)) };
        let err = if self.take(',') { Some(Arc::new(self.ty(depth + 1)?)) } else { None };
        self.need('>', "`>`")?;
        Ok(Type::Result(ok, err))
    }
}
