//! Parts of recordings.

use super::dump::buffer_type;
use super::fields::each_handle;
use super::format::{IoctlRecord, Record, Trace};
use dxg_abi::{Handle, Ioctl, Ret};
use std::collections::HashSet;
use std::ops::Range;

/// How a request ended, for choosing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not in a failure.
    Succeeded,
    /// In any failure.
    Failed,
    /// In exactly this result.
    Is(Ret),
}

/// Which records are wanted. What is not set lets everything pass.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Requests.
    pub ioctls: Option<HashSet<Ioctl>>,
    /// Handles: requests that pass or return one of them, and memory of these allocations.
    pub handles: Option<HashSet<Handle>>,
    /// Processes.
    pub processes: Option<HashSet<u32>>,
    /// How requests ended.
    pub outcome: Option<Outcome>,
    /// Indices of records.
    pub range: Option<Range<usize>>,
    /// Keep what memory held even if requests are chosen by name or outcome.
    pub memory: bool,
}

/// The request with this name (of the structure or of the header, in any case) or number.
pub fn ioctl_named(name: &str) -> Option<Ioctl> {
    let number = name.strip_prefix("0x").and_then(|n| u8::from_str_radix(n, 16).ok());
    let same = |a: &str| a.eq_ignore_ascii_case(name);
    let bare = |i: &Ioctl| same(i.header_name()) || same(i.header_name().trim_start_matches("LX_"));
    Ioctl::ALL.iter().find(|i| Some(i.nr()) == number || same(i.name()) || bare(i)).copied()
}

/// Every handle of a request that is not null.
fn handles(r: &IoctlRecord) -> HashSet<Handle> {
    let mut out = HashSet::new();
    let Some(ioctl) = Ioctl::from_request(r.request) else { return out };
    let mut take = |ty, bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        each_handle(ty, &mut bytes, &mut |_, h| {
            out.insert(h);
            h
        });
    };
    take(ioctl.layout(), &r.before);
    take(ioctl.layout(), &r.after);
    for b in &r.buffers {
        let Some((_, ty)) = buffer_type(ioctl, b) else { continue };
        for element in b.before.chunks_exact(ty.size).chain(b.after.chunks_exact(ty.size)) {
            take(ty, element);
        }
    }
    out
}

impl Selection {
    fn wants_request(&self, r: &IoctlRecord) -> bool {
        let ioctl = Ioctl::from_request(r.request);
        let ret = Ret::from_raw(r.result);
        self.ioctls.as_ref().is_none_or(|set| ioctl.is_some_and(|i| set.contains(&i)))
            && match self.outcome {
                None => true,
                Some(Outcome::Succeeded) => !ret.is_failure(),
                Some(Outcome::Failed) => ret.is_failure(),
                Some(Outcome::Is(other)) => ret == other,
            }
            && self.handles.as_ref().is_none_or(|set| !set.is_disjoint(&handles(r)))
    }

    fn wants_memory(&self, allocation: u32) -> bool {
        (self.memory || self.ioctls.is_none() && self.outcome.is_none())
            && self.handles.as_ref().is_none_or(|set| set.contains(&Handle(allocation)))
    }

    /// The records of a recording that are wanted. Records that say whose the others are stay where anything of it stays.
    pub fn apply(&self, trace: &Trace) -> Trace {
        let mut records = Vec::new();
        let mut process: Option<&Record> = None;
        let mut theirs = self.processes.is_none();
        for (at, record) in trace.records.iter().enumerate() {
            if let Record::Process(p) = record {
                process = Some(record);
                theirs = self.processes.as_ref().is_none_or(|set| set.contains(&p.pid));
                continue;
            }
            let wanted = theirs
                && self.range.as_ref().is_none_or(|range| range.contains(&at))
                && match record {
                    Record::Ioctl(r) => self.wants_request(r),
                    Record::Pages(s) => self.wants_memory(s.allocation),
                    Record::Check(c) => self.wants_memory(c.allocation),
                    Record::Process(_) => false,
                };
            if wanted {
                records.extend(process.take().cloned());
                records.push(record.clone());
            }
        }
        Trace { records }
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::{Buffer, ProcessRecord, Snapshot};
    use super::*;
    use dxg_abi::{CreateDevice, Errno, Evict};

    fn request<A: dxg_abi::Arg>(before: &A, after: &A, result: i32, buffers: Vec<Buffer>) -> Record {
        let (before, after) = (before.as_bytes().to_vec(), after.as_bytes().to_vec());
        Record::Ioctl(IoctlRecord { request: A::IOCTL.request(), result, before, after, buffers })
    }

    fn sample() -> Trace {
        let create = CreateDevice { adapter: Handle(0x40), ..Default::default() };
        let created = CreateDevice { device: Handle(0x80), ..create };
        let evict = Evict { device: Handle(0x80), alloc_count: 1, ..Default::default() };
        let list = Buffer { pointer: 0, nested: 0, element: 0, before: vec![0xc0, 0, 0, 0], after: vec![] };
        let process = |pid| Record::Process(ProcessRecord { pid, name: String::new() });
        Trace {
            records: vec![
                process(1),
                request(&create, &created, 0, vec![]),
                request(&evict, &evict, -22, vec![list]),
                Record::Pages(Snapshot { allocation: 0xc0, certain: true, pages: vec![] }),
                process(2),
                request(&create, &create, -12, vec![]),
            ],
        }
    }

    fn chosen(selection: &Selection) -> Vec<usize> {
        let all = sample();
        let kept = selection.apply(&all).records;
        let place = |r: &Record| all.records.iter().position(|o| o == r).expect("a record of the sample");
        kept.iter().map(place).collect()
    }

    #[test]
    fn records_are_chosen_by_each_of_their_sides() {
        let none = Selection::default();
        assert_eq!(chosen(&none), [0, 1, 2, 3, 4, 5]);
        let ioctls = Some([Ioctl::Evict].into());
        assert_eq!(chosen(&Selection { ioctls: ioctls.clone(), ..none.clone() }), [0, 2]);
        assert_eq!(chosen(&Selection { ioctls, memory: true, ..none.clone() }), [0, 2, 3]);
        assert_eq!(chosen(&Selection { handles: Some([Handle(0xc0)].into()), ..none.clone() }), [0, 2, 3]);
        assert_eq!(chosen(&Selection { handles: Some([Handle(0x80)].into()), ..none.clone() }), [0, 1, 2]);
        assert_eq!(chosen(&Selection { processes: Some([2].into()), ..none.clone() }), [4, 5]);
        assert_eq!(chosen(&Selection { outcome: Some(Outcome::Failed), ..none.clone() }), [0, 2, 4, 5]);
        let no_memory = Outcome::Is(Ret::Err(Errno::ENOMEM));
        assert_eq!(chosen(&Selection { outcome: Some(no_memory), ..none.clone() }), [4, 5]);
        assert_eq!(chosen(&Selection { outcome: Some(Outcome::Succeeded), ..none.clone() }), [0, 1]);
        assert_eq!(chosen(&Selection { range: Some(2..4), ..none }), [0, 2, 3]);
    }

    #[test]
    fn requests_have_names_and_numbers() {
        for name in ["CreateDevice", "createdevice", "LX_DXCREATEDEVICE", "DXCREATEDEVICE", "0x02", "0x2"] {
            assert_eq!(ioctl_named(name), Some(Ioctl::CreateDevice), "{name}");
        }
        assert_eq!(ioctl_named("0x03"), None);
        assert_eq!(ioctl_named(""), None);
    }
}
