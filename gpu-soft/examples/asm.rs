//! The machine code of a shader without a driver around it: `asm FILE.spv [WIDTH [JAM [unchecked]]]` prints the optimised kernel, the LLVM
//! module, the assembly and the statistics, for the width of this machine by default and all bindings that it uses. A jam of 0
//! is the code generator's own choice.

use compiler::{frontend, passes};
use gpu_soft::codegen::{compile, Options};
use gpu_soft::kernel_abi::{BindingSlot, Width};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let file = args.first().expect("a file");
    let number = |i: usize| args.get(i).map(|n| n.parse::<u32>().expect("a number"));
    let width = number(1).and_then(Width::from_lanes).or(Width::best()).expect("a width");
    let bytes = std::fs::read(file).expect("readable");
    let words: Vec<u32> = bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect();
    let options = frontend::Options { subgroup_size: width.lanes(), ..frontend::Options::default() };
    let mut kernel = frontend::translate(&words, &options).expect("translates");
    passes::optimize(&mut kernel, &passes::Options::default()).expect("optimises");
    let slot = |(i, b): (usize, &compiler::sir::Binding)| BindingSlot {
        set: b.set,
        binding: b.binding,
        offset: 64 * i as u32,
        stride: 64,
        count: b.count.max(1),
        ..BindingSlot::default()
    };
    let bindings: Vec<BindingSlot> = kernel.bindings.iter().enumerate().map(slot).collect();
    let checked = args.get(3).is_none_or(|word| word != "unchecked");
    let options = Options {
        jam: number(2).filter(|jam| *jam > 0),
        robust_storage: checked,
        robust_uniform: checked,
        want_ir: true,
        want_asm: true,
        ..Options::new(width, &bindings)
    };
    let binary = compile(&kernel, &options).expect("compiles");
    println!("{}", compiler::text::print(&kernel));
    println!("{}\n{}", binary.ir.unwrap_or_default(), binary.asm.unwrap_or_default());
    println!("{:?}", binary.stats);
}
