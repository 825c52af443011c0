//! Structures that are computed element by element, each in the same way: what is loaded, computed and stored stays in the order of memory
//! and is not transposed twice.
//!
//! A load of two to four elements without gaps between the lanes gives a vector per element, and a store takes one per element. If all
//! elements of a store come from the same operations on the same elements of such loads, and on what is the same for all lanes, these
//! operations are done once on the vectors as they stand in memory. Nothing else needs the transposed ones then, and LLVM drops them.

use super::alu::Shape;
use super::gen::{Gen, Result};
use super::ir::Val;
use compiler::hash::HashMap;
use compiler::sir::{AluOp, Kernel, Op, Value};
use smallvec::SmallVec;

/// An operation that made a value.
type Made = (AluOp, SmallVec<[Value; 4]>);

/// The most operations that are done anew for a store.
const MOST: u32 = 16;

/// What is known of structures in the order of memory.
#[derive(Debug, Default)]
pub struct Wholes {
    /// Operations that made values; nothing if the kernel stores no structures.
    made: HashMap<Value, Made>,
    /// Loads of this stretch: how many elements, and a vector for each base.
    loads: Vec<(usize, Vec<Val>)>,
    /// Which load a value comes from, and which element it is.
    elements: HashMap<Value, (usize, usize)>,
}

impl Wholes {
    /// Looks at what a kernel stores.
    pub fn new(k: &Kernel) -> Wholes {
        let mut wholes = Wholes::default();
        let mut stores = false;
        k.body.walk(&mut |inst| stores |= matches!(&inst.op, Op::Store { values, .. } if values.len() > 1));
        if stores {
            k.body.walk(&mut |inst| {
                if let (Op::Alu { op, args, .. }, [r]) = (&inst.op, inst.results.as_slice()) {
                    if alike(*op) {
                        wholes.made.insert(*r, (*op, args.clone()));
                    }
                }
            });
        }
        wholes
    }

    /// Whether it is worth to note loads.
    pub fn wanted(&self) -> bool {
        !self.made.is_empty()
    }

    /// Notes the vectors that the values of a load are parts of.
    pub fn note(&mut self, values: &[Value], parts: Vec<Val>) {
        let load = self.loads.len();
        self.loads.push((values.len(), parts));
        self.elements.extend(values.iter().enumerate().map(|(i, v)| (*v, (load, i))));
    }

    /// Values of another stretch are not at hand.
    pub fn forget(&mut self) {
        self.loads.clear();
        self.elements.clear();
    }
}

/// Operations that are done again without harm and in little time.
fn alike(op: AluOp) -> bool {
    matches!(
        op,
        AluOp::FAdd
            | AluOp::FSub
            | AluOp::FMul
            | AluOp::Fma
            | AluOp::FNeg
            | AluOp::FAbs
            | AluOp::IAdd
            | AluOp::ISub
            | AluOp::IMul
            | AluOp::INeg
            | AluOp::And
            | AluOp::Or
            | AluOp::Xor
            | AluOp::Not
    )
}

impl Gen<'_> {
    /// The vectors that values make in the order of memory: one for each of `bases`, of so many lanes.
    pub fn whole(&mut self, values: &[Value], bases: usize, lanes: u32) -> Result<Option<Vec<Val>>> {
        if !self.wholes.wanted() || !self.all_loaded(values, bases) {
            return Ok(None);
        }
        (0..bases).map(|base| self.whole_of(values, base, lanes)).collect::<Result<Vec<_>>>().map(Some)
    }

    /// Whether values come from loads of structures like theirs in the same way.
    fn all_loaded(&self, values: &[Value], bases: usize) -> bool {
        let mut left = MOST;
        self.same(values, bases, &mut left) && self.has_load(values)
    }

    fn has_load(&self, values: &[Value]) -> bool {
        if self.wholes.elements.contains_key(&values[0]) {
            return true;
        }
        let Some((_, args)) = self.wholes.made.get(&values[0]) else { return false };
        args.iter().any(|a| self.has_load(&[*a]))
    }

    fn same(&self, values: &[Value], bases: usize, left: &mut u32) -> bool {
        let first = values[0];
        if let Some((load, 0)) = self.wholes.elements.get(&first) {
            let elements = &self.wholes.elements;
            let (count, parts) = &self.wholes.loads[*load];
            let fits = *count == values.len() && parts.len() == bases;
            return fits && values.iter().enumerate().all(|(i, v)| elements.get(v) == Some(&(*load, i)));
        }
        if values.iter().all(|v| *v == first) && self.is_uniform(first) {
            return true;
        }
        let Some((op, args)) = self.wholes.made.get(&first) else { return false };
        if *left == 0 {
            return false;
        }
        *left -= 1;
        let ty = self.k.ty(first);
        let alike = |v: &Value| {
            self.wholes.made.get(v).is_some_and(|(o, a)| o == op && a.len() == args.len()) && self.k.ty(*v) == ty
        };
        values.iter().all(alike)
            && (0..args.len()).all(|i| {
                let column: SmallVec<[Value; 4]> = values.iter().map(|v| self.wholes.made[v].1[i]).collect();
                self.same(&column, bases, left)
            })
    }

    fn whole_of(&mut self, values: &[Value], base: usize, lanes: u32) -> Result<Val> {
        let first = values[0];
        if let Some((load, _)) = self.wholes.elements.get(&first) {
            return Ok(self.wholes.loads[*load].1[base]);
        }
        if self.is_uniform(first) && values.iter().all(|v| *v == first) {
            let v = self.scalar(first)?;
            return Ok(self.m.splat(v, lanes));
        }
        let (op, args) = self.wholes.made[&first].clone();
        let mut vals: SmallVec<[Val; 4]> = SmallVec::new();
        for i in 0..args.len() {
            let column: SmallVec<[Value; 4]> = values.iter().map(|v| self.wholes.made[v].1[i]).collect();
            vals.push(self.whole_of(&column, base, lanes)?);
        }
        let shape = Shape { arg: self.k.ty(args[0]), result: self.k.ty(first), n: lanes };
        if shape.arg.is_float() {
            self.float(op, shape, &vals)
        } else {
            self.integer(op, shape, &vals)
        }
    }
}
