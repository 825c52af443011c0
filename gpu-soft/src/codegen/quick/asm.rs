//! An assembler for what the quick back end emits: instructions of x86-64 with AVX-512, labels, and a pool of constants behind the
//! code. Written for this purpose because all vector instructions here have one form, for which one function does.

use compiler::hash::HashMap;

/// General registers that instructions name by themselves.
pub const RAX: u8 = 0;
pub const RCX: u8 = 1;
pub const RDX: u8 = 2;
pub const RBX: u8 = 3;
pub const RSP: u8 = 4;
pub const RBP: u8 = 5;
pub const RSI: u8 = 6;
pub const RDI: u8 = 7;

/// A place in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(pub usize);

/// A constant of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooled(usize);

/// A memory operand.
#[derive(Clone, Copy, Debug)]
pub enum Mem {
    /// Base and displacement.
    Base(u8, i32),
    /// Base, index, logarithm of the scale, displacement.
    Index(u8, u8, u8, i32),
    /// A vector of indices beside a base, if there is one; logarithm of the scale.
    Lanes(Option<u8>, u8, u8),
    Pool(Pooled),
}

/// A register or memory.
#[derive(Clone, Copy, Debug)]
pub enum Rm {
    R(u8),
    M(Mem),
}

/// What identifies a vector instruction: opcode map (1: 0F, 2: 0F38, 3: 0F3A), mandatory prefix (0: none, 1: 66, 2: F3, 3: F2), W,
/// opcode.
#[derive(Clone, Copy, Debug)]
pub struct Enc(pub u8, pub u8, pub u8, pub u8);

/// Operands of a vector instruction. `len` is 0, 1, 2 for 128, 256, 512 bits.
#[derive(Clone, Copy, Debug)]
pub struct Vex {
    pub len: u8,
    pub reg: u8,
    pub second: u8,
    pub rm: Rm,
    pub mask: u8,
    pub zero: bool,
    /// The memory operand is one element for all lanes.
    pub broadcast: bool,
    pub imm: Option<u8>,
    /// Bytes that small displacements are multiples of; 0: displacements take four bytes.
    pub unit: i32,
}

impl Vex {
    pub fn new(len: u8, reg: u8, second: u8, rm: Rm) -> Vex {
        Vex { len, reg, second, rm, mask: 0, zero: false, broadcast: false, imm: None, unit: 0 }
    }

    pub fn imm(self, imm: u8) -> Vex {
        Vex { imm: Some(imm), ..self }
    }

    pub fn masked(self, mask: u8, zero: bool) -> Vex {
        Vex { mask, zero, ..self }
    }
}

/// Conditions, as in the opcodes of jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cc {
    Below = 2,
    AboveEqual = 3,
    Equal = 4,
    NotEqual = 5,
    BelowEqual = 6,
    Above = 7,
    Less = 12,
    LessEqual = 14,
    Greater = 15,
}

/// Binary operations with an immediate form; the number is what the opcodes have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arith {
    Add = 0,
    Or = 1,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// Code under construction.
#[derive(Default)]
pub struct Asm {
    pub code: Vec<u8>,
    labels: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
    pool: Vec<Vec<u8>>,
    pooled: HashMap<Vec<u8>, Pooled>,
    /// Where displacements to constants stand, and where the instruction ends.
    uses: Vec<(usize, usize, Pooled)>,
}

impl Asm {
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    pub fn bind(&mut self, l: Label) {
        self.labels[l.0] = Some(self.code.len());
    }

    pub fn position(&self, l: Label) -> Option<usize> {
        self.labels[l.0]
    }

    /// A constant of 4, 8 or 64 bytes.
    pub fn constant(&mut self, bytes: &[u8]) -> Pooled {
        if let Some(p) = self.pooled.get(bytes) {
            return *p;
        }
        let p = Pooled(self.pool.len());
        self.pooled.insert(bytes.to_vec(), p);
        self.pool.push(bytes.to_vec());
        p
    }

    pub fn byte(&mut self, b: u8) {
        self.code.push(b);
    }

    fn word(&mut self, w: i32) {
        self.code.extend_from_slice(&w.to_le_bytes());
    }

