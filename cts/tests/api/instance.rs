//! The loader's rules and what comes before a device.

use crate::support::*;
use ash::vk;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString};

tests! {
    proc_addresses_global, proc_addresses_instance, proc_addresses_device, versions, extension_enumeration,
    physical_device_enumeration, bad_layer_and_extension, many_instances, messenger, old_api_versions,
}

/// Core commands up to a version (1.x), as (level, name).
fn commands(minor: u32) -> Vec<(&'static str, CString)> {
    include_str!("commands.txt")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| {
            let mut w = l.split_whitespace();
            let version: u32 = w.next()?.strip_prefix("1.")?.parse().ok()?;
            let (level, name) = (w.next()?, w.next()?);
            (version <= minor).then(|| (level, CString::new(name).unwrap_or_default()))
        })
        .collect()
}

unsafe fn proc_addresses_global() -> R {
    let e = entry()?;
    let get = |n: &CStr| e.get_instance_proc_addr(vk::Instance::null(), n.as_ptr()).is_some();
    for name in [
        c"vkCreateInstance",
        c"vkEnumerateInstanceExtensionProperties",
        c"vkEnumerateInstanceLayerProperties",
        c"vkEnumerateInstanceVersion",
    ] {
        check!(get(name), "{name:?} is not found without an instance");
    }
    for name in [c"vkCreateDevice", c"vkEnumeratePhysicalDevices", c"vkQueueSubmit", c"vkNoSuchCommand", c""] {
        check!(!get(name), "{name:?} is found without an instance");
    }
    Ok(())
}

unsafe fn proc_addresses_instance() -> R {
    let i = Inst::new(vk::API_VERSION_1_3)?;
    let get = |n: &CStr| i.entry.get_instance_proc_addr(i.i.handle(), n.as_ptr()).is_some();
    let minor = vk::api_version_minor(i.entry.try_enumerate_instance_version()?.unwrap_or(vk::API_VERSION_1_0)).min(3);
    for (level, name) in commands(minor) {
        if level != "global" {
            check!(get(&name), "{name:?} is not found");
        }
    }
    for name in [c"vkNoSuchCommand", c"", c"vkCreateInstance\x01", c"CreateDevice"] {
        check!(!get(name), "{name:?} is found");
    }
    // Not enabled, so not there.
    check!(!get(c"vkCreateDebugUtilsMessengerEXT"));
    Ok(())
}

unsafe fn proc_addresses_device() -> R {
    let t = T::new(&[])?;
    let get =
        |d: &ash::Device, n: &CStr| (t.instance().fp_v1_0().get_device_proc_addr)(d.handle(), n.as_ptr()).is_some();
    let minor = vk::api_version_minor(t.props.api_version).min(3);
    for (level, name) in commands(minor) {
        let device = level == "device";
        // Loaders before 1.3.300 answer for a few instance commands too; drivers must not be asked for these at all.
        if device {
            check!(get(&t.d, &name), "{name:?} is not found");
        }
    }
    for name in
        [c"vkCreateInstance", c"vkEnumeratePhysicalDevices", c"vkGetPhysicalDeviceProperties", c"vkNoSuchCommand", c""]
    {
        check!(!get(&t.d, name), "{name:?} is found in a device");
    }
    // Commands of extensions that are not enabled are NULL, and there when they are.
    for (extension, command) in [
        (ash::khr::push_descriptor::NAME, c"vkCmdPushDescriptorSetKHR"),
        (ash::ext::external_memory_host::NAME, c"vkGetMemoryHostPointerPropertiesEXT"),
        (ash::khr::external_memory_fd::NAME, c"vkGetMemoryFdKHR"),
        (ash::khr::timeline_semaphore::NAME, c"vkGetSemaphoreCounterValueKHR"),
        (ash::khr::synchronization2::NAME, c"vkQueueSubmit2KHR"),
        (ash::khr::pipeline_executable_properties::NAME, c"vkGetPipelineExecutablePropertiesKHR"),
        (ash::ext::calibrated_timestamps::NAME, c"vkGetCalibratedTimestampsEXT"),
    ] {
        check!(!get(&t.d, command), "{command:?} is found without {extension:?}");
        let with = T::new(&[extension])?;
        if with.has(extension) {
            check!(get(&with.d, command), "{command:?} is not found with {extension:?}");
        }
    }
    Ok(())
}

