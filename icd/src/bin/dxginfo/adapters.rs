//! The adapters of a node, and what drives each.

use crate::system::System;
use serde::Serialize;
use std::sync::Arc;
use vulkan_dxg::env::Options;
use winsys_dxg::dxg_abi::layout::{Kind, Layout};
use winsys_dxg::dxg_abi::payload::EngineType;
use winsys_dxg::dxg_abi::{layout, AdapterType, MemorySegmentGroup, Node};
use winsys_dxg::{driver_store_folder, Result, Vendor, VideoMemory, Winsys, WinsysConfig};

/// PCI ids.
#[derive(Clone, Debug, Serialize)]
pub struct Pci {
    /// Vendor.
    pub vendor: u32,
    /// The vendor's name, if it is a known one.
    pub vendor_name: Option<&'static str>,
    /// Device.
    pub device: u32,
    /// Vendor of the subsystem.
    pub subsystem_vendor: u32,
    /// Subsystem.
    pub subsystem: u32,
    /// Revision.
    pub revision: u32,
}

/// One engine.
#[derive(Clone, Debug, Serialize)]
pub struct Engine {
    /// What it is for.
    pub kind: String,
    /// The name that the driver gives it.
    pub name: String,
}

/// Memory of one kind, bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Segment {
    /// All of it, if the host says.
    pub size: Option<u64>,
    /// What a process may use now.
    pub budget: Option<u64>,
    /// What this process uses.
    pub usage: Option<u64>,
    /// What a process can reserve.
    pub available_for_reservation: Option<u64>,
}

/// The driver's folder.
#[derive(Clone, Debug, Serialize)]
pub struct DriverStore {
    /// As the host names it.
    pub host: String,
    /// As the guest sees it, if it is in the driver store.
    pub guest: Option<String>,
    /// Whether it is there.
    pub present: bool,
}

/// What a GPU crate says of an adapter that it does not drive.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// The crate.
    pub driver: &'static str,
    /// Its reason.
    pub reason: String,
}

/// An adapter. What the host does not answer is none.
#[derive(Clone, Debug, Serialize)]
pub struct Adapter {
    /// Of which node: `kernel` or `model`.
    pub node: &'static str,
    /// LUID: high and low part, in hexadecimal digits; another with each start of the host.
    pub luid: String,
    /// Name.
    pub name: Option<String>,
    /// GUID that stays.
    pub guid: Option<String>,
    /// Version of the driver model: 2700 is WDDM 2.7.
    pub wddm: Option<u32>,
    /// PCI ids of the physical GPU.
    pub pci: Option<Pci>,
    /// Bus, device and function on the host.
    pub address: Option<[u32; 3]>,
    /// What it is, in the words of the ABI.
    pub kinds: Vec<&'static str>,
    /// Its engines, in the order of their ordinals.
    pub engines: Vec<Engine>,
    /// Bits of a GPU virtual address.
    pub address_bits: Option<u32>,
    /// Whether the hardware schedules, so that there are hardware queues.
    pub hardware_scheduling: bool,
    /// Number of linked GPUs.
    pub physical_adapters: Option<u32>,
    /// The GPU's own memory.
    pub local: Segment,
    /// System memory that it can use.
    pub non_local: Segment,
    /// Where the host's driver is.
    pub driver_store: Option<DriverStore>,
    /// The crate that drives it.
    pub driven_by: Option<&'static str>,
    /// Why it is not used.
    pub reason: Option<String>,
    /// What each crate that does not drive it says.
    pub refusals: Vec<Refusal>,
}

fn kinds(value: AdapterType) -> Vec<&'static str> {
    let Kind::Flags { bits } = &AdapterType::LAYOUT.kind else { return Vec::new() };
    bits.iter().filter(|b| b.width == 1 && value.0 >> b.bit & 1 != 0).map(|b| b.name).collect()
}

fn segment(size: Option<u64>, memory: Result<VideoMemory>) -> Segment {
    let m = memory.ok();
    Segment {
        size,
        budget: m.map(|m| m.budget),
        usage: m.map(|m| m.usage),
        available_for_reservation: m.map(|m| m.available_for_reservation),
    }
}

/// Lists the adapters of a node.
///
/// # Errors
/// Those of the request.
pub fn list(system: &System, node: Arc<dyn Node>, of: &'static str, options: &Options) -> Result<Vec<Adapter>> {
    let winsys = Winsys::new(node, WinsysConfig::default());
    Ok(winsys.adapters()?.iter().map(|adapter| look(system, adapter, of, options)).collect())
}