    /// ModRM and what follows it; `tail` bytes of immediates come behind.
    fn operand(&mut self, reg: u8, rm: Rm, tail: usize, unit: i32) {
        let reg = (reg & 7) << 3;
        let displaced = |a: &mut Asm, base: u8, disp: i32, sib: Option<u8>| {
            let low = if sib.is_some() { 4 } else { base & 7 };
            let small = if unit > 0 && disp % unit == 0 { i8::try_from(disp / unit).ok() } else { None };
            let mode = match small {
                Some(0) if base & 7 != 5 => 0,
                Some(_) => 1,
                None => 2,
            };
            a.byte(mode << 6 | reg | low);
            if let Some(sib) = sib {
                a.byte(sib);
            }
            match (mode, small) {
                (0, _) => {}
                (1, Some(s)) => a.byte(s as u8),
                _ => a.word(disp),
            }
        };
        match rm {
            Rm::R(r) => self.byte(0xc0 | reg | (r & 7)),
            Rm::M(Mem::Base(base, disp)) => {
                let sib = (base & 7 == 4).then_some(0x24);
                displaced(self, base, disp, sib);
            }
            Rm::M(Mem::Index(base, index, scale, disp)) => {
                displaced(self, base, disp, Some(scale << 6 | (index & 7) << 3 | (base & 7)));
            }
            Rm::M(Mem::Lanes(Some(base), index, scale)) => {
                let sib = scale << 6 | (index & 7) << 3 | (base & 7);
                self.byte(0x80 | reg | 4);
                self.byte(sib);
                self.word(0);
            }
            Rm::M(Mem::Lanes(None, index, scale)) => {
                self.byte(reg | 4);
                self.byte(scale << 6 | (index & 7) << 3 | 5);
                self.word(0);
            }
            Rm::M(Mem::Pool(p)) => {
                self.byte(reg | 5);
                let at = self.code.len();
                self.word(0);
                self.uses.push((at, at + 4 + tail, p));
            }
        }
    }

    /// Extension bits of a memory operand or register: of the index, of the base.
    fn extensions(rm: Rm) -> (u8, u8) {
        match rm {
            Rm::R(r) => (0, r >> 3 & 1),
            Rm::M(Mem::Base(b, _)) => (0, b >> 3),
            Rm::M(Mem::Index(b, i, ..)) => (i >> 3 & 1, b >> 3),
            Rm::M(Mem::Lanes(b, i, _)) => (i >> 3 & 1, b.unwrap_or(0) >> 3),
            Rm::M(Mem::Pool(_)) => (0, 0),
        }
    }

    // ---- general registers ----

    /// An instruction of general registers: prefixes, opcode bytes, register and operand. `bytes`: 1, 2, 4 or 8.
    pub fn general(&mut self, prefix: Option<u8>, opcode: &[u8], bytes: u32, reg: u8, rm: Rm, tail: usize) {
        if bytes == 2 {
            self.byte(0x66);
        }
        if let Some(p) = prefix {
            self.byte(p);
        }
        let (x, b) = Self::extensions(rm);
        let mut rex = u8::from(bytes == 8) << 3 | (reg >> 3 & 1) << 2 | x << 1 | b;
        let low = |r: u8| bytes == 1 && (4..8).contains(&r);
        let needed = rex != 0 || low(reg) || matches!(rm, Rm::R(r) if low(r));
        rex |= 0x40;
        if needed {
            self.byte(rex);
        }
        self.code.extend_from_slice(opcode);
        self.operand(reg, rm, tail, 1);
    }

    pub fn mov(&mut self, dst: u8, src: u8) {
        if dst != src {
            self.general(None, &[0x8b], 8, dst, Rm::R(src), 0);
        }
    }

    /// A copy of the low 32 bits, with zeros above.
    pub fn mov32(&mut self, dst: u8, src: u8) {
        self.general(None, &[0x8b], 4, dst, Rm::R(src), 0);
    }

    pub fn mov_imm(&mut self, dst: u8, v: u64) {
        if v == 0 {
            self.general(None, &[0x31], 4, dst, Rm::R(dst), 0);
        } else if v <= u64::from(u32::MAX) {
            if dst >= 8 {
                self.byte(0x41);
            }
            self.byte(0xb8 | (dst & 7));
            self.word(v as u32 as i32);
        } else if let Ok(small) = i32::try_from(v as i64) {
            self.general(None, &[0xc7], 8, 0, Rm::R(dst), 4);
            self.word(small);
        } else {
            self.byte(0x48 | dst >> 3);
            self.byte(0xb8 | (dst & 7));
            self.code.extend_from_slice(&v.to_le_bytes());
        }
    }

    /// A load with zeros above.
    pub fn load(&mut self, bytes: u32, dst: u8, m: Mem) {
        match bytes {
            1 => self.general(None, &[0x0f, 0xb6], 4, dst, Rm::M(m), 0),
            2 => self.general(None, &[0x0f, 0xb7], 4, dst, Rm::M(m), 0),
            b => self.general(None, &[0x8b], b, dst, Rm::M(m), 0),
        }
    }

