//! Queries of physical devices, and creation of devices.

use crate::support::*;
use ash::vk;
use std::ffi::c_void;

tests! {
    features_in_any_order, features_consistent, properties_consistent, limits, formats, format_limits, memory_types,
    queue_families, unknown_extension, unsupported_features, all_features, enabled_features_old_way, queue_handles,
    external_capabilities, private_data, object_names, memory_requirements, driver_strings, many_devices,
}

/// The Booleans behind the header of a feature structure.
unsafe fn booleans<S>(s: &S) -> Vec<u32> {
    let n = (size_of::<S>() - 16) / 4;
    std::slice::from_raw_parts(std::ptr::from_ref(s).cast::<u8>().add(16).cast::<u32>(), n).to_vec()
}

/// Queries structures one by one, all at once, and all at once backwards; the answers must agree.
macro_rules! any_order {
    ($t:expr, $get:ident, $head:ident, $($name:ident),*) => {{
        let mut alone = Vec::new();
        $({
            let mut s = vk::$name::default();
            let mut head = vk::$head::default().push_next(&mut s);
            $t.instance().$get($t.physical, &mut head);
            s.p_next = std::ptr::null_mut();
            alone.push((stringify!($name), format!("{s:?}")));
        })*
        for backwards in [false, true] {
            $(
                #[allow(non_snake_case)]
                let mut $name = vk::$name::default();
            )*
            let mut links: Vec<*mut vk::BaseOutStructure<'_>> = vec![$(std::ptr::from_mut(&mut $name).cast()),*];
            if backwards {
                links.reverse();
            }
            for w in links.windows(2) {
                (*w[0]).p_next = w[1];
            }
            let mut head = vk::$head { p_next: links[0].cast::<c_void>(), ..Default::default() };
            $t.instance().$get($t.physical, &mut head);
            for l in &links {
                (**l).p_next = std::ptr::null_mut();
            }
            let together = vec![$((stringify!($name), format!("{:?}", $name))),*];
            for (a, b) in alone.iter().zip(&together) {
                check!(a == b, "{} differs with the chain it is in", a.0);
            }
        }
    }};
}

unsafe fn features_in_any_order() -> R {
    let t = T::new(&[])?;
    need!(t.props.api_version >= vk::API_VERSION_1_3, "Vulkan 1.3");
    any_order!(
        t,
        get_physical_device_features2,
        PhysicalDeviceFeatures2,
        PhysicalDeviceVulkan11Features,
        PhysicalDeviceVulkan12Features,
        PhysicalDeviceVulkan13Features,
        PhysicalDevice16BitStorageFeatures,
        PhysicalDevice8BitStorageFeatures,
        PhysicalDeviceVariablePointersFeatures,
        PhysicalDeviceShaderFloat16Int8Features,
        PhysicalDeviceShaderAtomicInt64Features,
        PhysicalDeviceTimelineSemaphoreFeatures,
        PhysicalDeviceBufferDeviceAddressFeatures,
        PhysicalDeviceDescriptorIndexingFeatures,
        PhysicalDeviceVulkanMemoryModelFeatures,
        PhysicalDeviceScalarBlockLayoutFeatures,
        PhysicalDeviceHostQueryResetFeatures,
        PhysicalDeviceSubgroupSizeControlFeatures,
        PhysicalDeviceSynchronization2Features,
        PhysicalDeviceMaintenance4Features,
        PhysicalDeviceInlineUniformBlockFeatures,
        PhysicalDevicePrivateDataFeatures,
        PhysicalDeviceShaderIntegerDotProductFeatures,
        PhysicalDeviceZeroInitializeWorkgroupMemoryFeatures,
        PhysicalDeviceImageRobustnessFeatures,
        PhysicalDevicePipelineCreationCacheControlFeatures
    );
    any_order!(
        t,
        get_physical_device_properties2,
        PhysicalDeviceProperties2,
        PhysicalDeviceVulkan11Properties,
        PhysicalDeviceVulkan12Properties,
        PhysicalDeviceVulkan13Properties,
        PhysicalDeviceIDProperties,
        PhysicalDeviceSubgroupProperties,
        PhysicalDeviceMaintenance3Properties,
        PhysicalDeviceDriverProperties,
        PhysicalDeviceFloatControlsProperties,
        PhysicalDeviceTimelineSemaphoreProperties,
        PhysicalDeviceDescriptorIndexingProperties,
        PhysicalDeviceSubgroupSizeControlProperties,
        PhysicalDeviceInlineUniformBlockProperties,
        PhysicalDeviceTexelBufferAlignmentProperties,
        PhysicalDeviceMaintenance4Properties,
        PhysicalDeviceShaderIntegerDotProductProperties
    );
    Ok(())
}

