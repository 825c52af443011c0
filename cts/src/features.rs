//! The feature structures the tests know, in one chain: what a device has, and what it is opened with.

use ash::vk;
use std::ffi::{c_void, CStr};

/// Structures of the bindings, and those the bindings are too old for.
mod structures {
    pub use crate::generated::types::*;
    pub use ash::vk::*;
}

macro_rules! features {
    ($( $field:ident: $ty:ident, $condition:expr; )*) => {
        /// Feature structures by name; those of versions or extensions that are not enabled are all false.
        #[derive(Default)]
        pub struct Features {
            /// Vulkan 1.0.
            pub core: vk::PhysicalDeviceFeatures,
            $(
                #[doc = concat!("`Vk", stringify!($ty), "`.")]
                pub $field: structures::$ty<'static>,
            )*
        }

        impl Features {
            /// Links the structures that a device of this version with these extensions knows, and returns the head.
            fn link(&mut self, head: &mut vk::PhysicalDeviceFeatures2<'static>, version: u32, has: &dyn Fn(&CStr) -> bool) {
                let mut next: *mut c_void = std::ptr::null_mut();
                $(
                    let known = match $condition {
                        Condition::Version(v) => version >= v,
                        Condition::Extension(name) => has(name),
                    };
                    if known {
                        self.$field.p_next = next;
                        next = std::ptr::from_mut(&mut self.$field).cast();
                    }
                )*
                head.p_next = next;
            }
        }
    };
}

