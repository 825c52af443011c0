//! Compiled kernels on disk, one file per GPU and driver build.
//!
//! The file is a pipeline cache as applications get it: checked as a whole when it is read, and ignored when it is foreign
//! or damaged. It is read before the first pipeline of a device and written when the device goes. Trouble with files is
//! nobody's trouble: then kernels are compiled again.

use crate::env::{CacheSettings, Options};
use ash::vk;
use runtime::{Device, PipelineCache};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most bytes of the file, unless the environment says otherwise.
const DEFAULT_LIMIT: u64 = 128 << 20;

/// The cache of one device.
#[derive(Debug)]
pub struct DiskCache {
    cache: Arc<PipelineCache>,
    file: PathBuf,
    limit: usize,
}

/// Where the files are: the folder of the settings, or one in the user's cache folder. `get` reads the environment.
fn folder(settings: &CacheSettings, get: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if settings.disable {
        return None;
    }
    let absolute = |p: PathBuf| p.is_absolute().then_some(p);
    if let Some(dir) = &settings.dir {
        return absolute(dir.clone());
    }
    let base =
        get("XDG_CACHE_HOME").and_then(absolute).or_else(|| Some(get("HOME").and_then(absolute)?.join(".cache")))?;
    Some(base.join("vulkan-dxg"))
}

/// Name of the file of a GPU and build.
fn file_name(uuid: &[u8; 16]) -> String {
    let digits: String = uuid.iter().map(|b| format!("{b:02x}")).collect();
    format!("{digits}.bin")
}

/// The file's bytes, if there is one that is not too long.
fn read(file: &Path, limit: usize) -> Option<Vec<u8>> {
    let length = fs::metadata(file).ok()?.len();
    if length > limit as u64 {
        return None;
    }
    fs::read(file).ok()
}

/// Replaces the file in one step, so that readers see the old or the new one.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = file.with_extension(format!("{}.part", std::process::id()));
    let written = fs::File::create(&part).and_then(|mut f| f.write_all(bytes));
    let moved = written.and_then(|()| fs::rename(&part, file));
    if moved.is_err() {
        let _ = fs::remove_file(&part);
    }
    moved
}

impl DiskCache {
    /// Reads what is there and gives it to the process; none where the environment wants no cache.
    pub fn open(device: &Arc<Device>, options: &Options) -> Option<Self> {
        if options.debug.nocache {
            return None;
        }
        let folder = folder(&options.cache, |name| std::env::var_os(name).map(PathBuf::from))?;
        let file = folder.join(file_name(&device.props().pipeline_cache_uuid));
        let limit = usize::try_from(options.cache.max_size.unwrap_or(DEFAULT_LIMIT)).unwrap_or(usize::MAX);
        let bytes = read(&file, limit).unwrap_or_default();
        let cache = PipelineCache::new(device, &bytes, vk::PipelineCacheCreateFlags::empty()).ok()?;
        cache.share();
        Some(Self { cache, file, limit })
    }

    /// Writes what is new, with what other processes have written meanwhile.
    pub fn save(&self, device: &Arc<Device>) {
        if !self.cache.collect() {
            return;
        }
        let others = read(&self.file, self.limit)
            .and_then(|bytes| PipelineCache::new(device, &bytes, vk::PipelineCacheCreateFlags::empty()).ok());
        if let Some(others) = &others {
            self.cache.merge(&[others]);
        }
        let (bytes, _) = self.cache.data_within(self.limit);
        if !bytes.is_empty() {
            // Without the file kernels are compiled again next time.
            let _ = replace(&self.file, &bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_follows_the_environment() {
        let home = |n: &str| (n == "HOME").then(|| PathBuf::from("/h"));
        let none = CacheSettings::default();
        assert_eq!(folder(&none, home), Some("/h/.cache/vulkan-dxg".into()));
        let xdg = |n: &str| (n == "XDG_CACHE_HOME").then(|| PathBuf::from("/c"));
        assert_eq!(folder(&none, xdg), Some("/c/vulkan-dxg".into()));
        assert_eq!(folder(&none, |_| None), None);
        assert_eq!(folder(&none, |_| Some("relative".into())), None);
        let own = CacheSettings { dir: Some("/own".into()), ..CacheSettings::default() };
        assert_eq!(folder(&own, home), Some("/own".into()));
        let off = CacheSettings { disable: true, ..own };
        assert_eq!(folder(&off, home), None);
    }

    #[test]
    fn files_are_named_by_uuid() {
        assert_eq!(file_name(&[0xab; 16]), format!("{}.bin", "ab".repeat(16)));
    }
}
