//! More memory than the device has room for at a time. The tests run in a process of their own, for which this driver's embedded
//! device is told to have little; other drivers are tested if their budget is small enough to be exceeded.

use crate::link::Link;
use crate::support::*;
use crate::{images, sync};
use ash::vk;
use vk::CommandBufferUsageFlags as Usage;
use vk::DescriptorType as D;

tests! {
    buffers_that_do_not_fit, what_does_not_fit_at_all,
}

/// What the other process does, by name.
pub const ROLES: &[crate::Test] = &[("buffers_that_do_not_fit", churn), ("what_does_not_fit_at_all", too_much)];

/// Room for the embedded device: what the driver itself needs, and some of the buffers here.
const ROOM: u64 = 24 << 20;

/// Bytes of each buffer.
const PIECE: u64 = 1 << 20;

/// Runs a role where there is little memory, and where what is not with the GPU cannot be used.
unsafe fn where_there_is_little(role: &str) -> R {
    let model = model_with(&format!("budget={}K,resident", ROOM >> 10));
    Link::start_with(role, &[("VKDXG_MODEL", model)])?.end()
}

unsafe fn buffers_that_do_not_fit() -> R {
    where_there_is_little("buffers_that_do_not_fit")
}

unsafe fn what_does_not_fit_at_all() -> R {
    where_there_is_little("what_does_not_fit_at_all")
}

/// Budget and usage of the heap of a memory type.
unsafe fn budget(t: &T, ty: u32) -> (u64, u64) {
    let mut b = vk::PhysicalDeviceMemoryBudgetPropertiesEXT::default();
    let mut head = vk::PhysicalDeviceMemoryProperties2::default().push_next(&mut b);
    t.instance().get_physical_device_memory_properties2(t.physical, &mut head);
    let heap = t.memory.memory_types[ty as usize].heap_index as usize;
    (b.heap_budget[heap], b.heap_usage[heap])
}

/// A device whose memory can be filled, and a memory type the host sees.
unsafe fn little() -> R<(T, u32)> {
    let t = T::new(&[ash::ext::memory_budget::NAME])?;
    need!(t.has(ash::ext::memory_budget::NAME), "VK_EXT_memory_budget");
    let ty = t.memory_type(u32::MAX, vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT)?;
    need!(budget(&t, ty).0 <= 256 << 20, "budget that is small enough to exceed");
    Ok((t, ty))
}