unsafe fn features_consistent() -> R {
    let t = T::new(&[])?;
    need!(t.props.api_version >= vk::API_VERSION_1_3, "Vulkan 1.3");
    let i = t.instance();
    let mut f16 = vk::PhysicalDevice16BitStorageFeatures::default();
    let mut f8 = vk::PhysicalDevice8BitStorageFeatures::default();
    let mut half = vk::PhysicalDeviceShaderFloat16Int8Features::default();
    let mut indexing = vk::PhysicalDeviceDescriptorIndexingFeatures::default();
    let mut size = vk::PhysicalDeviceSubgroupSizeControlFeatures::default();
    let mut address = vk::PhysicalDeviceBufferDeviceAddressFeatures::default();
    let mut v11 = vk::PhysicalDeviceVulkan11Features::default();
    let mut v12 = vk::PhysicalDeviceVulkan12Features::default();
    let mut v13 = vk::PhysicalDeviceVulkan13Features::default();
    let mut head = vk::PhysicalDeviceFeatures2::default()
        .push_next(&mut f16)
        .push_next(&mut f8)
        .push_next(&mut half)
        .push_next(&mut indexing)
        .push_next(&mut size)
        .push_next(&mut address)
        .push_next(&mut v11)
        .push_next(&mut v12)
        .push_next(&mut v13);
    i.get_physical_device_features2(t.physical, &mut head);
    let core = head.features;
    let old = i.get_physical_device_features(t.physical);
    check!(bytes_of(&core) == bytes_of(&old), "the core features differ between the two queries");
    same!(booleans(&v11)[..4], booleans(&f16)[..4]);
    same!(
        [v12.storage_buffer8_bit_access, v12.uniform_and_storage_buffer8_bit_access, v12.storage_push_constant8],
        booleans(&f8)[..3]
    );
    same!([v12.shader_float16, v12.shader_int8], booleans(&half)[..2]);
    same!([v12.buffer_device_address, v12.buffer_device_address_capture_replay], booleans(&address)[..2]);
    same!([v13.subgroup_size_control, v13.compute_full_subgroups], booleans(&size)[..2]);
    same!(v12.runtime_descriptor_array, indexing.runtime_descriptor_array);
    // What a version requires.
    check!(v12.timeline_semaphore != 0 && v12.host_query_reset != 0);
    check!(v12.uniform_buffer_standard_layout != 0 && v12.subgroup_broadcast_dynamic_id != 0);
    check!(v12.shader_subgroup_extended_types != 0 && v12.buffer_device_address != 0 && v12.vulkan_memory_model != 0);
    check!(
        v13.synchronization2 != 0 && v13.maintenance4 != 0 && v13.private_data != 0 && v13.inline_uniform_block != 0
    );
    check!(
        v13.subgroup_size_control != 0 && v13.compute_full_subgroups != 0 && v13.pipeline_creation_cache_control != 0
    );
    check!(v13.shader_integer_dot_product != 0 && v13.shader_zero_initialize_workgroup_memory != 0);
    check!(v13.robust_image_access != 0 && core.robust_buffer_access != 0);
    for b in booleans(&v11)[..12].iter().chain(&booleans(&v13)[..15]) {
        check!(*b <= 1, "a feature is neither TRUE nor FALSE");
    }
    // What features require of each other.
    check!(v11.variable_pointers == 0 || v11.variable_pointers_storage_buffer != 0);
    check!(
        v12.descriptor_indexing == 0
            || v12.descriptor_binding_partially_bound != 0 && v12.runtime_descriptor_array != 0
    );
    Ok(())
}

unsafe fn bytes_of<S>(s: &S) -> &[u8] {
    std::slice::from_raw_parts(std::ptr::from_ref(s).cast(), size_of::<S>())
}

