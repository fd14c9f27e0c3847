//! Frames: a length and one batch of messages in [postcard](https://postcard.jamesmunns.com/wire-format).
//!
//! The length is checked before anything is allocated, by whoever reads the frame; what is inside is
//! checked here. Decoding allocates in proportion to the bytes that are there.

use crate::limits::MESSAGE_BYTES_MAX;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A frame that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// It is longer than any message may be.
    #[error("a message of {0} bytes; at most {MESSAGE_BYTES_MAX} are allowed")]
    TooLong(u64),
    /// Its bytes are not what they should be.
    #[error("malformed message: {0}")]
    Malformed(postcard::Error),
    /// There are bytes after it.
    #[error("{0} bytes after the message")]
    Trailing(usize),
}

/// Bytes of a frame's length, which is a little-endian `u32`.
pub const LENGTH_BYTES: usize = 4;

/// Appends a frame.
///
/// # Errors
/// [`CodecError::TooLong`]; nothing is appended then.
pub fn encode<T: Serialize>(message: &T, mut out: Vec<u8>) -> Result<Vec<u8>, CodecError> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    let mut out = postcard::to_extend(message, out).map_err(CodecError::Malformed)?;
    let len = out.len() - start - LENGTH_BYTES;
    if len > MESSAGE_BYTES_MAX {
        out.truncate(start);
        return Err(CodecError::TooLong(len as u64));
    }
    out[start..][..LENGTH_BYTES].copy_from_slice(&(len as u32).to_le_bytes());
    Ok(out)
}

/// The length that a frame begins with, checked.
///
/// # Errors
/// [`CodecError::TooLong`].
pub fn frame_len(head: [u8; LENGTH_BYTES]) -> Result<usize, CodecError> {
    let len = u32::from_le_bytes(head);
    if len as usize > MESSAGE_BYTES_MAX { Err(CodecError::TooLong(u64::from(len))) } else { Ok(len as usize) }
}

/// Reads the inside of a frame.
///
/// # Errors
/// [`CodecError::Malformed`] and [`CodecError::Trailing`].
pub fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, CodecError> {
    let (message, rest) = postcard::take_from_bytes(frame).map_err(CodecError::Malformed)?;
    if rest.is_empty() { Ok(message) } else { Err(CodecError::Trailing(rest.len())) }
}

#[cfg(test)]
mod tests {
    use super::{CodecError, LENGTH_BYTES, decode, encode, frame_len};
    use crate::ids::{Attempt, GraphId, TaskIndex};
    use crate::message::{Assignment, FromWorker, Input, InputSource, Priority, ToWorker};
    use proptest::prelude::*;

    fn assignment() -> Vec<ToWorker> {
        let input = Input { task: TaskIndex(3), size: 300, source: InputSource::Pending(Attempt(9)) };
        let priority = Priority { user: -1, generation: 2, fragment: 0, rank: 5 };
        let args = vec![0x92, 1, 2].into();
        let task = Assignment {
            task: TaskIndex(4),
            attempt: Attempt(10),
            function: 1,
            settings: 0,
            priority,
            args,
            inputs: vec![input],
        };
        vec![ToWorker::AssignTasks { graph: GraphId([7; 16]), tasks: vec![task] }]
    }

    #[test]
    fn golden_bytes() {
        let bytes = encode(&assignment(), Vec::new()).expect("short");
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "250000000105070707070707070707070707070707070104".to_owned() + "0a01000102000503920102010" + "3ac020209"
        );
        assert_eq!(decode::<Vec<ToWorker>>(&bytes[LENGTH_BYTES..]), Ok(assignment()));
    }

    #[test]
    fn long_frames_are_refused_before_they_are_read() {
        assert!(matches!(frame_len([0xff; 4]), Err(CodecError::TooLong(_))));
        assert_eq!(frame_len([5, 0, 0, 0]), Ok(5));
    }

    proptest! {
        #[test]
        fn random_frames_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode::<Vec<ToWorker>>(&bytes);
            let _ = decode::<Vec<FromWorker>>(&bytes);
        }
    }
}
