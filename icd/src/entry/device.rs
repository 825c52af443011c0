//! Devices and their queues.

use super::{Callbacks, VkResult};
use crate::edge::{create, Allocator, In, Out, OutSlice, Slice, Taken};
use crate::extensions::{self, ExtensionTable};
use crate::features;
use crate::generated::types;
use crate::objects::{Device, DeviceCore, Owned, PhysicalDevice, Queue};
use crate::reports::memory_reports;
use ash::vk;
use ash::vk::Handle;
use runtime::{DeviceCreate, DeviceFeatures, QueueCreate};
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use winsys_dxg::uncancelled;

/// Says why a device is refused to those who listen.
fn refuse(pd: &PhysicalDevice, code: vk::Result, text: &str) -> vk::Result {
    pd.instance.messengers.send(
        vk::DebugUtilsMessageSeverityFlagsEXT::ERROR,
        vk::DebugUtilsMessageTypeFlagsEXT::GENERAL,
        &format!("{code:?}"),
        text,
        &[],
    );
    code
}

fn enabled_extensions(pd: &PhysicalDevice, info: In<'_, vk::DeviceCreateInfo<'_>>) -> VkResult<ExtensionTable> {
    let mut table = ExtensionTable::default();
    for name in info.enabled_extension_names() {
        let known = extensions::by_name(name).filter(|i| pd.extensions.get(i.id));
        let Some(i) = known else {
            let text = format!("{} is not supported", name.to_string_lossy());
            return Err(refuse(pd, vk::Result::ERROR_EXTENSION_NOT_PRESENT, &text));
        };
        table.set(i.id, true);
    }
    Ok(table)
}

fn queues(pd: &PhysicalDevice, info: In<'_, vk::DeviceCreateInfo<'_>>) -> VkResult<Vec<QueueCreate>> {
    info.queue_create_infos()
        .iter()
        .map(|q| {
            let family = pd.rt.queue_families().get(q.queue_family_index as usize);
            let fits = family.is_some_and(|f| q.queue_count <= f.count)
                && !q.flags.contains(vk::DeviceQueueCreateFlags::PROTECTED);
            if !fits {
                return Err(refuse(pd, vk::Result::ERROR_INITIALIZATION_FAILED, "more queues than the family has"));
            }
            let priority = q
                .next::<vk::DeviceQueueGlobalPriorityCreateInfoKHR<'_>>()
                .map_or(vk::QueueGlobalPriorityKHR::MEDIUM, |g| g.global_priority);
            Ok(QueueCreate { family: q.queue_family_index, count: q.queue_count, flags: q.flags, priority })
        })
        .collect()
}

pub fn create_device(
    pd: &PhysicalDevice,
    info: In<'_, vk::DeviceCreateInfo<'_>>,
    callbacks: Callbacks<'_>,
    out: Out<'_, vk::Device>,
) -> VkResult {
    let alloc = Allocator::choose(callbacks, &pd.instance.alloc);
    let extensions = enabled_extensions(pd, info)?;
    let features = features::requested(info, &pd.features).map_err(|missing| {
        let text = format!("features not supported: {}", missing.join(", "));
        refuse(pd, vk::Result::ERROR_FEATURE_NOT_PRESENT, &text)
    })?;
    let no_internal_cache = info
        .next::<types::DevicePipelineBinaryInternalCacheControlKHR<'_>>()
        .is_some_and(|c| c.disable_internal_cache != vk::FALSE);
    let create_info = DeviceCreate {
        queues: queues(pd, info)?,
        features: DeviceFeatures {
            robust_buffer_access: features.robustBufferAccess,
            robust_buffer_access2: features.robustBufferAccess2,
            robust_image_access: features.robustImageAccess,
            robust_image_access2: features.robustImageAccess2,
            null_descriptor: features.nullDescriptor,
            descriptors_anywhere: features.descriptorBuffer || features.descriptorHeap,
            no_kernel_cache: crate::env::options().debug.nocache || no_internal_cache,
        },
    };
    // The device learns its own handle after it is made, through this reference.
    let mut made: Option<Arc<DeviceCore>> = None;
    let mut handle = vk::Device::null();
    // SAFETY: a valid place for a handle.
    let slot = unsafe { Out::new(&mut handle) };
    let result = create(&alloc, callbacks, slot, || {
        let rt = runtime::Device::new(&pd.rt, &create_info).map_err(|e| refuse(pd, e.vk(), &e.message()))?;
        let core = Arc::new(DeviceCore {
            rt,
            api_version: pd.instance.api_version.min(pd.api_version),
            extensions,
            instance_extensions: pd.instance.extensions,
            features,
            alloc,
            messengers: pd.instance.messengers.clone(),
            memory_reports: memory_reports(info),
            handle: AtomicU64::new(0),
        });
        let mut queues = HashMap::new();
        for q in &create_info.queues {
            for index in 0..q.count {
                let rt = core
                    .rt
                    .queue_with_flags(q.family, index, q.flags)
                    .ok_or(vk::Result::ERROR_INITIALIZATION_FAILED)?
                    .clone();
                let queue = Queue { rt, device: core.clone(), flags: q.flags };
                queues.insert((q.family, index), Owned::new(&alloc, || Ok(queue))?);
            }
        }
        made = Some(core.clone());
        Ok(Device::new(core, queues))
    });
    if let Some(core) = made {
        core.handle.store(handle.as_raw(), std::sync::atomic::Ordering::Relaxed);
    }
    out.set(handle);
    result
}

