//! An assembler for SPIR-V modules: sections, types and constants that are declared once.

use spirv::{Capability, Decoration, Op, StorageClass};
use std::collections::{BTreeSet, HashMap};

/// The id of a result.
pub type Id = u32;

/// What a scalar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// A truth value.
    Bool,
    /// An integer of 8, 16, 32 or 64 bits; declared unsigned.
    Int(u32),
    /// A floating-point number of 16, 32 or 64 bits.
    Float(u32),
}

impl Scalar {
    /// Bits in memory; 32 for truth values, which stand there as words.
    pub fn bits(self) -> u32 {
        match self {
            Scalar::Bool => 32,
            Scalar::Int(bits) | Scalar::Float(bits) => bits,
        }
    }
}

/// A scalar or a vector of 2 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// What the components are.
    pub scalar: Scalar,
    /// How many, 1 to 4.
    pub n: u32,
}

/// Truth value.
pub const BOOL: Type = Type { scalar: Scalar::Bool, n: 1 };
/// 32-bit integer.
pub const U32: Type = Type { scalar: Scalar::Int(32), n: 1 };
/// Single precision.
pub const F32: Type = Type { scalar: Scalar::Float(32), n: 1 };

impl Type {
    /// The type with another number of components.
    pub fn with(self, n: u32) -> Type {
        Type { n, ..self }
    }
}

/// A module under construction, with one function open at a time.
#[derive(Default)]
pub struct Module {
    last: Id,
    capabilities: BTreeSet<u32>,
    extensions: BTreeSet<&'static str>,
    glsl: Option<Id>,
    entry: Vec<u32>,
    modes: Vec<u32>,
    decorations: Vec<u32>,
    types: Vec<u32>,
    done: Vec<u32>,
    head: Vec<u32>,
    variables: Vec<u32>,
    body: Vec<u32>,
    known: HashMap<(u32, Vec<u32>), Id>,
    /// Global variables, for the entry point's interface.
    pub interface: Vec<Id>,
    /// The label of the block that is open.
    pub block: Id,
}

fn put(out: &mut Vec<u32>, op: Op, words: &[u32]) {
    out.push(((words.len() as u32 + 1) << 16) | op as u32);
    out.extend_from_slice(words);
}

/// A literal string as words.
fn text(s: &str) -> Vec<u32> {
    let mut bytes = s.as_bytes().to_vec();
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect()
}

impl Module {
    /// A fresh id.
    pub fn id(&mut self) -> Id {
        self.last += 1;
        self.last
    }

    /// Declares a capability.
    pub fn capability(&mut self, c: Capability) {
        self.capabilities.insert(c as u32);
    }

    /// Declares an extension.
    pub fn extension(&mut self, name: &'static str) {
        self.extensions.insert(name);
    }

    /// A decoration.
    pub fn decorate(&mut self, target: Id, d: Decoration, operands: &[u32]) {
        let words = [&[target, d as u32], operands].concat();
        put(&mut self.decorations, Op::Decorate, &words);
    }

    /// A decoration of a structure's member.
    pub fn decorate_member(&mut self, target: Id, member: u32, d: Decoration, operands: &[u32]) {
        let words = [&[target, member, d as u32], operands].concat();
        put(&mut self.decorations, Op::MemberDecorate, &words);
    }

    /// Declares a type without an identity of its own, once.
    pub fn type_of(&mut self, op: Op, operands: &[u32]) -> Id {
        if let Some(id) = self.known.get(&(op as u32, operands.to_vec())) {
            return *id;
        }
        let id = self.new_type(op, operands);
        self.known.insert((op as u32, operands.to_vec()), id);
        id
    }

    /// Declares a type anew: structures and arrays that get decorations of their own.
    pub fn new_type(&mut self, op: Op, operands: &[u32]) -> Id {
        let id = self.id();
        put(&mut self.types, op, &[&[id], operands].concat());
        id
    }

    /// The SPIR-V type, with the capability it needs.
    pub fn ty(&mut self, t: Type) -> Id {
        let scalar = match t.scalar {
            Scalar::Bool => self.type_of(Op::TypeBool, &[]),
            Scalar::Int(bits) => {
                match bits {
                    8 => self.capability(Capability::Int8),
                    16 => self.capability(Capability::Int16),
                    64 => self.capability(Capability::Int64),
                    _ => {}
                }
                self.type_of(Op::TypeInt, &[bits, 0])
            }
            Scalar::Float(bits) => {
                match bits {
                    16 => self.capability(Capability::Float16),
                    64 => self.capability(Capability::Float64),
                    _ => {}
                }
                self.type_of(Op::TypeFloat, &[bits])
            }
        };
        if t.n == 1 {
            scalar
        } else {
            self.type_of(Op::TypeVector, &[scalar, t.n])
        }
    }

    /// A pointer type.
    pub fn pointer(&mut self, class: StorageClass, to: Id) -> Id {
        self.type_of(Op::TypePointer, &[class as u32, to])
    }

    fn declared(&mut self, op: Op, ty: Id, operands: &[u32]) -> Id {
        let key = (op as u32, [&[ty], operands].concat());
        if let Some(id) = self.known.get(&key) {
            return *id;
        }
        let id = self.id();
        put(&mut self.types, op, &[&[ty, id], operands].concat());
        self.known.insert(key, id);
        id
    }

