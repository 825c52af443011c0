//! Decorations, groups expanded.

use super::error::{Error, R};
use super::module::{Inst, Module};
use crate::hash::HashMap;
use spirv::{Decoration as D, Op};

/// How memory behind an object or member may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MemFlags {
    pub non_writable: bool,
    pub coherent: bool,
    pub volatile: bool,
    pub restrict: bool,
}

impl MemFlags {
    /// Both sets of properties together.
    pub fn and(self, o: MemFlags) -> MemFlags {
        MemFlags {
            non_writable: self.non_writable | o.non_writable,
            coherent: self.coherent | o.coherent,
            volatile: self.volatile | o.volatile,
            restrict: self.restrict | o.restrict,
        }
    }
}

/// Decorations of an id or of a structure member.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deco {
    pub mem: MemFlags,
    pub builtin: Option<u32>,
    pub set: Option<u32>,
    pub binding: Option<u32>,
    pub spec_id: Option<u32>,
    pub offset: Option<u32>,
    pub array_stride: Option<u32>,
    /// Constants that give `offset` and `array_stride`.
    offset_id: Option<u32>,
    array_stride_id: Option<u32>,
    pub matrix_stride: Option<u32>,
    pub row_major: bool,
    pub block: bool,
    pub buffer_block: bool,
    pub aliased: bool,
    pub no_contraction: bool,
    pub non_uniform: bool,
    pub saturated: bool,
    /// Values beyond an 8-bit format become its largest finite ones.
    pub saturated_float8: bool,
    pub rounding_rtz: bool,
    pub fast_math: Option<u32>,
}

impl Deco {
    fn add(&mut self, decoration: u32, args: &[u32]) -> R<()> {
        let arg = || args.first().copied().ok_or_else(|| Error::invalid("the decoration lacks its operand"));
        let Some(d) = D::from_u32(decoration) else {
            return Err(Error::unsupported(format!("unknown decoration {decoration}")));
        };
        match d {
            D::BuiltIn => self.builtin = Some(arg()?),
            D::DescriptorSet => self.set = Some(arg()?),
            D::Binding => self.binding = Some(arg()?),
            D::SpecId => self.spec_id = Some(arg()?),
            D::Offset => self.offset = Some(arg()?),
            D::ArrayStride => self.array_stride = Some(arg()?),
            D::OffsetIdEXT => self.offset_id = Some(arg()?),
            D::ArrayStrideIdEXT => self.array_stride_id = Some(arg()?),
            D::MatrixStride => self.matrix_stride = Some(arg()?),
            D::RowMajor => self.row_major = true,
            D::ColMajor => self.row_major = false,
            D::Block => self.block = true,
            D::BufferBlock => self.buffer_block = true,
            D::NonWritable => self.mem.non_writable = true,
            D::Coherent => self.mem.coherent = true,
            D::Volatile => self.mem.volatile = true,
            D::Restrict | D::RestrictPointer => self.mem.restrict = true,
            D::Aliased | D::AliasedPointer => self.aliased = true,
            D::NoContraction => self.no_contraction = true,
            D::NonUniform => self.non_uniform = true,
            D::SaturatedConversion => self.saturated = true,
            D::SaturatedToLargestFloat8NormalConversionEXT => self.saturated_float8 = true,
            D::FPFastMathMode => self.fast_math = Some(arg()?),
            D::FPRoundingMode => match spirv::FPRoundingMode::from_u32(arg()?) {
                Some(spirv::FPRoundingMode::RTE) => self.rounding_rtz = false,
                Some(spirv::FPRoundingMode::RTZ) => self.rounding_rtz = true,
                _ => return Err(Error::unsupported("rounding mode other than RTE and RTZ")),
            },
            // No effect on a compute kernel: hints, interfaces of other stages, reflection.
            D::RelaxedPrecision
            | D::NonReadable
            | D::NoSignedWrap
            | D::NoUnsignedWrap
            | D::GLSLShared
            | D::GLSLPacked
            | D::CPacked
            | D::Uniform
            | D::UniformId
            | D::Alignment
            | D::AlignmentId
            | D::MaxByteOffset
            | D::MaxByteOffsetId
            | D::CounterBuffer
            | D::UserSemantic
            | D::UserTypeGOOGLE
            | D::Location
            | D::Component
            | D::Index
            | D::Flat
            | D::NoPerspective
            | D::Centroid
            | D::Sample
            | D::Patch
            | D::Invariant
            | D::Stream
            | D::XfbBuffer
            | D::XfbStride
            | D::InputAttachmentIndex
            | D::Constant
            | D::FuncParamAttr => {}
            _ => return Err(Error::unsupported(format!("decoration {d:?}"))),
        }
        Ok(())
    }
}

