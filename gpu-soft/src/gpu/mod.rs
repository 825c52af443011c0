//! The user half: what the runtime asks of a GPU.

mod compile;
mod descriptor;
mod encode;
mod formats;
mod image;
mod matrices;
mod parts;
mod props;

use crate::kernel_abi::Width;
use ash::vk;
use runtime::gpu::{
    CompileError, CompileRequest, CompiledKernel, DescriptorWrite, EncodeError, EncodeSink, FormatFeatures, Gpu,
    GpuCmd, GpuProps, ImageCreate, ImageLayout, PlainDispatch,
};
use std::sync::atomic::AtomicU64;

/// Switches of the software GPU; the defaults are what users want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Vector width of generated code in 32-bit lanes (4, 8, 16); the widest that the CPU runs by default, and in place of
    /// one that it does not run.
    pub width: Option<u32>,
    /// How many subgroups of a kernel run in lock-step (1, 2, 4), where the kernel allows it; by default the code generator
    /// chooses.
    pub jam: Option<u32>,
    /// Run kernels in the interpreter.
    pub interpret: bool,
    /// Report `VK_PHYSICAL_DEVICE_TYPE_*` other than CPU.
    pub device_type: Option<vk::PhysicalDeviceType>,
    /// Identity of the driver build; kernels are not shared between builds.
    pub build: [u64; 4],
}

/// The software GPU as the runtime drives it.
#[derive(Debug)]
pub struct Soft {
    props: GpuProps,
    width: Option<Width>,
    jam: Option<u32>,
}

impl Soft {
    /// A software GPU with these switches.
    pub fn new(options: Options) -> Soft {
        let best = Width::best();
        let wanted = options.width.and_then(Width::from_lanes).filter(|w| w.supported()).or(best);
        let width = if options.interpret || cfg!(not(feature = "llvm")) { None } else { wanted };
        Soft { props: props::props(width, &options), width, jam: options.jam }
    }

    /// Whether an adapter with this driver-private blob is a software GPU that this build can drive.
    pub fn drives(umd_private: &[u8]) -> bool {
        crate::umd::UmdInfo::from_bytes(umd_private) == Some(crate::umd::UmdInfo::CURRENT)
    }

    /// Bytes of the blob for [`Self::drives`].
    pub const UMD_PRIVATE_BYTES: usize = crate::umd::UMD_INFO_BYTES;
}

impl Gpu for Soft {
    fn props(&self) -> &GpuProps {
        &self.props
    }

    fn format_features(&self, format: vk::Format) -> FormatFeatures {
        formats::features(format)
    }

    fn available_memory(&self) -> u64 {
        crate::engine::available_memory()
    }

    fn descriptor_size(&self, ty: vk::DescriptorType) -> u32 {
        descriptor::size(ty)
    }

    fn write_descriptor(&self, ty: vk::DescriptorType, write: &DescriptorWrite<'_>, out: &mut [u8]) {
        descriptor::write(ty, write, out);
    }

    fn image_layout(&self, create: &ImageCreate) -> Option<ImageLayout> {
        image::layout(create)
    }

    fn compile(&self, request: &CompileRequest<'_>) -> Result<CompiledKernel, CompileError> {
        compile::compile(self.width, self.jam, &self.props.subgroup, request)
    }

    fn encode(&self, cmds: &[GpuCmd<'_>], sink: &mut dyn EncodeSink) -> Result<(), EncodeError> {
        let mut buffer = Vec::new();
        cmds.iter().try_for_each(|cmd| encode::encode(cmd, &mut buffer, sink))
    }

    fn store_dispatch(&self, dispatch: &PlainDispatch<'_>, out: &[AtomicU64]) -> usize {
        encode::store_dispatch(dispatch, out)
    }

    fn chain_size(&self) -> usize {
        encode::CHAIN_BYTES
    }

    fn chain(&self, target: u64, bytes: u64, out: &mut [u8]) {
        encode::chain(target, bytes, out);
    }

    fn accepts_binary(&self, binary: &[u8]) -> bool {
        crate::binary::accepts(binary)
    }

    fn addresses(&self, bytes: &[u8], out: &mut Vec<u64>) -> bool {
        // In packets as in descriptors an address is a word at a multiple of its size.
        let words = bytes.chunks_exact(8).filter_map(|w| w.try_into().ok()).map(u64::from_le_bytes);
        // Nothing lies on the first page.
        out.extend(words.filter(|w| *w >= 4096));
        true
    }

    fn timestamp_now(&self) -> Option<u64> {
        Some(crate::engine::now())
    }
}
