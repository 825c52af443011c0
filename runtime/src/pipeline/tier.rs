//! Tiers: code that is there at once, and better code for what is used much.
//!
//! A GPU may compile a kernel quickly to code that better code can follow ([`CompiledKernel::successor`]). Such a program is watched
//! from when it is first bound. A thread looks at what the kernels have taken so far, which the GPU notes behind them;
//! what has taken more than compiling is worth is compiled anew, and the GPU is told where the new code stands: dispatches
//! in execution go on with it. What is never used, or hardly, is never compiled again. The thread has no lower priority than others: where
//! kernels keep all processors busy it would get nowhere, and they would stay slow.

use super::build::{self, Settings};
use super::cache::{self, Key};
use super::program::{Program, ProgramCreate};
use super::store;
use crate::device::Device;
use crate::gpu::{successor, CompiledKernel};
use crate::heap::Block;
use crate::lock::lock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;
use winsys_dxg::calm;

/// What a kernel must have taken before it is compiled again, in the GPU's ticks on all of its threads: some milliseconds, a small part
/// of what compiling takes.
const WORTH: u64 = 8_000_000;

/// How long the thread waits before it looks again, at first; longer and longer if nothing happens.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// The same after it has looked so often without anything happening: what runs long will run for longer than that.
const IDLE_PAUSE: Duration = Duration::from_secs(1);
const PATIENCE: u32 = 40;

/// What is to be known to compile a program again.
#[derive(Debug)]
pub(super) struct Upgrade {
    device: Weak<Device>,
    create: ProgramCreate,
    settings: Settings,
    /// Where in the first binary the record is.
    at: u64,
    watched: AtomicBool,
    /// Held by who compiles.
    turn: Mutex<()>,
    /// The better code and its memory; `None` inside: there is none to be had.
    full: OnceLock<Option<(Block, Arc<CompiledKernel>)>>,
}

impl Upgrade {
    /// Of a kernel that has a record at that offset of its binary.
    pub fn new(device: &Arc<Device>, create: ProgramCreate, settings: &Settings, at: u64) -> Upgrade {
        Upgrade {
            device: Arc::downgrade(device),
            create,
            settings: *settings,
            at,
            watched: AtomicBool::new(false),
            turn: Mutex::new(()),
            full: OnceLock::new(),
        }
    }

    /// Compiles, unless that has been done.
    fn run(&self, key: &Key, first: &Block) -> Option<Arc<CompiledKernel>> {
        let _turn = lock(&self.turn);
        let full = self.full.get_or_init(|| {
            let device = self.device.upgrade()?;
            let kernel = compiled(&device, &self.create, &self.settings, key)?;
            let memory = Program::place(&device, &kernel).ok()?;
            successor::announce(first, self.at, &memory);
            if super::debug().report_tiers {
                eprintln!("; {}: the best code is there", self.create.entry);
            }
            Some((memory, kernel))
        });
        full.as_ref().map(|(_, kernel)| kernel.clone())
    }
}

/// The better code of a program: what has been compiled already, or compiled now.
pub(super) fn compiled(
    device: &Arc<Device>,
    create: &ProgramCreate,
    settings: &Settings,
    key: &Key,
) -> Option<Arc<CompiledKernel>> {
    let kept = !device.features().no_kernel_cache;
    if let Some(kernel) = cache::process_get(key).filter(|k| kept && k.successor.is_none()) {
        return Some(kernel);
    }
    // Another process may have been here before.
    let other = device.kernel_store().and_then(|kept| store::load(kept, &**device.gpu(), key));
    if let Some(kernel) = other.filter(|k| k.successor.is_none()) {
        let kernel = Arc::new(kernel);
        cache::process_insert(*key, &kernel, None);
        return Some(kernel);
    }
    let settings = Settings { first: false, ..*settings };
    // Not on the stack of whoever wants the code: code generation nests deeply. A panic ends that thread.
    let made = std::thread::scope(|s| {
        let builder = std::thread::Builder::new().name("vkdxg-compile".to_owned()).stack_size(build::STACK);
        calm(|| builder.spawn_scoped(s, || build::compile(device, create, &settings))).ok()?.join().ok()
    });
    let kernel = Arc::new(made?.ok()?.0);
    if kept {
        cache::process_insert(*key, &kernel, None);
    }
    if let Some(kept) = device.kernel_store() {
        store::store(kept, &**device.gpu(), key, &kernel);
    }
    Some(kernel)
}

