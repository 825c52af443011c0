//! What kernels call: texel access and filtered reads, one subgroup at a time.
//!
//! Descriptors may describe anything. A kernel is left at an access that the processor refuses (see [`guard`]), and so is what it
//! calls: functions here hold no lock and own nothing when they touch texels or descriptors, or use [`guard::read`].

use crate::image::{self, Coords, ImageDesc, Lookup, Residency, SamplerDesc, View};
use crate::kernel_abi::{
    half_op, sample_mode_code, DispatchCtx, Helpers, ImageOp, PlainImage, PlainTexture, TexelClass,
};
use crate::texel::Texel;
use compiler::interp;
use compiler::sir::{self, SampleMode};
use dxg_model::AddressSpace;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The table that dispatches hand to kernels.
pub static HELPERS: Helpers = Helpers {
    image_load,
    image_store,
    image_atomic,
    image_cas,
    image_size,
    image_levels,
    image_samples,
    sample,
    plain_image,
    plain_texture,
};

/// Lanes of an operation, its operands and its data.
struct Lanes<'a> {
    ctx: *const DispatchCtx,
    op: &'a ImageOp,
    desc: *const *const u8,
    sampler: *const *const u8,
    operands: *const u32,
    data: *mut u8,
    width: usize,
}

/// What lanes with the same descriptors have in common.
struct Bound<'a> {
    desc: &'a ImageDesc,
    sampler: SamplerDesc,
    /// `None` for the null descriptor.
    view: Option<View<'a>>,
    /// Who notes what is read without memory, if the operation asks for a residency code and there is somebody to ask.
    residency: Option<&'a Residency<'a>>,
}

impl Lanes<'_> {
    /// # Safety
    /// `lane` is below the width; the pointers are as [`crate::kernel_abi::ImageFn`] says.
    unsafe fn image_at(&self, lane: usize) -> *const u8 {
        // SAFETY: one pointer per lane.
        unsafe { *self.desc.add(lane) }
    }

    /// # Safety
    /// As [`Self::image_at`].
    unsafe fn sampler_at(&self, lane: usize) -> *const u8 {
        if self.sampler.is_null() {
            return std::ptr::null();
        }
        // SAFETY: one pointer per lane.
        unsafe { *self.sampler.add(lane) }
    }

    /// # Safety
    /// `row` is a row of the operation, `lane` below the width.
    unsafe fn operand(&self, row: u32, lane: usize) -> u32 {
        // SAFETY: this function's contract.
        unsafe { *self.operands.add(row as usize * self.width + lane) }
    }

    /// Who notes what is read without memory, if the operation asks for a residency code and there is somebody to ask.
    fn residency(&self) -> Option<Residency<'_>> {
        if self.op.sparse == 0 || self.ctx.is_null() {
            return None;
        }
        // SAFETY: the context and what `user` points to outlive the call, as `DispatchCtx` says.
        unsafe { (*self.ctx).user.cast::<AddressSpace>().as_ref() }.map(Residency::new)
    }

    fn wide(&self) -> bool {
        self.op.class == TexelClass::I64 as u32
    }

    /// # Safety
    /// As [`Self::operand`], for rows of data.
    unsafe fn get(&self, row: u32, lane: usize) -> u64 {
        let at = row as usize * self.width + lane;
        // SAFETY: this function's contract; containers have 8 or 4 bytes by class.
        unsafe {
            if self.wide() {
                self.data.cast::<u64>().add(at).read_unaligned()
            } else {
                u64::from(self.data.cast::<u32>().add(at).read_unaligned())
            }
        }
    }

    /// # Safety
    /// As [`Self::get`].
    unsafe fn put(&self, row: u32, lane: usize, value: u64) {
        let at = row as usize * self.width + lane;
        // SAFETY: this function's contract.
        unsafe {
            if self.wide() {
                self.data.cast::<u64>().add(at).write_unaligned(value);
            } else {
                self.data.cast::<u32>().add(at).write_unaligned(value as u32);
            }
        }
    }

    /// Integer coordinates of a lane.
    ///
    /// # Safety
    /// As [`Self::operand`].
    unsafe fn coords(&self, lane: usize) -> Coords {
        // SAFETY: this function's contract.
        let row = |r: u32| unsafe { self.operand(r, lane) as i32 };
        let spatial = self.spatial();
        let mut at = Coords::default();
        for d in 0..spatial.min(self.op.coords).min(3) {
            at.xyz[d as usize] = row(d);
        }
        if self.op.coords > spatial {
            at.layer = row(spatial);
        }
        let mut next = self.op.coords;
        if self.op.has_lod != 0 {
            at.level = row(next);
            next += 1;
        }
        if self.op.has_sample != 0 {
            at.sample = row(next);
        }
        at
    }

    /// Coordinates that are not the layer. Texel coordinates of cubes are x, y and layer-face.
    fn spatial(&self) -> u32 {
        match self.op.dim {
            1 | 3 => 2,
            2 => 3,
            _ => 1,
        }
    }
}

