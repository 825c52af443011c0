//! VK_EXT_descriptor_heap: descriptors in heaps of the application, and what backs the bindings of shaders in them.

use super::image::view_create;
use super::sampler::sampler_info;
use super::VkResult;
use crate::edge::{opt, plain, In, Out, OutSlice, Slice};
use crate::generated::types;
use crate::objects::{CommandBuffer, Device, PhysicalDevice};
use ash::vk;
use runtime::descriptor_heap::{descriptor_size, HeapIndex, HeapPlace, MappedSampler, Mapping, MappingSource};
use runtime::gpu::{DescriptorWrite, SamplerInfo};
use runtime::{Image, ImageView, PipelineLayout};
use std::sync::Arc;

/// The bytes of a host range.
///
/// # Safety
/// The range is valid for writing, and nothing else uses it.
unsafe fn bytes<'a>(range: &types::HostAddressRangeEXT<'_>) -> OutSlice<'a, u8> {
    // SAFETY: this function's contract.
    unsafe { OutSlice::new(range.address.cast::<u8>(), range.size) }
}

pub fn write_sampler_descriptors_ext(
    device: &Device,
    samplers: Slice<'_, vk::SamplerCreateInfo<'_>>,
    descriptors: Slice<'_, types::HostAddressRangeEXT<'_>>,
) -> VkResult {
    let gpu = &**device.rt.gpu();
    let size = descriptor_size(gpu, vk::DescriptorType::SAMPLER) as usize;
    for (info, range) in samplers.iter().zip(descriptors.iter()) {
        // SAFETY: valid usage.
        let mut out = unsafe { bytes(range.get()) };
        if let Some(out) = out.bytes().get_mut(..size) {
            gpu.write_descriptor(vk::DescriptorType::SAMPLER, &DescriptorWrite::Sampler(&sampler_info(info)), out);
        }
    }
    Ok(())
}

/// Writes one resource descriptor.
fn write_resource(device: &Device, info: In<'_, types::ResourceDescriptorInfoEXT<'_>>, out: &mut [u8]) -> VkResult {
    use vk::DescriptorType as D;
    let gpu = &**device.rt.gpu();
    let ty = info.ty;
    let data = info.data;
    let mut write = |write: &DescriptorWrite<'_>| gpu.write_descriptor(ty, write, out);
    // SAFETY: the type says which member of the union counts; it is null or valid, and so is what it points at.
    unsafe {
        match ty {
            D::UNIFORM_BUFFER | D::STORAGE_BUFFER => match plain(data.p_address_range, 1).first() {
                Some(r) => write(&DescriptorWrite::Buffer { address: r.address, size: r.size }),
                None => write(&DescriptorWrite::Null),
            },
            D::UNIFORM_TEXEL_BUFFER | D::STORAGE_TEXEL_BUFFER => match In::opt(data.p_texel_buffer) {
                Some(t) => {
                    let types::DeviceAddressRangeKHR { address, size } = t.address_range;
                    write(&DescriptorWrite::TexelBuffer { address, size, format: t.format });
                }
                None => write(&DescriptorWrite::Null),
            },
            _ => match In::opt(data.p_image).and_then(|i| i.view()) {
                Some(v) => {
                    let view = device.ok(ImageView::new(&device.rt, v.image(), &view_create(v)))?;
                    write(&DescriptorWrite::Image(view.info()));
                }
                None => write(&DescriptorWrite::Null),
            },
        }
    }
    Ok(())
}

pub fn write_resource_descriptors_ext(
    device: &Device,
    resources: Slice<'_, types::ResourceDescriptorInfoEXT<'_>>,
    descriptors: Slice<'_, types::HostAddressRangeEXT<'_>>,
) -> VkResult {
    for (info, range) in resources.iter().zip(descriptors.iter()) {
        let size = descriptor_size(&**device.rt.gpu(), info.ty) as usize;
        // SAFETY: valid usage.
        let mut out = unsafe { bytes(range.get()) };
        match out.bytes().get_mut(..size) {
            Some(out) if size > 0 => write_resource(device, info, out)?,
            _ => return Err(device.fail(&runtime::Error::Unknown(format!("a descriptor of type {:?}", info.ty)))),
        }
    }
    Ok(())
}

