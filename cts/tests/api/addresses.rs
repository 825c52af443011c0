//! VK_KHR_device_address_commands: memory by address where other commands name buffers.

use crate::images;
use crate::support::*;
use ash::vk;
use cts::generated::types;

tests! { fill_update_copy, images_by_address, indirect_by_address, barriers_over_ranges, queries_and_conditions }

const GENERAL: vk::ImageLayout = vk::ImageLayout::GENERAL;
const FLAGS: types::AddressCommandFlagsKHR = types::AddressCommandFlagsKHR::empty();

unsafe fn device(more: &[&std::ffi::CStr]) -> R<T> {
    let name = c"VK_KHR_device_address_commands";
    let t = T::new(&[&[name], more].concat())?;
    need!(t.features.address_commands.device_address_commands != 0, "deviceAddressCommands");
    Ok(t)
}

unsafe fn range(t: &T, b: Buf, offset: u64, size: u64) -> types::DeviceAddressRangeKHR {
    let start = t.d.get_buffer_device_address(&vk::BufferDeviceAddressInfo::default().buffer(b.h));
    types::DeviceAddressRangeKHR { address: start + offset, size }
}

unsafe fn fill_update_copy() -> R {
    let t = device(&[])?;
    let fill = command!(t, c"vkCmdFillMemoryKHR", PFN_vkCmdFillMemoryKHR);
    let update = command!(t, c"vkCmdUpdateMemoryKHR", PFN_vkCmdUpdateMemoryKHR);
    let copy = command!(t, c"vkCmdCopyMemoryKHR", PFN_vkCmdCopyMemoryKHR);
    let (a, b) = (t.zeros(64)?, t.zeros(64)?);
    let region = |src, dst, size| types::DeviceMemoryCopyKHR {
        src_range: range(&t, a, src, size),
        dst_range: range(&t, b, dst, size),
        ..Default::default()
    };
    let regions = [region(4, 16, 12), region(0, 60, 4)];
    let info = types::CopyDeviceMemoryInfoKHR { region_count: 2, p_regions: regions.as_ptr(), ..Default::default() };
    t.now(|c| {
        fill(c, &range(&t, a, 0, 40), FLAGS, 7);
        t.full_barrier(c);
        update(c, &range(&t, a, 8, 8), FLAGS, 8, [1u32, 2].as_ptr().cast());
        t.full_barrier(c);
        copy(c, &info);
    })?;
    equal(&a.get::<u32>()[..11], &[7, 7, 1, 2, 7, 7, 7, 7, 7, 7, 0])?;
    equal(&b.get::<u32>(), &[0, 0, 0, 0, 7, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 7])
}

unsafe fn images_by_address() -> R {
    let t = device(&[])?;
    let to_image = command!(t, c"vkCmdCopyMemoryToImageKHR", PFN_vkCmdCopyMemoryToImageKHR);
    let to_memory = command!(t, c"vkCmdCopyImageToMemoryKHR", PFN_vkCmdCopyImageToMemoryKHR);
    let (w, h) = (9u32, 5u32);
    let i = t.image(&images::info(vk::ImageType::TYPE_2D, vk::Format::R32_UINT, [w, h, 1], 1, 2))?;
    // Rows of 12 texels, layers of 6 rows, behind 16 bytes; the other way packed.
    let pixel = |x: u32, y: u32, layer: u32| 1000 * layer + 100 * y + x;
    let mut texels = vec![0u32; 4 + 2 * 6 * 12];
    let mut want = Vec::new();
    for layer in 0..2 {
        for y in 0..h {
            for x in 0..w {
                texels[(4 + (layer * 6 + y) * 12 + x) as usize] = pixel(x, y, layer);
                want.push(pixel(x, y, layer));
            }
        }
    }
    let (from, to) = (t.buf_of(&texels)?, t.zeros(u64::from(w * h * 2 * 4))?);
    let region = |address_range, length, height| types::DeviceMemoryImageCopyKHR {
        address_range,
        address_row_length: length,
        address_image_height: height,
        image_subresource: vk::ImageSubresourceLayers {
            aspect_mask: vk::ImageAspectFlags::COLOR,
            layer_count: 2,
            ..Default::default()
        },
        image_layout: GENERAL,
        image_extent: i.info.extent,
        ..Default::default()
    };
    let up = region(range(&t, from, 16, from.size - 16), 12, 6);
    let down = region(range(&t, to, 0, to.size), 0, 0);
    let info = |r: &types::DeviceMemoryImageCopyKHR<'static>| types::CopyDeviceMemoryImageInfoKHR {
        image: i.h,
        region_count: 1,
        p_regions: r,
        ..Default::default()
    };
    t.now(|c| {
        images::transition(&t, c, &i, vk::ImageLayout::UNDEFINED, GENERAL);
        to_image(c, &info(&up));
        t.full_barrier(c);
        to_memory(c, &info(&down));
    })?;
    equal(&to.get::<u32>(), &want)
}

unsafe fn indirect_by_address() -> R {
    let t = device(&[])?;
    let dispatch = command!(t, c"vkCmdDispatchIndirect2KHR", PFN_vkCmdDispatchIndirect2KHR);
    let args = t.buf_of(&[99u32, 3, 1, 1])?;
    let b = t.buf_of(&[1u32; 256])?;
    let k = t.kernel(spv!("affine"), &[vk::DescriptorType::STORAGE_BUFFER], 16)?;
    let set = t.set(k.set_layout, &[B::S(b)])?;
    let info = types::DispatchIndirect2InfoKHR { address_range: range(&t, args, 4, 12), ..Default::default() };
    t.now(|c| {
        t.bind(c, &k, set, &words(&[0, 256, 5, 2]));
        dispatch(c, &info);
    })?;
    // Three groups of 64.
    let want: Vec<u32> = (0..256).map(|i| if i < 192 { 7 } else { 1 }).collect();
    equal(&b.get::<u32>(), &want)
}

