//! Pipeline caches.

use super::entry::{self, Reader};
use super::program::ProgramCreate;
use crate::device::Device;
use crate::error::Result;
use crate::gpu::{CompiledKernel, Gpu, GpuProps};
use crate::lock::lock;
use ash::vk;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

/// What a kernel is found by: a hash of everything it depends on.
pub(crate) type Key = [u8; 32];

/// VkPipelineCacheHeaderVersionOne.
const HEADER_BYTES: usize = 32;

/// Marks our part of a cache, with its version.
const MAGIC: [u8; 8] = *b"vkdxgpc1";

/// Bytes besides the header and the entries: magic, number of entries, hash.
const FRAME_BYTES: usize = 8 + 4 + 32;

/// Kernels the process keeps whatever caches applications use, bytes.
const PROCESS_LIMIT: usize = 128 << 20;

/// Kernels by key, sorted, so that the same content gives the same bytes.
type Kernels = BTreeMap<Key, Arc<CompiledKernel>>;

/// A VkPipelineCache.
#[derive(Debug)]
pub struct PipelineCache {
    device: Arc<Device>,
    kernels: Mutex<Kernels>,
}

fn header(props: &GpuProps) -> [u8; HEADER_BYTES] {
    let mut out = [0u8; HEADER_BYTES];
    let words =
        [HEADER_BYTES as u32, vk::PipelineCacheHeaderVersion::ONE.as_raw() as u32, props.vendor_id, props.device_id];
    for (place, word) in out.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    out[16..].copy_from_slice(&props.pipeline_cache_uuid);
    out
}

/// Reads a cache. What is foreign, damaged or cut is as good as empty.
fn parse(gpu: &dyn Gpu, data: &[u8]) -> Option<Kernels> {
    let rest = data.strip_prefix(&header(gpu.props())[..])?;
    let (body, hash) = rest.split_at_checked(rest.len().checked_sub(32)?)?;
    if blake3::hash(body).as_bytes() != hash {
        return None;
    }
    let mut r = Reader(body.strip_prefix(&MAGIC)?);
    let count = r.u32()?;
    let mut out = Kernels::new();
    for _ in 0..count {
        let key: Key = r.bytes(32)?.try_into().ok()?;
        let len = r.u32()? as usize;
        let kernel = entry::decode(r.bytes(len)?)?;
        if gpu.accepts_binary(&kernel.binary) {
            out.insert(key, Arc::new(kernel));
        }
    }
    r.0.is_empty().then_some(out)
}

/// Writes as many kernels as fit into `limit` bytes; false: not all did.
fn write(props: &GpuProps, kernels: &Kernels, limit: usize) -> (Vec<u8>, bool) {
    if limit < HEADER_BYTES + FRAME_BYTES {
        return (Vec::new(), false);
    }
    let mut body = MAGIC.to_vec();
    body.extend_from_slice(&[0; 4]);
    let mut count = 0u32;
    let mut complete = true;
    for (key, kernel) in kernels {
        let bytes = entry::encode(kernel);
        let Ok(len) = u32::try_from(bytes.len()) else { continue };
        if HEADER_BYTES + body.len() + 36 + bytes.len() + 32 > limit {
            complete = false;
            continue;
        }
        body.extend_from_slice(key);
        body.extend_from_slice(&len.to_le_bytes());
        body.extend_from_slice(&bytes);
        count += 1;
    }
    body[MAGIC.len()..MAGIC.len() + 4].copy_from_slice(&count.to_le_bytes());
    let mut out = header(props).to_vec();
    out.extend_from_slice(&body);
    out.extend_from_slice(blake3::hash(&body).as_bytes());
    (out, complete)
}

impl PipelineCache {
    /// A cache with earlier content, as far as that is ours and sound.
    ///
    /// # Errors
    /// None: bad content is ignored.
    pub fn new(
        device: &Arc<Device>,
        initial: &[u8],
        _flags: vk::PipelineCacheCreateFlags,
    ) -> Result<Arc<PipelineCache>> {
        let kernels = parse(&**device.gpu(), initial).unwrap_or_default();
        Ok(Arc::new(PipelineCache { device: device.clone(), kernels: Mutex::new(kernels) }))
    }

    /// The content as bytes.
    pub fn data(&self) -> Vec<u8> {
        self.data_within(usize::MAX).0
    }

    /// Size of [`data`](Self::data), bytes.
    pub fn data_size(&self) -> usize {
        let entries: usize = lock(&self.kernels).values().map(|k| 36 + entry::encode(k).len()).sum();
        HEADER_BYTES + FRAME_BYTES + entries
    }

