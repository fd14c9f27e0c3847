//! The parameter type of sixteen slots, the result type of one, and the call with them.

use super::agreement;
use super::lift::{self, Lifting};
use super::lower::{self, Parameters};
use crate::budget::Watch;
use crate::call::{Arguments, Call};
use crate::shape::{FLAT_MAX, Fields, Shape};
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext};
use wasmtime::component::{ComponentNamedList, ComponentType, Func, Lift, Lower, TypedFunc};
use wasmtime::{Result, StoreContextMut, ValRaw, bail};

/// What a function takes and returns, prepared for calls.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) params: Fields,
    /// The result as the export declares it; `result<T, E>` is not unwrapped here.
    pub(crate) result: Option<Shape>,
    /// The results as a list of none or one, whose layout says whether they are returned in a slot.
    pub(crate) results: Fields,
    params_agreed: AtomicBool,
    results_agreed: AtomicBool,
}

impl Signature {
    pub(crate) fn new(params: Fields, result: Option<Shape>, results: Fields) -> Signature {
        Signature { params, result, results, params_agreed: AtomicBool::new(false), results_agreed: AtomicBool::new(false) }
    }
}

/// What a call returned, in the typed encoding.
#[derive(Debug)]
pub(crate) enum Lifted {
    /// A value; nil where there is none.
    Value(Vec<u8>),
    /// The payload of the `err` of an export that returns a `result`.
    Err(Vec<u8>),
}

/// Calls a function that has this signature.
pub(crate) fn invoke<T: 'static>(
    mut store: StoreContextMut<'_, T>,
    func: Func,
    signature: &Arc<Signature>,
    call: &Call<'_>,
    watch: &Watch<'_>,
) -> Result<Lifted> {
    // SAFETY: `Slots::typecheck` accepts every synchronous function; whether the signature is the function's is checked by
    // `agreement` before parameters are lowered and before a result is lifted. Async functions are refused when they are bound.
    let typed = unsafe { TypedFunc::<Slots<'_>, Returned>::new_unchecked(func) };
    LIFTING.set(Some(Lifting { signature: Arc::clone(signature), bytes_max: call.limits.result_bytes_max }));
    let returned = typed.call(&mut store, Slots { signature, arguments: &call.args, watch });
    LIFTING.set(None);
    Ok(returned?.0)
}

thread_local! {
    /// What the result of the call that runs on this thread must look like: lifting is handed neither the store's data nor
    /// the parameters. Calls do not nest, because no host function calls an export.
    static LIFTING: Cell<Option<Lifting>> = const { Cell::new(None) };
}

// Private, because a list or an option of these would be meaningless.
struct Slots<'a> {
    signature: &'a Signature,
    arguments: &'a Arguments<'a>,
    watch: &'a Watch<'a>,
}

struct Returned(Lifted);

/// Never read: with sixteen slots and with one wasmtime always takes the flat way, which looks at `Lower` alone.
const UNUSED: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

// SAFETY: `Lower` is an array of `ValRaw` of the largest size that the parameters of a core signature can have.
unsafe impl ComponentType for Slots<'_> {
    type Lower = [ValRaw; FLAT_MAX as usize];
    const ABI: CanonicalAbiInfo = UNUSED;
    fn typecheck(ty: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        match ty {
            InterfaceType::Tuple(_) => Ok(()),
            _ => bail!("only a whole list of parameters"),
        }
    }
}

// SAFETY: only ever the whole list of parameters.
unsafe impl ComponentNamedList for Slots<'_> {}

// SAFETY: every slot is initialised first, and filled by the shape that the function's own types agree with.
unsafe impl Lower for Slots<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        let slots = dst.write([ValRaw::u64(0); FLAT_MAX as usize]);
        let signature = self.signature;
        if !signature.params_agreed.load(Ordering::Relaxed) {
            agreement::fields(&signature.params, ty, cx.types)?;
            signature.params_agreed.store(true, Ordering::Relaxed);
        }
        lower::parameters(cx, &Parameters { fields: &signature.params, arguments: self.arguments, watch: self.watch }, slots)
    }

    fn linear_lower_to_memory<T>(&self, _: &mut LowerContext<'_, T>, _: InterfaceType, _: usize) -> Result<()> {
        bail!("parameters are lowered into slots")
    }
}

// SAFETY: one slot is what a synchronous export returns: its value, or a pointer to it.
unsafe impl ComponentType for Returned {
    type Lower = [ValRaw; 1];
    const ABI: CanonicalAbiInfo = UNUSED;
    fn typecheck(ty: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        match ty {
            InterfaceType::Tuple(_) => Ok(()),
            _ => bail!("only a whole list of results"),
        }
    }
}

// SAFETY: only ever the whole list of results.
unsafe impl ComponentNamedList for Returned {}

// SAFETY: reads the slot, and memory through checked slices, by the shape that the function's own types agree with.
unsafe impl Lift for Returned {
    fn linear_lift_from_flat(cx: &mut LiftContext<'_>, ty: InterfaceType, src: &Self::Lower) -> Result<Self> {
        let Some(lifting) = LIFTING.take() else { bail!("no call runs on this thread") };
        let signature = &*lifting.signature;
        if !signature.results_agreed.load(Ordering::Relaxed) {
            agreement::fields(&signature.results, ty, cx.types)?;
            signature.results_agreed.store(true, Ordering::Relaxed);
        }
        lift::result(cx, &lifting, src[0]).map(Returned)
    }

    fn linear_lift_from_memory(_: &mut LiftContext<'_>, _: InterfaceType, _: &[u8]) -> Result<Self> {
        bail!("a result is lifted from its slot")
    }
}