unsafe fn properties_consistent() -> R {
    let t = T::new(&[])?;
    need!(t.props.api_version >= vk::API_VERSION_1_3, "Vulkan 1.3");
    let v11 = t.property::<vk::PhysicalDeviceVulkan11Properties<'_>>();
    let v12 = t.property::<vk::PhysicalDeviceVulkan12Properties<'_>>();
    let v13 = t.property::<vk::PhysicalDeviceVulkan13Properties<'_>>();
    let id = t.property::<vk::PhysicalDeviceIDProperties<'_>>();
    same!(
        (v11.device_uuid, v11.driver_uuid, v11.device_luid_valid),
        (id.device_uuid, id.driver_uuid, id.device_luid_valid)
    );
    check!(v11.device_uuid != [0; 16] && v11.driver_uuid != [0; 16]);
    let sub = t.property::<vk::PhysicalDeviceSubgroupProperties<'_>>();
    same!(
        (v11.subgroup_size, v11.subgroup_supported_stages, v11.subgroup_supported_operations),
        (sub.subgroup_size, sub.supported_stages, sub.supported_operations)
    );
    check!(sub.supported_stages.contains(vk::ShaderStageFlags::COMPUTE));
    check!(sub.supported_operations.contains(vk::SubgroupFeatureFlags::BASIC));
    let m3 = t.property::<vk::PhysicalDeviceMaintenance3Properties<'_>>();
    same!(
        (v11.max_per_set_descriptors, v11.max_memory_allocation_size),
        (m3.max_per_set_descriptors, m3.max_memory_allocation_size)
    );
    check!(m3.max_per_set_descriptors >= 1024 && m3.max_memory_allocation_size >= 1 << 30);
    let driver = t.property::<vk::PhysicalDeviceDriverProperties<'_>>();
    same!(
        (v12.driver_id, v12.driver_name, v12.driver_info),
        (driver.driver_id, driver.driver_name, driver.driver_info)
    );
    let fc = t.property::<vk::PhysicalDeviceFloatControlsProperties<'_>>();
    same!(v12.shader_denorm_preserve_float32, fc.shader_denorm_preserve_float32);
    same!(v12.shader_rounding_mode_rtz_float16, fc.shader_rounding_mode_rtz_float16);
    same!(v12.denorm_behavior_independence, fc.denorm_behavior_independence);
    let timeline = t.property::<vk::PhysicalDeviceTimelineSemaphoreProperties<'_>>();
    same!(v12.max_timeline_semaphore_value_difference, timeline.max_timeline_semaphore_value_difference);
    check!(timeline.max_timeline_semaphore_value_difference >= (1 << 31) - 1);
    let size = t.property::<vk::PhysicalDeviceSubgroupSizeControlProperties<'_>>();
    same!(
        (
            v13.min_subgroup_size,
            v13.max_subgroup_size,
            v13.max_compute_workgroup_subgroups,
            v13.required_subgroup_size_stages
        ),
        (
            size.min_subgroup_size,
            size.max_subgroup_size,
            size.max_compute_workgroup_subgroups,
            size.required_subgroup_size_stages
        )
    );
    check!(size.min_subgroup_size.is_power_of_two() && size.max_subgroup_size.is_power_of_two());
    check!((size.min_subgroup_size..=size.max_subgroup_size).contains(&sub.subgroup_size));
    check!(size.max_compute_workgroup_subgroups >= 1);
    let inline = t.property::<vk::PhysicalDeviceInlineUniformBlockProperties<'_>>();
    same!(v13.max_inline_uniform_block_size, inline.max_inline_uniform_block_size);
    check!(inline.max_inline_uniform_block_size >= 256);
    let m4 = t.property::<vk::PhysicalDeviceMaintenance4Properties<'_>>();
    same!(v13.max_buffer_size, m4.max_buffer_size);
    check!(m4.max_buffer_size >= 1 << 30);
    check!(u64::from(t.props.limits.max_storage_buffer_range) <= m4.max_buffer_size);
    Ok(())
}

unsafe fn limits() -> R {
    let t = T::new(&[])?;
    let l = &t.props.limits;
    macro_rules! at_least {
        ($($field:ident $min:expr),* $(,)?) => {
            $(check!(l.$field >= $min, "{} is {}, should be at least {}", stringify!($field), l.$field, $min);)*
        };
    }
    at_least! {
        max_image_dimension1_d 4096, max_image_dimension2_d 4096, max_image_dimension3_d 256, max_image_array_layers 256,
        max_texel_buffer_elements 65536, max_uniform_buffer_range 16384, max_storage_buffer_range 1 << 27,
        max_push_constants_size 128, max_memory_allocation_count 4096, max_sampler_allocation_count 4000,
        max_bound_descriptor_sets 4, max_per_stage_descriptor_samplers 16, max_per_stage_descriptor_uniform_buffers 12,
        max_per_stage_descriptor_storage_buffers 4, max_per_stage_descriptor_sampled_images 16,
        max_per_stage_descriptor_storage_images 4, max_per_stage_resources 128, max_descriptor_set_samplers 16,
        max_descriptor_set_uniform_buffers 12, max_descriptor_set_uniform_buffers_dynamic 8,
        max_descriptor_set_storage_buffers 4, max_descriptor_set_storage_buffers_dynamic 4,
        max_descriptor_set_sampled_images 16, max_descriptor_set_storage_images 4, max_compute_shared_memory_size 16384,
        max_compute_work_group_invocations 128, max_sampler_lod_bias 2.0, min_memory_map_alignment 64,
        discrete_queue_priorities 2, max_texel_offset 7, sub_texel_precision_bits 4, mipmap_precision_bits 4,
    }
    check!(l.max_compute_work_group_count.iter().all(|n| *n >= 65535));
    check!(l.max_compute_work_group_size.iter().zip([128, 128, 64]).all(|(n, m)| *n >= m));
    check!(l.min_texel_offset <= -8);
    for (what, align, most) in [
        ("minTexelBufferOffsetAlignment", l.min_texel_buffer_offset_alignment, 256),
        ("minUniformBufferOffsetAlignment", l.min_uniform_buffer_offset_alignment, 256),
        ("minStorageBufferOffsetAlignment", l.min_storage_buffer_offset_alignment, 256),
        ("nonCoherentAtomSize", l.non_coherent_atom_size, 256),
        ("bufferImageGranularity", l.buffer_image_granularity, 131_072),
        ("optimalBufferCopyOffsetAlignment", l.optimal_buffer_copy_offset_alignment, u64::MAX),
        ("optimalBufferCopyRowPitchAlignment", l.optimal_buffer_copy_row_pitch_alignment, u64::MAX),
        ("minMemoryMapAlignment", l.min_memory_map_alignment as u64, u64::MAX),
    ] {
        check!(align.is_power_of_two() && align <= most, "{what} is {align}");
    }
    check!(l.timestamp_period > 0.0 && l.timestamp_period.is_finite());
    Ok(())
}

