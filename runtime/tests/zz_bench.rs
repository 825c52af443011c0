mod common;
use ash::vk;
use common::*;
use runtime::*;
use std::time::Instant;
#[test]
fn bench() {
    let s = setup();
    let b = buffer(&s.device, 64);
    let pool = CommandPool::new(&s.device, 0, Default::default()).unwrap();
    let cb = pool.allocate(vk::CommandBufferLevel::PRIMARY).unwrap();
    let l = PipelineLayout::new(&s.device, vec![], &[vk::PushConstantRange{stage_flags: vk::ShaderStageFlags::COMPUTE, offset:0,size:64}]).unwrap();
    let p = pipeline(&s.device, &l);
    let q = s.device.queue(0,0).unwrap();
    let f = Fence::new(&s.device, false, Default::default()).unwrap();
    cb.begin(Default::default()).unwrap(); cb.fill_buffer(&b.buffer,0,4,1); cb.end().unwrap();
    for _ in 0..3 {
    let t=Instant::now();
    for _ in 0..2000 { f.reset().unwrap(); q.submit(&[SubmitBatch{command_buffers:&[&cb],..Default::default()}],Some(&f)).unwrap(); Fence::wait(&s.device,&[&f],true,u64::MAX).unwrap(); }
    println!("submit+wait {:?}", t.elapsed()/2000);
    let t=Instant::now();
    for _ in 0..2000 { q.submit(&[SubmitBatch{command_buffers:&[&cb],..Default::default()}],None).unwrap(); }
    println!("submit {:?}", t.elapsed()/2000);
    q.wait_idle().unwrap();
    let t=Instant::now();
    for _ in 0..20 { cb.begin(Default::default()).unwrap(); cb.bind_pipeline(&p); for i in 0..1000u32 { cb.push_constants(0,&i.to_le_bytes()); cb.dispatch([0;3],[1,1,1]); cb.barrier(&Dependency::default()); } cb.end().unwrap(); }
    println!("record dispatch+push+barrier {:?}", t.elapsed()/20000);
    cb.begin(Default::default()).unwrap(); cb.fill_buffer(&b.buffer,0,4,1); cb.end().unwrap();
    }
}
