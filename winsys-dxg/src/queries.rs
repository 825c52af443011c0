//! What can be asked of an adapter.

use crate::adapter::Adapter;
use crate::error::{Cause, Error, Result};
use dxg_abi::payload::{
    from_utf16, AdapterAddress, DeviceIds, DriverDescription, GpuMmuCaps, NodeData, NodeMetadata, PhysicalAdapterCount,
    QueryAdapterUniqueGuid, QueryDeviceIds, QueryGpuMmuCaps, QueryRegistryFlags, QueryRegistryInfo,
    QueryRegistryStatus, QueryRegistryType, SegmentGroupSizeInfo, SegmentSizeInfo, Wddm20Caps, Wddm27Caps,
    QUERY_REGISTRY_OUTPUT_OFFSET,
};
use dxg_abi::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use dxg_abi::{AdapterType, Arg, QueryAdapterInfo, QueryAdapterInfoType, PRIVATE_DATA_SAFE};

/// The size of a private blob, if it is one that always fits.
pub(crate) fn blob_size(data: &[u8]) -> Result<u32> {
    u32::try_from(data.len()).ok().filter(|n| *n < PRIVATE_DATA_SAFE).ok_or(Error::argument("private data too large"))
}

impl Adapter {
    /// Asks with a raw payload, which is answered in place.
    ///
    /// # Errors
    /// Those of the request; a host that does not know the query answers EINVAL or ENOENT.
    pub fn query_raw(&self, kind: QueryAdapterInfoType, data: &mut [u8]) -> Result<()> {
        let mut arg = QueryAdapterInfo {
            adapter: self.handle(),
            r#type: kind,
            private_data: data.as_mut_ptr() as u64,
            private_data_size: blob_size(data)?,
            ..Default::default()
        };
        self.call(&mut arg).map(drop)
    }

    /// Asks with a typed payload.
    fn query<T>(&self, kind: QueryAdapterInfoType, mut payload: T) -> Result<T>
    where
        T: FromBytes + IntoBytes + Immutable + KnownLayout,
    {
        self.query_raw(kind, payload.as_mut_bytes())?;
        Ok(payload)
    }

    /// Asks for the general form and, where that is refused, for the render-only one.
    fn query_either<T>(&self, kind: QueryAdapterInfoType, render: QueryAdapterInfoType, payload: T) -> Result<T>
    where
        T: FromBytes + IntoBytes + Immutable + KnownLayout + Copy,
    {
        self.query(kind, payload).or_else(|_| self.query(render, payload))
    }

    /// What kind of adapter it is. One without `RENDER_SUPPORTED` is of no use.
    ///
    /// # Errors
    /// Those of the request, as for all queries here.
    pub fn adapter_type(&self) -> Result<AdapterType> {
        self.query_either(
            QueryAdapterInfoType::ADAPTERTYPE,
            QueryAdapterInfoType::ADAPTERTYPE_RENDER,
            AdapterType::default(),
        )
    }

    /// The adapter's name.
    ///
    /// # Errors
    /// Those of the request.
    pub fn driver_description(&self) -> Result<String> {
        let payload = self.query_either(
            QueryAdapterInfoType::DRIVER_DESCRIPTION,
            QueryAdapterInfoType::DRIVER_DESCRIPTION_RENDER,
            DriverDescription::default(),
        )?;
        Ok(from_utf16(&payload.driver_description))
    }

    /// A GUID, as text, that names the adapter over restarts.
    ///
    /// # Errors
    /// Those of the request.
    pub fn unique_guid(&self) -> Result<String> {
        let payload = self.query(QueryAdapterInfoType::QUERY_ADAPTER_UNIQUE_GUID, QueryAdapterUniqueGuid::default())?;
        Ok(from_utf16(&payload.adapter_unique_guid))
    }

    /// Version of the driver model times 1000: 2700 is WDDM 2.7.
    ///
    /// # Errors
    /// Those of the request.
    pub fn wddm_version(&self) -> Result<u32> {
        self.query_either(QueryAdapterInfoType::DRIVERVERSION, QueryAdapterInfoType::DRIVERVERSION_RENDER, 0u32)
    }

    /// The GPU's virtual address space.
    ///
    /// # Errors
    /// Those of the request.
    pub fn gpu_mmu_caps(&self) -> Result<GpuMmuCaps> {
        Ok(self.query(QueryAdapterInfoType::QUERY_GPUMMU_CAPS, QueryGpuMmuCaps::default())?.caps)
    }

    /// Memory sizes, local and non-local.
    ///
    /// # Errors
    /// Those of the request; older hosts know only [`Adapter::segment_sizes`].
    pub fn segment_group_sizes(&self) -> Result<SegmentGroupSizeInfo> {
        self.query(QueryAdapterInfoType::GETSEGMENTGROUPSIZE, SegmentGroupSizeInfo::default())
    }

    /// Memory sizes, dedicated and shared.
    ///
    /// # Errors
    /// Those of the request.
    pub fn segment_sizes(&self) -> Result<SegmentSizeInfo> {
        self.query(QueryAdapterInfoType::GETSEGMENTSIZE, SegmentSizeInfo::default())
    }

    /// Number of linked adapters, 1 in general.
    ///
    /// # Errors
    /// Those of the request.
    pub fn physical_adapter_count(&self) -> Result<u32> {
        Ok(self.query(QueryAdapterInfoType::PHYSICALADAPTERCOUNT, PhysicalAdapterCount::default())?.count)
    }

