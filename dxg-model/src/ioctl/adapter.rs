//! Adapters: enumeration, opening, closing.

use dxg_abi::{AdapterInfo, CloseAdapter, EnumAdapters2, EnumAdapters3, Handle, OpenAdapterFromLuid, ADAPTERS_MAX};

use crate::lock::lock;
use crate::process::{Answer, Failure, Process};
use crate::usermem;

/// Number of adapters there are.
fn total(p: &Process) -> u32 {
    u32::from(!p.stopped.load(core::sync::atomic::Ordering::Acquire))
}

fn open(p: &Process) -> Result<Handle, Failure> {
    lock(&p.adapters).insert().ok_or(Failure::ENOMEM)
}

/// Takes a handle back that the caller never got to see.
fn unopen(p: &Process, h: Handle) {
    lock(&p.adapters).remove(h);
}

/// Opens the adapter into an entry of the caller's array.
fn open_into(p: &Process, array: u64) -> Result<(), Failure> {
    let handle = open(p)?;
    let info = AdapterInfo { adapter_handle: handle, adapter_luid: p.luid, ..AdapterInfo::default() };
    usermem::write_object(array, &info).inspect_err(|_| unopen(p, handle))?;
    Ok(())
}

pub(super) fn open_from_luid(p: &Process, a: &mut OpenAdapterFromLuid) -> Answer {
    if a.adapter_luid == p.luid && total(p) == 1 {
        a.adapter_handle = open(p)?;
        return Ok(0);
    }
    // With anything in the output field an unknown LUID goes unnoticed.
    if p.config.quirks && !a.adapter_handle.is_null() {
        return Ok(0);
    }
    Err(Failure::EINVAL)
}

pub(super) fn enumerate2(p: &Process, a: &mut EnumAdapters2) -> Answer {
    let total = total(p);
    if a.adapters == 0 {
        a.num_adapters = total;
        return Ok(0);
    }
    if a.num_adapters < total {
        return Err(Failure::EOVERFLOW);
    }
    if a.num_adapters > ADAPTERS_MAX {
        return Err(Failure::EINVAL);
    }
    if total == 1 {
        open_into(p, a.adapters)?;
    }
    a.num_adapters = total;
    Ok(0)
}

pub(super) fn enumerate3(p: &Process, a: &mut EnumAdapters3) -> Answer {
    let total = total(p);
    if a.adapters == 0 || a.adapter_count == 0 {
        a.adapter_count = total;
        return Ok(0);
    }
    if a.adapter_count > 65535 {
        return Err(Failure::EINVAL);
    }
    // With one adapter a buffer of at least one entry is never too small.
    if total == 1 {
        open_into(p, a.adapters)?;
    }
    a.adapter_count = total;
    Ok(0)
}

pub(super) fn close(p: &Process, a: &mut CloseAdapter) -> Answer {
    if a.adapter_handle.is_null() {
        return Ok(0);
    }
    let mut table = lock(&p.adapters);
    if !table.remove(a.adapter_handle) {
        return Err(Failure::EINVAL);
    }
    let last = table.len() == 0;
    drop(table);
    if last {
        p.destroy_devices();
    }
    Ok(0)
}
