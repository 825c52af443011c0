//! What a process may do with the driver: open it again, and fork. One program without a test harness, since a fork
//! takes only its own thread along.

mod common;

use ash::vk;
use common::World;

/// Makes everything, runs something, takes everything down.
fn use_driver(word: u32) {
    let w = World::new();
    let mut b = w.buffer(64, vk::BufferUsageFlags::TRANSFER_DST);
    // SAFETY: valid usage.
    w.run(|cb| unsafe { w.device.cmd_fill_buffer(cb, b.buffer, 0, vk::WHOLE_SIZE, word) }).expect("run");
    assert!(b.words().iter().all(|x| *x == word));
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, |d| d.count())
}

/// The status a forked child ends with.
fn in_child(f: impl FnOnce()) -> i32 {
    // SAFETY: one thread of the test itself; the driver's own threads are what this is about.
    match unsafe { libc::fork() } {
        0 => {
            let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_ok();
            // SAFETY: ends the child without the parent's exit handlers.
            unsafe { libc::_exit(if ok { 0 } else { 1 }) }
        }
        child => {
            let mut status = 0;
            // SAFETY: the child is ours.
            unsafe { libc::waitpid(child, &mut status, 0) };
            status
        }
    }
}

fn main() {
    use_driver(1);
    println!("test first_use ... ok");
    // The last instance took the model's threads along.
    assert_eq!(threads(), 1, "threads left behind");
    println!("test nothing_is_left_behind ... ok");
    use_driver(2);
    println!("test second_use ... ok");
    let world = World::new();
    assert_eq!(in_child(|| use_driver(3)), 0);
    println!("test a_forked_child_has_a_driver_of_its_own ... ok");
    let mut b = world.buffer(64, vk::BufferUsageFlags::TRANSFER_DST);
    // SAFETY: valid usage.
    world.run(|cb| unsafe { world.device.cmd_fill_buffer(cb, b.buffer, 0, vk::WHOLE_SIZE, 4) }).expect("run");
    assert_eq!(b.words()[0], 4);
    println!("test the_parent_goes_on ... ok");
}