/// All decorations of a module.
#[derive(Default)]
pub(super) struct Decorations {
    ids: HashMap<u32, Deco>,
    members: HashMap<(u32, u32), Deco>,
}

impl Decorations {
    /// Reads the annotation section.
    ///
    /// # Errors
    /// Unknown decorations, missing operands, groups that expand beyond reason.
    pub fn collect(module: &Module<'_>) -> R<Decorations> {
        let mut out = Decorations::default();
        let mut groups: HashMap<u32, Vec<(u32, &[u32])>> = HashMap::default();
        for inst in module.annotations.iter().filter(|i| i.op == Op::DecorationGroup) {
            groups.insert(inst.id, Vec::new());
        }
        for inst in &module.annotations {
            if matches!(inst.op, Op::Decorate | Op::DecorateId | Op::DecorateString) {
                if let Some(group) = groups.get_mut(&inst.word(0)?) {
                    group.push((inst.word(1)?, inst.from(2)));
                }
            }
        }
        let mut budget = 1usize << 20;
        for inst in &module.annotations {
            out.apply(inst, &groups, &mut budget).map_err(|e| inst.blame(e))?;
        }
        Ok(out)
    }

    fn apply(&mut self, inst: &Inst<'_>, groups: &HashMap<u32, Vec<(u32, &[u32])>>, budget: &mut usize) -> R<()> {
        match inst.op {
            Op::Decorate | Op::DecorateId | Op::DecorateString => {
                let target = inst.word(0)?;
                if !groups.contains_key(&target) {
                    self.ids.entry(target).or_default().add(inst.word(1)?, inst.from(2))?;
                }
            }
            Op::MemberDecorate | Op::MemberDecorateString | Op::MemberDecorateIdEXT => {
                let key = (inst.word(0)?, inst.word(1)?);
                self.members.entry(key).or_default().add(inst.word(2)?, inst.from(3))?;
            }
            Op::DecorationGroup => {}
            Op::GroupDecorate | Op::GroupMemberDecorate => {
                let group = groups.get(&inst.word(0)?).ok_or_else(|| Error::invalid("not a decoration group"))?;
                let member = inst.op == Op::GroupMemberDecorate;
                for target in inst.from(1).chunks(if member { 2 } else { 1 }) {
                    *budget = budget
                        .checked_sub(group.len() + 1)
                        .ok_or_else(|| Error::limit("decoration groups expand beyond reason"))?;
                    let deco = match *target {
                        [id] if !member => self.ids.entry(id).or_default(),
                        [id, index] => self.members.entry((id, index)).or_default(),
                        _ => return Err(Error::invalid("odd operand count")),
                    };
                    for (d, args) in group {
                        deco.add(*d, args)?;
                    }
                }
            }
            _ => return Err(inst.unsupported()),
        }
        Ok(())
    }

    /// Settles the decorations that are given by constants.
    ///
    /// # Errors
    /// Those of `constant`.
    pub fn settle(&mut self, constant: impl Fn(u32) -> R<u32>) -> R<()> {
        for d in self.ids.values_mut().chain(self.members.values_mut()) {
            d.offset = d.offset.or(d.offset_id.map(&constant).transpose()?);
            d.array_stride = d.array_stride.or(d.array_stride_id.map(&constant).transpose()?);
        }
        Ok(())
    }

    /// Decorations of an id.
    pub fn id(&self, id: u32) -> Deco {
        self.ids.get(&id).copied().unwrap_or_default()
    }

    /// Decorations of a structure member.
    pub fn member(&self, id: u32, index: u32) -> Deco {
        self.members.get(&(id, index)).copied().unwrap_or_default()
    }
}
