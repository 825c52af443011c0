//! QueryAdapterInfo.

use dxg_abi::payload::{
    to_utf16, AdapterAddress, AdapterPerfData, AdapterPerfDataCaps, AdapterRegistryInfo, DeviceIds, DriverDescription,
    GpuMmuCaps, GpuMmuFlags, NodeData, NodeMetadata, NodePerfData, PhysicalAdapterCount, QueryAdapterUniqueGuid,
    QueryDeviceIds, QueryGpuMmuCaps, QueryRegistryInfo, QueryRegistryStatus, QueryRegistryType, SegmentGroupSizeInfo,
    SegmentSizeInfo, Wddm20Caps, Wddm27Caps, Wddm29Caps, Wddm30Caps, QUERY_REGISTRY_OUTPUT_OFFSET,
};
use dxg_abi::zerocopy::{FromBytes, Immutable, IntoBytes};
use dxg_abi::{AdapterType, Ioctl, NtStatus, QueryAdapterInfo, QueryAdapterInfoType as Type};

use crate::handles::Adapter;
use crate::process::{Answer, Failure, Process};
use crate::usermem;

/// Largest payload, bytes.
const LARGEST: u32 = dxg_abi::PRIVATE_DATA_MAX;

pub(super) fn adapter_info(p: &Process, a: &mut QueryAdapterInfo) -> Answer {
    if a.private_data_size == 0 || a.private_data_size > LARGEST {
        return Err(Failure::EINVAL);
    }
    let adapter = p.any_adapter(a.adapter)?;
    let mut data = super::private_data(a.private_data, a.private_data_size)?;
    let said = p.host_status(Ioctl::QueryAdapterInfo).and_then(|()| match adapter {
        Adapter::Gpu => answer(p, a.r#type, &mut data),
        Adapter::Compute => answer_compute_only(a.r#type, &mut data),
    });
    if let Err(status) = said {
        // Hosts before protocol 40 send no status: a short reply is all there is to see.
        return Err(if p.config.query_status { status.into() } else { Failure::EOVERFLOW });
    }
    usermem::copy_out(a.private_data, &data)?;
    Ok(0)
}

/// Puts a value at the start of the payload, which has to have room for it; what follows stays.
fn put<T: IntoBytes + Immutable + ?Sized>(data: &mut [u8], value: &T) -> Result<(), NtStatus> {
    let bytes = value.as_bytes();
    data.get_mut(..bytes.len()).ok_or(NtStatus::INVALID_PARAMETER)?.copy_from_slice(bytes);
    Ok(())
}

/// Reads the request at the start of the payload.
fn get<T: FromBytes>(data: &[u8]) -> Result<T, NtStatus> {
    T::read_from_prefix(data).map(|(v, _)| v).map_err(|_| NtStatus::INVALID_PARAMETER)
}

/// There is one physical adapter.
fn only_adapter(index: u32) -> Result<(), NtStatus> {
    if index == 0 {
        Ok(())
    } else {
        Err(NtStatus::INVALID_PARAMETER)
    }
}

/// What a compute-only adapter tells: that it is one.
fn answer_compute_only(kind: Type, data: &mut [u8]) -> Result<(), NtStatus> {
    match kind {
        Type::ADAPTERTYPE | Type::ADAPTERTYPE_RENDER => {
            put(data, &(AdapterType::COMPUTE_ONLY | AdapterType::PARAVIRTUALIZED))
        }
        Type::PHYSICALADAPTERCOUNT => put(data, &PhysicalAdapterCount { count: 1 }),
        // Types of the other side's making.
        Type(_) => Err(NtStatus::INVALID_PARAMETER),
    }
}

/// Reads the registry: of a package only its folder is known.
fn registry(request: QueryRegistryInfo, path: &str, data: &mut [u8]) -> Result<(), NtStatus> {
    let text: Vec<u8> = path.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    let room = data.len() - QUERY_REGISTRY_OUTPUT_OFFSET;
    let known = request.query_type == QueryRegistryType::DRIVERSTOREPATH;
    only_adapter(request.physical_adapter_index)?;
    let (status, output_value_size) = match (known, text.len() <= room) {
        (false, _) => (QueryRegistryStatus::FAIL, 0),
        (true, false) => (QueryRegistryStatus::BUFFER_OVERFLOW, text.len() as u32),
        (true, true) => (QueryRegistryStatus::SUCCESS, text.len() as u32),
    };
    put(data, &QueryRegistryInfo { status, output_value_size, ..request })?;
    if status == QueryRegistryStatus::SUCCESS {
        put(&mut data[QUERY_REGISTRY_OUTPUT_OFFSET..], &*text)?;
    }
    Ok(())
}

fn answer(p: &Process, kind: Type, data: &mut [u8]) -> Result<(), NtStatus> {
    let id = p.engine.identity();
    let sizes = SegmentSizeInfo {
        dedicated_video_memory_size: id.dedicated_memory,
        dedicated_system_memory_size: 0,
        shared_system_memory_size: id.shared_memory,
    };
    let hw = id.hw_scheduling && p.config.hw_queues;
    match kind {
        Type::UMDRIVERPRIVATE => {
            let blob = p.engine.umd_private(&p.space);
            let room = data.get_mut(..blob.len()).ok_or(NtStatus::BUFFER_TOO_SMALL)?;
            room.copy_from_slice(&blob);
            data[blob.len()..].fill(0);
            Ok(())
        }
        Type::GETSEGMENTSIZE => put(data, &sizes),
        Type::ADAPTERADDRESS | Type::ADAPTERADDRESS_RENDER => {
            let (bus_number, device_number, function_number) = id.bus_address;
            put(data, &AdapterAddress { bus_number, device_number, function_number })
        }
        Type::ADAPTERREGISTRYINFO | Type::ADAPTERREGISTRYINFO_RENDER => put(
            data,
            &AdapterRegistryInfo {
                adapter_string: to_utf16(&id.name),
                bios_string: to_utf16(""),
                dac_type: to_utf16(""),
                chip_type: to_utf16(&id.name),
            },
        ),
        Type::DRIVERVERSION | Type::DRIVERVERSION_RENDER => put(data, &id.wddm_version),
        Type::ADAPTERTYPE | Type::ADAPTERTYPE_RENDER => {
            let kind = if id.software { AdapterType::SOFTWARE_DEVICE } else { AdapterType::HYBRID_INTEGRATED };
            put(data, &(AdapterType::RENDER_SUPPORTED | AdapterType::PARAVIRTUALIZED | kind))
        }
        Type::WDDM_2_0_CAPS => put(data, &(Wddm20Caps::SUPPORT_64_BIT_ATOMICS | Wddm20Caps::GPU_MMU_SUPPORTED)),
        Type::WDDM_2_7_CAPS => put(
            data,
            &Wddm27Caps::default()
                .set(Wddm27Caps::HW_SCH_SUPPORTED, hw)
                .set(Wddm27Caps::HW_SCH_ENABLED, hw)
                .set(Wddm27Caps::HW_SCH_ENABLED_BY_DEFAULT, hw),
        ),
        Type::WDDM_2_9_CAPS => {
            // Support state: 0 none, 2 stable.
            let state = if hw { 2 } else { 0 };
            put(
                data,
                &Wddm29Caps::default()
                    .with(Wddm29Caps::HW_SCH_SUPPORT_STATE, state)
                    .set(Wddm29Caps::HW_SCH_ENABLED, hw),
            )
        }
        Type::WDDM_3_0_CAPS => put(data, &Wddm30Caps::default()),
        Type::NODEMETADATA => {
            let which: u32 = get(data)?;
            only_adapter(which >> 16)?;
            let node = id.nodes.get((which & 0xffff) as usize).ok_or(NtStatus::INVALID_PARAMETER)?;
            let node_data = NodeData {
                engine_type: node.engine_type,
                friendly_name: to_utf16(&node.name),
                flags: Default::default(),
                gpu_mmu_supported: 1,
                io_mmu_supported: 0,
            };
            put(data, &NodeMetadata { node_ordinal_and_adapter_index: which, node_data })
        }
        Type::PHYSICALADAPTERCOUNT => put(data, &PhysicalAdapterCount { count: 1 }),
        Type::PHYSICALADAPTERDEVICEIDS => {
            let physical_adapter_index = get(data)?;
            only_adapter(physical_adapter_index)?;
            let device_ids = DeviceIds {
                vendor_id: id.vendor_id,
                device_id: id.device_id,
                sub_vendor_id: id.subvendor_id,
                sub_system_id: id.subsystem_id,
                revision_id: id.revision_id,
                bus_type: id.bus_type,
            };
            put(data, &QueryDeviceIds { physical_adapter_index, device_ids })
        }
        Type::QUERY_GPUMMU_CAPS => {
            let physical_adapter_index = get(data)?;
            only_adapter(physical_adapter_index)?;
            let caps = GpuMmuCaps {
                flags: GpuMmuFlags::READ_ONLY_MEMORY_SUPPORTED | GpuMmuFlags::CACHE_COHERENT_MEMORY_SUPPORTED,
                virtual_address_bit_count: id.va_bits,
            };
            put(data, &QueryGpuMmuCaps { physical_adapter_index, caps })
        }
        Type::GETSEGMENTGROUPSIZE => {
            let physical_adapter_index = get(data)?;
            only_adapter(physical_adapter_index)?;
            // One segment group serves everything: the adapter's own memory, or for one without
            // any the system memory it shares.
            let info = SegmentGroupSizeInfo {
                physical_adapter_index,
                pad0: 0,
                legacy_info: sizes,
                local_memory: p.residency.budget,
                non_local_memory: 0,
                non_budget_memory: 0,
            };
            put(data, &info)
        }
        Type::QUERYREGISTRY => {
            let request = get::<QueryRegistryInfo>(data)?;
            match &p.config.driver_store {
                // A software adapter has no driver package on the host.
                None => Err(NtStatus::OBJECT_NAME_NOT_FOUND),
                Some(path) => registry(request, path, data),
            }
        }
        Type::NODEPERFDATA => {
            let NodePerfData { node_ordinal, physical_adapter_index, .. } = get(data)?;
            only_adapter(physical_adapter_index)?;
            if node_ordinal as usize >= id.nodes.len() {
                return Err(NtStatus::INVALID_PARAMETER);
            }
            // There are no clocks to read.
            put(data, &NodePerfData { node_ordinal, ..Default::default() })
        }
        Type::ADAPTERPERFDATA => {
            only_adapter(get(data)?)?;
            put(data, &AdapterPerfData::default())
        }
        Type::ADAPTERPERFDATA_CAPS => {
            only_adapter(get(data)?)?;
            put(data, &AdapterPerfDataCaps::default())
        }
        Type::QUERY_ADAPTER_UNIQUE_GUID => {
            put(data, &QueryAdapterUniqueGuid { adapter_unique_guid: to_utf16(&guid(&id.guid)) })
        }
        Type::DRIVER_DESCRIPTION | Type::DRIVER_DESCRIPTION_RENDER => {
            put(data, &DriverDescription { driver_description: to_utf16(&id.name) })
        }
        // The driver file of an adapter without a driver package.
        Type::UMDRIVERNAME => Err(NtStatus::OBJECT_NAME_NOT_FOUND),
        // Types of the other side's making, of which there are many and may be more.
        Type(_) => Err(NtStatus::INVALID_PARAMETER),
    }
}

/// A GUID in braces; the first three groups are little-endian numbers.
fn guid(g: &[u8; 16]) -> String {
    let hex = |bytes: &mut dyn Iterator<Item = &u8>| -> String { bytes.map(|b| format!("{b:02X}")).collect() };
    format!(
        "{{{}-{}-{}-{}-{}}}",
        hex(&mut g[..4].iter().rev()),
        hex(&mut g[4..6].iter().rev()),
        hex(&mut g[6..8].iter().rev()),
        hex(&mut g[8..10].iter()),
        hex(&mut g[10..].iter()),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn guids_print_as_windows_prints_them() {
        let g = core::array::from_fn(|i| i as u8);
        assert_eq!(super::guid(&g), "{03020100-0504-0706-0809-0A0B0C0D0E0F}");
    }
}
