//! Allocations: memory as the device knows it, one handle each.

use crate::device::Device;
use crate::error::{Cause, Error, Result};
use crate::queries::blob_size;
use crate::sys::{View, PAGE};
use dxg_abi::{
    AllocationInfo2, Arg, CreateAllocation, CreateAllocationFlags, CreateStandardAllocation, DestroyAllocation2,
    Handle, InvalidateCache, Lock2, OpenAllocationInfo2, OpenResourceFromNtHandle, QueryResourceInfoFromNtHandle,
    StandardAllocationExistingHeap, StandardAllocationType, Unlock2, PRIVATE_DATA_MAX,
};
use guard::{StandIn, Vanishing};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// Memory of the application that a device may use. Making one is the promise on which the
/// rest is safe.
#[derive(Clone, Copy, Debug)]
pub struct HostPointer {
    ptr: NonNull<u8>,
    len: usize,
}

// SAFETY: the promise made to `new` holds for every thread.
unsafe impl Send for HostPointer {}
// SAFETY: as above; the bytes are only copied, never borrowed.
unsafe impl Sync for HostPointer {}

impl HostPointer {
    /// Names `len` bytes at `ptr`.
    ///
    /// # Safety
    /// The bytes must stay mapped, readable and writable until every [`Memory`](crate::Memory)
    /// made from this is dropped, and nobody may hold a reference to them while they are
    /// accessed through it or by the GPU.
    pub const unsafe fn new(ptr: NonNull<u8>, len: usize) -> Self {
        Self { ptr, len }
    }

    pub(crate) fn address(&self) -> u64 {
        self.ptr.as_ptr() as u64
    }

    pub(crate) fn len(&self) -> u64 {
        self.len as u64
    }

    /// The whole pages the bytes lie in: start and length; `None` for nothing or too much.
    pub(crate) fn pages(&self) -> Option<(u64, u64)> {
        let start = self.address() & !(PAGE - 1);
        let end = self.address().checked_add(self.len())?.checked_next_multiple_of(PAGE)?;
        (self.len > 0).then_some((start, end - start))
    }
}

/// One allocation, destroyed when dropped. The GPU must be finished with it by then.
#[derive(Debug)]
pub struct Allocation {
    device: Device,
    handle: Handle,
    /// The resource that owns it, or null for one that stands alone.
    resource: Handle,
    size: u64,
    /// Where it is mapped for the CPU, if it is. The kernel takes such pages away when the adapter is removed.
    locked: Option<Vanishing>,
    /// See [`Self::identity`].
    identity: u64,
}

/// A number that no other allocation of this machine has, as far as processes are told apart by theirs.
fn new_identity() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff
}

/// What openers of shared memory of ours are told beside the vendor's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Label {
    /// See [`Allocation::identity`].
    identity: u64,
    /// Bytes.
    size: u64,
    /// See [`MemoryDesc::tag`](crate::MemoryDesc).
    tag: u64,
}

impl Label {
    const BYTES: usize = 24;

    fn bytes(self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        for (place, word) in out.chunks_exact_mut(8).zip([self.identity, self.size, self.tag]) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        out
    }

    /// `None` for what another kind of driver said, or nobody.
    fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = <[u8; Self::BYTES]>::try_from(bytes).ok()?;
        let mut words = bytes.chunks_exact(8).filter_map(|w| w.try_into().ok()).map(u64::from_le_bytes);
        Some(Self { identity: words.next()?, size: words.next()?, tag: words.next()? })
    }
}

impl Allocation {
    /// An allocation over whole pages of this process, which outlive it. This is the portable
    /// kind: the host makes up the vendor data.
    pub(crate) fn over_pages(device: &Device, address: u64, size: u64, cross_adapter: bool) -> Result<Self> {
        let flags = CreateAllocationFlags::CREATE_RESOURCE
            | CreateAllocationFlags::STANDARD_ALLOCATION
            | CreateAllocationFlags::EXISTING_SYSMEM;
        let flags = flags.set(CreateAllocationFlags::CROSS_ADAPTER, cross_adapter);
        Self::standard(device, StandardAllocationType::EXISTINGHEAP, address, size, flags, 0)
    }

