//! Pools, sets, pipelines, memory: everything that does not need the GPU to run.

mod common;

use ash::vk;
use common::{buffer, fake_gpu, memory, pipeline_create, setup, Setup};
use runtime::{
    border_color, Buffer, BufferCreate, BufferView, DescriptorData, DescriptorPool, DescriptorPoolCreate,
    DescriptorSet, DescriptorSetLayout, Error, ImageFormatQuery, LayoutBinding, Memory, MemoryAllocate, MemorySource,
    PipelineCache, PipelineLayout, Program, Sampler, SamplerInfo, SetAllocate, ShaderModule,
};
use std::sync::atomic::Ordering;
use std::sync::Arc;

fn binding(binding: u32, ty: vk::DescriptorType, count: u32) -> LayoutBinding {
    LayoutBinding {
        mutable_types: Vec::new(),
        binding,
        ty,
        count,
        stages: vk::ShaderStageFlags::COMPUTE,
        flags: Default::default(),
        immutable_samplers: Vec::new(),
    }
}

fn layout(s: &Setup, bindings: &[LayoutBinding]) -> Arc<DescriptorSetLayout> {
    DescriptorSetLayout::new(&s.device, Default::default(), bindings).unwrap()
}

fn of(layout: &Arc<DescriptorSetLayout>) -> SetAllocate {
    SetAllocate { layout: layout.clone(), variable_count: 0 }
}

/// What the memory of a set holds, as 64-bit words.
fn set_words(set: &DescriptorSet, count: usize) -> Vec<u64> {
    // SAFETY: in the model GPU addresses of memory that is mapped are addresses of this process, and nothing runs.
    (0..count).map(|i| unsafe { (set.address() as *const u64).add(i).read_volatile() }).collect()
}

#[test]
fn pools_run_out_and_fragment() {
    let s = setup();
    let ty = vk::DescriptorType::STORAGE_BUFFER;
    let (one, two, three) =
        (layout(&s, &[binding(0, ty, 1)]), layout(&s, &[binding(0, ty, 2)]), layout(&s, &[binding(0, ty, 3)]));
    let create = DescriptorPoolCreate { max_sets: 4, sizes: vec![(ty, 4)], ..Default::default() };
    let pool = DescriptorPool::new(&s.device, &create).unwrap();
    let sets = pool.allocate(&[of(&one), of(&one), of(&one), of(&one)]).unwrap();
    assert_eq!(pool.allocate(&[of(&one)]).unwrap_err(), Error::OutOfPoolMemory);
    pool.free(&[&sets[0], &sets[2]]);
    assert_eq!(pool.allocate(&[of(&two)]).unwrap_err(), Error::FragmentedPool);
    assert_eq!(pool.allocate(&[of(&three)]).unwrap_err(), Error::OutOfPoolMemory);
    // All or nothing.
    assert!(pool.allocate(&[of(&one), of(&two)]).is_err());
    assert_eq!(pool.live(), 2);
    pool.free(&[&sets[1]]);
    pool.allocate(&[of(&three)]).unwrap();
    pool.reset();
    assert_eq!(pool.live(), 0);
    pool.allocate(&[of(&two), of(&two)]).unwrap();
    // Sets without descriptors count as sets.
    let create = DescriptorPoolCreate { max_sets: 2, ..Default::default() };
    let empty = DescriptorPool::new(&s.device, &create).unwrap();
    let nothing = layout(&s, &[]);
    empty.allocate(&[of(&nothing), of(&nothing)]).unwrap();
    assert_eq!(empty.allocate(&[of(&nothing)]).unwrap_err(), Error::OutOfPoolMemory);
    // A set of another pool is left alone.
    let other = pool.allocate(&[]).unwrap();
    assert!(other.is_empty());
    empty.free(&[&sets[3]]);
    assert_eq!(empty.live(), 2);
}

