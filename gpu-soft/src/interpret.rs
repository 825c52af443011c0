//! Kernels run by the interpreter, over real GPU memory: slow, exact, and without a code generator.

use crate::binary::{Bound, LoadError};
use crate::image::{
    Coords, ImageDesc, Lookup, PackedImage, PackedSampler, Residency, SamplerDesc, View, COMBINED_SAMPLER_OFFSET,
};
use crate::kernel_abi::{BindingSlot, BufferDesc};
use compiler::interp::{
    BufferView, Descriptor, Executor, Fault, GroupInfo, ImageAccess, Limits, Machine, Program, SampleRequest, Texel,
    TexelCoords,
};
use compiler::sir::{ImageDim, Kernel, SampleMode, Type};
use dxg_model::EngineFault;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, AtomicU8, Ordering};
use std::sync::Arc;

/// Words of a binding slot in the payload.
const SLOT_WORDS: usize = 10;

/// Most binding slots of a payload.
const MAX_SLOTS: usize = 1 << 16;

/// A kernel for the interpreter, with what it needs of the pipeline layout.
#[derive(Debug)]
pub struct Interpreted {
    program: Arc<Program>,
    local_size: [u32; 3],
    subgroup_size: u32,
    slots: Vec<BindingSlot>,
}

/// The payload of a kernel binary.
pub fn payload(kernel: &Kernel, subgroup_size: u32, slots: &[BindingSlot]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut word = |v: u32| out.extend_from_slice(&v.to_le_bytes());
    word(subgroup_size);
    word(slots.len() as u32);
    for s in slots {
        // An optional number may be any, so whether it is there takes a word of its own.
        let there = [u32::from(s.dynamic.is_some()), u32::from(s.inline_size.is_some())];
        let (dynamic, inline_size) = (s.dynamic.unwrap_or(0), s.inline_size.unwrap_or(0));
        for v in [s.set, s.binding, s.offset, s.stride, s.count, dynamic, inline_size, s.sampler_offset] {
            word(v);
        }
        there.into_iter().for_each(&mut word);
    }
    out.extend_from_slice(compiler::text::print(kernel).as_bytes());
    out
}

impl Interpreted {
    /// Reads a payload.
    pub fn load(payload: &[u8]) -> Result<Interpreted, LoadError> {
        let malformed = LoadError::Malformed("not a kernel for the interpreter");
        let word = |i: usize| -> Result<u32, LoadError> {
            let bytes = payload.get(i * 4..i * 4 + 4).ok_or(malformed)?;
            Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        };
        let subgroup_size = word(0)?;
        let count = word(1)? as usize;
        if count > MAX_SLOTS || !(1..=64).contains(&subgroup_size) || !subgroup_size.is_power_of_two() {
            return Err(malformed);
        }
        let mut slots = Vec::with_capacity(count);
        for i in 0..count {
            let mut w = [0u32; SLOT_WORDS];
            for (j, v) in w.iter_mut().enumerate() {
                *v = word(2 + i * SLOT_WORDS + j)?;
            }
            let option = |v: u32, there: u32| (there != 0).then_some(v);
            slots.push(BindingSlot {
                set: w[0],
                binding: w[1],
                offset: w[2],
                stride: w[3],
                count: w[4],
                dynamic: option(w[5], w[8]),
                inline_size: option(w[6], w[9]),
                sampler_offset: w[7],
            });
        }
        let text =
            payload.get((2 + count * SLOT_WORDS) * 4..).and_then(|b| std::str::from_utf8(b).ok()).ok_or(malformed)?;
        let kernel = compiler::text::parse(text).map_err(|_| malformed)?;
        let local_size = kernel.local_size;
        // Verifies the kernel.
        let program = Arc::new(Program::new(Arc::new(kernel)).map_err(|_| malformed)?);
        Ok(Interpreted { program, local_size, subgroup_size, slots })
    }

