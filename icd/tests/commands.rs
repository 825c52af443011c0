//! Work on the GPU through the C interface, and what is refused cleanly.

mod common;

use ash::vk;
use common::kernel::{shader, Kernel};
use common::World;
use std::ffi::{c_void, CStr};
use std::sync::Mutex;

fn fill(words: &mut [u32]) {
    for (i, w) in words.iter_mut().enumerate() {
        *w = i as u32;
    }
}

fn check(words: &[u32], add: u32) {
    for (i, w) in words.iter().enumerate() {
        assert_eq!(*w, i as u32 * 3 + add, "word {i}");
    }
}

#[test]
fn a_kernel_computes() {
    let w = World::new();
    let k = Kernel::new(&w, &shader(false), vk::DescriptorSetLayoutCreateFlags::empty());
    let pipeline = k.pipeline(&w).expect("pipeline");
    let mut data = w.buffer(4096 * 4, vk::BufferUsageFlags::STORAGE_BUFFER);
    fill(data.words());
    let sizes = [vk::DescriptorPoolSize { ty: vk::DescriptorType::STORAGE_BUFFER, descriptor_count: 1 }];
    // SAFETY: valid usage.
    unsafe {
        let info = vk::DescriptorPoolCreateInfo::default().max_sets(1).pool_sizes(&sizes);
        let pool = w.device.create_descriptor_pool(&info, None).expect("pool");
        let layouts = [k.set_layout];
        let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts);
        let set = w.device.allocate_descriptor_sets(&info).expect("set")[0];
        // The pool is full now.
        assert_eq!(w.device.allocate_descriptor_sets(&info).err(), Some(vk::Result::ERROR_OUT_OF_POOL_MEMORY));
        let buffer = [vk::DescriptorBufferInfo { buffer: data.buffer, offset: 0, range: vk::WHOLE_SIZE }];
        let write = [vk::WriteDescriptorSet::default()
            .dst_set(set)
            .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
            .buffer_info(&buffer)];
        w.device.update_descriptor_sets(&write, &[]);
        w.run(|cb| {
            let point = vk::PipelineBindPoint::COMPUTE;
            w.device.cmd_bind_pipeline(cb, point, pipeline);
            w.device.cmd_bind_descriptor_sets(cb, point, k.layout, 0, &[set], &[]);
            w.device.cmd_push_constants(cb, k.layout, vk::ShaderStageFlags::COMPUTE, 0, &7u32.to_ne_bytes());
            w.device.cmd_dispatch(cb, 64, 1, 1);
        })
        .expect("run");
        w.device.destroy_descriptor_pool(pool, None);
        w.device.destroy_pipeline(pipeline, None);
    }
    check(data.words(), 7);
    drop(data);
    k.destroy(&w);
}

#[test]
fn pushed_descriptors_and_indirect_dispatch() {
    let w = World::with(&[c"VK_KHR_push_descriptor"], None);
    let k = Kernel::new(&w, &shader(false), vk::DescriptorSetLayoutCreateFlags::PUSH_DESCRIPTOR_KHR);
    let pipeline = k.pipeline(&w).expect("pipeline");
    let push = ash::khr::push_descriptor::Device::new(&w.instance, &w.device);
    let mut data = w.buffer(256 * 4, vk::BufferUsageFlags::STORAGE_BUFFER);
    fill(data.words());
    let mut groups = w.buffer(12, vk::BufferUsageFlags::INDIRECT_BUFFER);
    groups.words().copy_from_slice(&[4, 1, 1]);
    let buffer = [vk::DescriptorBufferInfo { buffer: data.buffer, offset: 0, range: vk::WHOLE_SIZE }];
    let write =
        [vk::WriteDescriptorSet::default().descriptor_type(vk::DescriptorType::STORAGE_BUFFER).buffer_info(&buffer)];
    // SAFETY: valid usage.
    unsafe {
        w.run(|cb| {
            let point = vk::PipelineBindPoint::COMPUTE;
            w.device.cmd_bind_pipeline(cb, point, pipeline);
            push.cmd_push_descriptor_set(cb, point, k.layout, 0, &write);
            w.device.cmd_push_constants(cb, k.layout, vk::ShaderStageFlags::COMPUTE, 0, &5u32.to_ne_bytes());
            w.device.cmd_dispatch_indirect(cb, groups.buffer, 0);
        })
        .expect("run");
        w.device.destroy_pipeline(pipeline, None);
    }
    check(data.words(), 5);
    drop((data, groups));
    k.destroy(&w);
}

#[test]
fn transfers_in_old_and_new_form() {
    let w = World::new();
    let usage = vk::BufferUsageFlags::TRANSFER_SRC | vk::BufferUsageFlags::TRANSFER_DST;
    let (mut a, mut b) = (w.buffer(64, usage), w.buffer(64, usage));
    fill(a.words());
    // SAFETY: valid usage.
    w.run(|cb| unsafe {
        w.device.cmd_fill_buffer(cb, b.buffer, 0, vk::WHOLE_SIZE, 0xabcd);
        let barrier = [vk::MemoryBarrier::default()
            .src_access_mask(vk::AccessFlags::TRANSFER_WRITE)
            .dst_access_mask(vk::AccessFlags::TRANSFER_WRITE)];
        let t = vk::PipelineStageFlags::TRANSFER;
        w.device.cmd_pipeline_barrier(cb, t, t, vk::DependencyFlags::empty(), &barrier, &[], &[]);
        w.device.cmd_copy_buffer(cb, a.buffer, b.buffer, &[vk::BufferCopy { src_offset: 4, dst_offset: 8, size: 4 }]);
        let regions = [vk::BufferCopy2::default().src_offset(12).dst_offset(20).size(8)];
        let info = vk::CopyBufferInfo2::default().src_buffer(a.buffer).dst_buffer(b.buffer).regions(&regions);
        w.device.cmd_copy_buffer2(cb, &info);
        w.device.cmd_update_buffer(cb, b.buffer, 60, &99u32.to_ne_bytes());
    })
    .expect("run");
    let mut expected = [0xabcd; 16];
    expected[2] = 1;
    expected[5] = 3;
    expected[6] = 4;
    expected[15] = 99;
    assert_eq!(b.words(), expected);
}

