//! A GPU with packets simple enough to be decoded in a few lines, and one built-in kernel.

use ash::vk;
use runtime::{
    BindingSlot, CompileError, CompileRequest, CompiledKernel, DescriptorWrite, EncodeError, EncodeSink,
    FormatFeatures, Gpu, GpuCmd, GpuProps, HeapInfo, ImageCreate, ImageLayout, MemorySegment, MemoryTypeInfo,
    PlainDispatch, QueueFamily, Statistic, StatisticValue, SubgroupProps, SubresourceLayout, TexelRegion,
};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Size of buffer and texel-buffer descriptors: address, size.
pub const BUFFER_BYTES: u32 = 16;
/// Size of sampler descriptors.
pub const SAMPLER_BYTES: u32 = 16;
/// Size of image descriptors.
pub const IMAGE_BYTES: u32 = 32;

/// Packet codes.
#[allow(missing_docs)]
pub mod op {
    pub const DISPATCH: u64 = 1;
    pub const INDIRECT: u64 = 2;
    pub const COPY: u64 = 3;
    pub const FILL: u64 = 4;
    pub const UPDATE: u64 = 5;
    pub const RECT: u64 = 6;
    pub const CLEAR: u64 = 7;
    pub const BARRIER: u64 = 8;
    pub const STORE64: u64 = 9;
    pub const STORE32: u64 = 10;
    pub const WAIT32: u64 = 11;
    pub const QUERIES: u64 = 12;
    pub const CHAIN: u64 = 13;
    pub const TIME: u64 = 14;
}

/// The GPU.
#[derive(Debug)]
pub struct FakeGpu {
    /// Facts; tests change them.
    pub props: GpuProps,
    /// Calls of `compile`.
    pub compiled: AtomicUsize,
}

/// What the fake GPU says can be had at once.
pub const AVAILABLE_MEMORY: u64 = (1 << 30) + 4096;

impl Default for FakeGpu {
    fn default() -> FakeGpu {
        FakeGpu::new()
    }
}

impl FakeGpu {
    /// A GPU.
    pub fn new() -> FakeGpu {
        let limits = vk::PhysicalDeviceLimits {
            max_image_dimension1_d: 4096,
            max_image_dimension2_d: 4096,
            max_image_dimension3_d: 256,
            max_image_dimension_cube: 4096,
            max_image_array_layers: 256,
            min_storage_buffer_offset_alignment: 16,
            min_uniform_buffer_offset_alignment: 16,
            min_texel_buffer_offset_alignment: 16,
            max_compute_work_group_size: [1024, 1024, 64],
            max_compute_work_group_invocations: 1024,
            max_compute_shared_memory_size: 65536,
            timestamp_period: 1.0,
            ..Default::default()
        };
        let visible = vk::MemoryPropertyFlags::DEVICE_LOCAL
            | vk::MemoryPropertyFlags::HOST_VISIBLE
            | vk::MemoryPropertyFlags::HOST_COHERENT
            | vk::MemoryPropertyFlags::HOST_CACHED;
        let props = GpuProps {
            at_once: false,
            tables: false,
            fused_multiply_add: true,
            name: "fake".into(),
            driver_name: "fake".into(),
            driver_info: String::new(),
            driver_version: 1,
            driver_id: vk::DriverId::from_raw(0),
            vendor_id: 0x10005,
            device_id: 1,
            device_type: vk::PhysicalDeviceType::CPU,
            device_uuid: [1; 16],
            driver_uuid: [2; 16],
            pipeline_cache_uuid: [3; 16],
            pci: None,
            limits,
            max_buffer_size: 1 << 32,
            max_memory_allocation_size: 1 << 32,
            min_imported_host_pointer_alignment: 16,
            descriptor_align: 16,
            buffer_descriptors_are_words: true,
            combined_sampler_offset: IMAGE_BYTES,
            max_inline_uniform_block_size: 256,
            max_push_descriptors: 32,
            generated: None,
            subgroup: SubgroupProps {
                default_size: 8,
                min_size: 8,
                max_size: 32,
                max_per_workgroup: 128,
                operations: vk::SubgroupFeatureFlags::BASIC,
                quad_in_all_stages: false,
                size_control: true,
            },
            float_controls: Default::default(),
            matrices: Default::default(),
            features: runtime::GpuFeatures {
                sparse_binding: true,
                sparse_residency_buffer: true,
                ..Default::default()
            },
            heaps: vec![HeapInfo {
                segment: MemorySegment::Local,
                size: 1 << 32,
                flags: vk::MemoryHeapFlags::DEVICE_LOCAL,
            }],
            memory_types: vec![MemoryTypeInfo { heap: 0, flags: visible, sparse: true }],
            queue_families: vec![
                QueueFamily {
                    flags: vk::QueueFlags::from_raw(
                        vk::QueueFlags::COMPUTE.as_raw() | vk::QueueFlags::TRANSFER.as_raw(),
                    ),
                    count: 2,
                    node: 0,
                    timestamp_bits: 64,
                },
                QueueFamily { flags: vk::QueueFlags::TRANSFER, count: 1, node: 0, timestamp_bits: 64 },
            ],
            unified_memory: true,
        };
        FakeGpu { props, compiled: AtomicUsize::new(0) }
    }
}

