//! Operations on vectors, lane by lane, and on floating-point scalars, which are vectors of which one lane counts.

use super::asm::{Enc, Mem, Rm, Vex, RAX};
use super::emit::{Emit, Result};
use super::regs::{Class, MOVE};
use super::Refused;
use crate::codegen::ir::{Bin, Cast, Fcmp, Icmp, Inst, Intrinsic, Op, TyKind, Val};

/// Mask registers for use within an instruction.
pub const K_WORK: u8 = 6;
pub const K_MORE: u8 = 7;
/// Vector registers likewise.
pub const V_WORK: u8 = 31;
pub const V_MORE: u8 = 30;

/// The encoding for elements of 8, 16, 32 or 64 bits.
fn sized(bits: u32, by: [Option<Enc>; 4]) -> Result<Enc> {
    let at = match bits {
        8 => 0,
        16 => 1,
        32 => 2,
        64 => 3,
        _ => return Err(Refused("elements of this size")),
    };
    by[at].ok_or(Refused("an operation on elements of this size"))
}

/// Encodings of a binary operation.
fn binary(op: Bin, bits: u32) -> Result<Enc> {
    let float = |opcode| sized(bits, [None, None, Some(Enc(1, 0, 0, opcode)), Some(Enc(1, 1, 1, opcode))]);
    let shift = |opcode: u8, word: u8| {
        sized(bits, [None, Some(Enc(2, 1, 1, word)), Some(Enc(2, 1, 0, opcode)), Some(Enc(2, 1, 1, opcode))])
    };
    match op {
        Bin::Add => sized(
            bits,
            [Some(Enc(1, 1, 0, 0xfc)), Some(Enc(1, 1, 0, 0xfd)), Some(Enc(1, 1, 0, 0xfe)), Some(Enc(1, 1, 1, 0xd4))],
        ),
        Bin::Sub => sized(
            bits,
            [Some(Enc(1, 1, 0, 0xf8)), Some(Enc(1, 1, 0, 0xf9)), Some(Enc(1, 1, 0, 0xfa)), Some(Enc(1, 1, 1, 0xfb))],
        ),
        Bin::Mul => sized(bits, [None, Some(Enc(1, 1, 0, 0xd5)), Some(Enc(2, 1, 0, 0x40)), Some(Enc(2, 1, 1, 0x40))]),
        Bin::And => Ok(logic(0xdb, bits)),
        Bin::Or => Ok(logic(0xeb, bits)),
        Bin::Xor => Ok(logic(0xef, bits)),
        Bin::Shl => shift(0x47, 0x12),
        Bin::LShr => shift(0x45, 0x10),
        Bin::AShr => shift(0x46, 0x11),
        Bin::FAdd => float(0x58),
        Bin::FSub => float(0x5c),
        Bin::FMul => float(0x59),
        Bin::FDiv => float(0x5e),
        Bin::UDiv | Bin::SDiv | Bin::URem | Bin::SRem => Err(Refused("division of vectors")),
    }
}

fn logic(opcode: u8, bits: u32) -> Enc {
    Enc(1, 1, u8::from(bits == 64), opcode)
}

fn minimum(which: Intrinsic, bits: u32) -> Result<Enc> {
    let [b, w, d] = match which {
        Intrinsic::SMin => [Enc(2, 1, 0, 0x38), Enc(1, 1, 0, 0xea), Enc(2, 1, 0, 0x39)],
        Intrinsic::SMax => [Enc(2, 1, 0, 0x3c), Enc(1, 1, 0, 0xee), Enc(2, 1, 0, 0x3d)],
        Intrinsic::UMin => [Enc(1, 1, 0, 0xda), Enc(2, 1, 0, 0x3a), Enc(2, 1, 0, 0x3b)],
        _ => [Enc(1, 1, 0, 0xde), Enc(2, 1, 0, 0x3e), Enc(2, 1, 0, 0x3f)],
    };
    let q = Enc(2, 1, 1, d.3);
    sized(bits, [Some(b), Some(w), Some(d), Some(q)])
}