#[test]
fn a_pool_holds_what_it_promises_however_it_is_cut() {
    let s = setup();
    use vk::DescriptorType as D;
    let sizes = vec![(D::STORAGE_BUFFER, 3), (D::SAMPLED_IMAGE, 2), (D::SAMPLER, 1), (D::INLINE_UNIFORM_BLOCK, 21)];
    let create = DescriptorPoolCreate { max_sets: 6, sizes, max_inline_blocks: 3, ..Default::default() };
    let pool = DescriptorPool::new(&s.device, &create).unwrap();
    let requests = [
        of(&layout(&s, &[binding(7, D::STORAGE_BUFFER, 1), binding(9, D::INLINE_UNIFORM_BLOCK, 5)])),
        of(&layout(&s, &[binding(0, D::SAMPLER, 1), binding(1, D::INLINE_UNIFORM_BLOCK, 12)])),
        of(&layout(&s, &[binding(0, D::INLINE_UNIFORM_BLOCK, 4), binding(1, D::STORAGE_BUFFER, 2)])),
        of(&layout(&s, &[binding(0, D::SAMPLED_IMAGE, 1)])),
        of(&layout(&s, &[binding(0, D::SAMPLED_IMAGE, 1)])),
        of(&layout(&s, &[])),
    ];
    assert_eq!(pool.allocate(&requests).unwrap().len(), 6);
}

#[test]
fn writes_roll_over_into_the_next_binding() {
    let s = setup();
    let ty = vk::DescriptorType::STORAGE_BUFFER;
    let l = layout(&s, &[binding(2, ty, 2), binding(3, ty, 0), binding(5, ty, 2)]);
    let create = DescriptorPoolCreate { max_sets: 2, sizes: vec![(ty, 8)], ..Default::default() };
    let pool = DescriptorPool::new(&s.device, &create).unwrap();
    let sets = pool.allocate(&[of(&l), of(&l)]).unwrap();
    let b = buffer(&s.device, 256);
    let data = |i: u64| DescriptorData::Buffer(Some((&b.buffer, i * 16, 16)));
    sets[0]
        .update(|w| {
            let mut cursor = w.cursor(2, 1)?;
            for i in 1..4 {
                w.write_at(&mut cursor, ty, data(i))?;
            }
            assert!(w.write_at(&mut cursor, ty, data(4)).is_err(), "the set has no more");
            assert!(w.cursor(4, 0).is_err(), "there is no binding 4");
            let wrong = DescriptorData::Image(None);
            assert!(w.write(2, 0, wrong).is_err());
            Ok(())
        })
        .unwrap();
    let base = b.buffer.address();
    assert_eq!(set_words(&sets[0], 8), [0, 0, base + 16, 16, base + 32, 16, base + 48, 16]);
    DescriptorSet::copy(&sets[0], 2, 1, &sets[1], 2, 0, 3).unwrap();
    assert_eq!(set_words(&sets[1], 8), [base + 16, 16, base + 32, 16, base + 48, 16, 0, 0]);
    assert!(DescriptorSet::copy(&sets[0], 2, 1, &sets[1], 2, 2, 3).is_err());
    // Within one set, too.
    DescriptorSet::copy(&sets[1], 2, 0, &sets[1], 5, 1, 1).unwrap();
    assert_eq!(set_words(&sets[1], 8)[6..], [base + 16, 16]);
    // Null descriptors.
    sets[0].update(|w| w.write(2, 1, DescriptorData::Buffer(None))).unwrap();
    assert_eq!(set_words(&sets[0], 8)[2..4], [0, 0]);
}

fn sampler(s: &Setup, min_lod: f32) -> Arc<Sampler> {
    let info = SamplerInfo {
        mag_filter: vk::Filter::LINEAR,
        min_filter: vk::Filter::LINEAR,
        mipmap_mode: vk::SamplerMipmapMode::LINEAR,
        address: [vk::SamplerAddressMode::REPEAT; 3],
        lod_bias: 0.0,
        max_anisotropy: None,
        compare: None,
        min_lod,
        max_lod: 10.0,
        border: border_color(vk::BorderColor::FLOAT_OPAQUE_BLACK, None),
        unnormalized: false,
        conversion: None,
        seamless: true,
        reduction: vk::SamplerReductionMode::WEIGHTED_AVERAGE,
    };
    Sampler::new(&s.device, &info).unwrap()
}

