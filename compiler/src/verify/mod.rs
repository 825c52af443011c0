//! Checks that a kernel obeys the rules of `sir`.
//!
//! What holds of a verified kernel, besides operand and result types:
//! * Every value is defined once and every use is dominated by the definition: the value is a parameter or an earlier
//!   result of the same or an enclosing region. Results of an operation are not visible in its own regions.
//! * Every region ends in exactly one terminator. A kernel body ends in `return` or `unreachable` (or in an exit inside).
//! * `yield` ends If sides, Blocks and Switch arms, not Loop bodies and not the kernel body.
//! * `break` names an enclosing Block, Loop or Switch; `continue` an enclosing Loop.
//! * `fallthrough` stands in an arm of a Switch, or nested in Ifs and Blocks of that arm. It leads to the next arm of
//!   the innermost enclosing Switch; no Loop may lie between, and the arm must not be the last one.
//! * Regions nest at most [`MAX_DEPTH`] deep.

mod alu;
mod ops;

use crate::sir::visit::MAX_DEPTH;
use crate::sir::{Inst, Kernel, Label, Op, Region, SwitchCase, Type, Value};

/// Why a kernel is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct VerifyError {
    /// Where: the operation, with its first result or its position.
    pub place: String,
    /// What is wrong there.
    pub message: String,
}

/// Result of one check; the message says what is wrong.
type Check<T = ()> = Result<T, String>;

fn ensure(ok: bool, message: impl FnOnce() -> String) -> Check {
    if ok {
        Ok(())
    } else {
        Err(message())
    }
}

/// Something that exits refer to.
struct Scope {
    /// Label, absent for If.
    label: Option<Label>,
    /// Types of the results.
    results: Vec<Type>,
    /// What kind of construct.
    kind: ScopeKind,
}

enum ScopeKind {
    If,
    Block,
    /// Types of the parameters.
    Loop(Vec<Type>),
    /// Types of the parameters of the next arm, if there is one.
    Switch(Option<Vec<Type>>),
}

struct Verifier<'k> {
    kernel: &'k Kernel,
    /// Whether the value is visible where we are.
    visible: Vec<bool>,
    /// Whether the value has been defined anywhere so far.
    defined: Vec<bool>,
    label_seen: Vec<bool>,
    scopes: Vec<Scope>,
    /// Names of operations around us and the position in each region, for messages.
    path: Vec<usize>,
}

/// Checks all rules.
///
/// # Errors
/// The first rule found broken.
pub fn verify(kernel: &Kernel) -> Result<(), VerifyError> {
    ops::header(kernel).map_err(|message| VerifyError { place: "kernel".into(), message })?;
    let mut v = Verifier {
        kernel,
        visible: vec![false; kernel.types.len()],
        defined: vec![false; kernel.types.len()],
        label_seen: vec![false; kernel.labels as usize],
        scopes: Vec::new(),
        path: Vec::new(),
    };
    if !kernel.body.params.is_empty() {
        return Err(VerifyError { place: "kernel".into(), message: "the body has parameters".into() });
    }
    v.region(&kernel.body)
}

