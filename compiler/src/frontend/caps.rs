//! Capabilities, memory model and execution modes.

use super::derivative::DerivativeGroup;
use super::error::{limits, Error, R};
use super::module::Module;
use super::translator::Translator;
use crate::sir::{FloatMode, Type};
use spirv::{Capability as C, ExecutionMode as M, Op};
use std::rc::Rc;

/// Capabilities this front end knows how to honour.
fn supported(c: C) -> bool {
    matches!(
        c,
        C::Matrix
            | C::Shader
            | C::Float16
            | C::Float64
            | C::Int64
            | C::Int64Atomics
            | C::Int16
            | C::Int8
            | C::ImageGatherExtended
            | C::StorageImageMultisample
            | C::ImageReadWriteLodAMD
            | C::UniformBufferArrayDynamicIndexing
            | C::SampledImageArrayDynamicIndexing
            | C::StorageBufferArrayDynamicIndexing
            | C::StorageImageArrayDynamicIndexing
            | C::ImageCubeArray
            | C::SparseResidency
            | C::MinLod
            | C::Sampled1D
            | C::Image1D
            | C::SampledCubeArray
            | C::SampledBuffer
            | C::ImageBuffer
            | C::ImageMSArray
            | C::StorageImageExtendedFormats
            | C::ImageQuery
            | C::StorageImageReadWithoutFormat
            | C::StorageImageWriteWithoutFormat
            | C::GroupNonUniform
            | C::GroupNonUniformVote
            | C::GroupNonUniformArithmetic
            | C::GroupNonUniformBallot
            | C::GroupNonUniformShuffle
            | C::GroupNonUniformShuffleRelative
            | C::GroupNonUniformClustered
            | C::GroupNonUniformQuad
            | C::GroupNonUniformRotateKHR
            | C::GroupNonUniformPartitionedEXT
            | C::QuadControlKHR
            | C::DerivativeControl
            | C::ComputeDerivativeGroupQuadsKHR
            | C::ComputeDerivativeGroupLinearKHR
            | C::SubgroupBallotKHR
            | C::SubgroupVoteKHR
            | C::WorkgroupMemoryExplicitLayoutKHR
            | C::WorkgroupMemoryExplicitLayout8BitAccessKHR
            | C::WorkgroupMemoryExplicitLayout16BitAccessKHR
            | C::StorageBuffer16BitAccess
            | C::UniformAndStorageBuffer16BitAccess
            | C::StoragePushConstant16
            | C::StorageBuffer8BitAccess
            | C::UniformAndStorageBuffer8BitAccess
            | C::StoragePushConstant8
            | C::DeviceGroup
            | C::VariablePointersStorageBuffer
            | C::VariablePointers
            | C::DenormPreserve
            | C::DenormFlushToZero
            | C::SignedZeroInfNanPreserve
            | C::RoundingModeRTE
            | C::RoundingModeRTZ
            | C::FloatControls2
            | C::ShaderClockKHR
            | C::Int64ImageEXT
            | C::Float16ImageAMD
            | C::VulkanMemoryModel
            | C::VulkanMemoryModelDeviceScope
            | C::PhysicalStorageBufferAddresses
            | C::ShaderNonUniform
            | C::RuntimeDescriptorArray
            | C::UniformTexelBufferArrayDynamicIndexing
            | C::StorageTexelBufferArrayDynamicIndexing
            | C::UniformBufferArrayNonUniformIndexing
            | C::SampledImageArrayNonUniformIndexing
            | C::StorageBufferArrayNonUniformIndexing
            | C::StorageImageArrayNonUniformIndexing
            | C::UniformTexelBufferArrayNonUniformIndexing
            | C::StorageTexelBufferArrayNonUniformIndexing
            | C::AtomicFloat16AddEXT
            | C::AtomicFloat32AddEXT
            | C::AtomicFloat64AddEXT
            | C::AtomicFloat16MinMaxEXT
            | C::AtomicFloat16VectorNV
            | C::AtomicFloat32MinMaxEXT
            | C::AtomicFloat64MinMaxEXT
            | C::DotProduct
            | C::DotProductInputAll
            | C::DotProductInput4x8Bit
            | C::DotProductInput4x8BitPacked
            | C::ExpectAssumeKHR
            | C::BitInstructions
            | C::ReplicatedCompositesEXT
            | C::FMAKHR
            | C::UntypedPointersKHR
            | C::DescriptorHeapEXT
            | C::LongVectorEXT
            | C::Shader64BitIndexingEXT
            | C::CooperativeMatrixKHR
            | C::CooperativeMatrixNV
            | C::CooperativeMatrixReductionsNV
            | C::CooperativeMatrixConversionsNV
            | C::CooperativeMatrixPerElementOperationsNV
            | C::CooperativeMatrixTensorAddressingNV
            | C::CooperativeMatrixBlockLoadsNV
            | C::TensorAddressingNV
            | C::BFloat16TypeKHR
            | C::BFloat16DotProductKHR
            | C::BFloat16CooperativeMatrixKHR
            | C::Float8EXT
            | C::Float8CooperativeMatrixEXT
            | C::RawAccessChainsNV
    )
}

