//! Comparing recordings: what one does and the other does not.
//!
//! Records are laid side by side by what they ask for and how that ended. Handles, LUIDs and GPU addresses of the one are then
//! names for those of the other: a pair is made where both come up first, and has to hold from then on.

use super::dump::buffer_type;
use super::format::{Buffer, IoctlRecord, Record, Trace};
use super::meaning::{of, operation_view, Meaning};
use super::tracker::decode;
use dxg_abi::layout::{describe, integer, Kind, TypeLayout};
use dxg_abi::{Handle, Ioctl, MapGpuVirtualAddress, ReserveGpuVirtualAddress, Ret, PAGE_SIZE};
use std::collections::HashMap;

/// What a comparison finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Records that have a counterpart and are the same.
    pub same: usize,
    /// A line for each difference, in order: `-` for what only the first has, `+` for the second, `!` for what changed.
    pub lines: Vec<String>,
}

impl Comparison {
    /// Whether there is no difference.
    pub fn is_equal(&self) -> bool {
        self.lines.is_empty()
    }
}

/// By what records are laid side by side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Request(u32, i32),
    Pages,
    Check,
}

fn key(record: &Record) -> Option<Key> {
    match record {
        Record::Ioctl(r) => Some(Key::Request(r.request, r.result)),
        Record::Pages(_) => Some(Key::Pages),
        Record::Check(_) => Some(Key::Check),
        // Whose it is makes no difference.
        Record::Process(_) => None,
    }
}

fn title(record: &Record) -> String {
    match record {
        Record::Ioctl(r) => {
            let ret = Ret::from_raw(r.result);
            Ioctl::from_request(r.request)
                .map_or_else(|| format!("request {:#010x} = {ret}", r.request), |i| format!("{i} = {ret}"))
        }
        Record::Pages(s) => format!("CPU changed {} pages of {:#x}", s.pages.len(), s.allocation),
        Record::Check(c) => format!("GPU changed {} pages of {:#x}", c.pages.len(), c.allocation),
        Record::Process(p) => format!("process {}", p.pid),
    }
}

/// A record of each side, or of one.
type Pair = (Option<usize>, Option<usize>);

/// Most edits that are looked for; recordings that differ more are laid side by side as they come.
const EDITS: usize = 3000;

