//! Shader modules.

use crate::device::Device;
use crate::Result;
use std::sync::Arc;

/// A VkShaderModule: SPIR-V words as they came. They are looked at when a pipeline is made.
#[derive(Debug)]
pub struct ShaderModule {
    words: Vec<u32>,
    hash: [u8; 32],
}

impl ShaderModule {
    /// Keeps a copy of the code.
    ///
    /// # Errors
    /// None; malformed code is an error of pipeline creation.
    pub fn new(_device: &Arc<Device>, words: Vec<u32>) -> Result<Arc<ShaderModule>> {
        Ok(Arc::new(ShaderModule::from_words(words)))
    }

    pub(crate) fn from_words(words: Vec<u32>) -> ShaderModule {
        let mut hasher = blake3::Hasher::new();
        let mut bytes = Vec::with_capacity(4096);
        for chunk in words.chunks(1024) {
            bytes.clear();
            chunk.iter().for_each(|w| bytes.extend_from_slice(&w.to_le_bytes()));
            hasher.update(&bytes);
        }
        let hash = *hasher.finalize().as_bytes();
        ShaderModule { words, hash }
    }

    /// The code.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Hash of the code: also VK_EXT_shader_module_identifier's.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }
}
