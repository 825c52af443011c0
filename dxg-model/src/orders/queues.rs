//! Queues, and the node's thread that serves them.

use std::sync::Arc;

use dxg_abi::DeviceExecutionState;
use loom::thread;

use super::{in_every_order, wait_for, Rig};
use crate::lock::atomic::Ordering;
use crate::queue::{Item, Submission};
use crate::sync::SyncObject;

fn wait(f: &Arc<SyncObject>, value: u64) -> Item {
    Item::Wait([(f.clone(), value)].into_iter().collect())
}

fn signal(f: &Arc<SyncObject>, value: u64) -> Item {
    Item::Signal([(f.clone(), value)].into_iter().collect(), None)
}

/// A submission of which nothing but the progress is left.
fn progress(value: u64) -> Item {
    let (command_buffer, command_length, private_data) = (0, 0, Default::default());
    Item::Submit(Submission { command_buffer, command_length, private_data, progress: Some(value), null: true })
}

#[test]
fn what_is_queued_is_done() {
    in_every_order(Some(2), || {
        let rig = Rig::new();
        let (queue, done) = (rig.queue(None), rig.fence());
        rig.process.enqueue(&queue, [signal(&done, 1)]).unwrap();
        wait_for(&done, 1);
        rig.process.enqueue(&queue, [signal(&done, 2)]).unwrap();
        wait_for(&done, 2);
    });
}

#[test]
fn a_blocked_queue_goes_on_with_a_signal() {
    in_every_order(Some(2), || {
        let rig = Rig::new();
        let (queue, gate, done) = (rig.queue(None), rig.fence(), rig.fence());
        let signaller = {
            let gate = gate.clone();
            thread::spawn(move || gate.signal(1))
        };
        rig.process.enqueue(&queue, [wait(&gate, 1), signal(&done, 1)]).unwrap();
        wait_for(&done, 1);
        signaller.join().unwrap();
    });
}

#[test]
fn a_blocked_queue_goes_on_with_a_write_of_the_gpu() {
    in_every_order(Some(2), || {
        let rig = Rig::new();
        let (queue, gate, done) = (rig.queue(None), rig.fence(), rig.fence());
        let word = gate.raw_word();
        rig.process.enqueue(&queue, [wait(&gate, 1), signal(&done, 1)]).unwrap();
        word.store(1, Ordering::Release);
        gate.written();
        wait_for(&done, 1);
    });
}

#[test]
fn a_blocked_queue_goes_on_when_its_fence_is_destroyed() {
    in_every_order(Some(2), || {
        let rig = Rig::new();
        let (queue, gate, done) = (rig.queue(None), rig.fence(), rig.fence());
        rig.process.enqueue(&queue, [wait(&gate, 1), signal(&done, 1)]).unwrap();
        gate.close();
        wait_for(&done, 1);
    });
}

/// Also a queue that waits for what another device would do.
#[test]
fn a_lost_device_lets_its_queues_go() {
    in_every_order(Some(2), || {
        let rig = Rig::new();
        let other = rig.device();
        let (gate, done) = (rig.fence_of(&other).1, rig.fence_of(&other).1);
        let queue = rig.queue(Some(done.clone()));
        rig.process.enqueue(&queue, [wait(&gate, 1), progress(1)]).unwrap();
        rig.process.lose(&rig.device, DeviceExecutionState::HUNG, Default::default(), false);
        wait_for(&done, 1);
    });
}

/// Nothing of a queue happens once it is destroyed.
#[test]
fn destroying_a_queue_waits_for_what_runs() {
    in_every_order(Some(2), || {
        let rig = Rig::new();
        let (queue, done) = (rig.queue(None), rig.fence());
        let word = done.raw_word();
        rig.process.enqueue(&queue, [signal(&done, 1), signal(&done, 2)]).unwrap();
        queue.kill();
        let then = word.load(Ordering::Acquire);
        rig.process.nodes[0].shut_down();
        assert_eq!(word.load(Ordering::Acquire), then);
    });
}
