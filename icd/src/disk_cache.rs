//! Compiled kernels on disk, a file for each.
//!
//! A file is named by everything its kernel depends on, the driver's build among it, so builds and processes share the folder and
//! never each other's kernels. Files appear by renaming: readers see a whole one or none. What is in them the
//! runtime checks. The folder is kept within a bound: whoever writes removes the files that were used least recently.
//! Trouble with files is nobody's trouble: then kernels are compiled again.

use crate::env::{CacheSettings, Options};
use runtime::KernelStore;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Most bytes of the folder, unless the environment says otherwise.
const DEFAULT_LIMIT: u64 = 128 << 20;

/// Longest file that is read: 256 MiB.
const MAX_FILE: u64 = 256 << 20;

/// How old the note of a file's last use may become.
const NOTE_USE: Duration = Duration::from_secs(24 * 3600);

/// Age at which a file that was never finished is rubbish.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The folder.
#[derive(Debug)]
pub struct DiskCache {
    folder: PathBuf,
    /// Most bytes.
    limit: u64,
    /// Bytes written by this process since it last looked at the folder.
    written: AtomicU64,
    /// Makes names of unfinished files unique in the process.
    counter: AtomicU64,
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

/// Name of a kernel's file.
fn file_name(key: &[u8; 32]) -> String {
    key.iter().map(|b| format!("{b:02x}")).collect()
}

/// What a name in the folder is. The folder may be shared with others, whose files are left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    /// A kernel; or what builds before one file for each kernel wrote.
    Kernel,
    /// A file that is being written.
    Part,
    Foreign,
}

fn classify(name: &str) -> Name {
    let hex = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let (stem, rest) = name.split_once('.').map_or((name, None), |(stem, rest)| (stem, Some(rest)));
    match rest {
        None if hex(stem, 64) => Name::Kernel,
        Some("bin") if hex(stem, 32) => Name::Kernel,
        Some(rest) if rest.ends_with("part") && (hex(stem, 64) || hex(stem, 32)) => Name::Part,
        None | Some(_) => Name::Foreign,
    }
}

/// A kernel's file as the folder lists it.
struct Listed {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl DiskCache {
    /// The cache that the environment asks for, if it does.
    pub fn open(options: &Options) -> Option<Self> {
        if options.debug.nocache {
            return None;
        }
        let folder = folder(&options.cache, |name| std::env::var_os(name).map(PathBuf::from))?;
        Some(Self::new(folder, options.cache.max_size.unwrap_or(DEFAULT_LIMIT)))
    }

    fn new(folder: PathBuf, limit: u64) -> Self {
        Self { folder, limit, written: AtomicU64::new(0), counter: AtomicU64::new(0) }
    }

    fn list(&self, now: SystemTime) -> Vec<Listed> {
        let mut list = Vec::new();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_str().map_or(Name::Foreign, classify);
            if name == Name::Foreign {
                continue;
            }
            let Ok(meta) = entry.metadata() else { continue };
            let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if !meta.is_file() {
                continue;
            }
            match name {
                Name::Kernel => list.push(Listed { path: entry.path(), bytes: meta.len(), used }),
                Name::Part if now.duration_since(used).is_ok_and(|age| age > ABANDONED) => {
                    let _ = fs::remove_file(entry.path());
                }
                Name::Part | Name::Foreign => {}
            }
        }
        list
    }

    /// Removes what was used least recently until there is room for an eighth of the bound.
    fn sweep(&self) {
        let mut list = self.list(SystemTime::now());
        let mut total: u64 = list.iter().map(|l| l.bytes).sum();
        let aim = self.limit - self.limit / 8;
        list.sort_by_key(|l| l.used);
        for file in list {
            if total <= aim {
                break;
            }
            // Another process may have been here before.
            let _ = fs::remove_file(&file.path);
            total -= file.bytes;
        }
    }

    /// Writes a file; `place` gives it its name.
    fn write(
        &self,
        key: &[u8; 32],
        bytes: &[u8],
        place: impl FnOnce(&Path, &Path) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let length = bytes.len() as u64;
        // The room that a sweep leaves; what does not fit there would push out everything else.
        if length > self.limit / 8 {
            return Ok(());
        }
        if self.written.fetch_add(length, Ordering::Relaxed) + length > self.limit / 8 {
            self.sweep();
            self.written.store(length, Ordering::Relaxed);
        }
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(file_name(key));
        let unique = self.counter.fetch_add(1, Ordering::Relaxed);
        let part = path.with_extension(format!("{}-{unique}.part", std::process::id()));
        let written = fs::File::create_new(&part).and_then(|mut f| f.write_all(bytes));
        let placed = written.and_then(|()| place(&part, &path));
        // Nothing is left of it if it was renamed.
        let _ = fs::remove_file(&part);
        placed
    }
}

impl KernelStore for DiskCache {
    fn load(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        let path = self.folder.join(file_name(key));
        let meta = fs::metadata(&path).ok().filter(|m| m.is_file() && m.len() <= MAX_FILE)?;
        let bytes = fs::read(&path).ok()?;
        let now = SystemTime::now();
        if meta.modified().is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > NOTE_USE)) {
            let _ = fs::File::options().append(true).open(&path).and_then(|f| f.set_modified(now));
        }
        Some(bytes)
    }

    fn store(&self, key: &[u8; 32], bytes: &[u8]) {
        let _ = self.write(key, bytes, |part, path| fs::rename(part, path));
    }

    fn add(&self, key: &[u8; 32], bytes: &[u8]) -> bool {
        // A second name, unlike a new one, is not given to a file where there is one.
        let added = self.write(key, bytes, |part, path| match fs::hard_link(part, path) {
            // Not all file systems have second names.
            Err(e) if e.kind() != ErrorKind::AlreadyExists && !path.exists() => fs::rename(part, path),
            other => other,
        });
        !added.is_err_and(|e| e.kind() == ErrorKind::AlreadyExists)
    }
}

