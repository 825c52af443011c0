//! The ioctl table: one row per request, and everything that follows from it.

use crate::layout::{Layout, TypeLayout};
use crate::*;

/// Letter of the device in request codes.
pub const IOCTL_MAGIC: u8 = b'G';

/// Highest number of the table.
pub const IOCTL_NR_MAX: u8 = 0x49;

/// A request code that reads and writes its argument, as every one here does.
pub const fn iowr(magic: u8, nr: u8, size: usize) -> u32 {
    (3 << 30) | ((size as u32) << 16) | ((magic as u32) << 8) | nr as u32
}

/// An argument structure, tied to the one request that takes it.
pub trait Arg:
    Copy
    + Default
    + core::fmt::Debug
    + Layout
    + zerocopy::FromBytes
    + zerocopy::IntoBytes
    + zerocopy::Immutable
    + zerocopy::KnownLayout
{
    /// The request.
    const IOCTL: Ioctl;
}

macro_rules! ioctls {
    ($( $name:ident = $nr:literal, $header:literal, [$size:literal]; )*) => {
        /// Every request of the device, named after its argument structure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        #[allow(missing_docs)]
        pub enum Ioctl { $( $name = iowr(IOCTL_MAGIC, $nr, $size), )* }

        impl Ioctl {
            /// All requests, by ascending number.
            pub const ALL: &'static [Ioctl] = &[ $( Ioctl::$name ),* ];

            /// The request with exactly this code: number, size and direction.
            pub const fn from_request(request: u32) -> Option<Ioctl> {
                $( if request == Ioctl::$name as u32 { return Some(Ioctl::$name); } )*
                None
            }

            /// Name of the argument structure.
            pub const fn name(self) -> &'static str {
                match self { $( Ioctl::$name => stringify!($name), )* }
            }

            /// Name of the request in the header.
            pub const fn header_name(self) -> &'static str {
                match self { $( Ioctl::$name => $header, )* }
            }

            /// Size of the argument structure, bytes.
            pub const fn arg_size(self) -> usize {
                match self { $( Ioctl::$name => $size, )* }
            }

            /// Layout of the argument structure.
            pub const fn layout(self) -> &'static TypeLayout {
                match self { $( Ioctl::$name => <$name as Layout>::LAYOUT, )* }
            }
        }

        $(
            impl Arg for $name {
                const IOCTL: Ioctl = Ioctl::$name;
            }
            const _: () = assert!(size_of::<$name>() == $size);
        )*

        // Numbers ascend strictly: none twice, none out of the table.
        const _: () = {
            let nrs: &[u8] = &[ $( $nr ),* ];
            let mut i = 1;
            while i < nrs.len() {
                assert!(nrs[i - 1] < nrs[i] && nrs[i] <= IOCTL_NR_MAX);
                i += 1;
            }
        };
    };
}