unsafe fn formats() -> R {
    use vk::Format as F;
    let t = T::new(&[])?;
    let sampled = vk::FormatFeatureFlags::SAMPLED_IMAGE
        | vk::FormatFeatureFlags::TRANSFER_SRC
        | vk::FormatFeatureFlags::TRANSFER_DST;
    let linear = sampled | vk::FormatFeatureFlags::SAMPLED_IMAGE_FILTER_LINEAR;
    let storage = vk::FormatFeatureFlags::STORAGE_IMAGE;
    let atomic = vk::FormatFeatureFlags::STORAGE_IMAGE_ATOMIC;
    let ut = vk::FormatFeatureFlags::UNIFORM_TEXEL_BUFFER;
    let st = vk::FormatFeatureFlags::STORAGE_TEXEL_BUFFER;
    let st_atomic = vk::FormatFeatureFlags::STORAGE_TEXEL_BUFFER_ATOMIC;
    let no = vk::FormatFeatureFlags::empty();
    let mut wrong = Vec::new();
    for (f, image, buffer) in [
        (F::R8_UNORM, linear, ut),
        (F::R8_SNORM, linear, ut),
        (F::R8_UINT, sampled, ut),
        (F::R8_SINT, sampled, ut),
        (F::R8G8_UNORM, linear, ut),
        (F::R8G8_SNORM, linear, ut),
        (F::R8G8_UINT, sampled, ut),
        (F::R8G8_SINT, sampled, ut),
        (F::R8G8B8A8_UNORM, linear | storage, ut | st),
        (F::R8G8B8A8_SNORM, linear | storage, ut | st),
        (F::R8G8B8A8_UINT, sampled | storage, ut | st),
        (F::R8G8B8A8_SINT, sampled | storage, ut | st),
        (F::R8G8B8A8_SRGB, linear, no),
        (F::B8G8R8A8_UNORM, linear, ut),
        (F::B8G8R8A8_SRGB, linear, no),
        (F::A8B8G8R8_UNORM_PACK32, linear, ut | st),
        (F::A2B10G10R10_UNORM_PACK32, linear, ut),
        (F::A2B10G10R10_UINT_PACK32, sampled, ut),
        (F::R16_UINT, sampled, ut),
        (F::R16_SINT, sampled, ut),
        (F::R16_SFLOAT, linear, ut),
        (F::R16G16_UINT, sampled, ut),
        (F::R16G16_SINT, sampled, ut),
        (F::R16G16_SFLOAT, linear, ut),
        (F::R16G16B16A16_UINT, sampled | storage, ut | st),
        (F::R16G16B16A16_SINT, sampled | storage, ut | st),
        (F::R16G16B16A16_SFLOAT, linear | storage, ut | st),
        (F::R32_UINT, sampled | storage | atomic, ut | st | st_atomic),
        (F::R32_SINT, sampled | storage | atomic, ut | st | st_atomic),
        (F::R32_SFLOAT, sampled | storage, ut | st),
        (F::R32G32_UINT, sampled | storage, ut | st),
        (F::R32G32_SINT, sampled | storage, ut | st),
        (F::R32G32_SFLOAT, sampled | storage, ut | st),
        (F::R32G32B32A32_UINT, sampled | storage, ut | st),
        (F::R32G32B32A32_SINT, sampled | storage, ut | st),
        (F::R32G32B32A32_SFLOAT, sampled | storage, ut | st),
        (F::B10G11R11_UFLOAT_PACK32, linear, ut),
        (F::E5B9G9R9_UFLOAT_PACK32, linear, no),
    ] {
        let p = t.format(f);
        if !p.optimal_tiling_features.contains(image) {
            wrong.push(format!("{f:?} lacks {:?}", image & !p.optimal_tiling_features));
        }
        if !p.buffer_features.contains(buffer) {
            wrong.push(format!("{f:?} lacks {:?}", buffer & !p.buffer_features));
        }
        let mut p3 = vk::FormatProperties3::default();
        let mut p2 = vk::FormatProperties2::default();
        if t.props.api_version >= vk::API_VERSION_1_3 {
            p2 = p2.push_next(&mut p3);
        }
        t.instance().get_physical_device_format_properties2(t.physical, f, &mut p2);
        let p2 = p2.format_properties;
        check!(
            (p.linear_tiling_features, p.optimal_tiling_features, p.buffer_features)
                == (p2.linear_tiling_features, p2.optimal_tiling_features, p2.buffer_features),
            "{f:?}"
        );
        if t.props.api_version >= vk::API_VERSION_1_3 {
            // The first 31 bits are the same in both.
            let low = |f: vk::FormatFeatureFlags2| f.as_raw() as u32 & 0x7fff_ffff;
            same!(low(p3.optimal_tiling_features), p.optimal_tiling_features.as_raw(), "for {f:?}");
            same!(low(p3.buffer_features), p.buffer_features.as_raw(), "for {f:?}");
        }
    }
    check!(wrong.is_empty(), "{}", wrong.join("; "));
    let none = t.format(F::UNDEFINED);
    check!((none.linear_tiling_features | none.optimal_tiling_features | none.buffer_features).is_empty());
    Ok(())
}

