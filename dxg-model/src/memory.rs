//! Memory behind allocations, resources, and the residency budget.

use std::sync::{Arc, OnceLock, Weak};

use dxg_abi::Handle;

use crate::content::SharedContent;
use crate::device::Device;
use crate::lock::atomic::{AtomicBool, AtomicU32, Ordering};
use crate::lock::{lock, Mutex};
use crate::mapping::{Piece, Pinned};
use crate::shared_file::SharedFile;
use crate::space::{AddressSpace, VaError};

/// Where the pages of an allocation are.
#[derive(Debug)]
enum Backing {
    /// The caller's own memory.
    User { pinned: OnceLock<Option<Pinned>> },
    /// Memory of ours, with an address in the GPU's space that is also the CPU's.
    Home { space: Weak<AddressSpace>, file: Option<(Arc<SharedFile>, u64)> },
}

/// The pages of an allocation; shared between those that open the same resource.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Address of the pages in this process.
    pub(crate) address: u64,
    /// Size in bytes, whole pages.
    pub(crate) size: u64,
    backing: Backing,
    /// Whether it counts for the non-local segment group: memory that every adapter can reach lies in system memory. (So does
    /// all of it here, but the caller's other pages and the driver's are what this adapter has for its own.)
    pub(crate) non_local: bool,
    /// Residency references over all allocations on these pages.
    pub(crate) residence: Arc<AtomicU32>,
}

impl Memory {
    /// Memory of the caller, in one segment group or the other.
    pub(crate) fn user(address: u64, size: u64, non_local: bool) -> Self {
        let backing = Backing::User { pinned: OnceLock::new() };
        Self { address, size, backing, non_local, residence: Arc::default() }
    }

    /// Fresh memory of ours, in one segment group or the other, or pages of a file from an offset.
    pub(crate) fn home_in(
        space: &Arc<AddressSpace>,
        size: u64,
        non_local: bool,
        file: Option<(Arc<SharedFile>, u64)>,
    ) -> Result<Self, VaError> {
        let address = space.new_home(size, file.as_ref().map(|(f, at)| (&**f, *at)))?;
        let backing = Backing::Home { space: Arc::downgrade(space), file };
        Ok(Self { address, size, backing, non_local, residence: Arc::default() })
    }

    /// Where it lies in a file, if it does.
    pub(crate) fn place_in(&self, wanted: &Arc<SharedFile>) -> Option<u64> {
        match &self.backing {
            Backing::Home { file: Some((file, at)), .. } if Arc::ptr_eq(file, wanted) => Some(*at),
            Backing::Home { .. } | Backing::User { .. } => None,
        }
    }

    /// Whether it is the caller's own.
    pub(crate) fn is_user(&self) -> bool {
        matches!(self.backing, Backing::User { .. })
    }

    /// What to duplicate to show `[offset, offset + len)` at a second address. Private memory of
    /// the caller has no second address.
    pub(crate) fn pieces(&self, offset: u64, len: u64) -> Result<Vec<Piece>, VaError> {
        match &self.backing {
            Backing::Home { .. } => Ok(vec![(self.address + offset, len)]),
            Backing::User { pinned } => pinned
                .get_or_init(|| Pinned::new(self.address, self.size).ok())
                .as_ref()
                .map(|p| p.slice(offset, len))
                .ok_or(VaError::NoMemory),
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Backing::Home { space, .. } = &self.backing {
            if let Some(space) = space.upgrade() {
                space.free_home(self.address);
            }
        }
    }
}

/// One allocation of a device.
#[derive(Debug)]
pub(crate) struct Allocation {
    /// Never reused; owner id in the address space.
    pub(crate) id: u64,
    pub(crate) device: Arc<Device>,
    pub(crate) resource: Option<Arc<Resource>>,
    pub(crate) memory: Arc<Memory>,
    /// Residency references through this allocation; guarded by [`Residency`]'s lock.
    pub(crate) references: AtomicU32,
    /// Nested locks.
    pub(crate) locks: Mutex<u32>,
    pub(crate) priority: AtomicU32,
    pub(crate) offered: AtomicBool,
    pub(crate) private_data: Vec<u8>,
}

/// A group of allocations with one handle.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) device: Arc<Device>,
    /// Made or opened as a shared resource.
    pub(crate) shared: bool,
    pub(crate) runtime_data: Vec<u8>,
    pub(crate) private_data: Vec<u8>,
    /// Where a shared resource's memory is, so that other processes can have it.
    pub(crate) file: Option<Arc<SharedFile>>,
    pub(crate) state: Mutex<ResourceState>,
}

