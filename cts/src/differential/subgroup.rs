//! Subgroup operations.

use super::module::{Scalar, Type, BOOL, U32};
use super::program::Gen;
use super::Cap;
use spirv::{Capability, GroupOperation, Op};

impl Gen<'_> {
    /// Capabilities of the operations.
    pub fn begin_subgroups(&mut self) {
        for c in [
            Capability::GroupNonUniform,
            Capability::GroupNonUniformVote,
            Capability::GroupNonUniformBallot,
            Capability::GroupNonUniformShuffle,
            Capability::GroupNonUniformShuffleRelative,
            Capability::GroupNonUniformArithmetic,
        ] {
            self.m.capability(c);
        }
        if self.has(Cap::Clustered) {
            self.m.capability(Capability::GroupNonUniformClustered);
            self.m.capability(Capability::GroupNonUniformQuad);
        }
        if self.maximal() {
            self.m.extension("SPV_KHR_maximal_reconvergence");
        }
    }

    /// Whether operations may stand in divergent control flow.
    pub fn maximal(&self) -> bool {
        self.flow.subgroups && self.has(Cap::MaximalReconvergence)
    }

    /// Execution modes of the entry point.
    pub fn subgroup_modes(&mut self, main: u32) {
        if self.maximal() {
            self.m.mode(main, spirv::ExecutionMode::MaximallyReconvergesKHR);
        }
    }

    /// A type that subgroup operations may work on.
    fn subgroup_type(&mut self) -> Type {
        let t = self.data_type();
        match t.scalar {
            Scalar::Int(32) | Scalar::Float(32) => t,
            // (Doubles are not among the types that shaderSubgroupExtendedTypes adds.)
            Scalar::Float(64) => t,
            _ if self.has(Cap::SubgroupTypes) => t,
            _ => U32.with(t.n),
        }
    }

    /// One operation, among the invocations that are here.
    pub fn subgroup(&mut self) {
        let scope = self.m.u32(spirv::Scope::Subgroup as u32);
        let ty = self.subgroup_type();
        let t = self.m.ty(ty);
        let value = self.pick(ty, false);
        let (id, ty) = match self.rng.below(12) {
            0 => {
                let truth = self.m.ty(BOOL);
                let c = self.pick(BOOL, false);
                let op = self.rng.of(&[Op::GroupNonUniformAll, Op::GroupNonUniformAny]);
                (self.m.op(op, truth, &[scope, c.id]), BOOL)
            }
            1 => {
                let truth = self.m.ty(BOOL);
                (self.m.op(Op::GroupNonUniformAllEqual, truth, &[scope, value.id]), BOOL)
            }
            2 => {
                let four = U32.with(4);
                let ty = self.m.ty(four);
                let c = self.pick(BOOL, false);
                (self.m.op(Op::GroupNonUniformBallot, ty, &[scope, c.id]), four)
            }
            3 => (self.m.op(Op::GroupNonUniformBroadcastFirst, t, &[scope, value.id]), ty),
            4 if self.flow.uniform => {
                // All invocations are here, so the one that is named is.
                let n = self.rng.below(4);
                let index = self.m.u32(n);
                (self.m.op(Op::GroupNonUniformBroadcast, t, &[scope, value.id, index]), ty)
            }
            5 | 6 if self.flow.uniform => {
                // Below 4: an invocation of a subgroup of any size.
                let index = self.index(4);
                let op = self.rng.of(&[Op::GroupNonUniformShuffle, Op::GroupNonUniformShuffleXor]);
                (self.m.op(op, t, &[scope, value.id, index.id]), ty)
            }
            7 if self.flow.uniform && self.has(Cap::Clustered) => {
                let three = self.m.u32(3);
                let direction = self.rng.below(3);
                let direction = self.m.u32(direction);
                if self.rng.chance(50) {
                    (self.m.op(Op::GroupNonUniformQuadSwap, t, &[scope, value.id, direction]), ty)
                } else {
                    (self.m.op(Op::GroupNonUniformQuadBroadcast, t, &[scope, value.id, three]), ty)
                }
            }
            8 => {
                let truth = self.m.ty(BOOL);
                (self.m.op(Op::GroupNonUniformElect, truth, &[scope]), BOOL)
            }
            _ => self.reduction(scope, ty, value.id),
        };
        self.know_float(id, ty, false);
    }

    /// A reduction or scan whose result does not depend on the order.
    fn reduction(&mut self, scope: u32, ty: Type, value: u32) -> (u32, Type) {
        let ops: &[Op] = match ty.scalar {
            Scalar::Float(_) => &[Op::GroupNonUniformFMin, Op::GroupNonUniformFMax],
            Scalar::Bool | Scalar::Int(_) => &[
                Op::GroupNonUniformIAdd,
                Op::GroupNonUniformIMul,
                Op::GroupNonUniformSMin,
                Op::GroupNonUniformUMin,
                Op::GroupNonUniformSMax,
                Op::GroupNonUniformUMax,
                Op::GroupNonUniformBitwiseAnd,
                Op::GroupNonUniformBitwiseOr,
                Op::GroupNonUniformBitwiseXor,
            ],
        };
        let op = self.rng.of(ops);
        let t = self.m.ty(ty);
        let operation =
            self.rng.of(&[GroupOperation::Reduce, GroupOperation::InclusiveScan, GroupOperation::ExclusiveScan]);
        if self.rng.chance(25) && self.has(Cap::Clustered) {
            let size = self.rng.of(&[1, 2, 4]);
            let size = self.m.u32(size);
            let operation = GroupOperation::ClusteredReduce as u32;
            return (self.m.op(op, t, &[scope, operation, value, size]), ty);
        }
        (self.m.op(op, t, &[scope, operation as u32, value]), ty)
    }
}
