//! What is said between a judge and its child: one request, one answer, each with its length in front.

use crate::budget::{Budget, Work};
use std::io::{self, Read, Write};
use std::time::Duration;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::limits::COMPONENT_BYTES_MAX;

/// The first bytes of a request; another number where the form changes.
const MAGIC: [u8; 4] = *b"wtj1";
/// Bytes of a message of a failure. It is for people.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// The head of a request: what is to be done, within what, and how many bytes follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Head {
    pub(crate) work: Work,
    pub(crate) budget: Budget,
    pub(crate) len: usize,
}

/// What a child says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The interface or the code.
    Done(Vec<u8>),
    /// The component is at fault.
    Refused(ErrorCode, String),
    /// There is no more memory.
    OutOfMemory,
}

const HEAD_BYTES: usize = 4 + 1 + 1 + 4 * 8;

impl Head {
    pub(crate) fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let work = match self.work {
            Work::Inspect => 0,
            Work::Compile { is_metered: false } => 1,
            Work::Compile { is_metered: true } => 2,
        };
        let Budget { memory_bytes, cpu, wall, niceness } = self.budget;
        let mut bytes = [0; HEAD_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        (bytes[4], bytes[5]) = (work, niceness);
        let numbers = [memory_bytes, cpu.as_millis() as u64, wall.as_millis() as u64, self.len as u64];
        for (at, number) in bytes[6..].chunks_exact_mut(8).zip(numbers) {
            at.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn read(mut from: impl Read) -> io::Result<Head> {
        let mut bytes = [0; HEAD_BYTES];
        from.read_exact(&mut bytes)?;
        let mut numbers =
            bytes[6..].chunks_exact(8).map(|bytes| bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)));
        let mut next = || numbers.next().unwrap_or(0);
        let work = match bytes[4] {
            0 => Work::Inspect,
            1 => Work::Compile { is_metered: false },
            2 => Work::Compile { is_metered: true },
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        let (memory_bytes, cpu, wall) = (next(), Duration::from_millis(next()), Duration::from_millis(next()));
        let len = usize::try_from(next()).ok().filter(|len| *len <= COMPONENT_BYTES_MAX && bytes[..4] == MAGIC);
        let len = len.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Head { work, budget: Budget { memory_bytes, cpu, wall, niceness: bytes[5] }, len })
    }
}

impl Answer {
    pub(crate) fn write(&self, mut to: impl Write) -> io::Result<()> {
        let (tag, text);
        let payload = match self {
            Answer::Done(bytes) => {
                tag = 0;
                bytes.as_slice()
            }
            Answer::Refused(code, message) => {
                let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
                (tag, text) = (1, format!("{code}\n{}", &message[..end]));
                text.as_bytes()
            }
            Answer::OutOfMemory => {
                tag = 2;
                &[]
            }
        };
        to.write_all(&[tag])?;
        to.write_all(&(payload.len() as u64).to_le_bytes())?;
        to.write_all(payload)?;
        to.flush()
    }

    /// Reads an answer whose result has at most so many bytes; nothing when it is none, or ends early. Memory grows with what
    /// came, not with what was announced. [`Err`] when it announces more.
    pub(crate) fn read(mut from: impl Read, bytes_max: usize) -> Result<Option<Answer>, TooLong> {
        let mut head = [0; 9];
        if from.read_exact(&mut head).is_err() {
            return Ok(None);
        }
        let len = head[1..].iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
        let max = if head[0] == 0 { bytes_max } else { MESSAGE_BYTES_MAX + 64 };
        if len > max as u64 {
            return Err(TooLong);
        }
        let mut payload = Vec::new();
        match from.take(len).read_to_end(&mut payload) {
            Ok(read) if read as u64 == len => {}
            Ok(_) | Err(_) => return Ok(None),
        }
        Ok(match head[0] {
            0 => Some(Answer::Done(payload)),
            1 => String::from_utf8(payload).ok().and_then(|text| {
                let (code, message) = text.split_once('\n')?;
                Some(Answer::Refused(code.parse().ok()?, message.to_owned()))
            }),
            2 => Some(Answer::OutOfMemory),
            _ => None,
        })
    }
}

/// An answer with more bytes than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_are_read_back() {
        let budget =
            Budget { memory_bytes: 1 << 40, cpu: Duration::from_millis(1_234), wall: Duration::from_secs(9), niceness: 5 };
        for work in [Work::Inspect, Work::Compile { is_metered: false }, Work::Compile { is_metered: true }] {
            let head = Head { work, budget, len: COMPONENT_BYTES_MAX };
            assert_eq!(Head::read(&head.to_bytes()[..]).expect("a head"), head);
            assert!(Head::read(&Head { len: COMPONENT_BYTES_MAX + 1, ..head }.to_bytes()[..]).is_err());
        }
        let answers =
            [Answer::Done(vec![7; 300]), Answer::Refused(ErrorCode::NotAComponent, "no\nwonder".into()), Answer::OutOfMemory];
        for answer in answers {
            let mut bytes = Vec::new();
            answer.write(&mut bytes).expect("memory");
            assert_eq!(Answer::read(&bytes[..], 300), Ok(Some(answer.clone())));
            for len in 0..bytes.len() {
                assert_eq!(Answer::read(&bytes[..len], 300), Ok(None), "{answer:?} cut at {len}");
            }
        }
    }

    /// A child that was taken over announces anything; nothing is taken for it.
    #[test]
    fn announced_lengths_are_not_believed() {
        let announced = |tag: u8, len: u64| [&[tag][..], &len.to_le_bytes()].concat();
        for tag in 0..=255 {
            assert_eq!(Answer::read(&announced(tag, u64::MAX)[..], 300), Err(TooLong));
            let short = Answer::read(&announced(tag, 300)[..], 300);
            assert_eq!(short, Ok(None));
        }
        assert_eq!(Answer::read(&announced(0, 301)[..], 300), Err(TooLong));
    }
}
