//! Transfers, queries, events and secondary command buffers, executed.

mod common;

use ash::vk;
use common::{buffer, memory, setup, Setup};
use runtime::{
    Buffer, BufferCreate, CommandBuffer, CommandPool, CommandState, Dependency, Event, HostRegion, Image, ImageCreate,
    QueryPool, SemaphorePoint, SparseBatch, SparseBind, SparseMemory, SparseResource, SubmitBatch, SPARSE_BLOCK,
};
use std::sync::Arc;

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

#[test]
fn fill_update_and_copy() {
    let s = setup();
    let (a, b) = (buffer(&s.device, 64), buffer(&s.device, 64));
    let (_pool, cb) = recording(&s);
    cb.fill_buffer(&a.buffer, 0, vk::WHOLE_SIZE, 7);
    cb.update_buffer(&a.buffer, 8, &[1, 0, 0, 0, 2, 0, 0, 0]);
    cb.barrier(&Dependency::default());
    cb.copy_buffer(&a.buffer, &b.buffer, &[vk::BufferCopy { src_offset: 4, dst_offset: 16, size: 12 }]);
    run(&s, &cb);
    assert_eq!(a.words()[..5], [7, 7, 1, 2, 7]);
    assert_eq!(b.words()[..8], [0, 0, 0, 0, 7, 1, 2, 0]);
}

#[test]
fn a_long_command_buffer_is_one_chain() {
    let s = setup();
    let n = 20_000u32;
    let a = buffer(&s.device, u64::from(n) * 4);
    let (_pool, cb) = recording(&s);
    for i in 0..n {
        cb.fill_buffer(&a.buffer, u64::from(i) * 4, 4, i + 1);
    }
    run(&s, &cb);
    assert!(a.words().iter().zip(1..).all(|(w, i)| *w == i));
    // Recording again uses the same memory, and gives the same.
    a.set_words(&vec![0; n as usize]);
    cb.begin(vk::CommandBufferUsageFlags::empty()).unwrap();
    for i in 0..n {
        cb.fill_buffer(&a.buffer, u64::from(i) * 4, 4, i + 2);
    }
    run(&s, &cb);
    assert!(a.words().iter().zip(2..).all(|(w, i)| *w == i));
}

#[test]
fn secondaries_run_in_place() {
    let s = setup();
    let a = buffer(&s.device, 16);
    let (pool, cb) = recording(&s);
    let secondary = pool.allocate(vk::CommandBufferLevel::SECONDARY).unwrap();
    secondary.begin(vk::CommandBufferUsageFlags::SIMULTANEOUS_USE).unwrap();
    secondary.fill_buffer(&a.buffer, 0, 8, 2);
    secondary.end().unwrap();
    cb.fill_buffer(&a.buffer, 0, 16, 1);
    cb.execute(&[&secondary, &secondary]);
    cb.fill_buffer(&a.buffer, 4, 4, 3);
    run(&s, &cb);
    assert_eq!(a.words(), [2, 3, 1, 1]);
}

fn image(
    s: &Setup,
    ty: vk::ImageType,
    extent: [u32; 3],
    layers: u32,
    levels: u32,
) -> (Arc<Image>, Arc<runtime::Memory>) {
    let create = ImageCreate {
        flags: Default::default(),
        ty,
        format: vk::Format::R32_UINT,
        extent,
        levels,
        layers,
        samples: 1,
        tiling: vk::ImageTiling::OPTIMAL,
        usage: vk::ImageUsageFlags::TRANSFER_DST,
    };
    let image = Image::new(&s.device, &create, None).unwrap();
    let memory = memory(&s.device, image.requirements().size);
    image.bind(&memory, 0).unwrap();
    (image, memory)
}

fn layers(mip_level: u32, base_array_layer: u32, layer_count: u32) -> vk::ImageSubresourceLayers {
    vk::ImageSubresourceLayers { aspect_mask: vk::ImageAspectFlags::COLOR, mip_level, base_array_layer, layer_count }
}

