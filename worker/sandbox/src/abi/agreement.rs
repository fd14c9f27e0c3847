//! Compares a shape with the types that wasmtime read from the component. Done once per function, before its first call.

use crate::shape::{Cases, Fields, Flags, Form, Scalar, Shape, Style};
use wasmtime::component::__internal::wasmtime_environ::component::VariantInfo;
use wasmtime::component::__internal::{CanonicalAbiInfo, ComponentTypes, InterfaceType};
use wasmtime::{Result, bail, ensure};

/// Checks that parameters or results have exactly this layout.
pub(super) fn fields(fields: &Fields, ty: InterfaceType, types: &ComponentTypes) -> Result<()> {
    let InterfaceType::Tuple(index) = ty else { bail!("not a list of parameters or results") };
    let tuple = &types[index];
    ensure!(tuple.types.len() == fields.fields.len(), "another number of parameters or results");
    abi(&tuple.abi, fields.size, fields.align, fields.flat)?;
    all(fields, tuple.types.iter().copied(), types)
}

fn all(fields: &Fields, tys: impl Iterator<Item = InterfaceType>, types: &ComponentTypes) -> Result<()> {
    let mut offset = 0;
    for (field, ty) in fields.fields.iter().zip(tys) {
        shape(&field.shape, ty, types)?;
        let at = types.canonical_abi(&ty).next_field32_size(&mut offset);
        ensure!(at == field.offset as usize, "another offset of `{}`", field.name);
    }
    Ok(())
}

fn abi(abi: &CanonicalAbiInfo, size: u32, align: u32, flat: u32) -> Result<()> {
    ensure!(abi.size32 == size && abi.align32 == align, "another size or alignment");
    let theirs = abi.flat_count(crate::shape::FLAT_MAX as usize);
    let ours = (flat <= crate::shape::FLAT_MAX).then_some(flat as usize);
    ensure!(theirs == ours, "another number of slots");
    Ok(())
}

fn shape(shape: &Shape, ty: InterfaceType, types: &ComponentTypes) -> Result<()> {
    use InterfaceType as Ty;
    abi(types.canonical_abi(&ty), shape.size, shape.align, shape.flat)?;
    match (&shape.form, ty) {
        (Form::Scalar(scalar), ty) if scalar_type(*scalar) == ty => Ok(()),
        (Form::String, Ty::String) => Ok(()),
        (Form::Bytes(element) | Form::Numbers(_, element) | Form::List(element), Ty::List(index)) => {
            self::shape(element, types[index].element, types)
        }
        (Form::Record(fields), Ty::Record(index)) => {
            let record = &types[index];
            ensure!(
                record.fields.iter().map(|field| &field.name).eq(fields.fields.iter().map(|field| &field.name)),
                "other fields"
            );
            all(fields, record.fields.iter().map(|field| field.ty), types)
        }
        (Form::Tuple(fields), Ty::Tuple(index)) => {
            ensure!(types[index].types.len() == fields.fields.len(), "another length of a tuple");
            all(fields, types[index].types.iter().copied(), types)
        }
        (Form::Cases(cases), ty) => self::cases(cases, ty, types),
        (Form::Flags(Flags { names, .. }), Ty::Flags(index)) => {
            ensure!(types[index].names.iter().eq(names.iter()), "other flags");
            Ok(())
        }
        (_, ty) => bail!("another type: {ty:?} instead of {}", shape.ty),
    }
}

fn cases(ours: &Cases, ty: InterfaceType, types: &ComponentTypes) -> Result<()> {
    use InterfaceType as Ty;
    let (theirs, info): (Vec<(&str, Option<Ty>)>, &VariantInfo) = match (ours.style, ty) {
        (Style::Variant, Ty::Variant(index)) => {
            (types[index].cases.iter().map(|(name, ty)| (name.as_str(), *ty)).collect(), &types[index].info)
        }
        (Style::Enum, Ty::Enum(index)) => {
            (types[index].names.iter().map(|name| (name.as_str(), None)).collect(), &types[index].info)
        }
        (Style::Option | Style::NestedOption, Ty::Option(index)) => {
            (vec![("none", None), ("some", Some(types[index].ty))], &types[index].info)
        }
        (Style::Result, Ty::Result(index)) => (vec![("ok", types[index].ok), ("err", types[index].err)], &types[index].info),
        _ => bail!("another kind of variant"),
    };
    ensure!(info.payload_offset32 == ours.payload_offset && u32::from(info.size) == ours.tag_bytes, "another discriminant");
    ensure!(theirs.len() == ours.cases.len(), "another number of cases");
    for (case, (name, payload)) in ours.cases.iter().zip(theirs) {
        ensure!(case.name == name, "other cases");
        match (&case.payload, payload) {
            (Some(inner), Some(ty)) => shape(inner, ty, types)?,
            (None, None) => {}
            _ => bail!("a payload on one side only"),
        }
    }
    Ok(())
}

fn scalar_type(scalar: Scalar) -> InterfaceType {
    match scalar {
        Scalar::Bool => InterfaceType::Bool,
        Scalar::U8 => InterfaceType::U8,
        Scalar::U16 => InterfaceType::U16,
        Scalar::U32 => InterfaceType::U32,
        Scalar::U64 => InterfaceType::U64,
        Scalar::S8 => InterfaceType::S8,
        Scalar::S16 => InterfaceType::S16,
        Scalar::S32 => InterfaceType::S32,
        Scalar::S64 => InterfaceType::S64,
        Scalar::F32 => InterfaceType::Float32,
        Scalar::F64 => InterfaceType::Float64,
        Scalar::Char => InterfaceType::Char,
    }
}
