//! What extensions add to the shader language.

use crate::images::{download, flat, upload};
use crate::support::*;
use ash::vk;
use cts::generated::types::PhysicalDeviceShaderLongVectorPropertiesEXT;

tests! {
    long_vectors, small_extensions, bits_of_every_width, indices_of_64_bits, texels_of_64_bits, raw_access_chains,
    float_atomics,
}

unsafe fn long_vectors() -> R {
    let t = T::new(&[c"VK_EXT_shader_long_vector", c"VK_EXT_shader_replicated_composites"])?;
    need!(t.features.long_vector.long_vector != 0, "long vectors");
    need!(t.features.replicated.shader_replicated_composites != 0, "replicated composites");
    let mut limits = PhysicalDeviceShaderLongVectorPropertiesEXT::default();
    let p_next = std::ptr::from_mut(&mut limits).cast();
    let mut head = vk::PhysicalDeviceProperties2 { p_next, ..Default::default() };
    t.instance().get_physical_device_properties2(t.physical, &mut head);
    let most = limits.max_vector_components;
    check!(most >= 1024, "maxVectorComponents is {most}");
    for length in [2u32, 5, most] {
        let input: Vec<u32> = (0..8).map(|i| 3 + i * 2).collect();
        let wide: Vec<u32> = (0..72).map(|i| i * 5).collect();
        let (o, i, w) = (t.zeros(8 * 7 * 4)?, t.buf_of(&input)?, t.buf_of(&wide)?);
        let bindings = [B::S(o), B::S(i), B::S(w)];
        let types = bindings.map(B::ty);
        let code = spv!("long_vectors");
        let info = KernelInfo { code, types: &types, spec: &[(3, &length.to_le_bytes())], ..KernelInfo::default() };
        t.compute_of(&info, &bindings, &[], [1, 1, 1])?;
        let eight = [1u32, 2, 3, 4, 5, 7, 8, 0];
        let (mut want, mut stored) = (Vec::new(), Vec::new());
        for i in 0..8 {
            let x = input[i];
            let sum: Vec<u32> = (0..8).map(|c| wide[9 * i + c] + x + eight[c]).collect();
            stored.extend(&sum);
            stored.push(x * x);
            let shuffled = [eight[7], eight[0], sum[0], eight[1], sum[7], eight[2], sum[1], eight[3]];
            let mut inserted = eight;
            inserted[i] = x;
            let above = (0..8).filter(|&c| inserted[c] > eight[c]).count();
            let flag = u32::from(above > 0) + if above == 8 { 2 } else { 0 };
            let each = |f: &dyn Fn(usize) -> u32| (0..8).map(f).sum::<u32>();
            let dot = each(&|c| inserted[c] * eight[c]);
            let squares = each(&|c| ((2 * inserted[c]).max(eight[c]) * eight[c] + inserted[c]).pow(2));
            want.extend([sum[7], shuffled[i], flag, dot, squares, !x, if i == 2 { x * 7 } else { 49 }]);
        }
        equal(&o.get::<u32>(), &want)?;
        equal(&w.get::<u32>(), &stored)?;
    }
    Ok(())
}

unsafe fn small_extensions() -> R {
    let names = [
        c"VK_AMD_shader_trinary_minmax",
        c"VK_KHR_shader_fma",
        c"VK_EXT_shader_replicated_composites",
        c"VK_KHR_shader_relaxed_extended_instruction",
        c"VK_EXT_shader_64bit_indexing",
    ];
    let t = T::new(&names)?;
    let f = &t.features;
    need!(t.has(names[0]), "VK_AMD_shader_trinary_minmax");
    need!(
        f.fma.shader_fma_float32 != 0
            && f.replicated.shader_replicated_composites != 0
            && f.relaxed_instructions.shader_relaxed_extended_instruction != 0
            && f.indexing_64.shader64_bit_indexing != 0
            && f.core.shader_int64 != 0,
        "all of them"
    );
    let input: Vec<u32> = Random(41).words(24).iter().map(|w| (*w as i32 >> 8) as u32).collect();
    let (o, i) = (t.zeros(8 * 12 * 4)?, t.buf_of(&input)?);
    let bindings = [B::S(o), B::S(i)];
    let (code, types) = (spv!("small_extensions"), bindings.map(B::ty));
    let info = KernelInfo { code, types: &types, spec: &[(1, &6u32.to_le_bytes())], ..KernelInfo::default() };
    t.compute_of(&info, &bindings, &[], [1, 1, 1])?;
    let mut want = Vec::new();
    for x in input.chunks(3) {
        let (mut unsigned, mut signed) = ([x[0], x[1], x[2]], [x[0] as i32, x[1] as i32, x[2] as i32]);
        unsigned.sort_unstable();
        signed.sort_unstable();
        for k in [0, 2, 1] {
            // 24-bit numbers are exact as floats.
            want.extend([signed[k] as u32, unsigned[k], signed[k] as u32]);
        }
        let f = |v: u32| v as i32 as f32;
        want.extend([f(x[0]).mul_add(f(x[1]), f(x[2])).to_bits(), 6 * 7, 24]);
    }
    equal(&o.get::<u32>(), &want)
}

