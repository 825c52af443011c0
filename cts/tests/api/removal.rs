//! An adapter that is removed while it is used, as by an update of the host's driver: the device is lost, memory that was mapped
//! stays accessible, nothing hangs, and another instance works. Other drivers have nobody to remove their adapter.

use crate::faults::{what, Wild};
use crate::interruptions::{with_each_request, TOLD};
use crate::link::Link;
use crate::processes::{side_of, TIMELINE};
use crate::support::*;
use ash::vk;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

tests! {
    each_request_meets_a_stopped_adapter, goes_in_the_middle_of_things,
}

/// What the other process does, by name.
pub const ROLES: &[crate::Test] = &[("an_adapter_goes", an_adapter_goes)];

/// How long anything may take to find out.
const SOON: Duration = Duration::from_secs(5);

/// The adapter is stopped with each request of a program, in a process of its own.
unsafe fn each_request_meets_a_stopped_adapter() -> R {
    for quirks in ["quirks", "noquirks"] {
        with_each_request(&format!("{quirks},stop="), "the adapter stops", 4 * SOON, 2)?;
    }
    Ok(())
}

unsafe fn goes_in_the_middle_of_things() -> R {
    for mode in ["quirks", "noquirks", "quirks,nohwqueue,async", "quirks,pending=500"] {
        // More requests than it takes to get to the middle.
        Link::start_with("an_adapter_goes", &[("VKDXG_MODEL", model_with(&format!("{mode},stop=600")))])?.end()?;
    }
    Ok(())
}

/// Threads wait, poll and write to memory while the adapter goes under them.
unsafe fn an_adapter_goes() -> R {
    let side = side_of(true)?;
    need!(side.t.is_ours(), "adapter that can be removed");
    // Memory that the system maps, and a fence of which others know.
    let (shared, _memory) = side.export()?;
    let (never, _semaphore) = side.export_semaphore(TIMELINE, 0)?;
    let w = Wild::on(side.t)?;
    w.works()?;
    w.word.fill(0);
    let (t, fence) = (&w.t, w.t.fence()?);
    let endless = [w.recorded(what::UNTIL_ONE, 0, 0, 1)?];
    t.d.queue_submit(t.queue, &[vk::SubmitInfo::default().command_buffers(&endless)], fence)?;
    let queued = [w.recorded(what::FINE, 0, 0, 1)?];
    for _ in 0..3 {
        t.d.queue_submit(t.queue, &[vk::SubmitInfo::default().command_buffers(&queued)], vk::Fence::null())?;
    }
    let over = AtomicBool::new(false);
    let lost = Err(vk::Result::ERROR_DEVICE_LOST);
    let words = [w.word.at as usize, shared.b.at as usize];
    let threads = std::thread::scope(|threads| {
        let d = &t.d;
        let waits = threads.spawn(move || d.wait_for_fences(&[fence], true, u64::MAX));
        let waits_for_timeline = threads.spawn(move || {
            let (s, v) = ([never], [1]);
            d.wait_semaphores(&vk::SemaphoreWaitInfo::default().semaphores(&s).values(&v), u64::MAX)
        });
        let over = &over;
        let polls = threads.spawn(move || loop {
            match (d.get_fence_status(fence), d.get_semaphore_counter_value(never)) {
                (Ok(false), Ok(0)) => std::hint::spin_loop(),
                (Err(e), _) | (_, Err(e)) => break Err(e),
                other => panic!("{other:?}"),
            }
        });
        // Host access to mapped memory is valid whatever becomes of the device.
        let writes = threads.spawn(move || {
            while !over.load(SeqCst) {
                for at in words.map(|word| (word as *mut u32).add(16)) {
                    at.write_volatile(at.read_volatile().wrapping_add(1));
                }
            }
        });
        // Requests, until the adapter stops with one.
        let mut ended = None;
        for _ in 0..5000 {
            match t.d.create_semaphore(&vk::SemaphoreCreateInfo::default().push_next(&mut timeline()), None) {
                Ok(s) => t.d.destroy_semaphore(s, None),
                Err(e) => {
                    ended = Some((e, Instant::now()));
                    break;
                }
            }
        }
        let results = [waits.join(), waits_for_timeline.join(), polls.join().map(|r: Result<(), _>| r)];
        over.store(true, SeqCst);
        writes.join().map_err(|_| Stop::Fail("writer".into()))?;
        let Some((error, at)) = ended else { fail!("the adapter did not stop") };
        check!(TOLD.contains(&error), "{error}");
        check!(at.elapsed() < SOON, "{:?}", at.elapsed());
        Ok(results)
    })?;
    for (i, result) in threads.into_iter().enumerate() {
        same!(result.map_err(|_| Stop::Fail("a thread panicked".into()))?, lost, "thread {i}");
    }
    let submit = [vk::SubmitInfo::default().command_buffers(&queued)];
    same!(t.d.queue_submit(t.queue, &submit, vk::Fence::null()), lost);
    same!(t.d.queue_wait_idle(t.queue), lost);
    same!(t.d.device_wait_idle(), lost);
    for b in [w.word, shared.b] {
        b.fill(0x5a);
        same!(b.get::<u32>()[7], 0x5a5a_5a5a);
    }
    // The physical device is lost, too, and says so.
    let priorities = [1.0];
    let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(t.family).queue_priorities(&priorities)];
    let again =
        t.instance().create_device(t.physical, &vk::DeviceCreateInfo::default().queue_create_infos(&queues), None);
    check!(again.as_ref().is_err_and(|e| TOLD[..2].contains(e)), "{:?}", again.err());
    // Another instance looks for adapters anew.
    let new = Wild::new()?;
    new.works()?;
    drop(w);
    new.works()?;
    Wild::new()?.works()
}

fn timeline() -> vk::SemaphoreTypeCreateInfo<'static> {
    vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE)
}