impl Emit<'_, '_> {
    /// The length that operations on a value have, and the number of its registers.
    pub fn length(&mut self, v: Val) -> (u8, u16) {
        let parts = self.r.class_of(v).1;
        let total = self.bits(v) * self.lanes(v).max(1);
        let len = match total {
            0..=128 => 0,
            129..=256 => 1,
            _ => 2,
        };
        (len, parts)
    }

    /// Lanes of a register with elements of that many bits.
    pub fn per(bits: u32) -> u32 {
        512 / bits
    }

    /// A last operand: a register, or a constant in memory. Whether it is one element for all lanes.
    fn last(&mut self, v: Val, part: u16, bits: u32) -> Result<(Rm, bool)> {
        if self.s.constant(v).is_some() {
            if let Some((p, one)) = self.r.operand(self.a, v, part, bits) {
                return Ok((Rm::M(Mem::Pool(p)), one));
            }
        }
        Ok((Rm::R(self.get(v, part)?), false))
    }

    /// One instruction of two operands per register.
    fn two(&mut self, inst: &Inst, e: Enc, bits: u32, x: Val, y: Val, imm: Option<u8>) -> Result<()> {
        let (len, parts) = self.length(inst.val);
        for part in 0..parts {
            let a = self.get(x, part)?;
            let (rm, broadcast) = self.last(y, part, bits)?;
            let dst = self.def(inst.val, part)?;
            self.a.evex(e, Vex { broadcast, imm, ..Vex::new(len, dst, a, rm) });
        }
        Ok(())
    }

    /// One instruction of one operand per register.
    fn one(&mut self, inst: &Inst, e: Enc, imm: Option<u8>) -> Result<()> {
        let (len, parts) = self.length(inst.val);
        let v = self.arg(inst, 0);
        for part in 0..parts {
            let a = self.get(v, part)?;
            let dst = self.def(inst.val, part)?;
            self.a.evex(e, Vex { imm, ..Vex::new(len, dst, 0, Rm::R(a)) });
        }
        Ok(())
    }

    /// One instruction.
    pub fn inst(&mut self, inst: &Inst) -> Result<()> {
        for v in inst.args.iter().chain([&inst.val]) {
            let (e, n) = self.s.shape(self.s.ty(*v));
            if n > 64 && self.s.bits(e) == 1 {
                return Err(Refused("masks of more bits than a register has"));
            }
        }
        let class = match inst.op {
            Op::Store(_) => self.r.class(self.s.ty(inst.args[0])).0,
            _ if *self.s.what(self.s.ty(inst.val)) == TyKind::Void => Class::General,
            _ => self.r.class_of(inst.val).0,
        };
        match &inst.op {
            Op::Bin(op) => match class {
                Class::General => self.scalar_bin(inst, *op),
                Class::Mask => self.mask_bin(inst, *op),
                Class::Vector => self.vector_bin(inst, *op),
            },
            Op::Fused { minus_product, minus_addend } => self.fused(inst, *minus_product, *minus_addend),
            Op::Cast(cast) => self.convert(inst, *cast, class),
            Op::Icmp(p) if class == Class::General => self.icmp_scalar(inst, *p),
            Op::Icmp(p) => self.vector_icmp(inst, *p),
            Op::Fcmp(p) => self.vector_fcmp(inst, *p),
            Op::Select if class == Class::General => self.scalar_select(inst),
            Op::Select => self.vector_select(inst),
            Op::Extract => self.extract(inst),
            Op::Insert => self.insert(inst),
            Op::Shuffle(indices) if class == Class::Mask => self.shuffle_mask(inst, indices),
            Op::Shuffle(indices) => self.shuffle(inst, indices),
            Op::Splat => self.splat(inst),
            Op::Load(_) => self.load(inst, class),
            Op::Store(_) => self.store(inst, class),
            Op::Rmw(op, _) => self.read_modify_write(inst, *op),
            Op::CmpXchg => self.compare_and_swap(inst),
            Op::CmpXchgOk => self.swapped(inst),
            Op::Fence(order, local) => {
                self.fence(*order, *local);
                Ok(())
            }
            Op::Gep(unit) => self.address(inst, *unit, class),
            Op::Call(ty) => self.call(inst, *ty),
            Op::Intrinsic(which, _) => self.intrinsic(inst, *which, class),
            Op::Alloca(..) | Op::Phi(_) | Op::Br(_) | Op::CondBr(..) | Op::Switch(..) | Op::Ret => Ok(()),
        }
    }

