//! The process's node.

use dxg_abi::{Arg, Node, NtStatus};
use dxg_node::env::{self, NodeChoice};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::status;

/// The node and the process that made it.
static NODE: Mutex<Option<(u32, Arc<dyn Node>)>> = Mutex::new(None);

/// Opens what the environment asks for. Left to itself: the kernel's file where there is one, else the model.
fn open() -> Option<Arc<dyn Node>> {
    let options = env::options();
    let kernel = Path::new(dxg_node::KERNEL_NODE);
    let opened = match &options.node {
        NodeChoice::Model => dxg_node::model(options),
        NodeChoice::Path(path) => dxg_node::kernel(path),
        NodeChoice::Auto if kernel.exists() => dxg_node::kernel(kernel),
        NodeChoice::Auto => dxg_node::model(options),
    };
    match opened {
        Ok(node) => Some(dxg_node::observed(node, options)),
        Err(e) => {
            eprintln!("vulkan-dxg: warning: libdxcore: no node: {e}");
            None
        }
    }
}

/// The node, opened at the first use and again in a forked child.
pub(crate) fn current() -> Option<Arc<dyn Node>> {
    let mut slot = NODE.lock().unwrap_or_else(PoisonError::into_inner);
    let pid = std::process::id();
    match slot.take() {
        Some((owner, node)) if owner == pid => {
            *slot = Some((owner, node.clone()));
            return Some(node);
        }
        // The parent's threads are not here, and its locks may be held by nobody.
        Some((_, parents)) => std::mem::forget(parents),
        None => {}
    }
    let node = open()?;
    *slot = Some((pid, node.clone()));
    Some(node)
}

/// Closes the node; the next call opens one.
pub(crate) fn close() {
    let taken = NODE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((owner, node)) = taken {
        if owner != std::process::id() {
            std::mem::forget(node);
        }
    }
}

/// One request, with the argument's bytes.
pub(crate) fn request(request: u32, arg: &mut [u8]) -> NtStatus {
    match current() {
        Some(node) => status::of_result(node.ioctl(request, arg)),
        None => NtStatus::UNSUCCESSFUL,
    }
}

/// One request of the table.
pub(crate) fn call<T: Arg>(arg: &mut T) -> NtStatus {
    request(T::IOCTL.request(), arg.as_mut_bytes())
}

/// Runs what an export does: a panic is a failure and goes no further.
pub(crate) fn guard(f: impl FnOnce() -> NtStatus) -> i32 {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or(NtStatus::UNSUCCESSFUL).as_raw()
}
