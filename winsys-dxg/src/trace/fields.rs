//! Walking arguments by their layout: the handles in them, wherever they are.

use super::tracker::decode;
use dxg_abi::layout::{Kind, Layout, TypeLayout};
use dxg_abi::zerocopy::{FromBytes, IntoBytes};
use dxg_abi::{Arg, Handle, UpdateGpuVirtualAddressOperation, UpdateGpuVirtualAddressOperationType};

/// Changes the argument as its structure.
pub(super) fn edit<A: Arg>(bytes: &mut [u8], f: impl FnOnce(&mut A)) {
    let mut arg: A = decode(bytes);
    f(&mut arg);
    bytes[..size_of::<A>()].copy_from_slice(arg.as_bytes());
}

fn is_handle(ty: &TypeLayout) -> bool {
    ty.header == Handle::LAYOUT.header
}

/// Whether the handles in this element mean something: only some address operations have one.
fn has_handles(ty: &TypeLayout, bytes: &[u8]) -> bool {
    if ty.name != "UpdateGpuVirtualAddressOperation" {
        return true;
    }
    let kind =
        UpdateGpuVirtualAddressOperation::read_from_prefix(bytes).map_or_else(|_| None, |(op, _)| Some(op.operation));
    matches!(kind, Some(UpdateGpuVirtualAddressOperationType::MAP | UpdateGpuVirtualAddressOperationType::MAP_PROTECT))
}

/// Replaces each handle that is not null. `f` is told whether it names an adapter.
pub(super) fn each_handle(ty: &TypeLayout, bytes: &mut [u8], f: &mut dyn FnMut(bool, Handle) -> Handle) {
    if is_handle(ty) {
        replace(bytes, false, f);
        return;
    }
    let Kind::Struct { fields, .. } = &ty.kind else { return };
    if !has_handles(ty, bytes) {
        return;
    }
    for field in *fields {
        let Some(part) = bytes.get_mut(field.offset..field.offset + field.size) else { continue };
        let adapter = matches!(field.name, "adapter" | "adapter_handle");
        for element in part.chunks_exact_mut(field.ty.size) {
            if is_handle(field.ty) {
                replace(element, adapter, f);
            } else {
                each_handle(field.ty, element, f);
            }
        }
    }
}

fn replace(bytes: &mut [u8], adapter: bool, f: &mut dyn FnMut(bool, Handle) -> Handle) {
    if let Ok(handle) = Handle::read_from_bytes(bytes) {
        if !handle.is_null() {
            bytes.copy_from_slice(f(adapter, handle).as_bytes());
        }
    }
}

/// Finds the handles that a request returned: those that it changed.
pub(super) fn pair_handles(
    ty: &TypeLayout,
    before: &[u8],
    after: &[u8],
    now: &[u8],
    pairs: &mut Vec<(Handle, Handle)>,
) {
    if is_handle(ty) {
        let all = (Handle::read_from_bytes(before), Handle::read_from_bytes(after), Handle::read_from_bytes(now));
        if let (Ok(before), Ok(after), Ok(now)) = all {
            if before != after && !after.is_null() && !now.is_null() {
                pairs.push((after, now));
            }
        }
        return;
    }
    let Kind::Struct { fields, .. } = &ty.kind else { return };
    if !has_handles(ty, before) {
        return;
    }
    for field in *fields {
        let range = field.offset..field.offset + field.size;
        let parts = (before.get(range.clone()), after.get(range.clone()), now.get(range));
        let (Some(before), Some(after), Some(now)) = parts else { continue };
        let step = field.ty.size;
        for ((b, a), n) in before.chunks_exact(step).zip(after.chunks_exact(step)).zip(now.chunks_exact(step)) {
            pair_handles(field.ty, b, a, n, pairs);
        }
    }
}
