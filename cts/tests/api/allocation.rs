//! Host allocation callbacks: honoured, balanced, and allowed to fail at any point.

use crate::support::*;
use ash::vk;
use std::alloc::Layout;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Mutex;

tests! { balanced, failing_instance, failing_device, failing_objects, failing_pipeline, failing_commands }

/// An allocator that keeps a list and can fail.
#[derive(Default)]
struct Heap {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    live: HashMap<usize, Layout>,
    calls: usize,
    /// Calls from this number on fail.
    fail_from: Option<usize>,
    errors: Vec<String>,
}

impl Heap {
    fn callbacks(&self) -> vk::AllocationCallbacks<'_> {
        vk::AllocationCallbacks::default()
            .user_data(std::ptr::from_ref(self).cast_mut().cast())
            .pfn_allocation(Some(allocate))
            .pfn_reallocation(Some(reallocate))
            .pfn_free(Some(free))
    }

    fn set(&self, fail_from: Option<usize>) {
        let mut s = self.lock();
        s.fail_from = fail_from;
        s.calls = 0;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Number of calls so far; fails if something is still allocated or was misused.
    fn empty(&self, what: &str) -> R<usize> {
        let s = self.lock();
        check!(s.errors.is_empty(), "{what}: {}", s.errors.join(", "));
        check!(s.live.is_empty(), "{what}: {} blocks are still allocated", s.live.len());
        Ok(s.calls)
    }
}

unsafe fn heap<'a>(user: *mut c_void) -> &'a Heap {
    &*user.cast::<Heap>()
}

unsafe extern "system" fn allocate(
    user: *mut c_void,
    size: usize,
    align: usize,
    _: vk::SystemAllocationScope,
) -> *mut c_void {
    let mut s = heap(user).lock();
    s.calls += 1;
    if s.fail_from.is_some_and(|n| s.calls > n) || size == 0 {
        return std::ptr::null_mut();
    }
    let Ok(layout) = Layout::from_size_align(size, align) else {
        s.errors.push(format!("alignment {align}"));
        return std::ptr::null_mut();
    };
    let p = std::alloc::alloc(layout);
    // Whoever relies on zeros shall see.
    p.write_bytes(0xcd, size);
    s.live.insert(p as usize, layout);
    p.cast()
}

unsafe extern "system" fn reallocate(
    user: *mut c_void,
    old: *mut c_void,
    size: usize,
    align: usize,
    scope: vk::SystemAllocationScope,
) -> *mut c_void {
    if old.is_null() {
        return allocate(user, size, align, scope);
    }
    if size == 0 {
        free(user, old);
        return std::ptr::null_mut();
    }
    let new = allocate(user, size, align, scope);
    if !new.is_null() {
        let before = heap(user).lock().live.get(&(old as usize)).map_or(0, Layout::size);
        std::ptr::copy_nonoverlapping(old.cast::<u8>(), new.cast(), before.min(size));
        free(user, old);
    }
    new
}

unsafe extern "system" fn free(user: *mut c_void, p: *mut c_void) {
    if p.is_null() {
        return;
    }
    let mut s = heap(user).lock();
    match s.live.remove(&(p as usize)) {
        Some(layout) => std::alloc::dealloc(p.cast(), layout),
        None => s.errors.push("freed what was not allocated".into()),
    }
}