/// Runs `f` for each lane in the mask, lanes with the same descriptors after each other.
///
/// # Safety
/// The arguments are as [`crate::kernel_abi::ImageFn`] says.
#[allow(clippy::too_many_arguments)]
unsafe fn each(
    ctx: *const DispatchCtx,
    op: *const ImageOp,
    desc: *const *const u8,
    sampler: *const *const u8,
    operands: *const u32,
    data: *mut u8,
    mask: u32,
    width: u32,
    f: impl Fn(&Lanes<'_>, usize, &Bound<'_>),
) {
    // SAFETY: the operation is a constant of the kernel.
    let lanes = Lanes { ctx, op: unsafe { &*op }, desc, sampler, operands, data, width: width as usize };
    let residency = lanes.residency();
    let mut rest = mask;
    while rest != 0 {
        let first = rest.trailing_zeros() as usize;
        // SAFETY: lanes of the mask are below the width.
        let at = |lane: usize| unsafe { (lanes.image_at(lane), lanes.sampler_at(lane)) };
        let (image, sampler) = at(first);
        let desc = if image.is_null() {
            ImageDesc::default()
        } else {
            // SAFETY: a non-null entry points to an image descriptor in set memory.
            unsafe { ImageDesc::read(image) }
        };
        let read = || {
            // SAFETY: a non-null entry points to a sampler descriptor in set memory.
            unsafe { SamplerDesc::read(sampler) }
        };
        let bound = Bound {
            desc: &desc,
            sampler: if sampler.is_null() { SamplerDesc::default() } else { read() },
            view: View::new(&desc).map(|v| v.watched(residency.as_ref())),
            residency: residency.as_ref(),
        };
        let mut turn = rest;
        while turn != 0 {
            let lane = turn.trailing_zeros() as usize;
            turn &= turn - 1;
            if at(lane) == (image, sampler) {
                rest &= !(1 << lane);
                f(&lanes, lane, &bound);
            }
        }
    }
}