    /// A standard allocation that any adapter can use and that can be shared; openers have to know `tag`.
    pub(crate) fn cross_adapter(device: &Device, size: u64, shared: bool, tag: u64) -> Result<Self> {
        let mut flags = CreateAllocationFlags::CREATE_RESOURCE | CreateAllocationFlags::STANDARD_ALLOCATION;
        if shared {
            flags |= CreateAllocationFlags::CREATE_SHARED | CreateAllocationFlags::NT_SECURITY_SHARING;
        }
        Self::standard(device, StandardAllocationType::CROSSADAPTER, 0, size, flags, tag)
    }

    fn standard(
        device: &Device,
        kind: StandardAllocationType,
        sysmem: u64,
        size: u64,
        flags: CreateAllocationFlags,
        tag: u64,
    ) -> Result<Self> {
        let standard = CreateStandardAllocation {
            r#type: kind,
            existing_heap_data: StandardAllocationExistingHeap { size },
            ..Default::default()
        };
        let mut info = AllocationInfo2 { sysmem, ..Default::default() };
        // What opens shared memory gets our data of it back.
        let identity = new_identity();
        let runtime_data = Label { identity, size, tag }.bytes();
        let shared = flags.contains(CreateAllocationFlags::CREATE_SHARED);
        let mut arg = CreateAllocation {
            device: device.handle(),
            private_runtime_data: if shared { runtime_data.as_ptr() as u64 } else { 0 },
            private_runtime_data_size: if shared { runtime_data.len() as u32 } else { 0 },
            alloc_count: 1,
            allocation_info: &raw mut info as u64,
            flags,
            ..Default::default()
        };
        arg.set_standard_allocation(&raw const standard as u64);
        device.call(&mut arg)?;
        Self::made(device, info.allocation, arg.resource, size, flags, identity)
    }

    /// An allocation described by vendor data, which the driver may change. A shared one is put
    /// into a resource, whose vendor data is `resource_data`.
    pub(crate) fn driver(
        device: &Device,
        size: u64,
        data: &mut [u8],
        resource_data: &[u8],
        shared: bool,
    ) -> Result<Self> {
        let mut info = AllocationInfo2 {
            priv_drv_data: data.as_mut_ptr() as u64,
            priv_drv_data_size: blob_size(data)?,
            ..Default::default()
        };
        let flags = if shared {
            CreateAllocationFlags::CREATE_RESOURCE
                | CreateAllocationFlags::CREATE_SHARED
                | CreateAllocationFlags::NT_SECURITY_SHARING
        } else {
            CreateAllocationFlags::default()
        };
        let mut arg = CreateAllocation {
            device: device.handle(),
            priv_drv_data: if resource_data.is_empty() { 0 } else { resource_data.as_ptr() as u64 },
            priv_drv_data_size: blob_size(resource_data)?,
            alloc_count: 1,
            allocation_info: &raw mut info as u64,
            flags,
            ..Default::default()
        };
        device.call(&mut arg)?;
        Self::made(device, info.allocation, arg.resource, size, flags, new_identity())
    }

    fn made(
        device: &Device,
        handle: Handle,
        resource: Handle,
        size: u64,
        flags: CreateAllocationFlags,
        identity: u64,
    ) -> Result<Self> {
        let in_resource = flags.contains(CreateAllocationFlags::CREATE_RESOURCE);
        let resource = if in_resource { resource } else { Handle::NULL };
        if handle.is_null() || (in_resource && resource.is_null()) {
            return Err(Error::new(CreateAllocation::IOCTL, Cause::NoOutput));
        }
        Ok(Self { device: device.clone(), handle, resource, size, locked: None, identity })
    }

