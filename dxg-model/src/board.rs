//! How processes that share a synchronisation object tell each other of signals.
//!
//! The head of the object's file has a word that is bumped with every signal, and a futex on it. A process in which something
//! waits has a thread that sleeps there and looks at the object's value when it wakes, as if the GPU had written it; so the
//! waiters themselves know nothing of other processes.

use std::sync::{Arc, Weak};

use crate::futex::Scope;
use crate::lock::atomic::{AtomicBool, Ordering};
use crate::lock::{lock, one_order, Mutex};
use crate::shared_file::SharedFile;
use crate::sync::SyncObject;
use crate::sys;
use crate::words::HeadPage;

/// The words themselves, and whether this process still listens.
#[derive(Debug)]
struct Post {
    head: HeadPage,
    over: AtomicBool,
}

impl Post {
    fn notify(&self) {
        self.head.sequence().bump();
        one_order();
        if self.head.sleepers().load(Ordering::SeqCst) != 0 {
            self.head.sequence().wake(Scope::Everybody);
        }
    }

    fn listen(&self, object: &Weak<SyncObject>) {
        loop {
            let seen = self.head.sequence().get();
            match object.upgrade() {
                Some(object) => object.look(),
                None => return,
            }
            if self.over.load(Ordering::SeqCst) {
                return;
            }
            // Whoever signals bumps the sequence first and looks for sleepers second.
            self.head.sleepers().fetch_add(1, Ordering::SeqCst);
            one_order();
            self.head.sequence().sleep(seen, Scope::Everybody);
            self.head.sleepers().fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// This process's end of a shared object.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) file: Arc<SharedFile>,
    post: Arc<Post>,
    /// Whether other processes can have the object.
    outside: AtomicBool,
    listening: Mutex<bool>,
}

impl Board {
    /// `outside` says that the object came from a descriptor.
    pub(crate) fn new(file: Arc<SharedFile>, outside: bool) -> std::io::Result<Self> {
        let post = Arc::new(Post { head: HeadPage::map(&file)?, over: AtomicBool::new(false) });
        Ok(Self { file, post, outside: AtomicBool::new(outside), listening: Mutex::new(false) })
    }

    /// The value of kinds without a page.
    pub(crate) fn value(&self) -> &crate::lock::atomic::AtomicU64 {
        self.post.head.value()
    }

    /// Whether the object was lost, in whichever process.
    pub(crate) fn is_lost(&self) -> bool {
        self.post.head.state().load(Ordering::SeqCst) != 0
    }

    /// The object is lost for all.
    pub(crate) fn set_lost(&self) {
        self.post.head.state().store(1, Ordering::SeqCst);
    }

    /// From now on other processes can have the object.
    pub(crate) fn set_outside(&self) {
        self.outside.store(true, Ordering::SeqCst);
    }

    /// The value changed.
    pub(crate) fn notify(&self) {
        if self.outside.load(Ordering::SeqCst) {
            self.post.notify();
        }
    }

    /// Makes sure that signals of other processes are heard, if there can be any.
    pub(crate) fn attend(&self, object: &Arc<SyncObject>) {
        if !self.outside.load(Ordering::SeqCst) {
            return;
        }
        let mut listening = lock(&self.listening);
        if !*listening {
            let (post, object) = (self.post.clone(), Arc::downgrade(object));
            // Without a thread the waiters here depend on signals of this process.
            *listening = sys::spawn("dxg-shared", move || post.listen(&object)).is_ok();
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if *lock(&self.listening) {
            self.post.over.store(true, Ordering::SeqCst);
            self.post.notify();
        }
    }
}
