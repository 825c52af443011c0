//! Which mapping answers for which address: disjoint segments, each with the mappings that cover
//! it. Only identity mappings of the caller's memory can overlap (two allocations over the same
//! pages); everything else replaces what was there.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::{smallvec, SmallVec};

use crate::lock::atomic::{AtomicBool, AtomicU32, Ordering};

/// What a mapping shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// Pages of an allocation that we mapped at this address.
    Pages,
    /// Memory that is at this address anyway: the caller's own pages, or an allocation's home.
    Identity,
    /// Zeros; writes go nowhere.
    Zero,
    /// A fence.
    Fence,
}

/// One range of GPU addresses with something behind it.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) start: u64,
    pub(crate) size: u64,
    /// Allocation it belongs to; 0 for none.
    pub(crate) owner: u64,
    pub(crate) shows: Shows,
    pub(crate) write: bool,
    /// False while the paging operation that makes it is pending.
    pub(crate) ready: AtomicBool,
    /// Residency references of the memory behind it; `None` if it is always resident.
    pub(crate) residence: Option<Arc<AtomicU32>>,
}

impl Mapping {
    fn usable(&self, write: bool) -> bool {
        (!write || self.write) && self.ready.load(Ordering::Acquire)
    }

    fn resident(&self) -> bool {
        self.residence.as_ref().is_none_or(|r| r.load(Ordering::Acquire) > 0)
    }
}

#[derive(Debug)]
struct Segment {
    end: u64,
    by: SmallVec<[Arc<Mapping>; 1]>,
}

/// The interval map.
#[derive(Debug, Default)]
pub(crate) struct Segments(BTreeMap<u64, Segment>);

impl Segments {
    fn split(&mut self, at: u64) {
        let Some((_, seg)) = self.0.range_mut(..at).next_back() else { return };
        if seg.end > at {
            let rest = Segment { end: seg.end, by: seg.by.clone() };
            seg.end = at;
            self.0.insert(at, rest);
        }
    }

    /// Adds a mapping to `[start, end)`, beside what is there already.
    pub(crate) fn insert(&mut self, start: u64, end: u64, mapping: &Arc<Mapping>) {
        self.split(start);
        self.split(end);
        let mut at = start;
        let mut gaps: SmallVec<[(u64, u64); 2]> = SmallVec::new();
        for (&s, seg) in self.0.range_mut(start..end) {
            if s > at {
                gaps.push((at, s));
            }
            seg.by.push(mapping.clone());
            at = seg.end;
        }
        if at < end {
            gaps.push((at, end));
        }
        for (s, e) in gaps {
            self.0.insert(s, Segment { end: e, by: smallvec![mapping.clone()] });
        }
    }

    /// Takes the mappings that `which` picks out of `[start, end)`; returns the parts that had
    /// one.
    pub(crate) fn remove(&mut self, start: u64, end: u64, mut which: impl FnMut(&Mapping) -> bool) -> Vec<(u64, u64)> {
        self.split(start);
        self.split(end);
        let mut hit = Vec::new();
        let mut empty: SmallVec<[u64; 4]> = SmallVec::new();
        for (&s, seg) in self.0.range_mut(start..end) {
            let before = seg.by.len();
            seg.by.retain(|m| !which(m));
            if seg.by.len() != before {
                hit.push((s, seg.end));
            }
            if seg.by.is_empty() {
                empty.push(s);
            }
        }
        for s in empty {
            self.0.remove(&s);
        }
        hit
    }

    /// The first address of `[addr, addr + len)` that cannot be accessed, if any.
    pub(crate) fn first_fault(&self, addr: u64, len: u64, write: bool, resident: bool) -> Option<u64> {
        if len == 0 {
            return None;
        }
        let Some(end) = addr.checked_add(len) else { return Some(addr) };
        let from = self.0.range(..=addr).next_back().map_or(addr, |(&s, _)| s);
        let mut at = addr;
        for (&s, seg) in self.0.range(from..) {
            let good = |m: &Arc<Mapping>| m.usable(write) && (!resident || m.resident());
            if s > at || seg.end <= at || !seg.by.iter().any(good) {
                return Some(at);
            }
            at = seg.end;
            if at >= end {
                return None;
            }
        }
        Some(at)
    }

    /// Number of disjoint pieces.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The mapping at an address.
    pub(crate) fn find(&self, addr: u64) -> Option<&Arc<Mapping>> {
        let (_, seg) = self.0.range(..=addr).next_back()?;
        if seg.end > addr {
            seg.by.first()
        } else {
            None
        }
    }

    /// The parts of `[start, end)` in order, with the mapping of each or `None` for a hole.
    pub(crate) fn parts(&self, start: u64, end: u64) -> Vec<(u64, u64, Option<Arc<Mapping>>)> {
        let mut out = Vec::new();
        let from = self.0.range(..=start).next_back().map_or(start, |(&s, _)| s);
        let mut at = start;
        for (&s, seg) in self.0.range(from..end) {
            let (lo, hi) = (s.max(at), seg.end.min(end));
            if lo >= hi {
                continue;
            }
            if lo > at {
                out.push((at, lo, None));
            }
            out.push((lo, hi, seg.by.first().cloned()));
            at = hi;
        }
        if at < end {
            out.push((at, end, None));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(owner: u64, write: bool) -> Arc<Mapping> {
        Arc::new(Mapping {
            start: 0,
            size: 0,
            owner,
            shows: Shows::Identity,
            write,
            ready: AtomicBool::new(true),
            residence: None,
        })
    }

    #[test]
    fn overlapping_mappings_come_and_go() {
        let mut s = Segments::default();
        let (a, b) = (mapping(1, false), mapping(2, true));
        s.insert(100, 200, &a);
        s.insert(150, 300, &b);
        assert_eq!(s.first_fault(100, 200, false, false), None);
        assert_eq!(s.first_fault(100, 200, true, false), Some(100));
        assert_eq!(s.first_fault(160, 140, true, false), None);
        assert_eq!(s.first_fault(250, 51, false, false), Some(300));
        assert_eq!(s.first_fault(99, 1, false, false), Some(99));
        assert_eq!(s.remove(0, 1000, |m| m.owner == 2), vec![(150, 200), (200, 300)]);
        assert_eq!(s.first_fault(100, 100, false, false), None);
        assert_eq!(s.first_fault(100, 101, false, false), Some(200));
        assert_eq!(s.parts(90, 210).len(), 4);
        assert_eq!(s.first_fault(u64::MAX, 2, false, false), Some(u64::MAX));
    }
}