#[test]
fn images_go_there_and_back() {
    let s = setup();
    let a = buffer(&s.device, 256);
    let b = buffer(&s.device, 256);
    a.set_words(&(0..64).collect::<Vec<u32>>());
    let (array, _m1) = image(&s, vk::ImageType::TYPE_2D, [4, 3, 1], 3, 2);
    let (volume, _m2) = image(&s, vk::ImageType::TYPE_3D, [4, 3, 2], 1, 1);
    let (_pool, cb) = recording(&s);
    // Two layers of 3×2 texels from a buffer whose rows are 5 texels and whose slices are 3 rows.
    let region = vk::BufferImageCopy {
        buffer_offset: 4,
        buffer_row_length: 5,
        buffer_image_height: 3,
        image_subresource: layers(0, 1, 2),
        image_offset: vk::Offset3D { x: 1, y: 1, z: 0 },
        image_extent: vk::Extent3D { width: 3, height: 2, depth: 1 },
    };
    cb.copy_buffer_to_image(&a.buffer, &array, &[region]);
    // The layers become slices.
    let copy = vk::ImageCopy {
        src_subresource: layers(0, 1, 2),
        src_offset: vk::Offset3D { x: 1, y: 1, z: 0 },
        dst_subresource: layers(0, 0, 1),
        dst_offset: vk::Offset3D { x: 0, y: 0, z: 0 },
        extent: vk::Extent3D { width: 3, height: 2, depth: 2 },
    };
    cb.copy_image(&array, &volume, &[copy]);
    let back = vk::BufferImageCopy {
        buffer_offset: 0,
        buffer_row_length: 0,
        buffer_image_height: 0,
        image_subresource: layers(0, 0, 1),
        image_offset: vk::Offset3D::default(),
        image_extent: vk::Extent3D { width: 3, height: 2, depth: 2 },
    };
    cb.copy_image_to_buffer(&volume, &b.buffer, &[back]);
    run(&s, &cb);
    let slice = |first: u32| [first, first + 1, first + 2, first + 5, first + 6, first + 7];
    assert_eq!(b.words()[..6], slice(1));
    assert_eq!(b.words()[6..12], slice(16));
}

#[test]
fn clears_reach_every_level_and_layer_asked_for() {
    let s = setup();
    let (array, m) = image(&s, vk::ImageType::TYPE_2D, [4, 4, 1], 2, 3);
    let b = buffer(&s.device, array.requirements().size);
    let (_pool, cb) = recording(&s);
    let range = vk::ImageSubresourceRange {
        aspect_mask: vk::ImageAspectFlags::COLOR,
        base_mip_level: 1,
        level_count: vk::REMAINING_MIP_LEVELS,
        base_array_layer: 1,
        layer_count: vk::REMAINING_ARRAY_LAYERS,
    };
    cb.clear_color_image(&array, [9, 0, 0, 0], &[range]);
    run(&s, &cb);
    drop(b);
    let base = m.map(0, vk::WHOLE_SIZE).unwrap();
    // SAFETY: the memory is mapped and the GPU is idle.
    let word = |offset: u64| unsafe { ((base as u64 + offset) as *const u32).read_volatile() };
    for level in 0..3 {
        for layer in 0..2 {
            let sub =
                vk::ImageSubresource { aspect_mask: vk::ImageAspectFlags::COLOR, mip_level: level, array_layer: layer };
            let at = array.subresource_layout(&sub);
            let want = if level >= 1 && layer == 1 { 9 } else { 0 };
            assert_eq!((word(at.offset), word(at.offset + at.size - 4)), (want, want), "level {level} layer {layer}");
        }
    }
}