unsafe fn format_limits() -> R {
    let t = T::new(&[])?;
    let l = &t.props.limits;
    let get = |f, ty, tiling, usage| {
        t.instance().get_physical_device_image_format_properties(
            t.physical,
            f,
            ty,
            tiling,
            usage,
            vk::ImageCreateFlags::empty(),
        )
    };
    let usage = vk::ImageUsageFlags::STORAGE | vk::ImageUsageFlags::TRANSFER_DST;
    for (ty, dims) in [
        (vk::ImageType::TYPE_1D, [l.max_image_dimension1_d, 1, 1]),
        (vk::ImageType::TYPE_2D, [l.max_image_dimension2_d, l.max_image_dimension2_d, 1]),
        (vk::ImageType::TYPE_3D, [l.max_image_dimension3_d; 3]),
    ] {
        let p = get(vk::Format::R32_UINT, ty, vk::ImageTiling::OPTIMAL, usage)?;
        let e = p.max_extent;
        check!(e.width >= dims[0] && e.height >= dims[1] && e.depth >= dims[2], "{ty:?}: {e:?}");
        check!(
            p.max_mip_levels >= 1 && p.max_array_layers >= 1 && p.sample_counts.contains(vk::SampleCountFlags::TYPE_1)
        );
        check!(p.max_resource_size >= 1 << 31);
    }
    // A format without the feature is refused.
    let f = vk::Format::R8G8B8A8_SRGB;
    if !t.format(f).optimal_tiling_features.contains(vk::FormatFeatureFlags::STORAGE_IMAGE) {
        same!(
            get(f, vk::ImageType::TYPE_2D, vk::ImageTiling::OPTIMAL, vk::ImageUsageFlags::STORAGE).err(),
            Some(vk::Result::ERROR_FORMAT_NOT_SUPPORTED)
        );
    }
    Ok(())
}

unsafe fn memory_types() -> R {
    let t = T::new(&[])?;
    let m = &t.memory;
    let types = &m.memory_types[..m.memory_type_count as usize];
    let heaps = &m.memory_heaps[..m.memory_heap_count as usize];
    use vk::MemoryPropertyFlags as P;
    check!(types.iter().any(|x| x.property_flags.contains(P::HOST_VISIBLE | P::HOST_COHERENT)));
    check!(types.iter().any(|x| x.property_flags.contains(P::DEVICE_LOCAL)));
    check!(heaps.iter().any(|h| h.flags.contains(vk::MemoryHeapFlags::DEVICE_LOCAL)));
    check!(heaps.iter().all(|h| h.size > 0));
    let core = P::DEVICE_LOCAL | P::HOST_VISIBLE | P::HOST_COHERENT | P::HOST_CACHED;
    for (i, x) in types.iter().enumerate() {
        check!(x.heap_index < m.memory_heap_count);
        let f = x.property_flags;
        check!(!f.intersects(P::HOST_COHERENT | P::HOST_CACHED) || f.contains(P::HOST_VISIBLE), "type {i}: {f:?}");
        let local = heaps[x.heap_index as usize].flags.contains(vk::MemoryHeapFlags::DEVICE_LOCAL);
        same!(f.contains(P::DEVICE_LOCAL), local, "(type {i} and its heap)");
        // Whatever is a strict subset comes first.
        for (j, y) in types.iter().enumerate().skip(i + 1) {
            let (a, b) = (f & core, y.property_flags & core);
            check!(!(a.contains(b) && a != b), "type {j} ({b:?}) must stand before type {i} ({a:?})");
        }
    }
    // Requirements are the same whatever the order, and always offer host-visible coherent memory for buffers.
    let b = t.buf(1000)?;
    let r = t.d.get_buffer_memory_requirements(b.h);
    check!(r.size >= 1000 && r.alignment.is_power_of_two() && r.memory_type_bits != 0);
    check!(r.memory_type_bits >> m.memory_type_count == 0);
    t.memory_type(r.memory_type_bits, P::HOST_VISIBLE | P::HOST_COHERENT)?;
    Ok(())
}

