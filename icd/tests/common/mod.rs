//! The built library, opened the way a loader opens it.
#![allow(dead_code)] // each test program uses a part

pub mod kernel;

use ash::vk;
use std::ffi::{c_char, CStr};
use std::path::PathBuf;
use std::sync::OnceLock;

pub type Gipa = unsafe extern "system" fn(vk::Instance, *const c_char) -> vk::PFN_vkVoidFunction;
pub type Negotiate = unsafe extern "system" fn(*mut u32) -> vk::Result;

/// Where Cargo puts the library of the crate under test.
pub fn library_path() -> PathBuf {
    let exe = std::env::current_exe().expect("own path");
    exe.parent().expect("folder").join("libvulkan_dxg.so")
}

pub struct Driver {
    pub gipa: Gipa,
    pub gpdpa: Gipa,
    pub negotiate: Negotiate,
    _library: libloading::Library,
}

/// The driver, opened once per test program.
pub fn driver() -> &'static Driver {
    static DRIVER: OnceLock<Driver> = OnceLock::new();
    DRIVER.get_or_init(|| {
        // SAFETY: the library has no initialisers with effects.
        let library = unsafe { libloading::Library::new(library_path()) }.expect("driver library");
        // SAFETY: the symbols have these types by the loader's interface.
        unsafe {
            Driver {
                gipa: *library.get::<Gipa>(b"vk_icdGetInstanceProcAddr\0").expect("gipa"),
                gpdpa: *library.get::<Gipa>(b"vk_icdGetPhysicalDeviceProcAddr\0").expect("gpdpa"),
                negotiate: *library.get::<Negotiate>(b"vk_icdNegotiateLoaderICDInterfaceVersion\0").expect("negotiate"),
                _library: library,
            }
        }
    })
}

/// vkGetInstanceProcAddr by name.
pub fn lookup(instance: vk::Instance, name: &CStr) -> vk::PFN_vkVoidFunction {
    // SAFETY: the instance is null or live.
    unsafe { (driver().gipa)(instance, name.as_ptr()) }
}

pub fn entry() -> ash::Entry {
    // SAFETY: the driver's entry point behaves as vkGetInstanceProcAddr.
    unsafe { ash::Entry::from_static_fn(ash::StaticFn { get_instance_proc_addr: driver().gipa }) }
}

/// An instance with an API version and extensions.
pub fn instance_with(version: u32, extensions: &[&CStr]) -> ash::Instance {
    let app = vk::ApplicationInfo::default().api_version(version);
    let names: Vec<_> = extensions.iter().map(|e| e.as_ptr()).collect();
    let info = vk::InstanceCreateInfo::default().application_info(&app).enabled_extension_names(&names);
    // SAFETY: valid usage.
    unsafe { entry().create_instance(&info, None) }.expect("instance")
}

pub fn instance() -> ash::Instance {
    instance_with(vk::API_VERSION_1_3, &[])
}

pub fn physical_device(instance: &ash::Instance) -> vk::PhysicalDevice {
    // SAFETY: valid usage.
    unsafe { instance.enumerate_physical_devices() }.expect("devices")[0]
}

/// A device with one queue of the first family.
pub fn device_with(
    instance: &ash::Instance,
    extensions: &[&CStr],
    features: Option<&mut vk::PhysicalDeviceFeatures2<'_>>,
) -> Result<ash::Device, vk::Result> {
    let queue = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0])];
    let names: Vec<_> = extensions.iter().map(|e| e.as_ptr()).collect();
    let mut info = vk::DeviceCreateInfo::default().queue_create_infos(&queue).enabled_extension_names(&names);
    if let Some(f) = features {
        info.p_next = std::ptr::from_mut(f).cast();
    }
    // SAFETY: valid usage, except for what the tests mean to be refused.
    unsafe { instance.create_device(physical_device(instance), &info, None) }
}

