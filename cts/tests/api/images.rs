//! Images: copies in every shape, clears, storage, sampling.

use crate::support::*;
use ash::vk;
use half::f16;

tests! {
    copies_of_all_shapes, linear_tiling, image_to_image, clears, storage_and_atomics, atomics_on_halves, storage_formats, sampling_nearest,
    sampling_linear, mip_levels_and_border, implicit_levels, separate_sampler, partial_copies, blit_filters,
}

/// An image description with everything a compute client does with it.
pub fn info(
    ty: vk::ImageType,
    format: vk::Format,
    extent: [u32; 3],
    mips: u32,
    layers: u32,
) -> vk::ImageCreateInfo<'static> {
    vk::ImageCreateInfo::default()
        .image_type(ty)
        .format(format)
        .extent(vk::Extent3D { width: extent[0], height: extent[1], depth: extent[2] })
        .mip_levels(mips)
        .array_layers(layers)
        .samples(vk::SampleCountFlags::TYPE_1)
        .tiling(vk::ImageTiling::OPTIMAL)
        .usage(vk::ImageUsageFlags::TRANSFER_SRC | vk::ImageUsageFlags::TRANSFER_DST)
}

pub fn flat(format: vk::Format, w: u32, h: u32) -> vk::ImageCreateInfo<'static> {
    info(vk::ImageType::TYPE_2D, format, [w, h, 1], 1, 1)
}

const GENERAL: vk::ImageLayout = vk::ImageLayout::GENERAL;

/// Records a layout transition of a whole image that orders everything.
pub unsafe fn transition(t: &T, c: vk::CommandBuffer, i: &Img, from: vk::ImageLayout, to: vk::ImageLayout) {
    let b = vk::ImageMemoryBarrier::default()
        .src_access_mask(vk::AccessFlags::MEMORY_WRITE)
        .dst_access_mask(vk::AccessFlags::MEMORY_READ | vk::AccessFlags::MEMORY_WRITE)
        .old_layout(from)
        .new_layout(to)
        .src_queue_family_index(vk::QUEUE_FAMILY_IGNORED)
        .dst_queue_family_index(vk::QUEUE_FAMILY_IGNORED)
        .image(i.h)
        .subresource_range(whole());
    let all = vk::PipelineStageFlags::ALL_COMMANDS;
    t.d.cmd_pipeline_barrier(c, all, all, vk::DependencyFlags::empty(), &[], &[], &[b]);
}

fn layers(mip: u32, base: u32, count: u32) -> vk::ImageSubresourceLayers {
    vk::ImageSubresourceLayers {
        aspect_mask: vk::ImageAspectFlags::COLOR,
        mip_level: mip,
        base_array_layer: base,
        layer_count: count,
    }
}

fn extent(i: &Img, mip: u32) -> vk::Extent3D {
    let e = i.info.extent;
    vk::Extent3D { width: (e.width >> mip).max(1), height: (e.height >> mip).max(1), depth: (e.depth >> mip).max(1) }
}

/// A tight copy of one mip level, all layers.
fn region(i: &Img, mip: u32, offset: u64) -> vk::BufferImageCopy {
    vk::BufferImageCopy {
        buffer_offset: offset,
        image_subresource: layers(mip, 0, i.info.array_layers),
        image_extent: extent(i, mip),
        ..Default::default()
    }
}

/// Bytes of one mip level with all layers.
fn level_bytes(i: &Img, mip: u32, texel: u64) -> u64 {
    let e = extent(i, mip);
    u64::from(e.width) * u64::from(e.height) * u64::from(e.depth) * u64::from(i.info.array_layers) * texel
}

/// Fills level 0 from a buffer and leaves the image in GENERAL.
pub unsafe fn upload(t: &T, i: &Img, b: Buf) -> R {
    t.now(|c| {
        transition(t, c, i, vk::ImageLayout::UNDEFINED, vk::ImageLayout::TRANSFER_DST_OPTIMAL);
        t.d.cmd_copy_buffer_to_image(c, b.h, i.h, vk::ImageLayout::TRANSFER_DST_OPTIMAL, &[region(i, 0, 0)]);
        transition(t, c, i, vk::ImageLayout::TRANSFER_DST_OPTIMAL, GENERAL);
    })
}

/// Level 0 as bytes, from layout GENERAL.
pub unsafe fn download(t: &T, i: &Img, texel: u64) -> R<Buf> {
    let b = t.buf(level_bytes(i, 0, texel))?;
    t.now(|c| {
        transition(t, c, i, GENERAL, GENERAL);
        t.d.cmd_copy_image_to_buffer(c, i.h, GENERAL, b.h, &[region(i, 0, 0)]);
    })?;
    Ok(b)
}