macro_rules! helper {
    ($(#[$doc:meta])* $name:ident, |$lanes:ident, $lane:ident, $bound:ident| $body:expr) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As [`crate::kernel_abi::ImageFn`].
        unsafe extern "C" fn $name(
            ctx: *const DispatchCtx,
            op: *const ImageOp,
            desc: *const *const u8,
            sampler: *const *const u8,
            operands: *const u32,
            data: *mut u8,
            mask: u32,
            width: u32,
        ) {
            // The bodies only use lanes in the mask and rows of the operation; descriptors in set memory describe mapped
            // memory (valid usage).
            let body = |$lanes: &Lanes<'_>, $lane: usize, $bound: &Bound<'_>| $body;
            // SAFETY: this function's contract.
            unsafe { each(ctx, op, desc, sampler, operands, data, mask, width, body) }
        }
    };
}

fn put_texel(lanes: &Lanes<'_>, lane: usize, texel: &Texel) {
    for row in 0..lanes.op.rows.min(4) {
        // SAFETY: rows of the operation, lane in the mask.
        unsafe { lanes.put(row, lane, texel[row as usize]) };
    }
}

/// The residency code, if one is asked for.
fn put_residency(lanes: &Lanes<'_>, lane: usize, bound: &Bound<'_>) {
    if lanes.op.sparse != 0 {
        // SAFETY: the residency row follows the result rows.
        unsafe { lanes.put(lanes.op.rows, lane, bound.residency.map_or(0, |r| u64::from(r.code()))) };
    }
}

helper! {
    /// Texel read.
    image_load, |lanes, lane, bound| {
        let texel = match &bound.view {
            // SAFETY: see `helper!`.
            Some(view) => match unsafe { view.load(&lanes.coords(lane)) } {
                // Descriptors of storage images say no swizzle.
                Some(texel) => view.swizzle(&texel),
                None => view.outside(),
            },
            None => [0; 4],
        };
        put_texel(lanes, lane, &texel);
        put_residency(lanes, lane, bound);
    }
}

helper! {
    /// Texel write.
    image_store, |lanes, lane, bound| {
        if let Some(view) = &bound.view {
            let mut texel = [0; 4];
            for row in 0..lanes.op.rows.min(4) {
                // SAFETY: see `helper!`.
                texel[row as usize] = unsafe { lanes.get(row, lane) };
            }
            // SAFETY: see `helper!`.
            unsafe { view.store(&lanes.coords(lane), &texel) };
        }
    }
}

/// A new value from the old one and the operand; by the codes of [`crate::kernel_abi::atomic_op_code`].
fn combine(code: u32, signed_bits: u32, old: u64, operand: u64) -> u64 {
    let sign = |v: u64| if signed_bits == 32 { i64::from(v as u32 as i32) } else { v as i64 };
    let float = |v: u64| f32::from_bits(v as u32);
    if let Some(op) = half_op(code) {
        return interp::apply_atomic(op, sir::Type::I64, old, operand);
    }
    match code {
        0 => old.wrapping_add(operand),
        1 => sign(old).min(sign(operand)) as u64,
        2 => sign(old).max(sign(operand)) as u64,
        3 => old.min(operand),
        4 => old.max(operand),
        5 => old & operand,
        6 => old | operand,
        7 => old ^ operand,
        9 => u64::from((float(old) + float(operand)).to_bits()),
        10 => u64::from(float(old).min(float(operand)).to_bits()),
        11 => u64::from(float(old).max(float(operand)).to_bits()),
        // Exchange.
        _ => operand,
    }
}

/// Applies `f` to the word at `at` atomically and returns the old value. Unaligned words (which valid usage excludes) are
/// left alone.
///
/// # Safety
/// The word is mapped and writable.
unsafe fn update(at: u64, wide: bool, f: impl Fn(u64) -> u64) -> u64 {
    if !at.is_multiple_of(if wide { 8 } else { 4 }) {
        return 0;
    }
    if wide {
        // SAFETY: this function's contract; aligned, as checked.
        let word = unsafe { AtomicU64::from_ptr(at as *mut u64) };
        word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |v| Some(f(v))).unwrap_or_default()
    } else {
        // SAFETY: as above.
        let word = unsafe { AtomicU32::from_ptr(at as *mut u32) };
        u64::from(
            word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |v| Some(f(u64::from(v)) as u32))
                .unwrap_or_default(),
        )
    }
}

fn atomic(lanes: &Lanes<'_>, lane: usize, bound: &Bound<'_>, f: impl Fn(u64) -> u64) {
    let bytes = if lanes.wide() { 8 } else { 4 };
    // SAFETY: lane in the mask, rows of the operation.
    let at = bound.view.as_ref().and_then(|v| v.atomic(&unsafe { lanes.coords(lane) }, bytes));
    // SAFETY: descriptors describe mapped memory; the address is that of a texel of this size.
    let old = at.map_or(0, |at| unsafe { update(at, lanes.wide(), f) });
    // SAFETY: lane in the mask; row 0 takes the result.
    unsafe { lanes.put(0, lane, old) };
}

helper! {
    /// Read-modify-write of a texel.
    image_atomic, |lanes, lane, bound| {
        // SAFETY: see `helper!`.
        let operand = unsafe { lanes.get(0, lane) };
        let bits = if lanes.wide() { 64 } else { 32 };
        atomic(lanes, lane, bound, |old| combine(lanes.op.atomic, bits, old, operand));
    }
}

