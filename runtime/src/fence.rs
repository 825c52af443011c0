//! Fences.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::export::SharedCounter;
use crate::lock::lock;
use crate::point::{self, Deadline, Point};
use ash::vk;
use smallvec::SmallVec;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use winsys_dxg::{FenceDesc, WaitMode};

/// How often a wait for a fence that nobody has submitted looks at the device's state.
const UNSUBMITTED_CHECK: Duration = Duration::from_millis(100);

/// How long a wait for any of several fences sleeps when some are not submitted.
const MIXED_SLICE: Duration = Duration::from_millis(1);

/// What a fence stands for.
#[derive(Clone, Debug)]
enum Payload {
    Unsignaled,
    Signaled,
    Point(Point),
    /// Seen by other devices too: a fence of the window system that is 1 while this one is signalled.
    Shared(Arc<winsys_dxg::Fence>),
}

#[derive(Debug)]
struct State {
    permanent: Payload,
    /// Imported; lasts until the next reset or wait.
    temporary: Option<Payload>,
    /// Present if the fence can be exported.
    export: Option<SharedCounter>,
}

impl State {
    fn payload(&self) -> &Payload {
        self.temporary.as_ref().unwrap_or(&self.permanent)
    }

    fn shared(&self) -> Option<&Arc<winsys_dxg::Fence>> {
        match self.payload() {
            Payload::Shared(fence) => Some(fence),
            Payload::Unsignaled | Payload::Signaled | Payload::Point(_) => None,
        }
    }
}

/// A VkFence.
#[derive(Debug)]
pub struct Fence {
    device: Arc<Device>,
    state: Mutex<State>,
}

impl Fence {
    /// Makes a fence.
    ///
    /// # Errors
    /// Those of the window system, for fences that can be exported.
    pub fn new(device: &Arc<Device>, signaled: bool, export: vk::ExternalFenceHandleTypeFlags) -> Result<Arc<Fence>> {
        let opaque = export.contains(vk::ExternalFenceHandleTypeFlags::OPAQUE_FD);
        let sync_file = export.contains(vk::ExternalFenceHandleTypeFlags::SYNC_FD);
        if opaque && sync_file {
            return Err(Error::InvalidExternalHandle("one of the handle types excludes the other".to_owned()));
        }
        let export = if sync_file { Some(SharedCounter::new(device)?) } else { None };
        let permanent = if opaque {
            let desc = FenceDesc { initial: u64::from(signaled), shared: true, engine_affinity: 0 };
            Payload::Shared(Arc::new(winsys_dxg::Fence::create(device.winsys(), &desc)?))
        } else if signaled {
            Payload::Signaled
        } else {
            Payload::Unsignaled
        };
        let state = State { permanent, temporary: None, export };
        Ok(Arc::new(Fence { device: device.clone(), state: Mutex::new(state) }))
    }

