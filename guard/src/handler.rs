//! The signal handler behind this crate, and how it gets along with other handlers of the process.
//!
//! It is installed with the first user and taken away with the last, unless somebody has put a handler over it: that one may call
//! it at any time, so it has to stay (as does the library). A signal that is not of guarded code gets what it
//! would have got without us: the default action, or the handler that was there before, with its own mask. An application that installs a
//! handler later gets all signals first; if it keeps those of the driver's threads to itself, a stray access of a kernel is what the
//! application makes of it.

use crate::call::{after_fork, resume, BadAccess, NO_ADDRESS};
use crate::vanishing::stand_in;
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, Once, PoisonError};

const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// The first three arguments of a handler, or all but the first ignored.
type Handler = unsafe extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut c_void);

/// What was there before, for one of the signals.
struct Before {
    /// Null before the first installation; what it points to lives for ever and never changes.
    action: AtomicPtr<libc::sigaction>,
    /// It wanted to be called once, and was.
    used_up: AtomicBool,
}

static BEFORE: [Before; 2] =
    [const { Before { action: AtomicPtr::new(null_mut()), used_up: AtomicBool::new(false) } }; 2];

/// Users that rely on the handler, and whether it is in place for each signal.
static USERS: Mutex<(usize, [bool; 2])> = Mutex::new((0, [false; 2]));

/// Keeps the handler in place.
#[derive(Debug)]
pub struct Installed(());

impl Installed {
    /// Installs the handler, unless it is there.
    pub fn new() -> Installed {
        static FORK: Once = Once::new();
        FORK.call_once(|| {
            // SAFETY: the function only stores to atomics and is there as long as the library.
            unsafe { libc::pthread_atfork(None, None, Some(after_fork)) };
        });
        let mut users = USERS.lock().unwrap_or_else(PoisonError::into_inner);
        users.0 += 1;
        for (i, there) in users.1.iter_mut().enumerate() {
            *there = *there || install(i);
        }
        Installed(())
    }
}

impl Default for Installed {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let mut users = USERS.lock().unwrap_or_else(PoisonError::into_inner);
        users.0 -= 1;
        if users.0 == 0 {
            for (i, there) in users.1.iter_mut().enumerate() {
                *there = *there && !remove(i);
            }
        }
    }
}

/// The action in place.
fn current(signal: libc::c_int) -> Option<libc::sigaction> {
    // SAFETY: zeros are an action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only asks.
    (unsafe { libc::sigaction(signal, null(), &mut action) } == 0).then_some(action)
}

fn install(i: usize) -> bool {
    let Some(old) = current(SIGNALS[i]) else { return false };
    if old.sa_sigaction == on_signal as Handler as usize {
        // Somebody has put back what he had found.
        return true;
    }
    let again = old.sa_flags & libc::SA_RESTART;
    // From the moment on at which the handler is there it may need the old one. One action is leaked for each first instance.
    BEFORE[i].action.store(Box::into_raw(Box::new(old)), Ordering::Release);
    BEFORE[i].used_up.store(false, Ordering::Relaxed);
    // SAFETY: zeros are an action, with an empty mask.
    let mut ours: libc::sigaction = unsafe { std::mem::zeroed() };
    ours.sa_sigaction = on_signal as Handler as usize;
    // With the signal left open, so that who comes after sees the mask that it would have seen.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER | again;
    // SAFETY: the handler keeps to what a handler may do, and stays mapped (the library is never unloaded).
    unsafe { libc::sigaction(SIGNALS[i], &ours, null_mut()) == 0 }
}

/// Puts the old action back if ours is in place; whether it was.
fn remove(i: usize) -> bool {
    let ours = current(SIGNALS[i]).is_some_and(|a| a.sa_sigaction == on_signal as Handler as usize);
    // SAFETY: null or an action that lives for ever.
    let old = unsafe { BEFORE[i].action.load(Ordering::Acquire).as_ref() };
    // SAFETY: an action that was in place before.
    ours && old.is_some_and(|old| unsafe { libc::sigaction(SIGNALS[i], old, null_mut()) } == 0)
}

unsafe extern "C" fn on_signal(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system hands both to a handler with SA_SIGINFO; somebody who calls it by hand may have none.
    if let (Some(info), Some(context)) = unsafe { (info.as_ref(), context.cast::<libc::ucontext_t>().as_mut()) } {
        // What another process or thread sent, and memory that failed elsewhere, is not of this instruction.
        let own = info.si_code > 0 && !(signal == libc::SIGBUS && info.si_code == libc::BUS_MCEERR_AO);
        // SAFETY: the context is that of this thread, at the instruction.
        if own && unsafe { resume(context, bad_access(info, context)) } {
            return;
        }
        if own && signal == libc::SIGSEGV {
            // Of system calls that stand in for pages the interrupted code is not to know.
            // SAFETY: the thread's own variable; its address is found without allocation, as the C library is part of the program.
            let errno = unsafe { &mut *libc::__errno_location() };
            let before = *errno;
            let there = stand_in(bad_access(info, context).address);
            *errno = before;
            if there {
                return;
            }
        }
    }
    // SAFETY: the arguments are those of this call.
    unsafe { pass_on(signal, info, context) };
}

/// What the processor says of an access.
fn bad_access(info: &libc::siginfo_t, context: &libc::ucontext_t) -> BadAccess {
    const GENERAL_PROTECTION: i64 = 13;
    const PAGE_FAULT: i64 = 14;
    const WRITE: i64 = 2;
    let registers = &context.uc_mcontext.gregs;
    let trap = registers[libc::REG_TRAPNO as usize];
    if trap == GENERAL_PROTECTION {
        return BadAccess { address: NO_ADDRESS, write: false };
    }
    let write = trap == PAGE_FAULT && registers[libc::REG_ERR as usize] & WRITE != 0;
    // SAFETY: signals of an instruction have an address.
    BadAccess { address: unsafe { info.si_addr() } as u64, write }
}

/// Does what would have been done without us.
///
/// # Safety
/// As a handler's.
unsafe fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(i) = SIGNALS.iter().position(|s| *s == signal) else { return };
    let before = &BEFORE[i];
    // SAFETY: null or an action that lives for ever.
    let action = unsafe { before.action.load(Ordering::Acquire).as_ref() };
    // SAFETY: null, or the system's.
    let sent = unsafe { info.as_ref() }.is_none_or(|info| info.si_code <= 0);
    let handler = action.map_or(libc::SIG_DFL, |a| a.sa_sigaction);
    let once = action.is_some_and(|a| a.sa_flags & libc::SA_RESETHAND != 0);
    if handler == libc::SIG_IGN && sent {
        return;
    }
    let default =
        handler == libc::SIG_DFL || handler == libc::SIG_IGN || (once && before.used_up.load(Ordering::Relaxed));
    let Some(action) = action.filter(|_| !default) else {
        // SAFETY: zeros are the default action. An instruction is refused again when the handler returns; what was sent
        // is sent again.
        unsafe {
            let plain: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, &plain, null_mut());
            if sent {
                libc::raise(signal);
            }
        }
        return;
    };
    before.used_up.store(once, Ordering::Relaxed);
    // SAFETY: the mask is that of the action, and what is blocked here is opened again when the handler returns; the function is
    // the action's, of either form, which by the calling convention takes the three arguments.
    unsafe {
        let mut mask = action.sa_mask;
        if action.sa_flags & libc::SA_NODEFER == 0 {
            libc::sigaddset(&mut mask, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &mask, null_mut());
        std::mem::transmute::<usize, Handler>(handler)(signal, info, context);
    }
}
