//! The loader–driver interface: exports, negotiation, look-up rules.

mod common;

use ash::vk;
use ash::vk::Handle;
use common::{driver, instance, instance_with, library_path, lookup, physical_device, World};
use object::{Object, ObjectSection, ObjectSymbol};

#[test]
fn only_the_three_symbols_are_exported() {
    let bytes = std::fs::read(library_path()).expect("library");
    let elf = object::File::parse(&*bytes).expect("ELF");
    let mut names: Vec<_> = elf
        .dynamic_symbols()
        .filter(|s| s.is_definition() && s.is_global())
        .filter_map(|s| s.name().ok().map(str::to_owned))
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["vk_icdGetInstanceProcAddr", "vk_icdGetPhysicalDeviceProcAddr", "vk_icdNegotiateLoaderICDInterfaceVersion"]
    );
}

#[test]
fn only_system_libraries_are_needed() {
    let bytes = std::fs::read(library_path()).expect("library");
    let text = String::from_utf8_lossy(&bytes);
    // A dynamic LLVM would clash with another one in the process.
    assert!(!text.contains("libLLVM-19.so") && !text.contains("libLLVM.so"));
}

#[test]
fn loading_runs_no_constructors_of_the_compiler() {
    let bytes = std::fs::read(library_path()).expect("library");
    let elf = object::File::parse(&*bytes).expect("ELF");
    let size = |name: &str| elf.section_by_name(name).map_or(0, |s| s.size());
    // A handful: those of the C and Rust run-times.
    assert!(size(".init_array") <= 4 * 8, "{} bytes of constructors", size(".init_array"));
    if cfg!(feature = "llvm") {
        assert!(size("llvm_constructors") > 100 * 8, "the code generator has nothing to run");
    }
}

#[test]
fn relocations_are_packed() {
    let bytes = std::fs::read(library_path()).expect("library");
    let elf = object::File::parse(&*bytes).expect("ELF");
    let size = |name: &str| elf.section_by_name(name).map_or(0, |s| s.size());
    assert!(size(".rela.dyn") < 256 << 10, "{} bytes of relocations", size(".rela.dyn"));
}

#[test]
fn interface_versions() {
    for (asked, result, got) in [
        (0, vk::Result::ERROR_INCOMPATIBLE_DRIVER, 0),
        (4, vk::Result::ERROR_INCOMPATIBLE_DRIVER, 4),
        (5, vk::Result::SUCCESS, 5),
        (6, vk::Result::SUCCESS, 6),
        (7, vk::Result::SUCCESS, 7),
        (99, vk::Result::SUCCESS, 7),
    ] {
        let mut v = asked;
        // SAFETY: a valid pointer.
        let r = unsafe { (driver().negotiate)(&mut v) };
        assert_eq!((r, v), (result, got));
    }
}

#[test]
fn without_an_instance_there_are_global_commands_only() {
    let null = vk::Instance::null();
    for name in [
        c"vkCreateInstance",
        c"vkEnumerateInstanceVersion",
        c"vkEnumerateInstanceExtensionProperties",
        c"vkEnumerateInstanceLayerProperties",
        c"vkGetInstanceProcAddr",
        c"vk_icdNegotiateLoaderICDInterfaceVersion",
        c"vk_icdGetPhysicalDeviceProcAddr",
    ] {
        assert!(lookup(null, name).is_some(), "{name:?}");
    }
    for name in [c"vkDestroyInstance", c"vkCreateDevice", c"vkCmdDispatch", c"vkGetDeviceProcAddr", c"vkNoSuchThing"] {
        assert!(lookup(null, name).is_none(), "{name:?}");
    }
}

#[test]
fn instance_commands_follow_version_and_extensions() {
    let old = instance_with(vk::API_VERSION_1_0, &[]);
    let debug = instance_with(vk::API_VERSION_1_0, &[c"VK_EXT_debug_utils"]);
    let get = |i: &ash::Instance, name| lookup(i.handle(), name).is_some();
    assert!(get(&old, c"vkDestroyInstance"));
    assert!(get(&old, c"vkCmdDispatch"));
    assert!(!get(&old, c"vkGetPhysicalDeviceFeatures2"));
    assert!(!get(&old, c"vkGetPhysicalDeviceFeatures2KHR"));
    assert!(!get(&old, c"vkCreateDebugUtilsMessengerEXT"));
    assert!(get(&debug, c"vkCreateDebugUtilsMessengerEXT"));
    assert!(get(&debug, c"vkCmdBeginDebugUtilsLabelEXT"));
    let new = instance();
    assert!(get(&new, c"vkGetPhysicalDeviceFeatures2"));
    assert!(get(&new, c"vkQueueSubmit2"));
    // Device extensions are not known before there is a device.
    assert!(get(&new, c"vkCmdPushDescriptorSetKHR"));
    for i in [old, debug, new] {
        // SAFETY: live and used no more.
        unsafe { i.destroy_instance(None) };
    }
}

