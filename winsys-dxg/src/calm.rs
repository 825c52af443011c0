//! Threads of a driver's own, in a process that is somebody else's.

use std::mem::MaybeUninit;

/// Runs `body` without the application's signals and with plain floating-point state (to nearest, nothing flushed, nothing trapped), and
/// gives back what the thread had. Threads that `body` starts have both for good, from their first instruction on: a thread inherits
/// them from the one that starts it. Signals that a thread's own instructions raise stay with it.
///
/// This is for code that computes with floats on behalf of a GPU, whose results must not depend on the thread that asks, and for threads that an
/// application's handlers are not to run on.
pub fn calm<R>(body: impl FnOnce() -> R) -> R {
    let _signals = Signals::block();
    let _floats = Floats::plain();
    body()
}

/// The signals that a thread blocked before; `None` if nothing was changed.
struct Signals(Option<libc::sigset_t>);

impl Signals {
    fn block() -> Signals {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        let mut old = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigfillset initialises the set before it is used, and both pointers are to storage of the right type; the old mask has
        // been written where the call succeeded.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT] {
                libc::sigdelset(set.as_mut_ptr(), signal);
            }
            let done = libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), old.as_mut_ptr()) == 0;
            Signals(done.then(|| old.assume_init()))
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        if let Some(old) = &self.0 {
            // SAFETY: the mask that this thread had.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old, std::ptr::null_mut()) };
        }
    }
}

/// Runs `body` without the thread being cancelled (`pthread_cancel`): it ends at the next place for that behind. Waits, in which applications
/// cancel threads, need it: descriptors are closed and messages written by calls that threads are cancelled in, and the unwinding that
/// comes of it may not pass frames of Rust.
pub fn uncancelled<R>(body: impl FnOnce() -> R) -> R {
    let _cancellation = Cancellation::disable();
    body()
}

/// Whether a thread could be cancelled before.
struct Cancellation(libc::c_int);

extern "C" {
    /// `state` is PTHREAD_CANCEL_ENABLE (0) or PTHREAD_CANCEL_DISABLE (1), see pthread.h.
    fn pthread_setcancelstate(state: libc::c_int, old: *mut libc::c_int) -> libc::c_int;
}

impl Cancellation {
    fn disable() -> Cancellation {
        let mut old = 0;
        // SAFETY: a valid state, and a place for the old one.
        unsafe { pthread_setcancelstate(1, &mut old) };
        Cancellation(old)
    }
}

impl Drop for Cancellation {
    fn drop(&mut self) {
        let mut ours = 0;
        // SAFETY: the state that this thread had, and a place for what it has. Nobody is cancelled in this call.
        unsafe { pthread_setcancelstate(self.0, &mut ours) };
    }
}

/// The floating-point state that a thread had before.
struct Floats(u32);

impl Floats {
    fn plain() -> Floats {
        let mut old = 0u32;
        // SAFETY: stores four bytes into a variable of that size.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut old, options(nostack, preserves_flags)) };
        guard::plain_float_state();
        Floats(old)
    }
}

impl Drop for Floats {
    fn drop(&mut self) {
        // SAFETY: the state that this thread had.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &self.0, options(nostack, readonly, preserves_flags)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mxcsr() -> u32 {
        let mut now = 0u32;
        // SAFETY: stores four bytes into a variable of that size.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut now, options(nostack, preserves_flags)) };
        // Flags of what has happened do not matter.
        now & !0x3f
    }

    fn blocks(signal: i32) -> bool {
        let mut now = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: asks for this thread's mask.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), now.as_mut_ptr());
            libc::sigismember(now.as_ptr(), signal) == 1
        }
    }

    fn state() -> (u32, bool, bool, bool) {
        (mxcsr(), blocks(libc::SIGUSR1), blocks(libc::SIGALRM), blocks(libc::SIGSEGV))
    }

    #[test]
    fn what_the_application_set_is_away_and_comes_back() {
        std::thread::spawn(|| {
            // Flush to zero, round up.
            let odd = 0x8000u32 | 0x4000 | 0x1f80;
            // SAFETY: nothing but this test computes on this thread.
            unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &odd, options(nostack, readonly, preserves_flags)) };
            assert_eq!(state(), (odd, false, false, false));
            let (inside, started) = calm(|| {
                let thread = std::thread::spawn(state);
                (state(), thread.join().unwrap())
            });
            assert_eq!(inside, (0x1f80, true, true, false));
            assert_eq!(started, inside);
            assert_eq!(state(), (odd, false, false, false));
            let caught = std::panic::catch_unwind(|| calm(|| panic!("on purpose")));
            assert!(caught.is_err());
            assert_eq!(state(), (odd, false, false, false));
        })
        .join()
        .unwrap();
    }
}
