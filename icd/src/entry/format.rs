//! Formats and what images they can make.

use super::image::{narrow_flags, narrow_usage, not_compressed};
use super::physical_device::{external_memory, supported};
use super::VkResult;
use crate::edge::{In, InOut, Out, OutArray};
use crate::generated::types;
use crate::objects::PhysicalDevice;
use ash::vk;
use runtime::ImageFormatQuery;

/// The part of the 64 feature bits that the first version's structure has.
fn legacy(f: vk::FormatFeatureFlags2) -> vk::FormatFeatureFlags {
    vk::FormatFeatureFlags::from_raw((f.as_raw() & 0x7fff_ffff) as u32)
}

/// Copies of depth and stencil need no graphics queue here (VK_KHR_maintenance10).
fn aspect_copies(f: vk::FormatFeatureFlags2) -> vk::FormatFeatureFlags2 {
    let transfer = vk::FormatFeatureFlags2::TRANSFER_SRC | vk::FormatFeatureFlags2::TRANSFER_DST;
    if f.intersects(transfer) && f.contains(vk::FormatFeatureFlags2::DEPTH_STENCIL_ATTACHMENT) {
        types::FORMAT_FEATURE_2_DEPTH_COPY_ON_COMPUTE_QUEUE_BIT_KHR
            | types::FORMAT_FEATURE_2_DEPTH_COPY_ON_TRANSFER_QUEUE_BIT_KHR
            | types::FORMAT_FEATURE_2_STENCIL_COPY_ON_COMPUTE_QUEUE_BIT_KHR
            | types::FORMAT_FEATURE_2_STENCIL_COPY_ON_TRANSFER_QUEUE_BIT_KHR
    } else {
        vk::FormatFeatureFlags2::empty()
    }
}

fn format_properties(pd: &PhysicalDevice, format: vk::Format) -> vk::FormatProperties {
    let f = pd.rt.format_features(format);
    vk::FormatProperties {
        linear_tiling_features: legacy(f.linear),
        optimal_tiling_features: legacy(f.optimal),
        buffer_features: legacy(f.buffer),
    }
}

pub fn get_physical_device_format_properties(
    pd: &PhysicalDevice,
    format: vk::Format,
    out: Out<'_, vk::FormatProperties>,
) {
    out.set(format_properties(pd, format));
}

pub fn get_physical_device_format_properties2(
    pd: &PhysicalDevice,
    format: vk::Format,
    mut out: InOut<'_, vk::FormatProperties2<'_>>,
) {
    out.format_properties = format_properties(pd, format);
    let f = pd.rt.format_features(format);
    for mut node in out.chain() {
        if let Some(p) = node.cast::<vk::FormatProperties3<'_>>() {
            p.linear_tiling_features = f.linear | aspect_copies(f.linear);
            p.optimal_tiling_features = f.optimal | aspect_copies(f.optimal);
            p.buffer_features = f.buffer;
        } else if let Some(p) = node.cast::<types::FormatProperties4KHR<'_>>() {
            // No bit is defined yet.
            p.linear_tiling_features = types::FormatFeatureFlags4KHR::empty();
            p.optimal_tiling_features = types::FormatFeatureFlags4KHR::empty();
            p.buffer_features = types::FormatFeatureFlags4KHR::empty();
        }
    }
}

pub fn get_physical_device_image_format_properties(
    pd: &PhysicalDevice,
    format: vk::Format,
    ty: vk::ImageType,
    tiling: vk::ImageTiling,
    usage: vk::ImageUsageFlags,
    flags: vk::ImageCreateFlags,
    out: Out<'_, vk::ImageFormatProperties>,
) -> VkResult {
    let query = ImageFormatQuery { format, ty, tiling, usage, flags };
    match supported(pd.rt.image_format_properties(&query)) {
        Ok(p) => {
            out.set(p);
            Ok(())
        }
        Err(e) => {
            out.set(vk::ImageFormatProperties::default());
            Err(e)
        }
    }
}

