//! What tests share: a device that cleans up after itself, buffers, images, kernels, recording.

use ash::vk;
use bytemuck::{AnyBitPattern, NoUninit};
pub use cts::random::Random;
use cts::{Gpu, Setup};
use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::ops::Deref;
use std::panic::Location;

/// Why a test ended early.
pub enum Stop {
    /// The device lacks something.
    Skip(String),
    /// It went wrong.
    Fail(String),
}

/// A test's result.
pub type R<T = ()> = Result<T, Stop>;

impl<E: std::error::Error> From<E> for Stop {
    #[track_caller]
    fn from(error: E) -> Stop {
        Stop::Fail(format!("{error} ({error:?}) at {}", Location::caller()))
    }
}

/// The list of a module's tests.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        /// The tests of this module.
        pub const TESTS: &[crate::Test] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}

/// Ends the test as skipped.
macro_rules! skip {
    ($($t:tt)*) => { return Err($crate::support::Stop::Skip(format!($($t)*))) };
}

/// Ends the test as skipped unless the device has something.
macro_rules! need {
    ($condition:expr, $what:expr) => {
        if !$condition {
            skip!("the device has no {}", $what);
        }
    };
}

/// Ends the test as failed.
macro_rules! fail {
    ($($t:tt)*) => { return Err($crate::support::Stop::Fail(format!("{} (line {})", format!($($t)*), line!()))) };
}

/// Fails the test unless a condition holds.
macro_rules! check {
    ($condition:expr $(,)?) => {{
        let holds: bool = $condition;
        if !holds {
            fail!("not so: {}", stringify!($condition));
        }
    }};
    ($condition:expr, $($t:tt)*) => {{
        let holds: bool = $condition;
        if !holds {
            fail!($($t)*);
        }
    }};
}

/// Fails the test unless two values are equal.
macro_rules! same {
    ($a:expr, $b:expr $(,)?) => { same!($a, $b, "") };
    ($a:expr, $b:expr, $($t:tt)*) => {{
        let (a, b) = (&$a, &$b);
        if a != b {
            fail!("{} is {a:?}, should be {b:?} {}", stringify!($a), format!($($t)*));
        }
    }};
}

/// Words of a committed kernel.
macro_rules! spv {
    ($name:literal) => {
        &cts::shaders::spirv(include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/api/", $name, ".spv")))[..]
    };
}

/// A command of the device by its name, as a function of the type that the registry gives that command.
macro_rules! command {
    ($t:ident, $name:literal, $pfn:ident) => {
        std::mem::transmute::<unsafe extern "system" fn(), cts::generated::types::$pfn>(
            $t.instance()
                .get_device_proc_addr($t.d.handle(), $name.as_ptr())
                .ok_or_else(|| Stop::Fail(format!("no {:?}", $name)))?,
        )
    };
}

/// Fails at the first difference of two sequences.
#[track_caller]
pub fn equal<T: PartialEq + std::fmt::Debug>(got: &[T], want: &[T]) -> R {
    let at = Location::caller();
    if got.len() != want.len() {
        return Err(Stop::Fail(format!("{} elements, should be {} ({at})", got.len(), want.len())));
    }
    match got.iter().zip(want).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(i) => {
            let bad = got.iter().zip(want).filter(|(a, b)| a != b).count();
            let (g, w) = (&got[i], &want[i]);
            Err(Stop::Fail(format!("element {i} is {g:?}, should be {w:?}; {bad} of {} wrong ({at})", want.len())))
        }
    }
}

/// An object with a destroy function.
pub trait Owned: Copy + 'static {
    /// Destroys it.
    unsafe fn destroy(self, device: &ash::Device);
}

macro_rules! owned {
    ($($ty:ident $destroy:ident),*) => {
        $(impl Owned for vk::$ty {
            unsafe fn destroy(self, device: &ash::Device) {
                device.$destroy(self, None);
            }
        })*
    };
}
owned! {
    Buffer destroy_buffer, BufferView destroy_buffer_view, Image destroy_image, ImageView destroy_image_view,
    Sampler destroy_sampler, DeviceMemory free_memory, Fence destroy_fence, Semaphore destroy_semaphore,
    Event destroy_event, QueryPool destroy_query_pool, CommandPool destroy_command_pool,
    DescriptorPool destroy_descriptor_pool, DescriptorSetLayout destroy_descriptor_set_layout,
    PipelineLayout destroy_pipeline_layout, Pipeline destroy_pipeline, PipelineCache destroy_pipeline_cache,
    ShaderModule destroy_shader_module, DescriptorUpdateTemplate destroy_descriptor_update_template,
    PrivateDataSlot destroy_private_data_slot
}

