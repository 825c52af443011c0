//! The frame of a program: interface, variables, functions, and what is written out at the end.

use super::flow::Function;
use super::module::{Id, Module, Scalar, Type, BOOL, F32, U32};
use super::{Cap, Caps, Recipe, Rng};
use spirv::{BuiltIn, Capability, Decoration, Op, StorageClass};

/// Words of the input buffer, a power of two.
pub const INPUT_WORDS: u32 = 256;
/// Words of the buffer that atomics go to, a power of two.
pub const ATOMIC_WORDS: u32 = 64;
/// Elements of the typed buffer that belong to one invocation, a power of two.
pub const OWN: u32 = 8;
/// Results of limited precision for each invocation.
pub const APPROX: u32 = 4;

/// A module and how to run it.
#[derive(Clone, Debug)]
pub struct Program {
    /// The words.
    pub spirv: Vec<u32>,
    /// Workgroup size.
    pub local: [u32; 3],
    /// Number of workgroups.
    pub groups: [u32; 3],
    /// Push constants.
    pub push: [u32; 4],
    /// Specialisation constants.
    pub constants: Vec<(u32, u32)>,
    /// Content of binding 0.
    pub input: Vec<u32>,
    /// Words in binding 1 that must agree, from the start; each invocation's stand together.
    pub exact: u32,
    /// Words in binding 1 behind them: single-precision results of limited precision.
    pub approx: u32,
    /// Words of binding 3.
    pub own: u32,
    /// Numbers of its statements, for [`Recipe::skip`].
    pub statements: Vec<u64>,
}

/// A value at hand.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The value.
    pub id: Id,
    /// Its type.
    pub ty: Type,
    /// Whether it is the same for all invocations of the workgroup.
    pub uniform: bool,
}

/// A variable or array in private, function or workgroup memory.
#[derive(Clone, Copy, Debug)]
pub struct Var {
    /// Pointer to it.
    pub id: Id,
    /// Where it stands.
    pub class: StorageClass,
    /// Type of an element.
    pub ty: Type,
    /// Number of elements, a power of two; 0: not an array.
    pub len: u32,
    /// Whether it always holds the same for all invocations of the workgroup.
    pub uniform: bool,
}

/// Builds one program.
pub struct Gen<'a> {
    pub m: Module,
    pub rng: Rng,
    pub recipe: &'a Recipe,
    /// Number of the statement around, and the last place taken in it.
    pub around: u64,
    pub place: u32,
    /// Numbers of the statements made so far.
    pub statements: Vec<u64>,
    /// Statements that may still be made: a bound for the unlucky case.
    pub budget: u32,
    pub pool: Vec<Known>,
    pub vars: Vec<Var>,
    pub arrays: Vec<Var>,
    pub approx: Vec<Id>,
    pub shared: Vec<Var>,
    pub functions: Vec<Function>,
    pub flow: super::flow::Flow,
    /// The typed buffer: its variable and element type.
    pub own: (Id, Type),
    pub atomics: Id,
    pub input: Id,
    /// Number of the invocation in the dispatch and in its workgroup.
    pub global_index: Id,
    pub local_index: Id,
    /// Invocations of a workgroup.
    pub invocations: u32,
    /// Scalars that may be used.
    pub scalars: Vec<Scalar>,
}