unsafe fn copies_of_all_shapes() -> R {
    use vk::Format as F;
    use vk::ImageType as Ty;
    let t = T::new(&[])?;
    let mut random = Random(21);
    let shapes = [
        (Ty::TYPE_1D, [100, 1, 1], 7, 1),
        (Ty::TYPE_1D, [33, 1, 1], 1, 5),
        (Ty::TYPE_2D, [64, 64, 1], 7, 1),
        (Ty::TYPE_2D, [37, 19, 1], 1, 1),
        (Ty::TYPE_2D, [16, 31, 1], 5, 6),
        (Ty::TYPE_3D, [17, 9, 5], 1, 1),
        (Ty::TYPE_3D, [32, 16, 8], 6, 1),
        (Ty::TYPE_2D, [1, 1, 1], 1, 1),
    ];
    let formats =
        [(F::R8_UNORM, 1), (F::R16_UINT, 2), (F::R8G8B8A8_UNORM, 4), (F::R32G32_SFLOAT, 8), (F::R32G32B32A32_UINT, 16)];
    for (n, (ty, dims, mips, array)) in shapes.into_iter().enumerate() {
        for (format, texel) in [formats[n % 5], formats[(n + 2) % 5]] {
            let i = t.image(&info(ty, format, dims, mips, array))?;
            let offsets: Vec<u64> = (0..mips)
                .scan(0, |at, m| {
                    let o = *at;
                    *at = (o + level_bytes(&i, m, texel)).next_multiple_of(16);
                    Some(o)
                })
                .collect();
            let size = offsets[mips as usize - 1] + level_bytes(&i, mips - 1, texel);
            let data: Vec<u8> = (0..size).map(|_| random.word() as u8).collect();
            let (a, b) = (t.buf_of(&data)?, t.buf(size)?);
            b.fill(0x77);
            let regions: Vec<_> = (0..mips).map(|m| region(&i, m, offsets[m as usize])).collect();
            t.now(|c| {
                transition(&t, c, &i, vk::ImageLayout::UNDEFINED, vk::ImageLayout::TRANSFER_DST_OPTIMAL);
                t.d.cmd_copy_buffer_to_image(c, a.h, i.h, vk::ImageLayout::TRANSFER_DST_OPTIMAL, &regions);
                transition(&t, c, &i, vk::ImageLayout::TRANSFER_DST_OPTIMAL, vk::ImageLayout::TRANSFER_SRC_OPTIMAL);
                t.d.cmd_copy_image_to_buffer(c, i.h, vk::ImageLayout::TRANSFER_SRC_OPTIMAL, b.h, &regions);
            })?;
            let got = b.get::<u8>();
            for m in 0..mips {
                let o = offsets[m as usize] as usize;
                let n = level_bytes(&i, m, texel) as usize;
                check!(got[o..o + n] == data[o..o + n], "{ty:?} {dims:?} {format:?}, {array} layers: mip {m} differs");
                if m + 1 < mips {
                    check!(
                        got[o + n..offsets[m as usize + 1] as usize].iter().all(|b| *b == 0x77),
                        "wrote between the regions"
                    );
                }
            }
        }
    }
    Ok(())
}

unsafe fn partial_copies() -> R {
    // Sub-rectangles with row length and image height in the buffer.
    let t = T::new(&[])?;
    let i = t.image(&info(vk::ImageType::TYPE_3D, vk::Format::R32_UINT, [20, 15, 6], 1, 1))?;
    let texels = 20 * 15 * 6usize;
    let zero = t.zeros(texels as u64 * 4)?;
    upload(&t, &i, zero)?;
    let data = Random(22).words(2000);
    let b = t.buf_of(&data)?;
    let at = vk::Offset3D { x: 3, y: 4, z: 1 };
    let e = vk::Extent3D { width: 10, height: 7, depth: 3 };
    let copy = vk::BufferImageCopy {
        buffer_offset: 16,
        buffer_row_length: 13,
        buffer_image_height: 9,
        image_subresource: layers(0, 0, 1),
        image_offset: at,
        image_extent: e,
    };
    let back = vk::BufferImageCopy { buffer_offset: 400, buffer_row_length: 11, buffer_image_height: 8, ..copy };
    let o = t.buf(8000)?;
    o.fill(0);
    t.now(|c| {
        t.d.cmd_copy_buffer_to_image(c, b.h, i.h, GENERAL, &[copy]);
        transition(&t, c, &i, GENERAL, GENERAL);
        t.d.cmd_copy_image_to_buffer(c, i.h, GENERAL, o.h, &[back]);
    })?;
    let mut want = vec![0u32; texels];
    let mut want_back = vec![0u32; 2000];
    for z in 0..3usize {
        for y in 0..7usize {
            for x in 0..10usize {
                let v = data[4 + (z * 9 + y) * 13 + x];
                want[((z + 1) * 15 + y + 4) * 20 + x + 3] = v;
                want_back[100 + (z * 8 + y) * 11 + x] = v;
            }
        }
    }
    equal(&download(&t, &i, 4)?.get::<u32>(), &want)?;
    equal(&o.get::<u32>(), &want_back)
}

