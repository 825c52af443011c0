//! Semaphores, binary and timeline.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::export::SharedCounter;
use crate::lock::lock;
use crate::point::{self, Deadline, Point};
use ash::vk;
use smallvec::SmallVec;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};
use winsys_dxg::{FenceDesc, WaitMode};

/// Kind of a semaphore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SemaphoreKind {
    /// Signalled or not.
    Binary,
    /// A counter with this initial value.
    Timeline(u64),
}

/// What a binary semaphore stands for.
#[derive(Clone, Debug, Default)]
enum Payload {
    #[default]
    Unsignaled,
    Signaled,
    Point(Point),
    /// Seen by other devices too: a fence that is 1 while the semaphore is signalled, and that a wait sets back to 0. Nothing
    /// else tells whose turn it is, so that all who hold the fence agree.
    Shared(Arc<winsys_dxg::Fence>),
}

#[derive(Debug, Default)]
struct Binary {
    permanent: Payload,
    /// Imported; goes with the next wait.
    temporary: Option<Payload>,
    export: Option<SharedCounter>,
}

impl Binary {
    /// The fence behind the payload, if others see it too.
    fn shared(&self) -> Option<Arc<winsys_dxg::Fence>> {
        match self.temporary.as_ref().unwrap_or(&self.permanent) {
            Payload::Shared(fence) => Some(fence.clone()),
            Payload::Unsignaled | Payload::Signaled | Payload::Point(_) => None,
        }
    }
}

#[derive(Debug)]
enum Kind {
    Binary(Mutex<Binary>),
    Timeline(Mutex<Arc<winsys_dxg::Fence>>),
}

/// A VkSemaphore. A timeline semaphore *is* a monitored fence; a binary one is a point on one.
#[derive(Debug)]
pub struct Semaphore {
    device: Arc<Device>,
    kind: Kind,
}

/// What a queue does for a semaphore it waits for.
#[derive(Debug)]
pub(crate) enum QueueWait {
    /// Nothing.
    Nothing,
    /// Wait for this.
    Point(Point),
    /// Wait for this, and set it back to 0.
    Take(Point),
}

/// What a queue does for a semaphore it signals.
#[derive(Debug)]
pub(crate) enum QueueSignal {
    /// Signal this point.
    Point(Point),
    /// Nothing of its own: the queue's progress is the payload.
    Progress,
}

impl Semaphore {
    /// Makes a semaphore.
    ///
    /// # Errors
    /// Those of the window system; [`Error::InvalidExternalHandle`] for handle types the kind does not have.
    pub fn new(
        device: &Arc<Device>,
        kind: SemaphoreKind,
        export: vk::ExternalSemaphoreHandleTypeFlags,
    ) -> Result<Arc<Semaphore>> {
        let kind = match kind {
            SemaphoreKind::Binary => {
                let opaque = export.contains(vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD);
                if opaque && export.contains(vk::ExternalSemaphoreHandleTypeFlags::SYNC_FD) {
                    return Err(Error::InvalidExternalHandle("one of the handle types excludes the other".to_owned()));
                }
                let permanent = if opaque {
                    let desc = FenceDesc { initial: 0, shared: true, engine_affinity: 0 };
                    Payload::Shared(Arc::new(winsys_dxg::Fence::create(device.winsys(), &desc)?))
                } else {
                    Payload::Unsignaled
                };
                let export = if export.contains(vk::ExternalSemaphoreHandleTypeFlags::SYNC_FD) {
                    Some(SharedCounter::new(device)?)
                } else {
                    None
                };
                Kind::Binary(Mutex::new(Binary { permanent, temporary: None, export }))
            }
            SemaphoreKind::Timeline(initial) => {
                let desc = FenceDesc { initial, shared: !export.is_empty(), engine_affinity: 0 };
                Kind::Timeline(Mutex::new(Arc::new(winsys_dxg::Fence::create(device.winsys(), &desc)?)))
            }
        };
        Ok(Arc::new(Semaphore { device: device.clone(), kind }))
    }