pub fn cmd_bind_resource_heap_ext(cb: &CommandBuffer, info: In<'_, types::BindHeapInfoEXT<'_>>) {
    cb.rt.bind_descriptor_heap(false, info.heap_range.address);
}

pub fn cmd_bind_sampler_heap_ext(cb: &CommandBuffer, info: In<'_, types::BindHeapInfoEXT<'_>>) {
    cb.rt.bind_descriptor_heap(true, info.heap_range.address);
}

pub fn cmd_push_data_ext(cb: &CommandBuffer, info: In<'_, types::PushDataInfoEXT<'_>>) {
    cb.rt.push_constants(info.offset, info.data().address());
}

/// Binds the heaps that a secondary command buffer inherits.
pub fn inherit_heaps(cb: &CommandBuffer, info: In<'_, types::CommandBufferInheritanceDescriptorHeapInfoEXT<'_>>) {
    let heaps = [(false, info.resource_heap_bind_info()), (true, info.sampler_heap_bind_info())];
    for (sampler, heap) in heaps {
        if let Some(heap) = heap {
            cb.rt.bind_descriptor_heap(sampler, heap.heap_range.address);
        }
    }
}

pub fn register_custom_border_color_ext(
    device: &Device,
    _color: In<'_, vk::SamplerCustomBorderColorCreateInfoEXT<'_>>,
    request_index: vk::Bool32,
    index: Out<'_, u32>,
) -> VkResult {
    let asked = (request_index != vk::FALSE).then(|| index.before());
    let given = device.ok(device.rt.border_colors().register(asked))?;
    index.set(given);
    Ok(())
}

pub fn unregister_custom_border_color_ext(device: &Device, index: u32) {
    device.rt.border_colors().unregister(index);
}

/// An image's descriptors say its address, which its memory's captured address gives back; that of a sparse image is its own.
pub fn get_image_opaque_capture_data_ext(
    _device: &Device,
    images: Slice<'_, vk::Image>,
    datas: OutSlice<'_, types::HostAddressRangeEXT<'_>>,
) -> VkResult {
    for (i, image) in images.iter().enumerate() {
        let Some(range) = datas.get(i) else { continue };
        let address = image.object_opt().map_or(0, |i: &Arc<Image>| i.address()).to_ne_bytes();
        // SAFETY: valid usage.
        let mut out = unsafe { bytes(&range) };
        let n = out.len().min(address.len());
        out.bytes()[..n].copy_from_slice(&address[..n]);
    }
    Ok(())
}

/// The address that was captured of an image that is to be made again; `None` if it had none.
pub fn captured_image(info: In<'_, types::OpaqueCaptureDataCreateInfoEXT<'_>>) -> Option<u64> {
    let bytes = info.data()?.address().first_chunk::<8>()?;
    Some(u64::from_ne_bytes(*bytes)).filter(|a| *a != 0)
}

pub fn get_physical_device_descriptor_size_ext(pd: &PhysicalDevice, ty: vk::DescriptorType) -> vk::DeviceSize {
    u64::from(descriptor_size(&**pd.rt.gpu(), ty))
}

// ---- what backs the bindings of a shader ----

/// Collects the samplers that mappings embed.
struct Embedded(Vec<SamplerInfo>);

impl Embedded {
    /// The sampler of a mapping: embedded, or in the sampler heap.
    fn sampler(
        &mut self,
        embedded: Option<In<'_, vk::SamplerCreateInfo<'_>>>,
        packed: vk::Bool32,
        place: HeapPlace,
    ) -> MappedSampler {
        match embedded {
            Some(info) => {
                self.0.push(sampler_info(info));
                MappedSampler::Embedded(self.0.len() as u32 - 1)
            }
            None if packed != vk::FALSE => MappedSampler::Packed(place),
            None => MappedSampler::Heap(place),
        }
    }

