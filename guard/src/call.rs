//! Runs code that may touch any address, and survives it: an access that the processor refuses ends that code and
//! nothing else.
//!
//! GPU addresses are CPU addresses, so a kernel's stray access is a SIGSEGV (or SIGBUS) of the thread that runs it. The handler
//! (see [`Installed`](crate::Installed)) looks whether the thread is inside of [`call`]; if so it makes the thread go on at the end of `call`, with
//! the stack as it was there. The frames in between are gone without their destructors, so only code without any may
//! run under the guard: machine code of kernels, and leaf functions that hold no lock and own nothing where they touch memory
//! of the application. A function that does own something reads by a call of its own inside of the kernel's: that one comes back to the
//! function, and the kernel's call fails when the kernel is through.
//!
//! What is not caught: an access that the processor allows. Kernels see all memory of the process, and a stray store can hit the
//! application's own.

use crate::list::List;
use std::arch::asm;
use std::cell::Cell;
use std::mem::offset_of;
use std::sync::atomic::{compiler_fence, AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// An access that the processor refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAccess {
    /// Address, or [`NO_ADDRESS`].
    pub address: u64,
    /// Whether it was a write.
    pub write: bool,
}

/// Stands for an address beyond the 47 bits of a process, of which the processor does not say what it is: the first such.
pub const NO_ADDRESS: u64 = 1 << 47;

/// Code to run: the shape of a kernel's entry point.
pub type Code = unsafe extern "C" fn(*const (), u64, u64, *mut u8);

/// What a thread needs to come back; written by the thread itself and its signal handler.
#[repr(C)]
#[derive(Default)]
struct Slot {
    /// Where to go on, and registers that functions keep.
    rip: AtomicU64,
    rsp: AtomicU64,
    rbp: AtomicU64,
    rbx: AtomicU64,
    /// `pthread_self()` while it runs guarded code, else 0.
    thread: AtomicUsize,
    /// What happened, if something did.
    address: AtomicU64,
    write: AtomicBool,
    /// A nested call was left.
    inner: AtomicBool,
    /// Belongs to a thread.
    claimed: AtomicBool,
}

/// All slots there are. They are never freed, and used again: there are as many as there have been threads at a time. The handler
/// walks this list instead of asking for a thread-local variable, which may allocate at its first use.
static SLOTS: List<Slot> = List::new();

fn claim() -> &'static Slot {
    let free =
        |slot: &&'static Slot| slot.claimed.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok();
    let new = || SLOTS.add(Slot { claimed: AtomicBool::new(true), ..Slot::default() });
    SLOTS.iter().find(free).unwrap_or_else(new)
}

/// The slot of a thread, given back when it ends.
struct Own(Cell<Option<&'static Slot>>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.claimed.store(false, Ordering::Release);
        }
    }
}

thread_local! {
    static OWN: Own = const { Own(Cell::new(None)) };
}

fn own() -> &'static Slot {
    OWN.with(|own| {
        own.0.get().unwrap_or_else(|| {
            let slot = claim();
            own.0.set(Some(slot));
            slot
        })
    })
}

fn this_thread() -> usize {
    // SAFETY: has no requirements, also in a signal handler.
    unsafe { libc::pthread_self() as usize }
}

/// Calls `code(a, b, c, d)`.
///
/// # Errors
/// The access that the processor refused: `code` was left there, or a nested call inside of it was.
///
/// # Safety
/// The call itself is sound but for the addresses that it touches, and it may be left at any access to memory outside of nested
/// calls: no frame between needs to be unwound. An [`Installed`](crate::Installed) exists.
pub unsafe fn call(code: Code, a: *const (), b: u64, c: u64, d: *mut u8) -> Result<(), BadAccess> {
    let slot = own();
    let get = |word: &AtomicU64| word.load(Ordering::Relaxed);
    let back = [&slot.rip, &slot.rsp, &slot.rbp, &slot.rbx];
    let outer = back.map(get);
    let nested = slot.thread.swap(this_thread(), Ordering::Relaxed) != 0;
    compiler_fence(Ordering::SeqCst);
    // SAFETY: this function's contract.
    let left = unsafe { enter(slot, code, a, b, c, d) };
    compiler_fence(Ordering::SeqCst);
    if nested {
        back.iter().zip(outer).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        slot.inner.fetch_or(left, Ordering::Relaxed);
    } else {
        slot.thread.store(0, Ordering::Relaxed);
    }
    let inner = !nested && slot.inner.swap(false, Ordering::Relaxed);
    if left || inner {
        return Err(BadAccess { address: get(&slot.address), write: slot.write.load(Ordering::Relaxed) });
    }
    Ok(())
}