    /// PCI ids of the physical GPU, not of the virtual one the guest sees.
    ///
    /// # Errors
    /// Those of the request.
    pub fn device_ids(&self) -> Result<DeviceIds> {
        Ok(self.query(QueryAdapterInfoType::PHYSICALADAPTERDEVICEIDS, QueryDeviceIds::default())?.device_ids)
    }

    /// Bus address on the host.
    ///
    /// # Errors
    /// Those of the request.
    pub fn address(&self) -> Result<AdapterAddress> {
        self.query_either(
            QueryAdapterInfoType::ADAPTERADDRESS,
            QueryAdapterInfoType::ADAPTERADDRESS_RENDER,
            AdapterAddress::default(),
        )
    }

    /// One engine.
    ///
    /// # Errors
    /// Those of the request, in particular for an ordinal past the last.
    pub fn node(&self, ordinal: u16) -> Result<NodeData> {
        let payload = NodeMetadata { node_ordinal_and_adapter_index: u32::from(ordinal), ..Default::default() };
        Ok(self.query(QueryAdapterInfoType::NODEMETADATA, payload)?.node_data)
    }

    /// All engines, in order of their ordinals.
    pub fn nodes(&self) -> Vec<NodeData> {
        // No adapter has nearly as many; the bound keeps a confused host from going on forever.
        (0..64).map_while(|i| self.node(i).ok()).collect()
    }

    /// Capabilities of WDDM 2.0.
    ///
    /// # Errors
    /// Those of the request.
    pub fn wddm20_caps(&self) -> Result<Wddm20Caps> {
        self.query(QueryAdapterInfoType::WDDM_2_0_CAPS, Wddm20Caps::default())
    }

    /// Capabilities of WDDM 2.7.
    ///
    /// # Errors
    /// Those of the request.
    pub fn wddm27_caps(&self) -> Result<Wddm27Caps> {
        self.query(QueryAdapterInfoType::WDDM_2_7_CAPS, Wddm27Caps::default())
    }

    /// Whether the adapter schedules in hardware, so that hardware queues can be made.
    pub fn hw_scheduling(&self) -> bool {
        self.wddm27_caps().is_ok_and(|caps| caps.contains(Wddm27Caps::HW_SCH_ENABLED))
    }

    /// The vendor's capability blob. Its size is a matter between the vendor and the caller.
    ///
    /// # Errors
    /// Those of the request.
    pub fn umd_private(&self, data: &mut [u8]) -> Result<()> {
        self.query_raw(QueryAdapterInfoType::UMDRIVERPRIVATE, data)
    }

    /// The folder of the host's driver, as the host names it.
    ///
    /// # Errors
    /// Those of the request.
    pub fn driver_store_path(&self) -> Result<String> {
        let head = QueryRegistryInfo {
            query_type: QueryRegistryType::DRIVERSTOREPATH,
            query_flags: QueryRegistryFlags::TRANSLATE_PATH,
            value_type: 1,
            ..Default::default()
        };
        let kind = QueryAdapterInfoType::QUERYREGISTRY;
        let first = self.query(kind, head)?;
        let size = match first.status {
            QueryRegistryStatus::SUCCESS | QueryRegistryStatus::BUFFER_OVERFLOW => first.output_value_size as usize,
            _ => return Err(Error::new(QueryAdapterInfo::IOCTL, Cause::NoOutput)),
        };
        // Paths are short; a size beyond that is not one.
        if size == 0 || size > 64 << 10 {
            return Err(Error::new(QueryAdapterInfo::IOCTL, Cause::NoOutput));
        }
        let mut data = vec![0u8; size_of::<QueryRegistryInfo>() + size];
        data[..size_of::<QueryRegistryInfo>()].copy_from_slice(head.as_bytes());
        self.query_raw(kind, &mut data)?;
        let answered = QueryRegistryInfo::read_from_prefix(&data).map_or_else(|_| head, |(info, _)| info);
        if answered.status != QueryRegistryStatus::SUCCESS {
            return Err(Error::new(QueryAdapterInfo::IOCTL, Cause::NoOutput));
        }
        let text: Vec<u16> = data[QUERY_REGISTRY_OUTPUT_OFFSET..][..size]
            .chunks_exact(2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]))
            .collect();
        Ok(from_utf16(&text))
    }
}

/// The folder under which the guest sees a driver-store path of the host; `None` if the path is
/// not in the store.
pub fn driver_store_folder(host_path: &str) -> Option<String> {
    if host_path.starts_with("/usr/lib/wsl/drivers/") {
        return Some(host_path.to_owned());
    }
    let lower = host_path.to_ascii_lowercase();
    let marker = "\\filerepository\\";
    let rest = host_path.get(lower.find(marker)? + marker.len()..)?;
    let folder = rest.split('\\').next().filter(|f| !f.is_empty() && !f.contains('/') && *f != "..")?;
    Some(format!("/usr/lib/wsl/drivers/{folder}"))
}

#[cfg(test)]
mod tests {
    use super::driver_store_folder;

    #[test]
    fn store_paths_translate() {
        let host = r"C:\WINDOWS\System32\DriverStore\FileRepository\iigd_dch.inf_amd64_0123456789abcdef\x.dll";
        assert_eq!(
            driver_store_folder(host).as_deref(),
            Some("/usr/lib/wsl/drivers/iigd_dch.inf_amd64_0123456789abcdef")
        );
        assert_eq!(driver_store_folder(r"C:\somewhere\else"), None);
        assert_eq!(driver_store_folder(r"C:\FileRepository\"), None);
        assert_eq!(driver_store_folder(r"x\FileRepository\..\y"), None);
        assert!(driver_store_folder("/usr/lib/wsl/drivers/a").is_some());
    }
}