    /// Whether it is signalled.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn status(&self) -> Result<bool> {
        let payload = lock(&self.state).payload().clone();
        match payload {
            Payload::Signaled => Ok(true),
            Payload::Point(point) => point.is_reached(),
            Payload::Shared(fence) => Ok(fence.is_reached(1)?),
            Payload::Unsignaled if self.device.is_lost() => Err(self.device.lost_error()),
            Payload::Unsignaled => Ok(false),
        }
    }

    /// Takes the signal away; an imported payload goes with it.
    ///
    /// # Errors
    /// Those of the window system, for a fence that others see too.
    pub fn reset(&self) -> Result<()> {
        let mut state = lock(&self.state);
        state.temporary = None;
        match &state.permanent {
            Payload::Shared(fence) => fence.rewind(0)?,
            Payload::Unsignaled | Payload::Signaled | Payload::Point(_) => state.permanent = Payload::Unsignaled,
        }
        Ok(())
    }

    /// Waits for all, or one, of several fences of a device, also for ones that are submitted later. False: the time is up.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn wait(device: &Device, fences: &[&Fence], all: bool, timeout_ns: u64) -> Result<bool> {
        let deadline = Deadline::after(timeout_ns);
        let mut points: SmallVec<[Point; 8]> = SmallVec::new();
        loop {
            let ticket = device.signal().ticket();
            points.clear();
            let mut done = false;
            let mut unsubmitted = false;
            for fence in fences {
                match lock(&fence.state).payload() {
                    Payload::Signaled => done = true,
                    Payload::Unsignaled => unsubmitted = true,
                    Payload::Point(p) if p.is_reached()? => done = true,
                    Payload::Point(p) => points.push(p.clone()),
                    Payload::Shared(fence) if fence.is_reached(1)? => done = true,
                    Payload::Shared(fence) => points.push(Point { fence: fence.clone(), value: 1 }),
                }
            }
            let finished = if all { !unsubmitted && points.is_empty() } else { done || fences.is_empty() };
            if finished {
                return Ok(true);
            }
            let left = deadline.left();
            if left == Some(Duration::ZERO) {
                if device.is_lost() {
                    return Err(device.lost_error());
                }
                return Ok(false);
            }
            let within = |limit: Duration| left.map_or(limit, |l| l.min(limit));
            if unsubmitted && (all || points.is_empty()) {
                device.signal().wait(ticket, within(UNSUBMITTED_CHECK));
                device.check()?;
                continue;
            }
            let raw: SmallVec<[_; 8]> = points.iter().map(Point::raw).collect();
            let mode = if all { WaitMode::All } else { WaitMode::Any };
            // Another thread may submit one of the others meanwhile.
            let limit = if unsubmitted { Some(within(MIXED_SLICE)) } else { left };
            point::wait(&raw, mode, limit)?;
        }
    }

    /// The point that a submission signals beside its own progress, for a fence that can be exported.
    pub(crate) fn next_export(&self) -> Option<Point> {
        let mut state = lock(&self.state);
        match state.shared() {
            Some(fence) => Some(Point { fence: fence.clone(), value: 1 }),
            None => state.export.as_mut().map(SharedCounter::next),
        }
    }

    /// Gives the fence the point of a submission.
    pub(crate) fn submitted(&self, point: Point) {
        let mut state = lock(&self.state);
        if state.shared().is_some() {
            return;
        }
        state.temporary = None;
        state.permanent = Payload::Point(point);
    }

    /// Makes it signalled: a submission of nothing behind nothing.
    pub(crate) fn set_signaled(&self) {
        let mut state = lock(&self.state);
        state.temporary = None;
        state.permanent = Payload::Signaled;
    }

    /// Exports the payload as an opaque descriptor.
    ///
    /// # Errors
    /// [`Error::InvalidExternalHandle`] if the fence was not made for it.
    pub fn export_opaque_fd(&self) -> Result<OwnedFd> {
        match lock(&self.state).shared() {
            Some(fence) => fence.export_fd().map_err(Error::exporting),
            None => Err(Error::InvalidExternalHandle("the fence was not made to be exported so".to_owned())),
        }
    }

    /// Imports a payload from an opaque descriptor, for good or, if `temporary`, until the next reset.
    ///
    /// # Errors
    /// [`Error::InvalidExternalHandle`].
    pub fn import_opaque_fd(&self, fd: &OwnedFd, temporary: bool) -> Result<()> {
        let fence = winsys_dxg::Fence::import_fd(self.device.winsys(), fd.as_fd()).map_err(Error::importing)?;
        let payload = Payload::Shared(Arc::new(fence));
        let mut state = lock(&self.state);
        if temporary {
            state.temporary = Some(payload);
        } else {
            state.permanent = payload;
        }
        drop(state);
        self.device.signal().notify();
        Ok(())
    }

    /// Exports the payload as a sync file, which resets the fence. `None` is a payload that is signalled already (descriptor −1).
    ///
    /// # Errors
    /// [`Error::InvalidExternalHandle`] if the fence cannot be exported or was not submitted.
    pub fn export_sync_fd(&self) -> Result<Option<OwnedFd>> {
        let mut state = lock(&self.state);
        let fd = match state.payload() {
            Payload::Signaled => None,
            Payload::Unsignaled | Payload::Shared(_) => {
                return Err(Error::InvalidExternalHandle("the fence has nothing to wait for".to_owned()));
            }
            Payload::Point(p) if p.is_reached()? => None,
            Payload::Point(p) => Some(p.fence.export_sync_file(p.value).map_err(Error::exporting)?),
        };
        state.temporary = None;
        state.permanent = Payload::Unsignaled;
        Ok(fd)
    }

    /// Imports a sync file, for one use. `None` (descriptor −1) is a signalled payload.
    ///
    /// # Errors
    /// [`Error::InvalidExternalHandle`].
    pub fn import_sync_fd(&self, fd: Option<OwnedFd>) -> Result<()> {
        let payload = match fd {
            None => Payload::Signaled,
            Some(fd) => {
                let (fence, value) =
                    winsys_dxg::Fence::import_sync_file(self.device.winsys(), fd.as_fd()).map_err(Error::importing)?;
                Payload::Point(Point { fence: Arc::new(fence), value })
            }
        };
        lock(&self.state).temporary = Some(payload);
        self.device.signal().notify();
        Ok(())
    }
}