fn look(system: &System, adapter: &winsys_dxg::Adapter, node: &'static str, options: &Options) -> Adapter {
    let pci = adapter.device_ids().ok().map(|ids| Pci {
        vendor: ids.vendor_id,
        vendor_name: Vendor::find(ids.vendor_id).map(|v| v.name),
        device: ids.device_id,
        subsystem_vendor: ids.sub_vendor_id,
        subsystem: ids.sub_system_id,
        revision: ids.revision_id,
    });
    let kind = adapter.adapter_type().ok();
    let groups = adapter.segment_group_sizes().ok();
    let old = adapter.segment_sizes().ok();
    // Packed structures: fields are copied out.
    let local = groups.map(|g| g.local_memory).or_else(|| old.map(|o| o.dedicated_video_memory_size));
    let non_local = groups.map(|g| g.non_local_memory).or_else(|| old.map(|o| o.shared_system_memory_size));
    let driver_store = adapter.driver_store_path().ok().map(|host| {
        let guest = driver_store_folder(&host);
        let present = guest.as_ref().is_some_and(|g| system.exists(g));
        DriverStore { host, guest, present }
    });
    let engines = adapter.nodes().iter().map(engine).collect();
    let (driven_by, refusals) = match vulkan_dxg::node::explain(adapter, options) {
        Ok(name) => (Some(name), Vec::new()),
        Err(list) => (None, list.into_iter().map(|(driver, reason)| Refusal { driver, reason }).collect()),
    };
    let reason = driven_by.is_none().then(|| reason(kind, pci.as_ref()));
    let luid = adapter.luid();
    Adapter {
        node,
        luid: format!("{:08x}:{:08x}", luid.b, luid.a),
        name: adapter.driver_description().ok(),
        guid: adapter.unique_guid().ok(),
        wddm: adapter.wddm_version().ok(),
        pci,
        address: adapter.address().ok().map(|a| [a.bus_number, a.device_number, a.function_number]),
        kinds: kind.map_or_else(Vec::new, kinds),
        engines,
        address_bits: adapter.gpu_mmu_caps().ok().map(|c| c.virtual_address_bit_count),
        hardware_scheduling: adapter.hw_scheduling(),
        physical_adapters: adapter.physical_adapter_count().ok(),
        local: segment(local, adapter.video_memory(MemorySegmentGroup::LOCAL)),
        non_local: segment(non_local, adapter.video_memory(MemorySegmentGroup::NON_LOCAL)),
        driver_store,
        driven_by,
        reason,
        refusals,
    }
}

fn engine(data: &winsys_dxg::dxg_abi::payload::NodeData) -> Engine {
    let kind = data.engine_type;
    let name = data.friendly_name;
    Engine {
        kind: layout::describe(EngineType::LAYOUT, &kind.0.to_le_bytes()).to_lowercase(),
        name: winsys_dxg::dxg_abi::payload::from_utf16(&name),
    }
}

/// Why no crate drives an adapter, for a person.
fn reason(kind: Option<AdapterType>, pci: Option<&Pci>) -> String {
    if kind.is_some_and(|k| !k.contains(AdapterType::RENDER_SUPPORTED)) {
        return "it can only display".to_owned();
    }
    match pci {
        None => "the host does not tell its PCI ids, and no GPU crate knows it".to_owned(),
        Some(pci) => match Vendor::find(pci.vendor) {
            Some(vendor) => vendor.state.to_owned(),
            None => format!("no crate drives GPUs of vendor {:#06x}", pci.vendor),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_for_the_adapter() {
        let pci = |vendor| Pci { vendor, vendor_name: None, device: 1, subsystem_vendor: 0, subsystem: 0, revision: 0 };
        let render = Some(AdapterType::RENDER_SUPPORTED);
        assert!(reason(render, Some(&pci(0x8086))).contains("Intel"));
        assert!(reason(render, Some(&pci(0x10de))).contains("NVIDIA"));
        assert!(reason(render, Some(&pci(0x1234))).contains("0x1234"));
        assert!(reason(Some(AdapterType::default()), Some(&pci(0x8086))).contains("display"));
        assert!(reason(None, None).contains("PCI ids"));
        assert_eq!(kinds(AdapterType(1 | 1 << 11)), ["RENDER_SUPPORTED", "COMPUTE_ONLY"]);
    }
}