/// Destroys something.
type Cleanup = Box<dyn FnOnce(&ash::Device)>;

/// A device under test; what it was given to own is destroyed with it, last first.
pub struct T {
    gpu: Gpu,
    /// The device, for short.
    pub d: ash::Device,
    /// Core properties.
    pub props: vk::PhysicalDeviceProperties,
    /// Memory types and heaps.
    pub memory: vk::PhysicalDeviceMemoryProperties,
    owned: RefCell<Vec<Cleanup>>,
}

impl Deref for T {
    type Target = Gpu;
    fn deref(&self) -> &Gpu {
        &self.gpu
    }
}

impl Drop for T {
    fn drop(&mut self) {
        // SAFETY: the device lives. An error means it was lost, and then there is nothing to wait for.
        let _ = unsafe { self.d.device_wait_idle() };
        while let Some(destroy) = self.owned.borrow_mut().pop() {
            destroy(&self.d);
        }
    }
}

/// A buffer in memory of its own that the host sees.
#[derive(Clone, Copy)]
pub struct Buf {
    /// The buffer.
    pub h: vk::Buffer,
    /// Its memory.
    pub mem: vk::DeviceMemory,
    /// Size in bytes.
    pub size: u64,
    /// Where it is mapped.
    pub at: *mut u8,
}

impl Buf {
    /// Everything in it.
    pub fn get<E: AnyBitPattern + NoUninit>(&self) -> Vec<E> {
        let n = self.size as usize / size_of::<E>();
        let mut out = vec![E::zeroed(); n];
        // SAFETY: the mapping has `size` bytes, is coherent and nothing runs that writes to it.
        unsafe { std::ptr::copy_nonoverlapping(self.at, out.as_mut_ptr().cast(), n * size_of::<E>()) };
        out
    }

    /// Writes at a byte offset.
    pub fn put<E: NoUninit>(&self, offset: usize, data: &[E]) {
        let bytes: &[u8] = bytemuck::cast_slice(data);
        assert!(offset + bytes.len() <= self.size as usize);
        // SAFETY: in bounds of the mapping, as just checked; nothing runs that uses it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at.add(offset), bytes.len()) };
    }

    /// Fills it with a byte.
    pub fn fill(&self, byte: u8) {
        // SAFETY: as in `put`.
        unsafe { self.at.write_bytes(byte, self.size as usize) };
    }
}

/// An image with memory.
#[derive(Clone, Copy)]
pub struct Img {
    /// The image.
    pub h: vk::Image,
    /// Its memory.
    pub mem: vk::DeviceMemory,
    /// How it was made.
    pub info: vk::ImageCreateInfo<'static>,
}

/// A pipeline and its layout.
#[derive(Clone, Copy)]
pub struct K {
    /// The pipeline.
    pub p: vk::Pipeline,
    /// Its layout.
    pub layout: vk::PipelineLayout,
    /// Layout of set 0.
    pub set_layout: vk::DescriptorSetLayout,
}

/// What goes into a binding.
#[derive(Clone, Copy)]
pub enum B {
    /// A storage buffer.
    S(Buf),
    /// A part of a storage buffer.
    Sr(Buf, u64, u64),
    /// A uniform buffer.
    U(Buf),
    /// A uniform texel buffer.
    Ut(vk::BufferView),
    /// A storage texel buffer.
    St(vk::BufferView),
    /// A storage image in layout GENERAL.
    Si(vk::ImageView),
    /// A sampled image in layout GENERAL with sampler.
    Ci(vk::ImageView, vk::Sampler),
    /// A sampled image in layout GENERAL.
    Im(vk::ImageView),
}

impl B {
    /// Its descriptor type.
    pub fn ty(self) -> vk::DescriptorType {
        match self {
            B::S(_) | B::Sr(..) => vk::DescriptorType::STORAGE_BUFFER,
            B::U(_) => vk::DescriptorType::UNIFORM_BUFFER,
            B::Ut(_) => vk::DescriptorType::UNIFORM_TEXEL_BUFFER,
            B::St(_) => vk::DescriptorType::STORAGE_TEXEL_BUFFER,
            B::Si(_) => vk::DescriptorType::STORAGE_IMAGE,
            B::Ci(..) => vk::DescriptorType::COMBINED_IMAGE_SAMPLER,
            B::Im(_) => vk::DescriptorType::SAMPLED_IMAGE,
        }
    }
}

