//! Whether memory is with the GPU: residency, priorities, offers.

use super::Memory;
use crate::error::{Cause, Error, Result};
use dxg_abi::{
    AllocationResidencyStatus, Arg, Errno, GetAllocationPriority, OfferAllocations, OfferPriority,
    QueryAllocationResidency, ReclaimAllocations2, ReclaimResult, SetAllocationPriority, MAKE_RESIDENT_ALLOC_MAX,
};
use smallvec::SmallVec;

/// The system's scale of priorities, from 0.0 to 1.0.
const PRIORITIES: (u32, u32) = (0x2800_0000, 0xc800_0000);

impl Memory {
    /// Tells the system how much the memory should stay with the GPU when there is not enough for
    /// all: 0 the least, 0.5 as usual, 1 the most.
    ///
    /// # Errors
    /// Those of the request.
    pub fn set_priority(&self, priority: f32) -> Result<()> {
        self.entry.set_priority(priority);
        let (least, most) = (f64::from(PRIORITIES.0), f64::from(PRIORITIES.1));
        let value = (least + f64::from(priority.clamp(0.0, 1.0)) * (most - least)) as u32;
        let handles = self.entry.handles();
        for chunk in handles.chunks(MAKE_RESIDENT_ALLOC_MAX as usize) {
            let values: SmallVec<[u32; 4]> = SmallVec::from_elem(value, chunk.len());
            self.device.call(&mut SetAllocationPriority {
                device: self.device.handle(),
                allocation_list: chunk.as_ptr() as u64,
                allocation_count: chunk.len() as u32,
                priorities: values.as_ptr() as u64,
                ..Default::default()
            })?;
        }
        Ok(())
    }

    /// The priority that the system has noted, 0 to 1; of the first part, if there are several.
    ///
    /// # Errors
    /// Those of the request.
    pub fn priority(&self) -> Result<f32> {
        let (handles, mut value) = (self.entry.handles(), 0u32);
        self.device.call(&mut GetAllocationPriority {
            device: self.device.handle(),
            allocation_list: handles.as_ptr() as u64,
            allocation_count: 1,
            priorities: &raw mut value as u64,
            ..Default::default()
        })?;
        let (least, most) = (f64::from(PRIORITIES.0), f64::from(PRIORITIES.1));
        Ok(((f64::from(value) - least) / (most - least)) as f32)
    }

    /// Where the system says that the memory is: the worst of its parts. Others may keep it resident, and the system may have
    /// moved it away for the moment, so this need not be what [`Memory::is_resident`] says.
    ///
    /// # Errors
    /// Those of the request.
    pub fn residency(&self) -> Result<AllocationResidencyStatus> {
        let handles = self.entry.handles();
        let mut status: SmallVec<[AllocationResidencyStatus; 4]> =
            SmallVec::from_elem(AllocationResidencyStatus::NOTRESIDENT, handles.len());
        self.device.call(&mut QueryAllocationResidency {
            device: self.device.handle(),
            allocations: handles.as_ptr() as u64,
            allocation_count: handles.len() as u32,
            residency_status: status.as_mut_ptr() as u64,
            ..Default::default()
        })?;
        Ok(status.into_iter().max_by_key(|s| s.0).unwrap_or(AllocationResidencyStatus::NOTRESIDENT))
    }

    /// Lets the system drop the content if it needs the room, until the memory is reclaimed. Nobody may use it meanwhile, neither
    /// the GPU nor the CPU.
    ///
    /// # Errors
    /// Those of the request.
    pub fn offer(&self, priority: OfferPriority) -> Result<()> {
        for chunk in self.entry.handles().chunks(MAKE_RESIDENT_ALLOC_MAX as usize) {
            self.device.call(&mut OfferAllocations {
                device: self.device.handle(),
                allocations: chunk.as_ptr() as u64,
                allocation_count: chunk.len() as u32,
                priority,
                ..Default::default()
            })?;
        }
        Ok(())
    }

    /// Takes offered memory back and says whether the content is still there. The next submission waits until it is.
    ///
    /// # Errors
    /// Those of the request; [`ErrorKind::NoMemory`](crate::ErrorKind::NoMemory) if there is no memory for it any more.
    pub fn reclaim(&self) -> Result<bool> {
        let mut kept = true;
        for chunk in self.entry.handles().chunks(MAKE_RESIDENT_ALLOC_MAX as usize) {
            let mut results: SmallVec<[ReclaimResult; 4]> = SmallVec::from_elem(ReclaimResult::OK, chunk.len());
            let mut arg = ReclaimAllocations2 {
                paging_queue: self.device.paging_queue().handle(),
                allocation_count: chunk.len() as u32,
                allocations: chunk.as_ptr() as u64,
                results: results.as_mut_ptr() as u64,
                ..Default::default()
            };
            self.device.call(&mut arg)?;
            // With results wanted, the call does not tell whether it is pending.
            self.device.paging_queue().note_value(arg.paging_fence_value);
            if results.contains(&ReclaimResult::NOT_COMMITTED) {
                return Err(Error::new(ReclaimAllocations2::IOCTL, Cause::Errno(Errno::ENOMEM)));
            }
            kept &= results.iter().all(|r| *r == ReclaimResult::OK);
        }
        Ok(kept)
    }
}
