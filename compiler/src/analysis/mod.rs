//! What can be said about the values of a kernel across the invocations of a subgroup or workgroup.
//!
//! * [`Uniformity`]: which values are the same in all active invocations of a subgroup, a workgroup or the dispatch, and at which
//!   joins of control flow invocations that were apart meet again.
//! * [`Shapes`]: which values grow by a constant from one invocation to the next, and bounds of integer values.

mod range;
mod shape;
mod uniformity;

pub use range::Range;
pub use shape::{row_wise, rows, Facts, Shapes, MAX_ROWS};
pub use uniformity::{Level, Uniformity};

#[cfg(test)]
mod tests;
