//! What the model holds, counted: for tests that nothing is left behind.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use crate::device::Object;
use crate::lock::{lock, read};
use crate::process::Process;

/// Number of things of each kind that a model holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Open adapter handles.
    pub adapters: usize,
    /// Devices.
    pub devices: usize,
    /// Contexts.
    pub contexts: usize,
    /// Hardware queues.
    pub hw_queues: usize,
    /// Paging queues.
    pub paging_queues: usize,
    /// Allocations.
    pub allocations: usize,
    /// Resources.
    pub resources: usize,
    /// Handles of synchronisation objects that a client made or opened.
    pub sync_objects: usize,
    /// Handles of fences that came with queues.
    pub queue_fences: usize,
    /// Pages of fences.
    pub fence_pages: usize,
    /// Ranges of memory that the model made.
    pub homes: usize,
    /// Ranges of addresses that were reserved or that a mapping took.
    pub regions: usize,
    /// Mappings that the GPU can use, counted by disjoint piece.
    pub mappings: usize,
    /// Objects that live on because a descriptor is open somewhere; those that can leave the process do not need to.
    pub shares: usize,
    /// Sync files that are open somewhere.
    pub sync_files: usize,
    /// Eventfds kept until they have fired.
    pub events: usize,
    /// Bytes resident.
    pub resident: u64,
    /// Nested locks of all allocations.
    pub locks: usize,
}

impl Process {
    /// Counts.
    pub(crate) fn census(&self) -> Census {
        let mut c = Census { adapters: lock(&self.adapters).len(), ..Census::default() };
        let mut allocations = Vec::new();
        for (_, object) in read(&self.objects).iter() {
            let count = match object {
                Object::Device(_) => &mut c.devices,
                Object::Context(_) => &mut c.contexts,
                Object::HwQueue(_) => &mut c.hw_queues,
                Object::PagingQueue(_) => &mut c.paging_queues,
                Object::Allocation(a) => {
                    allocations.push(a.clone());
                    &mut c.allocations
                }
                Object::Resource(_) => &mut c.resources,
                Object::Sync(_) => &mut c.sync_objects,
                Object::Fence(..) => &mut c.queue_fences,
            };
            *count += 1;
        }
        c.locks = allocations.iter().map(|a| *lock(&a.locks) as usize).sum();
        let space = self.space.census();
        (c.fence_pages, c.homes, c.regions, c.mappings) =
            (space.fence_pages, space.homes, space.regions, space.mappings);
        let mut shares = lock(&self.shares);
        shares.collect();
        c.shares = shares.len();
        drop(shares);
        let mut files = lock(&self.sync_files);
        files.collect();
        c.sync_files = files.len();
        drop(files);
        c.events = lock(&self.events).held();
        c.resident = self.residency.usage();
        c
    }

    /// Whether every object belongs to a device that is there, every queue to its context, every grouped allocation to its
    /// resource; what is wrong if not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let objects = read(&self.objects);
        let all: Vec<_> = objects.iter().map(|(h, o)| (h, o.clone())).collect();
        drop(objects);
        let alive = |o: &Object| o.device().active.load(Ordering::Acquire);
        for (h, object) in &all {
            // Older synchronisation objects outlive the device they were made with.
            let orphan = matches!(object, Object::Sync(s) if !s.object.is_fence());
            if !alive(object) && !orphan {
                return Err(format!("{h:?} is reachable after its device: {object:?}"));
            }
            let parent = match object {
                Object::HwQueue(q) => {
                    all.iter().any(|(_, o)| matches!(o, Object::Context(c) if Arc::ptr_eq(c, &q.context)))
                }
                Object::Allocation(a) => a
                    .resource
                    .as_ref()
                    .is_none_or(|r| all.iter().any(|(_, o)| matches!(o, Object::Resource(x) if Arc::ptr_eq(x, r)))),
                Object::Fence(_, f) => all.iter().any(|(_, o)| match o {
                    Object::HwQueue(q) => Arc::ptr_eq(&q.fence, f),
                    Object::PagingQueue(q) => Arc::ptr_eq(&q.fence, f),
                    _ => false,
                }),
                Object::Device(_)
                | Object::Context(_)
                | Object::PagingQueue(_)
                | Object::Resource(_)
                | Object::Sync(_) => true,
            };
            if !parent {
                return Err(format!("{h:?} is reachable after its parent: {object:?}"));
            }
        }
        Ok(())
    }
}
