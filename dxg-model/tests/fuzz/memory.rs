//! Steps about memory.

use dxg_abi::*;

use crate::common::*;
use crate::shadow::{Allocation, PagingQueue, Resource, Shadow};

type Flags = CreateAllocationFlags;

impl Shadow {
    pub fn new_paging_queue(&mut self, device: Handle) -> PagingQueue {
        let a = ok(&self.rig.node, CreatePagingQueue { device, ..Default::default() });
        let (handle, fence, page) = (a.paging_queue, a.sync_object, a.fence_cpu_virtual_address);
        let queue = PagingQueue { handle, device, fence, page };
        self.paging.push(queue.clone());
        queue
    }

    /// A paging operation: at once or later, and then waited for most of the time.
    fn paged(&mut self, queue: &PagingQueue, result: i32, value: u64) {
        assert_eq!(result, if self.pending() { PENDING } else { 0 });
        if self.device(queue.device).lost {
            return;
        }
        if self.pending() && (self.patient || !self.random.one_in(4)) {
            self.rig.until(queue.page, value);
        }
    }

    pub fn new_allocation(&mut self, device: Handle, size: u64) -> Handle {
        let private = size.to_le_bytes();
        let mut info =
            [AllocationInfo2 { priv_drv_data: private.as_ptr() as u64, priv_drv_data_size: 8, ..Default::default() }];
        let allocation_info = info.as_mut_ptr() as u64;
        ok(&self.rig.node, CreateAllocation { device, alloc_count: 1, allocation_info, ..Default::default() });
        self.enter(info[0].allocation, device, Handle::NULL, size, false);
        info[0].allocation
    }

    pub fn enter(&mut self, handle: Handle, device: Handle, resource: Handle, size: u64, user: bool) {
        let (locks, references, maps) = (0, 0, Vec::new());
        self.allocations.push(Allocation { handle, device, resource, size, user, locks, references, maps });
    }

    pub fn map(&mut self, queue: &PagingQueue, allocation: Handle, size: u64) -> (u64, u64) {
        let mut a = MapGpuVirtualAddress {
            paging_queue: queue.handle,
            allocation,
            protection: GpuVaProtection::WRITE,
            ..Default::default()
        };
        let result = call(&self.rig.node, &mut a);
        self.paged(queue, result, a.paging_fence_value);
        (a.virtual_address, size)
    }

    pub fn make_resident(&mut self, queue: &PagingQueue, list: &[Handle]) {
        let mut a = MakeResident {
            paging_queue: queue.handle,
            alloc_count: list.len() as u32,
            allocation_list: list.as_ptr() as u64,
            ..Default::default()
        };
        let result = call(&self.rig.node, &mut a);
        self.paged(queue, result, a.paging_fence_value);
        for h in list {
            self.allocations.iter_mut().filter(|a| a.handle == *h).for_each(|a| a.references += 1);
        }
    }

    /// An allocation that may go, and a paging queue of its device.
    fn some(&mut self) -> Option<(Allocation, PagingQueue)> {
        let list: Vec<usize> =
            (0..self.allocations.len()).filter(|i| self.allocations[*i].locks != usize::MAX).collect();
        let a = self.allocations[self.random.pick(&list)?].clone();
        let queues: Vec<usize> = (0..self.paging.len()).filter(|i| self.paging[*i].device == a.device).collect();
        let queue = self.paging[self.random.pick(&queues)?].clone();
        Some((a, queue))
    }

    fn update(&mut self, handle: Handle, change: impl FnOnce(&mut Allocation)) {
        change(self.allocations.iter_mut().find(|a| a.handle == handle).expect("an allocation of the shadow's"));
    }

