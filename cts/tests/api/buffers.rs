//! Buffers: transfers by regions and offsets, addresses, views.

use crate::support::*;
use ash::vk;
use half::f16;

tests! {
    copy_regions, copy_within, fill_and_update, copy2, device_address, create_limits, uniform_texels, storage_texels,
    texel_offsets, concurrent_sharing,
}

unsafe fn copy_regions() -> R {
    let t = T::new(&[])?;
    let mut random = Random(5);
    let n = 100_000usize;
    let from: Vec<u8> = (0..n).map(|_| random.word() as u8).collect();
    let (a, b) = (t.buf_of(&from)?, t.buf(n as u64)?);
    b.fill(0xee);
    let mut want = vec![0xeeu8; n];
    // Regions whose destinations do not overlap, of any size and alignment; sources may overlap.
    let mut regions = Vec::new();
    let mut at = 3usize;
    loop {
        let size = match random.below(4) {
            0 => 1 + random.below(7) as usize,
            1 => 1 + random.below(100) as usize,
            2 => 1 + random.below(1000) as usize,
            _ => 4096,
        };
        if at + size > n {
            break;
        }
        let src = random.below((n - size) as u32) as usize;
        want[at..at + size].copy_from_slice(&from[src..src + size]);
        regions.push(vk::BufferCopy { src_offset: src as u64, dst_offset: at as u64, size: size as u64 });
        at += size + random.below(40) as usize;
    }
    t.now(|c| t.d.cmd_copy_buffer(c, a.h, b.h, &regions))?;
    println!("{} regions", regions.len());
    equal(&b.get::<u8>(), &want)?;
    equal(&a.get::<u8>(), &from)
}

unsafe fn copy_within() -> R {
    // Within one buffer, not overlapping; and a chain of dependent copies with barriers.
    let t = T::new(&[])?;
    let data = Random(6).words(1024);
    let b = t.zeros(16384)?;
    b.put(0, &data);
    t.now(|c| {
        for k in 0..3 {
            let region = [vk::BufferCopy { src_offset: k * 4096, dst_offset: (k + 1) * 4096, size: 4096 }];
            t.d.cmd_copy_buffer(c, b.h, b.h, &region);
            t.full_barrier(c);
        }
    })?;
    equal(&b.get::<u32>(), &[data.clone(), data.clone(), data.clone(), data].concat())
}

unsafe fn fill_and_update() -> R {
    let t = T::new(&[])?;
    let b = t.buf(4099)?;
    b.fill(0x55);
    let mut want = vec![0x55u8; 4099];
    let update: Vec<u8> = (0..=255).collect();
    t.now(|c| {
        t.d.cmd_fill_buffer(c, b.h, 8, 12, 0x0403_0201);
        t.d.cmd_fill_buffer(c, b.h, 100, 0x100, 0xffff_0000);
        // The whole rest, rounded down to a multiple of four.
        t.d.cmd_fill_buffer(c, b.h, 4000, vk::WHOLE_SIZE, 0x0a0b_0c0d);
        t.d.cmd_update_buffer(c, b.h, 1024, &update);
        t.d.cmd_update_buffer(c, b.h, 2048, &[1, 2, 3, 4]);
    })?;
    let mut fill = |at: usize, n: usize, v: u32| {
        for k in (at..at + n).step_by(4) {
            want[k..k + 4].copy_from_slice(&v.to_ne_bytes());
        }
    };
    fill(8, 12, 0x0403_0201);
    fill(100, 0x100, 0xffff_0000);
    fill(4000, 96, 0x0a0b_0c0d);
    want[1024..1280].copy_from_slice(&update);
    want[2048..2052].copy_from_slice(&[1, 2, 3, 4]);
    equal(&b.get::<u8>(), &want)?;
    // The largest update.
    let big: Vec<u8> = (0..65536u32).map(|k| ((k * 7) >> 3) as u8).collect();
    let b = t.buf(65536)?;
    t.now(|c| t.d.cmd_update_buffer(c, b.h, 0, &big))?;
    equal(&b.get::<u8>(), &big)
}

unsafe fn copy2() -> R {
    let t = T::new(&[])?;
    need!(t.props.api_version >= vk::API_VERSION_1_3, "Vulkan 1.3");
    let data = Random(8).words(64);
    let (a, b) = (t.buf_of(&data)?, t.zeros(256)?);
    let regions = [
        vk::BufferCopy2::default().src_offset(0).dst_offset(128).size(128),
        vk::BufferCopy2::default().src_offset(128).dst_offset(0).size(128),
    ];
    let info = vk::CopyBufferInfo2::default().src_buffer(a.h).dst_buffer(b.h).regions(&regions);
    t.now(|c| t.d.cmd_copy_buffer2(c, &info))?;
    equal(&b.get::<u32>(), &[&data[32..], &data[..32]].concat())
}

