//! Memory of values that cross joins of control flow: stack cells that LLVM promotes to registers again, and arena cells
//! for what lives across workgroup barriers.

use super::affine::{Bases, Claim};
use super::gen::{Gen, Mask, Rep};
use super::ir::{Ty, Val};
use compiler::sir::{Type, Value};
use smallvec::{smallvec, SmallVec};

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A scalar for all lanes.
    Uni,
    /// The value of lane 0, of a value that grows by that much from lane to lane.
    Affine(i64),
    /// The value of the first lane of each row, of a value that grows by that much from lane to lane within a row.
    Rows(i64),
    /// All lanes.
    Vec,
}

/// Where a cell is.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    Stack(Val),
    /// One per subgroup in the arena.
    Arena {
        at: u64,
        stride: u64,
    },
}

/// Memory of a value. Buffers use two places, values kept by row one per row.
#[derive(Clone, Debug)]
pub struct Cell {
    pub ty: Type,
    pub form: Form,
    pub places: SmallVec<[Place; 2]>,
}

impl Cell {
    /// Bytes of one place in the arena.
    pub fn bytes(ty: Type, form: Form, lanes: u32) -> u64 {
        let element = match ty {
            Type::Buf => 8,
            // Truth values as bits of a word.
            Type::Bool => return u64::from(lanes.div_ceil(32)) * 4,
            _ => u64::from(ty.bytes()),
        };
        match form {
            Form::Uni | Form::Affine(_) | Form::Rows(_) => element,
            Form::Vec => element * u64::from(lanes),
        }
    }
}