    fn mask_bin(&mut self, inst: &Inst, op: Bin) -> Result<()> {
        let op = match op {
            Bin::And | Bin::Mul => 0x41,
            Bin::Or => 0x45,
            Bin::Xor | Bin::Add | Bin::Sub => 0x47,
            _ => return Err(Refused("an operation on truth values")),
        };
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let (a, b) = (self.get(x, 0)?, self.get(y, 0)?);
        let dst = self.def(inst.val, 0)?;
        self.a.k_op(op, dst, a, b);
        Ok(())
    }

    fn vector_bin(&mut self, inst: &Inst, op: Bin) -> Result<()> {
        let bits = self.bits(inst.val);
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        if matches!(op, Bin::UDiv | Bin::SDiv | Bin::URem | Bin::SRem) {
            return self.divide_lanes(inst, op);
        }
        let e = binary(op, bits)?;
        // Shifts by the same constant have a form with the count.
        if let (Bin::Shl | Bin::LShr | Bin::AShr, Some(count)) = (op, self.s.same(y)) {
            let (opcode, kind) = match (op, bits) {
                (Bin::Shl, 64) => (0x73, 6),
                (Bin::LShr, 64) => (0x73, 2),
                (Bin::Shl, _) => (0x72, 6),
                (Bin::LShr, _) => (0x72, 2),
                _ => (0x72, 4),
            };
            let opcode = if bits == 16 { 0x71 } else { opcode };
            let (len, parts) = self.length(inst.val);
            for part in 0..parts {
                let a = self.get(x, part)?;
                let dst = self.def(inst.val, part)?;
                let e = Enc(1, 1, u8::from(bits == 64), opcode);
                self.a.evex(e, Vex::new(len, kind, dst, Rm::R(a)).imm(count.min(255) as u8));
            }
            return Ok(());
        }
        let commutes = matches!(op, Bin::Add | Bin::Mul | Bin::And | Bin::Or | Bin::Xor | Bin::FAdd | Bin::FMul);
        let (x, y) = if commutes && self.s.constant(x).is_some() { (y, x) } else { (x, y) };
        self.two(inst, e, bits, x, y, None)
    }

    fn fused(&mut self, inst: &Inst, minus_product: bool, minus_addend: bool) -> Result<()> {
        let opcode = match (minus_product, minus_addend) {
            (false, false) => 0xb8,
            (false, true) => 0xba,
            (true, false) => 0xbc,
            (true, true) => 0xbe,
        };
        let (x, y, z) = (self.arg(inst, 0), self.arg(inst, 1), self.arg(inst, 2));
        let bits = self.bits(inst.val);
        let (x, y) = if self.s.constant(x).is_some() { (y, x) } else { (x, y) };
        let (len, parts) = self.length(inst.val);
        for part in 0..parts {
            let (a, c) = (self.get(x, part)?, self.get(z, part)?);
            let (rm, broadcast) = self.last(y, part, bits)?;
            let dst = self.def(inst.val, part)?;
            self.a.evex(MOVE, Vex::new(2, dst, 0, Rm::R(c)));
            self.a.evex(Enc(2, 1, u8::from(bits == 64), opcode), Vex { broadcast, ..Vex::new(len, dst, a, rm) });
        }
        Ok(())
    }

