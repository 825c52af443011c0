//! Memory of values that cross joins of control flow: stack cells that LLVM promotes to registers again, and arena cells
//! for what lives across workgroup barriers.

use super::affine::Claim;
use super::gen::{Gen, Mask, Rep};
use super::llvm::{Ty, Val};
use compiler::sir::{Type, Value};

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A scalar for all lanes.
    Uni,
    /// The value of lane 0, of a value that grows by that much from lane to lane.
    Affine(i64),
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

/// Memory of a value. Buffers use two places.
#[derive(Clone, Debug)]
pub struct Cell {
    pub ty: Type,
    pub form: Form,
    pub first: Place,
    pub second: Option<Place>,
}

impl Cell {
    /// Bytes of one place in the arena.
    pub fn bytes(ty: Type, form: Form, lanes: u32) -> u64 {
        let element = match ty {
            Type::Buf => 8,
            // Truth values as bits of a word.
            Type::Bool => return 4,
            _ => u64::from(ty.bytes()),
        };
        match form {
            Form::Uni | Form::Affine(_) => element,
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
        match self.shapes.stride(v) {
            Some(s) if self.k.ty(v).is_int() => Form::Affine(s),
            _ => Form::Vec,
        }
    }

    pub fn stack_cell(&self, ty: Type, form: Form) -> Cell {
        let t = match (ty, form) {
            (Type::Bool, Form::Vec) => self.mask_ty(),
            (_, Form::Vec) => self.ty(ty, self.lanes),
            _ => self.ty(ty, 0),
        };
        let place = || Place::Stack(self.alloca(t, 64));
        Cell { ty, form, first: place(), second: (ty == Type::Buf).then(place) }
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
                    None if boolean => {
                        let word = m.load(m.int(32), p, align);
                        if form == Form::Vec {
                            self.lanes_of_bits(word)
                        } else {
                            m.trunc(word, m.int(1))
                        }
                    }
                    None => m.load(t, p, align),
                }
            }
        }
    }

    /// The parts of a value in the form of a cell.
    fn parts(&self, cell: &Cell, rep: Rep) -> (Val, Option<Val>) {
        let lane0 = |v: Val| self.m.extract(v, self.i32c(0));
        match (cell.form, rep) {
            (Form::Vec, Rep::Uni(s)) => (self.splat(s), None),
            (Form::Vec, Rep::Vec(v, _)) => (v, None),
            (Form::Vec, Rep::BufUni(p, s)) => (self.splat(p), Some(self.splat(s))),
            (Form::Vec, Rep::BufVec(p, s)) => (p, Some(s)),
            (_, Rep::Uni(s)) => (s, None),
            (Form::Affine(_), Rep::Vec(_, Some(Claim { base, guard: None, .. }))) => (base, None),
            (_, Rep::Vec(v, _)) => (lane0(v), None),
            (_, Rep::BufUni(p, s)) => (p, Some(s)),
            (_, Rep::BufVec(p, s)) => (lane0(p), Some(lane0(s))),
        }
    }

    /// Stores a value for all lanes.
    pub fn cell_store(&self, cell: &Cell, rep: Rep) {
        let (a, b) = self.parts(cell, rep);
        self.access(cell.first, Some(a), cell.ty, cell.form);
        if let (Some(place), Some(b)) = (cell.second, b) {
            self.access(place, Some(b), cell.ty, cell.form);
        }
    }

    /// Stores a value for the active lanes and leaves the others. Scalars are stored as they are.
    pub fn cell_blend(&self, cell: &Cell, rep: Rep, mask: Mask) {
        let mask = match (cell.form, mask) {
            (Form::Vec, Mask::Val(v)) => self.to_bools(v),
            (Form::Vec, Mask::Empty) => return,
            (Form::Uni | Form::Affine(_), _) | (_, Mask::Full) => return self.cell_store(cell, rep),
        };
        let (a, b) = self.parts(cell, rep);
        let one = |place: Place, v: Val| {
            let old = self.access(place, None, cell.ty, cell.form);
            self.access(place, Some(self.m.select(mask, v, old)), cell.ty, cell.form);
        };
        one(cell.first, a);
        if let (Some(place), Some(b)) = (cell.second, b) {
            one(place, b);
        }
    }

    /// Makes a cell hold zeros.
    pub fn cell_clear(&self, cell: &Cell) {
        let zero = self.m.zero(self.ty(cell.ty, if cell.form == Form::Vec { self.lanes } else { 0 }));
        self.access(cell.first, Some(zero), cell.ty, cell.form);
        if let Some(place) = cell.second {
            self.access(place, Some(zero), cell.ty, cell.form);
        }
    }

    /// The value in a cell.
    pub fn cell_load(&self, cell: &Cell) -> Rep {
        let a = self.access(cell.first, None, cell.ty, cell.form);
        let b = cell.second.map(|p| self.access(p, None, cell.ty, cell.form));
        match (cell.form, b) {
            (Form::Uni, None) => Rep::Uni(a),
            (Form::Vec, None) => Rep::Vec(a, None),
            (Form::Affine(stride), _) => self.affine(cell.ty, Claim { base: a, stride, guard: None }),
            (Form::Uni, Some(b)) => Rep::BufUni(a, b),
            (Form::Vec, Some(b)) => Rep::BufVec(a, b),
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
        match (cell.first, mask) {
            (Place::Stack(p), Mask::Val(v)) => self.m.store(v, p, 64),
            _ => {
                self.access(cell.first, Some(self.mask_val(mask)), cell.ty, cell.form);
            }
        }
    }

    pub fn mask_cell_load(&self, cell: &Cell) -> Mask {
        match cell.first {
            Place::Stack(p) => Mask::Val(self.m.load(self.mask_ty(), p, 64)),
            Place::Arena { .. } => Mask::Val(self.to_mask(self.access(cell.first, None, cell.ty, cell.form))),
        }
    }
}