    /// As much of the content as fits into `limit` bytes, a whole cache by itself. False: something was left out (VK_INCOMPLETE).
    pub fn data_within(&self, limit: usize) -> (Vec<u8>, bool) {
        write(self.device.props(), &lock(&self.kernels), limit)
    }

    /// Takes over the kernels of other caches.
    pub fn merge(&self, others: &[&PipelineCache]) {
        for other in others {
            // One lock at a time: two caches may be merged into each other at once.
            let kernels = lock(&other.kernels).clone();
            kernels.iter().for_each(|(key, kernel)| self.insert(*key, kernel));
        }
    }

    /// Number of kernels.
    pub fn len(&self) -> usize {
        lock(&self.kernels).len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<CompiledKernel>> {
        lock(&self.kernels).get(key).cloned()
    }

    pub(crate) fn insert(&self, key: Key, kernel: &Arc<CompiledKernel>) {
        let mut kernels = lock(&self.kernels);
        // The best code stays.
        if kernels.get(&key).is_none_or(|k| k.successor.is_some()) {
            kernels.insert(key, kernel.clone());
        }
    }
}

/// Kernels of the whole process: the same shader in two devices or pipelines is compiled once.
#[derive(Debug, Default)]
struct ProcessCache {
    kernels: BTreeMap<Key, Arc<CompiledKernel>>,
    /// What kernels were made from that better code may follow.
    sources: BTreeMap<Key, Arc<ProgramCreate>>,
    bytes: usize,
}

static PROCESS: LazyLock<Mutex<ProcessCache>> = LazyLock::new(Mutex::default);

/// A kernel that was compiled before in this process.
pub(crate) fn process_get(key: &Key) -> Option<Arc<CompiledKernel>> {
    lock(&PROCESS).kernels.get(key).cloned()
}

/// What a kernel of this process was made from that better code may follow.
pub(crate) fn process_source(key: &Key) -> Option<Arc<ProgramCreate>> {
    lock(&PROCESS).sources.get(key).cloned()
}

/// Keeps a kernel for the process, with what it was made from. The best code stays. When there are too many, all are forgotten: keeping
/// track of use is not worth it.
pub(crate) fn process_insert(key: Key, kernel: &Arc<CompiledKernel>, source: Option<&ProgramCreate>) {
    let mut cache = lock(&PROCESS);
    if cache.kernels.get(&key).is_some_and(|k| k.successor.is_none() || Arc::ptr_eq(k, kernel)) {
        return;
    }
    if cache.bytes.saturating_add(kernel.binary.len()) > PROCESS_LIMIT {
        *cache = ProcessCache::default();
    }
    match source.filter(|_| kernel.successor.is_some()) {
        Some(source) => cache.sources.insert(key, Arc::new(source.clone())),
        None => cache.sources.remove(&key),
    };
    if cache.kernels.insert(key, kernel.clone()).is_none() {
        cache.bytes += kernel.binary.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::entry::tests::sample;
    use crate::testing::FakeGpu;

    fn kernels() -> Kernels {
        (0..3u8).map(|i| ([i; 32], Arc::new(CompiledKernel { binary: vec![i + 1; 100], ..sample() }))).collect()
    }

    #[test]
    fn content_round_trips() {
        let gpu = FakeGpu::new();
        let (data, complete) = write(gpu.props(), &kernels(), usize::MAX);
        assert!(complete);
        assert_eq!(parse(&gpu, &data), Some(kernels()));
        assert_eq!(u32::from_le_bytes(data[..4].try_into().unwrap()), 32);
    }

    #[test]
    fn less_room_means_fewer_kernels_but_a_sound_cache() {
        let gpu = FakeGpu::new();
        let (all, _) = write(gpu.props(), &kernels(), usize::MAX);
        let (some, complete) = write(gpu.props(), &kernels(), all.len() - 1);
        assert!(!complete && some.len() < all.len());
        assert_eq!(parse(&gpu, &some).map(|k| k.len()), Some(2));
        assert_eq!(write(gpu.props(), &kernels(), 10), (Vec::new(), false));
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let gpu = FakeGpu::new();
        let (data, _) = write(gpu.props(), &kernels(), usize::MAX);
        for i in 0..data.len() {
            let mut bad = data.clone();
            bad[i] ^= 0x40;
            assert_eq!(parse(&gpu, &bad), None, "byte {i}");
        }
        for n in 0..data.len() {
            assert_eq!(parse(&gpu, &data[..n]), None, "{n} bytes");
        }
    }

    #[test]
    fn foreign_caches_are_ignored() {
        let (ours, mut theirs) = (FakeGpu::new(), FakeGpu::new());
        theirs.props.pipeline_cache_uuid[3] ^= 1;
        let (data, _) = write(theirs.props(), &kernels(), usize::MAX);
        assert_eq!(parse(&ours, &data), None);
    }
}
