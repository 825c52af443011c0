//! Every request to the node fails once: the program gets an error that says so, nothing is left in the node, and the next program
//! works.

mod common;

use ash::vk;
use common::fake_engine::FakeEngine;
use common::fake_gpu::FakeGpu;
use common::{pipeline_create, Bound};
use dxg_abi::{Errno, Ioctl, Node};
use dxg_model::{Census, Config, Model};
use runtime::{
    Buffer, BufferCreate, CommandPool, DescriptorData, DescriptorPool, DescriptorPoolCreate, DescriptorSetLayout,
    Device, DeviceCreate, DeviceFeatures, Error, Event, Fence, Gpu, Instance, LayoutBinding, Memory, MemoryAllocate,
    MemorySource, PipelineLayout, Program, QueryPool, QueueCreate, Result, Semaphore, SemaphoreKind, SemaphorePoint,
    SetAllocate, SubmitBatch,
};
use std::sync::Arc;
use std::time::Duration;
use winsys_dxg::{Failing, QueuePreference, Winsys, WinsysConfig};

/// A time in which everything here is done, ns.
const LONG: u64 = 30_000_000_000;

fn device(node: Arc<dyn Node>, config: WinsysConfig) -> Result<Arc<Device>> {
    let adapters = Winsys::new(node, config).adapters()?;
    let adapter = adapters.into_iter().next().ok_or(Error::InitializationFailed("no adapter".into()))?;
    let instance = Instance::new(vec![(adapter, Arc::new(FakeGpu::new()) as Arc<dyn Gpu>)]);
    let queue = |family| QueueCreate {
        family,
        count: 1,
        flags: vk::DeviceQueueCreateFlags::empty(),
        priority: vk::QueueGlobalPriorityKHR::HIGH,
    };
    let features = DeviceFeatures { no_kernel_cache: true, ..DeviceFeatures::default() };
    let physical = &instance.physical_devices()[0];
    physical.memory_budget();
    Device::new(physical, &DeviceCreate { queues: vec![queue(0), queue(1)], features })
}

fn memory(device: &Arc<Device>, size: u64, export: vk::ExternalMemoryHandleTypeFlags) -> Result<Arc<Memory>> {
    let (address, type_index, priority, source, zero) = (None, 0, 0.75, MemorySource::New, true);
    Memory::allocate(device, &MemoryAllocate { address, size, type_index, priority, source, export, zero })
}

fn buffer(device: &Arc<Device>, size: u64) -> Result<Bound> {
    let usage = vk::BufferUsageFlags::STORAGE_BUFFER;
    let buffer = Buffer::new(device, &BufferCreate { address: None, flags: Default::default(), size, usage })?;
    let memory = memory(device, buffer.requirements().size, vk::ExternalMemoryHandleTypeFlags::empty())?;
    buffer.bind(&memory, 0)?;
    memory.map(0, vk::WHOLE_SIZE)?;
    Ok(Bound { buffer, memory })
}

/// Makes one of each object, runs something over them, and looks at what comes out.
fn program(node: Arc<dyn Node>, config: &WinsysConfig) -> Result<()> {
    let device = device(node, config.clone())?;
    let ty = vk::DescriptorType::STORAGE_BUFFER;
    let binding = LayoutBinding {
        mutable_types: Vec::new(),
        binding: 3,
        ty,
        count: 2,
        stages: vk::ShaderStageFlags::COMPUTE,
        flags: Default::default(),
        immutable_samplers: Vec::new(),
    };
    let set_layout = DescriptorSetLayout::new(&device, Default::default(), &[binding])?;
    let push = vk::PushConstantRange { stage_flags: vk::ShaderStageFlags::COMPUTE, offset: 0, size: 16 };
    let layout = PipelineLayout::new(&device, vec![Some(set_layout.clone())], &[push])?;
    let create = pipeline_create(&device, &layout);
    let pipeline = Program::create_many(&device, None, &[create]).remove(0).program?;
    let sizes = vec![(ty, 2)];
    let pool = DescriptorPool::new(&device, &DescriptorPoolCreate { max_sets: 1, sizes, ..Default::default() })?;
    let set = pool.allocate(&[SetAllocate { layout: set_layout, variable_count: 0 }])?.remove(0);
    let (out, other) = (buffer(&device, 64)?, buffer(&device, 1 << 20)?);
    set.update(|w| w.write(3, 0, DescriptorData::Buffer(Some((&out.buffer, 0, vk::WHOLE_SIZE)))))?;
    let exported = memory(&device, 65536, vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD)?;
    drop(exported.export_fd()?);
    let event = Event::new(&device)?;
    let queries = QueryPool::new(&device, vk::QueryType::TIMESTAMP, 2, Default::default())?;

    let commands = CommandPool::new(&device, 0, vk::CommandPoolCreateFlags::empty())?;
    let cb = commands.allocate(vk::CommandBufferLevel::PRIMARY)?;
    cb.begin(vk::CommandBufferUsageFlags::empty())?;
    cb.bind_program(Some(&pipeline));
    cb.bind_sets(&layout, 0, [Some(&*set)], &[]);
    cb.push_constants(0, &7u32.to_le_bytes());
    cb.dispatch([0; 3], [4, 1, 1]);
    cb.fill_buffer(&other.buffer, 0, vk::WHOLE_SIZE, 9);
    cb.end()?;

    let none = vk::ExternalSemaphoreHandleTypeFlags::empty();
    let timeline = Semaphore::new(&device, SemaphoreKind::Timeline(1), none)?;
    let binary = Semaphore::new(&device, SemaphoreKind::Binary, none)?;
    let shared = Semaphore::new(&device, SemaphoreKind::Binary, vk::ExternalSemaphoreHandleTypeFlags::OPAQUE_FD)?;
    let fence = Fence::new(&device, false, vk::ExternalFenceHandleTypeFlags::empty())?;
    let exportable = Fence::new(&device, false, vk::ExternalFenceHandleTypeFlags::OPAQUE_FD)?;
    let at = |semaphore, value| SemaphorePoint { semaphore, value };
    let queue = device.queue(0, 0).ok_or(Error::Unknown("no queue".into()))?;
    let second = device.queue(1, 0).ok_or(Error::Unknown("no queue".into()))?;
    let first = SubmitBatch {
        waits: &[at(&timeline, 2)],
        command_buffers: &[&*cb],
        signals: &[at(&timeline, 3), at(&binary, 0), at(&shared, 0)],
    };
    let run = || {
        queue.submit(&[first], Some(&fence))?;
        let waits = [at(&binary, 0), at(&shared, 0)];
        second.submit(&[SubmitBatch { waits: &waits, ..Default::default() }], Some(&exportable))?;
        timeline.signal(2)?;
        let waited = |done: bool| if done { Ok(()) } else { Err(Error::Unknown("a wait that never ends".into())) };
        waited(Fence::wait(&device, &[&*fence, &*exportable], true, LONG)?)?;
        waited(Semaphore::wait(&device, &[(&*timeline, 3)], true, LONG)?)?;
        exportable.reset()?;
        queue.wait_idle()?;
        device.check()
    };
    let result = run();
    if let Err(error) = &result {
        // Unless the device is lost, what was submitted has to end before its objects go.
        let signalled = timeline.counter().is_ok_and(|v| v >= 2) || timeline.signal(2).is_ok();
        let idle = signalled && device.wait_idle().is_ok();
        assert!(idle || device.is_lost(), "{error:?} without an end");
    }
    result?;
    assert_eq!(out.words()[..4], [7, 8, 9, 10]);
    assert!(other.words().iter().all(|w| *w == 9));
    drop((event, queries, pool));
    Ok(())
}

