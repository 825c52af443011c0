//! The ioctls, by group: how each is called, and how every check of the behaviour file is broken.

mod adapters;
mod allocations;
mod contexts;
mod queries;
mod residency;
mod sharing;
mod submission;
mod sync;
mod sync_files;
mod va;

use crate::case::Row;

/// All rows.
pub fn all() -> Vec<Row> {
    [
        adapters::rows(),
        contexts::rows(),
        allocations::rows(),
        va::rows(),
        residency::rows(),
        submission::rows(),
        sync::rows(),
        sync_files::rows(),
        sharing::rows(),
        queries::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