helper! {
    /// Compare-and-swap of a texel.
    image_cas, |lanes, lane, bound| {
        // SAFETY: see `helper!`.
        let (expected, desired) = unsafe { (lanes.get(0, lane), lanes.get(1, lane)) };
        atomic(lanes, lane, bound, |old| if old == expected { desired } else { old });
    }
}

helper! {
    /// Size query: width, height, depth as the dimensionality has them, then layers.
    image_size, |lanes, lane, bound| {
        // SAFETY: see `helper!`.
        let level = if lanes.op.has_lod != 0 { unsafe { lanes.operand(lanes.op.coords, lane) } } else { 0 };
        let mut size = [0u32; 4];
        if let Some(view) = &bound.view {
            let extent = view.extent(level);
            let spatial = lanes.spatial() as usize;
            size[..spatial].copy_from_slice(&extent[..spatial]);
            if lanes.op.arrayed != 0 {
                size[spatial] = bound.desc.layers / if lanes.op.dim == 3 { 6 } else { 1 };
            }
        }
        for row in 0..lanes.op.rows.min(4) {
            // SAFETY: see `helper!`.
            unsafe { lanes.put(row, lane, u64::from(size[row as usize])) };
        }
    }
}

helper! {
    /// Number of levels of the view.
    image_levels, |lanes, lane, bound| {
        // SAFETY: see `helper!`.
        unsafe { lanes.put(0, lane, u64::from(bound.desc.levels)) };
    }
}

helper! {
    /// Number of samples.
    image_samples, |lanes, lane, bound| {
        // SAFETY: see `helper!`.
        unsafe { lanes.put(0, lane, u64::from(bound.desc.samples)) };
    }
}

/// Where the texels of a view stand.
///
/// # Safety
/// `desc` is null or points to an image descriptor in set memory (whatever it holds); `out` is writable.
unsafe extern "C" fn plain_image(desc: *const u8, dim: u32, arrayed: u32, out: *mut PlainImage) {
    let facts = if desc.is_null() {
        PlainImage::default()
    } else {
        // SAFETY: this function's contract.
        image::plain_image(&unsafe { ImageDesc::read(desc) }, dim, arrayed != 0)
    };
    // SAFETY: this function's contract.
    unsafe { out.write(facts) };
}

/// How a view is filtered with a sampler.
///
/// # Safety
/// `desc` is null or points to an image descriptor in set memory (whatever it holds), `sampler` likewise to one of a sampler;
/// `out` is writable.
unsafe extern "C" fn plain_texture(
    desc: *const u8,
    sampler: *const u8,
    dim: u32,
    arrayed: u32,
    lod: u32,
    texels: u32,
    out: *mut PlainTexture,
) {
    let facts = if desc.is_null() || (sampler.is_null() && texels == 0) {
        PlainTexture::default()
    } else if texels != 0 {
        // SAFETY: this function's contract.
        image::plain_texels(&unsafe { ImageDesc::read(desc) }, dim, arrayed != 0, lod)
    } else {
        // SAFETY: this function's contract.
        let (desc, sampler) = unsafe { (ImageDesc::read(desc), SamplerDesc::read(sampler)) };
        image::plain_texture(&desc, &sampler, dim, arrayed != 0, f32::from_bits(lod))
    };
    // SAFETY: this function's contract.
    unsafe { out.write(facts) };
}

