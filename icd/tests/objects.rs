//! Objects whose C form has more to it than a structure and a call.

mod common;

use ash::vk;
use ash::vk::Handle;
use common::World;
use std::ffi::c_void;
use std::mem::offset_of;

/// What an application keeps for an update template: anything, anywhere.
#[repr(C)]
struct Data {
    tag: u8,
    buffers: [vk::DescriptorBufferInfo; 2],
    bytes: [u8; 8],
}

#[test]
fn update_templates_read_the_applications_layout() {
    let mut v13 = vk::PhysicalDeviceVulkan13Features::default().inline_uniform_block(true);
    let mut features = vk::PhysicalDeviceFeatures2::default().push_next(&mut v13);
    let w = World::with(&[], Some(&mut features));
    let compute = vk::ShaderStageFlags::COMPUTE;
    let bindings = [
        vk::DescriptorSetLayoutBinding::default()
            .binding(0)
            .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
            .descriptor_count(2)
            .stage_flags(compute),
        vk::DescriptorSetLayoutBinding::default()
            .binding(1)
            .descriptor_type(vk::DescriptorType::INLINE_UNIFORM_BLOCK)
            .descriptor_count(8)
            .stage_flags(compute),
    ];
    let sizes = [
        vk::DescriptorPoolSize { ty: vk::DescriptorType::STORAGE_BUFFER, descriptor_count: 2 },
        vk::DescriptorPoolSize { ty: vk::DescriptorType::INLINE_UNIFORM_BLOCK, descriptor_count: 8 },
    ];
    let a = w.buffer(64, vk::BufferUsageFlags::STORAGE_BUFFER);
    let whole = vk::DescriptorBufferInfo { buffer: a.buffer, offset: 0, range: vk::WHOLE_SIZE };
    let data = Data { tag: 1, buffers: [whole; 2], bytes: [7; 8] };
    assert_eq!(data.tag, 1);
    // SAFETY: valid usage throughout.
    unsafe {
        let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        let layout = w.device.create_descriptor_set_layout(&info, None).expect("layout");
        let entries = [
            vk::DescriptorUpdateTemplateEntry {
                dst_binding: 0,
                dst_array_element: 0,
                descriptor_count: 2,
                descriptor_type: vk::DescriptorType::STORAGE_BUFFER,
                offset: offset_of!(Data, buffers),
                stride: size_of::<vk::DescriptorBufferInfo>(),
            },
            vk::DescriptorUpdateTemplateEntry {
                dst_binding: 1,
                dst_array_element: 0,
                descriptor_count: 8,
                descriptor_type: vk::DescriptorType::INLINE_UNIFORM_BLOCK,
                offset: offset_of!(Data, bytes),
                stride: 0,
            },
        ];
        let info = vk::DescriptorUpdateTemplateCreateInfo::default()
            .descriptor_update_entries(&entries)
            .template_type(vk::DescriptorUpdateTemplateType::DESCRIPTOR_SET)
            .descriptor_set_layout(layout);
        let template = w.device.create_descriptor_update_template(&info, None).expect("template");
        let mut inline = vk::DescriptorPoolInlineUniformBlockCreateInfo::default().max_inline_uniform_block_bindings(1);
        let info = vk::DescriptorPoolCreateInfo::default().max_sets(1).pool_sizes(&sizes).push_next(&mut inline);
        let pool = w.device.create_descriptor_pool(&info, None).expect("pool");
        let layouts = [layout];
        let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts);
        let set = w.device.allocate_descriptor_sets(&info).expect("set")[0];
        w.device.update_descriptor_set_with_template(set, template, std::ptr::from_ref(&data).cast::<c_void>());
        w.device.reset_descriptor_pool(pool, vk::DescriptorPoolResetFlags::empty()).expect("reset");
        // The reset freed the set: there is room again.
        assert!(w.device.allocate_descriptor_sets(&info).is_ok());
        w.device.destroy_descriptor_pool(pool, None);
        w.device.destroy_descriptor_update_template(template, None);
        w.device.destroy_descriptor_set_layout(layout, None);
    }
}

#[test]
fn layouts_support_says_how_far_a_variable_count_goes() {
    let w = World::new();
    let binding = [vk::DescriptorSetLayoutBinding::default()
        .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
        .descriptor_count(1000)
        .stage_flags(vk::ShaderStageFlags::COMPUTE)];
    let flags = [vk::DescriptorBindingFlags::VARIABLE_DESCRIPTOR_COUNT];
    let mut flags = vk::DescriptorSetLayoutBindingFlagsCreateInfo::default().binding_flags(&flags);
    let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&binding).push_next(&mut flags);
    let mut variable = vk::DescriptorSetVariableDescriptorCountLayoutSupport::default();
    let mut support = vk::DescriptorSetLayoutSupport::default().push_next(&mut variable);
    // SAFETY: valid usage.
    unsafe { w.device.get_descriptor_set_layout_support(&info, &mut support) };
    assert_eq!(support.supported, vk::TRUE);
    assert!(variable.max_variable_descriptor_count >= 1000);
}

