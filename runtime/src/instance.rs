//! Instances.

use crate::gpu::Gpu;
use crate::physical_device::PhysicalDevice;
use std::sync::Arc;
use winsys_dxg::Adapter;

/// A VkInstance: the physical devices found.
#[derive(Debug)]
pub struct Instance {
    physical_devices: Vec<Arc<PhysicalDevice>>,
}

impl Instance {
    /// An instance over adapters and the GPUs that drive them, in the order to be enumerated in.
    pub fn new(gpus: Vec<(Adapter, Arc<dyn Gpu>)>) -> Arc<Instance> {
        let physical_devices = gpus.into_iter().map(|(adapter, gpu)| PhysicalDevice::new(adapter, gpu)).collect();
        Arc::new(Instance { physical_devices })
    }

    /// The physical devices.
    pub fn physical_devices(&self) -> &[Arc<PhysicalDevice>] {
        &self.physical_devices
    }
}
