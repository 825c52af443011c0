//! Waiting on the CPU with a timeout: look at the page, then sleep on an eventfd.

use crate::device::Device;
use crate::error::{Cause, Error, ErrorKind, Result};
use crate::events::Condition;
use crate::sys::FencePage;
use dxg_abi::{Arg, Errno, Handle, WaitForSynchronizationObjectFromCpu, WaitFromCpuFlags};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use smallvec::SmallVec;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// Whether all or one of several conditions end a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitMode {
    /// All of them.
    All,
    /// Any of them.
    Any,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOutcome {
    /// The condition holds.
    Reached,
    /// Time ran out first.
    TimedOut,
}

/// One condition: a fence's value is at least this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point<'a> {
    pub(crate) handle: Handle,
    pub(crate) page: &'a FencePage,
    pub(crate) value: u64,
}

/// Looks at the pages without giving the processor away in between: some microseconds.
const TIGHT: u32 = 8;

/// How long a wait without an event sleeps between looks.
const WITHOUT_EVENT: Duration = Duration::from_micros(500);

/// Whether the conditions hold; an error if they do only because the device was lost.
fn holds(device: &Device, points: &[Point<'_>], mode: WaitMode) -> Result<bool> {
    let mut lost = false;
    let mut reached = |p: &Point<'_>| {
        let now = p.page.value();
        lost |= now == u64::MAX && p.value != u64::MAX;
        now >= p.value
    };
    let yes = match mode {
        WaitMode::All => points.iter().all(&mut reached),
        WaitMode::Any => points.is_empty() || points.iter().any(&mut reached),
    };
    if lost {
        device.mark_lost();
        return Err(Error::lost());
    }
    Ok(yes)
}

/// Waits until conditions hold; `None` waits without a limit.
pub(crate) fn wait(
    device: &Device,
    points: &[Point<'_>],
    mode: WaitMode,
    timeout: Option<Duration>,
) -> Result<WaitOutcome> {
    if holds(device, points, mode)? {
        return Ok(WaitOutcome::Reached);
    }
    if device.is_lost() {
        return Err(Error::lost());
    }
    if timeout == Some(Duration::ZERO) {
        return Ok(WaitOutcome::TimedOut);
    }
    let start = Instant::now();
    // A limit that overflows the clock is as good as none.
    let deadline = timeout.and_then(|t| start.checked_add(t));
    let expired = |now: Instant| deadline.is_some_and(|d| now >= d);

    let config = device.config();
    let mut looks = 0u32;
    loop {
        // Tightly at first; then whoever is to reach the value may need this very processor.
        if looks < TIGHT {
            for _ in 0..8 {
                std::hint::spin_loop();
            }
        } else {
            std::thread::yield_now();
        }
        looks += 1;
        if holds(device, points, mode)? {
            return Ok(WaitOutcome::Reached);
        }
        let now = Instant::now();
        if expired(now) {
            return Ok(WaitOutcome::TimedOut);
        }
        if now.duration_since(start) >= config.spin {
            break;
        }
    }

    let condition = Condition { points: points.iter().map(|p| (p.handle, p.value)).collect(), mode };
    loop {
        let Some(event) = armed_event(device, points, mode, &condition)? else {
            if device.check_lost() {
                return Err(Error::lost());
            }
            if expired(Instant::now()) {
                return Ok(WaitOutcome::TimedOut);
            }
            let left = deadline.map_or(WITHOUT_EVENT, |d| d.saturating_duration_since(Instant::now()));
            rest(left.min(WITHOUT_EVENT));
            if holds(device, points, mode)? {
                return Ok(WaitOutcome::Reached);
            }
            continue;
        };
        // One event: it fires once, or the wait is given up and it waits for the next one.
        loop {
            let left = deadline.map_or(Duration::MAX, |d| d.saturating_duration_since(Instant::now()));
            let nap = left.min(config.lost_check.max(Duration::from_millis(1)));
            let fired = sleep(&event, nap)?;
            if holds(device, points, mode)? {
                if fired {
                    device.events().put(event);
                }
                return Ok(WaitOutcome::Reached);
            }
            // Also after an event: a node that raises it too early must not hang us.
            if device.check_lost() {
                return Err(Error::lost());
            }
            if expired(Instant::now()) {
                if fired {
                    device.events().put(event);
                } else {
                    device.events().give_up(condition, event);
                }
                return Ok(WaitOutcome::TimedOut);
            }
            if fired {
                // The system saw the condition before we do, or a fence went backwards.
                device.events().put(event);
                rest(Duration::from_micros(50));
                break;
            }
        }
    }
}

/// An event that the system raises once the conditions hold; none if the process has no descriptor left for it or the system no
/// memory: a wait has to end all the same.
fn armed_event(
    device: &Device,
    points: &[Point<'_>],
    mode: WaitMode,
    condition: &Condition,
) -> Result<Option<OwnedFd>> {
    let armed = device.events().take(condition).and_then(|(event, requested)| {
        if !requested {
            request_event(device, points, mode, &event)?;
        }
        Ok(event)
    });
    match armed {
        Ok(event) => Ok(Some(event)),
        Err(e) if matches!(e.kind(), ErrorKind::NoDescriptors | ErrorKind::NoMemory) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Does nothing for a moment. Not by way of the C library, whose sleep is a point at which a thread can be cancelled.
fn rest(time: Duration) {
    let request = Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) };
    // A signal ends it early, which does no harm.
    let _ = rustix::thread::nanosleep(&request);
}

/// Asks the system to raise `event` once the conditions hold.
fn request_event(device: &Device, points: &[Point<'_>], mode: WaitMode, event: &OwnedFd) -> Result<()> {
    let handles: SmallVec<[Handle; 16]> = points.iter().map(|p| p.handle).collect();
    let values: SmallVec<[u64; 16]> = points.iter().map(|p| p.value).collect();
    let mut arg = WaitForSynchronizationObjectFromCpu {
        device: device.handle(),
        object_count: points.len() as u32,
        objects: handles.as_ptr() as u64,
        fence_values: values.as_ptr() as u64,
        async_event: event.as_raw_fd() as u64,
        flags: WaitFromCpuFlags::default().set(WaitFromCpuFlags::WAIT_ANY, mode == WaitMode::Any),
        ..Default::default()
    };
    loop {
        match device.call(&mut arg) {
            Ok(_) => return Ok(()),
            // Interrupted before the host took it: starting over is safe.
            Err(Error { cause: Cause::Errno(Errno::EINTR), ioctl }) => {
                debug_assert_eq!(ioctl, Some(WaitForSynchronizationObjectFromCpu::IOCTL));
            }
            Err(e) => return Err(e),
        }
    }
}

/// Sleeps until the event is raised (true) or time is up (false).
pub(crate) fn sleep(event: &OwnedFd, time: Duration) -> Result<bool> {
    let timespec =
        Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(time.subsec_nanos()) };
    let mut fds = [PollFd::new(event, PollFlags::IN)];
    match poll(&mut fds, Some(&timespec)) {
        Ok(n) => Ok(n > 0),
        // A signal: the caller looks at its clock and comes back.
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(e) => Err(Error::os(e)),
    }
}
