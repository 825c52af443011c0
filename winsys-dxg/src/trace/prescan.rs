//! What only the rest of a recording tells: how large allocations are that vendor data describes.

use super::format::{Buffer, Record, Trace};
use super::tracker::{decode, list};
use dxg_abi::{
    AllocationInfo2, CreateAllocation, CreateAllocationFlags, CreateStandardAllocation, Handle, Ioctl,
    MapGpuVirtualAddress, OpenAllocationInfo2, PAGE_SIZE,
};
use std::collections::HashMap;

/// Bytes of each allocation, by the record that made it and its place there.
pub(crate) type Sizes = HashMap<(usize, usize), u64>;

/// What a request did, if it is one of the table that succeeded.
fn succeeded(record: &Record) -> Option<(Ioctl, &[u8], &[Buffer])> {
    match record {
        Record::Ioctl(r) if r.result >= 0 => {
            let ioctl = Ioctl::from_request(r.request)?;
            (r.before.len() >= ioctl.arg_size()).then_some((ioctl, r.before.as_slice(), r.buffers.as_slice()))
        }
        Record::Ioctl(_) | Record::Pages(_) | Record::Check(_) | Record::Process(_) => None,
    }
}

/// Finds the sizes: as declared for standard allocations, else as far as anything maps them.
pub(crate) fn sizes(trace: &Trace) -> Sizes {
    let mut out = Sizes::new();
    let mut current: HashMap<Handle, (usize, usize)> = HashMap::new();
    for (at, record) in trace.records.iter().enumerate() {
        let Some((ioctl, arg, buffers)) = succeeded(record) else { continue };
        let mut grow = |handle: Handle, size: u64, current: &HashMap<Handle, (usize, usize)>| {
            if let Some(size_now) = current.get(&handle).and_then(|key| out.get_mut(key)) {
                *size_now = size.max(*size_now);
            }
        };
        match ioctl {
            Ioctl::CreateAllocation => {
                let a: CreateAllocation = decode(arg);
                let standard = a.flags.contains(CreateAllocationFlags::STANDARD_ALLOCATION);
                let declared = list::<CreateStandardAllocation>(buffers, 2, false);
                let size = declared.first().filter(|_| standard).map_or(0, |s| s.existing_heap_data.size);
                for (i, info) in list::<AllocationInfo2>(buffers, 3, true).iter().enumerate() {
                    current.insert(info.allocation, (at, i));
                    out.insert((at, i), size);
                }
            }
            Ioctl::OpenResourceFromNtHandle => {
                for (i, info) in list::<OpenAllocationInfo2>(buffers, 0, true).iter().enumerate() {
                    current.insert(info.allocation, (at, i));
                    out.insert((at, i), 0);
                }
            }
            Ioctl::MapGpuVirtualAddress => {
                let a: MapGpuVirtualAddress = decode(arg);
                let pages = a.offset_in_pages.saturating_add(a.size_in_pages);
                grow(a.allocation, pages.saturating_mul(PAGE_SIZE), &current);
            }
            _ => {}
        }
    }
    out
}
