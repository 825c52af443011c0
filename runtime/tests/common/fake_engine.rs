//! The device half of the fake GPU.

use super::fake_gpu::op;
use dxg_model::{AddressSpace, ClockSample, Engine, EngineFault, EngineType, Identity, Job, NodeInfo};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The engine.
#[derive(Debug)]
pub struct FakeEngine {
    identity: Identity,
    clock: AtomicU64,
    /// How many barriers were executed.
    pub barriers: AtomicU64,
}

impl FakeEngine {
    /// An engine with two nodes, so that transfers can run beside dispatches.
    pub fn new() -> FakeEngine {
        let node = || NodeInfo { engine_type: EngineType::OTHER, name: "fake".into() };
        FakeEngine {
            identity: Identity {
                name: "fake".into(),
                vendor_id: 0x10005,
                device_id: 1,
                subvendor_id: 0,
                subsystem_id: 0,
                revision_id: 0,
                bus_type: 0,
                bus_address: (0, 0, 0),
                guid: [7; 16],
                wddm_version: 2700,
                va_bits: 47,
                nodes: vec![node(), node()],
                dedicated_memory: 0,
                shared_memory: 1 << 32,
                hw_scheduling: false,
                software: true,
                umd_private: Vec::new(),
            },
            clock: AtomicU64::new(1000),
            barriers: AtomicU64::new(0),
        }
    }
}

/// Checked access to the GPU's address space, in which addresses are this process's.
struct Gpu<'a> {
    space: &'a AddressSpace,
}

type R<T> = Result<T, EngineFault>;

impl Gpu<'_> {
    fn check(&self, address: u64, len: u64, write: bool) -> R<()> {
        match self.space.first_fault(address, len, write) {
            Some(address) => Err(EngineFault::PageFault { address, write }),
            None => Ok(()),
        }
    }

    fn read(&self, address: u64, len: u64) -> R<Vec<u8>> {
        self.check(address, len, false)?;
        let mut out = vec![0u8; len as usize];
        // SAFETY: the address space says that the range is mapped and readable; the tests neither unmap it
        // meanwhile nor hold references into it.
        unsafe { std::ptr::copy_nonoverlapping(address as *const u8, out.as_mut_ptr(), out.len()) };
        Ok(out)
    }

    fn write(&self, address: u64, bytes: &[u8]) -> R<()> {
        self.check(address, bytes.len() as u64, true)?;
        // SAFETY: as in `read`, and writable.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
        Ok(())
    }

    fn word(&self, address: u64) -> R<u64> {
        Ok(u64::from_le_bytes(self.read(address, 8)?.try_into().unwrap()))
    }

    fn half(&self, address: u64) -> R<u32> {
        Ok(u32::from_le_bytes(self.read(address, 4)?.try_into().unwrap()))
    }

    /// The built-in kernel: out[i] = push + i for each group i of the first dimension, as far as the buffer goes. The better
    /// code for it, which would do the same on a real GPU, adds 1000 here, for tests to see it.
    fn run(&self, body: &Body, base: u32, groups: u32) -> R<()> {
        let (kernel, kernel_bytes) = (body.word(0), body.word(1));
        let mut place = self.word(kernel)?;
        if kernel_bytes > 8 {
            let record = kernel + 8;
            if self.half(record)? != 0 {
                assert_eq!(self.word(record + 16)?, 8, "the size of the better code");
                place = self.word(self.word(record + 8)?)?;
            }
            let spent = self.word(record + 24)? + 100_000_000;
            self.write(record + 24, &spent.to_le_bytes())?;
        }
        let more = if place >> 63 != 0 { 1000 } else { 0 };
        place &= !(1 << 63);
        let (push_len, set_count) = (body.word(5), body.word(6));
        let dynamic_count = body.word(7);
        let sets = 8;
        let dynamics = sets + set_count as usize;
        let push_at = (dynamics + 2 * dynamic_count as usize) * 8;
        let (address, size) = match (place as u32, place >> 32) {
            (0, offset) => (self.word(body.word(sets) + offset)?, self.word(body.word(sets) + offset + 8)?),
            (1, i) => (body.word(dynamics + 2 * i as usize), body.word(dynamics + 2 * i as usize + 1)),
            _ => (0, 0),
        };
        let push = if push_len >= 4 { u32::from_le_bytes(body.0[push_at..push_at + 4].try_into().unwrap()) } else { 0 };
        for i in base..base + groups {
            if u64::from(i) * 4 + 4 <= size {
                self.write(address + u64::from(i) * 4, &(push + i + more).to_le_bytes())?;
            }
        }
        Ok(())
    }
}

