//! Looking commands up, and the three symbols the library exports.

use crate::edge::{guard, opt, opt_str};
use crate::extensions::{self, ExtensionTable};
use crate::generated::commands::ENTRIES;
use crate::generated::extensions::Extension;
use crate::objects;
use ash::vk;
use std::ffi::c_char;

/// What a command's first parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// No object: may be looked up without an instance.
    Global,
    /// `VkInstance`.
    Instance,
    /// `VkPhysicalDevice`.
    PhysicalDevice,
    /// `VkDevice`, `VkQueue` or `VkCommandBuffer`.
    Device,
}

/// A command's address without its signature.
pub type Pfn = unsafe extern "system" fn();

/// "In no core version", greater than every version.
pub const NOT_CORE: u32 = u32::MAX;

/// A row of the table of commands.
#[derive(Debug)]
pub struct Entry {
    /// The registry's name.
    pub name: &'static str,
    /// What it is called on.
    pub level: Level,
    /// Core version that provides it, or [`NOT_CORE`].
    pub core: u32,
    /// Extensions that provide it.
    pub extensions: &'static [Extension],
    /// The thunk.
    pub pfn: Pfn,
}

/// Forgets the signature of a thunk, after checking it against the bindings' type for the command.
macro_rules! erase {
    ($thunk:ident: $pfn:ty = $path:path) => {{
        let typed: $pfn = $path;
        // SAFETY: function pointers have one size; callers cast back to the type the name stands for.
        unsafe { std::mem::transmute::<$pfn, $crate::entrypoints::Pfn>(typed) }
    }};
}
pub(crate) use erase;

fn find(name: &[u8]) -> Option<&'static Entry> {
    ENTRIES.binary_search_by(|e| e.name.as_bytes().cmp(name)).ok().map(|i| &ENTRIES[i])
}

impl Entry {
    /// Whether the command may be used with an API version and a set of enabled extensions.
    fn enabled(&self, version: u32, extensions: &ExtensionTable) -> bool {
        self.core <= version || self.extensions.iter().any(|e| extensions.get(*e))
    }
}

/// vkGetInstanceProcAddr.
pub fn instance_proc_addr(instance: Option<&objects::Instance>, name: &[u8]) -> Option<Pfn> {
    // The loader's own questions, for those who use the driver without exported symbols.
    match name {
        b"vk_icdNegotiateLoaderICDInterfaceVersion" => {
            return Some(
                erase!(negotiate: unsafe extern "system" fn(*mut u32) -> vk::Result = vk_icdNegotiateLoaderICDInterfaceVersion),
            );
        }
        b"vk_icdGetPhysicalDeviceProcAddr" => {
            return Some(
                erase!(gpdpa: unsafe extern "system" fn(vk::Instance, *const c_char) -> Option<Pfn> = vk_icdGetPhysicalDeviceProcAddr),
            );
        }
        b"vk_icdGetInstanceProcAddr" => {
            return Some(
                erase!(gipa: unsafe extern "system" fn(vk::Instance, *const c_char) -> Option<Pfn> = vk_icdGetInstanceProcAddr),
            );
        }
        _ => {}
    }
    let entry = find(name)?;
    let Some(instance) = instance else {
        return (entry.level == Level::Global || entry.name == "vkGetInstanceProcAddr").then_some(entry.pfn);
    };
    match entry.level {
        Level::Global => Some(entry.pfn),
        Level::Instance => entry.enabled(instance.api_version, &instance.extensions).then_some(entry.pfn),
        // What a device extension provides is there as soon as any device may have it.
        Level::PhysicalDevice | Level::Device => (entry.enabled(instance.api_version, &instance.extensions)
            || entry.extensions.iter().any(|e| !extensions::info(*e).instance))
        .then_some(entry.pfn),
    }
}

