//! Devices: creation, state, faults.

use crate::macros::{abi_enum, abi_flags, abi_struct};
use crate::Handle;

abi_flags! {
    /// Options of a device.
    "d3dkmt_createdeviceflags"
    pub struct CreateDeviceFlags(u32) {
        /// Legacy device.
        LEGACY_MODE: 0;
        /// Wants vertical syncs.
        REQUEST_VSYNC: 1;
        /// Lifts the limit on the run time of a command.
        DISABLE_GPU_TIMEOUT: 2;
        /// Serves GDI.
        GDI_DEVICE: 3;
        /// Zero.
        RESERVED: 4, 28;
    }
}

abi_struct! {
    /// Creates a device. Only `adapter` and `flags` matter on input, only `device` is written,
    /// and a refusal of the host shows only as `device` staying 0.
    "d3dkmt_createdevice" [64]
    pub struct CreateDevice {
        /// Adapter handle.
        pub adapter: Handle,
        /// Zero.
        pub reserved3: u32,
        /// Options.
        pub flags: CreateDeviceFlags,
        /// Out: the device, or 0 for failure.
        pub device: Handle,
        /// Legacy; not returned.
        pub command_buffer: u64,
        /// Legacy; not returned.
        pub command_buffer_size: u32,
        /// Zero.
        pub reserved: u32,
        /// Legacy; not returned.
        pub allocation_list: u64,
        /// Legacy; not returned.
        pub allocation_list_size: u32,
        /// Zero.
        pub reserved1: u32,
        /// Legacy; not returned.
        pub patch_location_list: u64,
        /// Legacy; not returned.
        pub patch_location_list_size: u32,
        /// Zero.
        pub reserved2: u32,
    }
}

abi_struct! {
    /// Destroys a device and everything made on it.
    "d3dkmt_destroydevice" [4]
    pub struct DestroyDevice {
        /// Device handle.
        pub device: Handle,
    }
}

abi_flags! {
    /// How a command buffer uses an allocation.
    ""
    pub struct AllocationListFlags(u32) {
        /// Is written.
        WRITE_OPERATION: 0;
        /// Keep the instance.
        DO_NOT_RETIRE_INSTANCE: 1;
        /// Offer priority.
        OFFER_PRIORITY: 2, 3;
        /// Zero.
        RESERVED: 5, 27;
    }
}

abi_struct! {
    /// Entry of a legacy allocation list.
    "d3dddi_allocationlist" [8]
    pub struct AllocationList {
        /// Allocation handle.
        pub allocation: Handle,
        /// How it is used.
        pub value: AllocationListFlags,
    }
}

abi_flags! {
    /// Slot of a legacy patch location.
    ""
    pub struct PatchLocationSlot(u32) {
        /// Slot.
        SLOT_ID: 0, 24;
        /// Zero.
        RESERVED: 24, 8;
    }
}

abi_struct! {
    /// Entry of a legacy patch-location list.
    "d3dddi_patchlocationlist" [24]
    pub struct PatchLocationList {
        /// Index in the allocation list.
        pub allocation_index: u32,
        /// Slot.
        pub value: PatchLocationSlot,
        /// Driver-defined id.
        pub driver_id: u32,
        /// Offset in the allocation, bytes.
        pub allocation_offset: u32,
        /// Offset of the patch, bytes.
        pub patch_offset: u32,
        /// Offset of the split, bytes.
        pub split_offset: u32,
    }
}

abi_enum! {
    /// Which state to ask for.
    "d3dkmt_devicestate_type" "_D3DKMT_DEVICESTATE_"
    pub struct DeviceStateType(u32) {
        EXECUTION = 1,
        PRESENT = 2,
        RESET = 3,
        PRESENT_DWM = 4,
        PAGE_FAULT = 5,
        PRESENT_QUEUE = 6,
    }
}

abi_enum! {
    /// Whether a device still runs.
    "d3dkmt_deviceexecution_state" "_D3DKMT_DEVICEEXECUTION_"
    pub struct DeviceExecutionState(u32) {
        ACTIVE = 1,
        RESET = 2,
        HUNG = 3,
        STOPPED = 4,
        ERROR_OUTOFMEMORY = 5,
        ERROR_DMAFAULT = 6,
        ERROR_DMAPAGEFAULT = 7,
    }
}

