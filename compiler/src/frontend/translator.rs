//! State of one translation: tables, frames of inlined calls, values by id.

use super::build::Builder;
use super::caps;
use super::cfg::{Cfg, Facts};
use super::consts::{Const, Consts};
use super::coop::Lanes;
use super::decor::Decorations;
use super::error::{Error, R};
use super::module::{Function, Inst, Module};
use super::structure::{Scope, Tail};
use super::types::{Ty, Types};
use super::val::{Leaves, Opaque, Ptr, Root, Val};
use super::{Options, Work};
use crate::hash::{HashMap, HashSet};
use crate::sir::{Binding, BindingKind, Kernel, Label, Resource, SlotId, Type, Value};
use spirv::{ExecutionModel, Op};
use std::rc::Rc;

/// A call being inlined (or the entry point).
pub(super) struct Frame<'a> {
    pub func: &'a Function<'a>,
    pub cfg: Rc<Cfg>,
    pub values: HashMap<u32, (u32, Val)>,
    pub scopes: Vec<Scope>,
    pub phis: HashMap<u32, Rc<[SlotId]>>,
    pub ret_label: Label,
    pub ret_used: bool,
    /// Where the result goes if there are several returns.
    pub ret_slots: Option<Rc<[SlotId]>>,
    /// The result if there is one return.
    pub ret_val: Option<Val>,
    /// Region depth of the function's body.
    pub depth: usize,
    pub is_entry: bool,
}

/// Extended instruction sets that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExtSet {
    Glsl,
    TrinaryMinMax,
    /// No effect on what the kernel computes.
    NonSemantic,
}

/// Translates one entry point.
pub(super) struct Translator<'a> {
    pub m: &'a Module<'a>,
    pub options: &'a Options<'a>,
    pub deco: Decorations,
    pub types: Types,
    pub consts: Consts,
    pub ext_sets: HashMap<u32, ExtSet>,
    pub b: Builder,
    pub work: Work,
    /// Pointers of global variables.
    pub globals: HashMap<u32, Ptr>,
    pub frames: Vec<Frame<'a>>,
    pub cfgs: HashMap<usize, Rc<Cfg>>,
    /// Result type of every instruction in a function or outside.
    pub result_types: HashMap<u32, u32>,
    /// Storage buffers a run-time chosen pointer may point into, and whether each is an array of descriptors.
    pub roots: Vec<(Resource, bool)>,
    pub bindings: HashMap<(u32, u32, BindingKind), Binding>,
    pub shared_explicit: bool,
    /// Where workgroup memory for passing elements of cooperative matrices begins, if there is some.
    pub coop_scratch: Option<u32>,
    /// Where `FPFastMathDefault` or the lack of it leaves contraction, per float width.
    pub contract: caps::Contract,
    /// What quads are, if the entry point takes derivatives.
    pub derivatives: Option<super::derivative::DerivativeGroup>,
    entry: usize,
}

impl Facts for Translator<'_> {
    fn constant(&self, id: u32) -> Option<u64> {
        self.consts.scalar(&self.types, id).ok()
    }

    fn type_of(&self, id: u32) -> Option<u32> {
        self.result_types.get(&id).copied()
    }

    fn types(&self) -> &Types {
        &self.types
    }
}

