//! What host functions may read of the call they serve, with its lifetimes hidden.
//!
//! A store's data must be `'static`, and arguments are borrowed for the length of one call. Copying them for the rare guest
//! that asks for randomness would cost every task.

use crate::call::Call;
use crate::function::Function;
use std::ptr::NonNull;

/// A call and its function, for as long as the call runs.
#[derive(Clone, Copy)]
pub(crate) struct Scope {
    call: NonNull<()>,
    function: NonNull<Function>,
}

impl Scope {
    /// Hides the lifetimes.
    ///
    /// # Safety
    /// The scope, and whatever store holds it, must be dropped before `call` and `function` are.
    unsafe fn hide(call: &Call<'_>, function: &Function) -> Scope {
        Scope { call: NonNull::from(call).cast(), function: NonNull::from(function) }
    }

    /// The call.
    pub(crate) fn call(&self) -> &Call<'_> {
        // SAFETY: `hide`'s caller keeps the call alive for longer than this scope; the lifetime inside `Call` is shortened to
        // that of the borrow of `self`, which is shorter still. `Call` is covariant in it.
        unsafe { self.call.cast::<Call<'_>>().as_ref() }
    }

    /// The function.
    pub(crate) fn function(&self) -> &Function {
        // SAFETY: as for `call`.
        unsafe { self.function.as_ref() }
    }
}

/// Runs `body` with a scope of this call. `body` must not keep the scope: it puts it into a store that it drops.
pub(crate) fn with_scope<R: 'static>(call: &Call<'_>, function: &Function, body: impl FnOnce(Scope) -> R) -> R {
    // SAFETY: both borrows outlive this function's body. `body` is `run::in_fresh_store`, which moves the scope into a store
    // that it drops before it returns; its result holds no scope.
    let scope = unsafe { Scope::hide(call, function) };
    body(scope)
}
