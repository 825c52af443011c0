//! Contexts, hardware queues and their priorities.

use crate::macros::{abi_enum, abi_flags, abi_struct};
use crate::Handle;

abi_enum! {
    /// Which API a context serves.
    "d3dkmt_clienthint" "_D3DKMT_CLIENTHINT_"
    pub struct ClientHint(u32) {
        UNKNOWN("_D3DKMT_CLIENTHNT_UNKNOWN") = 0,
        OPENGL = 1,
        CDD = 2,
        OPENCL = 3,
        VULKAN = 4,
        CUDA = 5,
        RESERVED = 6,
        DX7 = 7,
        DX8 = 8,
        DX9 = 9,
        DX10 = 10,
        DX11 = 11,
        DX12 = 12,
        DX9_ON_12("_D3DKMT_CLIENTHINT_9ON12") = 13,
        DX11_ON_12("_D3DKMT_CLIENTHINT_11ON12") = 14,
        MFT_ENCODE = 15,
        GLON12 = 16,
        CLON12 = 17,
        DML_TENSORFLOW = 18,
        ONEAPI_LEVEL0 = 19,
    }
}

abi_flags! {
    /// Options of a context.
    "d3dddi_createcontextflags"
    pub struct CreateContextFlags(u32) {
        /// Discard the work.
        NULL_RENDERING: 0;
        /// The private data is initial context state.
        INITIAL_DATA: 1;
        /// Lifts the limit on the run time of a command.
        DISABLE_GPU_TIMEOUT: 2;
        /// The context only waits and signals.
        SYNCHRONIZATION_ONLY: 3;
        /// Hardware queues will be made on the context.
        HW_QUEUE_SUPPORTED: 4;
        /// Zero.
        RESERVED: 5, 27;
    }
}

abi_struct! {
    /// Creates a context: a FIFO of submissions that address memory by GPU virtual address.
    "d3dkmt_createcontextvirtual" [40]
    pub struct CreateContextVirtual {
        /// Device handle.
        pub device: Handle,
        /// Engine ("node") of the adapter.
        pub node_ordinal: u32,
        /// Mask of engines of the node, or 0.
        pub engine_affinity: u32,
        /// Options.
        pub flags: CreateContextFlags,
        /// Address of vendor-defined data, in and out.
        pub priv_drv_data: u64,
        /// Size of that data, bytes; below 128 000 is safe.
        pub priv_drv_data_size: u32,
        /// The API served.
        pub client_hint: ClientHint,
        /// Out: the context.
        pub context: Handle,
        /// Filler; zero.
        pub pad0: u32,
    }
}

abi_struct! {
    /// Destroys a context and its hardware queues.
    "d3dkmt_destroycontext" [4]
    pub struct DestroyContext {
        /// Context handle.
        pub context: Handle,
    }
}

abi_flags! {
    /// Options of a hardware queue.
    "d3dddi_createhwqueueflags"
    pub struct CreateHwQueueFlags(u32) {
        /// Lifts the limit on the run time of a command.
        DISABLE_GPU_TIMEOUT: 0;
        /// Zero.
        RESERVED: 1, 31;
    }
}

abi_struct! {
    /// Creates a hardware queue on a context made for it, with its progress fence.
    "d3dkmt_createhwqueue" [48]
    pub struct CreateHwQueue {
        /// Context handle.
        pub context: Handle,
        /// Options.
        pub flags: CreateHwQueueFlags,
        /// Size of that data, bytes; below 128 000 is safe.
        pub priv_drv_data_size: u32,
        /// Zero.
        pub reserved: u32,
        /// Address of vendor-defined data, in and out.
        pub priv_drv_data: u64,
        /// Out: the queue.
        pub queue: Handle,
        /// Out: the progress fence, a monitored fence that cannot be destroyed or shared.
        pub queue_progress_fence: Handle,
        /// Out: address of the progress fence's page in this process.
        pub queue_progress_fence_cpu_va: u64,
        /// Out: GPU virtual address of the progress fence.
        pub queue_progress_fence_gpu_va: u64,
    }
}

abi_struct! {
    /// Destroys a hardware queue.
    "d3dkmt_destroyhwqueue" [4]
    pub struct DestroyHwQueue {
        /// Hardware queue handle.
        pub queue: Handle,
    }
}

abi_struct! {
    /// Sets a context's priority.
    "d3dkmt_setcontextschedulingpriority" [8]
    pub struct SetContextSchedulingPriority {
        /// Context handle.
        pub context: Handle,
        /// Priority, −7..=7.
        pub priority: i32,
    }
}

abi_struct! {
    /// Sets a context's priority among those of the process.
    "d3dkmt_setcontextinprocessschedulingpriority" [8]
    pub struct SetContextInProcessSchedulingPriority {
        /// Context handle.
        pub context: Handle,
        /// Priority, −7..=7.
        pub priority: i32,
    }
}

abi_struct! {
    /// Reads a context's priority.
    "d3dkmt_getcontextschedulingpriority" [8]
    pub struct GetContextSchedulingPriority {
        /// Context handle.
        pub context: Handle,
        /// Priority, −7..=7.
        pub priority: i32,
    }
}

abi_struct! {
    /// Reads a context's priority among those of the process.
    "d3dkmt_getcontextinprocessschedulingpriority" [8]
    pub struct GetContextInProcessSchedulingPriority {
        /// Context handle.
        pub context: Handle,
        /// Priority, −7..=7.
        pub priority: i32,
    }
}
