//! Kernels that access what is not there or do not end: the device is lost, and nothing else. Vulkan leaves open what happens then;
//! this driver promises it, and of others only that the process lives is asked.

use crate::support::*;
use ash::vk;
use cts::generated::types;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use vk::DescriptorType as D;

tests! {
    wild_loads, wild_stores, wild_atomics, wild_lanes, wild_in_many_groups, other_devices_go_on, reports, endless_loops,
    application_keeps_its_handler, handler_installed_later, float_state_of_the_application,
    constants_are_folded_as_kernels_compute,
}

/// What `wild.comp` does.
pub mod what {
    pub const LOADS: [u32; 2] = [0, 4];
    pub const STORES: [u32; 2] = [1, 5];
    pub const ATOMICS: [u32; 2] = [2, 3];
    pub const ONE_LANE: [u32; 3] = [6, 7, 8];
    pub const LOOPS: [u32; 4] = [16, 17, 18, 19];
    pub const UNTIL_ONE: u32 = 17;
    pub const FINE: u32 = 99;
}

/// A page of this process that nobody may touch.
fn hole() -> R<u64> {
    let (none, private) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a mapping of its own.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), 4096, none, private, -1, 0) };
    check!(at != libc::MAP_FAILED);
    Ok(at as u64)
}

/// A device with the kernel.
pub struct Wild {
    k: K,
    /// What the kernel reads and writes where nothing goes wrong.
    pub word: Buf,
    /// The device.
    pub t: T,
}

impl Wild {
    /// A device.
    pub unsafe fn new() -> R<Wild> {
        // After a loss the layer takes everything for being in use still.
        let extensions = [ash::ext::device_fault::NAME, c"VK_KHR_device_fault"];
        let t = T::open(&cts::Setup { extensions: &extensions, unvalidated: true, ..Default::default() })?;
        Wild::on(t)
    }

    /// The kernel on a device of one's own.
    pub unsafe fn on(t: T) -> R<Wild> {
        need!(t.features.v12.buffer_device_address != 0, "bufferDeviceAddress");
        let k = t.kernel(spv!("wild"), &[], 24)?;
        let word = t.zeros(4096)?;
        Ok(Wild { k, word, t })
    }

    /// A command buffer that does one of [`what`].
    pub unsafe fn recorded(&self, what: u32, at: u64, stride: u32, groups: u32) -> R<vk::CommandBuffer> {
        let t = &self.t;
        let good = t.d.get_buffer_device_address(&vk::BufferDeviceAddressInfo::default().buffer(self.word.h));
        let mut push = at.to_ne_bytes().to_vec();
        push.extend([what, stride].iter().flat_map(|w| w.to_ne_bytes()));
        push.extend(good.to_ne_bytes());
        t.recorded(t.family, vk::CommandBufferUsageFlags::SIMULTANEOUS_USE, |c| {
            t.d.cmd_bind_pipeline(c, vk::PipelineBindPoint::COMPUTE, self.k.p);
            t.d.cmd_push_constants(c, self.k.layout, vk::ShaderStageFlags::COMPUTE, 0, &push);
            t.d.cmd_dispatch(c, groups, 1, 1);
        })
    }

    unsafe fn run(&self, what: u32, at: u64, stride: u32, groups: u32) -> R<Result<(), vk::Result>> {
        let c = [self.recorded(what, at, stride, groups)?];
        let fence = self.t.fence()?;
        let submit = [vk::SubmitInfo::default().command_buffers(&c)];
        let submitted = self.t.d.queue_submit(self.t.queue, &submit, fence);
        Ok(submitted.and_then(|()| self.t.d.wait_for_fences(&[fence], true, LONG)))
    }

    /// The device does what it should.
    pub unsafe fn works(&self) -> R {
        self.word.fill(0);
        if let Err(error) = self.run(what::FINE, 0, 0, 1)? {
            fail!("a healthy device: {error}");
        }
        same!(self.word.get::<u32>()[0], 77);
        Ok(())
    }