/// Lays two sequences side by side with the fewest edits (Myers, "An O(ND) difference algorithm").
fn align(a: &[Key], b: &[Key]) -> Vec<Pair> {
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let end = a[start..].iter().rev().zip(b[start..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (m, n) = (&a[start..a.len() - end], &b[start..b.len() - end]);
    let mut out: Vec<Pair> = (0..start).map(|i| (Some(i), Some(i))).collect();
    let middle = edits(m, n).unwrap_or_else(|| {
        let both = m.len().min(n.len());
        let paired = (0..both).flat_map(|i| {
            if m[i] == n[i] {
                vec![(Some(i), Some(i))]
            } else {
                vec![(Some(i), None), (None, Some(i))]
            }
        });
        let rest = (both..m.len()).map(|i| (Some(i), None)).chain((both..n.len()).map(|i| (None, Some(i))));
        paired.chain(rest).collect()
    });
    out.extend(middle.into_iter().map(|(x, y)| (x.map(|i| i + start), y.map(|i| i + start))));
    out.extend((0..end).map(|i| (Some(a.len() - end + i), Some(b.len() - end + i))));
    out
}

fn edits(a: &[Key], b: &[Key]) -> Option<Vec<Pair>> {
    let most = (a.len() + b.len()).min(EDITS);
    let offset = most as isize + 1;
    let mut reach = vec![0usize; 2 * most + 3];
    let mut history: Vec<Vec<usize>> = Vec::new();
    for d in 0..=most as isize {
        let low = (offset - d) as usize;
        history.push(reach[low - 1..=(offset + d) as usize + 1].to_vec());
        for k in (-d..=d).step_by(2) {
            let at = (offset + k) as usize;
            let down = k == -d || k != d && reach[at - 1] < reach[at + 1];
            let mut x = if down { reach[at + 1] } else { reach[at - 1] + 1 };
            let mut y = (x as isize - k) as usize;
            while x < a.len() && y < b.len() && a[x] == b[y] {
                (x, y) = (x + 1, y + 1);
            }
            reach[at] = x;
            if x >= a.len() && y >= b.len() {
                return Some(walk_back(&history, a.len(), b.len()));
            }
        }
    }
    None
}

fn walk_back(history: &[Vec<usize>], mut x: usize, mut y: usize) -> Vec<Pair> {
    let mut out = Vec::new();
    for (d, reach) in history.iter().enumerate().rev() {
        let (d, k) = (d as isize, x as isize - y as isize);
        // Index of diagonal `k` in what was saved of diagonals -d-1 ..= d+1.
        let at = |k: isize| reach[(k + d + 1) as usize];
        let down = k == -d || k != d && at(k - 1) < at(k + 1);
        let from = if down { k + 1 } else { k - 1 };
        let (px, py) = if d == 0 { (0, 0) } else { (at(from), (at(from) as isize - from) as usize) };
        while x > px && y > py {
            (x, y) = (x - 1, y - 1);
            out.push((Some(x), Some(y)));
            if d == 0 && x == 0 && y == 0 {
                break;
            }
        }
        if d > 0 {
            if down {
                y -= 1;
                out.push((None, Some(y)));
            } else {
                x -= 1;
                out.push((Some(x), None));
            }
        }
    }
    out.reverse();
    out
}

/// What names of the first are in the second.
#[derive(Default)]
struct Names {
    adapters: HashMap<u32, u32>,
    objects: HashMap<u32, u32>,
    luids: HashMap<u64, u64>,
    /// Ranges of addresses: start and size there, start here.
    ranges: Vec<(u64, u64, u64)>,
    addresses: HashMap<u64, u64>,
    /// Fences that the host moves.
    paging: Vec<Handle>,
}

impl Names {
    /// Whether two names go together. One that is returned is new, whatever it was before.
    fn pair<T: Copy + Eq + std::hash::Hash>(map: &mut HashMap<T, T>, a: T, b: T, returned: bool) -> bool {
        if returned {
            map.insert(a, b);
        }
        *map.entry(a).or_insert(b) == b
    }

    fn address(&mut self, a: u64, b: u64, returned: bool) -> bool {
        if a == 0 || b == 0 {
            return a == b;
        }
        // The newest range counts.
        match self.ranges.iter().rev().find(|(start, size, _)| a.wrapping_sub(*start) < *size) {
            Some((start, _, there)) if !returned => there.wrapping_add(a - start) == b,
            _ => Self::pair(&mut self.addresses, a, b, returned),
        }
    }

    /// Takes note of address ranges and of paging fences that a pair of requests made.
    fn learn(&mut self, ioctl: Ioctl, a: &IoctlRecord, b: &IoctlRecord) {
        let mut range = |start: u64, size: u64, there: u64| {
            self.ranges.retain(|r| r.0 != start);
            self.ranges.push((start, size, there));
        };
        match ioctl {
            Ioctl::MapGpuVirtualAddress => {
                let (x, y): (MapGpuVirtualAddress, MapGpuVirtualAddress) = (decode(&a.after), decode(&b.after));
                range(x.virtual_address, x.size_in_pages.max(1).saturating_mul(PAGE_SIZE), y.virtual_address);
            }
            Ioctl::ReserveGpuVirtualAddress => {
                let (x, y): (ReserveGpuVirtualAddress, ReserveGpuVirtualAddress) = (decode(&a.after), decode(&b.after));
                range(x.virtual_address, x.size, y.virtual_address);
            }
            Ioctl::CreatePagingQueue => {
                self.paging.push(decode::<dxg_abi::CreatePagingQueue>(&a.after).sync_object);
            }
            _ => {}
        }
    }
}

/// The bytes of both sides, as passed and as they came back.
#[derive(Clone, Copy)]
struct Sides<'a> {
    before: [&'a [u8]; 2],
    after: [&'a [u8]; 2],
}

impl<'a> Sides<'a> {
    fn part(self, start: usize, size: usize) -> Option<Sides<'a>> {
        let cut = |s: &'a [u8]| s.get(start..start + size);
        let [a, b] = self.before;
        let [c, d] = self.after;
        Some(Sides { before: [cut(a)?, cut(b)?], after: [cut(c)?, cut(d)?] })
    }
}

fn word(bytes: &[u8]) -> u64 {
    integer(bytes, false) as u64
}

/// Walks a value, and tells the fields that differ.
fn walk(names: &mut Names, name: &str, path: &str, ty: &TypeLayout, s: Sides<'_>, out: &mut Vec<String>) {
    let meaning = of(name, ty);
    let whole = meaning != Meaning::Value || !matches!(ty.kind, Kind::Struct { .. });
    if whole {
        let mut bad = None;
        for (returned, [a, b]) in [(false, s.before), (true, s.after)] {
            let returned = returned && (s.before[0] != s.after[0] || s.before[1] != s.after[1]);
            let (x, y) = (word(a), word(b));
            let null = x == 0 || y == 0;
            let same = match meaning {
                Meaning::Handle(_) if null => x == y,
                Meaning::Handle(true) => Names::pair(&mut names.adapters, x as u32, y as u32, returned),
                Meaning::Handle(false) => Names::pair(&mut names.objects, x as u32, y as u32, returned),
                Meaning::Luid => Names::pair(&mut names.luids, x, y, returned),
                Meaning::Address => names.address(x, y, returned),
                Meaning::Place => (x == 0) == (y == 0),
                Meaning::Volatile => true,
                Meaning::Value => a == b,
            };
            if !same {
                bad = Some((a, b));
            }
        }
        if let Some((a, b)) = bad {
            out.push(format!("{path}: {} -> {}", describe(ty, a), describe(ty, b)));
        }
        return;
    }
    if let Some((offset, view)) = operation_view(ty, s.before[0]) {
        if let (Some(head), Some(rest)) = (s.part(0, 4), s.part(offset, view.size)) {
            if head.before[0] != head.before[1] {
                out.push(format!("{path}: {} -> {}", describe(ty, s.before[0]), describe(ty, s.before[1])));
            } else {
                walk(names, name, path, view, rest, out);
            }
        }
        return;
    }
    let Kind::Struct { fields, .. } = &ty.kind else { return };
    for field in *fields {
        let step = field.ty.size.max(1);
        for (i, offset) in (field.offset..field.offset + field.size).step_by(step).enumerate() {
            let Some(part) = s.part(offset, step) else { continue };
            let dot = if path.is_empty() { "" } else { "." };
            let index = if field.size > step { format!("[{i}]") } else { String::new() };
            walk(names, field.name, &format!("{path}{dot}{}{index}", field.name), field.ty, part, out);
        }
    }
}

/// Values of a wait or signal whose object the host moves: they count what it has paged.
fn host_moved(names: &Names, name: &str, buffers: &[Buffer], ioctl: Ioctl) -> Vec<usize> {
    if !matches!(name, "fence_values" | "monitored_fence_values") {
        return Vec::new();
    }
    let objects = buffers.iter().find(|b| buffer_type(ioctl, b).is_some_and(|(n, _)| n == "objects"));
    let list = objects.map_or(&[][..], |b| &b.before[..]);
    let moved = |h: &[u8]| names.paging.contains(&Handle(word(h) as u32));
    list.chunks_exact(4).enumerate().filter(|(_, h)| moved(h)).map(|(i, _)| i).collect()
}

fn requests(names: &mut Names, a: &IoctlRecord, b: &IoctlRecord) -> Vec<String> {
    let mut out = Vec::new();
    let Some(ioctl) = Ioctl::from_request(a.request) else {
        if a.before != b.before {
            out.push("argument".to_owned());
        }
        return out;
    };
    // What these answer is never the same twice.
    let answers = !matches!(ioctl, Ioctl::QueryStatistics | Ioctl::QueryClockCalibration | Ioctl::QueryVideoMemoryInfo);
    let after = if answers { [&a.after[..], &b.after[..]] } else { [&a.before[..], &b.before[..]] };
    let sides = Sides { before: [&a.before, &b.before], after };
    walk(names, "", "", ioctl.layout(), sides, &mut out);
    if a.result >= 0 && a.after.len() >= ioctl.arg_size() && b.after.len() >= ioctl.arg_size() {
        names.learn(ioctl, a, b);
    }
    if a.buffers.len() != b.buffers.len() {
        out.push(format!("{} buffers -> {}", a.buffers.len(), b.buffers.len()));
    }
    for (x, y) in a.buffers.iter().zip(&b.buffers) {
        let Some((name, ty)) = buffer_type(ioctl, x) else { continue };
        let place = |b: &Buffer| (b.pointer, b.nested, b.element);
        if place(x) != place(y) || x.before.len() != y.before.len() {
            out.push(format!("{name}: {} bytes -> {} bytes", x.before.len(), y.before.len()));
            continue;
        }
        let skip = host_moved(names, &name, &a.buffers, ioctl);
        let sides = Sides { before: [&x.before, &y.before], after: [x.after(), y.after()] };
        // Vendor data is one thing.
        if ty.size == 1 {
            if sides.before[0] != sides.before[1] || sides.after[0] != sides.after[1] {
                out.push(format!("{name}: {} bytes differ in content", x.before.len()));
            }
            continue;
        }
        let shared = name == "shared_handle";
        for (i, offset) in (0..x.before.len()).step_by(ty.size).enumerate() {
            let Some(part) = sides.part(offset, ty.size) else { continue };
            if !skip.contains(&i) {
                let field = if shared { "nt_handle" } else { "" };
                walk(names, field, &format!("{name}[{i}]"), ty, part, &mut out);
            }
        }
    }
    out
}

fn memory(
    names: &Names,
    a: (u32, u64, &[super::PageData]),
    b: (u32, u64, &[super::PageData]),
    content: bool,
) -> Vec<String> {
    let mut out = Vec::new();
    if names.objects.get(&a.0).is_some_and(|there| *there != b.0) {
        out.push(format!("allocation: {:#x} -> {:#x}", a.0, b.0));
    }
    if a.1 != b.1 {
        out.push(format!("size: {} -> {}", a.1, b.1));
    }
    if content {
        let places = |pages: &[super::PageData]| pages.iter().map(|p| p.index).collect::<Vec<_>>();
        let differ = a.2.iter().zip(b.2).filter(|(x, y)| x.bytes() != y.bytes()).count();
        if places(a.2) != places(b.2) {
            out.push(format!("pages: {} -> {}", a.2.len(), b.2.len()));
        } else if differ > 0 {
            out.push(format!("content of {differ} of {} pages", a.2.len()));
        }
    }
    out
}

/// Compares two recordings. What memory held is compared if `content` says so; addresses in it, which differ from run to
/// run, then count like any bytes.
pub fn compare(a: &Trace, b: &Trace, content: bool) -> Comparison {
    let known = |t: &Trace| -> (Vec<usize>, Vec<Key>) {
        t.records.iter().enumerate().filter_map(|(i, r)| Some((i, key(r)?))).unzip()
    };
    let ((places_a, keys_a), (places_b, keys_b)) = (known(a), known(b));
    let mut names = Names::default();
    let mut out = Comparison::default();
    for pair in align(&keys_a, &keys_b) {
        match pair {
            (Some(i), Some(j)) => {
                let (i, j) = (places_a[i], places_b[j]);
                let found = match (&a.records[i], &b.records[j]) {
                    (Record::Ioctl(x), Record::Ioctl(y)) => requests(&mut names, x, y),
                    (Record::Pages(x), Record::Pages(y)) => {
                        memory(&names, (x.allocation, 0, &x.pages), (y.allocation, 0, &y.pages), content)
                    }
                    (Record::Check(x), Record::Check(y)) => {
                        memory(&names, (x.allocation, x.size, &x.pages), (y.allocation, y.size, &y.pages), content)
                    }
                    // Keys are of one kind.
                    _ => Vec::new(),
                };
                if found.is_empty() {
                    out.same += 1;
                } else {
                    out.lines.push(format!("! {i}/{j}: {}: {}", title(&a.records[i]), found.join("; ")));
                }
            }
            (Some(i), None) => out.lines.push(format!("- {}: {}", places_a[i], title(&a.records[places_a[i]]))),
            (None, Some(j)) => out.lines.push(format!("+ {}: {}", places_b[j], title(&b.records[places_b[j]]))),
            (None, None) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<Key> {
        text.bytes().map(|b| Key::Request(b.into(), 0)).collect()
    }

    fn laid(a: &str, b: &str) -> String {
        let (x, y): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
        align(&keys(a), &keys(b))
            .into_iter()
            .map(|pair| match pair {
                (Some(i), Some(j)) => {
                    assert_eq!(x[i], y[j]);
                    x[i].to_string()
                }
                (Some(i), None) => format!("-{}", x[i]),
                (None, Some(j)) => format!("+{}", y[j]),
                (None, None) => panic!("neither"),
            })
            .collect()
    }

    #[test]
    fn sequences_are_laid_side_by_side() {
        assert_eq!(laid("abc", "abc"), "abc");
        assert_eq!(laid("", ""), "");
        assert_eq!(laid("abc", ""), "-a-b-c");
        assert_eq!(laid("", "ab"), "+a+b");
        assert_eq!(laid("abcd", "abxcd"), "ab+xcd");
        assert_eq!(laid("abxcd", "abcd"), "ab-xcd");
        assert_eq!(laid("abcabba", "cbabac").chars().filter(|c| "+-".contains(*c)).count(), 5);
    }

    #[test]
    fn any_sequences_are_laid_in_order_and_whole() {
        let mut seed = 1u64;
        let mut random = |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        for _ in 0..500 {
            let mut text = || (0..random(20)).map(|_| char::from(b'a' + random(4) as u8)).collect::<String>();
            let (a, b) = (text(), text());
            let pairs = align(&keys(&a), &keys(&b));
            let left: Vec<usize> = pairs.iter().filter_map(|p| p.0).collect();
            let right: Vec<usize> = pairs.iter().filter_map(|p| p.1).collect();
            assert_eq!(left, (0..a.len()).collect::<Vec<_>>(), "{a} {b}");
            assert_eq!(right, (0..b.len()).collect::<Vec<_>>(), "{a} {b}");
            laid(&a, &b);
        }
    }
}
