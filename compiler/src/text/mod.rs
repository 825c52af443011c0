//! The text form of `sir`: one instruction per line, regions in braces, `;` starts a comment.
//!
//! ```text
//! kernel "main"
//! local_size 64 1 1
//! binding 0.0 storage_buffer count 1 written
//! body {
//!   %0:i32 = builtin global_id.x
//!   %1:buf = buffer 0.0
//!   %2:i64 = const 4
//!   %3:i64 = zext %0
//!   %4:i64 = imul %3 %2
//!   %5:f32 = load buffer(%1 %4 0) align 4
//!   %6:f32 = fadd %5 %5
//!   store buffer(%1 %4 0) %6 align 4
//!   return
//! }
//! ```
//! [`print`] and [`parse`] are inverse to each other on valid kernels whose values are all in use (see
//! [`crate::sir::visit::renumber`]); values that occur nowhere have no text and come back as `bool`.

mod lex;
mod names;
mod parse;
mod print;

pub use parse::{parse, parse_many, ParseError};
pub use print::{print, print_inst};

#[cfg(test)]
mod tests;
