//! A thin layer over LLVM's C interface: the one place of the code generator with `unsafe` code.
//!
//! [`Module`] owns a context, a module and a builder. Values, types and blocks are untyped handles, because the generator
//! works on types that are only known at run time. Handles belong to the module that made them; there is one module per
//! compilation and handles never leave it.

use super::ir::{Fcmp, Icmp, Order, Rmw};
use llvm_sys::core::*;
use llvm_sys::prelude::*;
use llvm_sys::{
    analysis, LLVMAtomicOrdering, LLVMAtomicRMWBinOp, LLVMIntPredicate, LLVMLinkage, LLVMOpcode, LLVMRealPredicate,
};
use std::ffi::{CStr, CString};
use std::marker::PhantomData;

const UNNAMED: *const std::ffi::c_char = c"".as_ptr();

/// An LLVM value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Val(pub(super) LLVMValueRef);

/// An LLVM type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ty(pub(super) LLVMTypeRef);

/// An LLVM basic block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block(LLVMBasicBlockRef);

fn int_predicate(p: Icmp) -> LLVMIntPredicate {
    match p {
        Icmp::Eq => LLVMIntPredicate::LLVMIntEQ,
        Icmp::Ne => LLVMIntPredicate::LLVMIntNE,
        Icmp::Ult => LLVMIntPredicate::LLVMIntULT,
        Icmp::Ule => LLVMIntPredicate::LLVMIntULE,
        Icmp::Ugt => LLVMIntPredicate::LLVMIntUGT,
        Icmp::Uge => LLVMIntPredicate::LLVMIntUGE,
        Icmp::Slt => LLVMIntPredicate::LLVMIntSLT,
        Icmp::Sle => LLVMIntPredicate::LLVMIntSLE,
        Icmp::Sgt => LLVMIntPredicate::LLVMIntSGT,
    }
}

fn real_predicate(p: Fcmp) -> LLVMRealPredicate {
    match p {
        Fcmp::Oeq => LLVMRealPredicate::LLVMRealOEQ,
        Fcmp::Olt => LLVMRealPredicate::LLVMRealOLT,
        Fcmp::Ole => LLVMRealPredicate::LLVMRealOLE,
        Fcmp::Ogt => LLVMRealPredicate::LLVMRealOGT,
        Fcmp::Une => LLVMRealPredicate::LLVMRealUNE,
        Fcmp::Uno => LLVMRealPredicate::LLVMRealUNO,
    }
}

fn ordering(order: Order) -> LLVMAtomicOrdering {
    match order {
        Order::Monotonic => LLVMAtomicOrdering::LLVMAtomicOrderingMonotonic,
        Order::AcqRel => LLVMAtomicOrdering::LLVMAtomicOrderingAcquireRelease,
    }
}

/// A module under construction with its context and instruction builder.
pub struct Module {
    context: LLVMContextRef,
    pub(super) module: LLVMModuleRef,
    builder: LLVMBuilderRef,
    // LLVM contexts are used from one thread at a time.
    _not_sync: PhantomData<*mut ()>,
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the three were made together in `new`, are owned by this value and disposed in the order of dependence.
        unsafe {
            LLVMDisposeBuilder(self.builder);
            LLVMDisposeModule(self.module);
            LLVMContextDispose(self.context);
        }
    }
}

/// All unsafe calls below pass handles made by the same module (see the module documentation), of the kinds that the
/// LLVM function wants; strings are nul-terminated and outlive the call.
macro_rules! llvm {
    ($e:expr) => {{
        // SAFETY: handles come from this module and have the kinds that the function wants; strings and slices are alive.
        unsafe { $e }
    }};
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident = $llvm:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(&self, a: Val, b: Val) -> Val {
            Val(llvm!($llvm(self.builder, a.0, b.0, UNNAMED)))
        })*
    };
}

macro_rules! cast {
    ($($name:ident = $llvm:ident;)*) => {
        $(pub fn $name(&self, v: Val, to: Ty) -> Val {
            Val(llvm!($llvm(self.builder, v.0, to.0, UNNAMED)))
        })*
    };
}

impl Module {
    pub fn new(name: &str) -> Module {
        let name = CString::new(name.replace('\0', "")).unwrap_or_default();
        llvm!({
            let context = LLVMContextCreate();
            let module = LLVMModuleCreateWithNameInContext(name.as_ptr(), context);
            let builder = LLVMCreateBuilderInContext(context);
            Module { context, module, builder, _not_sync: PhantomData }
        })
    }