    /// Workgroup size.
    pub fn local_size(&self) -> [u32; 3] {
        self.local_size
    }

    /// Runs workgroups.
    pub fn run(&self, bound: &Bound<'_>, begin: u64, end: u64) -> Result<(), EngineFault> {
        let [gx, gy, _] = bound.groups.map(u64::from);
        let mut machine = SoftMachine { kernel: self, bound, seen: [Page::default(); PAGES_SEEN] };
        let mut executor = Executor::new(Arc::clone(&self.program));
        // The watchdog ends what does not end, not a count of steps.
        let limits = Limits { max_steps: u64::MAX, cancel: Some(bound.cancel) };
        for index in begin..end {
            // The interpreter itself looks only now and then within a workgroup.
            if bound.cancel.load(Ordering::Relaxed) != 0 {
                return Err(EngineFault::Hang);
            }
            let at = [index % gx, index / gx % gy, index / gx / gy];
            let info = GroupInfo {
                workgroup_id: std::array::from_fn(|d| (at[d] as u32).wrapping_add(bound.base[d])),
                num_workgroups: bound.groups,
                subgroup_size: self.subgroup_size,
            };
            executor.run(&info, &mut machine, &limits).map_err(|fault| match fault {
                Fault::Memory { addr, write, .. } => EngineFault::PageFault { address: addr, write },
                Fault::StepLimit | Fault::Cancelled => EngineFault::Hang,
                Fault::Unsupported(text) => EngineFault::Internal(text),
            })?;
        }
        Ok(())
    }
}

/// The interpreter's view of GPU memory, which is memory of this process.
struct SoftMachine<'a> {
    kernel: &'a Interpreted,
    bound: &'a Bound<'a>,
    /// Pages that were accessed before, by the last bits of their numbers.
    seen: [Page; PAGES_SEEN],
}

/// Pages of which it is remembered that they may be accessed.
const PAGES_SEEN: usize = 8;

const PAGE: u64 = 4096;

/// A page that is mapped as a whole.
#[derive(Clone, Copy, Default)]
struct Page {
    number: u64,
    /// Of the address space, when it was asked; generations begin with 1.
    generation: u64,
    write: bool,
}

impl SoftMachine<'_> {
    /// Checks an access by what is mapped for the GPU.
    fn check(&mut self, addr: u64, size: u64, write: bool) -> Result<(), Fault> {
        let space = self.bound.space;
        let page = Page { number: addr / PAGE, generation: space.generation(), write };
        let seen = &mut self.seen[page.number as usize % PAGES_SEEN];
        let one_page = addr % PAGE + size <= PAGE;
        if one_page && (seen.number, seen.generation) == (page.number, page.generation) && (seen.write || !write) {
            return Ok(());
        }
        if one_page && space.check(page.number * PAGE, PAGE, write) {
            *seen = page;
            return Ok(());
        }
        // Buffers of tests end within pages.
        let fault = space.first_fault(addr, size, write);
        fault.map_or(Ok(()), |addr| Err(Fault::Memory { addr, size, write }))
    }

    fn slot(&self, desc: Descriptor) -> Result<&BindingSlot, Fault> {
        let found = self.kernel.slots.iter().find(|s| s.set == desc.set && s.binding == desc.binding);
        found.ok_or_else(|| {
            Fault::Unsupported(format!("binding {}.{} is not in the pipeline layout", desc.set, desc.binding))
        })
    }

    /// Address of `size` bytes of a descriptor from an offset on, `None` if its set is not bound or the element is out of range.
    /// They are mapped for the GPU; what packets name as sets may be anything.
    fn descriptor(&mut self, desc: Descriptor, offset: u32, size: usize) -> Result<Option<u64>, Fault> {
        let slot = *self.slot(desc)?;
        let base = self.bound.sets.get(desc.set as usize).copied().unwrap_or(0);
        if base == 0 || desc.element >= slot.count {
            return Ok(None);
        }
        let place = u64::from(slot.offset) + u64::from(desc.element) * u64::from(slot.stride) + u64::from(offset);
        let at = base.wrapping_add(place);
        self.check(at, size as u64, false)?;
        Ok(Some(at))
    }

    fn image(&mut self, desc: Descriptor) -> Result<ImageDesc, Fault> {
        let read = |at: u64| {
            // SAFETY: the bytes of a descriptor are mapped there, and any bytes are one.
            unsafe { ImageDesc::read(at as *const u8) }
        };
        Ok(self.descriptor(desc, 0, size_of::<PackedImage>())?.map_or_else(ImageDesc::default, read))
    }

    fn sampler(&mut self, desc: Descriptor, combined: bool) -> Result<SamplerDesc, Fault> {
        let offset = if combined { COMBINED_SAMPLER_OFFSET } else { self.slot(desc)?.sampler_offset };
        let read = |at: u64| {
            // SAFETY: the bytes of a sampler are mapped there, and any bytes are one.
            unsafe { SamplerDesc::read(at as *const u8) }
        };
        Ok(self.descriptor(desc, offset, size_of::<PackedSampler>())?.map_or_else(SamplerDesc::default, read))
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $atomic:ident, $int:ident;)*) => {$(
        $(#[$doc])*
        fn $name<'a>(addr: u64) -> &'a $atomic {
            // SAFETY: the address is mapped for the GPU, as `check` has seen; the caller has looked at the alignment.
            // Memory of the application is only accessed by atomics and raw copies.
            unsafe { $atomic::from_ptr(addr as *mut $int) }
        }
    )*};
}

