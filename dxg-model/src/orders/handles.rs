//! Handles that are used while what they stand for goes.

use dxg_abi::{
    Arg, CloseAdapter, CreateContextFlags, CreateContextVirtual, CreateDevice, CreateHwQueue, DestroyContext,
    DeviceExecutionState, Handle,
};
use loom::thread;
use zerocopy::IntoBytes;

use super::{in_every_order, wait_for, Rig};
use crate::device::Object;
use crate::handles::Adapter;
use crate::ioctl::dispatch;
use crate::lock::lock;

fn call<A: Arg>(rig: &Rig, arg: &mut A) -> i32 {
    dispatch(&rig.process, A::IOCTL.request(), arg.as_mut_bytes())
}

#[test]
fn nothing_is_left_of_a_destroyed_device() {
    in_every_order(None, || {
        let rig = Rig::new();
        let destroyer = {
            let (process, device) = (rig.process.clone(), rig.device.clone());
            thread::spawn(move || process.destroy_device(&device))
        };
        let fence = rig.loose_fence();
        let _ = rig.process.insert_fence(rig.object(&rig.device, &fence));
        destroyer.join().unwrap();
        let left: Vec<Handle> = rig.process.pick(|h, o| std::sync::Arc::ptr_eq(o.device(), &rig.device).then_some(h));
        assert_eq!(left, []);
        assert_eq!(rig.process.any_device(rig.device_handle).err(), Some(crate::process::Failure::EINVAL));
    });
}

#[test]
fn a_fence_made_while_its_device_is_lost_is_lost() {
    in_every_order(None, || {
        let rig = Rig::new();
        let loser = {
            let (process, device) = (rig.process.clone(), rig.device.clone());
            thread::spawn(move || process.lose(&device, DeviceExecutionState::HUNG, Default::default(), false))
        };
        let fence = rig.fence();
        loser.join().unwrap();
        assert!(fence.wait(77, None), "nobody will signal it");
    });
}

#[test]
fn a_fence_is_destroyed_while_it_is_looked_up_and_waited_for() {
    in_every_order(None, || {
        let rig = Rig::new();
        let (handle, _) = rig.fence_of(&rig.device);
        let destroyer = {
            let process = rig.process.clone();
            thread::spawn(move || {
                let pick = |o: &Object| match o {
                    Object::Sync(s) => Some(s.clone()),
                    _ => None,
                };
                process.close_sync(&process.remove_if(handle, pick).unwrap());
            })
        };
        if let Ok(points) = rig.process.points(&[handle], &[5]) {
            wait_for(&points[0].0, 5);
        }
        destroyer.join().unwrap();
        assert!(rig.process.object(handle).is_none());
    });
}

/// A stopped adapter has no device that goes on.
#[test]
fn no_device_is_made_on_a_stopped_adapter() {
    in_every_order(None, || {
        let rig = Rig::new();
        let adapter = lock(&rig.process.adapters).insert(Adapter::Gpu).unwrap();
        let stopper = {
            let process = rig.process.clone();
            thread::spawn(move || process.stop_adapter())
        };
        let mut arg = CreateDevice { adapter, ..Default::default() };
        call(&rig, &mut arg);
        stopper.join().unwrap();
        assert!(rig.process.devices().iter().all(|d| d.is_lost()));
    });
}

#[test]
fn no_queue_outlives_its_context() {
    in_every_order(Some(3), || {
        let rig = Rig::new();
        let flags = CreateContextFlags::HW_QUEUE_SUPPORTED;
        let mut made = CreateContextVirtual { device: rig.device_handle, flags, ..Default::default() };
        assert_eq!(call(&rig, &mut made), 0);
        let destroyer = {
            let (process, mut arg) = (rig.process.clone(), DestroyContext { context: made.context });
            thread::spawn(move || {
                assert_eq!(dispatch(&process, DestroyContext::IOCTL.request(), arg.as_mut_bytes()), 0);
            })
        };
        call(&rig, &mut CreateHwQueue { context: made.context, ..Default::default() });
        destroyer.join().unwrap();
        rig.process.check().unwrap();
    });
}

/// The last handle of the adapter takes devices along, also one that is made just now.
#[test]
fn no_device_outlives_its_adapter() {
    in_every_order(None, || {
        let rig = Rig::new();
        let adapter = lock(&rig.process.adapters).insert(Adapter::Gpu).unwrap();
        let closer = {
            let process = rig.process.clone();
            thread::spawn(move || {
                let mut arg = CloseAdapter { adapter_handle: adapter };
                assert_eq!(dispatch(&process, CloseAdapter::IOCTL.request(), arg.as_mut_bytes()), 0);
            })
        };
        let mut arg = CreateDevice { adapter, ..Default::default() };
        call(&rig, &mut arg);
        closer.join().unwrap();
        assert!(rig.process.devices().is_empty());
    });
}
