//! What befalls a process in the middle of things: forks, signals, no descriptors, no memory, threads that end.

use crate::faults::{soon, what, Wild};
use crate::support::*;
use crate::sync;
use ash::vk;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

tests! {
    forks_while_work_runs, signals_interrupt_nothing, descriptors_run_out, a_thread_is_cancelled_in_a_wait,
    a_thread_is_cancelled_in_a_wait_that_fails, each_request_fails_once, threads_of_the_driver_take_no_signals,
}

/// Work that goes on until the host writes a word.
struct Working<'a> {
    w: &'a Wild,
    fence: vk::Fence,
}

impl Working<'_> {
    unsafe fn start(w: &Wild) -> R<Working<'_>> {
        w.word.fill(0);
        let fence = w.t.fence()?;
        let c = [w.recorded(what::UNTIL_ONE, 0, 0, 1)?];
        w.t.d.queue_submit(w.t.queue, &[vk::SubmitInfo::default().command_buffers(&c)], fence)?;
        same!(w.t.d.get_fence_status(fence), Ok(false));
        Ok(Working { w, fence })
    }

    unsafe fn finish(&self) -> R {
        self.w.word.put(0, &[1u32]);
        Ok(self.w.t.d.wait_for_fences(&[self.fence], true, LONG)?)
    }
}

impl Drop for Working<'_> {
    /// Also where a test has failed, the device is to become idle.
    fn drop(&mut self) {
        self.w.word.put(0, &[1u32]);
    }
}

/// Runs something in a forked child; what goes wrong there is a failure.
pub unsafe fn in_child(name: &str, body: impl FnOnce() -> R) -> R {
    let child = libc::fork();
    check!(child >= 0);
    if child == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        let code = match done {
            Ok(Ok(())) => 0,
            Ok(Err(Stop::Skip(_))) => 0,
            Ok(Err(Stop::Fail(why))) => {
                println!("child: {why}");
                1
            }
            Err(_) => 2,
        };
        libc::_exit(code);
    }
    let mut status = 0;
    same!(libc::waitpid(child, &mut status, 0), child);
    same!(status, 0, "{name}");
    Ok(())
}

unsafe fn forks_while_work_runs() -> R {
    let w = Wild::new()?;
    let fine = [w.recorded(what::FINE, 0, 0, 1)?];
    for round in 0..3 {
        let work = Working::start(&w)?;
        in_child("exits", || Ok(()))?;
        in_child("runs another program", || {
            let argv = [c"true".as_ptr(), std::ptr::null()];
            libc::execv(c"/bin/true".as_ptr(), argv.as_ptr());
            Err(Stop::Fail("no /bin/true".into()))
        })?;
        in_child("has a driver of its own", || {
            for _ in 0..2 {
                Wild::new()?.works()?;
            }
            Ok(())
        })?;
        if w.t.is_ours() {
            in_child("finds the parent's device lost", || {
                let submit = [vk::SubmitInfo::default().command_buffers(&fine)];
                let lost = Err(vk::Result::ERROR_DEVICE_LOST);
                same!(w.t.d.queue_submit(w.t.queue, &submit, vk::Fence::null()), lost);
                // Whatever it says, it says soon.
                let start = Instant::now();
                let _ = w.t.d.wait_for_fences(&[work.fence], true, 2_000_000_000);
                let _ = w.t.d.device_wait_idle();
                check!(start.elapsed() < Duration::from_secs(10));
                Ok(())
            })?;
        }
        // Another thread is inside of a wait meanwhile.
        let (d, fence) = (w.t.d.clone(), work.fence);
        let waiter = std::thread::spawn(move || d.wait_for_fences(&[fence], true, LONG));
        std::thread::sleep(Duration::from_millis(20));
        in_child("exits during a wait", || Ok(()))?;
        // With the destructors of the libraries; those may wait for a thread that is not there.
        for pause in [0, 2, 5, 10] {
            std::thread::sleep(Duration::from_millis(pause));
            in_child("returns from main", || libc::exit(0))?;
        }
        same!(w.t.d.get_fence_status(work.fence), Ok(false), "{round}");
        work.finish()?;
        same!(waiter.join().map_err(|_| Stop::Fail("waiter".into()))?, Ok(()));
        w.works()?;
    }
    Ok(())
}

