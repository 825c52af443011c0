//! What a kernel of the corpus is: programs, resources with their first content, steps, and the check of the results.

use crate::Gpu;
use ash::vk;

/// How much work a plan is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Little: for tests of the corpus itself. The programs are the same as in full.
    Small,
    /// As measured.
    Full,
}

impl Scale {
    /// One of two.
    pub fn pick<T>(self, small: T, full: T) -> T {
        match self {
            Scale::Small => small,
            Scale::Full => full,
        }
    }
}

/// What a device may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `shaderFloat64`.
    Float64,
    /// `shaderFloat16` and `storageBuffer16BitAccess`.
    Half,
    /// `storageBuffer8BitAccess` and `shaderInt8`.
    Bytes,
    /// `shaderInt64`.
    Int64,
    /// `shaderIntegerDotProduct`.
    Dot,
    /// Arithmetic of subgroups in compute shaders.
    Subgroups,
}

impl Need {
    /// Why the device cannot run what has this need, if it cannot.
    pub fn missing(self, gpu: &Gpu) -> Option<&'static str> {
        let f = &gpu.features;
        match self {
            Need::Float64 => (f.core.shader_float64 == 0).then_some("no shaderFloat64"),
            Need::Half => (f.v12.shader_float16 == 0 || f.v11.storage_buffer16_bit_access == 0)
                .then_some("no shaderFloat16 or storageBuffer16BitAccess"),
            Need::Bytes => (f.v12.shader_int8 == 0 || f.v12.storage_buffer8_bit_access == 0)
                .then_some("no shaderInt8 or storageBuffer8BitAccess"),
            Need::Int64 => (f.core.shader_int64 == 0).then_some("no shaderInt64"),
            Need::Dot => (f.v13.shader_integer_dot_product == 0).then_some("no shaderIntegerDotProduct"),
            Need::Subgroups => {
                let mut subgroup = vk::PhysicalDeviceSubgroupProperties::default();
                let mut p = vk::PhysicalDeviceProperties2::default().push_next(&mut subgroup);
                // SAFETY: a valid chain.
                unsafe { gpu.instance().get_physical_device_properties2(gpu.physical, &mut p) };
                (!subgroup.supported_operations.contains(vk::SubgroupFeatureFlags::ARITHMETIC))
                    .then_some("no subgroup arithmetic")
            }
        }
    }
}

/// Kinds of descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// A storage buffer.
    Storage,
    /// A uniform buffer.
    Uniform,
    /// A storage image.
    Image,
    /// An image with a linear sampler that clamps to the edge.
    Sampled,
}

impl Binding {
    /// Vulkan's word for it.
    pub fn descriptor(self) -> vk::DescriptorType {
        match self {
            Binding::Storage => vk::DescriptorType::STORAGE_BUFFER,
            Binding::Uniform => vk::DescriptorType::UNIFORM_BUFFER,
            Binding::Image => vk::DescriptorType::STORAGE_IMAGE,
            Binding::Sampled => vk::DescriptorType::COMBINED_IMAGE_SAMPLER,
        }
    }
}

/// A shader and its interface.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Name of the shader's file.
    pub name: &'static str,
    /// SPIR-V.
    pub spirv: &'static [u8],
    /// Bindings 0, 1, … of set 0.
    pub bindings: &'static [Binding],
    /// Bytes of push constants.
    pub push: u32,
}

/// A resource with its first content.
#[derive(Clone, Debug)]
pub enum Resource {
    /// A buffer.
    Bytes(Vec<u8>),
    /// A buffer of zeros, of so many bytes.
    Zeros(u64),
    /// A picture: width and height, format of 4 bytes to a texel, and the texels.
    Image([u32; 2], vk::Format, Vec<u8>),
}

impl Resource {
    /// A buffer with these values.
    pub fn of<T: bytemuck::NoUninit>(values: &[T]) -> Resource {
        Resource::Bytes(bytemuck::cast_slice(values).to_vec())
    }
}

/// A part of a pass. What one step writes the next may read.
#[derive(Clone, Debug)]
pub enum Step {
    /// A dispatch.
    Dispatch {
        /// Index of the program.
        program: usize,
        /// Indices of the resources of bindings 0, 1, …
        resources: Vec<usize>,
        /// Push constants.
        push: Vec<u8>,
        /// Workgroups.
        groups: [u32; 3],
    },
    /// Sets a buffer to a word.
    Fill {
        /// Index of the resource.
        resource: usize,
        /// The word.
        word: u32,
    },
    /// Copies a buffer to another one of the same size.
    Copy {
        /// Index of the source.
        from: usize,
        /// Index of the target.
        to: usize,
    },
}

/// Content of the resources after one pass over their first content.
pub trait Results {
    /// The bytes of a resource.
    fn bytes(&self, resource: usize) -> &[u8];

    /// The content of a resource as 32-bit words.
    fn words(&self, resource: usize) -> Vec<u32> {
        bytemuck::allocation::pod_collect_to_vec(self.bytes(resource))
    }

    /// The content of a resource as 32-bit floats.
    fn floats(&self, resource: usize) -> Vec<f32> {
        bytemuck::allocation::pod_collect_to_vec(self.bytes(resource))
    }
}

/// Compares results with what the CPU computes; the error says what differs.
pub type Check = Box<dyn Fn(&dyn Results) -> Result<(), String>>;

/// A kernel of the corpus, ready to be put on a device.
pub struct Plan {
    /// Its programs.
    pub programs: Vec<Program>,
    /// Its resources.
    pub resources: Vec<Resource>,
    /// The steps of a pass.
    pub steps: Vec<Step>,
    /// Work of a pass, in the unit of its [`Case`].
    pub work: f64,
    /// The check.
    pub check: Check,
}

/// A row of the bench.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// Heading under which it stands.
    pub family: &'static str,
    /// Unit of work; the figure is work per second.
    pub unit: &'static str,
    /// How many times as fast as the best other driver it is to be at least.
    pub floor: f64,
    /// What the device must have.
    pub needs: &'static [Need],
    /// Makes the plan.
    pub plan: fn(Scale) -> Plan,
}