/// Instance and device, taken down in order.
pub struct World {
    pub instance: ash::Instance,
    pub device: ash::Device,
    pub queue: vk::Queue,
}

impl World {
    pub fn new() -> Self {
        Self::with(&[], None)
    }

    pub fn with(extensions: &[&CStr], features: Option<&mut vk::PhysicalDeviceFeatures2<'_>>) -> Self {
        let instance = instance_with(vk::API_VERSION_1_3, &[c"VK_EXT_debug_utils"]);
        let device = device_with(&instance, extensions, features).expect("device");
        // SAFETY: the queue was asked for.
        let queue = unsafe { device.get_device_queue(0, 0) };
        Self { instance, device, queue }
    }

    /// A memory type with these properties.
    pub fn memory_type(&self, bits: u32, flags: vk::MemoryPropertyFlags) -> u32 {
        // SAFETY: valid usage.
        let p = unsafe { self.instance.get_physical_device_memory_properties(physical_device(&self.instance)) };
        (0..p.memory_type_count)
            .find(|i| bits & 1 << i != 0 && p.memory_types[*i as usize].property_flags.contains(flags))
            .expect("memory type")
    }

    /// A buffer in memory the host sees.
    pub fn buffer(&self, size: u64, usage: vk::BufferUsageFlags) -> HostBuffer<'_> {
        let info = vk::BufferCreateInfo::default().size(size).usage(usage);
        // SAFETY: valid usage throughout.
        unsafe {
            let buffer = self.device.create_buffer(&info, None).expect("buffer");
            let r = self.device.get_buffer_memory_requirements(buffer);
            let flags = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
            let info = vk::MemoryAllocateInfo::default()
                .allocation_size(r.size)
                .memory_type_index(self.memory_type(r.memory_type_bits, flags));
            let memory = self.device.allocate_memory(&info, None).expect("memory");
            self.device.bind_buffer_memory(buffer, memory, 0).expect("bind");
            let data = self
                .device
                .map_memory(memory, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())
                .expect("map")
                .cast::<u32>();
            HostBuffer { world: self, buffer, memory, data, words: size as usize / 4 }
        }
    }

    /// Records commands, runs them and waits.
    pub fn run(&self, record: impl FnOnce(vk::CommandBuffer)) -> Result<(), vk::Result> {
        // SAFETY: valid usage throughout.
        unsafe {
            let pool = self.device.create_command_pool(&vk::CommandPoolCreateInfo::default(), None)?;
            let info = vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(1);
            let cb = self.device.allocate_command_buffers(&info)?[0];
            let done = (|| {
                self.device.begin_command_buffer(cb, &vk::CommandBufferBeginInfo::default())?;
                record(cb);
                self.device.end_command_buffer(cb)?;
                let fence = self.device.create_fence(&vk::FenceCreateInfo::default(), None)?;
                let buffers = [cb];
                let submit = [vk::SubmitInfo::default().command_buffers(&buffers)];
                self.device.queue_submit(self.queue, &submit, fence)?;
                let result = self.device.wait_for_fences(&[fence], true, 20_000_000_000);
                self.device.destroy_fence(fence, None);
                result
            })();
            self.device.destroy_command_pool(pool, None);
            done
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // SAFETY: everything made on the device is gone.
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }
}

pub struct HostBuffer<'a> {
    world: &'a World,
    pub buffer: vk::Buffer,
    memory: vk::DeviceMemory,
    data: *mut u32,
    words: usize,
}

impl HostBuffer<'_> {
    pub fn words(&mut self) -> &mut [u32] {
        // SAFETY: mapped for as long as the buffer lives; the GPU is idle when tests look.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.words) }
    }
}

impl Drop for HostBuffer<'_> {
    fn drop(&mut self) {
        // SAFETY: nothing uses the buffer any more.
        unsafe {
            self.world.device.destroy_buffer(self.buffer, None);
            self.world.device.free_memory(self.memory, None);
        }
    }
}