    /// A wild run had this result, by an access to an address, read or written, as far as that is known.
    unsafe fn is_lost(&self, result: Result<(), vk::Result>, at: Option<(u64, Option<bool>)>) -> R {
        if result.is_ok() && !self.t.is_ours() {
            return Ok(());
        }
        let lost = Err(vk::Result::ERROR_DEVICE_LOST);
        let t = &self.t;
        same!(result, lost);
        same!(self.run(what::FINE, 0, 0, 1)?, lost, "a submission");
        same!(t.d.device_wait_idle(), lost);
        same!(t.d.queue_wait_idle(t.queue), lost);
        if t.features.device_fault.device_fault != 0 && t.is_ours() {
            self.report(at)?;
        }
        Ok(())
    }

    unsafe fn report(&self, at: Option<(u64, Option<bool>)>) -> R {
        let f = ash::ext::device_fault::Device::new(self.t.instance(), &self.t.d);
        let mut counts = vk::DeviceFaultCountsEXT::default();
        let get = f.fp().get_device_fault_info_ext;
        get(self.t.d.handle(), &mut counts, std::ptr::null_mut()).result()?;
        let mut place = vk::DeviceFaultAddressInfoEXT::default();
        let mut info = vk::DeviceFaultInfoEXT { p_address_infos: &mut place, ..Default::default() };
        get(self.t.d.handle(), &mut counts, &mut info).result()?;
        let text = info.description_as_c_str().unwrap_or_default().to_string_lossy();
        check!(!text.is_empty() && text != "the device is not lost", "{text}");
        same!(counts.address_info_count, u32::from(at.is_some()), "{text}");
        let Some((at, write)) = at else { return Ok(()) };
        if at >> 47 != 0 {
            // Processors do not say what an address was to be that is none; then the first such stands for all.
            check!(place.reported_address >> 47 != 0, "{text}");
            return Ok(());
        }
        let precision = place.address_precision;
        check!(precision.is_power_of_two());
        same!(place.reported_address & !(precision - 1), at & !(precision - 1), "{text}");
        let ty = vk::DeviceFaultAddressTypeEXT::WRITE_INVALID;
        same!(place.address_type == ty, write.unwrap_or(place.address_type == ty), "{text}");
        Ok(())
    }
}

/// Each loses a device, and the next one works. All go to the same place, which is one of several.
unsafe fn each_loses(kinds: &[u32], write: bool) -> R {
    let hole = hole()?;
    for &kind in kinds {
        for at in [hole, 0x40, 0xdead_beef_0000_0040] {
            let w = Wild::new()?;
            w.works()?;
            let result = w.run(kind, at, 16, 1)?;
            w.is_lost(result, Some((at, Some(write))))?;
        }
    }
    Wild::new()?.works()
}

unsafe fn wild_loads() -> R {
    each_loses(&what::LOADS, false)
}

unsafe fn wild_stores() -> R {
    each_loses(&what::STORES, true)
}

unsafe fn wild_atomics() -> R {
    each_loses(&what::ATOMICS, true)
}

/// One lane of a subgroup goes astray, the others do nothing.
unsafe fn wild_lanes() -> R {
    let hole = hole()?;
    for kind in what::ONE_LANE {
        let w = Wild::new()?;
        w.works()?;
        let result = w.run(kind, hole, 0, 1)?;
        // An atomic operation reads and writes.
        w.is_lost(result, Some((hole, (kind != 8).then_some(kind == 7))))?;
    }
    Wild::new()?.works()
}

/// All threads of the device run into it at the same time, again and again.
unsafe fn wild_in_many_groups() -> R {
    let hole = hole()?;
    for round in 0..20 {
        let w = Wild::new()?;
        let write = round & 1 != 0;
        let result = w.run(if write { 1 } else { 0 }, hole, 4, 100_000)?;
        w.is_lost(result, Some((hole, Some(write))))?;
    }
    Wild::new()?.works()
}