impl Gen<'_> {
    /// Whether programs may use it.
    pub fn has(&self, cap: Cap) -> bool {
        self.recipe.caps.has(cap)
    }

    /// Takes note of a value.
    pub fn know(&mut self, id: Id, ty: Type, uniform: bool) -> Known {
        let k = Known { id, ty, uniform };
        self.pool.push(k);
        k
    }

    /// A random type.
    pub fn any_type(&mut self) -> Type {
        let scalar = if self.rng.chance(45) { Scalar::Int(32) } else { self.rng.of(&self.scalars) };
        let n = if self.rng.chance(65) { 1 } else { 2 + self.rng.below(3) };
        Type { scalar, n }
    }

    /// A random type that can stand in memory.
    pub fn data_type(&mut self) -> Type {
        loop {
            let t = self.any_type();
            if t.scalar != Scalar::Bool {
                return t;
            }
        }
    }

    /// A structure around a run-time array, in the storage buffer `binding`.
    fn buffer(&mut self, binding: u32, element: Type) -> Id {
        let ty = self.m.ty(element);
        let array = self.m.new_type(Op::TypeRuntimeArray, &[ty]);
        self.m.decorate(array, Decoration::ArrayStride, &[element.scalar.bits() / 8 * element.n.next_power_of_two()]);
        let block = self.m.new_type(Op::TypeStruct, &[array]);
        self.m.decorate(block, Decoration::Block, &[]);
        self.m.decorate_member(block, 0, Decoration::Offset, &[0]);
        let id = self.m.global(StorageClass::StorageBuffer, block);
        self.m.decorate(id, Decoration::DescriptorSet, &[0]);
        self.m.decorate(id, Decoration::Binding, &[binding]);
        id
    }

    fn builtin(&mut self, builtin: BuiltIn, ty: Type) -> Id {
        let t = self.m.ty(ty);
        let id = self.m.global(StorageClass::Input, t);
        self.m.decorate(id, Decoration::BuiltIn, &[builtin as u32]);
        id
    }

    /// The words of a value as they are written out: each component on its own, narrow ones widened.
    fn words(&mut self, id: Id, ty: Type) -> Vec<Id> {
        let u32_type = self.m.ty(U32);
        let mut out = Vec::new();
        for i in 0..ty.n {
            let one = ty.with(1);
            let t = self.m.ty(one);
            let c = if ty.n == 1 { id } else { self.m.op(Op::CompositeExtract, t, &[id, i]) };
            match one.scalar {
                Scalar::Bool => {
                    let (yes, no) = (self.m.u32(1), self.m.u32(0));
                    out.push(self.m.op(Op::Select, u32_type, &[c, yes, no]));
                }
                Scalar::Int(32) => out.push(c),
                Scalar::Float(32) => out.push(self.m.op(Op::Bitcast, u32_type, &[c])),
                Scalar::Int(bits @ (8 | 16)) | Scalar::Float(bits @ 16) => {
                    let int = Type { scalar: Scalar::Int(bits), n: 1 };
                    let t = self.m.ty(int);
                    let c = if one.scalar == int.scalar { c } else { self.m.op(Op::Bitcast, t, &[c]) };
                    out.push(self.m.op(Op::UConvert, u32_type, &[c]));
                }
                Scalar::Int(_) | Scalar::Float(_) => {
                    let pair = self.m.ty(U32.with(2));
                    let pair = self.m.op(Op::Bitcast, pair, &[c]);
                    out.push(self.m.op(Op::CompositeExtract, u32_type, &[pair, 0]));
                    out.push(self.m.op(Op::CompositeExtract, u32_type, &[pair, 1]));
                }
            }
        }
        out
    }

    /// Words that [`Self::write_out`] writes for each invocation.
    fn word_count(&self) -> u32 {
        let all = self.vars.iter().chain(&self.arrays);
        all.map(|v| v.len.max(1) * v.ty.n * v.ty.scalar.bits().div_ceil(32)).sum()
    }

    /// Writes variables and arrays out, and behind the `exact` words of all invocations the results of limited precision.
    fn write_out(&mut self, output: Id, exact: u32) {
        let mut words = Vec::new();
        for v in self.vars.clone() {
            let t = self.m.ty(v.ty);
            let value = self.m.op(Op::Load, t, &[v.id]);
            words.extend(self.words(value, v.ty));
        }
        for a in self.arrays.clone() {
            for i in 0..a.len {
                let index = self.m.u32(i);
                let value = self.load_element(&a, index);
                words.extend(self.words(value, a.ty));
            }
        }
        let ty = self.m.ty(U32);
        let per = self.m.u32(words.len() as u32);
        let base = self.m.op(Op::IMul, ty, &[self.global_index, per]);
        for (i, w) in words.into_iter().enumerate() {
            self.store_word(output, base, i as u32, w);
        }
        let (exact, per) = (self.m.u32(exact), self.m.u32(APPROX));
        let base = self.m.op(Op::IMul, ty, &[self.global_index, per]);
        let base = self.m.op(Op::IAdd, ty, &[base, exact]);
        let float = self.m.ty(F32);
        for (i, a) in self.approx.clone().into_iter().enumerate() {
            let value = self.m.op(Op::Load, float, &[a]);
            let word = self.m.op(Op::Bitcast, ty, &[value]);
            self.store_word(output, base, i as u32, word);
        }
    }

    fn store_word(&mut self, output: Id, base: Id, i: u32, word: Id) {
        let ty = self.m.ty(U32);
        let (zero, i) = (self.m.u32(0), self.m.u32(i));
        let at = self.m.op(Op::IAdd, ty, &[base, i]);
        let pointer = self.m.pointer(StorageClass::StorageBuffer, ty);
        let pointer = self.m.op(Op::AccessChain, pointer, &[output, zero, at]);
        self.m.act(Op::Store, &[pointer, word]);
    }

    /// Values the program begins with: positions, push constants, specialisation constants and input words.
    fn begin_values(&mut self, group: Id, local: Id, push: Id, constants: &[Id]) {
        let ty = self.m.ty(U32);
        self.know(self.local_index, U32, false);
        self.know(self.global_index, U32, false);
        let vector = self.m.ty(U32.with(3));
        let id = self.m.op(Op::Load, vector, &[group]);
        self.know(id, U32.with(3), true);
        let id = self.m.op(Op::Load, vector, &[local]);
        for i in 0..3 {
            let part = self.m.op(Op::CompositeExtract, ty, &[id, i]);
            self.know(part, U32, false);
        }
        for i in 0..4 {
            let pointer = self.m.pointer(StorageClass::PushConstant, ty);
            let (zero, index) = (self.m.u32(0), self.m.u32(i));
            let pointer = self.m.op(Op::AccessChain, pointer, &[push, zero, index]);
            let id = self.m.op(Op::Load, ty, &[pointer]);
            self.know(id, U32, true);
        }
        for c in constants {
            self.know(*c, U32, true);
        }
        for uniform in [true, false, false] {
            let index = if uniform { self.m.u32(3) } else { self.global_index };
            let id = self.load_input(index);
            self.know(id, U32, uniform);
        }
    }

    /// Gives every variable a value that depends on the invocation or, if it is uniform, does not.
    fn first_values(&mut self) {
        for v in self.vars.clone() {
            let value = self.pick(v.ty, v.uniform);
            self.m.act(Op::Store, &[v.id, value.id]);
        }
        for a in self.arrays.clone() {
            for i in 0..a.len {
                let value = self.pick(a.ty, false);
                let index = self.m.u32(i);
                self.store_element(&a, index, value.id);
            }
        }
        let zero = self.m.constant(F32, 0);
        for a in self.approx.clone() {
            self.m.act(Op::Store, &[a, zero]);
        }
        let (variable, ty) = self.own;
        for i in 0..OWN {
            let value = self.pick(ty, false);
            let index = self.m.u32(i);
            let pointer = self.own_element(variable, ty, index);
            self.m.act(Op::Store, &[pointer, value.id]);
        }
    }
}