unsafe fn linear_tiling() -> R {
    let t = T::new(&[])?;
    let f = vk::Format::R8G8B8A8_UNORM;
    let p = t.instance().get_physical_device_format_properties(t.physical, f);
    need!(p.linear_tiling_features.contains(vk::FormatFeatureFlags::TRANSFER_DST), "linear images");
    let create = flat(f, 30, 20).tiling(vk::ImageTiling::LINEAR).initial_layout(vk::ImageLayout::PREINITIALIZED);
    let i = t.image(&create)?;
    let l = t.d.get_image_subresource_layout(
        i.h,
        vk::ImageSubresource { aspect_mask: vk::ImageAspectFlags::COLOR, mip_level: 0, array_layer: 0 },
    );
    check!(l.row_pitch >= 120 && l.size >= l.row_pitch * 19 + 120);
    let base = t.d.map_memory(i.mem, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast::<u8>();
    // The host writes rows, the device reads them; and back.
    let row = |y: u64| base.add((l.offset + y * l.row_pitch) as usize).cast::<u32>();
    for y in 0..20 {
        for x in 0..30 {
            *row(y).add(x) = (y * 100) as u32 + x as u32;
        }
    }
    t.now(|c| transition(&t, c, &i, vk::ImageLayout::PREINITIALIZED, GENERAL))?;
    let want: Vec<u32> = (0..600).map(|k| k / 30 * 100 + k % 30).collect();
    equal(&download(&t, &i, 4)?.get::<u32>(), &want)?;
    t.now(|c| {
        let color = vk::ClearColorValue { float32: [1.0, 0.0, 1.0, 0.0] };
        t.d.cmd_clear_color_image(c, i.h, GENERAL, &color, &[whole()]);
    })?;
    for y in 0..20 {
        for x in 0..30 {
            same!(*row(y).add(x), 0x00ff_00ff, "at {x}, {y}");
        }
    }
    Ok(())
}

unsafe fn image_to_image() -> R {
    let t = T::new(&[])?;
    // Between formats of one size class, layers and offsets.
    let a = t.image(&info(vk::ImageType::TYPE_2D, vk::Format::R8G8B8A8_UNORM, [24, 24, 1], 2, 3))?;
    let b = t.image(&info(vk::ImageType::TYPE_2D, vk::Format::R32_UINT, [24, 24, 1], 1, 2))?;
    let data = Random(31).words(24 * 24 * 3);
    upload(&t, &a, t.buf_of(&data)?)?;
    let zero = t.zeros(24 * 24 * 2 * 4)?;
    upload(&t, &b, zero)?;
    let copy = vk::ImageCopy {
        src_subresource: layers(0, 1, 2),
        src_offset: vk::Offset3D { x: 2, y: 3, z: 0 },
        dst_subresource: layers(0, 0, 2),
        dst_offset: vk::Offset3D { x: 5, y: 0, z: 0 },
        extent: vk::Extent3D { width: 19, height: 20, depth: 1 },
    };
    t.now(|c| t.d.cmd_copy_image(c, a.h, GENERAL, b.h, GENERAL, &[copy]))?;
    let mut want = vec![0u32; 24 * 24 * 2];
    for l in 0..2 {
        for y in 0..20 {
            for x in 0..19 {
                want[(l * 24 + y) * 24 + x + 5] = data[((l + 1) * 24 + y + 3) * 24 + x + 2];
            }
        }
    }
    equal(&download(&t, &b, 4)?.get::<u32>(), &want)
}

unsafe fn clears() -> R {
    use vk::Format as F;
    let t = T::new(&[])?;
    let float = |v: [f32; 4]| vk::ClearColorValue { float32: v };
    let h = |v: f32| f16::from_f32(v).to_ne_bytes();
    for (format, color, want) in [
        (F::R8G8B8A8_UNORM, float([0.0, 1.0, 0.2, 2.0]), vec![0u8, 255, 51, 255]),
        (F::R8G8B8A8_SNORM, float([-1.0, 1.0, 0.0, -7.0]), vec![0x81, 127, 0, 0x81]),
        (F::B8G8R8A8_UNORM, float([1.0, 0.0, 0.2, 0.0]), vec![51, 0, 255, 0]),
        (F::R8_UINT, vk::ClearColorValue { uint32: [77, 0, 0, 0] }, vec![77]),
        (F::R16G16B16A16_SFLOAT, float([1.0, -2.5, 0.0, 100.0]), [h(1.0), h(-2.5), h(0.0), h(100.0)].concat()),
        (F::R32_SFLOAT, float([3.5, 0.0, 0.0, 0.0]), 3.5f32.to_ne_bytes().to_vec()),
        (F::R32G32B32A32_SINT, vk::ClearColorValue { int32: [-1, 2, i32::MIN, 4] }, words(&[u32::MAX, 2, 1 << 31, 4])),
        (F::R16G16_UINT, vk::ClearColorValue { uint32: [1, 65535, 0, 0] }, vec![1, 0, 255, 255]),
    ] {
        let i = t.image(&info(vk::ImageType::TYPE_2D, format, [9, 7, 1], 1, 2))?;
        let texel = want.len() as u64;
        t.now(|c| {
            transition(&t, c, &i, vk::ImageLayout::UNDEFINED, GENERAL);
            t.d.cmd_clear_color_image(c, i.h, GENERAL, &color, &[whole()]);
        })?;
        let got = download(&t, &i, texel)?.get::<u8>();
        // Halfway values may round either way.
        check!(got == want.repeat(9 * 7 * 2), "{format:?}: {:?}, should be {want:?}", &got[..texel as usize]);
    }
    // Only some levels and layers.
    let i = t.image(&info(vk::ImageType::TYPE_2D, F::R32_UINT, [8, 8, 1], 3, 3))?;
    let value = |v| vk::ClearColorValue { uint32: [v, 0, 0, 0] };
    let range = |m, mc, l, lc| vk::ImageSubresourceRange {
        aspect_mask: vk::ImageAspectFlags::COLOR,
        base_mip_level: m,
        level_count: mc,
        base_array_layer: l,
        layer_count: lc,
    };
    let o = t.buf((64 + 16 + 4) * 3 * 4)?;
    t.now(|c| {
        transition(&t, c, &i, vk::ImageLayout::UNDEFINED, GENERAL);
        t.d.cmd_clear_color_image(c, i.h, GENERAL, &value(1), &[whole()]);
        transition(&t, c, &i, GENERAL, GENERAL);
        t.d.cmd_clear_color_image(c, i.h, GENERAL, &value(2), &[range(1, 1, 0, 2), range(2, 1, 2, 1)]);
        transition(&t, c, &i, GENERAL, GENERAL);
        let regions = [region(&i, 0, 0), region(&i, 1, 64 * 3 * 4), region(&i, 2, (64 + 16) * 3 * 4)];
        t.d.cmd_copy_image_to_buffer(c, i.h, GENERAL, o.h, &regions);
    })?;
    let want: Vec<u32> = [vec![1; 64 * 3], vec![2; 32], vec![1; 16], vec![1; 8], vec![2; 4]].concat();
    equal(&o.get::<u32>(), &want)
}

unsafe fn atomics_on_halves() -> R {
    let t = T::new(&[c"VK_NV_shader_atomic_float16_vector"])?;
    need!(t.features.float16_vectors.shader_float16_vector_atomics != 0, "shaderFloat16VectorAtomics");
    need!(t.features.core.shader_storage_image_extended_formats != 0, "shaderStorageImageExtendedFormats");
    let usage = vk::ImageUsageFlags::STORAGE | vk::ImageUsageFlags::TRANSFER_SRC | vk::ImageUsageFlags::TRANSFER_DST;
    let formats = [(vk::Format::R16G16_SFLOAT, 2), (vk::Format::R16G16B16A16_SFLOAT, 4)];
    let [two, four] = formats.map(|(format, n)| {
        let atomic = vk::FormatFeatureFlags::STORAGE_IMAGE_ATOMIC;
        check!(t.format(format).optimal_tiling_features.contains(atomic), "{format:?} has no atomics");
        let i = t.image(&flat(format, 4, 1).usage(usage))?;
        // 9 in the texel that is exchanged.
        let texels: Vec<half::f16> =
            (0..4 * n).map(|k| half::f16::from_f32(if k / n == 3 { 9.0 } else { 0.0 })).collect();
        let bits: Vec<u16> = texels.iter().map(|h| h.to_bits()).collect();
        upload(&t, &i, t.buf_of(&bits)?)?;
        Ok::<_, Stop>(i)
    });
    let (two, four) = (two?, four?);
    let o = t.zeros(32 * 32)?;
    let view = |i: &Img| t.view(i, vk::ImageViewType::TYPE_2D);
    t.compute(spv!("image_halves"), &[B::Si(view(&two)?), B::Si(view(&four)?), B::S(o)], &[], [1, 1, 1])?;
    let texels = |i: &Img, bytes| -> R<Vec<f32>> {
        Ok(download(&t, i, bytes)?.get::<u16>().into_iter().map(|h| half::f16::from_bits(h).to_f32()).collect())
    };
    let (a, b) = (texels(&two, 4)?, texels(&four, 8)?);
    // Of i from 0 to 31: the sum is 496, that of 1 - i is -464.
    equal(&a[..6], &[32.0, 496.0, 31.0, 1.0, 0.0, -30.0])?;
    equal(&b[..12], &[32.0, 496.0, 32.0, -464.0, 31.0, 1.0, 1.0, 31.0, 0.0, -30.0, 0.0, 0.0])?;
    // The exchanges form a chain: every value was found once, but the last, which stays; and the sums rose by one at a time.
    let found = o.get::<[f32; 8]>();
    let mut seconds: Vec<u32> = found.iter().map(|f| if f[..2] == [9.0; 2] { 77 } else { f[1] as u32 }).collect();
    seconds.push(a[7] as u32);
    seconds.sort_unstable();
    equal(&seconds, &(0..32).chain([77]).collect::<Vec<_>>())?;
    let mut sums: Vec<u32> = found.iter().map(|f| f[2] as u32).collect();
    sums.sort_unstable();
    equal(&sums, &(0..32).collect::<Vec<_>>())?;
    let mut fourths: Vec<i32> = found.iter().map(|f| f[7] as i32).collect();
    fourths.push(b[15] as i32);
    fourths.sort_unstable();
    equal(&fourths, &(-30..=1).chain([9]).collect::<Vec<_>>())
}

unsafe fn storage_and_atomics() -> R {
    let t = T::new(&[])?;
    let push = |e: [u32; 3]| words(&e);
    for (ty, view, dims, array, code) in [
        (vk::ImageType::TYPE_1D, vk::ImageViewType::TYPE_1D, [50, 1, 1], 1, spv!("image_1d")),
        (vk::ImageType::TYPE_2D, vk::ImageViewType::TYPE_2D, [37, 21, 1], 1, spv!("image_2d")),
        (vk::ImageType::TYPE_2D, vk::ImageViewType::TYPE_2D_ARRAY, [13, 9, 1], 4, spv!("image_2d_array")),
        (vk::ImageType::TYPE_3D, vk::ImageViewType::TYPE_3D, [12, 11, 5], 1, spv!("image_3d")),
    ] {
        let usage =
            vk::ImageUsageFlags::STORAGE | vk::ImageUsageFlags::TRANSFER_SRC | vk::ImageUsageFlags::TRANSFER_DST;
        if ty == vk::ImageType::TYPE_1D {
            need!(t.props.limits.max_image_dimension1_d > 0, "1D images");
        }
        let i = t.image(&info(ty, vk::Format::R32_UINT, dims, 1, array).usage(usage))?;
        let counts = t.image(&flat(vk::Format::R32_UINT, 8, 1).usage(usage))?;
        let depth = dims[2] * array;
        let n = (dims[0] * dims[1] * depth) as usize;
        let data = Random(41).words(n);
        upload(&t, &i, t.buf_of(&data)?)?;
        upload(&t, &counts, t.buf_of(&[0, 0, 0, 0, 0, 0, 0, u32::MAX])?)?;
        let views = [B::Si(t.view(&i, view)?), B::Si(t.view(&counts, vk::ImageViewType::TYPE_2D)?)];
        t.compute(code, &views, &push([dims[0], dims[1], depth]), [dims[0].div_ceil(4), dims[1].div_ceil(4), depth])?;
        let want: Vec<u32> = (0u32..)
            .zip(&data)
            .map(|(k, v)| {
                let (x, y, z) = (k % dims[0], k / dims[0] % dims[1], k / dims[0] / dims[1]);
                v.wrapping_mul(3).wrapping_add(x + y * 100 + z * 10000)
            })
            .collect();
        equal(&download(&t, &i, 4)?.get::<u32>(), &want)?;
        let class = |r| data.iter().filter(|v| **v & 3 == r).count() as u32;
        let xor = data.iter().fold(0, |a, b| a ^ b);
        let (min, max) = (data.iter().min().copied().unwrap_or(0), data.iter().max().copied().unwrap_or(0));
        equal(&download(&t, &counts, 4)?.get::<u32>(), &[class(0), class(1), class(2), class(3), max, 77, xor, min])?;
    }
    Ok(())
}

unsafe fn storage_formats() -> R {
    use vk::Format as F;
    let t = T::new(&[])?;
    let usage = vk::ImageUsageFlags::STORAGE | vk::ImageUsageFlags::TRANSFER_SRC | vk::ImageUsageFlags::TRANSFER_DST;
    let mut random = Random(51);
    /// What a format keeps of a float.
    type Keep = fn(f32) -> f32;
    let unorm: Keep = |v| (v.clamp(0.0, 1.0) * 255.0).round_ties_even() / 255.0;
    let snorm: Keep = |v| (v.clamp(-1.0, 1.0) * 127.0).round_ties_even() / 127.0;
    let half: Keep = |v| f16::from_f32(v).to_f32();
    let same: Keep = |v| v;
    for (format, code, keep, channels, tolerance) in [
        (F::R8G8B8A8_UNORM, spv!("image_rgba8"), unorm, 4, 1.0 / 255.0),
        (F::R8G8B8A8_SNORM, spv!("image_rgba8_snorm"), snorm, 4, 1.0 / 127.0),
        (F::R16G16B16A16_SFLOAT, spv!("image_rgba16f"), half, 4, 2e-3),
        (F::R32G32B32A32_SFLOAT, spv!("image_rgba32f"), same, 4, 0.0),
        (F::R32_SFLOAT, spv!("image_r32f"), same, 1, 0.0),
    ] {
        let data: Vec<f32> = (0..256).map(|_| (random.below(4001) as f32 - 2000.0) / 1000.0).collect();
        let b = t.buf_of(&data)?;
        let got = store_and_load(&t, &flat(format, 8, 8).usage(usage), code, b)?.get::<f32>();
        for (k, (g, v)) in got.iter().zip(&data).enumerate() {
            let w = if k % 4 >= channels { [0.0, 0.0, 0.0, 1.0][k % 4] } else { keep(*v) };
            check!((g - w).abs() <= tolerance * 1.01, "{format:?}: {v} came back as {g}, should be {w}");
        }
    }
    for (format, code, bits, signed) in [
        (F::R8G8B8A8_UINT, spv!("image_rgba8ui"), 8, false),
        (F::R8G8B8A8_SINT, spv!("image_rgba8i"), 8, true),
        (F::R16G16B16A16_UINT, spv!("image_rgba16ui"), 16, false),
        (F::R16G16B16A16_SINT, spv!("image_rgba16i"), 16, true),
        (F::R32G32B32A32_UINT, spv!("image_rgba32ui"), 32, false),
        (F::R32G32B32A32_SINT, spv!("image_rgba32i"), 32, true),
    ] {
        // In range: what happens to others is up to the implementation.
        let data: Vec<u32> = (0..256)
            .map(|_| if signed { ((random.word() as i32) >> (32 - bits)) as u32 } else { random.word() >> (32 - bits) })
            .collect();
        let b = t.buf_of(&data)?;
        let got = store_and_load(&t, &flat(format, 8, 8).usage(usage), code, b)?.get::<u32>();
        check!(got == data, "{format:?}: first texel {:?}, should be {:?}", &got[..4], &data[..4]);
    }
    Ok(())
}

/// Stores a buffer's texels, loads them into it again.
unsafe fn store_and_load(t: &T, create: &vk::ImageCreateInfo<'static>, code: &[u32], b: Buf) -> R<Buf> {
    let i = t.image(create)?;
    t.now(|c| transition(t, c, &i, vk::ImageLayout::UNDEFINED, GENERAL))?;
    let view = B::Si(t.view(&i, vk::ImageViewType::TYPE_2D)?);
    t.compute(code, &[view, B::S(b)], &words(&[1]), [1, 1, 1])?;
    b.fill(0xaa);
    t.compute(code, &[view, B::S(b)], &words(&[0]), [1, 1, 1])?;
    Ok(b)
}

/// A sampled array image with its texels (layer, y, x) → colour, mip 0 only unless given more, in GENERAL.
unsafe fn texture(t: &T, w: u32, h: u32, mips: u32, array: u32) -> R<(Img, Vec<[f32; 4]>)> {
    let usage = vk::ImageUsageFlags::SAMPLED | vk::ImageUsageFlags::TRANSFER_DST | vk::ImageUsageFlags::TRANSFER_SRC;
    let i = t.image(&info(vk::ImageType::TYPE_2D, vk::Format::R8G8B8A8_UNORM, [w, h, 1], mips, array).usage(usage))?;
    let mut random = Random(61);
    let bytes: Vec<u8> = (0..w * h * array * 4).map(|_| random.word() as u8).collect();
    let b = t.buf_of(&bytes)?;
    t.now(|c| {
        transition(t, c, &i, vk::ImageLayout::UNDEFINED, vk::ImageLayout::TRANSFER_DST_OPTIMAL);
        t.d.cmd_copy_buffer_to_image(c, b.h, i.h, vk::ImageLayout::TRANSFER_DST_OPTIMAL, &[region(&i, 0, 0)]);
        for m in 1..mips {
            // Level m is one colour: m / 8 in red, 1 in green.
            let range = vk::ImageSubresourceRange { base_mip_level: m, level_count: 1, ..whole() };
            let color = vk::ClearColorValue { float32: [m as f32 * 0.125, 1.0, 0.0, 0.0] };
            t.d.cmd_clear_color_image(c, i.h, vk::ImageLayout::TRANSFER_DST_OPTIMAL, &color, &[range]);
        }
        transition(t, c, &i, vk::ImageLayout::TRANSFER_DST_OPTIMAL, GENERAL);
    })?;
    let texels = bytes.chunks(4).map(|c| [c[0], c[1], c[2], c[3]].map(|v| f32::from(v) / 255.0)).collect();
    Ok((i, texels))
}

pub unsafe fn sample(t: &T, i: &Img, sampler: vk::SamplerCreateInfo<'_>, places: &[[f32; 4]]) -> R<Vec<[f32; 4]>> {
    let s = t.own(t.d.create_sampler(&sampler, None)?);
    let view = t.view(i, vk::ImageViewType::TYPE_2D_ARRAY)?;
    let p = t.buf_of(places)?;
    let o = t.zeros(size_of_val(places) as u64)?;
    let n = places.len() as u32;
    t.compute(spv!("sample"), &[B::Ci(view, s), B::S(p), B::S(o)], &words(&[n]), [n.div_ceil(16), 1, 1])?;
    Ok(o.get())
}

pub fn near(a: &[f32; 4], b: &[f32; 4], tolerance: f32) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
}