impl Gen<'_> {
    /// How a value is kept.
    pub fn form_of(&self, v: Value) -> Form {
        if self.uniform_form(v) {
            return Form::Uni;
        }
        if !self.k.ty(v).is_int() {
            return Form::Vec;
        }
        match (self.shapes.stride(v), self.shapes.row_stride(v)) {
            (Some(s), _) => Form::Affine(s),
            (None, Some(s)) => Form::Rows(s),
            (None, None) => Form::Vec,
        }
    }

    /// How many places a value takes.
    pub fn places(&self, ty: Type, form: Form) -> usize {
        match (ty, form) {
            (Type::Buf, _) => 2,
            (_, Form::Rows(_)) => self.rows as usize,
            _ => 1,
        }
    }

    pub fn stack_cell(&self, ty: Type, form: Form) -> Cell {
        let t = match (ty, form) {
            (Type::Bool, Form::Vec) => self.mask_ty(),
            (_, Form::Vec) => self.ty(ty, self.lanes),
            _ => self.ty(ty, 0),
        };
        let places = (0..self.places(ty, form)).map(|_| Place::Stack(self.alloca(t, 64))).collect();
        Cell { ty, form, places }
    }

    /// A stack cell for a value.
    pub fn cell_for(&self, v: Value) -> Cell {
        self.stack_cell(self.k.ty(v), self.form_of(v))
    }

    /// A stack cell of lanes of truth values.
    pub fn mask_cell(&self) -> Cell {
        self.stack_cell(Type::Bool, Form::Vec)
    }

    fn access(&self, place: Place, value: Option<Val>, ty: Type, form: Form) -> Val {
        let m = self.m;
        let lanes = if form == Form::Vec { self.lanes } else { 0 };
        let t: Ty = self.ty(ty, lanes);
        match place {
            Place::Stack(p) if ty == Type::Bool && form == Form::Vec => match value {
                Some(v) => {
                    m.store(self.to_mask(v), p, 64);
                    v
                }
                None => self.to_bools(m.load(self.mask_ty(), p, 64)),
            },
            Place::Stack(p) => match value {
                Some(v) => {
                    m.store(v, p, 64);
                    v
                }
                None => m.load(t, p, 64),
            },
            Place::Arena { at, stride } => {
                let subgroup = self.subgroup.unwrap_or(self.i32c(0));
                let offset = m.mul(m.zext(subgroup, m.int(64)), self.i64c(stride));
                let p = m.byte_ptr(self.arena, m.add(offset, self.i64c(at)));
                // Cells start on cache lines; a whole number of them keeps every subgroup's aligned.
                let align = if stride % 64 == 0 { 64 } else { (1u64 << stride.trailing_zeros()) as u32 };
                let boolean = ty == Type::Bool;
                match value {
                    Some(v) => {
                        let stored = match (boolean, form) {
                            (true, Form::Vec) => self.bits(v),
                            (true, _) => m.zext(v, m.int(32)),
                            (false, _) => v,
                        };
                        m.store(stored, p, align);
                        v
                    }
                    None if boolean && form == Form::Vec => self.lanes_of_bits(m.load(self.bits_ty(), p, align)),
                    None if boolean => m.trunc(m.load(m.int(32), p, align), m.int(1)),
                    None => m.load(t, p, align),
                }
            }
        }
    }

    /// The parts of a value in the form of a cell, one per place.
    fn parts(&self, cell: &Cell, rep: Rep) -> SmallVec<[Val; 2]> {
        let lane = |v: Val, l: u32| self.m.extract(v, self.i32c(l));
        match (cell.form, rep) {
            (Form::Vec, Rep::Uni(s)) => smallvec![self.splat(s)],
            (Form::Vec, Rep::Vec(v, _)) => smallvec![v],
            (Form::Vec, Rep::BufUni(p, s)) => smallvec![self.splat(p), self.splat(s)],
            (Form::Vec, Rep::BufVec(p, s)) => smallvec![p, s],
            (Form::Rows(_), Rep::Uni(s)) => smallvec![s; self.rows as usize],
            (Form::Rows(_), Rep::Vec(_, Some(claim))) if claim.guard.is_none() => {
                self.row_bases(cell.ty, &claim).into_iter().collect()
            }
            (Form::Rows(_), Rep::Vec(v, _)) => (0..self.rows).map(|r| lane(v, r * self.per_row())).collect(),
            (_, Rep::Uni(s)) => smallvec![s],
            (Form::Affine(_), Rep::Vec(_, Some(Claim { base, guard: None, .. }))) => smallvec![base.first()],
            (_, Rep::Vec(v, _)) => smallvec![lane(v, 0)],
            (_, Rep::BufUni(p, s)) => smallvec![p, s],
            (_, Rep::BufVec(p, s)) => smallvec![lane(p, 0), lane(s, 0)],
        }
    }

    /// Stores a value for all lanes.
    pub fn cell_store(&self, cell: &Cell, rep: Rep) {
        for (&place, part) in cell.places.iter().zip(self.parts(cell, rep)) {
            self.access(place, Some(part), cell.ty, cell.form);
        }
    }

    /// Stores a value for the active lanes and leaves the others. Scalars are stored as they are.
    pub fn cell_blend(&self, cell: &Cell, rep: Rep, mask: Mask) {
        let mask = match (cell.form, mask) {
            (Form::Vec, Mask::Val(v)) => self.to_bools(v),
            (Form::Vec, Mask::Empty) => return,
            (Form::Uni | Form::Affine(_) | Form::Rows(_), _) | (_, Mask::Full) => return self.cell_store(cell, rep),
        };
        for (&place, part) in cell.places.iter().zip(self.parts(cell, rep)) {
            let old = self.access(place, None, cell.ty, cell.form);
            self.access(place, Some(self.m.select(mask, part, old)), cell.ty, cell.form);
        }
    }

    /// Makes a cell hold zeros.
    pub fn cell_clear(&self, cell: &Cell) {
        let zero = self.m.zero(self.ty(cell.ty, if cell.form == Form::Vec { self.lanes } else { 0 }));
        for &place in &cell.places {
            self.access(place, Some(zero), cell.ty, cell.form);
        }
    }

    /// The value in a cell.
    pub fn cell_load(&self, cell: &Cell) -> Rep {
        let parts: SmallVec<[Val; 8]> = cell.places.iter().map(|p| self.access(*p, None, cell.ty, cell.form)).collect();
        let a = parts[0];
        match (cell.form, parts.get(1)) {
            (Form::Affine(stride), _) => self.affine(cell.ty, Claim::always(a, stride)),
            (Form::Rows(stride), _) => self.affine(cell.ty, Claim { base: Bases::rows(&parts), stride, guard: None }),
            (Form::Uni, None) => Rep::Uni(a),
            (Form::Vec, None) => Rep::Vec(a, None),
            (Form::Uni, Some(&b)) => Rep::BufUni(a, b),
            (Form::Vec, Some(&b)) => Rep::BufVec(a, b),
        }
    }

    /// Adds active lanes to a cell of truth values.
    pub fn mask_cell_or(&self, cell: &Cell, mask: Mask) {
        match mask {
            Mask::Empty => {}
            Mask::Full => self.cell_store(cell, Rep::Vec(self.mask_val(mask), None)),
            Mask::Val(_) => {
                let old = self.mask_cell_load(cell);
                self.mask_cell_store(cell, self.mask_or(old, mask));
            }
        }
    }

    pub fn mask_cell_store(&self, cell: &Cell, mask: Mask) {
        match (cell.places[0], mask) {
            (Place::Stack(p), Mask::Val(v)) => self.m.store(v, p, 64),
            _ => {
                self.access(cell.places[0], Some(self.mask_val(mask)), cell.ty, cell.form);
            }
        }
    }

    pub fn mask_cell_load(&self, cell: &Cell) -> Mask {
        match cell.places[0] {
            Place::Stack(p) => Mask::Val(self.m.load(self.mask_ty(), p, 64)),
            place @ Place::Arena { .. } => Mask::Val(self.to_mask(self.access(place, None, cell.ty, cell.form))),
        }
    }
}
