//! What the Vulkan loader makes of the system. A process of its own asks it, since the loader loads every driver there is.

use crate::manifests::{self, Manifest, VARIABLES};
use crate::system::System;
use ash::vk;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The argument that makes the program only ask the loader.
pub const ASK: &str = "--ask-loader";

/// How long drivers may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A device that the loader lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Name.
    pub name: String,
    /// API version.
    pub api_version: String,
    /// `VkPhysicalDeviceType`, as a word.
    pub kind: String,
    /// Vendor.
    pub vendor: u32,
    /// Device.
    pub device: u32,
    /// Name of the driver, if the device tells.
    pub driver: Option<String>,
    /// Whether it is this driver's.
    pub ours: bool,
}

/// What asking gives.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Instance version of the loader, if there is one.
    pub version: Option<String>,
    /// The devices.
    pub devices: Vec<Device>,
    /// Why there is nothing more.
    pub error: Option<String>,
}

/// The loader's view.
#[derive(Clone, Debug, Serialize)]
pub struct Loader {
    /// Variables that decide about drivers, where they are set.
    pub environment: BTreeMap<&'static str, String>,
    /// Files and folders that are searched, in order.
    pub search: Vec<String>,
    /// The manifests that are found there.
    pub manifests: Vec<Manifest>,
    /// What the loader itself says.
    pub answer: Answer,
}

impl Loader {
    /// What to do about what is amiss.
    pub fn hints(&self) -> Vec<String> {
        let mut out = Vec::new();
        let ours = |m: &&Manifest| m.ours;
        let usable = |m: &Manifest| m.ours && m.problem.is_none();
        if !self.manifests.iter().any(usable) {
            out.push(match self.manifests.iter().find(ours) {
                Some(m) => {
                    format!("the loader does not use {}: {}", m.path, m.problem.as_deref().unwrap_or("unknown"))
                }
                None => {
                    "no manifest of this driver is where the loader looks: 'manifests/install.sh' installs one, or set \
                         VK_DRIVER_FILES to the one that 'cargo xtask manifest --release' writes"
                        .to_owned()
                }
            });
        } else if self.answer.error.is_none() && !self.answer.devices.iter().any(|d| d.ours) {
            out.push(
                "the loader knows this driver's manifest but lists no device of it: VK_LOADER_DEBUG=all tells why"
                    .to_owned(),
            );
        }
        if let Some(error) = &self.answer.error {
            out.push(error.clone());
        }
        out
    }
}

/// Looks at files and asks the loader.
pub fn look(system: &System) -> Loader {
    let environment = VARIABLES.iter().filter_map(|v| Some((*v, (system.variable)(v)?))).collect();
    let search = manifests::search(system).iter().map(|p| p.display().to_string()).collect();
    Loader { environment, search, manifests: manifests::find(system), answer: ask_apart() }
}

/// Asks in a process of its own.
fn ask_apart() -> Answer {
    let failed = |text: String| Answer { error: Some(text), ..Answer::default() };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(e) => return failed(format!("the loader cannot be asked: {e}")),
    };
    let child =
        Command::new(program).arg(ASK).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => return failed(format!("the loader cannot be asked: {e}")),
    };
    let out = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut out) = out {
            let _ = std::io::Read::read_to_string(&mut out, &mut text);
        }
        text
    });
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                let limit = LIMIT.as_secs();
                return failed(format!("a driver of the system hangs when it is loaded (waited for {limit} s)"));
            }
        }
    };
    let text = reader.join().unwrap_or_default();
    match serde_json::from_str(&text) {
        Ok(answer) => answer,
        Err(_) => failed(format!("a driver of the system ends the program that loads it ({status})")),
    }
}

/// Asks the loader here, for the process that must not die of it; JSON.
pub fn ask() -> String {
    let answer =
        devices().unwrap_or_else(|(version, error)| Answer { version, error: Some(error), devices: Vec::new() });
    serde_json::to_string(&answer).unwrap_or_default()
}

fn version(v: u32) -> String {
    format!("{}.{}.{}", vk::api_version_major(v), vk::api_version_minor(v), vk::api_version_patch(v))
}

