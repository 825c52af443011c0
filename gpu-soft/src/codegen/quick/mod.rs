//! Machine code at once: a back end that takes a fraction of the time that LLVM does, for code that takes longer.
//!
//! Instructions become machine code one after the other, as they stand, with registers given out within a block. It makes code for
//! AVX-512 only: masks, gathers, and operations on elements of all sizes are there as instructions, so that nearly every
//! operation of the generator is one. Vectors that are longer than a register are several. What it does not have it refuses,
//! and the kernel goes to LLVM.

mod analyse;
mod asm;
#[cfg(test)]
mod asm_tests;
mod constants;
mod convert;
mod emit;
mod lanes;
mod memory;
mod object;
mod regs;
mod scalar;
mod vector;

use super::ir::Module;
use crate::loader::ENTRY;

/// What there is no code for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub &'static str);

/// The object file of a module.
pub fn compile(module: &Module) -> Result<Vec<u8>, Refused> {
    let s = &*module.state.borrow();
    let facts = analyse::Facts::new(s);
    let mut a = asm::Asm::default();
    let functions = s.functions.iter().map(|_| a.label()).collect();
    let blocks = s.blocks.iter().map(|_| a.label()).collect();
    let labels = emit::Labels { functions, blocks };
    for index in 0..s.functions.len() {
        emit::function(s, &facts, &mut a, &labels, index)?;
    }
    let entry = s.functions.iter().position(|f| f.name == ENTRY).and_then(|i| a.position(labels.functions[i]));
    let Some(entry) = entry else { return Err(Refused("no entry function")) };
    Ok(object::object(&a.finish(), entry, ENTRY))
}
