//! Dispatches: descriptor sets of every way of binding, push constants, indirect counts.

mod common;

use ash::vk;
use common::{buffer, pipeline, setup, Bound, Setup};
use runtime::{
    CommandBuffer, CommandPool, DescriptorData, DescriptorPool, DescriptorPoolCreate, DescriptorSet,
    DescriptorSetLayout, LayoutBinding, PipelineLayout, SetAllocate, SubmitBatch,
};
use std::sync::Arc;

fn set_layout(
    s: &Setup,
    ty: vk::DescriptorType,
    flags: vk::DescriptorSetLayoutCreateFlags,
) -> Arc<DescriptorSetLayout> {
    let binding = |binding, ty| LayoutBinding {
        mutable_types: Vec::new(),
        binding,
        ty,
        count: 2,
        stages: vk::ShaderStageFlags::COMPUTE,
        flags: Default::default(),
        immutable_samplers: Vec::new(),
    };
    DescriptorSetLayout::new(&s.device, flags, &[binding(3, ty)]).unwrap()
}

fn pipeline_layout(s: &Setup, set: &Arc<DescriptorSetLayout>) -> Arc<PipelineLayout> {
    let push = vk::PushConstantRange { stage_flags: vk::ShaderStageFlags::COMPUTE, offset: 0, size: 16 };
    PipelineLayout::new(&s.device, vec![Some(set.clone())], &[push]).unwrap()
}

fn allocate(
    s: &Setup,
    ty: vk::DescriptorType,
    layout: &Arc<DescriptorSetLayout>,
) -> (Arc<DescriptorPool>, Arc<DescriptorSet>) {
    let create = DescriptorPoolCreate { max_sets: 1, sizes: vec![(ty, 2)], ..Default::default() };
    let pool = DescriptorPool::new(&s.device, &create).unwrap();
    let set = pool.allocate(&[SetAllocate { layout: layout.clone(), variable_count: 0 }]).unwrap().remove(0);
    (pool, set)
}

fn recording(s: &Setup) -> (Arc<CommandPool>, Arc<CommandBuffer>) {
    let pool = CommandPool::new(&s.device, 0, vk::CommandPoolCreateFlags::empty()).unwrap();
    let cb = pool.allocate(vk::CommandBufferLevel::PRIMARY).unwrap();
    cb.begin(vk::CommandBufferUsageFlags::empty()).unwrap();
    (pool, cb)
}

fn run(s: &Setup, cb: &CommandBuffer) {
    cb.end().unwrap();
    let queue = s.device.queue(0, 0).unwrap();
    queue.submit(&[SubmitBatch { command_buffers: &[cb], ..Default::default() }], None).unwrap();
    queue.wait_idle().unwrap();
}

fn data(b: &Bound, offset: u64, range: u64) -> DescriptorData<'_> {
    DescriptorData::Buffer(Some((&b.buffer, offset, range)))
}

#[test]
fn storage_buffer_push_constants_and_base() {
    let s = setup();
    let ty = vk::DescriptorType::STORAGE_BUFFER;
    let set_layout = set_layout(&s, ty, Default::default());
    let layout = pipeline_layout(&s, &set_layout);
    let pipeline = pipeline(&s.device, &layout);
    assert_eq!(pipeline.info().local_size, [4, 1, 1]);
    let (_pool, set) = allocate(&s, ty, &set_layout);
    let out = buffer(&s.device, 64);
    set.update(|w| w.write(3, 0, data(&out, 16, vk::WHOLE_SIZE))).unwrap();
    let (_p, cb) = recording(&s);
    cb.bind_program(Some(&pipeline));
    cb.bind_sets(&layout, 0, [Some(&*set)], &[]);
    cb.push_constants(0, &100u32.to_le_bytes());
    cb.dispatch([0; 3], [3, 1, 1]);
    cb.push_constants(0, &200u32.to_le_bytes());
    cb.dispatch([5, 0, 0], [2, 1, 1]);
    cb.dispatch([0; 3], [7, 0, 1]);
    run(&s, &cb);
    let mut want = [0u32; 16];
    want[4..7].copy_from_slice(&[100, 101, 102]);
    want[9..11].copy_from_slice(&[205, 206]);
    assert_eq!(out.words(), want);
}