/// What a pipeline is made of.
#[derive(Clone, Copy, Default)]
pub struct KernelInfo<'a> {
    /// SPIR-V words.
    pub code: &'a [u32],
    /// Types of bindings 0, 1, … of set 0.
    pub types: &'a [vk::DescriptorType],
    /// Bytes of push constants.
    pub push: u32,
    /// Specialisation constants.
    pub spec: &'a [(u32, &'a [u8])],
    /// Flags of the pipeline.
    pub flags: vk::PipelineCreateFlags,
    /// Flags of its stage.
    pub stage_flags: vk::PipelineShaderStageCreateFlags,
    /// Required subgroup size, if not 0.
    pub subgroup: u32,
    /// A cache.
    pub cache: vk::PipelineCache,
    /// Entry point, "main" if none.
    pub entry: Option<&'a CStr>,
}

/// All stages, all memory accesses: a barrier that orders everything.
pub const FULL: [vk::MemoryBarrier<'static>; 1] = [vk::MemoryBarrier {
    s_type: vk::StructureType::MEMORY_BARRIER,
    p_next: std::ptr::null(),
    src_access_mask: vk::AccessFlags::from_raw(0x10000), // MEMORY_WRITE
    dst_access_mask: vk::AccessFlags::from_raw(0x18000), // MEMORY_READ | MEMORY_WRITE
    _marker: std::marker::PhantomData,
}];

/// Usage of every test buffer.
pub fn usage() -> vk::BufferUsageFlags {
    vk::BufferUsageFlags::STORAGE_BUFFER
        | vk::BufferUsageFlags::UNIFORM_BUFFER
        | vk::BufferUsageFlags::TRANSFER_SRC
        | vk::BufferUsageFlags::TRANSFER_DST
        | vk::BufferUsageFlags::INDIRECT_BUFFER
        | vk::BufferUsageFlags::UNIFORM_TEXEL_BUFFER
        | vk::BufferUsageFlags::STORAGE_TEXEL_BUFFER
}

/// Bytes of a kernel's push constants.
pub fn words(w: &[u32]) -> Vec<u8> {
    w.iter().flat_map(|w| w.to_ne_bytes()).collect()
}

impl T {
    /// A device with these extensions, as far as there.
    pub fn new(extensions: &[&CStr]) -> R<T> {
        T::open(&Setup { extensions, ..Setup::default() })
    }

    /// A device opened in a special way.
    pub fn open(setup: &Setup<'_>) -> R<T> {
        let gpu = Gpu::open(&Setup { name: "api tests", ..*setup }, |_, _| true)?;
        // SAFETY: plain queries.
        let (props, memory) = unsafe {
            (
                gpu.instance().get_physical_device_properties(gpu.physical),
                gpu.instance().get_physical_device_memory_properties(gpu.physical),
            )
        };
        Ok(T { d: gpu.device.clone(), gpu, props, memory, owned: RefCell::default() })
    }

    /// Whether this is the driver these tests were made for: the only place where it matters is what no specification
    /// promises.
    pub fn is_ours(&self) -> bool {
        let p = self.property::<vk::PhysicalDeviceDriverProperties<'static>>();
        p.driver_name_as_c_str() == Ok(c"vulkan-dxg")
    }

    /// A properties structure.
    pub fn property<P: vk::ExtendsPhysicalDeviceProperties2 + Default>(&self) -> P {
        let mut p = P::default();
        let mut head = vk::PhysicalDeviceProperties2::default().push_next(&mut p);
        // SAFETY: a valid chain.
        unsafe { self.instance().get_physical_device_properties2(self.physical, &mut head) };
        p
    }

    /// A properties structure that the bindings do not know.
    pub fn property_of<P: vk::TaggedStructure + Default>(&self) -> P {
        let mut p = P::default();
        let mut head =
            vk::PhysicalDeviceProperties2 { p_next: std::ptr::from_mut(&mut p).cast(), ..Default::default() };
        // SAFETY: a valid chain.
        unsafe { self.instance().get_physical_device_properties2(self.physical, &mut head) };
        p
    }

