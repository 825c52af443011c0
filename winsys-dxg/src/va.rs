//! GPU virtual addresses.

use crate::allocation::Allocation;
use crate::device::Device;
use crate::error::{Cause, Error, Result};
use crate::memory::Memory;
use crate::sys::PAGE;
use dxg_abi::{
    Arg, FreeGpuVirtualAddress, GpuVaMap, GpuVaProtection, GpuVaReservationType, GpuVaUnmap, Handle,
    MapGpuVirtualAddress, ReserveGpuVirtualAddress, UpdateGpuVirtualAddress, UpdateGpuVirtualAddressOperation,
    UpdateGpuVirtualAddressOperationType, GPU_VA_RESERVE_ALIGN,
};

/// Where in the GPU's address space something goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VaPlacement {
    /// Anywhere.
    #[default]
    Any,
    /// Anywhere in `[min, max)`; multiples of 64 KiB.
    Within {
        /// Lowest address.
        min: u64,
        /// End, exclusive.
        max: u64,
    },
    /// Exactly here; a multiple of the page size, or of 64 KiB for reservations.
    Fixed(u64),
}

impl VaPlacement {
    /// Base, minimum and maximum as the requests take them.
    fn fields(self) -> (u64, u64, u64) {
        match self {
            VaPlacement::Any => (0, 0, 0),
            VaPlacement::Within { min, max } => (0, min, max),
            VaPlacement::Fixed(base) => (base, 0, 0),
        }
    }
}

/// Maps part of an allocation (or nothing, with a null handle) and returns the address. Takes
/// note of when the mapping takes effect.
pub(crate) fn map(
    device: &Device,
    allocation: Handle,
    offset: u64,
    size: u64,
    place: VaPlacement,
    protection: GpuVaProtection,
) -> Result<u64> {
    let (base_address, minimum_address, maximum_address) = place.fields();
    let mut arg = MapGpuVirtualAddress {
        paging_queue: device.paging_queue().handle(),
        base_address,
        minimum_address,
        maximum_address,
        allocation,
        offset_in_pages: offset / PAGE,
        size_in_pages: size / PAGE,
        protection,
        ..Default::default()
    };
    let ret = device.call(&mut arg)?;
    device.paging_queue().note(ret, arg.paging_fence_value);
    let placed = match place {
        VaPlacement::Fixed(base) => arg.virtual_address == base,
        VaPlacement::Any | VaPlacement::Within { .. } => arg.virtual_address != 0,
    };
    if placed {
        Ok(arg.virtual_address)
    } else {
        Err(Error::new(MapGpuVirtualAddress::IOCTL, Cause::NoOutput))
    }
}

/// Frees a reserved or mapped range.
pub(crate) fn free(device: &Device, base: u64, size: u64) {
    let mut arg =
        FreeGpuVirtualAddress { adapter: device.adapter().handle(), base_address: base, size, ..Default::default() };
    // Nothing to be done about a failure.
    let _ = device.call(&mut arg);
}

/// A reserved range of GPU virtual addresses; freed when dropped, with all mappings in it. The
/// GPU must be finished with it by then.
#[derive(Debug)]
pub struct VaRange {
    device: Device,
    base: u64,
    size: u64,
}

impl VaRange {
    /// Reserves `size` bytes, rounded up to 64 KiB.
    ///
    /// # Errors
    /// Those of the request; a range that is taken or too large is refused.
    pub fn reserve(device: &Device, size: u64, place: VaPlacement, kind: GpuVaReservationType) -> Result<Self> {
        let size = size
            .checked_next_multiple_of(GPU_VA_RESERVE_ALIGN)
            .filter(|s| *s > 0)
            .ok_or(Error::argument("size of a reservation"))?;
        let (base_address, minimum_address, maximum_address) = place.fields();
        let mut arg = ReserveGpuVirtualAddress {
            adapter: device.paging_queue().handle(),
            base_address,
            minimum_address,
            maximum_address,
            size,
            reservation_type: kind,
            ..Default::default()
        };
        device.call(&mut arg)?;
        // No status comes back: the address tells. The fence value is never written.
        if arg.virtual_address == 0 {
            return Err(Error::new(ReserveGpuVirtualAddress::IOCTL, Cause::NoOutput));
        }
        Ok(Self { device: device.clone(), base: arg.virtual_address, size })
    }