/// Repeats creation with ever later failure until it succeeds; `make` destroys what it made, with the same callbacks.
unsafe fn fail_until_success(
    heap: &Heap,
    what: &str,
    mut make: impl FnMut(&vk::AllocationCallbacks<'_>) -> Result<(), vk::Result>,
) -> R {
    for n in 0..3000 {
        heap.set(Some(n));
        let before = heap.lock().live.len();
        let result = make(&heap.callbacks());
        let s = heap.lock();
        check!(s.errors.is_empty(), "{what}: {}", s.errors.join(", "));
        let leaked = s.live.len() as i64 - before as i64;
        check!(leaked == 0, "{what}: {leaked} blocks leaked when allocation {n} failed ({result:?})");
        match result {
            Ok(()) if s.calls <= n => {
                println!("{what}: {} allocations", s.calls);
                return Ok(());
            }
            // It may do without, for instance a cache.
            Ok(()) | Err(vk::Result::ERROR_OUT_OF_HOST_MEMORY) => {}
            // Loading a driver at all can fail for want of memory.
            Err(vk::Result::ERROR_INITIALIZATION_FAILED | vk::Result::ERROR_INCOMPATIBLE_DRIVER)
                if what == "instance" => {}
            Err(e) => fail!("{what}: {e:?} when allocation {n} failed"),
        }
    }
    fail!("{what}: no end of allocations")
}

unsafe fn make_instance(e: &ash::Entry, a: Option<&vk::AllocationCallbacks<'_>>) -> Result<ash::Instance, vk::Result> {
    let app = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
    e.create_instance(&vk::InstanceCreateInfo::default().application_info(&app), a)
}

unsafe fn make_device(i: &ash::Instance, a: Option<&vk::AllocationCallbacks<'_>>) -> Result<ash::Device, vk::Result> {
    let p = i.enumerate_physical_devices()?[0];
    let queue = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
    i.create_device(p, &vk::DeviceCreateInfo::default().queue_create_infos(&queue), a)
}

/// Makes and destroys one object of every kind.
unsafe fn objects(
    d: &ash::Device,
    memory_type: u32,
    a: &vk::AllocationCallbacks<'_>,
    which: usize,
) -> Option<Result<(), vk::Result>> {
    let a = Some(a);
    macro_rules! kinds {
        ($($make:ident $destroy:ident $info:expr;)*) => {{
            let mut k = 0;
            $(
                if k == which {
                    return Some(d.$make(&$info, a).map(|o| d.$destroy(o, a)));
                }
                k += 1;
            )*
            let _ = k;
            None
        }};
    }
    let binding = [vk::DescriptorSetLayoutBinding::default()
        .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
        .descriptor_count(3)
        .stage_flags(vk::ShaderStageFlags::COMPUTE)];
    let sizes = [vk::DescriptorPoolSize { ty: vk::DescriptorType::STORAGE_BUFFER, descriptor_count: 8 }];
    let image = vk::ImageCreateInfo::default()
        .image_type(vk::ImageType::TYPE_2D)
        .format(vk::Format::R8G8B8A8_UNORM)
        .extent(vk::Extent3D { width: 16, height: 16, depth: 1 })
        .mip_levels(1)
        .array_layers(1)
        .samples(vk::SampleCountFlags::TYPE_1)
        .usage(vk::ImageUsageFlags::STORAGE);
    kinds! {
        create_buffer destroy_buffer vk::BufferCreateInfo::default().size(64).usage(vk::BufferUsageFlags::STORAGE_BUFFER);
        create_image destroy_image image;
        create_sampler destroy_sampler vk::SamplerCreateInfo::default();
        create_fence destroy_fence vk::FenceCreateInfo::default();
        create_semaphore destroy_semaphore vk::SemaphoreCreateInfo::default();
        create_event destroy_event vk::EventCreateInfo::default();
        create_query_pool destroy_query_pool vk::QueryPoolCreateInfo::default().query_type(vk::QueryType::TIMESTAMP).query_count(4);
        create_command_pool destroy_command_pool vk::CommandPoolCreateInfo::default();
        create_descriptor_set_layout destroy_descriptor_set_layout vk::DescriptorSetLayoutCreateInfo::default().bindings(&binding);
        create_descriptor_pool destroy_descriptor_pool vk::DescriptorPoolCreateInfo::default().max_sets(4).pool_sizes(&sizes);
        create_pipeline_layout destroy_pipeline_layout vk::PipelineLayoutCreateInfo::default();
        create_pipeline_cache destroy_pipeline_cache vk::PipelineCacheCreateInfo::default();
        create_shader_module destroy_shader_module vk::ShaderModuleCreateInfo::default().code(spv!("affine"));
        allocate_memory free_memory vk::MemoryAllocateInfo::default().allocation_size(4096).memory_type_index(memory_type);
    }
}

unsafe fn balanced() -> R {
    let e = entry()?;
    let heap = Heap::default();
    let a = heap.callbacks();
    let i = make_instance(&e, Some(&a))?;
    let d = make_device(&i, Some(&a))?;
    let mut which = 0;
    let mut used = 0;
    while let Some(r) = {
        let before = heap.lock().calls;
        let r = objects(&d, 0, &a, which);
        used += usize::from(heap.lock().calls > before);
        r
    } {
        r?;
        which += 1;
    }
    d.destroy_device(Some(&a));
    i.destroy_instance(Some(&a));
    let calls = heap.empty("everything")?;
    println!("{calls} allocations; {used} of {which} kinds of objects use the callbacks");
    check!(calls > 0, "the callbacks are never called");
    Ok(())
}

unsafe fn failing_instance() -> R {
    let e = entry()?;
    let heap = Heap::default();
    fail_until_success(&heap, "instance", |a| {
        let i = make_instance(&e, Some(a))?;
        i.destroy_instance(Some(a));
        Ok(())
    })
}

unsafe fn failing_device() -> R {
    let e = entry()?;
    let i = make_instance(&e, None)?;
    i.enumerate_physical_devices()?;
    let heap = Heap::default();
    let r = fail_until_success(&heap, "device", |a| {
        let d = make_device(&i, Some(a))?;
        d.destroy_device(Some(a));
        Ok(())
    });
    i.destroy_instance(None);
    r
}

unsafe fn failing_objects() -> R {
    let t = T::open(&cts::Setup { unvalidated: true, ..cts::Setup::default() })?;
    let heap = Heap::default();
    let mut which = 0;
    while objects(&t.d, 0, &heap.callbacks(), which).is_some() {
        fail_until_success(&heap, &format!("object {which}"), |a| {
            objects(&t.d, 0, a, which).unwrap_or(Err(vk::Result::ERROR_UNKNOWN))
        })?;
        which += 1;
    }
    heap.empty("objects")?;
    Ok(())
}

unsafe fn failing_pipeline() -> R {
    let t = T::open(&cts::Setup { unvalidated: true, ..cts::Setup::default() })?;
    let heap = Heap::default();
    let set_layout = t.set_layout(&[vk::DescriptorType::STORAGE_BUFFER])?;
    let layout = t.layout(&[set_layout], 16)?;
    let module = t.own(t.d.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(spv!("affine")), None)?);
    fail_until_success(&heap, "pipeline", |a| {
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(module)
            .name(c"main");
        let info = [vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout)];
        match t.d.create_compute_pipelines(vk::PipelineCache::null(), &info, Some(a)) {
            Ok(p) => {
                t.d.destroy_pipeline(p[0], Some(a));
                Ok(())
            }
            Err((p, e)) => {
                if p.iter().any(|p| *p != vk::Pipeline::null()) {
                    return Err(vk::Result::ERROR_UNKNOWN);
                }
                Err(e)
            }
        }
    })
}

