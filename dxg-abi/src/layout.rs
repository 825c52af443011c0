//! The layout of every ABI type as data.
//!
//! Each type declared with the macros of this crate carries a [`TypeLayout`]:
//! its size, its fields with offsets, its bit-fields, its named values. The
//! layout test walks it against the header; loggers and trace dumpers use
//! [`describe`] to print argument bytes without a line of code per struct.

use core::fmt::Write as _;

/// What a type looks like in memory.
#[derive(Debug)]
pub struct TypeLayout {
    /// Name of the Rust type.
    pub name: &'static str,
    /// Name in the C header, without `struct`/`enum`/`union`; empty when the
    /// header has no such type of its own (an anonymous or nested member).
    pub header: &'static str,
    /// Size in bytes.
    pub size: usize,
    /// Alignment in bytes.
    pub align: usize,
    /// What kind of type it is.
    pub kind: Kind,
}

/// The kinds of types there are.
#[derive(Debug)]
pub enum Kind {
    /// A plain integer.
    Integer {
        /// Whether it has a sign.
        signed: bool,
    },
    /// A structure.
    Struct {
        /// Fields in memory order, without gaps.
        fields: &'static [Field],
        /// Other names and types for the same bytes (the members of a C union
        /// that are not the stored field).
        views: &'static [Field],
    },
    /// A word of bit-fields.
    Flags {
        /// The fields, which may overlap when the header has a union of them.
        bits: &'static [Bits],
    },
    /// A word that takes one of a list of values; other values are legal bytes.
    Enum {
        /// Common start of the names in the header.
        prefix: &'static str,
        /// The known values.
        values: &'static [Value],
    },
}

/// One field or view of a structure.
#[derive(Debug)]
pub struct Field {
    /// Name in the header; `pad…` for filler that the header leaves to the
    /// compiler; empty for a part the header does not name.
    pub name: &'static str,
    /// Offset in bytes from the start of the structure.
    pub offset: usize,
    /// Size in bytes, of the whole array if it is one.
    pub size: usize,
    /// Type of the field, or of one element.
    pub ty: &'static TypeLayout,
}

/// One bit-field.
#[derive(Debug)]
pub struct Bits {
    /// Name in capitals.
    pub name: &'static str,
    /// Lowest bit.
    pub bit: u32,
    /// Number of bits.
    pub width: u32,
}

/// One named value.
#[derive(Debug)]
pub struct Value {
    /// Name without the common prefix.
    pub name: &'static str,
    /// The whole header name where it is not prefix + name.
    pub header: Option<&'static str>,
    /// The number, sign-extended for signed types.
    pub value: i64,
}

/// A type with a known layout.
pub trait Layout {
    /// Its layout; for an array that of the element.
    const LAYOUT: &'static TypeLayout;
}

macro_rules! integers {
    ($($ty:ident $signed:literal)*) => { $(
        impl Layout for $ty {
            const LAYOUT: &'static TypeLayout = &TypeLayout {
                name: stringify!($ty),
                header: "",
                size: size_of::<$ty>(),
                align: align_of::<$ty>(),
                kind: Kind::Integer { signed: $signed },
            };
        }
    )* };
}
integers! { u8 false u16 false u32 false u64 false i32 true i64 true }

impl<T: Layout, const N: usize> Layout for [T; N] {
    const LAYOUT: &'static TypeLayout = T::LAYOUT;
}

/// Reads a little-endian integer of up to 8 bytes; more are ignored, and none are 0.
pub fn integer(bytes: &[u8], signed: bool) -> i128 {
    let mut word = [0u8; 8];
    let n = bytes.len().min(8);
    word[..n].copy_from_slice(&bytes[..n]);
    let raw = u64::from_le_bytes(word);
    if signed && n > 0 {
        let shift = 64 - 8 * n as u32;
        i128::from(((raw << shift) as i64) >> shift)
    } else {
        i128::from(raw)
    }
}

/// Prints `bytes` as a value of type `ty`, leaving out everything that is
/// zero. Bytes beyond the type are ignored, a short buffer is read as if
/// followed by zeros; arrays are printed up to their last non-zero element.
pub fn describe(ty: &TypeLayout, bytes: &[u8]) -> String {
    let mut out = String::new();
    write_value(&mut out, ty, bytes);
    out
}

fn write_value(out: &mut String, ty: &TypeLayout, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(ty.size)];
    // Writing to a String cannot fail, so the results are dropped.
    match &ty.kind {
        Kind::Integer { signed } => {
            let v = integer(bytes, *signed);
            let _ = if (-9..=4096).contains(&v) { write!(out, "{v}") } else { write!(out, "{v:#x}") };
        }
        Kind::Enum { values, .. } => {
            let v = integer(bytes, values.iter().any(|v| v.value < 0));
            let _ = match values.iter().find(|k| i128::from(k.value) == v) {
                Some(known) => write!(out, "{}", known.name),
                None => write!(out, "{v}"),
            };
        }
        Kind::Flags { bits } => {
            let v = integer(bytes, false) as u64;
            // Words made of wide fields (handles) read best as one number.
            if bits.iter().all(|b| b.width > 1) {
                let _ = write!(out, "{v:#x}");
                return;
            }
            let mut rest = v;
            let mut first = true;
            for b in *bits {
                let mask = (u64::MAX >> (64 - b.width)) << b.bit;
                if rest & mask == 0 {
                    continue;
                }
                let sep = if first { "" } else { "|" };
                first = false;
                let _ = if b.width == 1 {
                    write!(out, "{sep}{}", b.name)
                } else {
                    write!(out, "{sep}{}({:#x})", b.name, (v & mask) >> b.bit)
                };
                rest &= !mask;
            }
            if rest != 0 || first {
                let _ = write!(out, "{}{rest:#x}", if first { "" } else { "|" });
            }
        }
        Kind::Struct { fields, .. } => {
            out.push('{');
            let mut first = true;
            for field in *fields {
                let start = field.offset.min(bytes.len());
                let end = (field.offset + field.size).min(bytes.len());
                let part = &bytes[start..end];
                if part.iter().all(|b| *b == 0) {
                    continue;
                }
                if !first {
                    out.push(' ');
                }
                first = false;
                out.push_str(field.name);
                out.push('=');
                let step = field.ty.size.max(1);
                if field.size > step {
                    let last = part.iter().rposition(|b| *b != 0).unwrap_or(0) / step;
                    out.push('[');
                    for (i, element) in part.chunks(step).take(last + 1).enumerate() {
                        if i > 0 {
                            out.push(' ');
                        }
                        write_value(out, field.ty, element);
                    }
                    out.push(']');
                } else {
                    write_value(out, field.ty, part);
                }
            }
            out.push('}');
        }
    }
}
