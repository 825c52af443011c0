//! The scalar types.

/// The type of a value. Integers carry no sign: the operation says how bits are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// Truth value; never stored to memory as such (the front end stores an `I8`/`I32` 0 or 1).
    Bool,
    /// 8-bit integer.
    I8,
    /// 16-bit integer.
    I16,
    /// 32-bit integer.
    I32,
    /// 64-bit integer; also a physical (buffer device) address.
    I64,
    /// IEEE binary16.
    F16,
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
    /// A buffer reference: base address and size in bytes, taken from a descriptor. Made by `Op::Buffer`, may flow
    /// through selects and region parameters (variable pointers), used only by buffer accesses.
    Buf,
}

impl Type {
    /// Every type, in declaration order.
    pub const ALL: [Type; 9] =
        [Type::Bool, Type::I8, Type::I16, Type::I32, Type::I64, Type::F16, Type::F32, Type::F64, Type::Buf];

    /// Size in memory in bytes; 0 for the types that have no memory form.
    pub const fn bytes(self) -> u32 {
        match self {
            Type::Bool | Type::Buf => 0,
            Type::I8 => 1,
            Type::I16 | Type::F16 => 2,
            Type::I32 | Type::F32 => 4,
            Type::I64 | Type::F64 => 8,
        }
    }

    /// Width of the value in bits (1 for `Bool`, 0 for `Buf`).
    pub const fn bits(self) -> u32 {
        match self {
            Type::Bool => 1,
            _ => self.bytes() * 8,
        }
    }

    /// Whether this is one of the integer types (not `Bool`).
    pub const fn is_int(self) -> bool {
        matches!(self, Type::I8 | Type::I16 | Type::I32 | Type::I64)
    }

    /// Whether this is one of the floating-point types.
    pub const fn is_float(self) -> bool {
        matches!(self, Type::F16 | Type::F32 | Type::F64)
    }

    /// The integer type of the given width.
    pub const fn int(bits: u32) -> Option<Type> {
        match bits {
            8 => Some(Type::I8),
            16 => Some(Type::I16),
            32 => Some(Type::I32),
            64 => Some(Type::I64),
            _ => None,
        }
    }

    /// The floating-point type of the given width.
    pub const fn float(bits: u32) -> Option<Type> {
        match bits {
            16 => Some(Type::F16),
            32 => Some(Type::F32),
            64 => Some(Type::F64),
            _ => None,
        }
    }

    /// Name in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::I8 => "i8",
            Type::I16 => "i16",
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::F16 => "f16",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Buf => "buf",
        }
    }

    /// A mask with the value bits of this type set (constants keep their bits in the low end of a `u64`).
    pub const fn mask(self) -> u64 {
        match self.bits() {
            64 => u64::MAX,
            n => (1 << n) - 1,
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