/// Copies bytes from any address.
///
/// # Errors
/// As [`call`]. Inside of another call that one will fail, too.
///
/// # Safety
/// What is at the address, if something is, may be read.
pub unsafe fn read(address: u64, into: &mut [u8]) -> Result<(), BadAccess> {
    unsafe extern "C" fn copy(_: *const (), from: u64, bytes: u64, to: *mut u8) {
        // SAFETY: `to` has room for the bytes; of `from` the guard knows. Bytes that others write meanwhile are some bytes.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to, bytes as usize) };
    }
    // SAFETY: `copy` has nothing to unwind.
    unsafe { call(copy, std::ptr::null(), address, into.len() as u64, into.as_mut_ptr()) }
}

/// Notes where to come back and calls `code`; true if the handler made it come back.
///
/// # Safety
/// As [`call`].
#[inline(never)]
unsafe fn enter(slot: &'static Slot, code: Code, a: *const (), b: u64, c: u64, d: *mut u8) -> bool {
    let left: u64;
    // SAFETY: an ordinary call by the C convention, whose registers are all given up; the stack is aligned since the block may
    // use it. Those that such a call keeps are given up, too, or (rbx, rbp, the stack pointer, which a block cannot give up)
    // written to the slot. So the end of the block may be reached from any instruction inside of the call, as `resume` does it:
    // with the slot in r12.
    unsafe {
        asm!(
            "lea rax, [rip + 2f]",
            "mov [r12 + {rip}], rax",
            "mov [r12 + {rsp}], rsp",
            "mov [r12 + {rbp}], rbp",
            "mov [r12 + {rbx}], rbx",
            "call r13",
            "xor eax, eax",
            "jmp 3f",
            "2:",
            "mov rbp, [r12 + {rbp}]",
            "mov rbx, [r12 + {rbx}]",
            "mov eax, 1",
            "3:",
            rip = const offset_of!(Slot, rip),
            rsp = const offset_of!(Slot, rsp),
            rbp = const offset_of!(Slot, rbp),
            rbx = const offset_of!(Slot, rbx),
            inout("r12") std::ptr::from_ref(slot) => _,
            inout("r13") code => _,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("rcx") d,
            out("r14") _,
            out("r15") _,
            lateout("rax") left,
            clobber_abi("sysv64"),
        );
    }
    left != 0
}

/// Makes the interrupted thread go on at the end of [`call`], if it is inside of one; called by the handler.
///
/// # Safety
/// The context is that of an instruction of this thread that was refused.
pub(crate) unsafe fn resume(context: &mut libc::ucontext_t, bad: BadAccess) -> bool {
    let me = this_thread();
    let Some(slot) = SLOTS.iter().find(|slot| slot.thread.load(Ordering::Relaxed) == me) else { return false };
    slot.address.store(bad.address, Ordering::Relaxed);
    slot.write.store(bad.write, Ordering::Relaxed);
    let registers = &mut context.uc_mcontext.gregs;
    registers[libc::REG_RIP as usize] = slot.rip.load(Ordering::Relaxed) as i64;
    registers[libc::REG_RSP as usize] = slot.rsp.load(Ordering::Relaxed) as i64;
    registers[libc::REG_R12 as usize] = std::ptr::from_ref(slot) as i64;
    // The direction flag is clear wherever functions meet.
    registers[libc::REG_EFL as usize] &= !0x400;
    true
}

/// In a forked child none of the parent's other threads is inside of anything; a new one may have the name of an old one.
pub(crate) extern "C" fn after_fork() {
    for slot in SLOTS.iter() {
        slot.thread.store(0, Ordering::Relaxed);
    }
}

