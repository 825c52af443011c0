//! VK_EXT_descriptor_buffer: descriptors in memory of the application.

use super::VkResult;
use crate::edge::{opt, plain, In, Out, OutSlice, Slice};
use crate::objects::{CommandBuffer, Device};
use ash::vk;
use runtime::gpu::DescriptorWrite;
use runtime::{DescriptorSetLayout, PipelineLayout};
use smallvec::SmallVec;
use std::ffi::c_void;
use std::sync::Arc;

/// Bytes of what is captured of a buffer, an image, a view or a sampler: its address, which is all that its descriptors have of
/// their own. The memory it is bound to is captured and replayed by its own address.
pub const CAPTURE_BYTES: usize = 8;

pub fn get_descriptor_set_layout_size_ext(
    _device: &Device,
    layout: &Arc<DescriptorSetLayout>,
    out: Out<'_, vk::DeviceSize>,
) {
    out.set(u64::from(layout.bytes()));
}

pub fn get_descriptor_set_layout_binding_offset_ext(
    _device: &Device,
    layout: &Arc<DescriptorSetLayout>,
    binding: u32,
    out: Out<'_, vk::DeviceSize>,
) {
    out.set(u64::from(layout.binding_offset(binding).unwrap_or(0)));
}

/// A texel or other buffer by its address; an address of 0 is the null descriptor.
fn by_address<'a>(info: &vk::DescriptorAddressInfoEXT<'_>, texels: bool) -> DescriptorWrite<'a> {
    match (info.address, texels) {
        (0, _) => DescriptorWrite::Null,
        (address, false) => DescriptorWrite::Buffer { address, size: info.range },
        (address, true) => DescriptorWrite::TexelBuffer { address, size: info.range, format: info.format },
    }
}

/// What a descriptor is to say.
fn descriptor<'a>(info: In<'a, vk::DescriptorGetInfoEXT<'a>>) -> DescriptorWrite<'a> {
    use vk::DescriptorType as D;
    let data = info.data;
    // SAFETY: the type says which member of the union counts; it is null or valid, and so are the handles behind it that the type uses.
    unsafe {
        match info.ty {
            D::SAMPLER => {
                let sampler = plain(data.p_sampler, 1).first().and_then(|s| opt(*s));
                sampler.map_or(DescriptorWrite::Null, |s| DescriptorWrite::Sampler(s.info()))
            }
            D::COMBINED_IMAGE_SAMPLER => match plain(data.p_combined_image_sampler, 1).first() {
                Some(i) => DescriptorWrite::Combined {
                    view: opt(i.image_view).map(|v| v.info()),
                    sampler: opt(i.sampler).map(|s| s.info()),
                },
                None => DescriptorWrite::Null,
            },
            D::SAMPLED_IMAGE | D::STORAGE_IMAGE | D::INPUT_ATTACHMENT => {
                let view = plain(data.p_sampled_image, 1).first().and_then(|i| opt(i.image_view));
                view.map_or(DescriptorWrite::Null, |v| DescriptorWrite::Image(v.info()))
            }
            D::UNIFORM_TEXEL_BUFFER | D::STORAGE_TEXEL_BUFFER => {
                plain(data.p_uniform_texel_buffer, 1).first().map_or(DescriptorWrite::Null, |i| by_address(i, true))
            }
            D::UNIFORM_BUFFER | D::STORAGE_BUFFER => {
                plain(data.p_uniform_buffer, 1).first().map_or(DescriptorWrite::Null, |i| by_address(i, false))
            }
            _ => DescriptorWrite::Null,
        }
    }
}

pub fn get_descriptor_ext(device: &Device, info: In<'_, vk::DescriptorGetInfoEXT<'_>>, mut out: OutSlice<'_, u8>) {
    device.rt.gpu().write_descriptor(info.ty, &descriptor(info), out.bytes());
}

pub fn cmd_bind_descriptor_buffers_ext(cb: &CommandBuffer, infos: Slice<'_, vk::DescriptorBufferBindingInfoEXT<'_>>) {
    let addresses: SmallVec<[u64; 8]> = infos.iter().map(|i| i.address).collect();
    cb.rt.bind_descriptor_buffers(&addresses);
}

