//! Lock-step execution of a workgroup.

use super::machine::{BufferView, Fault, Machine};
use super::mask::Mask;
use super::program::Program;
use super::{alu, GroupInfo, Limits};
use crate::hash::HashMap;
use crate::sir::{Builtin, Inst, Label, Op, Region, Resource, SwitchCase, Type, Value};
use smallvec::SmallVec;
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// Runs workgroups of one program; keeps its memory from one workgroup to the next.
#[derive(Debug)]
pub struct Executor {
    program: Arc<Program>,
    regs: Vec<u64>,
    private: Vec<u8>,
    shared: Vec<u8>,
}

impl Executor {
    /// An executor of a program.
    pub fn new(program: Arc<Program>) -> Executor {
        Executor { program, regs: Vec::new(), private: Vec::new(), shared: Vec::new() }
    }

    /// Runs one workgroup.
    ///
    /// # Errors
    /// A [`Fault`]; memory keeps what was written before it.
    pub fn run(&mut self, info: &GroupInfo, machine: &mut dyn Machine, limits: &Limits<'_>) -> Result<(), Fault> {
        let size = info.subgroup_size;
        if !(1..=64).contains(&size) || !size.is_power_of_two() {
            return Err(Fault::Unsupported(format!("subgroup size {size}")));
        }
        let program = self.program.clone();
        let kernel = &*program.kernel;
        let lanes = kernel.invocations() as usize;
        self.regs.resize(program.regs as usize * lanes, 0);
        self.private.clear();
        self.private.resize(program.slot_bytes * lanes, 0);
        self.shared.clear();
        self.shared.resize(kernel.shared_size as usize, 0);
        let mut group = Group {
            program: &program,
            info,
            machine,
            limits,
            lanes,
            regs: &mut self.regs,
            private: &mut self.private,
            shared: &mut self.shared,
            views: vec![BufferView::default()],
            view_of: HashMap::default(),
            steps: 0,
            frames: Vec::new(),
        };
        group.region(&kernel.body, Mask::full(lanes)).map(|_| ())
    }
}

/// A construct that exits may leave or restart.
struct Frame<'p> {
    label: Option<Label>,
    /// Where `Yield` and `Break` put their values.
    results: &'p [Value],
    /// Where `Continue` and `Fallthrough` put theirs.
    params: &'p [Value],
    is_switch: bool,
    /// Invocations that broke out, continued or fell through.
    left: Mask,
    again: Mask,
}

pub(super) struct Group<'a, 'p> {
    pub(super) program: &'p Program,
    pub(super) info: &'a GroupInfo,
    pub(super) machine: &'a mut dyn Machine,
    limits: &'a Limits<'a>,
    pub(super) lanes: usize,
    /// Register-major: all invocations of register 0, then of register 1, …
    regs: &'a mut Vec<u64>,
    pub(super) private: &'a mut Vec<u8>,
    pub(super) shared: &'a mut Vec<u8>,
    /// What `Buf` values index; 0 is the null buffer.
    pub(super) views: Vec<BufferView>,
    view_of: HashMap<super::Descriptor, u64>,
    steps: u64,
    frames: Vec<Frame<'p>>,
}

