//! GPU virtual addresses.

use crate::macros::{abi_enum, abi_flags, abi_struct};
use crate::Handle;

abi_enum! {
    /// What a reserved address does before it is mapped.
    "d3dddigpuva_reservation_type" "_D3DDDIGPUVA_RESERVE_"
    pub struct GpuVaReservationType(u32) {
        NO_ACCESS = 0,
        ZERO = 1,
        NO_COMMIT = 2,
    }
}

abi_flags! {
    /// Access to a GPU virtual address range.
    "d3dddigpuva_protection_type"
    pub struct GpuVaProtection(u64) {
        /// Writes allowed.
        WRITE: 0;
        /// Execution allowed.
        EXECUTE: 1;
        /// Reads give zero, writes are dropped.
        ZERO: 2;
        /// Access faults.
        NO_ACCESS: 3;
        /// Not for clients.
        SYSTEM_USE_ONLY: 4;
        /// Zero.
        RESERVED: 5, 59;
    }
}

abi_struct! {
    /// Reserves a range of GPU virtual addresses. Check `virtual_address`: no status comes
    /// back.
    "d3dddi_reservegpuvirtualaddress" [72]
    pub struct ReserveGpuVirtualAddress {
        /// Adapter *or* paging queue handle.
        pub adapter: Handle,
        /// Filler; zero.
        pub pad0: u32,
        /// Wanted GPU virtual address, or 0 for any.
        pub base_address: u64,
        /// Lowest address to search from.
        pub minimum_address: u64,
        /// End of the search, exclusive; 0 for no limit.
        pub maximum_address: u64,
        /// Size in bytes.
        pub size: u64,
        /// What the addresses do before they are mapped.
        pub reservation_type: GpuVaReservationType,
        /// Filler; zero.
        pub pad1: u32,
        /// Opaque to the kernel.
        pub driver_protection: u64,
        /// Out: start of the range.
        pub virtual_address: u64,
        /// Never written.
        pub paging_fence_value: u64,
    }
}

abi_struct! {
    /// Maps an allocation, or nothing, into the GPU virtual address space.
    "d3dddi_mapgpuvirtualaddress" [104]
    pub struct MapGpuVirtualAddress {
        /// Paging queue handle.
        pub paging_queue: Handle,
        /// Filler; zero.
        pub pad0: u32,
        /// Wanted GPU virtual address, or 0 for any.
        pub base_address: u64,
        /// Lowest address to search from.
        pub minimum_address: u64,
        /// End of the search, exclusive; 0 for no limit.
        pub maximum_address: u64,
        /// Allocation handle.
        pub allocation: Handle,
        /// Filler; zero.
        pub pad1: u32,
        /// Offset in the allocation, 4 KiB pages.
        pub offset_in_pages: u64,
        /// Size, 4 KiB pages; 0 for the rest of the allocation.
        pub size_in_pages: u64,
        /// Access.
        pub protection: GpuVaProtection,
        /// Opaque to the kernel.
        pub driver_protection: u64,
        /// Zero.
        pub reserved0: u32,
        /// Filler; zero.
        pub pad2: u32,
        /// Zero.
        pub reserved1: u64,
        /// Out: start of the range.
        pub virtual_address: u64,
        /// Out: value of the paging queue's fence at which this is complete.
        pub paging_fence_value: u64,
    }
}

abi_struct! {
    /// Frees reserved or mapped GPU virtual addresses.
    "d3dkmt_freegpuvirtualaddress" [24]
    pub struct FreeGpuVirtualAddress {
        /// Adapter handle.
        pub adapter: Handle,
        /// Zero.
        pub reserved: u32,
        /// Start of the range.
        pub base_address: u64,
        /// Size in bytes.
        pub size: u64,
    }
}

abi_enum! {
    /// Kind of address-space operation.
    "d3dddi_updategpuvirtualaddress_operation_type" "_D3DDDI_UPDATEGPUVIRTUALADDRESS_"
    pub struct UpdateGpuVirtualAddressOperationType(u32) {
        MAP = 0,
        UNMAP = 1,
        COPY = 2,
        MAP_PROTECT = 3,
    }
}

