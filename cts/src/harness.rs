//! A device with a queue, buffers and kernels, by plain Vulkan 1.1 calls through the loader. Memory comes from
//! `gpu-allocator`. Where the Khronos validation layer is installed and `VKDXG_VALIDATE` is set, it watches, and its
//! messages are counted.

use crate::features::Features;
use ash::vk;
use gpu_allocator::vulkan::{Allocation, AllocationCreateDesc, AllocationScheme, Allocator, AllocatorCreateDesc};
use gpu_allocator::MemoryLocation;
use std::cell::RefCell;
use std::ffi::{c_void, CStr, CString};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What can go wrong in a client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The loader is missing.
    #[error("no Vulkan loader: {0}")]
    Loader(#[from] ash::LoadingError),
    /// A Vulkan call failed.
    #[error("Vulkan: {0}")]
    Vulkan(#[from] vk::Result),
    /// The allocator failed.
    #[error("memory: {0}")]
    Memory(#[from] gpu_allocator::AllocationError),
    /// Nothing to run on.
    #[error("no Vulkan device with a compute queue")]
    NoDevice,
    /// A shader did not translate.
    #[error("shader: {0}")]
    Shader(String),
}

/// Validation messages seen so far in this process.
static MESSAGES: AtomicU32 = AtomicU32::new(0);

/// Those of them that say that accesses lack a barrier.
static HAZARDS: AtomicU32 = AtomicU32::new(0);

/// Whether the validation layer has said that it does not know an extension: Debian's is older than some.
static UNKNOWN_TO_LAYER: AtomicBool = AtomicBool::new(false);

/// Whether `VKDXG_VALIDATE` asks for the validation layer.
pub fn validating() -> bool {
    std::env::var_os("VKDXG_VALIDATE").is_some_and(|v| v != "0")
}

/// Whether `VKDXG_VALIDATE=sync` asks the layer to look for missing barriers, too.
pub fn watching_hazards() -> bool {
    std::env::var_os("VKDXG_VALIDATE").is_some_and(|v| v == "sync")
}

fn messenger_info() -> vk::DebugUtilsMessengerCreateInfoEXT<'static> {
    vk::DebugUtilsMessengerCreateInfoEXT::default()
        .message_severity(vk::DebugUtilsMessageSeverityFlagsEXT::WARNING | vk::DebugUtilsMessageSeverityFlagsEXT::ERROR)
        .message_type(
            // Advice about performance is left out: image layouts that suit some GPU better, and the like.
            vk::DebugUtilsMessageTypeFlagsEXT::GENERAL | vk::DebugUtilsMessageTypeFlagsEXT::VALIDATION,
        )
        .pfn_user_callback(Some(on_message))
}

unsafe extern "system" fn on_message(
    severity: vk::DebugUtilsMessageSeverityFlagsEXT,
    types: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    _user: *mut c_void,
) -> vk::Bool32 {
    let important = vk::DebugUtilsMessageSeverityFlagsEXT::WARNING | vk::DebugUtilsMessageSeverityFlagsEXT::ERROR;
    // SAFETY: the implementation passes valid callback data whose message is null or a string.
    let text = unsafe { (*data).p_message.as_ref().map(|m| CStr::from_ptr(m).to_string_lossy().into_owned()) };
    let layer = types.intersects(vk::DebugUtilsMessageTypeFlagsEXT::VALIDATION);
    // SAFETY: as above.
    let name = unsafe { (*data).p_message_id_name.as_ref().map(|m| CStr::from_ptr(m)) };
    // The loader warns of layers that the environment turns off.
    if severity.intersects(important) && name != Some(c"Loader Message") {
        if layer {
            MESSAGES.fetch_add(1, Ordering::Relaxed);
        }
        if name.is_some_and(|n| n.to_bytes().starts_with(b"SYNC-HAZARD")) {
            HAZARDS.fetch_add(1, Ordering::Relaxed);
        }
        let text = text.unwrap_or_default();
        if text.contains("is not supported by this layer") {
            UNKNOWN_TO_LAYER.store(true, Ordering::Relaxed);
        }
        eprintln!("{severity:?} {types:?}: {text}");
    }
    vk::FALSE
}

/// How a device is to be opened.
#[derive(Clone, Copy, Default)]
pub struct Setup<'a> {
    /// The application's name.
    pub name: &'a str,
    /// Device extensions, enabled as far as the device has them.
    pub extensions: &'a [&'a CStr],
    /// Enable `robustBufferAccess`.
    pub robust: bool,
    /// Make every queue of every family, not only one.
    pub all_queues: bool,
    /// Leave the validation layer out even where `VKDXG_VALIDATE` asks for it.
    pub unvalidated: bool,
    /// Do not let the layer look for missing barriers: there are things at which that of Debian 12 crashes then.
    pub hazards_unwatched: bool,
}