unsafe fn device_address() -> R {
    let t = T::new(&[])?;
    need!(t.features.v12.buffer_device_address != 0, "bufferDeviceAddress");
    // A linked list over eight buffers; addresses are stable and distinct.
    let address = |b: Buf| t.d.get_buffer_device_address(&vk::BufferDeviceAddressInfo::default().buffer(b.h));
    let nodes: Vec<Buf> = (0..8).map(|_| t.zeros(256)).collect::<R<_>>()?;
    let result = t.zeros(128)?;
    for (k, n) in (0u32..).zip(&nodes) {
        let next = nodes.get(k as usize + 1).map_or(0, |n| address(*n));
        check!(address(*n) != 0 && address(*n) == address(*n) && address(*n) % 16 == 0);
        n.put(0, &[next]);
        n.put(8, &[1u32 << k]);
    }
    let mut push = address(nodes[0]).to_ne_bytes().to_vec();
    push.extend(address(result).to_ne_bytes());
    t.compute(spv!("address"), &[], &push, [1, 1, 1])?;
    let want: Vec<u32> = (0..32).map(|i| 255 * (i + 1)).collect();
    equal(&result.get::<u32>(), &want)?;
    for n in &nodes {
        same!(n.get::<u32>()[3], 32, "visits");
    }
    Ok(())
}

unsafe fn create_limits() -> R {
    let t = T::new(&[])?;
    // Odd sizes bind and work.
    for size in [1u64, 2, 3, 5, 15, 17, 255, 4095, 4097] {
        let b = t.buf(size)?;
        b.fill(1);
        let c = t.zeros(size)?;
        t.now(|cb| t.d.cmd_copy_buffer(cb, b.h, c.h, &[vk::BufferCopy { src_offset: 0, dst_offset: 0, size }]))?;
        check!(c.get::<u8>() == vec![1; size as usize], "{size} bytes");
    }
    if t.features.v13.maintenance4 != 0 {
        let max = t.property::<vk::PhysicalDeviceMaintenance4Properties<'_>>().max_buffer_size;
        let b = t.d.create_buffer(&vk::BufferCreateInfo::default().size(max).usage(usage()), None);
        match b {
            Ok(b) => t.d.destroy_buffer(b, None),
            Err(e) => check!(
                e == vk::Result::ERROR_OUT_OF_DEVICE_MEMORY || e == vk::Result::ERROR_OUT_OF_HOST_MEMORY,
                "{e:?}"
            ),
        }
    }
    Ok(())
}

/// A texel format: bytes of one texel for (x, y, z, w), and what reading them gives.
type Texel = (vk::Format, Vec<u8>, [f32; 4]);

