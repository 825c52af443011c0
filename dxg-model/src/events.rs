//! The eventfds of clients.
//!
//! The object behind an eventfd is kept until it has fired, by a descriptor of our own; a client
//! that abandons waits and uses the same eventfd again costs one descriptor, not one for each.

use std::collections::HashMap;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::{Arc, Weak};

use crate::sys;

/// An eventfd of a client, checked to be one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventNumber {
    fd: RawFd,
    id: Option<u64>,
}

impl EventNumber {
    /// Checks a number out of a 64-bit field.
    pub(crate) fn new(value: u64) -> io::Result<Self> {
        let fd = sys::fd_number(value).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { fd, id: sys::eventfd_id(fd)? })
    }

    /// Raises it now.
    pub(crate) fn raise(self) {
        sys::raise_raw(self.fd);
    }
}

/// Descriptors held for events that are to be raised later.
#[derive(Debug, Default)]
pub(crate) struct Events {
    held: HashMap<u64, Weak<OwnedFd>>,
    /// Entries after which stale ones are dropped.
    limit: usize,
}

impl Events {
    /// Number of objects kept.
    pub(crate) fn held(&self) -> usize {
        self.held.values().filter(|e| e.strong_count() > 0).count()
    }

    /// Keeps the object behind an eventfd.
    pub(crate) fn hold(&mut self, event: EventNumber) -> io::Result<Arc<OwnedFd>> {
        let held = event.id.and_then(|id| self.held.get(&id)).and_then(Weak::upgrade);
        if let Some(held) = held {
            return Ok(held);
        }
        let own = Arc::new(sys::duplicate(event.fd)?);
        if let Some(id) = event.id {
            if self.held.len() >= self.limit {
                self.held.retain(|_, e| e.strong_count() > 0);
                self.limit = 2 * self.held.len() + 64;
            }
            self.held.insert(id, Arc::downgrade(&own));
        }
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{eventfd, EventfdFlags};
    use std::os::fd::AsRawFd;

    #[test]
    fn one_descriptor_for_each_event() {
        let mut events = Events::default();
        let (a, b) = (eventfd(0, EventfdFlags::CLOEXEC), eventfd(0, EventfdFlags::CLOEXEC));
        let (a, b) = (a.unwrap(), b.unwrap());
        let mut hold = |fd: &OwnedFd| {
            let number = EventNumber::new(fd.as_raw_fd() as u64).unwrap();
            assert!(number.id.is_some());
            events.hold(number).unwrap()
        };
        let (first, second, other) = (hold(&a), hold(&a), hold(&b));
        assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&first, &other));
        // Another number of the same object.
        let copy = a.try_clone().unwrap();
        assert!(Arc::ptr_eq(&first, &hold(&copy)));
    }
}
