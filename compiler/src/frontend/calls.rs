//! Function calls, all inlined.

use super::error::{limits, Error, R};
use super::module::{Function, Inst};
use super::structure::Tail;
use super::translator::{Frame, Translator};
use super::types::Ty;
use super::val::{Leaves, Val};
use crate::hash::HashMap;
use crate::sir::{Op as Sir, SlotId};
use std::rc::Rc;

impl<'a> Translator<'a> {
    /// Result type and parameter types of a function, checked against its definition.
    pub(super) fn signature(&self, f: &Function<'a>) -> R<(u32, Rc<[u32]>)> {
        let Ty::Function { ret, params } = self.types.get(f.def.word(1)?)?.clone() else {
            return Err(f.def.blame(Error::invalid("the type is not a function type")));
        };
        let same =
            ret == f.def.ty && params.len() == f.params.len() && params.iter().zip(&f.params).all(|(&t, p)| t == p.ty);
        if !same {
            return Err(f.def.blame(Error::invalid("the definition does not fit the function type")));
        }
        Ok((ret, params))
    }

    /// `OpFunctionCall`.
    pub(super) fn call(&mut self, inst: &Inst<'a>) -> R<()> {
        let args = inst.from(1).iter().map(|&arg| self.get(arg)).collect::<R<Vec<_>>>()?;
        match self.inline(inst.word(0)?, inst.ty, args)? {
            Some(val) => self.set(inst, val),
            None => Ok(()),
        }
    }

    /// A function's code with these arguments (types and values); its result unless `ret` is void.
    pub(super) fn inline(&mut self, id: u32, ret_ty: u32, args: Vec<(u32, Val)>) -> R<Option<Val>> {
        if self.frames.len() >= limits::CALL_DEPTH {
            return Err(Error::limit("calls are nested too deeply"));
        }
        let index = *self.m.function_of.get(&id).ok_or_else(|| Error::invalid(format!("%{id} is not a function")))?;
        let func = &self.m.functions[index];
        let (ret, params) = self.signature(func)?;
        if args.len() != params.len() || ret != ret_ty {
            return Err(Error::invalid("the call does not fit the function type"));
        }
        let mut values = HashMap::default();
        for (i, (((arg_ty, val), &ty), param)) in args.into_iter().zip(params.iter()).zip(&func.params).enumerate() {
            if arg_ty != ty {
                return Err(Error::invalid(format!("argument {i} has another type than the parameter")));
            }
            values.insert(param.id, (ty, val));
        }
        let cfg = self.cfg_of(index)?;
        let returns = cfg
            .term
            .iter()
            .zip(&cfg.live)
            .filter(|(t, &live)| live && matches!(t, super::cfg::Term::ReturnValue(_)))
            .count();
        let void = matches!(self.types.get(ret)?, Ty::Void);
        // Several returns meet in slots; a single one hands its value over as it is.
        let ret_slots: Option<Rc<[SlotId]>> = if returns > 1 { Some(self.slots_for(ret)?) } else { None };
        let ret_label = self.b.label();
        self.b.open()?;
        let depth = self.b.depth();
        self.frames.push(Frame {
            func,
            cfg,
            values,
            scopes: Vec::new(),
            phis: HashMap::default(),
            ret_label,
            ret_used: false,
            ret_slots,
            ret_val: None,
            depth,
            is_entry: false,
        });
        self.emit_tree(0, Tail::Return)?;
        self.finish(Tail::None)?;
        let frame = self.frames.pop().ok_or_else(|| Error::invalid("unbalanced call"))?;
        if frame.ret_used {
            let body = self.b.close();
            self.b.push(&[], Sir::Block { label: ret_label, body });
        } else {
            self.b.splice();
        }
        if void {
            return Ok(None);
        }
        Ok(Some(match (frame.ret_slots, frame.ret_val) {
            (Some(slots), _) => {
                let types = self.types.flatten(ret)?;
                let leaves: Leaves = slots.iter().zip(types.iter()).map(|(&s, &t)| self.b.load_slot(s, t)).collect();
                Val::Flat(leaves)
            }
            (None, Some(val)) => val,
            // The function never returns.
            (None, None) => Val::Flat(self.materialise(ret, &super::consts::Const::Null)?),
        }))
    }

    /// Parameter types of a function by id.
    pub(super) fn parameters(&self, id: u32) -> R<Rc<[u32]>> {
        let index = *self.m.function_of.get(&id).ok_or_else(|| Error::invalid(format!("%{id} is not a function")))?;
        Ok(self.signature(&self.m.functions[index])?.1)
    }
}
