//! One call: the bytes of its argument and the memory it names.

use dxg_abi::layout::{Kind, TypeLayout};
use dxg_abi::{Arg, Handle, Ioctl};
use dxg_model::Census;

use crate::common::{poke_bytes, Model};

/// Memory that a call names.
#[derive(Clone)]
pub struct Span {
    /// Field of the argument that points to it; empty if something else does.
    pub field: &'static str,
    /// What the behaviour file calls it, if it is written; empty if it is only read.
    pub key: &'static str,
    pub at: u64,
    pub len: u64,
    /// Whether a call that succeeds changes it; otherwise it may come back as it was.
    pub changes: bool,
}

/// Where a call puts a number.
#[derive(Clone, Copy)]
pub enum Place {
    Memory(u64),
    Field(&'static str),
}

type Effect = Box<dyn Fn(&mut Census)>;

/// A call, and what it does if nothing is wrong with it.
pub struct Call {
    pub ioctl: Ioctl,
    pub arg: Vec<u8>,
    pub spans: Vec<Span>,
    /// Fields that change, if that is not what the behaviour file lists.
    pub changes: Option<&'static [&'static str]>,
    /// The result.
    pub status: i32,
    /// Never pending.
    pub at_once: bool,
    /// Where it puts the number of a new descriptor.
    pub descriptor: Option<Place>,
    /// What it makes and takes away.
    pub effect: Effect,
}

impl Call {
    pub fn new<T: Arg>(arg: T) -> Self {
        Self {
            ioctl: T::IOCTL,
            arg: arg.as_bytes().to_vec(),
            spans: Vec::new(),
            changes: None,
            status: 0,
            at_once: false,
            descriptor: None,
            effect: Box::new(|_| ()),
        }
    }

    /// Says which fields change.
    pub fn changes(mut self, fields: &'static [&'static str]) -> Self {
        self.changes = Some(fields);
        self
    }

    pub fn status(mut self, status: i32) -> Self {
        self.status = status;
        self
    }

    /// Says that it is not pending though calls of its kind may be.
    pub fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    pub fn effect(mut self, effect: impl Fn(&mut Census) + 'static) -> Self {
        self.effect = Box::new(effect);
        self
    }

    fn span(mut self, field: &'static str, key: &'static str, at: u64, len: u64, changes: bool) -> Self {
        self.spans.push(Span { field, key, at, len, changes });
        self
    }

    /// Memory that is read.
    pub fn reads(self, field: &'static str, at: u64, len: u64) -> Self {
        self.span(field, "", at, len, false)
    }

    /// Memory that is written.
    pub fn writes(self, field: &'static str, key: &'static str, at: u64, len: u64) -> Self {
        self.span(field, key, at, len, true)
    }

    /// Memory that is read, handed to the other side and written, as it was or changed.
    pub fn passes(self, field: &'static str, key: &'static str, at: u64, len: u64) -> Self {
        self.span(field, key, at, len, false)
    }

    /// Puts a pattern into fields that are only written.
    pub fn mark(mut self, fields: &[&str]) -> Self {
        for name in fields {
            let (at, size) = place(self.ioctl, name);
            self.arg[at..at + size].fill(0xa5);
        }
        self
    }

    pub fn set(&mut self, name: &str, value: u64) {
        let (at, size) = place(self.ioctl, name);
        let size = size.min(8);
        self.arg[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    }

    pub fn get(&self, name: &str) -> u64 {
        let (at, size) = place(self.ioctl, name);
        let mut word = [0; 8];
        let size = size.min(8);
        word[..size].copy_from_slice(&self.arg[at..at + size]);
        u64::from_le_bytes(word)
    }

    pub fn set_bits(&mut self, name: &str, on: u32, off: u32) {
        let value = (self.get(name) | u64::from(on)) & !u64::from(off);
        self.set(name, value);
    }

    /// Sets a handle: a field, the first of an array in the argument, or the first of an array elsewhere (`name[0]`).
    pub fn set_handle(&mut self, name: &str, handle: Handle) {
        let Some(name) = name.strip_suffix("[0]") else { return self.set(name, u64::from(handle.0)) };
        let (at, size) = place(self.ioctl, name);
        if size == 8 {
            poke_bytes(self.get(name), &handle.0.to_le_bytes());
        } else {
            self.arg[at..at + 4].copy_from_slice(&handle.0.to_le_bytes());
        }
    }

    /// Makes the call.
    pub fn run(&mut self, node: &Model) -> i32 {
        use dxg_abi::Node;
        node.ioctl(self.ioctl.request(), &mut self.arg)
    }
}

/// Offset and size of a field or view, `a.b` for one of a nested structure.
fn place(ioctl: Ioctl, name: &str) -> (usize, usize) {
    fn walk(ty: &TypeLayout, name: &str) -> Option<(usize, usize)> {
        let Kind::Struct { fields, views } = &ty.kind else { return None };
        let (first, rest) = name.split_once('.').map_or((name, None), |(a, b)| (a, Some(b)));
        let f = fields.iter().chain(*views).find(|f| f.name == first)?;
        match rest {
            None => Some((f.offset, f.size)),
            Some(rest) => walk(f.ty, rest).map(|(at, size)| (f.offset + at, size)),
        }
    }
    walk(ioctl.layout(), name).unwrap_or_else(|| panic!("{ioctl} has no field {name}"))
}

/// Names of the fields that differ, `a.b` for nested ones.
pub fn differences(ioctl: Ioctl, before: &[u8], after: &[u8]) -> Vec<String> {
    fn walk(ty: &TypeLayout, at: usize, prefix: &str, a: &[u8], b: &[u8], out: &mut Vec<String>) {
        let Kind::Struct { fields, .. } = &ty.kind else { return };
        for f in *fields {
            let (lo, hi) = (at + f.offset, at + f.offset + f.size);
            if a[lo..hi] == b[lo..hi] {
                continue;
            }
            let name = format!("{prefix}{}", f.name);
            if matches!(f.ty.kind, Kind::Struct { .. }) && f.size == f.ty.size {
                walk(f.ty, lo, &format!("{name}."), a, b, out);
            } else {
                out.push(name);
            }
        }
    }
    let mut out = Vec::new();
    walk(ioctl.layout(), 0, "", before, after, &mut out);
    out
}

/// Whether a changed field is one of those listed, or lies in one.
pub fn covered<S: AsRef<str>>(field: &str, by: &[S]) -> bool {
    by.iter().any(|b| field == b.as_ref() || field.strip_prefix(b.as_ref()).is_some_and(|rest| rest.starts_with('.')))
}