#[test]
fn timestamps_rise_and_are_copied() {
    let s = setup();
    let none = vk::QueryPipelineStatisticFlags::empty();
    let pool = QueryPool::new(&s.device, vk::QueryType::TIMESTAMP, 4, none).unwrap();
    let a = buffer(&s.device, 64);
    let (_p, cb) = recording(&s);
    cb.reset_queries(&pool, 0, 4);
    cb.write_timestamp(&pool, 1, vk::PipelineStageFlags2::ALL_COMMANDS);
    cb.write_timestamp(&pool, 2, vk::PipelineStageFlags2::ALL_COMMANDS);
    cb.copy_query_results(&pool, 1, 2, (a.buffer.address() + 16, 8), vk::QueryResultFlags::TYPE_64);
    run(&s, &cb);
    let mut out = [0u8; 64];
    let flags = vk::QueryResultFlags::TYPE_64 | vk::QueryResultFlags::WITH_AVAILABILITY;
    assert!(!pool.results(0, 4, &mut out, 16, flags).unwrap(), "queries 0 and 3 were not written");
    let word = |i: usize| u64::from_le_bytes(out[i * 8..i * 8 + 8].try_into().unwrap());
    assert_eq!((word(1), word(3), word(5), word(7)), (0, 1, 1, 0));
    assert!(word(2) > 0 && word(4) > word(2));
    assert_eq!(u64::from(a.words()[4]), word(2));
    assert_eq!(u64::from(a.words()[6]), word(4));
    // 32-bit results, waited for; two of them fit.
    let mut short = [0u8; 8];
    assert!(pool.results(1, 2, &mut short, 4, vk::QueryResultFlags::WAIT).unwrap());
    assert_eq!(u64::from(u32::from_le_bytes(short[4..].try_into().unwrap())), word(4));
    pool.reset(1, 1);
    assert!(!pool.results(1, 1, &mut short, 4, vk::QueryResultFlags::empty()).unwrap());
    let err = QueryPool::new(&s.device, vk::QueryType::PIPELINE_STATISTICS, 1, none).unwrap_err();
    assert_eq!(err.vk(), vk::Result::ERROR_FEATURE_NOT_PRESENT);
}

#[test]
fn events_hold_the_gpu_until_the_host_sets_them() {
    let s = setup();
    let (go, done) = (Event::new(&s.device).unwrap(), Event::new(&s.device).unwrap());
    let a = buffer(&s.device, 16);
    let (_pool, cb) = recording(&s);
    cb.wait_events(&[&go], &Dependency::default());
    cb.fill_buffer(&a.buffer, 0, 16, 5);
    cb.reset_event(&go, vk::PipelineStageFlags2::ALL_COMMANDS);
    cb.set_event(&done, &Dependency::default());
    cb.end().unwrap();
    let queue = s.device.queue(0, 0).unwrap();
    queue.submit(&[SubmitBatch { command_buffers: &[&cb], ..Default::default() }], None).unwrap();
    assert_eq!(cb.state(), CommandState::Pending);
    assert!(!done.status().unwrap());
    go.set();
    queue.wait_idle().unwrap();
    assert!(done.status().unwrap() && !go.status().unwrap());
    assert_eq!(a.words(), [5; 4]);
    assert_eq!(cb.state(), CommandState::Executable);
}

#[test]
fn states_follow_the_lifecycle() {
    let s = setup();
    let pool = CommandPool::new(&s.device, 0, vk::CommandPoolCreateFlags::empty()).unwrap();
    let cb = pool.allocate(vk::CommandBufferLevel::PRIMARY).unwrap();
    assert_eq!(cb.state(), CommandState::Initial);
    assert!(cb.end().is_err(), "nothing was begun");
    cb.begin(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT).unwrap();
    assert_eq!(cb.state(), CommandState::Recording);
    cb.end().unwrap();
    assert_eq!(cb.state(), CommandState::Executable);
    let queue = s.device.queue(0, 0).unwrap();
    queue.submit(&[SubmitBatch { command_buffers: &[&cb], ..Default::default() }], None).unwrap();
    queue.wait_idle().unwrap();
    assert_eq!(cb.state(), CommandState::Invalid, "one-time command buffers are used up");
    pool.reset(true);
    assert_eq!(cb.state(), CommandState::Initial);
    // An error while recording comes out at the end.
    cb.begin(vk::CommandBufferUsageFlags::empty()).unwrap();
    cb.execute(&[&cb]);
    assert!(cb.end().is_err());
    assert_eq!(cb.state(), CommandState::Invalid);
}

