//! Ids as they stand on the wire. The cores have dense ids of their own.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let hex = text.strip_prefix($prefix).ok_or(BadId)?.as_bytes();
                let mut bytes = [0; $len];
                if hex.len() != 2 * $len {
                    return Err(BadId);
                }
                for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
                    *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
                }
                Ok($name(bytes))
            }
        }
    };
}

/// Text that is not an id of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct BadId;

fn hex_digit(byte: u8) -> Result<u8, BadId> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(BadId),
    }
}

hex_id!(
    /// A graph: 128 random bits chosen by whoever submits it.
    GraphId, 16, ""
);
hex_id!(
    /// The SHA-256 of a component's bytes.
    ComponentDigest, 32, "sha256:"
);
hex_id!(
    /// The BLAKE3 of a value's typed encoding, or of the bytes of a data entry.
    ContentDigest, 32, "blake3:"
);

impl ComponentDigest {
    /// Digests a component.
    pub fn of(component: &[u8]) -> ComponentDigest {
        use sha2::Digest;
        ComponentDigest(sha2::Sha256::digest(component).into())
    }
}

impl ContentDigest {
    /// Digests bytes.
    pub fn of(bytes: &[u8]) -> ContentDigest {
        ContentDigest(*blake3::hash(bytes).as_bytes())
    }
}

/// A task's position in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskIndex(pub u32);

/// A task on the wire: its graph and its position there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskRef {
    /// The graph.
    pub graph: GraphId,
    /// The position in it.
    pub task: TaskIndex,
}

/// One assignment of a task to a worker. A scheduler never uses a number twice, restarts included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt(pub u64);

/// A worker as its scheduler numbers it, from 1; never used twice by one scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkerId(pub u64);

/// A tenant. There is one, `default`, until there are more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TenantId(pub u32);

impl TenantId {
    /// The only tenant so far.
    pub const DEFAULT: TenantId = TenantId(0);
}