#[test]
fn immutable_samplers_are_there_from_the_start_and_stay() {
    let s = setup();
    let (mine, other) = (sampler(&s, 2.0), sampler(&s, 3.0));
    let two = u64::from(2.0f32.to_bits());
    let three = u64::from(3.0f32.to_bits());
    use vk::DescriptorType as D;
    let fixed = |n, ty| LayoutBinding { immutable_samplers: vec![mine.clone()], ..binding(n, ty, 1) };
    let l = layout(&s, &[fixed(0, D::SAMPLER), fixed(1, D::COMBINED_IMAGE_SAMPLER), binding(2, D::SAMPLER, 1)]);
    let sizes = vec![(D::SAMPLER, 2), (D::COMBINED_IMAGE_SAMPLER, 1)];
    let pool =
        DescriptorPool::new(&s.device, &DescriptorPoolCreate { max_sets: 1, sizes, ..Default::default() }).unwrap();
    let set = pool.allocate(&[of(&l)]).unwrap().remove(0);
    assert_eq!(set_words(&set, 10), [two, 0, 0, 0, 0, 0, two, 0, 0, 0]);
    set.update(|w| {
        w.write(1, 0, DescriptorData::Combined { view: None, sampler: Some(&other) })?;
        w.write(2, 0, DescriptorData::Sampler(Some(&other)))
    })
    .unwrap();
    assert_eq!(set_words(&set, 10), [two, 0, 0, 0, 0, 0, two, 0, three, 0]);
    let _ = fake_gpu::SAMPLER_BYTES;
}

#[test]
fn inline_uniform_blocks() {
    let s = setup();
    use vk::DescriptorType as D;
    let l = layout(&s, &[binding(1, D::INLINE_UNIFORM_BLOCK, 24), binding(2, D::STORAGE_BUFFER, 1)]);
    let sizes = vec![(D::INLINE_UNIFORM_BLOCK, 48), (D::STORAGE_BUFFER, 2)];
    let create = DescriptorPoolCreate { max_sets: 2, sizes, max_inline_blocks: 2, ..Default::default() };
    let pool = DescriptorPool::new(&s.device, &create).unwrap();
    let sets = pool.allocate(&[of(&l), of(&l)]).unwrap();
    sets[0].update(|w| w.write_inline(1, 8, &[1; 16])).unwrap();
    assert_eq!(set_words(&sets[0], 4), [0, 0x0101_0101_0101_0101, 0x0101_0101_0101_0101, 0]);
    assert!(sets[0].update(|w| w.write_inline(1, 12, &[1; 16])).is_err(), "past the end");
    assert!(sets[0].update(|w| w.write_inline(2, 0, &[1; 4])).is_err(), "not a block");
    DescriptorSet::copy(&sets[0], 1, 8, &sets[1], 1, 0, 8).unwrap();
    assert_eq!(set_words(&sets[1], 2), [0x0101_0101_0101_0101, 0]);
}

#[test]
fn variable_counts_take_only_their_share() {
    let s = setup();
    let ty = vk::DescriptorType::STORAGE_BUFFER;
    let last = LayoutBinding { flags: vk::DescriptorBindingFlags::VARIABLE_DESCRIPTOR_COUNT, ..binding(1, ty, 1000) };
    let bindings = [binding(0, ty, 1), last];
    let l = layout(&s, &bindings);
    let create = DescriptorPoolCreate { max_sets: 3, sizes: vec![(ty, 10)], ..Default::default() };
    let pool = DescriptorPool::new(&s.device, &create).unwrap();
    let with = |n| SetAllocate { layout: l.clone(), variable_count: n };
    let set = pool.allocate(&[with(4), with(4)]).unwrap().remove(0);
    assert!(pool.allocate(&[with(0)]).is_err());
    let b = buffer(&s.device, 16);
    let data = DescriptorData::Buffer(Some((&b.buffer, 0, 16)));
    set.update(|w| w.write(1, 3, data)).unwrap();
    assert!(set.update(|w| w.write(1, 4, data)).is_err(), "the set has 4");
    let support = DescriptorSetLayout::support(&s.device, Default::default(), &bindings);
    assert!(support.supported && support.max_variable_count >= 1000);
    let absurd = [binding(0, ty, u32::MAX)];
    assert!(!DescriptorSetLayout::support(&s.device, Default::default(), &absurd).supported);
}