impl<'p> Group<'_, 'p> {
    pub(super) fn get(&self, v: Value, lane: usize) -> u64 {
        self.regs[self.program.reg[v.index()] as usize * self.lanes + lane]
    }

    pub(super) fn set(&mut self, v: Value, lane: usize, bits: u64) {
        self.regs[self.program.reg[v.index()] as usize * self.lanes + lane] = bits;
    }

    pub(super) fn ty(&self, v: Value) -> Type {
        self.program.kernel.ty(v)
    }

    fn step(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps > self.limits.max_steps {
            return Err(Fault::StepLimit);
        }
        if self.steps & 0x3ff == 0 && self.limits.cancel.is_some_and(|c| c.load(Ordering::Relaxed) != 0) {
            return Err(Fault::Cancelled);
        }
        Ok(())
    }

    /// Copies values in parallel: all are read before the first is written.
    fn copy(&mut self, from: &[Value], to: &[Value], active: &Mask) {
        let mut values: SmallVec<[u64; 8]> = SmallVec::new();
        for lane in active.lanes() {
            values.clear();
            values.extend(from.iter().map(|&v| self.get(v, lane)));
            for (&v, &bits) in to.iter().zip(&values) {
                self.set(v, lane, bits);
            }
        }
    }

    /// Runs a region; gives the invocations that left it by `Yield`.
    fn region(&mut self, region: &'p Region, mut active: Mask) -> Result<Mask, Fault> {
        for inst in &region.insts {
            if active.is_empty() {
                break;
            }
            self.step()?;
            if inst.op.is_control() {
                active = self.control(inst, active)?;
            } else if inst.op.is_terminator() {
                return Ok(self.terminator(&inst.op, active));
            } else {
                self.simple(inst, &active)?;
            }
        }
        Ok(Mask::empty(self.lanes))
    }

    fn terminator(&mut self, op: &Op, active: Mask) -> Mask {
        let none = Mask::empty(self.lanes);
        match op {
            Op::Yield(args) => {
                if let Some(to) = self.frames.last().map(|f| f.results) {
                    self.copy(args, to, &active);
                }
                active
            }
            Op::Break(label, args) => {
                if let Some(i) = self.frames.iter().rposition(|f| f.label == Some(*label)) {
                    self.copy(args, self.frames[i].results, &active);
                    self.frames[i].left.union(&active);
                }
                none
            }
            Op::Continue(label, args) => {
                if let Some(i) = self.frames.iter().rposition(|f| f.label == Some(*label)) {
                    self.copy(args, self.frames[i].params, &active);
                    self.frames[i].again.union(&active);
                }
                none
            }
            Op::Fallthrough(args) => {
                if let Some(i) = self.frames.iter().rposition(|f| f.is_switch) {
                    self.copy(args, self.frames[i].params, &active);
                    self.frames[i].again.union(&active);
                }
                none
            }
            // Return, and Unreachable: the invocation takes part in nothing any more.
            _ => none,
        }
    }

    fn push(&mut self, label: Option<Label>, results: &'p [Value], params: &'p [Value], is_switch: bool) {
        let (left, again) = (Mask::empty(self.lanes), Mask::empty(self.lanes));
        self.frames.push(Frame { label, results, params, is_switch, left, again });
    }

    /// Runs an operation with regions; gives the invocations that come out behind it.
    fn control(&mut self, inst: &'p Inst, active: Mask) -> Result<Mask, Fault> {
        match &inst.op {
            Op::If { cond, then, els } => {
                let mut yes = Mask::empty(self.lanes);
                active.lanes().filter(|&l| self.get(*cond, l) & 1 == 1).for_each(|l| yes.insert(l));
                let mut no = active;
                no.remove(&yes);
                self.push(None, &inst.results, &[], false);
                let mut out = if yes.is_empty() { yes } else { self.region(then, yes)? };
                if !no.is_empty() {
                    out.union(&self.region(els, no)?);
                }
                self.frames.pop();
                Ok(out)
            }
            Op::Block { label, body } => {
                self.push(Some(*label), &inst.results, &[], false);
                let mut out = self.region(body, active)?;
                if let Some(f) = self.frames.pop() {
                    out.union(&f.left);
                }
                Ok(out)
            }
            Op::Loop { label, init, body } => {
                self.copy(init, &body.params, &active);
                self.push(Some(*label), &inst.results, &body.params, false);
                let mut running = active;
                while !running.is_empty() {
                    self.step()?;
                    self.region(body, running)?;
                    let none = Mask::empty(self.lanes);
                    running = self.frames.last_mut().map_or(none.clone(), |f| std::mem::replace(&mut f.again, none));
                }
                Ok(self.frames.pop().map_or(Mask::empty(self.lanes), |f| f.left))
            }
            Op::Switch { label, selector, cases } => self.switch(inst, *label, *selector, cases, active),
            _ => Ok(active),
        }
    }

    fn switch(
        &mut self,
        inst: &'p Inst,
        label: Label,
        selector: Value,
        cases: &'p [SwitchCase],
        active: Mask,
    ) -> Result<Mask, Fault> {
        let mut entering: Vec<Mask> = vec![Mask::empty(self.lanes); cases.len()];
        let default = cases.iter().position(|c| c.is_default).unwrap_or(0);
        for lane in active.lanes() {
            let bits = self.get(selector, lane);
            let arm = cases.iter().position(|c| c.literals.contains(&bits)).unwrap_or(default);
            entering[arm].insert(lane);
        }
        self.push(Some(label), &inst.results, &[], true);
        let mut out = Mask::empty(self.lanes);
        for (i, case) in cases.iter().enumerate() {
            self.copy(&case.init, &case.body.params, &entering[i]);
            let none = Mask::empty(self.lanes);
            let next: &[Value] = cases.get(i + 1).map_or(&[], |c| &c.body.params);
            let mut running = entering[i].clone();
            if let Some(f) = self.frames.last_mut() {
                running.union(&std::mem::replace(&mut f.again, none));
                f.params = next;
            }
            if !running.is_empty() {
                out.union(&self.region(&case.body, running)?);
            }
        }
        if let Some(f) = self.frames.pop() {
            out.union(&f.left);
        }
        Ok(out)
    }

    /// Runs an operation without regions for all active invocations.
    #[inline(never)]
    fn simple(&mut self, inst: &'p Inst, active: &Mask) -> Result<(), Fault> {
        match &inst.op {
            Op::Const(bits) => {
                for lane in active.lanes() {
                    self.set(inst.results[0], lane, *bits);
                }
            }
            Op::Alu { op, args, .. } => {
                let types: SmallVec<[Type; 4]> = args.iter().map(|&v| self.ty(v)).collect();
                let (result, ty) = (inst.results[0], self.ty(inst.results[0]));
                let fc = self.program.kernel.float_controls;
                let mut values = [0u64; 4];
                for lane in active.lanes() {
                    for (slot, &v) in values.iter_mut().zip(args) {
                        *slot = self.get(v, lane);
                    }
                    let bits = alu::eval(*op, &types, ty, &values[..args.len().min(4)], &fc);
                    self.set(result, lane, bits);
                }
            }
            Op::Builtin(b) => {
                for lane in active.lanes() {
                    let bits = u64::from(self.builtin(*b, lane as u32));
                    self.set(inst.results[0], lane, bits);
                }
            }
            Op::Buffer(r) => {
                for lane in active.lanes() {
                    let view = self.view(r, lane)?;
                    self.set(inst.results[0], lane, view);
                }
            }
            Op::BufferSize(v) => {
                for lane in active.lanes() {
                    let size = self.views[self.get(*v, lane) as usize].size;
                    self.set(inst.results[0], lane, size);
                }
            }
            Op::Load { addr, .. } => self.load(&inst.results, addr, active)?,
            Op::Store { addr, values, .. } => self.store(addr, values, active)?,
            Op::AtomicRmw { .. } | Op::AtomicCas { .. } => self.atomic(inst, active)?,
            Op::ImageLoad { .. }
            | Op::ImageStore { .. }
            | Op::ImageAtomic { .. }
            | Op::ImageCas { .. }
            | Op::ImageSize { .. }
            | Op::ImageLevels { .. }
            | Op::ImageSamples { .. }
            | Op::Sample { .. } => {
                for lane in active.lanes() {
                    self.image(inst, lane)?;
                }
            }
            Op::Subgroup { op, args } => self.subgroup(*op, args, inst.results[0], active),
            Op::ReadClock { .. } => {
                for lane in active.lanes() {
                    let now = self.machine.clock();
                    self.set(inst.results[0], lane, now);
                }
            }
            // Lock-step: everybody who can arrive is here, and memory is in order already.
            Op::ControlBarrier { .. } | Op::MemoryBarrier { .. } => {}
            Op::If { .. } | Op::Switch { .. } | Op::Loop { .. } | Op::Block { .. } => {}
            Op::Yield(_) | Op::Break(..) | Op::Continue(..) | Op::Fallthrough(_) | Op::Return | Op::Unreachable => {}
        }
        Ok(())
    }

    fn builtin(&self, b: Builtin, lane: u32) -> u32 {
        let size = self.program.kernel.local_size;
        let local = |c: u8| match c {
            0 => lane % size[0],
            1 => lane / size[0] % size[1],
            _ => lane / size[0] / size[1],
        };
        let sg = self.info.subgroup_size;
        match b {
            Builtin::WorkgroupId(c) => self.info.workgroup_id[usize::from(c) % 3],
            Builtin::NumWorkgroups(c) => self.info.num_workgroups[usize::from(c) % 3],
            Builtin::LocalId(c) => local(c),
            Builtin::GlobalId(c) => {
                let i = usize::from(c) % 3;
                self.info.workgroup_id[i].wrapping_mul(size[i]).wrapping_add(local(c))
            }
            Builtin::LocalIndex => lane,
            Builtin::SubgroupId => lane / sg,
            Builtin::NumSubgroups => (self.lanes as u32).div_ceil(sg),
            Builtin::SubgroupSize => sg,
            Builtin::SubgroupLocalId => lane % sg,
        }
    }

    pub(super) fn descriptor(&self, r: &Resource, lane: usize) -> super::Descriptor {
        let element = r.index.map_or(0, |v| self.get(v, lane) as u32);
        super::Descriptor { set: r.set, binding: r.binding, element }
    }

    fn view(&mut self, r: &Resource, lane: usize) -> Result<u64, Fault> {
        let desc = self.descriptor(r, lane);
        if let Some(&id) = self.view_of.get(&desc) {
            return Ok(id);
        }
        let view = self.machine.buffer(desc)?;
        self.views.push(view);
        let id = self.views.len() as u64 - 1;
        self.view_of.insert(desc, id);
        Ok(id)
    }
}
