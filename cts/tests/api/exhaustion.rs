//! A process that gets no more memory from the system: errors that say so, nothing left behind, and all works again when there is
//! memory.

use crate::interruptions::{held, in_child, program};
use crate::support::*;
use ash::vk;

tests! {
    address_space_runs_out, memory_runs_out_under_a_device,
}

/// What a program may be told; the last by a loader that cannot load a driver.
const TOLD: [vk::Result; 5] = [
    vk::Result::ERROR_OUT_OF_HOST_MEMORY,
    vk::Result::ERROR_OUT_OF_DEVICE_MEMORY,
    vk::Result::ERROR_INITIALIZATION_FAILED,
    vk::Result::ERROR_DEVICE_LOST,
    vk::Result::ERROR_INCOMPATIBLE_DRIVER,
];

/// The heap has room from here on without asking the system: what runs out are mappings, and not the allocations of the languages'
/// libraries, which end the process.
unsafe fn fill_heap() {
    libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
    libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    libc::mallopt(libc::M_ARENA_MAX, 1);
    let pieces: Vec<_> = (0..16).map(|_| libc::malloc(16 << 20)).collect();
    pieces.into_iter().for_each(|p| libc::free(p));
}

/// The process may have this many bytes more of address space, while the value lives.
struct Limit(libc::rlimit);

impl Limit {
    unsafe fn more(bytes: u64) -> R<Limit> {
        let pages: u64 = std::fs::read_to_string("/proc/self/statm")?.split(' ').next().unwrap_or_default().parse()?;
        let mut old: libc::rlimit = std::mem::zeroed();
        same!(libc::getrlimit(libc::RLIMIT_AS, &mut old), 0);
        let low = libc::rlimit { rlim_cur: pages * 4096 + bytes, ..old };
        same!(libc::setrlimit(libc::RLIMIT_AS, &low), 0);
        Ok(Limit(old))
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // SAFETY: a limit that was there before.
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &self.0) };
    }
}

/// A program with ever more address space, up to what it needs, each time in a process of its own.
unsafe fn address_space_runs_out() -> R {
    let (mut failed, mut bytes) = (0, 0u64);
    loop {
        let enough = libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        check!(enough != libc::MAP_FAILED);
        let enough = &*enough.cast::<std::sync::atomic::AtomicU32>();
        in_child(&format!("{bytes} bytes"), || {
            fill_heap();
            same!(program(), Ok(()), "with all there is");
            let limit = Limit::more(bytes)?;
            let result = program();
            drop(limit);
            match result {
                Ok(()) => enough.store(1, std::sync::atomic::Ordering::SeqCst),
                Err(error) => check!(TOLD.contains(&error), "{bytes} bytes: {error}"),
            }
            let mut before = [0; 2];
            for round in 0..2 {
                same!(program(), Ok(()), "after there were {bytes} bytes");
                let now = held();
                check!(round == 0 || now == before, "{now:?} is more than {before:?}");
                before = now;
            }
            Ok(())
        })?;
        if enough.load(std::sync::atomic::Ordering::SeqCst) != 0 {
            break;
        }
        failed += 1;
        check!(bytes < 1 << 44, "no end to it");
        bytes = if bytes == 0 { 64 << 10 } else { bytes * 3 / 2 };
    }
    check!(failed > 3, "only {failed} sizes were too small");
    Ok(())
}

/// Memory is allocated until there is no more, given back, and allocated again.
unsafe fn memory_runs_out_under_a_device() -> R {
    const PIECE: u64 = 8 << 20;
    in_child("memory runs out", || {
        fill_heap();
        let t = T::new(&[])?;
        t.now(|_| ())?;
        let ty = t.memory_type(u32::MAX, vk::MemoryPropertyFlags::HOST_VISIBLE)?;
        let all = |limit: usize| {
            let mut list = Vec::new();
            let info = vk::MemoryAllocateInfo::default().allocation_size(PIECE).memory_type_index(ty);
            while list.len() < limit {
                match t.d.allocate_memory(&info, None) {
                    Ok(m) => list.push(m),
                    Err(e) => return (list, Some(e)),
                }
            }
            (list, None)
        };
        let mut first = None;
        for round in 0..3 {
            let limit = Limit::more(24 * PIECE)?;
            let (list, error) = all(100);
            let n = list.len();
            // The device goes on meanwhile.
            let works = t.now(|_| ());
            drop(limit);
            list.into_iter().for_each(|m| t.d.free_memory(m, None));
            works?;
            if !t.is_ours() && error.is_none() {
                return Ok(());
            }
            check!(error.is_some_and(|e| TOLD[..2].contains(&e)), "{error:?}");
            check!((8..=24).contains(&n), "{n} pieces fit");
            check!(first.is_none_or(|f| n + 1 >= f), "{n} pieces fit in round {round}, {first:?} at first");
            first = first.or(Some(n));
        }
        let (list, error) = all(64);
        same!(error, None, "with the limit gone");
        list.into_iter().for_each(|m| t.d.free_memory(m, None));
        Ok(())
    })
}