    fn source(
        &mut self,
        kind: types::DescriptorMappingSourceEXT,
        data: &types::DescriptorMappingSourceDataEXT<'_>,
    ) -> MappingSource {
        use types as t;
        let place = |offset, index_stride, array_stride, index| HeapPlace { offset, index_stride, array_stride, index };
        // SAFETY: the source says which member of the union counts, and valid usage makes that one valid.
        unsafe {
            match kind {
                t::DESCRIPTOR_MAPPING_SOURCE_HEAP_WITH_CONSTANT_OFFSET_EXT => {
                    let s = In::new(&raw const data.constant_offset);
                    let sampler = place(s.sampler_heap_offset, 0, s.sampler_heap_array_stride, HeapIndex::None);
                    MappingSource::Heap {
                        place: place(s.heap_offset, 0, s.heap_array_stride, HeapIndex::None),
                        sampler: self.sampler(s.embedded_sampler(), vk::FALSE, sampler),
                    }
                }
                t::DESCRIPTOR_MAPPING_SOURCE_HEAP_WITH_PUSH_INDEX_EXT => {
                    let s = In::new(&raw const data.push_index);
                    let sampler = place(
                        s.sampler_heap_offset,
                        s.sampler_heap_index_stride,
                        s.sampler_heap_array_stride,
                        HeapIndex::Push(s.sampler_push_offset),
                    );
                    MappingSource::Heap {
                        place: place(
                            s.heap_offset,
                            s.heap_index_stride,
                            s.heap_array_stride,
                            HeapIndex::Push(s.push_offset),
                        ),
                        sampler: self.sampler(s.embedded_sampler(), s.use_combined_image_sampler_index, sampler),
                    }
                }
                t::DESCRIPTOR_MAPPING_SOURCE_HEAP_WITH_INDIRECT_INDEX_EXT => {
                    let s = In::new(&raw const data.indirect_index);
                    let index = |push, offset| HeapIndex::Indirect { push, offset };
                    let sampler = place(
                        s.sampler_heap_offset,
                        s.sampler_heap_index_stride,
                        s.sampler_heap_array_stride,
                        index(s.sampler_push_offset, s.sampler_address_offset),
                    );
                    MappingSource::Heap {
                        place: place(
                            s.heap_offset,
                            s.heap_index_stride,
                            s.heap_array_stride,
                            index(s.push_offset, s.address_offset),
                        ),
                        sampler: self.sampler(s.embedded_sampler(), s.use_combined_image_sampler_index, sampler),
                    }
                }
                t::DESCRIPTOR_MAPPING_SOURCE_HEAP_WITH_INDIRECT_INDEX_ARRAY_EXT => {
                    let s = In::new(&raw const data.indirect_index_array);
                    let index = |push, offset| HeapIndex::IndirectArray { push, offset };
                    let sampler = place(
                        s.sampler_heap_offset,
                        s.sampler_heap_index_stride,
                        0,
                        index(s.sampler_push_offset, s.sampler_address_offset),
                    );
                    MappingSource::Heap {
                        place: place(s.heap_offset, s.heap_index_stride, 0, index(s.push_offset, s.address_offset)),
                        sampler: self.sampler(s.embedded_sampler(), s.use_combined_image_sampler_index, sampler),
                    }
                }
                t::DESCRIPTOR_MAPPING_SOURCE_RESOURCE_HEAP_DATA_EXT => {
                    MappingSource::HeapData { offset: data.heap_data.heap_offset, push: data.heap_data.push_offset }
                }
                t::DESCRIPTOR_MAPPING_SOURCE_PUSH_DATA_EXT => MappingSource::PushData(data.push_data_offset),
                t::DESCRIPTOR_MAPPING_SOURCE_PUSH_ADDRESS_EXT => MappingSource::PushAddress(data.push_address_offset),
                t::DESCRIPTOR_MAPPING_SOURCE_INDIRECT_ADDRESS_EXT => MappingSource::IndirectAddress {
                    push: data.indirect_address.push_offset,
                    offset: data.indirect_address.address_offset,
                },
                _ => MappingSource::Unsupported,
            }
        }
    }
}