    /// Compares register by register, and puts the results side by side.
    fn compared(&mut self, inst: &Inst, e: Enc, imm: u8, bits: u32) -> Result<()> {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let (len, parts) = self.length(inst.args[0]);
        let scalar = self.lanes(inst.args[0]) == 0;
        let dst = if scalar { K_WORK } else { self.def(inst.val, 0)? };
        for part in 0..parts {
            let a = self.get(x, part)?;
            let (rm, broadcast) = self.last(y, part, bits)?;
            let to = if part == 0 { dst } else { K_WORK };
            self.a.evex(e, Vex { broadcast, imm: Some(imm), ..Vex::new(len, to, a, rm) });
            if part > 0 {
                self.a.k_shift(true, K_WORK, K_WORK, (u32::from(part) * Self::per(bits)) as u8);
                self.a.k_op(0x45, dst, dst, K_WORK);
            }
        }
        if scalar {
            self.truth_of_mask(inst.val, K_WORK)?;
        }
        Ok(())
    }

    fn vector_icmp(&mut self, inst: &Inst, p: Icmp) -> Result<()> {
        let bits = self.bits(inst.args[0]);
        let (imm, unsigned) = match p {
            Icmp::Eq => (0, false),
            Icmp::Ne => (4, false),
            Icmp::Ult => (1, true),
            Icmp::Ule => (2, true),
            Icmp::Ugt => (6, true),
            Icmp::Uge => (5, true),
            Icmp::Slt => (1, false),
            Icmp::Sle => (2, false),
            Icmp::Sgt => (6, false),
        };
        let (wide, narrow) = if unsigned { (0x1e, 0x3e) } else { (0x1f, 0x3f) };
        let e = sized(
            bits,
            [
                Some(Enc(3, 1, 0, narrow)),
                Some(Enc(3, 1, 1, narrow)),
                Some(Enc(3, 1, 0, wide)),
                Some(Enc(3, 1, 1, wide)),
            ],
        )?;
        self.compared(inst, e, imm, bits)
    }

    fn vector_fcmp(&mut self, inst: &Inst, p: Fcmp) -> Result<()> {
        let bits = self.bits(inst.args[0]);
        // Without exceptions for NaNs, which nobody looks at.
        let imm = match p {
            Fcmp::Oeq => 0x00,
            Fcmp::Olt => 0x11,
            Fcmp::Ole => 0x12,
            Fcmp::Ogt => 0x1e,
            Fcmp::Une => 0x04,
            Fcmp::Uno => 0x03,
        };
        let e = sized(bits, [None, None, Some(Enc(1, 0, 0, 0xc2)), Some(Enc(1, 1, 1, 0xc2))])?;
        self.compared(inst, e, imm, bits)
    }

    /// The mask register for a part of a value with elements of that many bits.
    pub fn mask_part(&mut self, k: u8, part: u16, bits: u32) -> u8 {
        if part == 0 {
            return k;
        }
        self.a.k_shift(false, K_WORK, k, (u32::from(part) * Self::per(bits)) as u8);
        K_WORK
    }

    fn vector_select(&mut self, inst: &Inst) -> Result<()> {
        let (c, x, y) = (self.arg(inst, 0), self.arg(inst, 1), self.arg(inst, 2));
        let bits = self.bits(inst.val);
        let (len, parts) = self.length(inst.val);
        let k = match self.r.class_of(c).0 {
            Class::Mask => self.get(c, 0)?,
            _ => {
                let reg = self.get(c, 0)?;
                self.mask_of_truth(K_MORE, reg);
                K_MORE
            }
        };
        let e = sized(
            bits,
            [Some(Enc(2, 1, 0, 0x66)), Some(Enc(2, 1, 1, 0x66)), Some(Enc(2, 1, 0, 0x64)), Some(Enc(2, 1, 1, 0x64))],
        )?;
        for part in 0..parts {
            let b = self.get(y, part)?;
            let (rm, broadcast) = self.last(x, part, bits)?;
            let dst = self.def(inst.val, part)?;
            let k = self.mask_part(k, part, bits);
            self.a.evex(e, Vex { broadcast, ..Vex::new(len, dst, b, rm).masked(k, false) });
        }
        Ok(())
    }