unsafe fn failing_commands() -> R {
    // Pools and everything allocated from them, with a recording that fails late.
    let t = T::open(&cts::Setup { unvalidated: true, ..cts::Setup::default() })?;
    let heap = Heap::default();
    let b = t.buf(1024)?;
    fail_until_success(&heap, "commands", |a| {
        let pool =
            t.d.create_command_pool(&vk::CommandPoolCreateInfo::default().queue_family_index(t.family), Some(a))?;
        let made = || -> Result<(), vk::Result> {
            let info = vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(3);
            let c = t.d.allocate_command_buffers(&info)?;
            t.d.begin_command_buffer(c[0], &vk::CommandBufferBeginInfo::default())?;
            for k in 0..100 {
                t.d.cmd_fill_buffer(c[0], b.h, 0, 1024, k);
                t.d.cmd_update_buffer(c[0], b.h, 0, &[k as u8; 256]);
            }
            t.d.end_command_buffer(c[0])?;
            t.d.free_command_buffers(pool, &c[1..]);
            Ok(())
        };
        let result = made();
        t.d.destroy_command_pool(pool, Some(a));
        result
    })?;
    let layout = t.set_layout(&[vk::DescriptorType::STORAGE_BUFFER; 4])?;
    fail_until_success(&heap, "descriptors", |a| {
        let sizes = [vk::DescriptorPoolSize { ty: vk::DescriptorType::STORAGE_BUFFER, descriptor_count: 32 }];
        let info = vk::DescriptorPoolCreateInfo::default().max_sets(8).pool_sizes(&sizes);
        let pool = t.d.create_descriptor_pool(&info, Some(a))?;
        let layouts = [layout; 8];
        let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts);
        let result = t.d.allocate_descriptor_sets(&info).map(|_| ());
        t.d.destroy_descriptor_pool(pool, Some(a));
        result
    })?;
    heap.empty("commands")?;
    Ok(())
}
