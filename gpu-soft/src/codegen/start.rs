//! Getting LLVM ready, when something is first compiled.
//!
//! LLVM's objects have some four hundred constructors (of command-line options, above all), which the dynamic linker would run when the
//! driver is loaded: milliseconds, and twenty megabytes of code touched, in programs whose kernels are all in the cache. The driver
//! library is linked so that they stand in a section of their own (`icd/constructors.ld`); in other programs that section is
//! empty, and they run as ever.

use llvm_sys::target::{
    LLVMInitializeX86AsmPrinter, LLVMInitializeX86Target, LLVMInitializeX86TargetInfo, LLVMInitializeX86TargetMC,
};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard};

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

/// Whether the process is ending. Whoever uses LLVM reads along.
static ENDING: RwLock<bool> = RwLock::new(false);

/// The process that made LLVM ready.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Runs before LLVM's destructors do: waits for who uses it, and lets nobody begin any more. Kernels are compiled in the background,
/// also while the program ends.
extern "C" fn end() {
    // Those who used it when the process forked are not in the child, and would be waited for for ever.
    if OWNER.load(Relaxed) != std::process::id() {
        return;
    }
    *ENDING.write().unwrap_or_else(PoisonError::into_inner) = true;
}

/// Leave to use LLVM, as long as it is held; `None` if the process is ending.
pub fn leave() -> Option<RwLockReadGuard<'static, bool>> {
    ready();
    let ending = ENDING.read().unwrap_or_else(PoisonError::into_inner);
    (!*ending).then_some(ending)
}

/// Makes LLVM ready for use; to be called before anything of it is.
fn ready() {
    static READY: Once = Once::new();
    READY.call_once(|| {
        // SAFETY: once per process, before anything else of LLVM; registration of the one target that is linked.
        unsafe {
            construct();
            LLVMInitializeX86TargetInfo();
            LLVMInitializeX86Target();
            LLVMInitializeX86TargetMC();
            LLVMInitializeX86AsmPrinter();
            // After the constructors, so that it comes before what they registered. Without room for it there is nothing to be done.
            OWNER.store(std::process::id(), Relaxed);
            let _ = libc::atexit(end);
        }
    });
}