ioctls! {
    OpenAdapterFromLuid = 0x01, "LX_DXOPENADAPTERFROMLUID", [12];
    CreateDevice = 0x02, "LX_DXCREATEDEVICE", [64];
    CreateContextVirtual = 0x04, "LX_DXCREATECONTEXTVIRTUAL", [40];
    DestroyContext = 0x05, "LX_DXDESTROYCONTEXT", [4];
    CreateAllocation = 0x06, "LX_DXCREATEALLOCATION", [72];
    CreatePagingQueue = 0x07, "LX_DXCREATEPAGINGQUEUE", [32];
    ReserveGpuVirtualAddress = 0x08, "LX_DXRESERVEGPUVIRTUALADDRESS", [72];
    QueryAdapterInfo = 0x09, "LX_DXQUERYADAPTERINFO", [24];
    QueryVideoMemoryInfo = 0x0a, "LX_DXQUERYVIDEOMEMORYINFO", [56];
    MakeResident = 0x0b, "LX_DXMAKERESIDENT", [48];
    MapGpuVirtualAddress = 0x0c, "LX_DXMAPGPUVIRTUALADDRESS", [104];
    Escape = 0x0d, "LX_DXESCAPE", [32];
    GetDeviceState = 0x0e, "LX_DXGETDEVICESTATE", [56];
    SubmitCommand = 0x0f, "LX_DXSUBMITCOMMAND", [384];
    CreateSynchronizationObject2 = 0x10, "LX_DXCREATESYNCHRONIZATIONOBJECT", [96];
    SignalSynchronizationObject2 = 0x11, "LX_DXSIGNALSYNCHRONIZATIONOBJECT", [464];
    WaitForSynchronizationObject2 = 0x12, "LX_DXWAITFORSYNCHRONIZATIONOBJECT", [200];
    DestroyAllocation2 = 0x13, "LX_DXDESTROYALLOCATION2", [24];
    EnumAdapters2 = 0x14, "LX_DXENUMADAPTERS2", [16];
    CloseAdapter = 0x15, "LX_DXCLOSEADAPTER", [4];
    ChangeVideoMemoryReservation = 0x16, "LX_DXCHANGEVIDEOMEMORYRESERVATION", [32];
    CreateHwQueue = 0x18, "LX_DXCREATEHWQUEUE", [48];
    DestroyDevice = 0x19, "LX_DXDESTROYDEVICE", [4];
    DestroyHwQueue = 0x1b, "LX_DXDESTROYHWQUEUE", [4];
    DestroyPagingQueue = 0x1c, "LX_DXDESTROYPAGINGQUEUE", [4];
    DestroySynchronizationObject = 0x1d, "LX_DXDESTROYSYNCHRONIZATIONOBJECT", [4];
    Evict = 0x1e, "LX_DXEVICT", [32];
    FlushHeapTransitions = 0x1f, "LX_DXFLUSHHEAPTRANSITIONS", [4];
    FreeGpuVirtualAddress = 0x20, "LX_DXFREEGPUVIRTUALADDRESS", [24];
    GetContextInProcessSchedulingPriority = 0x21, "LX_DXGETCONTEXTINPROCESSSCHEDULINGPRIORITY", [8];
    GetContextSchedulingPriority = 0x22, "LX_DXGETCONTEXTSCHEDULINGPRIORITY", [8];
    InvalidateCache = 0x24, "LX_DXINVALIDATECACHE", [24];
    Lock2 = 0x25, "LX_DXLOCK2", [24];
    MarkDeviceAsError = 0x26, "LX_DXMARKDEVICEASERROR", [8];
    OfferAllocations = 0x27, "LX_DXOFFERALLOCATIONS", [40];
    QueryAllocationResidency = 0x2a, "LX_DXQUERYALLOCATIONRESIDENCY", [32];
    ReclaimAllocations2 = 0x2c, "LX_DXRECLAIMALLOCATIONS2", [40];
    SetAllocationPriority = 0x2e, "LX_DXSETALLOCATIONPRIORITY", [32];
    SetContextInProcessSchedulingPriority = 0x2f, "LX_DXSETCONTEXTINPROCESSSCHEDULINGPRIORITY", [8];
    SetContextSchedulingPriority = 0x30, "LX_DXSETCONTEXTSCHEDULINGPRIORITY", [8];
    SignalSynchronizationObjectFromCpu = 0x31, "LX_DXSIGNALSYNCHRONIZATIONOBJECTFROMCPU", [32];
    SignalSynchronizationObjectFromGpu = 0x32, "LX_DXSIGNALSYNCHRONIZATIONOBJECTFROMGPU", [80];
    SignalSynchronizationObjectFromGpu2 = 0x33, "LX_DXSIGNALSYNCHRONIZATIONOBJECTFROMGPU2", [96];
    SubmitCommandToHwQueue = 0x34, "LX_DXSUBMITCOMMANDTOHWQUEUE", [56];
    SubmitSignalSyncObjectsToHwQueue = 0x35, "LX_DXSUBMITSIGNALSYNCOBJECTSTOHWQUEUE", [40];
    SubmitWaitForSyncObjectsToHwQueue = 0x36, "LX_DXSUBMITWAITFORSYNCOBJECTSTOHWQUEUE", [24];
    Unlock2 = 0x37, "LX_DXUNLOCK2", [8];
    UpdateAllocProperty = 0x38, "LX_DXUPDATEALLOCPROPERTY", [40];
    UpdateGpuVirtualAddress = 0x39, "LX_DXUPDATEGPUVIRTUALADDRESS", [56];
    WaitForSynchronizationObjectFromCpu = 0x3a, "LX_DXWAITFORSYNCHRONIZATIONOBJECTFROMCPU", [40];
    WaitForSynchronizationObjectFromGpu = 0x3b, "LX_DXWAITFORSYNCHRONIZATIONOBJECTFROMGPU", [80];
    GetAllocationPriority = 0x3c, "LX_DXGETALLOCATIONPRIORITY", [32];
    QueryClockCalibration = 0x3d, "LX_DXQUERYCLOCKCALIBRATION", [40];
    EnumAdapters3 = 0x3e, "LX_DXENUMADAPTERS3", [24];
    ShareObjects = 0x3f, "LX_DXSHAREOBJECTS", [40];
    OpenSyncObjectFromNtHandle2 = 0x40, "LX_DXOPENSYNCOBJECTFROMNTHANDLE2", [88];
    QueryResourceInfoFromNtHandle = 0x41, "LX_DXQUERYRESOURCEINFOFROMNTHANDLE", [40];
    OpenResourceFromNtHandle = 0x42, "LX_DXOPENRESOURCEFROMNTHANDLE", [104];
    QueryStatistics = 0x43, "LX_DXQUERYSTATISTICS", [808];
    ShareObjectWithHost = 0x44, "LX_DXSHAREOBJECTWITHHOST", [24];
    CreateSyncFile = 0x45, "LX_DXCREATESYNCFILE", [24];
    WaitSyncFile = 0x46, "LX_DXWAITSYNCFILE", [16];
    OpenSyncObjectFromSyncFile = 0x47, "LX_DXOPENSYNCOBJECTFROMSYNCFILE", [40];
    EnumProcesses = 0x48, "LX_DXENUMPROCESSES", [24];
    IsFeatureEnabled = 0x49, "LX_ISFEATUREENABLED", [12];
}

impl Ioctl {
    /// The full request code.
    pub const fn request(self) -> u32 {
        self as u32
    }

    /// Number within the table.
    pub const fn nr(self) -> u8 {
        self as u32 as u8
    }
}

impl core::fmt::Display for Ioctl {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// Numbers that older systems used and this kernel answers with ENOTTY: number,
/// name, size of the argument it had.
pub const UNIMPLEMENTED: &[(u8, &str, usize)] = &[
    (0x03, "CreateContext", 96),
    (0x17, "CreateHwContext", 40),
    (0x1a, "DestroyHwContext", 4),
    (0x23, "GetSharedResourceAdapterLuid", 24),
    (0x28, "OpenResource", 72),
    (0x29, "OpenSynchronizationObject", 72),
    (0x2b, "QueryResourceInfo", 32),
    (0x2d, "Render", 368),
];
