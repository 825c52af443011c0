//! Random programs with one right answer, to hold drivers and modes of a driver against each other.
//!
//! [`generate`] makes a SPIR-V module from a seed: structured divergent control flow, barriers, shared memory, atomics,
//! subgroup operations, all types. Whatever it makes is well defined and free of races, so every driver with the same
//! subgroup size must give the same words, but for results of functions whose precision Vulkan leaves open: these are
//! kept apart, feed nothing, and are compared within a tolerance.

mod expr;
mod flow;
mod memory;
mod module;
mod program;
mod rng;
pub mod run;
mod subgroup;

pub use program::{generate, Program};
pub use rng::Rng;

use std::collections::BTreeSet;

/// What programs may use. Only what all compared devices have may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Cap {
    /// 8-bit integers, in storage buffers too.
    Int8,
    /// 16-bit integers, in storage buffers too.
    Int16,
    /// 64-bit integers.
    Int64,
    /// Half precision, in storage buffers too.
    Float16,
    /// Double precision.
    Float64,
    /// Atomics on 64-bit integers, in buffers and shared.
    Int64Atomics,
    /// Subgroup operations: vote, ballot, shuffle, arithmetic.
    Subgroups,
    /// Subgroup operations over clusters and quads.
    Clustered,
    /// Subgroup operations on types other than 32-bit ones.
    SubgroupTypes,
    /// Subgroup operations in divergent control flow.
    MaximalReconvergence,
}

impl Cap {
    /// All of them.
    pub const ALL: [Cap; 10] = [
        Cap::Int8,
        Cap::Int16,
        Cap::Int64,
        Cap::Float16,
        Cap::Float64,
        Cap::Int64Atomics,
        Cap::Subgroups,
        Cap::Clustered,
        Cap::SubgroupTypes,
        Cap::MaximalReconvergence,
    ];
}

/// A set of [`Cap`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps(pub u32);

impl Caps {
    /// Everything.
    pub fn all() -> Caps {
        Cap::ALL.into_iter().fold(Caps::default(), Caps::with)
    }

    /// The set with one more.
    #[must_use]
    pub fn with(self, cap: Cap) -> Caps {
        Caps(self.0 | 1 << cap as u32)
    }

    /// Whether it is in the set.
    pub fn has(self, cap: Cap) -> bool {
        self.0 & 1 << cap as u32 != 0
    }

    /// What is in both.
    #[must_use]
    pub fn both(self, other: Caps) -> Caps {
        Caps(self.0 & other.0)
    }
}

/// How to make a program.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What it may use.
    pub caps: Caps,
    /// Roughly how many statements it gets.
    pub size: u32,
    /// Numbers of statements that are left out, to make a failing program smaller.
    pub skip: BTreeSet<u64>,
}

impl Recipe {
    /// Programs of the usual size.
    pub fn new(caps: Caps) -> Recipe {
        Recipe { caps, size: 40, skip: BTreeSet::new() }
    }
}

#[cfg(test)]
mod tests;