#[test]
fn graphics_fails_cleanly() {
    let w = World::new();
    // SAFETY: the device has no graphics queues, so these calls are outside of valid usage; they must fail, not crash.
    unsafe {
        let info = [vk::GraphicsPipelineCreateInfo::default()];
        let (pipelines, e) =
            w.device.create_graphics_pipelines(vk::PipelineCache::null(), &info, None).expect_err("refused");
        assert_eq!((pipelines, e), (vec![vk::Pipeline::null()], vk::Result::ERROR_UNKNOWN));
        let r = w.device.create_render_pass(&vk::RenderPassCreateInfo::default(), None);
        assert_eq!(r, Err(vk::Result::ERROR_UNKNOWN));
        let r = w.device.create_framebuffer(&vk::FramebufferCreateInfo::default(), None);
        assert_eq!(r, Err(vk::Result::ERROR_UNKNOWN));
        w.device.destroy_render_pass(vk::RenderPass::null(), None);
        let r = w.run(|cb| w.device.cmd_draw(cb, 3, 1, 0, 0));
        assert_eq!(r, Err(vk::Result::ERROR_UNKNOWN));
    }
}

unsafe extern "system" fn note(
    _: vk::DebugUtilsMessageSeverityFlagsEXT,
    _: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    user: *mut c_void,
) -> vk::Bool32 {
    // SAFETY: the test passes a live Mutex and the driver a valid structure.
    unsafe {
        let log = &*(user as *const Mutex<Vec<String>>);
        let mut text = CStr::from_ptr((*data).p_message).to_string_lossy().into_owned();
        for i in 0..(*data).object_count as usize {
            let object = &*(*data).p_objects.add(i);
            if !object.p_object_name.is_null() {
                text.push_str(&format!(" [{}]", CStr::from_ptr(object.p_object_name).to_string_lossy()));
            }
        }
        log.lock().expect("lock").push(text);
    }
    vk::FALSE
}

#[test]
fn a_refused_shader_is_named_in_a_message() {
    let w = World::new();
    let log = Mutex::new(Vec::<String>::new());
    let debug = ash::ext::debug_utils::Instance::new(&common::entry(), &w.instance);
    let names = ash::ext::debug_utils::Device::new(&w.instance, &w.device);
    let info = vk::DebugUtilsMessengerCreateInfoEXT::default()
        .message_severity(vk::DebugUtilsMessageSeverityFlagsEXT::ERROR)
        .message_type(vk::DebugUtilsMessageTypeFlagsEXT::GENERAL)
        .pfn_user_callback(Some(note))
        .user_data(std::ptr::from_ref(&log).cast_mut().cast());
    // SAFETY: valid usage.
    let messenger = unsafe { debug.create_debug_utils_messenger(&info, None) }.expect("messenger");
    let k = Kernel::new(&w, &shader(true), vk::DescriptorSetLayoutCreateFlags::empty());
    // SAFETY: valid usage.
    unsafe {
        let name = vk::DebugUtilsObjectNameInfoEXT::default().object_handle(k.module).object_name(c"the bad one");
        names.set_debug_utils_object_name(&name).expect("name");
    }
    assert_eq!(k.pipeline(&w), Err(vk::Result::ERROR_UNKNOWN));
    let messages = std::mem::take(&mut *log.lock().expect("lock"));
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("EmitVertex"), "{}", messages[0]);
    assert!(messages[0].contains("[the bad one]"), "{}", messages[0]);
    // SAFETY: used no more.
    unsafe { debug.destroy_debug_utils_messenger(messenger, None) };
    assert!(k.pipeline(&w).is_err());
    assert!(log.lock().expect("lock").is_empty());
    k.destroy(&w);
}

#[test]
fn timeline_semaphores_wait_and_time_out() {
    let w = World::new();
    let mut ty = vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE).initial_value(3);
    // SAFETY: valid usage.
    unsafe {
        let s = w.device.create_semaphore(&vk::SemaphoreCreateInfo::default().push_next(&mut ty), None).expect("new");
        assert_eq!(w.device.get_semaphore_counter_value(s), Ok(3));
        let (list, values) = ([s], [4]);
        let wait = vk::SemaphoreWaitInfo::default().semaphores(&list).values(&values);
        assert_eq!(w.device.wait_semaphores(&wait, 1_000_000), Err(vk::Result::TIMEOUT));
        let signal = [vk::SemaphoreSubmitInfo::default().semaphore(s).value(5)];
        let submit = [vk::SubmitInfo2::default().signal_semaphore_infos(&signal)];
        w.device.queue_submit2(w.queue, &submit, vk::Fence::null()).expect("submit");
        w.device.wait_semaphores(&wait, 20_000_000_000).expect("wait");
        w.device.signal_semaphore(&vk::SemaphoreSignalInfo::default().semaphore(s).value(9)).expect("signal");
        assert_eq!(w.device.get_semaphore_counter_value(s), Ok(9));
        w.device.destroy_semaphore(s, None);
    }
}