    fn intrinsic(&mut self, inst: &Inst, which: Intrinsic, class: Class) -> Result<()> {
        let bits = match which {
            Intrinsic::Scatter | Intrinsic::MaskedStore => self.bits(inst.args[0]),
            _ => self.bits(inst.val),
        };
        let wide = u8::from(bits == 64);
        let round = |imm| (Enc(3, 1, wide, if wide == 1 { 0x09 } else { 0x08 }), Some(imm));
        match which {
            Intrinsic::Gather => self.gather(inst),
            Intrinsic::Scatter => self.scatter(inst),
            Intrinsic::MaskedLoad => self.masked_load(inst),
            Intrinsic::MaskedStore => self.masked_store(inst),
            Intrinsic::ReadCycleCounter => self.clock(inst.val),
            Intrinsic::Pdep64 => self.pdep(inst),
            Intrinsic::Ctlz | Intrinsic::Cttz | Intrinsic::Ctpop if class == Class::General => {
                self.scalar_count(inst, which)
            }
            Intrinsic::Ctlz => {
                let e = sized(bits, [None, None, Some(Enc(2, 1, 0, 0x44)), Some(Enc(2, 1, 1, 0x44))])?;
                self.one(inst, e, None)
            }
            Intrinsic::Abs if class == Class::Vector => {
                let e = sized(
                    bits,
                    [
                        Some(Enc(2, 1, 0, 0x1c)),
                        Some(Enc(2, 1, 0, 0x1d)),
                        Some(Enc(2, 1, 0, 0x1e)),
                        Some(Enc(2, 1, 1, 0x1f)),
                    ],
                )?;
                self.one(inst, e, None)
            }
            Intrinsic::SMin | Intrinsic::SMax | Intrinsic::UMin | Intrinsic::UMax if class == Class::Vector => {
                let e = minimum(which, bits)?;
                let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
                self.two(inst, e, bits, x, y, None)
            }
            Intrinsic::Sqrt => self.one(inst, Enc(1, wide, wide, 0x51), None),
            Intrinsic::RoundEven => {
                let (e, imm) = round(8);
                self.one(inst, e, imm)
            }
            Intrinsic::Floor => {
                let (e, imm) = round(9);
                self.one(inst, e, imm)
            }
            Intrinsic::Ceil => {
                let (e, imm) = round(10);
                self.one(inst, e, imm)
            }
            Intrinsic::Trunc => {
                let (e, imm) = round(11);
                self.one(inst, e, imm)
            }
            Intrinsic::CvttPs2Dq128 | Intrinsic::CvttPs2Dq256 => self.one(inst, Enc(1, 2, 0, 0x5b), None),
            Intrinsic::CvttPs2Dq512 => self.one(inst, Enc(1, 2, 0, 0x5b), None),
            Intrinsic::CvttPs2Udq512 => self.one(inst, Enc(1, 0, 0, 0x78), None),
            Intrinsic::Expand => {
                // What the mask leaves out is zero: the generator asks for nothing else.
                if self.s.same(self.arg(inst, 1)) != Some(0) || bits < 32 {
                    return Err(Refused("an expansion"));
                }
                let (x, k) = (self.arg(inst, 0), self.arg(inst, 2));
                let (len, parts) = self.length(inst.val);
                if parts > 1 {
                    return Err(Refused("an expansion"));
                }
                let (a, k) = (self.get(x, 0)?, self.get(k, 0)?);
                let dst = self.def(inst.val, 0)?;
                self.a.evex(Enc(2, 1, wide, 0x89), Vex::new(len, dst, 0, Rm::R(a)).masked(k, true));
                Ok(())
            }
            Intrinsic::ScalefPs512 => {
                let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
                self.two(inst, Enc(2, 1, 0, 0x2c), 32, x, y, None)
            }
            Intrinsic::GetexpPs512 => self.one(inst, Enc(2, 1, 0, 0x42), None),
            Intrinsic::GetmantPs512 => {
                let form = self.arg(inst, 1);
                let Some(form) = self.s.same(form) else { return Err(Refused("a form of significands")) };
                self.one(inst, Enc(3, 1, 0, 0x26), Some(form as u8))
            }
            Intrinsic::PmaddWd128 | Intrinsic::PmaddWd256 | Intrinsic::PmaddWd512 => {
                let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
                self.two(inst, Enc(1, 1, 0, 0xf5), 16, x, y, None)
            }
            // The instruction takes the indices first.
            Intrinsic::PermVarD512 | Intrinsic::PermD256 => {
                let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
                let (a, index) = (self.get(x, 0)?, self.get(y, 0)?);
                let dst = self.def(inst.val, 0)?;
                let len = self.length(inst.val).0;
                self.a.evex(Enc(2, 1, 0, 0x36), Vex::new(len, dst, index, Rm::R(a)));
                Ok(())
            }
            Intrinsic::PermI2VarD512 => {
                let (x, i, y) = (self.arg(inst, 0), self.arg(inst, 1), self.arg(inst, 2));
                let (a, index, b) = (self.get(x, 0)?, self.get(i, 0)?, self.get(y, 0)?);
                let dst = self.def(inst.val, 0)?;
                self.a.evex(MOVE, Vex::new(2, dst, 0, Rm::R(index)));
                self.a.evex(Enc(2, 1, 0, 0x76), Vex::new(2, dst, a, Rm::R(b)));
                Ok(())
            }
            _ => Err(Refused("an intrinsic")),
        }
    }

