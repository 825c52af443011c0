//! The judge: a Vulkan client that knows nothing of this driver but the loader's interface. Demo programs, API tests and
//! the runner for the Khronos CTS stand on the small harness here; any driver can be put under them with
//! `VK_DRIVER_FILES`.

pub mod bench;
pub mod demos;
pub mod deqp;
pub mod differential;
pub mod features;
#[rustfmt::skip]
pub mod generated;
pub mod harness;
pub mod random;
pub mod shaders;

pub use harness::{Buffer, Error, Gpu, Kernel, KernelInfo, Setup};