/// A device, its queue and an allocator.
pub struct Gpu {
    entry: ash::Entry,
    instance: ash::Instance,
    messenger: Option<(ash::ext::debug_utils::Instance, vk::DebugUtilsMessengerEXT)>,
    /// The physical device.
    pub physical: vk::PhysicalDevice,
    /// The device.
    pub device: ash::Device,
    /// A queue of `family`.
    pub queue: vk::Queue,
    /// Index of the queue family.
    pub family: u32,
    /// All queues that were made, by family.
    pub queues: Vec<Vec<vk::Queue>>,
    /// The features the device was opened with: all it has, but for `robustBufferAccess`.
    pub features: Box<Features>,
    /// The enabled device extensions.
    pub extensions: Vec<CString>,
    pool: vk::CommandPool,
    // Dropped by hand before the device.
    allocator: RefCell<Option<Allocator>>,
}

/// A buffer with memory of its own.
pub struct Buffer {
    /// The handle.
    pub handle: vk::Buffer,
    /// Its size in bytes.
    pub size: u64,
    memory: Option<Allocation>,
}

/// What a kernel needs to be made.
#[derive(Clone, Copy, Default)]
pub struct KernelInfo<'a> {
    /// SPIR-V words.
    pub spirv: &'a [u32],
    /// Entry point, "main" if empty.
    pub entry: &'a str,
    /// Descriptor type of bindings 0, 1, … of set 0.
    pub bindings: &'a [vk::DescriptorType],
    /// Bytes of push constants.
    pub push: u32,
    /// Specialisation constants: id and 32-bit value.
    pub constants: &'a [(u32, u32)],
}

/// A compute pipeline with one descriptor set.
pub struct Kernel {
    /// The pipeline.
    pub pipeline: vk::Pipeline,
    /// Its layout.
    pub layout: vk::PipelineLayout,
    set_layout: vk::DescriptorSetLayout,
    pool: vk::DescriptorPool,
    /// The set, bound by [`Gpu::bind`].
    pub set: vk::DescriptorSet,
    types: Vec<vk::DescriptorType>,
}

impl Gpu {
    /// Opens the first device that has a compute queue.
    ///
    /// # Errors
    /// No loader, no device, or a failing call.
    pub fn new(name: &str) -> Result<Gpu, Error> {
        Gpu::with(name, &[], |_, _| true)
    }