impl Program {
    /// The program is used: it is watched from now on.
    #[inline]
    pub(crate) fn used(self: &Arc<Program>) {
        if let Some(upgrade) = self.upgrade() {
            // Looked at first: this is in the way of every bind, and an exchange locks the line.
            let watched = &upgrade.watched;
            if !watched.load(Ordering::Relaxed) && !watched.swap(true, Ordering::Relaxed) {
                if let Some(device) = upgrade.device.upgrade() {
                    device.tiers().watch(self);
                }
            }
        }
    }

    /// The best code of the program, compiled now if it has not been: for what outlives it.
    pub(super) fn best(&self) -> Arc<CompiledKernel> {
        let (key, kernel) = self.kernel();
        let better = self.upgrade().and_then(|u| u.run(key, self.memory()));
        better.unwrap_or_else(|| kernel.clone())
    }

    /// What its first code has taken so far; `None` if it has been followed.
    fn spent(&self) -> Option<u64> {
        let upgrade = self.upgrade()?;
        upgrade.full.get().is_none().then(|| successor::spent(self.memory(), upgrade.at))
    }
}

#[derive(Debug, Default)]
struct State {
    watched: Vec<Weak<Program>>,
    thread: Option<JoinHandle<()>>,
    /// The process that the thread is in.
    process: u32,
    /// Something was watched since the thread looked last.
    stirred: bool,
    quit: bool,
}

/// The programs of a device that better code may follow.
#[derive(Debug, Default)]
pub(crate) struct Tiers {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Tiers {
    fn watch(&self, program: &Arc<Program>) {
        let (state, wake) = &*self.shared;
        let mut s = lock(state);
        if s.quit {
            return;
        }
        s.watched.push(Arc::downgrade(program));
        s.stirred = true;
        if s.thread.is_none() {
            let shared = self.shared.clone();
            let builder = std::thread::Builder::new().name("vkdxg-tier".to_owned()).stack_size(build::STACK);
            // Without a thread the first code is all there is.
            s.thread = calm(|| builder.spawn(move || run(&shared))).ok();
            s.process = std::process::id();
        }
        drop(s);
        wake.notify_one();
    }

    /// Ends the thread. A compilation in progress is waited for; nothing new is begun.
    pub fn stop(&self) {
        let (state, wake) = &*self.shared;
        let mut s = lock(state);
        s.quit = true;
        s.watched.clear();
        let thread = s.thread.take();
        let own = s.process == std::process::id();
        drop(s);
        wake.notify_all();
        // After a fork there is no such thread; and the last owner of a device may be the thread itself.
        if let Some(thread) = thread.filter(|t| own && t.thread().id() != std::thread::current().id()) {
            // Panics of a compiler were caught; there is nothing to be done about others.
            let _ = thread.join();
        }
    }
}

impl Drop for Tiers {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run((state, wake): &(Mutex<State>, Condvar)) {
    let (mut pause, mut quiet, mut before) = (PAUSE, 0, 0);
    loop {
        let mut watched = {
            let mut s = lock(state);
            // Whoever ends the thread has rung already.
            if !s.stirred && !s.quit {
                s = match s.watched.is_empty() {
                    false => wake.wait_timeout(s, pause).unwrap_or_else(PoisonError::into_inner).0,
                    true => wake.wait(s).unwrap_or_else(PoisonError::into_inner),
                };
            }
            if s.quit {
                return;
            }
            if std::mem::take(&mut s.stirred) {
                (pause, quiet) = (PAUSE, 0);
            }
            std::mem::take(&mut s.watched)
        };
        let mut all = 0u64;
        let mut ready = None;
        watched.retain(|program| {
            let Some(program) = program.upgrade() else { return false };
            let Some(spent) = program.spent() else { return false };
            all = all.wrapping_add(spent);
            if spent >= WORTH && ready.is_none() {
                ready = Some(program);
            }
            true
        });
        if let Some(program) = ready {
            program.best();
            (pause, quiet) = (PAUSE, 0);
        } else if all == before {
            quiet += 1;
            pause = if quiet < PATIENCE { (pause * 2).min(LONGEST_PAUSE) } else { IDLE_PAUSE };
        } else {
            (pause, quiet) = (PAUSE, 0);
        }
        before = all;
        // What has been followed falls out at the next look.
        lock(state).watched.append(&mut watched);
    }
}