/// Gives this thread the floating-point state that kernels are compiled for: to nearest, nothing flushed, nothing trapped. A
/// thread has that of the thread that started it, which is the application's to choose.
pub fn plain_float_state() {
    let mxcsr: u32 = 0x1f80;
    // SAFETY: the default state, which all code but the one that changed it expects.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &mxcsr, options(nostack, readonly, preserves_flags)) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Installed;

    /// Reads the byte at `b`, or writes it if `c`, and says that it came back.
    unsafe extern "C" fn touch(done: *const (), b: u64, c: u64, _: *mut u8) {
        let at = b as *mut u8;
        // SAFETY: under the guard any address will do.
        unsafe {
            if c != 0 {
                at.write_volatile(7);
            } else {
                at.read_volatile();
            }
            (*done.cast::<AtomicBool>()).store(true, Ordering::Relaxed);
        }
    }

    fn access(at: u64, write: bool) -> Result<(), BadAccess> {
        let done = AtomicBool::new(false);
        let flag = std::ptr::from_ref(&done).cast();
        // SAFETY: `touch` has nothing to unwind.
        let result = unsafe { call(touch, flag, at, u64::from(write), std::ptr::null_mut()) };
        assert_eq!(done.load(Ordering::Relaxed), result.is_ok());
        result
    }

    #[test]
    fn refused_accesses_are_told_apart() {
        let _installed = Installed::new();
        let word = 5u32;
        let constant: &'static str = "read-only";
        let fixed = (constant.as_ptr() as u64).next_multiple_of(4);
        for _ in 0..3 {
            assert_eq!(access(std::ptr::from_ref(&word) as u64, false), Ok(()));
            assert_eq!(access(8, false), Err(BadAccess { address: 8, write: false }));
            assert_eq!(access(0x12340, true), Err(BadAccess { address: 0x12340, write: true }));
            assert_eq!(access(fixed, false), Ok(()));
            assert_eq!(access(fixed, true), Err(BadAccess { address: fixed, write: true }));
            // Not an address at all.
            assert_eq!(access(0xdead_beef_dead_beef, true).map_err(|bad| bad.address), Err(NO_ADDRESS));
        }
    }

    #[test]
    fn threads_come_back_to_themselves_and_leave_their_slots() {
        let _installed = Installed::new();
        for _ in 0..8 {
            std::thread::scope(|s| {
                for i in 1..9u64 {
                    s.spawn(move || {
                        for k in 0..50 {
                            let address = i * 64 + 4 * (k & 1);
                            assert_eq!(access(address, k & 1 != 0), Err(BadAccess { address, write: k & 1 != 0 }));
                        }
                    });
                }
            });
        }
        // Other tests have threads, too.
        assert!(SLOTS.iter().count() < 32, "{}", SLOTS.iter().count());
    }

    #[test]
    fn a_nested_call_comes_back_and_the_outer_one_fails() {
        unsafe extern "C" fn outer(back: *const (), b: u64, c: u64, d: *mut u8) {
            let mut bytes = [3u8; 40];
            // SAFETY: nothing, or words of the test.
            let inner = unsafe { read(b, &mut bytes) };
            // SAFETY: the test's flag.
            unsafe { (*back.cast::<AtomicBool>()).store(true, Ordering::Relaxed) };
            assert_eq!(inner.is_ok(), c == 0);
            if !d.is_null() {
                // SAFETY: under the guard any address will do.
                unsafe { d.write_volatile(1) };
            }
        }
        let _installed = Installed::new();
        let there = [1u64; 8];
        let there = there.as_ptr() as u64;
        let run = |from: u64, bad: bool, to: u64| {
            let back = AtomicBool::new(false);
            let flag = std::ptr::from_ref(&back).cast();
            // SAFETY: the frame of `outer` has nothing to unwind.
            let result = unsafe { call(outer, flag, from, u64::from(bad), to as *mut u8) };
            assert!(back.load(Ordering::Relaxed));
            result
        };
        for _ in 0..2 {
            assert_eq!(run(there, false, 0), Ok(()));
            assert_eq!(run(24, true, 0), Err(BadAccess { address: 24, write: false }));
            assert_eq!(run(there, false, 32), Err(BadAccess { address: 32, write: true }));
            // The last one counts.
            assert_eq!(run(24, true, 32), Err(BadAccess { address: 32, write: true }));
        }
        assert_eq!(run(there, false, 0), Ok(()));
    }

    #[test]
    fn the_float_state_is_the_default() {
        let read = || {
            let mut mxcsr = 0u32;
            // SAFETY: writes the register's value to the variable.
            unsafe { asm!("stmxcsr [{}]", in(reg) &mut mxcsr, options(nostack, preserves_flags)) };
            mxcsr & !0x3f
        };
        std::thread::spawn(move || {
            let odd: u32 = 0xffc0;
            // SAFETY: flushing and truncating matter to nothing in this thread.
            unsafe { asm!("ldmxcsr [{}]", in(reg) &odd, options(nostack, readonly, preserves_flags)) };
            assert_eq!(read(), 0xffc0);
            plain_float_state();
            assert_eq!(read(), 0x1f80);
        })
        .join()
        .unwrap();
    }
}
