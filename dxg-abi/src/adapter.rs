//! Adapters: enumeration, opening, queries, budgets, clocks, features.

use crate::macros::{abi_enum, abi_flags, abi_struct};
use crate::Handle;

abi_struct! {
    /// Locally unique adapter id. Valid for one run of the virtual machine.
    "winluid" [8]
    pub struct Luid {
        /// Low part.
        pub a: u32,
        /// High part.
        pub b: u32,
    }
}

abi_struct! {
    /// One adapter in an enumeration.
    "d3dkmt_adapterinfo" [20]
    pub struct AdapterInfo {
        /// A fresh handle, to be closed by the caller.
        pub adapter_handle: Handle,
        /// LUID of the adapter.
        pub adapter_luid: Luid,
        /// Display sources; 0 here.
        pub num_sources: u32,
        /// Display preference; 0 here.
        pub present_move_regions_preferred: u32,
    }
}

abi_struct! {
    /// Lists and opens the adapters that are not compute-only. With `adapters` 0 it only
    /// counts.
    "d3dkmt_enumadapters2" [16]
    pub struct EnumAdapters2 {
        /// Entries in the array; out: entries written, or the total when only counting.
        pub num_adapters: u32,
        /// Zero.
        pub reserved: u32,
        /// Address of an array of [`AdapterInfo`], or 0 to count.
        pub adapters: u64,
    }
}

abi_flags! {
    /// Which adapters to list besides the ordinary ones.
    "d3dkmt_enumadapters_filter"
    pub struct EnumAdaptersFilter(u64) {
        /// Also compute-only adapters.
        INCLUDE_COMPUTE_ONLY: 0;
        /// Ignored.
        INCLUDE_DISPLAY_ONLY: 1;
        /// Zero.
        RESERVED: 2, 62;
    }
}

abi_struct! {
    /// Lists and opens adapters by filter. Always offer at least the total: a buffer that is
    /// too small is not reported.
    "d3dkmt_enumadapters3" [24]
    pub struct EnumAdapters3 {
        /// Which adapters.
        pub filter: EnumAdaptersFilter,
        /// Entries in the array; out: entries there are.
        pub adapter_count: u32,
        /// Zero.
        pub reserved: u32,
        /// Address of an array of [`AdapterInfo`], or 0 to count.
        pub adapters: u64,
    }
}

abi_struct! {
    /// Opens an adapter by LUID. Zero `adapter_handle` first: with anything else an unknown
    /// LUID is not reported.
    "d3dkmt_openadapterfromluid" [12]
    pub struct OpenAdapterFromLuid {
        /// LUID of the adapter.
        pub adapter_luid: Luid,
        /// Out: a fresh handle.
        pub adapter_handle: Handle,
    }
}

abi_struct! {
    /// Gives one adapter handle back; the last one takes the devices on the adapter with it.
    "d3dkmt_closeadapter" [4]
    pub struct CloseAdapter {
        /// Adapter handle.
        pub adapter_handle: Handle,
    }
}

