//! Makes the calls and looks at everything they did.

use std::collections::BTreeSet;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use dxg_abi::{CloseAdapter, Handle, Ioctl, Node};
use dxg_model::Census;

use crate::call::{covered, differences, Call, Place, Span};
use crate::case::{Case, Row, Want, Writes};
use crate::common::{call, peek_bytes, Model, EFAULT, EINVAL, ENOTTY, PENDING};
use crate::data::Behaviour;
use crate::world::{descriptors, Mode, World};

/// What has been seen of a suite in all its modes.
#[derive(Default)]
pub struct Seen {
    /// Rows whose call succeeded as described.
    pub rows: BTreeSet<Ioctl>,
    /// Checks that were broken, by row and text.
    pub checks: BTreeSet<(Ioctl, String)>,
    /// Calls made.
    pub calls: usize,
}

/// Calls that take something away.
const CLOSING: [Ioctl; 4] =
    [Ioctl::DestroyContext, Ioctl::DestroyAllocation2, Ioctl::DestroyHwQueue, Ioctl::DestroySynchronizationObject];

/// Waits for what is in the hands of other threads, such as events about to be given back.
fn settles(node: &Model, want: &Census) -> Census {
    let start = Instant::now();
    loop {
        let now = node.census();
        if now == *want || start.elapsed() > Duration::from_secs(2) {
            return now;
        }
        std::thread::yield_now();
    }
}

/// Number of descriptors, once threads that have an object in their hands for a moment are done with it.
fn settled(want: usize) -> usize {
    let start = Instant::now();
    loop {
        let now = descriptors();
        if now == want || start.elapsed() > Duration::from_secs(5) {
            return now;
        }
        std::thread::yield_now();
    }
}

/// Everything a call can change.
struct Before {
    arg: Vec<u8>,
    base: u64,
    memory: Vec<u8>,
    census: Census,
    descriptors: usize,
}

impl Before {
    fn new(w: &World, c: &Call) -> Self {
        let (base, memory) = w.memory();
        Self { arg: c.arg.clone(), base, memory, census: w.rig.node.census(), descriptors: descriptors() }
    }

    /// Parts of the memory that differ now.
    fn changed(&self, w: &World) -> Vec<(u64, u64)> {
        let (_, now) = w.memory();
        if now == self.memory {
            return Vec::new();
        }
        let mut out: Vec<(u64, u64)> = Vec::new();
        for (i, _) in now.iter().zip(&self.memory).enumerate().filter(|(_, (a, b))| a != b) {
            let at = self.base + i as u64;
            match out.last_mut() {
                Some((_, end)) if *end == at => *end += 1,
                _ => out.push((at, at + 1)),
            }
        }
        out
    }
}

/// What the fields of a successful call do.
fn expect_fields(b: &Behaviour, c: &Call, before: &Before, fields: Option<&[&str]>, who: &str) {
    let changed = differences(c.ioctl, &before.arg, &c.arg);
    let listed: Vec<String> = match fields.or(c.changes) {
        Some(list) => list.iter().map(|s| (*s).to_owned()).collect(),
        None => b.copy_back.clone().unwrap_or_else(|| panic!("{who}: all fields come back, which of them change?")),
    };
    for name in &changed {
        assert!(covered(name, &listed), "{who}: {name} was written");
        if let Some(allowed) = &b.copy_back {
            assert!(covered(name, allowed), "{who}: {name} is not to be written");
        }
    }
    for name in &listed {
        assert!(changed.iter().any(|c| covered(c, std::slice::from_ref(name))), "{who}: {name} was not written");
    }
}

/// What a successful call does to memory.
fn expect_memory(b: &Behaviour, c: &Call, w: &World, before: &Before, who: &str) {
    let changed = before.changed(w);
    for &(start, end) in &changed {
        let inside = c.spans.iter().any(|s| !s.key.is_empty() && s.at <= start && end <= s.at + s.len);
        assert!(inside, "{who}: wrote {} bytes at arena + {:#x}", end - start, start - before.base);
    }
    for s in c.spans.iter().filter(|s| s.changes) {
        let hit = changed.iter().any(|(start, end)| s.at <= *start && *end <= s.at + s.len);
        assert!(hit, "{who}: {} was not written", s.key);
    }
    for s in c.spans.iter().filter(|s| !s.key.is_empty()) {
        assert!(b.through_pointers.iter().any(|k| k == s.key), "{who}: {} is not to be written", s.key);
    }
}