use vk::SamplerAddressMode as Mode;

fn wrap(mode: Mode, i: i64, n: i64) -> Option<i64> {
    match mode {
        Mode::REPEAT => Some(i.rem_euclid(n)),
        Mode::MIRRORED_REPEAT => {
            let k = i.rem_euclid(2 * n);
            Some(if k < n { k } else { 2 * n - 1 - k })
        }
        Mode::CLAMP_TO_EDGE => Some(i.clamp(0, n - 1)),
        _ => (0..n).contains(&i).then_some(i),
    }
}

const MODES: [Mode; 4] = [Mode::REPEAT, Mode::MIRRORED_REPEAT, Mode::CLAMP_TO_EDGE, Mode::CLAMP_TO_BORDER];

unsafe fn sampling_nearest() -> R {
    let t = T::new(&[])?;
    let (w, h, array) = (16u32, 8u32, 3u32);
    let (i, texels) = texture(&t, w, h, 1, array)?;
    let mut random = Random(62);
    for mode in MODES {
        // Away from texel borders, where implementations may differ.
        let mut places = Vec::new();
        let mut want = Vec::new();
        for _ in 0..400 {
            let (x, y) = (i64::from(random.below(64)) - 24, i64::from(random.below(32)) - 12);
            let (fx, fy) = (0.1 + random.below(80) as f32 / 100.0, 0.1 + random.below(80) as f32 / 100.0);
            let layer = random.below(array);
            places.push([(x as f32 + fx) / w as f32, (y as f32 + fy) / h as f32, layer as f32, 0.0]);
            want.push(match (wrap(mode, x, i64::from(w)), wrap(mode, y, i64::from(h))) {
                (Some(x), Some(y)) => texels[(layer * w * h) as usize + y as usize * w as usize + x as usize],
                _ => [0.0, 0.0, 0.0, 1.0],
            });
        }
        let info = vk::SamplerCreateInfo::default()
            .address_mode_u(mode)
            .address_mode_v(mode)
            .border_color(vk::BorderColor::FLOAT_OPAQUE_BLACK);
        let got = sample(&t, &i, info, &places)?;
        for k in 0..places.len() {
            check!(near(&got[k], &want[k], 1e-5), "{mode:?} at {:?}: {:?}, should be {:?}", places[k], got[k], want[k]);
        }
    }
    // Fetch and size.
    let got = sample(&t, &i, vk::SamplerCreateInfo::default(), &[[3.0, 5.0, 2.0, -1.0], [0.0, 0.0, 0.0, -2.0]])?;
    check!(near(&got[0], &texels[(2 * 8 + 5) * 16 + 3], 1e-5));
    equal(&got[1], &[16.0, 8.0, 3.0, 1.0])
}

