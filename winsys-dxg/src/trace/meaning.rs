//! What fields mean to somebody who compares: which values are names that differ from run to run.

use dxg_abi::layout::{Kind, Layout, TypeLayout};
use dxg_abi::{Handle, Luid, UpdateGpuVirtualAddressOperationType as Operation};

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A handle; of an adapter, if true.
    Handle(bool),
    /// A LUID.
    Luid,
    /// A GPU virtual address.
    Address,
    /// Something of the process: an address, a descriptor. Only whether it is there counts.
    Place,
    /// Differs from run to run, and nothing follows from it.
    Volatile,
    /// A value.
    Value,
}

/// GPU virtual addresses.
const ADDRESSES: &[&str] = &[
    "virtual_address",
    "base_address",
    "command_buffer",
    "gpu_virtual_address",
    "gpu_va",
    "source_address",
    "dest_address",
    "fence_gpu_virtual_address",
    "queue_progress_fence_gpu_va",
    "fence_value_gpu_va",
    "faulted_virtual_address",
];

/// Addresses and descriptors of the process.
const PLACES: &[&str] = &[
    "adapters",
    "private_data",
    "sysmem",
    "priv_drv_data",
    "private_runtime_data",
    "private_runtime_resource_handle",
    "standard_allocation",
    "allocation_info",
    "allocations",
    "allocation_list",
    "patch_location_list",
    "priority_list",
    "priorities",
    "residency_status",
    "resources",
    "results",
    "data",
    "objects",
    "contexts",
    "hwqueues",
    "operations",
    "fence_values",
    "monitored_fence_values",
    "history_buffer_array",
    "written_primaries",
    "object_attr",
    "shared_handle",
    "nt_handle",
    "sync_file_handle",
    "open_alloc_info",
    "resource_priv_drv_data",
    "total_priv_drv_data",
    "keyed_mutex_private_data",
    "dma_buffer",
    "dma_buffer_priv_data",
    "buffer",
    "event",
    "async_event",
    "fence_cpu_virtual_address",
    "queue_progress_fence_cpu_va",
    "fence_value_cpu_va",
    "object_vail_nt_handle",
];

/// Clocks, budgets, and counts of the host's paging.
const VOLATILE: &[&str] = &[
    "paging_fence_value",
    "gpu_frequency",
    "gpu_clock_counter",
    "cpu_clock_counter",
    "budget",
    "current_usage",
    "current_reservation",
    "available_for_reservation",
    "num_bytes_to_trim",
    "minimum_address",
    "maximum_address",
];

/// What a field of this name and type holds.
pub(crate) fn of(name: &str, ty: &TypeLayout) -> Meaning {
    if ty.header == Handle::LAYOUT.header {
        return Meaning::Handle(matches!(name, "adapter" | "adapter_handle"));
    }
    if ty.header == Luid::LAYOUT.header {
        return Meaning::Luid;
    }
    let among = |list: &[&str]| list.contains(&name);
    match ty.size {
        8 if among(ADDRESSES) => Meaning::Address,
        8 if among(PLACES) => Meaning::Place,
        8 if among(VOLATILE) => Meaning::Volatile,
        _ => Meaning::Value,
    }
}

/// For a batch entry of address operations: the structure that its operation makes of it, with its offset.
pub fn operation_view(ty: &TypeLayout, bytes: &[u8]) -> Option<(usize, &'static TypeLayout)> {
    if ty.name != "UpdateGpuVirtualAddressOperation" {
        return None;
    }
    let Kind::Struct { fields, views } = &ty.kind else { return None };
    let word: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    let name = match Operation(u32::from_le_bytes(word)) {
        Operation::MAP => "map",
        Operation::UNMAP => "unmap",
        Operation::COPY => "copy",
        _ => "map_protect",
    };
    fields.iter().chain(views.iter()).find(|f| f.name == name).map(|f| (f.offset, f.ty))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::pointers::pointers;
    use dxg_abi::Ioctl;

    fn names(ty: &TypeLayout, out: &mut Vec<(&'static str, usize)>) {
        let Kind::Struct { fields, views } = &ty.kind else { return };
        for f in fields.iter().chain(views.iter()) {
            out.push((f.name, f.ty.size));
            names(f.ty, out);
        }
    }

    #[test]
    fn the_lists_name_fields_that_exist() {
        let mut all = Vec::new();
        for ioctl in Ioctl::ALL {
            names(ioctl.layout(), &mut all);
            for p in pointers(*ioctl) {
                names(p.element, &mut all);
            }
        }
        let unused = ["dma_buffer", "dma_buffer_priv_data", "faulted_virtual_address"];
        for name in ADDRESSES.iter().chain(PLACES).chain(VOLATILE).filter(|n| !unused.contains(n)) {
            assert!(all.contains(&(name, 8)), "{name}");
        }
    }

    #[test]
    fn every_pointer_is_a_place() {
        for ioctl in Ioctl::ALL {
            for p in pointers(*ioctl) {
                let place = of(p.field, <u64 as Layout>::LAYOUT) == Meaning::Place;
                assert!(place, "{ioctl}.{}", p.field);
                for inner in p.nested {
                    assert_eq!(of(inner.field, <u64 as Layout>::LAYOUT), Meaning::Place, "{}", inner.field);
                }
            }
        }
    }
}