fn expect_nothing(c: &Call, w: &World, before: &Before, who: &str) {
    let fields = differences(c.ioctl, &before.arg, &c.arg);
    assert!(fields.is_empty(), "{who}: wrote {fields:?}");
    let memory = before.changed(w);
    assert!(memory.is_empty(), "{who}: wrote memory at arena + {:#x}", memory[0].0 - before.base);
}

fn expect_census(w: &World, c: &Call, before: &Before, happens: bool, leaks: usize, who: &str) {
    let mut want = before.census;
    if happens {
        (c.effect)(&mut want);
    }
    want.adapters += leaks;
    let now = settles(&w.rig.node, &want);
    assert_eq!(now, want, "{who}: left something behind");
    w.rig.node.check().unwrap_or_else(|e| panic!("{who}: {e}"));
    if !happens {
        assert_eq!(settled(before.descriptors), before.descriptors, "{who}: left a descriptor behind");
    }
}

/// After a world has ended nothing of it is left.
fn end(w: World, outside: usize, who: &str) {
    let node = w.rig.node.clone();
    for unique in [1, 2] {
        for slot in 0..8 {
            let _ = call(&node, &mut CloseAdapter { adapter_handle: Handle::new(unique, slot) });
        }
    }
    let left = node.census();
    // Older objects and reservations are the process's, shared objects their descriptors'; everything else was the devices'.
    let Census { sync_objects, fence_pages, homes, regions, mappings, shares, sync_files, events, .. } = left;
    let rest =
        Census { sync_objects, fence_pages, homes, regions, mappings, shares, sync_files, events, ..Census::default() };
    assert_eq!(left, rest, "{who}: after the last adapter handle");
    assert!(shares > 0 || homes == 0, "{who}: {left:?} after the last adapter handle");
    node.check().unwrap_or_else(|e| panic!("{who}: {e}"));
    drop((node, w));
    assert_eq!(settled(outside), outside, "{who}: descriptors left after close");
}

/// Tests one row in one mode.
pub fn row(b: &Behaviour, r: &Row, mode: Mode, seen: &mut Seen) {
    let refuses = r.more.iter().chain(r.checks.iter().flat_map(|c| c.steps.iter().flatten()));
    let refusable = refuses.into_iter().any(|c| c.what == "host refuses");
    // Only what is closed is closed whatever the host says.
    assert!(b.status != Some(true) || refusable != CLOSING.contains(&r.ioctl), "{}: refusals of the host", r.ioctl);
    let texts: Vec<&str> = r.checks.iter().map(|c| c.text).collect();
    assert_eq!(texts, b.checks, "{}: checks of the suite and of the file", r.ioctl);
    if r.ioctl.nr() > mode.table_end {
        absent(r, mode);
        return;
    }
    if r.hw && !mode.hw_queues {
        without_queues(b, r, mode, seen);
        return;
    }
    valid(b, r, mode, seen);
    // Every way to fail, in order, and the first of each step.
    let steps: Vec<(&str, &[Case])> =
        r.checks.iter().flat_map(|c| c.steps.iter().map(move |s| (c.text, s.as_slice()))).collect();
    let more: Vec<(&str, &[Case])> = r.more.iter().map(|c| ("", std::slice::from_ref(c))).collect();
    let all: Vec<(&str, &[Case])> = steps.into_iter().chain(more).collect();
    let lookup = all.iter().position(|(_, ways)| ways.iter().any(|w| w.what == "never given out"));
    let stop = all.iter().flat_map(|(_, ways)| ways.iter()).find(|c| c.what == "adapter stopped");
    let gone = r.more.iter().find(|c| c.what == "adapter stopped");
    for (i, (text, ways)) in all.iter().enumerate() {
        for way in ways.iter().filter(|w| (w.only)(&mode)) {
            // Alone only where it is cheap: what is wrong alone is wrong with more, too.
            let alone = mode.thorough && i + 1 < all.len();
            for stacked in [false, true].into_iter().filter(|s| *s || alone) {
                let later = all[i + 1..].iter().filter(|(t, _)| stacked && !t.is_empty());
                let mut later: Vec<&Case> =
                    later.filter_map(|(_, ways)| ways.iter().find(|w| w.stacks && (w.only)(&mode))).collect();
                // What comes before the lookup comes before the adapter is found to be gone, also where the file does
                // not say that it is: most other results are alike.
                later.extend(gone.filter(|_| stacked && lookup.is_some_and(|l| i <= l)));
                broken(b, r, mode, way, &later, text);
                seen.calls += 1;
            }
            // A good handle of an adapter that is gone has a result of its own, which must not show yet.
            if let Some(stop) = stop.filter(|_| mode.thorough && lookup.is_some_and(|l| i < l)) {
                broken(b, r, mode, way, &[stop], text);
                seen.calls += 1;
            }
            if !text.is_empty() {
                seen.checks.insert((r.ioctl, (*text).to_owned()));
            }
        }
    }
    if mode.thorough {
        faults(b, r, mode, seen);
    }
}

