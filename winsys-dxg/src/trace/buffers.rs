//! Copying out the buffers an argument points to, and putting copies in their place.

use super::format::Buffer;
use super::pointers::{field, pointers, Pointer};
use crate::sys::ProcessMemory;
use dxg_abi::layout::TypeLayout;
use dxg_abi::Ioctl;

/// Most bytes recorded of the buffers of one request.
const MAX: u64 = 64 << 20;

/// Where a recorded buffer is in the memory of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) pointer: u8,
    pub(crate) nested: u8,
    pub(crate) element: u32,
    pub(crate) address: u64,
    pub(crate) len: usize,
}

/// Finds the buffers of an argument.
pub(crate) fn places(memory: &ProcessMemory, ioctl: Ioctl, arg: &[u8]) -> Vec<Place> {
    let mut out = Vec::new();
    let mut budget = MAX;
    for (i, p) in pointers(ioctl).iter().enumerate() {
        let Some(place) = place(p, ioctl.layout(), arg, (i as u8, 0, 0), &mut budget) else { continue };
        out.push(place);
        if p.nested.is_empty() {
            continue;
        }
        let mut elements = vec![0; place.len];
        if !memory.read(place.address, &mut elements) {
            continue;
        }
        for (e, element) in elements.chunks_exact(p.element.size).enumerate() {
            for (n, inner) in p.nested.iter().enumerate() {
                let at = (i as u8, n as u8 + 1, e as u32);
                out.extend(self::place(inner, p.element, element, at, &mut budget));
            }
        }
    }
    out
}

fn place(p: &Pointer, ty: &TypeLayout, bytes: &[u8], at: (u8, u8, u32), budget: &mut u64) -> Option<Place> {
    let (address, count) = p.target(ty, bytes)?;
    let len = count.checked_mul(p.element.size as u64).filter(|n| n <= budget)?;
    *budget -= len;
    Some(Place { pointer: at.0, nested: at.1, element: at.2, address, len: len as usize })
}

/// Copies the buffers as they are. One that cannot be read is left out: the request will say so.
pub(crate) fn read_before(memory: &ProcessMemory, places: &mut Vec<Place>) -> Vec<Buffer> {
    let mut out = Vec::with_capacity(places.len());
    places.retain(|p| {
        let mut before = vec![0; p.len];
        let readable = memory.read(p.address, &mut before);
        if readable {
            let (pointer, nested, element) = (p.pointer, p.nested, p.element);
            out.push(Buffer { pointer, nested, element, before, after: Vec::new() });
        }
        readable
    });
    out
}

/// Adds what the buffers became.
pub(crate) fn read_after(memory: &ProcessMemory, places: &[Place], buffers: &mut [Buffer]) {
    for (p, b) in places.iter().zip(buffers) {
        let mut after = vec![0; p.len];
        if memory.read(p.address, &mut after) && after != b.before {
            b.after = after;
        }
    }
}

/// Memory for a copy of a buffer, aligned for any element.
#[derive(Debug)]
pub(crate) struct Copy {
    words: Vec<u64>,
    len: usize,
}

impl Copy {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut copy = Self { words: vec![0; bytes.len().div_ceil(8)], len: bytes.len() };
        copy.bytes_mut().copy_from_slice(bytes);
        copy
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &zerocopy::IntoBytes::as_bytes(self.words.as_slice())[..self.len]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut zerocopy::IntoBytes::as_mut_bytes(self.words.as_mut_slice())[..self.len]
    }

    fn address(&mut self) -> u64 {
        self.words.as_mut_ptr() as u64
    }
}

fn set_address(ty: &TypeLayout, bytes: &mut [u8], name: &str, address: u64) -> bool {
    let Some(f) = field(ty, name) else { return false };
    match bytes.get_mut(f.offset..f.offset + 8) {
        Some(slot) => {
            slot.copy_from_slice(&address.to_le_bytes());
            true
        }
        None => false,
    }
}

/// Sets every pointer of an argument (and of its elements) to null.
pub(crate) fn clear_pointers(ioctl: Ioctl, arg: &mut [u8], buffers: &[Buffer], copies: &mut [Copy]) {
    let ty = ioctl.layout();
    for p in pointers(ioctl) {
        // Fields that are not pointers in this request keep their meaning.
        if p.target(ty, arg).is_some() {
            set_address(ty, arg, p.field, 0);
        }
    }
    for (b, copy) in buffers.iter().zip(copies) {
        let Some(p) = pointers(ioctl).get(b.pointer as usize) else { continue };
        if b.nested != 0 || p.nested.is_empty() {
            continue;
        }
        for element in copy.bytes_mut().chunks_exact_mut(p.element.size) {
            for inner in p.nested {
                set_address(p.element, element, inner.field, 0);
            }
        }
    }
}

/// Points an argument to copies of its buffers. False if a recorded buffer has no place, which
/// means that the recording is not what it claims to be.
pub(crate) fn attach(ioctl: Ioctl, arg: &mut [u8], buffers: &[Buffer], copies: &mut [Copy]) -> bool {
    clear_pointers(ioctl, arg, buffers, copies);
    for i in 0..buffers.len().min(copies.len()) {
        let b = &buffers[i];
        let address = copies[i].address();
        let Some(p) = pointers(ioctl).get(b.pointer as usize) else { return false };
        let placed = if b.nested == 0 {
            set_address(ioctl.layout(), arg, p.field, address)
        } else {
            let Some(inner) = p.nested.get(b.nested as usize - 1) else { return false };
            let parent = buffers.iter().position(|o| o.pointer == b.pointer && o.nested == 0);
            let start = (b.element as usize).checked_mul(p.element.size);
            match (parent.and_then(|o| copies.get_mut(o)), start) {
                (Some(parent), Some(start)) => parent
                    .bytes_mut()
                    .get_mut(start..)
                    .filter(|e| e.len() >= p.element.size)
                    .is_some_and(|e| set_address(p.element, e, inner.field, address)),
                _ => false,
            }
        };
        if !placed {
            return false;
        }
    }
    // Every count must be covered by its copy, or the node would read past it.
    pointers(ioctl).iter().enumerate().all(|(i, p)| {
        let fits = |target: Option<(u64, u64)>, element: &TypeLayout, len: Option<usize>| match target {
            None => true,
            Some((_, count)) => {
                len.is_some_and(|len| count.checked_mul(element.size as u64).is_some_and(|need| need <= len as u64))
            }
        };
        let find = |nested: usize, e: usize| {
            buffers
                .iter()
                .position(|b| b.pointer as usize == i && b.nested as usize == nested && b.element as usize == e)
        };
        let own = find(0, 0);
        if !fits(p.target(ioctl.layout(), arg), p.element, own.and_then(|o| copies.get(o)).map(|c| c.len)) {
            return false;
        }
        let Some(elements) = own.and_then(|o| copies.get(o)) else { return true };
        elements.bytes().chunks_exact(p.element.size).enumerate().all(|(e, element)| {
            p.nested.iter().enumerate().all(|(n, inner)| {
                let len = find(n + 1, e).and_then(|o| copies.get(o)).map(|c| c.len);
                fits(inner.target(p.element, element), inner.element, len)
            })
        })
    })
}
