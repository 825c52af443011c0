//! Where the scalars of an object lie in memory: by decorations (explicit) or packed in order (natural).

use super::error::{limits, Error, R};
use super::translator::Translator;
use super::types::{natural_stride, pointer_leaves, Ty};
use super::val::MatrixLayout;
use crate::sir::Type;

/// Consecutive scalars of one type in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Type of the values (Bool is stored as `I32`).
    pub ty: Type,
    /// Byte offset from the object's start.
    pub off: i64,
    pub n: u32,
    /// A vector or part of one: not joined with neighbours.
    vector: bool,
}

/// Most scalars in one access.
const MAX_RUN: u32 = 4;

/// Bytes of a scalar in memory.
pub(super) fn bytes(t: Type) -> i64 {
    i64::from(super::build::memory_type(t).bytes())
}

impl Translator<'_> {
    /// Byte offset of a structure member.
    pub(super) fn member_offset(&self, ty: u32, index: u32, explicit: bool) -> R<i64> {
        if explicit {
            let offset = self.deco.member(ty, index).offset;
            return offset
                .map(i64::from)
                .ok_or_else(|| Error::invalid(format!("member {index} of %{ty} has no Offset decoration")));
        }
        let member = self.types.info(ty)?.members.get(index as usize).copied();
        Ok(member.ok_or_else(|| Error::invalid("member index is out of range"))?.1 as i64)
    }

    /// Matrix layout that a structure member states.
    pub(super) fn member_matrix(&self, ty: u32, index: u32, explicit: bool) -> MatrixLayout {
        if !explicit {
            return MatrixLayout::default();
        }
        let d = self.deco.member(ty, index);
        MatrixLayout { stride: d.matrix_stride.unwrap_or(0), row_major: d.row_major, component_stride: 0 }
    }

    /// Distance of the elements of an array type.
    pub(super) fn array_stride(&self, ty: u32, elem: u32, explicit: bool) -> R<i64> {
        if explicit {
            let stride = self.deco.id(ty).array_stride;
            return stride
                .map(i64::from)
                .ok_or_else(|| Error::invalid(format!("array type %{ty} has no ArrayStride decoration")));
        }
        Ok(natural_stride(self.types.info(elem)?) as i64)
    }

    /// Distance of the columns of a matrix and of the components within a column.
    pub(super) fn matrix_strides(&self, ty: u32, explicit: bool, m: MatrixLayout) -> R<(i64, i64)> {
        let (_, rows, elem) = self.types.matrix(ty)?;
        let size = bytes(elem);
        if !explicit {
            return Ok((size * i64::from(rows), size));
        }
        if m.stride == 0 {
            return Err(Error::invalid(format!("matrix %{ty} has no MatrixStride decoration")));
        }
        let stride = i64::from(m.stride);
        Ok(if m.row_major { (size, stride) } else { (stride, size) })
    }

    /// Size in bytes of an object with an explicit layout; runtime arrays count as empty.
    pub(super) fn explicit_size(&mut self, ty: u32, m: MatrixLayout) -> R<u64> {
        self.work.charge(1)?;
        let size = match self.types.get(ty)?.clone() {
            Ty::Struct(members) => {
                let mut end = 0;
                for (i, &member) in members.iter().enumerate() {
                    let i = i as u32;
                    let size = self.explicit_size(member, self.member_matrix(ty, i, true))?;
                    end = end.max(self.member_offset(ty, i, true)? as u64 + size);
                }
                end
            }
            Ty::Array { elem, len } => {
                let stride = self.array_stride(ty, elem, true)? as u64;
                let last = stride.checked_mul(u64::from(len) - 1).ok_or_else(too_large)?;
                last.saturating_add(self.explicit_size(elem, m)?)
            }
            Ty::RuntimeArray { .. } => 0,
            Ty::Matrix { n, .. } => {
                let (columns, components) = self.matrix_strides(ty, true, m)?;
                let (_, rows, elem) = self.types.matrix(ty)?;
                (columns * i64::from(n - 1) + components * i64::from(rows - 1) + bytes(elem)) as u64
            }
            Ty::Vector { elem, n } => bytes(self.types.scalar(elem)?) as u64 * u64::from(n),
            _ => self.types.info(ty)?.size,
        };
        if size > limits::OBJECT_BYTES {
            return Err(too_large());
        }
        Ok(size)
    }

    /// The scalars of an object in order, contiguous ones together.
    pub(super) fn runs(&mut self, ty: u32, explicit: bool, m: MatrixLayout) -> R<Vec<Run>> {
        self.types.leaf_count(ty)?;
        let mut out = Vec::new();
        self.collect_runs(ty, 0, explicit, m, &mut out)?;
        Ok(out)
    }

    fn collect_runs(&mut self, ty: u32, at: i64, explicit: bool, m: MatrixLayout, out: &mut Vec<Run>) -> R<()> {
        self.work.charge(1)?;
        if self.types.info(ty)?.leaves == Some(0) {
            return Ok(());
        }
        match self.types.get(ty)?.clone() {
            Ty::Vector { elem, n } => {
                let t = self.types.scalar(elem)?;
                push_vector(out, t, at, n, i64::from(m.component_stride));
            }
            Ty::Matrix { col, n } => {
                let (columns, components) = self.matrix_strides(ty, explicit, m)?;
                let (t, rows) = self.types.vector(col)?;
                for c in 0..n {
                    push_vector(out, t, at + columns * i64::from(c), rows, components);
                }
            }
            Ty::Array { elem, len } => {
                let stride = self.array_stride(ty, elem, explicit)?;
                for i in 0..i64::from(len) {
                    let place = stride.checked_mul(i).and_then(|o| at.checked_add(o)).ok_or_else(too_large)?;
                    self.collect_runs(elem, place, explicit, m, out)?;
                }
            }
            Ty::Struct(members) => {
                for (i, &member) in members.iter().enumerate() {
                    let i = i as u32;
                    let offset = self.member_offset(ty, i, explicit)?;
                    let m = self.member_matrix(ty, i, explicit);
                    self.collect_runs(member, at + offset, explicit, m, out)?;
                }
            }
            Ty::CoopMatrix(m) => push_vector(out, self.types.scalar(m.elem)?, at, m.regs(), 0),
            Ty::TensorLayout { .. } | Ty::TensorView { .. } => {
                push_vector(out, Type::I32, at, self.types.leaf_count(ty)? as u32, 0);
            }
            Ty::Pointer { class, .. } => {
                let mut place = at;
                for &t in pointer_leaves(class).unwrap_or(&[]) {
                    out.push(Run { ty: t, off: place, n: 1, vector: true });
                    place += bytes(t);
                }
            }
            _ => {
                let t = self.types.scalar(ty)?;
                match out.last_mut() {
                    Some(r) if !r.vector && r.ty == t && r.n < MAX_RUN && r.off + i64::from(r.n) * bytes(t) == at => {
                        r.n += 1;
                    }
                    _ => out.push(Run { ty: t, off: at, n: 1, vector: false }),
                }
            }
        }
        Ok(())
    }
}

fn push_vector(out: &mut Vec<Run>, ty: Type, at: i64, n: u32, component_stride: i64) {
    let size = bytes(ty);
    if component_stride != 0 && component_stride != size {
        out.extend((0..n).map(|i| Run { ty, off: at + component_stride * i64::from(i), n: 1, vector: true }));
        return;
    }
    for start in (0..n).step_by(MAX_RUN as usize) {
        out.push(Run { ty, off: at + size * i64::from(start), n: (n - start).min(MAX_RUN), vector: true });
    }
}

fn too_large() -> Error {
    Error::limit("the object is too large")
}
