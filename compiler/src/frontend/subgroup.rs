//! Operations between the invocations of a subgroup.

use super::builtins::LaneMask;
use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::val::Leaves;
use crate::sir::{AluOp, Builtin, GroupOp, GroupScan, MemoryScope, Op as Sir, SubgroupOp, Type, Value};
use smallvec::{smallvec, SmallVec};
use spirv::{GroupOperation, Op};

fn group_op(op: Op) -> Option<GroupOp> {
    Some(match op {
        Op::GroupNonUniformIAdd => GroupOp::IAdd,
        Op::GroupNonUniformFAdd => GroupOp::FAdd,
        Op::GroupNonUniformIMul => GroupOp::IMul,
        Op::GroupNonUniformFMul => GroupOp::FMul,
        Op::GroupNonUniformSMin => GroupOp::SMin,
        Op::GroupNonUniformUMin => GroupOp::UMin,
        Op::GroupNonUniformFMin => GroupOp::FMin,
        Op::GroupNonUniformSMax => GroupOp::SMax,
        Op::GroupNonUniformUMax => GroupOp::UMax,
        Op::GroupNonUniformFMax => GroupOp::FMax,
        Op::GroupNonUniformBitwiseAnd | Op::GroupNonUniformLogicalAnd => GroupOp::And,
        Op::GroupNonUniformBitwiseOr | Op::GroupNonUniformLogicalOr => GroupOp::Or,
        Op::GroupNonUniformBitwiseXor | Op::GroupNonUniformLogicalXor => GroupOp::Xor,
        _ => return None,
    })
}

fn group_types_fit(op: GroupOp, logical: bool, ty: Type) -> bool {
    match op {
        GroupOp::FAdd | GroupOp::FMul | GroupOp::FMin | GroupOp::FMax => ty.is_float(),
        _ if logical => ty == Type::Bool,
        _ => ty.is_int(),
    }
}