/// Bit instructions on 8, 16 and 64 bits, with offsets and counts of other widths.
unsafe fn bits_of_every_width() -> R {
    let t = T::new(&[c"VK_KHR_maintenance9"])?;
    need!(t.has(c"VK_KHR_maintenance9"), "VK_KHR_maintenance9");
    let f = &t.features;
    need!(f.core.shader_int64 != 0 && f.core.shader_int16 != 0 && f.v12.shader_int8 != 0, "integers of all widths");
    let input = Random(42).words(8);
    let (o, i) = (t.zeros(8 * 30 * 4)?, t.buf_of(&input)?);
    t.compute(spv!("bit_widths"), &[B::S(o), B::S(i)], &[], [1, 1, 1])?;
    let mut want = Vec::new();
    for i in 0..8usize {
        let (x, y) = (u64::from(input[i]), u64::from(input[i ^ 1]));
        for width in [8u32, 16, 64] {
            let low = |v: u64| v & (u64::MAX >> (64 - width));
            let [a, b] = if width == 64 { [y << 32 | x, x << 32 | y] } else { [low(x), low(y)] };
            let offset = i as u32 & 3;
            let field = 0x1f << offset;
            let signed = |v: u64| low((((v >> offset & 0x1f) as i64) << 59 >> 59) as u64);
            let values = [
                u64::from(a.count_ones()),
                a.reverse_bits() >> (64 - width),
                b.reverse_bits() >> (64 - width),
                low(a & !field | (b << offset) & field),
                low(b & !field | (a << offset) & field),
                signed(a),
                signed(b),
                a >> offset & 0x1f,
                b >> offset & 0x1f,
                u64::from(b.count_ones()),
            ];
            // A 64-bit result is folded to its two halves' exclusive or.
            want.extend(values.map(|v| if width == 64 { (v ^ (v >> 32)) as u32 } else { v as u32 }));
        }
    }
    equal(&o.get::<u32>(), &want)
}

/// A storage buffer of more than 4 GiB, of which only some pages are touched.
unsafe fn indices_of_64_bits() -> R {
    let t = T::new(&[c"VK_EXT_shader_64bit_indexing"])?;
    need!(t.features.indexing_64.shader64_bit_indexing != 0, "64-bit indices");
    need!(t.features.core.shader_int64 != 0, "64-bit integers");
    let far = 1u64 << 32;
    let size = far + 4096;
    let fits = |heap: &vk::MemoryHeap| heap.size >= 2 * size;
    need!(t.memory.memory_heaps_as_slice().iter().any(fits), "heap for 4 GiB");
    let wide = t.buf(size)?;
    let before: Vec<u32> = (0..512).map(|i| i + 77).collect();
    wide.put(0, &before);
    wide.put(far as usize, &before);
    let o = t.zeros(64 * 16)?;
    t.compute(spv!("wide_index"), &[B::S(wide), B::S(o)], &[], [1, 1, 1])?;
    let want: Vec<u64> = (0..64).flat_map(|i| [u64::from(before[i * 7]), size / 4]).collect();
    equal(&o.get::<u64>(), &want)?;
    let words = |at: u64| std::slice::from_raw_parts(wide.at.add(at as usize).cast::<u32>(), 512);
    equal(words(0), &before)?;
    let mut after = before;
    for i in 0..64 {
        after[i * 7] = i as u32;
    }
    equal(words(far), &after)
}