#[test]
fn sparse_buffers_show_what_is_bound() {
    let s = setup();
    let words = (SPARSE_BLOCK / 4) as usize;
    let create = BufferCreate {
        address: None,
        flags: vk::BufferCreateFlags::SPARSE_BINDING | vk::BufferCreateFlags::SPARSE_RESIDENCY,
        size: 3 * SPARSE_BLOCK - 100,
        usage: vk::BufferUsageFlags::TRANSFER_DST,
    };
    let sparse = Buffer::new(&s.device, &create).unwrap();
    assert_eq!((sparse.requirements().size, sparse.requirements().align), (3 * SPARSE_BLOCK, SPARSE_BLOCK));
    assert!(sparse.address() != 0, "the address is there from the start");
    let pages = buffer(&s.device, 2 * SPARSE_BLOCK);
    let out = buffer(&s.device, 3 * SPARSE_BLOCK);
    let queue = s.device.queue(0, 0).unwrap();
    let other = s.device.queue(0, 1).unwrap();
    let bind = |block: u64, memory: Option<u64>| SparseBind {
        resource: SparseResource::Buffer(&sparse),
        offset: block * SPARSE_BLOCK,
        size: SPARSE_BLOCK,
        memory: memory.map(|block| SparseMemory { memory: &pages.memory, offset: block * SPARSE_BLOCK }),
    };
    let (_pool, fill) = recording(&s);
    // The middle block has no memory.
    fill.fill_buffer(&sparse, 0, vk::WHOLE_SIZE, 5);
    fill.end().unwrap();
    let semaphore =
        runtime::Semaphore::new(&s.device, runtime::SemaphoreKind::Timeline(0), Default::default()).unwrap();
    let at = |value| [SemaphorePoint { semaphore: &semaphore, value }];
    let (one, two, three) = (at(1), at(2), at(3));
    // Binding waits for the host, filling on another queue for the binding, and unbinding for that.
    let binds = [bind(0, Some(1)), bind(2, Some(0))];
    queue
        .bind_sparse(&[SparseBatch { waits: &one, binds: &binds, signals: &two, ..Default::default() }], None)
        .unwrap();
    other.submit(&[SubmitBatch { waits: &two, command_buffers: &[&fill], signals: &three }], None).unwrap();
    let fence = runtime::Fence::new(&s.device, false, Default::default()).unwrap();
    let binds = [bind(1, Some(0)), bind(0, None)];
    queue.bind_sparse(&[SparseBatch { waits: &three, binds: &binds, ..Default::default() }], Some(&fence)).unwrap();
    assert!(!fence.status().unwrap());
    semaphore.signal(1).unwrap();
    assert!(runtime::Fence::wait(&s.device, &[&fence], true, 10_000_000_000).unwrap());
    // The last block of the buffer is 100 bytes short.
    let filled = pages.words();
    assert!(filled[..words - 25].iter().all(|w| *w == 5) && filled[words..].iter().all(|w| *w == 5));
    assert!(filled[words - 25..words].iter().all(|w| *w == 0));
    let (_pool, copy) = recording(&s);
    let region = vk::BufferCopy { src_offset: SPARSE_BLOCK, dst_offset: 0, size: 2 * SPARSE_BLOCK - 100 };
    copy.copy_buffer(&sparse, &out.buffer, &[region]);
    run(&s, &copy);
    let copied = out.words();
    assert_eq!(copied[..words], filled[..words], "the same memory at two addresses");
    assert_eq!(copied[words..2 * words - 25], filled[..words - 25]);
    // Errors: outside of the resource, outside of the memory, not sparse at all.
    for bad in [
        bind(3, Some(0)),
        bind(0, Some(2)),
        SparseBind { resource: SparseResource::Buffer(&out.buffer), ..bind(0, Some(0)) },
    ] {
        assert!(queue.bind_sparse(&[SparseBatch { binds: &[bad], ..Default::default() }], None).is_err());
    }
    assert!(!s.device.is_lost());
}

