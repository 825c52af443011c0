//! The limits of the header, and those the kernel applies without naming them.

macro_rules! limits {
    ($( $(#[$m:meta])* $name:ident: $ty:ty = $value:literal, $header:literal; )*) => {
        $( $(#[$m])* pub const $name: $ty = $value; )*
        /// Header name and value of each limit.
        pub const LIMITS: &[(&str, u64)] = &[ $( ($header, $value) ),* ];
    };
}

limits! {
    /// Most primaries a submission can list.
    MAX_WRITTEN_PRIMARIES: u32 = 16, "D3DDDI_MAX_WRITTEN_PRIMARIES";
    /// Most allocations made or destroyed by one call.
    CREATE_ALLOCATION_MAX: u32 = 1024, "D3DKMT_CREATEALLOCATION_MAX";
    /// Most allocations made resident, evicted, offered or reclaimed by one call.
    MAKE_RESIDENT_ALLOC_MAX: u32 = 10240, "D3DKMT_MAKERESIDENT_ALLOC_MAX";
    /// Most adapters listed by one call.
    ADAPTERS_MAX: u32 = 64, "D3DKMT_ADAPTERS_MAX";
    /// Most contexts of one submission.
    MAX_BROADCAST_CONTEXT: u32 = 64, "D3DDDI_MAX_BROADCAST_CONTEXT";
    /// Most objects of one GPU wait.
    MAX_OBJECT_WAITED_ON: u32 = 32, "D3DDDI_MAX_OBJECT_WAITED_ON";
    /// Most objects of one signal from the CPU or a hardware queue.
    MAX_OBJECT_SIGNALED: u32 = 32, "D3DDDI_MAX_OBJECT_SIGNALED";
    /// Largest test command buffer, bytes.
    MAX_TEST_BUFFER_SIZE: u32 = 4096, "D3DDDI_MAXTESTBUFFERSIZE";
    /// Largest private data of a test command buffer, bytes.
    MAX_TEST_BUFFER_PRIVATE_DATA_SIZE: u32 = 1024, "D3DDDI_MAXTESTBUFFERPRIVATEDRIVERDATASIZE";
}

/// Most bytes of one private blob, 128 KiB; the message header counts too, so
/// a client stays below [`PRIVATE_DATA_SAFE`].
pub const PRIVATE_DATA_MAX: u32 = 131_072;
/// Private blobs below this size always fit into a message.
pub const PRIVATE_DATA_SAFE: u32 = 128_000;
/// Most operations of one UpdateGpuVirtualAddress.
pub const UPDATE_GPU_VA_OPERATIONS_MAX: u32 = 2048;
/// Bytes of a page; allocations are made of them, fences own one each.
pub const PAGE_SIZE: u64 = 4096;
/// Granularity of reservations of GPU virtual addresses, bytes.
pub const GPU_VA_RESERVE_ALIGN: u64 = 65_536;