unsafe fn texels_of_64_bits() -> R {
    let t = T::new(&[ash::ext::shader_image_atomic_int64::NAME])?;
    need!(t.features.image_atomic_int64.shader_image_int64_atomics != 0, "64-bit image atomics");
    for (signed, format) in [(false, vk::Format::R64_UINT), (true, vk::Format::R64_SINT)] {
        let both = vk::FormatFeatureFlags::STORAGE_IMAGE | vk::FormatFeatureFlags::STORAGE_IMAGE_ATOMIC;
        check!(t.format(format).optimal_tiling_features.contains(both), "{format:?} lacks mandatory features");
        let mut random = Random(43);
        let values: Vec<u64> = (0..128).map(|_| random.bits()).collect();
        let mut texels: Vec<u64> = (0..24).map(|_| random.bits() >> 3).collect();
        texels[..8].copy_from_slice(&[5, 1 << 62, 0, u64::MAX, 0, 9, 0, 0]);
        let (v, o, start) = (t.buf_of(&values)?, t.zeros(128 * 8)?, t.buf_of(&texels)?);
        let mut info = flat(format, 8, 3);
        info.usage |= vk::ImageUsageFlags::STORAGE;
        let image = t.image(&info)?;
        upload(&t, &image, start)?;
        let view = t.view(&image, vk::ImageViewType::TYPE_2D)?;
        let bindings = [B::Si(view), B::S(v), B::S(o)];
        if signed {
            t.compute(spv!("image64_i"), &bindings, &[], [4, 1, 1])?;
        } else {
            t.compute(spv!("image64_u"), &bindings, &[], [4, 1, 1])?;
        }
        let got = download(&t, &image, 8)?.get::<u64>();
        let fold = |f: &dyn Fn(u64, u64) -> u64, start: u64| values.iter().fold(start, |a, &b| f(a, b));
        let less = |a: u64, b: u64| if signed { (a as i64) < b as i64 } else { a < b };
        let want = [
            fold(&|a, b| a.wrapping_add(b), 5),
            fold(&|a, b| if less(a, b) { a } else { b }, 1 << 62),
            fold(&|a, b| if less(a, b) { b } else { a }, 0),
            fold(&|a, b| a & b, u64::MAX),
            fold(&|a, b| a | b, 0),
            fold(&|a, b| a ^ b, 9),
        ];
        equal(&got[..6], &want)?;
        check!((1..=128).contains(&got[6]), "{} won the exchange", got[6]);
        same!(got[7], values[got[6] as usize - 1]);
        equal(&got[8..16], &texels[8..16])?;
        equal(&got[16..], &(0..8u64).map(|k| k << 40).collect::<Vec<_>>())?;
        equal(&o.get::<u64>(), &(0..128).map(|i| texels[8 + (i & 7)].wrapping_mul(3)).collect::<Vec<_>>())?;
    }
    Ok(())
}

unsafe fn raw_access_chains() -> R {
    let t = T::new(&[c"VK_NV_raw_access_chains"])?;
    need!(t.features.raw_access.shader_raw_access_chains != 0, "raw access chains");
    let input = Random(44).words(24);
    let (o, i) = (t.zeros(64)?, t.buf_of(&input)?);
    t.compute(spv!("raw_access"), &[B::S(o), B::S(i)], &[], [1, 1, 1])?;
    let want: Vec<u32> = (0..8usize)
        .flat_map(|i| {
            let one = input[3 * i + 1 + (i & 1)];
            [input[3 * i + 1].wrapping_add(one), input[3 * i + 2].wrapping_add(one)]
        })
        .collect();
    equal(&o.get::<u32>(), &want)
}

/// One workgroup of numbers that are exact in every width and order.
unsafe fn float_atomics() -> R {
    let t = T::new(&[ash::ext::shader_atomic_float::NAME, ash::ext::shader_atomic_float2::NAME])?;
    let numbers: Vec<i32> = (0..64).map(|i| (i * 37 % 64) - 20).collect();
    let (f, f2) = (&t.features.atomic_float, &t.features.atomic_float2);
    let sum: i32 = numbers.iter().sum();
    let results = [sum, -20, 43, numbers[17]];
    let want: Vec<i32> = [results, results].concat();
    need!(f2.shader_buffer_float32_atomic_min_max != 0, "float minimum and maximum");
    check!(f2.shader_shared_float32_atomic_min_max != 0);
    let values: Vec<f32> = numbers.iter().map(|&n| n as f32).collect();
    let (v, o) = (t.buf_of(&values)?, t.zeros(32)?);
    t.compute(spv!("atomics2_f32"), &[B::S(v), B::S(o)], &[], [1, 1, 1])?;
    equal(&o.get::<f32>(), &want.iter().map(|&n| n as f32).collect::<Vec<_>>())?;
    if f2.shader_buffer_float64_atomic_min_max != 0
        && f2.shader_shared_float64_atomic_min_max != 0
        && f.shader_buffer_float64_atomic_add != 0
    {
        let values: Vec<f64> = numbers.iter().map(|&n| f64::from(n)).collect();
        let (v, o) = (t.buf_of(&values)?, t.zeros(64)?);
        t.compute(spv!("atomics2_f64"), &[B::S(v), B::S(o)], &[], [1, 1, 1])?;
        equal(&o.get::<f64>(), &want.iter().map(|&n| f64::from(n)).collect::<Vec<_>>())?;
    }
    if f2.shader_buffer_float16_atomic_add != 0
        && f2.shader_shared_float16_atomic_add != 0
        && f2.shader_buffer_float16_atomic_min_max != 0
        && f2.shader_shared_float16_atomic_min_max != 0
        && t.features.v11.storage_buffer16_bit_access != 0
    {
        let half = |n: &i32| half::f16::from_f32(*n as f32).to_bits();
        let values: Vec<u16> = numbers.iter().map(half).collect();
        let (v, o) = (t.buf_of(&values)?, t.zeros(16)?);
        t.compute(spv!("atomics2_f16"), &[B::S(v), B::S(o)], &[], [1, 1, 1])?;
        equal(&o.get::<u16>(), &want.iter().map(half).collect::<Vec<_>>())?;
    }
    Ok(())
}
