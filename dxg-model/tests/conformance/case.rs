//! What can be wrong with a call, and what comes of it.

use dxg_abi::{Handle, Ioctl, NtStatus};

use crate::call::Call;
use crate::common::{EINVAL, ENODEV};
use crate::world::{Mode, World};

/// The result of a call with something wrong.
#[derive(Clone, Copy)]
pub enum Want {
    Is(i32),
    /// With quirks and without.
    Quirk(i32, i32),
    /// A refusal of the host that a fire-and-forget request never hears of.
    Host(i32),
    /// A refusal of an adapter query: EOVERFLOW on hosts that send no status.
    Query(i32),
}

impl Want {
    pub fn result(self, mode: &Mode, fire_and_forget: bool) -> i32 {
        match self {
            Want::Is(r) => r,
            Want::Quirk(on, off) => {
                if mode.quirks {
                    on
                } else {
                    off
                }
            }
            // A request without a reply cannot be refused.
            Want::Host(_) if mode.asynchronous && fire_and_forget => 0,
            Want::Host(r) => r,
            Want::Query(_) if !mode.query_status => crate::common::EOVERFLOW,
            Want::Query(r) => r,
        }
    }
}

/// What a call with something wrong writes.
#[derive(Clone, Copy, PartialEq)]
pub enum Writes {
    Nothing,
    /// These fields, and nothing through pointers; if it succeeds.
    Fields(&'static [&'static str]),
    /// These fields, and nothing through pointers, also when it fails.
    Always(&'static [&'static str]),
    /// Some of the memory that the call would write, no fields.
    Memory,
    /// As the call without anything wrong.
    AsValid,
}

/// Something to try, and a value for it that the world provides.
pub type Way = (&'static str, fn(&mut World) -> u64);

type Change = Box<dyn Fn(&mut World, &mut Call)>;

/// One thing that can be wrong.
pub struct Case {
    pub what: &'static str,
    pub want: Want,
    pub writes: Writes,
    pub apply: Change,
    /// Whether it can be wrong together with what is checked before.
    pub stacks: bool,
    /// Modes in which it can happen.
    pub only: fn(&Mode) -> bool,
    /// Whether the call takes effect though it fails.
    pub happens: bool,
    /// Handles it opens, in modes with quirks, that nobody learns of.
    pub leaks: usize,
}

impl Case {
    pub fn writes(mut self, writes: Writes) -> Self {
        self.writes = writes;
        self
    }

    /// Cannot go with other mistakes.
    pub fn alone(mut self) -> Self {
        self.stacks = false;
        self
    }

    pub fn only(mut self, mode: fn(&Mode) -> bool) -> Self {
        self.only = mode;
        self
    }
}

pub fn case(what: &'static str, want: Want, apply: impl Fn(&mut World, &mut Call) + 'static) -> Case {
    Case {
        what,
        want,
        writes: Writes::Nothing,
        apply: Box::new(apply),
        stacks: true,
        only: |_| true,
        happens: false,
        leaks: 0,
    }
}

/// A field with a value that is refused.
pub fn set(field: &'static str, value: u64, want: Want) -> Case {
    case(field, want, move |_, c| c.set(field, value))
}

pub const INVALID: Want = Want::Is(EINVAL);

/// A check of the behaviour file: steps in order, each with ways to fail it.
pub struct Check {
    pub text: &'static str,
    pub steps: Vec<Vec<Case>>,
}

pub fn check(text: &'static str, ways: impl IntoIterator<Item = Case>) -> Check {
    Check { text, steps: vec![ways.into_iter().collect()] }
}

/// Two checks in one line of the file.
pub fn check2(
    text: &'static str,
    first: impl IntoIterator<Item = Case>,
    second: impl IntoIterator<Item = Case>,
) -> Check {
    Check { text, steps: vec![first.into_iter().collect(), second.into_iter().collect()] }
}

/// All the ways in which a handle is not what it should be.
pub fn bad_handles(field: &'static str) -> Vec<Case> {
    let mut ways = vec![
        case("never given out", INVALID, move |_, c| c.set_handle(field, Handle(0x4000_0fc0))),
        case("null", INVALID, move |_, c| c.set_handle(field, Handle(0))),
        case("beyond the table", INVALID, move |_, c| c.set_handle(field, Handle(0x7fff_ffc0))),
        case("all ones", INVALID, move |_, c| c.set_handle(field, Handle(u32::MAX))),
        case("of an older object", INVALID, move |w, c| {
            let h = w.stale;
            c.set_handle(field, h);
        }),
    ];
    ways.push(case("of another type", INVALID, move |w, c| {
        let h = w.of_another_type(field);
        c.set_handle(field, h);
    }));
    ways
}

/// A line about a handle that ends in EINVAL.
pub fn handle(text: &'static str, field: &'static str) -> Check {
    check(text, bad_handles(field))
}

/// The adapter is gone.
pub fn stopped() -> Case {
    case("adapter stopped", Want::Is(ENODEV), |w, _| w.stop())
}

/// A line about a handle that ends in EINVAL / ENODEV.
pub fn live_handle(text: &'static str, field: &'static str) -> Check {
    check2(text, bad_handles(field), [stopped()])
}

/// The host refuses.
pub fn refused(ioctl: Ioctl, status: NtStatus, want: Want) -> Case {
    case("host refuses", want, move |w, _| w.refuse(ioctl, status))
}

/// Statuses of a host, with the errno each is mapped to.
pub const STATUSES: [(NtStatus, i32); 6] = [
    (NtStatus::INVALID_PARAMETER, EINVAL),
    (NtStatus::NO_MEMORY, -12),
    (NtStatus::DEVICE_REMOVED, ENODEV),
    (NtStatus::OBJECT_NAME_NOT_FOUND, -2),
    (NtStatus::NOT_SUPPORTED, -1),
    // No video memory, for which there is no errno.
    (NtStatus(0xc01e_0100), EINVAL),
];

/// The host refuses, with each of several statuses.
pub fn refusals(ioctl: Ioctl, want: fn(i32) -> Want) -> Vec<Case> {
    STATUSES.iter().map(|&(status, errno)| refused(ioctl, status, want(errno))).collect()
}

/// One ioctl: how it is called, and what can be wrong.
pub struct Row {
    pub ioctl: Ioctl,
    pub build: fn(&mut World) -> Call,
    pub checks: Vec<Check>,
    /// Other ways to be refused, by the host as a rule; after all checks of the file.
    pub more: Vec<Case>,
    /// Results of addresses that are bad and that are read-only, by field, where not EFAULT.
    pub faults: Vec<(&'static str, [Want; 2])>,
    /// Only with hardware queues.
    pub hw: bool,
}

pub fn row(ioctl: Ioctl, build: fn(&mut World) -> Call, checks: impl IntoIterator<Item = Check>) -> Row {
    Row { ioctl, build, checks: checks.into_iter().collect(), more: Vec::new(), faults: Vec::new(), hw: false }
}

impl Row {
    pub fn more(mut self, cases: impl IntoIterator<Item = Case>) -> Self {
        self.more.extend(cases);
        self
    }

    pub fn fault(mut self, field: &'static str, want: [Want; 2]) -> Self {
        self.faults.push((field, want));
        self
    }

    pub fn hw(mut self) -> Self {
        self.hw = true;
        self
    }
}
