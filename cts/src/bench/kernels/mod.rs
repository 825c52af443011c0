//! The corpus, a file per family.

mod atomics;
mod compute;
mod convolution;
mod fft;
mod gemm;
mod gemv;
mod geometry;
mod grid;
mod hash;
mod histogram;
mod images;
mod own_data;
mod raymarch;
mod reduce;
mod rows;
mod scan;
mod sort;
mod sparse;
mod special;
mod streaming;

use super::plan::Case;
pub use raymarch::{program as raymarch_program, pushed as raymarch_push, reference as raymarch_reference};

/// Every family.
pub const ALL: &[&[Case]] = &[
    streaming::CASES,
    grid::CASES,
    gemm::CASES,
    gemv::CASES,
    reduce::CASES,
    scan::CASES,
    histogram::CASES,
    atomics::CASES,
    sort::CASES,
    compute::CASES,
    raymarch::CASES,
    fft::CASES,
    convolution::CASES,
    hash::CASES,
    special::CASES,
    sparse::CASES,
    own_data::CASES,
    geometry::CASES,
    rows::CASES,
    images::CASES,
];

/// A program of the bench's shader folder: name, bindings, bytes of push constants.
macro_rules! program {
    ($name:literal, $bindings:expr, $push:expr) => {
        crate::bench::plan::Program {
            name: $name,
            spirv: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/bench/", $name, ".spv")),
            bindings: $bindings,
            push: $push,
        }
    };
}
pub(super) use program;

/// A plan of one dispatch that uses all resources in their order.
fn single(
    program: super::plan::Program,
    resources: Vec<super::plan::Resource>,
    push: Vec<u8>,
    groups: [u32; 3],
    work: f64,
    check: super::plan::Check,
) -> super::plan::Plan {
    let all = (0..program.bindings.len()).collect();
    super::plan::Plan {
        programs: vec![program],
        resources,
        steps: vec![super::plan::Step::Dispatch { program: 0, resources: all, push, groups }],
        work,
        check,
    }
}