abi_enum! {
    /// Kind of adapter query.
    "kmtqueryadapterinfotype" "_KMTQAITYPE_"
    pub struct QueryAdapterInfoType(u32) {
        UMDRIVERPRIVATE = 0,
        UMDRIVERNAME = 1,
        UMOPENGLINFO = 2,
        GETSEGMENTSIZE = 3,
        ADAPTERGUID = 4,
        FLIPQUEUEINFO = 5,
        ADAPTERADDRESS = 6,
        SETWORKINGSETINFO = 7,
        ADAPTERREGISTRYINFO = 8,
        CURRENTDISPLAYMODE = 9,
        MODELIST = 10,
        CHECKDRIVERUPDATESTATUS = 11,
        VIRTUALADDRESSINFO = 12,
        DRIVERVERSION = 13,
        ADAPTERTYPE = 15,
        OUTPUTDUPLCONTEXTSCOUNT = 16,
        WDDM_1_2_CAPS = 17,
        UMD_DRIVER_VERSION = 18,
        DIRECTFLIP_SUPPORT = 19,
        MULTIPLANEOVERLAY_SUPPORT = 20,
        DLIST_DRIVER_NAME = 21,
        WDDM_1_3_CAPS = 22,
        MULTIPLANEOVERLAY_HUD_SUPPORT = 23,
        WDDM_2_0_CAPS = 24,
        NODEMETADATA = 25,
        CPDRIVERNAME = 26,
        XBOX = 27,
        INDEPENDENTFLIP_SUPPORT = 28,
        MIRACASTCOMPANIONDRIVERNAME = 29,
        PHYSICALADAPTERCOUNT = 30,
        PHYSICALADAPTERDEVICEIDS = 31,
        DRIVERCAPS_EXT = 32,
        QUERY_MIRACAST_DRIVER_TYPE = 33,
        QUERY_GPUMMU_CAPS = 34,
        QUERY_MULTIPLANEOVERLAY_DECODE_SUPPORT = 35,
        QUERY_HW_PROTECTION_TEARDOWN_COUNT = 36,
        QUERY_ISBADDRIVERFORHWPROTECTIONDISABLED = 37,
        MULTIPLANEOVERLAY_SECONDARY_SUPPORT = 38,
        INDEPENDENTFLIP_SECONDARY_SUPPORT = 39,
        PANELFITTER_SUPPORT = 40,
        PHYSICALADAPTERPNPKEY = 41,
        GETSEGMENTGROUPSIZE = 42,
        MPO3DDI_SUPPORT = 43,
        HWDRM_SUPPORT = 44,
        MPOKERNELCAPS_SUPPORT = 45,
        MULTIPLANEOVERLAY_STRETCH_SUPPORT = 46,
        GET_DEVICE_VIDPN_OWNERSHIP_INFO = 47,
        QUERYREGISTRY = 48,
        KMD_DRIVER_VERSION = 49,
        BLOCKLIST_KERNEL = 50,
        BLOCKLIST_RUNTIME = 51,
        ADAPTERGUID_RENDER = 52,
        ADAPTERADDRESS_RENDER = 53,
        ADAPTERREGISTRYINFO_RENDER = 54,
        CHECKDRIVERUPDATESTATUS_RENDER = 55,
        DRIVERVERSION_RENDER = 56,
        ADAPTERTYPE_RENDER = 57,
        WDDM_1_2_CAPS_RENDER = 58,
        WDDM_1_3_CAPS_RENDER = 59,
        QUERY_ADAPTER_UNIQUE_GUID = 60,
        NODEPERFDATA = 61,
        ADAPTERPERFDATA = 62,
        ADAPTERPERFDATA_CAPS = 63,
        GPUVERSION = 64,
        DRIVER_DESCRIPTION = 65,
        DRIVER_DESCRIPTION_RENDER = 66,
        SCANOUT_CAPS = 67,
        PARAVIRTUALIZATION_RENDER = 68,
        SERVICENAME = 69,
        WDDM_2_7_CAPS = 70,
        DISPLAY_UMDRIVERNAME = 71,
        TRACKEDWORKLOAD_SUPPORT = 72,
        HYBRID_DLIST_DLL_SUPPORT = 73,
        DISPLAY_CAPS = 74,
        WDDM_2_9_CAPS = 75,
        CROSSADAPTERRESOURCE_SUPPORT = 76,
        WDDM_3_0_CAPS = 77,
    }
}

abi_struct! {
    /// Asks about an adapter; the payload depends on `type`.
    "d3dkmt_queryadapterinfo" [24]
    pub struct QueryAdapterInfo {
        /// Adapter handle.
        pub adapter: Handle,
        /// Kind.
        pub r#type: QueryAdapterInfoType,
        /// Address of the payload, in and out.
        pub private_data: u64,
        /// Size of the payload, bytes, 1..=131072.
        pub private_data_size: u32,
        /// Filler; zero.
        pub pad0: u32,
    }
}

abi_flags! {
    /// What an adapter is; payload of query types 15 and 57.
    "d3dkmt_adaptertype"
    pub struct AdapterType(u32) {
        /// Can render or compute.
        RENDER_SUPPORTED: 0;
        /// Can display; cleared by the guest.
        DISPLAY_SUPPORTED: 1;
        /// Is a software device.
        SOFTWARE_DEVICE: 2;
        /// Is the boot display; cleared by the guest.
        POST_DEVICE: 3;
        /// Is the discrete half of a hybrid pair.
        HYBRID_DISCRETE: 4;
        /// Is the integrated half of a hybrid pair.
        HYBRID_INTEGRATED: 5;
        /// Displays indirectly; cleared by the guest.
        INDIRECT_DISPLAY_DEVICE: 6;
        /// Is paravirtualised; set by the guest.
        PARAVIRTUALIZED: 7;
        /// Supports arbitrary code guard; cleared by the guest.
        ACG_SUPPORTED: 8;
        /// Supports set-timings; cleared by the guest.
        SUPPORT_SET_TIMINGS_FROM_VIDPN: 9;
        /// Can be detached.
        DETACHABLE: 10;
        /// Only computes; decided by the guest.
        COMPUTE_ONLY: 11;
        /// Is a prototype.
        PROTOTYPE: 12;
        /// Zero.
        RESERVED: 13, 19;
    }
}

