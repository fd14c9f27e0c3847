//! What seeds a task's randomness: a digest of everything that its result may depend on.
//!
//! Never the task's key or its attempt: two tasks that compute the same thing draw the same numbers, so a result can be used
//! again. Computed only when a guest asks.

use crate::budget::{Bounded, Watch};
use crate::call::Call;
use crate::fault::Fault;
use crate::function::Function;

/// The context of the derivation (BLAKE3's `derive_key`); changing it changes every random number.
const CONTEXT: &str = "wasm-tasks 2026 seed of a task's randomness";

/// Digests component, export, typed arguments and the `seed` option.
///
/// The arguments are never built: they are written twice, once to count their bytes, which the
/// digest has first, and once into the digest.
pub(crate) fn of(function: &Function, call: &Call<'_>, watch: &Watch<'_>) -> Result<[u8; 32], Fault> {
    let mut len = 0;
    let mut count = |piece: &[u8]| len += piece.len() as u64;
    function.canonical_arguments_inner(&call.args, Bounded::stream(watch, &mut count))?;
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(&function.component().digest().0);
    let export = function.export().as_bytes();
    hasher.update(&(export.len() as u64).to_le_bytes()).update(export);
    hasher.update(&len.to_le_bytes());
    let mut hash = |piece: &[u8]| {
        hasher.update(piece);
    };
    function.canonical_arguments_inner(&call.args, Bounded::stream(watch, &mut hash))?;
    let seed = call.seed.to_le_bytes();
    hasher.update(&(seed.len() as u64).to_le_bytes()).update(&seed);
    Ok(*hasher.finalize().as_bytes())
}