/// The lookup of a lane.
///
/// # Safety
/// As [`Lanes::operand`].
unsafe fn lookup(lanes: &Lanes<'_>, lane: usize, shadow: bool) -> Lookup {
    let op = lanes.op;
    let mut next = 0u32;
    // SAFETY: rows are taken in the order and number the operation states.
    let mut take = || unsafe {
        next += 1;
        lanes.operand(next - 1, lane)
    };
    let cube = op.dim == 3;
    let spatial = if cube { 3 } else { lanes.spatial() };
    let mut l = Lookup { dims: spatial as u8, cube, ..Lookup::default() };
    for i in 0..op.coords {
        let v = f32::from_bits(take());
        if i < spatial {
            l.coords[i as usize] = v;
        } else {
            l.layer = v;
        }
    }
    if op.has_lod != 0 {
        l.lod = Some(f32::from_bits(take()));
    }
    if op.has_sample != 0 {
        take();
    }
    if op.grads != 0 {
        let half = (op.grads / 2) as usize;
        let mut grad = [[0.0; 3]; 2];
        for row in &mut grad {
            for (d, slot) in (0..half).zip(0..3usize) {
                let v = f32::from_bits(take());
                if d < 3 {
                    row[slot] = v;
                }
            }
        }
        l.grad = Some(grad);
    }
    match op.offsets {
        0 => {}
        8 => {
            let mut offsets = [[0; 2]; 4];
            for pair in &mut offsets {
                *pair = [take() as i32, take() as i32];
            }
            l.gather_offsets = Some(offsets);
        }
        n => {
            for i in 0..n {
                let v = take() as i32;
                if i < 3 {
                    l.offset[i as usize] = v;
                }
            }
        }
    }
    if op.has_dref != 0 {
        let v = f32::from_bits(take());
        l.dref = shadow.then_some(v);
    }
    if op.has_min_lod != 0 {
        l.min_lod = Some(f32::from_bits(take()));
    }
    if op.has_bias != 0 {
        l.bias = Some(f32::from_bits(take()));
    }
    l.gather = (op.mode == sample_mode_code(SampleMode::Gather)).then_some(op.component as u8);
    l.query = op.mode == sample_mode_code(SampleMode::QueryLod);
    l
}

helper! {
    /// Filtered read or gather.
    sample, |lanes, lane, bound| {
        let texel = match &bound.view {
            // SAFETY: see `helper!`.
            Some(view) => unsafe { lookup(lanes, lane, lanes.op.has_dref != 0).run(view, &bound.sampler) },
            None => [0; 4],
        };
        put_texel(lanes, lane, &texel);
        put_residency(lanes, lane, bound);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ash::vk;

    #[test]
    fn lanes_store_and_load() {
        let mut memory = [0u32; 4];
        let desc = ImageDesc {
            addr: memory.as_mut_ptr() as u64,
            format: vk::Format::R32_UINT.as_raw(),
            extent: [4, 1, 1],
            image_layers: 1,
            layers: 1,
            image_levels: 1,
            levels: 1,
            samples: 1,
            kind: ImageDesc::IMAGE,
            bytes: 4,
            block: [1, 1],
            swizzle: [0, 1, 2, 3],
            ..ImageDesc::default()
        }
        .pack();
        let op = ImageOp { dim: 0, class: TexelClass::I32 as u32, coords: 1, rows: 4, ..ImageOp::default() };
        let descs = [std::ptr::from_ref(&desc).cast::<u8>(); 4];
        let x = [3u32, 2, 1, 0];
        let mut data: [u32; 16] = std::array::from_fn(|i| 10 + i as u32);
        let p = data.as_mut_ptr().cast::<u8>();
        // SAFETY: four lanes, one coordinate row, four data rows; the descriptor describes `memory`.
        unsafe { image_store(std::ptr::null(), &op, descs.as_ptr(), std::ptr::null(), x.as_ptr(), p, 0b0111, 4) };
        assert_eq!(memory, [0, 12, 11, 10]);
        // SAFETY: as above.
        unsafe { image_load(std::ptr::null(), &op, descs.as_ptr(), std::ptr::null(), x.as_ptr(), p, 0b1111, 4) };
        assert_eq!(data, [10, 11, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
        let atomic = ImageOp { atomic: 0, ..op };
        let x = [1u32, 1, 1, 1];
        let mut data = [5u32; 4];
        // SAFETY: as above, with one data row.
        unsafe {
            image_atomic(
                std::ptr::null(),
                &atomic,
                descs.as_ptr(),
                std::ptr::null(),
                x.as_ptr(),
                data.as_mut_ptr().cast(),
                0b1111,
                4,
            )
        };
        assert_eq!(memory[1], 32);
        assert_eq!(data, [12, 17, 22, 27]);
    }
}