    /// Whether it is a timeline semaphore.
    pub fn is_timeline(&self) -> bool {
        matches!(self.kind, Kind::Timeline(_))
    }

    fn timeline(&self) -> Result<Arc<winsys_dxg::Fence>> {
        match &self.kind {
            Kind::Timeline(fence) => Ok(lock(fence).clone()),
            Kind::Binary(_) => Err(Error::Unknown("a binary semaphore has no counter".to_owned())),
        }
    }

    /// Value of a timeline semaphore.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn counter(&self) -> Result<u64> {
        let fence = self.timeline()?;
        let value = fence.value();
        if value == u64::MAX {
            // No semaphore gets that far by itself.
            fence.is_reached(0)?;
            return Err(self.device.lost_error());
        }
        Ok(value)
    }

    /// Sets a timeline semaphore from the host.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn signal(&self, value: u64) -> Result<()> {
        self.timeline()?.signal(value)?;
        Ok(())
    }

    /// Waits until all, or any, of several timeline semaphores have their values. False: the time is up.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn wait(_device: &Device, semaphores: &[(&Semaphore, u64)], any: bool, timeout_ns: u64) -> Result<bool> {
        let deadline = Deadline::after(timeout_ns);
        let mut points: SmallVec<[Point; 8]> = SmallVec::new();
        for (semaphore, value) in semaphores {
            let point = Point { fence: semaphore.timeline()?, value: *value };
            if point.is_reached()? {
                if any {
                    return Ok(true);
                }
            } else {
                points.push(point);
            }
        }
        let raw: SmallVec<[_; 8]> = points.iter().map(Point::raw).collect();
        point::wait(&raw, if any { WaitMode::Any } else { WaitMode::All }, deadline.left())
    }

    /// What a queue has to wait for. Takes the payload of a binary semaphore.
    pub(crate) fn queue_wait(&self, value: u64) -> Result<QueueWait> {
        match &self.kind {
            Kind::Timeline(fence) => {
                let point = Point { fence: lock(fence).clone(), value };
                Ok(if point.is_reached()? { QueueWait::Nothing } else { QueueWait::Point(point) })
            }
            Kind::Binary(binary) => {
                let mut binary = lock(binary);
                let payload = match binary.temporary.take() {
                    Some(payload) => payload,
                    None if matches!(binary.permanent, Payload::Shared(_)) => binary.permanent.clone(),
                    None => std::mem::take(&mut binary.permanent),
                };
                match payload {
                    Payload::Shared(fence) => Ok(QueueWait::Take(Point { fence, value: 1 })),
                    Payload::Point(p) if !p.is_reached()? => Ok(QueueWait::Point(p)),
                    Payload::Point(_) | Payload::Signaled | Payload::Unsignaled => Ok(QueueWait::Nothing),
                }
            }
        }
    }

    /// What a queue has to signal.
    pub(crate) fn queue_signal(&self, value: u64) -> QueueSignal {
        match &self.kind {
            Kind::Timeline(fence) => QueueSignal::Point(Point { fence: lock(fence).clone(), value }),
            Kind::Binary(binary) => {
                let mut binary = lock(binary);
                match (binary.shared(), binary.export.as_mut()) {
                    (Some(fence), _) => QueueSignal::Point(Point { fence, value: 1 }),
                    (None, Some(counter)) => QueueSignal::Point(counter.next()),
                    (None, None) => QueueSignal::Progress,
                }
            }
        }
    }

    /// Gives a binary semaphore the point of a submission that signals it.
    pub(crate) fn submitted(&self, point: Point) {
        match &self.kind {
            Kind::Binary(binary) => {
                let mut binary = lock(binary);
                if binary.shared().is_none() {
                    binary.permanent = Payload::Point(point);
                }
            }
            Kind::Timeline(_) => {}
        }
    }

    /// Makes a binary semaphore signalled: by a submission of nothing behind nothing.
    pub(crate) fn set_signaled(&self) {
        match &self.kind {
            Kind::Binary(binary) => lock(binary).permanent = Payload::Signaled,
            Kind::Timeline(_) => {}
        }
    }

    /// Exports the payload: OPAQUE_FD, or SYNC_FD for binary semaphores (which takes the payload; `None` is one that is
    /// signalled already, descriptor −1).
    ///
    /// # Errors
    /// [`Error::InvalidExternalHandle`] if this semaphore cannot be exported so.
    pub fn export_fd(&self, ty: vk::ExternalSemaphoreHandleTypeFlags) -> Result<Option<OwnedFd>> {
        match (&self.kind, ty) {
            (Kind::Timeline(fence), vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD) => {
                Ok(Some(lock(fence).export_fd().map_err(Error::exporting)?))
            }
            (Kind::Binary(binary), vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD) => match lock(binary).shared() {
                Some(fence) => Ok(Some(fence.export_fd().map_err(Error::exporting)?)),
                None => Err(Error::InvalidExternalHandle("the semaphore was not made to be exported so".to_owned())),
            },
            (Kind::Binary(binary), vk::ExternalSemaphoreHandleTypeFlags::SYNC_FD) => {
                let mut binary = lock(binary);
                let payload = match &binary.temporary {
                    Some(payload) => payload.clone(),
                    None => binary.permanent.clone(),
                };
                let fd = match payload {
                    Payload::Signaled => None,
                    Payload::Point(p) if p.is_reached()? => None,
                    Payload::Point(p) => Some(p.fence.export_sync_file(p.value).map_err(Error::exporting)?),
                    Payload::Unsignaled | Payload::Shared(_) => {
                        return Err(Error::InvalidExternalHandle("the semaphore has no signal pending".to_owned()));
                    }
                };
                if binary.temporary.take().is_none() {
                    binary.permanent = Payload::Unsignaled;
                }
                Ok(fd)
            }
            _ => Err(Error::InvalidExternalHandle("handle type does not go with the semaphore".to_owned())),
        }
    }

    /// Imports a payload: OPAQUE_FD for good, or if `temporary` (binary semaphores only) for one wait; SYNC_FD for binary ones, for
    /// one wait.
    ///
    /// # Errors
    /// [`Error::InvalidExternalHandle`].
    pub fn import_fd(
        &self,
        ty: vk::ExternalSemaphoreHandleTypeFlags,
        fd: Option<OwnedFd>,
        temporary: bool,
    ) -> Result<()> {
        match (&self.kind, ty, fd) {
            (Kind::Timeline(fence), vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD, Some(fd)) => {
                let imported =
                    winsys_dxg::Fence::import_fd(self.device.winsys(), fd.as_fd()).map_err(Error::importing)?;
                *lock(fence) = Arc::new(imported);
                Ok(())
            }
            (Kind::Binary(binary), vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD, Some(fd)) => {
                let imported =
                    winsys_dxg::Fence::import_fd(self.device.winsys(), fd.as_fd()).map_err(Error::importing)?;
                let payload = Payload::Shared(Arc::new(imported));
                let mut binary = lock(binary);
                if temporary {
                    binary.temporary = Some(payload);
                } else {
                    binary.permanent = payload;
                }
                Ok(())
            }
            (Kind::Binary(binary), vk::ExternalSemaphoreHandleTypeFlags::SYNC_FD, fd) => {
                let payload = match fd {
                    None => Payload::Signaled,
                    Some(fd) => {
                        let (fence, value) = winsys_dxg::Fence::import_sync_file(self.device.winsys(), fd.as_fd())
                            .map_err(Error::importing)?;
                        Payload::Point(Point { fence: Arc::new(fence), value })
                    }
                };
                lock(binary).temporary = Some(payload);
                Ok(())
            }
            _ => Err(Error::InvalidExternalHandle("handle type does not go with the semaphore".to_owned())),
        }
    }
}