/// Checks capabilities and the memory model.
///
/// # Errors
/// Names the first one that is not supported.
pub(super) fn check(m: &Module<'_>) -> R<()> {
    for inst in &m.capabilities {
        let word = inst.word(0)?;
        match C::from_u32(word) {
            Some(c) if supported(c) => {}
            Some(c) => return Err(inst.blame(Error::unsupported(format!("capability {c:?}")))),
            None => return Err(inst.blame(Error::unsupported(format!("unknown capability {word}")))),
        }
    }
    let model = m.memory_model.ok_or_else(|| Error::invalid("no OpMemoryModel"))?;
    let addressing = spirv::AddressingModel::from_u32(model.word(0)?);
    let memory = spirv::MemoryModel::from_u32(model.word(1)?);
    use spirv::{AddressingModel as A, MemoryModel as MM};
    if !matches!(addressing, Some(A::Logical | A::PhysicalStorageBuffer64))
        || !matches!(memory, Some(MM::GLSL450 | MM::Vulkan))
    {
        return Err(model.blame(Error::unsupported(format!("memory model {addressing:?} {memory:?}"))));
    }
    Ok(())
}

/// Whether float operations of a width may be contracted unless decorated otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contract([bool; 3]);

impl Default for Contract {
    fn default() -> Self {
        Contract([true; 3])
    }
}

impl Contract {
    pub fn allowed(&self, ty: Type) -> bool {
        match ty {
            Type::F16 => self.0[0],
            Type::F64 => self.0[2],
            _ => self.0[1],
        }
    }
}

/// Whether an `FPFastMathMode` mask lets operations be contracted.
pub(super) fn mode_contracts(mask: u32) -> bool {
    let mask = spirv::FPFastMathMode::from_bits_truncate(mask);
    mask.intersects(spirv::FPFastMathMode::ALLOW_CONTRACT | spirv::FPFastMathMode::FAST)
}

