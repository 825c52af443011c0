//! A kernel that commands can be bound to.

use super::binary::PipelineBinary;
use super::cache::Key;
use super::tier::Upgrade;
use crate::device::Device;
use crate::error::Result;
use crate::gpu::{CompiledKernel, RobustnessLevel, Statistic};
use crate::heap::Block;
use crate::pipeline_layout::PipelineLayout;
use crate::shader_module::ShaderModule;
use ash::vk;
use std::sync::Arc;

/// Alignment of kernel binaries in GPU memory.
const KERNEL_ALIGN: u64 = 256;

/// VK_EXT_pipeline_robustness; `None` leaves it to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipelineRobustness {
    /// Storage buffers.
    pub storage: Option<RobustnessLevel>,
    /// Uniform buffers.
    pub uniform: Option<RobustnessLevel>,
    /// Images.
    pub image: Option<RobustnessLevel>,
}

/// Where the code of a program comes from.
#[derive(Clone, Debug)]
pub enum ProgramCode {
    /// SPIR-V.
    Module(Arc<ShaderModule>),
    /// The hash of SPIR-V that is not given (VK_EXT_shader_module_identifier): a kernel that was compiled before is found by it.
    Identifier([u8; 32]),
    /// A kernel that was compiled before (VK_KHR_pipeline_binary); the other parts of the creation are ignored, but for the layout.
    Binary(Arc<PipelineBinary>),
}

impl ProgramCode {
    /// Hash of the SPIR-V, or what stands for it.
    pub fn hash(&self) -> [u8; 32] {
        match self {
            ProgramCode::Module(module) => module.hash(),
            ProgramCode::Identifier(hash) => *hash,
            ProgramCode::Binary(binary) => binary.key(),
        }
    }
}

/// VkComputePipelineCreateInfo, and what VkShaderCreateInfoEXT says in its terms.
#[derive(Clone, Debug)]
pub struct ProgramCreate {
    /// Flags.
    pub flags: vk::PipelineCreateFlags2KHR,
    /// Code.
    pub code: ProgramCode,
    /// Name of the entry point.
    pub entry: String,
    /// Specialisation constants: id and value.
    pub specialization: Vec<(u32, Vec<u8>)>,
    /// Layout.
    pub layout: Arc<PipelineLayout>,
    /// Flags of the stage.
    pub stage_flags: vk::PipelineShaderStageCreateFlags,
    /// Required subgroup size.
    pub required_subgroup_size: Option<u32>,
    /// Robustness, if it differs from the device's.
    pub robustness: Option<PipelineRobustness>,
}

/// A text about a kernel, for VK_KHR_pipeline_executable_properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Representation {
    /// Short name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// The text.
    pub text: String,
}

/// The one executable of a program.
#[derive(Clone, Debug)]
pub struct ExecutableInfo {
    /// Name: the entry point.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Subgroup size.
    pub subgroup_size: u32,
    /// Workgroup size.
    pub local_size: [u32; 3],
    /// Numbers.
    pub statistics: Vec<Statistic>,
    /// Texts, if the program was made to keep them.
    pub representations: Vec<Representation>,
}

/// A compute VkPipeline or VkShaderEXT: a kernel in GPU memory and the layout through which it finds its data.
#[derive(Debug)]
pub struct Program {
    layout: Arc<PipelineLayout>,
    plain: bool,
    memory: Block,
    info: ExecutableInfo,
    key: Key,
    kernel: Arc<CompiledKernel>,
    upgrade: Option<Upgrade>,
}

impl Program {
    /// Space for a kernel in GPU memory, with the kernel in it.
    pub(super) fn place(device: &Device, kernel: &CompiledKernel) -> Result<Block> {
        let memory = device.heap().alloc(kernel.binary.len() as u64, KERNEL_ALIGN)?;
        memory.write(0, &kernel.binary);
        Ok(memory)
    }

    /// Places a kernel in GPU memory.
    pub(super) fn upload(
        device: &Device,
        layout: &Arc<PipelineLayout>,
        entry: &str,
        key: Key,
        kernel: Arc<CompiledKernel>,
        representations: Vec<Representation>,
        upgrade: Option<Upgrade>,
    ) -> Result<Arc<Program>> {
        let memory = Program::place(device, &kernel)?;
        Ok(Arc::new(Program {
            layout: layout.clone(),
            plain: layout.heap.is_none() && layout.sets.iter().flatten().all(|s| s.dynamic_count == 0),
            memory,
            info: ExecutableInfo {
                name: entry.to_owned(),
                description: "compute kernel".to_owned(),
                subgroup_size: kernel.subgroup_size,
                local_size: kernel.local_size,
                statistics: kernel.statistics.clone(),
                representations,
            },
            key,
            upgrade,
            kernel,
        }))
    }

    /// Its layout.
    pub fn layout(&self) -> &Arc<PipelineLayout> {
        &self.layout
    }

    /// Whether it has neither dynamic buffers nor descriptor heaps.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// What is known of the kernel.
    pub fn info(&self) -> &ExecutableInfo {
        &self.info
    }

    /// Address and bytes of the kernel binary.
    pub(crate) fn placed(&self) -> (u64, u64) {
        (self.memory.address(), self.memory.size())
    }

    /// What better code takes, if any may follow.
    pub(super) fn upgrade(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref()
    }

    pub(super) fn memory(&self) -> &Block {
        &self.memory
    }

    /// The kernel, and what it is found by.
    pub(super) fn kernel(&self) -> (&Key, &Arc<CompiledKernel>) {
        (&self.key, &self.kernel)
    }
}
