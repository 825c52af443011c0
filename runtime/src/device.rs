//! Devices.

use crate::descriptor_heap::BorderColors;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, GpuProps, Robustness, RobustnessLevel};
use crate::heap::Heap;
use crate::lock::lock;
use crate::physical_device::PhysicalDevice;
use crate::pipeline::{KernelStore, Tiers};
use crate::queue::Queue;
use crate::submit_signal::SubmitSignal;
use crate::uses::UseRegistry;
use ash::vk;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use winsys_dxg::dxg_abi::{DeviceExecutionState, PageFaultFlags};

/// Queues of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueCreate {
    /// Family.
    pub family: u32,
    /// Number of queues.
    pub count: u32,
    /// Flags.
    pub flags: vk::DeviceQueueCreateFlags,
    /// Priority among the queues of all processes.
    pub priority: vk::QueueGlobalPriorityKHR,
}

/// Features that change how the runtime works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceFeatures {
    /// robustBufferAccess.
    pub robust_buffer_access: bool,
    /// robustBufferAccess2.
    pub robust_buffer_access2: bool,
    /// robustImageAccess.
    pub robust_image_access: bool,
    /// robustImageAccess2.
    pub robust_image_access2: bool,
    /// nullDescriptor.
    pub null_descriptor: bool,
    /// Compile every pipeline anew, for debugging of the compiler.
    pub no_kernel_cache: bool,
    /// Descriptors lie in memory of the application (descriptor buffers, descriptor heaps), which is not looked through for what
    /// submissions use.
    pub descriptors_anywhere: bool,
}

/// VkDeviceCreateInfo.
#[derive(Clone, Debug, Default)]
pub struct DeviceCreate {
    /// Queues.
    pub queues: Vec<QueueCreate>,
    /// Features.
    pub features: DeviceFeatures,
}

/// What is known about the loss of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFault {
    /// In words.
    pub description: String,
    /// GPU address of the access that faulted, if one did.
    pub address: Option<u64>,
    /// Whether that access was a write.
    pub write: bool,
    /// Whether work did not end in time.
    pub timeout: bool,
}

/// A VkDevice. First in the lock order: device → queue → pool → memory.
#[derive(Debug)]
pub struct Device {
    physical: Arc<PhysicalDevice>,
    winsys: winsys_dxg::Device,
    features: DeviceFeatures,
    /// By family, then index. Drop before the heap: queues may be using its memory.
    queues: Vec<(QueueCreate, Vec<Arc<Queue>>)>,
    heap: Heap,
    signal: Arc<SubmitSignal>,
    names: Mutex<HashMap<(i32, u64), String>>,
    border_colors: BorderColors,
    kernel_store: OnceLock<Arc<dyn KernelStore>>,
    uses: Arc<UseRegistry>,
    tiers: Tiers,
}

impl Device {
    /// Makes a device with its queues.
    ///
    /// # Errors
    /// [`Error::InitializationFailed`] for families or queues that do not exist; those of the window system.
    pub fn new(physical: &Arc<PhysicalDevice>, create: &DeviceCreate) -> Result<Arc<Device>> {
        let props = physical.props();
        let descriptor_fits = [
            vk::DescriptorType::SAMPLER,
            vk::DescriptorType::COMBINED_IMAGE_SAMPLER,
            vk::DescriptorType::SAMPLED_IMAGE,
            vk::DescriptorType::STORAGE_IMAGE,
            vk::DescriptorType::UNIFORM_TEXEL_BUFFER,
            vk::DescriptorType::STORAGE_TEXEL_BUFFER,
            vk::DescriptorType::UNIFORM_BUFFER,
            vk::DescriptorType::STORAGE_BUFFER,
        ]
        .iter()
        .all(|&ty| physical.gpu().descriptor_size(ty) as usize <= crate::descriptor_write::MAX_DESCRIPTOR_BYTES);
        if !descriptor_fits || !props.descriptor_align.is_power_of_two() {
            return Err(Error::InitializationFailed("the GPU's descriptors are not of a usable size".to_owned()));
        }
        let memory_type = crate::heap::internal_memory_type(props)
            .ok_or_else(|| Error::InitializationFailed("no memory type for descriptors and commands".to_owned()))?;
        let winsys = winsys_dxg::Device::create(physical.adapter(), &winsys_dxg::DeviceDesc::default())?;
        let signal = Arc::new(SubmitSignal::default());
        let uses = Arc::new(UseRegistry::default());
        let mut queues = Vec::new();
        for q in &create.queues {
            let family =
                props.queue_families.get(q.family as usize).filter(|f| q.count <= f.count).ok_or_else(|| {
                    Error::InitializationFailed(format!("queue family {} has no such queues", q.family))
                })?;
            let made: Result<Vec<Arc<Queue>>> = (0..q.count)
                .map(|index| Ok(Arc::new(Queue::new(&winsys, physical.gpu(), (&signal, &uses), (q, index), family)?)))
                .collect();
            queues.push((*q, made?));
        }
        let heap = Heap::new(winsys.clone(), physical.gpu().clone(), memory_type);
        Ok(Arc::new(Device {
            physical: physical.clone(),
            winsys,
            features: create.features,
            queues,
            heap,
            signal,
            names: Mutex::new(HashMap::new()),
            border_colors: BorderColors::default(),
            kernel_store: OnceLock::new(),
            uses,
            tiers: Tiers::default(),
        }))
    }

