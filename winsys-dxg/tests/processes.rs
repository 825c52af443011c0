//! Fences and memory between processes: the other is this program again, with descriptors inherited, over a device of its own.

mod common;

use common::*;
use dxg_model::Config;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Duration;
use winsys_dxg::*;

const LONG: Option<Duration> = Some(Duration::from_secs(20));
const SIZE: u64 = 64 << 10;

/// The fence and the memory whose descriptors were inherited.
fn inherited(device: &Device) -> Option<(Fence, Memory)> {
    let numbers: Vec<i32> = std::env::var("DXG_FDS").ok()?.split(',').filter_map(|n| n.parse().ok()).collect();
    // SAFETY: inherited for this purpose, and open as long as the process lives.
    let [fence, memory] = [numbers[0], numbers[1]].map(|fd| unsafe { BorrowedFd::borrow_raw(fd) });
    Some((
        Fence::import_fd(device, fence).expect("fence"),
        Memory::import_fd(device, memory, SIZE, 0, true).expect("memory"),
    ))
}

#[test]
#[ignore = "the other side of the test here"]
fn the_other_process() {
    let device = device(model(Config::default()), WinsysConfig::default());
    let Some((fence, memory)) = inherited(&device) else { return };
    assert_eq!(fence.wait(1, LONG).expect("wait"), WaitOutcome::Reached);
    let mut seen = [0; 4];
    memory.read(SIZE - 4, &mut seen).expect("read");
    assert_eq!(&seen, b"ping");
    memory.write(8, b"pong").expect("write");
    fence.signal(2).expect("signal");
}

#[test]
fn fences_and_memory_are_the_same_elsewhere() {
    let device = device(model(Config::default()), WinsysConfig::default());
    let fence = Fence::create(&device, &FenceDesc { shared: true, ..Default::default() }).expect("fence");
    let backing = Backing::CrossAdapter { shared: true, cpu_access: true };
    let memory = Memory::create(&device, &MemoryDesc { backing, ..MemoryDesc::host(SIZE) }).expect("memory");
    let copies = [fence.export_fd().expect("export"), memory.export_fd().expect("export")].map(|fd| {
        // SAFETY: duplicates an open descriptor, without close-on-exec.
        let copy = unsafe { libc::dup(fd.as_fd().as_raw_fd()) };
        assert!(copy >= 0);
        // SAFETY: it was made a moment ago.
        unsafe { OwnedFd::from_raw_fd(copy) }
    });
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "the_other_process", "--nocapture"])
        .env("DXG_FDS", format!("{},{}", copies[0].as_raw_fd(), copies[1].as_raw_fd()))
        .stdout(Stdio::null())
        .spawn()
        .expect("the other process");
    drop(copies);
    memory.write(SIZE - 4, b"ping").expect("write");
    fence.signal(1).expect("signal");
    assert_eq!(fence.wait(2, LONG).expect("wait"), WaitOutcome::Reached);
    let mut seen = [0; 4];
    memory.read(8, &mut seen).expect("read");
    assert_eq!(&seen, b"pong");
    assert!(child.wait().expect("wait").success());
}