extern "C" fn nothing(_: libc::c_int) {}

/// Signals come all the time, and their handler does not ask for calls to be started again.
unsafe fn signals_interrupt_nothing() -> R {
    let mut action: libc::sigaction = std::mem::zeroed();
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
    same!(libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()), 0);
    let every = |us| libc::itimerval {
        it_interval: libc::timeval { tv_sec: 0, tv_usec: us },
        it_value: libc::timeval { tv_sec: 0, tv_usec: us },
    };
    same!(libc::setitimer(libc::ITIMER_REAL, &every(150), std::ptr::null_mut()), 0);
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < Duration::from_secs(3) || rounds < 3 {
        rounds += 1;
        // Devices, pipelines and memory are made and destroyed, too.
        let w = Wild::new()?;
        w.works()?;
        let work = Working::start(&w)?;
        let wait = Instant::now();
        same!(w.t.d.wait_for_fences(&[work.fence], true, 30_000_000), Err(vk::Result::TIMEOUT));
        check!(wait.elapsed() >= Duration::from_millis(30), "{:?}", wait.elapsed());
        let word = w.word.at as usize;
        std::thread::scope(|s| {
            s.spawn(move || {
                std::thread::sleep(Duration::from_millis(20));
                (word as *mut u32).write_volatile(1);
            });
            w.t.d.wait_for_fences(&[work.fence], true, LONG)
        })?;
        if w.t.features.v12.timeline_semaphore != 0 {
            let t = w.t.timeline(0)?;
            let d = w.t.d.clone();
            std::thread::scope(|s| {
                s.spawn(move || {
                    std::thread::sleep(Duration::from_millis(10));
                    d.signal_semaphore(&vk::SemaphoreSignalInfo::default().semaphore(t).value(4))
                });
                sync::wait(&w.t, t, 4, LONG)
            })?;
        }
        w.t.d.device_wait_idle()?;
        w.works()?;
    }
    same!(libc::setitimer(libc::ITIMER_REAL, &every(0), std::ptr::null_mut()), 0);
    Ok(())
}

/// Takes all descriptors that are left, until dropped.
struct Exhausted(libc::rlimit);

impl Exhausted {
    unsafe fn new() -> R<Exhausted> {
        let mut old: libc::rlimit = std::mem::zeroed();
        same!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut old), 0);
        // The lowest number that is free, and so all below it are taken.
        let free = libc::dup(0);
        check!(free >= 0);
        libc::close(free);
        let low = libc::rlimit { rlim_cur: free as libc::rlim_t, ..old };
        same!(libc::setrlimit(libc::RLIMIT_NOFILE, &low), 0);
        same!(libc::dup(0), -1);
        Ok(Exhausted(old))
    }
}

impl Drop for Exhausted {
    fn drop(&mut self) {
        // SAFETY: the limits of before.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &self.0) };
    }
}