    // ---- types ----

    pub fn int(&self, bits: u32) -> Ty {
        Ty(llvm!(LLVMIntTypeInContext(self.context, bits)))
    }

    pub fn f32(&self) -> Ty {
        Ty(llvm!(LLVMFloatTypeInContext(self.context)))
    }

    pub fn f64(&self) -> Ty {
        Ty(llvm!(LLVMDoubleTypeInContext(self.context)))
    }

    pub fn half(&self) -> Ty {
        Ty(llvm!(LLVMHalfTypeInContext(self.context)))
    }

    pub fn ptr(&self) -> Ty {
        Ty(llvm!(LLVMPointerTypeInContext(self.context, 0)))
    }

    pub fn void(&self) -> Ty {
        Ty(llvm!(LLVMVoidTypeInContext(self.context)))
    }

    pub fn vector(&self, of: Ty, lanes: u32) -> Ty {
        Ty(llvm!(LLVMVectorType(of.0, lanes)))
    }

    pub fn array(&self, of: Ty, n: u64) -> Ty {
        Ty(llvm!(LLVMArrayType2(of.0, n)))
    }

    pub fn function_type(&self, result: Ty, params: &[Ty]) -> Ty {
        let mut params: Vec<LLVMTypeRef> = params.iter().map(|t| t.0).collect();
        Ty(llvm!(LLVMFunctionType(result.0, params.as_mut_ptr(), params.len() as u32, 0)))
    }

    pub fn type_of(&self, v: Val) -> Ty {
        Ty(llvm!(LLVMTypeOf(v.0)))
    }

    // ---- constants ----

    /// A constant of an integer type of at most 64 bits.
    pub fn iconst(&self, ty: Ty, bits: u64) -> Val {
        Val(llvm!(LLVMConstInt(ty.0, bits, 0)))
    }

    /// Zero of any type.
    pub fn zero(&self, ty: Ty) -> Val {
        Val(llvm!(LLVMConstNull(ty.0)))
    }

    pub fn poison(&self, ty: Ty) -> Val {
        Val(llvm!(LLVMGetPoison(ty.0)))
    }

    pub fn const_vector(&self, elements: &[Val]) -> Val {
        let mut elements: Vec<LLVMValueRef> = elements.iter().map(|v| v.0).collect();
        Val(llvm!(LLVMConstVector(elements.as_mut_ptr(), elements.len() as u32)))
    }

    pub fn const_array(&self, of: Ty, elements: &[Val]) -> Val {
        let mut elements: Vec<LLVMValueRef> = elements.iter().map(|v| v.0).collect();
        Val(llvm!(LLVMConstArray2(of.0, elements.as_mut_ptr(), elements.len() as u64)))
    }

    /// Reinterprets the bits of a constant (folded at once).
    pub fn const_bitcast(&self, v: Val, to: Ty) -> Val {
        Val(llvm!(LLVMConstBitCast(v.0, to.0)))
    }

    pub fn is_constant(&self, v: Val) -> bool {
        llvm!(LLVMIsConstant(v.0)) != 0
    }

    /// A read-only global with that contents.
    pub fn constant_global(&self, value: Val, align: u32) -> Val {
        llvm!({
            let global = LLVMAddGlobal(self.module, LLVMTypeOf(value.0), c"c".as_ptr());
            LLVMSetInitializer(global, value.0);
            LLVMSetGlobalConstant(global, 1);
            LLVMSetLinkage(global, LLVMLinkage::LLVMPrivateLinkage);
            LLVMSetUnnamedAddress(global, llvm_sys::LLVMUnnamedAddr::LLVMGlobalUnnamedAddr);
            LLVMSetAlignment(global, align);
            Val(global)
        })
    }

    // ---- functions and blocks ----

    pub fn function(&self, name: &str, ty: Ty) -> Val {
        let name = CString::new(name).unwrap_or_default();
        Val(llvm!(LLVMAddFunction(self.module, name.as_ptr(), ty.0)))
    }

    /// A function that is seen in this module only.
    pub fn internal_function(&self, name: &str, ty: Ty) -> Val {
        let function = self.function(name, ty);
        llvm!(LLVMSetLinkage(function.0, LLVMLinkage::LLVMInternalLinkage));
        function
    }

