//! Which features are supported, in one table, and the structures they travel in.

use crate::edge::{In, InOut, OutNode};
use crate::extensions::Caps;
pub use crate::generated::features::{Feature, FeatureTable};
use crate::generated::features::{CORE_1_0, FEATURE_STRUCTS};
use ash::vk;

/// A feature structure: a header and `count` Booleans.
#[derive(Debug)]
pub struct FeatureStruct {
    /// Number of its `sType`.
    pub s_type: i32,
    /// The registry's name.
    pub name: &'static str,
    /// Number of members.
    pub count: usize,
    /// What the members are; none: nothing of it is supported.
    pub fields: Option<&'static [Feature]>,
}

/// The table. Every field must be named, so a new feature cannot be forgotten here.
pub fn supported(caps: &Caps<'_>) -> FeatureTable {
    let p = caps.props;
    let f = &p.features;
    FeatureTable {
        // Core 1.0. Features of graphics that a version requires of every device say nothing on one without graphics queues.
        robustBufferAccess: true,
        fullDrawIndexUint32: true,
        imageCubeArray: f.image_cube_array,
        independentBlend: true,
        geometryShader: false,
        tessellationShader: false,
        sampleRateShading: true,
        dualSrcBlend: false,
        logicOp: false,
        multiDrawIndirect: false,
        drawIndirectFirstInstance: true,
        depthClamp: true,
        depthBiasClamp: true,
        fillModeNonSolid: false,
        depthBounds: false,
        wideLines: false,
        largePoints: true,
        alphaToOne: false,
        multiViewport: false,
        samplerAnisotropy: f.sampler_anisotropy,
        textureCompressionETC2: f.texture_compression_etc2,
        textureCompressionASTC_LDR: f.texture_compression_astc_ldr,
        textureCompressionBC: f.texture_compression_bc,
        occlusionQueryPrecise: false,
        pipelineStatisticsQuery: f.invocation_count,
        vertexPipelineStoresAndAtomics: false,
        fragmentStoresAndAtomics: true,
        shaderTessellationAndGeometryPointSize: false,
        shaderImageGatherExtended: f.image_gather_extended,
        shaderStorageImageExtendedFormats: f.storage_image_extended_formats,
        shaderStorageImageMultisample: f.storage_image_multisample,
        shaderStorageImageReadWithoutFormat: f.storage_image_read_without_format,
        shaderStorageImageWriteWithoutFormat: f.storage_image_write_without_format,
        shaderUniformBufferArrayDynamicIndexing: true,
        shaderSampledImageArrayDynamicIndexing: true,
        shaderStorageBufferArrayDynamicIndexing: true,
        shaderStorageImageArrayDynamicIndexing: true,
        shaderClipDistance: false,
        shaderCullDistance: false,
        shaderFloat64: f.shader_float64,
        shaderInt64: f.shader_int64,
        shaderInt16: f.shader_int16,
        shaderResourceResidency: f.resource_residency,
        shaderResourceMinLod: f.resource_min_lod,
        sparseBinding: f.sparse_binding,
        sparseResidencyBuffer: f.sparse_residency_buffer,
        sparseResidencyImage2D: f.sparse_residency_image_2d,
        sparseResidencyImage3D: f.sparse_residency_image_3d,
        sparseResidency2Samples: false,
        sparseResidency4Samples: false,
        sparseResidency8Samples: false,
        sparseResidency16Samples: false,
        sparseResidencyAliased: f.sparse_residency_aliased,
        variableMultisampleRate: false,
        inheritedQueries: f.invocation_count,
        // Core 1.1. Multiview, imageless framebuffers and the like say nothing on a device without graphics queues.
        storageBuffer16BitAccess: f.storage_buffer_16bit,
        uniformAndStorageBuffer16BitAccess: f.storage_buffer_16bit,
        storagePushConstant16: f.push_constant_16bit,
        storageInputOutput16: false,
        multiview: true,
        multiviewGeometryShader: false,
        multiviewTessellationShader: false,
        variablePointersStorageBuffer: f.variable_pointers,
        variablePointers: f.variable_pointers,
        protectedMemory: false,
        samplerYcbcrConversion: f.sampler_ycbcr_conversion,
        shaderDrawParameters: false,
        // Core 1.2.
        samplerMirrorClampToEdge: f.sampler_mirror_clamp_to_edge,
        drawIndirectCount: false,
        storageBuffer8BitAccess: f.storage_buffer_8bit,
        uniformAndStorageBuffer8BitAccess: f.storage_buffer_8bit,
        storagePushConstant8: f.push_constant_8bit,
        shaderBufferInt64Atomics: f.buffer_int64_atomics,
        shaderSharedInt64Atomics: f.shared_int64_atomics,
        shaderFloat16: f.shader_float16,
        shaderInt8: f.shader_int8,
        descriptorIndexing: f.descriptor_indexing,
        shaderInputAttachmentArrayDynamicIndexing: false,
        shaderUniformTexelBufferArrayDynamicIndexing: f.descriptor_indexing,
        shaderStorageTexelBufferArrayDynamicIndexing: f.descriptor_indexing,
        shaderUniformBufferArrayNonUniformIndexing: f.descriptor_indexing,
        shaderSampledImageArrayNonUniformIndexing: f.descriptor_indexing,
        shaderStorageBufferArrayNonUniformIndexing: f.descriptor_indexing,
        shaderStorageImageArrayNonUniformIndexing: f.descriptor_indexing,
        shaderInputAttachmentArrayNonUniformIndexing: false,
        shaderUniformTexelBufferArrayNonUniformIndexing: f.descriptor_indexing,
        shaderStorageTexelBufferArrayNonUniformIndexing: f.descriptor_indexing,
        descriptorBindingUniformBufferUpdateAfterBind: f.descriptor_indexing,
        descriptorBindingSampledImageUpdateAfterBind: f.descriptor_indexing,
        descriptorBindingStorageImageUpdateAfterBind: f.descriptor_indexing,
        descriptorBindingStorageBufferUpdateAfterBind: f.descriptor_indexing,
        descriptorBindingUniformTexelBufferUpdateAfterBind: f.descriptor_indexing,
        descriptorBindingStorageTexelBufferUpdateAfterBind: f.descriptor_indexing,
        descriptorBindingUpdateUnusedWhilePending: f.descriptor_indexing,
        descriptorBindingPartiallyBound: f.descriptor_indexing,
        descriptorBindingVariableDescriptorCount: f.descriptor_indexing,
        runtimeDescriptorArray: f.descriptor_indexing,
        samplerFilterMinmax: f.sampler_filter_minmax,
        scalarBlockLayout: f.scalar_block_layout,
        imagelessFramebuffer: true,
        uniformBufferStandardLayout: true,
        shaderSubgroupExtendedTypes: true,
        separateDepthStencilLayouts: true,
        hostQueryReset: true,
        timelineSemaphore: true,
        bufferDeviceAddress: f.buffer_device_address,
        bufferDeviceAddressCaptureReplay: f.buffer_device_address,
        bufferDeviceAddressMultiDevice: false,
        vulkanMemoryModel: f.vulkan_memory_model,
        vulkanMemoryModelDeviceScope: f.vulkan_memory_model_device_scope,
        vulkanMemoryModelAvailabilityVisibilityChains: f.vulkan_memory_model_chains,
        shaderOutputViewportIndex: false,
        shaderOutputLayer: false,
        subgroupBroadcastDynamicId: true,
        // Core 1.3.
        robustImageAccess: true,
        inlineUniformBlock: true,
        descriptorBindingInlineUniformBlockUpdateAfterBind: f.descriptor_indexing,
        pipelineCreationCacheControl: true,
        privateData: true,
        shaderDemoteToHelperInvocation: true,
        shaderTerminateInvocation: true,
        subgroupSizeControl: p.subgroup.size_control,
        computeFullSubgroups: p.subgroup.size_control,
        synchronization2: true,
        textureCompressionASTC_HDR: false,
        shaderZeroInitializeWorkgroupMemory: f.zero_initialize_workgroup_memory,
        dynamicRendering: true,
        shaderIntegerDotProduct: f.integer_dot_product,
        maintenance4: true,
        // Core 1.4.
        globalPriorityQuery: true,
        shaderSubgroupRotate: p.subgroup.operations.contains(vk::SubgroupFeatureFlags::ROTATE_KHR),
        shaderSubgroupRotateClustered: p.subgroup.operations.contains(vk::SubgroupFeatureFlags::ROTATE_CLUSTERED_KHR),
        shaderFloatControls2: true,
        shaderExpectAssume: true,
        rectangularLines: false,
        bresenhamLines: true,
        smoothLines: false,
        stippledRectangularLines: false,
        stippledBresenhamLines: false,
        stippledSmoothLines: false,
        vertexAttributeInstanceRateDivisor: true,
        vertexAttributeInstanceRateZeroDivisor: false,
        indexTypeUint8: true,
        dynamicRenderingLocalRead: true,
        maintenance5: caps.maintenance5_formats,
        maintenance6: true,
        pipelineProtectedAccess: false,
        pipelineRobustness: true,
        hostImageCopy: true,
        pushDescriptor: p.max_push_descriptors > 0,
        // Extensions.
        shaderUniformBufferUnsizedArray: true,
        shaderUntypedPointers: true,
        mutableDescriptorType: true,
        image2DViewOf3D: f.image_2d_view_of_3d,
        sampler2DViewOf3D: f.image_2d_view_of_3d,
        imageSlicedViewOf3D: f.image_sliced_view_of_3d,
        // There is nothing to control: no image is ever compressed by the driver.
        imageCompressionControl: true,
        minLod: true,
        nonSeamlessCubeMap: f.non_seamless_cube_map,
        formatA4R4G4B4: true,
        formatA4B4G4R4: true,
        borderColorSwizzle: true,
        borderColorSwizzleFromImage: true,
        decodeModeSharedExponent: false,
        formatRgba10x6WithoutYCbCrSampler: false,
        ycbcr2plane444Formats: f.sampler_ycbcr_conversion,
        ycbcrImageArrays: f.sampler_ycbcr_conversion,
        customBorderColors: true,
        customBorderColorWithoutFormat: true,
        descriptorBuffer: f.buffer_device_address,
        descriptorHeap: caps.maintenance5_formats && f.buffer_device_address,
        descriptorHeapCaptureReplay: caps.maintenance5_formats && f.buffer_device_address,
        descriptorBufferCaptureReplay: f.buffer_device_address,
        descriptorBufferImageLayoutIgnored: true,
        descriptorBufferPushDescriptors: true,
        nullDescriptor: f.null_descriptor,
        robustBufferAccess2: f.robust_buffer_access2,
        robustImageAccess2: f.robust_image_access2,
        pipelineExecutableInfo: true,
        deviceGeneratedCommands: p.generated.is_some(),
        dynamicGeneratedPipelineLayout: p.generated.is_some(),
        pipelineBinaries: true,
        shaderModuleIdentifier: true,
        shaderObject: true,
        texelBufferAlignment: true,
        zeroInitializeDeviceMemory: true,
        workgroupMemoryExplicitLayout: f.workgroup_memory_explicit_layout,
        workgroupMemoryExplicitLayoutScalarBlockLayout: f.workgroup_memory_explicit_layout,
        workgroupMemoryExplicitLayout8BitAccess: f.workgroup_memory_explicit_layout && f.shader_int8,
        workgroupMemoryExplicitLayout16BitAccess: f.workgroup_memory_explicit_layout && f.shader_int16,
        shaderBufferFloat32Atomics: true,
        shaderBufferFloat32AtomicAdd: f.buffer_float32_atomic_add,
        shaderBufferFloat64Atomics: f.shader_float64 && f.buffer_int64_atomics,
        shaderBufferFloat64AtomicAdd: f.buffer_float64_atomic_add,
        shaderSharedFloat32Atomics: true,
        shaderSharedFloat32AtomicAdd: f.shared_float32_atomic_add,
        shaderSharedFloat64Atomics: f.shader_float64 && f.shared_int64_atomics,
        shaderSharedFloat64AtomicAdd: f.shared_float64_atomic_add,
        shaderImageFloat32Atomics: f.image_float32_atomics,
        shaderImageFloat32AtomicAdd: f.image_float32_atomic_add,
        sparseImageFloat32Atomics: f.image_float32_atomics && f.sparse_residency_image_2d,
        sparseImageFloat32AtomicAdd: f.image_float32_atomic_add && f.sparse_residency_image_2d,
        shaderBufferFloat16Atomics: f.buffer_float16_atomic_add,
        shaderBufferFloat16AtomicAdd: f.buffer_float16_atomic_add,
        shaderBufferFloat16AtomicMinMax: f.buffer_float16_atomic_add && f.float_atomic_min_max,
        shaderBufferFloat32AtomicMinMax: f.float_atomic_min_max,
        shaderBufferFloat64AtomicMinMax: f.float_atomic_min_max && f.shader_float64,
        shaderSharedFloat16Atomics: f.shared_float16_atomic_add,
        shaderSharedFloat16AtomicAdd: f.shared_float16_atomic_add,
        shaderSharedFloat16AtomicMinMax: f.shared_float16_atomic_add && f.float_atomic_min_max,
        shaderSharedFloat32AtomicMinMax: f.float_atomic_min_max,
        shaderSharedFloat64AtomicMinMax: f.float_atomic_min_max && f.shader_float64,
        shaderImageFloat32AtomicMinMax: f.image_float32_atomic_add && f.float_atomic_min_max,
        sparseImageFloat32AtomicMinMax: f.image_float32_atomic_add
            && f.float_atomic_min_max
            && f.sparse_residency_image_2d,
        shaderDeviceClock: f.shader_clock,
        shaderSubgroupClock: f.shader_clock,
        shaderMaximalReconvergence: true,
        shaderFloat16VectorAtomics: f.image_float16_vector_atomics,
        shaderSubgroupPartitioned: p.subgroup.operations.contains(vk::SubgroupFeatureFlags::PARTITIONED_NV),
        longVector: true,
        cooperativeMatrix: p.matrices.any(),
        cooperativeMatrixRobustBufferAccess: p.matrices.robust,
        cooperativeMatrixWorkgroupScope: p.matrices.workgroup_invocations > 0,
        cooperativeMatrixFlexibleDimensions: p.matrices.multiples,
        cooperativeMatrixReductions: p.matrices.any(),
        cooperativeMatrixConversions: p.matrices.any(),
        cooperativeMatrixPerElementOperations: p.matrices.any(),
        cooperativeMatrixTensorAddressing: p.matrices.any(),
        cooperativeMatrixBlockLoads: p.matrices.any(),
        shaderBFloat16Type: true,
        shaderBFloat16DotProduct: true,
        shaderBFloat16CooperativeMatrix: p.matrices.any(),
        shaderFloat8: true,
        shaderFloat8CooperativeMatrix: p.matrices.any(),
        shader64BitIndexing: true,
        shaderFmaFloat16: f.shader_float16,
        shaderFmaFloat32: true,
        shaderFmaFloat64: f.shader_float64,
        shaderImageInt64Atomics: f.image_int64_atomics,
        sparseImageInt64Atomics: f.image_int64_atomics && f.sparse_residency_image_2d,
        shaderRelaxedExtendedInstruction: true,
        shaderReplicatedComposites: true,
        shaderSubgroupUniformControlFlow: true,
        conditionalRendering: f.conditional_dispatch,
        deviceFault: true,
        deviceFaultVendorBinary: false,
        // A fault is a loss.
        deviceFaultReportMasked: false,
        deviceFaultDeviceLostOnMasked: false,
        deviceMemoryReport: true,
        inheritedConditionalRendering: f.conditional_dispatch,
        maintenance7: true,
        maintenance8: true,
        deviceAddressCommands: true,
        indirectMemoryCopy: true,
        indirectMemoryToImageCopy: false,
        memoryDecompression: true,
        maintenance10: true,
        extendedFlags: true,
        memoryPriority: true,
        nestedCommandBuffer: true,
        nestedCommandBufferRendering: true,
        nestedCommandBufferSimultaneousUse: true,
        pageableDeviceLocalMemory: true,
        reportAddressBinding: true,
        shaderRawAccessChains: false,
        // Known, and not there: a row is turned on when what it stands for works.
        computeDerivativeGroupLinear: true,
        computeDerivativeGroupQuads: true,
        internallySynchronizedQueues: false,
        maintenance9: true,
        shaderQuadControl: true,
    }
}