unsafe fn versions() -> R {
    let i = Inst::new(vk::API_VERSION_1_3)?;
    let loader = i.entry.try_enumerate_instance_version()?.unwrap_or(vk::API_VERSION_1_0);
    check!(loader >= vk::API_VERSION_1_1);
    for p in i.i.enumerate_physical_devices()? {
        let props = i.i.get_physical_device_properties(p);
        same!(vk::api_version_variant(props.api_version), 0);
        same!(vk::api_version_major(props.api_version), 1);
        check!(vk::api_version_minor(props.api_version) >= 1);
        check!(!props.device_name_as_c_str()?.is_empty());
        check!(props.pipeline_cache_uuid != [0; 16]);
        println!("{:?} {:#x}", props.device_name_as_c_str(), props.driver_version);
    }
    Ok(())
}

/// Checks a two-call enumeration: counts, INCOMPLETE, no writing past the given count.
unsafe fn two_calls<E: Copy + Default>(what: &str, call: impl Fn(&mut u32, *mut E) -> vk::Result) -> R<Vec<E>> {
    let mut n = u32::MAX;
    same!(call(&mut n, std::ptr::null_mut()), vk::Result::SUCCESS, "({what}, asking for the count)");
    let mut all = vec![E::default(); n as usize + 1];
    let mut m = n + 1;
    same!(call(&mut m, all.as_mut_ptr()), vk::Result::SUCCESS, "({what}, with room to spare)");
    same!(m, n);
    all.truncate(n as usize);
    if n > 0 {
        let mut m = n - 1;
        let mut fewer = vec![E::default(); n as usize];
        same!(call(&mut m, fewer.as_mut_ptr()), vk::Result::INCOMPLETE, "({what}, one too few)");
        same!(m, n - 1);
        let mut m = 0;
        same!(call(&mut m, fewer.as_mut_ptr()), vk::Result::INCOMPLETE, "({what}, none)");
        same!(m, 0);
    }
    Ok(all)
}

fn no_duplicates(list: &[vk::ExtensionProperties]) -> R {
    let all = names(list);
    let set: BTreeSet<_> = all.iter().collect();
    check!(set.len() == all.len(), "an extension is listed twice");
    for (e, name) in list.iter().zip(&all) {
        check!(e.spec_version > 0, "{name:?} has version 0");
        check!(name.to_bytes().starts_with(b"VK_"), "{name:?} is no extension name");
    }
    Ok(())
}

unsafe fn extension_enumeration() -> R {
    let i = Inst::new(vk::API_VERSION_1_3)?;
    let fp = i.entry.fp_v1_0();
    let list =
        two_calls("instance extensions", |n, p| (fp.enumerate_instance_extension_properties)(std::ptr::null(), n, p))?;
    no_duplicates(&list)?;
    let p = i.first()?;
    let fi = i.i.fp_v1_0();
    let list = two_calls("device extensions", |n, out| {
        (fi.enumerate_device_extension_properties)(p, std::ptr::null(), n, out)
    })?;
    no_duplicates(&list)?;
    two_calls("device layers", |n, out| (fi.enumerate_device_layer_properties)(p, n, out))?;
    Ok(())
}

unsafe fn physical_device_enumeration() -> R {
    let i = Inst::new(vk::API_VERSION_1_3)?;
    let fi = i.i.fp_v1_0();
    let list = two_calls("devices", |n, p| (fi.enumerate_physical_devices)(i.i.handle(), n, p))?;
    check!(!list.is_empty());
    check!(list == i.i.enumerate_physical_devices()?, "handles change from call to call");
    let f11 = i.i.fp_v1_1();
    let groups = two_calls("groups", |n, p| (f11.enumerate_physical_device_groups)(i.i.handle(), n, p))?;
    let mut members: Vec<_> =
        groups.iter().flat_map(|g| g.physical_devices[..g.physical_device_count as usize].to_vec()).collect();
    let mut all = list.clone();
    members.sort();
    all.sort();
    check!(members == all, "each device must be in exactly one group");
    for p in list {
        let n = i.i.get_physical_device_queue_family_properties(p).len();
        let mut one = 1;
        let mut family = vk::QueueFamilyProperties::default();
        (fi.get_physical_device_queue_family_properties)(p, &mut one, &mut family);
        check!(one == 1 && n >= 1 && family.queue_count > 0);
        let tools = i.i.fp_v1_3();
        if i.i.get_physical_device_properties(p).api_version >= vk::API_VERSION_1_3 {
            two_calls("tools", |n, out| (tools.get_physical_device_tool_properties)(p, n, out))?;
        }
    }
    Ok(())
}

