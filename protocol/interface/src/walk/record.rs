//! Records: fields in any order, absent options, and the order of the type when they are written.

use super::message::{mismatch, not_canonical, unknown_name, wrong};
use super::names::Seen;
use super::{Mode, Walk, Walked};
use crate::fits::{At, Mismatch, Resolver, shown};
use wasm_tasks_protocol::msgpack::{Reader, Writer};
use wasm_tasks_protocol::{ErrorCode, Type};

impl<R: Resolver> Walk<'_, R> {
    pub(super) fn record(&mut self, ty: &Type, fields: &[(String, Type)], reader: &mut Reader<'_>) -> Walked {
        let start = *reader;
        let len = reader.map().map_err(|error| wrong(ty, &start, error))?;
        if self.mode == Mode::Strict {
            self.leaf(&start, reader, |out| out.map(fields.len()))?;
        } else if self.mode == Mode::Encode {
            self.out.map(fields.len());
        }
        let body = self.out.as_bytes().len();
        let mut seen = Seen::new(fields.len());
        // Where each field was written, when they did not come in the order of the type.
        let mut pieces: Vec<(usize, usize)> = Vec::new();
        let mut is_in_order = true;
        for position in 0..len {
            let at_key = *reader;
            let name = reader.str().map_err(|error| wrong(ty, &at_key, error))?;
            let field = match fields.get(position) {
                Some((known, _)) if known == name => position,
                _ => self
                    .names
                    .find(fields, |(known, _)| known, name)
                    .ok_or_else(|| unknown_name(ty, &at_key, name, fields.iter().map(|(name, _)| name.as_str())))?,
            };
            is_in_order &= field == position;
            if !seen.insert(field) {
                return Err(Mismatch::new(ErrorCode::DuplicateMapKey, shown(ty), format!("the field `{name}` twice")));
            }
            if self.mode == Mode::Encode {
                pieces.push((field, self.out.as_bytes().len()));
            }
            self.leaf(&at_key, reader, |out| out.str(name))?;
            self.value(&fields[field].1, reader).within(name)?;
        }
        if is_in_order && len == fields.len() {
            return Ok(());
        }
        if self.mode == Mode::Strict {
            return Err(not_canonical(&start));
        }
        self.absent(ty, fields, &seen, &start)?;
        if self.mode == Mode::Encode {
            self.put_in_order(fields, body, &pieces);
        }
        Ok(())
    }

    /// Refuses absent fields, except those that are options.
    fn absent(&mut self, ty: &Type, fields: &[(String, Type)], seen: &Seen, start: &Reader<'_>) -> Walked {
        for (position, (name, field)) in fields.iter().enumerate() {
            if seen.has(position) {
                continue;
            }
            if !matches!(field, Type::Option(_)) {
                let mut mismatch = mismatch(ty, start);
                mismatch.found = format!("a map without the field `{name}`");
                return Err(mismatch);
            }
            self.absent_left = self.absent_left.checked_sub(1).ok_or_else(|| {
                Mismatch::new(ErrorCode::LimitExceeded, "fewer absent fields", "a value that is mostly fields that are absent")
            })?;
        }
        Ok(())
    }

    /// Puts the fields written since `body` into the order of the type, absent ones as nil.
    fn put_in_order(&mut self, fields: &[(String, Type)], body: usize, pieces: &[(usize, usize)]) {
        let mut bytes = std::mem::take(&mut self.out).into_bytes();
        let written = bytes.split_off(body);
        let mut ranges = vec![None; fields.len()];
        for (number, (field, from)) in pieces.iter().enumerate() {
            let to = pieces.get(number + 1).map_or(body + written.len(), |(_, next)| *next);
            ranges[*field] = Some(from - body..to - body);
        }
        self.out = Writer::after(bytes);
        for ((name, _), range) in fields.iter().zip(ranges) {
            match range {
                Some(range) => self.out.raw(&written[range]),
                None => {
                    self.out.str(name);
                    self.out.nil();
                }
            }
        }
    }
}
