//! Words to sections. Instructions stay slices of the input; their grammar (names, which have results, how many
//! operands they need at least) comes from `rspirv`'s tables.
//!
//! `rspirv`'s own loader is not used: it panics on a string that runs past the end of a truncated module, refuses
//! `OpExecutionModeId`, extended instructions outside functions and `OpSpecConstantOp` with several literals, and
//! does not keep word offsets, which error messages name.

use super::error::{Error, R};
use crate::hash::HashMap;
use rspirv::grammar::{OperandKind, OperandQuantifier};
use spirv::Op;
use std::sync::OnceLock;

type Grammar = rspirv::grammar::Instruction<'static>;

/// What the decoder needs of an opcode.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub grammar: &'static Grammar,
    /// Name with the `Op` prefix.
    pub name: &'static str,
    has_type: bool,
    has_result: bool,
    /// Least number of operand words, without result type and result.
    min: usize,
}

fn shapes() -> &'static HashMap<u16, Shape> {
    static SHAPES: OnceLock<HashMap<u16, Shape>> = OnceLock::new();
    SHAPES.get_or_init(|| {
        rspirv::grammar::INSTRUCTION_TABLE
            .iter()
            .filter_map(|grammar| {
                let opcode = u16::try_from(grammar.opcode as u32).ok()?;
                let is = |kind: OperandKind| grammar.operands.iter().any(|o| o.kind == kind);
                let min = grammar
                    .operands
                    .iter()
                    .filter(|o| {
                        o.quantifier == OperandQuantifier::One
                            && o.kind != OperandKind::IdResultType
                            && o.kind != OperandKind::IdResult
                    })
                    .count();
                // One leak per opcode for the life of the process, from a fixed table.
                let name: &'static str = Box::leak(format!("Op{}", grammar.opname).into_boxed_str());
                let shape = Shape {
                    grammar,
                    name,
                    has_type: is(OperandKind::IdResultType),
                    has_result: is(OperandKind::IdResult),
                    min,
                };
                Some((opcode, shape))
            })
            .collect()
    })
}

/// Grammar of an opcode that stands as an operand (`OpSpecConstantOp`).
pub(super) fn opcode(word: u32) -> Option<Op> {
    shapes().get(&u16::try_from(word).ok()?).map(|s| s.grammar.opcode)
}

/// One instruction.
#[derive(Clone, Copy)]
pub(super) struct Inst<'a> {
    pub op: Op,
    pub shape: Shape,
    /// Result type id; 0 if none.
    pub ty: u32,
    /// Result id; 0 if none.
    pub id: u32,
    /// Operand words after result type and result id.
    pub ops: &'a [u32],
    /// Word offset in the module.
    pub at: usize,
}

impl<'a> Inst<'a> {
    /// Name with the `Op` prefix.
    pub fn name(&self) -> &'static str {
        self.shape.name
    }

    /// Puts this instruction's name into an error.
    pub fn blame(&self, e: Error) -> Error {
        e.at(self.name(), (self.id != 0).then_some(self.id), self.at)
    }

    /// Operand word `i`.
    pub fn word(&self, i: usize) -> R<u32> {
        self.ops.get(i).copied().ok_or_else(|| self.blame(Error::invalid(format!("operand {i} is missing"))))
    }

    /// Operand words from `i` on.
    pub fn from(&self, i: usize) -> &'a [u32] {
        self.ops.get(i..).unwrap_or(&[])
    }

    /// The string that starts at operand `i`, and the index of the operand after it.
    pub fn string(&self, i: usize) -> R<(String, usize)> {
        let mut bytes = Vec::new();
        for (n, w) in self.from(i).iter().enumerate() {
            for b in w.to_le_bytes() {
                if b == 0 {
                    return Ok((String::from_utf8_lossy(&bytes).into_owned(), i + n + 1));
                }
                bytes.push(b);
            }
        }
        Err(self.blame(Error::invalid("unterminated string")))
    }

    /// Whether this makes a variable.
    pub fn is_variable(&self) -> bool {
        matches!(self.op, Op::Variable | Op::UntypedVariableKHR)
    }

    /// Initialiser of a variable.
    pub fn initialiser(&self) -> Option<u32> {
        self.ops.get(if self.op == Op::UntypedVariableKHR { 2 } else { 1 }).copied()
    }

    /// An error that says this instruction is not handled.
    pub fn unsupported(&self) -> Error {
        self.blame(Error::unsupported("this instruction is not supported in compute shaders"))
    }

    /// Ids that stand at fixed places of the operand list or in its repeated tail (not those that follow a mask).
    pub fn id_operands(&self) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut i = 0;
        for operand in self.shape.grammar.operands {
            let take: &[bool] = match operand.kind {
                OperandKind::IdResultType | OperandKind::IdResult => continue,
                OperandKind::IdRef | OperandKind::IdScope | OperandKind::IdMemorySemantics => &[true],
                OperandKind::LiteralInteger | OperandKind::LiteralExtInstInteger | OperandKind::StorageClass => {
                    &[false]
                }
                OperandKind::GroupOperation | OperandKind::FunctionControl => &[false],
                OperandKind::PairIdRefIdRef => &[true, true],
                OperandKind::PairIdRefLiteralInteger => &[true, false],
                // Context dependent, strings and masks: what follows cannot be placed.
                _ => return ids,
            };
            loop {
                if i >= self.ops.len() {
                    return ids;
                }
                for &is_id in take {
                    if let (true, Some(&w)) = (is_id, self.ops.get(i)) {
                        ids.push(w);
                    }
                    i += 1;
                }
                if operand.quantifier != OperandQuantifier::ZeroOrMore {
                    break;
                }
            }
        }
        ids
    }
}

