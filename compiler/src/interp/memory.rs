//! Loads, stores and atomic operations on memory.

use super::atomic;
use super::exec::Group;
use super::machine::Fault;
use super::mask::Mask;
use crate::sir::{Addr, Inst, Op, Value};

/// Where an access of one invocation goes.
enum Place {
    /// A byte offset into a buffer view.
    Buffer {
        base: u64,
        size: u64,
        off: u64,
    },
    /// An absolute address.
    Global(u64),
    /// A byte offset into one of the arrays held here: start and size of the piece, and the offset in it.
    Shared(u32),
    Slot {
        base: usize,
        size: u32,
        off: u32,
    },
    Push(u32),
}

/// Offset of element `i`, if it lies within `size` bytes.
fn within(off: u64, i: usize, bytes: usize, size: u64) -> Option<u64> {
    let o = off.wrapping_add((i * bytes) as u64);
    (size >= bytes as u64 && o <= size - bytes as u64).then_some(o)
}

fn within32(off: u32, i: usize, bytes: usize, size: usize) -> Option<usize> {
    let o = off.wrapping_add((i * bytes) as u32) as usize;
    (size >= bytes && o <= size - bytes).then_some(o)
}

fn from_bytes(bytes: &[u8]) -> u64 {
    let mut all = [0; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(all)
}

impl Group<'_, '_> {
    fn place(&self, addr: &Addr, lane: usize) -> Place {
        let off32 = |off: &Option<Value>, imm: u32| off.map_or(0, |v| self.get(v, lane) as u32).wrapping_add(imm);
        match addr {
            Addr::Buffer { buf, off, imm } => {
                let view = self.views[self.get(*buf, lane) as usize];
                let off = off.map_or(0, |v| self.get(v, lane)).wrapping_add(*imm as u64);
                Place::Buffer { base: view.addr, size: view.size, off }
            }
            Addr::Global { addr, imm } => Place::Global(self.get(*addr, lane).wrapping_add(*imm as u64)),
            Addr::Shared { off, imm } => Place::Shared(off32(off, *imm)),
            Addr::Slot { slot, off, imm } => {
                let base = self.program.slot_base[slot.index()] + lane * self.program.slot_bytes;
                Place::Slot { base, size: self.program.kernel.slots[slot.index()].size, off: off32(off, *imm) }
            }
            Addr::Push { off, imm } => Place::Push(off32(off, *imm)),
        }
    }

    fn load_one(&mut self, place: &Place, i: usize, bytes: usize) -> Result<u64, Fault> {
        let mut buf = [0u8; 8];
        let buf = &mut buf[..bytes];
        match *place {
            Place::Buffer { base, size, off } => {
                if let Some(o) = within(off, i, bytes, size) {
                    self.machine.load(base.wrapping_add(o), buf)?;
                }
            }
            Place::Global(a) => self.machine.load(a.wrapping_add((i * bytes) as u64), buf)?,
            Place::Shared(off) => {
                if let Some(o) = within32(off, i, bytes, self.shared.len()) {
                    buf.copy_from_slice(&self.shared[o..o + bytes]);
                }
            }
            Place::Slot { base, size, off } => {
                if let Some(o) = within32(off, i, bytes, size as usize) {
                    buf.copy_from_slice(&self.private[base + o..base + o + bytes]);
                }
            }
            Place::Push(off) => {
                let push = self.machine.push_constants();
                if let Some(o) = within32(off, i, bytes, push.len()) {
                    buf.copy_from_slice(&push[o..o + bytes]);
                }
            }
        }
        Ok(from_bytes(buf))
    }

    pub(super) fn load(&mut self, results: &[Value], addr: &Addr, active: &Mask) -> Result<(), Fault> {
        let bytes = self.ty(results[0]).bytes() as usize;
        for lane in active.lanes() {
            let place = self.place(addr, lane);
            for (i, &r) in results.iter().enumerate() {
                let bits = self.load_one(&place, i, bytes)?;
                self.set(r, lane, bits);
            }
        }
        Ok(())
    }

    pub(super) fn store(&mut self, addr: &Addr, values: &[Value], active: &Mask) -> Result<(), Fault> {
        let bytes = self.ty(values[0]).bytes() as usize;
        for lane in active.lanes() {
            let place = self.place(addr, lane);
            for (i, &v) in values.iter().enumerate() {
                let all = self.get(v, lane).to_le_bytes();
                let data = &all[..bytes];
                match place {
                    Place::Buffer { base, size, off } => {
                        if let Some(o) = within(off, i, bytes, size) {
                            self.machine.store(base.wrapping_add(o), data)?;
                        }
                    }
                    Place::Global(a) => self.machine.store(a.wrapping_add((i * bytes) as u64), data)?,
                    Place::Shared(off) => {
                        if let Some(o) = within32(off, i, bytes, self.shared.len()) {
                            self.shared[o..o + bytes].copy_from_slice(data);
                        }
                    }
                    Place::Slot { base, size, off } => {
                        if let Some(o) = within32(off, i, bytes, size as usize) {
                            self.private[base + o..base + o + bytes].copy_from_slice(data);
                        }
                    }
                    Place::Push(_) => {}
                }
            }
        }
        Ok(())
    }

    pub(super) fn atomic(&mut self, inst: &Inst, active: &Mask) -> Result<(), Fault> {
        let result = inst.results[0];
        let ty = self.ty(result);
        let bytes = ty.bytes() as usize;
        for lane in active.lanes() {
            let (addr, mut f): (&Addr, Box<dyn FnMut(u64) -> u64>) = match &inst.op {
                Op::AtomicRmw { op, addr, value, .. } => {
                    let (op, value) = (*op, self.get(*value, lane));
                    (addr, Box::new(move |old| atomic::apply(op, ty, old, value)))
                }
                Op::AtomicCas { addr, expected, desired, .. } => {
                    let (expected, desired) = (self.get(*expected, lane), self.get(*desired, lane));
                    (addr, Box::new(move |old| if old == expected { desired } else { old }))
                }
                _ => return Ok(()),
            };
            let old = match self.place(addr, lane) {
                Place::Buffer { base, size, off } => match within(off, 0, bytes, size) {
                    Some(o) => self.machine.atomic(base.wrapping_add(o), bytes as u32, &mut f)?,
                    None => 0,
                },
                Place::Global(a) => self.machine.atomic(a, bytes as u32, &mut f)?,
                Place::Shared(off) => match within32(off, 0, bytes, self.shared.len()) {
                    Some(o) => {
                        let old = from_bytes(&self.shared[o..o + bytes]);
                        let new = f(old).to_le_bytes();
                        self.shared[o..o + bytes].copy_from_slice(&new[..bytes]);
                        old
                    }
                    None => 0,
                },
                Place::Slot { .. } | Place::Push(_) => 0,
            };
            self.set(result, lane, old);
        }
        Ok(())
    }
}
