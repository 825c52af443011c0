//! What the dispatchable handles stand for: runtime objects with what the C edge needs beside them.

use crate::disk_cache::DiskCache;
use crate::edge::{Allocator, Block, Dispatch};
use crate::extensions::ExtensionTable;
use crate::features::FeatureTable;
use crate::messenger::{Messengers, Subject};
use crate::node::Platform;
use ash::vk;
use ash::vk::Handle;
use std::collections::HashMap;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

/// A dispatchable object owned by its parent rather than by the application.
#[derive(Debug)]
pub struct Owned<H: Dispatch> {
    block: NonNull<Block<H::Object>>,
    alloc: Allocator,
}

// SAFETY: the block is owned; sharing it is sharing its object.
unsafe impl<H: Dispatch> Send for Owned<H> where H::Object: Send + Sync {}
// SAFETY: as above.
unsafe impl<H: Dispatch> Sync for Owned<H> where H::Object: Send + Sync {}

impl<H: Dispatch> Owned<H> {
    /// Moves an object into memory of the allocator.
    ///
    /// # Errors
    /// `ERROR_OUT_OF_HOST_MEMORY`, and those of `make`.
    pub fn new(alloc: &Allocator, make: impl FnOnce() -> Result<H::Object, vk::Result>) -> Result<Self, vk::Result> {
        let block = Block::allocate(alloc, vk::SystemAllocationScope::OBJECT, make)?;
        Ok(Self { block, alloc: *alloc })
    }

    /// Its handle, valid as long as this value lives.
    pub fn handle(&self) -> H {
        H::of(self.block)
    }

    /// The object.
    pub fn object(&self) -> &H::Object {
        // SAFETY: the block is owned and live.
        unsafe { self.block.as_ref() }.object()
    }
}

impl<H: Dispatch> Drop for Owned<H> {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with this allocator and dropped once.
        unsafe { Block::release(self.block, &self.alloc) };
    }
}

/// `VkInstance`.
#[derive(Debug)]
pub struct Instance {
    /// The version the application asked for, at most what the driver has.
    pub api_version: u32,
    /// Enabled extensions.
    pub extensions: ExtensionTable,
    /// Callbacks the instance was made with.
    pub alloc: Allocator,
    /// Who listens.
    pub messengers: Arc<Messengers>,
    /// The physical devices, in order of preference.
    pub physical_devices: Vec<Owned<vk::PhysicalDevice>>,
    /// Messengers of the instance's creation info, for its destruction.
    pub rt: Arc<runtime::Instance>,
    /// Keeps the node and its adapters for the next instance.
    pub platform: Arc<Platform>,
}

/// What physical devices know of their instance.
#[derive(Clone, Debug)]
pub struct InstanceFacts {
    /// See [`Instance::api_version`].
    pub api_version: u32,
    /// See [`Instance::extensions`].
    pub extensions: ExtensionTable,
    /// See [`Instance::alloc`].
    pub alloc: Allocator,
    /// See [`Instance::messengers`].
    pub messengers: Arc<Messengers>,
}

/// `VkPhysicalDevice`.
#[derive(Debug)]
pub struct PhysicalDevice {
    /// The runtime's object.
    pub rt: Arc<runtime::PhysicalDevice>,
    /// Supported features.
    pub features: FeatureTable,
    /// Supported extensions.
    pub extensions: ExtensionTable,
    /// Reported version.
    pub api_version: u32,
    /// What it knows of its instance.
    pub instance: InstanceFacts,
}

/// What a device's children share.
#[derive(Debug)]
pub struct DeviceCore {
    /// The runtime's object.
    pub rt: Arc<runtime::Device>,
    /// The version the instance was made for, at most the physical device's.
    pub api_version: u32,
    /// Enabled device extensions.
    pub extensions: ExtensionTable,
    /// Extensions enabled on the instance.
    pub instance_extensions: ExtensionTable,
    /// Enabled features.
    pub features: FeatureTable,
    /// Callbacks the device was made with, or the instance's.
    pub alloc: Allocator,
    /// Who listens.
    pub messengers: Arc<Messengers>,
    /// Who hears of memory.
    pub memory_reports: Vec<crate::reports::MemoryReport>,
    /// The device's handle, for messages.
    pub handle: AtomicU64,
}

impl DeviceCore {
    /// A message of the driver about an object of this device.
    pub fn say(
        &self,
        severity: vk::DebugUtilsMessageSeverityFlagsEXT,
        id: &str,
        text: &str,
        about: Option<(vk::ObjectType, u64)>,
    ) {
        let subject = |ty, handle| Subject { ty, handle, name: self.rt.name(ty, handle) };
        let mut subjects = vec![subject(vk::ObjectType::DEVICE, self.handle.load(Ordering::Relaxed))];
        if let Some((ty, handle)) = about {
            subjects.insert(0, subject(ty, handle));
        }
        self.messengers.send(severity, vk::DebugUtilsMessageTypeFlagsEXT::GENERAL, id, text, &subjects);
    }

