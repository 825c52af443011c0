//! What the node says of its adapters, as far as DXCore passes it on.

use dxg_abi::payload::{
    from_utf16, DeviceIds, DriverDescription, PhysicalAdapterCount, QueryDeviceIds, SegmentSizeInfo, UmdFileNameInfo,
};
use dxg_abi::{
    AdapterInfo, AdapterType, CloseAdapter, EnumAdapters2, EnumAdapters3, EnumAdaptersFilter, Handle, Luid,
    MemorySegmentGroup, NtStatus, OpenAdapterFromLuid, QueryAdapterInfo, QueryAdapterInfoType as Kind,
    QueryVideoMemoryInfo, ADAPTERS_MAX,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::node::call;

/// Version of the interface of Direct3D 12 drivers.
const D3D12: u32 = 3;

/// D3DKMT_WDDM_1_2_CAPS.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Wddm12Caps {
    /// How finely graphics work can be preempted.
    pub(crate) graphics_preemption: u32,
    /// How finely compute work can be preempted.
    pub(crate) compute_preemption: u32,
    /// Other capabilities.
    pub(crate) flags: u32,
}

/// An adapter, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Adapter {
    pub(crate) luid: Luid,
    pub(crate) kind: AdapterType,
    pub(crate) description: Option<String>,
    pub(crate) ids: Option<DeviceIds>,
    /// Version of the driver model times 1000.
    pub(crate) wddm: Option<u32>,
    /// Version of the user-mode driver: four words, the first highest.
    pub(crate) driver_version: Option<u64>,
    pub(crate) memory: Option<SegmentSizeInfo>,
    pub(crate) wddm12: Option<Wddm12Caps>,
    pub(crate) linked: Option<u32>,
    /// Whether the host has a Direct3D 12 driver for it.
    pub(crate) direct3d12: bool,
}

/// A handle that is given back.
struct Open(Handle);

impl Drop for Open {
    fn drop(&mut self) {
        // There is nothing to do about a failure.
        call(&mut CloseAdapter { adapter_handle: self.0 });
    }
}

fn open(luid: Luid) -> Option<Open> {
    let mut arg = OpenAdapterFromLuid { adapter_luid: luid, ..Default::default() };
    let opened = call(&mut arg).is_success() && !arg.adapter_handle.is_null();
    opened.then_some(Open(arg.adapter_handle))
}

/// Asks with a payload without text or with one in the wire's form.
fn query<T: FromBytes + IntoBytes>(adapter: &Open, kind: Kind, mut payload: T) -> Option<T> {
    let mut arg = QueryAdapterInfo {
        adapter: adapter.0,
        r#type: kind,
        private_data: payload.as_mut_bytes().as_mut_ptr() as u64,
        private_data_size: size_of::<T>() as u32,
        ..Default::default()
    };
    call(&mut arg).is_success().then_some(payload)
}

impl Adapter {
    fn ask(luid: Luid, handle: &Open) -> Option<Self> {
        let either = |a, b| query(handle, a, 0u32).or_else(|| query(handle, b, 0u32));
        let description = [Kind::DRIVER_DESCRIPTION, Kind::DRIVER_DESCRIPTION_RENDER]
            .into_iter()
            .find_map(|kind| query(handle, kind, DriverDescription::default()))
            .map(|d| from_utf16(&d.driver_description));
        let umd = UmdFileNameInfo { version: D3D12, ..Default::default() };
        Some(Self {
            luid,
            kind: AdapterType(either(Kind::ADAPTERTYPE, Kind::ADAPTERTYPE_RENDER)?),
            description,
            ids: query(handle, Kind::PHYSICALADAPTERDEVICEIDS, QueryDeviceIds::default()).map(|q| q.device_ids),
            wddm: either(Kind::DRIVERVERSION, Kind::DRIVERVERSION_RENDER),
            driver_version: query(handle, Kind::UMD_DRIVER_VERSION, 0u64),
            memory: query(handle, Kind::GETSEGMENTSIZE, SegmentSizeInfo::default()),
            wddm12: query(handle, Kind::WDDM_1_2_CAPS, Wddm12Caps::default()),
            linked: query(handle, Kind::PHYSICALADAPTERCOUNT, PhysicalAdapterCount::default()).map(|c| c.count),
            direct3d12: query(handle, Kind::UMDRIVERNAME, umd).is_some(),
        })
    }

    /// Whether work can be given to it.
    pub(crate) fn computes(&self) -> bool {
        self.kind.contains(AdapterType::RENDER_SUPPORTED) || self.kind.contains(AdapterType::COMPUTE_ONLY)
    }

    /// Whether it is still there.
    pub(crate) fn is_there(&self) -> bool {
        open(self.luid).is_some()
    }

    /// How much memory of a group the process may use.
    pub(crate) fn budget(&self, group: MemorySegmentGroup) -> Result<QueryVideoMemoryInfo, NtStatus> {
        let handle = open(self.luid).ok_or(NtStatus::DEVICE_REMOVED)?;
        let mut arg = QueryVideoMemoryInfo { adapter: handle.0, memory_segment_group: group, ..Default::default() };
        match call(&mut arg) {
            status if status.is_success() => Ok(arg),
            status => Err(status),
        }
    }
}

/// The adapters' LUIDs with handles that are given back; compute-only ones included where the node can list them.
fn list() -> Result<Vec<(Luid, Open)>, NtStatus> {
    let mut infos = [AdapterInfo::default(); ADAPTERS_MAX as usize];
    let filter = EnumAdaptersFilter::INCLUDE_COMPUTE_ONLY;
    let adapters = infos.as_mut_ptr() as u64;
    let mut newer = EnumAdapters3 { filter, adapter_count: ADAPTERS_MAX, adapters, ..Default::default() };
    let count = if call(&mut newer).is_success() {
        newer.adapter_count
    } else {
        // Kernels before it have the older form only.
        let mut older = EnumAdapters2 { num_adapters: ADAPTERS_MAX, adapters, ..Default::default() };
        match call(&mut older) {
            status if status.is_success() => older.num_adapters,
            status => return Err(status),
        }
    };
    let opened = infos.iter().take(count as usize).filter(|i| !i.adapter_handle.is_null());
    Ok(opened.map(|i| (i.adapter_luid, Open(i.adapter_handle))).collect())
}

/// All adapters, in the node's order. One that does not even tell its kind is left out.
pub(crate) fn adapters() -> Result<Vec<Adapter>, NtStatus> {
    Ok(list()?.iter().filter_map(|(luid, handle)| Adapter::ask(*luid, handle)).collect())
}

/// The adapter with a LUID.
pub(crate) fn adapter(luid: Luid) -> Option<Adapter> {
    Adapter::ask(luid, &open(luid)?)
}

/// The LUIDs that are there now.
pub(crate) fn luids() -> Vec<Luid> {
    list().map_or_else(|_| Vec::new(), |l| l.iter().map(|(luid, _)| *luid).collect())
}
