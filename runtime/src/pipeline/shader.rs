//! The binary form of compute shader objects (VK_EXT_shader_object).

use super::cache::Key;
use super::entry::{self, Reader};
use super::program::Program;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::{CompiledKernel, Gpu};
use crate::pipeline_layout::PipelineLayout;
use std::sync::Arc;

/// Marks a binary, with the version of its form.
const MAGIC: [u8; 8] = *b"vkdxgso1";

/// Version of the form, for shaderBinaryVersion.
pub const SHADER_BINARY_VERSION: u32 = 1;

/// Bytes of the hash at the end.
const HASH_BYTES: usize = 32;

/// Longest name of an entry point that a binary keeps: names serve tools only.
const MAX_NAME: usize = 256;

/// What a binary holds.
#[derive(Debug, PartialEq)]
struct Contents {
    layout: Key,
    key: Key,
    entry: String,
    kernel: CompiledKernel,
}

fn write(uuid: &[u8; 16], contents: &Contents) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(uuid);
    out.extend_from_slice(&contents.layout);
    out.extend_from_slice(&contents.key);
    let name = contents.entry.get(..contents.entry.len().min(MAX_NAME)).unwrap_or("");
    out.extend_from_slice(&(name.len() as u32).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&entry::encode(&contents.kernel));
    let hash = blake3::hash(&out);
    out.extend_from_slice(hash.as_bytes());
    out
}

/// Reads a binary; `None` if it is foreign, damaged or of another build or machine.
fn parse(gpu: &dyn Gpu, data: &[u8]) -> Option<Contents> {
    let (body, hash) = data.split_at_checked(data.len().checked_sub(HASH_BYTES)?)?;
    let mut r = Reader(body.strip_prefix(&MAGIC)?.strip_prefix(&gpu.props().pipeline_cache_uuid)?);
    if blake3::hash(body).as_bytes() != hash {
        return None;
    }
    let layout: Key = r.bytes(32)?.try_into().ok()?;
    let key: Key = r.bytes(32)?.try_into().ok()?;
    let name = r.u32()? as usize;
    let entry = String::from_utf8(r.bytes(name)?.to_vec()).ok()?;
    let kernel = entry::decode(r.0)?;
    gpu.accepts_binary(&kernel.binary).then_some(Contents { layout, key, entry, kernel })
}

impl Program {
    /// vkGetShaderBinaryDataEXT: the program as bytes that [`from_binary`](Self::from_binary) takes on a device of the same build.
    pub fn binary(&self, device: &Device) -> Vec<u8> {
        let (key, kernel) = (self.kernel().0, self.best());
        let contents = Contents {
            layout: self.layout().key,
            key: *key,
            entry: self.info().name.clone(),
            kernel: CompiledKernel::clone(&kernel),
        };
        write(&device.props().pipeline_cache_uuid, &contents)
    }

    /// A program from its binary form, for the layout it was made for.
    ///
    /// # Errors
    /// [`Error::IncompatibleBinary`] for bytes that are not a binary of this build, machine and layout; no GPU memory.
    pub fn from_binary(device: &Arc<Device>, layout: &Arc<PipelineLayout>, data: &[u8]) -> Result<Arc<Program>> {
        let c = parse(&**device.gpu(), data).filter(|c| c.layout == layout.key).ok_or(Error::IncompatibleBinary)?;
        Program::upload(device, layout, &c.entry, c.key, Arc::new(c.kernel), Vec::new(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::entry::tests::sample;
    use crate::testing::FakeGpu;

    fn contents() -> Contents {
        Contents { layout: [1; 32], key: [2; 32], entry: "main".into(), kernel: sample() }
    }

    #[test]
    fn binaries_round_trip() {
        let gpu = FakeGpu::new();
        let data = write(&gpu.props().pipeline_cache_uuid, &contents());
        assert_eq!(parse(&gpu, &data), Some(contents()));
    }

    #[test]
    fn damaged_and_foreign_binaries_are_refused() {
        let gpu = FakeGpu::new();
        let data = write(&gpu.props().pipeline_cache_uuid, &contents());
        for i in 0..data.len() {
            let mut bad = data.clone();
            bad[i] ^= 0x10;
            assert_eq!(parse(&gpu, &bad), None, "byte {i}");
            assert_eq!(parse(&gpu, &data[..i]), None, "{i} bytes");
        }
        let theirs = write(&[0xee; 16], &contents());
        assert_eq!(parse(&gpu, &theirs), None);
    }
}
