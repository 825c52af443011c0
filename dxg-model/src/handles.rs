//! The two handle tables of a process.

use std::collections::VecDeque;

use dxg_abi::Handle;

/// The adapters there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapter {
    /// The GPU.
    Gpu,
    /// A compute-only adapter, of which there is no more than its place in the list.
    Compute,
}

/// Adapter handles. The guest chooses the values: fresh slots have unique 1, freed ones 2, free
/// slots are used in the order they were freed, and the table grows by 1024 when 128 or fewer
/// are free.
#[derive(Debug, Default)]
pub(crate) struct AdapterTable {
    /// Unique of each slot and what it stands for, if in use.
    slots: Vec<(u32, Option<Adapter>)>,
    free: VecDeque<u32>,
    used: usize,
}

const GROW: u32 = 1024;
const LOW: usize = 128;
const INDEX_LIMIT: usize = 0x00ff_ffff;

impl AdapterTable {
    /// A new handle; `None` if the table is full.
    pub(crate) fn insert(&mut self, adapter: Adapter) -> Option<Handle> {
        if self.free.len() <= LOW && self.slots.len() + GROW as usize <= INDEX_LIMIT {
            let start = self.slots.len() as u32;
            self.slots.resize(self.slots.len() + GROW as usize, (1, None));
            self.free.extend(start..start + GROW);
        }
        let index = self.free.pop_front()?;
        let slot = self.slots.get_mut(index as usize)?;
        slot.1 = Some(adapter);
        self.used += 1;
        Some(Handle::new(slot.0, index))
    }

    /// What a handle stands for, if it is open.
    pub(crate) fn get(&self, h: Handle) -> Option<Adapter> {
        self.slots.get(h.index() as usize).filter(|s| s.0 == h.unique())?.1
    }

    /// Closes a handle; what it stood for if it was open.
    pub(crate) fn remove(&mut self, h: Handle) -> Option<Adapter> {
        let adapter = self.get(h)?;
        if let Some(slot) = self.slots.get_mut(h.index() as usize) {
            *slot = (2, None);
        }
        self.free.push_back(h.index());
        self.used -= 1;
        Some(adapter)
    }

    /// Number of open handles of one adapter.
    pub(crate) fn count(&self, adapter: Adapter) -> usize {
        self.slots.iter().filter(|s| s.1 == Some(adapter)).count()
    }

    /// Number of open handles.
    pub(crate) fn len(&self) -> usize {
        self.used
    }
}

/// Handles of everything else. The host chooses the values; ours counts `unique` through 1, 2, 3 so
/// that a stale handle is noticed at least twice.
#[derive(Debug)]
pub(crate) struct ObjectTable<T> {
    slots: Vec<(u32, Option<T>)>,
    free: VecDeque<u32>,
}

impl<T> Default for ObjectTable<T> {
    fn default() -> Self {
        // The first slot belongs to the process itself and is never handed out.
        Self { slots: vec![(1, None)], free: VecDeque::new() }
    }
}

/// Slots kept out of use before the first is used again.
const QUARANTINE: usize = 64;

impl<T> ObjectTable<T> {
    /// A new handle; gives the object back if the table is full.
    pub(crate) fn insert(&mut self, object: T) -> Result<Handle, T> {
        let reuse =
            if self.free.len() > QUARANTINE || self.slots.len() >= INDEX_LIMIT { self.free.pop_front() } else { None };
        let index = match reuse {
            Some(index) => index as usize,
            None if self.slots.len() < INDEX_LIMIT => {
                self.slots.push((1, None));
                self.slots.len() - 1
            }
            None => return Err(object),
        };
        let slot = &mut self.slots[index];
        slot.1 = Some(object);
        Ok(Handle::new(slot.0, index as u32))
    }

    /// The object of a handle.
    pub(crate) fn get(&self, h: Handle) -> Option<&T> {
        let slot = self.slots.get(h.index() as usize)?;
        slot.1.as_ref().filter(|_| slot.0 == h.unique())
    }

    /// Takes an object out.
    pub(crate) fn remove(&mut self, h: Handle) -> Option<T> {
        self.get(h)?;
        let slot = self.slots.get_mut(h.index() as usize)?;
        slot.0 = if slot.0 == 3 { 1 } else { slot.0 + 1 };
        self.free.push_back(h.index());
        slot.1.take()
    }

    /// All handles whose object is picked.
    pub(crate) fn find(&self, mut which: impl FnMut(&T) -> bool) -> Vec<Handle> {
        self.iter().filter(|(_, o)| which(o)).map(|(h, _)| h).collect()
    }

    /// All objects.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Handle, &T)> {
        self.slots.iter().enumerate().filter_map(|(i, s)| Some((Handle::new(s.0, i as u32), s.1.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapter_handles_have_the_guests_values() {
        let mut t = AdapterTable::default();
        let h: Vec<u32> = (0..3).filter_map(|_| t.insert(Adapter::Gpu)).map(|h| h.0).collect();
        assert_eq!(h, [0x4000_0000, 0x4000_0040, 0x4000_0080]);
        assert!(t.remove(Handle(0x4000_0040)).is_some());
        assert!(t.remove(Handle(0x4000_0040)).is_none());
        assert!(t.get(Handle(0x4000_0081)).is_some(), "instance is not compared");
        // Until the table has grown and the slot comes round again.
        let again = (0..4096).filter_map(|_| t.insert(Adapter::Gpu)).find(|h| h.index() == 1);
        assert_eq!(again, Some(Handle(0x8000_0040)));
        assert!(t.remove(Handle(0x8000_0040)).is_some());
        let again = (0..8192).filter_map(|_| t.insert(Adapter::Compute)).find(|h| h.index() == 1);
        assert_eq!(again, Some(Handle(0x8000_0040)), "the third value equals the second");
        assert_eq!(t.get(Handle(0)), None);
        assert_eq!(t.get(Handle(u32::MAX)), None);
        assert_eq!(t.get(Handle(0x8000_0040)), Some(Adapter::Compute));
        assert!(t.count(Adapter::Gpu) > 1 && t.count(Adapter::Compute) > 1);
        assert_eq!(t.count(Adapter::Gpu) + t.count(Adapter::Compute), t.len());
    }

    #[test]
    fn object_handles_notice_staleness() {
        let mut t = ObjectTable::default();
        let a = t.insert('a').unwrap();
        assert_ne!(a, Handle(0));
        assert_eq!(t.remove(a), Some('a'));
        for _ in 0..10_000 {
            let b = t.insert('b').unwrap();
            assert!(b.index() != a.index() || b != a || t.get(a) == Some(&'b'));
            t.remove(b);
        }
        assert_eq!(t.get(Handle(0)), None);
    }
}
