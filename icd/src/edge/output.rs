//! What a command writes.

use ash::vk;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A slot for one value.
pub struct Out<'a, T>(NonNull<T>, PhantomData<&'a mut T>);

impl<T> Out<'_, T> {
    /// Wraps an output pointer; null panics, which the command's guard turns into an error.
    ///
    /// # Safety
    /// `p` is null or valid for writing.
    pub unsafe fn new(p: *mut T) -> Self {
        Self(NonNull::new(p).expect("null pointer where the API requires an output"), PhantomData)
    }

    /// What the application put there; for the few commands that read their output first.
    pub fn before(&self) -> T
    where
        T: Copy,
    {
        // SAFETY: `new`'s contract; a value that is read is one that the application wrote.
        unsafe { self.0.read() }
    }

    /// Writes the value.
    pub fn set(self, value: T) {
        // SAFETY: `new`'s contract.
        unsafe { self.0.write(value) }
    }
}

/// Slots for a number of values the application chose.
pub struct OutSlice<'a, T>(*mut T, usize, PhantomData<&'a mut T>);

impl<T> OutSlice<'_, T> {
    /// Wraps `count` slots; a null pointer has none.
    ///
    /// # Safety
    /// `p` is null or valid for writing `count` values.
    pub unsafe fn new(p: *mut T, count: usize) -> Self {
        Self(p, if p.is_null() { 0 } else { count }, PhantomData)
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.1
    }

    /// What the application put in a slot; `None` out of range.
    pub fn get(&self, index: usize) -> Option<T>
    where
        T: Copy,
    {
        // SAFETY: `new`'s contract and the check; a slot that is read is one that the application filled.
        (index < self.1).then(|| unsafe { self.0.add(index).read() })
    }

    /// Writes a slot; out of range writes nothing.
    pub fn set(&mut self, index: usize, value: T) {
        if index < self.1 {
            // SAFETY: `new`'s contract and the check.
            unsafe { self.0.add(index).write(value) }
        }
    }
}

impl OutSlice<'_, u8> {
    /// The bytes as they are: an application's buffer that is only partly written by the command.
    pub fn bytes(&mut self) -> &mut [u8] {
        if self.1 == 0 {
            return &mut [];
        }
        // SAFETY: `new`'s contract; any initialised byte is a `u8`, and the application's memory is initialised as far as
        // the abstract machine can tell: it comes from across the language boundary.
        unsafe { std::slice::from_raw_parts_mut(self.0, self.1) }
    }
}

/// The counter types of the two-call idiom.
pub trait Count: Copy {
    /// To the machine's size.
    fn to_usize(self) -> usize;
    /// From the machine's size; what does not fit is clamped.
    fn from_usize(n: usize) -> Self;
}

impl Count for u32 {
    fn to_usize(self) -> usize {
        self as usize
    }
    fn from_usize(n: usize) -> Self {
        n.min(u32::MAX as usize) as u32
    }
}

impl Count for usize {
    fn to_usize(self) -> usize {
        self
    }
    fn from_usize(n: usize) -> Self {
        n
    }
}

/// The two-call idiom: without an array the count is returned, with one as many elements as fit.
pub struct OutArray<'a, T, C = u32>(NonNull<C>, *mut T, PhantomData<&'a mut T>);

