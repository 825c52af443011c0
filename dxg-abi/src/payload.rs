//! Payloads of [`QueryAdapterInfo`](crate::QueryAdapterInfo), which the Linux
//! header leaves opaque. Their names are those of the Windows headers, field
//! names are in snake case. Strings are UTF-16, zero-terminated.

use crate::macros::{abi_enum, abi_flags, abi_struct};

abi_struct! {
    /// Type 1: user-mode driver file name for a version of the interface.
    "D3DKMT_UMDFILENAMEINFO" [524]
    pub struct UmdFileNameInfo {
        /// In: version, 3 for D3D12.
        pub version: u32,
        /// Out: file name.
        pub umd_file_name: [u16; 260],
    }
}

abi_struct! {
    /// Type 3: memory sizes.
    "D3DKMT_SEGMENTSIZEINFO" [24]
    pub struct SegmentSizeInfo {
        /// The GPU's own memory, bytes.
        pub dedicated_video_memory_size: u64,
        /// System memory set aside, bytes.
        pub dedicated_system_memory_size: u64,
        /// System memory that may be shared, bytes.
        pub shared_system_memory_size: u64,
    }
}

abi_struct! {
    /// Type 42: memory sizes by segment group.
    "D3DKMT_SEGMENTGROUPSIZEINFO" [56]
    pub struct SegmentGroupSizeInfo {
        /// In: adapter in a linked group.
        pub physical_adapter_index: u32,
        /// Filler; zero.
        pub pad0: u32,
        /// The same as type 3 gives.
        pub legacy_info: SegmentSizeInfo,
        /// Local memory, bytes.
        pub local_memory: u64,
        /// Non-local memory, bytes.
        pub non_local_memory: u64,
        /// Memory outside budgets, bytes.
        pub non_budget_memory: u64,
    }
}

abi_struct! {
    /// Types 6 and 53: bus address.
    "D3DKMT_ADAPTERADDRESS" [12]
    pub struct AdapterAddress {
        /// Bus.
        pub bus_number: u32,
        /// Device.
        pub device_number: u32,
        /// Function.
        pub function_number: u32,
    }
}

abi_struct! {
    /// Types 8 and 54: names from the host's registry.
    "D3DKMT_ADAPTERREGISTRYINFO" [2080]
    pub struct AdapterRegistryInfo {
        /// Adapter.
        pub adapter_string: [u16; 260],
        /// BIOS.
        pub bios_string: [u16; 260],
        /// DAC.
        pub dac_type: [u16; 260],
        /// Chip.
        pub chip_type: [u16; 260],
    }
}

abi_flags! {
    /// Type 24: capabilities of WDDM 2.0.
    #[repr(packed)]
    "D3DKMT_WDDM_2_0_CAPS"
    pub struct Wddm20Caps(u32) {
        /// 64-bit atomics.
        SUPPORT_64_BIT_ATOMICS: 0;
        /// GPU virtual addresses by the GPU's own tables.
        GPU_MMU_SUPPORTED: 1;
        /// GPU virtual addresses by an IOMMU.
        IO_MMU_SUPPORTED: 2;
        /// Display property.
        FLIP_OVERWRITE_SUPPORTED: 3;
        /// Display property.
        SUPPORT_CONTEXTLESS_PRESENT: 4;
        /// May be removed at any time.
        SUPPORT_SURPRISE_REMOVAL: 5;
        /// Zero.
        RESERVED: 6, 26;
    }
}

abi_flags! {
    /// Type 70: capabilities of WDDM 2.7.
    #[repr(packed)]
    "D3DKMT_WDDM_2_7_CAPS"
    pub struct Wddm27Caps(u32) {
        /// Hardware scheduling is possible.
        HW_SCH_SUPPORTED: 0;
        /// Hardware scheduling is on: use hardware queues.
        HW_SCH_ENABLED: 1;
        /// Hardware scheduling is on unless switched off.
        HW_SCH_ENABLED_BY_DEFAULT: 2;
        /// Display property.
        INDEPENDENT_VID_PN_V_SYNC_CONTROL: 3;
        /// Zero.
        RESERVED: 4, 28;
    }
}