/// A basic block: instructions without label and without line information.
pub(super) struct Block<'a> {
    pub label: u32,
    pub insts: Vec<Inst<'a>>,
}

/// A function with a body.
pub(super) struct Function<'a> {
    pub def: Inst<'a>,
    pub params: Vec<Inst<'a>>,
    pub blocks: Vec<Block<'a>>,
}

/// A module in sections.
#[derive(Default)]
pub(super) struct Module<'a> {
    pub capabilities: Vec<Inst<'a>>,
    pub imports: Vec<Inst<'a>>,
    pub memory_model: Option<Inst<'a>>,
    pub entry_points: Vec<Inst<'a>>,
    pub execution_modes: Vec<Inst<'a>>,
    pub annotations: Vec<Inst<'a>>,
    /// Types, constants and global variables in order.
    pub globals: Vec<Inst<'a>>,
    pub functions: Vec<Function<'a>>,
    /// Function id to index.
    pub function_of: HashMap<u32, usize>,
}

impl<'a> Module<'a> {
    /// Splits the words.
    ///
    /// # Errors
    /// Bad header, an unknown opcode, a truncated instruction, an id defined twice, misplaced function parts.
    pub fn decode(words: &'a [u32]) -> R<Module<'a>> {
        let &[magic, version, _, bound, _] =
            words.get(..5).and_then(|h| <&[u32; 5]>::try_from(h).ok()).ok_or_else(|| Error::invalid("no header"))?;
        if magic != spirv::MAGIC_NUMBER {
            return Err(Error::invalid("wrong magic number"));
        }
        if version & 0xff00_00ff != 0 || version >> 16 != 1 || (version >> 8) & 0xff > 6 {
            return Err(Error::unsupported(format!("version word {version:#010x}: versions 1.0 to 1.6 are supported")));
        }
        let mut module = Module::default();
        let mut function: Option<Function<'a>> = None;
        let mut block: Option<Block<'a>> = None;
        let mut defined = crate::hash::HashSet::default();
        let mut at = 5;
        while at < words.len() {
            let inst = decode_inst(words, at)?;
            at += (words[at] >> 16) as usize;
            if inst.id != 0 && (inst.id >= bound || !defined.insert(inst.id)) {
                return Err(inst.blame(Error::invalid("result id is out of bounds or defined twice")));
            }
            module.place(inst, &mut function, &mut block)?;
        }
        if function.is_some() {
            return Err(Error::invalid("the module ends inside a function"));
        }
        Ok(module)
    }

    fn place(&mut self, inst: Inst<'a>, function: &mut Option<Function<'a>>, block: &mut Option<Block<'a>>) -> R<()> {
        let misplaced = || inst.blame(Error::invalid("this instruction is misplaced"));
        match inst.op {
            Op::Line | Op::NoLine | Op::Nop => {}
            Op::Function => {
                if function.is_some() {
                    return Err(misplaced());
                }
                *function = Some(Function { def: inst, params: Vec::new(), blocks: Vec::new() });
            }
            Op::FunctionParameter => match function {
                Some(f) if f.blocks.is_empty() && block.is_none() => f.params.push(inst),
                _ => return Err(misplaced()),
            },
            Op::FunctionEnd => {
                if block.is_some() {
                    return Err(misplaced());
                }
                let f = function.take().ok_or_else(misplaced)?;
                self.function_of.insert(f.def.id, self.functions.len());
                self.functions.push(f);
            }
            Op::Label => {
                if function.is_none() || block.is_some() {
                    return Err(misplaced());
                }
                *block = Some(Block { label: inst.id, insts: Vec::new() });
            }
            _ if block.is_some() => {
                let terminator = is_terminator(inst.op);
                if let Some(b) = block.as_mut() {
                    b.insts.push(inst);
                }
                if terminator {
                    if let (Some(f), Some(b)) = (function.as_mut(), block.take()) {
                        f.blocks.push(b);
                    }
                }
            }
            _ if function.is_some() => {
                // Debug information may stand between blocks.
                if !matches!(inst.op, Op::ExtInst | Op::ExtInstWithForwardRefsKHR) {
                    return Err(misplaced());
                }
            }
            Op::Capability => self.capabilities.push(inst),
            Op::ExtInstImport => self.imports.push(inst),
            Op::MemoryModel => self.memory_model = Some(inst),
            Op::EntryPoint => self.entry_points.push(inst),
            Op::ExecutionMode | Op::ExecutionModeId => self.execution_modes.push(inst),
            Op::Extension
            | Op::String
            | Op::Source
            | Op::SourceExtension
            | Op::SourceContinued
            | Op::Name
            | Op::MemberName
            | Op::ModuleProcessed => {}
            _ if inst.op.is_annotation() => self.annotations.push(inst),
            _ if inst.op.is_type()
                || inst.op.is_constant()
                || matches!(
                    inst.op,
                    Op::Variable
                        | Op::UntypedVariableKHR
                        | Op::Undef
                        | Op::ExtInst
                        | Op::ExtInstWithForwardRefsKHR
                        | Op::ConstantCompositeReplicateEXT
                        | Op::SpecConstantCompositeReplicateEXT
                ) =>
            {
                self.globals.push(inst)
            }
            _ => return Err(misplaced()),
        }
        Ok(())
    }
}

fn is_terminator(op: Op) -> bool {
    matches!(
        op,
        Op::Branch
            | Op::BranchConditional
            | Op::Switch
            | Op::Return
            | Op::ReturnValue
            | Op::Kill
            | Op::Unreachable
            | Op::TerminateInvocation
            | Op::IgnoreIntersectionKHR
            | Op::TerminateRayKHR
            | Op::EmitMeshTasksEXT
    )
}

fn decode_inst(words: &[u32], at: usize) -> R<Inst<'_>> {
    let first = words[at];
    let count = (first >> 16) as usize;
    let opcode = (first & 0xffff) as u16;
    let shape = *shapes()
        .get(&opcode)
        .ok_or_else(|| Error { word: Some(at), ..Error::unsupported(format!("unknown opcode {opcode}")) })?;
    let bad = |reason: &str| Error::invalid(reason).at(shape.name, None, at);
    let mut ops = match words.get(at + 1..at + count) {
        Some(ops) if count > 0 => ops,
        _ => return Err(bad("word count is zero or runs past the end")),
    };
    let mut take = |present: bool| -> R<u32> {
        if !present {
            return Ok(0);
        }
        let (&id, rest) = ops.split_first().ok_or_else(|| bad("too few words"))?;
        ops = rest;
        if id == 0 {
            return Err(bad("id 0"));
        }
        Ok(id)
    };
    let ty = take(shape.has_type)?;
    let id = take(shape.has_result)?;
    let inst = Inst { op: shape.grammar.opcode, shape, ty, id, ops, at };
    if ops.len() < shape.min {
        return Err(inst.blame(Error::invalid("too few operands")));
    }
    Ok(inst)
}