unsafe fn uniform_texels() -> R {
    use vk::Format as F;
    let t = T::new(&[])?;
    let h = |v: f32| f16::from_f32(v).to_ne_bytes();
    let cases: Vec<Texel> = vec![
        (F::R8_UNORM, vec![51], [0.2, 0.0, 0.0, 1.0]),
        (F::R8_SNORM, vec![0x80], [-1.0, 0.0, 0.0, 1.0]),
        (F::R8G8_UNORM, vec![255, 0], [1.0, 0.0, 0.0, 1.0]),
        (F::R8G8B8A8_UNORM, vec![0, 51, 102, 255], [0.0, 0.2, 0.4, 1.0]),
        (F::R8G8B8A8_SNORM, vec![127, 0x81, 0, 0x80], [1.0, -1.0, 0.0, -1.0]),
        (F::B8G8R8A8_UNORM, vec![0, 51, 102, 255], [0.4, 0.2, 0.0, 1.0]),
        (F::A8B8G8R8_UNORM_PACK32, vec![0, 51, 102, 255], [0.0, 0.2, 0.4, 1.0]),
        (
            F::A2B10G10R10_UNORM_PACK32,
            (1023u32 | 341 << 20 | 2 << 30).to_le_bytes().to_vec(),
            [1.0, 0.0, 1.0 / 3.0, 2.0 / 3.0],
        ),
        (F::R16_SFLOAT, h(-2.5).to_vec(), [-2.5, 0.0, 0.0, 1.0]),
        (F::R16G16_SFLOAT, [h(0.5), h(65504.0)].concat(), [0.5, 65504.0, 0.0, 1.0]),
        (F::R16G16B16A16_SFLOAT, [h(1.0), h(-0.25), h(3.0), h(6e-8)].concat(), [1.0, -0.25, 3.0, 5.960_464_5e-8]),
        (F::R32_SFLOAT, 1.25f32.to_ne_bytes().to_vec(), [1.25, 0.0, 0.0, 1.0]),
        (F::R32G32_SFLOAT, [1.5f32.to_ne_bytes(), (-3e30f32).to_ne_bytes()].concat(), [1.5, -3e30, 0.0, 1.0]),
        (
            F::R32G32B32A32_SFLOAT,
            [1f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_ne_bytes()).collect(),
            [1.0, 2.0, 3.0, 4.0],
        ),
        (
            F::B10G11R11_UFLOAT_PACK32,
            (0x3c0u32 | 0x400 << 11 | 0x1c0 << 22).to_le_bytes().to_vec(),
            [1.0, 2.0, 0.5, 1.0],
        ),
    ];
    for (format, bytes, want) in cases {
        let n = 50usize;
        let got = fetch::<f32>(&t, format, &bytes.repeat(n), spv!("texel_float"), n)?;
        let Some(got) = got else { continue };
        for (k, texel) in got.chunks(4).enumerate() {
            for (g, w) in texel.iter().zip(want) {
                check!(
                    (g - w).abs() <= w.abs() * 1e-6 + 1e-9,
                    "{format:?}: texel {k} is {texel:?}, should be {want:?}"
                );
            }
        }
    }
    for (format, bytes, want) in [
        (F::R8_UINT, vec![200u8], [200u32, 0, 0, 1]),
        (F::R8G8B8A8_UINT, vec![1, 2, 3, 255], [1, 2, 3, 255]),
        (F::R16_UINT, 65535u16.to_ne_bytes().to_vec(), [65535, 0, 0, 1]),
        (F::R16G16_UINT, vec![1, 0, 0, 1], [1, 256, 0, 1]),
        (F::R32_UINT, 0xdead_beefu32.to_ne_bytes().to_vec(), [0xdead_beef, 0, 0, 1]),
        (F::R32G32B32A32_UINT, words(&[1, 2, 3, u32::MAX]), [1, 2, 3, u32::MAX]),
        (F::A2B10G10R10_UINT_PACK32, (1000u32 | 20 << 10 | 3 << 20 | 3 << 30).to_le_bytes().to_vec(), [1000, 20, 3, 3]),
    ] {
        if let Some(got) = fetch::<u32>(&t, format, &bytes.repeat(70), spv!("texel_uint"), 70)? {
            equal(&got, &want.repeat(70))?;
        }
    }
    for (format, bytes, want) in [
        (F::R8_SINT, vec![0x80u8], [-128i32, 0, 0, 1]),
        (F::R8G8_SINT, vec![0xff, 0x7f], [-1, 127, 0, 1]),
        (F::R16G16B16A16_SINT, vec![0xff, 0xff, 0, 0x80, 1, 0, 0xff, 0x7f], [-1, -32768, 1, 32767]),
        (F::R32G32_SINT, words(&[0x8000_0000, 5]), [i32::MIN, 5, 0, 1]),
    ] {
        if let Some(got) = fetch::<i32>(&t, format, &bytes.repeat(33), spv!("texel_int"), 33)? {
            equal(&got, &want.repeat(33))?;
        }
    }
    Ok(())
}

/// Reads `n` texels of a format; none if the device cannot.
unsafe fn fetch<E: bytemuck::Pod>(
    t: &T,
    format: vk::Format,
    bytes: &[u8],
    code: &[u32],
    n: usize,
) -> R<Option<Vec<E>>> {
    if !t.format(format).buffer_features.contains(vk::FormatFeatureFlags::UNIFORM_TEXEL_BUFFER) {
        println!("{format:?} is not for texel buffers");
        return Ok(None);
    }
    let b = t.buf_of(bytes)?;
    let o = t.zeros(16 + n as u64 * 16)?;
    t.compute(code, &[B::Ut(t.texels(b, format)?), B::S(o)], &[], [(n as u32).div_ceil(32), 1, 1])?;
    let all = o.get::<E>();
    let size = bytemuck::bytes_of(&all[0]);
    check!(size == (n as u32).to_ne_bytes(), "{format:?}: the size is {size:?}, should be {n}");
    Ok(Some(all[4..].to_vec()))
}