    /// Lets programs of this device be found in, and given to, a store that outlives the process. Said once, the rest is ignored.
    pub fn set_kernel_store(&self, store: Arc<dyn KernelStore>) {
        let _ = self.kernel_store.set(store);
    }

    /// The store, unless the device was made to keep no kernels.
    pub(crate) fn kernel_store(&self) -> Option<&dyn KernelStore> {
        self.kernel_store.get().filter(|_| !self.features.no_kernel_cache).map(|s| &**s)
    }

    /// The programs that better code may follow.
    pub(crate) fn tiers(&self) -> &Tiers {
        &self.tiers
    }

    /// The device is not used any more: nothing is compiled for it from now on. Returns when nothing is.
    pub fn retire(&self) {
        self.tiers.stop();
    }

    /// Indices of custom border colours.
    pub fn border_colors(&self) -> &BorderColors {
        &self.border_colors
    }

    /// The physical device.
    pub fn physical(&self) -> &Arc<PhysicalDevice> {
        &self.physical
    }

    /// Facts about the GPU.
    pub fn props(&self) -> &GpuProps {
        self.physical.props()
    }

    /// The GPU.
    pub fn gpu(&self) -> &Arc<dyn Gpu> {
        self.physical.gpu()
    }

    /// The window system's device.
    pub fn winsys(&self) -> &winsys_dxg::Device {
        &self.winsys
    }

    /// Features that are on.
    pub fn features(&self) -> &DeviceFeatures {
        &self.features
    }

    /// A queue made without flags.
    pub fn queue(&self, family: u32, index: u32) -> Option<&Arc<Queue>> {
        self.queue_with_flags(family, index, vk::DeviceQueueCreateFlags::empty())
    }

    /// A queue made with these flags.
    pub fn queue_with_flags(&self, family: u32, index: u32, flags: vk::DeviceQueueCreateFlags) -> Option<&Arc<Queue>> {
        let (_, queues) = self.queues.iter().find(|(q, _)| q.family == family && q.flags == flags)?;
        queues.get(index as usize)
    }

    /// All queues.
    pub fn queues(&self) -> impl Iterator<Item = &Arc<Queue>> {
        self.queues.iter().flat_map(|(_, queues)| queues)
    }