unsafe fn other_devices_go_on() -> R {
    let hole = hole()?;
    let (before, bad) = (Wild::new()?, Wild::new()?);
    let fine = [before.recorded(what::FINE, 0, 0, 100)?];
    let submit = [vk::SubmitInfo::default().command_buffers(&fine)];
    for round in 0..10 {
        let fence = before.t.fence()?;
        before.t.d.queue_submit(before.t.queue, &submit, vk::Fence::null())?;
        if round == 3 {
            let result = bad.run(what::STORES[0], hole, 4, 1)?;
            bad.is_lost(result, Some((hole, Some(true))))?;
        }
        before.t.d.queue_submit(before.t.queue, &submit, fence)?;
        before.t.d.wait_for_fences(&[fence], true, LONG)?;
        before.works()?;
    }
    // The lost device's objects can be destroyed in any order with the healthy one there.
    drop(bad);
    before.works()
}

/// What a call of vkGetDeviceFaultReportsKHR with room for two reports gave.
#[derive(Debug)]
struct Taken {
    /// The result, and how many reports there were.
    outcome: (vk::Result, u32),
    /// Of the first report.
    flags: types::DeviceFaultFlagsKHR,
    place: vk::DeviceFaultAddressInfoEXT,
    description: String,
}

unsafe fn take(t: &T, timeout: Duration) -> R<Taken> {
    let get = command!(t, c"vkGetDeviceFaultReportsKHR", PFN_vkGetDeviceFaultReportsKHR);
    let (mut count, mut infos) = (2, [types::DeviceFaultInfoKHR::default(); 2]);
    let result = get(t.d.handle(), timeout.as_nanos() as u64, &mut count, infos.as_mut_ptr());
    let first = &infos[0];
    let description = first.description.iter().take_while(|c| **c != 0).map(|c| *c as u8 as char).collect();
    Ok(Taken { outcome: (result, count), flags: first.flags, place: first.fault_address_info, description })
}

unsafe fn reports() -> R {
    let w = Wild::new()?;
    let t = &w.t;
    need!(t.features.device_fault_khr.device_fault != 0, "deviceFault");
    w.works()?;
    for timeout in [Duration::ZERO, Duration::from_millis(30)] {
        let start = Instant::now();
        same!(take(t, timeout)?.outcome, (vk::Result::TIMEOUT, 0));
        check!(start.elapsed() >= timeout, "{:?} are no {timeout:?}", start.elapsed());
    }
    // One waits for what the other does.
    let hole = hole()?;
    let (result, taken) = std::thread::scope(|s| {
        let waits = s.spawn(|| take(t, Duration::from_secs(60)));
        std::thread::sleep(Duration::from_millis(20));
        (w.run(what::STORES[0], hole, 16, 1), waits.join())
    });
    if result?.is_ok() {
        return Ok(());
    }
    let Ok(taken) = taken else { fail!("a thread panicked") };
    let report = taken?;
    same!(report.outcome, (vk::Result::SUCCESS, 1));
    let (lost, place) = (types::DEVICE_FAULT_FLAG_DEVICE_LOST_KHR, types::DEVICE_FAULT_FLAG_MEMORY_ADDRESS_KHR);
    check!(report.flags.contains(lost) && !report.description.is_empty(), "{report:?}");
    if t.is_ours() {
        check!(report.flags == lost | place && report.place.reported_address & !4095 == hole, "{report:?}");
        same!(report.place.address_type, vk::DeviceFaultAddressTypeEXT::WRITE_INVALID);
    }
    // Each report is there once.
    same!(take(t, Duration::ZERO)?.outcome, (vk::Result::TIMEOUT, 0));
    let dump = command!(t, c"vkGetDeviceFaultDebugInfoKHR", PFN_vkGetDeviceFaultDebugInfoKHR);
    let mut info = types::DeviceFaultDebugInfoKHR::default();
    dump(t.d.handle(), &mut info).result()?;
    check!(t.features.device_fault_khr.device_fault_vendor_binary != 0 || info.vendor_binary_size == 0);
    Ok(())
}

/// Makes this driver's device give up soon.
pub fn soon() {
    std::env::set_var("VKDXG_MODEL", model_with("watchdog=300"));
}