abi_flags! {
    /// Type 75: capabilities of WDDM 2.9.
    #[repr(packed)]
    "D3DKMT_WDDM_2_9_CAPS"
    pub struct Wddm29Caps(u32) {
        /// How far hardware scheduling is supported.
        HW_SCH_SUPPORT_STATE: 0, 2;
        /// Hardware scheduling is on.
        HW_SCH_ENABLED: 2;
        /// Memory survives standby.
        SELF_REFRESH_MEMORY_SUPPORTED: 3;
        /// Zero.
        RESERVED: 4, 28;
    }
}

abi_flags! {
    /// Type 77: capabilities of WDDM 3.0.
    #[repr(packed)]
    "D3DKMT_WDDM_3_0_CAPS"
    pub struct Wddm30Caps(u32) {
        /// Display property.
        HW_FLIP_QUEUE_SUPPORT_STATE: 0, 2;
        /// Display property.
        HW_FLIP_QUEUE_ENABLED: 2;
        /// Display property.
        DISPLAYABLE_SUPPORTED: 3;
        /// Zero.
        RESERVED: 4, 28;
    }
}

abi_enum! {
    /// What an engine is for.
    "DXGK_ENGINE_TYPE" "DXGK_ENGINE_TYPE_"
    pub struct EngineType(u32) {
        /// Anything else; compute engines report this.
        OTHER = 0,
        /// Graphics and compute.
        GRAPHICS("DXGK_ENGINE_TYPE_3D") = 1,
        /// Video decoding.
        VIDEO_DECODE = 2,
        /// Video encoding.
        VIDEO_ENCODE = 3,
        /// Video processing.
        VIDEO_PROCESSING = 4,
        /// Scene assembly.
        SCENE_ASSEMBLY = 5,
        /// Copies.
        COPY = 6,
        /// Overlays.
        OVERLAY = 7,
        /// Cryptography.
        CRYPTO = 8,
    }
}

abi_flags! {
    /// Properties of an engine.
    #[repr(packed)]
    "DXGK_NODEMETADATA_FLAGS"
    pub struct NodeMetadataFlags(u32) {
        /// Schedules contexts.
        CONTEXT_SCHEDULING_SUPPORTED: 0;
        /// Releases fences from the ring buffer.
        RING_BUFFER_FENCE_RELEASE: 1;
        /// Tracks workloads.
        SUPPORT_TRACKED_WORKLOAD: 2;
        /// Zero.
        RESERVED: 3, 13;
        /// Buffers a hardware queue may have in flight.
        MAX_IN_FLIGHT_HW_QUEUE_BUFFERS: 16, 16;
    }
}

abi_struct! {
    /// Description of an engine ("node").
    #[repr(packed)]
    "DXGK_NODEMETADATA" [74]
    pub struct NodeData {
        /// What it is for.
        pub engine_type: EngineType,
        /// Name.
        pub friendly_name: [u16; 32],
        /// Properties.
        pub flags: NodeMetadataFlags,
        /// Non-zero: GPU virtual addresses by the GPU's own tables.
        pub gpu_mmu_supported: u8,
        /// Non-zero: GPU virtual addresses by an IOMMU.
        pub io_mmu_supported: u8,
    }
}

abi_struct! {
    /// Type 25: one engine.
    #[repr(packed)]
    "D3DKMT_NODEMETADATA" [78]
    pub struct NodeMetadata {
        /// In: node ordinal in the low, physical adapter in the high 16 bits.
        pub node_ordinal_and_adapter_index: u32,
        /// Out: the engine.
        pub node_data: NodeData,
    }
}

abi_struct! {
    /// Type 30: number of linked adapters.
    "D3DKMT_PHYSICAL_ADAPTER_COUNT" [4]
    pub struct PhysicalAdapterCount {
        /// The number, 1 unless linked.
        pub count: u32,
    }
}

abi_struct! {
    /// Ids of the physical GPU.
    "D3DKMT_DEVICE_IDS" [24]
    pub struct DeviceIds {
        /// PCI vendor.
        pub vendor_id: u32,
        /// PCI device.
        pub device_id: u32,
        /// PCI subsystem vendor.
        pub sub_vendor_id: u32,
        /// PCI subsystem.
        pub sub_system_id: u32,
        /// PCI revision.
        pub revision_id: u32,
        /// Kind of bus.
        pub bus_type: u32,
    }
}