/// vkGetDeviceProcAddr.
pub fn device_proc_addr(device: &objects::DeviceCore, name: &[u8]) -> Option<Pfn> {
    let entry = find(name)?;
    let usable = entry.level == Level::Device
        && (entry.enabled(device.api_version, &device.extensions)
            // Device-level commands of instance extensions: debug utilities.
            || entry.extensions.iter().any(|e| extensions::info(*e).instance && device.instance_extensions.get(*e)));
    usable.then_some(entry.pfn)
}

/// The interface versions this driver speaks.
const INTERFACE: std::ops::RangeInclusive<u32> = 5..=7;

/// Agrees on a version of the loader–driver interface.
///
/// # Safety
/// `version` is null or points at a `u32`, as the loader guarantees.
#[no_mangle]
pub unsafe extern "system" fn vk_icdNegotiateLoaderICDInterfaceVersion(version: *mut u32) -> vk::Result {
    // SAFETY: this function's contract.
    let Some(version) = (unsafe { version.as_mut() }) else {
        return vk::Result::ERROR_INITIALIZATION_FAILED;
    };
    if *version < *INTERFACE.start() {
        return vk::Result::ERROR_INCOMPATIBLE_DRIVER;
    }
    *version = (*version).min(*INTERFACE.end());
    vk::Result::SUCCESS
}

/// The loader's way to every command.
///
/// # Safety
/// `instance` is null or live, `name` null or a NUL-terminated string, as the loader guarantees.
#[no_mangle]
pub unsafe extern "system" fn vk_icdGetInstanceProcAddr(instance: vk::Instance, name: *const c_char) -> Option<Pfn> {
    guard("vk_icdGetInstanceProcAddr", None, || {
        // SAFETY: this function's contract.
        let (instance, name) = unsafe { (opt(instance), opt_str(name)?) };
        instance_proc_addr(instance, name.to_bytes())
    })
}

/// The loader's way to commands whose first parameter is a physical device.
///
/// # Safety
/// As for [`vk_icdGetInstanceProcAddr`].
#[no_mangle]
pub unsafe extern "system" fn vk_icdGetPhysicalDeviceProcAddr(
    instance: vk::Instance,
    name: *const c_char,
) -> Option<Pfn> {
    guard("vk_icdGetPhysicalDeviceProcAddr", None, || {
        // SAFETY: this function's contract.
        let (instance, name) = unsafe { (opt(instance), opt_str(name)?) };
        let entry = find(name.to_bytes()).filter(|e| e.level == Level::PhysicalDevice)?;
        instance_proc_addr(instance, entry.name.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_unique() {
        assert!(ENTRIES.windows(2).all(|w| w[0].name < w[1].name));
    }

    #[test]
    fn every_row_can_be_provided_by_something() {
        for e in &ENTRIES {
            assert!(e.core != NOT_CORE || !e.extensions.is_empty(), "{}", e.name);
        }
    }

    #[test]
    fn versions_and_extensions_gate_commands() {
        let none = ExtensionTable::default();
        let submit2 = find(b"vkQueueSubmit2").expect("core command");
        assert!(submit2.enabled(vk::API_VERSION_1_3, &none));
        assert!(!submit2.enabled(vk::API_VERSION_1_2, &none));
        let khr = find(b"vkQueueSubmit2KHR").expect("extension command");
        assert!(!khr.enabled(vk::API_VERSION_1_3, &none));
        let mut with = none;
        with.set(Extension::KHR_synchronization2, true);
        assert!(khr.enabled(vk::API_VERSION_1_0, &with));
        assert!(find(b"vkNoSuchCommand").is_none());
    }

    #[test]
    fn interface_versions_outside_the_range_are_settled() {
        for (asked, result, got) in [
            (4, vk::Result::ERROR_INCOMPATIBLE_DRIVER, 4),
            (5, vk::Result::SUCCESS, 5),
            (7, vk::Result::SUCCESS, 7),
            (9, vk::Result::SUCCESS, 7),
        ] {
            let mut v = asked;
            // SAFETY: a valid pointer.
            let r = unsafe { vk_icdNegotiateLoaderICDInterfaceVersion(&mut v) };
            assert_eq!((r, v), (result, got));
        }
    }
}
