//! What a command reads.

use super::handle::Decode;
use ash::vk;
use std::ffi::{c_char, CStr};
use std::ops::Deref;

/// A value the application handed to a command, with the promise of valid usage: its pointers, its `pNext` chain and
/// the handles in it are valid for `'a`. Generated accessors follow them.
pub struct In<'a, T>(&'a T);

impl<T> Clone for In<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for In<'_, T> {}

impl<T> Deref for In<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0
    }
}

impl<'a, T> In<'a, T> {
    /// Wraps a pointer that must not be null; null panics, which the command's guard turns into an error.
    ///
    /// # Safety
    /// `p` is null or valid for `'a`, and so is everything it points at by the rules of the API.
    pub unsafe fn new(p: *const T) -> Self {
        // SAFETY: this function's contract.
        unsafe { Self::opt(p) }.expect("null pointer where the API requires a structure")
    }

    /// Wraps a pointer that may be null.
    ///
    /// # Safety
    /// As for [`In::new`].
    pub unsafe fn opt(p: *const T) -> Option<Self> {
        // SAFETY: this function's contract.
        unsafe { p.as_ref() }.map(Self)
    }

    /// The value with its full lifetime.
    pub fn get(self) -> &'a T {
        self.0
    }
}

/// Structures that start with `sType` and `pNext`.
impl<'a, T: vk::TaggedStructure> In<'a, T> {
    /// The first structure of type `U` in the `pNext` chain.
    pub fn next<U: vk::TaggedStructure>(self) -> Option<In<'a, U>> {
        self.chain()
            .find(|n| n.s_type == U::STRUCTURE_TYPE)
            // SAFETY: `sType` tells the type of a chained structure; valid usage covers the rest.
            .map(|n| unsafe { In::new(std::ptr::from_ref(n.get()).cast()) })
    }

    /// Every structure of the `pNext` chain, in order.
    pub fn chain(self) -> impl Iterator<Item = In<'a, vk::BaseInStructure<'a>>> {
        let base = std::ptr::from_ref(self.0).cast::<vk::BaseInStructure<'a>>();
        // SAFETY: a tagged structure starts with the header, and valid usage makes every link null or such a structure.
        let first = unsafe { In::opt((*base).p_next) };
        // SAFETY: as above.
        std::iter::successors(first, |n| unsafe { In::opt(n.p_next) })
    }
}

impl<'a, H: Decode> In<'a, H> {
    /// The object the handle names.
    pub fn object(self) -> &'a H::Object {
        // SAFETY: `In` stands for valid usage: the handle is live.
        unsafe { super::handle::obj(*self.0) }
    }

    /// The object the handle names, or none for a null handle.
    pub fn object_opt(self) -> Option<&'a H::Object> {
        // SAFETY: `In` stands for valid usage: the handle is null or live.
        unsafe { super::handle::opt(*self.0) }
    }
}

/// A counted array of structures or handles, each with the promise of [`In`].
pub struct Slice<'a, T>(&'a [T]);

impl<T> Clone for Slice<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slice<'_, T> {}

impl<'a, T> Slice<'a, T> {
    /// Wraps `count` elements at `p`; a null pointer is the empty array.
    ///
    /// # Safety
    /// As for [`In::new`], for every element.
    pub unsafe fn new(p: *const T, count: usize) -> Self {
        // SAFETY: this function's contract.
        Self(unsafe { plain(p, count) })
    }

    /// The elements.
    pub fn iter(self) -> impl ExactSizeIterator<Item = In<'a, T>> + Clone {
        self.0.iter().map(In)
    }

    /// Number of elements.
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// The element at `index`, if there is one.
    pub fn at(self, index: usize) -> Option<In<'a, T>> {
        self.0.get(index).map(In)
    }
}

/// A counted array of plain data; a null pointer is the empty array.
///
/// # Safety
/// `p` is null or valid for `count` elements for `'a`.
pub unsafe fn plain<'a, T>(p: *const T, count: usize) -> &'a [T] {
    if p.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: this function's contract.
    unsafe { std::slice::from_raw_parts(p, count) }
}

/// Bytes of the application to write to; a null pointer has none.
///
/// # Safety
/// `p` is null or valid for writing `count` bytes for `'a`, and nothing else refers to them meanwhile.
pub unsafe fn bytes_mut<'a>(p: *mut std::ffi::c_void, count: usize) -> &'a mut [u8] {
    if p.is_null() || count == 0 {
        return &mut [];
    }
    // SAFETY: this function's contract; any byte is a `u8`, and memory from across the language boundary counts as initialised.
    unsafe { std::slice::from_raw_parts_mut(p.cast(), count) }
}

/// A string that may be absent.
///
/// # Safety
/// `p` is null or a NUL-terminated string valid for `'a`.
pub unsafe fn opt_str<'a>(p: *const c_char) -> Option<&'a CStr> {
    // SAFETY: this function's contract.
    (!p.is_null()).then(|| unsafe { CStr::from_ptr(p) })
}

/// A string; a null pointer is the empty string.
///
/// # Safety
/// As for [`opt_str`].
pub unsafe fn str_in<'a>(p: *const c_char) -> &'a CStr {
    // SAFETY: this function's contract.
    unsafe { opt_str(p) }.unwrap_or_default()
}

/// A counted array of strings.
///
/// # Safety
/// `p` is null or valid for `count` pointers, each as for [`opt_str`].
pub unsafe fn strs<'a>(p: *const *const c_char, count: usize) -> Vec<&'a CStr> {
    // SAFETY: this function's contract.
    unsafe { plain(p, count) }
        .iter()
        // SAFETY: this function's contract.
        .map(|s| unsafe { str_in(*s) })
        .collect()
}