abi_struct! {
    /// Type 31: ids of the physical GPU, not of the virtual one in the guest.
    "D3DKMT_QUERY_DEVICE_IDS" [28]
    pub struct QueryDeviceIds {
        /// In: adapter in a linked group.
        pub physical_adapter_index: u32,
        /// Out: the ids.
        pub device_ids: DeviceIds,
    }
}

abi_flags! {
    /// Properties of the GPU's page tables.
    "D3DKMT_GPUMMU_CAPS.Flags"
    pub struct GpuMmuFlags(u32) {
        /// Memory can be read-only.
        READ_ONLY_MEMORY_SUPPORTED: 0;
        /// Memory can be no-execute.
        NO_EXECUTE_MEMORY_SUPPORTED: 1;
        /// Memory can be coherent with CPU caches.
        CACHE_COHERENT_MEMORY_SUPPORTED: 2;
        /// Zero.
        RESERVED: 3, 29;
    }
}

abi_struct! {
    /// The GPU's virtual address space.
    "D3DKMT_GPUMMU_CAPS" [8]
    pub struct GpuMmuCaps {
        /// Properties.
        pub flags: GpuMmuFlags,
        /// Width of addresses, bits.
        pub virtual_address_bit_count: u32,
    }
}

abi_struct! {
    /// Type 34: the GPU's virtual address space.
    "D3DKMT_QUERY_GPUMMU_CAPS" [12]
    pub struct QueryGpuMmuCaps {
        /// In: adapter in a linked group.
        pub physical_adapter_index: u32,
        /// Out: the answer.
        pub caps: GpuMmuCaps,
    }
}

abi_struct! {
    /// Type 60: a GUID that stays the same over restarts.
    "D3DKMT_QUERY_ADAPTER_UNIQUE_GUID" [80]
    pub struct QueryAdapterUniqueGuid {
        /// Out: the GUID as text.
        pub adapter_unique_guid: [u16; 40],
    }
}

abi_struct! {
    /// Type 61: clocks and voltages of an engine.
    "D3DKMT_NODE_PERFDATA" [56]
    pub struct NodePerfData {
        /// In: node ordinal.
        pub node_ordinal: u32,
        /// In: adapter in a linked group.
        pub physical_adapter_index: u32,
        /// Clock, hertz.
        pub frequency: u64,
        /// Highest clock, hertz.
        pub max_frequency: u64,
        /// Highest clock when overclocked, hertz.
        pub max_frequency_oc: u64,
        /// Voltage, millivolts.
        pub voltage: u32,
        /// Highest voltage, millivolts.
        pub voltage_max: u32,
        /// Highest voltage when overclocked, millivolts.
        pub voltage_max_oc: u32,
        /// Filler; zero.
        pub pad0: u32,
        /// Longest transition latency, 100 ns.
        pub max_transition_latency: u64,
    }
}

abi_struct! {
    /// Type 62: clocks, power and temperature of an adapter.
    "D3DKMT_ADAPTER_PERFDATA" [64]
    pub struct AdapterPerfData {
        /// In: adapter in a linked group.
        pub physical_adapter_index: u32,
        /// Filler; zero.
        pub pad0: u32,
        /// Memory clock, hertz.
        pub memory_frequency: u64,
        /// Highest memory clock, hertz.
        pub max_memory_frequency: u64,
        /// Highest memory clock when overclocked, hertz.
        pub max_memory_frequency_oc: u64,
        /// Memory traffic, bytes.
        pub memory_bandwidth: u64,
        /// Bus traffic, bytes.
        pub pcie_bandwidth: u64,
        /// Fan speed, rounds a minute.
        pub fan_rpm: u32,
        /// Power, tenths of a per cent.
        pub power: u32,
        /// Temperature, tenths of a degree Celsius.
        pub temperature: u32,
        /// Power state override.
        pub power_state_override: u8,
        /// Filler; zero.
        pub pad1: [u8; 3],
    }
}