#[test]
fn the_size_of_a_descriptor_is_the_range_inside_the_buffer() {
    let s = setup();
    let ty = vk::DescriptorType::STORAGE_BUFFER;
    let set_layout = set_layout(&s, ty, Default::default());
    let layout = pipeline_layout(&s, &set_layout);
    let pipeline = pipeline(&s.device, &layout);
    let (_pool, set) = allocate(&s, ty, &set_layout);
    let out = buffer(&s.device, 32);
    // A range past the end of the buffer is cut at the end.
    set.update(|w| w.write(3, 0, data(&out, 16, 1 << 20))).unwrap();
    let (_p, cb) = recording(&s);
    cb.bind_program(Some(&pipeline));
    cb.bind_sets(&layout, 0, [Some(&*set)], &[]);
    cb.push_constants(0, &1u32.to_le_bytes());
    cb.dispatch([0; 3], [1000, 1, 1]);
    run(&s, &cb);
    assert_eq!(out.words(), [0, 0, 0, 0, 1, 2, 3, 4]);
}

#[test]
fn dynamic_offsets() {
    let s = setup();
    let ty = vk::DescriptorType::STORAGE_BUFFER_DYNAMIC;
    let set_layout = set_layout(&s, ty, Default::default());
    assert_eq!(set_layout.dynamic_count(), 2);
    let layout = pipeline_layout(&s, &set_layout);
    let pipeline = pipeline(&s.device, &layout);
    let (_pool, set) = allocate(&s, ty, &set_layout);
    assert_eq!(set.address(), 0, "dynamic buffers take no set memory");
    let out = buffer(&s.device, 64);
    set.update(|w| w.write(3, 0, data(&out, 0, 8))).unwrap();
    let (_p, cb) = recording(&s);
    cb.bind_program(Some(&pipeline));
    cb.push_constants(0, &1u32.to_le_bytes());
    for offset in [0u32, 32] {
        cb.bind_sets(&layout, 0, [Some(&*set)], &[offset, 0]);
        cb.dispatch([0; 3], [4, 1, 1]);
    }
    run(&s, &cb);
    let mut want = [0u32; 16];
    want[..2].copy_from_slice(&[1, 2]);
    want[8..10].copy_from_slice(&[1, 2]);
    assert_eq!(out.words(), want);
}

#[test]
fn pushed_descriptors_are_those_of_their_dispatch() {
    let s = setup();
    let ty = vk::DescriptorType::STORAGE_BUFFER;
    let set_layout = set_layout(&s, ty, vk::DescriptorSetLayoutCreateFlags::PUSH_DESCRIPTOR_KHR);
    let layout = pipeline_layout(&s, &set_layout);
    let pipeline = pipeline(&s.device, &layout);
    let (a, b) = (buffer(&s.device, 16), buffer(&s.device, 16));
    let (_p, cb) = recording(&s);
    cb.bind_program(Some(&pipeline));
    cb.push_constants(0, &10u32.to_le_bytes());
    cb.push_set(&layout, 0, |w| w.write(3, 0, data(&a, 0, 16)));
    cb.dispatch([0; 3], [2, 1, 1]);
    cb.push_set(&layout, 0, |w| w.write(3, 0, data(&b, 0, 16)));
    // Writing the other element leaves the first as it was pushed.
    cb.push_set(&layout, 0, |w| w.write(3, 1, data(&a, 0, 16)));
    cb.dispatch([0; 3], [3, 1, 1]);
    run(&s, &cb);
    assert_eq!(a.words(), [10, 11, 0, 0]);
    assert_eq!(b.words(), [10, 11, 12, 0]);
    // A set that the layout does not have is an error of the recording.
    cb.begin(vk::CommandBufferUsageFlags::empty()).unwrap();
    cb.push_set(&layout, 5, |_| Ok(()));
    assert!(cb.end().is_err());
}

