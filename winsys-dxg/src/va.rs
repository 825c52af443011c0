//! GPU virtual addresses.

use crate::allocation::Allocation;
use crate::device::Device;
use crate::error::{Cause, Error, Result};
use crate::sys::PAGE;
use dxg_abi::{
    Arg, FreeGpuVirtualAddress, GpuVaProtection, GpuVaReservationType, Handle, MapGpuVirtualAddress,
    ReserveGpuVirtualAddress, GPU_VA_RESERVE_ALIGN,
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