fn absent(r: &Row, mode: Mode) {
    let w = World::new(mode);
    for fill in [0, 0xff] {
        let mut arg = vec![fill; r.ioctl.arg_size()];
        assert_eq!(w.rig.node.ioctl(r.ioctl.request(), &mut arg), ENOTTY, "{}", r.ioctl);
        assert!(arg.iter().all(|b| *b == fill));
    }
}

fn success(b: &Behaviour, c: &Call, mode: &Mode) -> i32 {
    let pending = mode.pending && b.pending && c.status == 0 && !c.at_once;
    if pending {
        PENDING
    } else {
        c.status
    }
}

fn valid(b: &Behaviour, r: &Row, mode: Mode, seen: &mut Seen) {
    let who = format!("{} in {mode:?}", r.ioctl);
    let outside = descriptors();
    let mut w = World::new(mode);
    let mut c = (r.build)(&mut w);
    let before = Before::new(&w, &c);
    let result = c.run(&w.rig.node);
    seen.calls += 1;
    assert_eq!(result, success(b, &c, &mode), "{who}");
    if result < 0 {
        expect_nothing(&c, &w, &before, &who);
        expect_census(&w, &c, &before, false, 0, &who);
    } else {
        expect_fields(b, &c, &before, None, &who);
        expect_memory(b, &c, &w, &before, &who);
        keep_descriptor(&mut w, &c, result);
        let named = |k: &String| c.spans.iter().any(|s| s.key == k);
        assert!(b.through_pointers.iter().all(named), "{who}: writes {:?}", b.through_pointers);
        expect_census(&w, &c, &before, true, 0, &who);
        let mut made = before.census;
        (c.effect)(&mut made);
        let Census {
            adapters, devices, contexts, hw_queues, paging_queues, allocations, resources, sync_objects, ..
        } = made;
        let old = before.census;
        let more = adapters > old.adapters
            || devices > old.devices
            || contexts > old.contexts
            || hw_queues > old.hw_queues
            || paging_queues > old.paging_queues
            || allocations > old.allocations
            || resources > old.resources
            || sync_objects > old.sync_objects
            || c.descriptor.is_some();
        assert_eq!(more, b.creates.is_some(), "{who}: creates {:?}", b.creates);
    }
    seen.rows.insert(r.ioctl);
    end(w, outside, &who);
}

/// Takes the descriptor that a call made into the world's keeping.
fn keep_descriptor(w: &mut World, c: &Call, result: i32) {
    if let Some(place) = c.descriptor.filter(|_| result == 0) {
        let number = match place {
            Place::Memory(at) => peek_bytes(at, 4),
            Place::Field(name) => (c.get(name) as u32).to_ne_bytes().to_vec(),
        };
        // SAFETY: the call succeeded, so the descriptor there was made for us.
        w.keep(unsafe { OwnedFd::from_raw_fd(i32::from_ne_bytes(number.try_into().expect("four bytes"))) });
    }
}

