//! Registers: which value stands where while the code of a block is made.
//!
//! Every value has a place on the stack as soon as it needs one. Values that are used in other blocks are stored when they are made;
//! in a block, registers keep what was used last. A block that is entered from one place only begins with the registers as they
//! are there.

use super::analyse::Facts;
use super::asm::{Asm, Enc, Mem, Rm, Vex, RSP};
use super::constants::Constants;
use super::Refused;
use crate::codegen::ir::{Kind, Op, State, Ty, TyKind, Val};

/// The kind of register that holds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    General,
    Vector,
    Mask,
}

/// Registers that values are kept in. The others of each kind are for use within an instruction.
const GENERAL: [u8; 12] = [3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const VECTORS: std::ops::Range<u8> = 0..28;
const MASKS: std::ops::Range<u8> = 1..6;

/// Bytes of a vector register.
pub const VECTOR: i32 = 64;
/// Space for arguments of calls, at the bottom of the stack frame.
pub const OUTGOING: i32 = 64;
/// The largest frame.
const MAX_FRAME: i32 = 512 << 10;

pub const MOVE: Enc = Enc(1, 1, 1, 0x6f);
pub const LOAD: Enc = Enc(1, 2, 1, 0x6f);
pub const STORE: Enc = Enc(1, 2, 1, 0x7f);

/// Uses of a value that are not counted.
const UNCOUNTED: u32 = u32::MAX;

/// A register, or one of several that hold a value.
#[derive(Clone, Copy, Debug)]
struct Unit {
    reg: Option<u8>,
    stored: bool,
}

/// What a register holds.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    /// Value and part.
    unit: Option<(Val, u16)>,
    /// When it was used last.
    at: u32,
    /// May not be taken before the end of the instruction.
    pinned: bool,
}

/// Contents of registers at the end of a block.
pub type Snapshot = Vec<(Class, u8, Val, u16)>;

/// Registers and stack frame of a function.
pub struct Regs<'s> {
    pub s: &'s State,
    pub f: &'s Facts,
    units: Vec<Unit>,
    /// By value, its first unit and its place on the stack; none yet if negative.
    places: Vec<(i32, i32)>,
    general: [Held; 16],
    vector: [Held; 32],
    mask: [Held; 8],
    /// By value, uses that are to come; most of all where nobody counts.
    left: Vec<u32>,
    clock: u32,
    pub frame: i32,
    /// Slots of values that are not used any more: words, then vectors by the number of their registers.
    free: Vec<Vec<i32>>,
    /// By type, class and number of registers.
    classes: Vec<(Class, u16)>,
    pub(super) constants: Constants,
    /// Registers that are pinned.
    pins: smallvec::SmallVec<[(Class, u8); 16]>,
}

