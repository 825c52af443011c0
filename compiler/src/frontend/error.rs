//! Why a module was refused.

use std::fmt;

/// The class of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The words are not a valid SPIR-V module (or not one of the Vulkan environment).
    Invalid,
    /// Valid or possibly valid, but it needs something this compiler does not do.
    Unsupported,
    /// Larger or more deeply nested than the compiler accepts.
    Limit,
}

/// Why a module was refused, and which instruction is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Class.
    pub kind: ErrorKind,
    /// Name of the offending instruction, with its `Op` prefix; empty if no single instruction is to blame.
    pub op: &'static str,
    /// Result id of the offending instruction, if it has one.
    pub result: Option<u32>,
    /// Offset of the offending instruction in words from the start of the module.
    pub word: Option<usize>,
    /// The reason.
    pub reason: String,
}

impl Error {
    fn new(kind: ErrorKind, reason: impl Into<String>) -> Error {
        Error { kind, op: "", result: None, word: None, reason: reason.into() }
    }

    pub(super) fn invalid(reason: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, reason)
    }

    pub(super) fn unsupported(reason: impl Into<String>) -> Error {
        Error::new(ErrorKind::Unsupported, reason)
    }

    pub(super) fn limit(reason: impl Into<String>) -> Error {
        Error::new(ErrorKind::Limit, reason)
    }

    /// Names the instruction, unless an inner one is already named.
    pub(super) fn at(mut self, op: &'static str, result: Option<u32>, word: usize) -> Error {
        if self.word.is_none() {
            self.op = op;
            self.result = result;
            self.word = Some(word);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ErrorKind::Invalid => "invalid SPIR-V",
            ErrorKind::Unsupported => "unsupported SPIR-V",
            ErrorKind::Limit => "SPIR-V beyond limits",
        })?;
        if !self.op.is_empty() {
            write!(f, ": {}", self.op)?;
        }
        if let Some(id) = self.result {
            write!(f, " %{id}")?;
        }
        if let Some(word) = self.word {
            write!(f, " (word {word})")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for Error {}

/// Result of a step of the translation.
pub(super) type R<T> = Result<T, Error>;

/// Upper bounds that keep any input within reasonable time, memory and stack.
pub(super) mod limits {
    /// Scalars in one SPIR-V value.
    pub const LEAVES: u64 = 1 << 16;
    /// Components of a vector (Vulkan's maxVectorComponents).
    pub const VECTOR_COMPONENTS: u32 = 1024;
    /// Units of work: instructions visited after inlining, constants and types expanded.
    pub const WORK: u64 = 1 << 23;
    /// Instructions emitted.
    pub const INSTS: usize = 1 << 20;
    /// Nesting of regions, over all inlined calls.
    pub const REGION_DEPTH: usize = 240;
    /// Invocations of a workgroup.
    pub const INVOCATIONS: u32 = 1 << 16;
    /// Nesting of types.
    pub const TYPE_DEPTH: u32 = 64;
    /// Nesting of calls.
    pub const CALL_DEPTH: usize = 64;
    /// Bytes of private memory.
    pub const PRIVATE_BYTES: u64 = 1 << 24;
    /// Bytes of workgroup memory.
    pub const SHARED_BYTES: u64 = 1 << 20;
    /// Bytes of any object in a buffer.
    pub const OBJECT_BYTES: u64 = 1 << 40;
}
