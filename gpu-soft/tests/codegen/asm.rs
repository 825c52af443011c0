//! What the machine code looks like.

use super::native::widths;
use compiler::text::parse;
use gpu_soft::codegen::{compile, Binary, Options};
use gpu_soft::kernel_abi::{BindingSlot, Width};

fn bindings() -> Vec<BindingSlot> {
    (0..4)
        .map(|binding| BindingSlot { binding, offset: 32 * binding, stride: 32, count: 1, ..Default::default() })
        .collect()
}

fn build(text: &str, width: Width) -> (Binary, String) {
    let kernel = parse(text).expect("parses");
    compiler::verify::verify(&kernel).expect("verifies");
    let slots = bindings();
    let options = Options { want_asm: true, want_ir: true, ..Options::new(width, &slots) };
    let binary = compile(&kernel, &options).expect("compiles");
    let asm = binary.asm.clone().expect("asked for");
    if std::env::var("SIR_SHOW").is_ok() {
        println!("{}\n{asm}", binary.ir.clone().unwrap_or_default());
    }
    (binary, asm)
}

pub const SAXPY: &str = r#"kernel "saxpy"
local_size 64 1 1
push 4
binding 0.0 storage_buffer count 1
binding 0.1 storage_buffer count 1 written
body {
  %0:i32 = builtin global_id.x
  %1:i64 = zext %0
  %2:i64 = const 4
  %3:i64 = imul %1 %2
  %4:f32 = load push(0) align 4
  %5:buf = buffer 0.0
  %6:buf = buffer 0.1
  %7:f32 = load buffer(%5 %3 0) align 4 non_writable
  %8:f32 = load buffer(%6 %3 0) align 4
  %9:f32 = fmul %4 %7
  %10:f32 = fadd %9 %8
  store buffer(%6 %3 0) %10 align 4
  return
}
"#;

/// Instructions of the blocks that are not the slow path: those before the first gather, or all.
fn count(asm: &str, what: &str) -> usize {
    asm.lines().filter(|l| l.trim_start().starts_with(what)).count()
}

#[test]
fn saxpy_is_vector_moves() {
    for width in widths() {
        let (binary, asm) = build(SAXPY, width);
        assert_eq!(binary.stats.contiguous, 3, "{width:?}");
        assert_eq!(binary.stats.gathers, 0, "{width:?}");
        assert_eq!(count(&asm, "call"), 0, "{width:?}: {asm}");
        if width != Width::W4 {
            assert!(asm.contains("vfmadd"), "{width:?}: {asm}");
        }
        if width == Width::W16 {
            assert!(asm.contains("zmm"), "{asm}");
        }
    }
}

#[test]
fn no_contraction_where_it_is_forbidden() {
    let text = SAXPY.replace("fmul %4 %7", "fmul %4 %7 no_contract");
    for width in widths() {
        let (_, asm) = build(&text, width);
        assert!(!asm.contains("vfmadd"), "{width:?}: {asm}");
    }
}