/// What Vulkan 1.4 requires beyond 1.3, of those features that may be absent here.
const REQUIRED_1_4: &[Feature] = &[
    Feature::fullDrawIndexUint32,
    Feature::imageCubeArray,
    Feature::independentBlend,
    Feature::sampleRateShading,
    Feature::drawIndirectFirstInstance,
    Feature::depthClamp,
    Feature::depthBiasClamp,
    Feature::samplerAnisotropy,
    Feature::fragmentStoresAndAtomics,
    Feature::shaderStorageImageExtendedFormats,
    Feature::shaderUniformBufferArrayDynamicIndexing,
    Feature::shaderSampledImageArrayDynamicIndexing,
    Feature::shaderStorageBufferArrayDynamicIndexing,
    Feature::shaderStorageImageArrayDynamicIndexing,
    Feature::shaderImageGatherExtended,
    Feature::shaderInt16,
    Feature::largePoints,
    Feature::samplerYcbcrConversion,
    Feature::storageBuffer16BitAccess,
    Feature::variablePointers,
    Feature::variablePointersStorageBuffer,
    Feature::samplerMirrorClampToEdge,
    Feature::scalarBlockLayout,
    Feature::shaderUniformTexelBufferArrayDynamicIndexing,
    Feature::shaderStorageTexelBufferArrayDynamicIndexing,
    Feature::shaderInt8,
    Feature::storageBuffer8BitAccess,
    Feature::globalPriorityQuery,
    Feature::shaderSubgroupRotate,
    Feature::shaderSubgroupRotateClustered,
    Feature::shaderFloatControls2,
    Feature::shaderExpectAssume,
    Feature::bresenhamLines,
    Feature::vertexAttributeInstanceRateDivisor,
    Feature::indexTypeUint8,
    Feature::dynamicRenderingLocalRead,
    Feature::maintenance5,
    Feature::maintenance6,
    Feature::pipelineRobustness,
    Feature::pushDescriptor,
];

