//! Small index types.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);
        impl $name {
            /// The index as `usize`.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id! {
    /// An SSA value; indexes [`super::Kernel::types`].
    Value, "%"
}
id! {
    /// The name of a `Block`, `Loop` or `Switch` that exits refer to. Unique within a kernel.
    Label, "@"
}
id! {
    /// A piece of private (per-invocation) memory; indexes [`super::Kernel::slots`].
    SlotId, "$"
}