unsafe fn descriptors_run_out() -> R {
    let w = Wild::new()?;
    w.works()?;
    let exhausted = Exhausted::new()?;
    for round in 0..2 {
        // Waits have no result for it, so they have to do without.
        let work = Working::start(&w)?;
        let start = Instant::now();
        same!(w.t.d.wait_for_fences(&[work.fence], true, 40_000_000), Err(vk::Result::TIMEOUT), "{round}");
        check!(start.elapsed() >= Duration::from_millis(40));
        let word = w.word.at as usize;
        std::thread::scope(|s| {
            s.spawn(move || {
                std::thread::sleep(Duration::from_millis(30));
                (word as *mut u32).write_volatile(1);
            });
            w.t.d.wait_for_fences(&[work.fence], true, LONG)
        })?;
        let b = w.t.zeros(1 << 20)?;
        same!(b.get::<u8>()[77], 0);
        w.works()?;
    }
    // Others may need descriptors; they say so, or work.
    let may_fail = |error: vk::Result| {
        let fine = [
            vk::Result::ERROR_TOO_MANY_OBJECTS,
            vk::Result::ERROR_OUT_OF_HOST_MEMORY,
            vk::Result::ERROR_OUT_OF_DEVICE_MEMORY,
            vk::Result::ERROR_INITIALIZATION_FAILED,
        ];
        fine.contains(&error)
    };
    let mut export =
        vk::ExportSemaphoreCreateInfo::default().handle_types(vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD);
    if w.t.has(ash::khr::external_semaphore_fd::NAME) {
        match w.t.d.create_semaphore(&vk::SemaphoreCreateInfo::default().push_next(&mut export), None) {
            Ok(s) => {
                let ext = ash::khr::external_semaphore_fd::Device::new(w.t.instance(), &w.t.d);
                let info = vk::SemaphoreGetFdInfoKHR::default()
                    .semaphore(s)
                    .handle_type(vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD);
                let got = ext.get_semaphore_fd(&info);
                w.t.d.destroy_semaphore(s, None);
                check!(got.is_err_and(may_fail), "{got:?}");
            }
            Err(error) => check!(may_fail(error), "{error}"),
        }
    }
    let priorities = [1.0];
    let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(w.t.family).queue_priorities(&priorities)];
    let info = vk::DeviceCreateInfo::default().queue_create_infos(&queues);
    match w.t.instance().create_device(w.t.physical, &info, None) {
        Ok(d) => d.destroy_device(None),
        Err(error) => check!(may_fail(error), "{error}"),
    }
    drop(exhausted);
    w.works()?;
    Wild::new()?.works()
}

/// What the thread that is cancelled waits for.
struct Wait {
    d: ash::Device,
    fence: vk::Fence,
}

/// The body of a thread of an application that is not written in Rust. It owns nothing when it is cancelled.
unsafe extern "C-unwind" fn waits(wait: *mut libc::c_void) -> *mut libc::c_void {
    let wait = &*wait.cast::<Wait>();
    // Nothing may happen to the thread inside of it.
    let _ = (wait.d.fp_v1_0().wait_for_fences)(wait.d.handle(), 1, &wait.fence, 1, LONG);
    pthread_testcancel();
    std::ptr::null_mut()
}

extern "C-unwind" {
    fn pthread_testcancel();
}

extern "C" {
    fn pthread_cancel(thread: libc::pthread_t) -> libc::c_int;
}

impl Wait {
    /// Starts a thread that waits, and cancels it.
    unsafe fn cancelled(&self) -> R<libc::pthread_t> {
        let mut thread: libc::pthread_t = 0;
        let body: extern "C" fn(*mut libc::c_void) -> *mut libc::c_void = std::mem::transmute(waits as *const ());
        let argument = std::ptr::from_ref(self).cast_mut().cast();
        same!(libc::pthread_create(&mut thread, std::ptr::null(), body, argument), 0);
        std::thread::sleep(Duration::from_millis(30));
        same!(pthread_cancel(thread), 0);
        Ok(thread)
    }
}

/// Waits for the end of a thread, which was cancelled.
unsafe fn join_cancelled(thread: libc::pthread_t) -> R {
    let mut result = std::ptr::null_mut();
    same!(libc::pthread_join(thread, &mut result), 0);
    // PTHREAD_CANCELED.
    same!(result as isize, -1);
    Ok(())
}

/// A thread is cancelled while it waits: the wait ends when it would have ended, and the thread after it.
unsafe fn a_thread_is_cancelled_in_a_wait() -> R {
    let w = Wild::new()?;
    need!(w.t.is_ours(), "promise about threads that are cancelled");
    for _ in 0..3 {
        let work = Working::start(&w)?;
        let wait = Wait { d: w.t.d.clone(), fence: work.fence };
        let thread = wait.cancelled()?;
        std::thread::sleep(Duration::from_millis(10));
        // Others wait for the same.
        same!(w.t.d.wait_for_fences(&[work.fence], true, 5_000_000), Err(vk::Result::TIMEOUT));
        work.finish()?;
        join_cancelled(thread)?;
        w.works()?;
    }
    Ok(())
}