/// The newest version whose required features are all there.
pub fn version(table: &FeatureTable) -> u32 {
    if REQUIRED_1_4.iter().all(|f| table.get(*f)) {
        VERSION_1_4
    } else {
        vk::HEADER_VERSION_COMPLETE
    }
}

/// Vulkan 1.4 with the patch number of the registry that the supplement is taken from.
pub const VERSION_1_4: u32 = vk::make_api_version(0, 1, 4, 354);

/// The row of a structure, if it is a feature structure.
fn find(s_type: vk::StructureType) -> Option<&'static FeatureStruct> {
    FEATURE_STRUCTS.binary_search_by_key(&s_type.as_raw(), |f| f.s_type).ok().map(|i| &FEATURE_STRUCTS[i])
}

/// The Booleans of the core structure as an array: it is nothing else.
fn core_booleans(f: &vk::PhysicalDeviceFeatures) -> &[vk::Bool32; CORE_1_0.len()] {
    const _: () = assert!(size_of::<vk::PhysicalDeviceFeatures>() == 4 * CORE_1_0.len());
    // SAFETY: the structure consists of that many VkBool32 in registry order (`repr(C)`, size checked above).
    unsafe { &*std::ptr::from_ref(f).cast() }
}

fn fill(out: &mut [vk::Bool32], fields: Option<&[Feature]>, table: &FeatureTable) {
    for (i, b) in out.iter_mut().enumerate() {
        let on = fields.and_then(|f| f.get(i)).is_some_and(|f| table.get(*f));
        *b = vk::Bool32::from(on);
    }
}

