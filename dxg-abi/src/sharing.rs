//! Sharing of objects through file descriptors.

use crate::macros::abi_struct;
use crate::{Handle, SynchronizationObjectFlags};

abi_struct! {
    /// Makes a file descriptor for a shared object.
    "d3dkmt_shareobjects" [40]
    pub struct ShareObjects {
        /// Number of objects.
        pub object_count: u32,
        /// Zero.
        pub reserved: u32,
        /// Address of an array of object handles.
        pub objects: u64,
        /// Ignored.
        pub object_attr: u64,
        /// Ignored.
        pub desired_access: u32,
        /// Zero.
        pub reserved1: u32,
        /// Address of a u64 that receives the file descriptor.
        pub shared_handle: u64,
    }
}

abi_struct! {
    /// Where an opened monitored fence is.
    "" [24]
    pub struct OpenedMonitoredFence {
        /// Out: address of the fence's page in this process.
        pub fence_value_cpu_va: u64,
        /// Out: GPU virtual address of the fence value.
        pub fence_value_gpu_va: u64,
        /// Mask of engines of the node, or 0.
        pub engine_affinity: u32,
        /// Filler; zero.
        pub pad0: u32,
    }
}

abi_struct! {
    /// Opens a shared synchronisation object from a file descriptor. The whole
    /// structure is written back.
    "d3dkmt_opensyncobjectfromnthandle2" [88]
    pub struct OpenSyncObjectFromNtHandle2 {
        /// File descriptor.
        pub nt_handle: u64,
        /// Device handle.
        pub device: Handle,
        /// Options.
        pub flags: SynchronizationObjectFlags,
        /// Out: the object.
        pub sync_object: Handle,
        /// Zero.
        pub reserved1: u32,
        /// Out: where the fence is.
        pub monitored_fence: OpenedMonitoredFence,
        /// Filler; zero.
        pub pad0: [u64; 5],
    }
    alias "reserved": [u64; 8] = 24;
}

abi_struct! {
    /// Sizes needed to open a shared resource.
    "d3dkmt_queryresourceinfofromnthandle" [40]
    pub struct QueryResourceInfoFromNtHandle {
        /// Device handle.
        pub device: Handle,
        /// Zero.
        pub reserved: u32,
        /// File descriptor.
        pub nt_handle: u64,
        /// Address of data kept for openers of a shared resource.
        pub private_runtime_data: u64,
        /// Its size, bytes.
        pub private_runtime_data_size: u32,
        /// Size of all allocations' vendor data, bytes.
        pub total_priv_drv_data_size: u32,
        /// Size of the resource's vendor data, bytes.
        pub resource_priv_drv_data_size: u32,
        /// Number of allocations.
        pub allocation_count: u32,
    }
}

abi_struct! {
    /// One allocation of a resource being opened.
    "d3dddi_openallocationinfo2" [80]
    pub struct OpenAllocationInfo2 {
        /// Allocation handle.
        pub allocation: Handle,
        /// Filler; zero.
        pub pad0: u32,
        /// Address of vendor-defined data, in and out.
        pub priv_drv_data: u64,
        /// Size of that data, bytes; below 128 000 is safe.
        pub priv_drv_data_size: u32,
        /// Filler; zero.
        pub pad1: u32,
        /// Not written.
        pub gpu_va: u64,
        /// Zero.
        pub reserved: [u64; 6],
    }
}

abi_struct! {
    /// Opens a shared resource from a file descriptor. `resource` 0 afterwards is a failure.
    "d3dkmt_openresourcefromnthandle" [104]
    pub struct OpenResourceFromNtHandle {
        /// Device handle.
        pub device: Handle,
        /// Zero.
        pub reserved: u32,
        /// File descriptor.
        pub nt_handle: u64,
        /// Number of allocations.
        pub allocation_count: u32,
        /// Zero.
        pub reserved1: u32,
        /// Address of an array of [`OpenAllocationInfo2`].
        pub open_alloc_info: u64,
        /// Its size, bytes.
        pub private_runtime_data_size: i32,
        /// Zero.
        pub reserved2: u32,
        /// Address of data kept for openers of a shared resource.
        pub private_runtime_data: u64,
        /// Size of the resource's vendor data, bytes.
        pub resource_priv_drv_data_size: u32,
        /// Zero.
        pub reserved3: u32,
        /// Address for the resource's vendor data.
        pub resource_priv_drv_data: u64,
        /// Size of all allocations' vendor data, bytes.
        pub total_priv_drv_data_size: u32,
        /// Filler; zero.
        pub pad0: u32,
        /// Address for all allocations' vendor data.
        pub total_priv_drv_data: u64,
        /// Out: the resource, or 0 for failure.
        pub resource: Handle,
        /// Unused; keyed mutexes do not exist here.
        pub keyed_mutex: Handle,
        /// Unused.
        pub keyed_mutex_private_data: u64,
        /// Unused.
        pub keyed_mutex_private_data_size: u32,
        /// Unused; keyed mutexes do not exist here.
        pub sync_object: Handle,
    }
}

abi_struct! {
    /// Makes a host handle for an object.
    "d3dkmt_shareobjectwithhost" [24]
    pub struct ShareObjectWithHost {
        /// Device handle.
        pub device_handle: Handle,
        /// Object handle.
        pub object_handle: Handle,
        /// Zero.
        pub reserved: u64,
        /// Out: the host's handle.
        pub object_vail_nt_handle: u64,
    }
}
