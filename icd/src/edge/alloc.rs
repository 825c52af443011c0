//! Host memory of handles: the application's callbacks where it gives some, the process allocator otherwise.

use super::In;
use ash::vk;
use std::alloc::Layout;
use std::ffi::c_void;
use std::ptr::NonNull;

/// Allocation callbacks, or none for the process allocator.
#[derive(Clone, Copy, Default)]
pub struct Allocator(Option<vk::AllocationCallbacks<'static>>);

impl std::fmt::Debug for Allocator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Allocator(callbacks)" } else { "Allocator(process)" })
    }
}

// SAFETY: the API makes the application's callbacks callable from any thread that may call the command using them.
unsafe impl Send for Allocator {}
// SAFETY: as above.
unsafe impl Sync for Allocator {}

impl Allocator {
    /// The callbacks given to a command, or those of the parent object.
    pub fn choose(given: Option<In<'_, vk::AllocationCallbacks<'_>>>, parent: &Allocator) -> Self {
        match given {
            Some(c) => Self(Some(vk::AllocationCallbacks {
                p_user_data: c.p_user_data,
                pfn_allocation: c.pfn_allocation,
                pfn_reallocation: c.pfn_reallocation,
                pfn_free: c.pfn_free,
                pfn_internal_allocation: c.pfn_internal_allocation,
                pfn_internal_free: c.pfn_internal_free,
                _marker: std::marker::PhantomData,
            })),
            None => *parent,
        }
    }

    fn allocate(&self, layout: Layout, scope: vk::SystemAllocationScope) -> Result<NonNull<c_void>, vk::Result> {
        let p = match self.0.as_ref().and_then(|c| Some((c, c.pfn_allocation?))) {
            // SAFETY: the callback is the application's, called as the API describes.
            Some((c, f)) => unsafe { f(c.p_user_data, layout.size(), layout.align(), scope) },
            // SAFETY: blocks are never zero-sized.
            None => unsafe { std::alloc::alloc(layout) }.cast(),
        };
        NonNull::new(p).ok_or(vk::Result::ERROR_OUT_OF_HOST_MEMORY)
    }

    /// # Safety
    /// `p` came from `allocate` of a compatible allocator with the same layout.
    unsafe fn free(&self, p: NonNull<c_void>, layout: Layout) {
        match self.0.as_ref().and_then(|c| Some((c, c.pfn_free?))) {
            // SAFETY: this function's contract.
            Some((c, f)) => unsafe { f(c.p_user_data, p.as_ptr()) },
            // SAFETY: this function's contract.
            None => unsafe { std::alloc::dealloc(p.as_ptr().cast(), layout) },
        }
    }
}

/// What a handle points at. The first word of a dispatchable object belongs to the loader.
#[repr(C)]
pub struct Block<T> {
    word: usize,
    object: T,
}

/// The value the loader expects in the first word before it takes it over.
const ICD_LOADER_MAGIC: usize = 0x01CD_C0DE;

impl<T> Block<T> {
    /// Moves `object` into memory of the allocator.
    ///
    /// # Errors
    /// `ERROR_OUT_OF_HOST_MEMORY`.
    pub fn allocate(
        alloc: &Allocator,
        scope: vk::SystemAllocationScope,
        make: impl FnOnce() -> Result<T, vk::Result>,
    ) -> Result<NonNull<Self>, vk::Result> {
        let layout = Layout::new::<Self>();
        // Memory first: a failing callback must not leave a made object behind.
        let memory = alloc.allocate(layout, scope)?;
        match make() {
            Ok(object) => {
                let block = memory.cast::<Self>();
                let value = Self { word: ICD_LOADER_MAGIC, object };
                // SAFETY: the allocation has this type's layout.
                unsafe { block.write(value) };
                Ok(block)
            }
            Err(e) => {
                // SAFETY: just allocated with this layout.
                unsafe { alloc.free(memory, layout) };
                Err(e)
            }
        }
    }

    /// Drops the object and gives its memory back.
    ///
    /// # Safety
    /// `block` came from [`Block::allocate`] with a compatible allocator and is not used again.
    pub unsafe fn release(block: NonNull<Self>, alloc: &Allocator) {
        // SAFETY: this function's contract.
        unsafe {
            std::ptr::drop_in_place(block.as_ptr());
            alloc.free(block.cast(), Layout::new::<Self>());
        }
    }

    /// The number of the handle of an object that lives in a block.
    pub fn handle_of(object: &T) -> u64 {
        (std::ptr::from_ref(object).addr() - std::mem::offset_of!(Self, object)) as u64
    }

    /// The object inside.
    pub fn object(&self) -> &T {
        &self.object
    }
}