impl<'s> Regs<'s> {
    pub fn new(s: &'s State, f: &'s Facts) -> Regs<'s> {
        Regs {
            s,
            f,
            units: Vec::with_capacity(s.vals.len()),
            places: vec![(-1, -1); s.vals.len()],
            general: Default::default(),
            vector: Default::default(),
            mask: Default::default(),
            left: vec![UNCOUNTED; s.vals.len()],
            clock: 0,
            frame: OUTGOING + VECTOR,
            free: Vec::new(),
            classes: (0..s.types.len() as u32).map(|t| class(s, Ty(t))).collect(),
            constants: Constants::new(s),
            pins: smallvec::SmallVec::new(),
        }
    }

    /// Class and number of registers of a type.
    pub fn class(&self, t: Ty) -> (Class, u16) {
        self.classes[t.0 as usize]
    }

    pub fn class_of(&self, v: Val) -> (Class, u16) {
        self.class(self.s.ty(v))
    }

    fn bank(&mut self, c: Class) -> &mut [Held] {
        match c {
            Class::General => &mut self.general,
            Class::Vector => &mut self.vector,
            Class::Mask => &mut self.mask,
        }
    }

    fn units(&mut self, v: Val) -> &mut [Unit] {
        let parts = usize::from(self.class_of(v).1);
        let place = &mut self.places[v.0 as usize].0;
        if *place < 0 {
            *place = self.units.len() as i32;
            self.units.resize(self.units.len() + parts, Unit { reg: None, stored: false });
        }
        let at = *place as usize;
        &mut self.units[at..at + parts]
    }

    // ---- the stack ----

    /// Space on the stack.
    pub fn reserve(&mut self, bytes: i32) -> Result<i32, Refused> {
        let align = if bytes > 8 { VECTOR } else { 8 };
        let at = (self.frame + align - 1) / align * align;
        self.frame = at + bytes;
        if self.frame > MAX_FRAME {
            return Err(Refused("a large stack frame"));
        }
        Ok(at)
    }

    /// Bytes that a value takes on the stack.
    pub fn slot_bytes(&self, v: Val) -> i32 {
        match self.class_of(v) {
            (Class::Vector, parts) => i32::from(parts) * VECTOR,
            (Class::General | Class::Mask, _) => 8,
        }
    }

    /// Where a value stands on the stack, or will.
    pub fn slot(&mut self, v: Val) -> Result<i32, Refused> {
        let at = self.places[v.0 as usize].1;
        if at >= 0 {
            return Ok(at);
        }
        let bytes = match self.s.inst(v).map(|i| &i.op) {
            Some(Op::Alloca(t, _)) => (self.s.bytes(*t).max(8) as i32 + VECTOR - 1) / VECTOR * VECTOR,
            _ => self.slot_bytes(v),
        };
        let at = match self.free.get_mut((bytes / VECTOR) as usize).and_then(Vec::pop) {
            Some(at) => at,
            None => self.reserve(bytes)?,
        };
        self.places[v.0 as usize].1 = at;
        Ok(at)
    }

    fn store(&mut self, a: &mut Asm, v: Val, part: u16, reg: u8) -> Result<(), Refused> {
        let at = self.slot(v)?;
        match self.class_of(v).0 {
            Class::General => a.store(8, reg, Mem::Base(RSP, at)),
            Class::Mask => a.k_store(reg, Mem::Base(RSP, at)),
            Class::Vector => vector_store(a, reg, at + i32::from(part) * VECTOR),
        }
        self.units(v)[part as usize].stored = true;
        Ok(())
    }

    /// Makes a value stand on the stack; its place.
    pub fn in_memory(&mut self, a: &mut Asm, v: Val) -> Result<i32, Refused> {
        let at = self.slot(v)?;
        if let Some(c) = self.s.constant(v) {
            let parts = self.class_of(v).1;
            for part in 0..parts {
                let reg = self.constant(a, v, c, part)?;
                self.store(a, v, part, reg)?;
            }
            return Ok(at);
        }
        for part in 0..self.units(v).len() as u16 {
            let unit = self.units(v)[part as usize];
            match unit.reg {
                Some(reg) if !unit.stored => self.store(a, v, part, reg)?,
                _ => {}
            }
        }
        Ok(at)
    }

    /// The value is on the stack and nowhere else.
    pub fn made_in_memory(&mut self, v: Val) {
        for unit in self.units(v) {
            *unit = Unit { reg: None, stored: true };
        }
    }

    // ---- registers ----

    /// A register that nothing else uses until the end of the instruction.
    pub fn take(&mut self, a: &mut Asm, c: Class) -> Result<u8, Refused> {
        let best = {
            let bank = match c {
                Class::General => &self.general[..],
                Class::Vector => &self.vector[..],
                Class::Mask => &self.mask[..],
            };
            let rank = |r: &u8| {
                let h = &bank[*r as usize];
                (h.unit.is_some(), h.at)
            };
            let open = |r: &u8| !bank[*r as usize].pinned;
            match c {
                Class::General => GENERAL.into_iter().filter(open).min_by_key(rank),
                Class::Vector => VECTORS.filter(open).min_by_key(rank),
                Class::Mask => MASKS.filter(open).min_by_key(rank),
            }
        };
        let Some(reg) = best else { return Err(Refused("an operation on many registers")) };
        let clock = self.clock;
        let held = &mut self.bank(c)[reg as usize];
        let before = held.unit.take();
        (held.pinned, held.at) = (true, clock);
        self.pins.push((c, reg));
        if let Some((v, part)) = before {
            let unit = self.units(v)[part as usize];
            if !unit.stored && self.left[v.0 as usize] > 0 {
                self.store(a, v, part, reg)?;
            }
            self.units(v)[part as usize].reg = None;
        }
        Ok(reg)
    }

    fn bind(&mut self, c: Class, reg: u8, v: Val, part: u16) {
        self.clock += 1;
        let clock = self.clock;
        self.bank(c)[reg as usize] = Held { unit: Some((v, part)), at: clock, pinned: true };
        self.units(v)[part as usize].reg = Some(reg);
    }

    /// A register for a value that is being made.
    pub fn def(&mut self, a: &mut Asm, v: Val, part: u16) -> Result<u8, Refused> {
        let c = self.class_of(v).0;
        let reg = self.take(a, c)?;
        self.bind(c, reg, v, part);
        self.units(v)[part as usize].stored = false;
        Ok(reg)
    }

    /// A register that holds a part of a value.
    pub fn get(&mut self, a: &mut Asm, v: Val, part: u16) -> Result<u8, Refused> {
        let c = self.class_of(v).0;
        match self.s.kind(v) {
            Kind::Const(k) => return self.constant(a, v, k, part),
            Kind::Global(content, _) => {
                let bytes = self.global(*content);
                let pooled = a.constant(&bytes);
                let reg = self.take(a, Class::General)?;
                a.lea(reg, Mem::Pool(pooled));
                return Ok(reg);
            }
            Kind::Function(_) => return Err(Refused("the address of a function")),
            Kind::Inst(i) if matches!(self.s.insts[*i as usize].op, Op::Alloca(..)) => {
                let at = self.slot(v)?;
                let reg = self.take(a, Class::General)?;
                a.lea(reg, Mem::Base(RSP, at));
                return Ok(reg);
            }
            Kind::Inst(_) | Kind::Param => {}
        }
        let unit = self.units(v)[part as usize];
        if let Some(reg) = unit.reg {
            self.clock += 1;
            let clock = self.clock;
            let held = &mut self.bank(c)[reg as usize];
            (held.at, held.pinned) = (clock, true);
            self.pins.push((c, reg));
            return Ok(reg);
        }
        if !unit.stored {
            return Err(Refused("a value before it is made"));
        }
        let at = self.slot(v)?;
        let reg = self.take(a, c)?;
        match c {
            Class::General => a.load(8, reg, Mem::Base(RSP, at)),
            Class::Mask => a.k_load(reg, Mem::Base(RSP, at)),
            Class::Vector => vector_load(a, reg, at + i32::from(part) * VECTOR),
        }
        self.bind(c, reg, v, part);
        Ok(reg)
    }

    // ---- from instruction to instruction ----

    /// The function begins.
    pub fn begin(&mut self, order: &[crate::codegen::ir::Block]) {
        for b in order {
            for &i in &self.f.insts[b.0 as usize] {
                let v = self.s.insts[i as usize].val;
                self.left[v.0 as usize] = self.f.uses[v.0 as usize];
            }
        }
    }

    /// A parameter that the caller passed has been stored.
    pub fn passed(&mut self, v: Val) {
        self.made_in_memory(v);
        self.left[v.0 as usize] = self.f.uses[v.0 as usize].max(1);
    }

    /// An instruction is done: `made` was made, `used` used once each.
    pub fn done(&mut self, a: &mut Asm, made: Option<Val>, used: &[Val]) -> Result<(), Refused> {
        if let Some(v) = made {
            if self.f.global[v.0 as usize] {
                for part in 0..self.units(v).len() as u16 {
                    let unit = self.units(v)[part as usize];
                    if let (Some(reg), false) = (unit.reg, unit.stored) {
                        self.store(a, v, part, reg)?;
                    }
                }
            }
        }
        for v in used {
            let left = &mut self.left[v.0 as usize];
            if *left == UNCOUNTED {
                continue;
            }
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.release(*v);
            }
        }
        if let Some(v) = made {
            if self.left[v.0 as usize] == 0 {
                self.release(v);
            }
        }
        for (c, reg) in std::mem::take(&mut self.pins) {
            self.bank(c)[reg as usize].pinned = false;
        }
        Ok(())
    }

    fn release(&mut self, v: Val) {
        let c = self.class_of(v).0;
        for part in 0..self.units(v).len() {
            if let Some(reg) = self.units(v)[part].reg.take() {
                self.bank(c)[reg as usize].unit = None;
                self.bank(c)[reg as usize].at = 0;
            }
        }
        // Values of other blocks may come by here again.
        let cell = matches!(self.s.inst(v).map(|i| &i.op), Some(Op::Alloca(..)));
        if !self.f.global[v.0 as usize] && !cell {
            let at = std::mem::replace(&mut self.places[v.0 as usize].1, -1);
            if at >= 0 {
                let size = (self.slot_bytes(v) / VECTOR) as usize;
                if self.free.len() <= size {
                    self.free.resize_with(size + 1, Vec::new);
                }
                self.free[size].push(at);
            }
        }
    }

    /// Stores what is in registers only and needed further, and forgets all registers.
    pub fn flush(&mut self, a: &mut Asm) -> Result<(), Refused> {
        for c in [Class::General, Class::Vector, Class::Mask] {
            for reg in 0..self.bank(c).len() as u8 {
                let Some((v, part)) = self.bank(c)[reg as usize].unit.take() else { continue };
                let unit = self.units(v)[part as usize];
                if !unit.stored && self.left[v.0 as usize] > 0 {
                    self.store(a, v, part, reg)?;
                }
                self.units(v)[part as usize].reg = None;
            }
        }
        Ok(())
    }

    /// What other blocks may find in registers.
    pub fn snapshot(&mut self) -> Snapshot {
        let mut out = Vec::new();
        for c in [Class::General, Class::Vector, Class::Mask] {
            for reg in 0..self.bank(c).len() as u8 {
                if let Some((v, part)) = self.bank(c)[reg as usize].unit {
                    if self.f.global[v.0 as usize] && self.units(v)[part as usize].stored {
                        out.push((c, reg, v, part));
                    }
                }
            }
        }
        out
    }

    /// A block begins, with these contents of registers.
    pub fn enter(&mut self, before: &[(Class, u8, Val, u16)]) {
        for c in [Class::General, Class::Vector, Class::Mask] {
            for reg in 0..self.bank(c).len() {
                let unit = std::mem::take(&mut self.bank(c)[reg]).unit;
                if let Some((v, part)) = unit {
                    self.units(v)[part as usize].reg = None;
                }
            }
        }
        for &(c, reg, v, part) in before {
            if self.left[v.0 as usize] > 0 {
                self.bind(c, reg, v, part);
                self.bank(c)[reg as usize].pinned = false;
            }
        }
    }

    /// The register that holds a part of a value, if one does.
    pub fn cached(&mut self, v: Val, part: u16) -> Option<u8> {
        match self.s.kind(v) {
            Kind::Inst(_) | Kind::Param => self.units(v)[part as usize].reg,
            Kind::Const(_) | Kind::Function(_) | Kind::Global(..) => None,
        }
    }
}

/// Class and number of registers of a type.
fn class(s: &State, t: Ty) -> (Class, u16) {
    let (e, n) = s.shape(t);
    let bits = s.bits(e);
    match (s.what(e), n) {
        (TyKind::F32 | TyKind::F64 | TyKind::Half, 0) => (Class::Vector, 1),
        (_, 0) => (Class::General, 1),
        _ if bits == 1 => (Class::Mask, 1),
        _ => (Class::Vector, (bits * n).div_ceil(512) as u16),
    }
}

pub fn vector_load(a: &mut Asm, reg: u8, at: i32) {
    a.evex(LOAD, Vex { unit: 64, ..Vex::new(2, reg, 0, Rm::M(Mem::Base(RSP, at))) });
}

pub fn vector_store(a: &mut Asm, reg: u8, at: i32) {
    a.evex(STORE, Vex { unit: 64, ..Vex::new(2, reg, 0, Rm::M(Mem::Base(RSP, at))) });
}