pub fn destroy_device(device: Taken<'_, vk::Device>, callbacks: Callbacks<'_>) {
    let alloc = device.object().map(|d| d.alloc).unwrap_or_default();
    if let Some(device) = device.object() {
        device.rt.retire();
    }
    device.destroy(&Allocator::choose(callbacks, &alloc));
}

fn queue(device: &Device, family: u32, index: u32, flags: vk::DeviceQueueCreateFlags) -> vk::Queue {
    device.queues.get(&(family, index)).filter(|q| q.object().flags == flags).map_or(vk::Queue::null(), Owned::handle)
}

pub fn get_device_queue(device: &Device, family: u32, index: u32, out: Out<'_, vk::Queue>) {
    out.set(queue(device, family, index, vk::DeviceQueueCreateFlags::empty()));
}

pub fn get_device_queue2(device: &Device, info: In<'_, vk::DeviceQueueInfo2<'_>>, out: Out<'_, vk::Queue>) {
    out.set(queue(device, info.queue_family_index, info.queue_index, info.flags));
}

pub fn device_wait_idle(device: &Device) -> VkResult {
    uncancelled(|| device.ok(device.rt.wait_idle()))
}

/// A group has one device, so it has no peers.
pub fn get_device_group_peer_memory_features(
    _device: &Device,
    _heap: u32,
    _local: u32,
    _remote: u32,
    out: Out<'_, vk::PeerMemoryFeatureFlags>,
) {
    out.set(
        vk::PeerMemoryFeatureFlags::COPY_SRC
            | vk::PeerMemoryFeatureFlags::COPY_DST
            | vk::PeerMemoryFeatureFlags::GENERIC_SRC
            | vk::PeerMemoryFeatureFlags::GENERIC_DST,
    );
}

/// Nanoseconds of a host clock.
fn host_clock(domain: vk::TimeDomainKHR) -> Option<u64> {
    use rustix::time::{clock_gettime, ClockId};
    let id = match domain {
        vk::TimeDomainKHR::CLOCK_MONOTONIC => ClockId::Monotonic,
        vk::TimeDomainKHR::CLOCK_MONOTONIC_RAW => ClockId::MonotonicRaw,
        _ => return None,
    };
    let t = clock_gettime(id);
    Some(t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64)
}

pub fn get_calibrated_timestamps_khr(
    device: &Device,
    infos: Slice<'_, vk::CalibratedTimestampInfoKHR<'_>>,
    mut out: OutSlice<'_, u64>,
    deviation: Out<'_, u64>,
) -> VkResult {
    // Everything is read between two looks at one clock; their distance bounds how far apart the values can be.
    let now = || host_clock(vk::TimeDomainKHR::CLOCK_MONOTONIC).unwrap_or(0);
    let begin = now();
    for (i, info) in infos.iter().enumerate() {
        let value = match info.time_domain {
            vk::TimeDomainKHR::DEVICE => device.rt.timestamp_now(),
            other => host_clock(other),
        };
        out.set(i, value.ok_or(vk::Result::ERROR_UNKNOWN)?);
    }
    let period = device.rt.props().limits.timestamp_period.max(1.0) as u64;
    deviation.set(now().saturating_sub(begin) + period);
    Ok(())
}
