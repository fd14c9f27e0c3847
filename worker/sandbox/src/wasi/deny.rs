//! Host functions that deny: what a component imports and no task gets.
//!
//! Where the function's type can say so, it answers "access denied" as a WASI host without rights does, so that a program
//! that only tries goes on; otherwise the task ends with `grant-denied`.

use super::Denied;
use crate::state::{Stop, TaskState};
use wasmtime::component::types::{ComponentFunc, Type};
use wasmtime::component::{LinkerInstance, Resource, ResourceAny, ResourceType, Val};
use wasmtime::{Result, StoreContextMut};

/// The names under which WASI's error codes say that something is not allowed.
const DENIALS: [&str; 3] = ["access-denied", "access", "not-permitted"];

/// Defines a function that denies, whatever its type.
pub(super) fn define(linker: &mut LinkerInstance<'_, TaskState>, import: &str, name: &str) -> Result<()> {
    let full_name = format!("{import}#{name}");
    linker.func_new(name, move |store, ty, params, results| deny(store, &full_name, &ty, params, results))
}

fn deny(
    mut store: StoreContextMut<'_, TaskState>,
    name: &str,
    ty: &ComponentFunc,
    params: &[Val],
    results: &mut [Val],
) -> Result<()> {
    // Borrowed handles must be given back before the call ends, and owned ones are ours now.
    for param in params {
        if let Val::Resource(handle) = param {
            handle.resource_drop(&mut store)?;
        }
    }
    for (ty, result) in ty.results().zip(results) {
        let Some(answer) = answer(&mut store, &ty)? else {
            return Err(Stop::Denied(name.to_owned()).into());
        };
        *result = answer;
    }
    store.data_mut().denied.get_or_insert_with(|| name.to_owned());
    Ok(())
}

/// The value of a type that means no.
fn answer(store: &mut StoreContextMut<'_, TaskState>, ty: &Type) -> Result<Option<Val>> {
    Ok(match ty {
        Type::Result(ty) => match ty.err() {
            Some(Type::Enum(codes)) => DENIALS
                .into_iter()
                .find(|denial| codes.names().any(|name| name == *denial))
                .map(|denial| Val::Result(Err(Some(Box::new(Val::Enum(denial.to_owned())))))),
            Some(Type::Variant(cases)) if cases.cases().any(|case| case.name == "closed" && case.ty.is_none()) => {
                Some(Val::Result(Err(Some(Box::new(Val::Variant("closed".to_owned(), None))))))
            }
            _ => None,
        },
        Type::Option(_) => Some(Val::Option(None)),
        // A network to ask in vain: programs take one before they try anything with it.
        Type::Own(ty) if *ty == ResourceType::host::<Denied>() => {
            Some(Val::Resource(ResourceAny::try_from_resource(Resource::<Denied>::new_own(0), store)?))
        }
        _ => None,
    })
}