#[test]
fn pipelines_come_from_caches() {
    let s = setup();
    let layout = PipelineLayout::new(&s.device, Vec::new(), &[]).unwrap();
    let cache = PipelineCache::new(&s.device, &[], Default::default()).unwrap();
    let create = pipeline_create(&s.device, &layout);
    let make = |cache: &PipelineCache, flags| {
        let create = runtime::ProgramCreate { flags, ..create.clone() };
        Program::create_many(&s.device, Some(cache), &[create]).remove(0)
    };
    let none = vk::PipelineCreateFlags2KHR::empty();
    let refuse = vk::PipelineCreateFlags2KHR::FAIL_ON_PIPELINE_COMPILE_REQUIRED;
    assert_eq!(make(&cache, refuse).program.unwrap_err(), Error::CompileRequired);
    let first = make(&cache, none);
    assert!(!first.feedback.cache_hit);
    assert_eq!(first.program.unwrap().info().statistics.len(), 1);
    assert!(make(&cache, refuse).feedback.cache_hit);
    // The same from its bytes, and merged.
    let data = cache.data();
    assert_eq!(data.len(), cache.data_size());
    let copy = PipelineCache::new(&s.device, &data, Default::default()).unwrap();
    let merged = PipelineCache::new(&s.device, &data[..40], Default::default()).unwrap();
    assert!(merged.is_empty());
    merged.merge(&[&copy]);
    assert!(make(&merged, refuse).feedback.cache_hit);
    assert_eq!(s.gpu.compiled.load(Ordering::Relaxed), 1);
    // Texts are made when asked for.
    let texts = vk::PipelineCreateFlags2KHR::CAPTURE_INTERNAL_REPRESENTATIONS;
    let outcome = make(&cache, texts);
    assert_eq!(outcome.program.unwrap().info().representations.len(), 4);
    assert_eq!(s.gpu.compiled.load(Ordering::Relaxed), 2);
    // What the kernel depends on is a part of the key.
    let other = runtime::ProgramCreate { required_subgroup_size: Some(16), ..create.clone() };
    let outcome = Program::create_many(&s.device, Some(&cache), &[other]).remove(0);
    assert_eq!(outcome.program.unwrap().info().subgroup_size, 16);
}

#[test]
fn identifiers_find_what_was_compiled() {
    let s = setup();
    let layout = PipelineLayout::new(&s.device, Vec::new(), &[]).unwrap();
    let create = pipeline_create(&s.device, &layout);
    let named = runtime::ProgramCreate { code: runtime::ProgramCode::Identifier(create.code.hash()), ..create.clone() };
    let cache = PipelineCache::new(&s.device, &[], Default::default()).unwrap();
    let make = |create: &runtime::ProgramCreate| {
        Program::create_many(&s.device, Some(&cache), std::slice::from_ref(create)).remove(0)
    };
    assert_eq!(make(&named).program.unwrap_err(), Error::CompileRequired);
    make(&create).program.unwrap();
    assert!(make(&named).feedback.cache_hit);
    let other = runtime::ProgramCreate { entry: "other".into(), ..named };
    assert_eq!(make(&other).program.unwrap_err(), Error::CompileRequired);
}

#[test]
fn shader_binaries_are_for_one_layout() {
    let s = setup();
    let none = PipelineLayout::new(&s.device, Vec::new(), &[]).unwrap();
    let program =
        Program::create_many(&s.device, None, &[pipeline_create(&s.device, &none)]).remove(0).program.unwrap();
    let data = program.binary(&s.device);
    let same = PipelineLayout::new(&s.device, Vec::new(), &[]).unwrap();
    let copy = Program::from_binary(&s.device, &same, &data).unwrap();
    assert_eq!(copy.binary(&s.device), data);
    let l = layout(&s, &[binding(0, vk::DescriptorType::STORAGE_BUFFER, 1)]);
    let other = PipelineLayout::new(&s.device, vec![Some(l)], &[]).unwrap();
    assert_eq!(Program::from_binary(&s.device, &other, &data).unwrap_err(), Error::IncompatibleBinary);
    assert_eq!(Program::from_binary(&s.device, &same, &data[1..]).unwrap_err(), Error::IncompatibleBinary);
}