    /// Division of vectors, one lane after the other.
    fn divide_lanes(&mut self, inst: &Inst, op: Bin) -> Result<()> {
        if self.bits(inst.val) != 64 {
            return Err(Refused("division of vectors"));
        }
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let (from, by) = (self.r.in_memory(self.a, x)?, self.r.in_memory(self.a, y)?);
        let to = self.r.slot(inst.val)?;
        let signed = matches!(op, Bin::SDiv | Bin::SRem);
        for lane in 0..self.lanes(inst.val) as i32 {
            let rsp = super::asm::RSP;
            self.a.load(8, RAX, Mem::Base(rsp, from + 8 * lane));
            self.divide(8, signed, Rm::M(Mem::Base(rsp, by + 8 * lane)));
            let reg = if matches!(op, Bin::UDiv | Bin::SDiv) { RAX } else { super::asm::RDX };
            self.a.store(8, reg, Mem::Base(rsp, to + 8 * lane));
        }
        self.r.made_in_memory(inst.val);
        Ok(())
    }

    /// Dispatches conversions.
    fn convert(&mut self, inst: &Inst, cast: Cast, class: Class) -> Result<()> {
        let from = self.r.class(self.s.ty(inst.args[0])).0;
        match (from, class) {
            (Class::General, Class::General) => self.scalar_cast(inst, cast),
            (Class::Vector, Class::Vector) => self.vector_cast(inst, cast),
            (Class::General, Class::Vector) => self.word_to_vector(inst, cast),
            (Class::Vector, Class::General) => self.vector_to_word(inst, cast),
            (Class::Mask, Class::General) => self.mask_to_word(inst),
            (Class::General, Class::Mask) => {
                let v = self.arg(inst, 0);
                let a = self.get(v, 0)?;
                let dst = self.def(inst.val, 0)?;
                self.a.k_from(dst, a);
                Ok(())
            }
            (Class::Mask, _) | (_, Class::Mask) => Err(Refused("a conversion of truth values")),
        }
    }
}
