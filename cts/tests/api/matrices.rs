//! Cooperative matrices.

use crate::support::*;
use ash::vk;
use half::f16;
use vk::ComponentTypeKHR as C;

tests! { kinds, products_of_halves, products_of_bytes, products_for_every_subgroup_size }

unsafe fn rows(t: &T) -> R<Vec<vk::CooperativeMatrixPropertiesKHR<'static>>> {
    let f = ash::khr::cooperative_matrix::Instance::new(t.entry(), t.instance());
    let get = f.fp().get_physical_device_cooperative_matrix_properties_khr;
    let mut count = 0;
    get(t.physical, &mut count, std::ptr::null_mut()).result()?;
    let mut all = vec![vk::CooperativeMatrixPropertiesKHR::default(); count as usize];
    get(t.physical, &mut count, all.as_mut_ptr()).result()?;
    check!(count as usize == all.len());
    Ok(all)
}

unsafe fn device() -> R<T> {
    let t = T::new(&[ash::khr::cooperative_matrix::NAME])?;
    need!(t.features.cooperative_matrix.cooperative_matrix != 0, "cooperative matrices");
    Ok(t)
}

/// What is listed makes sense, and a list that is too short is filled as far as it goes.
unsafe fn kinds() -> R {
    let t = device()?;
    let stages = t.property::<vk::PhysicalDeviceCooperativeMatrixPropertiesKHR>().cooperative_matrix_supported_stages;
    check!(stages.contains(vk::ShaderStageFlags::COMPUTE));
    let all = rows(&t)?;
    check!(!all.is_empty());
    for r in &all {
        check!(r.m_size > 0 && r.n_size > 0 && r.k_size > 0, "{r:?}");
        let integer = |c: C| (C::SINT8.as_raw()..=C::UINT64.as_raw()).contains(&c.as_raw());
        check!(integer(r.a_type) == integer(r.result_type) && integer(r.b_type) == integer(r.c_type), "{r:?}");
        check!(r.saturating_accumulation == 0 || integer(r.result_type), "{r:?}");
    }
    let f = ash::khr::cooperative_matrix::Instance::new(t.entry(), t.instance());
    let mut one = [vk::CooperativeMatrixPropertiesKHR::default()];
    let mut count = 1;
    let get = f.fp().get_physical_device_cooperative_matrix_properties_khr;
    let result = get(t.physical, &mut count, one.as_mut_ptr());
    same!(count, 1);
    same!(result, if all.len() > 1 { vk::Result::INCOMPLETE } else { vk::Result::SUCCESS });
    same!((one[0].m_size, one[0].a_type, one[0].result_type), (all[0].m_size, all[0].a_type, all[0].result_type));
    Ok(())
}

/// Sizes of the products of these types of scope subgroup.
unsafe fn sizes(t: &T, ab: C, c: C) -> R<Vec<[u32; 3]>> {
    let fits = |r: &vk::CooperativeMatrixPropertiesKHR| {
        (r.a_type, r.b_type, r.c_type, r.result_type) == (ab, ab, c, c)
            && r.scope == vk::ScopeKHR::SUBGROUP
            && r.saturating_accumulation == 0
    };
    Ok(rows(t)?.iter().filter(|r| fits(r)).map(|r| [r.m_size, r.n_size, r.k_size]).collect())
}

/// One product by one subgroup. Small integers, so that sums are exact in every order.
unsafe fn product(t: &T, halves: bool, [m, n, k]: [u32; 3], subgroup: u32) -> R {
    let mut random = Random(u64::from(m * 7 + n * 5 + k * 3 + subgroup));
    let mut small = |n: u32| (0..n).map(|_| random.below(31) as i32 - 15).collect::<Vec<i32>>();
    let (a, b, c) = (small(m * k), small(k * n), small(m * n));
    let sum = |i: usize| {
        let (row, col) = (i / n as usize, i % n as usize);
        (0..k as usize).map(|x| a[row * k as usize + x] * b[col * k as usize + x]).sum::<i32>() + c[i] + 1
    };
    let want: Vec<i32> = (0..c.len()).map(sum).collect();
    let lanes = match subgroup {
        0 => t.property::<vk::PhysicalDeviceVulkan11Properties>().subgroup_size,
        n => n,
    };
    let constants = [lanes, m, n, k].map(u32::to_ne_bytes);
    let spec: Vec<(u32, &[u8])> = (0u32..).zip(&constants).map(|(i, v)| (i, &v[..])).collect();
    let run = |code, buffers: [Buf; 3]| {
        let types = [vk::DescriptorType::STORAGE_BUFFER; 3];
        let info = KernelInfo { code, types: &types, spec: &spec, subgroup, ..KernelInfo::default() };
        t.compute_of(&info, &buffers.map(B::S), &[], [1, 1, 1])
    };
    if halves {
        let half = |v: &[i32]| v.iter().map(|&v| f16::from_f32(v as f32)).collect::<Vec<_>>();
        let float = |v: &[i32]| v.iter().map(|&v| v as f32).collect::<Vec<_>>();
        let out = t.buf_of(&float(&c))?;
        run(spv!("product_half"), [t.buf_of(&half(&a))?, t.buf_of(&half(&b))?, out])?;
        equal(&out.get::<f32>(), &float(&want))
    } else {
        let byte = |v: &[i32]| v.iter().map(|&v| v as i8).collect::<Vec<_>>();
        let out = t.buf_of(&c)?;
        run(spv!("product_byte"), [t.buf_of(&byte(&a))?, t.buf_of(&byte(&b))?, out])?;
        equal(&out.get::<i32>(), &want)
    }
}

unsafe fn products_of_halves() -> R {
    let t = device()?;
    let sizes = sizes(&t, C::FLOAT16, C::FLOAT32)?;
    need!(!sizes.is_empty() && t.features.v12.shader_float16 != 0, "products of 16-bit floats");
    sizes.into_iter().try_for_each(|s| product(&t, true, s, 0))
}

unsafe fn products_of_bytes() -> R {
    let t = device()?;
    let sizes = sizes(&t, C::SINT8, C::SINT32)?;
    need!(!sizes.is_empty() && t.features.v12.shader_int8 != 0, "products of bytes");
    sizes.into_iter().try_for_each(|s| product(&t, false, s, 0))
}

/// Where the application chooses the subgroup size.
unsafe fn products_for_every_subgroup_size() -> R {
    let t = device()?;
    let control = t.features.v13.subgroup_size_control != 0;
    need!(control && t.features.v12.shader_float16 != 0, "choice of the subgroup size");
    let p = t.property::<vk::PhysicalDeviceVulkan13Properties>();
    let stages = p.required_subgroup_size_stages;
    need!(stages.contains(vk::ShaderStageFlags::COMPUTE), "choice of the subgroup size in kernels");
    for size in sizes(&t, C::FLOAT16, C::FLOAT32)? {
        let mut subgroup = p.min_subgroup_size;
        while subgroup <= p.max_subgroup_size {
            product(&t, true, size, subgroup)?;
            subgroup *= 2;
        }
    }
    Ok(())
}
