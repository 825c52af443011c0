//! Which part of the translation an instruction belongs to.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::{ExtSet, Translator};
use spirv::Op;

impl<'a> Translator<'a> {
    /// Translates an instruction that is not a terminator.
    pub(super) fn translate(&mut self, inst: &Inst<'a>) -> R<()> {
        match inst.op {
            Op::SelectionMerge | Op::LoopMerge | Op::AssumeTrueKHR => Ok(()),
            Op::Phi => self.phi(inst),
            Op::FunctionCall => self.call(inst),
            Op::ExtInst | Op::ExtInstWithForwardRefsKHR => self.ext_inst(inst),
            Op::ExpectKHR => {
                let (ty, val) = self.get(inst.word(0)?)?;
                if ty != inst.ty {
                    return Err(Error::invalid("the operand has another type than the result"));
                }
                self.set(inst, val)
            }

            Op::Variable | Op::UntypedVariableKHR => self.local_variable(inst),
            Op::Load => self.load(inst),
            Op::Store => self.store(inst),
            Op::CopyMemory => self.copy_memory(inst),
            Op::CopyMemorySized => self.copy_memory_sized(inst),
            Op::AccessChain
            | Op::InBoundsAccessChain
            | Op::PtrAccessChain
            | Op::InBoundsPtrAccessChain
            | Op::UntypedAccessChainKHR
            | Op::UntypedInBoundsAccessChainKHR
            | Op::UntypedPtrAccessChainKHR
            | Op::UntypedInBoundsPtrAccessChainKHR => self.access_chain(inst),
            Op::ArrayLength | Op::UntypedArrayLengthKHR => self.array_length(inst),
            Op::BufferPointerEXT => self.buffer_pointer(inst),
            Op::UntypedImageTexelPointerEXT => self.untyped_texel_pointer(inst),
            Op::RawAccessChainNV => self.raw_access_chain(inst),
            Op::PtrEqual | Op::PtrNotEqual => self.ptr_equal(inst),
            Op::PtrDiff => self.ptr_diff(inst),
            Op::ConvertPtrToU | Op::ConvertUToPtr => self.convert_pointer(inst),

            Op::CompositeExtract
            | Op::CompositeInsert
            | Op::CompositeConstruct
            | Op::CompositeConstructReplicateEXT
            | Op::VectorShuffle
            | Op::VectorExtractDynamic
            | Op::VectorInsertDynamic
            | Op::CopyObject
            | Op::CopyLogical
            | Op::Undef => self.composite(inst),
            Op::Select => self.select_inst(inst),

            Op::ConvertFToU
            | Op::ConvertFToS
            | Op::ConvertSToF
            | Op::ConvertUToF
            | Op::UConvert
            | Op::SConvert
            | Op::FConvert
            | Op::SatConvertSToU
            | Op::SatConvertUToS => self.convert(inst),
            Op::Bitcast => self.bitcast(inst),

            Op::Dot
            | Op::Transpose
            | Op::OuterProduct
            | Op::VectorTimesScalar
            | Op::MatrixTimesScalar
            | Op::VectorTimesMatrix
            | Op::MatrixTimesVector
            | Op::MatrixTimesMatrix => self.linear(inst),

            Op::BitFieldInsert | Op::BitFieldSExtract | Op::BitFieldUExtract | Op::BitCount => self.bit_field(inst),
            Op::IAddCarry | Op::ISubBorrow | Op::UMulExtended | Op::SMulExtended => self.extended(inst),
            Op::SDot | Op::UDot | Op::SUDot | Op::SDotAccSat | Op::UDotAccSat | Op::SUDotAccSat => {
                self.integer_dot(inst)
            }

            Op::AtomicLoad
            | Op::AtomicStore
            | Op::AtomicExchange
            | Op::AtomicCompareExchange
            | Op::AtomicIIncrement
            | Op::AtomicIDecrement
            | Op::AtomicIAdd
            | Op::AtomicISub
            | Op::AtomicSMin
            | Op::AtomicUMin
            | Op::AtomicSMax
            | Op::AtomicUMax
            | Op::AtomicAnd
            | Op::AtomicOr
            | Op::AtomicXor
            | Op::AtomicFAddEXT
            | Op::AtomicFMinEXT
            | Op::AtomicFMaxEXT => self.atomic(inst),

            Op::ControlBarrier => self.control_barrier(inst),
            Op::MemoryBarrier => self.memory_barrier(inst),
            Op::ReadClockKHR => self.read_clock(inst),

            Op::SampledImage | Op::Image | Op::ImageTexelPointer => self.image_object(inst),
            Op::ImageRead | Op::ImageFetch | Op::ImageSparseRead | Op::ImageSparseFetch => self.image_read(inst),
            Op::ImageWrite => self.image_write(inst),
            Op::DPdx
            | Op::DPdy
            | Op::Fwidth
            | Op::DPdxFine
            | Op::DPdyFine
            | Op::FwidthFine
            | Op::DPdxCoarse
            | Op::DPdyCoarse
            | Op::FwidthCoarse => self.derivative(inst),
            Op::ImageQueryLod => self.image_query_lod(inst),
            Op::ImageQuerySize
            | Op::ImageQuerySizeLod
            | Op::ImageQueryLevels
            | Op::ImageQuerySamples
            | Op::ImageSparseTexelsResident => self.image_query(inst),
            Op::ImageSampleImplicitLod
            | Op::ImageSampleExplicitLod
            | Op::ImageSampleDrefImplicitLod
            | Op::ImageSampleDrefExplicitLod
            | Op::ImageSampleProjImplicitLod
            | Op::ImageSampleProjExplicitLod
            | Op::ImageSampleProjDrefImplicitLod
            | Op::ImageSampleProjDrefExplicitLod
            | Op::ImageGather
            | Op::ImageDrefGather
            | Op::ImageSparseSampleImplicitLod
            | Op::ImageSparseSampleExplicitLod
            | Op::ImageSparseSampleDrefImplicitLod
            | Op::ImageSparseSampleDrefExplicitLod
            | Op::ImageSparseGather
            | Op::ImageSparseDrefGather => self.image_sample(inst),

            _ if self.alu_inst(inst)? || self.subgroup_inst(inst)? => Ok(()),
            _ if self.coop_inst(inst)? || self.tensor_inst(inst)? => Ok(()),
            _ => Err(inst.unsupported()),
        }
    }

    fn ext_inst(&mut self, inst: &Inst<'a>) -> R<()> {
        let (set, number) = (inst.word(0)?, inst.word(1)?);
        match self.ext_sets.get(&set) {
            Some(ExtSet::NonSemantic) => Ok(()),
            Some(_) if inst.op == Op::ExtInstWithForwardRefsKHR => {
                Err(Error::invalid("forward references are for instructions without a meaning of their own"))
            }
            Some(ExtSet::Glsl) => self.glsl(inst, number),
            Some(ExtSet::TrinaryMinMax) => self.trinary_min_max(inst, number),
            None => Err(Error::invalid(format!("%{set} is not an extended instruction set"))),
        }
    }
}
