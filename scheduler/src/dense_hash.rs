//! Hashing of small dense numbers: positions of tasks, functions and settings. The standard library's hash
//! resists keys that an attacker chooses; positions are handed out one after the other, and need no such defence.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map from positions.
pub(crate) type DenseMap<K, V> = HashMap<K, V, BuildHasherDefault<DenseHasher>>;

/// Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4): multiplies by 2^64 / φ.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DenseHasher(u64);

impl Hasher for DenseHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0.rotate_left(32) ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
