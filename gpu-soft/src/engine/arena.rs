//! Scratch memory of one worker thread: workgroup memory, private arrays and values that live across barriers.

use std::alloc::{alloc_zeroed, dealloc, Layout};
use std::ptr::NonNull;

/// Alignment of an arena; a cache line and a full vector.
const ALIGN: usize = 64;

/// Largest arena a kernel may ask for (1 GiB).
pub const MAX_ARENA: usize = 1 << 30;

/// A block of 64-byte aligned memory that grows on demand and is kept between dispatches.
#[derive(Debug, Default)]
pub struct Arena {
    block: Option<(NonNull<u8>, Layout)>,
}

// SAFETY: the arena owns its block; nothing else holds the pointer while the arena can move between threads.
unsafe impl Send for Arena {}

impl Arena {
    /// At least `bytes` bytes. `None` if there is no memory, or more than [`MAX_ARENA`] was asked for. Old content is
    /// lost when the block grows and kept otherwise; kernels assume neither.
    pub fn reserve(&mut self, bytes: usize) -> Option<*mut u8> {
        if bytes > MAX_ARENA {
            return None;
        }
        let bytes = bytes.max(ALIGN);
        if let Some((block, layout)) = self.block {
            if layout.size() >= bytes {
                return Some(block.as_ptr());
            }
        }
        self.release();
        let layout = Layout::from_size_align(bytes.next_multiple_of(4096), ALIGN).ok()?;
        // SAFETY: the layout has a non-zero size.
        let block = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        self.block = Some((block, layout));
        Some(block.as_ptr())
    }

    fn release(&mut self) {
        if let Some((block, layout)) = self.block.take() {
            // SAFETY: allocated with this layout in `reserve`, and taken out, so freed once.
            unsafe { dealloc(block.as_ptr(), layout) };
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_stays_aligned() {
        let mut arena = Arena::default();
        let small = arena.reserve(10).unwrap();
        assert_eq!(small as usize % ALIGN, 0);
        assert_eq!(arena.reserve(64), Some(small));
        assert!(arena.reserve(1 << 20).is_some());
        assert!(arena.reserve(MAX_ARENA + 1).is_none());
    }
}