/// As before, but the wait ends since the device is lost, and puts its things away.
unsafe fn a_thread_is_cancelled_in_a_wait_that_fails() -> R {
    soon();
    let w = Wild::new()?;
    need!(w.t.is_ours(), "promise about threads that are cancelled");
    let work = Working::start(&w)?;
    let wait = Wait { d: w.t.d.clone(), fence: work.fence };
    join_cancelled(wait.cancelled()?)?;
    same!(w.t.d.device_wait_idle(), Err(vk::Result::ERROR_DEVICE_LOST));
    Ok(())
}

/// Undoes what was made, last first.
struct Undo(Vec<Box<dyn FnOnce()>>);

impl Drop for Undo {
    fn drop(&mut self) {
        while let Some(undo) = self.0.pop() {
            undo();
        }
    }
}

/// A small program from the instance to the result, which gives everything back whatever happens.
pub unsafe fn program() -> Result<(), vk::Result> {
    let none = vk::Result::ERROR_INITIALIZATION_FAILED;
    let entry = ash::Entry::load().map_err(|_| none)?;
    let mut undo = Undo(Vec::new());
    let i = entry.create_instance(&vk::InstanceCreateInfo::default(), None)?;
    let gone = i.clone();
    undo.0.push(Box::new(move || gone.destroy_instance(None)));
    let physical = i.enumerate_physical_devices()?.first().copied().ok_or(none)?;
    let memory = i.get_physical_device_memory_properties(physical);
    let priorities = [1.0];
    let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&priorities)];
    let d = i.create_device(physical, &vk::DeviceCreateInfo::default().queue_create_infos(&queues), None)?;
    macro_rules! later {
        ($destroy:ident $(, $object:expr)?) => {{
            let gone = d.clone();
            undo.0.push(Box::new(move || gone.$destroy($($object,)? None)));
        }};
    }
    later!(destroy_device);
    let usage = vk::BufferUsageFlags::STORAGE_BUFFER;
    let b = d.create_buffer(&vk::BufferCreateInfo::default().size(1024).usage(usage), None)?;
    later!(destroy_buffer, b);
    let r = d.get_buffer_memory_requirements(b);
    let visible = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
    let ty = (0..memory.memory_type_count).find(|i| {
        r.memory_type_bits >> i & 1 != 0 && memory.memory_types[*i as usize].property_flags.contains(visible)
    });
    let info = vk::MemoryAllocateInfo::default().allocation_size(r.size).memory_type_index(ty.ok_or(none)?);
    let m = d.allocate_memory(&info, None)?;
    later!(free_memory, m);
    d.bind_buffer_memory(b, m, 0)?;
    let at = d.map_memory(m, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast::<u32>();
    (0..256).for_each(|i| at.add(i).write_volatile(i as u32));
    let storage = vk::DescriptorType::STORAGE_BUFFER;
    let bindings = [vk::DescriptorSetLayoutBinding::default()
        .descriptor_type(storage)
        .descriptor_count(1)
        .stage_flags(vk::ShaderStageFlags::COMPUTE)];
    let sets =
        [d.create_descriptor_set_layout(&vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings), None)?];
    later!(destroy_descriptor_set_layout, sets[0]);
    let push = [vk::PushConstantRange { stage_flags: vk::ShaderStageFlags::COMPUTE, offset: 0, size: 16 }];
    let info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets).push_constant_ranges(&push);
    let layout = d.create_pipeline_layout(&info, None)?;
    later!(destroy_pipeline_layout, layout);
    let module = d.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(spv!("affine")), None)?;
    later!(destroy_shader_module, module);
    let stage =
        vk::PipelineShaderStageCreateInfo::default().stage(vk::ShaderStageFlags::COMPUTE).module(module).name(c"main");
    let info = [vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout)];
    let made = d.create_compute_pipelines(vk::PipelineCache::null(), &info, None);
    let p = made.map_err(|(_, error)| error)?[0];
    later!(destroy_pipeline, p);
    let sizes = [vk::DescriptorPoolSize { ty: storage, descriptor_count: 1 }];
    let pool =
        d.create_descriptor_pool(&vk::DescriptorPoolCreateInfo::default().max_sets(1).pool_sizes(&sizes), None)?;
    later!(destroy_descriptor_pool, pool);
    let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&sets);
    let set = d.allocate_descriptor_sets(&info)?[0];
    let buffers = [vk::DescriptorBufferInfo { buffer: b, offset: 0, range: vk::WHOLE_SIZE }];
    let write = vk::WriteDescriptorSet::default().dst_set(set).descriptor_type(storage).buffer_info(&buffers);
    d.update_descriptor_sets(&[write], &[]);
    let commands = d.create_command_pool(&vk::CommandPoolCreateInfo::default(), None)?;
    later!(destroy_command_pool, commands);
    let info = vk::CommandBufferAllocateInfo::default().command_pool(commands).command_buffer_count(1);
    let c = d.allocate_command_buffers(&info)?;
    d.begin_command_buffer(c[0], &vk::CommandBufferBeginInfo::default())?;
    d.cmd_bind_pipeline(c[0], vk::PipelineBindPoint::COMPUTE, p);
    d.cmd_bind_descriptor_sets(c[0], vk::PipelineBindPoint::COMPUTE, layout, 0, &[set], &[]);
    d.cmd_push_constants(c[0], layout, vk::ShaderStageFlags::COMPUTE, 0, &words(&[0, 256, 3, 1]));
    d.cmd_dispatch(c[0], 4, 1, 1);
    d.end_command_buffer(c[0])?;
    let fence = d.create_fence(&vk::FenceCreateInfo::default(), None)?;
    later!(destroy_fence, fence);
    let queue = d.get_device_queue(0, 0);
    d.queue_submit(queue, &[vk::SubmitInfo::default().command_buffers(&c)], fence)?;
    let waited = d.wait_for_fences(&[fence], true, LONG);
    if waited.is_err() {
        // What was submitted has to end before its objects go; if it cannot, the device is lost.
        let _ = d.device_wait_idle();
    }
    waited?;
    let right = (0..256).all(|i| at.add(i).read_volatile() == 3 * i as u32 + 1);
    if right {
        Ok(())
    } else {
        Err(vk::Result::ERROR_UNKNOWN)
    }
}

