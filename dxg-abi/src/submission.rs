//! Submission of commands.

use crate::macros::{abi_flags, abi_struct};
use crate::{Handle, SignalFlags};

abi_flags! {
    /// Options of a submission.
    "d3dkmt_submitcommandflags"
    pub struct SubmitCommandFlags(u32) {
        /// Discard the work.
        NULL_RENDERING: 0;
        /// Present was redirected.
        PRESENT_REDIRECTED: 1;
        /// Zero.
        RESERVED: 2, 30;
    }
}

abi_struct! {
    /// Submits a command buffer to software-scheduled contexts.
    "d3dkmt_submitcommand" [384]
    pub struct SubmitCommand {
        /// GPU virtual address of the commands.
        pub command_buffer: u64,
        /// Length of the commands, bytes.
        pub command_length: u32,
        /// Options.
        pub flags: SubmitCommandFlags,
        /// Zero.
        pub present_history_token: u64,
        /// Number of contexts, 1..=64.
        pub broadcast_context_count: u32,
        /// The contexts; the first decides.
        pub broadcast_context: [Handle; 64],
        /// Zero.
        pub reserved: u32,
        /// Address of vendor-defined data, in and out.
        pub priv_drv_data: u64,
        /// Size of that data, bytes; below 128 000 is safe.
        pub priv_drv_data_size: u32,
        /// Number of written primaries; keep 0.
        pub num_primaries: u32,
        /// Primaries written.
        pub written_primaries: [Handle; 16],
        /// Number of history buffers, ≤ 1024.
        pub num_history_buffers: u32,
        /// Zero.
        pub reserved1: u32,
        /// Address of an array of history-buffer handles.
        pub history_buffer_array: u64,
    }
}

abi_struct! {
    /// Submits a command buffer to a hardware queue.
    "d3dkmt_submitcommandtohwqueue" [56]
    pub struct SubmitCommandToHwQueue {
        /// Hardware queue handle.
        pub hwqueue: Handle,
        /// Zero.
        pub reserved: u32,
        /// Value of the progress fence once this command is done; strictly increasing.
        pub hwqueue_progress_fence_id: u64,
        /// GPU virtual address of the commands.
        pub command_buffer: u64,
        /// Length of the commands, bytes.
        pub command_length: u32,
        /// Size of that data, bytes; below 128 000 is safe.
        pub priv_drv_data_size: u32,
        /// Address of vendor-defined data, in and out.
        pub priv_drv_data: u64,
        /// Number of written primaries; keep 0.
        pub num_primaries: u32,
        /// Zero.
        pub reserved1: u32,
        /// Address of an array of primaries written.
        pub written_primaries: u64,
    }
}

abi_struct! {
    /// Makes a hardware queue wait until fences reach values.
    "d3dkmt_submitwaitforsyncobjectstohwqueue" [24]
    pub struct SubmitWaitForSyncObjectsToHwQueue {
        /// Hardware queue handle.
        pub hwqueue: Handle,
        /// Number of objects.
        pub object_count: u32,
        /// Address of an array of object handles.
        pub objects: u64,
        /// Address of an array of u64 values, one for each object.
        pub fence_values: u64,
    }
}

abi_struct! {
    /// Signals fences when hardware queues have finished their earlier work.
    "d3dkmt_submitsignalsyncobjectstohwqueue" [40]
    pub struct SubmitSignalSyncObjectsToHwQueue {
        /// Options.
        pub flags: SignalFlags,
        /// Number of queues, 1..=64.
        pub hwqueue_count: u32,
        /// Address of an array of queue handles.
        pub hwqueues: u64,
        /// Number of objects.
        pub object_count: u32,
        /// Zero.
        pub reserved: u32,
        /// Address of an array of object handles.
        pub objects: u64,
        /// Address of an array of u64 values, one for each object.
        pub fence_values: u64,
    }
}