abi_flags! {
    /// Answer to [`DeviceStateType::RESET`].
    "d3dkmt_devicereset_state"
    pub struct DeviceResetState(u32) {
        /// The desktop was switched.
        DESKTOP_SWITCHED: 0;
        /// Zero.
        RESERVED: 1, 31;
    }
}

abi_enum! {
    /// Stage that faulted.
    "dxgk_render_pipeline_stage" "_DXGK_RENDER_PIPELINE_STAGE_"
    pub struct RenderPipelineStage(u32) {
        UNKNOWN = 0,
        INPUT_ASSEMBLER = 1,
        VERTEX_SHADER = 2,
        GEOMETRY_SHADER = 3,
        STREAM_OUTPUT = 4,
        RASTERIZER = 5,
        PIXEL_SHADER = 6,
        OUTPUT_MERGER = 7,
    }
}

abi_enum! {
    /// Properties of a page fault; the values are bits and may be combined.
    "dxgk_page_fault_flags" "_DXGK_PAGE_FAULT_"
    pub struct PageFaultFlags(u32) {
        WRITE = 1,
        FENCE_INVALID = 2,
        ADAPTER_RESET_REQUIRED = 4,
        ENGINE_RESET_REQUIRED = 8,
        FATAL_HARDWARE_ERROR = 16,
        IOMMU = 32,
        HW_CONTEXT_VALID = 64,
        PROCESS_HANDLE_VALID = 128,
    }
}

impl PageFaultFlags {
    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

abi_enum! {
    /// Kind of fault.
    "dxgk_general_error_code" "_DXGK_GENERAL_ERROR_"
    pub struct GeneralErrorCode(u32) {
        PAGE_FAULT = 0,
        INVALID_INSTRUCTION = 1,
    }
}

abi_flags! {
    /// What went wrong in a page fault: a general code, or one of the device's own.
    "dxgk_fault_error_code"
    pub struct FaultErrorCode(u32) {
        /// The code is the device's own.
        IS_DEVICE_SPECIFIC_CODE: 0;
        /// A [`GeneralErrorCode`].
        GENERAL_ERROR_CODE: 1, 31;
        /// Same bit as `IS_DEVICE_SPECIFIC_CODE`.
        IS_DEVICE_SPECIFIC_CODE_RESERVED_BIT: 0;
        /// The device's own code.
        DEVICE_SPECIFIC_CODE: 1, 31;
    }
}

abi_struct! {
    /// Answer to [`DeviceStateType::PAGE_FAULT`].
    "d3dkmt_devicepagefault_state" [32]
    pub struct DevicePageFaultState {
        /// Sequence number of the faulting primitive.
        pub faulted_primitive_api_sequence_number: u64,
        /// Stage that faulted.
        pub faulted_pipeline_stage: RenderPipelineStage,
        /// Binding slot of the access.
        pub faulted_bind_table_entry: u32,
        /// Properties of the fault.
        pub page_fault_flags: PageFaultFlags,
        /// What went wrong.
        pub fault_error_code: FaultErrorCode,
        /// GPU virtual address of the access.
        pub faulted_virtual_address: u64,
    }
}

abi_struct! {
    /// Asks for one kind of state of a device. The whole structure is written back.
    "d3dkmt_getdevicestate" [56]
    pub struct GetDeviceState {
        /// Device handle.
        pub device: Handle,
        /// Which state to ask for.
        pub state_type: DeviceStateType,
        /// Out: the state; see the accessors.
        pub state: [u64; 6] = "alignment",
    }
    /// Answer to [`DeviceStateType::EXECUTION`].
    view execution_state / set_execution_state: DeviceExecutionState = 8;
    /// Answer to [`DeviceStateType::RESET`].
    view reset_state / set_reset_state: DeviceResetState = 8;
    /// Answer to [`DeviceStateType::PAGE_FAULT`].
    view page_fault_state / set_page_fault_state: DevicePageFaultState = 8;
}

abi_enum! {
    /// Why a device is put into error.
    "d3dkmt_device_error_reason" "_D3DKMT_DEVICE_ERROR_REASON_"
    pub struct DeviceErrorReason(u32) {
        GENERIC = 0x80000000,
        DRIVER_ERROR = 0x80000006,
    }
}

abi_struct! {
    /// Puts a device into its error state.
    "d3dkmt_markdeviceaserror" [8]
    pub struct MarkDeviceAsError {
        /// Device handle.
        pub device: Handle,
        /// Why.
        pub reason: DeviceErrorReason,
    }
}