unsafe fn queue_families() -> R {
    let t = T::new(&[])?;
    let families = t.instance().get_physical_device_queue_family_properties(t.physical);
    for (i, f) in families.iter().enumerate() {
        check!(f.queue_count > 0 && !f.queue_flags.is_empty());
        check!(f.timestamp_valid_bits == 0 || (36..=64).contains(&f.timestamp_valid_bits));
        let g = f.min_image_transfer_granularity;
        if f.queue_flags.intersects(vk::QueueFlags::COMPUTE | vk::QueueFlags::GRAPHICS) {
            check!((g.width, g.height, g.depth) == (1, 1, 1), "family {i}: {g:?}");
        }
    }
    // With a graphics family there must be one that computes too.
    let graphics = |f: &&vk::QueueFamilyProperties| f.queue_flags.contains(vk::QueueFlags::GRAPHICS);
    check!(
        families.iter().filter(graphics).count() == 0
            || families.iter().filter(graphics).any(|f| f.queue_flags.contains(vk::QueueFlags::COMPUTE))
    );
    let mut list = vec![vk::QueueFamilyProperties2::default(); families.len()];
    t.instance().get_physical_device_queue_family_properties2(t.physical, &mut list);
    for (a, b) in families.iter().zip(&list) {
        let b = b.queue_family_properties;
        same!(
            (a.queue_flags, a.queue_count, a.timestamp_valid_bits),
            (b.queue_flags, b.queue_count, b.timestamp_valid_bits)
        );
    }
    Ok(())
}

/// Creates a device and destroys it; the result of creation.
unsafe fn try_device(i: &ash::Instance, p: vk::PhysicalDevice, info: vk::DeviceCreateInfo<'_>) -> vk::Result {
    let queue = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
    match i.create_device(p, &info.queue_create_infos(&queue), None) {
        Ok(d) => {
            d.destroy_device(None);
            vk::Result::SUCCESS
        }
        Err(e) => e,
    }
}

unsafe fn unknown_extension() -> R {
    let i = Inst::new(vk::API_VERSION_1_3)?;
    let p = i.first()?;
    let mut list: Vec<_> = names(&i.i.enumerate_device_extension_properties(p)?);
    // Each known one on its own is taken, as far as it needs no other.
    let known = c"VK_KHR_maintenance1";
    if list.iter().any(|n| n.as_c_str() == known) {
        let e = [known.as_ptr()];
        same!(try_device(&i.i, p, vk::DeviceCreateInfo::default().enabled_extension_names(&e)), vk::Result::SUCCESS);
    }
    list.push(c"VK_KHR_no_such_thing".into());
    for bad in [c"VK_KHR_no_such_thing", c"", c"VK_KHR_maintenance1 "] {
        let e = [bad.as_ptr()];
        let r = try_device(&i.i, p, vk::DeviceCreateInfo::default().enabled_extension_names(&e));
        same!(r, vk::Result::ERROR_EXTENSION_NOT_PRESENT, "for {bad:?}");
    }
    // An instance extension is no device extension.
    let e = [ash::ext::debug_utils::NAME.as_ptr()];
    let r = try_device(&i.i, p, vk::DeviceCreateInfo::default().enabled_extension_names(&e));
    same!(r, vk::Result::ERROR_EXTENSION_NOT_PRESENT);
    Ok(())
}

unsafe fn unsupported_features() -> R {
    let i = Inst::new(vk::API_VERSION_1_3)?;
    let p = i.first()?;
    let supported = i.i.get_physical_device_features(p);
    let n = size_of::<vk::PhysicalDeviceFeatures>() / 4;
    let mut tried = 0;
    for k in 0..n {
        let read = |f: &vk::PhysicalDeviceFeatures| *std::ptr::from_ref(f).cast::<u32>().add(k);
        let mut f = vk::PhysicalDeviceFeatures::default();
        *std::ptr::from_mut(&mut f).cast::<u32>().add(k) = vk::TRUE;
        let want = if read(&supported) == 0 { vk::Result::ERROR_FEATURE_NOT_PRESENT } else { vk::Result::SUCCESS };
        same!(try_device(&i.i, p, vk::DeviceCreateInfo::default().enabled_features(&f)), want, "for core feature {k}");
        let mut f2 = vk::PhysicalDeviceFeatures2::default().features(f);
        same!(
            try_device(&i.i, p, vk::DeviceCreateInfo::default().push_next(&mut f2)),
            want,
            "for core feature {k} (chained)"
        );
        tried += u32::from(read(&supported) == 0);
    }
    macro_rules! each {
        ($($name:ident)*) => {$({
            let mut s = vk::$name::default();
            let mut head = vk::PhysicalDeviceFeatures2::default().push_next(&mut s);
            i.i.get_physical_device_features2(p, &mut head);
            let has = booleans(&s);
            for (k, _) in has.iter().enumerate().filter(|(_, b)| **b == 0) {
                // The last word may be padding.
                if size_of::<vk::$name<'_>>() % 8 == 0 && k + 1 == has.len() {
                    continue;
                }
                let mut s = vk::$name::default();
                *std::ptr::from_mut(&mut s).cast::<u8>().add(16).cast::<u32>().add(k) = vk::TRUE;
                let r = try_device(&i.i, p, vk::DeviceCreateInfo::default().push_next(&mut s));
                same!(r, vk::Result::ERROR_FEATURE_NOT_PRESENT, "for {} member {k}", stringify!($name));
                tried += 1;
            }
        })*};
    }
    if i.i.get_physical_device_properties(p).api_version >= vk::API_VERSION_1_3 {
        each! { PhysicalDeviceVulkan11Features PhysicalDeviceVulkan12Features PhysicalDeviceVulkan13Features
        PhysicalDeviceProtectedMemoryFeatures PhysicalDeviceShaderAtomicInt64Features }
    }
    println!("{tried} unsupported features tried");
    Ok(())
}