abi_enum! {
    /// Local (the GPU's own) or non-local (system) memory.
    "d3dkmt_memory_segment_group" "_D3DKMT_MEMORY_SEGMENT_GROUP_"
    pub struct MemorySegmentGroup(u32) {
        LOCAL = 0,
        NON_LOCAL = 1,
    }
}

abi_struct! {
    /// Reads the memory budget of the process.
    "d3dkmt_queryvideomemoryinfo" [56]
    pub struct QueryVideoMemoryInfo {
        /// Zero for this process.
        pub process: u64,
        /// Adapter handle.
        pub adapter: Handle,
        /// Local or non-local memory.
        pub memory_segment_group: MemorySegmentGroup,
        /// Out: bytes the process may use.
        pub budget: u64,
        /// Out: bytes in use.
        pub current_usage: u64,
        /// Out: bytes reserved.
        pub current_reservation: u64,
        /// Out: bytes that can be reserved.
        pub available_for_reservation: u64,
        /// Adapter in a linked group; 0 unless linked.
        pub physical_adapter_index: u32,
        /// Filler; zero.
        pub pad0: u32,
    }
}

abi_struct! {
    /// Changes how much memory the process reserves.
    "d3dkmt_changevideomemoryreservation" [32]
    pub struct ChangeVideoMemoryReservation {
        /// Zero for this process.
        pub process: u64,
        /// Adapter handle.
        pub adapter: Handle,
        /// Local or non-local memory.
        pub memory_segment_group: MemorySegmentGroup,
        /// Bytes to reserve.
        pub reservation: u64,
        /// Adapter in a linked group; 0 unless linked.
        pub physical_adapter_index: u32,
        /// Filler; zero.
        pub pad0: u32,
    }
}

abi_struct! {
    /// Flushes heap transitions. The kernel overwrites `adapter`: pass a copy.
    "d3dkmt_flushheaptransitions" [4]
    pub struct FlushHeapTransitions {
        /// Adapter handle.
        pub adapter: Handle,
    }
}

abi_flags! {
    /// Properties of a clock reading.
    #[repr(packed)]
    "dxgk_gpuclockdata_flags"
    pub struct GpuClockDataFlags(u32) {
        /// The reading comes from the context management processor.
        CONTEXT_MANAGEMENT_PROCESSOR: 0;
        /// Zero.
        RESERVED: 1, 31;
    }
}

abi_struct! {
    /// A GPU clock reading with the CPU clock at the same moment.
    #[repr(packed)]
    "dxgk_gpuclockdata" [28]
    pub struct GpuClockData {
        /// GPU counter frequency, hertz.
        pub gpu_frequency: u64,
        /// GPU counter.
        pub gpu_clock_counter: u64,
        /// The host's performance counter at the same moment.
        pub cpu_clock_counter: u64,
        /// Options.
        pub flags: GpuClockDataFlags,
    }
}

abi_struct! {
    /// Reads the clock of an engine.
    #[repr(packed)]
    "d3dkmt_queryclockcalibration" [40]
    pub struct QueryClockCalibration {
        /// Adapter handle.
        pub adapter: Handle,
        /// Engine ("node") of the adapter.
        pub node_ordinal: u32,
        /// Adapter in a linked group; 0 unless linked.
        pub physical_adapter_index: u32,
        /// Out: the reading.
        pub clock_data: GpuClockData,
    }
}

abi_enum! {
    /// A WDDM feature.
    "dxgk_feature_id" "_DXGK_FEATURE_"
    pub struct FeatureId(u32) {
        HWSCH = 0,
        PAGE_BASED_MEMORY_MANAGER = 32,
        KERNEL_MODE_TESTING = 33,
        MAX = 34,
    }
}

abi_flags! {
    /// State of a feature.
    ""
    pub struct IsFeatureEnabledFlags(u16) {
        /// Enabled.
        ENABLED: 0;
        /// Known to the system.
        KNOWN_FEATURE: 1;
        /// Supported by the driver.
        SUPPORTED_BY_DRIVER: 2;
        /// Supported on this configuration.
        SUPPORTED_ON_CONFIG: 3;
        /// Zero.
        RESERVED: 4, 12;
    }
}

abi_struct! {
    /// Answer to [`IsFeatureEnabled`].
    "dxgk_isfeatureenabled_result" [4]
    pub struct IsFeatureEnabledResult {
        /// Version of the feature.
        pub version: u16,
        /// State of the feature.
        pub value: IsFeatureEnabledFlags,
    }
}

abi_struct! {
    /// Asks for a WDDM feature of an adapter.
    "d3dkmt_isfeatureenabled" [12]
    pub struct IsFeatureEnabled {
        /// Adapter handle.
        pub adapter: Handle,
        /// Which feature.
        pub feature_id: FeatureId,
        /// Out: the answer.
        pub result: IsFeatureEnabledResult,
    }
}
