//! Recording what passes through a node, and playing it back.
//!
//! * [`Traced`] is a node that records what passes through it to a writer.
//! * [`Trace`] is a recording in memory: parsed, checked, ready for use.
//! * [`Player`] repeats a recording against another node and compares what the GPU wrote.
//! * [`Replay`] is a node that answers a client out of a recording, without any device.
//! * [`dump()`], [`stat`], [`Selection`] and [`compare()`] are for people who look at recordings.
//!
//! # What a recording holds
//!
//! Every request with its argument and the buffers that it points to, before and after. Before each
//! submission, the pages of CPU-visible memory that changed since they were last recorded. After
//! each submission the recorder waits for the work to finish, and records the pages that
//! changed then: they are what the GPU wrote. Work that waits for something the application has yet
//! to do is not waited for; what it wrote is taken up later and marked as uncertain.
//!
//! Fence pages are no part of that: their addresses and values differ from run to run.

mod buffers;
mod compare;
mod dump;
mod fields;
mod format;
mod meaning;
mod player;
mod pointers;
mod prescan;
mod replay;
mod select;
mod snapshot;
mod traced;
mod tracker;

pub use compare::{compare, Comparison};
pub use dump::{buffer_type, dump, stat};
pub use format::{
    Buffer, Check, FormatError, IoctlRecord, PageData, ProcessRecord, Record, Snapshot, Trace, PAGE_BYTES, VERSION,
};
pub use meaning::operation_view;
pub use player::{PlayError, Player, Report};
pub use replay::Replay;
pub use select::{ioctl_named, Outcome, Selection};
pub use traced::Traced;