/// The layout of a pipeline or shader with descriptor heaps.
///
/// # Errors
/// Too many embedded samplers, no memory.
pub fn heap_layout(
    device: &Device,
    info: Option<In<'_, types::ShaderDescriptorSetAndBindingMappingInfoEXT<'_>>>,
) -> runtime::Result<Arc<PipelineLayout>> {
    let mut embedded = Embedded(Vec::new());
    let mappings = info.into_iter().flat_map(|i| i.mappings().iter());
    let mappings: Vec<Mapping> = mappings
        .map(|m| Mapping {
            set: m.descriptor_set,
            first_binding: m.first_binding,
            binding_count: m.binding_count,
            resource_mask: m.resource_mask.as_raw(),
            source: embedded.source(m.source, &m.get().source_data),
        })
        .collect();
    PipelineLayout::with_heaps(&device.rt, mappings, &embedded.0)
}

/// The layout of a pipeline: with heaps, or that which the application gives.
///
/// # Errors
/// As [`heap_layout`]; a pipeline without either.
pub fn pipeline_layout(
    device: &Device,
    info: In<'_, vk::ComputePipelineCreateInfo<'_>>,
    flags: vk::PipelineCreateFlags2KHR,
) -> VkResult<Arc<PipelineLayout>> {
    if flags.contains(types::PIPELINE_CREATE_2_DESCRIPTOR_HEAP_BIT_EXT) {
        return device.ok(heap_layout(device, info.stage().next()));
    }
    // SAFETY: valid usage: null or live.
    let given = unsafe { opt(info.layout) };
    given.cloned().ok_or_else(|| device.fail(&runtime::Error::Unknown("a pipeline without a layout".to_owned())))
}

/// VkPhysicalDeviceDescriptorHeapPropertiesEXT, without its header.
pub fn heap_properties(gpu: &dyn runtime::gpu::Gpu, out: &mut types::PhysicalDeviceDescriptorHeapPropertiesEXT<'_>) {
    use runtime::descriptor_heap::{descriptor_bytes, MAX_EMBEDDED_SAMPLERS, MAX_HEAP_BYTES};
    let bytes = descriptor_bytes(gpu);
    let align = u64::from(gpu.props().descriptor_align);
    out.sampler_heap_alignment = align;
    out.resource_heap_alignment = align;
    out.max_sampler_heap_size = MAX_HEAP_BYTES;
    out.max_resource_heap_size = MAX_HEAP_BYTES;
    // The driver puts nothing into the application's heaps.
    out.min_sampler_heap_reserved_range = 0;
    out.min_sampler_heap_reserved_range_with_embedded = 0;
    out.min_resource_heap_reserved_range = 0;
    out.sampler_descriptor_size = u64::from(bytes.sampler);
    out.image_descriptor_size = u64::from(bytes.image);
    out.buffer_descriptor_size = u64::from(bytes.buffer);
    out.sampler_descriptor_alignment = u64::from(bytes.sampler);
    out.image_descriptor_alignment = u64::from(bytes.image);
    out.buffer_descriptor_alignment = u64::from(bytes.buffer);
    out.max_push_data_size = runtime::MAX_PUSH_BYTES as u64;
    out.image_capture_replay_opaque_data_size = super::CAPTURE_BYTES;
    out.max_descriptor_heap_embedded_samplers = MAX_EMBEDDED_SAMPLERS;
    out.sampler_ycbcr_conversion_count = 1;
    out.sparse_descriptor_heaps = gpu.props().features.sparse_binding.into();
    out.protected_descriptor_heaps = vk::FALSE;
}