    /// Waits until everything submitted is done.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn wait_idle(&self) -> Result<()> {
        for queue in self.queues() {
            queue.wait_idle()?;
        }
        Ok(())
    }

    /// Whether everything submitted so far is done; asks nobody.
    pub(crate) fn is_idle(&self) -> bool {
        self.queues().all(|q| q.is_idle())
    }

    /// Whether the device is lost.
    pub fn is_lost(&self) -> bool {
        self.winsys.is_lost()
    }

    /// Asks whether the device is lost.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if so.
    pub fn check(&self) -> Result<()> {
        if self.winsys.check_lost() {
            return Err(self.lost_error());
        }
        Ok(())
    }

    pub(crate) fn lost_error(&self) -> Error {
        Error::DeviceLost(self.fault().map_or_else(|| "no details".to_owned(), |f| f.description))
    }

    /// What is known about the loss of the device; `None` if it is not lost.
    pub fn fault(&self) -> Option<DeviceFault> {
        if !self.winsys.is_lost() {
            return None;
        }
        let Ok(info) = self.winsys.fault_info() else {
            let description = "the adapter is gone".to_owned();
            return Some(DeviceFault { description, address: None, write: false, timeout: false });
        };
        let page_fault = info.page_fault.as_ref();
        let address = page_fault.map(|f| f.faulted_virtual_address);
        let write = page_fault.is_some_and(|f| f.page_fault_flags.contains(PageFaultFlags::WRITE));
        let description = match address {
            Some(a) => {
                let kind = if write { "write to" } else { "access to" };
                format!("GPU page fault: {kind} address {a:#x}")
            }
            None => format!("execution state {:?}", info.state),
        };
        Some(DeviceFault { description, address, write, timeout: info.state == DeviceExecutionState::HUNG })
    }

    /// Waits for the loss of the device, no longer than so long; whether it is lost.
    ///
    /// # Errors
    /// Those of making a fence.
    pub fn wait_for_loss(&self, timeout: Duration) -> Result<bool> {
        if self.winsys.check_lost() || timeout.is_zero() {
            return Ok(self.winsys.is_lost());
        }
        // Nobody signals it: waits for it end in time, or with the device.
        match winsys_dxg::Fence::create(&self.winsys, &winsys_dxg::FenceDesc::default()) {
            Ok(fence) => {
                // Either way the device is asked.
                let _ = fence.wait(1, Some(timeout));
                Ok(self.winsys.check_lost())
            }
            // The device may have been lost between the two.
            Err(_) if self.winsys.check_lost() => Ok(true),
            Err(e) => Err(e.into()),
        }
    }

    /// What submissions can use.
    pub(crate) fn uses(&self) -> &UseRegistry {
        &self.uses
    }

    /// Memory for the driver's own use.
    pub(crate) fn heap(&self) -> &Heap {
        &self.heap
    }

    pub(crate) fn signal(&self) -> &Arc<SubmitSignal> {
        &self.signal
    }

    /// Mask of all memory types.
    pub fn all_memory_types(&self) -> u32 {
        let count = self.props().memory_types.len().min(vk::MAX_MEMORY_TYPES);
        u32::MAX.checked_shr(32 - count as u32).unwrap_or(0)
    }

    /// Mask of the memory types that the CPU sees.
    pub(crate) fn visible_memory_types(&self) -> u32 {
        self.memory_types_that(|t| t.flags.contains(vk::MemoryPropertyFlags::HOST_VISIBLE))
    }

    /// Mask of the memory types for sparse resources.
    pub(crate) fn sparse_memory_types(&self) -> u32 {
        self.memory_types_that(|t| t.sparse)
    }

    fn memory_types_that(&self, will_do: impl Fn(&crate::gpu::MemoryTypeInfo) -> bool) -> u32 {
        let types = self.props().memory_types.iter().take(vk::MAX_MEMORY_TYPES).enumerate();
        types.filter(|(_, t)| will_do(t)).fold(0, |bits, (i, _)| bits | 1 << i)
    }

    /// Robustness of pipelines that do not say otherwise.
    pub(crate) fn default_robustness(&self) -> Robustness {
        let level = |access: bool, access2: bool| match (access, access2) {
            (_, true) => RobustnessLevel::Access2,
            (true, false) => RobustnessLevel::Access,
            (false, false) => RobustnessLevel::Off,
        };
        let f = &self.features;
        let buffers = level(f.robust_buffer_access, f.robust_buffer_access2);
        Robustness {
            storage: buffers,
            uniform: buffers,
            image: level(f.robust_image_access, f.robust_image_access2),
            null_descriptor: f.null_descriptor,
        }
    }

    /// The GPU's timestamp clock now.
    pub fn timestamp_now(&self) -> Option<u64> {
        self.gpu().timestamp_now()
    }

    /// Gives an object a name, or takes it away.
    pub fn set_name(&self, ty: vk::ObjectType, handle: u64, name: Option<&str>) {
        let mut names = lock(&self.names);
        match name {
            Some(name) => names.insert((ty.as_raw(), handle), name.to_owned()),
            None => names.remove(&(ty.as_raw(), handle)),
        };
    }

    /// Name of an object.
    pub fn name(&self, ty: vk::ObjectType, handle: u64) -> Option<String> {
        lock(&self.names).get(&(ty.as_raw(), handle)).cloned()
    }
}