pub fn get_physical_device_image_format_properties2(
    pd: &PhysicalDevice,
    info: In<'_, vk::PhysicalDeviceImageFormatInfo2<'_>>,
    mut out: InOut<'_, vk::ImageFormatProperties2<'_>>,
) -> VkResult {
    out.image_format_properties = vk::ImageFormatProperties::default();
    let query = ImageFormatQuery {
        format: info.format,
        ty: info.ty,
        tiling: info.tiling,
        usage: info.next::<types::ImageUsageFlags2CreateInfoKHR<'_>>().map_or(info.usage, |u| narrow_usage(u.usage)),
        flags: info.next::<types::ImageCreateFlags2CreateInfoKHR<'_>>().map_or(info.flags, |f| narrow_flags(f.flags)),
    };
    let mut properties = supported(pd.rt.image_format_properties(&query))?;
    let stencil = info
        .next::<types::ImageStencilUsage2CreateInfoKHR<'_>>()
        .map(|s| narrow_usage(s.stencil_usage))
        .or_else(|| info.next::<vk::ImageStencilUsageCreateInfo<'_>>().map(|s| s.stencil_usage));
    if let Some(usage) = stencil {
        let query = ImageFormatQuery { usage, ..query };
        let other = supported(pd.rt.image_format_properties(&query))?;
        properties.sample_counts &= other.sample_counts;
    }
    let handle =
        info.next::<vk::PhysicalDeviceExternalImageFormatInfo<'_>>().map(|e| e.handle_type).filter(|h| !h.is_empty());
    let external = handle.map(|h| external_memory(pd, h));
    if external.is_some_and(|e| e.external_memory_features.is_empty()) {
        return Err(vk::Result::ERROR_FORMAT_NOT_SUPPORTED);
    }
    out.image_format_properties = properties;
    let view = info.next::<vk::PhysicalDeviceImageViewImageFormatInfoEXT<'_>>().map(|v| v.image_view_type);
    for mut node in out.chain() {
        if let Some(p) = node.cast::<vk::ExternalImageFormatProperties<'_>>() {
            p.external_memory_properties = external.unwrap_or_default();
        } else if let Some(p) = node.cast::<vk::SamplerYcbcrConversionImageFormatProperties<'_>>() {
            p.combined_image_sampler_descriptor_count = 1;
        } else if let Some(p) = node.cast::<vk::FilterCubicImageViewImageFormatPropertiesEXT<'_>>() {
            let cubic = pd.rt.has_cubic_filter(&query, view);
            p.filter_cubic = cubic.into();
            p.filter_cubic_minmax = cubic.into();
        } else if let Some(p) = node.cast::<vk::HostImageCopyDevicePerformanceQueryEXT<'_>>() {
            // Host copies do not change where texels stand.
            p.optimal_device_access = vk::TRUE;
            p.identical_memory_layout = vk::TRUE;
        }
    }
    not_compressed(out);
    Ok(())
}

/// The API's form of what is bound at a time of images with sparse residency.
pub fn sparse_format(
    aspect_mask: vk::ImageAspectFlags,
    [width, height, depth]: [u32; 3],
) -> vk::SparseImageFormatProperties {
    vk::SparseImageFormatProperties {
        aspect_mask,
        image_granularity: vk::Extent3D { width, height, depth },
        flags: vk::SparseImageFormatFlags::SINGLE_MIPTAIL,
    }
}

fn sparse_query(
    pd: &PhysicalDevice,
    query: &ImageFormatQuery,
    samples: vk::SampleCountFlags,
) -> Option<vk::SparseImageFormatProperties> {
    pd.rt.sparse_block(query, samples).map(|(aspect, granularity)| sparse_format(aspect, granularity))
}

pub fn get_physical_device_sparse_image_format_properties(
    pd: &PhysicalDevice,
    format: vk::Format,
    ty: vk::ImageType,
    samples: vk::SampleCountFlags,
    usage: vk::ImageUsageFlags,
    tiling: vk::ImageTiling,
    out: OutArray<'_, vk::SparseImageFormatProperties>,
) {
    let query = ImageFormatQuery { format, ty, tiling, usage, flags: vk::ImageCreateFlags::empty() };
    let found: Vec<_> = sparse_query(pd, &query, samples).into_iter().collect();
    let _ = out.write(found);
}

pub fn get_physical_device_sparse_image_format_properties2(
    pd: &PhysicalDevice,
    info: In<'_, vk::PhysicalDeviceSparseImageFormatInfo2<'_>>,
    out: OutArray<'_, vk::SparseImageFormatProperties2<'_>>,
) {
    let query = ImageFormatQuery {
        format: info.format,
        ty: info.ty,
        tiling: info.tiling,
        usage: info.next::<types::ImageUsageFlags2CreateInfoKHR<'_>>().map_or(info.usage, |u| narrow_usage(u.usage)),
        flags: vk::ImageCreateFlags::empty(),
    };
    let found = sparse_query(pd, &query, info.samples);
    let _ = out.fill(usize::from(found.is_some()), |_, mut p: InOut<'_, vk::SparseImageFormatProperties2<'_>>| {
        p.properties = found.unwrap_or_default();
    });
}
