//! The three declaration forms of the ABI: structures, words of bit-fields,
//! words with named values. Each makes a plain-data type *and* its row in the
//! layout tables, so neither can drift from the other.

/// Declares a structure: `"header name"[size] pub struct Name { fields }`,
/// then *views* (accessors for union members that share bytes with a field)
/// and *aliases* (union members that need no accessor).
macro_rules! abi_struct {
    (
        $(#[$meta:meta])*
        $header:literal [$size:literal]
        pub struct $name:ident {
            $( $(#[$fmeta:meta])* pub $field:ident : $ty:ty $(= $fheader:literal)?, )*
        }
        $( $(#[$vmeta:meta])* view $get:ident / $set:ident : $vty:ty = $voff:literal; )*
        $( alias $aname:literal : $aty:ty = $aoff:literal; )*
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        #[repr(C)]
        pub struct $name { $( $(#[$fmeta])* pub $field: $ty, )* }

        const _: () = assert!(size_of::<$name>() == $size, concat!("size of ", stringify!($name)));

        impl Default for $name {
            /// All bytes zero, as every call should start.
            fn default() -> Self { zerocopy::FromZeros::new_zeroed() }
        }

        impl $crate::layout::Layout for $name {
            const LAYOUT: &'static $crate::layout::TypeLayout = &$crate::layout::TypeLayout {
                name: stringify!($name),
                header: $header,
                size: size_of::<$name>(),
                align: align_of::<$name>(),
                kind: $crate::layout::Kind::Struct {
                    fields: &[ $( $crate::layout::Field {
                        name: $crate::macros::field_name!($field $($fheader)?),
                        offset: core::mem::offset_of!($name, $field),
                        size: size_of::<$ty>(),
                        ty: <$ty as $crate::layout::Layout>::LAYOUT,
                    } ),* ],
                    views: &[
                        $( $crate::layout::Field {
                            name: stringify!($get),
                            offset: $voff,
                            size: size_of::<$vty>(),
                            ty: <$vty as $crate::layout::Layout>::LAYOUT,
                        }, )*
                        $( $crate::layout::Field {
                            name: $aname,
                            offset: $aoff,
                            size: size_of::<$aty>(),
                            ty: <$aty as $crate::layout::Layout>::LAYOUT,
                        }, )*
                    ],
                },
            };
        }

        $( const _: () = assert!($voff + size_of::<$vty>() <= size_of::<$name>()); )*

        $crate::macros::accessors! { $name $( [$(#[$vmeta])* $get $set $vty, $voff] )* }
    };
}

/// The accessors of views; no `impl` block when there are none.
macro_rules! accessors {
    ($name:ident) => {};
    ($name:ident $( [$(#[$vmeta:meta])* $get:ident $set:ident $vty:ty, $voff:literal] )+) => {
        impl $name { $(
            $(#[$vmeta])*
            pub fn $get(&self) -> $vty {
                let bytes = &zerocopy::IntoBytes::as_bytes(self)[$voff..];
                // The view lies inside the structure (asserted above), so the
                // prefix is always long enough.
                <$vty as zerocopy::FromBytes>::read_from_prefix(bytes)
                    .map_or_else(|_| zerocopy::FromZeros::new_zeroed(), |(v, _)| v)
            }
            /// Stores the member of the same name.
            pub fn $set(&mut self, value: $vty) {
                let bytes = &mut zerocopy::IntoBytes::as_mut_bytes(self)
                    [$voff..$voff + size_of::<$vty>()];
                bytes.copy_from_slice(zerocopy::IntoBytes::as_bytes(&value));
            }
        )+ }
    };
}

/// The header name of a field: its own unless another is given.
macro_rules! field_name {
    (r#type) => {
        "type"
    };
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $header:literal) => {
        $header
    };
}

/// Declares a word of bit-fields. `NAME: bit;` makes a constant of the word's
/// own type; `NAME: bit, width;` makes a [`BitField`](crate::BitField).
macro_rules! abi_flags {
    (
        $(#[$meta:meta])*
        $header:literal
        pub struct $name:ident($repr:ident) {
            $( $(#[$bmeta:meta])* $bit:ident : $at:literal $(, $width:literal)?; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        #[repr(C)]
        pub struct $name(pub $repr);

        impl $name {
            $( $crate::macros::bit_const! { $(#[$bmeta])* $name $repr $bit $at $($width)? } )*

            /// The whole word.
            pub const fn bits(self) -> $repr { self.0 }
            /// Whether every bit of `other` is set.
            pub const fn contains(self, other: Self) -> bool { self.0 & other.0 == other.0 }
            /// With the bits of `other` set or cleared.
            #[must_use]
            pub const fn set(self, other: Self, on: bool) -> Self {
                Self(if on { self.0 | other.0 } else { self.0 & !other.0 })
            }
            /// The value of a field.
            pub const fn get(self, field: $crate::BitField<Self>) -> $repr {
                (self.0 >> field.bit) & ($repr::MAX >> ($repr::BITS - field.width))
            }
            /// With a field set to `value`; bits that do not fit are dropped.
            #[must_use]
            pub const fn with(self, field: $crate::BitField<Self>, value: $repr) -> Self {
                let max = $repr::MAX >> ($repr::BITS - field.width);
                Self((self.0 & !(max << field.bit)) | ((value & max) << field.bit))
            }
        }
        impl core::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self { Self(self.0 | other.0) }
        }
        impl core::ops::BitOrAssign for $name {
            fn bitor_assign(&mut self, other: Self) { *self = *self | other; }
        }
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&$crate::layout::describe(
                    <Self as $crate::layout::Layout>::LAYOUT,
                    zerocopy::IntoBytes::as_bytes(self),
                ))
            }
        }
        impl $crate::layout::Layout for $name {
            const LAYOUT: &'static $crate::layout::TypeLayout = &$crate::layout::TypeLayout {
                name: stringify!($name),
                header: $header,
                size: size_of::<$name>(),
                align: align_of::<$name>(),
                kind: $crate::layout::Kind::Flags {
                    bits: &[ $( $crate::layout::Bits {
                        name: stringify!($bit),
                        bit: $at,
                        width: $crate::macros::bit_width!($($width)?),
                    } ),* ],
                },
            };
        }
    };
}

/// One constant of [`abi_flags`].
macro_rules! bit_const {
    ($(#[$m:meta])* $name:ident $repr:ident $bit:ident $at:literal) => {
        $(#[$m])*
        #[allow(missing_docs)]
        pub const $bit: Self = Self(1 << $at);
    };
    ($(#[$m:meta])* $name:ident $repr:ident $bit:ident $at:literal $width:literal) => {
        $(#[$m])*
        #[allow(missing_docs)]
        pub const $bit: $crate::BitField<Self> = $crate::BitField::new($at, $width);
    };
}

/// Width of a bit-field: one unless given.
macro_rules! bit_width {
    () => {
        1
    };
    ($width:literal) => {
        $width
    };
}

/// Declares a word with named values. Any other value is a legal word too:
/// the other side may be newer.
macro_rules! abi_enum {
    (
        $(#[$meta:meta])*
        $header:literal $prefix:literal
        pub struct $name:ident($repr:ident) {
            $( $(#[$vmeta:meta])* $value:ident $(($vheader:literal))? = $number:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        #[repr(transparent)]
        pub struct $name(pub $repr);

        impl $name {
            $( $(#[$vmeta])* #[allow(missing_docs)] pub const $value: Self = Self($number); )*

            /// The name of the value, if it is a known one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $( $number => Some(stringify!($value)), )* _ => None }
            }
        }
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}({})", stringify!($name), self.0),
                }
            }
        }
        impl $crate::layout::Layout for $name {
            const LAYOUT: &'static $crate::layout::TypeLayout = &$crate::layout::TypeLayout {
                name: stringify!($name),
                header: $header,
                size: size_of::<$name>(),
                align: align_of::<$name>(),
                kind: $crate::layout::Kind::Enum {
                    prefix: $prefix,
                    values: &[ $( $crate::layout::Value {
                        name: stringify!($value),
                        header: $crate::macros::value_header!($($vheader)?),
                        value: $number,
                    } ),* ],
                },
            };
        }
    };
}

/// The full header name of a value, when it is irregular.
macro_rules! value_header {
    () => {
        None
    };
    ($header:literal) => {
        Some($header)
    };
}

pub(crate) use {abi_enum, abi_flags, abi_struct, accessors, bit_const, bit_width, field_name, value_header};