impl Translator<'_> {
    /// Subgroup instructions; says whether this was one.
    pub(super) fn subgroup_inst(&mut self, inst: &Inst<'_>) -> R<bool> {
        match inst.op {
            Op::SubgroupBallotKHR
            | Op::SubgroupFirstInvocationKHR
            | Op::SubgroupAllKHR
            | Op::SubgroupAnyKHR
            | Op::SubgroupAllEqualKHR
            | Op::SubgroupReadInvocationKHR => self.subgroup_op(inst, 0)?,
            Op::GroupNonUniformElect
            | Op::GroupNonUniformAll
            | Op::GroupNonUniformAny
            | Op::GroupNonUniformAllEqual
            | Op::GroupNonUniformBroadcast
            | Op::GroupNonUniformBroadcastFirst
            | Op::GroupNonUniformBallot
            | Op::GroupNonUniformInverseBallot
            | Op::GroupNonUniformBallotBitExtract
            | Op::GroupNonUniformBallotBitCount
            | Op::GroupNonUniformBallotFindLSB
            | Op::GroupNonUniformBallotFindMSB
            | Op::GroupNonUniformShuffle
            | Op::GroupNonUniformShuffleXor
            | Op::GroupNonUniformShuffleUp
            | Op::GroupNonUniformShuffleDown
            | Op::GroupNonUniformRotateKHR
            | Op::GroupNonUniformQuadBroadcast
            | Op::GroupNonUniformQuadSwap => {
                self.subgroup_scope(inst)?;
                self.subgroup_op(inst, 1)?;
            }
            Op::GroupNonUniformPartitionEXT => self.partition(inst)?,
            Op::GroupNonUniformQuadAllKHR => self.quad_vote(inst, GroupOp::And)?,
            Op::GroupNonUniformQuadAnyKHR => self.quad_vote(inst, GroupOp::Or)?,
            op => match group_op(op) {
                Some(group) => {
                    self.subgroup_scope(inst)?;
                    self.group_arithmetic(inst, group)?;
                }
                None => return Ok(false),
            },
        }
        self.b.kernel.uses_subgroups = true;
        Ok(true)
    }

    fn subgroup_scope(&self, inst: &Inst<'_>) -> R<()> {
        match self.scope(inst.word(0)?)? {
            MemoryScope::Subgroup => Ok(()),
            other => Err(Error::unsupported(format!("group operations of scope {other:?}"))),
        }
    }

    /// One operation on a scalar; Bools travel as `I32`.
    fn subgroup(&mut self, op: SubgroupOp, v: Value, rest: Option<Value>) -> Value {
        let ty = self.b.ty(v);
        let carried = if ty == Type::Bool { self.b.bool_to_i32(v) } else { v };
        let mut args: SmallVec<[Value; 2]> = smallvec![carried];
        args.extend(rest);
        let carrier = self.b.ty(carried);
        let out = self.b.emit(carrier, Sir::Subgroup { op, args });
        if ty == Type::Bool {
            self.b.nonzero(out)
        } else {
            out
        }
    }

    fn predicate(&mut self, op: SubgroupOp, ty: Type, v: Option<Value>) -> Value {
        let args = v.into_iter().collect();
        self.b.emit(ty, Sir::Subgroup { op, args })
    }

    fn bool_operand(&mut self, id: u32) -> R<Value> {
        let v = self.scalar(id)?;
        match self.b.ty(v) {
            Type::Bool => Ok(v),
            _ => Err(Error::invalid("the predicate is not Bool")),
        }
    }

    fn lane_operand(&mut self, id: u32) -> R<Value> {
        let v = self.scalar(id)?;
        if !self.b.ty(v).is_int() {
            return Err(Error::invalid("the invocation number is not an integer"));
        }
        Ok(self.b.int_to(v, Type::I32, false))
    }

    /// Size of a cluster: a constant power of two.
    fn cluster(&self, id: u32) -> R<u32> {
        let n = self.const_u32(id)?;
        if !n.is_power_of_two() {
            return Err(Error::invalid(format!("cluster size {n}")));
        }
        Ok(n)
    }

    /// Operations other than arithmetic; operands start at word `at`.
    fn subgroup_op(&mut self, inst: &Inst<'_>, at: usize) -> R<()> {
        let each = |t: &mut Self, op: SubgroupOp, rest: Option<Value>| -> R<()> {
            let values = t.vector(inst.word(at)?)?;
            let out = values.iter().map(|&v| t.subgroup(op, v, rest)).collect::<Leaves>();
            t.set_leaves(inst, out)
        };
        let out = match inst.op {
            Op::GroupNonUniformElect => self.predicate(SubgroupOp::Elect, Type::Bool, None),
            Op::GroupNonUniformAll | Op::SubgroupAllKHR => {
                let v = self.bool_operand(inst.word(at)?)?;
                self.predicate(SubgroupOp::All, Type::Bool, Some(v))
            }
            Op::GroupNonUniformAny | Op::SubgroupAnyKHR => {
                let v = self.bool_operand(inst.word(at)?)?;
                self.predicate(SubgroupOp::Any, Type::Bool, Some(v))
            }
            Op::GroupNonUniformAllEqual | Op::SubgroupAllEqualKHR => {
                let mut all = self.b.konst(Type::Bool, 1);
                for (i, v) in self.vector(inst.word(at)?)?.into_iter().enumerate() {
                    let v = if self.b.ty(v) == Type::Bool { self.b.bool_to_i32(v) } else { v };
                    let same = self.predicate(SubgroupOp::AllEqual, Type::Bool, Some(v));
                    all = if i == 0 { same } else { self.b.alu(AluOp::And, Type::Bool, &[all, same]) };
                }
                all
            }
            Op::GroupNonUniformBallot | Op::SubgroupBallotKHR => {
                let v = self.bool_operand(inst.word(at)?)?;
                let mask = self.predicate(SubgroupOp::Ballot, Type::I64, Some(v));
                let words = self.mask_to_words(mask);
                return self.set_leaves(inst, words.into());
            }
            Op::GroupNonUniformBroadcast | Op::SubgroupReadInvocationKHR => {
                let lane = self.lane_operand(inst.word(at + 1)?)?;
                return each(self, SubgroupOp::Broadcast, Some(lane));
            }
            Op::GroupNonUniformBroadcastFirst | Op::SubgroupFirstInvocationKHR => {
                return each(self, SubgroupOp::BroadcastFirst, None);
            }
            Op::GroupNonUniformShuffle
            | Op::GroupNonUniformShuffleXor
            | Op::GroupNonUniformShuffleUp
            | Op::GroupNonUniformShuffleDown
            | Op::GroupNonUniformQuadBroadcast => {
                let lane = self.lane_operand(inst.word(at + 1)?)?;
                let op = match inst.op {
                    Op::GroupNonUniformShuffle => SubgroupOp::Shuffle,
                    Op::GroupNonUniformShuffleXor => SubgroupOp::ShuffleXor,
                    Op::GroupNonUniformShuffleUp => SubgroupOp::ShuffleUp,
                    Op::GroupNonUniformShuffleDown => SubgroupOp::ShuffleDown,
                    _ => SubgroupOp::QuadBroadcast,
                };
                return each(self, op, Some(lane));
            }
            Op::GroupNonUniformRotateKHR => {
                let delta = self.lane_operand(inst.word(at + 1)?)?;
                let cluster = match inst.ops.get(at + 2) {
                    Some(&id) => self.cluster(id)?,
                    None => 0,
                };
                return each(self, SubgroupOp::Rotate { cluster }, Some(delta));
            }
            Op::GroupNonUniformQuadSwap => {
                let direction = self.const_u32(inst.word(at + 1)?)?;
                if direction > 2 {
                    return Err(Error::invalid("quad direction is 0, 1 or 2"));
                }
                return each(self, SubgroupOp::QuadSwap { direction: direction as u8 }, None);
            }
            _ => self.ballot_query(inst, at)?,
        };
        self.set_leaves(inst, smallvec![out])
    }

    /// What is asked of a ballot's four words.
    fn ballot_query(&mut self, inst: &Inst<'_>, at: usize) -> R<Value> {
        let counts = inst.op == Op::GroupNonUniformBallotBitCount;
        let words = self.vector(inst.word(if counts { at + 1 } else { at })?)?;
        let mask = self.words_to_mask(&words)?;
        let bit = |t: &mut Self, lane: Value| {
            let shifted = t.b.alu(AluOp::UShr, Type::I64, &[mask, lane]);
            let one = t.b.i64(1);
            let bit = t.b.alu(AluOp::And, Type::I64, &[shifted, one]);
            t.b.nonzero(bit)
        };
        let op = match inst.op {
            Op::GroupNonUniformInverseBallot => {
                let lane = self.b.builtin(Builtin::SubgroupLocalId);
                return Ok(bit(self, lane));
            }
            Op::GroupNonUniformBallotBitExtract => {
                let lane = self.lane_operand(inst.word(at + 1)?)?;
                return Ok(bit(self, lane));
            }
            Op::GroupNonUniformBallotFindLSB => AluOp::FindLsb,
            Op::GroupNonUniformBallotFindMSB => AluOp::FindUMsb,
            _ => AluOp::BitCount,
        };
        let mut mask = self.within_subgroup(mask);
        if counts {
            let below = match GroupOperation::from_u32(inst.word(at)?) {
                Some(GroupOperation::Reduce) => None,
                Some(GroupOperation::InclusiveScan) => Some(LaneMask::Le),
                Some(GroupOperation::ExclusiveScan) => Some(LaneMask::Lt),
                other => return Err(Error::unsupported(format!("group operation {other:?}"))),
            };
            if let Some(below) = below {
                let below = self.lane_mask(below);
                mask = self.b.alu(AluOp::And, Type::I64, &[mask, below]);
            }
        }
        let found = self.b.alu(op, Type::I64, &[mask]);
        Ok(self.b.int_to(found, Type::I32, true))
    }

    /// All or any of the active invocations of a quad.
    fn quad_vote(&mut self, inst: &Inst<'_>, op: GroupOp) -> R<()> {
        let v = self.bool_operand(inst.word(0)?)?;
        let out = self.subgroup(SubgroupOp::Group { op, scan: GroupScan::Reduce, cluster: 4 }, v, None);
        self.set_leaves(inst, smallvec![out])
    }

    /// Which invocations hold an equal value: equal in every component.
    fn partition(&mut self, inst: &Inst<'_>) -> R<()> {
        let mut mask = None;
        for v in self.vector(inst.word(0)?)? {
            let v = if self.b.ty(v) == Type::Bool { self.b.bool_to_i32(v) } else { v };
            let same = self.predicate(SubgroupOp::Partition, Type::I64, Some(v));
            mask = Some(match mask {
                None => same,
                Some(mask) => self.b.alu(AluOp::And, Type::I64, &[mask, same]),
            });
        }
        let mask = mask.ok_or_else(|| Error::invalid("the value has no components"))?;
        let words = self.mask_to_words(mask);
        self.set_leaves(inst, words.into())
    }

    /// Reductions and scans.
    fn group_arithmetic(&mut self, inst: &Inst<'_>, op: GroupOp) -> R<()> {
        let whole = |scan| SubgroupOp::Group { op, scan, cluster: 0 };
        let subsets = |scan| SubgroupOp::Partitioned { op, scan };
        let operation = match GroupOperation::from_u32(inst.word(1)?) {
            Some(GroupOperation::Reduce) => whole(GroupScan::Reduce),
            Some(GroupOperation::InclusiveScan) => whole(GroupScan::Inclusive),
            Some(GroupOperation::ExclusiveScan) => whole(GroupScan::Exclusive),
            Some(GroupOperation::ClusteredReduce) => {
                let cluster = self.cluster(inst.word(3)?)?;
                SubgroupOp::Group { op, scan: GroupScan::Reduce, cluster }
            }
            Some(GroupOperation::PartitionedReduceEXT) => subsets(GroupScan::Reduce),
            Some(GroupOperation::PartitionedInclusiveScanEXT) => subsets(GroupScan::Inclusive),
            Some(GroupOperation::PartitionedExclusiveScanEXT) => subsets(GroupScan::Exclusive),
            other => return Err(Error::unsupported(format!("group operation {other:?}"))),
        };
        let ballot = match operation {
            SubgroupOp::Partitioned { .. } => {
                let words = self.vector(inst.word(3)?)?;
                Some(self.words_to_mask(&words)?)
            }
            _ => None,
        };
        let logical = matches!(
            inst.op,
            Op::GroupNonUniformLogicalAnd | Op::GroupNonUniformLogicalOr | Op::GroupNonUniformLogicalXor
        );
        let (ty, _) = self.types.vector(inst.ty)?;
        if !group_types_fit(op, logical, ty) {
            return Err(Error::invalid("the type does not fit the operation"));
        }
        self.map(inst, 2, 1, |t, a| {
            if t.b.ty(a[0]) != ty {
                return Err(Error::invalid("the operand has another type than the result"));
            }
            Ok(t.subgroup(operation, a[0], ballot))
        })
    }
}
