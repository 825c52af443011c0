//! Words in pages that threads, processes and the GPU share: the values of fences, and what shared objects signal each other with.

#[cfg(not(loom))]
mod memory;
#[cfg(loom)]
mod simulated;

#[cfg(not(loom))]
pub(crate) use memory::{HeadPage, Word};
#[cfg(loom)]
pub(crate) use simulated::{HeadPage, SharedWords, Word};
