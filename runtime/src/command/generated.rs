//! Commands that the GPU reads from memory (VK_EXT_device_generated_commands), as far as a compute queue has them.

use crate::command::stream::{GeneratedRecord, Record};
use crate::command::CommandBuffer;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::{GeneratedAction, GeneratedToken};
use crate::heap::Block;
use crate::pipeline::Program;
use std::sync::Arc;

/// Bytes of an entry of a table of kernels.
const ENTRY: u64 = 16;

/// What a token of a layout does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndirectAction {
    /// Its data becomes push constants.
    Push {
        /// First byte.
        offset: u32,
        /// Number of bytes.
        size: u32,
    },
    /// The number of the sequence becomes a push constant.
    Sequence {
        /// First byte.
        offset: u32,
    },
    /// Its data is the index of a program of the execution set.
    Program,
    /// Its data is group counts.
    Dispatch,
}

/// A token of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndirectToken {
    /// Offset of its data in a sequence's data.
    pub offset: u32,
    /// What it does.
    pub action: IndirectAction,
}

/// VkIndirectCommandsLayoutEXT.
#[derive(Debug)]
pub struct IndirectLayout {
    stride: u32,
    tokens: Vec<IndirectToken>,
}

impl IndirectLayout {
    /// A layout whose sequences stand `stride` bytes from each other.
    ///
    /// # Errors
    /// [`Error::FeatureNotPresent`] if the GPU cannot do this, [`Error::Unknown`] beyond its limits.
    pub fn new(device: &Device, stride: u32, tokens: Vec<IndirectToken>) -> Result<Arc<IndirectLayout>> {
        let limits =
            device.props().generated.ok_or(Error::FeatureNotPresent("this GPU has no device-generated commands"))?;
        if stride > limits.max_stride || tokens.len() > limits.max_tokens as usize {
            return Err(Error::Unknown("an indirect commands layout beyond the limits".to_owned()));
        }
        Ok(Arc::new(IndirectLayout { stride, tokens }))
    }
}

/// VkIndirectExecutionSetEXT: programs that tokens choose from. Whoever uses it keeps the programs alive.
#[derive(Debug)]
pub struct ExecutionSet {
    table: Block,
    entries: u32,
}

impl ExecutionSet {
    /// A set of `entries` programs, all of them `initial` at first.
    ///
    /// # Errors
    /// As [`IndirectLayout::new`]; no GPU memory.
    pub fn new(device: &Device, initial: &Arc<Program>, entries: u32) -> Result<Arc<ExecutionSet>> {
        let limits =
            device.props().generated.ok_or(Error::FeatureNotPresent("this GPU has no device-generated commands"))?;
        if entries > limits.max_kernels {
            return Err(Error::Unknown(format!("an indirect execution set of {entries} programs")));
        }
        let table = device.heap().alloc(u64::from(entries) * ENTRY, ENTRY)?;
        let set = ExecutionSet { table, entries };
        for index in 0..entries {
            set.set(index, initial);
        }
        Ok(Arc::new(set))
    }

    /// Puts a program at an index; one that is out of range is ignored.
    pub fn set(&self, index: u32, program: &Arc<Program>) {
        if index < self.entries {
            program.used();
            let (address, bytes) = program.placed();
            let mut entry = [0; ENTRY as usize];
            entry[..8].copy_from_slice(&address.to_le_bytes());
            entry[8..].copy_from_slice(&bytes.to_le_bytes());
            self.table.write(u64::from(index) * ENTRY, &entry);
        }
    }
}

/// VkGeneratedCommandsInfoEXT.
#[derive(Clone, Copy, Debug)]
pub struct GeneratedCommands<'a> {
    /// What a sequence consists of.
    pub layout: &'a IndirectLayout,
    /// What programs are chosen from.
    pub set: Option<&'a ExecutionSet>,
    /// Address of the first sequence's data.
    pub address: u64,
    /// Most sequences.
    pub max_sequences: u32,
    /// Address of their number, 0 if `max_sequences` is it.
    pub count: u64,
}

impl CommandBuffer {
    /// vkCmdExecuteGeneratedCommandsEXT. There is nothing to preprocess: the GPU reads the tokens as they are.
    pub fn execute_generated(&self, commands: &GeneratedCommands<'_>) {
        self.record(|inner| {
            let mut tokens = Vec::with_capacity(commands.layout.tokens.len());
            for token in &commands.layout.tokens {
                let action = match (token.action, commands.set) {
                    (IndirectAction::Push { offset, size }, _) => GeneratedAction::Push { offset, size },
                    (IndirectAction::Sequence { offset }, _) => GeneratedAction::Sequence { offset },
                    (IndirectAction::Program, Some(set)) => {
                        GeneratedAction::Kernel { table: set.table.address(), entries: set.entries }
                    }
                    (IndirectAction::Program, None) => {
                        return Err(Error::Unknown(
                            "generated commands choose programs of no execution set".to_owned(),
                        ));
                    }
                    (IndirectAction::Dispatch, _) => GeneratedAction::Dispatch,
                };
                let address = commands.address.wrapping_add(u64::from(token.offset));
                tokens.push(GeneratedToken { address, stride: commands.layout.stride, action });
            }
            let Some(state) = inner.dispatch_state(self.bound(), self.pool())? else { return Ok(()) };
            let generated =
                Box::new(GeneratedRecord { tokens, sequences: commands.max_sequences, count: commands.count });
            inner.stream.push(Record::DispatchGenerated { state, generated })
        });
    }
}
