//! Objects that two processes share. Both stand for themselves here: each has its own object over the same file.

use std::sync::Arc;

use dxg_abi::SynchronizationObjectFlags;
use loom::thread;

use super::{in_every_order, wait_for};
use crate::lock::atomic::Ordering;
use crate::space::AddressSpace;
use crate::sync::{Kind, SyncObject};

fn space() -> Arc<AddressSpace> {
    AddressSpace::new(16 << 20).unwrap()
}

fn made(kind: Kind) -> Arc<SyncObject> {
    SyncObject::shared(&space(), kind, SynchronizationObjectFlags::default(), 0).unwrap()
}

/// The other process's object, from the descriptor.
fn opened(made: &SyncObject) -> Arc<SyncObject> {
    let file = &made.board.as_ref().unwrap().file;
    SyncObject::from_file(&space(), file, &file.head().unwrap()).unwrap()
}

#[test]
fn signals_of_another_process_end_waits() {
    for legacy in [false, true] {
        in_every_order(Some(2), move || {
            let there = made(if legacy { Kind::Legacy } else { Kind::Monitored });
            there.give_away();
            let here = opened(&there);
            let signaller = thread::spawn(move || there.signal(1));
            wait_for(&here, 1);
            signaller.join().unwrap();
        });
    }
}

#[test]
fn writes_of_another_process_gpu_end_waits() {
    in_every_order(Some(2), || {
        let there = made(Kind::Monitored);
        there.give_away();
        let here = opened(&there);
        let gpu = thread::spawn(move || {
            there.raw_word().store(1, Ordering::Release);
            there.written();
        });
        wait_for(&here, 1);
        gpu.join().unwrap();
    });
}

#[test]
fn loss_in_another_process_ends_waits() {
    in_every_order(Some(2), || {
        let there = made(Kind::Monitored);
        there.give_away();
        let here = opened(&there);
        let loser = thread::spawn(move || there.lose());
        wait_for(&here, 1);
        loser.join().unwrap();
    });
}

/// Whoever waits already when an object is given away hears of the others from then on.
#[test]
fn an_object_is_given_away_under_a_wait() {
    in_every_order(Some(2), || {
        let here = made(Kind::Monitored);
        let giver = {
            let here = here.clone();
            thread::spawn(move || {
                here.give_away();
                opened(&here).signal(1);
            })
        };
        wait_for(&here, 1);
        giver.join().unwrap();
    });
}

/// A signal that was sent while nobody else could have the object is seen by who gets it then.
#[test]
fn an_object_is_given_away_under_a_signal() {
    in_every_order(Some(2), || {
        let there = made(Kind::Monitored);
        let signaller = {
            let there = there.clone();
            thread::spawn(move || there.signal(1))
        };
        there.give_away();
        let here = opened(&there);
        wait_for(&here, 1);
        signaller.join().unwrap();
    });
}

/// Of a semaphore that two wait for, each signal lets one go, whoever it is.
#[test]
fn a_semaphore_is_taken_from_once() {
    in_every_order(Some(2), || {
        let there = made(Kind::Semaphore { max: 9 });
        there.give_away();
        let here = opened(&there);
        let taker = {
            let there = there.clone();
            thread::spawn(move || there.wait(0, None))
        };
        here.signal(1);
        let taken = u32::from(here.wait(0, None)) + u32::from(taker.join().unwrap());
        let left = there.board.as_ref().unwrap().value().load(Ordering::SeqCst);
        assert_eq!(u64::from(taken) + left, 1);
    });
}