enum Condition {
    Version(u32),
    Extension(&'static CStr),
}
use Condition::{Extension, Version};

features! {
    v11: PhysicalDeviceVulkan11Features, Version(vk::API_VERSION_1_2);
    v12: PhysicalDeviceVulkan12Features, Version(vk::API_VERSION_1_2);
    v13: PhysicalDeviceVulkan13Features, Version(vk::API_VERSION_1_3);
    robustness2: PhysicalDeviceRobustness2FeaturesEXT, Extension(ash::ext::robustness2::NAME);
    atomic_float: PhysicalDeviceShaderAtomicFloatFeaturesEXT, Extension(ash::ext::shader_atomic_float::NAME);
    atomic_float2: PhysicalDeviceShaderAtomicFloat2FeaturesEXT, Extension(ash::ext::shader_atomic_float2::NAME);
    executables: PhysicalDevicePipelineExecutablePropertiesFeaturesKHR,
        Extension(ash::khr::pipeline_executable_properties::NAME);
    explicit_layout: PhysicalDeviceWorkgroupMemoryExplicitLayoutFeaturesKHR,
        Extension(ash::khr::workgroup_memory_explicit_layout::NAME);
    derivatives: PhysicalDeviceComputeShaderDerivativesFeaturesNV, Extension(c"VK_KHR_compute_shader_derivatives");
    clock: PhysicalDeviceShaderClockFeaturesKHR, Extension(ash::khr::shader_clock::NAME);
    rotate: PhysicalDeviceShaderSubgroupRotateFeaturesKHR, Extension(ash::khr::shader_subgroup_rotate::NAME);
    expect_assume: PhysicalDeviceShaderExpectAssumeFeaturesKHR, Extension(ash::khr::shader_expect_assume::NAME);
    device_fault: PhysicalDeviceFaultFeaturesEXT, Extension(ash::ext::device_fault::NAME);
    maintenance5: PhysicalDeviceMaintenance5FeaturesKHR, Extension(ash::khr::maintenance5::NAME);
    address_commands: PhysicalDeviceDeviceAddressCommandsFeaturesKHR, Extension(c"VK_KHR_device_address_commands");
    conditional: PhysicalDeviceConditionalRenderingFeaturesEXT, Extension(ash::ext::conditional_rendering::NAME);
    copy_indirect: PhysicalDeviceCopyMemoryIndirectFeaturesKHR, Extension(c"VK_KHR_copy_memory_indirect");
    decompression: PhysicalDeviceMemoryDecompressionFeaturesNV, Extension(c"VK_EXT_memory_decompression");
    float16_vectors: PhysicalDeviceShaderAtomicFloat16VectorFeaturesNV,
        Extension(c"VK_NV_shader_atomic_float16_vector");
    maintenance8: PhysicalDeviceMaintenance8FeaturesKHR, Extension(c"VK_KHR_maintenance8");
    pipeline_robustness: PhysicalDevicePipelineRobustnessFeaturesEXT, Extension(ash::ext::pipeline_robustness::NAME);
    mutable_descriptors: PhysicalDeviceMutableDescriptorTypeFeaturesEXT,
        Extension(ash::ext::mutable_descriptor_type::NAME);
    descriptor_heap: PhysicalDeviceDescriptorHeapFeaturesEXT, Extension(c"VK_EXT_descriptor_heap");
    untyped_pointers: PhysicalDeviceShaderUntypedPointersFeaturesKHR, Extension(c"VK_KHR_shader_untyped_pointers");
    descriptor_buffer: PhysicalDeviceDescriptorBufferFeaturesEXT, Extension(ash::ext::descriptor_buffer::NAME);
    border_color: PhysicalDeviceCustomBorderColorFeaturesEXT, Extension(ash::ext::custom_border_color::NAME);
    maximal_reconvergence: PhysicalDeviceShaderMaximalReconvergenceFeaturesKHR,
        Extension(ash::khr::shader_maximal_reconvergence::NAME);
    generated_commands: PhysicalDeviceDeviceGeneratedCommandsFeaturesEXT, Extension(c"VK_EXT_device_generated_commands");
    pipeline_binary: PhysicalDevicePipelineBinaryFeaturesKHR, Extension(c"VK_KHR_pipeline_binary");
    shader_object: PhysicalDeviceShaderObjectFeaturesEXT, Extension(ash::ext::shader_object::NAME);
    module_identifier: PhysicalDeviceShaderModuleIdentifierFeaturesEXT, Extension(ash::ext::shader_module_identifier::NAME);
    image_atomic_int64: PhysicalDeviceShaderImageAtomicInt64FeaturesEXT,
        Extension(ash::ext::shader_image_atomic_int64::NAME);
    long_vector: PhysicalDeviceShaderLongVectorFeaturesEXT, Extension(c"VK_EXT_shader_long_vector");
    indexing_64: PhysicalDeviceShader64BitIndexingFeaturesEXT, Extension(c"VK_EXT_shader_64bit_indexing");
    fma: PhysicalDeviceShaderFmaFeaturesKHR, Extension(c"VK_KHR_shader_fma");
    replicated: PhysicalDeviceShaderReplicatedCompositesFeaturesEXT, Extension(c"VK_EXT_shader_replicated_composites");
    raw_access: PhysicalDeviceRawAccessChainsFeaturesNV, Extension(c"VK_NV_raw_access_chains");
    relaxed_instructions: PhysicalDeviceShaderRelaxedExtendedInstructionFeaturesKHR,
        Extension(c"VK_KHR_shader_relaxed_extended_instruction");
    device_fault_khr: PhysicalDeviceFaultFeaturesKHR, Extension(c"VK_KHR_device_fault");
    cooperative_matrix: PhysicalDeviceCooperativeMatrixFeaturesKHR, Extension(ash::khr::cooperative_matrix::NAME);
}

impl Features {
    /// What the device has, of its version and of the extensions that `has` names.
    pub fn query(
        instance: &ash::Instance,
        physical: vk::PhysicalDevice,
        version: u32,
        has: &dyn Fn(&CStr) -> bool,
    ) -> Box<Features> {
        let mut features = Box::<Features>::default();
        let mut head = vk::PhysicalDeviceFeatures2::default();
        features.link(&mut head, version, has);
        // SAFETY: the chain links live structures, each once, that the device knows.
        unsafe { instance.get_physical_device_features2(physical, &mut head) };
        features.core = head.features;
        features
    }

    /// The chain for device creation: head of a list into `self`, which must stay where it is while the head is in use.
    pub fn chain(&mut self, version: u32, has: &dyn Fn(&CStr) -> bool) -> vk::PhysicalDeviceFeatures2<'static> {
        let mut head = vk::PhysicalDeviceFeatures2::default().features(self.core);
        self.link(&mut head, version, has);
        head
    }
}