    /// Destroys an object when the test is over.
    pub fn own<O: Owned>(&self, object: O) -> O {
        // SAFETY: runs once, after the device became idle, before it is destroyed.
        self.later(move |d| unsafe { object.destroy(d) });
        object
    }

    /// Does something when the test is over: the device is idle then and still there.
    pub fn later(&self, cleanup: impl FnOnce(&ash::Device) + 'static) {
        self.owned.borrow_mut().push(Box::new(cleanup));
    }

    /// The first memory type of these bits with these properties.
    pub fn memory_type(&self, bits: u32, flags: vk::MemoryPropertyFlags) -> R<u32> {
        let types = &self.memory.memory_types[..self.memory.memory_type_count as usize];
        (0u32..)
            .zip(types)
            .find(|(i, t)| bits >> i & 1 != 0 && t.property_flags.contains(flags))
            .map(|(i, _)| i)
            .ok_or_else(|| Stop::Fail(format!("no memory type in {bits:#b} with {flags:?}")))
    }

    /// Memory for requirements, owned.
    pub unsafe fn memory_for(&self, r: &vk::MemoryRequirements, flags: vk::MemoryPropertyFlags) -> R<vk::DeviceMemory> {
        let mut address = vk::MemoryAllocateFlagsInfo::default().flags(vk::MemoryAllocateFlags::DEVICE_ADDRESS);
        let mut info = vk::MemoryAllocateInfo::default()
            .allocation_size(r.size)
            .memory_type_index(self.memory_type(r.memory_type_bits, flags)?);
        if self.features.v12.buffer_device_address != 0 {
            info = info.push_next(&mut address);
        }
        Ok(self.own(self.d.allocate_memory(&info, None)?))
    }

    /// A mapped buffer for everything.
    pub unsafe fn buf(&self, size: u64) -> R<Buf> {
        self.buf_for(size, vk::BufferUsageFlags::empty())
    }