abi_struct! {
    /// Type 63: limits of an adapter.
    "D3DKMT_ADAPTER_PERFDATACAPS" [40]
    pub struct AdapterPerfDataCaps {
        /// In: adapter in a linked group.
        pub physical_adapter_index: u32,
        /// Filler; zero.
        pub pad0: u32,
        /// Highest memory bandwidth, bytes a second.
        pub max_memory_bandwidth: u64,
        /// Highest bus bandwidth, bytes a second.
        pub max_pcie_bandwidth: u64,
        /// Highest fan speed, rounds a minute.
        pub max_fan_rpm: u32,
        /// Highest temperature, tenths of a degree Celsius.
        pub temperature_max: u32,
        /// Temperature of a warning, tenths of a degree Celsius.
        pub temperature_warning: u32,
        /// Filler; zero.
        pub pad1: u32,
    }
}

abi_struct! {
    /// Types 65 and 66: name of the adapter.
    "D3DKMT_DRIVER_DESCRIPTION" [8192]
    pub struct DriverDescription {
        /// Out: the name.
        pub driver_description: [u16; 4096],
    }
}

abi_enum! {
    /// Which value of the host's registry to read.
    "D3DDDI_QUERYREGISTRY_TYPE" "D3DDDI_QUERYREGISTRY_"
    pub struct QueryRegistryType(u32) {
        /// A value of the driver's service key.
        SERVICEKEY = 0,
        /// A value of the adapter's key.
        ADAPTERKEY = 1,
        /// The folder of the driver in the host's driver store.
        DRIVERSTOREPATH = 2,
        /// The path of the driver's image.
        DRIVERIMAGEPATH = 3,
    }
}

abi_enum! {
    /// Outcome of a registry query.
    "D3DDDI_QUERYREGISTRY_STATUS" "D3DDDI_QUERYREGISTRY_STATUS_"
    pub struct QueryRegistryStatus(u32) {
        /// The value is there.
        SUCCESS = 0,
        /// The value does not fit; its size is given.
        BUFFER_OVERFLOW = 1,
        /// There is no such value.
        FAIL = 2,
    }
}

abi_flags! {
    /// Options of a registry query.
    "D3DDDI_QUERYREGISTRY_FLAGS"
    pub struct QueryRegistryFlags(u32) {
        /// Translate paths to what the guest sees.
        TRANSLATE_PATH: 0;
        /// The value may change.
        MUTABLE_VALUE: 1;
        /// Zero.
        RESERVED: 2, 30;
    }
}

abi_struct! {
    /// Type 48: reads a value of the host's registry. The value follows the
    /// structure, over its last eight bytes: it starts at offset 544.
    "D3DDDI_QUERYREGISTRY_INFO" [552]
    pub struct QueryRegistryInfo {
        /// In: which value.
        pub query_type: QueryRegistryType,
        /// In: options.
        pub query_flags: QueryRegistryFlags,
        /// In: name of the value, for the key types.
        pub value_name: [u16; 260],
        /// In: type of the value, 1 for a string.
        pub value_type: u32,
        /// In: adapter in a linked group.
        pub physical_adapter_index: u32,
        /// Out: size of the value, bytes.
        pub output_value_size: u32,
        /// Out: outcome.
        pub status: QueryRegistryStatus,
        /// Out: the first bytes of the value.
        pub output_qword: u64,
    }
    /// The value as a 32-bit number.
    view output_dword / set_output_dword: u32 = 544;
    alias "OutputString": u16 = 544;
    alias "OutputBinary": u8 = 544;
}

/// Offset of the value in the payload of a registry query, bytes.
pub const QUERY_REGISTRY_OUTPUT_OFFSET: usize = 544;

/// The text up to the first zero; what is not UTF-16 becomes U+FFFD.
pub fn from_utf16(text: &[u16]) -> String {
    let end = text.iter().position(|c| *c == 0).unwrap_or(text.len());
    String::from_utf16_lossy(&text[..end])
}

/// The text as zero-terminated UTF-16, cut to what fits.
pub fn to_utf16<const N: usize>(text: &str) -> [u16; N] {
    let mut out = [0; N];
    for (slot, unit) in out.iter_mut().take(N.saturating_sub(1)).zip(text.encode_utf16()) {
        *slot = unit;
    }
    out
}