    /// Opens the first device with a compute queue that `accept` takes, with these device extensions as far as the device
    /// has them, and all the features that these and the core versions bring.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(
        name: &str,
        extensions: &[&CStr],
        accept: impl Fn(&ash::Instance, vk::PhysicalDevice) -> bool,
    ) -> Result<Gpu, Error> {
        Gpu::open(&Setup { name, extensions, ..Setup::default() }, accept)
    }

    /// Opens the first device with a compute queue that `accept` takes.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn open(setup: &Setup<'_>, accept: impl Fn(&ash::Instance, vk::PhysicalDevice) -> bool) -> Result<Gpu, Error> {
        let before = MESSAGES.load(Ordering::Relaxed);
        let gpu = Gpu::open_once(setup, &accept)?;
        if !UNKNOWN_TO_LAYER.swap(false, Ordering::Relaxed) {
            return Ok(gpu);
        }
        // What a layer says of an extension that is newer than it means nothing: the device is used without.
        drop(gpu);
        eprintln!("not validated: the layer does not know an extension of this device");
        MESSAGES.store(before, Ordering::Relaxed);
        Gpu::open_once(&Setup { unvalidated: true, ..*setup }, &accept)
    }

    fn open_once(setup: &Setup<'_>, accept: &dyn Fn(&ash::Instance, vk::PhysicalDevice) -> bool) -> Result<Gpu, Error> {
        // SAFETY: the loader is a Vulkan loader; its initialisers have no requirements.
        let entry = unsafe { ash::Entry::load()? };
        let name = CString::new(setup.name).unwrap_or_default();
        let app = vk::ApplicationInfo::default().application_name(&name).api_version(vk::API_VERSION_1_3);
        let layers: &[*const i8] =
            if validating() && !setup.unvalidated { &[c"VK_LAYER_KHRONOS_validation".as_ptr()] } else { &[] };
        // SAFETY: plain enumeration.
        let available = unsafe { entry.enumerate_instance_extension_properties(None)? };
        let debug = available.iter().any(|e| e.extension_name_as_c_str() == Ok(ash::ext::debug_utils::NAME));
        let names: &[*const i8] = if debug { &[ash::ext::debug_utils::NAME.as_ptr()] } else { &[] };
        let mut early = messenger_info();
        let looks = [vk::ValidationFeatureEnableEXT::SYNCHRONIZATION_VALIDATION];
        let mut features = vk::ValidationFeaturesEXT::default().enabled_validation_features(&looks);
        let mut info = vk::InstanceCreateInfo::default()
            .application_info(&app)
            .enabled_layer_names(layers)
            .enabled_extension_names(names);
        if debug {
            // Hears what is said while the instance is made and destroyed.
            info = info.push_next(&mut early);
        }
        if !layers.is_empty() && watching_hazards() && !setup.hazards_unwatched {
            info = info.push_next(&mut features);
        }
        // SAFETY: all pointers in `info` live across the call.
        let instance = unsafe { entry.create_instance(&info, None)? };
        let messenger = debug.then(|| Self::messenger(&entry, &instance)).transpose()?;
        // SAFETY: plain enumeration.
        let devices = unsafe { instance.enumerate_physical_devices()? };
        let pick = devices.into_iter().filter(|d| accept(&instance, *d)).find_map(|d| {
            // SAFETY: the handle was just enumerated.
            let families = unsafe { instance.get_physical_device_queue_family_properties(d) };
            let compute = |f: &vk::QueueFamilyProperties| f.queue_flags.contains(vk::QueueFlags::COMPUTE);
            families.iter().position(compute).map(|i| (d, i as u32, families))
        });
        let Some((physical, family, families)) = pick else {
            // SAFETY: nothing else was made of the instance.
            unsafe {
                if let Some((ext, messenger)) = messenger {
                    ext.destroy_debug_utils_messenger(messenger, None);
                }
                instance.destroy_instance(None);
            }
            return Err(Error::NoDevice);
        };
        let counts: Vec<u32> = families
            .iter()
            .enumerate()
            .map(|(i, f)| if setup.all_queues { f.queue_count } else { u32::from(i as u32 == family) })
            .collect();
        let (device, features, extensions) = Self::device(&instance, physical, &counts, setup)?;
        // SAFETY: the families and indices were requested at device creation.
        let queues: Vec<Vec<_>> = (0u32..)
            .zip(&counts)
            .map(|(f, n)| (0..*n).map(|i| unsafe { device.get_device_queue(f, i) }).collect())
            .collect();
        let queue = queues[family as usize][0];
        let pool_info = vk::CommandPoolCreateInfo::default()
            .queue_family_index(family)
            .flags(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER);
        // SAFETY: valid usage.
        let pool = unsafe { device.create_command_pool(&pool_info, None)? };
        let allocator = Allocator::new(&AllocatorCreateDesc {
            instance: instance.clone(),
            device: device.clone(),
            physical_device: physical,
            debug_settings: gpu_allocator::AllocatorDebugSettings::default(),
            buffer_device_address: false,
            allocation_sizes: gpu_allocator::AllocationSizes::default(),
        })?;
        let allocator = RefCell::new(Some(allocator));
        Ok(Gpu {
            entry,
            instance,
            messenger,
            physical,
            device,
            queue,
            family,
            queues,
            features,
            extensions,
            pool,
            allocator,
        })
    }

    fn messenger(
        entry: &ash::Entry,
        instance: &ash::Instance,
    ) -> Result<(ash::ext::debug_utils::Instance, vk::DebugUtilsMessengerEXT), Error> {
        let ext = ash::ext::debug_utils::Instance::new(entry, instance);
        // SAFETY: the callback is a plain function.
        let messenger = unsafe { ext.create_debug_utils_messenger(&messenger_info(), None)? };
        Ok((ext, messenger))
    }

    fn device(
        instance: &ash::Instance,
        physical: vk::PhysicalDevice,
        counts: &[u32],
        setup: &Setup<'_>,
    ) -> Result<(ash::Device, Box<Features>, Vec<CString>), Error> {
        // SAFETY: plain queries.
        let (available, version) = unsafe {
            (
                instance.enumerate_device_extension_properties(physical)?,
                instance.get_physical_device_properties(physical).api_version,
            )
        };
        let reported = |name: &CStr| available.iter().any(|e| e.extension_name_as_c_str() == Ok(name));
        let extensions: Vec<CString> =
            setup.extensions.iter().filter(|n| reported(n)).map(|n| CString::from(*n)).collect();
        let names: Vec<*const i8> = extensions.iter().map(|n| n.as_ptr()).collect();
        let has = |name: &CStr| extensions.iter().any(|e| e.as_c_str() == name);
        let mut features = Features::query(instance, physical, version, &has);
        features.core.robust_buffer_access &= vk::Bool32::from(setup.robust);
        // Meaning something only with `robustBufferAccess`.
        features.robustness2.robust_buffer_access2 &= vk::Bool32::from(setup.robust);
        let mut chain = features.chain(version, &has);
        let priorities = vec![1.0; counts.iter().copied().max().unwrap_or(1) as usize];
        let queues: Vec<_> = (0u32..)
            .zip(counts)
            .filter(|(_, n)| **n > 0)
            .map(|(family, n)| {
                vk::DeviceQueueCreateInfo::default()
                    .queue_family_index(family)
                    .queue_priorities(&priorities[..*n as usize])
            })
            .collect();
        let info = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queues)
            .enabled_extension_names(&names)
            .push_next(&mut chain);
        // SAFETY: all pointers in `info` live across the call.
        let device = unsafe { instance.create_device(physical, &info, None)? };
        Ok((device, features, extensions))
    }

    /// Whether this device extension was enabled.
    pub fn has(&self, name: &CStr) -> bool {
        self.extensions.iter().any(|e| e.as_c_str() == name)
    }

    /// The instance.
    pub fn instance(&self) -> &ash::Instance {
        &self.instance
    }

    /// The loader's entry points.
    pub fn entry(&self) -> &ash::Entry {
        &self.entry
    }

    /// The device's name.
    pub fn name(&self) -> String {
        // SAFETY: a plain query.
        let properties = unsafe { self.instance.get_physical_device_properties(self.physical) };
        properties.device_name_as_c_str().unwrap_or(c"?").to_string_lossy().into_owned()
    }

    /// Warnings and errors that validation layers have raised in this process.
    pub fn validation_messages() -> u32 {
        MESSAGES.load(Ordering::Relaxed)
    }

    /// Missing barriers that the validation layer has reported in this process; from now on they are no messages any more.
    pub fn take_hazards() -> u32 {
        let n = HAZARDS.swap(0, Ordering::Relaxed);
        MESSAGES.fetch_sub(n, Ordering::Relaxed);
        n
    }

    /// A buffer that the host can write and read, usable for everything a compute client does.
    ///
    /// # Errors
    /// Out of memory.
    pub fn buffer(&self, size: u64) -> Result<Buffer, Error> {
        let usage = vk::BufferUsageFlags::STORAGE_BUFFER
            | vk::BufferUsageFlags::UNIFORM_BUFFER
            | vk::BufferUsageFlags::TRANSFER_SRC
            | vk::BufferUsageFlags::TRANSFER_DST
            | vk::BufferUsageFlags::INDIRECT_BUFFER
            | vk::BufferUsageFlags::UNIFORM_TEXEL_BUFFER
            | vk::BufferUsageFlags::STORAGE_TEXEL_BUFFER;
        let info = vk::BufferCreateInfo::default().size(size).usage(usage);
        // SAFETY: valid usage.
        let handle = unsafe { self.device.create_buffer(&info, None)? };
        // SAFETY: the handle was just made.
        let requirements = unsafe { self.device.get_buffer_memory_requirements(handle) };
        let mut allocator = self.allocator.borrow_mut();
        let Some(allocator) = allocator.as_mut() else { return Err(Error::NoDevice) };
        let memory = allocator.allocate(&AllocationCreateDesc {
            name: "buffer",
            requirements,
            location: MemoryLocation::GpuToCpu,
            linear: true,
            allocation_scheme: AllocationScheme::GpuAllocatorManaged,
        })?;
        // SAFETY: the memory fits the requirements and nothing is bound yet.
        unsafe { self.device.bind_buffer_memory(handle, memory.memory(), memory.offset())? };
        Ok(Buffer { handle, size, memory: Some(memory) })
    }

    /// A buffer with this content.
    ///
    /// # Errors
    /// Out of memory.
    pub fn buffer_of<T: bytemuck::NoUninit>(&self, data: &[T]) -> Result<Buffer, Error> {
        let bytes: &[u8] = bytemuck::cast_slice(data);
        let mut buffer = self.buffer((bytes.len() as u64).max(4))?;
        buffer.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        Ok(buffer)
    }

    /// Destroys a buffer that is not in use any more.
    pub fn free(&self, mut buffer: Buffer) {
        // SAFETY: the caller has waited for the work that uses it (every `run` does).
        unsafe { self.device.destroy_buffer(buffer.handle, None) };
        if let (Some(memory), Some(allocator)) = (buffer.memory.take(), self.allocator.borrow_mut().as_mut()) {
            // An error here can only mean the block was already gone; there is nothing to free then.
            let _ = allocator.free(memory);
        }
    }

    /// A compute pipeline with its set.
    ///
    /// # Errors
    /// Whatever pipeline creation says.
    pub fn kernel(&self, info: &KernelInfo<'_>) -> Result<Kernel, Error> {
        let d = &self.device;
        let bindings: Vec<_> = info
            .bindings
            .iter()
            .enumerate()
            .map(|(i, ty)| {
                vk::DescriptorSetLayoutBinding::default()
                    .binding(i as u32)
                    .descriptor_type(*ty)
                    .descriptor_count(1)
                    .stage_flags(vk::ShaderStageFlags::COMPUTE)
            })
            .collect();
        let entry = CString::new(if info.entry.is_empty() { "main" } else { info.entry }).unwrap_or_default();
        let map: Vec<_> = info
            .constants
            .iter()
            .enumerate()
            .map(|(i, (id, _))| vk::SpecializationMapEntry { constant_id: *id, offset: 4 * i as u32, size: 4 })
            .collect();
        let values: Vec<u8> = info.constants.iter().flat_map(|(_, v)| v.to_ne_bytes()).collect();
        let specialization = vk::SpecializationInfo::default().map_entries(&map).data(&values);
        let push = [vk::PushConstantRange { stage_flags: vk::ShaderStageFlags::COMPUTE, offset: 0, size: info.push }];
        // SAFETY: valid usage throughout; every pointer lives across its call.
        unsafe {
            let set_layout = d.create_descriptor_set_layout(
                &vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings),
                None,
            )?;
            let layouts = [set_layout];
            let mut layout_info = vk::PipelineLayoutCreateInfo::default().set_layouts(&layouts);
            if info.push > 0 {
                layout_info = layout_info.push_constant_ranges(&push);
            }
            let layout = d.create_pipeline_layout(&layout_info, None)?;
            let module = d.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(info.spirv), None)?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(&entry)
                .specialization_info(&specialization);
            let create = vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout);
            let made = d.create_compute_pipelines(vk::PipelineCache::null(), &[create], None);
            d.destroy_shader_module(module, None);
            let pipeline = match made {
                Ok(pipelines) => pipelines[0],
                Err((_, error)) => {
                    d.destroy_pipeline_layout(layout, None);
                    d.destroy_descriptor_set_layout(set_layout, None);
                    return Err(error.into());
                }
            };
            let sizes: Vec<_> =
                info.bindings.iter().map(|ty| vk::DescriptorPoolSize { ty: *ty, descriptor_count: 1 }).collect();
            let pool = d.create_descriptor_pool(
                &vk::DescriptorPoolCreateInfo::default().max_sets(1).pool_sizes(&sizes),
                None,
            )?;
            let set = d.allocate_descriptor_sets(
                &vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts),
            )?[0];
            Ok(Kernel { pipeline, layout, set_layout, pool, set, types: info.bindings.to_vec() })
        }
    }

    /// Points the set's bindings 0, 1, … at whole buffers.
    pub fn bind(&self, kernel: &Kernel, buffers: &[&Buffer]) {
        let infos: Vec<_> = buffers
            .iter()
            .map(|b| [vk::DescriptorBufferInfo { buffer: b.handle, offset: 0, range: vk::WHOLE_SIZE }])
            .collect();
        let writes: Vec<_> = infos
            .iter()
            .enumerate()
            .map(|(i, info)| {
                vk::WriteDescriptorSet::default()
                    .dst_set(kernel.set)
                    .dst_binding(i as u32)
                    .descriptor_type(kernel.types[i])
                    .buffer_info(info)
            })
            .collect();
        // SAFETY: the set is not in use: every `run` waits.
        unsafe { self.device.update_descriptor_sets(&writes, &[]) };
    }

    /// Destroys a kernel that is not in use any more.
    pub fn free_kernel(&self, kernel: Kernel) {
        // SAFETY: every `run` waits for its work.
        unsafe {
            self.device.destroy_descriptor_pool(kernel.pool, None);
            self.device.destroy_pipeline(kernel.pipeline, None);
            self.device.destroy_pipeline_layout(kernel.layout, None);
            self.device.destroy_descriptor_set_layout(kernel.set_layout, None);
        }
    }

    /// Records a command buffer, submits it and waits for it.
    ///
    /// # Errors
    /// A failing call; a lost device.
    pub fn run(&self, record: impl FnOnce(&ash::Device, vk::CommandBuffer)) -> Result<(), Error> {
        let d = &self.device;
        // SAFETY: valid usage, given that `record` records valid commands.
        unsafe {
            let info = vk::CommandBufferAllocateInfo::default().command_pool(self.pool).command_buffer_count(1);
            let commands = d.allocate_command_buffers(&info)?;
            let begin = vk::CommandBufferBeginInfo::default().flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
            d.begin_command_buffer(commands[0], &begin)?;
            record(d, commands[0]);
            let to_host = [vk::MemoryBarrier::default()
                .src_access_mask(vk::AccessFlags::MEMORY_WRITE)
                .dst_access_mask(vk::AccessFlags::HOST_READ)];
            let all = vk::PipelineStageFlags::ALL_COMMANDS;
            d.cmd_pipeline_barrier(
                commands[0],
                all,
                vk::PipelineStageFlags::HOST,
                vk::DependencyFlags::empty(),
                &to_host,
                &[],
                &[],
            );
            d.end_command_buffer(commands[0])?;
            let fence = d.create_fence(&vk::FenceCreateInfo::default(), None)?;
            let submit = [vk::SubmitInfo::default().command_buffers(&commands)];
            let done = d
                .queue_submit(self.queue, &submit, fence)
                .and_then(|()| d.wait_for_fences(&[fence], true, 60_000_000_000));
            d.destroy_fence(fence, None);
            d.free_command_buffers(self.pool, &commands);
            Ok(done?)
        }
    }

    /// Runs a kernel once.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn dispatch(&self, kernel: &Kernel, push: &[u8], groups: [u32; 3]) -> Result<(), Error> {
        self.run(|_, commands| self.record(commands, kernel, push, groups))
    }

    /// Records a bound dispatch.
    pub fn record(&self, commands: vk::CommandBuffer, kernel: &Kernel, push: &[u8], groups: [u32; 3]) {
        let d = &self.device;
        // SAFETY: valid usage; the handles live until the work is done.
        unsafe {
            d.cmd_bind_pipeline(commands, vk::PipelineBindPoint::COMPUTE, kernel.pipeline);
            d.cmd_bind_descriptor_sets(commands, vk::PipelineBindPoint::COMPUTE, kernel.layout, 0, &[kernel.set], &[]);
            if !push.is_empty() {
                d.cmd_push_constants(commands, kernel.layout, vk::ShaderStageFlags::COMPUTE, 0, push);
            }
            d.cmd_dispatch(commands, groups[0], groups[1], groups[2]);
        }
    }

    /// Records a barrier between dispatches: what one wrote the next reads.
    pub fn barrier(&self, commands: vk::CommandBuffer) {
        let shader = vk::PipelineStageFlags::COMPUTE_SHADER | vk::PipelineStageFlags::TRANSFER;
        let memory = [vk::MemoryBarrier::default()
            .src_access_mask(vk::AccessFlags::MEMORY_WRITE)
            .dst_access_mask(vk::AccessFlags::MEMORY_READ | vk::AccessFlags::MEMORY_WRITE)];
        // SAFETY: valid usage.
        unsafe {
            self.device.cmd_pipeline_barrier(commands, shader, shader, vk::DependencyFlags::empty(), &memory, &[], &[])
        };
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // SAFETY: nothing is in use after the wait; children are destroyed before parents.
        unsafe {
            // A lost device cannot be waited for, and need not be.
            let _ = self.device.device_wait_idle();
            self.allocator.borrow_mut().take();
            self.device.destroy_command_pool(self.pool, None);
            self.device.destroy_device(None);
            if let Some((ext, messenger)) = self.messenger.take() {
                ext.destroy_debug_utils_messenger(messenger, None);
            }
            self.instance.destroy_instance(None);
        }
    }
}

impl Buffer {
    /// The content.
    ///
    /// # Panics
    /// If the memory is not host visible, which [`Gpu::buffer`] never makes.
    pub fn bytes(&self) -> &[u8] {
        let memory = self.memory.as_ref().and_then(Allocation::mapped_slice).expect("host-visible memory");
        &memory[..self.size as usize]
    }

    /// The content, to be written.
    ///
    /// # Panics
    /// As [`Self::bytes`].
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let size = self.size as usize;
        let memory = self.memory.as_mut().and_then(Allocation::mapped_slice_mut).expect("host-visible memory");
        &mut memory[..size]
    }

    /// The content as values.
    ///
    /// # Panics
    /// As [`Self::bytes`].
    pub fn read<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(&self) -> Vec<T> {
        bytemuck::allocation::pod_collect_to_vec(self.bytes())
    }
}
