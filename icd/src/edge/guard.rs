//! No panic crosses the C edge.

use ash::vk;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Runs a command; a panic becomes `fallback` (or ends the process where `VKDXG_DEBUG=panic` asks for it).
#[inline(always)]
pub fn guard<R>(name: &'static str, fallback: R, f: impl FnOnce() -> R) -> R {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(r) => r,
        Err(_) => {
            panicked(name);
            fallback
        }
    }
}

#[cold]
fn panicked(name: &'static str) {
    if crate::env::options().debug.panic {
        eprintln!("vulkan-dxg: panic in {name}: aborting as VKDXG_DEBUG=panic asks");
        std::process::abort();
    }
}

/// What an implementation may return for a command whose C return type is `VkResult`.
pub trait IntoResult {
    /// The code the application sees.
    fn into_result(self) -> vk::Result;
}

impl IntoResult for vk::Result {
    fn into_result(self) -> vk::Result {
        self
    }
}

impl<E: Into<vk::Result>> IntoResult for Result<(), E> {
    fn into_result(self) -> vk::Result {
        match self {
            Ok(()) => vk::Result::SUCCESS,
            Err(e) => e.into(),
        }
    }
}
