//! `sir`: scalar SPMD form with structured control flow.
//!
//! A [`Kernel`] describes what *one invocation* does. All values are scalars ([`Type`]); SPIR-V vectors, matrices and
//! aggregates are split by the front end. Control flow is a tree of regions ([`Op::If`], [`Op::Switch`], [`Op::Loop`],
//! [`Op::Block`]) with explicit exits, as in WebAssembly; values cross region borders only as region parameters and
//! results, or by being defined in an enclosing region. Memory is explicit: an access names its address space, an
//! optional dynamic byte offset, a constant byte offset and the number of consecutive elements.

mod alu;
mod format;
mod ids;
mod kernel;
mod op;
pub mod tables;
mod types;
pub mod visit;

pub use alu::{AluOp, AluShape};
pub use format::ImageFormat;
pub use ids::{Label, SlotId, Value};
pub use kernel::{Binding, BindingKind, FloatControls, FloatMode, Inst, Kernel, Region, Slot};
pub use op::{
    Access, Addr, AluFlags, AtomicOp, Builtin, GroupOp, GroupScan, ImageCoords, ImageDim, ImageRef, MemoryScope, Op,
    Resource, SampleMode, SampleOperands, Space, SubgroupOp, SwitchCase,
};
pub use types::Type;
