//! Synchronisation objects: creation, signals, waits.

use crate::macros::{abi_enum, abi_flags, abi_struct};
use crate::Handle;

abi_enum! {
    /// Kind of synchronisation object.
    "d3dddi_synchronizationobject_type" "_D3DDDI_"
    pub struct SynchronizationObjectType(u32) {
        SYNCHRONIZATION_MUTEX = 1,
        SEMAPHORE = 2,
        FENCE = 3,
        CPU_NOTIFICATION = 4,
        MONITORED_FENCE = 5,
        PERIODIC_MONITORED_FENCE = 6,
        SYNCHRONIZATION_TYPE_LIMIT = 7,
    }
}

abi_flags! {
    /// Options of a synchronisation object.
    "d3dddi_synchronizationobject_flags"
    pub struct SynchronizationObjectFlags(u32) {
        /// Shareable.
        SHARED: 0;
        /// Share through file descriptors; mandatory with `SHARED`.
        NT_SECURITY_SHARING: 1;
        /// Usable by other adapters.
        CROSS_ADAPTER: 2;
        /// Signal at the top of the pipeline.
        TOP_OF_PIPELINE: 3;
        /// This handle does not signal.
        NO_SIGNAL: 4;
        /// This handle does not wait.
        NO_WAIT: 5;
        /// Do not jump to all-ones when the device is lost.
        NO_SIGNAL_MAX_VALUE_ON_TDR: 6;
        /// Not mapped for the GPU.
        NO_GPU_ACCESS: 7;
        /// Zero.
        RESERVED: 8, 23;
    }
}

abi_struct! {
    /// Parameters of a mutex.
    "" [4]
    pub struct SyncMutex {
        /// Non-zero: owned from the start.
        pub initial_state: u32,
    }
}

abi_struct! {
    /// Parameters of a counting semaphore.
    "" [8]
    pub struct SyncSemaphore {
        /// Highest count.
        pub max_count: u32,
        /// Count at the start.
        pub initial_count: u32,
    }
}

abi_struct! {
    /// Parameters of a legacy fence.
    "" [8]
    pub struct SyncFence {
        /// Value.
        pub fence_value: u64,
    }
}

abi_struct! {
    /// Parameters of a CPU notification object.
    "" [8]
    pub struct SyncCpuNotification {
        /// In: eventfd number; out: an internal id, so keep a copy.
        pub event: u64,
    }
}

abi_struct! {
    /// Parameters of a monitored fence.
    "" [32]
    pub struct SyncMonitoredFence {
        /// Value at the start.
        pub initial_fence_value: u64,
        /// Out: address of the fence's page in this process; the 64-bit value is at its start.
        pub fence_cpu_virtual_address: u64,
        /// Out: GPU virtual address of the fence value.
        pub fence_gpu_virtual_address: u64,
        /// Mask of engines of the node, or 0.
        pub engine_affinity: u32,
        /// Filler; zero.
        pub pad0: u32,
    }
}

abi_struct! {
    /// Parameters of a periodic monitored fence.
    "" [40]
    pub struct SyncPeriodicMonitoredFence {
        /// Adapter handle.
        pub adapter: Handle,
        /// Display target.
        pub vidpn_target_id: u32,
        /// Offset to the vertical sync, 100 ns.
        pub time: u64,
        /// Out: address of the fence's page in this process; the 64-bit value is at its start.
        pub fence_cpu_virtual_address: u64,
        /// Out: GPU virtual address of the fence value.
        pub fence_gpu_virtual_address: u64,
        /// Mask of engines of the node, or 0.
        pub engine_affinity: u32,
        /// Filler; zero.
        pub pad0: u32,
    }
}

