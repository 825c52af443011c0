//! Descriptor heaps: descriptors in the application's memory, found by mappings or by the kernel itself.

use crate::images;
use crate::support::*;
use ash::vk;
use cts::generated::types;
use vk::DescriptorType as D;

tests! { constant_offsets, push_and_indirect_indices, addresses_and_data, images_and_samplers, embedded_conversion, kernel_reads_heap, border_color_indices }

const POINT: vk::PipelineBindPoint = vk::PipelineBindPoint::COMPUTE;

/// A device with descriptor heaps.
struct H {
    t: T,
    props: types::PhysicalDeviceDescriptorHeapPropertiesEXT<'static>,
    write_resources: types::PFN_vkWriteResourceDescriptorsEXT,
    write_samplers: types::PFN_vkWriteSamplerDescriptorsEXT,
    bind_resource_heap: types::PFN_vkCmdBindResourceHeapEXT,
    bind_sampler_heap: types::PFN_vkCmdBindSamplerHeapEXT,
    push_data: types::PFN_vkCmdPushDataEXT,
}

unsafe fn heaps() -> R<H> {
    let t = T::new(&[
        c"VK_EXT_descriptor_heap",
        c"VK_KHR_shader_untyped_pointers",
        ash::ext::custom_border_color::NAME,
        ash::khr::maintenance5::NAME,
    ])?;
    need!(t.features.descriptor_heap.descriptor_heap != 0, "descriptorHeap");
    let mut props = types::PhysicalDeviceDescriptorHeapPropertiesEXT::default();
    let mut head = vk::PhysicalDeviceProperties2 { p_next: (&raw mut props).cast(), ..Default::default() };
    t.instance().get_physical_device_properties2(t.physical, &mut head);
    props.p_next = std::ptr::null_mut();
    Ok(H {
        props,
        write_resources: command!(t, c"vkWriteResourceDescriptorsEXT", PFN_vkWriteResourceDescriptorsEXT),
        write_samplers: command!(t, c"vkWriteSamplerDescriptorsEXT", PFN_vkWriteSamplerDescriptorsEXT),
        bind_resource_heap: command!(t, c"vkCmdBindResourceHeapEXT", PFN_vkCmdBindResourceHeapEXT),
        bind_sampler_heap: command!(t, c"vkCmdBindSamplerHeapEXT", PFN_vkCmdBindSamplerHeapEXT),
        push_data: command!(t, c"vkCmdPushDataEXT", PFN_vkCmdPushDataEXT),
        t,
    })
}

/// A mapping of one binding of set 0 and of all resource types.
fn mapping(
    binding: u32,
    source: types::DescriptorMappingSourceEXT,
    data: types::DescriptorMappingSourceDataEXT<'static>,
) -> types::DescriptorSetAndBindingMappingEXT<'static> {
    types::DescriptorSetAndBindingMappingEXT {
        descriptor_set: 0,
        first_binding: binding,
        binding_count: 1,
        resource_mask: types::SpirvResourceTypeFlagsEXT::from_raw(0x7fff_ffff),
        source,
        source_data: data,
        ..Default::default()
    }
}

fn at(binding: u32, offset: u64) -> types::DescriptorSetAndBindingMappingEXT<'static> {
    let constant_offset =
        types::DescriptorMappingSourceConstantOffsetEXT { heap_offset: offset as u32, ..Default::default() };
    let data = types::DescriptorMappingSourceDataEXT { constant_offset };
    mapping(binding, types::DESCRIPTOR_MAPPING_SOURCE_HEAP_WITH_CONSTANT_OFFSET_EXT, data)
}

impl H {
    unsafe fn heap(&self, bytes: u64) -> R<Buf> {
        let b = self.t.buf_for(bytes, types::BUFFER_USAGE_DESCRIPTOR_HEAP_BIT_EXT)?;
        b.fill(0xcd);
        Ok(b)
    }

    unsafe fn address(&self, b: Buf) -> u64 {
        self.t.d.get_buffer_device_address(&vk::BufferDeviceAddressInfo::default().buffer(b.h))
    }

