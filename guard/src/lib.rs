//! Accesses to memory that may not be there, and a process that survives them.
//!
//! There is one handler of SIGSEGV and SIGBUS (see [`Installed`]), for two kinds of access:
//! * of code that may touch any address ([`call`], [`read`]): it is left at the access;
//! * to pages that the system may take away under their users ([`Vanishing`]): others stand in for them, and the access goes on.
//!
//! Whatever else faults gets what it would have got without us.

mod call;
mod handler;
mod list;
mod vanishing;

pub use call::{call, plain_float_state, read, BadAccess, Code, NO_ADDRESS};
pub use handler::Installed;
pub use vanishing::{StandIn, Vanishing};
