//! A machine over plain vectors, for tests and tools.

use super::machine::{BufferView, Descriptor, Fault, ImageAccess, Machine, SampleRequest, Texel, TexelCoords};
use std::collections::BTreeMap;

/// Distance between the addresses of two buffers.
const STRIDE: u64 = 1 << 32;

/// Buffers held in vectors, with addresses of their own; no images.
#[derive(Clone, Debug, Default)]
pub struct TestMachine {
    buffers: Vec<Vec<u8>>,
    bound: BTreeMap<(u32, u32, u32), usize>,
    push: Vec<u8>,
    ticks: u64,
}

impl TestMachine {
    /// A machine without any memory.
    pub fn new() -> TestMachine {
        TestMachine::default()
    }

    /// Binds a new buffer.
    pub fn bind(&mut self, set: u32, binding: u32, element: u32, bytes: Vec<u8>) {
        self.bound.insert((set, binding, element), self.buffers.len());
        self.buffers.push(bytes);
    }

    /// Contents of a bound buffer.
    pub fn contents(&self, set: u32, binding: u32, element: u32) -> Option<&[u8]> {
        self.bound.get(&(set, binding, element)).map(|&i| &self.buffers[i][..])
    }

    /// Sets the push constants.
    pub fn set_push_constants(&mut self, bytes: Vec<u8>) {
        self.push = bytes;
    }

    /// Address of a bound buffer, for accesses by address.
    pub fn address(&self, set: u32, binding: u32, element: u32) -> Option<u64> {
        self.bound.get(&(set, binding, element)).map(|&i| (i as u64 + 1) * STRIDE)
    }

    fn range(&mut self, addr: u64, size: usize, write: bool) -> Result<&mut [u8], Fault> {
        let fault = Fault::Memory { addr, size: size as u64, write };
        let index = (addr / STRIDE).checked_sub(1).ok_or(fault.clone())?;
        let buffer = usize::try_from(index).ok().and_then(|i| self.buffers.get_mut(i)).ok_or(fault.clone())?;
        let start = (addr % STRIDE) as usize;
        buffer.get_mut(start..start + size).ok_or(fault)
    }
}

fn no_images<T>() -> Result<T, Fault> {
    Err(Fault::Unsupported("this machine has no images".into()))
}

impl Machine for TestMachine {
    fn buffer(&mut self, d: Descriptor) -> Result<BufferView, Fault> {
        Ok(match self.bound.get(&(d.set, d.binding, d.element)) {
            Some(&i) => BufferView { addr: (i as u64 + 1) * STRIDE, size: self.buffers[i].len() as u64 },
            None => BufferView::default(),
        })
    }

    fn load(&mut self, addr: u64, bytes: &mut [u8]) -> Result<(), Fault> {
        bytes.copy_from_slice(self.range(addr, bytes.len(), false)?);
        Ok(())
    }

    fn store(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.range(addr, bytes.len(), true)?.copy_from_slice(bytes);
        Ok(())
    }

    fn atomic(&mut self, addr: u64, size: u32, f: &mut dyn FnMut(u64) -> u64) -> Result<u64, Fault> {
        if addr & (u64::from(size) - 1) != 0 {
            return Err(Fault::Memory { addr, size: size.into(), write: true });
        }
        let bytes = self.range(addr, size as usize, true)?;
        let mut all = [0; 8];
        all[..bytes.len()].copy_from_slice(bytes);
        let old = u64::from_le_bytes(all);
        bytes.copy_from_slice(&f(old).to_le_bytes()[..size as usize]);
        Ok(old)
    }

    fn push_constants(&self) -> &[u8] {
        &self.push
    }

    fn clock(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    fn image_load(&mut self, _: &ImageAccess, _: &TexelCoords) -> Result<Texel, Fault> {
        no_images()
    }

    fn image_store(&mut self, _: &ImageAccess, _: &TexelCoords, _: [u64; 4]) -> Result<(), Fault> {
        no_images()
    }

    fn image_atomic(&mut self, _: &ImageAccess, _: &TexelCoords, _: &mut dyn FnMut(u64) -> u64) -> Result<u64, Fault> {
        no_images()
    }

    fn image_size(&mut self, _: &ImageAccess, _: i32) -> Result<[u32; 4], Fault> {
        no_images()
    }

    fn image_levels(&mut self, _: &ImageAccess) -> Result<u32, Fault> {
        no_images()
    }

    fn image_samples(&mut self, _: &ImageAccess) -> Result<u32, Fault> {
        no_images()
    }

    fn sample(&mut self, _: &ImageAccess, _: Option<Descriptor>, _: &SampleRequest) -> Result<Texel, Fault> {
        no_images()
    }
}
