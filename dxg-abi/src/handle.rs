//! Object handles, and fields wider than one bit.

use crate::layout::{Bits, Kind, Layout, TypeLayout};
use core::marker::PhantomData;

/// A field of `width` bits at `bit` in a word of type `T`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitField<T> {
    /// Lowest bit.
    pub bit: u32,
    /// Number of bits, at least one.
    pub width: u32,
    word: PhantomData<T>,
}

impl<T> BitField<T> {
    pub(crate) const fn new(bit: u32, width: u32) -> Self {
        Self { bit, width, word: PhantomData }
    }
}

/// The name of an object of this process: 2 bits *unique*, 24 bits *index*, 6
/// bits *instance* (always 0 and not compared). Adapters live in one table,
/// everything else in another, so that equal values may name two objects.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(transparent)]
pub struct Handle(pub u32);

impl Handle {
    /// No object.
    pub const NULL: Handle = Handle(0);
    /// Instance; always 0 and not compared.
    pub const INSTANCE: BitField<Handle> = BitField::new(0, 6);
    /// Index in the table.
    pub const INDEX: BitField<Handle> = BitField::new(6, 24);
    /// Generation of the table slot.
    pub const UNIQUE: BitField<Handle> = BitField::new(30, 2);

    /// A handle of the given parts; excess bits are dropped.
    pub const fn new(unique: u32, index: u32) -> Self {
        Self((unique & 3) << 30 | (index & 0x00ff_ffff) << 6)
    }

    /// Whether it names no object.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The value of a field.
    pub const fn get(self, field: BitField<Self>) -> u32 {
        (self.0 >> field.bit) & (u32::MAX >> (32 - field.width))
    }

    /// Index in the table.
    pub const fn index(self) -> u32 {
        self.get(Self::INDEX)
    }

    /// Generation of the table slot.
    pub const fn unique(self) -> u32 {
        self.get(Self::UNIQUE)
    }
}

impl core::fmt::Debug for Handle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Layout for Handle {
    const LAYOUT: &'static TypeLayout = &TypeLayout {
        name: "Handle",
        header: "d3dkmthandle",
        size: size_of::<Handle>(),
        align: align_of::<Handle>(),
        kind: Kind::Flags {
            bits: &[
                Bits { name: "INSTANCE", bit: Handle::INSTANCE.bit, width: Handle::INSTANCE.width },
                Bits { name: "INDEX", bit: Handle::INDEX.bit, width: Handle::INDEX.width },
                Bits { name: "UNIQUE", bit: Handle::UNIQUE.bit, width: Handle::UNIQUE.width },
            ],
        },
    };
}
