//! Dispatch, and the rows of the behaviour file: what every call does with nothing, with bad
//! handles, with bad counts and with bad addresses.

mod common;

use std::collections::BTreeMap;

use common::*;
use dxg_abi::layout::{Kind, TypeLayout};
use dxg_abi::*;
use dxg_model::Config;
use serde_json::Value;

fn rows() -> Vec<Value> {
    let text = include_str!("data/dxg-behaviour.json");
    let file: Value = serde_json::from_str(text).unwrap();
    file["ioctls"].as_array().unwrap().clone()
}

fn ioctl_of(row: &Value) -> Ioctl {
    let nr = row["nr"].as_u64().unwrap() as u8;
    *Ioctl::ALL.iter().find(|i| i.nr() == nr).unwrap()
}

/// Offset and size of a field (`a`, or `a[0]`) of an argument.
fn field(ty: &TypeLayout, name: &str) -> (usize, usize) {
    let name = name.trim_end_matches("[0]");
    let Kind::Struct { fields, views } = &ty.kind else { panic!("not a structure") };
    let f = fields.iter().chain(*views).find(|f| f.name == name);
    let f = f.unwrap_or_else(|| panic!("{} has no {name}", ty.name));
    (f.offset, f.ty.size)
}

fn set(arg: &mut [u8], ty: &TypeLayout, name: &str, value: u64) {
    let (at, size) = field(ty, name);
    arg[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
}

fn raw(rig: &Rig, ioctl: Ioctl, arg: &mut [u8]) -> i32 {
    use dxg_abi::Node;
    rig.node.ioctl(ioctl.request(), arg)
}

#[test]
fn every_row_is_answered() {
    let rig = Rig::new();
    let mut seen = 0;
    for row in rows() {
        let ioctl = ioctl_of(&row);
        let r = raw(&rig, ioctl, &mut vec![0; ioctl.arg_size()]);
        assert_ne!(r, ENOTTY, "{ioctl}");
        seen += 1;
    }
    assert_eq!(seen, Ioctl::ALL.len());
}

#[test]
fn requests_that_are_not_in_the_table_are_enotty() {
    use dxg_abi::Node;
    let rig = Rig::new();
    let mut buffer = vec![0u8; 8192];
    for nr in 0..=255u32 {
        for size in [0, 4, 8, 16, 64, 812] {
            let request = 0xC000_4700 | size << 16 | nr;
            if Ioctl::from_request(request).is_none() {
                assert_eq!(rig.node.ioctl(request, &mut buffer), ENOTTY, "{request:#x}");
            }
        }
    }
    for (nr, name, size) in UNIMPLEMENTED {
        let request = iowr(IOCTL_MAGIC, *nr, *size);
        assert_eq!(rig.node.ioctl(request, &mut buffer), ENOTTY, "{name}");
    }
    // One byte more, another direction, another letter.
    let request = Ioctl::EnumAdapters2.request();
    for other in [request + (1 << 16), request & !(1 << 30), request + (1 << 8)] {
        assert_eq!(rig.node.ioctl(other, &mut buffer), ENOTTY);
    }
    assert_eq!(rig.node.ioctl(request, &mut buffer), 0);
}

#[test]
fn older_kernels_end_their_table_earlier() {
    for end in [0x43u8, 0x47, 0x49] {
        let rig = Rig::with(Config { table_end: end, ..config() });
        for ioctl in Ioctl::ALL.iter().filter(|i| i.nr() > 0x43) {
            let r = raw(&rig, *ioctl, &mut vec![0; ioctl.arg_size()]);
            assert_eq!(r == ENOTTY, ioctl.nr() > end, "{ioctl} with table end {end:#x}");
        }
    }
}

#[test]
fn short_arguments_are_efault() {
    let rig = Rig::new();
    for ioctl in Ioctl::ALL {
        let r = raw(&rig, *ioctl, &mut vec![0; ioctl.arg_size() - 1]);
        assert_eq!(r, EFAULT, "{ioctl}");
    }
}

/// What an all-zero argument gives, where that is not EINVAL.
fn zero_answers() -> BTreeMap<Ioctl, i32> {
    BTreeMap::from([
        (Ioctl::EnumAdapters2, 0),
        (Ioctl::EnumAdapters3, 0),
        (Ioctl::CloseAdapter, 0),
        (Ioctl::QueryStatistics, 0),
        (Ioctl::ShareObjectWithHost, -1),
    ])
}

#[test]
fn zeroed_arguments() {
    let rig = Rig::new();
    let special = zero_answers();
    for ioctl in Ioctl::ALL {
        let mut arg = vec![0; ioctl.arg_size()];
        let want = special.get(ioctl).copied().unwrap_or(EINVAL);
        assert_eq!(raw(&rig, *ioctl, &mut arg), want, "{ioctl}");
        if want < 0 {
            assert!(arg.iter().all(|b| *b == 0), "{ioctl} wrote on failure");
        }
    }
}

/// Fills an argument so that everything before the handle lookup passes: counts at their lower
/// limit, every list at a page of zeros.
fn plausible(row: &Value, ioctl: Ioctl, page: u64) -> Vec<u8> {
    let ty = ioctl.layout();
    let mut arg = vec![0; ioctl.arg_size()];
    for (name, limit) in row["limits"].as_object().unwrap() {
        if let Some([low, _]) = limit.as_array().map(Vec::as_slice) {
            set(&mut arg, ty, name, low.as_u64().unwrap());
        }
    }
    let Kind::Struct { fields, .. } = &ty.kind else { panic!("not a structure") };
    let lists = [
        "adapters",
        "objects",
        "allocations",
        "allocation_list",
        "allocation_info",
        "fence_values",
        "monitored_fence_values",
        "hwqueues",
        "contexts",
        "operations",
        "private_data",
    ];
    for f in fields.iter().filter(|f| lists.contains(&f.name) && f.size == 8) {
        set(&mut arg, ty, f.name, page);
    }
    match ioctl {
        Ioctl::DestroyAllocation2 => set(&mut arg, ty, "alloc_count", 1),
        Ioctl::QueryAllocationResidency | Ioctl::SetAllocationPriority | Ioctl::GetAllocationPriority => {
            set(&mut arg, ty, "allocation_count", 1)
        }
        Ioctl::SignalSynchronizationObjectFromGpu2 => {
            set(&mut arg, ty, "object_count", 1);
            set(&mut arg, ty, "context_count", 1);
        }
        _ => {}
    }
    arg
}

#[test]
fn bad_handles_give_what_the_first_lookup_says() {
    let rig = Rig::new();
    let page = Pages::private(64 << 10);
    let mut seen = 0;
    for row in rows() {
        let ioctl = ioctl_of(&row);
        let lookup = row["first_lookup"].as_str().unwrap();
        // "kind:field", after "fd then" only reached with a descriptor.
        let Some((_, name)) = lookup.split_once(':') else { continue };
        if lookup.starts_with("fd then") {
            continue;
        }
        let name = name.split(' ').next().unwrap();
        // Nothing, never given out, of another type, out of range, and of the other table.
        let bad = [0x4000_0fc0, rig.paging.sync_object.0, u32::MAX, 0x7fff_ffc0, rig.device.0];
        for handle in bad {
            let looks_up_device = lookup.starts_with("device:") || lookup.contains("then device");
            if handle == rig.device.0 && looks_up_device {
                continue;
            }
            let mut arg = plausible(&row, ioctl, page.address);
            if name.ends_with("[0]") && ioctl != Ioctl::SubmitCommand {
                poke(page.address, u64::from(handle));
            } else {
                set(&mut arg, ioctl.layout(), name, u64::from(handle));
            }
            let before = arg.clone();
            let r = raw(&rig, ioctl, &mut arg);
            assert_eq!(r, EINVAL, "{ioctl} with {name} = {handle:#x}");
            assert_eq!(arg, before, "{ioctl} wrote on failure");
            poke(page.address, 0);
        }
        seen += 1;
    }
    assert!(seen > 45, "{seen} rows");
}

#[test]
fn counts_beyond_their_limits_are_einval() {
    let rig = Rig::new();
    let page = Pages::private(4 << 20);
    let mut seen = 0;
    for row in rows() {
        let ioctl = ioctl_of(&row);
        let ty = ioctl.layout();
        for (name, limit) in row["limits"].as_object().unwrap() {
            if name.contains("[i]") {
                continue;
            }
            let high = limit.as_u64().or_else(|| limit.as_array()?.last()?.as_u64()).unwrap();
            let mut arg = plausible(&row, ioctl, page.address);
            set(&mut arg, ty, name, high + 1);
            // The handle is good where it can be, so that it is the count that is refused.
            let lookup = row["first_lookup"].as_str().unwrap();
            if lookup == "device:device" {
                set(&mut arg, ty, "device", u64::from(rig.device.0));
            }
            if lookup.starts_with("adapter:") {
                set(&mut arg, ty, "adapter", u64::from(rig.adapter.0));
            }
            assert_eq!(raw(&rig, ioctl, &mut arg), EINVAL, "{ioctl} with {name} = {}", high + 1);
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen} limits");
}

#[test]
fn bad_addresses_are_efault() {
    let rig = Rig::new();
    let node = &rig.node;
    let (device, context) = (rig.device, rig.context());
    let fence = rig.fence(0);
    let queue = rig.hw_queue();
    let paging_queue = rig.paging.paging_queue;
    for bad in [8, 0x7fff_ffff_f000, u64::MAX - 7] {
        fails(node, EnumAdapters2 { num_adapters: 1, adapters: bad, ..Default::default() }, EFAULT);
        fails(node, EnumAdapters3 { adapter_count: 1, adapters: bad, ..Default::default() }, EFAULT);
        fails(
            node,
            QueryAdapterInfo {
                adapter: rig.adapter,
                r#type: QueryAdapterInfoType::ADAPTERTYPE,
                private_data: bad,
                private_data_size: 4,
                ..Default::default()
            },
            EFAULT,
        );
        fails(node, CreateAllocation { device, alloc_count: 1, allocation_info: bad, ..Default::default() }, EFAULT);
        fails(node, MakeResident { paging_queue, alloc_count: 1, allocation_list: bad, ..Default::default() }, EFAULT);
        fails(node, Evict { device, alloc_count: 1, allocations: bad, ..Default::default() }, EFAULT);
        let good = [fence.handle];
        fails(node, SignalSynchronizationObjectFromCpu { objects: bad, ..cpu_signal(device, &good, &[1]) }, EFAULT);
        fails(
            node,
            SignalSynchronizationObjectFromCpu { fence_values: bad, ..cpu_signal(device, &good, &[1]) },
            EFAULT,
        );
        fails(
            node,
            WaitForSynchronizationObjectFromCpu { fence_values: bad, ..cpu_wait(device, &good, &[0], 0) },
            EFAULT,
        );
        fails(
            node,
            WaitForSynchronizationObjectFromGpu { monitored_fence_values: bad, ..gpu_wait(context, &good, &[0]) },
            EFAULT,
        );
        fails(
            node,
            SubmitCommand { priv_drv_data: bad, priv_drv_data_size: 1, ..rig.submit_call(context, 0, 0) },
            EFAULT,
        );
        fails(
            node,
            SubmitCommandToHwQueue {
                hwqueue: queue.queue,
                priv_drv_data: bad,
                priv_drv_data_size: 1,
                ..Default::default()
            },
            EFAULT,
        );
        fails(
            node,
            UpdateGpuVirtualAddress { device, num_operations: 1, operations: bad, ..Default::default() },
            EFAULT,
        );
        // Failures of the context's private data lose their reason, those of an escape's are
        // found after the fact.
        let priv_drv_data = bad;
        let priv_drv_data_size = 4;
        fails(node, CreateContextVirtual { device, priv_drv_data, priv_drv_data_size, ..Default::default() }, EINVAL);
    }
    assert_eq!(peek(fence.cpu), 0);
    // The adapter handles of the failed enumerations were taken back.
    let open = OpenAdapterFromLuid { adapter_luid: rig.luid, ..Default::default() };
    ok(node, CloseAdapter { adapter_handle: ok(node, open).adapter_handle });
    ok(node, CloseAdapter { adapter_handle: rig.adapter });
    fails(node, DestroyDevice { device }, EINVAL);
}

#[test]
fn a_forked_child_is_enotty() {
    let rig = Rig::new();
    // SAFETY: the child only calls the model, which answers before taking a lock, and exits.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let mut arg = EnumAdapters2::default();
        let code = i32::from(call(&rig.node, &mut arg) != ENOTTY);
        // SAFETY: ends the child without running anything else.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert_eq!(status, 0);
    ok(&rig.node, EnumAdapters2::default());
}

#[test]
fn random_bytes_do_no_harm() {
    use dxg_abi::Node;
    let rig = Rig::new();
    let page = Pages::private(1 << 20);
    let mut seed = 0x1234_5678_9abc_def0u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    // A model to be broken has a few objects to be found by chance.
    let context = rig.context();
    let queue = rig.hw_queue();
    let fence = rig.fence(0);
    let (allocation, va) = rig.buffer(64 << 10);
    let known = [
        rig.adapter.0,
        rig.device.0,
        rig.paging.paging_queue.0,
        rig.paging.sync_object.0,
        context.0,
        queue.queue.0,
        fence.handle.0,
        allocation.0,
    ];
    for _ in 0..30_000 {
        let ioctl = Ioctl::ALL[random() as usize % Ioctl::ALL.len()];
        // These would block, or leave nothing for the rest to find.
        let skip = [Ioctl::WaitForSynchronizationObjectFromCpu, Ioctl::DestroyDevice, Ioctl::CloseAdapter];
        if skip.contains(&ioctl) {
            continue;
        }
        let mut arg = vec![0u8; ioctl.arg_size()];
        for word in arg.chunks_exact_mut(4) {
            let value = match random() % 6 {
                0 => known[random() as usize % known.len()],
                1 => 1,
                2 => random() as u32,
                3 => (random() % 64) as u32,
                _ => 0,
            };
            word.copy_from_slice(&value.to_le_bytes());
        }
        if let Kind::Struct { fields, .. } = &ioctl.layout().kind {
            for f in fields.iter().filter(|f| f.size == 8 && f.ty.name == "u64") {
                let value = match random() % 5 {
                    0 => page.address,
                    1 => va,
                    2 => random(),
                    3 => 4096 * (random() % 64),
                    _ => 0,
                };
                arg[f.offset..f.offset + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
        // Nothing may write outside the test's page, so output pointers go there or nowhere.
        for i in 0..16 {
            poke(page.address + i * 8, u64::from(known[random() as usize % known.len()]));
        }
        let r = rig.node.ioctl(ioctl.request(), &mut arg);
        assert!(r <= PENDING, "{ioctl}: {r}");
    }
    // It still works, on a new device.
    let device = ok(&rig.node, CreateDevice { adapter: rig.adapter, ..Default::default() }).device;
    assert!(!device.is_null());
    ok(&rig.node, DestroyDevice { device });
}
