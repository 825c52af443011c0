//! What whoever debugs the compiler wants to see, for the whole process.

use std::sync::OnceLock;

/// Switches of the compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerDebug {
    /// Verify the kernel after every pass, also in release builds.
    pub verify: bool,
    /// Print the kernel to standard error after the pass of this name.
    pub print_pass: Option<String>,
    /// Use code that is there at once until there is better code.
    pub tiers: bool,
    /// Say on standard error for what there is no code at once, and what better code is there for.
    pub report_tiers: bool,
}

impl Default for CompilerDebug {
    fn default() -> CompilerDebug {
        CompilerDebug { verify: false, print_pass: None, tiers: true, report_tiers: false }
    }
}

static DEBUG: OnceLock<CompilerDebug> = OnceLock::new();

/// Sets the switches, before the first pipeline is made. False: they were set before, and stay as they were.
pub fn set_compiler_debug(debug: CompilerDebug) -> bool {
    DEBUG.set(debug).is_ok()
}

/// The switches.
pub(crate) fn debug() -> &'static CompilerDebug {
    DEBUG.get_or_init(CompilerDebug::default)
}
