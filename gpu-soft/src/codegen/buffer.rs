//! Descriptors: buffer references and pointers to image and sampler descriptors.

use super::gen::{Gen, Rep, Result};
use super::ir::{Icmp, Val};
use super::CodegenError;
use crate::kernel_abi::{BindingSlot, BufferDesc, DispatchCtx, MAX_SETS};
use compiler::sir::{BindingKind, Resource, Value};
use std::mem::{offset_of, size_of};

impl Gen<'_> {
    pub fn slot(&self, r: &Resource) -> Result<BindingSlot> {
        self.opts
            .bindings
            .iter()
            .find(|b| b.set == r.set && b.binding == r.binding && (r.set as usize) < MAX_SETS)
            .copied()
            .ok_or_else(|| CodegenError::Options(format!("no layout for set {} binding {}", r.set, r.binding)))
    }

    /// Whether accesses to the buffer may go without checks. A binding that is declared as more than one kind of buffer is
    /// checked if either kind is.
    fn unchecked_binding(&self, r: &Resource) -> bool {
        let mut here = self.k.bindings.iter().filter(|b| b.set == r.set && b.binding == r.binding);
        here.all(|b| match b.kind {
            BindingKind::UniformBuffer => !self.opts.robust_uniform,
            _ => !self.opts.robust_storage,
        })
    }

    /// Read-only zeros: a null descriptor, and what loads out of range read.
    pub fn zeros(&mut self) -> Val {
        if let Some(z) = self.zeros {
            return z;
        }
        let ty = self.m.array(self.m.int(64), 8);
        let z = self.m.constant_global(self.m.zero(ty), 64);
        self.zeros = Some(z);
        z
    }

    fn ctx_ptr(&self, offset: usize) -> Val {
        let m = self.m;
        m.load(m.int(64), m.byte_ptr(self.ctx, self.i64c(offset as u64)), 8)
    }

    /// Address of a set's memory (0 if none is bound), read once per call.
    fn set_base(&mut self, set: u32) -> Val {
        if let Some(v) = self.set_bases.get(&set) {
            return *v;
        }
        let v = self.in_setup(|g| {
            let m = g.m;
            let sets = m.inttoptr(g.ctx_ptr(offset_of!(DispatchCtx, sets)), m.ptr());
            m.load(m.int(64), m.byte_ptr(sets, g.i64c(u64::from(set) * 8)), 8)
        });
        self.set_bases.insert(set, v);
        v
    }

    /// Address of the table of dynamic buffers, read once per call.
    fn dynamic_base(&mut self) -> Val {
        if let Some(v) = self.dynamics {
            return v;
        }
        let v = self.in_setup(|g| g.ctx_ptr(offset_of!(DispatchCtx, dynamic)));
        self.dynamics = Some(v);
        v
    }

    /// Base address, offset and stride of the descriptors of a binding.
    fn table(&mut self, slot: &BindingSlot) -> (Val, u64, u64) {
        match slot.dynamic {
            Some(first) => {
                let size = size_of::<BufferDesc>() as u64;
                (self.dynamic_base(), u64::from(first) * size, size)
            }
            None => (self.set_base(slot.set), u64::from(slot.offset), u64::from(slot.stride)),
        }
    }

    /// Address of a descriptor for an index that is the same in all lanes, or `instead` where there is none.
    pub fn uniform_address(&mut self, slot: &BindingSlot, index: Option<Val>, instead: Val) -> Val {
        let (base, offset, stride) = self.table(slot);
        let m = self.m;
        let bound = m.icmp(Icmp::Ne, base, self.i64c(0));
        let (at, valid) = match index {
            None => (self.i64c(offset), bound),
            Some(i) => {
                let inside = m.icmp(Icmp::Ult, i, self.i32c(slot.count));
                let scaled = m.mul(m.zext(i, m.int(64)), self.i64c(stride));
                (m.add(scaled, self.i64c(offset)), m.and(bound, inside))
            }
        };
        m.select(valid, m.add(base, at), instead)
    }

    /// `Op::Buffer`.
    pub fn buffer(&mut self, result: Value, r: &Resource) -> Result<()> {
        let slot = self.slot(r)?;
        if self.unchecked_binding(r) {
            self.unchecked.insert(result);
        }
        let index = match r.index {
            None => Some(0),
            Some(v) => self.constant(v).map(|c| c as u32),
        };
        if let Some(index) = index {
            let rep = self.fixed_buffer(r.set, r.binding, index)?;
            return self.set(result, rep);
        }
        let Some(v) = r.index else { return self.set(result, Rep::BufUni(self.i64c(0), self.i64c(0))) };
        let rep = if self.is_uniform(v) {
            let index = self.scalar(v)?;
            self.uniform_buffer(&slot, Some(index))
        } else {
            self.varying_buffer(&slot, v)?
        };
        self.set(result, rep)
    }

    /// A buffer that is the same for the whole dispatch: read in front of the loop over workgroups.
    pub fn fixed_buffer(&mut self, set: u32, binding: u32, index: u32) -> Result<Rep> {
        let key = (set, binding, index);
        if let Some(rep) = self.buffers.get(&key) {
            return Ok(*rep);
        }
        let slot = self.slot(&Resource { set, binding, index: None, non_uniform: false })?;
        let rep = self.in_setup_tables(&slot, |g| {
            let index = (index != 0).then(|| g.i32c(index));
            g.uniform_buffer(&slot, index)
        });
        self.buffers.insert(key, rep);
        Ok(rep)
    }

    /// As `in_setup`, with what the table of the binding needs emitted before.
    pub fn in_setup_tables<T>(&mut self, slot: &BindingSlot, f: impl FnOnce(&mut Self) -> T) -> T {
        self.table(slot);
        self.zeros();
        self.in_setup(f)
    }

    fn uniform_buffer(&mut self, slot: &BindingSlot, index: Option<Val>) -> Rep {
        let m = self.m;
        let zero = self.i64c(0);
        if let Some(size) = slot.inline_size {
            let address = self.uniform_address(slot, index, zero);
            let bound = m.icmp(Icmp::Ne, address, zero);
            return Rep::BufUni(address, m.select(bound, self.i64c(u64::from(size)), zero));
        }
        let null = m.ptrtoint(self.zeros(), m.int(64));
        let address = self.uniform_address(slot, index, null);
        let p = m.inttoptr(address, m.ptr());
        let addr = m.load(m.int(64), p, 8);
        let size = m.load(m.int(64), m.byte_ptr(p, self.i64c(offset_of!(BufferDesc, size) as u64)), 8);
        Rep::BufUni(addr, size)
    }

    fn varying_buffer(&mut self, slot: &BindingSlot, index: Value) -> Result<Rep> {
        let m = self.m;
        let addresses = self.descriptor_lanes(slot, index)?;
        let lanes64 = m.vector(m.int(64), self.lanes);
        let zero = m.zero(lanes64);
        let valid = m.icmp(Icmp::Ne, addresses, zero);
        if let Some(size) = slot.inline_size {
            let size = self.splat(self.i64c(u64::from(size)));
            return Ok(Rep::BufVec(addresses, m.select(valid, size, zero)));
        }
        let field = |offset: usize| {
            let at = m.add(addresses, self.splat(self.i64c(offset as u64)));
            self.gather(lanes64, m.inttoptr(at, m.vector(m.ptr(), self.lanes)), 8, valid)
        };
        Ok(Rep::BufVec(field(offset_of!(BufferDesc, addr)), field(offset_of!(BufferDesc, size))))
    }

    /// Addresses of descriptors by lane, 0 where there is none.
    fn descriptor_lanes(&mut self, slot: &BindingSlot, index: Value) -> Result<Val> {
        let (base, offset, stride) = self.table(slot);
        let m = self.m;
        let index = self.vector(index)?;
        let lanes64 = m.vector(m.int(64), self.lanes);
        let inside = m.icmp(Icmp::Ult, index, self.splat(self.i32c(slot.count)));
        let bound = m.icmp(Icmp::Ne, base, self.i64c(0));
        let valid = m.and(inside, self.splat(bound));
        let scaled = m.mul(m.zext(index, lanes64), self.splat(self.i64c(stride)));
        let address = m.add(scaled, self.splat(m.add(base, self.i64c(offset))));
        Ok(m.select(valid, address, m.zero(lanes64)))
    }

    /// Addresses of image or sampler descriptors by lane; `part` bytes into each, 0 where there is none.
    pub fn descriptors(&mut self, r: &Resource, part: u32) -> Result<Val> {
        let slot = self.slot(r)?;
        let m = self.m;
        let zero = self.i64c(0);
        let lanes = match r.index {
            Some(v) if !self.is_uniform(v) => self.descriptor_lanes(&slot, v)?,
            index => {
                let index = index.map(|v| self.scalar(v)).transpose()?;
                let address = self.uniform_address(&slot, index, zero);
                self.splat(address)
            }
        };
        if part == 0 {
            return Ok(lanes);
        }
        let lanes64 = m.vector(m.int(64), self.lanes);
        let valid = m.icmp(Icmp::Ne, lanes, m.zero(lanes64));
        let moved = m.add(lanes, self.splat(self.i64c(u64::from(part))));
        Ok(m.select(valid, moved, m.zero(lanes64)))
    }
}
