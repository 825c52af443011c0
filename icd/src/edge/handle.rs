//! Handles and the objects behind them.

use super::alloc::{Allocator, Block};
use super::{In, Out};
use ash::vk;
use ash::vk::Handle;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A handle type and what it stands for.
pub trait Decode: Handle + Copy {
    /// The object behind the handle.
    type Object: 'static;

    /// The object, for a handle that is not null.
    ///
    /// # Safety
    /// The handle is live for `'a`.
    unsafe fn decode<'a>(self) -> &'a Self::Object;
}

/// Handles that are pointers to [`Block`]s: all but descriptor sets.
pub trait Dispatch: Decode {
    /// The block of a live handle.
    ///
    /// # Safety
    /// The handle is live.
    unsafe fn block(self) -> NonNull<Block<Self::Object>> {
        let p = self.as_raw() as *mut Block<Self::Object>;
        // SAFETY: this function's contract: a live handle is not null.
        unsafe { NonNull::new_unchecked(p) }
    }

    /// The handle of a block.
    fn of(block: NonNull<Block<Self::Object>>) -> Self {
        Self::from_raw(block.as_ptr() as u64)
    }
}

/// The object of a handle that must not be null; null panics, which the command's guard turns into an error.
///
/// # Safety
/// The handle is null or live for `'a`.
pub unsafe fn obj<'a, H: Decode>(h: H) -> &'a H::Object {
    // SAFETY: this function's contract.
    unsafe { opt(h) }.expect("null handle where the API requires an object")
}

/// The object of a handle that may be null.
///
/// # Safety
/// As for [`obj`].
pub unsafe fn opt<'a, H: Decode>(h: H) -> Option<&'a H::Object> {
    // SAFETY: this function's contract.
    (!h.is_null()).then(|| unsafe { h.decode() })
}

/// A handle given to a destroy command: used exactly once.
pub struct Taken<'a, H>(H, PhantomData<&'a mut ()>);

impl<H: Dispatch> Taken<'_, H> {
    /// Wraps the handle.
    ///
    /// # Safety
    /// The handle is null or live, and the application does not use it again.
    pub unsafe fn new(h: H) -> Self {
        Self(h, PhantomData)
    }

    /// The object, unless the handle is null.
    pub fn object(&self) -> Option<&H::Object> {
        // SAFETY: `new`'s contract; the borrow ends before `destroy` can run.
        unsafe { opt(self.0) }
    }

    /// The handle's number.
    pub fn raw(&self) -> u64 {
        self.0.as_raw()
    }

    /// Ends the object; a null handle is ignored.
    pub fn destroy(self, alloc: &Allocator) {
        if !self.0.is_null() {
            // SAFETY: `new`'s contract.
            unsafe { Block::release(self.0.block(), alloc) };
        }
    }
}

/// Number of the handle of an object that a command was given.
pub fn raw_handle<T>(object: &T) -> u64 {
    Block::handle_of(object)
}

/// Makes an object and hands out its handle; on failure the handle is null.
///
/// # Errors
/// Those of `make`, and `ERROR_OUT_OF_HOST_MEMORY` for the handle's own memory.
pub fn create<H: Dispatch>(
    parent: &Allocator,
    given: Option<In<'_, vk::AllocationCallbacks<'_>>>,
    out: Out<'_, H>,
    make: impl FnOnce() -> Result<H::Object, vk::Result>,
) -> Result<(), vk::Result> {
    create_and_tell(parent, given, out, make, |_, _| {})
}

/// As [`create`], calling `tell` with the object and its handle's number when it is made.
///
/// # Errors
/// As [`create`].
pub fn create_and_tell<H: Dispatch>(
    parent: &Allocator,
    given: Option<In<'_, vk::AllocationCallbacks<'_>>>,
    out: Out<'_, H>,
    make: impl FnOnce() -> Result<H::Object, vk::Result>,
    tell: impl FnOnce(&H::Object, u64),
) -> Result<(), vk::Result> {
    let alloc = Allocator::choose(given, parent);
    match Block::allocate(&alloc, vk::SystemAllocationScope::OBJECT, make) {
        Ok(block) => {
            // SAFETY: the block was just made, and nobody else knows of it.
            tell(unsafe { block.as_ref() }.object(), H::of(block).as_raw());
            out.set(H::of(block));
            Ok(())
        }
        Err(e) => {
            out.set(H::from_raw(0));
            Err(e)
        }
    }
}

macro_rules! handles {
    ($module:ident; $($handle:ident => $object:ty;)*) => {$(
        impl Decode for $module::$handle {
            type Object = $object;

            unsafe fn decode<'a>(self) -> &'a $object {
                // SAFETY: this function's contract: a live handle points at its block.
                unsafe { (*(self.as_raw() as *const Block<$object>)).object() }
            }
        }
        impl Dispatch for $module::$handle {}
    )*};
}

use crate::objects;
use std::sync::Arc;

// Handles that the bindings lack go into a second list, with `types` for `vk`.
handles! {
    vk;
    Instance => objects::Instance;
    PhysicalDevice => objects::PhysicalDevice;
    Device => objects::Device;
    Queue => objects::Queue;
    CommandBuffer => objects::CommandBuffer;
    CommandPool => objects::CommandPool;
    Buffer => Arc<runtime::Buffer>;
    BufferView => Arc<runtime::BufferView>;
    DebugUtilsMessengerEXT => Arc<crate::messenger::Messenger>;
    DescriptorPool => objects::DescriptorPool;
    DescriptorSetLayout => Arc<runtime::DescriptorSetLayout>;
    DescriptorUpdateTemplate => runtime::UpdateTemplate;
    DeviceMemory => Arc<runtime::Memory>;
    Event => Arc<runtime::Event>;
    Fence => Arc<runtime::Fence>;
    Image => Arc<runtime::Image>;
    ImageView => Arc<runtime::ImageView>;
    Pipeline => Arc<runtime::Program>;
    PipelineCache => Arc<runtime::PipelineCache>;
    PipelineLayout => Arc<runtime::PipelineLayout>;
    PrivateDataSlot => Arc<runtime::PrivateDataSlot>;
    QueryPool => Arc<runtime::QueryPool>;
    Sampler => Arc<runtime::Sampler>;
    SamplerYcbcrConversion => runtime::gpu::YcbcrConversion;
    Semaphore => Arc<runtime::Semaphore>;
    ShaderEXT => Arc<runtime::Program>;
    ShaderModule => Arc<runtime::ShaderModule>;
}

use crate::generated::types;

handles! {
    types;
    IndirectCommandsLayoutEXT => Arc<runtime::IndirectLayout>;
    IndirectExecutionSetEXT => Arc<runtime::ExecutionSet>;
    PipelineBinaryKHR => Arc<runtime::PipelineBinary>;
}

/// A descriptor set's handle is the address of the object itself, which its pool keeps alive.
impl Decode for vk::DescriptorSet {
    type Object = runtime::DescriptorSet;

    unsafe fn decode<'a>(self) -> &'a runtime::DescriptorSet {
        // SAFETY: this function's contract: the pool holds the object as long as the handle is live.
        unsafe { &*(self.as_raw() as *const runtime::DescriptorSet) }
    }
}