    /// Opens the allocation of a shared resource from a descriptor, which stays the caller's.
    /// `size` and `tag` are what the exporter said: memory of ours that is of another size or has another tag is invalid. Of
    /// memory of others the size is not known before it is mapped.
    pub(crate) fn import(device: &Device, fd: BorrowedFd<'_>, size: u64, tag: u64) -> Result<Self> {
        let fd = fd.as_raw_fd() as u64;
        let mut info = QueryResourceInfoFromNtHandle { device: device.handle(), nt_handle: fd, ..Default::default() };
        device.call(&mut info)?;
        if info.allocation_count != 1 {
            return Err(Error::argument("shared resource of several allocations"));
        }
        let sizes = [info.private_runtime_data_size, info.resource_priv_drv_data_size, info.total_priv_drv_data_size];
        if sizes.iter().any(|s| *s > PRIVATE_DATA_MAX) {
            return Err(Error::new(QueryResourceInfoFromNtHandle::IOCTL, Cause::NoOutput));
        }
        let mut blobs = sizes.map(|s| vec![0u8; s as usize]);
        let [runtime, resource, total] = &mut blobs;
        let mut opened = OpenAllocationInfo2::default();
        let mut arg = OpenResourceFromNtHandle {
            device: device.handle(),
            nt_handle: fd,
            allocation_count: 1,
            open_alloc_info: &raw mut opened as u64,
            private_runtime_data_size: sizes[0] as i32,
            private_runtime_data: runtime.as_mut_ptr() as u64,
            resource_priv_drv_data_size: sizes[1],
            resource_priv_drv_data: resource.as_mut_ptr() as u64,
            total_priv_drv_data_size: sizes[2],
            total_priv_drv_data: total.as_mut_ptr() as u64,
            ..Default::default()
        };
        device.call(&mut arg)?;
        if arg.resource.is_null() || opened.allocation.is_null() {
            return Err(Error::new(OpenResourceFromNtHandle::IOCTL, Cause::NoOutput));
        }
        let (handle, resource) = (opened.allocation, arg.resource);
        let label = Label::read(runtime);
        let identity = label.map_or_else(new_identity, |l| l.identity);
        let this = Self { device: device.clone(), handle, resource, size, locked: None, identity };
        match label {
            Some(l) if l.size != size => Err(Error::argument("shared memory of another size")),
            Some(l) if l.tag != tag => Err(Error::argument("shared memory of another kind")),
            Some(_) | None => Ok(this),
        }
    }

    /// Makes a descriptor for the resource.
    pub(crate) fn export(&self) -> Result<OwnedFd> {
        if self.resource.is_null() {
            return Err(Error::argument("memory is not shared"));
        }
        crate::sharing::share(&self.device, self.resource)
    }

    /// Maps the allocation for the CPU until it is dropped.
    pub(crate) fn lock(&mut self) -> Result<View> {
        let mut arg = Lock2 { device: self.device.handle(), allocation: self.handle, ..Default::default() };
        self.device.call(&mut arg)?;
        let whole = self.size.next_multiple_of(PAGE);
        // SAFETY: the pages are the allocation's until the lock is given up.
        self.locked = Some(unsafe { Vanishing::new(arg.data, whole, StandIn::Zeros) });
        // SAFETY: the node mapped the whole allocation, whose size is that (an imported one's is known from mapping it for
        // the GPU, which comes first); it stays mapped, or is made so by an access, until the lock is
        // given up, which happens when this object drops. `Memory` drops views first.
        unsafe { View::new(arg.data, self.size) }.ok_or(Error::new(Lock2::IOCTL, Cause::NoOutput))
    }

    /// Drops CPU cache lines of a range. Needed only on adapters that are not coherent.
    pub(crate) fn invalidate(&self, offset: u64, length: u64) -> Result<()> {
        let mut arg = InvalidateCache { device: self.device.handle(), allocation: self.handle, offset, length };
        self.device.call(&mut arg).map(drop)
    }

    /// What tells the memory from other memory. Memory opened from a descriptor has the number of what was
    /// exported, if a driver of this kind made it.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// The handle.
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// Size, bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        if self.locked.take().is_some() {
            let _ = self.device.call(&mut Unlock2 { device: self.device.handle(), allocation: self.handle });
        }
        let mut arg = DestroyAllocation2 { device: self.device.handle(), ..Default::default() };
        if self.resource.is_null() {
            arg.allocations = &raw const self.handle as u64;
            arg.alloc_count = 1;
        } else {
            arg.resource = self.resource;
        }
        let _ = self.device.call(&mut arg);
    }
}