impl<T, C: Count> OutArray<'_, T, C> {
    /// Wraps count and array.
    ///
    /// # Safety
    /// `count` is null or valid for reading and writing; `items` is null or valid for `*count` elements.
    pub unsafe fn new(count: *mut C, items: *mut T) -> Self {
        Self(NonNull::new(count).expect("null pointer where the API requires a count"), items, PhantomData)
    }

    /// How many elements there is room for; none when only the count is asked for.
    pub fn room(&self) -> Option<usize> {
        // SAFETY: `new`'s contract.
        (!self.1.is_null()).then(|| unsafe { self.0.read() }.to_usize())
    }

    /// Writes the count alone.
    pub fn set_count(self, count: usize) {
        // SAFETY: `new`'s contract.
        unsafe { self.0.write(C::from_usize(count)) };
    }

    /// Writes plain elements.
    pub fn write<I>(self, items: I) -> vk::Result
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: ExactSizeIterator,
    {
        let items = items.into_iter();
        let total = items.len();
        let Some(room) = self.begin(total) else {
            return vk::Result::SUCCESS;
        };
        for (i, item) in items.take(room).enumerate() {
            // SAFETY: `new`'s contract, and `i < room ≤ *count`.
            unsafe { self.1.add(i).write(item) };
        }
        Self::outcome(room, total)
    }

    /// Lets `fill` complete structures in place, so that their `sType` and `pNext` stay the application's.
    pub fn fill(self, total: usize, mut fill: impl FnMut(usize, InOut<'_, T>)) -> vk::Result {
        let Some(room) = self.begin(total) else {
            return vk::Result::SUCCESS;
        };
        for i in 0..room {
            // SAFETY: `new`'s contract, and `i < room ≤ *count`.
            fill(i, unsafe { InOut::new(self.1.add(i)) });
        }
        Self::outcome(room, total)
    }

    /// Stores the count; the number of elements to write, or none when only the count was asked for.
    fn begin(&self, total: usize) -> Option<usize> {
        let room = self.room().map(|r| r.min(total));
        // SAFETY: `new`'s contract.
        unsafe { self.0.write(C::from_usize(room.unwrap_or(total))) };
        room
    }

    fn outcome(room: usize, total: usize) -> vk::Result {
        if room < total {
            vk::Result::INCOMPLETE
        } else {
            vk::Result::SUCCESS
        }
    }
}

/// A structure the application prepared (`sType`, `pNext`) and the command completes.
pub struct InOut<'a, T>(&'a mut T);

impl<'a, T> InOut<'a, T> {
    /// Wraps a pointer; null panics, which the command's guard turns into an error.
    ///
    /// # Safety
    /// `p` is null or valid for reading and writing for `'a`, and so is every structure of its `pNext` chain.
    pub unsafe fn new(p: *mut T) -> Self {
        // SAFETY: this function's contract.
        Self(unsafe { p.as_mut() }.expect("null pointer where the API requires a structure"))
    }

    /// Wraps a pointer that may be null.
    ///
    /// # Safety
    /// As for [`InOut::new`].
    pub unsafe fn opt(p: *mut T) -> Option<Self> {
        // SAFETY: this function's contract.
        unsafe { p.as_mut() }.map(Self)
    }

    /// The chained structures, in order. Every tagged structure starts with the same header, so callers pass tagged ones only.
    pub fn chain(&mut self) -> OutChain<'_>
    where
        T: vk::TaggedStructure,
    {
        let base = std::ptr::from_mut(self.0).cast::<vk::BaseOutStructure<'_>>();
        // SAFETY: a tagged structure starts with the header.
        OutChain(unsafe { (*base).p_next }.cast(), PhantomData)
    }
}

impl<T> Deref for InOut<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0
    }
}

impl<T> DerefMut for InOut<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0
    }
}

/// Iterator over an output chain.
pub struct OutChain<'a>(*mut vk::BaseOutStructure<'static>, PhantomData<&'a mut ()>);

impl<'a> Iterator for OutChain<'a> {
    type Item = OutNode<'a>;

    fn next(&mut self) -> Option<OutNode<'a>> {
        let node = NonNull::new(self.0)?;
        // SAFETY: `InOut::new`'s contract: every link is null or a structure with the header.
        self.0 = unsafe { node.as_ref() }.p_next;
        Some(OutNode(node, PhantomData))
    }
}

/// One structure of an output chain.
pub struct OutNode<'a>(NonNull<vk::BaseOutStructure<'static>>, PhantomData<&'a mut ()>);

impl OutNode<'_> {
    /// Which structure it is.
    pub fn s_type(&self) -> vk::StructureType {
        // SAFETY: `InOut::new`'s contract.
        unsafe { self.0.as_ref() }.s_type
    }

    /// The structure, if it is of type `U`.
    pub fn cast<U: vk::TaggedStructure>(&mut self) -> Option<&mut U> {
        // SAFETY: `sType` tells the type; the structure is valid by `InOut::new`'s contract and borrowed through `self`.
        (self.s_type() == U::STRUCTURE_TYPE).then(|| unsafe { self.0.cast::<U>().as_mut() })
    }

    /// The Booleans behind the header of a feature structure.
    ///
    /// # Safety
    /// The structure named by [`OutNode::s_type`] has exactly `count` `VkBool32` members after its header.
    pub unsafe fn booleans(&mut self, count: usize) -> &mut [vk::Bool32] {
        // SAFETY: this function's contract; the header's size is a multiple of the alignment of `VkBool32`.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(1).cast::<vk::Bool32>().as_ptr(), count) }
    }
}
