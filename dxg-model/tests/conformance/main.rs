//! Conformance with the behaviour file, row by row and check by check, in every mode of the model.
//!
//! For each ioctl there is a way to call it so that it succeeds, and for each check that the file lists a way to break it. A
//! broken call is made twice: with this one thing wrong, and with everything that is checked later wrong as well, so that
//! the order is seen. Each time the result has to be the file's, the bytes of the argument and of the memory it names have
//! to change as the file lists and nowhere else, and nothing may be left behind: no object, page or descriptor.

#[path = "../common/mod.rs"]
mod common;

mod call;
mod case;
mod data;
mod rows;
mod run;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Mutex;

use dxg_abi::Ioctl;
use run::Seen;
use world::Mode;

/// Descriptors are counted and their number limited, so one test at a time.
static SERIAL: Mutex<()> = Mutex::new(());

/// The modes: the usual one, each switch turned by itself, all of them turned, and pairs that meet in the code.
fn modes() -> Vec<Mode> {
    let usual = Mode::USUAL;
    vec![
        Mode { thorough: true, ..usual },
        Mode { thorough: true, quirks: false, ..usual },
        Mode { asynchronous: true, ..usual },
        Mode { query_status: false, ..usual },
        Mode { hw_queues: false, ..usual },
        Mode { pending: true, ..usual },
        Mode { two: true, ..usual },
        Mode { wide: true, ..usual },
        Mode { two: true, quirks: false, ..usual },
        Mode { asynchronous: true, quirks: false, ..usual },
        Mode { asynchronous: true, hw_queues: false, ..usual },
        Mode { pending: true, quirks: false, ..usual },
        Mode {
            quirks: false,
            asynchronous: true,
            query_status: false,
            hw_queues: false,
            pending: true,
            two: true,
            thorough: true,
            ..usual
        },
        Mode { table_end: 0x43, ..usual },
        Mode { table_end: 0x47, ..usual },
        Mode { table_end: 0x43, quirks: false, ..usual },
        Mode { table_end: 0x47, quirks: false, asynchronous: true, ..usual },
    ]
}

/// Checks that nobody outside can break, with the reason.
const BEYOND_REACH: &[(Ioctl, &str, &str)] = &[
    (
        Ioctl::CreateSynchronizationObject2,
        "shared but no host global handle -> EINVAL",
        "a host that makes a shared object and forgets its name",
    ),
    (
        Ioctl::QueryResourceInfoFromNtHandle,
        "seal failure -> EINVAL",
        "a descriptor comes from ShareObjects, which has sealed the resource",
    ),
];

#[test]
fn every_row_and_every_check_in_every_mode() {
    let _serial = SERIAL.lock().unwrap_or_else(|e| e.into_inner());
    let file = data::rows();
    assert_eq!(file.len(), Ioctl::ALL.len());
    let rows: BTreeMap<Ioctl, case::Row> = rows::all().into_iter().map(|r| (r.ioctl, r)).collect();
    let mut seen = Seen::default();
    // All of them, not the first.
    let mut failed = 0;
    for mode in modes() {
        for b in &file {
            let r = rows.get(&b.ioctl).unwrap_or_else(|| panic!("{} has no row", b.ioctl));
            let test = AssertUnwindSafe(|| run::row(b, r, mode, &mut seen));
            failed += usize::from(catch_unwind(test).is_err());
        }
    }
    assert_eq!(failed, 0, "rows that do not conform in some mode");
    let missing: BTreeSet<Ioctl> = Ioctl::ALL.iter().filter(|i| !seen.rows.contains(i)).copied().collect();
    assert!(missing.is_empty(), "no valid call of {missing:?}");
    let mut checks = 0;
    for b in &file {
        for text in &b.checks {
            let reached = seen.checks.contains(&(b.ioctl, text.clone()));
            let beyond = BEYOND_REACH.iter().any(|(i, t, _)| (*i, *t) == (b.ioctl, text.as_str()));
            assert!(reached != beyond, "{}: \"{text}\" broken: {reached}, out of reach: {beyond}", b.ioctl);
            checks += usize::from(reached);
        }
    }
    let all: usize = file.iter().map(|b| b.checks.len()).sum();
    println!("{} rows, {checks} of {all} checks, {} modes, {} calls", seen.rows.len(), modes().len(), seen.calls);
}
