//! Paging queues, residency, priorities, offers.

use crate::macros::{abi_enum, abi_flags, abi_struct};
use crate::Handle;

abi_enum! {
    /// Priority of a paging queue.
    "d3dddi_pagingqueue_priority" "_D3DDDI_PAGINGQUEUE_PRIORITY_"
    pub struct PagingQueuePriority(i32) {
        BELOW_NORMAL = -1,
        NORMAL = 0,
        ABOVE_NORMAL = 1,
    }
}

abi_struct! {
    /// Creates a paging queue with its fence and maps the fence's page.
    "d3dkmt_createpagingqueue" [32]
    pub struct CreatePagingQueue {
        /// Device handle.
        pub device: Handle,
        /// Priority of the queue.
        pub priority: PagingQueuePriority,
        /// Out: the queue.
        pub paging_queue: Handle,
        /// Out: the queue's fence, a monitored fence that cannot be destroyed or shared.
        pub sync_object: Handle,
        /// Out: address of the fence's page in this process; the 64-bit value is at its start.
        pub fence_cpu_virtual_address: u64,
        /// Adapter in a linked group; 0 unless linked.
        pub physical_adapter_index: u32,
        /// Filler; zero.
        pub pad0: u32,
    }
}

abi_struct! {
    /// Destroys a paging queue.
    "d3dddi_destroypagingqueue" [4]
    pub struct DestroyPagingQueue {
        /// Paging queue handle.
        pub paging_queue: Handle,
    }
}

abi_flags! {
    /// Options of making allocations resident.
    "d3dddi_makeresident_flags"
    pub struct MakeResidentFlags(u32) {
        /// The caller has nothing left to evict.
        CANT_TRIM_FURTHER: 0;
        /// Put the device into error rather than fail.
        MUST_SUCCEED: 1;
        /// Zero.
        RESERVED: 2, 30;
    }
}

abi_struct! {
    /// Adds a residency reference to each allocation. ENOMEM writes nothing back.
    "d3dddi_makeresident" [48]
    pub struct MakeResident {
        /// Paging queue handle.
        pub paging_queue: Handle,
        /// Number of allocations.
        pub alloc_count: u32,
        /// Address of an array of allocation handles.
        pub allocation_list: u64,
        /// Not read.
        pub priority_list: u64,
        /// Options.
        pub flags: MakeResidentFlags,
        /// Filler; zero.
        pub pad0: u32,
        /// Out: value of the paging queue's fence at which this is complete.
        pub paging_fence_value: u64,
        /// Out: bytes over budget.
        pub num_bytes_to_trim: u64,
    }
}

abi_flags! {
    /// Options of an eviction.
    "d3dddi_evict_flags"
    pub struct EvictFlags(u32) {
        /// Keep what fits.
        EVICT_ONLY_IF_NECESSARY: 0;
        /// Content did not change since it became resident.
        NOT_WRITTEN_TO: 1;
        /// Zero.
        RESERVED: 2, 30;
    }
}

abi_struct! {
    /// Drops a residency reference from each allocation.
    "d3dkmt_evict" [32]
    pub struct Evict {
        /// Device handle.
        pub device: Handle,
        /// Number of allocations.
        pub alloc_count: u32,
        /// Address of an array of allocation handles.
        pub allocations: u64,
        /// Options.
        pub flags: EvictFlags,
        /// Zero.
        pub reserved: u32,
        /// Out: bytes over budget.
        pub num_bytes_to_trim: u64,
    }
}

abi_enum! {
    /// Where an allocation is.
    "d3dkmt_allocationresidencystatus" "_D3DKMT_ALLOCATIONRESIDENCYSTATUS_"
    pub struct AllocationResidencyStatus(u32) {
        RESIDENTINGPUMEMORY = 1,
        RESIDENTINSHAREDMEMORY = 2,
        NOTRESIDENT = 3,
    }
}

abi_struct! {
    /// Asks where allocations are.
    "d3dkmt_queryallocationresidency" [32]
    pub struct QueryAllocationResidency {
        /// Device handle.
        pub device: Handle,
        /// Resource handle, or 0.
        pub resource: Handle,
        /// Address of an array of allocation handles.
        pub allocations: u64,
        /// Number of allocations.
        pub allocation_count: u32,
        /// Zero.
        pub reserved: u32,
        /// Address of an array of [`AllocationResidencyStatus`].
        pub residency_status: u64,
    }
}

abi_struct! {
    /// Sets the residency priority of a resource or a list of allocations.
    "d3dkmt_setallocationpriority" [32]
    pub struct SetAllocationPriority {
        /// Device handle.
        pub device: Handle,
        /// Resource handle, or 0.
        pub resource: Handle,
        /// Address of an array of allocation handles.
        pub allocation_list: u64,
        /// Number of allocations.
        pub allocation_count: u32,
        /// Zero.
        pub reserved: u32,
        /// Address of an array of u32 priorities.
        pub priorities: u64,
    }
}