/// A packet without its header.
struct Body(Vec<u8>);

impl Body {
    fn word(&self, i: usize) -> u64 {
        u64::from_le_bytes(self.0[i * 8..i * 8 + 8].try_into().unwrap())
    }

    fn low(&self, i: usize) -> u32 {
        self.word(i) as u32
    }

    fn high(&self, i: usize) -> u32 {
        (self.word(i) >> 32) as u32
    }
}

impl Engine for FakeEngine {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn execute(&self, job: &Job<'_>) -> Result<(), EngineFault> {
        let gpu = Gpu { space: job.space };
        let (mut at, mut end) = (job.command_buffer, job.command_buffer + u64::from(job.command_length));
        while at < end {
            let (code, size) = (gpu.word(at)?, gpu.word(at + 8)?);
            let body = Body(gpu.read(at + 16, size - 16)?);
            at += size;
            match code {
                op::DISPATCH => gpu.run(&body, body.low(2), body.high(2))?,
                op::INDIRECT => gpu.run(&body, 0, gpu.half(body.word(2))?)?,
                op::COPY => gpu.write(body.word(1), &gpu.read(body.word(0), body.word(2))?)?,
                op::FILL => {
                    let bytes = body.low(2).to_le_bytes().repeat(body.word(1) as usize / 4);
                    gpu.write(body.word(0), &bytes)?;
                }
                op::UPDATE => gpu.write(body.word(0), &body.0[16..16 + body.word(1) as usize])?,
                op::RECT => {
                    for slice in 0..u64::from(body.high(7)) {
                        for row in 0..u64::from(body.low(7)) {
                            let src = body.word(0) + slice * body.word(3) + row * body.word(2);
                            let dst = body.word(1) + slice * body.word(5) + row * body.word(4);
                            gpu.write(dst, &gpu.read(src, body.word(6))?)?;
                        }
                    }
                }
                op::CLEAR => {
                    let texel = &body.word(5).to_le_bytes()[..body.high(4) as usize];
                    for slice in 0..u64::from(body.low(4)) {
                        for row in 0..u64::from(body.high(3)) {
                            let at = body.word(0) + slice * body.word(2) + row * body.word(1);
                            gpu.write(at, &texel.repeat(body.low(3) as usize))?;
                        }
                    }
                }
                op::BARRIER => {
                    self.barriers.fetch_add(1, Ordering::Relaxed);
                }
                op::STORE64 => gpu.write(body.word(0), &body.word(1).to_le_bytes())?,
                op::STORE32 => gpu.write(body.word(0), &body.low(1).to_le_bytes())?,
                op::WAIT32 => {
                    while gpu.half(body.word(0))? != 1 {
                        if job.cancel.is_set() {
                            return Err(EngineFault::Hang);
                        }
                        std::thread::sleep(Duration::from_micros(50));
                    }
                }
                op::QUERIES => {
                    for i in 0..u64::from(body.low(3)) {
                        let value = gpu.word(body.word(0) + 16 * i)?;
                        gpu.write(body.word(1) + i * body.word(2), &value.to_le_bytes())?;
                    }
                }
                op::CHAIN => (at, end) = (body.word(0), body.word(0) + body.word(1)),
                op::TIME => {
                    let now = self.clock.fetch_add(1, Ordering::Relaxed);
                    gpu.write(body.word(0), &now.to_le_bytes())?;
                    gpu.write(body.word(0) + 8, &1u64.to_le_bytes())?;
                }
                _ => return Err(EngineFault::BadPacket { address: at - size, reason: "code" }),
            }
        }
        Ok(())
    }

    fn va_changed(&self, _start: u64, _size: u64) {}

    fn clock(&self) -> ClockSample {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        let now = START.elapsed().as_nanos() as u64;
        ClockSample { frequency: 1_000_000_000, gpu_counter: now, cpu_counter: now }
    }
}