unsafe fn storage_texels() -> R {
    use vk::Format as F;
    let t = T::new(&[])?;
    let go = |format: F, code: &[u32], bytes: &[u8], want: &[u8]| -> R {
        if !t.format(format).buffer_features.contains(vk::FormatFeatureFlags::STORAGE_TEXEL_BUFFER) {
            return Ok(());
        }
        let (a, b) = (t.buf_of(bytes)?, t.zeros(bytes.len() as u64)?);
        t.compute(code, &[B::St(t.texels(a, format)?), B::St(t.texels(b, format)?)], &[], [4, 1, 1])?;
        equal(&b.get::<u8>(), want)
    };
    // One is added; normalised formats clamp.
    go(F::R8G8B8A8_UNORM, spv!("storage_texel_rgba8"), &[0, 7, 100, 255].repeat(90), &[255; 360])?;
    let f = |v: [f32; 4]| v.iter().flat_map(|v| v.to_ne_bytes()).collect::<Vec<u8>>();
    go(
        F::R32G32B32A32_SFLOAT,
        spv!("storage_texel_rgba32f"),
        &f([0.5, -1.0, 1e6, 0.0]).repeat(77),
        &f([1.5, 0.0, 1_000_001.0, 1.0]).repeat(77),
    )?;
    go(F::R32_UINT, spv!("storage_texel_r32ui"), &words(&[4, u32::MAX].repeat(50)), &words(&[5, 0].repeat(50)))?;
    let s = |v: [i16; 4]| v.iter().flat_map(|v| v.to_ne_bytes()).collect::<Vec<u8>>();
    go(
        F::R16G16B16A16_SINT,
        spv!("storage_texel_rgba16i"),
        &s([1, -5, 300, -32768]).repeat(60),
        &s([2, -4, 301, -32767]).repeat(60),
    )
}

unsafe fn texel_offsets() -> R {
    let t = T::new(&[])?;
    let data: Vec<u32> = (0..1024).collect();
    let b = t.buf_of(&data)?;
    let step = t.props.limits.min_texel_buffer_offset_alignment.max(4);
    for (offset, n) in [(0, 1u32), (step, 10), (step * 3, 200)] {
        let info = vk::BufferViewCreateInfo::default()
            .buffer(b.h)
            .format(vk::Format::R32_UINT)
            .offset(offset)
            .range(u64::from(n) * 4);
        let view = t.own(t.d.create_buffer_view(&info, None)?);
        let o = t.zeros(16 + 256 * 16)?;
        t.compute(spv!("texel_uint"), &[B::Ut(view), B::S(o)], &[], [8, 1, 1])?;
        let got = o.get::<u32>();
        same!(got[0], n);
        let values: Vec<u32> = got[4..].chunks(4).take(n as usize).map(|v| v[0]).collect();
        equal(&values, &data[offset as usize / 4..][..n as usize])?;
        check!(got[4 + n as usize * 4..].iter().all(|v| *v == 0), "read past the view");
    }
    Ok(())
}

unsafe fn concurrent_sharing() -> R {
    let t = T::open(&cts::Setup { all_queues: true, ..cts::Setup::default() })?;
    need!(t.queues.len() > 1, "second queue family");
    let families: Vec<u32> = (0..t.queues.len() as u32).collect();
    let info = vk::BufferCreateInfo::default()
        .size(4096)
        .usage(usage())
        .sharing_mode(vk::SharingMode::CONCURRENT)
        .queue_family_indices(&families);
    let h = t.own(t.d.create_buffer(&info, None)?);
    let host = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
    let m = t.memory_for(&t.d.get_buffer_memory_requirements(h), host)?;
    t.d.bind_buffer_memory(h, m, 0)?;
    let p = t.d.map_memory(m, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast::<u32>();
    for (family, queues) in (0u32..).zip(&t.queues) {
        for (k, q) in (0u32..).zip(queues) {
            let v = family * 100 + k + 1;
            let c = t.recorded(family, vk::CommandBufferUsageFlags::empty(), |c| {
                t.d.cmd_fill_buffer(c, h, 0, vk::WHOLE_SIZE, v);
                t.full_barrier(c);
            })?;
            t.submit(*q, &[c])?;
            equal(std::slice::from_raw_parts(p, 1024), &[v; 1024])?;
        }
    }
    Ok(())
}