abi_struct! {
    /// Reads the residency priority of a resource or a list of allocations.
    "d3dkmt_getallocationpriority" [32]
    pub struct GetAllocationPriority {
        /// Device handle.
        pub device: Handle,
        /// Resource handle, or 0.
        pub resource: Handle,
        /// Address of an array of allocation handles.
        pub allocation_list: u64,
        /// Number of allocations.
        pub allocation_count: u32,
        /// Zero.
        pub reserved: u32,
        /// Address of an array of u32 priorities.
        pub priorities: u64,
    }
}

abi_enum! {
    /// How soon offered memory may go.
    "d3dkmt_offer_priority" "_D3DKMT_OFFER_PRIORITY_"
    pub struct OfferPriority(u32) {
        LOW = 1,
        NORMAL = 2,
        HIGH = 3,
        AUTO = 4,
    }
}

abi_flags! {
    /// Options of an offer.
    "d3dkmt_offer_flags"
    pub struct OfferFlags(u32) {
        /// Drop at once.
        OFFER_IMMEDIATELY: 0;
        /// May give the backing up.
        ALLOW_DECOMMIT: 1;
        /// Zero.
        RESERVED: 2, 30;
    }
}

abi_struct! {
    /// Says that the content of allocations may be dropped.
    "d3dkmt_offerallocations" [40]
    pub struct OfferAllocations {
        /// Device handle.
        pub device: Handle,
        /// Zero.
        pub reserved: u32,
        /// Address of an array of resource handles.
        pub resources: u64,
        /// Address of an array of allocation handles.
        pub allocations: u64,
        /// Number of allocations.
        pub allocation_count: u32,
        /// How soon the memory may go.
        pub priority: OfferPriority,
        /// Options.
        pub flags: OfferFlags,
        /// Zero.
        pub reserved1: u32,
    }
}

abi_enum! {
    /// What became of an offered allocation.
    "d3dddi_reclaim_result" "_D3DDDI_RECLAIM_RESULT_"
    pub struct ReclaimResult(u32) {
        OK = 0,
        DISCARDED = 1,
        NOT_COMMITTED = 2,
    }
}

abi_struct! {
    /// Takes offered allocations back. Always wait for the fence value: asking
    /// for results hides whether the call is pending.
    "d3dkmt_reclaimallocations2" [40]
    pub struct ReclaimAllocations2 {
        /// Paging queue handle.
        pub paging_queue: Handle,
        /// Number of entries, 1..=10240.
        pub allocation_count: u32,
        /// Address of an array of resource handles, or 0.
        pub resources: u64,
        /// Address of an array of allocation handles, or 0; exactly one of the two.
        pub allocations: u64,
        /// Address of an array of [`ReclaimResult`], or 0.
        pub results: u64,
        /// Out: fence value at which the content is back.
        pub paging_fence_value: u64,
    }
    alias "discarded": u64 = 24;
}

abi_flags! {
    /// Up to five memory segments in order of preference.
    "d3dddi_segmentpreference"
    pub struct SegmentPreference(u32) {
        /// First choice.
        SEGMENT_ID0: 0, 5;
        /// Allocate from the top of it.
        DIRECTION0: 5;
        /// Second choice.
        SEGMENT_ID1: 6, 5;
        /// Allocate from the top of it.
        DIRECTION1: 11;
        /// Third choice.
        SEGMENT_ID2: 12, 5;
        /// Allocate from the top of it.
        DIRECTION2: 17;
        /// Fourth choice.
        SEGMENT_ID3: 18, 5;
        /// Allocate from the top of it.
        DIRECTION3: 23;
        /// Fifth choice.
        SEGMENT_ID4: 24, 5;
        /// Allocate from the top of it.
        DIRECTION4: 29;
        /// Zero.
        RESERVED: 30, 2;
    }
}

abi_flags! {
    /// New access property of an allocation.
    "d3dddi_updateallocproperty_flags"
    pub struct UpdateAllocPropertyFlags(u32) {
        /// Accessed by physical address.
        ACCESSED_PHYSICALLY: 0;
        /// Zero.
        RESERVED: 1, 31;
    }
}

abi_flags! {
    /// Which properties to change.
    ""
    pub struct UpdateAllocPropertyMask(u32) {
        /// Change the access property.
        SET_ACCESSED_PHYSICALLY: 0;
        /// Change the allowed segments.
        SET_SUPPORTED_SEGMENTSET: 1;
        /// Change the preferences.
        SET_PREFERRED_SEGMENT: 2;
        /// Zero.
        RESERVED: 3, 29;
    }
}

abi_struct! {
    /// Changes segment preferences of an allocation.
    "d3dddi_updateallocproperty" [40]
    pub struct UpdateAllocProperty {
        /// Paging queue handle.
        pub paging_queue: Handle,
        /// Allocation handle.
        pub allocation: Handle,
        /// Mask of allowed segments.
        pub supported_segment_set: u32,
        /// Segments in order of preference.
        pub preferred_segment: SegmentPreference,
        /// New access property.
        pub flags: UpdateAllocPropertyFlags,
        /// Filler; zero.
        pub pad0: u32,
        /// Out, only when the call is pending: fence value at which it is done.
        pub paging_fence_value: u64,
        /// Which properties to change.
        pub property_mask_value: UpdateAllocPropertyMask,
        /// Filler; zero.
        pub pad1: u32,
    }
}