abi_struct! {
    /// Kind and parameters of a synchronisation object.
    "d3dddi_synchronizationobjectinfo2" [80]
    pub struct SynchronizationObjectInfo2 {
        /// Kind.
        pub r#type: SynchronizationObjectType,
        /// Options.
        pub flags: SynchronizationObjectFlags,
        /// Parameters of the kind; see the accessors.
        pub parameters: [u64; 8] = "reserved",
        /// Out: the host's global handle; of no use to a client.
        pub shared_handle: Handle,
        /// Filler; zero.
        pub pad0: u32,
    }
    /// Parameters of a mutex.
    view synchronization_mutex / set_synchronization_mutex: SyncMutex = 8;
    /// Parameters of a counting semaphore.
    view semaphore / set_semaphore: SyncSemaphore = 8;
    /// Parameters of a legacy fence.
    view fence / set_fence: SyncFence = 8;
    /// Parameters of a CPU notification object.
    view cpu_notification / set_cpu_notification: SyncCpuNotification = 8;
    /// Parameters of a monitored fence.
    view monitored_fence / set_monitored_fence: SyncMonitoredFence = 8;
    /// Parameters of a periodic monitored fence.
    view periodic_monitored_fence / set_periodic_monitored_fence: SyncPeriodicMonitoredFence = 8;
}

abi_struct! {
    /// Creates a synchronisation object; fences get a page mapped. The whole structure is
    /// written back.
    "d3dkmt_createsynchronizationobject2" [96]
    pub struct CreateSynchronizationObject2 {
        /// Device handle.
        pub device: Handle,
        /// Zero.
        pub reserved: u32,
        /// Kind and parameters.
        pub info: SynchronizationObjectInfo2,
        /// Out: the object.
        pub sync_object: Handle,
        /// Zero.
        pub reserved1: u32,
    }
}

abi_struct! {
    /// Destroys a synchronisation object and unmaps its page.
    "d3dkmt_destroysynchronizationobject" [4]
    pub struct DestroySynchronizationObject {
        /// Synchronisation object handle.
        pub sync_object: Handle,
    }
}

abi_flags! {
    /// Options of a signal.
    "d3dddicb_signalflags"
    pub struct SignalFlags(u32) {
        /// Signal when submitted, not when done.
        SIGNAL_AT_SUBMISSION: 0;
        /// Raise an eventfd instead of signalling objects.
        ENQUEUE_CPU_EVENT: 1;
        /// The value may go backwards.
        ALLOW_FENCE_REWIND: 2;
        /// Zero.
        RESERVED: 3, 28;
        /// Not for clients.
        DXGK_SIGNAL_FLAG_INTERNAL0: 31;
    }
}

abi_struct! {
    /// Legacy GPU signal, or the request for a CPU event.
    "d3dkmt_signalsynchronizationobject2" [464]
    pub struct SignalSynchronizationObject2 {
        /// Context handle.
        pub context: Handle,
        /// Number of objects, ≤ 32.
        pub object_count: u32,
        /// Object handles.
        pub object_array: [Handle; 32],
        /// Options.
        pub flags: SignalFlags,
        /// Number of further contexts, ≤ 63.
        pub context_count: u32,
        /// Further context handles.
        pub contexts: [Handle; 64],
        /// Value to signal.
        pub fence: SyncFence,
        /// Filler; zero.
        pub pad0: [u64; 7],
    }
    /// eventfd number, with [`SignalFlags::ENQUEUE_CPU_EVENT`].
    view cpu_event_handle / set_cpu_event_handle: u64 = 400;
    alias "reserved": [u64; 8] = 400;
}

abi_struct! {
    /// Sets fences to values from the CPU.
    "d3dkmt_signalsynchronizationobjectfromcpu" [32]
    pub struct SignalSynchronizationObjectFromCpu {
        /// Device handle.
        pub device: Handle,
        /// Number of objects.
        pub object_count: u32,
        /// Address of an array of object handles.
        pub objects: u64,
        /// Address of an array of u64 values, one for each object.
        pub fence_values: u64,
        /// Options.
        pub flags: SignalFlags,
        /// Filler; zero.
        pub pad0: u32,
    }
}