    /// A mapped buffer with more uses.
    pub unsafe fn buf_for(&self, size: u64, more: vk::BufferUsageFlags) -> R<Buf> {
        let mut usage = usage() | more;
        if self.features.v12.buffer_device_address != 0 {
            usage |= vk::BufferUsageFlags::SHADER_DEVICE_ADDRESS;
        }
        let info = vk::BufferCreateInfo::default().size(size).usage(usage);
        let h = self.own(self.d.create_buffer(&info, None)?);
        let host = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        let mem = self.memory_for(&self.d.get_buffer_memory_requirements(h), host)?;
        self.d.bind_buffer_memory(h, mem, 0)?;
        let at = self.d.map_memory(mem, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast();
        Ok(Buf { h, mem, size, at })
    }

    /// A buffer with content.
    pub unsafe fn buf_of<E: NoUninit>(&self, data: &[E]) -> R<Buf> {
        let b = self.buf(size_of_val(data) as u64)?;
        b.put(0, data);
        Ok(b)
    }

    /// A buffer of zeros.
    pub unsafe fn zeros(&self, size: u64) -> R<Buf> {
        let b = self.buf(size)?;
        b.fill(0);
        Ok(b)
    }

    /// An image with memory of its own, still in its initial layout.
    pub unsafe fn image(&self, info: &vk::ImageCreateInfo<'static>) -> R<Img> {
        let h = self.own(self.d.create_image(info, None)?);
        let flags = if info.tiling == vk::ImageTiling::LINEAR {
            vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT
        } else {
            vk::MemoryPropertyFlags::empty()
        };
        let mem = self.memory_for(&self.d.get_image_memory_requirements(h), flags)?;
        self.d.bind_image_memory(h, mem, 0)?;
        Ok(Img { h, mem, info: *info })
    }

    /// A view of all of an image.
    pub unsafe fn view(&self, image: &Img, ty: vk::ImageViewType) -> R<vk::ImageView> {
        let info = vk::ImageViewCreateInfo::default()
            .image(image.h)
            .view_type(ty)
            .format(image.info.format)
            .subresource_range(whole());
        Ok(self.own(self.d.create_image_view(&info, None)?))
    }

    /// A view of all of a buffer.
    pub unsafe fn texels(&self, b: Buf, format: vk::Format) -> R<vk::BufferView> {
        let info = vk::BufferViewCreateInfo::default().buffer(b.h).format(format).range(vk::WHOLE_SIZE);
        Ok(self.own(self.d.create_buffer_view(&info, None)?))
    }

    /// A descriptor set layout with one descriptor in each of bindings 0, 1, ….
    pub unsafe fn set_layout(&self, types: &[vk::DescriptorType]) -> R<vk::DescriptorSetLayout> {
        let bindings: Vec<_> = (0u32..)
            .zip(types)
            .map(|(i, ty)| {
                vk::DescriptorSetLayoutBinding::default()
                    .binding(i)
                    .descriptor_type(*ty)
                    .descriptor_count(1)
                    .stage_flags(vk::ShaderStageFlags::COMPUTE)
            })
            .collect();
        let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        Ok(self.own(self.d.create_descriptor_set_layout(&info, None)?))
    }

    /// A pipeline layout.
    pub unsafe fn layout(&self, sets: &[vk::DescriptorSetLayout], push: u32) -> R<vk::PipelineLayout> {
        let range = [vk::PushConstantRange { stage_flags: vk::ShaderStageFlags::COMPUTE, offset: 0, size: push }];
        let mut info = vk::PipelineLayoutCreateInfo::default().set_layouts(sets);
        if push > 0 {
            info = info.push_constant_ranges(&range);
        }
        Ok(self.own(self.d.create_pipeline_layout(&info, None)?))
    }

    /// A pipeline.
    pub unsafe fn kernel(&self, code: &[u32], types: &[vk::DescriptorType], push: u32) -> R<K> {
        self.kernel_of(&KernelInfo { code, types, push, ..KernelInfo::default() })
    }

    /// A pipeline with details.
    pub unsafe fn kernel_of(&self, info: &KernelInfo<'_>) -> R<K> {
        let set_layout = self.set_layout(info.types)?;
        let layout = self.layout(&[set_layout], info.push)?;
        let p = self.pipeline(info, layout)?;
        Ok(K { p: self.own(p), layout, set_layout })
    }

    /// A pipeline for a layout, not owned; the plain result of creation.
    pub unsafe fn pipeline(
        &self,
        info: &KernelInfo<'_>,
        layout: vk::PipelineLayout,
    ) -> Result<vk::Pipeline, vk::Result> {
        let module = self.d.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(info.code), None)?;
        let mut entries = Vec::new();
        let mut data = Vec::new();
        for (id, value) in info.spec {
            entries.push(vk::SpecializationMapEntry { constant_id: *id, offset: data.len() as u32, size: value.len() });
            data.extend_from_slice(value);
        }
        let spec = vk::SpecializationInfo::default().map_entries(&entries).data(&data);
        let mut required =
            vk::PipelineShaderStageRequiredSubgroupSizeCreateInfo::default().required_subgroup_size(info.subgroup);
        let mut stage = vk::PipelineShaderStageCreateInfo::default()
            .flags(info.stage_flags)
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(module)
            .name(info.entry.unwrap_or(c"main"))
            .specialization_info(&spec);
        if info.subgroup != 0 {
            stage = stage.push_next(&mut required);
        }
        let create = vk::ComputePipelineCreateInfo::default().flags(info.flags).stage(stage).layout(layout);
        let made = self.d.create_compute_pipelines(info.cache, &[create], None);
        self.d.destroy_shader_module(module, None);
        made.map(|p| p[0]).map_err(|(_, error)| error)
    }

