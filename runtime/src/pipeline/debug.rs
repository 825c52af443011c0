//! What whoever debugs the compiler wants to see, for the whole process.

use std::sync::OnceLock;

/// Switches of the compiler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompilerDebug {
    /// Verify the kernel after every pass, also in release builds.
    pub verify: bool,
    /// Print the kernel to standard error after the pass of this name.
    pub print_pass: Option<String>,
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