unsafe fn sampling_linear() -> R {
    let t = T::new(&[])?;
    let (w, h) = (16u32, 8u32);
    let (i, texels) = texture(&t, w, h, 1, 2)?;
    let mut random = Random(63);
    for mode in MODES {
        let mut places = Vec::new();
        let mut want = Vec::new();
        for _ in 0..400 {
            let (u, v) = (random.below(4000) as f32 / 1000.0 - 1.5, random.below(4000) as f32 / 1000.0 - 1.5);
            let layer = random.below(2);
            places.push([u, v, layer as f32, 0.0]);
            let (x, y) = (u * w as f32 - 0.5, v * h as f32 - 0.5);
            let (x0, y0) = (x.floor(), y.floor());
            let (a, b) = (x - x0, y - y0);
            let texel = |dx: i64, dy: i64| match (wrap(mode, x0 as i64 + dx, 16), wrap(mode, y0 as i64 + dy, 8)) {
                (Some(x), Some(y)) => texels[(layer * w * h) as usize + (y * 16 + x) as usize],
                _ => [1.0; 4],
            };
            let (t00, t10, t01, t11) = (texel(0, 0), texel(1, 0), texel(0, 1), texel(1, 1));
            want.push(std::array::from_fn(|c| {
                (t00[c] * (1.0 - a) + t10[c] * a) * (1.0 - b) + (t01[c] * (1.0 - a) + t11[c] * a) * b
            }));
        }
        let info = vk::SamplerCreateInfo::default()
            .mag_filter(vk::Filter::LINEAR)
            .min_filter(vk::Filter::LINEAR)
            .address_mode_u(mode)
            .address_mode_v(mode)
            .border_color(vk::BorderColor::FLOAT_OPAQUE_WHITE);
        let got = sample(&t, &i, info, &places)?;
        // Weights have at least four bits after the point; everyone has eight.
        for k in 0..places.len() {
            check!(near(&got[k], &want[k], 0.02), "{mode:?} at {:?}: {:?}, should be {:?}", places[k], got[k], want[k]);
        }
    }
    Ok(())
}