    /// Adds a string attribute to a function.
    pub fn attribute(&self, function: Val, key: &str, value: &str) {
        llvm!({
            let a = LLVMCreateStringAttribute(
                self.context,
                key.as_ptr().cast(),
                key.len() as u32,
                value.as_ptr().cast(),
                value.len() as u32,
            );
            LLVMAddAttributeAtIndex(function.0, llvm_sys::LLVMAttributeFunctionIndex, a);
        });
    }

    fn enum_attribute(&self, function: Val, index: u32, name: &str) {
        llvm!({
            let kind = LLVMGetEnumAttributeKindForName(name.as_ptr().cast(), name.len());
            let a = LLVMCreateEnumAttribute(self.context, kind, 0);
            LLVMAddAttributeAtIndex(function.0, index, a);
        });
    }

    /// Marks a function as never unwinding.
    pub fn nounwind(&self, function: Val) {
        self.enum_attribute(function, llvm_sys::LLVMAttributeFunctionIndex, "nounwind");
    }

    /// Marks a pointer parameter as aliasing nothing else.
    pub fn noalias(&self, function: Val, param: u32) {
        self.enum_attribute(function, param + 1, "noalias");
    }

    pub fn param(&self, function: Val, index: u32) -> Val {
        Val(llvm!(LLVMGetParam(function.0, index)))
    }

    pub fn append_block(&self, function: Val, name: &CStr) -> Block {
        Block(llvm!(LLVMAppendBasicBlockInContext(self.context, function.0, name.as_ptr())))
    }

    pub fn position(&self, block: Block) {
        llvm!(LLVMPositionBuilderAtEnd(self.builder, block.0));
    }

    /// A stack cell, placed before the terminator of `entry` (or at its end).
    pub fn alloca(&self, entry: Block, ty: Ty, align: u32) -> Val {
        llvm!({
            let here = LLVMGetInsertBlock(self.builder);
            let end = LLVMGetBasicBlockTerminator(entry.0);
            if end.is_null() {
                LLVMPositionBuilderAtEnd(self.builder, entry.0);
            } else {
                LLVMPositionBuilderBefore(self.builder, end);
            }
            let cell = LLVMBuildAlloca(self.builder, ty.0, UNNAMED);
            LLVMSetAlignment(cell, align);
            LLVMPositionBuilderAtEnd(self.builder, here);
            Val(cell)
        })
    }

    // ---- terminators ----

    pub fn br(&self, to: Block) {
        llvm!(LLVMBuildBr(self.builder, to.0));
    }

    pub fn cond_br(&self, cond: Val, then: Block, els: Block) {
        llvm!(LLVMBuildCondBr(self.builder, cond.0, then.0, els.0));
    }

    /// A conditional branch whose first target is taken nearly always.
    pub fn likely_br(&self, cond: Val, then: Block, els: Block) {
        llvm!({
            let br = LLVMBuildCondBr(self.builder, cond.0, then.0, els.0);
            let i32t = LLVMInt32TypeInContext(self.context);
            let mut parts = [
                LLVMMDStringInContext2(self.context, c"branch_weights".as_ptr(), 14),
                LLVMValueAsMetadata(LLVMConstInt(i32t, 2000, 0)),
                LLVMValueAsMetadata(LLVMConstInt(i32t, 1, 0)),
            ];
            let node = LLVMMDNodeInContext2(self.context, parts.as_mut_ptr(), parts.len());
            let kind = LLVMGetMDKindIDInContext(self.context, c"prof".as_ptr(), 4);
            LLVMSetMetadata(br, kind, LLVMMetadataAsValue(self.context, node));
        });
    }

    pub fn switch(&self, on: Val, default: Block, cases: &[(Val, Block)]) {
        llvm!({
            let switch = LLVMBuildSwitch(self.builder, on.0, default.0, cases.len() as u32);
            for (value, block) in cases {
                LLVMAddCase(switch, value.0, block.0);
            }
        });
    }

    pub fn ret(&self, v: Val) {
        llvm!(LLVMBuildRet(self.builder, v.0));
    }

    pub fn ret_void(&self) {
        llvm!(LLVMBuildRetVoid(self.builder));
    }

    pub fn phi(&self, ty: Ty, incoming: &[(Val, Block)]) -> Val {
        let phi = Val(llvm!(LLVMBuildPhi(self.builder, ty.0, UNNAMED)));
        for &(v, b) in incoming {
            self.add_incoming(phi, v, b);
        }
        phi
    }