    /// A set of a layout from a pool of its own, with these bindings.
    pub unsafe fn set(&self, layout: vk::DescriptorSetLayout, bindings: &[B]) -> R<vk::DescriptorSet> {
        let sizes: Vec<_> =
            bindings.iter().map(|b| vk::DescriptorPoolSize { ty: b.ty(), descriptor_count: 1 }).collect();
        let info = vk::DescriptorPoolCreateInfo::default().max_sets(1).pool_sizes(&sizes);
        let pool = self.own(self.d.create_descriptor_pool(&info, None)?);
        let layouts = [layout];
        let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts);
        let set = self.d.allocate_descriptor_sets(&info)?[0];
        for (i, b) in (0u32..).zip(bindings) {
            self.write(set, i, *b);
        }
        Ok(set)
    }

    /// Writes one descriptor.
    pub unsafe fn write(&self, set: vk::DescriptorSet, binding: u32, b: B) {
        self.write_element(set, binding, 0, b);
    }

    /// Writes one descriptor of an array.
    pub unsafe fn write_element(&self, set: vk::DescriptorSet, binding: u32, element: u32, b: B) {
        let whole = |b: Buf| vk::DescriptorBufferInfo { buffer: b.h, offset: 0, range: vk::WHOLE_SIZE };
        let image = |image_view, sampler| vk::DescriptorImageInfo {
            sampler,
            image_view,
            image_layout: vk::ImageLayout::GENERAL,
        };
        let write = vk::WriteDescriptorSet::default()
            .dst_set(set)
            .dst_binding(binding)
            .dst_array_element(element)
            .descriptor_type(b.ty());
        let (buffers, images, views);
        let write = match b {
            B::S(b) | B::U(b) => {
                buffers = [whole(b)];
                write.buffer_info(&buffers)
            }
            B::Sr(b, offset, range) => {
                buffers = [vk::DescriptorBufferInfo { buffer: b.h, offset, range }];
                write.buffer_info(&buffers)
            }
            B::Ut(v) | B::St(v) => {
                views = [v];
                write.texel_buffer_view(&views)
            }
            B::Si(v) | B::Im(v) => {
                images = [image(v, vk::Sampler::null())];
                write.image_info(&images)
            }
            B::Ci(v, s) => {
                images = [image(v, s)];
                write.image_info(&images)
            }
        };
        self.d.update_descriptor_sets(&[write], &[]);
    }

    /// Records a dispatch with one set.
    pub unsafe fn bind(&self, c: vk::CommandBuffer, k: &K, set: vk::DescriptorSet, push: &[u8]) {
        self.d.cmd_bind_pipeline(c, vk::PipelineBindPoint::COMPUTE, k.p);
        self.d.cmd_bind_descriptor_sets(c, vk::PipelineBindPoint::COMPUTE, k.layout, 0, &[set], &[]);
        if !push.is_empty() {
            self.d.cmd_push_constants(c, k.layout, vk::ShaderStageFlags::COMPUTE, 0, push);
        }
    }

    /// Records a barrier that orders everything.
    pub unsafe fn full_barrier(&self, c: vk::CommandBuffer) {
        let all = vk::PipelineStageFlags::ALL_COMMANDS;
        self.d.cmd_pipeline_barrier(c, all, all, vk::DependencyFlags::empty(), &FULL, &[], &[]);
    }

    /// Records, submits and waits.
    pub unsafe fn now(&self, record: impl FnOnce(vk::CommandBuffer)) -> R {
        self.run(|_, c| record(c))?;
        Ok(())
    }

    /// Runs a kernel over resources and waits.
    pub unsafe fn compute(&self, code: &[u32], bindings: &[B], push: &[u8], groups: [u32; 3]) -> R {
        self.compute_of(&KernelInfo { code, ..KernelInfo::default() }, bindings, push, groups)
    }

    /// Runs a kernel with details over resources and waits.
    pub unsafe fn compute_of(&self, info: &KernelInfo<'_>, bindings: &[B], push: &[u8], groups: [u32; 3]) -> R {
        let types: Vec<_> = bindings.iter().map(|b| b.ty()).collect();
        let k = self.kernel_of(&KernelInfo { types: &types, push: push.len() as u32, ..*info })?;
        let set = self.set(k.set_layout, bindings)?;
        self.now(|c| {
            self.bind(c, &k, set, push);
            self.d.cmd_dispatch(c, groups[0], groups[1], groups[2]);
        })
    }

    /// A command pool of the main family.
    pub unsafe fn pool(&self, flags: vk::CommandPoolCreateFlags) -> R<vk::CommandPool> {
        self.pool_in(self.family, flags)
    }

    /// A command pool of a family.
    pub unsafe fn pool_in(&self, family: u32, flags: vk::CommandPoolCreateFlags) -> R<vk::CommandPool> {
        let info = vk::CommandPoolCreateInfo::default().queue_family_index(family).flags(flags);
        Ok(self.own(self.d.create_command_pool(&info, None)?))
    }

    /// Command buffers of a pool.
    pub unsafe fn commands(
        &self,
        pool: vk::CommandPool,
        level: vk::CommandBufferLevel,
        n: u32,
    ) -> R<Vec<vk::CommandBuffer>> {
        let info = vk::CommandBufferAllocateInfo::default().command_pool(pool).level(level).command_buffer_count(n);
        Ok(self.d.allocate_command_buffers(&info)?)
    }

    /// A recorded primary command buffer in a pool of its own.
    pub unsafe fn recorded(
        &self,
        family: u32,
        flags: vk::CommandBufferUsageFlags,
        record: impl FnOnce(vk::CommandBuffer),
    ) -> R<vk::CommandBuffer> {
        let pool = self.pool_in(family, vk::CommandPoolCreateFlags::empty())?;
        let c = self.commands(pool, vk::CommandBufferLevel::PRIMARY, 1)?[0];
        self.d.begin_command_buffer(c, &vk::CommandBufferBeginInfo::default().flags(flags))?;
        record(c);
        self.d.end_command_buffer(c)?;
        Ok(c)
    }

    /// Submits command buffers to a queue with a fence and waits.
    pub unsafe fn submit(&self, queue: vk::Queue, c: &[vk::CommandBuffer]) -> R {
        let fence = self.d.create_fence(&vk::FenceCreateInfo::default(), None)?;
        let submit = [vk::SubmitInfo::default().command_buffers(c)];
        let done =
            self.d.queue_submit(queue, &submit, fence).and_then(|()| self.d.wait_for_fences(&[fence], true, LONG));
        self.d.destroy_fence(fence, None);
        Ok(done?)
    }

    /// A binary semaphore.
    pub unsafe fn semaphore(&self) -> R<vk::Semaphore> {
        Ok(self.own(self.d.create_semaphore(&vk::SemaphoreCreateInfo::default(), None)?))
    }

    /// A timeline semaphore.
    pub unsafe fn timeline(&self, value: u64) -> R<vk::Semaphore> {
        let mut ty =
            vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE).initial_value(value);
        Ok(self.own(self.d.create_semaphore(&vk::SemaphoreCreateInfo::default().push_next(&mut ty), None)?))
    }

    /// A fence, not signalled.
    pub unsafe fn fence(&self) -> R<vk::Fence> {
        Ok(self.own(self.d.create_fence(&vk::FenceCreateInfo::default(), None)?))
    }

    /// Features of a format for optimal tiling.
    pub fn format(&self, format: vk::Format) -> vk::FormatProperties {
        // SAFETY: a plain query.
        unsafe { self.instance().get_physical_device_format_properties(self.physical, format) }
    }
}