fn packet(code: u64, words: &[u64], tail: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    body.extend_from_slice(tail);
    body.resize(body.len().next_multiple_of(8), 0);
    let mut out = code.to_le_bytes().to_vec();
    out.extend_from_slice(&(body.len() as u64 + 16).to_le_bytes());
    out.extend_from_slice(&body);
    out
}

fn pair(a: u32, b: u32) -> u64 {
    u64::from(a) | u64::from(b) << 32
}

/// First byte of a region.
fn start(r: &TexelRegion) -> u64 {
    r.address
        + u64::from(r.first_slice) * r.slice_pitch
        + u64::from(r.offset[1] / r.block[1]) * r.row_pitch
        + u64::from(r.offset[0] / r.block[0]) * u64::from(r.block[2])
}

fn rect(src: u64, dst: u64, pitches: [u64; 4], r: &TexelRegion, extent: [u32; 3]) -> Vec<u8> {
    let row_bytes = u64::from(extent[0].div_ceil(r.block[0])) * u64::from(r.block[2]);
    let rows = extent[1].div_ceil(r.block[1]);
    let [sr, ss, dr, ds] = pitches;
    packet(op::RECT, &[src, dst, sr, ss, dr, ds, row_bytes, pair(rows, extent[2])], &[])
}

#[allow(clippy::too_many_arguments)]
fn dispatch(
    code: u64,
    kernel: u64,
    kernel_bytes: u64,
    push: &[u8],
    sets: &[u64],
    dynamic: &[runtime::DynamicBuffer],
    where_: [u64; 3],
) -> Vec<u8> {
    let mut words = vec![kernel, kernel_bytes, where_[0], where_[1], where_[2]];
    words.extend([push.len() as u64, sets.len() as u64, dynamic.len() as u64]);
    words.extend(sets);
    dynamic.iter().for_each(|d| words.extend([d.address, d.size]));
    packet(code, &words, push)
}

impl Gpu for FakeGpu {
    fn props(&self) -> &GpuProps {
        &self.props
    }

    fn available_memory(&self) -> u64 {
        AVAILABLE_MEMORY
    }

    fn format_features(&self, format: vk::Format) -> FormatFeatures {
        if runtime::format::block(format, runtime::format::aspects(format)).is_none() {
            return FormatFeatures::default();
        }
        let image = vk::FormatFeatureFlags2::TRANSFER_SRC
            | vk::FormatFeatureFlags2::TRANSFER_DST
            | vk::FormatFeatureFlags2::STORAGE_IMAGE
            | vk::FormatFeatureFlags2::SAMPLED_IMAGE;
        FormatFeatures { linear: image, optimal: image, buffer: vk::FormatFeatureFlags2::STORAGE_TEXEL_BUFFER }
    }

    fn descriptor_size(&self, ty: vk::DescriptorType) -> u32 {
        use vk::DescriptorType as D;
        match ty {
            D::SAMPLER => SAMPLER_BYTES,
            D::COMBINED_IMAGE_SAMPLER => IMAGE_BYTES + SAMPLER_BYTES,
            D::SAMPLED_IMAGE | D::STORAGE_IMAGE => IMAGE_BYTES,
            D::UNIFORM_TEXEL_BUFFER | D::STORAGE_TEXEL_BUFFER | D::UNIFORM_BUFFER | D::STORAGE_BUFFER => BUFFER_BYTES,
            D::INLINE_UNIFORM_BLOCK => 1,
            _ => 0,
        }
    }