#[test]
fn bad_shaders_fail_alone_unless_told_to_stop() {
    let s = setup();
    let layout = PipelineLayout::new(&s.device, Vec::new(), &[]).unwrap();
    let good = pipeline_create(&s.device, &layout);
    let mut words = common::empty_shader();
    words.truncate(words.len() - 3);
    let module = ShaderModule::new(&s.device, words).unwrap();
    let bad = runtime::ProgramCreate { code: runtime::ProgramCode::Module(module), ..good.clone() };
    let out = Program::create_many(&s.device, None, &[good.clone(), bad.clone(), good.clone()]);
    let ok: Vec<bool> = out.iter().map(|o| o.program.is_ok()).collect();
    assert_eq!(ok, [true, false, true]);
    let message = out[1].program.as_ref().unwrap_err().message();
    assert!(message.contains("SPIR-V"), "{message}");
    let early = vk::PipelineCreateFlags2KHR::EARLY_RETURN_ON_FAILURE;
    let stop = runtime::ProgramCreate { flags: early, ..bad };
    let out = Program::create_many(&s.device, None, &[good.clone(), stop, good]);
    assert!(out[0].program.is_ok() && out[1].program.is_err());
    assert_eq!(out[2].program.as_ref().unwrap_err(), &Error::CompileRequired);
    let missing = runtime::ProgramCreate { entry: "nothing".into(), ..pipeline_create(&s.device, &layout) };
    assert!(Program::create_many(&s.device, None, &[missing]).remove(0).program.is_err());
}

#[test]
fn memory_and_buffers() {
    let s = setup();
    let m = memory(&s.device, 100);
    let at = m.map(10, vk::WHOLE_SIZE).unwrap();
    assert_eq!(at, m.map(0, 1).unwrap() + 10);
    assert!(m.map(101, 1).is_err());
    m.flush(0, vk::WHOLE_SIZE).unwrap();
    m.invalidate(0, vk::WHOLE_SIZE).unwrap();
    m.unmap();
    let too_much = MemoryAllocate {
        address: None,
        size: 1 << 40,
        type_index: 0,
        priority: 0.5,
        source: MemorySource::New,
        export: Default::default(),
        zero: false,
    };
    assert_eq!(Memory::allocate(&s.device, &too_much).unwrap_err(), Error::OutOfDeviceMemory);
    let not_there = MemoryAllocate { size: fake_gpu::AVAILABLE_MEMORY + 1, source: MemorySource::New, ..too_much };
    assert_eq!(Memory::allocate(&s.device, &not_there).unwrap_err(), Error::OutOfDeviceMemory);
    let there = MemoryAllocate { size: fake_gpu::AVAILABLE_MEMORY, source: MemorySource::New, ..too_much };
    assert!(Memory::allocate(&s.device, &there).is_ok());
    for export in [Default::default(), vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD] {
        let zeros = MemoryAllocate { size: 5000, export, zero: true, source: MemorySource::New, ..too_much };
        let m = Memory::allocate(&s.device, &zeros).unwrap();
        let at = m.map(0, vk::WHOLE_SIZE).unwrap() as *const u8;
        // SAFETY: the memory is mapped as long as it lives, and nothing writes to it.
        assert!((0..5000).all(|i| unsafe { at.add(i).read() } == 0));
    }
    let wrong = MemoryAllocate { size: 16, type_index: 9, ..too_much };
    assert!(Memory::allocate(&s.device, &wrong).is_err());
    let usage = vk::BufferUsageFlags::STORAGE_BUFFER;
    let create = |flags, size| BufferCreate { address: None, flags, size, usage };
    let huge = Buffer::new(&s.device, &create(Default::default(), 1 << 40));
    assert_eq!(huge.unwrap_err(), Error::OutOfDeviceMemory);
    let protected = Buffer::new(&s.device, &create(vk::BufferCreateFlags::PROTECTED, 16));
    assert_eq!(protected.unwrap_err().vk(), vk::Result::ERROR_FEATURE_NOT_PRESENT);
    let b = buffer(&s.device, 100);
    assert_eq!((b.buffer.address(), b.buffer.requirements().type_bits), (b.memory.address(), 1));
    let view = BufferView::new(&s.device, &b.buffer, vk::Format::R32G32_UINT, 16, vk::WHOLE_SIZE).unwrap();
    assert_eq!((view.address(), view.size()), (b.buffer.address() + 16, 80), "whole texels");
    assert!(BufferView::new(&s.device, &b.buffer, vk::Format::UNDEFINED, 0, 16).is_err());
    let budget = s.device.physical().memory_budget();
    assert!(budget.budget[0] > 0 && budget.budget[0] <= 1 << 32 && budget.usage[0] >= 4096);
}