unsafe fn endless_loops() -> R {
    soon();
    let other = Wild::new()?;
    need!(other.t.is_ours(), "promise to give up on endless loops soon");
    for kind in what::LOOPS {
        let w = Wild::new()?;
        w.works()?;
        let start = Instant::now();
        // One group, and more than there are threads.
        let result = w.run(kind, 0, 0, if kind % 2 == 0 { 1 } else { 1000 })?;
        let time = start.elapsed();
        w.is_lost(result, None)?;
        check!(time >= Duration::from_millis(250) && time < Duration::from_secs(20), "{kind}: {time:?}");
        other.works()?;
    }
    // Nobody is left behind to compute for nothing.
    let cpu = || {
        let mut t: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t);
        Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
    };
    let before = cpu();
    std::thread::sleep(Duration::from_millis(500));
    let used = cpu() - before;
    check!(used < Duration::from_millis(200), "{used:?} of processor time after the last loop");
    Wild::new()?.works()
}

/// Times that the application's own handler was called, and the page that it makes accessible.
static CALLS: AtomicUsize = AtomicUsize::new(0);
static PAGE: AtomicUsize = AtomicUsize::new(0);
/// The handler to ask for what is not the application's.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// As garbage collectors and debuggers do it: the page is made accessible, and the access repeated.
unsafe extern "C" fn own_handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let page = PAGE.load(Ordering::Relaxed);
    if (*info).si_addr() as usize & !4095 == page {
        CALLS.fetch_add(1, Ordering::Relaxed);
        libc::mprotect(page as *mut _, 4096, libc::PROT_READ | libc::PROT_WRITE);
        return;
    }
    match NEXT.load(Ordering::Relaxed) {
        0 => {
            libc::signal(signal, libc::SIG_DFL);
        }
        next => {
            let next: unsafe extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                std::mem::transmute(next);
            next(signal, info, context);
        }
    }
}

unsafe fn install() -> R<libc::sigaction> {
    let mut action: libc::sigaction = std::mem::zeroed();
    action.sa_sigaction = own_handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO;
    libc::sigaddset(&mut action.sa_mask, libc::SIGUSR1);
    let mut old: libc::sigaction = std::mem::zeroed();
    same!(libc::sigaction(libc::SIGSEGV, &action, &mut old), 0);
    Ok(old)
}

/// The application faults on purpose, and its handler repairs it.
unsafe fn own_fault() -> R {
    let page = hole()?;
    PAGE.store(page as usize, Ordering::Relaxed);
    let before = CALLS.load(Ordering::Relaxed);
    (page as *mut u32).write_volatile(9);
    same!((page as *const u32).read_volatile(), 9);
    same!(CALLS.load(Ordering::Relaxed), before + 1);
    // The handler's mask is gone again.
    let mut now: libc::sigset_t = std::mem::zeroed();
    libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut now);
    for signal in [libc::SIGSEGV, libc::SIGUSR1] {
        same!(libc::sigismember(&now, signal), 0);
    }
    Ok(())
}

unsafe fn application_keeps_its_handler() -> R {
    install()?;
    own_fault()?;
    for _ in 0..2 {
        let w = Wild::new()?;
        own_fault()?;
        w.works()?;
        std::thread::scope(|s| s.spawn(|| own_fault()).join()).map_err(|_| Stop::Fail("thread".into()))??;
        // Without a handler in place for the device, this ends the process.
        let hole = hole()?;
        let result = w.run(what::STORES[0], hole, 4, 1)?;
        w.is_lost(result, Some((hole, Some(true))))?;
        own_fault()?;
    }
    // The driver is gone.
    own_fault()?;
    let mut action: libc::sigaction = std::mem::zeroed();
    same!(libc::sigaction(libc::SIGSEGV, std::ptr::null(), &mut action), 0);
    same!(action.sa_sigaction, own_handler as *const () as usize);
    Ok(())
}

/// A handler that comes after the driver's and asks it for what it does not know, as is the custom.
unsafe fn handler_installed_later() -> R {
    let w = Wild::new()?;
    let old = install()?;
    if old.sa_flags & libc::SA_SIGINFO != 0 {
        NEXT.store(old.sa_sigaction, Ordering::Relaxed);
    }
    own_fault()?;
    let hole = hole()?;
    let result = w.run(what::LOADS[0], hole, 4, 1)?;
    w.is_lost(result, Some((hole, Some(false))))?;
    own_fault()?;
    drop(w);
    // The library may be closed now, and the handler still asks it.
    own_fault()?;
    let w = Wild::new()?;
    let result = w.run(what::LOADS[0], hole, 4, 1)?;
    w.is_lost(result, Some((hole, Some(false))))?;
    own_fault()
}

