//! A device over the model with the fake GPU.

#![allow(dead_code)] // each test file uses a part

pub mod fake_engine;
pub mod fake_gpu;

use ash::vk;
use fake_engine::FakeEngine;
use fake_gpu::FakeGpu;
use runtime::{
    Buffer, BufferCreate, Device, DeviceCreate, DeviceFeatures, Gpu, Instance, Memory, MemoryAllocate, MemorySource,
    PipelineLayout, Program, ProgramCode, ProgramCreate, QueueCreate, ShaderModule,
};
use std::sync::Arc;

/// A device with what tests want to look at.
pub struct Setup {
    pub gpu: Arc<FakeGpu>,
    pub engine: Arc<FakeEngine>,
    pub device: Arc<Device>,
}

pub fn setup() -> Setup {
    setup_with(dxg_model::Config::default())
}

/// A GPU that has code at once, which better code follows.
pub fn setup_at_once() -> Setup {
    let mut gpu = FakeGpu::new();
    gpu.props.at_once = true;
    setup_of(dxg_model::Config::default(), gpu)
}

pub fn setup_with(config: dxg_model::Config) -> Setup {
    setup_of(config, FakeGpu::new())
}

fn setup_of(config: dxg_model::Config, gpu: FakeGpu) -> Setup {
    let engine = Arc::new(FakeEngine::new());
    let model = dxg_model::Model::new(config, engine.clone()).expect("model");
    let winsys = winsys_dxg::Winsys::new(model, winsys_dxg::WinsysConfig::default());
    let adapter = winsys.adapters().expect("adapters").remove(0);
    let gpu = Arc::new(gpu);
    let instance = Instance::new(vec![(adapter, gpu.clone() as Arc<dyn Gpu>)]);
    let create = DeviceCreate {
        queues: vec![
            QueueCreate {
                family: 0,
                count: 2,
                flags: vk::DeviceQueueCreateFlags::empty(),
                priority: vk::QueueGlobalPriorityKHR::MEDIUM,
            },
            QueueCreate {
                family: 1,
                count: 1,
                flags: vk::DeviceQueueCreateFlags::empty(),
                priority: vk::QueueGlobalPriorityKHR::MEDIUM,
            },
        ],
        features: DeviceFeatures { no_kernel_cache: true, ..DeviceFeatures::default() },
    };
    let device = Device::new(&instance.physical_devices()[0], &create).expect("device");
    Setup { gpu, engine, device }
}

/// A buffer with memory of its own.
pub struct Bound {
    pub buffer: Arc<Buffer>,
    pub memory: Arc<Memory>,
}

pub fn memory(device: &Arc<Device>, size: u64) -> Arc<Memory> {
    let info = MemoryAllocate {
        address: None,
        size,
        type_index: 0,
        priority: 0.5,
        source: MemorySource::New,
        export: vk::ExternalMemoryHandleTypeFlags::empty(),
        zero: false,
    };
    Memory::allocate(device, &info).expect("memory")
}

pub fn buffer(device: &Arc<Device>, size: u64) -> Bound {
    let create =
        BufferCreate { address: None, flags: Default::default(), size, usage: vk::BufferUsageFlags::STORAGE_BUFFER };
    let buffer = Buffer::new(device, &create).expect("buffer");
    let memory = memory(device, buffer.requirements().size);
    buffer.bind(&memory, 0).expect("bind");
    Bound { buffer, memory }
}

impl Bound {
    /// The 32-bit words of the buffer.
    pub fn words(&self) -> Vec<u32> {
        let at = self.memory.map(0, vk::WHOLE_SIZE).expect("map");
        let n = (self.buffer.size() / 4) as usize;
        // SAFETY: the memory is mapped as long as it lives, and the tests wait for the GPU before they look.
        (0..n).map(|i| unsafe { (at as *const u32).add(i).read_volatile() }).collect()
    }

    pub fn set_words(&self, words: &[u32]) {
        assert!(words.len() as u64 * 4 <= self.buffer.size());
        let at = self.memory.map(0, vk::WHOLE_SIZE).expect("map");
        for (i, w) in words.iter().enumerate() {
            // SAFETY: as in `words`.
            unsafe { (at as *mut u32).add(i).write_volatile(*w) };
        }
    }
}

/// `void main() {}` with a workgroup of 4×1×1.
pub fn empty_shader() -> Vec<u32> {
    vec![
        0x0723_0203,
        0x0001_0000,
        0,
        5,
        0, // header, 5 ids
        2 << 16 | 17,
        1, // OpCapability Shader
        3 << 16 | 14,
        0,
        1, // OpMemoryModel Logical GLSL450
        5 << 16 | 15,
        5,
        1,
        0x6e69_616d,
        0, // OpEntryPoint GLCompute %1 "main"
        6 << 16 | 16,
        1,
        17,
        4,
        1,
        1, // OpExecutionMode %1 LocalSize 4 1 1
        2 << 16 | 19,
        2, // %2 = OpTypeVoid
        3 << 16 | 33,
        3,
        2, // %3 = OpTypeFunction %2
        5 << 16 | 54,
        2,
        1,
        0,
        3, // %1 = OpFunction %2 None %3
        2 << 16 | 248,
        4,             // %4 = OpLabel
        1 << 16 | 253, // OpReturn
        1 << 16 | 56,  // OpFunctionEnd
    ]
}

pub fn pipeline_create(device: &Arc<Device>, layout: &Arc<PipelineLayout>) -> ProgramCreate {
    ProgramCreate {
        flags: vk::PipelineCreateFlags2KHR::empty(),
        code: ProgramCode::Module(ShaderModule::new(device, empty_shader()).unwrap()),
        entry: "main".into(),
        specialization: Vec::new(),
        layout: layout.clone(),
        stage_flags: Default::default(),
        required_subgroup_size: None,
        robustness: None,
    }
}

pub fn pipeline(device: &Arc<Device>, layout: &Arc<PipelineLayout>) -> Arc<Program> {
    let create = pipeline_create(device, layout);
    Program::create_many(device, None, &[create]).remove(0).program.expect("pipeline")
}