pub fn cmd_set_descriptor_buffer_offsets_ext(
    cb: &CommandBuffer,
    bind_point: vk::PipelineBindPoint,
    _layout: &Arc<PipelineLayout>,
    first: u32,
    indices: &[u32],
    offsets: &[vk::DeviceSize],
) {
    // What is bound for graphics cannot be used by anything.
    if bind_point == vk::PipelineBindPoint::COMPUTE {
        cb.rt.set_descriptor_buffer_offsets(first, indices, offsets);
    }
}

pub fn cmd_set_descriptor_buffer_offsets2_ext(
    cb: &CommandBuffer,
    info: In<'_, vk::SetDescriptorBufferOffsetsInfoEXT<'_>>,
) {
    if info.stage_flags.contains(vk::ShaderStageFlags::COMPUTE) {
        cb.rt.set_descriptor_buffer_offsets(info.first_set, info.buffer_indices(), info.offsets());
    }
}

pub fn cmd_bind_descriptor_buffer_embedded_samplers_ext(
    cb: &CommandBuffer,
    bind_point: vk::PipelineBindPoint,
    layout: &Arc<PipelineLayout>,
    set: u32,
) {
    if bind_point == vk::PipelineBindPoint::COMPUTE {
        cb.rt.bind_embedded_samplers(layout, set);
    }
}

pub fn cmd_bind_descriptor_buffer_embedded_samplers2_ext(
    cb: &CommandBuffer,
    info: In<'_, vk::BindDescriptorBufferEmbeddedSamplersInfoEXT<'_>>,
) {
    if let (true, Some(layout)) = (info.stage_flags.contains(vk::ShaderStageFlags::COMPUTE), info.layout()) {
        cb.rt.bind_embedded_samplers(layout, info.set);
    }
}

/// The address that was captured of a resource that is to be made again; `None` if it had none.
pub fn captured(info: In<'_, vk::OpaqueCaptureDescriptorDataCreateInfoEXT<'_>>) -> Option<u64> {
    let data = info.opaque_capture_descriptor_data.cast::<u64>();
    // SAFETY: valid usage: it is null or what a capture wrote, which has this size; nothing is said of alignment.
    let address = if data.is_null() { 0 } else { unsafe { data.read_unaligned() } };
    (address != 0).then_some(address)
}

/// # Safety
/// `data` is valid for writing [`CAPTURE_BYTES`].
unsafe fn put_capture(data: *mut c_void, address: u64) {
    // SAFETY: this function's contract; nothing is said of alignment.
    unsafe { data.cast::<u64>().write_unaligned(address) };
}

/// # Safety
/// `data` is valid for writing the size that the properties state.
pub unsafe fn get_buffer_opaque_capture_descriptor_data_ext(
    _device: &Device,
    info: In<'_, vk::BufferCaptureDescriptorDataInfoEXT<'_>>,
    data: *mut c_void,
) -> VkResult {
    // SAFETY: this function's contract.
    unsafe { put_capture(data, info.buffer().address()) };
    Ok(())
}

/// # Safety
/// `data` is valid for writing the size that the properties state.
pub unsafe fn get_image_opaque_capture_descriptor_data_ext(
    _device: &Device,
    info: In<'_, vk::ImageCaptureDescriptorDataInfoEXT<'_>>,
    data: *mut c_void,
) -> VkResult {
    // SAFETY: this function's contract.
    unsafe { put_capture(data, info.image().address()) };
    Ok(())
}

/// # Safety
/// `data` is valid for writing the size that the properties state.
pub unsafe fn get_image_view_opaque_capture_descriptor_data_ext(
    _device: &Device,
    info: In<'_, vk::ImageViewCaptureDescriptorDataInfoEXT<'_>>,
    data: *mut c_void,
) -> VkResult {
    // SAFETY: this function's contract.
    unsafe { put_capture(data, info.image_view().info().addresses[0]) };
    Ok(())
}

/// A sampler's descriptor says what the application said of the sampler, and nothing else.
///
/// # Safety
/// `data` is valid for writing the size that the properties state.
pub unsafe fn get_sampler_opaque_capture_descriptor_data_ext(
    _device: &Device,
    _info: In<'_, vk::SamplerCaptureDescriptorDataInfoEXT<'_>>,
    data: *mut c_void,
) -> VkResult {
    // SAFETY: this function's contract.
    unsafe { put_capture(data, 0) };
    Ok(())
}