    fn write_descriptor(&self, _ty: vk::DescriptorType, write: &DescriptorWrite<'_>, out: &mut [u8]) {
        out.fill(0);
        let mut put = |at: usize, v: u64| out[at..at + 8].copy_from_slice(&v.to_le_bytes());
        match *write {
            DescriptorWrite::Null => {}
            DescriptorWrite::Buffer { address, size } | DescriptorWrite::TexelBuffer { address, size, .. } => {
                put(0, address);
                put(8, size);
            }
            DescriptorWrite::Image(view) => put(0, view.addresses[0]),
            DescriptorWrite::Sampler(s) => put(0, u64::from(s.min_lod.to_bits())),
            DescriptorWrite::Combined { view, sampler } => {
                put(0, view.map_or(0, |v| v.addresses[0]));
                put(IMAGE_BYTES as usize, sampler.map_or(0, |s| u64::from(s.min_lod.to_bits())));
            }
        }
    }

    fn image_layout(&self, create: &ImageCreate) -> Option<ImageLayout> {
        let block = runtime::format::block(create.format, runtime::format::aspects(create.format))?;
        let mut offset = 0;
        let mut layout = ImageLayout {
            size: 0,
            align: 64,
            sparse: None,
            levels: Default::default(),
            level_count: create.levels,
            plane_sizes: Default::default(),
        };
        for level in 0..create.levels {
            let [w, h, d] = create.level_extent(level).map(u64::from);
            let row_pitch = w.div_ceil(block.width.into()) * u64::from(block.bytes);
            let depth_pitch = row_pitch * h.div_ceil(block.height.into());
            let size = depth_pitch * d;
            let array_pitch = size.next_multiple_of(64);
            let level =
                SubresourceLayout { offset, size, row_pitch, array_pitch, depth_pitch, sample_pitch: 0, tiling: 0 };
            layout.levels.push(level);
            offset += array_pitch * u64::from(create.layers);
        }
        layout.size = offset;
        Some(layout)
    }

    fn compile(&self, request: &CompileRequest<'_>) -> Result<CompiledKernel, CompileError> {
        self.compiled.fetch_add(1, Ordering::Relaxed);
        // Where the kernel finds its buffer: in set 0, or among the dynamic ones.
        let slot = request.bindings.iter().find(|b: &&BindingSlot| b.set == 0);
        let place = match slot {
            Some(BindingSlot { dynamic: Some(i), .. }) => pair(1, *i),
            Some(b) => pair(0, b.offset),
            None => pair(2, 0),
        };
        let (place, record) = match (request.first, self.props.at_once) {
            (true, _) => (place, 32),
            (false, better) => (place | u64::from(better) << 63, 0),
        };
        let mut binary = place.to_le_bytes().to_vec();
        binary.resize(8 + record, 0);
        Ok(CompiledKernel {
            successor: (record > 0).then_some(8),
            binary,
            subgroup_size: request.subgroup_size.unwrap_or(8),
            local_size: request.kernel.local_size,
            statistics: vec![Statistic {
                name: "Size".into(),
                description: "bytes".into(),
                value: StatisticValue::U64(8),
            }],
            ir: request.want_ir.then(|| "ir".into()),
            asm: request.want_asm.then(|| "asm".into()),
        })
    }