/// What must not grow: threads and descriptors.
pub fn held() -> [usize; 2] {
    ["/proc/self/task", "/proc/self/fd"].map(|folder| std::fs::read_dir(folder).map_or(0, Iterator::count))
}

/// What a program may be told when the node does not do what it should, by the driver.
pub const TOLD: [vk::Result; 4] = [
    vk::Result::ERROR_DEVICE_LOST,
    vk::Result::ERROR_INITIALIZATION_FAILED,
    vk::Result::ERROR_OUT_OF_HOST_MEMORY,
    vk::Result::ERROR_OUT_OF_DEVICE_MEMORY,
];

/// Lets something happen with each request of a program, in a process of its own: what `VKDXG_MODEL` takes up to the number, and what the
/// driver says then. The program is told, in time; it leaves nothing behind and works so many times afterwards.
pub unsafe fn with_each_request(what: &str, said: &str, limit: Duration, times: usize) -> R {
    let mut nth = 0;
    loop {
        nth += 1;
        let fd = libc::memfd_create(c"stderr".as_ptr(), 0);
        check!(fd >= 0);
        let errors = OwnedFd::from_raw_fd(fd);
        in_child(&format!("{what}{nth}"), || {
            std::env::set_var("VKDXG_MODEL", model_with(&format!("{what}{nth}")));
            libc::dup2(errors.as_raw_fd(), 2);
            let start = Instant::now();
            if let Err(error) = program() {
                check!(TOLD.contains(&error), "request {nth}: {error}");
            }
            check!(start.elapsed() < limit, "{:?}", start.elapsed());
            let mut before = [0; 2];
            for round in 0..times {
                same!(program(), Ok(()), "after {what}{nth}");
                let now = held();
                check!(now[0] == 1, "{} threads left behind", now[0]);
                check!(round == 0 || now == before, "{now:?} is more than {before:?}");
                before = now;
            }
            Ok(())
        })?;
        let text = std::fs::read_to_string(format!("/proc/self/fd/{fd}"))?;
        if !text.contains(said) {
            break;
        }
        check!(nth < 500, "no end to it");
    }
    // Only now is there a driver in this process.
    check!(nth > 15 || !T::new(&[])?.is_ours(), "{nth} requests");
    Ok(())
}

