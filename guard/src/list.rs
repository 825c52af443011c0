//! A list that signal handlers can walk: what is on it stays for ever.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// An element of a list.
struct Node<T: 'static> {
    value: T,
    next: AtomicPtr<Node<T>>,
}

/// A list to which any thread can add.
pub(crate) struct List<T: 'static>(AtomicPtr<Node<T>>);

impl<T: Send + Sync> List<T> {
    pub const fn new() -> List<T> {
        List(AtomicPtr::new(null_mut()))
    }

    /// All elements. Takes no lock and allocates nothing.
    pub fn iter(&self) -> impl Iterator<Item = &'static T> {
        let of = |link: &AtomicPtr<Node<T>>| {
            // SAFETY: links are null or lead to elements, which live for ever.
            unsafe { link.load(Ordering::Acquire).as_ref() }
        };
        std::iter::successors(of(&self.0), move |node: &&'static Node<T>| of(&node.next)).map(|node| &node.value)
    }

    /// Adds an element.
    pub fn add(&self, value: T) -> &'static T {
        let node: &'static Node<T> = Box::leak(Box::new(Node { value, next: AtomicPtr::new(null_mut()) }));
        let mut first = self.0.load(Ordering::Relaxed);
        loop {
            node.next.store(first, Ordering::Relaxed);
            let me = std::ptr::from_ref(node).cast_mut();
            match self.0.compare_exchange_weak(first, me, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return &node.value,
                Err(other) => first = other,
            }
        }
    }
}
