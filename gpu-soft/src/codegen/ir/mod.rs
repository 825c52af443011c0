//! The code generator's own intermediate form: what it emits, before it is known who makes machine code of it.
//!
//! [`Module`] is a builder with the operations of LLVM's that the generator needs, and types and instructions of the same meaning.
//! It folds constants, keeps instructions in the order in which they were added, and knows nothing of any target.
//! `super::to_llvm` makes an LLVM module of it, `super::quick` machine code. Handles belong to the module that made them; there is one
//! module per compilation and handles never leave it.

mod build;
mod expand;
mod fold;
mod intrinsic;
mod sign;

pub use intrinsic::Intrinsic;

use compiler::hash::HashMap;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::ffi::CStr;
use std::rc::Rc;

/// A value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Val(pub u32);

/// A type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ty(pub u32);

/// A basic block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block(pub u32);

/// What a type is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TyKind {
    Void,
    Int(u32),
    F32,
    F64,
    Half,
    Ptr,
    Vector(Ty, u32),
    Array(Ty, u64),
    Function(Ty, Vec<Ty>),
}

/// Integer predicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icmp {
    Eq,
    Ne,
    Ult,
    Ule,
    Ugt,
    Uge,
    Slt,
    Sle,
    Sgt,
}

/// Floating-point predicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fcmp {
    /// Ordered equal.
    Oeq,
    /// Ordered less.
    Olt,
    /// Ordered less or equal.
    Ole,
    /// Ordered greater.
    Ogt,
    /// Unordered or not equal.
    Une,
    /// Unordered.
    Uno,
}

/// Read-modify-write operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rmw {
    Add,
    And,
    Or,
    Xor,
    Exchange,
    SMin,
    SMax,
    UMin,
    UMax,
}

/// Memory orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Monotonic,
    AcqRel,
}

/// Operations on two values of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bin {
    Add,
    Sub,
    Mul,
    UDiv,
    SDiv,
    URem,
    SRem,
    Shl,
    LShr,
    AShr,
    And,
    Or,
    Xor,
    FAdd,
    FSub,
    FMul,
    FDiv,
}

/// Conversions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    Trunc,
    ZExt,
    SExt,
    FpTrunc,
    FpExt,
    SiToFp,
    UiToFp,
    FpToSi,
    FpToUi,
    Bitcast,
    IntToPtr,
    PtrToInt,
}

/// How a load or store is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// Bytes.
    pub align: u32,
    pub volatile: bool,
    /// Monotonic.
    pub atomic: bool,
    /// A store past the caches.
    pub stream: bool,
}

/// What an instruction does. Operands are in the order in which they are given here.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Bin(Bin),
    /// a·b + c, rounded once; the product or the addend may be negated.
    Fused {
        minus_product: bool,
        minus_addend: bool,
    },
    Cast(Cast),
    Icmp(Icmp),
    Fcmp(Fcmp),
    /// Condition, then, else.
    Select,
    /// Vector, index.
    Extract,
    /// Vector, element, index.
    Insert,
    /// Two vectors; elements at or beyond the length of the first come from the second, negative ones are unspecified.
    Shuffle(Box<[i32]>),
    Splat,
    /// Address.
    Load(How),
    /// Value, address.
    Store(How),
    /// Address, value.
    Rmw(Rmw, Order),
    /// Address, expected, desired.
    CmpXchg,
    /// Whether the CmpXchg that is the operand found what it expected.
    CmpXchgOk,
    /// Whether only the compiler is to keep the order.
    Fence(Order, bool),
    /// Address, index: address + index · bytes; either may be a vector.
    Gep(u32),
    /// Function, arguments; the type is the function's.
    Call(Ty),
    Intrinsic(Intrinsic, SmallVec<[Ty; 2]>),
    /// Type, alignment.
    Alloca(Ty, u32),
    /// Values; the blocks they come from.
    Phi(Vec<Block>),
    Br(Block),
    /// The first is likely, if so said.
    CondBr(Block, Block, bool),
    /// Selector; default, constants with targets.
    Switch(Block, Vec<(Val, Block)>),
    Ret,
}

/// An instruction.
#[derive(Clone, Debug)]
pub struct Inst {
    pub op: Op,
    pub args: SmallVec<[Val; 3]>,
    pub block: Block,
    /// What it defines; of type void if it defines nothing.
    pub val: Val,
}