abi_struct! {
    /// Signals fences when a context has finished its earlier work.
    "d3dkmt_signalsynchronizationobjectfromgpu" [80]
    pub struct SignalSynchronizationObjectFromGpu {
        /// Context handle.
        pub context: Handle,
        /// Number of objects.
        pub object_count: u32,
        /// Address of an array of object handles.
        pub objects: u64,
        /// Address of an array of u64 values, one for each object.
        pub monitored_fence_values: u64,
        /// Filler; zero.
        pub pad0: [u64; 7],
    }
    alias "reserved": [u64; 8] = 16;
}

abi_struct! {
    /// Like [`SignalSynchronizationObjectFromGpu`], for several contexts, or
    /// raising an eventfd instead.
    "d3dkmt_signalsynchronizationobjectfromgpu2" [96]
    pub struct SignalSynchronizationObjectFromGpu2 {
        /// Number of objects; 0 with [`SignalFlags::ENQUEUE_CPU_EVENT`].
        pub object_count: u32,
        /// Zero.
        pub reserved1: u32,
        /// Address of an array of object handles.
        pub objects: u64,
        /// Options.
        pub flags: SignalFlags,
        /// Number of contexts.
        pub context_count: u32,
        /// Address of an array of context handles.
        pub contexts: u64,
        /// Address of an array of u64 values, one for each object.
        pub monitored_fence_values: u64,
        /// Filler; zero.
        pub pad0: [u64; 7],
    }
    /// Value for legacy fences, in place of the address.
    view fence_value / set_fence_value: u64 = 32;
    /// eventfd number, with [`SignalFlags::ENQUEUE_CPU_EVENT`].
    view cpu_event_handle / set_cpu_event_handle: u64 = 32;
    alias "reserved": [u64; 8] = 32;
}

abi_struct! {
    /// Legacy GPU wait. Pass exactly one object.
    "d3dkmt_waitforsynchronizationobject2" [200]
    pub struct WaitForSynchronizationObject2 {
        /// Context handle.
        pub context: Handle,
        /// Number of objects, 1..=32.
        pub object_count: u32,
        /// Object handles.
        pub object_array: [Handle; 32],
        /// Value to wait for.
        pub fence: SyncFence,
        /// Filler; zero.
        pub pad0: [u64; 7],
    }
    alias "reserved": [u64; 8] = 136;
}

abi_flags! {
    /// Options of a CPU wait.
    "d3dddi_waitforsynchronizationobjectfromcpu_flags"
    pub struct WaitFromCpuFlags(u32) {
        /// One object is enough.
        WAIT_ANY: 0;
        /// Zero.
        RESERVED: 1, 31;
    }
}

abi_struct! {
    /// Waits on the CPU until fences reach values: blocking without a timeout, or by an
    /// eventfd.
    "d3dkmt_waitforsynchronizationobjectfromcpu" [40]
    pub struct WaitForSynchronizationObjectFromCpu {
        /// Device handle.
        pub device: Handle,
        /// Number of objects.
        pub object_count: u32,
        /// Address of an array of object handles.
        pub objects: u64,
        /// Address of an array of u64 values, one for each object.
        pub fence_values: u64,
        /// eventfd number, or 0 to block.
        pub async_event: u64,
        /// Options.
        pub flags: WaitFromCpuFlags,
        /// Filler; zero.
        pub pad0: u32,
    }
}

abi_struct! {
    /// Makes a context wait until fences reach values. At most 32 objects. The
    /// type of the first object decides whether values are read from the array
    /// or the one legacy value is.
    "d3dkmt_waitforsynchronizationobjectfromgpu" [80]
    pub struct WaitForSynchronizationObjectFromGpu {
        /// Context handle.
        pub context: Handle,
        /// Number of objects, 1..=32.
        pub object_count: u32,
        /// Address of an array of object handles.
        pub objects: u64,
        /// Address of an array of u64 values, one for each object.
        pub monitored_fence_values: u64,
        /// Filler; zero.
        pub pad0: [u64; 7],
    }
    /// Value of a legacy fence, in place of the address.
    view fence_value / set_fence_value: u64 = 16;
    alias "reserved": [u64; 8] = 16;
}
