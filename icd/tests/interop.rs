//! Memory and synchronisation that cross the edge of the device: host pointers and file descriptors.

mod common;

use ash::vk;
use common::World;
use std::os::fd::{AsRawFd, OwnedFd};

const HOST: vk::ExternalMemoryHandleTypeFlags = vk::ExternalMemoryHandleTypeFlags::HOST_ALLOCATION_EXT;
const FD: vk::ExternalMemoryHandleTypeFlags = vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD;

/// A buffer bound to memory, both the caller's to destroy.
fn bound(w: &World, size: u64, handle: vk::ExternalMemoryHandleTypeFlags, memory: vk::DeviceMemory) -> vk::Buffer {
    let mut external = vk::ExternalMemoryBufferCreateInfo::default().handle_types(handle);
    let usage = vk::BufferUsageFlags::TRANSFER_SRC | vk::BufferUsageFlags::TRANSFER_DST;
    let info = vk::BufferCreateInfo::default().size(size).usage(usage).push_next(&mut external);
    // SAFETY: valid usage.
    unsafe {
        let b = w.device.create_buffer(&info, None).expect("buffer");
        w.device.bind_buffer_memory(b, memory, 0).expect("bind");
        b
    }
}

#[test]
fn host_memory_is_imported_at_sixteen_bytes() {
    let w = World::with(&[c"VK_EXT_external_memory_host"], None);
    let host = ash::ext::external_memory_host::Device::new(&w.instance, &w.device);
    let mut memory = vec![0u128; 1024];
    // Not at the start of a page: 16 bytes further than wherever the allocation is.
    let pointer = memory[1..].as_mut_ptr();
    let size = 64 * 16;
    let mut properties = vk::MemoryHostPointerPropertiesEXT::default();
    // SAFETY: valid usage throughout.
    unsafe {
        let get = host.fp().get_memory_host_pointer_properties_ext;
        let r = get(w.device.handle(), HOST, pointer.cast(), &mut properties);
        assert_eq!(r, vk::Result::SUCCESS);
        assert_ne!(properties.memory_type_bits, 0);
        let mut import = vk::ImportMemoryHostPointerInfoEXT::default().handle_type(HOST).host_pointer(pointer.cast());
        let info = vk::MemoryAllocateInfo::default()
            .allocation_size(size)
            .memory_type_index(properties.memory_type_bits.trailing_zeros())
            .push_next(&mut import);
        let imported = w.device.allocate_memory(&info, None).expect("import");
        let b = bound(&w, size, HOST, imported);
        w.run(|cb| w.device.cmd_fill_buffer(cb, b, 16, 32, 0x1234_5678)).expect("run");
        w.device.destroy_buffer(b, None);
        w.device.free_memory(imported, None);
    }
    let word = u128::from_le_bytes([0x78, 0x56, 0x34, 0x12].repeat(4).try_into().expect("16 bytes"));
    assert_eq!(memory[..5], [0, 0, word, word, 0]);
}

#[test]
fn memory_goes_from_device_to_device_by_descriptor() {
    let (a, b) =
        (World::with(&[c"VK_KHR_external_memory_fd"], None), World::with(&[c"VK_KHR_external_memory_fd"], None));
    let size = 4096;
    // SAFETY: valid usage throughout.
    unsafe {
        let ty = a.memory_type(!0, vk::MemoryPropertyFlags::HOST_VISIBLE);
        let mut export = vk::ExportMemoryAllocateInfo::default().handle_types(FD);
        let info = vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(ty).push_next(&mut export);
        let first = a.device.allocate_memory(&info, None).expect("memory");
        let get = ash::khr::external_memory_fd::Device::new(&a.instance, &a.device);
        let fd =
            get.get_memory_fd(&vk::MemoryGetFdInfoKHR::default().memory(first).handle_type(FD)).expect("descriptor");
        let mut import = vk::ImportMemoryFdInfoKHR::default().handle_type(FD).fd(fd);
        let info = vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(ty).push_next(&mut import);
        let second = b.device.allocate_memory(&info, None).expect("import");
        let buffer = bound(&a, size, FD, first);
        a.run(|cb| a.device.cmd_fill_buffer(cb, buffer, 0, vk::WHOLE_SIZE, 77)).expect("run");
        let p = b.device.map_memory(second, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty()).expect("map");
        assert_eq!(*p.cast::<u32>().add(1023), 77);
        a.device.destroy_buffer(buffer, None);
        a.device.free_memory(first, None);
        b.device.free_memory(second, None);
    }
}