impl Drop for DiskCache {
    fn drop(&mut self) {
        // Many processes may write a little each.
        if *self.written.get_mut() > 0 {
            self.sweep();
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
    fn only_names_of_ours_are_ours() {
        assert_eq!(classify(&file_name(&[0xab; 32])), Name::Kernel);
        assert_eq!(classify(&format!("{}.bin", "0f".repeat(16))), Name::Kernel);
        assert_eq!(classify(&format!("{}.12-0.part", "0f".repeat(32))), Name::Part);
        assert_eq!(classify(&format!("{}.12.part", "0f".repeat(16))), Name::Part);
        for other in ["", "index", "marker.part", "0f0f", &"0F".repeat(32), &format!("{}.txt", "0f".repeat(32))] {
            assert_eq!(classify(other), Name::Foreign, "{other}");
        }
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("vkdxg-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Folder(path)
        }

        fn bytes(&self) -> u64 {
            fs::read_dir(&self.0).expect("folder").flatten().map(|e| e.metadata().expect("metadata").len()).sum()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn key(n: u32) -> [u8; 32] {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_le_bytes());
        key
    }

    #[test]
    fn the_folder_stays_within_its_bound_and_keeps_what_was_used_last() {
        let f = Folder::new("bound");
        let cache = DiskCache::new(f.0.clone(), 64_000);
        fs::create_dir_all(&f.0).expect("folder");
        // What another build left, older than all, and what is not ours.
        let stale = f.0.join(format!("{}.bin", "0f".repeat(16)));
        fs::write(&stale, [0; 9000]).expect("file");
        fs::File::options()
            .append(true)
            .open(&stale)
            .and_then(|f| f.set_modified(SystemTime::UNIX_EPOCH))
            .expect("time");
        fs::write(f.0.join("README"), [0; 10]).expect("file");
        let old = Duration::from_secs(30 * 24 * 3600);
        for n in 0..50 {
            cache.store(&key(n), &[n as u8; 1000]);
            let file = fs::File::options().append(true).open(f.0.join(file_name(&key(n)))).expect("file");
            file.set_modified(SystemTime::now() - old + Duration::from_secs(n.into())).expect("time");
        }
        // Used now, so it outlives younger ones.
        assert_eq!(cache.load(&key(0)), Some(vec![0; 1000]));
        for n in 50..80 {
            cache.store(&key(n), &[n as u8; 1000]);
            assert!(f.bytes() <= 64_000 + 10, "{} bytes", f.bytes());
        }
        drop(cache);
        assert!(f.bytes() <= 56_000 + 10, "{} bytes", f.bytes());
        let cache = DiskCache::new(f.0.clone(), 64_000);
        assert!(!stale.exists() && f.0.join("README").exists());
        assert_eq!(cache.load(&key(0)), Some(vec![0; 1000]));
        assert_eq!(cache.load(&key(79)), Some(vec![79; 1000]));
        assert_eq!(cache.load(&key(1)), None);
    }

    #[test]
    fn what_would_push_out_everything_is_not_kept() {
        let f = Folder::new("large");
        let cache = DiskCache::new(f.0.clone(), 8000);
        cache.store(&key(1), &[1; 1001]);
        assert_eq!(cache.load(&key(1)), None);
        cache.store(&key(1), &[1; 1000]);
        assert_eq!(cache.load(&key(1)), Some(vec![1; 1000]));
    }

    #[test]
    fn what_is_added_replaces_nothing() {
        let f = Folder::new("add");
        let cache = DiskCache::new(f.0.clone(), 8000);
        assert!(cache.add(&key(1), &[1; 100]));
        assert!(!cache.add(&key(1), &[2; 100]));
        assert_eq!(cache.load(&key(1)), Some(vec![1; 100]));
        cache.store(&key(1), &[3; 100]);
        assert!(!cache.add(&key(1), &[4; 100]));
        assert_eq!(cache.load(&key(1)), Some(vec![3; 100]));
        assert_eq!(fs::read_dir(&f.0).expect("folder").count(), 1);
    }

    #[test]
    fn readers_and_writers_at_once_see_whole_files() {
        let f = Folder::new("many");
        let work = |seed: u32| {
            // Each as a process of its own would have it.
            let cache = DiskCache::new(f.0.clone(), 40_000);
            for i in 0..400u32 {
                let n = (i * 7 + seed * 13) % 40;
                let whole = vec![n as u8; 500 + 10 * n as usize];
                if let Some(found) = cache.load(&key(n)) {
                    assert!(found == whole, "file {n}");
                }
                if i % 2 == 0 {
                    cache.store(&key(n), &whole);
                } else {
                    cache.add(&key(n), &whole);
                }
            }
        };
        std::thread::scope(|s| {
            for seed in 0..4 {
                s.spawn(move || work(seed));
            }
        });
        let parts = fs::read_dir(&f.0).expect("folder").flatten();
        assert!(parts.into_iter().all(|e| classify(e.file_name().to_str().expect("name")) == Name::Kernel));
    }
}