    /// A message about the GPU addresses of an object.
    pub fn say_of_addresses(
        &self,
        binding: &vk::DeviceAddressBindingCallbackDataEXT<'_>,
        (ty, handle): (vk::ObjectType, u64),
    ) {
        self.messengers.send_with(
            vk::DebugUtilsMessageSeverityFlagsEXT::INFO,
            vk::DebugUtilsMessageTypeFlagsEXT::DEVICE_ADDRESS_BINDING,
            "address binding",
            "the GPU addresses of an object change",
            &[Subject { ty, handle, name: self.rt.name(ty, handle) }],
            Some(binding),
        );
    }

    /// The code of a runtime error, after telling those who listen what happened.
    pub fn fail(&self, e: &runtime::Error) -> vk::Result {
        self.fail_about(e, None)
    }

    /// As [`DeviceCore::fail`], about an object.
    pub fn fail_about(&self, e: &runtime::Error, about: Option<(vk::ObjectType, u64)>) -> vk::Result {
        let code = e.vk();
        // Success codes and running out of pool space are answers, not troubles.
        if code.as_raw() < 0
            && code != vk::Result::ERROR_OUT_OF_POOL_MEMORY
            && code != vk::Result::ERROR_FRAGMENTED_POOL
        {
            self.say(vk::DebugUtilsMessageSeverityFlagsEXT::ERROR, &format!("{code:?}"), &e.message(), about);
        }
        code
    }

    /// Turns a runtime result into what entry points return.
    ///
    /// # Errors
    /// The code of the runtime's error.
    pub fn ok<T>(&self, r: runtime::Result<T>) -> Result<T, vk::Result> {
        r.map_err(|e| self.fail(&e))
    }
}

/// `VkDevice`.
#[derive(Debug)]
pub struct Device {
    /// What its children share.
    pub core: Arc<DeviceCore>,
    /// Its queues, by family and index.
    pub queues: HashMap<(u32, u32), Owned<vk::Queue>>,
    /// Whether the report of its loss was taken.
    pub fault_reported: AtomicBool,
    /// Whether the runtime knows of the kernels on disk; from the first pipeline on.
    disk: Once,
}

impl Device {
    /// A device with its queues.
    pub fn new(core: Arc<DeviceCore>, queues: HashMap<(u32, u32), Owned<vk::Queue>>) -> Self {
        Self { core, queues, fault_reported: AtomicBool::new(false), disk: Once::new() }
    }

    /// Makes sure that kernels on disk are known before pipelines are made.
    pub fn open_disk_cache(&self) {
        self.disk.call_once(|| {
            if let Some(disk) = DiskCache::open(crate::env::options()) {
                self.core.rt.set_kernel_store(Arc::new(disk));
            }
        });
    }
}

impl Deref for Device {
    type Target = DeviceCore;

    fn deref(&self) -> &DeviceCore {
        &self.core
    }
}

/// `VkQueue`.
#[derive(Debug)]
pub struct Queue {
    /// The runtime's object.
    pub rt: Arc<runtime::Queue>,
    /// Its device.
    pub device: Arc<DeviceCore>,
    /// Flags it was made with.
    pub flags: vk::DeviceQueueCreateFlags,
}

/// `VkCommandBuffer`.
#[derive(Debug)]
pub struct CommandBuffer {
    /// The runtime's object.
    pub rt: Arc<runtime::CommandBuffer>,
    /// Its device.
    pub device: Arc<DeviceCore>,
}

/// `VkCommandPool`.
#[derive(Debug)]
pub struct CommandPool {
    /// The runtime's object.
    pub rt: Arc<runtime::CommandPool>,
    /// Callbacks its command buffers are made with.
    pub alloc: Allocator,
    buffers: Mutex<HashMap<u64, Owned<vk::CommandBuffer>>>,
}

impl CommandPool {
    /// A pool without command buffers.
    pub fn new(rt: Arc<runtime::CommandPool>, alloc: Allocator) -> Self {
        Self { rt, alloc, buffers: Mutex::default() }
    }

    /// Takes a command buffer in.
    pub fn insert(&self, b: Owned<vk::CommandBuffer>) -> vk::CommandBuffer {
        let handle = b.handle();
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).insert(handle.as_raw(), b);
        handle
    }

    /// Frees a command buffer; one that is not the pool's is ignored.
    pub fn remove(&self, handle: vk::CommandBuffer) {
        let removed = self.buffers.lock().unwrap_or_else(PoisonError::into_inner).remove(&handle.as_raw());
        drop(removed);
    }
}

/// `VkDescriptorPool`.
pub type DescriptorPool = Arc<runtime::DescriptorPool>;