fn scalars(caps: Caps) -> Vec<Scalar> {
    let wide = [
        (Cap::Int8, Scalar::Int(8)),
        (Cap::Int16, Scalar::Int(16)),
        (Cap::Int64, Scalar::Int(64)),
        (Cap::Float16, Scalar::Float(16)),
        (Cap::Float64, Scalar::Float(64)),
    ];
    let more = wide.into_iter().filter(|(c, _)| caps.has(*c)).map(|(_, s)| s);
    [Scalar::Bool, Scalar::Int(32), Scalar::Float(32), Scalar::Float(32)].into_iter().chain(more).collect()
}

/// The program of a seed.
pub fn generate(seed: u64, recipe: &Recipe) -> Program {
    let mut rng = Rng::new(seed);
    let subgroups = recipe.caps.has(Cap::Subgroups) && rng.chance(60);
    // With subgroup operations the division into subgroups matters: only whole ones, along one dimension.
    let local = if subgroups {
        rng.of(&[[32, 1, 1], [64, 1, 1], [128, 1, 1]])
    } else {
        let narrow = [[64, 1, 1], [8, 8, 1], [33, 1, 1], [16, 3, 2], [1, 1, 1], [7, 5, 1], [96, 1, 1]];
        let wide = [[16, 4, 1], [4, 4, 4], [64, 2, 1], [8, 3, 5]];
        rng.of(&[&narrow[..], &wide[..]].concat())
    };
    let groups = rng.of(&[[1, 1, 1], [3, 1, 1], [2, 2, 1], [1, 2, 2]]);
    let push = [(); 4].map(|()| rng.bits() as u32 >> rng.below(30));
    let constants = vec![(0, rng.bits() as u32 >> rng.below(30)), (1, rng.below(9))];
    let input = (0..INPUT_WORDS).map(|_| rng.bits() as u32 >> rng.below(32)).collect();
    let size = recipe.size / 4 + rng.below(recipe.size / 2);

    let mut m = Module::default();
    m.capability(Capability::Shader);
    let void = m.type_of(Op::TypeVoid, &[]);
    let mut gen = Gen {
        m,
        rng,
        recipe,
        around: seed,
        place: 0,
        statements: Vec::new(),
        budget: 8 * recipe.size,
        pool: Vec::new(),
        vars: Vec::new(),
        arrays: Vec::new(),
        approx: Vec::new(),
        shared: Vec::new(),
        functions: Vec::new(),
        flow: super::flow::Flow::default(),
        own: (0, U32),
        atomics: 0,
        input: 0,
        global_index: 0,
        local_index: 0,
        invocations: local.iter().product(),
        scalars: scalars(recipe.caps),
    };
    gen.flow.subgroups = subgroups;
    gen.input = gen.buffer(0, U32);
    let output = gen.buffer(1, U32);
    gen.atomics = gen.buffer(2, U32);
    let own = loop {
        let t = gen.data_type();
        // (A vector of three stands at the stride of four.)
        if t.n != 3 {
            break t;
        }
    };
    match own.scalar.bits() {
        8 => gen.m.capability(Capability::StorageBuffer8BitAccess),
        16 => gen.m.capability(Capability::StorageBuffer16BitAccess),
        _ => {}
    }
    gen.own = (gen.buffer(3, own), own);
    let group = gen.builtin(BuiltIn::WorkgroupId, U32.with(3));
    let count = gen.builtin(BuiltIn::NumWorkgroups, U32.with(3));
    let local_index = gen.builtin(BuiltIn::LocalInvocationIndex, U32);
    let local_id = gen.builtin(BuiltIn::LocalInvocationId, U32.with(3));
    if subgroups {
        gen.begin_subgroups();
    }
    let push_variable = {
        let ty = gen.m.ty(U32);
        let four = gen.m.u32(4);
        let array = gen.m.new_type(Op::TypeArray, &[ty, four]);
        gen.m.decorate(array, Decoration::ArrayStride, &[4]);
        let block = gen.m.new_type(Op::TypeStruct, &[array]);
        gen.m.decorate(block, Decoration::Block, &[]);
        gen.m.decorate_member(block, 0, Decoration::Offset, &[0]);
        gen.m.global(StorageClass::PushConstant, block)
    };
    let spec: Vec<Id> = constants.iter().map(|(n, _)| gen.m.spec_constant(*n, 5)).collect();
    gen.declare_variables();

    let main = gen.m.id();
    let body = gen.m.id();
    // The position is kept in private variables, so that functions have it too.
    let word = gen.m.ty(U32);
    let positions = [gen.m.global(StorageClass::Private, word), gen.m.global(StorageClass::Private, word)];
    gen.make_functions(positions);

    gen.m.begin(body, void, &[]);
    gen.pool.clear();
    [gen.local_index, gen.global_index] = positions.map(|p| gen.m.op(Op::Load, word, &[p]));
    gen.begin_values(group, local_id, push_variable, &spec);
    gen.first_values();
    gen.body(size);
    gen.m.end();

    gen.m.begin(main, void, &[]);
    gen.local_index = gen.m.op(Op::Load, word, &[local_index]);
    gen.global_index = {
        let vector = gen.m.ty(U32.with(3));
        let (g, n) = (gen.m.op(Op::Load, vector, &[group]), gen.m.op(Op::Load, vector, &[count]));
        let parts: Vec<Id> = [(g, 2), (n, 1), (g, 1), (n, 0), (g, 0)]
            .into_iter()
            .map(|(v, i)| gen.m.op(Op::CompositeExtract, word, &[v, i]))
            .collect();
        let invocations = gen.m.u32(gen.invocations);
        let a = gen.m.op(Op::IMul, word, &[parts[0], parts[1]]);
        let a = gen.m.op(Op::IAdd, word, &[a, parts[2]]);
        let a = gen.m.op(Op::IMul, word, &[a, parts[3]]);
        let a = gen.m.op(Op::IAdd, word, &[a, parts[4]]);
        let a = gen.m.op(Op::IMul, word, &[a, invocations]);
        gen.m.op(Op::IAdd, word, &[a, gen.local_index])
    };
    gen.m.act(Op::Store, &[positions[0], gen.local_index]);
    gen.m.act(Op::Store, &[positions[1], gen.global_index]);
    gen.m.op(Op::FunctionCall, void, &[body]);
    let all: u32 = gen.invocations * groups.iter().product::<u32>();
    let words = gen.word_count();
    gen.write_out(output, words * all);
    gen.m.act(Op::Return, &[]);
    gen.m.end();
    gen.m.entry(main, local);
    gen.subgroup_modes(main);
    let (exact, approx) = (words * all, APPROX * all);
    let own = (OWN * own.n.next_power_of_two() * own.scalar.bits() / 8 * all).div_ceil(4);
    let statements = std::mem::take(&mut gen.statements);
    Program { spirv: gen.m.finish(), local, groups, push, constants, input, exact, approx, own, statements }
}

/// A type of truth values as wide as another type.
pub fn truth(t: Type) -> Type {
    BOOL.with(t.n)
}
