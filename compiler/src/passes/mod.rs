//! Optimisation passes. Each is a file with one function; the table below is the only other place that names it.
//!
//! A pass keeps a valid kernel valid and its meaning as the interpreter defines it, except that a value that the
//! language leaves open may be settled otherwise (for example the last bits of transcendental functions).

mod bits;
mod block_to_if;
mod combine_memory;
mod contract;
mod cost;
mod dce;
mod emit;
mod fold;
mod gvn;
mod if_to_select;
mod licm;
pub mod lower_float_controls;
pub mod lower_math;
mod memory;
mod params;
mod powers;
mod sroa;
mod swap_loops;
mod unroll;

use crate::sir::visit::renumber;
use crate::sir::Kernel;
use crate::verify::{verify, VerifyError};

/// A pass.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Name on command lines and in test files.
    pub name: &'static str,
    /// What it does, in a line.
    pub doc: &'static str,
    /// Rewrites a valid kernel; true if anything changed.
    pub run: fn(&mut Kernel) -> bool,
}

macro_rules! passes {
    ($($name:ident: $run:path, $doc:literal;)*) => {
        /// Every pass.
        pub const PASSES: &[Pass] = &[$(Pass { name: stringify!($name), doc: $doc, run: $run }),*];
    };
}

passes! {
    dce: dce::run, "removes what has no effect: operations, region results and parameters, stores never read";
    fold: fold::run, "folds constants, simplifies algebraically, resolves control flow that is known";
    params: params::run, "replaces region parameters and results that always have one value";
    sroa: sroa::run, "turns private memory at constant offsets into values";
    gvn: gvn::run, "does equal operations once";
    powers: powers::run, "makes products of powers with small exponents";
    contract: contract::run, "fuses products with sums where that is allowed, and marks the rest as not to be fused";
    licm: licm::run, "moves invariant code in front of loops";
    if_to_select: if_to_select::run, "turns small Ifs into selects";
    unroll: unroll::run, "writes out small loops of known length";
    combine_memory: combine_memory::run, "merges neighbouring loads and stores";
    block_to_if: block_to_if::run, "turns Blocks that Ifs leave early into Ifs";
    swap_loops: swap_loops::run, "turns loops that compare and swap into the atomic operations that they are";
    lower_float_controls: lower_float_controls::run, "writes out flushing of denormals and rounding towards zero";
    lower_math_with_tables: lower_math::run_with_tables, "lower_math for machines that pick numbers from tables";
    lower_math: lower_math::run, "expands transcendental and other rare operations into basic ones";
    renumber: renumber_pass, "numbers values and labels in text order";
}

fn renumber_pass(kernel: &mut Kernel) -> bool {
    renumber(kernel);
    false
}

/// The pass of that name.
pub fn pass(name: &str) -> Option<&'static Pass> {
    PASSES.iter().find(|p| p.name == name)
}

/// What went wrong in a pipeline.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PassError {
    /// A name that is in no row of the table.
    #[error("there is no pass `{0}`")]
    Unknown(String),
    /// A pass left an invalid kernel behind: a bug of ours.
    #[error("after pass `{pass}`: {error}")]
    Invalid {
        /// The pass.
        pass: &'static str,
        /// What is wrong now.
        error: VerifyError,
    },
}

/// Called with the name of a pass and the kernel after it.
pub type Dump<'a> = &'a dyn Fn(&str, &Kernel);

/// How to optimise.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Verify after each pass. Default: in debug builds.
    pub verify: bool,
    /// Looks at the kernel after each pass.
    pub dump: Option<Dump<'a>>,
    /// Take less time, for a kernel that will take more. Default: no.
    pub short: bool,
    /// The GPU has an operation for a·b + c that rounds once (see [`contract`]). Default: yes.
    pub contract: bool,
    /// Write out float controls (see [`lower_float_controls`]). Default: yes.
    pub lower_float_controls: bool,
    /// Expand transcendental operations (see [`lower_math`]). Default: yes.
    pub lower_math: bool,
    /// For a machine that picks numbers from tables as fast as it multiplies (see [`lower_math`]). Default: no.
    pub tables: bool,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            verify: cfg!(debug_assertions),
            dump: None,
            short: false,
            contract: true,
            lower_float_controls: true,
            lower_math: true,
            tables: false,
        }
    }
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("verify", &self.verify)
            .field("dump", &self.dump.is_some())
            .field("short", &self.short)
            .field("contract", &self.contract)
            .field("lower_float_controls", &self.lower_float_controls)
            .field("lower_math", &self.lower_math)
            .field("tables", &self.tables)
            .finish()
    }
}