/// The application computes with flushed denormals, rounds up, and wants to be told of divisions by zero: kernels do not.
unsafe fn float_state_of_the_application() -> R {
    // Flush to zero, round up, all exceptions but "inexact" trap, denormals are zero.
    let (odd, mut plain) = (0x8000u32 | 0x4000 | 0x1000 | 0x40, 0u32);
    std::arch::asm!("stmxcsr [{}]", in(reg) &mut plain, options(nostack));
    let t = T::new(&[])?;
    let k = t.kernel(spv!("float_state"), &[D::STORAGE_BUFFER], 8)?;
    let given = [1.0e-40f32, 2.0, 1.0e30, 0.0, 1.0, 1.5e-45, -3.0, -1.0e-38];
    let b = t.zeros(96)?;
    b.put(0, &given);
    let set = t.set(k.set_layout, &[B::S(b)])?;
    let mut push = 0.3f32.to_ne_bytes().to_vec();
    push.extend(0f32.to_ne_bytes());
    std::arch::asm!("ldmxcsr [{}]", in(reg) &odd, options(nostack));
    // The device's threads start with what the thread has that first needs them.
    let done = t.now(|c| {
        t.bind(c, &k, set, &push);
        t.d.cmd_dispatch(c, 1, 1, 1);
    });
    std::arch::asm!("ldmxcsr [{}]", in(reg) &plain, options(nostack));
    done?;
    let got = b.get::<f32>();
    let bits = |x: f32| if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() };
    for (i, x) in given.iter().enumerate() {
        if t.is_ours() {
            same!(bits(got[8 + i]), bits(x * 0.3), "{x}");
        }
        check!(got[16 + i].is_nan() || got[16 + i].is_infinite(), "{x} / 0 is {}", got[16 + i]);
    }
    Ok(())
}

/// The same while a pipeline is made whose shader computes with constants: what is known then is what a kernel would compute.
unsafe fn constants_are_folded_as_kernels_compute() -> R {
    // Flush to zero, round up, denormals are zero.
    let (odd, mut plain) = (0x8000u32 | 0x4000 | 0x1f80 | 0x40, 0u32);
    std::arch::asm!("stmxcsr [{}]", in(reg) &mut plain, options(nostack));
    let t = T::new(&[])?;
    let set_layout = t.set_layout(&[D::STORAGE_BUFFER])?;
    let layout = t.layout(&[set_layout], 0)?;
    let (a, b, tiny) = (0.3f32, 7.1f32, 3.0e-39f32);
    let spec = [a, b, tiny, 0.0].map(f32::to_ne_bytes);
    let spec: Vec<(u32, &[u8])> = (0..).zip(spec.iter().map(|v| &v[..])).collect();
    let info = KernelInfo { code: spv!("folded"), spec: &spec, ..KernelInfo::default() };
    std::arch::asm!("ldmxcsr [{}]", in(reg) &odd, options(nostack));
    let made = t.pipeline(&info, layout);
    std::arch::asm!("ldmxcsr [{}]", in(reg) &plain, options(nostack));
    let k = K { p: t.own(made?), layout, set_layout };
    let out = t.zeros(32)?;
    let set = t.set(set_layout, &[B::S(out)])?;
    t.now(|c| {
        t.bind(c, &k, set, &[]);
        t.d.cmd_dispatch(c, 1, 1, 1);
    })?;
    let got = out.get::<f32>();
    let want = [a * b, a + b, a / b, tiny * 0.5, f32::INFINITY, b.sqrt(), a.mul_add(b, b), (b * 100.0) as i32 as f32];
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        if t.is_ours() {
            same!(got.to_bits(), want.to_bits(), "number {i} is {got} and not {want}");
        }
        // Denormals may be flushed, and other things be computed in other precision.
        check!(i == 4 || (got - want).abs() <= 1e-5, "number {i} is {got} and not {want}");
    }
    Ok(())
}