/// What changes about a resource.
#[derive(Debug, Default)]
pub(crate) struct ResourceState {
    /// Being destroyed.
    pub(crate) dead: bool,
    pub(crate) sealed: bool,
    pub(crate) allocations: Vec<Handle>,
    /// What openers get, once sealed.
    pub(crate) content: Option<Arc<SharedContent>>,
}

/// The budget of the process on the adapter, and what is charged against it.
#[derive(Debug)]
pub(crate) struct Residency {
    /// Bytes that may be resident at once.
    pub(crate) budget: u64,
    state: Mutex<Charged>,
}

#[derive(Debug, Default)]
struct Charged {
    /// Bytes resident per segment group.
    usage: [u64; 2],
    reservation: u64,
}

impl Residency {
    pub(crate) fn new(budget: u64) -> Self {
        Self { budget, state: Mutex::default() }
    }

    /// Adds a reference to each allocation: all or none. `Err` when over budget.
    pub(crate) fn make_resident(&self, list: &[Arc<Allocation>]) -> Result<(), ()> {
        let mut st = lock(&self.state);
        // References first, so that an allocation listed twice is charged once.
        let mut need = [0u64; 2];
        for a in list {
            if a.memory.residence.fetch_add(1, Ordering::AcqRel) == 0 {
                need[usize::from(a.memory.non_local)] += a.memory.size;
            }
        }
        if st.usage.iter().chain(&need).sum::<u64>() > self.budget {
            for a in list {
                a.memory.residence.fetch_sub(1, Ordering::AcqRel);
            }
            return Err(());
        }
        for a in list {
            a.references.fetch_add(1, Ordering::AcqRel);
        }
        for (usage, need) in st.usage.iter_mut().zip(need) {
            *usage += need;
        }
        Ok(())
    }

    /// Drops a reference from each allocation that has one.
    pub(crate) fn evict(&self, list: &[Arc<Allocation>]) {
        let mut st = lock(&self.state);
        for a in list {
            if a.references.load(Ordering::Acquire) > 0 {
                a.references.fetch_sub(1, Ordering::AcqRel);
                Self::unref(&mut st, &a.memory, 1);
            }
        }
    }

    /// Drops all references of an allocation that goes away.
    pub(crate) fn forget(&self, a: &Allocation) {
        let mut st = lock(&self.state);
        let n = a.references.swap(0, Ordering::AcqRel);
        Self::unref(&mut st, &a.memory, n);
    }

    fn unref(st: &mut Charged, memory: &Memory, n: u32) {
        if n > 0 && memory.residence.fetch_sub(n, Ordering::AcqRel) == n {
            st.usage[usize::from(memory.non_local)] -= memory.size;
        }
    }

    /// Bytes resident.
    pub(crate) fn usage(&self) -> u64 {
        lock(&self.state).usage.iter().sum()
    }

    /// Bytes resident in the local and in the non-local segment group.
    pub(crate) fn usage_by_group(&self) -> [u64; 2] {
        lock(&self.state).usage
    }

    /// Bytes reserved.
    pub(crate) fn reservation(&self) -> u64 {
        lock(&self.state).reservation
    }

    /// Most bytes that can be reserved.
    pub(crate) fn reservable(&self) -> u64 {
        self.budget / 2
    }

    /// Changes the reservation; `Err` when it is more than there is.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<(), ()> {
        if bytes > self.reservable() {
            return Err(());
        }
        lock(&self.state).reservation = bytes;
        Ok(())
    }
}