unsafe fn mip_levels_and_border() -> R {
    let t = T::new(&[])?;
    let (i, _) = texture(&t, 32, 32, 6, 1)?;
    let at = |lod: f32| [0.5, 0.5, 0.0, lod];
    let nearest = vk::SamplerCreateInfo::default().max_lod(vk::LOD_CLAMP_NONE);
    let got = sample(&t, &i, nearest, &[at(1.0), at(2.2), at(2.8), at(5.0), at(9.0)])?;
    for (g, want) in got.iter().zip([1.0, 2.0, 3.0, 5.0, 5.0]) {
        check!(near(g, &[want * 0.125, 1.0, 0.0, 0.0], 0.003), "{g:?}, should be level {want}");
    }
    let linear = nearest.mipmap_mode(vk::SamplerMipmapMode::LINEAR);
    let got = sample(&t, &i, linear, &[at(1.5), at(3.25), at(4.75)])?;
    for (g, want) in got.iter().zip([1.5, 3.25, 4.75]) {
        check!(near(g, &[want * 0.125, 1.0, 0.0, 0.0], 0.01), "{g:?}, should be between levels at {want}");
    }
    let clamped = nearest.min_lod(2.0).max_lod(3.0);
    let got = sample(&t, &i, clamped, &[at(1.0), at(4.0), [0.0, 0.0, 0.0, -2.0]])?;
    check!(near(&got[0], &[0.25, 1.0, 0.0, 0.0], 0.003) && near(&got[1], &[0.375, 1.0, 0.0, 0.0], 0.003));
    equal(&got[2], &[32.0, 32.0, 1.0, 6.0])
}

