//! Waits of the CPU, and who ends them.

use std::sync::Arc;

use dxg_abi::SynchronizationObjectFlags;
use loom::thread;
use rustix::event::{eventfd, EventfdFlags};

use super::{in_every_order, wait_for, wait_for_all, Rig};
use crate::lock::atomic::Ordering;
use crate::space::AddressSpace;
use crate::sync::{Bell, CpuWait, Kind, SyncObject};

fn fence() -> Arc<SyncObject> {
    let space = AddressSpace::new(16 << 20).unwrap();
    SyncObject::monitored(&space, SynchronizationObjectFlags::default(), 0).unwrap()
}

#[test]
fn signals_of_the_cpu_end_waits() {
    in_every_order(None, || {
        for f in [fence(), SyncObject::plain(Kind::Legacy, SynchronizationObjectFlags::default(), 0)] {
            let signaller = {
                let f = f.clone();
                thread::spawn(move || f.signal(1))
            };
            wait_for(&f, 1);
            signaller.join().unwrap();
        }
    });
}

#[test]
fn writes_of_the_gpu_end_waits() {
    in_every_order(None, || {
        let f = fence();
        let gpu = {
            let (f, word) = (f.clone(), f.raw_word());
            thread::spawn(move || {
                word.store(1, Ordering::Release);
                f.written();
            })
        };
        wait_for(&f, 1);
        gpu.join().unwrap();
    });
}

#[test]
fn the_last_of_all_ends_a_wait() {
    in_every_order(Some(4), || {
        let (a, b) = (fence(), fence());
        let signaller = {
            let b = b.clone();
            thread::spawn(move || b.signal(2))
        };
        let other = {
            let a = a.clone();
            thread::spawn(move || a.signal(1))
        };
        wait_for_all(&[(a, 1), (b, 2)]);
        signaller.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn the_first_of_any_ends_a_wait_once() {
    in_every_order(Some(4), || {
        let points = [(fence(), 1), (fence(), 1)];
        let event = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap());
        let signallers = points.clone().map(|(f, value)| thread::spawn(move || f.signal(value)));
        let wait = CpuWait::start(&points, true, Some(Bell::Event(event.clone())));
        signallers.into_iter().for_each(|s| s.join().unwrap());
        assert!(wait.block(&points));
        let mut count = [0u8; 8];
        rustix::io::read(&*event, &mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), 1);
    });
}

#[test]
fn destruction_ends_waits() {
    in_every_order(None, || {
        let f = fence();
        let destroyer = {
            let f = f.clone();
            thread::spawn(move || f.close())
        };
        wait_for(&f, 1);
        destroyer.join().unwrap();
    });
}

/// The page goes while others signal and wait: nobody uses it afterwards.
#[test]
fn pages_go_under_signals_and_waits() {
    in_every_order(Some(3), || {
        let f = fence();
        let destroyer = {
            let f = f.clone();
            thread::spawn(move || {
                f.unmap();
                f.lose();
            })
        };
        let signaller = {
            let f = f.clone();
            thread::spawn(move || f.advance(1))
        };
        wait_for(&f, 5);
        destroyer.join().unwrap();
        signaller.join().unwrap();
        assert_eq!(f.address(), 0);
    });
}

#[test]
fn loss_ends_waits_and_no_signal_undoes_it() {
    in_every_order(Some(4), || {
        let rig = Rig::new();
        let f = rig.fence();
        let word = f.raw_word();
        let loser = {
            let (process, device) = (rig.process.clone(), rig.device.clone());
            thread::spawn(move || process.lose(&device, dxg_abi::DeviceExecutionState::HUNG, Default::default(), false))
        };
        let signaller = {
            let f = f.clone();
            thread::spawn(move || f.signal(1))
        };
        wait_for(&f, 5);
        loser.join().unwrap();
        signaller.join().unwrap();
        assert_eq!(word.load(Ordering::Acquire), u64::MAX);
    });
}