    pub fn create_memory(&mut self) -> Option<&'static str> {
        if self.allocations.len() > 20 {
            return None;
        }
        let device = self.random.below(self.devices.len());
        let device = self.devices.get(device)?.handle;
        let size = 4096 * (1 + self.random.below(16) as u64);
        match self.random.below(4) {
            0 => {
                self.new_allocation(device, size);
                Some("allocation")
            }
            1 => {
                // The caller's own, maybe shared.
                let shared = self.random.one_in(2);
                let pages = self.random.below(self.pages.len());
                let mut info = [AllocationInfo2 { sysmem: self.pages[pages].address, ..Default::default() }];
                let standard = CreateStandardAllocation {
                    r#type: StandardAllocationType::EXISTINGHEAP,
                    existing_heap_data: StandardAllocationExistingHeap { size },
                    ..Default::default()
                };
                let flags = Flags::CREATE_RESOURCE | Flags::STANDARD_ALLOCATION | Flags::EXISTING_SYSMEM;
                let mut a = CreateAllocation {
                    device,
                    alloc_count: 1,
                    allocation_info: info.as_mut_ptr() as u64,
                    flags: flags.set(Flags::CREATE_SHARED | Flags::NT_SECURITY_SHARING, shared),
                    ..Default::default()
                };
                a.set_standard_allocation(&raw const standard as u64);
                let handle = ok(&self.rig.node, a).resource;
                self.resources.push(Resource { handle, device, shared, sealed: false, user: true });
                self.enter(info[0].allocation, device, handle, size, true);
                Some("own memory")
            }
            _ => {
                let shared = self.random.one_in(2);
                let count = 1 + self.random.below(3);
                let private = size.to_le_bytes();
                let one = AllocationInfo2 {
                    priv_drv_data: private.as_ptr() as u64,
                    priv_drv_data_size: 8,
                    ..Default::default()
                };
                let mut info = vec![one; count];
                // Into a resource that is there, if there is one to take it.
                let into = self.resources.iter().find(|r| r.device == device && !r.sealed && !r.user).cloned();
                let into = into.filter(|_| self.random.one_in(3));
                let mut flags = Flags::default();
                if into.is_none() {
                    flags = Flags::CREATE_RESOURCE.set(Flags::CREATE_SHARED | Flags::NT_SECURITY_SHARING, shared);
                }
                let a = CreateAllocation {
                    device,
                    resource: into.as_ref().map_or(Handle::NULL, |r| r.handle),
                    alloc_count: count as u32,
                    allocation_info: info.as_mut_ptr() as u64,
                    flags,
                    ..Default::default()
                };
                let handle = ok(&self.rig.node, a).resource;
                if into.is_none() {
                    self.resources.push(Resource { handle, device, shared, sealed: false, user: false });
                }
                for i in info {
                    self.enter(i.allocation, device, handle, size, false);
                }
                Some("resource")
            }
        }
    }

    pub fn destroy_memory(&mut self) -> Option<&'static str> {
        let now = DestroyAllocation2Flags::ASSUME_NOT_IN_USE.bits() * u32::from(self.random.one_in(2));
        let flags = DestroyAllocation2Flags(now);
        let list: Vec<usize> = (0..self.resources.len()).collect();
        if self.random.one_in(2) {
            let r = self.resources[self.random.pick(&list)?].clone();
            let a = DestroyAllocation2 { device: r.device, resource: r.handle, flags, ..Default::default() };
            ok(&self.rig.node, a);
            let dead: Vec<Handle> =
                self.allocations.iter().filter(|a| a.resource == r.handle).map(|a| a.handle).collect();
            self.allocations.retain(|a| a.resource != r.handle);
            self.resources.retain(|x| x.handle != r.handle);
            dead.into_iter().chain([r.handle]).for_each(|h| self.bury(h));
            return Some("destroy resource");
        }
        let (a, _) = self.some()?;
        let shared = self.resources.iter().any(|r| r.handle == a.resource && r.shared);
        let allocations = &raw const a.handle as u64;
        let (device, alloc_count) = (a.device, 1);
        let mut arg = DestroyAllocation2 { device, allocations, alloc_count, flags, ..Default::default() };
        let result = call(&self.rig.node, &mut arg);
        assert_eq!(result, if shared { EINVAL } else { 0 });
        if !shared {
            self.allocations.retain(|x| x.handle != a.handle);
            self.bury(a.handle);
        }
        Some("destroy allocation")
    }

    pub fn touch_memory(&mut self) -> Option<&'static str> {
        let (a, queue) = self.some()?;
        let (device, allocation) = (a.device, a.handle);
        match self.random.below(12) {
            0 | 1 => {
                let at = ok(&self.rig.node, Lock2 { device, allocation, ..Default::default() }).data;
                if !a.user {
                    self.update(allocation, |a| a.locks += 1);
                }
                poke(at, peek(at).wrapping_add(1));
                poke(at + a.size - 8, 7);
                Some("lock")
            }
            2 | 3 => {
                let want = if a.user || a.locks > 0 { 0 } else { EINVAL };
                assert_eq!(call(&self.rig.node, &mut Unlock2 { device, allocation }), want);
                if a.locks > 0 {
                    self.update(allocation, |a| a.locks -= 1);
                }
                Some("unlock")
            }
            // The caller's memory can be mapped twice at one address, which is not kept account of here.
            4 | 5 if a.maps.len() < 4 && !a.user => {
                let map = self.map(&queue, allocation, a.size);
                assert!(self.rig.node.address_space().find(map.0).is_some());
                self.update(allocation, |a| a.maps.push(map));
                Some("map")
            }
            6 if !a.maps.is_empty() => {
                let (base_address, size) = a.maps[self.random.below(a.maps.len())];
                let adapter = self.adapters[0];
                ok(&self.rig.node, FreeGpuVirtualAddress { adapter, base_address, size, ..Default::default() });
                self.update(allocation, |a| a.maps.retain(|m| m.0 != base_address));
                assert!(!self.rig.node.address_space().check(base_address, size, false));
                Some("free address")
            }
            // Instances of shared memory count together, which is not kept account of here.
            7 | 8 if a.resource.is_null() && self.resident() + a.size <= 8 << 20 => {
                self.make_resident(&queue, &[allocation]);
                Some("make resident")
            }
            9 if a.resource.is_null() => {
                let allocations = &raw const allocation as u64;
                ok(&self.rig.node, Evict { device, alloc_count: 1, allocations, ..Default::default() });
                self.update(allocation, |a| a.references = a.references.saturating_sub(1));
                Some("evict")
            }
            10 => {
                let (list, priority) = ([allocation], [3u32]);
                let (allocation_list, priorities) = (list.as_ptr() as u64, priority.as_ptr() as u64);
                let a = SetAllocationPriority {
                    device,
                    allocation_list,
                    allocation_count: 1,
                    priorities,
                    ..Default::default()
                };
                ok(&self.rig.node, a);
                Some("priority")
            }
            11 => {
                let list = [allocation];
                let allocations = list.as_ptr() as u64;
                let paging_queue = queue.handle;
                ok(&self.rig.node, OfferAllocations { device, allocations, allocation_count: 1, ..Default::default() });
                let mut a =
                    ReclaimAllocations2 { paging_queue, allocations, allocation_count: 1, ..Default::default() };
                let result = call(&self.rig.node, &mut a);
                self.paged(&queue, result, a.paging_fence_value);
                Some("offer and reclaim")
            }
            _ => None,
        }
    }

    /// Changes part of a reservation by way of a context, and waits for it.
    pub fn update_addresses(&mut self) -> Option<&'static str> {
        let which = self.random.below(self.contexts.len());
        let c = self.contexts.get(which)?.clone();
        if self.device(c.device).lost || !self.flows(&c.waits) {
            return None;
        }
        let places = self.reservations.clone();
        let (start, _) = self.random.pick(&places)?;
        let (a, _) = self.some().filter(|(a, _)| a.device == c.device && !a.user)?;
        let base_address = start + 4096 * self.random.below(8) as u64;
        let mut op = UpdateGpuVirtualAddressOperation::default();
        match self.random.below(3) {
            0 => op.set_map(GpuVaMap {
                base_address,
                size: 8192,
                allocation: a.handle,
                allocation_size: 4096,
                ..Default::default()
            }),
            1 => {
                op.operation = UpdateGpuVirtualAddressOperationType::UNMAP;
                op.set_unmap(GpuVaUnmap { base_address, size: 8192, ..Default::default() });
            }
            _ => {
                op.operation = UpdateGpuVirtualAddressOperationType::COPY;
                op.set_copy(GpuVaCopy { source_address: start, size: 4096, dest_address: start + 4096 * 12 });
            }
        }
        let fence = self.rig.fence_in(c.device);
        let arg = UpdateGpuVirtualAddress {
            device: c.device,
            context: c.handle,
            fence_object: fence.handle,
            num_operations: 1,
            operations: &raw const op as u64,
            ..Default::default()
        };
        ok(&self.rig.node, arg);
        ok(&self.rig.node, cpu_wait(c.device, &[fence.handle], &[1], 0));
        assert_eq!(peek(fence.cpu), 1, "the device is lost");
        ok(&self.rig.node, DestroySynchronizationObject { sync_object: fence.handle });
        Some("update addresses")
    }

    fn resident(&self) -> u64 {
        self.allocations.iter().filter(|a| a.references > 0).map(|a| a.size).sum()
    }

    pub fn reserve(&mut self) -> Option<&'static str> {
        let adapter = self.adapters[0];
        if self.reservations.len() < 4 && self.random.one_in(2) {
            let size = 65536 * (1 + self.random.below(4) as u64);
            let reservation_type = GpuVaReservationType(self.random.below(3) as u32);
            let a = ReserveGpuVirtualAddress { adapter, size, reservation_type, ..Default::default() };
            let at = ok(&self.rig.node, a).virtual_address;
            self.reservations.push((at, size));
            return Some("reserve");
        }
        if self.reservations.is_empty() {
            return None;
        }
        let which = self.random.below(self.reservations.len());
        let (base_address, size) = self.reservations[which];
        if self.random.one_in(2) {
            ok(&self.rig.node, FreeGpuVirtualAddress { adapter, base_address, size, ..Default::default() });
            self.reservations.swap_remove(which);
            return Some("free reservation");
        }
        // Something of the model's into a part of it.
        let (a, queue) = self.some()?;
        if a.user {
            return None;
        }
        let mut arg = MapGpuVirtualAddress {
            paging_queue: queue.handle,
            allocation: a.handle,
            base_address: base_address + 4096 * self.random.below(8) as u64,
            size_in_pages: 1,
            protection: GpuVaProtection(self.random.below(2) as u64),
            ..Default::default()
        };
        let result = call(&self.rig.node, &mut arg);
        self.paged(&queue, result, arg.paging_fence_value);
        Some("map into a reservation")
    }
}
