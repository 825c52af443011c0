//! Built-in inputs.

use super::error::{Error, R};
use super::translator::Translator;
use crate::sir::{AluOp, Builtin, Type, Value};
use spirv::BuiltIn as B;

/// The invocations of a subgroup relative to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LaneMask {
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
}

impl Translator<'_> {
    /// Scalars of a built-in input variable.
    ///
    /// # Errors
    /// Built-ins that compute shaders do not have.
    pub(super) fn input(&mut self, builtin: u32) -> R<Vec<Value>> {
        let Some(b) = B::from_u32(builtin) else {
            return Err(Error::unsupported(format!("unknown built-in {builtin}")));
        };
        let three = |t: &mut Self, f: fn(u8) -> Builtin| (0..3).map(|i| t.b.builtin(f(i))).collect();
        Ok(match b {
            B::WorkgroupId => three(self, Builtin::WorkgroupId),
            B::NumWorkgroups => three(self, Builtin::NumWorkgroups),
            B::LocalInvocationId => self.local_id().to_vec(),
            B::GlobalInvocationId => self.global_id().to_vec(),
            B::WorkgroupSize => self.b.kernel.local_size.map(|s| self.b.i32(s)).to_vec(),
            B::LocalInvocationIndex => vec![self.local_index()],
            B::SubgroupId => vec![self.b.builtin(Builtin::SubgroupId)],
            B::NumSubgroups => vec![self.b.builtin(Builtin::NumSubgroups)],
            B::SubgroupSize => vec![self.b.builtin(Builtin::SubgroupSize)],
            B::SubgroupLocalInvocationId => vec![self.b.builtin(Builtin::SubgroupLocalId)],
            // One physical device per logical device.
            B::DeviceIndex => vec![self.b.i32(0)],
            B::SubgroupEqMask => self.mask_input(LaneMask::Eq),
            B::SubgroupGeMask => self.mask_input(LaneMask::Ge),
            B::SubgroupGtMask => self.mask_input(LaneMask::Gt),
            B::SubgroupLeMask => self.mask_input(LaneMask::Le),
            B::SubgroupLtMask => self.mask_input(LaneMask::Lt),
            other => return Err(Error::unsupported(format!("built-in {other:?}"))),
        })
    }

    fn mask_input(&mut self, mask: LaneMask) -> Vec<Value> {
        let m = self.lane_mask(mask);
        self.mask_to_words(m)
    }

    /// The mask as `I64`, bit per invocation of the subgroup.
    pub(super) fn lane_mask(&mut self, mask: LaneMask) -> Value {
        let lane = self.b.builtin(Builtin::SubgroupLocalId);
        let b = &mut self.b;
        let all = b.i64(u64::MAX);
        let from_lane = b.alu(AluOp::Shl, Type::I64, &[all, lane]);
        let one = b.i64(1);
        match mask {
            LaneMask::Eq => b.alu(AluOp::Shl, Type::I64, &[one, lane]),
            LaneMask::Lt => b.alu(AluOp::Not, Type::I64, &[from_lane]),
            LaneMask::Ge => self.within_subgroup(from_lane),
            LaneMask::Le | LaneMask::Gt => {
                let one32 = b.i32(1);
                let above = b.alu(AluOp::Shl, Type::I64, &[from_lane, one32]);
                if mask == LaneMask::Gt {
                    self.within_subgroup(above)
                } else {
                    b.alu(AluOp::Not, Type::I64, &[above])
                }
            }
        }
    }

    /// Clears the bits of a mask from the subgroup size on.
    pub(super) fn within_subgroup(&mut self, mask: Value) -> Value {
        let size = self.b.builtin(Builtin::SubgroupSize);
        let b = &mut self.b;
        let all = b.i64(u64::MAX);
        let width = b.i32(64);
        // The count is taken modulo 64, so a subgroup of 64 keeps everything.
        let unused = b.alu(AluOp::ISub, Type::I32, &[width, size]);
        let valid = b.alu(AluOp::UShr, Type::I64, &[all, unused]);
        b.alu(AluOp::And, Type::I64, &[mask, valid])
    }

    /// An `I64` mask as the four words that SPIR-V ballots have.
    pub(super) fn mask_to_words(&mut self, mask: Value) -> Vec<Value> {
        let b = &mut self.b;
        let low = b.alu(AluOp::ITrunc, Type::I32, &[mask]);
        let half = b.i32(32);
        let high = b.alu(AluOp::UShr, Type::I64, &[mask, half]);
        let high = b.alu(AluOp::ITrunc, Type::I32, &[high]);
        let zero = b.i32(0);
        vec![low, high, zero, zero]
    }

    /// The `I64` mask of the four words of a ballot; at most 64 invocations make up a subgroup.
    pub(super) fn words_to_mask(&mut self, words: &[Value]) -> R<Value> {
        let &[low, high, _, _] = words else {
            return Err(Error::invalid("a ballot has four components"));
        };
        let b = &mut self.b;
        let low = b.alu(AluOp::ZExt, Type::I64, &[low]);
        let high = b.alu(AluOp::ZExt, Type::I64, &[high]);
        let half = b.i32(32);
        let high = b.alu(AluOp::Shl, Type::I64, &[high, half]);
        Ok(b.alu(AluOp::Or, Type::I64, &[low, high]))
    }
}