    unsafe fn put(&self, to: Buf, offset: u64, ty: D, data: types::ResourceDescriptorDataEXT<'_>) -> R {
        let image = !matches!(ty, D::STORAGE_BUFFER | D::UNIFORM_BUFFER);
        let size = if image { self.props.image_descriptor_size } else { self.props.buffer_descriptor_size };
        let mut bytes = vec![0xab_u8; size as usize];
        let info = types::ResourceDescriptorInfoEXT { ty, data, ..Default::default() };
        let range =
            types::HostAddressRangeEXT { address: bytes.as_mut_ptr().cast(), size: bytes.len(), ..Default::default() };
        (self.write_resources)(self.t.d.handle(), 1, &info, &range).result()?;
        to.put(offset as usize, &bytes);
        Ok(())
    }

    unsafe fn put_buffer(&self, to: Buf, offset: u64, ty: D, b: Buf) -> R {
        let range = types::DeviceAddressRangeKHR { address: self.address(b), size: b.size };
        self.put(to, offset, ty, types::ResourceDescriptorDataEXT { p_address_range: &range })
    }

    unsafe fn put_sampler(&self, to: Buf, offset: u64, info: &vk::SamplerCreateInfo<'_>) -> R {
        let mut bytes = vec![0xab_u8; self.props.sampler_descriptor_size as usize];
        let range =
            types::HostAddressRangeEXT { address: bytes.as_mut_ptr().cast(), size: bytes.len(), ..Default::default() };
        (self.write_samplers)(self.t.d.handle(), 1, info, &range).result()?;
        to.put(offset as usize, &bytes);
        Ok(())
    }

    unsafe fn pipeline(
        &self,
        code: &[u32],
        mappings: &[types::DescriptorSetAndBindingMappingEXT<'_>],
    ) -> R<vk::Pipeline> {
        let d = &self.t.d;
        let module = d.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(code), None)?;
        let maps = types::ShaderDescriptorSetAndBindingMappingInfoEXT {
            mapping_count: mappings.len() as u32,
            p_mappings: mappings.as_ptr(),
            ..Default::default()
        };
        let mut flags =
            vk::PipelineCreateFlags2CreateInfoKHR::default().flags(types::PIPELINE_CREATE_2_DESCRIPTOR_HEAP_BIT_EXT);
        let mut stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(module)
            .name(c"main");
        stage.p_next = (&raw const maps).cast();
        let info = vk::ComputePipelineCreateInfo::default().stage(stage).push_next(&mut flags);
        let made = d.create_compute_pipelines(vk::PipelineCache::null(), &[info], None);
        d.destroy_shader_module(module, None);
        Ok(self.t.own(made.map_err(|(_, e)| e)?[0]))
    }

    unsafe fn bind(&self, c: vk::CommandBuffer, heap: Buf, sampler: bool) {
        let (reserved, bind) = match sampler {
            true => (self.props.min_sampler_heap_reserved_range_with_embedded, self.bind_sampler_heap),
            false => (self.props.min_resource_heap_reserved_range, self.bind_resource_heap),
        };
        let info = types::BindHeapInfoEXT {
            heap_range: types::DeviceAddressRangeKHR { address: self.address(heap), size: heap.size },
            reserved_range_offset: heap.size - reserved,
            reserved_range_size: reserved,
            ..Default::default()
        };
        bind(c, &info);
    }

    unsafe fn push(&self, c: vk::CommandBuffer, offset: u32, bytes: &[u8]) {
        let data =
            types::HostAddressRangeConstEXT { address: bytes.as_ptr().cast(), size: bytes.len(), ..Default::default() };
        (self.push_data)(c, &types::PushDataInfoEXT { offset, data, ..Default::default() });
    }