#[test]
fn private_data_starts_at_zero_and_is_kept_per_object() {
    let mut v13 = vk::PhysicalDeviceVulkan13Features::default().private_data(true);
    let mut features = vk::PhysicalDeviceFeatures2::default().push_next(&mut v13);
    let w = World::with(&[], Some(&mut features));
    // SAFETY: valid usage.
    unsafe {
        let slot = w.device.create_private_data_slot(&vk::PrivateDataSlotCreateInfo::default(), None).expect("slot");
        let event = w.device.create_event(&vk::EventCreateInfo::default(), None).expect("event");
        assert_eq!(w.device.get_private_data(event, slot), 0);
        w.device.set_private_data(event, slot, 99).expect("set");
        assert_eq!(w.device.get_private_data(event, slot), 99);
        assert_eq!(w.device.get_private_data(w.queue, slot), 0);
        w.device.destroy_event(event, None);
        w.device.destroy_private_data_slot(slot, None);
    }
}

#[test]
fn events_and_timestamps() {
    let w = World::new();
    // SAFETY: valid usage throughout.
    unsafe {
        let event = w.device.create_event(&vk::EventCreateInfo::default(), None).expect("event");
        assert_eq!(w.device.get_event_status(event), Ok(false));
        let info = vk::QueryPoolCreateInfo::default().query_type(vk::QueryType::TIMESTAMP).query_count(2);
        let pool = w.device.create_query_pool(&info, None).expect("queries");
        w.run(|cb| {
            w.device.cmd_reset_query_pool(cb, pool, 0, 2);
            w.device.cmd_write_timestamp(cb, vk::PipelineStageFlags::TOP_OF_PIPE, pool, 0);
            w.device.cmd_set_event(cb, event, vk::PipelineStageFlags::TRANSFER);
        })
        .expect("run");
        assert_eq!(w.device.get_event_status(event), Ok(true));
        w.device.reset_event(event).expect("reset");
        assert_eq!(w.device.get_event_status(event), Ok(false));
        let mut times = [0u64; 1];
        w.device.get_query_pool_results(pool, 0, &mut times, vk::QueryResultFlags::TYPE_64).expect("result");
        assert_ne!(times[0], 0);
        let r = w.device.get_query_pool_results(pool, 1, &mut times, vk::QueryResultFlags::TYPE_64);
        assert_eq!(r, Err(vk::Result::NOT_READY));
        w.device.destroy_query_pool(pool, None);
        w.device.destroy_event(event, None);
    }
}

#[test]
fn every_bind_has_a_status_of_its_own() {
    let w = World::with(&[c"VK_KHR_maintenance6"], None);
    let info = vk::BufferCreateInfo::default().size(64).usage(vk::BufferUsageFlags::STORAGE_BUFFER);
    // SAFETY: valid usage throughout.
    unsafe {
        let b = w.device.create_buffer(&info, None).expect("buffer");
        let r = w.device.get_buffer_memory_requirements(b);
        let ty = w.memory_type(r.memory_type_bits, vk::MemoryPropertyFlags::DEVICE_LOCAL);
        let info = vk::MemoryAllocateInfo::default().allocation_size(r.size).memory_type_index(ty);
        let memory = w.device.allocate_memory(&info, None).expect("memory");
        let mut result = vk::Result::NOT_READY;
        let mut status = vk::BindMemoryStatusKHR::default().result(&mut result);
        let bind = [vk::BindBufferMemoryInfo::default().buffer(b).memory(memory).push_next(&mut status)];
        w.device.bind_buffer_memory2(&bind).expect("bind");
        assert_eq!(result, vk::Result::SUCCESS);
        w.device.destroy_buffer(b, None);
        w.device.free_memory(memory, None);
    }
}

#[test]
fn null_handles_may_be_destroyed() {
    let w = World::new();
    // SAFETY: destroying null is valid.
    unsafe {
        w.device.destroy_buffer(vk::Buffer::null(), None);
        w.device.destroy_pipeline(vk::Pipeline::null(), None);
        w.device.destroy_descriptor_pool(vk::DescriptorPool::null(), None);
        w.device.free_memory(vk::DeviceMemory::null(), None);
        (w.device.fp_v1_0().destroy_device)(vk::Device::null(), std::ptr::null());
    }
    assert!(!w.device.handle().is_null());
}

#[test]
fn null_where_an_object_must_be_is_an_error_and_no_crash() {
    let w = World::new();
    // SAFETY: outside of valid usage on purpose; the driver must answer with an error.
    unsafe {
        let r = (w.device.fp_v1_0().create_buffer)(
            w.device.handle(),
            std::ptr::null(),
            std::ptr::null(),
            std::ptr::null_mut(),
        );
        assert_eq!(r, vk::Result::ERROR_UNKNOWN);
        assert_eq!(w.device.get_fence_status(vk::Fence::null()), Err(vk::Result::ERROR_DEVICE_LOST));
    }
}

#[test]
fn the_queues_asked_for_are_there() {
    let w = World::new();
    // SAFETY: valid usage.
    unsafe {
        assert_eq!(w.device.get_device_queue(0, 0), w.queue);
        let info = vk::DeviceQueueInfo2::default().queue_family_index(0).queue_index(0);
        assert_eq!(w.device.get_device_queue2(&info), w.queue);
        w.device.queue_wait_idle(w.queue).expect("idle");
        w.device.device_wait_idle().expect("idle");
    }
}