    pub fn store(&mut self, bytes: u32, src: u8, m: Mem) {
        let op = if bytes == 1 { 0x88 } else { 0x89 };
        self.general(None, &[op], bytes, src, Rm::M(m), 0);
    }

    pub fn lea(&mut self, dst: u8, m: Mem) {
        self.general(None, &[0x8d], 8, dst, Rm::M(m), 0);
    }

    pub fn arith(&mut self, op: Arith, bytes: u32, dst: u8, src: Rm) {
        let op = (op as u8) << 3 | if bytes == 1 { 2 } else { 3 };
        self.general(None, &[op], bytes, dst, src, 0);
    }

    pub fn arith_imm(&mut self, op: Arith, bytes: u32, dst: u8, v: i32) {
        match (bytes, i8::try_from(v)) {
            (1, _) => {
                self.general(None, &[0x80], 1, op as u8, Rm::R(dst), 1);
                self.byte(v as u8);
            }
            (_, Ok(small)) => {
                self.general(None, &[0x83], bytes, op as u8, Rm::R(dst), 1);
                self.byte(small as u8);
            }
            (2, _) => {
                self.general(None, &[0x81], 2, op as u8, Rm::R(dst), 2);
                self.code.extend_from_slice(&(v as u16).to_le_bytes());
            }
            _ => {
                self.general(None, &[0x81], bytes, op as u8, Rm::R(dst), 4);
                self.word(v);
            }
        }
    }

    pub fn test(&mut self, bytes: u32, a: u8, b: u8) {
        let op = if bytes == 1 { 0x84 } else { 0x85 };
        self.general(None, &[op], bytes, b, Rm::R(a), 0);
    }

    pub fn imul(&mut self, bytes: u32, dst: u8, src: Rm) {
        self.general(None, &[0x0f, 0xaf], bytes, dst, src, 0);
    }

    pub fn imul_imm(&mut self, bytes: u32, dst: u8, src: u8, v: i32) {
        self.general(None, &[0x69], bytes, dst, Rm::R(src), 4);
        self.word(v);
    }

    /// Shift by a constant: `kind` is 4 (left), 5 (right), 7 (right, with the sign).
    pub fn shift_imm(&mut self, kind: u8, bytes: u32, dst: u8, count: u8) {
        self.general(None, &[0xc1], bytes, kind, Rm::R(dst), 1);
        self.byte(count);
    }

    /// NEG (3), NOT (2), DIV (6), IDIV (7) and the like.
    pub fn unary(&mut self, kind: u8, bytes: u32, rm: Rm) {
        self.general(None, &[0xf7], bytes, kind, rm, 0);
    }

    /// Sign extension into 64 bits.
    pub fn movsx(&mut self, from: u32, dst: u8, src: Rm) {
        match from {
            1 => self.general(None, &[0x0f, 0xbe], 8, dst, src, 0),
            2 => self.general(None, &[0x0f, 0xbf], 8, dst, src, 0),
            _ => self.general(None, &[0x63], 8, dst, src, 0),
        }
    }

    pub fn movzx(&mut self, from: u32, dst: u8, src: u8) {
        match from {
            1 => self.general(None, &[0x0f, 0xb6], byte_form(src), dst, Rm::R(src), 0),
            2 => self.general(None, &[0x0f, 0xb7], 4, dst, Rm::R(src), 0),
            _ => self.mov32(dst, src),
        }
    }

    pub fn setcc(&mut self, cc: Cc, dst: u8) {
        self.general(None, &[0x0f, 0x90 | cc as u8], 1, 0, Rm::R(dst), 0);
    }

    pub fn cmov(&mut self, cc: Cc, dst: u8, src: u8) {
        self.general(None, &[0x0f, 0x40 | cc as u8], 8, dst, Rm::R(src), 0);
    }

    pub fn jmp(&mut self, l: Label) {
        self.byte(0xe9);
        self.jumps.push((self.code.len(), l));
        self.word(0);
    }

    pub fn jcc(&mut self, cc: Cc, l: Label) {
        self.byte(0x0f);
        self.byte(0x80 | cc as u8);
        self.jumps.push((self.code.len(), l));
        self.word(0);
    }

    pub fn call(&mut self, l: Label) {
        self.byte(0xe8);
        self.jumps.push((self.code.len(), l));
        self.word(0);
    }

    pub fn push(&mut self, r: u8) {
        if r >= 8 {
            self.byte(0x41);
        }
        self.byte(0x50 | (r & 7));
    }

    pub fn pop(&mut self, r: u8) {
        if r >= 8 {
            self.byte(0x41);
        }
        self.byte(0x58 | (r & 7));
    }

