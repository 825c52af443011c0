//! Which fields of which arguments point to what: the table by which a request is recorded and
//! repeated without a line of code of its own.

use dxg_abi::layout::{Field, Kind, Layout, TypeLayout};
use dxg_abi::{
    AdapterInfo, AllocationInfo2, CreateAllocationFlags, CreateStandardAllocation, Handle, Ioctl, OpenAllocationInfo2,
    SignalFlags, UpdateGpuVirtualAddressOperation,
};

/// How many elements there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    /// As many as this field says.
    Field(&'static str),
    /// As many as this field says, one if it says zero.
    AtLeastOne(&'static str),
    /// One.
    One,
}

/// When the field is a pointer at all.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// Always, unless it is zero.
    Always,
    /// If these bits of `flags` are set.
    Set(u32),
    /// If they are not.
    Clear(u32),
}

/// One pointer field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pointer {
    /// The field (or view) of the structure.
    pub(crate) field: &'static str,
    /// What it points to; vendor data is bytes.
    pub(crate) element: &'static TypeLayout,
    pub(crate) count: Count,
    pub(crate) when: When,
    /// Pointers inside each element.
    pub(crate) nested: &'static [Pointer],
}

const fn array(field: &'static str, element: &'static TypeLayout, count: &'static str) -> Pointer {
    Pointer { field, element, count: Count::Field(count), when: When::Always, nested: &[] }
}

const fn bytes(field: &'static str, count: &'static str) -> Pointer {
    array(field, u8::LAYOUT, count)
}

const fn handles(field: &'static str, count: &'static str) -> Pointer {
    array(field, Handle::LAYOUT, count)
}

const fn values(field: &'static str, count: &'static str) -> Pointer {
    array(field, u64::LAYOUT, count)
}

const fn at_least_one(field: &'static str, element: &'static TypeLayout, count: &'static str) -> Pointer {
    Pointer { field, element, count: Count::AtLeastOne(count), when: When::Always, nested: &[] }
}

const PRIVATE: &[Pointer] = &[bytes("priv_drv_data", "priv_drv_data_size")];

const STANDARD: u32 = CreateAllocationFlags::STANDARD_ALLOCATION.0;

