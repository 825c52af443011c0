//! Kernels outside of pipelines: VK_KHR_pipeline_binary.

use super::build::{self, Settings};
use super::cache::{self, Key};
use super::entry::{self, Reader};
use super::program::{Program, ProgramCreate};
use super::{store, tier};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::{CompiledKernel, Gpu, GpuProps};
use std::sync::Arc;

/// Marks the data of a binary, with the version of its form.
const MAGIC: [u8; 8] = *b"vkdxgpb1";

/// Bytes of the hash at the end.
const HASH_BYTES: usize = 32;

/// A VkPipelineBinaryKHR: the one kernel of a compute pipeline, and its key.
#[derive(Debug)]
pub struct PipelineBinary {
    key: Key,
    kernel: Arc<CompiledKernel>,
}

fn write(props: &GpuProps, kernel: &CompiledKernel) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&props.pipeline_cache_uuid);
    out.extend_from_slice(&entry::encode(kernel));
    let hash = blake3::hash(&out);
    out.extend_from_slice(hash.as_bytes());
    out
}

fn parse(gpu: &dyn Gpu, data: &[u8]) -> Option<CompiledKernel> {
    let (body, hash) = data.split_at_checked(data.len().checked_sub(HASH_BYTES)?)?;
    let r = Reader(body.strip_prefix(&MAGIC)?.strip_prefix(&gpu.props().pipeline_cache_uuid)?);
    if blake3::hash(body).as_bytes() != hash {
        return None;
    }
    entry::decode(r.0).filter(|k| gpu.accepts_binary(&k.binary))
}

impl PipelineBinary {
    /// The binary of a pipeline.
    pub fn of_program(program: &Program) -> Arc<PipelineBinary> {
        Arc::new(PipelineBinary { key: *program.kernel().0, kernel: program.best() })
    }

    /// The binary of a pipeline that was made before in this process or is in the device's store, `None` if there is none.
    pub fn find(device: &Arc<Device>, create: &ProgramCreate) -> Option<Arc<PipelineBinary>> {
        if device.features().no_kernel_cache {
            return None;
        }
        let settings = Settings::of(device, create);
        let key = build::key(device, create, &settings);
        let kept = || Some(Arc::new(store::load(device.kernel_store()?, &**device.gpu(), &key)?));
        let kernel = cache::process_get(&key).or_else(kept)?;
        // Binaries hold the best code.
        let kernel = match kernel.successor {
            None => kernel,
            Some(_) => tier::compiled(device, create, &settings, &key)?,
        };
        Some(Arc::new(PipelineBinary { key, kernel }))
    }

    /// A binary from its key and [`data`](Self::data).
    ///
    /// # Errors
    /// [`Error::InitializationFailed`] for data that is damaged or of another build or machine.
    pub fn from_data(device: &Device, key: &[u8], data: &[u8]) -> Result<Arc<PipelineBinary>> {
        let foreign = || Error::InitializationFailed("pipeline binary data of another driver or device".to_owned());
        let key = key.try_into().map_err(|_| foreign())?;
        let kernel = parse(&**device.gpu(), data).ok_or_else(foreign)?;
        Ok(Arc::new(PipelineBinary { key, kernel: Arc::new(kernel) }))
    }

    /// What it is found by.
    pub fn key(&self) -> [u8; 32] {
        self.key
    }

    /// Its bytes.
    pub fn data(&self, device: &Device) -> Vec<u8> {
        write(device.props(), &self.kernel)
    }

    pub(super) fn kernel(&self) -> &Arc<CompiledKernel> {
        &self.kernel
    }
}

impl ProgramCreate {
    /// vkGetPipelineKeyKHR: the same for the same kernel.
    pub fn key(&self, device: &Device) -> [u8; 32] {
        build::key(device, self, &Settings::of(device, self))
    }
}

impl Device {
    /// vkGetPipelineKeyKHR without a pipeline: changes when binaries of before are of no use.
    pub fn global_pipeline_key(&self) -> [u8; 32] {
        let mut h = blake3::Hasher::new();
        h.update(&MAGIC);
        h.update(&self.props().pipeline_cache_uuid);
        *h.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::entry::tests::sample;
    use crate::testing::FakeGpu;

    #[test]
    fn data_round_trips_and_damage_is_noticed() {
        let gpu = FakeGpu::new();
        let data = write(gpu.props(), &sample());
        assert_eq!(parse(&gpu, &data), Some(sample()));
        for i in 0..data.len() {
            let mut bad = data.clone();
            bad[i] ^= 4;
            assert_eq!(parse(&gpu, &bad), None, "byte {i}");
            assert_eq!(parse(&gpu, &data[..i]), None, "{i} bytes");
        }
    }
}
