//! Allocations and resources, and their mapping for the CPU.

use crate::macros::{abi_enum, abi_flags, abi_struct};
use crate::Handle;

abi_flags! {
    /// Options of an allocation or resource.
    "d3dkmt_createallocationflags"
    pub struct CreateAllocationFlags(u32) {
        /// Make a resource that owns the allocations.
        CREATE_RESOURCE: 0;
        /// Make it shareable; needs `CREATE_RESOURCE` and `NT_SECURITY_SHARING`.
        CREATE_SHARED: 1;
        /// Not secure.
        NON_SECURE: 2;
        /// Refused by the guest.
        CREATE_PROTECTED: 3;
        /// Restrict who may open it.
        RESTRICT_SHARED_ACCESS: 4;
        /// Backed by memory of the caller; set by the guest when addresses are given.
        EXISTING_SYSMEM: 5;
        /// Share through file descriptors.
        NT_SECURITY_SHARING: 6;
        /// Pin the caller's memory without write intent.
        READ_ONLY: 7;
        /// CPU view is write-combined.
        CREATE_WRITE_COMBINED: 8;
        /// CPU view is cached.
        CREATE_CACHED: 9;
        /// Is a back buffer.
        SWAP_CHAIN_BACK_BUFFER: 10;
        /// Usable by other adapters.
        CROSS_ADAPTER: 11;
        /// Opens another adapter's.
        OPEN_CROSS_ADAPTER: 12;
        /// Partially shared.
        PARTIAL_SHARED_CREATION: 13;
        /// Content starts as zeros.
        ZEROED: 14;
        /// Track writes.
        WRITE_WATCH: 15;
        /// Described by a [`CreateStandardAllocation`] instead of vendor data.
        STANDARD_ALLOCATION: 16;
        /// Refused by the guest.
        EXISTING_SECTION: 17;
        /// Zero.
        RESERVED: 18, 14;
    }
}

abi_flags! {
    /// Options of one allocation.
    ""
    pub struct AllocationInfo2Flags(u32) {
        /// Is a primary.
        PRIMARY: 0;
        /// Is stereo.
        STEREO: 1;
        /// Use the given residency priority.
        OVERRIDE_PRIORITY: 2;
        /// Zero.
        RESERVED: 3, 29;
    }
}

abi_struct! {
    /// One allocation to create.
    "d3dddi_allocationinfo2" [96]
    pub struct AllocationInfo2 {
        /// Out: the allocation.
        pub allocation: Handle,
        /// Filler; zero.
        pub pad0: u32,
        /// Address of page-aligned memory of the caller to use as backing, or 0. All
        /// allocations of a call have it or none.
        pub sysmem: u64,
        /// Address of vendor-defined data, in and out.
        pub priv_drv_data: u64,
        /// Size of that data, bytes.
        pub priv_drv_data_size: u32,
        /// Display source.
        pub vidpn_source_id: u32,
        /// Options.
        pub flags: AllocationInfo2Flags,
        /// Filler; zero.
        pub pad1: u32,
        /// Not written.
        pub gpu_virtual_address: u64,
        /// Residency priority, with `OVERRIDE_PRIORITY`.
        pub priority: u32,
        /// Filler; zero.
        pub pad2: u32,
        /// Zero.
        pub reserved: [u64; 5],
    }
    alias "unused": u64 = 48;
}

abi_struct! {
    /// Creates allocations, alone or in a resource. The whole call is rolled
    /// back on failure, but handles may have been written before.
    "d3dkmt_createallocation" [72]
    pub struct CreateAllocation {
        /// Device handle.
        pub device: Handle,
        /// In: resource to add to; out: the new one with `CREATE_RESOURCE`.
        pub resource: Handle,
        /// Out: 0 in practice.
        pub global_share: Handle,
        /// Zero.
        pub reserved: u32,
        /// Address of data kept for openers of a shared resource.
        pub private_runtime_data: u64,
        /// Its size, bytes.
        pub private_runtime_data_size: u32,
        /// Zero.
        pub reserved1: u32,
        /// Address of vendor-defined data of the resource.
        pub priv_drv_data: u64,
        /// Size of that data, bytes.
        pub priv_drv_data_size: u32,
        /// Number of allocations, 1..=1024.
        pub alloc_count: u32,
        /// Address of an array of [`AllocationInfo2`].
        pub allocation_info: u64,
        /// Options.
        pub flags: CreateAllocationFlags,
        /// Zero.
        pub reserved2: u32,
        /// Opaque to the kernel.
        pub private_runtime_resource_handle: u64,
    }
    /// Address of a [`CreateStandardAllocation`], with
    /// [`CreateAllocationFlags::STANDARD_ALLOCATION`]; shares its place with
    /// `priv_drv_data`.
    view standard_allocation / set_standard_allocation: u64 = 32;
}