/// The pointers of a request's argument.
pub(crate) fn pointers(ioctl: Ioctl) -> &'static [Pointer] {
    match ioctl {
        Ioctl::CreateContextVirtual | Ioctl::Escape | Ioctl::CreateHwQueue => PRIVATE,
        Ioctl::CreateAllocation => {
            const P: &[Pointer] = &[
                bytes("private_runtime_data", "private_runtime_data_size"),
                Pointer { when: When::Clear(STANDARD), ..bytes("priv_drv_data", "priv_drv_data_size") },
                Pointer {
                    field: "standard_allocation",
                    element: CreateStandardAllocation::LAYOUT,
                    count: Count::One,
                    when: When::Set(STANDARD),
                    nested: &[],
                },
                Pointer { nested: PRIVATE, ..array("allocation_info", AllocationInfo2::LAYOUT, "alloc_count") },
            ];
            P
        }
        Ioctl::QueryAdapterInfo => const { &[bytes("private_data", "private_data_size")] },
        Ioctl::MakeResident => const { &[handles("allocation_list", "alloc_count")] },
        Ioctl::SubmitCommand => {
            const P: &[Pointer] =
                &[bytes("priv_drv_data", "priv_drv_data_size"), handles("history_buffer_array", "num_history_buffers")];
            P
        }
        Ioctl::DestroyAllocation2 | Ioctl::Evict => const { &[handles("allocations", "alloc_count")] },
        Ioctl::EnumAdapters2 => const { &[array("adapters", AdapterInfo::LAYOUT, "num_adapters")] },
        Ioctl::EnumAdapters3 => const { &[array("adapters", AdapterInfo::LAYOUT, "adapter_count")] },
        Ioctl::OfferAllocations => {
            const P: &[Pointer] =
                &[handles("resources", "allocation_count"), handles("allocations", "allocation_count")];
            P
        }
        Ioctl::QueryAllocationResidency => {
            const P: &[Pointer] = &[
                handles("allocations", "allocation_count"),
                at_least_one("residency_status", u32::LAYOUT, "allocation_count"),
            ];
            P
        }
        Ioctl::ReclaimAllocations2 => {
            const P: &[Pointer] = &[
                handles("resources", "allocation_count"),
                handles("allocations", "allocation_count"),
                array("results", u32::LAYOUT, "allocation_count"),
            ];
            P
        }
        Ioctl::SetAllocationPriority | Ioctl::GetAllocationPriority => {
            const P: &[Pointer] = &[
                handles("allocation_list", "allocation_count"),
                at_least_one("priorities", u32::LAYOUT, "allocation_count"),
            ];
            P
        }
        Ioctl::SignalSynchronizationObjectFromCpu
        | Ioctl::WaitForSynchronizationObjectFromCpu
        | Ioctl::SubmitWaitForSyncObjectsToHwQueue => {
            const P: &[Pointer] = &[handles("objects", "object_count"), values("fence_values", "object_count")];
            P
        }
        // The value array of a wait is taken for one also where a legacy fence makes it a
        // single value: that cannot be told from the argument, and a value is a bad address.
        Ioctl::SignalSynchronizationObjectFromGpu | Ioctl::WaitForSynchronizationObjectFromGpu => {
            const P: &[Pointer] =
                &[handles("objects", "object_count"), values("monitored_fence_values", "object_count")];
            P
        }
        Ioctl::SignalSynchronizationObjectFromGpu2 => {
            const P: &[Pointer] = &[
                handles("objects", "object_count"),
                handles("contexts", "context_count"),
                Pointer {
                    when: When::Clear(SignalFlags::ENQUEUE_CPU_EVENT.0),
                    ..values("monitored_fence_values", "object_count")
                },
            ];
            P
        }
        Ioctl::SubmitCommandToHwQueue => {
            const P: &[Pointer] =
                &[bytes("priv_drv_data", "priv_drv_data_size"), handles("written_primaries", "num_primaries")];
            P
        }
        Ioctl::SubmitSignalSyncObjectsToHwQueue => {
            const P: &[Pointer] = &[
                handles("hwqueues", "hwqueue_count"),
                handles("objects", "object_count"),
                values("fence_values", "object_count"),
            ];
            P
        }
        Ioctl::UpdateGpuVirtualAddress => {
            const { &[array("operations", UpdateGpuVirtualAddressOperation::LAYOUT, "num_operations")] }
        }
        Ioctl::ShareObjects => {
            const P: &[Pointer] = &[
                handles("objects", "object_count"),
                Pointer { count: Count::One, ..values("shared_handle", "object_count") },
            ];
            P
        }
        Ioctl::OpenResourceFromNtHandle => {
            const P: &[Pointer] = &[
                array("open_alloc_info", OpenAllocationInfo2::LAYOUT, "allocation_count"),
                bytes("private_runtime_data", "private_runtime_data_size"),
                bytes("resource_priv_drv_data", "resource_priv_drv_data_size"),
                bytes("total_priv_drv_data", "total_priv_drv_data_size"),
            ];
            P
        }
        Ioctl::EnumProcesses => const { &[array("buffer", u32::LAYOUT, "buffer_count")] },
        // No pointers, or none that the kernel reads or writes through.
        Ioctl::OpenAdapterFromLuid
        | Ioctl::CreateDevice
        | Ioctl::DestroyContext
        | Ioctl::CreatePagingQueue
        | Ioctl::ReserveGpuVirtualAddress
        | Ioctl::QueryVideoMemoryInfo
        | Ioctl::MapGpuVirtualAddress
        | Ioctl::GetDeviceState
        | Ioctl::CreateSynchronizationObject2
        | Ioctl::SignalSynchronizationObject2
        | Ioctl::WaitForSynchronizationObject2
        | Ioctl::CloseAdapter
        | Ioctl::ChangeVideoMemoryReservation
        | Ioctl::DestroyDevice
        | Ioctl::DestroyHwQueue
        | Ioctl::DestroyPagingQueue
        | Ioctl::DestroySynchronizationObject
        | Ioctl::FlushHeapTransitions
        | Ioctl::FreeGpuVirtualAddress
        | Ioctl::GetContextInProcessSchedulingPriority
        | Ioctl::GetContextSchedulingPriority
        | Ioctl::InvalidateCache
        | Ioctl::Lock2
        | Ioctl::MarkDeviceAsError
        | Ioctl::SetContextInProcessSchedulingPriority
        | Ioctl::SetContextSchedulingPriority
        | Ioctl::Unlock2
        | Ioctl::UpdateAllocProperty
        | Ioctl::QueryClockCalibration
        | Ioctl::OpenSyncObjectFromNtHandle2
        | Ioctl::QueryResourceInfoFromNtHandle
        | Ioctl::QueryStatistics
        | Ioctl::ShareObjectWithHost
        | Ioctl::CreateSyncFile
        | Ioctl::WaitSyncFile
        | Ioctl::OpenSyncObjectFromSyncFile
        | Ioctl::IsFeatureEnabled => &[],
    }
}