    // ---- VEX: mask registers and bit instructions ----

    /// An instruction of the VEX form, with long vectors if `l`.
    pub fn vex(&mut self, e: Enc, l: bool, reg: u8, second: u8, rm: Rm, imm: Option<u8>) {
        let Enc(map, pp, w, op) = e;
        let (x, b) = Self::extensions(rm);
        self.byte(0xc4);
        self.byte((!reg >> 3 & 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | map);
        self.byte(w << 7 | (!second & 15) << 3 | u8::from(l) << 2 | pp);
        self.byte(op);
        self.operand(reg, rm, usize::from(imm.is_some()), 1);
        if let Some(i) = imm {
            self.byte(i);
        }
    }

    pub fn k_from(&mut self, k: u8, r: u8) {
        self.vex(Enc(1, 3, 1, 0x92), false, k, 0, Rm::R(r), None);
    }

    pub fn k_to(&mut self, r: u8, k: u8) {
        self.vex(Enc(1, 3, 1, 0x93), false, r, 0, Rm::R(k), None);
    }

    pub fn k_load(&mut self, k: u8, m: Mem) {
        self.vex(Enc(1, 0, 1, 0x90), false, k, 0, Rm::M(m), None);
    }

    pub fn k_store(&mut self, k: u8, m: Mem) {
        self.vex(Enc(1, 0, 1, 0x91), false, k, 0, Rm::M(m), None);
    }

    /// KAND (0x41), KANDN (0x42), KOR (0x45), KXOR (0x47).
    pub fn k_op(&mut self, op: u8, dst: u8, a: u8, b: u8) {
        self.vex(Enc(1, 0, 1, op), true, dst, a, Rm::R(b), None);
    }

    pub fn k_shift(&mut self, left: bool, dst: u8, src: u8, count: u8) {
        let op = if left { 0x33 } else { 0x31 };
        self.vex(Enc(3, 1, 1, op), false, dst, 0, Rm::R(src), Some(count));
    }

    pub fn vzeroupper(&mut self) {
        self.code.extend_from_slice(&[0xc5, 0xf8, 0x77]);
    }

    // ---- EVEX: vectors ----

    pub fn evex(&mut self, e: Enc, v: Vex) {
        let Enc(map, pp, w, op) = e;
        let (mut x, b) = Self::extensions(v.rm);
        let mut high = v.second >> 4;
        match v.rm {
            Rm::R(r) => x = r >> 4,
            Rm::M(Mem::Lanes(_, i, _)) => high = i >> 4,
            Rm::M(_) => {}
        }
        self.byte(0x62);
        self.byte((!v.reg >> 3 & 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | (!v.reg >> 4 & 1) << 4 | map);
        self.byte(w << 7 | (!v.second & 15) << 3 | 4 | pp);
        self.byte(u8::from(v.zero) << 7 | v.len << 5 | u8::from(v.broadcast) << 4 | (high ^ 1) << 3 | v.mask);
        self.byte(op);
        self.operand(v.reg, v.rm, usize::from(v.imm.is_some()), v.unit);
        if let Some(i) = v.imm {
            self.byte(i);
        }
    }

    // ---- the whole ----

    /// The code with its constants behind it.
    pub fn finish(mut self) -> Vec<u8> {
        for (at, l) in &self.jumps {
            let to = self.labels[l.0].unwrap_or(0) as i64;
            let distance = (to - (*at as i64 + 4)) as i32;
            self.code[*at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        let mut places = Vec::new();
        for size in [64, 8, 4] {
            for (i, bytes) in self.pool.iter().enumerate().filter(|(_, b)| b.len() == size) {
                self.code.resize(self.code.len().next_multiple_of(size), 0);
                places.push((i, self.code.len()));
                self.code.extend_from_slice(bytes);
            }
        }
        // Of other sizes.
        for (i, bytes) in self.pool.iter().enumerate().filter(|(_, b)| ![64, 8, 4].contains(&b.len())) {
            self.code.resize(self.code.len().next_multiple_of(64), 0);
            places.push((i, self.code.len()));
            self.code.extend_from_slice(bytes);
        }
        places.sort_unstable();
        for (at, end, p) in &self.uses {
            let to = places.get(p.0).map_or(0, |x| x.1) as i64;
            let distance = (to - *end as i64) as i32;
            self.code[*at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        self.code
    }
}

/// A byte register above the first four needs a prefix; an operand size of 8 bytes is one.
fn byte_form(src: u8) -> u32 {
    if (4..8).contains(&src) {
        8
    } else {
        4
    }
}
