//! What seeds a task's randomness: a digest of everything that its result may depend on.
//!
//! Never the task's key or its attempt: two tasks that compute the same thing draw the same numbers, so a result can be used
//! again. Computed only when a guest asks.

use crate::call::Call;
use crate::fault::Fault;
use crate::function::Function;

/// The context of the derivation (BLAKE3's `derive_key`); changing it changes every random number.
const CONTEXT: &str = "wasm-tasks 2026 seed of a task's randomness";

/// Digests component, export, typed arguments and the `seed` option.
pub(crate) fn of(function: &Function, call: &Call<'_>) -> Result<[u8; 32], Fault> {
    let arguments = function.canonical_arguments_inner(&call.args)?;
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(&function.component().digest().0);
    for part in [function.export().as_bytes(), &arguments, &call.seed.to_le_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    Ok(*hasher.finalize().as_bytes())
}