    pub fn add_incoming(&self, phi: Val, value: Val, block: Block) {
        let (mut value, mut block) = (value.0, block.0);
        llvm!(LLVMAddIncoming(phi.0, &mut value, &mut block, 1));
    }

    // ---- arithmetic ----

    binary! {
        add = LLVMBuildAdd;
        sub = LLVMBuildSub;
        mul = LLVMBuildMul;
        udiv = LLVMBuildUDiv;
        sdiv = LLVMBuildSDiv;
        urem = LLVMBuildURem;
        srem = LLVMBuildSRem;
        shl = LLVMBuildShl;
        lshr = LLVMBuildLShr;
        ashr = LLVMBuildAShr;
        and = LLVMBuildAnd;
        or = LLVMBuildOr;
        xor = LLVMBuildXor;
        fadd = LLVMBuildFAdd;
        fsub = LLVMBuildFSub;
        fmul = LLVMBuildFMul;
        fdiv = LLVMBuildFDiv;
    }

    cast! {
        trunc = LLVMBuildTrunc;
        zext = LLVMBuildZExt;
        sext = LLVMBuildSExt;
        fptrunc = LLVMBuildFPTrunc;
        fpext = LLVMBuildFPExt;
        sitofp = LLVMBuildSIToFP;
        uitofp = LLVMBuildUIToFP;
        fptosi = LLVMBuildFPToSI;
        fptoui = LLVMBuildFPToUI;
        bitcast = LLVMBuildBitCast;
        inttoptr = LLVMBuildIntToPtr;
        ptrtoint = LLVMBuildPtrToInt;
    }

    pub fn fneg(&self, v: Val) -> Val {
        Val(llvm!(LLVMBuildFNeg(self.builder, v.0, UNNAMED)))
    }

    pub fn icmp(&self, p: Icmp, a: Val, b: Val) -> Val {
        Val(llvm!(LLVMBuildICmp(self.builder, int_predicate(p), a.0, b.0, UNNAMED)))
    }

    pub fn fcmp(&self, p: Fcmp, a: Val, b: Val) -> Val {
        Val(llvm!(LLVMBuildFCmp(self.builder, real_predicate(p), a.0, b.0, UNNAMED)))
    }

    pub fn select(&self, c: Val, a: Val, b: Val) -> Val {
        Val(llvm!(LLVMBuildSelect(self.builder, c.0, a.0, b.0, UNNAMED)))
    }

    // ---- vectors ----

    pub fn extract(&self, v: Val, index: Val) -> Val {
        Val(llvm!(LLVMBuildExtractElement(self.builder, v.0, index.0, UNNAMED)))
    }

    pub fn insert(&self, v: Val, e: Val, index: Val) -> Val {
        Val(llvm!(LLVMBuildInsertElement(self.builder, v.0, e.0, index.0, UNNAMED)))
    }

    /// A constant shuffle; elements at or beyond the length of `a` come from `b`, negative ones are unspecified.
    pub fn shuffle(&self, a: Val, b: Val, indices: &[i32]) -> Val {
        let i32t = self.int(32);
        let mask: Vec<Val> =
            indices.iter().map(|&i| if i < 0 { self.poison(i32t) } else { self.iconst(i32t, i as u64) }).collect();
        let mask = self.const_vector(&mask);
        Val(llvm!(LLVMBuildShuffleVector(self.builder, a.0, b.0, mask.0, UNNAMED)))
    }

    /// The scalar in every lane.
    pub fn splat(&self, v: Val, lanes: u32) -> Val {
        if self.is_constant(v) {
            return self.const_vector(&vec![v; lanes as usize]);
        }
        let ty = self.vector(self.type_of(v), lanes);
        let poison = self.poison(ty);
        let one = self.insert(poison, v, self.iconst(self.int(32), 0));
        self.shuffle(one, poison, &vec![0; lanes as usize])
    }

    // ---- memory ----

    pub fn load(&self, ty: Ty, ptr: Val, align: u32) -> Val {
        llvm!({
            let load = LLVMBuildLoad2(self.builder, ty.0, ptr.0, UNNAMED);
            LLVMSetAlignment(load, align);
            Val(load)
        })
    }

    pub fn store(&self, v: Val, ptr: Val, align: u32) {
        llvm!({
            let store = LLVMBuildStore(self.builder, v.0, ptr.0);
            LLVMSetAlignment(store, align);
        });
    }