impl<'a> Translator<'a> {
    /// Reads everything outside functions.
    ///
    /// # Errors
    /// See [`super::translate`].
    pub fn new(m: &'a Module<'a>, options: &'a Options<'a>) -> R<Translator<'a>> {
        // Types of workgroup scope depend on the size of the workgroup, which is known only after them.
        let subgroup = options.subgroup_size.max(1);
        let t = Translator::with_lanes(m, options, Lanes { subgroup, workgroup: subgroup })?;
        let (of_subgroup, of_workgroup) = t.types.coop_scopes();
        let workgroup = t.b.kernel.invocations();
        if of_subgroup && !workgroup.is_multiple_of(subgroup) {
            return Err(Error::unsupported("cooperative matrices in workgroups that are not made of full subgroups"));
        }
        if of_workgroup && workgroup != subgroup {
            return Translator::with_lanes(m, options, Lanes { subgroup, workgroup });
        }
        Ok(t)
    }

    fn with_lanes(m: &'a Module<'a>, options: &'a Options<'a>, lanes: Lanes) -> R<Translator<'a>> {
        caps::check(m)?;
        let (entry_id, entry) = find_entry(m, options.entry_point)?;
        let mut t = Translator {
            m,
            options,
            deco: Decorations::collect(m)?,
            types: Types::new(lanes),
            consts: Consts::default(),
            ext_sets: HashMap::default(),
            b: Builder::new(),
            work: Work::default(),
            globals: HashMap::default(),
            frames: Vec::new(),
            cfgs: HashMap::default(),
            result_types: HashMap::default(),
            roots: Vec::new(),
            bindings: HashMap::default(),
            shared_explicit: false,
            coop_scratch: None,
            contract: caps::Contract::default(),
            derivatives: None,
            entry,
        };
        for inst in &m.imports {
            let (name, _) = inst.string(0)?;
            let set = match name.as_str() {
                "GLSL.std.450" => ExtSet::Glsl,
                "SPV_AMD_shader_trinary_minmax" => ExtSet::TrinaryMinMax,
                n if n.starts_with("NonSemantic.") || n == "OpenCL.DebugInfo.100" || n == "DebugInfo" => {
                    ExtSet::NonSemantic
                }
                _ => return Err(inst.blame(Error::unsupported(format!("extended instruction set \"{name}\"")))),
            };
            t.ext_sets.insert(inst.id, set);
        }
        let mut workgroup_size = None;
        for inst in &m.globals {
            t.global(inst).map_err(|e| inst.blame(e))?;
            if inst.id != 0 && t.deco.id(inst.id).builtin == Some(spirv::BuiltIn::WorkgroupSize as u32) {
                if let Ok(size) = t.consts.leaves(&t.types, inst.id) {
                    workgroup_size = Some(size);
                }
            }
        }
        let Translator { deco, consts, types, .. } = &mut t;
        deco.settle(|id| consts.u32(types, id))?;
        for f in &m.functions {
            for inst in f.params.iter().chain(f.blocks.iter().flat_map(|b| &b.insts)) {
                if inst.id != 0 && inst.ty != 0 {
                    t.result_types.insert(inst.id, inst.ty);
                }
            }
        }
        t.b.kernel.name = options.entry_point.to_owned();
        t.execution_modes(entry_id, workgroup_size)?;
        Ok(t)
    }

    fn global(&mut self, inst: &Inst<'a>) -> R<()> {
        self.work.charge(1)?;
        if inst.id != 0 && inst.ty != 0 {
            self.result_types.insert(inst.id, inst.ty);
        }
        match inst.op {
            Op::Variable | Op::UntypedVariableKHR => Ok(()),
            Op::ConstantSizeOfEXT => {
                let bytes = self.descriptor_bytes(inst.word(0)?)?;
                if !self.types.scalar(inst.ty)?.is_int() {
                    return Err(Error::invalid("the size of a descriptor is an integer"));
                }
                self.consts.insert(inst.id, inst.ty, Const::Leaves(Rc::new([u64::from(bytes)])));
                Ok(())
            }
            Op::ExtInst | Op::ExtInstWithForwardRefsKHR => match self.ext_sets.get(&inst.word(0)?) {
                Some(ExtSet::NonSemantic) => Ok(()),
                _ => Err(Error::invalid("not allowed outside functions")),
            },
            op if op.is_type() => {
                let Translator { types, consts, .. } = self;
                let lengths: &Consts = consts;
                let view: &Types = types;
                // Constants are looked up before the table changes.
                let ids: &[u32] = match op {
                    Op::TypeArray
                    | Op::TypeVectorIdEXT
                    | Op::TypeCooperativeMatrixKHR
                    | Op::TypeCooperativeMatrixNV => inst.from(1),
                    Op::TypeTensorLayoutNV | Op::TypeTensorViewNV => inst.ops,
                    _ => &[],
                };
                let values: Vec<(u32, R<u64>)> = ids.iter().map(|&id| (id, lengths.scalar(view, id))).collect();
                let missing = || Err(Error::invalid("not a constant"));
                types.declare(inst, |id| values.iter().find(|v| v.0 == id).map_or_else(missing, |v| v.1.clone()))
            }
            _ => {
                let spec_id = self.deco.id(inst.id).spec_id;
                self.consts.declare(inst, &mut self.types, spec_id, self.options, &mut self.work)
            }
        }
    }

    /// Translates the entry point.
    pub fn run(mut self) -> R<Kernel> {
        let reachable = self.reachable_functions()?;
        let used = self.used_variables(&reachable);
        self.declare_variables(&used)?;
        let func = &self.m.functions[self.entry];
        let (ret, params) = self.signature(func)?;
        if !params.is_empty() || !matches!(self.types.get(ret)?, Ty::Void) {
            return Err(func.def.blame(Error::invalid("an entry point takes and returns nothing")));
        }
        let cfg = self.cfg_of(self.entry)?;
        let ret_label = self.b.label();
        self.frames.push(Frame {
            func,
            cfg,
            values: HashMap::default(),
            scopes: Vec::new(),
            phis: HashMap::default(),
            ret_label,
            ret_used: false,
            ret_slots: None,
            ret_val: None,
            depth: self.b.depth(),
            is_entry: true,
        });
        self.emit_tree(0, Tail::Return)?;
        self.finish(Tail::Return)?;
        self.b.kernel.bindings = self.sorted_bindings();
        self.b.finish()
    }

    pub fn frame(&self) -> R<&Frame<'a>> {
        self.frames.last().ok_or_else(|| Error::invalid("code outside functions"))
    }

    pub fn frame_mut(&mut self) -> R<&mut Frame<'a>> {
        self.frames.last_mut().ok_or_else(|| Error::invalid("code outside functions"))
    }

    pub fn cfg_of(&mut self, index: usize) -> R<Rc<Cfg>> {
        if let Some(c) = self.cfgs.get(&index) {
            return Ok(c.clone());
        }
        let func = &self.m.functions[index];
        let mut work = std::mem::take(&mut self.work);
        let cfg = Cfg::new(func, self, &mut work);
        self.work = work;
        let cfg = Rc::new(cfg.map_err(|e| func.def.blame(e))?);
        self.cfgs.insert(index, cfg.clone());
        Ok(cfg)
    }

    // ---- values by id ----

    /// Defines the result of an instruction.
    pub fn set(&mut self, inst: &Inst<'_>, val: Val) -> R<()> {
        self.frame_mut()?.values.insert(inst.id, (inst.ty, val));
        Ok(())
    }

    /// Defines a data result; the scalars must be those of the result type.
    pub fn set_leaves(&mut self, inst: &Inst<'_>, leaves: Leaves) -> R<()> {
        let types = self.types.flatten(inst.ty)?;
        if types.len() != leaves.len() || types.iter().zip(&leaves).any(|(&t, &v)| self.b.ty(v) != t) {
            return Err(Error::invalid("the result type does not fit the operands"));
        }
        self.set(inst, Val::Flat(leaves))
    }

    /// Type and value of an id, usable in the current region.
    pub fn get(&mut self, id: u32) -> R<(u32, Val)> {
        if let Some((ty, val)) = self.frame()?.values.get(&id) {
            let (ty, val) = (*ty, val.clone());
            return Ok((ty, self.visible(val)?));
        }
        if let Some(ptr) = self.globals.get(&id) {
            let ty = self.result_types.get(&id).copied().unwrap_or(0);
            return Ok((ty, Val::Ptr(ptr.clone())));
        }
        if let Some((ty, value)) = self.consts.get(id) {
            let (ty, value) = (*ty, value.clone());
            return Ok((ty, Val::Flat(self.materialise(ty, &value)?)));
        }
        Err(Error::invalid(format!("%{id} is not a value that is defined here")))
    }

    /// Scalars of a constant.
    pub fn materialise(&mut self, ty: u32, value: &Const) -> R<Leaves> {
        let types = self.types.flatten(ty)?;
        if types.len() > 16 {
            self.work.charge(types.len() as u64 / 16)?;
        }
        Ok(match value {
            Const::Null => types.iter().map(|&t| self.b.konst(t, 0)).collect(),
            Const::Leaves(bits) => types.iter().zip(bits.iter()).map(|(&t, &v)| self.b.konst(t, v)).collect(),
        })
    }

    fn visible(&mut self, val: Val) -> R<Val> {
        Ok(match val {
            Val::Flat(mut leaves) => {
                if leaves.len() > 16 {
                    self.work.charge(leaves.len() as u64 / 16)?;
                }
                for v in &mut leaves {
                    *v = self.b.visible(*v)?;
                }
                Val::Flat(leaves)
            }
            Val::Ptr(p) => Val::Ptr(self.visible_ptr(p)?),
            Val::Opaque(o) => {
                let mut image = o.image.clone();
                if let Some((res, _)) = &mut image {
                    *res = self.visible_res(*res)?;
                }
                let sampler = o.sampler.map(|s| self.visible_res(s)).transpose()?;
                Val::Opaque(Rc::new(Opaque { image, sampler, combined: o.combined }))
            }
            Val::Texel(t) => {
                let mut t = (*t).clone();
                t.res = self.visible_res(t.res)?;
                for v in t.coords.xyz.iter_mut().chain(&mut t.coords.lod).chain(&mut t.coords.sample) {
                    *v = self.b.visible(*v)?;
                }
                Val::Texel(Rc::new(t))
            }
        })
    }

    fn visible_ptr(&mut self, mut p: Ptr) -> R<Ptr> {
        if let Some(off) = &mut p.off {
            *off = self.b.visible(*off)?;
        }
        match &mut p.root {
            Root::Buffer(res) | Root::Handle(res) => *res = self.visible_res(*res)?,
            Root::Code(v) | Root::Global(v) => *v = self.b.visible(*v)?,
            Root::Mapped(res, _) => *res = self.visible_res(*res)?,
            Root::Pair(image, sampler) => {
                *image = self.visible_res(*image)?;
                *sampler = self.visible_res(*sampler)?;
            }
            Root::Shared | Root::Slot(_) | Root::Push | Root::Input(_) | Root::Heap { .. } => {}
        }
        Ok(p)
    }

    fn visible_res(&mut self, mut res: Resource) -> R<Resource> {
        if let Some(v) = &mut res.index {
            *v = self.b.visible(*v)?;
        }
        Ok(res)
    }

    /// Type and scalars of an id; pointers as data.
    pub fn leaves(&mut self, id: u32) -> R<(u32, Leaves)> {
        let (ty, val) = self.get(id)?;
        Ok((ty, self.flatten_val(ty, val)?))
    }

    /// The only scalar of an id.
    pub fn scalar(&mut self, id: u32) -> R<Value> {
        let (ty, leaves) = self.leaves(id)?;
        self.types.scalar(ty)?;
        leaves.first().copied().ok_or_else(|| Error::invalid(format!("%{id} is not a scalar")))
    }

    /// Components of a scalar or vector.
    pub fn vector(&mut self, id: u32) -> R<Leaves> {
        let (ty, leaves) = self.leaves(id)?;
        self.types.components(ty)?;
        Ok(leaves)
    }

    /// A scalar integer constant operand (scopes, semantics, component numbers).
    pub fn const_u32(&self, id: u32) -> R<u32> {
        self.consts.u32(&self.types, id)
    }

    /// A slot for each scalar of a type.
    pub fn slots_for(&mut self, ty: u32) -> R<Rc<[SlotId]>> {
        let types = self.types.flatten(ty)?;
        self.work.charge(types.len() as u64)?;
        types
            .iter()
            .map(|&t| {
                let bytes = super::build::memory_type(t).bytes().max(1);
                self.b.slot(u64::from(bytes), bytes)
            })
            .collect()
    }

    /// Notes that a descriptor is used, and whether it is written.
    pub fn use_binding(&mut self, res: Resource, kind: BindingKind, written: bool) {
        if let Some(b) = self.bindings.get_mut(&(res.set, res.binding, kind)) {
            b.written |= written;
        }
    }

    /// Whether all arithmetic of this instruction must stay uncontracted.
    pub fn flags(&self, inst: &Inst<'_>, ty: Type) -> crate::sir::AluFlags {
        let d = self.deco.id(inst.id);
        let contract = match d.fast_math {
            Some(mode) => caps::mode_contracts(mode),
            None => self.contract.allowed(ty),
        };
        crate::sir::AluFlags { no_contract: d.no_contraction || !contract }
    }

    // ---- call graph ----

    /// Indices of the functions the entry point reaches.
    fn reachable_functions(&self) -> R<Vec<usize>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut mark = vec![Mark::New; self.m.functions.len()];
        let mut out = Vec::new();
        let mut stack = vec![(self.entry, false)];
        while let Some((f, leaving)) = stack.pop() {
            if leaving {
                mark[f] = Mark::Done;
                continue;
            }
            if mark[f] == Mark::Done {
                continue;
            }
            if mark[f] == Mark::Open {
                return Err(self.m.functions[f].def.blame(Error::invalid("recursion")));
            }
            mark[f] = Mark::Open;
            out.push(f);
            stack.push((f, true));
            let mut callees = HashSet::default();
            for inst in self.m.functions[f].blocks.iter().flat_map(|b| &b.insts) {
                if let Some(id) = super::coop_elements::callee(inst)? {
                    let callee = self.m.function_of.get(&id);
                    let callee =
                        *callee.ok_or_else(|| inst.blame(Error::invalid(format!("%{id} is not a function"))))?;
                    if mark[callee] == Mark::Open {
                        return Err(inst.blame(Error::invalid("recursion")));
                    }
                    if callees.insert(callee) {
                        stack.push((callee, false));
                    }
                }
            }
        }
        Ok(out)
    }

    /// Ids that the reachable functions name, with what initialisers of those name.
    fn used_variables(&self, reachable: &[usize]) -> HashSet<u32> {
        let variables: HashMap<u32, Option<u32>> =
            self.m.globals.iter().filter(|i| i.is_variable()).map(|i| (i.id, i.initialiser())).collect();
        let mut used = HashSet::default();
        for f in reachable {
            for inst in self.m.functions[*f].blocks.iter().flat_map(|b| &b.insts) {
                for id in inst.id_operands() {
                    let mut next = Some(id);
                    while let Some(id) = next.filter(|id| variables.contains_key(id)) {
                        if !used.insert(id) {
                            break;
                        }
                        next = variables.get(&id).copied().flatten();
                    }
                }
            }
        }
        used
    }
}

fn find_entry(m: &Module<'_>, name: &str) -> R<(u32, usize)> {
    for inst in &m.entry_points {
        let model = inst.word(0)?;
        let (this, _) = inst.string(2)?;
        if model == ExecutionModel::GLCompute as u32 && this == name {
            let id = inst.word(1)?;
            let index = m.function_of.get(&id);
            let index = *index.ok_or_else(|| inst.blame(Error::invalid(format!("%{id} is not a function"))))?;
            return Ok((id, index));
        }
    }
    Err(Error::invalid(format!("no compute entry point \"{name}\"")))
}
