//! Values of no declared type: arguments and results of dynamic functions.

use super::message::unreadable;
use super::{Mode, Walk, Walked};
use crate::fits::{At, Mismatch, Resolver};
use wasm_tasks_protocol::limits::VALUE_DEPTH_MAX;
use wasm_tasks_protocol::msgpack::{EXT_DATA, EXT_TASK, InvalidValue, Kind, ReadError, Reader, validate};
use wasm_tasks_protocol::{ErrorCode, Type, Value};

impl<R: Resolver> Walk<'_, R> {
    /// A value of no declared type. Its typed encoding is its canonical file encoding.
    pub(super) fn any(&mut self, reader: &mut Reader<'_>) -> Walked {
        if self.mode == Mode::Check {
            return self.any_value(reader, 0);
        }
        let start = *reader;
        let invalid = |error: InvalidValue| Mismatch::new(error.code(), "any value", error.to_string());
        let bytes = validate(reader, &mut ()).map_err(invalid)?;
        let value = Value::from_msgpack(bytes).map_err(invalid)?.to_file_encoding();
        self.leaf(&start, reader, |out| value.write(out))
    }

    fn any_value(&mut self, reader: &mut Reader<'_>, depth: usize) -> Walked {
        let bad = |error: ReadError| unreadable(error, &Type::Any);
        if depth > VALUE_DEPTH_MAX {
            return Err(Mismatch::new(
                ErrorCode::LimitExceeded,
                "any value",
                format!("one that nests more than {VALUE_DEPTH_MAX} deep"),
            ));
        }
        match reader.kind().map_err(bad)? {
            Kind::Array => {
                let len = reader.array().map_err(bad)?;
                (0..len).try_for_each(|index| self.any_value(reader, depth + 1).at(index))
            }
            Kind::Map => {
                let len = reader.map().map_err(bad)?;
                (0..len).try_for_each(|_| {
                    let name = reader.str().map_err(bad)?;
                    self.any_value(reader, depth + 1).within(name)
                })
            }
            Kind::Ext if matches!(reader.peek_ext(), Some(EXT_TASK | EXT_DATA)) => self.reference(&Type::Any, reader),
            Kind::Nil | Kind::Bool | Kind::Int | Kind::Float | Kind::Str | Kind::Bin | Kind::Ext => {
                validate(reader, &mut ()).map(drop).map_err(|error| Mismatch::new(error.code(), "any value", error.to_string()))
            }
        }
    }
}