unsafe fn implicit_levels() -> R {
    let t = T::new(&[c"VK_KHR_compute_shader_derivatives"])?;
    let f = t.features.derivatives;
    let groups = [
        (f.compute_derivative_group_quads, spv!("implicit_lod_quads"), true),
        (f.compute_derivative_group_linear, spv!("implicit_lod_linear"), false),
    ];
    need!(groups.iter().any(|g| g.0 != 0), "derivatives in compute shaders");
    let (i, _) = texture(&t, 32, 32, 6, 1)?;
    let view = t.view(&i, vk::ImageViewType::TYPE_2D_ARRAY)?;
    for mode in [vk::SamplerMipmapMode::NEAREST, vk::SamplerMipmapMode::LINEAR] {
        let info = vk::SamplerCreateInfo::default().mipmap_mode(mode).max_lod(4.0);
        let s = t.own(t.d.create_sampler(&info, None)?);
        for (_, code, squares) in groups.iter().filter(|g| g.0 != 0) {
            for lod in [1.0f32, 2.25, 3.0, 4.75] {
                let step = lod.exp2() / 32.0;
                let o = t.zeros(32 * 64)?;
                t.compute(code, &[B::Ci(view, s), B::S(o)], &step.to_ne_bytes(), [1, 1, 1])?;
                let out: Vec<[f32; 4]> = o.get();
                for n in 0..32usize {
                    let what = format!("level {lod}, {mode:?}, squares: {squares}, invocation {n}");
                    let level = |lod: f32| {
                        let lod = lod.min(4.0);
                        if mode == vk::SamplerMipmapMode::NEAREST {
                            (lod + 0.5).ceil() - 1.0
                        } else {
                            lod
                        }
                    };
                    let r = &out[n * 4..n * 4 + 4];
                    for (k, lod) in [lod, lod + 1.0].into_iter().enumerate() {
                        check!(near(&r[k], &[level(lod) * 0.125, 1.0, 0.0, 0.0], 0.01), "{:?}: {what}", r[k]);
                    }
                    check!(near(&r[2], &[level(lod), lod, step, step * 0.5], 0.02), "{:?}: {what}", r[2]);
                    let (x, y) = if *squares { (n % 8, n / 8) } else { (n % 2, n / 2 % 2) };
                    let (left, right) = ((x & !1) as f32, (x | 1) as f32);
                    let width = (right * right - left * left) * step * step;
                    let place = (x % 2 + y % 2 * 2) as f32;
                    let want = [width, right * right - left * left, x as f32, place];
                    check!(near(&r[3], &want, 0.01 * width), "{:?}, not {want:?}: {what}", r[3]);
                }
            }
        }
    }
    Ok(())
}

