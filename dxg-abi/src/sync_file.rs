//! Linux sync files.

use crate::macros::abi_struct;
use crate::Handle;

abi_struct! {
    /// Makes a Linux sync_file that signals when a fence reaches a value.
    "d3dkmt_createsyncfile" [24]
    pub struct CreateSyncFile {
        /// Device handle.
        pub device: Handle,
        /// Monitored fence handle.
        pub monitored_fence: Handle,
        /// Value of the fence.
        pub fence_value: u64,
        /// File descriptor of the sync_file.
        pub sync_file_handle: u64,
    }
}

abi_struct! {
    /// Makes a context wait for a sync_file of this driver. A fence that is not shared is
    /// silently not waited for.
    "d3dkmt_waitsyncfile" [16]
    pub struct WaitSyncFile {
        /// File descriptor of the sync_file.
        pub sync_file_handle: u64,
        /// Context handle.
        pub context: Handle,
        /// Zero.
        pub reserved: u32,
    }
}

abi_struct! {
    /// Opens the fence behind a sync_file of this driver. A fence that is not shared is
    /// silently not opened.
    "d3dkmt_opensyncobjectfromsyncfile" [40]
    pub struct OpenSyncObjectFromSyncFile {
        /// File descriptor of the sync_file.
        pub sync_file_handle: u64,
        /// Device handle.
        pub device: Handle,
        /// Out: the object; 0 for failure.
        pub syncobj: Handle,
        /// Value of the fence.
        pub fence_value: u64,
        /// Out: address of the fence's page in this process.
        pub fence_value_cpu_va: u64,
        /// Out: GPU virtual address of the fence value.
        pub fence_value_gpu_va: u64,
    }
}