/// Each request of a program to the node fails once, in a process of its own. (Other drivers run it once.)
unsafe fn each_request_fails_once() -> R {
    with_each_request("fail=", "fails as asked for", Duration::MAX, 3)
}

/// Threads of the driver by their names, and whether signals of the application are blocked and those of faults are not.
fn driver_threads() -> Vec<(String, bool)> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let look = |task: std::fs::DirEntry| {
        // A thread may end meanwhile.
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?.trim().to_owned();
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let mask = status.lines().find_map(|l| l.strip_prefix("SigBlk:"))?;
        let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
        let blocked = |signal: i32| mask >> (signal - 1) & 1 != 0;
        let fits = [libc::SIGUSR1, libc::SIGALRM, libc::SIGTERM, libc::SIGPROF].into_iter().all(blocked)
            && !blocked(libc::SIGSEGV);
        (name.starts_with("vkdxg") || name.starts_with("dxg-")).then_some((name, fits))
    };
    tasks.filter_map(look).collect()
}

/// A handler of the application's never runs on a thread that it knows nothing of.
unsafe fn threads_of_the_driver_take_no_signals() -> R {
    let t = T::new(&[])?;
    need!(t.is_ours(), "threads of this driver");
    let set_layout = t.set_layout(&[vk::DescriptorType::STORAGE_BUFFER])?;
    let layout = t.layout(&[set_layout], 0)?;
    let done = std::sync::atomic::AtomicBool::new(false);
    let seen = std::thread::scope(|s| {
        let watch = s.spawn(|| {
            let mut seen = std::collections::BTreeMap::new();
            let start = Instant::now();
            // Threads that compile are there for a moment only.
            while !seen.contains_key("vkdxg-compile") && start.elapsed() < LONG_ENOUGH {
                for (name, fits) in driver_threads() {
                    *seen.entry(name).or_insert(true) &= fits;
                }
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            seen
        });
        let mut made = Ok(());
        for n in 0u32.. {
            if done.load(std::sync::atomic::Ordering::Relaxed) {
                break;
            }
            let value = n.to_ne_bytes();
            let spec = [(1, &value[..])];
            let info = KernelInfo { code: spv!("folded"), spec: &spec, ..KernelInfo::default() };
            made = t.pipeline(&info, layout).map(|p| t.d.destroy_pipeline(p, None));
            if made.is_err() {
                break;
            }
        }
        (watch.join(), made)
    });
    seen.1?;
    let seen = seen.0.map_err(|_| Stop::Fail("thread".into()))?;
    check!(seen.contains_key("vkdxg-compile"), "no thread compiles: {seen:?}");
    // The thread that looks for what is worth better code, where there is one.
    let k = t.kernel(spv!("folded"), &[vk::DescriptorType::STORAGE_BUFFER], 0)?;
    let out = t.zeros(32)?;
    let set = t.set(k.set_layout, &[B::S(out)])?;
    t.now(|c| {
        t.bind(c, &k, set, &[]);
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    for (name, fits) in seen.into_iter().chain(driver_threads()) {
        check!(fits, "{name} takes signals of the application");
    }
    Ok(())
}

/// For a thread to be seen.
const LONG_ENOUGH: Duration = Duration::from_secs(20);
