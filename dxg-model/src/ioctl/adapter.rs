//! Adapters: enumeration, opening, closing.

use core::sync::atomic::Ordering;

use dxg_abi::{
    AdapterInfo, CloseAdapter, EnumAdapters2, EnumAdapters3, EnumAdaptersFilter, Handle, Luid, OpenAdapterFromLuid,
    ADAPTERS_MAX,
};

use crate::handles::Adapter;
use crate::lock::lock;
use crate::process::{Answer, Failure, Process};
use crate::usermem;

/// The adapters that are there, those left out of the list included.
fn present(p: &Process) -> &'static [Adapter] {
    match (p.stopped.load(Ordering::Acquire), p.config.compute_only) {
        (false, false) => &[Adapter::Gpu],
        (false, true) => &[Adapter::Gpu, Adapter::Compute],
        (true, true) => &[Adapter::Compute],
        (true, false) => &[],
    }
}

/// The LUID of an adapter.
fn luid(p: &Process, adapter: Adapter) -> Luid {
    match adapter {
        Adapter::Gpu => p.luid,
        Adapter::Compute => Luid { b: !p.luid.b, ..p.luid },
    }
}

fn open(p: &Process, adapter: Adapter) -> Result<Handle, Failure> {
    lock(&p.adapters).insert(adapter).ok_or(Failure::ENOMEM)
}

/// Takes handles back that the caller never got to see.
fn unopen(p: &Process, list: &[AdapterInfo]) {
    let mut table = lock(&p.adapters);
    for info in list {
        table.remove(info.adapter_handle);
    }
}

/// Opens adapters and puts them into the caller's array; all or none.
fn open_into(p: &Process, adapters: &[Adapter], array: u64) -> Result<(), Failure> {
    let mut list = Vec::with_capacity(adapters.len());
    for &adapter in adapters {
        let handle = open(p, adapter).inspect_err(|_| unopen(p, &list))?;
        let adapter_luid = luid(p, adapter);
        list.push(AdapterInfo { adapter_handle: handle, adapter_luid, ..AdapterInfo::default() });
    }
    usermem::write_object(array, list.as_slice()).inspect_err(|_| unopen(p, &list))?;
    Ok(())
}

pub(super) fn open_from_luid(p: &Process, a: &mut OpenAdapterFromLuid) -> Answer {
    if let Some(adapter) = present(p).iter().find(|x| luid(p, **x) == a.adapter_luid) {
        a.adapter_handle = open(p, *adapter)?;
        return Ok(0);
    }
    // With anything in the output field an unknown LUID goes unnoticed.
    if p.config.quirks && !a.adapter_handle.is_null() {
        return Ok(0);
    }
    Err(Failure::EINVAL)
}

pub(super) fn enumerate2(p: &Process, a: &mut EnumAdapters2) -> Answer {
    let present = present(p);
    let listed = if present.contains(&Adapter::Gpu) { &[Adapter::Gpu][..] } else { &[] };
    // The total takes in adapters that the list leaves out.
    let total = if p.config.quirks { present.len() } else { listed.len() } as u32;
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
    open_into(p, listed, a.adapters)?;
    a.num_adapters = listed.len() as u32;
    Ok(0)
}

pub(super) fn enumerate3(p: &Process, a: &mut EnumAdapters3) -> Answer {
    let with_compute = a.filter.contains(EnumAdaptersFilter::INCLUDE_COMPUTE_ONLY);
    let all = present(p).iter().copied();
    let listed: Vec<Adapter> = all.filter(|x| with_compute || *x == Adapter::Gpu).collect();
    let total = listed.len() as u32;
    if a.adapters == 0 || a.adapter_count == 0 {
        a.adapter_count = total;
        return Ok(0);
    }
    if a.adapter_count > 65535 {
        return Err(Failure::EINVAL);
    }
    if a.adapter_count < total {
        if !p.config.quirks {
            return Err(Failure::EOVERFLOW);
        }
        // The handles are opened all the same, and nobody learns of them. (What the guest does to its own memory here
        // is not reproduced.)
        listed.iter().try_for_each(|x| open(p, *x).map(drop))?;
        a.adapter_count = total;
        return Ok(0);
    }
    open_into(p, &listed, a.adapters)?;
    a.adapter_count = total;
    Ok(0)
}

pub(super) fn close(p: &Process, a: &mut CloseAdapter) -> Answer {
    if a.adapter_handle.is_null() {
        return Ok(0);
    }
    let mut table = lock(&p.adapters);
    let adapter = table.remove(a.adapter_handle).ok_or(Failure::EINVAL)?;
    let last = table.count(Adapter::Gpu) == 0;
    drop(table);
    if last && adapter == Adapter::Gpu {
        p.destroy_devices();
    }
    Ok(0)
}
