//! From an LLVM module to an object file: target machine, pass pipeline, emission.

use super::llvm::{take_message, Copy, Module};
use super::CodegenError;
use crate::kernel_abi::Width;
use llvm_sys::core::{LLVMDisposeMemoryBuffer, LLVMGetBufferSize, LLVMGetBufferStart, LLVMSetTarget};
use llvm_sys::error::{LLVMDisposeErrorMessage, LLVMGetErrorMessage};
use llvm_sys::prelude::LLVMModuleRef;
use llvm_sys::target::{LLVMDisposeTargetData, LLVMSetModuleDataLayout};
use llvm_sys::target_machine::*;
use llvm_sys::transforms::pass_builder::*;
use std::ffi::{CStr, CString};

const TRIPLE: &CStr = c"x86_64-unknown-linux-gnu";

/// Name of the processor model whose instruction set a width uses.
pub fn cpu(width: Width) -> &'static str {
    match width {
        Width::W4 => "x86-64-v2",
        Width::W8 => "x86-64-v3",
        Width::W16 => "x86-64-v4",
    }
}

/// What is used beyond the model's defaults. Gathers of AVX2 are no slower than the same lane by lane, and much shorter under
/// masks: there a branch per lane would be taken.
pub fn features(width: Width) -> &'static CStr {
    match width {
        Width::W4 | Width::W16 => c"",
        Width::W8 => c"+fast-gather",
    }
}

/// Above this number of IR instructions only passes of linear cost run, as they do for quick compilation.
const LARGE: usize = 60_000;

/// The code comes as explicit vectors in structured control flow: promote cells to SSA, clean up, hoist. No vectorisers. Equal
/// values across blocks were found before this point, so that a second round, or one of global value numbering, changes nothing but
/// the time it takes.
const PASSES: &CStr =
    c"function(mem2reg,early-cse,simplifycfg,instcombine<no-verify-fixpoint>,loop-mssa(licm),simplifycfg,dce)";
const PASSES_QUICK: &CStr = c"function(mem2reg,early-cse,simplifycfg,dce)";

/// A target machine, made per compilation: LLVM's are not shareable between threads.
pub struct Machine {
    machine: LLVMTargetMachineRef,
    quick: bool,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: made by `new`, owned by this value.
        unsafe { LLVMDisposeTargetMachine(self.machine) };
    }
}

impl Machine {
    /// A machine for a width, and whether it is to take little time for code that will take more.
    pub fn new(width: Width, quick: bool) -> Result<Machine, CodegenError> {
        let cpu = CString::new(cpu(width)).unwrap_or_default();
        // SAFETY: all strings are nul-terminated and outlive the calls; results are checked before use.
        unsafe {
            let mut target = std::ptr::null_mut();
            let mut message = std::ptr::null_mut();
            if LLVMGetTargetFromTriple(TRIPLE.as_ptr(), &mut target, &mut message) != 0 {
                return Err(CodegenError::Llvm(take_message(message)));
            }
            let machine = LLVMCreateTargetMachine(
                target,
                TRIPLE.as_ptr(),
                cpu.as_ptr(),
                features(width).as_ptr(),
                match quick {
                    true => LLVMCodeGenOptLevel::LLVMCodeGenLevelNone,
                    false => LLVMCodeGenOptLevel::LLVMCodeGenLevelLess,
                },
                LLVMRelocMode::LLVMRelocPIC,
                LLVMCodeModel::LLVMCodeModelSmall,
            );
            if machine.is_null() {
                return Err(CodegenError::Llvm("no target machine".into()));
            }
            Ok(Machine { machine, quick })
        }
    }

    /// Sets the module's triple and data layout; to be done before code is added.
    pub fn prepare(&self, module: &Module) {
        // SAFETY: machine and module are alive; the layout is disposed after its copy into the module.
        unsafe {
            LLVMSetTarget(module.module, TRIPLE.as_ptr());
            let layout = LLVMCreateTargetDataLayout(self.machine);
            LLVMSetModuleDataLayout(module.module, layout);
            LLVMDisposeTargetData(layout);
        }
    }

    /// Runs the pass pipeline.
    pub fn optimise(&self, module: &Module, instructions: usize) -> Result<(), CodegenError> {
        let passes = if self.quick || instructions > LARGE { PASSES_QUICK } else { PASSES };
        // SAFETY: module and machine are alive, the pipeline string is nul-terminated; options and error are disposed once.
        unsafe {
            let options = LLVMCreatePassBuilderOptions();
            LLVMPassBuilderOptionsSetLoopVectorization(options, 0);
            LLVMPassBuilderOptionsSetSLPVectorization(options, 0);
            let error = LLVMRunPasses(module.module, passes.as_ptr(), self.machine, options);
            LLVMDisposePassBuilderOptions(options);
            if error.is_null() {
                return Ok(());
            }
            let message = LLVMGetErrorMessage(error);
            let text = CStr::from_ptr(message).to_string_lossy().into_owned();
            LLVMDisposeErrorMessage(message);
            Err(CodegenError::Llvm(text))
        }
    }

    /// The object file.
    pub fn object(&self, module: &Module) -> Result<Vec<u8>, CodegenError> {
        self.emit(module.module, LLVMCodeGenFileType::LLVMObjectFile)
    }

    /// The assembly text, of a copy: emission changes the module.
    pub fn assembly(&self, module: &Copy<'_>) -> Result<String, CodegenError> {
        let bytes = self.emit(module.module, LLVMCodeGenFileType::LLVMAssemblyFile)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn emit(&self, module: LLVMModuleRef, kind: LLVMCodeGenFileType) -> Result<Vec<u8>, CodegenError> {
        // SAFETY: module and machine are alive; the buffer is read within its size and disposed once.
        unsafe {
            let mut message = std::ptr::null_mut();
            let mut buffer = std::ptr::null_mut();
            if LLVMTargetMachineEmitToMemoryBuffer(self.machine, module, kind, &mut message, &mut buffer) != 0 {
                return Err(CodegenError::Llvm(take_message(message)));
            }
            let bytes =
                std::slice::from_raw_parts(LLVMGetBufferStart(buffer).cast::<u8>(), LLVMGetBufferSize(buffer)).to_vec();
            LLVMDisposeMemoryBuffer(buffer);
            Ok(bytes)
        }
    }
}