    /// Runs `two.comp` with these mappings, heap and push data.
    unsafe fn two(&self, maps: &[types::DescriptorSetAndBindingMappingEXT<'_>], heap: Buf, push: &[u8], o: Buf) -> R {
        let p = self.pipeline(spv!("two"), maps)?;
        o.fill(0);
        self.t.now(|c| {
            self.t.d.cmd_bind_pipeline(c, POINT, p);
            self.bind(c, heap, false);
            self.push(c, 0, push);
            self.t.d.cmd_dispatch(c, 2, 1, 1);
        })?;
        let want: Vec<u32> = (0..64).map(|i| i * 3 + 100).collect();
        equal(&o.get::<u32>(), &want)
    }

    /// Room for `n` bytes and what the device reserves behind them.
    fn bytes(&self, n: u64) -> u64 {
        let p = &self.props;
        let align = p.image_descriptor_alignment.max(p.buffer_descriptor_alignment).max(p.sampler_descriptor_alignment);
        n.next_multiple_of(align)
            + p.min_resource_heap_reserved_range.max(p.min_sampler_heap_reserved_range_with_embedded)
    }
}

/// Buffers of `two.comp`.
unsafe fn two(t: &T) -> R<[Buf; 4]> {
    let a: Vec<u32> = (0..64).collect();
    Ok([t.buf_of(&a)?, t.buf_of(&[100u32; 64])?, t.buf_of(&[3u32, 64, 0, 0])?, t.zeros(256)?])
}

const TWO: [D; 4] = [D::STORAGE_BUFFER, D::STORAGE_BUFFER, D::UNIFORM_BUFFER, D::STORAGE_BUFFER];

unsafe fn constant_offsets() -> R {
    let h = heaps()?;
    let buffers = two(&h.t)?;
    let step = h.props.buffer_descriptor_size.next_multiple_of(h.props.buffer_descriptor_alignment);
    let heap = h.heap(h.bytes(8 * step))?;
    // In another order than the bindings'.
    let order = [5u64, 0, 3, 2];
    for i in 0..4 {
        h.put_buffer(heap, order[i] * step, TWO[i], buffers[i])?;
    }
    let maps: Vec<_> = (0u32..).zip(order).map(|(i, at_)| at(i, at_ * step)).collect();
    h.two(&maps, heap, &[0; 4], buffers[3])
}

unsafe fn push_and_indirect_indices() -> R {
    let h = heaps()?;
    let buffers = two(&h.t)?;
    let step = h.props.buffer_descriptor_size.next_multiple_of(h.props.buffer_descriptor_alignment);
    let heap = h.heap(h.bytes(16 * step))?;
    for (slot, i) in [(7u64, 0usize), (9, 1), (2, 2), (12, 3)] {
        h.put_buffer(heap, slot * step, TWO[i], buffers[i])?;
    }
    let indices = h.t.buf_of(&[0u32, 2, 77, 11])?;
    let stride = step as u32;
    use types as t;
    let push_index = t::DescriptorMappingSourcePushIndexEXT {
        heap_offset: 2 * stride,
        push_offset: 4,
        heap_index_stride: stride,
        heap_array_stride: 2 * stride,
        ..Default::default()
    };
    let indirect_index = t::DescriptorMappingSourceIndirectIndexEXT {
        heap_offset: 0,
        push_offset: 8,
        address_offset: 4,
        heap_index_stride: stride,
        heap_array_stride: 0,
        ..Default::default()
    };
    let indirect_index_array = t::DescriptorMappingSourceIndirectIndexArrayEXT {
        heap_offset: stride,
        push_offset: 8,
        address_offset: 12,
        heap_index_stride: stride,
        ..Default::default()
    };
    // Bindings 0 and 1 by one mapping, two descriptors apart.
    let maps = [
        t::DescriptorSetAndBindingMappingEXT {
            binding_count: 2,
            ..mapping(
                0,
                t::DESCRIPTOR_MAPPING_SOURCE_HEAP_WITH_PUSH_INDEX_EXT,
                t::DescriptorMappingSourceDataEXT { push_index },
            )
        },
        mapping(
            2,
            t::DESCRIPTOR_MAPPING_SOURCE_HEAP_WITH_INDIRECT_INDEX_EXT,
            t::DescriptorMappingSourceDataEXT { indirect_index },
        ),
        mapping(
            3,
            t::DESCRIPTOR_MAPPING_SOURCE_HEAP_WITH_INDIRECT_INDEX_ARRAY_EXT,
            t::DescriptorMappingSourceDataEXT { indirect_index_array },
        ),
    ];
    let mut push = words(&[0, 5]);
    push.extend(h.address(indices).to_ne_bytes());
    h.two(&maps, heap, &push, buffers[3])
}

unsafe fn addresses_and_data() -> R {
    let h = heaps()?;
    let [a, b, u, o] = two(&h.t)?;
    let step = h.props.buffer_descriptor_size.next_multiple_of(h.props.buffer_descriptor_alignment);
    let align = h.t.props.limits.min_uniform_buffer_offset_alignment.max(step);
    let heap = h.heap(h.bytes(align * 4))?;
    h.put_buffer(heap, 0, D::STORAGE_BUFFER, o)?;
    heap.put(align as usize * 3, &[3u32, 64, 0, 0]);
    let table = h.t.buf_of(&[0u64, h.address(b)])?;
    use types as t;
    let mut push = words(&[3, 64, 0, 0]);
    push.extend(h.address(a).to_ne_bytes());
    push.extend(h.address(table).to_ne_bytes());
    push.extend(words(&[align as u32, 0]));
    push.extend(h.address(u).to_ne_bytes());
    let data = |d| d;
    let indirect_address = t::DescriptorMappingSourceIndirectAddressEXT { push_offset: 24, address_offset: 8 };
    let heap_data = t::DescriptorMappingSourceHeapDataEXT { heap_offset: align as u32 * 2, push_offset: 32 };
    let uniforms = [
        mapping(
            2,
            t::DESCRIPTOR_MAPPING_SOURCE_PUSH_DATA_EXT,
            t::DescriptorMappingSourceDataEXT { push_data_offset: 0 },
        ),
        mapping(
            2,
            t::DESCRIPTOR_MAPPING_SOURCE_RESOURCE_HEAP_DATA_EXT,
            t::DescriptorMappingSourceDataEXT { heap_data },
        ),
        mapping(
            2,
            t::DESCRIPTOR_MAPPING_SOURCE_PUSH_ADDRESS_EXT,
            t::DescriptorMappingSourceDataEXT { push_address_offset: 40 },
        ),
    ];
    for uniform in uniforms {
        let maps = [
            mapping(
                0,
                t::DESCRIPTOR_MAPPING_SOURCE_PUSH_ADDRESS_EXT,
                data(t::DescriptorMappingSourceDataEXT { push_address_offset: 16 }),
            ),
            mapping(
                1,
                t::DESCRIPTOR_MAPPING_SOURCE_INDIRECT_ADDRESS_EXT,
                t::DescriptorMappingSourceDataEXT { indirect_address },
            ),
            uniform,
            at(3, 0),
        ];
        h.two(&maps, heap, &push, o)?;
    }
    Ok(())
}

unsafe fn images_and_samplers() -> R {
    let h = heaps()?;
    let t = &h.t;
    let usage = vk::ImageUsageFlags::SAMPLED | vk::ImageUsageFlags::TRANSFER_DST;
    let i = t.image(&images::flat(vk::Format::R8G8B8A8_UNORM, 4, 1).usage(usage))?;
    images::upload(t, &i, t.buf_of(&[0xff00_0033u32, 0x0000_ff00, 0x00ff_0000, 0xffff_ffff])?)?;
    let o = t.zeros(128)?;
    let (image_step, sampler_step) = (h.props.image_descriptor_size, h.props.sampler_descriptor_size);
    let resources = h.heap(h.bytes(4 * image_step.max(h.props.buffer_descriptor_size)))?;
    let samplers = h.heap(h.bytes(4 * sampler_step))?;
    let view = vk::ImageViewCreateInfo::default()
        .image(i.h)
        .view_type(vk::ImageViewType::TYPE_2D)
        .format(i.info.format)
        .subresource_range(whole());
    let image = types::ImageDescriptorInfoEXT { p_view: &view, layout: vk::ImageLayout::GENERAL, ..Default::default() };
    h.put(resources, image_step, D::SAMPLED_IMAGE, types::ResourceDescriptorDataEXT { p_image: &image })?;
    h.put_buffer(resources, 0, D::STORAGE_BUFFER, o)?;
    let mode = vk::SamplerAddressMode::CLAMP_TO_BORDER;
    let plain = vk::SamplerCreateInfo::default();
    let border = vk::SamplerCreateInfo::default()
        .address_mode_u(mode)
        .address_mode_v(mode)
        .address_mode_w(mode)
        .border_color(vk::BorderColor::FLOAT_OPAQUE_WHITE);
    h.put_sampler(samplers, 2 * sampler_step, &plain)?;
    // The sampler with the border is embedded, the other stands in the heap.
    let embedded =
        types::DescriptorMappingSourceConstantOffsetEXT { p_embedded_sampler: &border, ..Default::default() };
    let maps = [
        at(0, image_step),
        at(1, 0),
        types::DescriptorSetAndBindingMappingEXT {
            descriptor_set: 1,
            source_data: types::DescriptorMappingSourceDataEXT { constant_offset: embedded },
            ..at(0, 0)
        },
        types::DescriptorSetAndBindingMappingEXT { descriptor_set: 1, ..at(3, 2 * sampler_step) },
    ];
    let p = h.pipeline(spv!("embedded"), &maps)?;
    t.now(|c| {
        t.d.cmd_bind_pipeline(c, POINT, p);
        h.bind(c, resources, false);
        h.bind(c, samplers, true);
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    let got = o.get::<[f32; 4]>();
    let want = [[0.2, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [1.0; 4]];
    for (g, w) in got.iter().zip(want.iter().chain(&[[1.0; 4]; 4])) {
        check!(images::near(g, w, 1e-5), "{g:?}, should be {w:?}");
    }
    Ok(())
}

/// Luma and chroma of a 4 × 2 image in one buffer: two chroma texels, B before R.
const LUMA_CHROMA: [u8; 12] = [10, 20, 30, 40, 50, 60, 70, 80, 100, 110, 200, 210];

/// An image of two planes with [`LUMA_CHROMA`] in it, in layout GENERAL.
unsafe fn two_planes(t: &T) -> R<Img> {
    let usage = vk::ImageUsageFlags::SAMPLED | vk::ImageUsageFlags::TRANSFER_DST;
    let i = t.image(&images::flat(vk::Format::G8_B8R8_2PLANE_420_UNORM, 4, 2).usage(usage))?;
    let from = t.buf_of(&LUMA_CHROMA)?;
    let plane = |aspect_mask, width, height, buffer_offset| vk::BufferImageCopy {
        buffer_offset,
        image_subresource: vk::ImageSubresourceLayers { aspect_mask, layer_count: 1, ..Default::default() },
        image_extent: vk::Extent3D { width, height, depth: 1 },
        ..Default::default()
    };
    let regions = [plane(vk::ImageAspectFlags::PLANE_0, 4, 2, 0), plane(vk::ImageAspectFlags::PLANE_1, 2, 1, 8)];
    let (target, general) = (vk::ImageLayout::TRANSFER_DST_OPTIMAL, vk::ImageLayout::GENERAL);
    t.now(|c| {
        images::transition(t, c, &i, vk::ImageLayout::UNDEFINED, target);
        t.d.cmd_copy_buffer_to_image(c, from.h, i.h, target, &regions);
        images::transition(t, c, &i, target, general);
    })?;
    Ok(i)
}

unsafe fn embedded_conversion() -> R {
    let h = heaps()?;
    let t = &h.t;
    let format = vk::Format::G8_B8R8_2PLANE_420_UNORM;
    let wanted = vk::FormatFeatureFlags::SAMPLED_IMAGE
        | vk::FormatFeatureFlags::TRANSFER_DST
        | vk::FormatFeatureFlags::COSITED_CHROMA_SAMPLES;
    need!(t.features.v11.sampler_ycbcr_conversion != 0, "samplerYcbcrConversion");
    need!(t.format(format).optimal_tiling_features.contains(wanted), "{format:?}");
    let i = two_planes(t)?;
    let conversion = vk::SamplerYcbcrConversionCreateInfo::default()
        .format(format)
        .ycbcr_model(vk::SamplerYcbcrModelConversion::RGB_IDENTITY)
        .ycbcr_range(vk::SamplerYcbcrRange::ITU_FULL)
        .x_chroma_offset(vk::ChromaLocation::COSITED_EVEN)
        .y_chroma_offset(vk::ChromaLocation::COSITED_EVEN)
        .chroma_filter(vk::Filter::NEAREST);
    let conversion = t.d.create_sampler_ycbcr_conversion(&conversion, None)?;
    t.later(move |d| d.destroy_sampler_ycbcr_conversion(conversion, None));
    let mut converts = vk::SamplerYcbcrConversionInfo::default().conversion(conversion);
    let mut view_converts = converts;
    let view = vk::ImageViewCreateInfo::default()
        .image(i.h)
        .view_type(vk::ImageViewType::TYPE_2D_ARRAY)
        .format(format)
        .subresource_range(whole())
        .push_next(&mut view_converts);
    let mode = vk::SamplerAddressMode::CLAMP_TO_EDGE;
    let sampler = vk::SamplerCreateInfo::default()
        .address_mode_u(mode)
        .address_mode_v(mode)
        .address_mode_w(mode)
        .push_next(&mut converts);
    // A view with several planes may need the room of several descriptors.
    let planes = 3 * h.props.image_descriptor_size.max(h.props.buffer_descriptor_size);
    let heap = h.heap(h.bytes(2 * planes))?;
    let samplers = h.heap(h.bytes(h.props.sampler_descriptor_size))?;
    let image = types::ImageDescriptorInfoEXT { p_view: &view, layout: vk::ImageLayout::GENERAL, ..Default::default() };
    h.put(heap, 0, D::SAMPLED_IMAGE, types::ResourceDescriptorDataEXT { p_image: &image })?;
    // The middles of the luma texels that share their place with a chroma texel.
    let places = t.buf_of(&[[0.125f32, 0.25, 0.0, 0.0], [0.625, 0.25, 0.0, 0.0]])?;
    let o = t.zeros(32)?;
    let step = h.props.buffer_descriptor_size.next_multiple_of(h.props.buffer_descriptor_alignment);
    h.put_buffer(heap, planes, D::STORAGE_BUFFER, places)?;
    h.put_buffer(heap, planes + step, D::STORAGE_BUFFER, o)?;
    let constant_offset =
        types::DescriptorMappingSourceConstantOffsetEXT { p_embedded_sampler: &sampler, ..Default::default() };
    let maps = [
        types::DescriptorSetAndBindingMappingEXT {
            source_data: types::DescriptorMappingSourceDataEXT { constant_offset },
            ..at(0, 0)
        },
        at(1, planes),
        at(2, planes + step),
    ];
    let p = h.pipeline(spv!("sample"), &maps)?;
    t.now(|c| {
        t.d.cmd_bind_pipeline(c, POINT, p);
        h.bind(c, heap, false);
        h.bind(c, samplers, true);
        h.push(c, 0, &words(&[2]));
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    for (got, want) in o.get::<[f32; 4]>().iter().zip([[110.0, 10.0, 100.0, 255.0], [210.0, 30.0, 200.0, 255.0]]) {
        let want = want.map(|c: f32| c / 255.0);
        check!(images::near(got, &want, 2e-3), "{got:?}, should be {want:?}");
    }
    Ok(())
}

unsafe fn kernel_reads_heap() -> R {
    // Element n of an array of buffer descriptors is read, element n + 1 takes every other result.
    let h = heaps()?;
    need!(h.t.features.untyped_pointers.shader_untyped_pointers != 0, "shaderUntypedPointers");
    need!(h.t.features.v11.variable_pointers != 0, "variablePointers");
    let size = h.props.buffer_descriptor_size;
    let heap = h.heap(h.bytes(8 * size))?;
    let (a, b) = (h.t.buf_of(&[1u32, 2, 3, 4, 0])?, h.t.zeros(16)?);
    h.put_buffer(heap, 3 * size, D::STORAGE_BUFFER, a)?;
    h.put_buffer(heap, 4 * size, D::STORAGE_BUFFER, b)?;
    let p = h.pipeline(spv!("heap"), &[])?;
    h.t.now(|c| {
        h.t.d.cmd_bind_pipeline(c, POINT, p);
        h.bind(c, heap, false);
        h.push(c, 0, &words(&[3]));
        h.t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    equal(&a.get::<u32>(), &[1, 9, 3, 13, 0])?;
    equal(&b.get::<u32>(), &[7, 0, 11, 0])
}

unsafe fn border_color_indices() -> R {
    let h = heaps()?;
    let t = &h.t;
    need!(t.features.border_color.custom_border_colors != 0, "customBorderColors");
    let register = command!(t, c"vkRegisterCustomBorderColorEXT", PFN_vkRegisterCustomBorderColorEXT);
    let unregister = command!(t, c"vkUnregisterCustomBorderColorEXT", PFN_vkUnregisterCustomBorderColorEXT);
    let d = t.d.handle();
    let color = vk::SamplerCustomBorderColorCreateInfoEXT::default().format(vk::Format::R8G8B8A8_UNORM);
    let mut a = 5;
    register(d, &color, vk::TRUE, &mut a).result()?;
    same!(a, 5);
    let mut b = 0;
    register(d, &color, vk::FALSE, &mut b).result()?;
    check!(b != a);
    same!(register(d, &color, vk::TRUE, &mut a), vk::Result::ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS);
    unregister(d, a);
    register(d, &color, vk::TRUE, &mut a).result()?;
    unregister(d, a);
    unregister(d, b);
    Ok(())
}