    fn encode(&self, cmds: &[GpuCmd<'_>], sink: &mut dyn EncodeSink) -> Result<(), EncodeError> {
        for cmd in cmds {
            let bytes = match *cmd {
                GpuCmd::Dispatch { kernel, kernel_bytes, push, sets, dynamic, base, groups } => {
                    let place = [pair(base[0], groups[0]), pair(base[1], groups[1]), pair(base[2], groups[2])];
                    dispatch(op::DISPATCH, kernel, kernel_bytes, push, sets, dynamic, place)
                }
                GpuCmd::DispatchIndirect { kernel, kernel_bytes, push, sets, dynamic, indirect } => {
                    dispatch(op::INDIRECT, kernel, kernel_bytes, push, sets, dynamic, [indirect, 0, 0])
                }
                GpuCmd::DispatchGenerated { .. } => return Err(EncodeError::Unsupported("generated commands")),
                GpuCmd::CopyBuffer { src, dst, size } => packet(op::COPY, &[src, dst, size], &[]),
                GpuCmd::FillBuffer { dst, size, value } => packet(op::FILL, &[dst, size, value.into()], &[]),
                GpuCmd::UpdateBuffer { dst, data } => packet(op::UPDATE, &[dst, data.len() as u64], data),
                GpuCmd::CopyBufferToImage { buffer, row_pitch, slice_pitch, image, extent } => {
                    let pitches = [row_pitch, slice_pitch, image.row_pitch, image.slice_pitch];
                    rect(buffer, start(&image), pitches, &image, extent)
                }
                GpuCmd::CopyImageToBuffer { buffer, row_pitch, slice_pitch, image, extent } => {
                    let pitches = [image.row_pitch, image.slice_pitch, row_pitch, slice_pitch];
                    rect(start(&image), buffer, pitches, &image, extent)
                }
                GpuCmd::CopyImage { src, dst, extent } => {
                    let pitches = [src.row_pitch, src.slice_pitch, dst.row_pitch, dst.slice_pitch];
                    rect(start(&src), start(&dst), pitches, &src, extent)
                }
                GpuCmd::MemoryRegions { .. } => return Err(EncodeError::Unsupported("the fake GPU reads no tables")),
                GpuCmd::BlitImage { .. } => return Err(EncodeError::Unsupported("the fake GPU does not scale")),
                GpuCmd::ClearImage { image, extent, color } => {
                    let words = [
                        start(&image),
                        image.row_pitch,
                        image.slice_pitch,
                        pair(extent[0], extent[1]),
                        pair(extent[2], image.block[2]),
                        color[0].into(),
                    ];
                    packet(op::CLEAR, &words, &[])
                }
                GpuCmd::Barrier { .. } => packet(op::BARRIER, &[], &[]),
                GpuCmd::WriteTimestamp { query } => packet(op::TIME, &[query], &[]),
                GpuCmd::SetEvent { event, value } => packet(op::STORE32, &[event, value.into()], &[]),
                GpuCmd::WaitEvent { event } => packet(op::WAIT32, &[event], &[]),
                GpuCmd::WriteQuery { query, value } => {
                    sink.emit(&packet(op::STORE64, &[query, value], &[]))?;
                    packet(op::STORE64, &[query + 8, 1], &[])
                }
                GpuCmd::ResetQueries { first, count } => packet(op::FILL, &[first, u64::from(count) * 16, 0], &[]),
                GpuCmd::BeginCondition { .. }
                | GpuCmd::EndCondition
                | GpuCmd::BeginStatistics { .. }
                | GpuCmd::EndStatistics { .. } => return Err(EncodeError::Unsupported("conditions and counts")),
                GpuCmd::CopyQueryResults { first, count, dst, stride, flags, values: _ } => {
                    packet(op::QUERIES, &[first, dst, stride, pair(count, flags.as_raw())], &[])
                }
                GpuCmd::End => continue,
            };
            sink.emit(&bytes)?;
        }
        Ok(())
    }

    fn store_dispatch(&self, d: &PlainDispatch<'_>, out: &[AtomicU64]) -> usize {
        let words = |words: &[AtomicU64]| words.iter().map(|word| word.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let push: Vec<u8> = words(d.push).into_iter().flat_map(u64::to_le_bytes).collect();
        let swapped = |low: u64, high: u64| low & u64::from(u32::MAX) | high << 32;
        let [g0, g1, g2] = d.grid;
        // (base x, base y), (base z, groups x), (groups y, groups z).
        let place = [swapped(g0, g1 >> 32), swapped(g0 >> 32, g2), swapped(g1, g2 >> 32)];
        let push = &push[..d.push_bytes as usize];
        let packet = dispatch(op::DISPATCH, d.kernel, d.kernel_bytes, push, &words(d.sets), &[], place);
        let Some(room) = out.get(..packet.len() / 8) else { return 0 };
        for (to, bytes) in room.iter().zip(packet.chunks_exact(8)) {
            to.store(u64::from_le_bytes(bytes.try_into().unwrap()), Ordering::Relaxed);
        }
        room.len()
    }

    fn chain_size(&self) -> usize {
        32
    }

    fn chain(&self, target: u64, bytes: u64, out: &mut [u8]) {
        out.copy_from_slice(&packet(op::CHAIN, &[target, bytes], &[]));
    }
}