    /// Start of the range.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Size of the range, bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn check(&self, offset: u64, size: u64) -> Result<u64> {
        let fits = offset.checked_add(size).is_some_and(|end| end <= self.size);
        if !fits || size == 0 || !offset.is_multiple_of(PAGE) || !size.is_multiple_of(PAGE) {
            return Err(Error::argument("part of a range"));
        }
        Ok(self.base + offset)
    }

    /// Maps `size` bytes of an allocation at `offset`; all in pages. What was mapped there is
    /// replaced.
    ///
    /// # Errors
    /// [`Cause::Argument`] for parts that do not fit; those of the request.
    pub fn map(
        &self,
        offset: u64,
        allocation: &Allocation,
        allocation_offset: u64,
        size: u64,
        protection: GpuVaProtection,
    ) -> Result<()> {
        let base = self.check(offset, size)?;
        let in_allocation = allocation_offset.checked_add(size).is_some_and(|end| end <= allocation.size());
        if !in_allocation || !allocation_offset.is_multiple_of(PAGE) {
            return Err(Error::argument("part of an allocation"));
        }
        let place = VaPlacement::Fixed(base);
        map(&self.device, allocation.handle(), allocation_offset, size, place, protection).map(drop)
    }

    /// Takes mappings away; the addresses fault, or with `zero` read as zero and ignore writes.
    ///
    /// # Errors
    /// [`Cause::Argument`] for parts that do not fit; those of the request.
    pub fn unmap(&self, offset: u64, size: u64, zero: bool) -> Result<()> {
        let base = self.check(offset, size)?;
        let protection = if zero { GpuVaProtection::ZERO } else { GpuVaProtection::NO_ACCESS };
        map(&self.device, Handle::NULL, 0, size, VaPlacement::Fixed(base), protection).map(drop)
    }
}

impl Drop for VaRange {
    fn drop(&mut self) {
        free(&self.device, self.base, self.size);
    }
}

/// A change of what a part of a reserved range shows, made by a queue in its order
/// ([`Submission::updates`](crate::Submission)).
#[derive(Clone, Copy, Debug)]
pub enum VaUpdate<'a> {
    /// Shows part of an allocation, readable and writable.
    Map {
        /// The range.
        range: &'a VaRange,
        /// Where in it, bytes; whole pages.
        offset: u64,
        /// The allocation. It has to live until it is shown no more.
        allocation: &'a Allocation,
        /// From where in it, bytes; whole pages.
        allocation_offset: u64,
        /// How much, bytes; whole pages.
        size: u64,
    },
    /// Shows nothing: reads give zeros, or undefined values once something has been written there; writes are seen at no
    /// other address.
    Unmap {
        /// The range.
        range: &'a VaRange,
        /// Where in it, bytes; whole pages.
        offset: u64,
        /// How much, bytes; whole pages.
        size: u64,
    },
}

impl<'a> VaUpdate<'a> {
    /// The changes that show `[memory_offset, memory_offset + size)` of memory at `offset` of a range, one for each
    /// allocation the memory consists of.
    ///
    /// # Errors
    /// [`Cause::Argument`] for parts that do not fit, or that do not begin and end on pages.
    pub fn map_memory(
        range: &'a VaRange,
        offset: u64,
        memory: &'a Memory,
        memory_offset: u64,
        size: u64,
    ) -> Result<impl Iterator<Item = VaUpdate<'a>>> {
        let wrong = Error::argument("part of memory");
        let from = memory.lead().checked_add(memory_offset).ok_or(wrong)?;
        let whole: u64 = memory.allocations().iter().map(Allocation::size).sum();
        let to = from.checked_add(size).filter(|to| *to <= whole).ok_or(wrong)?;
        if size == 0 || !from.is_multiple_of(PAGE) {
            return Err(wrong);
        }
        range.check(offset, size)?;
        let mut start = 0;
        Ok(memory.allocations().iter().filter_map(move |allocation| {
            let (lo, hi) = (from.max(start), to.min(start + allocation.size()));
            let allocation_offset = lo.wrapping_sub(start);
            start += allocation.size();
            (lo < hi).then(|| VaUpdate::Map {
                range,
                offset: offset + (lo - from),
                allocation,
                allocation_offset,
                size: hi - lo,
            })
        }))
    }

    /// The operation as the request takes it.
    pub(crate) fn operation(&self) -> Result<UpdateGpuVirtualAddressOperation> {
        let mut op = UpdateGpuVirtualAddressOperation::default();
        match *self {
            VaUpdate::Map { range, offset, allocation, allocation_offset, size } => {
                let base_address = range.check(offset, size)?;
                let fits = allocation_offset.checked_add(size).is_some_and(|end| end <= allocation.size());
                if !fits || !allocation_offset.is_multiple_of(PAGE) {
                    return Err(Error::argument("part of an allocation"));
                }
                op.operation = UpdateGpuVirtualAddressOperationType::MAP;
                op.set_map(GpuVaMap {
                    base_address,
                    size,
                    allocation: allocation.handle(),
                    allocation_offset,
                    allocation_size: size,
                    ..Default::default()
                });
            }
            VaUpdate::Unmap { range, offset, size } => {
                let base_address = range.check(offset, size)?;
                op.operation = UpdateGpuVirtualAddressOperationType::UNMAP;
                op.set_unmap(GpuVaUnmap { base_address, size, protection: GpuVaProtection::ZERO });
            }
        }
        Ok(op)
    }
}

/// Queues changes behind a context: they are made when `fence` reaches `value`, and raise it by one.
pub(crate) fn update(
    device: &Device,
    context: Handle,
    fence: Handle,
    value: u64,
    operations: &[UpdateGpuVirtualAddressOperation],
) -> Result<()> {
    let mut arg = UpdateGpuVirtualAddress {
        device: device.handle(),
        context,
        fence_object: fence,
        num_operations: operations.len() as u32,
        operations: operations.as_ptr() as u64,
        // Comes back as it is; that the fence goes one further is for the caller to know.
        fence_value: value,
        ..Default::default()
    };
    device.call(&mut arg).map(drop)
}
