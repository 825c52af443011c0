//! Derivatives, which compute shaders take between the invocations of quads (SPV_KHR_compute_shader_derivatives).
//!
//! The invocations of a quad are four in a row in a subgroup: 0 and 1 above 2 and 3. Subgroups are made of invocations in
//! the order of `sir`'s local index. Where quads are squares of local ids the local ids are derived from that order, so
//! that quad operations, derivatives and ids agree.

use super::error::{Error, R};
use super::module::Inst;
use super::translator::Translator;
use super::val::Leaves;
use crate::sir::{AluOp, Builtin, Op as Sir, SubgroupOp, Type, Value};
use smallvec::smallvec;
use spirv::Op;

/// How the invocations of a workgroup form quads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DerivativeGroup {
    /// Four consecutive local indices.
    Linear,
    /// Squares of two by two local ids.
    Quads,
}

impl DerivativeGroup {
    /// Whether workgroups of that size consist of whole quads.
    pub fn fits(self, size: [u32; 3]) -> bool {
        match self {
            DerivativeGroup::Linear => size.iter().product::<u32>().is_multiple_of(4),
            DerivativeGroup::Quads => size[0].is_multiple_of(2) && size[1].is_multiple_of(2),
        }
    }
}

#[derive(Clone, Copy)]
enum Axis {
    X,
    Y,
}

impl Translator<'_> {
    /// `OpDPdx`, `OpDPdy`, `OpFwidth` and their fine and coarse forms, all of which are fine.
    pub(super) fn derivative(&mut self, inst: &Inst<'_>) -> R<()> {
        if self.derivatives.is_none() {
            return Err(Error::invalid("derivatives need an execution mode that says what quads are"));
        }
        let out = self.vector(inst.word(0)?)?;
        if !out.iter().all(|&v| self.b.ty(v).is_float()) {
            return Err(Error::invalid("the operand is not a float"));
        }
        let out: Leaves = match inst.op {
            Op::DPdx | Op::DPdxFine | Op::DPdxCoarse => out.iter().map(|&v| self.difference(v, Axis::X)).collect(),
            Op::DPdy | Op::DPdyFine | Op::DPdyCoarse => out.iter().map(|&v| self.difference(v, Axis::Y)).collect(),
            _ => {
                let width = |&v: &Value| {
                    let sides = [Axis::X, Axis::Y].map(|axis| {
                        let d = self.difference(v, axis);
                        self.b.alu(AluOp::FAbs, self.b.ty(d), &[d])
                    });
                    self.b.alu(AluOp::FAdd, self.b.ty(v), &sides)
                };
                out.iter().map(width).collect()
            }
        };
        self.set_leaves(inst, out)
    }

    /// ∂x of all coordinates, then ∂y of all; nothing where derivatives are not defined.
    pub(super) fn gradients(&mut self, coords: &[Value]) -> Leaves {
        if self.derivatives.is_none() {
            return Leaves::new();
        }
        let both = [Axis::X, Axis::Y].into_iter().flat_map(|axis| coords.iter().map(move |&v| (v, axis)));
        both.collect::<Vec<_>>().into_iter().map(|(v, axis)| self.difference(v, axis)).collect()
    }

    /// What the quad's row or column of this invocation holds on its far side less what it holds on the near one.
    fn difference(&mut self, v: Value, axis: Axis) -> Value {
        self.b.kernel.uses_subgroups = true;
        let (direction, bit) = match axis {
            Axis::X => (0, 1),
            Axis::Y => (1, 2),
        };
        let ty = self.b.ty(v);
        let op = SubgroupOp::QuadSwap { direction };
        let other = self.b.emit(ty, Sir::Subgroup { op, args: smallvec![v] });
        let lane = self.b.builtin(Builtin::SubgroupLocalId);
        let bit = self.b.i32(bit);
        let side = self.b.alu(AluOp::And, Type::I32, &[lane, bit]);
        let far = self.b.nonzero(side);
        let end = self.b.alu(AluOp::Select, ty, &[far, v, other]);
        let start = self.b.alu(AluOp::Select, ty, &[far, other, v]);
        self.b.alu(AluOp::FSub, ty, &[end, start])
    }

    /// LocalInvocationId.
    pub(super) fn local_id(&mut self) -> [Value; 3] {
        if self.derivatives != Some(DerivativeGroup::Quads) {
            return [0, 1, 2].map(|c| self.b.builtin(Builtin::LocalId(c)));
        }
        let [width, height, _] = self.b.kernel.local_size.map(|n| n / 2);
        let place = self.b.builtin(Builtin::LocalIndex);
        let [one, two, width, height] = [1, 2, width, height].map(|n| self.b.i32(n));
        let mut alu = |op, a, b| self.b.alu(op, Type::I32, &[a, b]);
        let quad = alu(AluOp::UShr, place, two);
        let row = alu(AluOp::UDiv, quad, width);
        let corner =
            [(alu(AluOp::URem, quad, width), place), (alu(AluOp::URem, row, height), alu(AluOp::UShr, place, one))];
        let [x, y] = corner.map(|(quad, side)| {
            let first = alu(AluOp::Shl, quad, one);
            let side = alu(AluOp::And, side, one);
            alu(AluOp::Or, first, side)
        });
        [x, y, alu(AluOp::UDiv, row, height)]
    }

    /// LocalInvocationIndex.
    pub(super) fn local_index(&mut self) -> Value {
        if self.derivatives != Some(DerivativeGroup::Quads) {
            return self.b.builtin(Builtin::LocalIndex);
        }
        let [x, y, z] = self.local_id();
        let [width, height, _] = self.b.kernel.local_size.map(|n| self.b.i32(n));
        let mut alu = |op, a, b| self.b.alu(op, Type::I32, &[a, b]);
        let rows = alu(AluOp::IMul, z, height);
        let rows = alu(AluOp::IAdd, rows, y);
        let before = alu(AluOp::IMul, rows, width);
        alu(AluOp::IAdd, before, x)
    }

    /// GlobalInvocationId.
    pub(super) fn global_id(&mut self) -> [Value; 3] {
        if self.derivatives != Some(DerivativeGroup::Quads) {
            return [0, 1, 2].map(|c| self.b.builtin(Builtin::GlobalId(c)));
        }
        let local = self.local_id();
        [0u8, 1, 2].map(|c| {
            let i = usize::from(c);
            let group = self.b.builtin(Builtin::WorkgroupId(c));
            let size = self.b.i32(self.b.kernel.local_size[i]);
            let first = self.b.alu(AluOp::IMul, Type::I32, &[group, size]);
            self.b.alu(AluOp::IAdd, Type::I32, &[first, local[i]])
        })
    }
}
