//! Pictures: an image in memory of its own, with a view and a linear sampler.

use crate::{Error, Gpu};
use ash::vk;

/// A picture on the device, in layout `GENERAL` after its first upload.
pub struct Picture {
    /// The image.
    pub image: vk::Image,
    /// All of it.
    pub view: vk::ImageView,
    /// A linear sampler that clamps to the edge.
    pub sampler: vk::Sampler,
    /// Width and height.
    pub size: [u32; 2],
    memory: vk::DeviceMemory,
}

impl Picture {
    /// Makes a picture for storage, sampling and transfer.
    ///
    /// # Errors
    /// A failing call.
    pub fn new(gpu: &Gpu, size: [u32; 2], format: vk::Format) -> Result<Picture, Error> {
        let d = &gpu.device;
        let usage = vk::ImageUsageFlags::STORAGE
            | vk::ImageUsageFlags::SAMPLED
            | vk::ImageUsageFlags::TRANSFER_SRC
            | vk::ImageUsageFlags::TRANSFER_DST;
        let info = vk::ImageCreateInfo::default()
            .image_type(vk::ImageType::TYPE_2D)
            .format(format)
            .extent(vk::Extent3D { width: size[0], height: size[1], depth: 1 })
            .mip_levels(1)
            .array_layers(1)
            .samples(vk::SampleCountFlags::TYPE_1)
            .tiling(vk::ImageTiling::OPTIMAL)
            .usage(usage);
        let sampler = vk::SamplerCreateInfo::default()
            .mag_filter(vk::Filter::LINEAR)
            .min_filter(vk::Filter::LINEAR)
            .address_mode_u(vk::SamplerAddressMode::CLAMP_TO_EDGE)
            .address_mode_v(vk::SamplerAddressMode::CLAMP_TO_EDGE);
        // SAFETY: valid usage; the memory fits the requirements and is bound once.
        unsafe {
            let image = d.create_image(&info, None)?;
            let needs = d.get_image_memory_requirements(image);
            // Every type an image may have will do; the first is the implementation's favourite.
            let kind = needs.memory_type_bits.trailing_zeros();
            let allocate = vk::MemoryAllocateInfo::default().allocation_size(needs.size).memory_type_index(kind);
            let memory = d.allocate_memory(&allocate, None)?;
            d.bind_image_memory(image, memory, 0)?;
            let view = vk::ImageViewCreateInfo::default()
                .image(image)
                .view_type(vk::ImageViewType::TYPE_2D)
                .format(format)
                .subresource_range(range());
            let view = d.create_image_view(&view, None)?;
            let sampler = d.create_sampler(&sampler, None)?;
            Ok(Picture { image, view, sampler, size, memory })
        }
    }

    fn region(&self) -> vk::BufferImageCopy {
        vk::BufferImageCopy::default()
            .image_subresource(
                vk::ImageSubresourceLayers::default().aspect_mask(vk::ImageAspectFlags::COLOR).layer_count(1),
            )
            .image_extent(vk::Extent3D { width: self.size[0], height: self.size[1], depth: 1 })
    }

    /// Fills the picture from a buffer of tightly packed texels.
    ///
    /// # Errors
    /// A failing call.
    pub fn upload(&self, gpu: &Gpu, from: vk::Buffer) -> Result<(), Error> {
        gpu.run(|d, commands| {
            let barrier = vk::ImageMemoryBarrier::default()
                .dst_access_mask(vk::AccessFlags::TRANSFER_WRITE)
                .new_layout(vk::ImageLayout::GENERAL)
                .image(self.image)
                .subresource_range(range());
            // SAFETY: valid usage; `run` waits for the work.
            unsafe {
                let (top, transfer) = (vk::PipelineStageFlags::TOP_OF_PIPE, vk::PipelineStageFlags::TRANSFER);
                d.cmd_pipeline_barrier(commands, top, transfer, vk::DependencyFlags::empty(), &[], &[], &[barrier]);
                d.cmd_copy_buffer_to_image(commands, from, self.image, vk::ImageLayout::GENERAL, &[self.region()]);
            }
        })
    }

    /// Copies the picture to a buffer, tightly packed.
    ///
    /// # Errors
    /// A failing call.
    pub fn download(&self, gpu: &Gpu, to: vk::Buffer) -> Result<(), Error> {
        gpu.run(|d, commands| {
            // SAFETY: valid usage; `run` waits for the work.
            unsafe { d.cmd_copy_image_to_buffer(commands, self.image, vk::ImageLayout::GENERAL, to, &[self.region()]) }
        })
    }

    /// Destroys a picture that is not in use any more.
    pub fn free(self, gpu: &Gpu) {
        // SAFETY: the caller has waited for the work that uses it.
        unsafe {
            gpu.device.destroy_sampler(self.sampler, None);
            gpu.device.destroy_image_view(self.view, None);
            gpu.device.destroy_image(self.image, None);
            gpu.device.free_memory(self.memory, None);
        }
    }
}

fn range() -> vk::ImageSubresourceRange {
    vk::ImageSubresourceRange::default().aspect_mask(vk::ImageAspectFlags::COLOR).level_count(1).layer_count(1)
}