#[test]
fn the_cpu_copies_between_images_and_its_memory() {
    let s = setup();
    let usage = vk::ImageUsageFlags::HOST_TRANSFER_EXT;
    let make = |ty, extent, layers| {
        let create = ImageCreate {
            flags: Default::default(),
            ty,
            format: vk::Format::R32_UINT,
            extent,
            levels: 2,
            layers,
            samples: 1,
            tiling: vk::ImageTiling::OPTIMAL,
            usage,
        };
        let image = Image::new(&s.device, &create, None).unwrap();
        let memory = memory(&s.device, image.requirements().size);
        image.bind(&memory, 0).unwrap();
        (image, memory)
    };
    let (array, array_memory) = make(vk::ImageType::TYPE_2D, [4, 3, 1], 3);
    let (volume, _volume_memory) = make(vk::ImageType::TYPE_3D, [4, 3, 2], 1);
    let words = |bytes: &[u8]| -> Vec<u32> {
        bytes.chunks_exact(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect()
    };
    let data: Vec<u8> = (0u32..64).flat_map(u32::to_le_bytes).collect();
    // Two layers of 3×2 texels from memory whose rows are 5 texels and whose slices are 3 rows.
    let region = HostRegion {
        row_length: 5,
        image_height: 3,
        subresource: layers(0, 1, 2),
        offset: vk::Offset3D { x: 1, y: 1, z: 0 },
        extent: vk::Extent3D { width: 3, height: 2, depth: 1 },
        raw: false,
    };
    assert_eq!(array.host_bytes(&region), Ok((15 + 5 + 3) * 4));
    array.copy_from_host(&data, &region).unwrap();
    assert!(array.copy_from_host(&data[..64], &region).is_err(), "too few bytes");
    // The layers become slices.
    let copy = vk::ImageCopy {
        src_subresource: layers(0, 1, 2),
        src_offset: vk::Offset3D { x: 1, y: 1, z: 0 },
        dst_subresource: layers(0, 0, 1),
        dst_offset: vk::Offset3D { x: 0, y: 0, z: 0 },
        extent: vk::Extent3D { width: 3, height: 2, depth: 2 },
    };
    array.copy_on_host(&volume, &copy).unwrap();
    let back = HostRegion {
        row_length: 0,
        image_height: 0,
        subresource: layers(0, 0, 1),
        offset: vk::Offset3D { x: 0, y: 0, z: 0 },
        extent: vk::Extent3D { width: 3, height: 2, depth: 2 },
        raw: false,
    };
    let mut out = vec![0; volume.host_bytes(&back).unwrap()];
    volume.copy_to_host(&mut out, &back).unwrap();
    assert_eq!(words(&out), [0, 1, 2, 5, 6, 7, 15, 16, 17, 20, 21, 22]);
    // Raw bytes are a subresource as it stands in the image.
    let level = array.subresource_layout(&vk::ImageSubresource {
        aspect_mask: vk::ImageAspectFlags::COLOR,
        mip_level: 0,
        array_layer: 1,
    });
    let raw = HostRegion { raw: true, ..region };
    let mut out = vec![0; array.host_bytes(&raw).unwrap()];
    assert_eq!(out.len() as u64, 2 * level.size);
    array.copy_to_host(&mut out, &raw).unwrap();
    let texel = (level.row_pitch + 4) as usize;
    assert_eq!(words(&out[texel..texel + 12]), [0, 1, 2]);
    // The image does not keep its memory.
    drop(array_memory);
    assert!(matches!(array.copy_from_host(&data, &region), Err(runtime::Error::MemoryMapFailed(_))));
}