abi_enum! {
    /// Kind of standard allocation.
    "d3dkmt_standardallocationtype" "_D3DKMT_STANDARDALLOCATIONTYPE_"
    pub struct StandardAllocationType(u32) {
        EXISTINGHEAP = 1,
        CROSSADAPTER = 2,
    }
}

abi_struct! {
    /// Size of a heap of existing system memory.
    "d3dkmt_standardallocation_existingheap" [8]
    pub struct StandardAllocationExistingHeap {
        /// Size in bytes.
        pub size: u64,
    }
}

abi_flags! {
    /// Options of a standard allocation; none are defined.
    "d3dkmt_createstandardallocationflags"
    pub struct CreateStandardAllocationFlags(u32) {
        /// Zero.
        RESERVED: 0, 32;
    }
}

abi_struct! {
    /// Describes an allocation that needs no vendor data.
    "d3dkmt_createstandardallocation" [24]
    pub struct CreateStandardAllocation {
        /// Kind.
        pub r#type: StandardAllocationType,
        /// Zero.
        pub reserved: u32,
        /// Parameters of the heap.
        pub existing_heap_data: StandardAllocationExistingHeap,
        /// Options.
        pub flags: CreateStandardAllocationFlags,
        /// Zero.
        pub reserved1: u32,
    }
}

abi_flags! {
    /// Options of destroying allocations.
    "d3dddicb_destroyallocation2flags"
    pub struct DestroyAllocation2Flags(u32) {
        /// The caller knows that the GPU is finished with it.
        ASSUME_NOT_IN_USE: 0;
        /// Return after the memory is gone.
        SYNCHRONOUS_DESTROY: 1;
        /// Zero.
        RESERVED: 2, 29;
        /// Not for clients.
        SYSTEM_USE_ONLY: 31;
    }
}

abi_struct! {
    /// Destroys a resource or a list of allocations: exactly one of the two.
    "d3dkmt_destroyallocation2" [24]
    pub struct DestroyAllocation2 {
        /// Device handle.
        pub device: Handle,
        /// Resource handle, or 0.
        pub resource: Handle,
        /// Address of an array of allocation handles.
        pub allocations: u64,
        /// Number of allocations.
        pub alloc_count: u32,
        /// Options.
        pub flags: DestroyAllocation2Flags,
    }
}

abi_flags! {
    /// Options of a lock; none are defined.
    "d3dddicb_lock2flags"
    pub struct Lock2Flags(u32) {
        /// Zero.
        RESERVED: 0, 32;
    }
}

abi_struct! {
    /// Maps an allocation for the CPU. Locks nest.
    "d3dkmt_lock2" [24]
    pub struct Lock2 {
        /// Device handle.
        pub device: Handle,
        /// Allocation handle.
        pub allocation: Handle,
        /// Options.
        pub flags: Lock2Flags,
        /// Zero.
        pub reserved: u32,
        /// Out: address of the mapping.
        pub data: u64,
    }
}

abi_struct! {
    /// Undoes one [`Lock2`].
    "d3dkmt_unlock2" [8]
    pub struct Unlock2 {
        /// Device handle.
        pub device: Handle,
        /// Allocation handle.
        pub allocation: Handle,
    }
}

abi_struct! {
    /// Invalidates CPU caches of a locked range.
    "d3dkmt_invalidatecache" [24]
    pub struct InvalidateCache {
        /// Device handle.
        pub device: Handle,
        /// Allocation handle.
        pub allocation: Handle,
        /// Start of the range, bytes.
        pub offset: u64,
        /// Length of the range, bytes.
        pub length: u64,
    }
}