unsafe fn all_features() -> R {
    // The harness enables everything; all extensions at once as well.
    let i = Inst::new(vk::API_VERSION_1_3)?;
    let p = i.first()?;
    let list = names(&i.i.enumerate_device_extension_properties(p)?);
    // What an extension needs beyond the device must not be asked for here: window systems.
    let wsi = |n: &std::ffi::CString| {
        let n = n.to_string_lossy();
        ["swapchain", "present", "display", "surface"].iter().any(|w| n.contains(w))
    };
    // Two that exclude each other by their rules.
    let other = |n: &std::ffi::CString| n.as_c_str() == ash::ext::buffer_device_address::NAME;
    let pointers: Vec<_> = list.iter().filter(|n| !wsi(n) && !other(n)).map(|n| n.as_ptr()).collect();
    let r = try_device(&i.i, p, vk::DeviceCreateInfo::default().enabled_extension_names(&pointers));
    same!(r, vk::Result::SUCCESS);
    Ok(())
}

unsafe fn enabled_features_old_way() -> R {
    let i = Inst::new(vk::API_VERSION_1_0)?;
    let p = i.first()?;
    let f = i.i.get_physical_device_features(p);
    same!(try_device(&i.i, p, vk::DeviceCreateInfo::default().enabled_features(&f)), vk::Result::SUCCESS);
    Ok(())
}

unsafe fn queue_handles() -> R {
    let t = T::open(&cts::Setup { all_queues: true, ..cts::Setup::default() })?;
    let all: Vec<_> = t.queues.iter().flatten().collect();
    for (i, a) in all.iter().enumerate() {
        check!(**a != vk::Queue::null());
        check!(!all[..i].contains(a), "two queues are one");
    }
    let info = vk::DeviceQueueInfo2::default().queue_family_index(t.family).queue_index(0);
    same!(t.d.get_device_queue2(&info), t.queue);
    for q in all {
        t.d.queue_wait_idle(*q)?;
        t.d.queue_submit(*q, &[], vk::Fence::null())?;
    }
    Ok(())
}

unsafe fn external_capabilities() -> R {
    let t = T::new(&[])?;
    let i = t.instance();
    use vk::ExternalMemoryHandleTypeFlags as H;
    for ty in [H::OPAQUE_FD, H::DMA_BUF_EXT, H::HOST_ALLOCATION_EXT, H::OPAQUE_WIN32] {
        let info =
            vk::PhysicalDeviceExternalBufferInfo::default().usage(vk::BufferUsageFlags::STORAGE_BUFFER).handle_type(ty);
        let mut p = vk::ExternalBufferProperties::default();
        i.get_physical_device_external_buffer_properties(t.physical, &info, &mut p);
        let e = p.external_memory_properties;
        if !e.external_memory_features.is_empty() {
            check!(e.compatible_handle_types.contains(ty), "{ty:?} is not compatible with itself");
        }
    }
    let info = vk::PhysicalDeviceExternalSemaphoreInfo::default()
        .handle_type(vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_WIN32);
    let mut p = vk::ExternalSemaphoreProperties::default();
    i.get_physical_device_external_semaphore_properties(t.physical, &info, &mut p);
    check!(p.external_semaphore_features.is_empty(), "Windows handles on Linux");
    let info =
        vk::PhysicalDeviceExternalFenceInfo::default().handle_type(vk::ExternalFenceHandleTypeFlags::OPAQUE_WIN32);
    let mut p = vk::ExternalFenceProperties::default();
    i.get_physical_device_external_fence_properties(t.physical, &info, &mut p);
    check!(p.external_fence_features.is_empty(), "Windows handles on Linux");
    Ok(())
}