/// What is allowed to come of an errno.
fn expected(errno: Errno, error: &Error) -> bool {
    match errno {
        Errno::ENOMEM => matches!(error, Error::OutOfDeviceMemory | Error::OutOfHostMemory | Error::DeviceLost(_)),
        // Exports have no result for the loss of the device.
        Errno::ENODEV => matches!(error, Error::DeviceLost(_) | Error::InvalidExternalHandle(_)),
        Errno::EMFILE => matches!(error, Error::TooManyObjects | Error::DeviceLost(_)),
        // Refusals without a reason.
        _ => !matches!(error, Error::Unknown(text) if text.contains("never ends")),
    }
}

fn sweep(model_config: &Config, config: &WinsysConfig, errno: Errno) -> Vec<Ioctl> {
    let engine = Arc::new(FakeEngine::new());
    let model = Model::new(model_config.clone(), engine).expect("model");
    let clean = || {
        // Eventfds of waits that were given up are kept until they fire, on the model's own threads.
        for _ in 0..200 {
            if model.census() == Census::default() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(model.census(), Census::default());
        model.check().expect("orphans");
    };
    let mut reached = Vec::new();
    for nth in 1.. {
        let failing = Arc::new(Failing::new(model.clone(), nth, errno));
        let result = program(failing.clone(), config);
        let Some(failed) = failing.failed() else {
            assert_eq!(result, Ok(()), "nothing failed");
            break;
        };
        reached.push(failed);
        if let Err(error) = &result {
            assert!(expected(errno, error), "{failed} with {errno}: {error:?}");
        }
        drop(failing);
        clean();
        if nth % 8 == 0 {
            program(model.clone(), config).expect("a healthy program");
            clean();
        }
    }
    program(model.clone(), config).expect("a healthy program");
    clean();
    reached
}

#[test]
fn each_request_fails_once() {
    for errno in [Errno::ENOMEM, Errno::EOVERFLOW, Errno::ENODEV, Errno::EINVAL, Errno::EAGAIN, Errno::EINTR] {
        let reached = sweep(&Config::default(), &WinsysConfig::default(), errno);
        assert!(reached.len() > 40, "{errno}: {reached:?}");
    }
}

#[test]
fn each_request_fails_once_with_software_queues() {
    for errno in [Errno::ENOMEM, Errno::EOVERFLOW] {
        let config = Config { hw_queues: false, ..Config::default() };
        let software = WinsysConfig { queues: QueuePreference::Software, ..WinsysConfig::default() };
        let reached = sweep(&config, &software, errno);
        assert!(reached.contains(&Ioctl::SubmitCommand), "{errno}: {reached:?}");
    }
}

#[test]
fn each_request_fails_once_while_paging_is_delayed() {
    let (min, max, seed) = (Duration::from_micros(100), Duration::from_millis(2), 1);
    let config = Config { pending: dxg_model::Pending::Always { min, max, seed }, ..Config::default() };
    for errno in [Errno::ENOMEM, Errno::EOVERFLOW] {
        let reached = sweep(&config, &WinsysConfig::default(), errno);
        assert!(reached.len() > 40, "{errno}: {reached:?}");
    }
}