abi_struct! {
    /// Maps an allocation.
    "" [40]
    pub struct GpuVaMap {
        /// Start of the range.
        pub base_address: u64,
        /// Size in bytes.
        pub size: u64,
        /// Allocation to map.
        pub allocation: Handle,
        /// Filler; zero.
        pub pad0: u32,
        /// Start in the allocation, bytes.
        pub allocation_offset: u64,
        /// Bytes of the allocation to map; the range repeats them.
        pub allocation_size: u64,
    }
}

abi_struct! {
    /// Maps an allocation with a protection.
    "" [56]
    pub struct GpuVaMapProtect {
        /// Start of the range.
        pub base_address: u64,
        /// Size in bytes.
        pub size: u64,
        /// Allocation to map.
        pub allocation: Handle,
        /// Filler; zero.
        pub pad0: u32,
        /// Start in the allocation, bytes.
        pub allocation_offset: u64,
        /// Bytes of the allocation to map; the range repeats them.
        pub allocation_size: u64,
        /// Access.
        pub protection: GpuVaProtection,
        /// Opaque to the kernel.
        pub driver_protection: u64,
    }
}

abi_struct! {
    /// Unmaps a range.
    "" [24]
    pub struct GpuVaUnmap {
        /// Start of the range.
        pub base_address: u64,
        /// Size in bytes.
        pub size: u64,
        /// What the addresses do afterwards: zero or no access.
        pub protection: GpuVaProtection,
    }
}

abi_struct! {
    /// Copies the mapping of a range to another.
    "" [24]
    pub struct GpuVaCopy {
        /// Start of the range to copy from.
        pub source_address: u64,
        /// Size in bytes.
        pub size: u64,
        /// Start of the range to copy to.
        pub dest_address: u64,
    }
}

abi_struct! {
    /// One operation of [`UpdateGpuVirtualAddress`].
    "d3dddi_updategpuvirtualaddress_operation" [64]
    pub struct UpdateGpuVirtualAddressOperation {
        /// Kind of operation.
        pub operation: UpdateGpuVirtualAddressOperationType,
        /// Filler; zero.
        pub pad0: u32,
        /// Parameters of the largest kind; see the accessors for the others.
        pub map_protect: GpuVaMapProtect,
    }
    /// Parameters of [`UpdateGpuVirtualAddressOperationType::MAP`].
    view map / set_map: GpuVaMap = 8;
    /// Parameters of [`UpdateGpuVirtualAddressOperationType::UNMAP`].
    view unmap / set_unmap: GpuVaUnmap = 8;
    /// Parameters of [`UpdateGpuVirtualAddressOperationType::COPY`].
    view copy / set_copy: GpuVaCopy = 8;
}

abi_flags! {
    /// Options of a batch of address-space operations.
    ""
    pub struct UpdateGpuVirtualAddressFlags(u32) {
        /// Do not wait for the fence.
        DO_NOT_WAIT: 0;
        /// Zero.
        RESERVED: 1, 31;
    }
}

abi_struct! {
    /// Queues address-space operations behind a context: wait until the fence
    /// reaches `fence_value`, apply, signal `fence_value + 1`. The field itself
    /// comes back unchanged.
    "d3dkmt_updategpuvirtualaddress" [56]
    pub struct UpdateGpuVirtualAddress {
        /// Device handle.
        pub device: Handle,
        /// Context handle.
        pub context: Handle,
        /// Monitored fence handle.
        pub fence_object: Handle,
        /// Number of operations, 1..=2048.
        pub num_operations: u32,
        /// Address of an array of [`UpdateGpuVirtualAddressOperation`].
        pub operations: u64,
        /// Zero.
        pub reserved0: u32,
        /// Zero.
        pub reserved1: u32,
        /// Zero.
        pub reserved2: u64,
        /// Value to wait for first.
        pub fence_value: u64,
        /// Options.
        pub flags: UpdateGpuVirtualAddressFlags,
        /// Zero.
        pub reserved3: u32,
    }
}