impl Verifier<'_> {
    fn fail(&self, inst: Option<&Inst>, message: String) -> VerifyError {
        let mut place: String = self.path.iter().map(|i| format!("{i}.")).collect();
        place.pop();
        if let Some(inst) = inst {
            let name = ops::name(&inst.op);
            match inst.results.first() {
                Some(v) => place += &format!(" ({v} = {name})"),
                None => place += &format!(" ({name})"),
            }
        }
        VerifyError { place, message }
    }

    fn define(&mut self, v: Value) -> Check {
        let seen = self.defined.get_mut(v.index()).ok_or_else(|| format!("{v} has no type"))?;
        ensure(!*seen, || format!("{v} is defined twice"))?;
        *seen = true;
        self.visible[v.index()] = true;
        Ok(())
    }

    fn check_use(&self, v: Value) -> Check {
        match self.visible.get(v.index()) {
            None => Err(format!("{v} has no type")),
            Some(true) => Ok(()),
            Some(false) if self.defined[v.index()] => Err(format!("{v} is used where it is not visible")),
            Some(false) => Err(format!("{v} is used before it is defined")),
        }
    }

    fn types_of(&self, values: &[Value]) -> Check<Vec<Type>> {
        values
            .iter()
            .map(|v| self.kernel.types.get(v.index()).copied().ok_or_else(|| format!("{v} has no type")))
            .collect()
    }

    fn region(&mut self, region: &Region) -> Result<(), VerifyError> {
        if self.path.len() >= MAX_DEPTH {
            return Err(self.fail(None, format!("regions nest deeper than {MAX_DEPTH}")));
        }
        let mut made: Vec<Value> = Vec::new();
        for &p in &region.params {
            self.define(p).map_err(|m| self.fail(None, m))?;
            made.push(p);
        }
        if region.insts.is_empty() {
            return Err(self.fail(None, "empty region".into()));
        }
        self.path.push(0);
        let last = region.insts.len() - 1;
        for (i, inst) in region.insts.iter().enumerate() {
            if let Some(p) = self.path.last_mut() {
                *p = i;
            }
            self.inst(inst, i == last)?;
            for &r in &inst.results {
                self.define(r).map_err(|m| self.fail(Some(inst), m))?;
                made.push(r);
            }
        }
        self.path.pop();
        for v in made {
            self.visible[v.index()] = false;
        }
        Ok(())
    }

    fn inst(&mut self, inst: &Inst, last: bool) -> Result<(), VerifyError> {
        self.inst_rules(inst, last).map_err(|m| self.fail(Some(inst), m))?;
        match &inst.op {
            Op::If { then, els, .. } => {
                let results = self.types_of(&inst.results).map_err(|m| self.fail(Some(inst), m))?;
                for side in [then, els] {
                    self.nested(inst, side, None, results.clone(), ScopeKind::If)?;
                }
            }
            Op::Block { label, body } => {
                let results = self.types_of(&inst.results).map_err(|m| self.fail(Some(inst), m))?;
                self.nested(inst, body, Some(*label), results, ScopeKind::Block)?;
            }
            Op::Loop { label, body, .. } => {
                let results = self.types_of(&inst.results).map_err(|m| self.fail(Some(inst), m))?;
                let params = self.types_of(&body.params).map_err(|m| self.fail(Some(inst), m))?;
                self.nested(inst, body, Some(*label), results, ScopeKind::Loop(params))?;
            }
            Op::Switch { label, cases, .. } => {
                let results = self.types_of(&inst.results).map_err(|m| self.fail(Some(inst), m))?;
                for (i, case) in cases.iter().enumerate() {
                    let next = match cases.get(i + 1) {
                        Some(c) => Some(self.types_of(&c.body.params).map_err(|m| self.fail(Some(inst), m))?),
                        None => None,
                    };
                    self.nested(inst, &case.body, Some(*label), results.clone(), ScopeKind::Switch(next))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn nested(
        &mut self,
        inst: &Inst,
        region: &Region,
        label: Option<Label>,
        results: Vec<Type>,
        kind: ScopeKind,
    ) -> Result<(), VerifyError> {
        if matches!(kind, ScopeKind::If | ScopeKind::Block) && !region.params.is_empty() {
            return Err(self.fail(Some(inst), "region parameters outside of Loop and Switch".into()));
        }
        self.scopes.push(Scope { label, results, kind });
        self.region(region)?;
        self.scopes.pop();
        Ok(())
    }

    /// Everything that does not need to look into nested regions.
    fn inst_rules(&mut self, inst: &Inst, last: bool) -> Check {
        let op = &inst.op;
        ensure(op.is_terminator() == last, || {
            String::from(if last {
                "a region must end in a terminator"
            } else {
                "terminator in the middle of a region"
            })
        })?;
        let mut bad = Ok(());
        op.for_each_operand(&mut |v| {
            if bad.is_ok() {
                bad = self.check_use(v);
            }
        });
        bad?;
        let results = self.types_of(&inst.results)?;
        match op {
            Op::Const(_)
            | Op::Builtin(_)
            | Op::Buffer(_)
            | Op::BufferSize(_)
            | Op::Load { .. }
            | Op::Store { .. }
            | Op::AtomicRmw { .. }
            | Op::AtomicCas { .. }
            | Op::ImageLoad { .. }
            | Op::ImageStore { .. }
            | Op::ImageAtomic { .. }
            | Op::ImageCas { .. }
            | Op::ImageSize { .. }
            | Op::ImageLevels { .. }
            | Op::ImageSamples { .. }
            | Op::Sample { .. }
            | Op::Subgroup { .. }
            | Op::ControlBarrier { .. }
            | Op::MemoryBarrier { .. }
            | Op::ReadClock { .. } => ops::check(self.kernel, op, &results),
            Op::Alu { op, args, .. } => {
                let args = self.types_of(args)?;
                ensure(results.len() == 1, || "one result expected".into())?;
                alu::check(*op, &args, results[0])
            }
            Op::If { cond, .. } => {
                ensure(self.kernel.ty(*cond) == Type::Bool, || "the condition must be a bool".into())
            }
            Op::Switch { label, selector, cases } => {
                self.new_label(*label)?;
                self.switch_rules(*selector, cases)
            }
            Op::Loop { label, init, body } => {
                self.new_label(*label)?;
                self.args("initial values", init, &self.types_of(&body.params)?)
            }
            Op::Block { label, .. } => self.new_label(*label),
            Op::Yield(args) => {
                let scope = self.scopes.last().ok_or("yield in the kernel body")?;
                ensure(!matches!(scope.kind, ScopeKind::Loop(_)), || "yield ends a loop body".into())?;
                self.args("yielded values", args, &scope.results)
            }
            Op::Break(label, args) => {
                let scope = self.find(*label)?;
                self.args("values of the break", args, &scope.results)
            }
            Op::Continue(label, args) => match &self.find(*label)?.kind {
                ScopeKind::Loop(params) => self.args("values of the continue", args, params),
                ScopeKind::If | ScopeKind::Block | ScopeKind::Switch(_) => Err(format!("{label} is not a loop")),
            },
            Op::Fallthrough(args) => {
                let scope = self.scopes.iter().rev().find(|s| !matches!(s.kind, ScopeKind::If | ScopeKind::Block));
                match scope.map(|s| &s.kind) {
                    Some(ScopeKind::Switch(Some(params))) => self.args("values of the fallthrough", args, params),
                    Some(ScopeKind::Switch(None)) => Err("fallthrough from the last arm".into()),
                    _ => Err("fallthrough outside of a switch arm".into()),
                }
            }
            Op::Return | Op::Unreachable => Ok(()),
        }?;
        if op.is_terminator() {
            ensure(results.is_empty(), || "a terminator has no results".into())?;
        }
        Ok(())
    }

    fn switch_rules(&self, selector: Value, cases: &[SwitchCase]) -> Check {
        let ty = self.kernel.ty(selector);
        ensure(ty.is_int(), || "the selector must be an integer".into())?;
        let defaults = cases.iter().filter(|c| c.is_default).count();
        ensure(defaults == 1, || format!("{defaults} default arms instead of one"))?;
        let mut literals: Vec<u64> = cases.iter().flat_map(|c| c.literals.iter().copied()).collect();
        literals.sort_unstable();
        ensure(literals.windows(2).all(|w| w[0] != w[1]), || "a literal occurs twice".into())?;
        ensure(literals.last().is_none_or(|&l| l <= ty.mask()), || format!("a literal does not fit {ty}"))?;
        for c in cases {
            self.args("initial values of an arm", &c.init, &self.types_of(&c.body.params)?)?;
        }
        Ok(())
    }

    fn new_label(&mut self, label: Label) -> Check {
        let seen =
            self.label_seen.get_mut(label.index()).ok_or_else(|| format!("{label} is beyond the number of labels"))?;
        ensure(!*seen, || format!("{label} is defined twice"))?;
        *seen = true;
        Ok(())
    }

    fn find(&self, label: Label) -> Check<&Scope> {
        let scope = self.scopes.iter().rev().find(|s| s.label == Some(label));
        scope.ok_or_else(|| format!("{label} is not in scope"))
    }

    fn args(&self, what: &str, args: &[Value], expected: &[Type]) -> Check {
        let found = self.types_of(args)?;
        ensure(found.len() == expected.len(), || format!("{} {what}, {} expected", found.len(), expected.len()))?;
        for (i, (f, e)) in found.iter().zip(expected).enumerate() {
            ensure(f == e, || format!("{what}: number {i} ({}) is {f}, {e} expected", args[i]))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