unsafe fn barriers_over_ranges() -> R {
    let t = device(&[])?;
    need!(t.features.v13.synchronization2 != 0, "synchronization2");
    let b = t.zeros(4096)?;
    let k = t.kernel(spv!("affine"), &[vk::DescriptorType::STORAGE_BUFFER], 16)?;
    let set = t.set(k.set_layout, &[B::S(b)])?;
    let shader = vk::PipelineStageFlags2::COMPUTE_SHADER;
    let barrier = types::MemoryRangeBarrierKHR {
        src_stage_mask: shader,
        src_access_mask: vk::AccessFlags2::SHADER_STORAGE_WRITE,
        dst_stage_mask: shader,
        dst_access_mask: vk::AccessFlags2::SHADER_STORAGE_READ | vk::AccessFlags2::SHADER_STORAGE_WRITE,
        src_queue_family_index: vk::QUEUE_FAMILY_IGNORED,
        dst_queue_family_index: vk::QUEUE_FAMILY_IGNORED,
        address_range: range(&t, b, 0, b.size),
        ..Default::default()
    };
    let ranges = types::MemoryRangeBarriersInfoKHR {
        memory_range_barrier_count: 1,
        p_memory_range_barriers: &barrier,
        ..Default::default()
    };
    let info = vk::DependencyInfo { p_next: std::ptr::from_ref(&ranges).cast(), ..Default::default() };
    t.now(|c| {
        for step in 0..10 {
            t.bind(c, &k, set, &words(&[0, 1024, 2, step & 1]));
            t.d.cmd_dispatch(c, 16, 1, 1);
            t.d.cmd_pipeline_barrier2(c, &info);
        }
    })?;
    equal(&b.get::<u32>(), &[0b01_0101_0101; 1024])
}

unsafe fn queries_and_conditions() -> R {
    let t = device(&[c"VK_EXT_conditional_rendering", ash::amd::buffer_marker::NAME])?;
    let b = t.zeros(64)?;
    if t.has(ash::amd::buffer_marker::NAME) {
        let mark = command!(t, c"vkCmdWriteMarkerToMemoryAMD", PFN_vkCmdWriteMarkerToMemoryAMD);
        let info = types::MemoryMarkerInfoAMD {
            stage: vk::PipelineStageFlags2::BOTTOM_OF_PIPE,
            dst_range: range(&t, b, 12, 4),
            marker: 77,
            ..Default::default()
        };
        t.now(|c| mark(c, &info))?;
        same!(b.get::<u32>()[3], 77);
    }
    let families = t.instance().get_physical_device_queue_family_properties(t.physical);
    if families[t.family as usize].timestamp_valid_bits > 0 {
        let results = command!(t, c"vkCmdCopyQueryPoolResultsToMemoryKHR", PFN_vkCmdCopyQueryPoolResultsToMemoryKHR);
        let info = vk::QueryPoolCreateInfo::default().query_type(vk::QueryType::TIMESTAMP).query_count(2);
        let q = t.own(t.d.create_query_pool(&info, None)?);
        let start = range(&t, b, 16, 32);
        let to = types::StridedDeviceAddressRangeKHR { address: start.address, size: 32, stride: 16 };
        let flags = vk::QueryResultFlags::TYPE_64 | vk::QueryResultFlags::WAIT;
        t.now(|c| {
            t.d.cmd_reset_query_pool(c, q, 0, 2);
            t.d.cmd_write_timestamp(c, vk::PipelineStageFlags::BOTTOM_OF_PIPE, q, 0);
            t.d.cmd_write_timestamp(c, vk::PipelineStageFlags::BOTTOM_OF_PIPE, q, 1);
            results(c, q, 0, 2, &to, FLAGS, flags);
        })?;
        let mut want = [0u64; 2];
        t.d.get_query_pool_results(q, 0, &mut want, flags)?;
        let got = b.get::<u64>();
        equal(&[got[2], got[3], got[4]], &[want[0], 0, want[1]])?;
    }
    if t.features.conditional.conditional_rendering != 0 {
        let begin = command!(t, c"vkCmdBeginConditionalRendering2EXT", PFN_vkCmdBeginConditionalRendering2EXT);
        let ext = ash::ext::conditional_rendering::Device::new(t.instance(), &t.d);
        let word = t.buf_for(16, vk::BufferUsageFlags::CONDITIONAL_RENDERING_EXT)?;
        word.put(0, &[0u32, 1, 0, 0]);
        let k = t.kernel(spv!("affine"), &[vk::DescriptorType::STORAGE_BUFFER], 16)?;
        let data = t.zeros(256)?;
        let set = t.set(k.set_layout, &[B::S(data)])?;
        for offset in [0, 4] {
            let info = types::ConditionalRenderingBeginInfo2EXT {
                address_range: range(&t, word, offset, 4),
                ..Default::default()
            };
            t.now(|c| {
                t.bind(c, &k, set, &words(&[0, 64, 1, 1 + offset as u32]));
                begin(c, &info);
                t.d.cmd_dispatch(c, 1, 1, 1);
                (ext.fp().cmd_end_conditional_rendering_ext)(c);
            })?;
        }
        equal(&data.get::<u32>(), &[5u32; 64])?;
    }
    Ok(())
}