/// A constant: its bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Const {
    Scalar(u64),
    Splat(u64),
    Lanes(Rc<[u64]>),
    /// Any value of any type.
    Poison,
    /// An array of integers.
    Array(Rc<[u64]>),
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Kind {
    Inst(u32),
    Const(Const),
    Param,
    Function(u32),
    /// Read-only memory with that content and alignment.
    Global(Val, u32),
}

/// A function: its handle, name, type, and what is known of it.
#[derive(Clone, Debug)]
pub struct Function {
    pub val: Val,
    pub name: String,
    pub ty: Ty,
    pub internal: bool,
    pub attributes: Vec<(String, String)>,
    pub nounwind: bool,
    pub noalias: Vec<u32>,
    pub params: Vec<Val>,
    pub blocks: Vec<Block>,
}

/// A block.
#[derive(Clone, Debug)]
pub struct BlockData {
    pub function: u32,
    pub name: &'static CStr,
    pub terminated: bool,
}

/// Everything in a module.
#[derive(Default)]
pub struct State {
    pub types: Vec<TyKind>,
    type_ids: HashMap<TyKind, Ty>,
    /// Type and kind of each value.
    pub vals: Vec<(Ty, Kind)>,
    consts: HashMap<(Ty, Const), Val>,
    pub insts: Vec<Inst>,
    pub blocks: Vec<BlockData>,
    pub functions: Vec<Function>,
    unknown: Option<String>,
    current: Option<Block>,
}

/// A module under construction.
pub struct Module {
    pub(super) state: RefCell<State>,
    /// Whether operations that the quick back end does not have are to be expanded.
    expand: bool,
}

impl State {
    pub fn ty(&self, v: Val) -> Ty {
        self.vals[v.0 as usize].0
    }

    pub fn kind(&self, v: Val) -> &Kind {
        &self.vals[v.0 as usize].1
    }

    pub fn constant(&self, v: Val) -> Option<&Const> {
        match self.kind(v) {
            Kind::Const(c) => Some(c),
            _ => None,
        }
    }

    pub fn inst(&self, v: Val) -> Option<&Inst> {
        match self.kind(v) {
            Kind::Inst(i) => Some(&self.insts[*i as usize]),
            _ => None,
        }
    }

    pub fn what(&self, t: Ty) -> &TyKind {
        &self.types[t.0 as usize]
    }

    /// Element type and lanes; lanes are 0 for scalars.
    pub fn shape(&self, t: Ty) -> (Ty, u32) {
        match self.what(t) {
            TyKind::Vector(e, n) => (*e, *n),
            _ => (t, 0),
        }
    }

    /// Bits of a scalar type.
    pub fn bits(&self, t: Ty) -> u32 {
        match self.what(t) {
            TyKind::Int(b) => *b,
            TyKind::F32 => 32,
            TyKind::F64 | TyKind::Ptr => 64,
            TyKind::Half => 16,
            TyKind::Void | TyKind::Vector(..) | TyKind::Array(..) | TyKind::Function(..) => 0,
        }
    }

    /// Bytes of a type in memory.
    pub fn bytes(&self, t: Ty) -> u64 {
        match self.what(t) {
            TyKind::Array(e, n) => self.bytes(*e) * n,
            TyKind::Vector(e, n) => (u64::from(self.bits(*e)) * u64::from(*n)).div_ceil(8),
            _ => u64::from(self.bits(t)).div_ceil(8),
        }
    }

    pub fn intern(&mut self, kind: TyKind) -> Ty {
        if let Some(t) = self.type_ids.get(&kind) {
            return *t;
        }
        let t = Ty(self.types.len() as u32);
        self.types.push(kind.clone());
        self.type_ids.insert(kind, t);
        t
    }

    pub fn value(&mut self, ty: Ty, kind: Kind) -> Val {
        self.vals.push((ty, kind));
        Val(self.vals.len() as u32 - 1)
    }

    pub fn konst(&mut self, ty: Ty, c: Const) -> Val {
        // All lanes the same is a splat, however it came about.
        let c = match c {
            Const::Lanes(l) if l.windows(2).all(|w| w[0] == w[1]) => Const::Splat(l.first().copied().unwrap_or(0)),
            c => c,
        };
        match self.consts.entry((ty, c)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let v = Val(self.vals.len() as u32);
                self.vals.push((ty, Kind::Const(new.key().1.clone())));
                *new.insert(v)
            }
        }
    }
}