#[test]
fn the_physical_device_look_up_knows_nothing_else() {
    let i = instance();
    // SAFETY: a live instance.
    let get = |name: &std::ffi::CStr| unsafe { (driver().gpdpa)(i.handle(), name.as_ptr()) }.is_some();
    assert!(get(c"vkGetPhysicalDeviceProperties2"));
    assert!(!get(c"vkDestroyInstance"));
    assert!(!get(c"vkCmdDispatch"));
    assert!(!get(c"vkNoSuchThing"));
    // SAFETY: live and used no more.
    unsafe { i.destroy_instance(None) };
}

#[test]
fn device_commands_follow_version_and_extensions() {
    let w = World::with(&[c"VK_KHR_push_descriptor"], None);
    let gdpa = w.instance.fp_v1_0().get_device_proc_addr;
    // SAFETY: a live device.
    let get = |name: &std::ffi::CStr| unsafe { gdpa(w.device.handle(), name.as_ptr()) }.is_some();
    for name in [c"vkCmdDispatch", c"vkQueueSubmit2", c"vkGetDeviceProcAddr", c"vkDestroyDevice"] {
        assert!(get(name), "{name:?}");
    }
    assert!(get(c"vkCmdPushDescriptorSetKHR"));
    assert!(get(c"vkSetDebugUtilsObjectNameEXT"), "enabled on the instance");
    // Not enabled, not device level, not known.
    for name in [
        c"vkQueueSubmit2KHR",
        c"vkMapMemory2KHR",
        c"vkDestroyInstance",
        c"vkGetPhysicalDeviceProperties",
        c"vkCreateInstance",
        c"vkNoSuchThing",
    ] {
        assert!(!get(name), "{name:?}");
    }
}

#[test]
fn every_core_device_command_has_an_address() {
    let w = World::new();
    let gdpa = w.instance.fp_v1_0().get_device_proc_addr;
    let list = include_str!("../../xtask/data/graphics-commands.txt");
    let mut checked = 0;
    let mut version = (0, 0);
    for line in list.lines() {
        if let Some(v) = line.strip_prefix("# Vulkan ") {
            let (a, b) = v.split_once('.').expect("version");
            version = (a.parse().expect("major"), b.parse().expect("minor"));
        } else if !line.starts_with('#') && version <= (1, 3) {
            let name = std::ffi::CString::new(line).expect("name");
            // SAFETY: a live device.
            assert!(unsafe { gdpa(w.device.handle(), name.as_ptr()) }.is_some(), "{line}");
            checked += 1;
        }
    }
    assert_eq!(checked, 51);
}

#[test]
fn dispatchable_handles_start_with_the_loaders_magic() {
    let w = World::new();
    let first = |raw: u64| {
        // SAFETY: dispatchable handles are pointers to a word for the loader.
        unsafe { *(raw as *const usize) }
    };
    let pool_info = vk::CommandPoolCreateInfo::default();
    // SAFETY: valid usage.
    unsafe {
        let pool = w.device.create_command_pool(&pool_info, None).expect("pool");
        let info = vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(1);
        let cb = w.device.allocate_command_buffers(&info).expect("buffers")[0];
        for raw in [
            w.instance.handle().as_raw(),
            physical_device(&w.instance).as_raw(),
            w.device.handle().as_raw(),
            w.queue.as_raw(),
            cb.as_raw(),
        ] {
            assert_eq!(first(raw), 0x01CD_C0DE);
        }
        w.device.destroy_command_pool(pool, None);
    }
}

#[test]
fn layers_and_unknown_extensions_are_refused() {
    let app = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
    let names = [c"VK_KHR_surface".as_ptr()];
    let info = vk::InstanceCreateInfo::default().application_info(&app).enabled_extension_names(&names);
    // SAFETY: valid except for the name.
    let r = unsafe { common::entry().create_instance(&info, None) };
    assert_eq!(r.err(), Some(vk::Result::ERROR_EXTENSION_NOT_PRESENT));
    let names = [c"VK_LAYER_NONE".as_ptr()];
    let info = vk::InstanceCreateInfo::default().application_info(&app).enabled_layer_names(&names);
    // SAFETY: valid except for the name.
    let r = unsafe { common::entry().create_instance(&info, None) };
    assert_eq!(r.err(), Some(vk::Result::ERROR_LAYER_NOT_PRESENT));
}

#[test]
fn newer_api_versions_are_never_refused() {
    let i = instance_with(vk::make_api_version(0, 1, 9, 0), &[]);
    assert!(!i.handle().is_null());
    // SAFETY: live and used no more.
    unsafe { i.destroy_instance(None) };
}

#[test]
fn the_manifests_version_is_the_drivers() {
    let mut version = 0;
    let f = lookup(vk::Instance::null(), c"vkEnumerateInstanceVersion").expect("global command");
    // SAFETY: the name's type.
    let f: vk::PFN_vkEnumerateInstanceVersion = unsafe { std::mem::transmute(f) };
    // SAFETY: a valid pointer.
    assert_eq!(unsafe { f(&mut version) }, vk::Result::SUCCESS);
    let (major, minor, patch) =
        (vk::api_version_major(version), vk::api_version_minor(version), vk::api_version_patch(version));
    let text = include_str!("../../manifests/api_version").trim();
    assert_eq!(text, format!("{major}.{minor}.{patch}"));
}