/// `VkPhysicalDeviceFeatures` of a table.
pub fn core(table: &FeatureTable) -> vk::PhysicalDeviceFeatures {
    let mut out = vk::PhysicalDeviceFeatures::default();
    // SAFETY: as in `core_booleans`.
    let booleans: &mut [vk::Bool32; CORE_1_0.len()] = unsafe { &mut *std::ptr::from_mut(&mut out).cast() };
    fill(booleans, Some(&CORE_1_0), table);
    out
}

/// Fills a chained feature structure; others are left alone.
fn fill_node(mut node: OutNode<'_>, table: &FeatureTable) {
    if let Some(row) = find(node.s_type()) {
        // SAFETY: the row's `count` is the number of VkBool32 behind the header, from the registry.
        fill(unsafe { node.booleans(row.count) }, row.fields, table);
    }
}

/// vkGetPhysicalDeviceFeatures2.
pub fn report(mut out: InOut<'_, vk::PhysicalDeviceFeatures2<'_>>, table: &FeatureTable) {
    out.features = core(table);
    for node in out.chain() {
        fill_node(node, table);
    }
}

/// The features a device is created with.
///
/// # Errors
/// The names of features that are asked for but not supported.
pub fn requested(
    info: In<'_, vk::DeviceCreateInfo<'_>>,
    supported: &FeatureTable,
) -> Result<FeatureTable, Vec<String>> {
    let mut table = FeatureTable::NONE;
    let mut missing = Vec::new();
    let mut want = |f: Feature| {
        if supported.get(f) {
            table.set(f, true);
        } else {
            missing.push(format!("{f:?}"));
        }
    };
    let mut core = |f: &vk::PhysicalDeviceFeatures| {
        for (b, f) in core_booleans(f).iter().zip(CORE_1_0) {
            if *b != vk::FALSE {
                want(f);
            }
        }
    };
    if let Some(f) = info.enabled_features() {
        core(f.get());
    }
    if let Some(f) = info.next::<vk::PhysicalDeviceFeatures2<'_>>() {
        core(&f.features);
    }
    let mut unknown = Vec::new();
    for node in info.chain() {
        let Some(row) = find(node.s_type) else {
            continue;
        };
        let first = std::ptr::from_ref(node.get()).wrapping_add(1).cast::<vk::Bool32>();
        // SAFETY: the structure has `row.count` VkBool32 behind its header, from the registry.
        let booleans = unsafe { std::slice::from_raw_parts(first, row.count) };
        for (i, _) in booleans.iter().enumerate().filter(|(_, b)| **b != vk::FALSE) {
            match row.fields.and_then(|f| f.get(i)) {
                Some(f) => want(*f),
                None => unknown.push(format!("{} member {i}", row.name)),
            }
        }
    }
    missing.append(&mut unknown);
    if missing.is_empty() {
        Ok(table)
    } else {
        Err(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vk::TaggedStructure as _;

    #[test]
    fn rows_are_sorted_and_agree_with_the_bindings() {
        assert!(FEATURE_STRUCTS.windows(2).all(|w| w[0].s_type < w[1].s_type));
        let check = |s: vk::StructureType, size: usize| {
            let row = find(s).expect("row");
            assert_eq!(row.count * 4, (size - 16) / 4 * 4, "{}", row.name);
            row
        };
        let v12 = check(
            vk::PhysicalDeviceVulkan12Features::STRUCTURE_TYPE,
            // One padding word: 47 Booleans.
            size_of::<vk::PhysicalDeviceVulkan12Features<'_>>() - 4,
        );
        assert_eq!(v12.fields.and_then(|f| f.first()), Some(&Feature::samplerMirrorClampToEdge));
        let m = check(
            vk::PhysicalDeviceMaintenance5FeaturesKHR::STRUCTURE_TYPE,
            size_of::<vk::PhysicalDeviceMaintenance5FeaturesKHR<'_>>() - 4,
        );
        assert_eq!(m.fields, Some(&[Feature::maintenance5][..]));
        assert!(find(vk::StructureType::BUFFER_CREATE_INFO).is_none());
    }

    #[test]
    fn a_version_needs_all_its_features() {
        let mut table = FeatureTable::NONE;
        assert_eq!(vk::api_version_minor(version(&table)), 3);
        for f in REQUIRED_1_4 {
            table.set(*f, true);
        }
        assert_eq!(vk::api_version_minor(version(&table)), 4);
        table.set(Feature::samplerYcbcrConversion, false);
        assert_eq!(vk::api_version_minor(version(&table)), 3);
    }

    #[test]
    fn any_order_of_the_chain_is_filled() {
        let mut table = FeatureTable::NONE;
        table.set(Feature::shaderInt8, true);
        table.set(Feature::maintenance4, true);
        let mut v13 = vk::PhysicalDeviceVulkan13Features::default();
        let mut f16 = vk::PhysicalDeviceShaderFloat16Int8Features::default().shader_float16(true);
        // Not a feature structure this table knows anything of: left alone.
        let mut other = vk::PhysicalDeviceDriverProperties::default();
        f16.p_next = std::ptr::from_mut(&mut other).cast();
        v13.p_next = std::ptr::from_mut(&mut f16).cast();
        let mut all = vk::PhysicalDeviceFeatures2 { p_next: std::ptr::from_mut(&mut v13).cast(), ..Default::default() };
        // SAFETY: the chain is made of live structures.
        report(unsafe { InOut::new(&mut all) }, &table);
        assert_eq!(all.features.robust_buffer_access, vk::FALSE);
        assert_eq!(v13.maintenance4, vk::TRUE);
        assert_eq!(v13.synchronization2, vk::FALSE);
        assert_eq!((f16.shader_float16, f16.shader_int8), (vk::FALSE, vk::TRUE));
    }

    #[test]
    fn unsupported_requests_are_named() {
        let mut supported = FeatureTable::NONE;
        supported.set(Feature::shaderInt8, true);
        let mut f16 = vk::PhysicalDeviceShaderFloat16Int8Features::default().shader_int8(true).shader_float16(true);
        let info = vk::DeviceCreateInfo::default().push_next(&mut f16);
        // SAFETY: a valid structure.
        let r = requested(unsafe { In::new(&info) }, &supported);
        assert_eq!(r, Err(vec!["shaderFloat16".to_owned()]));
        let mut f16 = vk::PhysicalDeviceShaderFloat16Int8Features::default().shader_int8(true);
        let info = vk::DeviceCreateInfo::default().push_next(&mut f16);
        // SAFETY: a valid structure.
        let r = requested(unsafe { In::new(&info) }, &supported).expect("supported");
        assert!(r.shaderInt8 && !r.shaderFloat16);
    }
}
