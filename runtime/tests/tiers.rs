//! Code that is there at once, and better code that follows it where it is worth it.

mod common;

use ash::vk;
use common::{buffer, pipeline_create, setup_at_once, Bound, Setup};
use runtime::{
    CommandPool, DescriptorData, DescriptorPool, DescriptorPoolCreate, DescriptorSetLayout, LayoutBinding,
    PipelineBinary, PipelineCache, PipelineLayout, Program, ProgramCreate, SetAllocate, SubmitBatch,
};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn layout(s: &Setup) -> (Arc<DescriptorSetLayout>, Arc<PipelineLayout>) {
    let binding = LayoutBinding {
        mutable_types: Vec::new(),
        binding: 0,
        ty: vk::DescriptorType::STORAGE_BUFFER,
        count: 1,
        stages: vk::ShaderStageFlags::COMPUTE,
        flags: Default::default(),
        immutable_samplers: Vec::new(),
    };
    let set = DescriptorSetLayout::new(&s.device, Default::default(), &[binding]).unwrap();
    let layout = PipelineLayout::new(&s.device, vec![Some(set.clone())], &[]).unwrap();
    (set, layout)
}

/// Dispatches one workgroup; the word that it writes.
fn run(s: &Setup, program: &Arc<Program>, set_layout: &Arc<DescriptorSetLayout>, out: &Bound) -> u32 {
    let sizes = vec![(vk::DescriptorType::STORAGE_BUFFER, 1)];
    let pool = DescriptorPool::new(&s.device, &DescriptorPoolCreate { max_sets: 1, sizes, ..Default::default() });
    let pool = pool.unwrap();
    let set = pool.allocate(&[SetAllocate { layout: set_layout.clone(), variable_count: 0 }]).unwrap().remove(0);
    set.update(|w| w.write(0, 0, DescriptorData::Buffer(Some((&out.buffer, 0, vk::WHOLE_SIZE))))).unwrap();
    let commands = CommandPool::new(&s.device, 0, vk::CommandPoolCreateFlags::empty()).unwrap();
    let cb = commands.allocate(vk::CommandBufferLevel::PRIMARY).unwrap();
    cb.begin(vk::CommandBufferUsageFlags::empty()).unwrap();
    cb.bind_program(Some(program));
    cb.bind_sets(program.layout(), 0, [Some(&*set)], &[]);
    cb.dispatch([0; 3], [1, 1, 1]);
    cb.end().unwrap();
    let queue = s.device.queue(0, 0).unwrap();
    queue.submit(&[SubmitBatch { command_buffers: &[&cb], ..Default::default() }], None).unwrap();
    queue.wait_idle().unwrap();
    out.words()[0]
}

fn make(s: &Setup, cache: Option<&PipelineCache>, create: &ProgramCreate) -> Arc<Program> {
    Program::create_many(&s.device, cache, std::slice::from_ref(create)).remove(0).program.unwrap()
}

#[test]
fn what_is_used_much_gets_better_code() {
    let s = setup_at_once();
    let (set, layout) = layout(&s);
    let create = pipeline_create(&s.device, &layout);
    let (used, idle) = (make(&s, None, &create), make(&s, None, &create));
    let compiled = || s.gpu.compiled.load(Ordering::Relaxed);
    assert_eq!(compiled(), 2);
    let out = buffer(&s.device, 64);
    assert_eq!(run(&s, &used, &set, &out), 0);
    let start = Instant::now();
    while run(&s, &used, &set, &out) == 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "no better code came");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(out.words()[0], 1000);
    // The other one was not used, and is as it was.
    assert_eq!(compiled(), 3);
    s.device.retire();
    assert_eq!(run(&s, &idle, &set, &out), 0);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!((run(&s, &idle, &set, &out), compiled()), (0, 3));
}

#[test]
fn what_outlives_a_program_is_the_best_code() {
    let s = setup_at_once();
    // Nothing is compiled but what is asked for here.
    s.device.retire();
    let (set, layout) = layout(&s);
    let create = pipeline_create(&s.device, &layout);
    let cache = PipelineCache::new(&s.device, &[], Default::default()).unwrap();
    let program = make(&s, Some(&cache), &create);
    let early = PipelineCache::new(&s.device, &cache.data(), Default::default()).unwrap();
    let compiled = || s.gpu.compiled.load(Ordering::Relaxed);
    let out = buffer(&s.device, 64);
    // Taking the binary compiles, once, and the program goes on with what came out.
    let binary = PipelineBinary::of_program(&program);
    PipelineBinary::of_program(&program);
    assert_eq!(compiled(), 2);
    assert_eq!(run(&s, &program, &set, &out), 1000);
    let code = runtime::ProgramCode::Binary(binary);
    let again = make(&s, None, &ProgramCreate { code, ..create.clone() });
    assert_eq!(run(&s, &again, &set, &out), 1000);
    // A pipeline cache of before has the first code, which is followed as ever.
    let cached = make(&s, Some(&cache), &create);
    assert_eq!((run(&s, &cached, &set, &out), compiled()), (0, 2));
    // Without the shader it could not be followed.
    let code = runtime::ProgramCode::Identifier(create.code.hash());
    let named = ProgramCreate { code, ..create.clone() };
    let outcome = Program::create_many(&s.device, Some(&cache), std::slice::from_ref(&named)).remove(0);
    assert_eq!(outcome.program.unwrap_err(), runtime::Error::CompileRequired);
    // Who asks about the code asks about the best.
    let flags = vk::PipelineCreateFlags2KHR::CAPTURE_STATISTICS;
    let asked = make(&s, Some(&cache), &ProgramCreate { flags, ..create.clone() });
    assert_eq!((run(&s, &asked, &set, &out), compiled()), (1000, 3));
    // And then the cache has it, for all.
    let cached = make(&s, Some(&cache), &create);
    assert_eq!((run(&s, &cached, &set, &out), compiled()), (1000, 3));
    let outcome = Program::create_many(&s.device, Some(&cache), std::slice::from_ref(&named)).remove(0);
    assert_eq!(run(&s, &outcome.program.unwrap(), &set, &out), 1000);
    // Nor does it lose it to a cache of before.
    let best = cache.data();
    assert_ne!(early.data(), best);
    cache.merge(&[&early]);
    assert_eq!(cache.data(), best);
    early.merge(&[&cache]);
    assert_eq!(early.data(), best);
}

#[test]
fn devices_end_at_any_moment_of_the_search() {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for i in 0..300 {
            let s = setup_at_once();
            let (set, layout) = layout(&s);
            let program = make(&s, None, &pipeline_create(&s.device, &layout));
            let out = buffer(&s.device, 64);
            run(&s, &program, &set, &out);
            std::thread::sleep(Duration::from_micros(i % 30 * 50));
        }
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(120)).expect("a device does not end");
}