/// A buffer in memory of its own, used through descriptors and copies only.
unsafe fn piece(t: &T, ty: u32) -> R<Buf> {
    let usage = vk::BufferUsageFlags::STORAGE_BUFFER
        | vk::BufferUsageFlags::TRANSFER_SRC
        | vk::BufferUsageFlags::TRANSFER_DST
        | vk::BufferUsageFlags::STORAGE_TEXEL_BUFFER;
    let h = t.own(t.d.create_buffer(&vk::BufferCreateInfo::default().size(PIECE).usage(usage), None)?);
    let r = t.d.get_buffer_memory_requirements(h);
    check!(r.memory_type_bits >> ty & 1 != 0);
    let info = vk::MemoryAllocateInfo::default().allocation_size(r.size).memory_type_index(ty);
    let mem = t.own(t.d.allocate_memory(&info, None)?);
    t.d.bind_buffer_memory(h, mem, 0)?;
    let at = t.d.map_memory(mem, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast();
    Ok(Buf { h, mem, size: PIECE, at })
}

/// Random work over buffers of which few fit: dispatches through sets of one pool, fills, copies, and copies through an image.
unsafe fn churn() -> R {
    let (t, ty) = little()?;
    let n = (budget(&t, ty).0 * 5 / 2 / PIECE) as usize;
    let list: Vec<Buf> = (0..n).map(|_| piece(&t, ty)).collect::<R<_>>()?;
    let k = t.kernel(spv!("affine"), &[D::STORAGE_BUFFER], 16)?;
    let sizes = [vk::DescriptorPoolSize { ty: D::STORAGE_BUFFER, descriptor_count: n as u32 }];
    let info = vk::DescriptorPoolCreateInfo::default().max_sets(n as u32).pool_sizes(&sizes);
    let pool = t.own(t.d.create_descriptor_pool(&info, None)?);
    let layouts = vec![k.set_layout; n];
    let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts);
    let sets = t.d.allocate_descriptor_sets(&info)?;
    for (set, b) in sets.iter().zip(&list) {
        t.write(*set, 0, B::S(*b));
    }
    let words_of = PIECE as u32 / 4;
    let side = 512u32;
    let image = t.image(&images::flat(vk::Format::R32_UINT, side, side))?;
    let region = [vk::BufferImageCopy {
        image_subresource: vk::ImageSubresourceLayers {
            aspect_mask: vk::ImageAspectFlags::COLOR,
            layer_count: 1,
            ..Default::default()
        },
        image_extent: vk::Extent3D { width: side, height: side, depth: 1 },
        ..Default::default()
    }];
    let general = vk::ImageLayout::GENERAL;
    t.now(|c| images::transition(&t, c, &image, vk::ImageLayout::UNDEFINED, general))?;

    let mut want: Vec<u32> = (0..n as u32).collect();
    let mut random = Random(1234);
    let mut steps = Vec::new();
    for i in 0..n {
        steps.push((0, i, i, i as u32));
    }
    for _ in 0..4 * n {
        steps.push((
            random.below(4),
            random.below(n as u32) as usize,
            random.below(n as u32) as usize,
            random.below(1 << 30),
        ));
    }
    let timeline = t.timeline(0)?;
    for (at, (what, a, b, v)) in (1u64..).zip(steps) {
        let c = t.recorded(t.family, Usage::empty(), |c| {
            t.full_barrier(c);
            match what {
                0 => t.d.cmd_fill_buffer(c, list[a].h, 0, vk::WHOLE_SIZE, v),
                1 if a != b => {
                    let copy = [vk::BufferCopy { src_offset: 0, dst_offset: 0, size: PIECE }];
                    t.d.cmd_copy_buffer(c, list[b].h, list[a].h, &copy);
                }
                2 => {
                    t.d.cmd_copy_buffer_to_image(c, list[b].h, image.h, general, &region);
                    t.full_barrier(c);
                    t.d.cmd_copy_image_to_buffer(c, image.h, general, list[a].h, &region);
                }
                _ => {
                    t.bind(c, &k, sets[a], &words(&[0, words_of, 3, v]));
                    t.d.cmd_dispatch(c, words_of / 64, 1, 1);
                }
            }
            t.full_barrier(c);
        })?;
        want[a] = match what {
            0 => v,
            1 if a != b => want[b],
            2 => want[b],
            _ => want[a].wrapping_mul(3).wrapping_add(v),
        };
        // Some submissions are under way at a time.
        let (list, value, c) = ([timeline], [at], [c]);
        let mut values = vk::TimelineSemaphoreSubmitInfo::default().signal_semaphore_values(&value);
        let submit = vk::SubmitInfo::default().command_buffers(&c).signal_semaphores(&list).push_next(&mut values);
        t.d.queue_submit(t.queue, &[submit], vk::Fence::null())?;
        sync::wait(&t, timeline, at.saturating_sub(3), LONG)?;
        let (budget, usage) = budget(&t, ty);
        check!(usage <= budget, "{usage} bytes used of {budget}");
    }
    t.d.device_wait_idle()?;
    for (k, (b, want)) in list.iter().zip(&want).enumerate() {
        let got = b.get::<u32>();
        check!(got.iter().all(|w| w == want), "buffer {k} is wrong");
    }
    Ok(())
}

/// Memory that would never fit is refused as such, and what is there goes on working.
unsafe fn too_much() -> R {
    let (t, ty) = little()?;
    let (room, _) = budget(&t, ty);
    let b = piece(&t, ty)?;
    for size in [room + (1 << 20), room * 4] {
        let r =
            t.d.allocate_memory(&vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(ty), None);
        if let Ok(m) = r {
            // A driver that takes it has to be able to work with it; that is not tested here.
            t.d.free_memory(m, None);
            check!(!t.is_ours(), "{size} bytes do not fit");
        } else {
            same!(r.err(), Some(vk::Result::ERROR_OUT_OF_DEVICE_MEMORY));
        }
    }
    let k = t.kernel(spv!("affine"), &[D::STORAGE_BUFFER], 16)?;
    let set = t.set(k.set_layout, &[B::S(b)])?;
    b.fill(0);
    t.now(|c| {
        t.bind(c, &k, set, &words(&[0, PIECE as u32 / 4, 1, 5]));
        t.d.cmd_dispatch(c, PIECE as u32 / 256, 1, 1);
    })?;
    check!(b.get::<u32>().iter().all(|w| *w == 5));
    Ok(())
}