/// The field or view of a structure with this name.
pub(crate) fn field(ty: &TypeLayout, name: &str) -> Option<&'static Field> {
    match &ty.kind {
        Kind::Struct { fields, views } => fields.iter().chain(views.iter()).find(|f| f.name == name),
        Kind::Integer { .. } | Kind::Flags { .. } | Kind::Enum { .. } => None,
    }
}

/// The unsigned number in a field; 0 for one that is not there.
pub(crate) fn number(ty: &TypeLayout, bytes: &[u8], name: &str) -> u64 {
    let Some(f) = field(ty, name) else { return 0 };
    let mut word = [0u8; 8];
    let n = f.size.min(8);
    let Some(part) = bytes.get(f.offset..f.offset + n) else { return 0 };
    word[..n].copy_from_slice(part);
    u64::from_le_bytes(word)
}

impl Pointer {
    /// Address and element count, if the field of this structure is a pointer and not null.
    pub(crate) fn target(&self, ty: &TypeLayout, bytes: &[u8]) -> Option<(u64, u64)> {
        let flags = number(ty, bytes, "flags") as u32;
        let applies = match self.when {
            When::Always => true,
            When::Set(mask) => flags & mask == mask,
            When::Clear(mask) => flags & mask == 0,
        };
        let address = number(ty, bytes, self.field);
        let count = match self.count {
            Count::Field(f) => number(ty, bytes, f),
            Count::AtLeastOne(f) => number(ty, bytes, f).max(1),
            Count::One => 1,
        };
        (applies && address != 0 && count != 0).then_some((address, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ty: &TypeLayout, pointers: &[Pointer]) {
        for p in pointers {
            let f = field(ty, p.field).unwrap_or_else(|| panic!("{} has no {}", ty.name, p.field));
            assert_eq!(f.size, 8, "{}.{}", ty.name, p.field);
            match p.count {
                Count::Field(c) | Count::AtLeastOne(c) => {
                    assert!(field(ty, c).is_some(), "{} has no {c}", ty.name);
                }
                Count::One => {}
            }
            check(p.element, p.nested);
        }
    }

    #[test]
    fn the_table_names_fields_that_exist() {
        for ioctl in Ioctl::ALL {
            check(ioctl.layout(), pointers(*ioctl));
        }
    }

    /// Addresses that a request returns: they are not followed.
    const RETURNED: &[&str] =
        &["fence_cpu_virtual_address", "queue_progress_fence_cpu_va", "fence_value_cpu_va", "data"];
    /// Addresses that the kernel neither reads nor writes through, or that stand for something
    /// else: application memory is followed as an allocation.
    const UNUSED: &[&str] = &[
        "CreateDevice.command_buffer",
        "CreateDevice.allocation_list",
        "CreateDevice.patch_location_list",
        "AllocationInfo2.sysmem",
        "MakeResident.priority_list",
        "ReclaimAllocations2.discarded",
        "ShareObjects.object_attr",
        "OpenResourceFromNtHandle.keyed_mutex_private_data",
        "OpenAllocationInfo2.priv_drv_data",
        "QueryResourceInfoFromNtHandle.private_runtime_data",
    ];

    fn fields(members: &serde_json::Value, out: &mut Vec<String>) {
        for m in members.as_array().into_iter().flatten() {
            if m.get("pointer_to").is_some() {
                out.push(m["name"].as_str().expect("name").to_owned());
            }
            fields(&m["members"], out);
        }
    }

    fn complete(ty: &TypeLayout, table: &[Pointer], structs: &serde_json::Value) {
        let all = structs.as_array().expect("structs");
        let Some(s) = all.iter().find(|s| s["name"] == ty.header) else { return };
        let mut names = Vec::new();
        fields(&s["fields"], &mut names);
        for name in names {
            let known = table.iter().any(|p| p.field == name)
                || RETURNED.contains(&name.as_str())
                || UNUSED.contains(&format!("{}.{name}", ty.name).as_str());
            assert!(known, "{}.{name} is not in the table", ty.name);
        }
        for p in table {
            complete(p.element, p.nested, structs);
        }
    }

    #[test]
    fn the_table_has_every_pointer_of_the_header() {
        let text = include_str!("../../../dxg-abi/tests/data/dxg-abi.json");
        let data: serde_json::Value = serde_json::from_str(text).expect("JSON");
        for ioctl in Ioctl::ALL {
            complete(ioctl.layout(), pointers(*ioctl), &data["structs"]);
        }
    }
}