    /// A scalar constant of these bits (the low ones count), spread over a vector's components.
    pub fn constant(&mut self, t: Type, bits: u64) -> Id {
        let ty = self.ty(t.with(1));
        let scalar = match t.scalar {
            Scalar::Bool => self.declared(if bits & 1 != 0 { Op::ConstantTrue } else { Op::ConstantFalse }, ty, &[]),
            Scalar::Int(64) | Scalar::Float(64) => self.declared(Op::Constant, ty, &[bits as u32, (bits >> 32) as u32]),
            Scalar::Int(n) | Scalar::Float(n) => {
                // The bits above a narrow unsigned or floating-point literal are 0.
                self.declared(Op::Constant, ty, &[bits as u32 & (u32::MAX >> (32 - n))])
            }
        };
        if t.n == 1 {
            return scalar;
        }
        let ty = self.ty(t);
        self.declared(Op::ConstantComposite, ty, &vec![scalar; t.n as usize])
    }

    /// A 32-bit integer constant.
    pub fn u32(&mut self, value: u32) -> Id {
        self.constant(U32, u64::from(value))
    }

    /// A specialisation constant.
    pub fn spec_constant(&mut self, number: u32, default: u32) -> Id {
        let ty = self.ty(U32);
        let id = self.id();
        put(&mut self.types, Op::SpecConstant, &[ty, id, default]);
        self.decorate(id, Decoration::SpecId, &[number]);
        id
    }

    /// The value of a type that is all zeros.
    pub fn null(&mut self, ty: Id) -> Id {
        self.declared(Op::ConstantNull, ty, &[])
    }

    /// A variable outside of functions.
    pub fn global(&mut self, class: StorageClass, ty: Id) -> Id {
        self.initialized(class, ty, &[])
    }

    /// A variable outside of functions with an initializer, or none.
    pub fn initialized(&mut self, class: StorageClass, ty: Id, initializer: &[Id]) -> Id {
        let pointer = self.pointer(class, ty);
        let id = self.id();
        put(&mut self.types, Op::Variable, &[&[pointer, id, class as u32], initializer].concat());
        self.interface.push(id);
        id
    }

    /// A variable of the open function.
    pub fn local(&mut self, ty: Id) -> Id {
        let pointer = self.pointer(StorageClass::Function, ty);
        let id = self.id();
        put(&mut self.variables, Op::Variable, &[pointer, id, StorageClass::Function as u32]);
        id
    }

    /// The number of the GLSL.std.450 set.
    pub fn glsl(&mut self) -> Id {
        if let Some(id) = self.glsl {
            return id;
        }
        let id = self.id();
        self.glsl = Some(id);
        id
    }

    /// Opens a function; its parameters' ids.
    pub fn begin(&mut self, id: Id, returns: Id, parameters: &[Id]) -> Vec<Id> {
        let ty = self.type_of(Op::TypeFunction, &[&[returns], parameters].concat());
        put(&mut self.head, Op::Function, &[returns, id, 0, ty]);
        let ids = parameters
            .iter()
            .map(|p| {
                let id = self.id();
                put(&mut self.head, Op::FunctionParameter, &[*p, id]);
                id
            })
            .collect();
        let label = self.id();
        put(&mut self.head, Op::Label, &[label]);
        self.block = label;
        ids
    }

    /// Closes the function; its last block has been ended.
    pub fn end(&mut self) {
        for part in [&mut self.head, &mut self.variables, &mut self.body] {
            self.done.append(part);
        }
        put(&mut self.done, Op::FunctionEnd, &[]);
    }

    /// An instruction with a result.
    pub fn op(&mut self, op: Op, ty: Id, operands: &[u32]) -> Id {
        let id = self.id();
        put(&mut self.body, op, &[&[ty, id], operands].concat());
        id
    }

    /// An instruction without a result.
    pub fn act(&mut self, op: Op, operands: &[u32]) {
        put(&mut self.body, op, operands);
    }

    /// Begins a block.
    pub fn label(&mut self, id: Id) {
        put(&mut self.body, Op::Label, &[id]);
        self.block = id;
    }

    /// Ends the block with a branch.
    pub fn branch(&mut self, to: Id) {
        self.act(Op::Branch, &[to]);
    }

    /// Names the entry point `main`.
    pub fn entry(&mut self, function: Id, local: [u32; 3]) {
        let words = [&[spirv::ExecutionModel::GLCompute as u32, function], &text("main")[..], &self.interface].concat();
        put(&mut self.entry, Op::EntryPoint, &words);
        let size = [&[function, spirv::ExecutionMode::LocalSize as u32], &local[..]].concat();
        put(&mut self.modes, Op::ExecutionMode, &size);
    }

    /// An execution mode of the entry point.
    pub fn mode(&mut self, function: Id, mode: spirv::ExecutionMode) {
        put(&mut self.modes, Op::ExecutionMode, &[function, mode as u32]);
    }

    /// The words of the module.
    pub fn finish(mut self) -> Vec<u32> {
        let mut out = vec![spirv::MAGIC_NUMBER, 0x0001_0500, 0, 0, 0];
        for c in &self.capabilities {
            put(&mut out, Op::Capability, &[*c]);
        }
        for e in &self.extensions {
            put(&mut out, Op::Extension, &text(e));
        }
        if let Some(id) = self.glsl {
            put(&mut out, Op::ExtInstImport, &[&[id], &text("GLSL.std.450")[..]].concat());
        }
        put(&mut out, Op::MemoryModel, &[0, spirv::MemoryModel::GLSL450 as u32]);
        for part in [&mut self.entry, &mut self.modes, &mut self.decorations, &mut self.types, &mut self.done] {
            out.append(part);
        }
        out[3] = self.last + 1;
        out
    }
}