    /// A store past the caches.
    pub fn stream_store(&self, v: Val, ptr: Val, align: u32) {
        llvm!({
            let store = LLVMBuildStore(self.builder, v.0, ptr.0);
            LLVMSetAlignment(store, align);
            let one = LLVMConstInt(LLVMInt32TypeInContext(self.context), 1, 0);
            let mut parts = [LLVMValueAsMetadata(one)];
            let node = LLVMMDNodeInContext2(self.context, parts.as_mut_ptr(), parts.len());
            let kind = LLVMGetMDKindIDInContext(self.context, c"nontemporal".as_ptr(), 11);
            LLVMSetMetadata(store, kind, LLVMMetadataAsValue(self.context, node));
        });
    }

    /// Makes a load or store volatile.
    pub fn set_volatile(&self, access: Val) {
        llvm!(LLVMSetVolatile(access.0, 1));
    }

    pub fn atomic_load(&self, ty: Ty, ptr: Val, align: u32) -> Val {
        let load = self.load(ty, ptr, align);
        llvm!(LLVMSetOrdering(load.0, LLVMAtomicOrdering::LLVMAtomicOrderingMonotonic));
        load
    }

    pub fn atomic_store(&self, v: Val, ptr: Val, align: u32) {
        llvm!({
            let store = LLVMBuildStore(self.builder, v.0, ptr.0);
            LLVMSetAlignment(store, align);
            LLVMSetOrdering(store, LLVMAtomicOrdering::LLVMAtomicOrderingMonotonic);
        });
    }

    pub fn atomic_rmw(&self, op: Rmw, ptr: Val, v: Val, order: Order) -> Val {
        use LLVMAtomicRMWBinOp::*;
        let op = match op {
            Rmw::Add => LLVMAtomicRMWBinOpAdd,
            Rmw::And => LLVMAtomicRMWBinOpAnd,
            Rmw::Or => LLVMAtomicRMWBinOpOr,
            Rmw::Xor => LLVMAtomicRMWBinOpXor,
            Rmw::Exchange => LLVMAtomicRMWBinOpXchg,
            Rmw::SMin => LLVMAtomicRMWBinOpMin,
            Rmw::SMax => LLVMAtomicRMWBinOpMax,
            Rmw::UMin => LLVMAtomicRMWBinOpUMin,
            Rmw::UMax => LLVMAtomicRMWBinOpUMax,
        };
        Val(llvm!(LLVMBuildAtomicRMW(self.builder, op, ptr.0, v.0, ordering(order), 0)))
    }

    /// Compare and swap: the old value, and whether it was equal.
    pub fn cmpxchg(&self, ptr: Val, expected: Val, desired: Val) -> (Val, Val) {
        llvm!({
            let order = LLVMAtomicOrdering::LLVMAtomicOrderingMonotonic;
            let pair = LLVMBuildAtomicCmpXchg(self.builder, ptr.0, expected.0, desired.0, order, order, 0);
            (
                Val(LLVMBuildExtractValue(self.builder, pair, 0, UNNAMED)),
                Val(LLVMBuildExtractValue(self.builder, pair, 1, UNNAMED)),
            )
        })
    }

    /// Orders memory accesses; within this thread only (a fence for the compiler) if `local`.
    pub fn fence(&self, order: Order, local: bool) {
        llvm!(LLVMBuildFence(self.builder, ordering(order), i32::from(local), UNNAMED));
    }

    /// `ptr` + indices times the size of a type; indices are signed.
    pub fn element_ptr(&self, ty: Ty, ptr: Val, index: Val) -> Val {
        let mut index = index.0;
        Val(llvm!(LLVMBuildGEP2(self.builder, ty.0, ptr.0, &mut index, 1, UNNAMED)))
    }

    // ---- calls ----

    pub fn call(&self, ty: Ty, function: Val, args: &[Val]) -> Val {
        let mut args: Vec<LLVMValueRef> = args.iter().map(|v| v.0).collect();
        Val(llvm!(LLVMBuildCall2(self.builder, ty.0, function.0, args.as_mut_ptr(), args.len() as u32, UNNAMED)))
    }

    /// Calls an intrinsic by name, overloaded on the given types.
    pub fn intrinsic(&self, name: &str, overloads: &[Ty], args: &[Val]) -> Val {
        let mut types: Vec<LLVMTypeRef> = overloads.iter().map(|t| t.0).collect();
        let (function, ty) = llvm!({
            let id = LLVMLookupIntrinsicID(name.as_ptr().cast(), name.len());
            debug_assert_ne!(id, 0, "unknown intrinsic {name}");
            (
                LLVMGetIntrinsicDeclaration(self.module, id, types.as_mut_ptr(), types.len()),
                LLVMIntrinsicGetType(self.context, id, types.as_mut_ptr(), types.len()),
            )
        });
        self.call(Ty(ty), Val(function), args)
    }