fn devices() -> Result<Answer, (Option<String>, String)> {
    // SAFETY: loading the loader runs its initialisers, which is what was asked for.
    let entry = unsafe { ash::Entry::load() }
        .map_err(|e| (None, format!("there is no Vulkan loader (Debian: apt install libvulkan1): {e}")))?;
    // SAFETY: the loader is loaded.
    let ours = unsafe { entry.try_enumerate_instance_version() }.ok().flatten().unwrap_or(vk::API_VERSION_1_0);
    let shown = Some(version(ours));
    let application = vk::ApplicationInfo::default().api_version(ours.min(vk::API_VERSION_1_3));
    let info = vk::InstanceCreateInfo::default().application_info(&application);
    // SAFETY: the structure is complete and names no layers or extensions.
    let instance = unsafe { entry.create_instance(&info, None) }.map_err(|e| {
        let text = match e {
            vk::Result::ERROR_INCOMPATIBLE_DRIVER => "the loader finds no driver that works".to_owned(),
            other => format!("the loader makes no instance: {other:?}"),
        };
        (shown.clone(), text)
    })?;
    // SAFETY: the instance is live, here and below, and destroyed last.
    let found = unsafe { instance.enumerate_physical_devices() };
    let list = found.map(|list| list.into_iter().map(|d| device(&instance, d)).collect());
    // SAFETY: nothing of the instance is used any more.
    unsafe { instance.destroy_instance(None) };
    match list {
        Ok(devices) => Ok(Answer { version: shown, devices, error: None }),
        Err(e) => Err((shown, format!("the loader lists no devices: {e:?}"))),
    }
}

fn device(instance: &ash::Instance, device: vk::PhysicalDevice) -> Device {
    // SAFETY: a physical device of this live instance.
    let p = unsafe { instance.get_physical_device_properties(device) };
    let mut driver = None;
    let mut ours = false;
    if p.api_version >= vk::API_VERSION_1_2 {
        let mut about = vk::PhysicalDeviceDriverProperties::default();
        let mut all = vk::PhysicalDeviceProperties2::default().push_next(&mut about);
        // SAFETY: as above; the device is of a version that has both structures.
        unsafe { instance.get_physical_device_properties2(device, &mut all) };
        driver = about.driver_name_as_c_str().ok().map(|n| n.to_string_lossy().into_owned());
        ours = driver.as_deref() == Some("vulkan-dxg");
    }
    Device {
        name: p.device_name_as_c_str().map_or_else(|_| String::new(), |n| n.to_string_lossy().into_owned()),
        api_version: version(p.api_version),
        kind: match p.device_type {
            vk::PhysicalDeviceType::CPU => "cpu",
            vk::PhysicalDeviceType::DISCRETE_GPU => "discrete",
            vk::PhysicalDeviceType::INTEGRATED_GPU => "integrated",
            vk::PhysicalDeviceType::VIRTUAL_GPU => "virtual",
            _ => "other",
        }
        .to_owned(),
        vendor: p.vendor_id,
        device: p.device_id,
        driver,
        ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loader(manifests: Vec<Manifest>, devices: Vec<Device>) -> Loader {
        let answer = Answer { devices, ..Answer::default() };
        Loader { environment: BTreeMap::new(), search: Vec::new(), manifests, answer }
    }

    #[test]
    fn hints_lead_to_the_device() {
        let manifest = |problem: Option<&str>| Manifest {
            path: "/x.json".to_owned(),
            library: None,
            api_version: None,
            ours: true,
            problem: problem.map(str::to_owned),
        };
        let device = Device {
            name: String::new(),
            api_version: String::new(),
            kind: String::new(),
            vendor: 0,
            device: 0,
            driver: None,
            ours: true,
        };
        assert!(loader(vec![], vec![]).hints()[0].contains("install.sh"));
        assert!(loader(vec![manifest(Some("it is not there"))], vec![]).hints()[0].contains("/x.json: it is not there"));
        assert!(loader(vec![manifest(None)], vec![]).hints()[0].contains("VK_LOADER_DEBUG"));
        assert_eq!(loader(vec![manifest(None)], vec![device]).hints(), [""; 0]);
    }
}