/// A time to wait for that no work here takes, ns.
pub const LONG: u64 = 100_000_000_000;

/// All mip levels and layers of a colour image.
pub fn whole() -> vk::ImageSubresourceRange {
    vk::ImageSubresourceRange {
        aspect_mask: vk::ImageAspectFlags::COLOR,
        base_mip_level: 0,
        level_count: vk::REMAINING_MIP_LEVELS,
        base_array_layer: 0,
        layer_count: vk::REMAINING_ARRAY_LAYERS,
    }
}

/// `VKDXG_MODEL` with more to it.
pub fn model_with(more: &str) -> String {
    std::env::var("VKDXG_MODEL").map(|given| given + ",").unwrap_or_default() + more
}

/// Names of extensions.
pub fn names(list: &[vk::ExtensionProperties]) -> Vec<CString> {
    list.iter().filter_map(|e| e.extension_name_as_c_str().ok().map(CString::from)).collect()
}

/// A loader, for tests about instances.
pub fn entry() -> R<ash::Entry> {
    // SAFETY: the loader is a Vulkan loader; its initialisers have no requirements.
    Ok(unsafe { ash::Entry::load()? })
}

/// An instance without layers for tests about instances and physical devices; destroyed with the value.
pub struct Inst {
    /// The loader.
    pub entry: ash::Entry,
    /// The instance.
    pub i: ash::Instance,
}

impl Inst {
    /// With an API version.
    pub fn new(version: u32) -> R<Inst> {
        let entry = entry()?;
        let app = vk::ApplicationInfo::default().api_version(version);
        let info = vk::InstanceCreateInfo::default().application_info(&app);
        // SAFETY: the pointers in `info` live.
        let i = unsafe { entry.create_instance(&info, None)? };
        Ok(Inst { entry, i })
    }

    /// The first physical device.
    pub fn first(&self) -> R<vk::PhysicalDevice> {
        // SAFETY: a plain query.
        let all = unsafe { self.i.enumerate_physical_devices()? };
        all.first().copied().ok_or_else(|| Stop::Fail("no physical device".into()))
    }
}

impl Drop for Inst {
    fn drop(&mut self) {
        // SAFETY: tests destroy what they made of it before.
        unsafe { self.i.destroy_instance(None) };
    }
}