#[test]
fn indirect_counts_are_read_at_execution() {
    let s = setup();
    let ty = vk::DescriptorType::STORAGE_BUFFER;
    let set_layout = set_layout(&s, ty, Default::default());
    let layout = pipeline_layout(&s, &set_layout);
    let pipeline = pipeline(&s.device, &layout);
    let (_pool, set) = allocate(&s, ty, &set_layout);
    let (out, counts) = (buffer(&s.device, 32), buffer(&s.device, 32));
    set.update(|w| w.write(3, 0, data(&out, 0, vk::WHOLE_SIZE))).unwrap();
    let (_p, cb) = recording(&s);
    cb.bind_program(Some(&pipeline));
    cb.bind_sets(&layout, 0, [Some(&*set)], &[]);
    cb.push_constants(0, &1u32.to_le_bytes());
    cb.dispatch_indirect(counts.buffer.address() + 16);
    counts.set_words(&[9, 9, 9, 9, 5, 1, 1]);
    run(&s, &cb);
    assert_eq!(out.words(), [1, 2, 3, 4, 5, 0, 0, 0]);
}

#[test]
fn a_stray_access_loses_the_device_and_nothing_else() {
    let s = setup();
    let out = buffer(&s.device, 32);
    let freed = buffer(&s.device, 1 << 20);
    let (_p, cb) = recording(&s);
    cb.fill_buffer(&freed.buffer, 0, 16, 1);
    // Before the memory goes: the commands must not move into its place.
    cb.end().unwrap();
    let address = freed.memory.address();
    drop(freed.memory);
    let queue = s.device.queue(0, 0).unwrap();
    let submitted = queue.submit(&[SubmitBatch { command_buffers: &[&cb], ..Default::default() }], None);
    assert!(submitted.is_ok());
    assert_eq!(queue.wait_idle().unwrap_err().vk(), vk::Result::ERROR_DEVICE_LOST);
    assert!(s.device.is_lost());
    let fault = s.device.fault().unwrap();
    assert_eq!((fault.address, fault.write), (Some(address), true), "{}", fault.description);
    assert_eq!(queue.submit(&[], None).map_err(|e| e.vk()), Ok(()), "nothing to submit is nothing lost");
    let again = queue.submit(&[SubmitBatch { command_buffers: &[&cb], ..Default::default() }], None);
    assert_eq!(again.unwrap_err().vk(), vk::Result::ERROR_DEVICE_LOST);
    assert_eq!(out.words(), [0; 8], "the host still sees its memory");
}

#[test]
fn many_dispatches_among_other_commands_keep_their_order() {
    let s = setup();
    let ty = vk::DescriptorType::STORAGE_BUFFER;
    let set_layout = set_layout(&s, ty, Default::default());
    let layout = pipeline_layout(&s, &set_layout);
    let pipeline = pipeline(&s.device, &layout);
    let (_pool, set) = allocate(&s, ty, &set_layout);
    let out = buffer(&s.device, 64);
    set.update(|w| w.write(3, 0, data(&out, 0, vk::WHOLE_SIZE))).unwrap();
    let (_p, cb) = recording(&s);
    for round in 0..2 {
        let mut want = [0u32; 16];
        out.set_words(&want);
        cb.bind_program(Some(&pipeline));
        cb.bind_sets(&layout, 0, [Some(&*set)], &[]);
        for i in 0..500u32 {
            cb.push_constants(0, &(i * 100).to_le_bytes());
            cb.dispatch([i % 13, 0, 0], [3, 1, 1]);
            (0..3).for_each(|j| want[(i % 13 + j) as usize] = i * 100 + i % 13 + j);
            if i % 7 == 3 {
                cb.fill_buffer(&out.buffer, 8, 12, i);
                want[2..5].fill(i);
            }
            if i % 5 == 1 {
                cb.barrier(&runtime::Dependency::default());
            }
            if i % 11 == 0 {
                cb.update_buffer(&out.buffer, 20, &[7, 0, 0, 0]);
                want[5] = 7;
            }
        }
        run(&s, &cb);
        assert_eq!(out.words(), want, "round {round}");
        cb.begin(vk::CommandBufferUsageFlags::empty()).unwrap();
    }
}