/// One call that is wrong in one way, and in the first way of every later check.
fn broken(b: &Behaviour, r: &Row, mode: Mode, way: &Case, later: &[&Case], text: &str) {
    let names: Vec<&str> = later.iter().map(|c| c.what).collect();
    let who = format!("{}: \"{text}\": {} with {names:?} in {mode:?}", r.ioctl, way.what);
    let outside = descriptors();
    let mut w = World::new(mode);
    let mut c = (r.build)(&mut w);
    for other in later.iter().rev() {
        (other.apply)(&mut w, &mut c);
    }
    (way.apply)(&mut w, &mut c);
    w.prepare();
    let before = Before::new(&w, &c);
    w.arm();
    let result = c.run(&w.rig.node);
    w.calm();
    let want = match way.want.result(&mode, b.fire_and_forget) {
        0 if way.writes == Writes::AsValid => success(b, &c, &mode),
        want => want,
    };
    assert_eq!(result, want, "{who}");
    if let Want::Is(errno) | Want::Query(errno) | Want::Host(errno) = way.want {
        named(text, errno, &who);
    }
    match way.writes {
        Writes::AsValid if result >= 0 => {
            expect_fields(b, &c, &before, None, &who);
            expect_memory(b, &c, &w, &before, &who);
        }
        Writes::Fields(list) if result >= 0 => fields_only(b, &c, &w, &before, list, &who),
        Writes::Memory => {
            let fields = differences(c.ioctl, &before.arg, &c.arg);
            assert!(fields.is_empty(), "{who}: wrote {fields:?}");
            for (start, end) in before.changed(&w) {
                let inside = |s: &Span| !s.key.is_empty() && s.at <= start && end <= s.at + s.len;
                assert!(c.spans.iter().any(inside), "{who}: wrote where it must not");
            }
        }
        Writes::Always(list) => fields_only(b, &c, &w, &before, list, &who),
        Writes::Fields(_) | Writes::Nothing | Writes::AsValid => expect_nothing(&c, &w, &before, &who),
    }
    let leaks = if mode.quirks { way.leaks } else { 0 };
    keep_descriptor(&mut w, &c, result);
    expect_census(&w, &c, &before, way.happens || (way.writes == Writes::AsValid && result >= 0), leaks, &who);
    end(w, outside, &who);
}

fn fields_only(b: &Behaviour, c: &Call, w: &World, before: &Before, list: &'static [&'static str], who: &str) {
    expect_fields(b, c, before, Some(list), who);
    assert!(before.changed(w).is_empty(), "{who}: wrote memory");
}

/// The text of a check that names results names this one.
fn named(text: &str, errno: i32, who: &str) {
    let name = match errno {
        EINVAL => "EINVAL",
        -12 => "ENOMEM",
        -19 => "ENODEV",
        -75 => "EOVERFLOW",
        -131 => "ENOTRECOVERABLE",
        -4 => "ERESTARTSYS",
        _ => return,
    };
    // Lines about the host's own status name none.
    let open = text.is_empty() || text.starts_with("host status") || !text.contains("-> ");
    assert!(open || text.contains(name), "{who}: the file does not say {name}");
}

/// Every pointer of a call, at memory that is not there or cannot be written.
fn faults(b: &Behaviour, r: &Row, mode: Mode, seen: &mut Seen) {
    let spans = (r.build)(&mut World::new(mode)).spans;
    let fields: BTreeSet<&str> = spans.iter().map(|s| s.field).filter(|f| !f.is_empty()).collect();
    for field in fields {
        let writable = spans.iter().any(|s| s.field == field && s.changes);
        for read_only in [false, true] {
            if read_only && !writable {
                continue;
            }
            let who = format!("{}: {field} at bad memory (read-only: {read_only}) in {mode:?}", r.ioctl);
            let outside = descriptors();
            let mut w = World::new(mode);
            let mut c = (r.build)(&mut w);
            // This one alone, so that what is done before it is done.
            let bad = if read_only { w.frozen(c.get(field)) } else { w.nowhere() };
            c.set(field, bad);
            let before = Before::new(&w, &c);
            let result = c.run(&w.rig.node);
            seen.calls += 1;
            let want = r
                .faults
                .iter()
                .find(|(f, _)| *f == field)
                .map_or(Want::Is(EFAULT), |(_, want)| want[usize::from(read_only)]);
            assert_eq!(result, want.result(&mode, b.fire_and_forget), "{who}");
            expect_census(&w, &c, &before, false, 0, &who);
            end(w, outside, &who);
        }
    }
}

/// Without hardware queues there is no queue to name: what is wrong with the handle comes out as for any other.
fn without_queues(b: &Behaviour, r: &Row, mode: Mode, seen: &mut Seen) {
    let mut w = World::new(mode);
    let mut c = (r.build)(&mut w);
    let before = Before::new(&w, &c);
    assert_eq!(c.run(&w.rig.node), EINVAL, "{} without hardware queues", r.ioctl);
    seen.calls += 1;
    expect_nothing(&c, &w, &before, b.ioctl.name());
    expect_census(&w, &c, &before, false, 0, b.ioctl.name());
}