impl Translator<'_> {
    /// Applies the entry point's execution modes.
    pub(super) fn execution_modes(&mut self, entry: u32, workgroup_size: Option<Rc<[u64]>>) -> R<()> {
        let mut size: Option<[u32; 3]> = None;
        self.b.kernel.float_controls = self.options.float_controls;
        for inst in &self.m.execution_modes {
            if inst.word(0)? != entry {
                continue;
            }
            let word = inst.word(1)?;
            let mode = M::from_u32(word)
                .ok_or_else(|| inst.blame(Error::unsupported(format!("unknown execution mode {word}"))))?;
            match mode {
                M::LocalSize => size = Some([inst.word(2)?, inst.word(3)?, inst.word(4)?]),
                M::LocalSizeId => {
                    let mut dims = [0; 3];
                    for (i, d) in dims.iter_mut().enumerate() {
                        *d = self.const_u32(inst.word(2 + i)?).map_err(|e| inst.blame(e))?;
                    }
                    size = Some(dims);
                }
                M::DenormPreserve => self.float_mode(inst.word(2)?)?.preserve_denorms = true,
                M::DenormFlushToZero => self.float_mode(inst.word(2)?)?.flush_denorms = true,
                M::SignedZeroInfNanPreserve => self.float_mode(inst.word(2)?)?.signed_zero_inf_nan = true,
                M::RoundingModeRTE => self.float_mode(inst.word(2)?)?.rte = true,
                M::RoundingModeRTZ => self.float_mode(inst.word(2)?)?.rtz = true,
                M::FPFastMathDefault => {
                    let mask = self.const_u32(inst.word(3)?).map_err(|e| inst.blame(e))?;
                    let ty = self.types.scalar(inst.word(2)?).map_err(|e| inst.blame(e))?;
                    let index = match ty {
                        Type::F16 => 0,
                        Type::F32 => 1,
                        Type::F64 => 2,
                        _ => return Err(inst.blame(Error::invalid("not a floating-point type"))),
                    };
                    self.contract.0[index] = mode_contracts(mask);
                    let strict =
                        spirv::FPFastMathMode::NOT_NAN | spirv::FPFastMathMode::NOT_INF | spirv::FPFastMathMode::NSZ;
                    if !spirv::FPFastMathMode::from_bits_truncate(mask).contains(strict) {
                        self.float_mode(ty.bits())?.signed_zero_inf_nan = true;
                    }
                }
                M::Shader64BitIndexingEXT => self.b.kernel.wide_indexing = true,
                M::DerivativeGroupQuadsKHR => self.derivatives = Some(DerivativeGroup::Quads),
                M::DerivativeGroupLinearKHR => self.derivatives = Some(DerivativeGroup::Linear),
                // Derivatives are never taken between other invocations than those of a quad.
                M::QuadDerivativesKHR => {}
                M::SubgroupUniformControlFlowKHR | M::MaximallyReconvergesKHR | M::LocalSizeHint => {}
                _ => return Err(inst.blame(Error::unsupported(format!("execution mode {mode:?}")))),
            }
        }
        if let Some(built_in) = workgroup_size {
            let dims = <[u64; 3]>::try_from(&*built_in).ok();
            let dims = dims.ok_or_else(|| Error::invalid("the WorkgroupSize constant has not three components"))?;
            size = Some(dims.map(|d| d as u32));
        }
        let size = size.ok_or_else(|| Error::invalid("the entry point states no workgroup size"))?;
        let product = size.iter().try_fold(1u32, |a, &d| a.checked_mul(d));
        if size.contains(&0) {
            return Err(Error::invalid(format!("workgroup size {size:?}")));
        }
        if product.is_none_or(|n| n > limits::INVOCATIONS) {
            return Err(Error::limit(format!("workgroup size {size:?}")));
        }
        if self.derivatives.is_some_and(|d| !d.fits(size)) {
            return Err(Error::invalid(format!("workgroup size {size:?} is not made of quads")));
        }
        self.b.kernel.local_size = size;
        Ok(())
    }

    fn float_mode(&mut self, width: u32) -> R<&mut FloatMode> {
        let controls = &mut self.b.kernel.float_controls;
        match width {
            16 => Ok(&mut controls.f16),
            32 => Ok(&mut controls.f32),
            64 => Ok(&mut controls.f64),
            _ => Err(Error::unsupported(format!("float controls for {width} bits"))),
        }
    }
}

/// Whether the module declares that its workgroup blocks have explicit layouts.
pub(super) fn explicit_workgroup(m: &Module<'_>) -> bool {
    m.capabilities
        .iter()
        .filter(|i| i.op == Op::Capability)
        .any(|i| i.ops.first() == Some(&(C::WorkgroupMemoryExplicitLayoutKHR as u32)))
}