/// Runs one pass, then what `opts` asks for.
///
/// # Errors
/// If the kernel is invalid afterwards and that was to be checked.
pub fn run_pass(kernel: &mut Kernel, pass: &Pass, opts: &Options<'_>) -> Result<bool, PassError> {
    let changed = (pass.run)(kernel);
    if let Some(dump) = opts.dump {
        dump(pass.name, kernel);
    }
    if opts.verify {
        verify(kernel).map_err(|error| PassError::Invalid { pass: pass.name, error })?;
    }
    Ok(changed)
}

/// Runs passes by name; `optimize` stands for the whole pipeline.
///
/// # Errors
/// An unknown name, or an invalid kernel after a pass.
pub fn run_named(kernel: &mut Kernel, names: &[String]) -> Result<(), PassError> {
    let opts = Options { verify: true, ..Options::default() };
    for name in names {
        if name == "optimize" {
            optimize(kernel, &opts)?;
        } else {
            let pass = pass(name).ok_or_else(|| PassError::Unknown(name.clone()))?;
            run_pass(kernel, pass, &opts)?;
        }
    }
    Ok(())
}

/// The pipeline that every kernel goes through before it is handed to a GPU. What it makes and what [`SHORT_PIPELINE`] makes compute the
/// same, bit for bit: up to `contract` they are the same, and the passes that come after it settle nothing that the language leaves open.
const PIPELINE: &[&str] = &[
    "fold",
    "sroa",
    "fold",
    "dce",
    "gvn",
    "powers",
    "contract",
    "fold",
    "unroll",
    "fold",
    "sroa",
    "fold",
    "gvn",
    "params",
    "dce",
    "block_to_if",
    "fold",
    "if_to_select",
    "fold",
    "swap_loops",
    "lower_float_controls",
    "lower_math",
    "fold",
    "gvn",
    "licm",
    "gvn",
    "combine_memory",
    "params",
    "fold",
    "dce",
    "renumber",
];

/// The pipeline of kernels that are to be there at once: what saves more than it takes even if a quick back end comes behind it, and
/// what must be.
const SHORT_PIPELINE: &[&str] = &[
    "fold",
    "sroa",
    "fold",
    "dce",
    "gvn",
    "powers",
    "contract",
    "block_to_if",
    "if_to_select",
    "lower_float_controls",
    "lower_math",
    "fold",
    "gvn",
    "dce",
    "renumber",
];

/// Runs the pipeline.
///
/// # Errors
/// If `opts.verify` is set and a pass broke the kernel.
pub fn optimize(kernel: &mut Kernel, opts: &Options<'_>) -> Result<(), PassError> {
    // The number of changes so far, and that at the last run of each pass that changed nothing: as long as nobody else does
    // either, running it again is for nothing.
    let mut changes = 1u32;
    let mut settled: Vec<(&str, u32)> = Vec::new();
    for name in if opts.short { SHORT_PIPELINE } else { PIPELINE } {
        let wanted = match *name {
            "contract" => opts.contract,
            "lower_float_controls" => opts.lower_float_controls,
            "lower_math" => opts.lower_math,
            _ => true,
        };
        if !wanted {
            continue;
        }
        if settled.contains(&(*name, changes)) {
            continue;
        }
        let name = if *name == "lower_math" && opts.tables { &"lower_math_with_tables" } else { name };
        let pass = pass(name).ok_or_else(|| PassError::Unknown((*name).into()))?;
        if run_pass(kernel, pass, opts)? {
            changes += 1;
        } else {
            settled.push((*name, changes));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn what_has_settled_is_not_run_again() {
        let mut kernel = Kernel { local_size: [1; 3], ..Kernel::default() };
        kernel.body.push(&[], crate::sir::Op::Return);
        let ran = RefCell::new(Vec::new());
        let dump = |pass: &str, _: &Kernel| ran.borrow_mut().push(pass.to_owned());
        optimize(&mut kernel, &Options { dump: Some(&dump), ..Options::default() }).expect("optimises");
        let ran = ran.into_inner();
        for pass in ["fold", "sroa", "gvn", "dce", "params"] {
            assert_eq!(ran.iter().filter(|p| *p == pass).count(), 1, "{pass} in {ran:?}");
        }
    }
}
