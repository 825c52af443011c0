//! The C edge: everything that touches an application's pointers, in a few small types.
//!
//! Generated thunks build these types from raw arguments; from there on the code is safe. What makes it sound is valid
//! usage: the application promises that the pointers and handles it passes are what the API says.

mod alloc;
mod guard;
mod handle;
mod input;
mod output;

pub use alloc::{Allocator, Block};
pub use guard::{guard, IntoResult};
pub use handle::{create, create_and_tell, obj, opt, raw_handle, Decode, Dispatch, Taken};
pub use input::{bytes_mut, opt_str, plain, str_in, strs, In, Slice};
pub use output::{InOut, Out, OutArray, OutNode, OutSlice};