    // ---- the whole ----

    /// A second module with the same contents in the same context.
    pub fn copy(&self) -> Copy<'_> {
        Copy { module: llvm!(LLVMCloneModule(self.module)), _context: PhantomData }
    }

    /// Calls for every instruction of all functions, in order.
    fn each_instruction(&self, mut f: impl FnMut(LLVMValueRef)) {
        llvm!({
            let mut function = LLVMGetFirstFunction(self.module);
            while !function.is_null() {
                let mut block = LLVMGetFirstBasicBlock(function);
                while !block.is_null() {
                    let mut inst = LLVMGetFirstInstruction(block);
                    while !inst.is_null() {
                        f(inst);
                        inst = LLVMGetNextInstruction(inst);
                    }
                    block = LLVMGetNextBasicBlock(block);
                }
                function = LLVMGetNextFunction(function);
            }
        });
    }

    /// Puts what a select keeps last in what it may replace it by: `select m, (x & c) | y, x` becomes `select m, y | (x & c), x`.
    ///
    /// LLVM 19 (and later, see its issue 157929) makes one three-operand logic operation under a mask of all that, with `c` from
    /// memory if `y` fits into the bits that `c` leaves. Where `x` comes first it computes the operation's truth table with
    /// the wrong one of two rotations of the operands; where it comes last two operands are swapped, which it does well.
    pub fn kept_bits_last(&self) {
        self.each_instruction(|select| {
            llvm!({
                if LLVMGetInstructionOpcode(select) != LLVMOpcode::LLVMSelect {
                    return;
                }
                for (made, kept) in [(1, 2), (2, 1)] {
                    let or = uncast(LLVMGetOperand(select, made));
                    let kept = uncast(LLVMGetOperand(select, kept));
                    if opcode(or) != Some(LLVMOpcode::LLVMOr) {
                        continue;
                    }
                    let (first, second) = (LLVMGetOperand(or, 0), LLVMGetOperand(or, 1));
                    let and = uncast(first);
                    if opcode(and) == Some(LLVMOpcode::LLVMAnd)
                        && (0..2).any(|i| uncast(LLVMGetOperand(and, i)) == kept)
                    {
                        LLVMSetOperand(or, 0, second);
                        LLVMSetOperand(or, 1, first);
                    }
                }
            });
        });
    }

    /// What LLVM's verifier says against the module, if anything.
    pub fn verify(&self) -> Result<(), String> {
        llvm!({
            let mut message = std::ptr::null_mut();
            let action = analysis::LLVMVerifierFailureAction::LLVMReturnStatusAction;
            let bad = analysis::LLVMVerifyModule(self.module, action, &mut message) != 0;
            let text = take_message(message);
            if bad {
                Err(text)
            } else {
                Ok(())
            }
        })
    }

    /// The module as text.
    pub fn print(&self) -> String {
        take_message(llvm!(LLVMPrintModuleToString(self.module)))
    }
}

/// What an instruction does; of other values nothing.
fn opcode(v: LLVMValueRef) -> Option<LLVMOpcode> {
    llvm!((!LLVMIsAInstruction(v).is_null()).then(|| LLVMGetInstructionOpcode(v)))
}

/// The value whose bits a value is.
fn uncast(mut v: LLVMValueRef) -> LLVMValueRef {
    while opcode(v) == Some(LLVMOpcode::LLVMBitCast) {
        v = llvm!(LLVMGetOperand(v, 0));
    }
    v
}

/// A copy of a module.
pub struct Copy<'m> {
    pub(super) module: LLVMModuleRef,
    _context: PhantomData<&'m Module>,
}

impl Drop for Copy<'_> {
    fn drop(&mut self) {
        // SAFETY: the copy is owned by this value, and its context outlives it by the lifetime.
        unsafe { LLVMDisposeModule(self.module) };
    }
}

/// Copies and frees a message of LLVM's.
pub(super) fn take_message(message: *mut std::ffi::c_char) -> String {
    if message.is_null() {
        return String::new();
    }
    // SAFETY: LLVM returned the message as a nul-terminated string that the caller owns; it is freed once.
    unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        LLVMDisposeMessage(message);
        text
    }
}
