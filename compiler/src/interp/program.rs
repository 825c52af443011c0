//! A kernel made ready to run: values are given registers.

use crate::sir::{Kernel, Op, Region, Value};
use crate::verify::{verify, VerifyError};
use std::sync::Arc;

/// A verified kernel with a register for each value. Registers are reused when their value is no longer needed.
#[derive(Debug)]
pub struct Program {
    pub(super) kernel: Arc<Kernel>,
    /// Register of each value.
    pub(super) reg: Vec<u32>,
    /// Number of registers.
    pub(super) regs: u32,
    /// Start of each slot in the private memory of an invocation.
    pub(super) slot_base: Vec<usize>,
    /// Bytes of private memory per invocation.
    pub(super) slot_bytes: usize,
}

impl Program {
    /// Verifies and prepares a kernel.
    ///
    /// # Errors
    /// If the kernel does not verify.
    pub fn new(kernel: Arc<Kernel>) -> Result<Program, VerifyError> {
        verify(&kernel)?;
        let n = kernel.types.len();
        let mut uses = LastUse { depth: vec![0; n], last: vec![0; n], stack: Vec::new() };
        uses.region(&kernel.body);
        let mut alloc = Allocator { last: uses.last, reg: vec![0; n], free: Vec::new(), regs: 0 };
        alloc.region(&kernel.body);
        let mut slot_base = Vec::with_capacity(kernel.slots.len());
        let mut slot_bytes = 0usize;
        for s in &kernel.slots {
            slot_base.push(slot_bytes);
            slot_bytes += s.size as usize;
        }
        Ok(Program { reg: alloc.reg, regs: alloc.regs, kernel, slot_base, slot_bytes })
    }

    /// The kernel.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }
}

/// Finds for each value the last instruction of its own region that uses it, directly or inside.
struct LastUse {
    /// Nesting depth of the defining region.
    depth: Vec<u32>,
    last: Vec<u32>,
    /// Current instruction at each depth.
    stack: Vec<u32>,
}

impl LastUse {
    fn region(&mut self, region: &Region) {
        let depth = self.stack.len();
        self.stack.push(0);
        for &p in &region.params {
            self.depth[p.index()] = depth as u32;
        }
        for (i, inst) in region.insts.iter().enumerate() {
            self.stack[depth] = i as u32;
            for &r in &inst.results {
                self.depth[r.index()] = depth as u32;
                self.last[r.index()] = i as u32;
            }
            inst.op.for_each_operand(&mut |v: Value| {
                let d = self.depth[v.index()] as usize;
                self.last[v.index()] = self.stack[d];
            });
            inst.op.for_each_region(&mut |r| self.region(r));
        }
        self.stack.pop();
    }
}

struct Allocator {
    last: Vec<u32>,
    reg: Vec<u32>,
    free: Vec<u32>,
    regs: u32,
}

impl Allocator {
    fn take(&mut self, v: Value) {
        let r = self.free.pop().unwrap_or_else(|| {
            self.regs += 1;
            self.regs - 1
        });
        self.reg[v.index()] = r;
    }

    /// Results get their registers before nested regions do, as exits write them while regions still run. Parameters
    /// and values that a region no longer needs may share registers: exits write only invocations that have left.
    fn region(&mut self, region: &Region) {
        let mut expire: Vec<Vec<Value>> = vec![Vec::new(); region.insts.len()];
        for &p in &region.params {
            self.take(p);
            expire[self.last[p.index()] as usize].push(p);
        }
        for (i, inst) in region.insts.iter().enumerate() {
            for &r in &inst.results {
                self.take(r);
                expire[self.last[r.index()] as usize].push(r);
            }
            if let Op::If { .. } | Op::Switch { .. } | Op::Loop { .. } | Op::Block { .. } = inst.op {
                inst.op.for_each_region(&mut |r| self.region(r));
            }
            for v in std::mem::take(&mut expire[i]) {
                self.free.push(self.reg[v.index()]);
            }
        }
    }
}