#[test]
fn nothing_bound_before_the_beginning_is_bound_after_it() {
    let s = setup();
    let ty = vk::DescriptorType::STORAGE_BUFFER;
    let set_layout = set_layout(&s, ty, Default::default());
    let layout = pipeline_layout(&s, &set_layout);
    let pipeline = pipeline(&s.device, &layout);
    let (_pool, set) = allocate(&s, ty, &set_layout);
    let out = buffer(&s.device, 64);
    set.update(|w| w.write(3, 0, data(&out, 0, vk::WHOLE_SIZE))).unwrap();
    let (_p, cb) = recording(&s);
    cb.bind_sets(&layout, 0, [Some(&*set)], &[]);
    cb.push_constants(0, &5u32.to_le_bytes());
    cb.bind_program(Some(&pipeline));
    cb.begin(vk::CommandBufferUsageFlags::empty()).unwrap();
    cb.dispatch([0; 3], [1, 1, 1]);
    cb.bind_program(Some(&pipeline));
    cb.bind_program(None);
    cb.dispatch([0; 3], [1, 1, 1]);
    run(&s, &cb);
    assert_eq!(out.words(), [0; 16], "no program is bound");
    // Commands outside of recording are ignored.
    cb.bind_program(Some(&pipeline));
    cb.dispatch([0; 3], [1, 1, 1]);
    assert_eq!(cb.state(), runtime::CommandState::Executable);
}

#[test]
fn secondary_command_buffers_run_where_they_are_executed() {
    let s = setup();
    let ty = vk::DescriptorType::STORAGE_BUFFER;
    let set_layout = set_layout(&s, ty, Default::default());
    let layout = pipeline_layout(&s, &set_layout);
    let pipeline = pipeline(&s.device, &layout);
    let (_pool, set) = allocate(&s, ty, &set_layout);
    let out = buffer(&s.device, 64);
    set.update(|w| w.write(3, 0, data(&out, 0, vk::WHOLE_SIZE))).unwrap();
    let (pool, cb) = recording(&s);
    let secondary = pool.allocate(vk::CommandBufferLevel::SECONDARY).unwrap();
    secondary.begin(vk::CommandBufferUsageFlags::empty()).unwrap();
    let dispatch = |cb: &CommandBuffer, value: u32, at: u32| {
        cb.bind_program(Some(&pipeline));
        cb.bind_sets(&layout, 0, [Some(&*set)], &[]);
        cb.push_constants(0, &value.to_le_bytes());
        cb.dispatch([at, 0, 0], [2, 1, 1]);
    };
    dispatch(&secondary, 200, 1);
    secondary.end().unwrap();
    dispatch(&cb, 100, 0);
    cb.execute(&[&secondary]);
    // What was bound is not any more.
    cb.dispatch([8, 0, 0], [2, 1, 1]);
    dispatch(&cb, 300, 2);
    run(&s, &cb);
    let mut want = [0; 16];
    want[..4].copy_from_slice(&[100, 201, 302, 303]);
    assert_eq!(out.words(), want);
}

#[test]
fn barriers_with_nothing_between_them_are_one() {
    let s = setup();
    let out = buffer(&s.device, 64);
    let count = |record: &dyn Fn(&CommandBuffer)| {
        let (_p, cb) = recording(&s);
        record(&cb);
        let before = s.engine.barriers.load(std::sync::atomic::Ordering::Relaxed);
        run(&s, &cb);
        s.engine.barriers.load(std::sync::atomic::Ordering::Relaxed) - before
    };
    let barrier = |cb: &CommandBuffer| cb.barrier(&runtime::Dependency::default());
    let fill = |cb: &CommandBuffer| cb.fill_buffer(&out.buffer, 0, 4, 1);
    assert_eq!(count(&|cb| (0..3).for_each(|_| barrier(cb))), 1);
    assert_eq!(
        count(&|cb| {
            barrier(cb);
            fill(cb);
            barrier(cb);
            barrier(cb);
        }),
        2
    );
    // However full the stage is that packets wait on.
    assert_eq!(
        count(&|cb| {
            for _ in 0..1000 {
                fill(cb);
                barrier(cb);
            }
        }),
        1000
    );
}