unsafe fn separate_sampler() -> R {
    // An immutable sampler and a separate image whose view swizzles.
    let t = T::new(&[])?;
    let usage = vk::ImageUsageFlags::SAMPLED | vk::ImageUsageFlags::TRANSFER_DST;
    let i = t.image(&flat(vk::Format::R8G8B8A8_UNORM, 4, 1).usage(usage))?;
    upload(&t, &i, t.buf_of(&[0xff00_0033u32, 0x0000_ff00, 0x00ff_0000, 0xffff_ffff])?)?;
    let info = vk::ImageViewCreateInfo::default()
        .image(i.h)
        .view_type(vk::ImageViewType::TYPE_2D)
        .format(i.info.format)
        .components(vk::ComponentMapping {
            r: vk::ComponentSwizzle::G,
            g: vk::ComponentSwizzle::R,
            b: vk::ComponentSwizzle::ONE,
            a: vk::ComponentSwizzle::ZERO,
        })
        .subresource_range(whole());
    let view = t.own(t.d.create_image_view(&info, None)?);
    let s = [t.own(t.d.create_sampler(&vk::SamplerCreateInfo::default(), None)?)];
    let binding = |b, ty| {
        vk::DescriptorSetLayoutBinding::default()
            .binding(b)
            .descriptor_type(ty)
            .descriptor_count(1)
            .stage_flags(vk::ShaderStageFlags::COMPUTE)
    };
    let bindings = [
        binding(0, vk::DescriptorType::SAMPLED_IMAGE),
        binding(1, vk::DescriptorType::SAMPLER).immutable_samplers(&s),
        binding(2, vk::DescriptorType::STORAGE_BUFFER),
    ];
    let set_layout = t.own(
        t.d.create_descriptor_set_layout(&vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings), None)?,
    );
    let layout = t.layout(&[set_layout], 0)?;
    let p = t.own(t.pipeline(&KernelInfo { code: spv!("separate"), ..KernelInfo::default() }, layout)?);
    let size = |ty| vk::DescriptorPoolSize { ty, descriptor_count: 1 };
    let sizes = [
        size(vk::DescriptorType::SAMPLED_IMAGE),
        size(vk::DescriptorType::SAMPLER),
        size(vk::DescriptorType::STORAGE_BUFFER),
    ];
    let pool = t.own(
        t.d.create_descriptor_pool(&vk::DescriptorPoolCreateInfo::default().max_sets(1).pool_sizes(&sizes), None)?,
    );
    let layouts = [set_layout];
    let set = t.d.allocate_descriptor_sets(
        &vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts),
    )?[0];
    let o = t.zeros(64)?;
    t.write(set, 0, B::Im(view));
    t.write(set, 2, B::S(o));
    let k = K { p, layout, set_layout };
    t.now(|c| {
        t.bind(c, &k, set, &[]);
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    let got = o.get::<[f32; 4]>();
    for (g, w) in
        got.iter().zip([[0.0, 0.2, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0]])
    {
        check!(near(g, &w, 1e-5), "{g:?}, should be {w:?}");
    }
    Ok(())
}

/// Four texels stretched to eight by each filter.
unsafe fn blit_filters() -> R {
    // No queue without graphics has to blit, and no layer likes it there.
    let extensions = [c"VK_EXT_filter_cubic"];
    let t = T::open(&cts::Setup { extensions: &extensions, unvalidated: true, ..Default::default() })?;
    let family = t.instance().get_physical_device_queue_family_properties(t.physical)[t.family as usize];
    need!(family.queue_flags.contains(vk::QueueFlags::GRAPHICS) || t.is_ours(), "blits on its queue");
    let formats = [vk::Format::R8_UNORM, vk::Format::R32_SFLOAT];
    let [src, dst] = [t.image(&flat(formats[0], 4, 1))?, t.image(&flat(formats[1], 8, 1))?];
    upload(&t, &src, t.buf_of(&[0u8, 255, 255, 0])?)?;
    let layer =
        vk::ImageSubresourceLayers { aspect_mask: vk::ImageAspectFlags::COLOR, layer_count: 1, ..Default::default() };
    let ends = |x| [vk::Offset3D::default(), vk::Offset3D { x, y: 1, z: 1 }];
    let region =
        vk::ImageBlit { src_subresource: layer, src_offsets: ends(4), dst_subresource: layer, dst_offsets: ends(8) };
    let all = [
        (vk::Filter::NEAREST, vk::FormatFeatureFlags::BLIT_SRC, [0.0, 0.0, 1.0, 1.0]),
        (vk::Filter::LINEAR, vk::FormatFeatureFlags::SAMPLED_IMAGE_FILTER_LINEAR, [0.0, 0.25, 0.75, 1.0]),
        // Catmull-Rom: the weights at a quarter are -9, 111, 29 and -3 of 128.
        (
            vk::Filter::CUBIC_EXT,
            vk::FormatFeatureFlags::SAMPLED_IMAGE_FILTER_CUBIC_EXT,
            [-9.0 / 128.0, 26.0 / 128.0, 102.0 / 128.0, 140.0 / 128.0],
        ),
    ];
    for (filter, feature, want) in all {
        if !t.format(formats[0]).optimal_tiling_features.contains(feature) {
            continue;
        }
        t.now(|c| {
            transition(&t, c, &dst, vk::ImageLayout::UNDEFINED, GENERAL);
            t.d.cmd_blit_image(c, src.h, GENERAL, dst.h, GENERAL, &[region], filter);
        })?;
        let got = download(&t, &dst, 4)?.get::<f32>();
        for i in 0..8 {
            let want: f32 = want[if i < 4 { i } else { 7 - i }];
            check!((got[i] - want).abs() < 2e-3, "{filter:?}: {got:?}");
        }
    }
    Ok(())
}
