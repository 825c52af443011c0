//! Escapes, statistics, process lists.

use crate::macros::{abi_enum, abi_flags, abi_struct};
use crate::{Handle, Luid};

abi_enum! {
    /// Receiver of an escape.
    "d3dkmt_escapetype" "_D3DKMT_ESCAPE_"
    pub struct EscapeType(u32) {
        DRIVERPRIVATE = 0,
        VIDMM = 1,
        VIDSCH = 3,
        DEVICE = 4,
        DRT_TEST = 8,
    }
}

abi_flags! {
    /// Options of an escape.
    "d3dddi_escapeflags"
    pub struct EscapeFlags(u32) {
        /// Wakes the GPU and serialises.
        HARDWARE_ACCESS: 0;
        /// Device status query.
        DEVICE_STATUS_QUERY: 1;
        /// Changes the frame latency.
        CHANGE_FRAME_LATENCY: 2;
        /// No adapter-wide lock.
        NO_ADAPTER_SYNCHRONIZATION: 3;
        /// Zero.
        RESERVED: 4;
        /// Data of a virtual machine.
        VIRTUAL_MACHINE_DATA: 5;
        /// First word is a [`KnownEscapeType`].
        DRIVER_KNOWN_ESCAPE: 6;
        /// Common to all drivers.
        DRIVER_COMMON_ESCAPE: 7;
        /// Zero.
        RESERVED2: 8, 24;
    }
}

abi_struct! {
    /// Vendor and diagnostic channel to the host's drivers.
    "d3dkmt_escape" [32]
    pub struct Escape {
        /// Adapter handle.
        pub adapter: Handle,
        /// Device handle.
        pub device: Handle,
        /// Kind.
        pub r#type: EscapeType,
        /// Options.
        pub flags: EscapeFlags,
        /// Address of vendor-defined data, in and out.
        pub priv_drv_data: u64,
        /// Size of that data, bytes; below 128 000 is safe.
        pub priv_drv_data_size: u32,
        /// Context handle.
        pub context: Handle,
    }
}

abi_enum! {
    /// First word of an escape flagged `DRIVER_KNOWN_ESCAPE`.
    "d3dddi_knownescapetype" "_D3DDDI_DRIVERESCAPETYPE_"
    pub struct KnownEscapeType(u32) {
        TRANSLATEALLOCATIONHANDLE = 0,
        TRANSLATERESOURCEHANDLE = 1,
        CPUEVENTUSAGE = 2,
        BUILDTESTCOMMANDBUFFER = 3,
    }
}

abi_struct! {
    /// Known escape: handle translation; a no-op here, as handles are the host's.
    "d3dddi_translate_allocation_handle" [8]
    pub struct TranslateAllocationHandle {
        /// Kind of known escape.
        pub escape_type: KnownEscapeType,
        /// Allocation handle.
        pub allocation: Handle,
    }
}

abi_struct! {
    /// Body of a test command.
    "d3dddi_testcommand" [72]
    pub struct TestCommand {
        /// Command bytes.
        pub buffer: [u8; 72],
    }
}

abi_struct! {
    /// Known escape: build a test command buffer.
    "d3dddi_buildtestcommandbuffer" [112]
    pub struct BuildTestCommandBuffer {
        /// Kind of known escape.
        pub escape_type: KnownEscapeType,
        /// Device handle.
        pub device: Handle,
        /// Context handle.
        pub context: Handle,
        /// Options of the test.
        pub flags: u32,
        /// Command to build.
        pub command: TestCommand,
        /// Address of the buffer to fill.
        pub dma_buffer: u64,
        /// Address of the private data to fill.
        pub dma_buffer_priv_data: u64,
        /// Size of the buffer, bytes.
        pub dma_buffer_size: u32,
        /// Size of the private data, bytes.
        pub dma_buffer_priv_data_size: u32,
    }
}

abi_enum! {
    /// Kind of statistics.
    "d3dkmt_querystatistics_type" "_D3DKMT_QUERYSTATISTICS_"
    pub struct QueryStatisticsType(u32) {
        ADAPTER = 0,
        PROCESS = 1,
        PROCESS_ADAPTER = 2,
        SEGMENT = 3,
        PROCESS_SEGMENT = 4,
        NODE = 5,
        PROCESS_NODE = 6,
        VIDPNSOURCE = 7,
        PROCESS_VIDPNSOURCE = 8,
        PROCESS_SEGMENT_GROUP = 9,
        PHYSICAL_ADAPTER = 10,
    }
}

abi_struct! {
    /// Result of a statistics query; its shape depends on the kind.
    "d3dkmt_querystatistics_result" [776]
    pub struct QueryStatisticsResult {
        /// The bytes.
        pub bytes: [u8; 776] = "size",
    }
}

abi_struct! {
    /// Reads statistics by LUID, without an adapter handle. An unknown LUID is
    /// not reported: pre-fill the result to notice.
    "d3dkmt_querystatistics" [808]
    pub struct QueryStatistics {
        /// Kind of statistics.
        pub r#type: QueryStatisticsType,
        /// LUID of the adapter.
        pub adapter_luid: Luid,
        /// Filler; zero.
        pub pad0: u32,
        /// 0 for this process, else a pid in the caller's namespace.
        pub process: u64,
        /// Out: the result.
        pub result: QueryStatisticsResult,
        /// Which segment, node or source, for the kinds that have several.
        pub query_element: u32 = "",
        /// Filler; zero.
        pub pad1: u32,
    }
    alias "size": [u8; 808] = 0;
}

abi_struct! {
    /// Lists the processes that use an adapter.
    "d3dkmt_enumprocesses" [24]
    pub struct EnumProcesses {
        /// LUID of the adapter.
        pub adapter_luid: Luid,
        /// Address of an array of u32 process ids.
        pub buffer: u64,
        /// Entries in the array; out, low 32 bits only: entries there are.
        pub buffer_count: u64,
    }
}
