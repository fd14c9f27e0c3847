//! Arguments whose references lead to other tasks: those that took the place of the ones that are named.

use super::Reference;
use crate::ids::TaskIndex;
use crate::msgpack::{EXT_TASK, Kind, Reader, Writer};

/// Checked arguments in which each reference to a task leads to the one that `to` gives for it. Everything else keeps its bytes.
pub fn redirect(args: &[u8], to: impl Fn(TaskIndex) -> TaskIndex) -> Vec<u8> {
    let mut out = Writer::new();
    out.reserve(args.len() + 16);
    copy(&mut Reader::new(args), &mut out, &|code, payload, out| {
        if code != EXT_TASK {
            return false;
        }
        let reference = Reference::from_payload(payload).expect("arguments were checked when the graph was read");
        Reference { task: to(reference.task), path: reference.path }.write(out);
        true
    });
    out.into_bytes()
}

/// Copies a checked value. `replace` is asked for each extension, by code and payload, and says whether it wrote something else.
pub(super) fn copy(reader: &mut Reader<'_>, out: &mut Writer, replace: &impl Fn(i8, &[u8], &mut Writer) -> bool) {
    const CHECKED: &str = "arguments were checked when the graph was read";
    match reader.kind().expect(CHECKED) {
        Kind::Array => {
            let len = reader.array().expect(CHECKED);
            out.array(len);
            (0..len).for_each(|_| copy(reader, out, replace));
        }
        Kind::Map => {
            let len = reader.map().expect(CHECKED);
            out.map(len);
            for _ in 0..len {
                out.raw(reader.skip().expect(CHECKED));
                copy(reader, out, replace);
            }
        }
        Kind::Ext => {
            let mut ahead = *reader;
            let (code, payload) = ahead.ext().expect(CHECKED);
            let bytes = reader.skip().expect(CHECKED);
            if !replace(code, payload, out) {
                out.raw(bytes);
            }
        }
        Kind::Nil | Kind::Bool | Kind::Int | Kind::Float | Kind::Str | Kind::Bin => out.raw(reader.skip().expect(CHECKED)),
    }
}

#[cfg(test)]
mod tests {
    use super::redirect;
    use crate::graph::{PathStep, Reference};
    use crate::ids::TaskIndex;
    use crate::value::Value;

    #[test]
    fn references_lead_elsewhere_and_nothing_else_changes() {
        let reference = |task: u32, path: &[u32]| {
            let path = path.iter().map(|index| PathStep::Index(*index)).collect();
            Value::Ext(1, Reference { task: TaskIndex(task), path }.to_payload())
        };
        let with = |first: u32| {
            let map = vec![("k".to_owned(), reference(first, &[2])), ("l".to_owned(), Value::Ext(2, vec![3]))];
            let list = vec![reference(first, &[]), reference(4, &[]), Value::Int(3), Value::Map(map)];
            Value::Array(list).to_msgpack()
        };
        assert_eq!(redirect(&with(3), |task| if task.0 == 3 { TaskIndex(70_000) } else { task }), with(70_000));
    }
}
