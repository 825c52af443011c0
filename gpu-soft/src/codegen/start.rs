//! Getting LLVM ready, when something is first compiled.
//!
//! LLVM's objects have some four hundred constructors (of command-line options, above all), which the dynamic linker would run when the
//! driver is loaded: milliseconds, and twenty megabytes of code touched, in programs whose kernels are all in the cache. The driver
//! library is linked so that they stand in a section of their own (`icd/constructors.ld`); in other programs that section is
//! empty, and they run as ever.

use llvm_sys::target::{
    LLVMInitializeX86AsmPrinter, LLVMInitializeX86Target, LLVMInitializeX86TargetInfo, LLVMInitializeX86TargetMC,
};
use std::sync::Once;

/// A constructor as the dynamic linker calls it, less the arguments of `main`, which C++ does not look at.
type Constructor = Option<unsafe extern "C" fn()>;

/// Makes the section be there where nothing else does.
#[used]
#[link_section = "llvm_constructors"]
static NONE: [std::sync::atomic::AtomicUsize; 1] = [std::sync::atomic::AtomicUsize::new(0)];

extern "C" {
    #[link_name = "__start_llvm_constructors"]
    static START: [Constructor; 0];
    #[link_name = "__stop_llvm_constructors"]
    static STOP: [Constructor; 0];
}

/// Runs LLVM's constructors, unless loading the program did.
///
/// # Safety
/// Called once, before anything of LLVM.
unsafe fn construct() {
    // What is not mentioned the linker may leave out.
    std::hint::black_box(&NONE);
    // SAFETY: the linker makes both symbols, the bounds of a section that holds only addresses of constructors and zeros;
    // each is called once, as the dynamic linker would have done.
    unsafe {
        let (mut at, end) = ((&raw const START).cast::<Constructor>(), (&raw const STOP).cast::<Constructor>());
        while at < end {
            if let Some(constructor) = *at {
                constructor();
            }
            at = at.add(1);
        }
    }
}

/// Makes LLVM ready for use; to be called before anything of it is.
pub fn ready() {
    static READY: Once = Once::new();
    READY.call_once(|| {
        // SAFETY: once per process, before anything else of LLVM; registration of the one target that is linked.
        unsafe {
            construct();
            LLVMInitializeX86TargetInfo();
            LLVMInitializeX86Target();
            LLVMInitializeX86TargetMC();
            LLVMInitializeX86AsmPrinter();
        }
    });
}