#[test]
fn a_bad_descriptor_is_refused_and_stays_the_applications() {
    let w = World::with(&[c"VK_KHR_external_memory_fd"], None);
    let (read, _write) = std::io::pipe().expect("pipe");
    let fd = OwnedFd::from(read);
    let ty = w.memory_type(!0, vk::MemoryPropertyFlags::HOST_VISIBLE);
    let mut import = vk::ImportMemoryFdInfoKHR::default().handle_type(FD).fd(fd.as_raw_fd());
    let info = vk::MemoryAllocateInfo::default().allocation_size(4096).memory_type_index(ty).push_next(&mut import);
    // SAFETY: valid usage but for what the descriptor is.
    let r = unsafe { w.device.allocate_memory(&info, None) };
    assert_eq!(r, Err(vk::Result::ERROR_INVALID_EXTERNAL_HANDLE));
    // Still open: closing it here is not an error that anybody else's descriptor would notice.
    assert!(std::fs::File::from(fd).metadata().is_ok());
}

#[test]
fn timelines_are_shared_by_descriptor() {
    let ty = vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD;
    let (a, b) =
        (World::with(&[c"VK_KHR_external_semaphore_fd"], None), World::with(&[c"VK_KHR_external_semaphore_fd"], None));
    let timeline = || vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
    // SAFETY: valid usage throughout.
    unsafe {
        let mut export = vk::ExportSemaphoreCreateInfo::default().handle_types(ty);
        let mut kind = timeline();
        let info = vk::SemaphoreCreateInfo::default().push_next(&mut export).push_next(&mut kind);
        let first = a.device.create_semaphore(&info, None).expect("first");
        let mut kind = timeline();
        let info = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
        let second = b.device.create_semaphore(&info, None).expect("second");
        let get = ash::khr::external_semaphore_fd::Device::new(&a.instance, &a.device);
        let put = ash::khr::external_semaphore_fd::Device::new(&b.instance, &b.device);
        let fd = get
            .get_semaphore_fd(&vk::SemaphoreGetFdInfoKHR::default().semaphore(first).handle_type(ty))
            .expect("descriptor");
        put.import_semaphore_fd(&vk::ImportSemaphoreFdInfoKHR::default().semaphore(second).handle_type(ty).fd(fd))
            .expect("import");
        a.device.signal_semaphore(&vk::SemaphoreSignalInfo::default().semaphore(first).value(42)).expect("signal");
        assert_eq!(b.device.get_semaphore_counter_value(second), Ok(42));
        a.device.destroy_semaphore(first, None);
        b.device.destroy_semaphore(second, None);
    }
}

/// Whether the node makes sync files; what the query says, an extension must be there for.
fn reported_sync_files() -> bool {
    let i = common::instance();
    let pd = common::physical_device(&i);
    let info = vk::PhysicalDeviceExternalFenceInfo::default().handle_type(vk::ExternalFenceHandleTypeFlags::SYNC_FD);
    let mut out = vk::ExternalFenceProperties::default();
    // SAFETY: valid usage.
    unsafe {
        i.get_physical_device_external_fence_properties(pd, &info, &mut out);
        let by_query = out.external_fence_features.contains(vk::ExternalFenceFeatureFlags::EXPORTABLE);
        let list = i.enumerate_device_extension_properties(pd).expect("extensions");
        let by_name = list.iter().any(|e| e.extension_name_as_c_str() == Ok(c"VK_KHR_external_fence_fd"));
        assert!(by_name || !by_query);
        i.destroy_instance(None);
        by_query
    }
}

#[test]
fn a_fence_goes_through_a_sync_file_where_that_is_reported() {
    let ty = vk::ExternalFenceHandleTypeFlags::SYNC_FD;
    if !reported_sync_files() {
        return;
    }
    let w = World::with(&[c"VK_KHR_external_fence_fd"], None);
    let ext = ash::khr::external_fence_fd::Device::new(&w.instance, &w.device);
    // SAFETY: valid usage throughout.
    unsafe {
        let mut export = vk::ExportFenceCreateInfo::default().handle_types(ty);
        let info = vk::FenceCreateInfo::default().push_next(&mut export);
        let source = w.device.create_fence(&info, None).expect("fence");
        let target = w.device.create_fence(&vk::FenceCreateInfo::default(), None).expect("fence");
        w.device.queue_submit(w.queue, &[], source).expect("submit");
        let fd = ext.get_fence_fd(&vk::FenceGetFdInfoKHR::default().fence(source).handle_type(ty)).expect("descriptor");
        // −1 stands for a payload that is signalled already.
        assert!(fd >= -1);
        let import = vk::ImportFenceFdInfoKHR::default()
            .fence(target)
            .flags(vk::FenceImportFlags::TEMPORARY)
            .handle_type(ty)
            .fd(fd);
        ext.import_fence_fd(&import).expect("import");
        w.device.wait_for_fences(&[target], true, 20_000_000_000).expect("wait");
        w.device.reset_fences(&[target]).expect("reset");
        assert_eq!(w.device.get_fence_status(target), Ok(false));
        w.device.destroy_fence(source, None);
        w.device.destroy_fence(target, None);
    }
}