unsafe fn bad_layer_and_extension() -> R {
    let e = entry()?;
    let bad = [c"VK_LAYER_NO_such".as_ptr()];
    let result = e.create_instance(&vk::InstanceCreateInfo::default().enabled_layer_names(&bad), None);
    same!(result.err(), Some(vk::Result::ERROR_LAYER_NOT_PRESENT));
    let bad = [c"VK_NO_such_extension".as_ptr()];
    let result = e.create_instance(&vk::InstanceCreateInfo::default().enabled_extension_names(&bad), None);
    same!(result.err(), Some(vk::Result::ERROR_EXTENSION_NOT_PRESENT));
    Ok(())
}

unsafe fn many_instances() -> R {
    // Side by side, in threads, and again and again.
    let mut kept = Vec::new();
    for _ in 0..4 {
        kept.push(Inst::new(vk::API_VERSION_1_1)?);
    }
    for i in &kept {
        i.first()?;
    }
    drop(kept);
    std::thread::scope(|s| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                s.spawn(|| {
                    for _ in 0..4 {
                        let i = Inst::new(vk::API_VERSION_1_3)?;
                        let p = i.first()?;
                        let queue = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
                        let info = vk::DeviceCreateInfo::default().queue_create_infos(&queue);
                        let d = i.i.create_device(p, &info, None)?;
                        d.device_wait_idle()?;
                        d.destroy_device(None);
                    }
                    R::Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|t| t.join().unwrap_or_else(|_| Err(Stop::Fail("a thread panicked".into()))))
    })
}

static HEARD: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());

unsafe extern "system" fn hear(
    _: vk::DebugUtilsMessageSeverityFlagsEXT,
    _: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    user: *mut std::ffi::c_void,
) -> vk::Bool32 {
    let text = (*data).message_as_c_str().unwrap_or(c"").to_string_lossy().into_owned();
    HEARD.lock().unwrap_or_else(|e| e.into_inner()).push(format!("{}{text}", user as usize));
    vk::FALSE
}

unsafe fn messenger() -> R {
    let e = entry()?;
    let available = names(&e.enumerate_instance_extension_properties(None)?);
    need!(available.iter().any(|n| n.as_c_str() == ash::ext::debug_utils::NAME), "VK_EXT_debug_utils");
    let app = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_1);
    let extensions = [ash::ext::debug_utils::NAME.as_ptr()];
    let info = vk::InstanceCreateInfo::default().application_info(&app).enabled_extension_names(&extensions);
    let i = e.create_instance(&info, None)?;
    let ext = ash::ext::debug_utils::Instance::new(&e, &i);
    let info = |user: usize| {
        vk::DebugUtilsMessengerCreateInfoEXT::default()
            .message_severity(vk::DebugUtilsMessageSeverityFlagsEXT::WARNING)
            .message_type(vk::DebugUtilsMessageTypeFlagsEXT::GENERAL)
            .pfn_user_callback(Some(hear))
            .user_data(user as *mut _)
    };
    let a = ext.create_debug_utils_messenger(&info(1), None)?;
    let b = ext.create_debug_utils_messenger(&info(2), None)?;
    let submit = |severity, text| {
        let data = vk::DebugUtilsMessengerCallbackDataEXT::default().message(text);
        ext.submit_debug_utils_message(severity, vk::DebugUtilsMessageTypeFlagsEXT::GENERAL, &data);
        std::mem::take(&mut *HEARD.lock().unwrap_or_else(|e| e.into_inner()))
    };
    let warning = vk::DebugUtilsMessageSeverityFlagsEXT::WARNING;
    let mut both = submit(warning, c"hello");
    both.sort();
    same!(both, ["1hello", "2hello"]);
    same!(submit(vk::DebugUtilsMessageSeverityFlagsEXT::INFO, c"quiet"), Vec::<String>::new());
    ext.destroy_debug_utils_messenger(a, None);
    same!(submit(warning, c"again"), ["2again"]);
    ext.destroy_debug_utils_messenger(b, None);
    same!(submit(warning, c"nobody"), Vec::<String>::new());
    i.destroy_instance(None);
    Ok(())
}

unsafe fn old_api_versions() -> R {
    // No application info, version 0, 1.0, and a future one all make instances.
    let e = entry()?;
    let i = e.create_instance(&vk::InstanceCreateInfo::default(), None)?;
    i.destroy_instance(None);
    for version in [0, vk::API_VERSION_1_0, vk::API_VERSION_1_2, vk::make_api_version(0, 1, 9, 0)] {
        let i = Inst::new(version)?;
        check!(!i.i.enumerate_physical_devices()?.is_empty(), "no device for an instance of version {version:#x}");
    }
    Ok(())
}