unsafe fn private_data() -> R {
    let t = T::new(&[])?;
    need!(t.features.v13.private_data != 0, "private data");
    let a = t.own(t.d.create_private_data_slot(&vk::PrivateDataSlotCreateInfo::default(), None)?);
    let b = t.own(t.d.create_private_data_slot(&vk::PrivateDataSlotCreateInfo::default(), None)?);
    let (x, y) = (t.fence()?, t.fence()?);
    same!(t.d.get_private_data(x, a), 0);
    t.d.set_private_data(x, a, 1 << 40)?;
    t.d.set_private_data(y, a, 2)?;
    t.d.set_private_data(x, b, 3)?;
    t.d.set_private_data(t.queue, b, 4)?;
    same!(
        [
            t.d.get_private_data(x, a),
            t.d.get_private_data(y, a),
            t.d.get_private_data(x, b),
            t.d.get_private_data(y, b)
        ],
        [1 << 40, 2, 3, 0]
    );
    same!(t.d.get_private_data(t.queue, b), 4);
    t.d.set_private_data(x, a, 9)?;
    same!(t.d.get_private_data(x, a), 9);
    Ok(())
}

unsafe fn object_names() -> R {
    let t = T::new(&[])?;
    let available = names(&t.entry().enumerate_instance_extension_properties(None)?);
    need!(available.iter().any(|n| n.as_c_str() == ash::ext::debug_utils::NAME), "VK_EXT_debug_utils");
    let ext = ash::ext::debug_utils::Device::new(t.instance(), &t.d);
    let b = t.buf(64)?;
    for name in [c"a name", c"", c"a much longer name with ümläuts"] {
        ext.set_debug_utils_object_name(
            &vk::DebugUtilsObjectNameInfoEXT::default().object_handle(b.h).object_name(name),
        )?;
    }
    ext.set_debug_utils_object_tag(
        &vk::DebugUtilsObjectTagInfoEXT::default().object_handle(b.h).tag_name(7).tag(&[1, 2, 3]),
    )?;
    let label = vk::DebugUtilsLabelEXT::default().label_name(c"region").color([1.0; 4]);
    ext.queue_begin_debug_utils_label(t.queue, &label);
    ext.queue_insert_debug_utils_label(t.queue, &label);
    t.now(|c| {
        ext.cmd_begin_debug_utils_label(c, &label);
        ext.cmd_insert_debug_utils_label(c, &label);
        t.d.cmd_fill_buffer(c, b.h, 0, 64, 5);
        ext.cmd_end_debug_utils_label(c);
    })?;
    ext.queue_end_debug_utils_label(t.queue);
    equal(&b.get::<u32>(), &[5; 16])
}

unsafe fn memory_requirements() -> R {
    let t = T::new(&[])?;
    let info = vk::BufferCreateInfo::default().size(12345).usage(usage());
    let b = t.own(t.d.create_buffer(&info, None)?);
    let old = t.d.get_buffer_memory_requirements(b);
    let mut dedicated = vk::MemoryDedicatedRequirements::default();
    let mut new = vk::MemoryRequirements2::default().push_next(&mut dedicated);
    t.d.get_buffer_memory_requirements2(&vk::BufferMemoryRequirementsInfo2::default().buffer(b), &mut new);
    let plain = |r: vk::MemoryRequirements| (r.size, r.alignment, r.memory_type_bits);
    same!(plain(new.memory_requirements), plain(old));
    if t.features.v13.maintenance4 != 0 {
        let mut r = vk::MemoryRequirements2::default();
        t.d.get_device_buffer_memory_requirements(
            &vk::DeviceBufferMemoryRequirements::default().create_info(&info),
            &mut r,
        );
        same!(plain(r.memory_requirements), plain(old), "without a buffer");
        // Larger buffers never need less.
        let mut before = 0;
        for size in [1, 16, 100, 4096, 65_537, 1 << 20] {
            let info = info.size(size);
            t.d.get_device_buffer_memory_requirements(
                &vk::DeviceBufferMemoryRequirements::default().create_info(&info),
                &mut r,
            );
            check!(r.memory_requirements.size >= size && r.memory_requirements.size >= before);
            before = r.memory_requirements.size;
        }
    }
    Ok(())
}

unsafe fn driver_strings() -> R {
    let t = T::new(&[])?;
    let p = t.property::<vk::PhysicalDeviceDriverProperties<'_>>();
    check!(!p.driver_name_as_c_str()?.is_empty(), "the driver has no name");
    p.driver_info_as_c_str()?;
    let v = p.conformance_version;
    // Whether it is conformant is not for a test to say; but a version must be one.
    check!(v.major <= 1 && v.minor <= 9);
    Ok(())
}

unsafe fn many_devices() -> R {
    // Devices of one instance, used at the same time from threads.
    let results = std::thread::scope(|s| {
        let threads: Vec<_> = (0..4u32)
            .map(|k| {
                s.spawn(move || {
                    let t = T::new(&[])?;
                    for round in 0..4 {
                        let b = t.zeros(4096)?;
                        t.compute(spv!("affine"), &[B::S(b)], &words(&[0, 1024, 1, k * 10 + round]), [16, 1, 1])?;
                        equal(&b.get::<u32>(), &[k * 10 + round; 1024])?;
                    }
                    R::Ok(())
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|_| Err(Stop::Fail("a thread panicked".into()))))
            .collect::<Vec<_>>()
    });
    results.into_iter().collect()
}