words! {
    /// A byte that a kernel may access.
    word8: AtomicU8, u8;
    /// An aligned 16-bit word that a kernel may access.
    word16: AtomicU16, u16;
    /// An aligned 32-bit word that a kernel may access.
    word32: AtomicU32, u32;
    /// An aligned 64-bit word that a kernel may access.
    word64: AtomicU64, u64;
}

/// Dimensions that are not the layer; texel coordinates of cubes are x, y, layer-face.
fn spatial(dim: ImageDim) -> usize {
    match dim {
        ImageDim::D1 | ImageDim::Buffer => 1,
        ImageDim::D2 | ImageDim::Cube => 2,
        ImageDim::D3 => 3,
    }
}

fn coords(image: &ImageAccess, at: &TexelCoords) -> Coords {
    let n = spatial(image.dim);
    let mut out = Coords { level: at.lod, sample: at.sample, ..Coords::default() };
    out.xyz[..n].copy_from_slice(&at.xyz[..n]);
    if image.arrayed || image.dim == ImageDim::Cube {
        out.layer = at.xyz[n];
    }
    out
}

fn narrow(image: &ImageAccess, texel: [u64; 4]) -> [u64; 4] {
    texel.map(|v| v & image.ty.mask())
}

impl Machine for SoftMachine<'_> {
    fn buffer(&mut self, desc: Descriptor) -> Result<BufferView, Fault> {
        let slot = *self.slot(desc)?;
        if let Some(first) = slot.dynamic {
            let d = self.bound.dynamic.get((first.wrapping_add(desc.element)) as usize).copied();
            let d = d.filter(|_| desc.element < slot.count).unwrap_or_default();
            return Ok(BufferView { addr: d.addr, size: d.size });
        }
        if let Some(size) = slot.inline_size {
            let base = self.bound.sets.get(desc.set as usize).copied().unwrap_or(0);
            let at = u64::from(slot.offset) + u64::from(desc.element) * u64::from(slot.stride);
            let size = if base == 0 || desc.element >= slot.count { 0 } else { u64::from(size) };
            return Ok(BufferView { addr: base.wrapping_add(at), size });
        }
        let Some(at) = self.descriptor(desc, 0, size_of::<BufferDesc>())? else { return Ok(BufferView::default()) };
        // SAFETY: the bytes of a descriptor are mapped there, and any bytes are one.
        let d = unsafe { (at as *const BufferDesc).read_unaligned() };
        Ok(BufferView { addr: d.addr, size: d.size })
    }

    fn load(&mut self, addr: u64, bytes: &mut [u8]) -> Result<(), Fault> {
        self.check(addr, bytes.len() as u64, false)?;
        match bytes.len() {
            1 => bytes[0] = word8(addr).load(Ordering::Acquire),
            2 if addr.is_multiple_of(2) => bytes.copy_from_slice(&word16(addr).load(Ordering::Acquire).to_le_bytes()),
            4 if addr.is_multiple_of(4) => bytes.copy_from_slice(&word32(addr).load(Ordering::Acquire).to_le_bytes()),
            8 if addr.is_multiple_of(8) => bytes.copy_from_slice(&word64(addr).load(Ordering::Acquire).to_le_bytes()),
            // SAFETY: the address is one that a kernel may access (see `word8`); the slice has `n` bytes.
            n => unsafe { std::ptr::copy_nonoverlapping(addr as *const u8, bytes.as_mut_ptr(), n) },
        }
        Ok(())
    }

    fn store(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.check(addr, bytes.len() as u64, true)?;
        match *bytes {
            [a] => word8(addr).store(a, Ordering::Release),
            [a, b] if addr.is_multiple_of(2) => word16(addr).store(u16::from_le_bytes([a, b]), Ordering::Release),
            [a, b, c, d] if addr.is_multiple_of(4) => {
                word32(addr).store(u32::from_le_bytes([a, b, c, d]), Ordering::Release);
            }
            [a, b, c, d, e, f, g, h] if addr.is_multiple_of(8) => {
                word64(addr).store(u64::from_le_bytes([a, b, c, d, e, f, g, h]), Ordering::Release);
            }
            // SAFETY: the address is one that a kernel may access (see `word8`).
            _ => unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), addr as *mut u8, bytes.len()) },
        }
        Ok(())
    }

    fn atomic(&mut self, addr: u64, size: u32, f: &mut dyn FnMut(u64) -> u64) -> Result<u64, Fault> {
        if !matches!(size, 1 | 2 | 4 | 8) || !addr.is_multiple_of(u64::from(size)) {
            return Err(Fault::Memory { addr, size: u64::from(size), write: true });
        }
        self.check(addr, u64::from(size), true)?;
        // The update never gives up, so both results of `fetch_update` hold the old value.
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        Ok(match size {
            1 => u64::from(word8(addr).fetch_update(set, fetch, |v| Some(f(u64::from(v)) as u8)).unwrap_or_else(|v| v)),
            2 => {
                u64::from(word16(addr).fetch_update(set, fetch, |v| Some(f(u64::from(v)) as u16)).unwrap_or_else(|v| v))
            }
            4 => {
                u64::from(word32(addr).fetch_update(set, fetch, |v| Some(f(u64::from(v)) as u32)).unwrap_or_else(|v| v))
            }
            _ => word64(addr).fetch_update(set, fetch, |v| Some(f(v))).unwrap_or_else(|v| v),
        })
    }

    fn push_constants(&self) -> &[u8] {
        self.bound.push
    }

    fn clock(&mut self) -> u64 {
        crate::engine::now()
    }

    fn image_load(&mut self, image: &ImageAccess, at: &TexelCoords) -> Result<Texel, Fault> {
        let desc = self.image(image.desc)?;
        let residency = Residency::new(self.bound.space);
        let values = match View::new(&desc).map(|v| v.watched(Some(&residency))) {
            // SAFETY: descriptors describe mapped memory (valid usage).
            Some(view) => unsafe { view.load(&coords(image, at)) }.map_or_else(|| view.outside(), |t| view.swizzle(&t)),
            None => [0; 4],
        };
        Ok(Texel { values: narrow(image, values), residency: residency.code() })
    }

    fn image_store(&mut self, image: &ImageAccess, at: &TexelCoords, values: [u64; 4]) -> Result<(), Fault> {
        let desc = self.image(image.desc)?;
        if let Some(view) = View::new(&desc) {
            // SAFETY: descriptors describe mapped memory (valid usage).
            unsafe { view.store(&coords(image, at), &values) };
        }
        Ok(())
    }

    fn image_atomic(
        &mut self,
        image: &ImageAccess,
        at: &TexelCoords,
        f: &mut dyn FnMut(u64) -> u64,
    ) -> Result<u64, Fault> {
        let desc = self.image(image.desc)?;
        let bytes = if image.ty == Type::I64 { 8 } else { 4 };
        match View::new(&desc).and_then(|v| v.atomic(&coords(image, at), bytes)) {
            Some(addr) => self.atomic(addr, bytes, f),
            None => Ok(0),
        }
    }

    fn image_size(&mut self, image: &ImageAccess, lod: i32) -> Result<[u32; 4], Fault> {
        let desc = self.image(image.desc)?;
        let mut size = [0; 4];
        if let Some(view) = View::new(&desc) {
            let n = spatial(image.dim);
            size[..n].copy_from_slice(&view.extent(lod.max(0) as u32)[..n]);
            if image.arrayed {
                size[n] = desc.layers / if image.dim == ImageDim::Cube { 6 } else { 1 };
            }
        }
        Ok(size)
    }

    fn image_levels(&mut self, image: &ImageAccess) -> Result<u32, Fault> {
        Ok(u32::from(self.image(image.desc)?.levels))
    }

    fn image_samples(&mut self, image: &ImageAccess) -> Result<u32, Fault> {
        Ok(u32::from(self.image(image.desc)?.samples))
    }

    fn sample(
        &mut self,
        image: &ImageAccess,
        sampler: Option<Descriptor>,
        request: &SampleRequest,
    ) -> Result<Texel, Fault> {
        let desc = self.image(image.desc)?;
        let sampler = match sampler {
            Some(separate) => self.sampler(separate, false)?,
            None => self.sampler(image.desc, true)?,
        };
        let residency = Residency::new(self.bound.space);
        let Some(view) = View::new(&desc).map(|v| v.watched(Some(&residency))) else { return Ok(Texel::default()) };
        let cube = image.dim == ImageDim::Cube;
        let dims = if cube { 3 } else { spatial(image.dim) };
        let mut lookup = Lookup {
            dims: dims as u8,
            cube,
            lod: request.lod,
            dref: request.dref,
            gather: (request.mode == SampleMode::Gather).then_some(request.component),
            min_lod: request.min_lod,
            bias: request.bias,
            query: request.mode == SampleMode::QueryLod,
            ..Lookup::default()
        };
        for (d, v) in request.coords.iter().enumerate() {
            if d < dims {
                lookup.coords[d] = *v;
            } else {
                lookup.layer = *v;
            }
        }
        if !request.grad.is_empty() {
            let half = request.grad.len() / 2;
            let part = |from: usize| {
                std::array::from_fn(|d| if d < half { request.grad.get(from + d).copied().unwrap_or(0.0) } else { 0.0 })
            };
            lookup.grad = Some([part(0), part(half)]);
        }
        if request.offsets.len() == 8 {
            let pair = |i: usize| [request.offsets[2 * i], request.offsets[2 * i + 1]];
            lookup.gather_offsets = Some(std::array::from_fn(pair));
        } else {
            for (d, v) in request.offsets.iter().take(3).enumerate() {
                lookup.offset[d] = *v;
            }
        }
        // SAFETY: descriptors describe mapped memory (valid usage).
        let values = unsafe { lookup.run(&view, &sampler) };
        Ok(Texel { values: narrow(image, values), residency: residency.code() })
    }
}