#[test]
fn host_memory_is_the_application_s() {
    let s = setup();
    let mut words = vec![0u32; 4096];
    let ptr = std::ptr::NonNull::new(words[5..].as_mut_ptr().cast::<u8>()).unwrap();
    // SAFETY: the vector outlives the memory, and is only looked at through raw reads while the memory lives.
    let host = unsafe { winsys_dxg::HostPointer::new(ptr, 1024) };
    let info = MemoryAllocate {
        address: None,
        size: 1024,
        type_index: 0,
        priority: 0.5,
        source: MemorySource::Host(host),
        export: Default::default(),
        zero: false,
    };
    let m = Memory::allocate(&s.device, &info).unwrap();
    assert_eq!(m.map(0, 4).unwrap(), ptr.as_ptr() as usize);
    let create = BufferCreate {
        address: None,
        flags: Default::default(),
        size: 1024,
        usage: vk::BufferUsageFlags::TRANSFER_DST,
    };
    let b = Buffer::new(&s.device, &create).unwrap();
    b.bind(&m, 0).unwrap();
    let pool = runtime::CommandPool::new(&s.device, 1, Default::default()).unwrap();
    let cb = pool.allocate(vk::CommandBufferLevel::PRIMARY).unwrap();
    cb.begin(Default::default()).unwrap();
    cb.fill_buffer(&b, 0, vk::WHOLE_SIZE, 77);
    cb.end().unwrap();
    let queue = s.device.queue(1, 0).unwrap();
    let batch = runtime::SubmitBatch { command_buffers: &[&cb], ..Default::default() };
    queue.submit(&[batch], None).unwrap();
    queue.wait_idle().unwrap();
    drop(m);
    assert_eq!((words[4], words[5], words[260], words[261]), (0, 77, 77, 0));
}

#[test]
fn image_formats() {
    let s = setup();
    let query = |format, usage, flags| {
        s.device.physical().image_format_properties(&ImageFormatQuery {
            format,
            ty: vk::ImageType::TYPE_2D,
            tiling: vk::ImageTiling::OPTIMAL,
            usage,
            flags,
        })
    };
    let storage = vk::ImageUsageFlags::STORAGE;
    let none = vk::ImageCreateFlags::empty();
    let p = query(vk::Format::R8G8B8A8_UNORM, storage, none).unwrap();
    assert_eq!((p.max_extent.width, p.max_mip_levels, p.max_array_layers), (4096, 13, 256));
    let refused = [
        query(vk::Format::UNDEFINED, storage, none),
        query(vk::Format::R8G8B8A8_UNORM, vk::ImageUsageFlags::COLOR_ATTACHMENT, none),
        query(vk::Format::R8G8B8A8_UNORM, storage, vk::ImageCreateFlags::PROTECTED),
    ];
    for r in refused {
        assert_eq!(r.unwrap_err(), Error::FormatNotSupported);
    }
}

#[test]
fn names_are_kept() {
    let s = setup();
    s.device.set_name(vk::ObjectType::BUFFER, 5, Some("weights"));
    assert_eq!(s.device.name(vk::ObjectType::BUFFER, 5).as_deref(), Some("weights"));
    s.device.set_name(vk::ObjectType::BUFFER, 5, None);
    assert_eq!(s.device.name(vk::ObjectType::BUFFER, 5), None);
}
