//! A measurement, not a check: how long an empty submission takes to reach its fence.
//! Run with `cargo test -p dxg-model --release --test latency -- --ignored --nocapture`.

mod common;

use std::time::{Duration, Instant};

use common::*;
use dxg_abi::*;

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what}: median {:?}, 90 % {:?}, 99 % {:?}", at(50), at(90), at(99));
}

#[test]
#[ignore = "a measurement"]
fn empty_submission_to_fence() {
    let rig = Rig::new();
    let queue = rig.hw_queue();
    let context = rig.context();
    let fence = rig.fence(0);
    let (_, va) = rig.buffer(4096);
    let length = rig.write(va, &[[STORE, va + 1024, 1]]);
    for pause in [Duration::ZERO, Duration::from_millis(1)] {
        let mut times = [const { Vec::new() }; 3];
        for i in 1..=2000u64 {
            let id = peek(queue.queue_progress_fence_cpu_va) + 1;
            std::thread::sleep(pause);
            let start = Instant::now();
            let submit = SubmitCommandToHwQueue {
                hwqueue: queue.queue,
                hwqueue_progress_fence_id: id,
                command_buffer: va,
                command_length: length,
                ..Default::default()
            };
            ok(&rig.node, submit);
            times[0].push(start.elapsed());
            while peek(queue.queue_progress_fence_cpu_va) < id {
                std::hint::spin_loop();
            }
            times[1].push(start.elapsed());
            let start = Instant::now();
            let value = peek(fence.cpu) + 1;
            rig.submit(context, va, length);
            rig.signal_gpu(context, fence.handle, value);
            while peek(fence.cpu) < value {
                std::hint::spin_loop();
            }
            times[2].push(start.elapsed());
            if pause > Duration::ZERO && i == 300 {
                break;
            }
        }
        let [call, hardware, software] = times;
        println!("{pause:?} between submissions");
        report("  the call alone", call);
        report("  hardware queue", hardware);
        report("  software queue with signal", software);
    }
}
