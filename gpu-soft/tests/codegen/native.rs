//! Runs a kernel as machine code over the buffers of a test file's setup.

use compiler::filetest::{Place, Setup};
use compiler::sir::Kernel;
use gpu_soft::codegen::{compile, Options};
use gpu_soft::kernel_abi::{
    BindingSlot, BufferDesc, DispatchCtx, Helpers, ImageOp, PlainImage, PlainTexture, Width, ARENA_ALIGN, MAX_SETS,
};
use gpu_soft::loader::Loaded;
use std::collections::BTreeMap;

/// Buffers by place.
pub type Buffers = BTreeMap<(u32, u32, u32), Vec<u8>>;

/// Bytes of a known value around each buffer.
const ZONE: usize = 256;
const ZONE_BYTE: u8 = 0xa5;

/// Widths that this processor runs.
pub fn widths() -> Vec<Width> {
    Width::ALL.into_iter().filter(|w| w.supported()).collect()
}

/// The options of a test: what is collected in large calls is collected in small ones.
pub fn options<'a>(width: Width, subgroup_size: u32, bindings: &'a [BindingSlot]) -> Options<'a> {
    Options { subgroup_size, collect_from: 1, stream_from: 0, ..Options::new(width, bindings) }
}

/// A layout for the bindings of a kernel: element after element, binding after binding.
pub fn layout(kernel: &Kernel, setup: &Setup) -> Vec<BindingSlot> {
    let mut offsets: BTreeMap<u32, u32> = BTreeMap::new();
    let mut out = Vec::new();
    for b in &kernel.bindings {
        let most = setup
            .buffers
            .iter()
            .filter(|(p, _)| p.set == b.set && p.binding == b.binding)
            .map(|(p, _)| p.element + 1)
            .max()
            .unwrap_or(0);
        let count = most.max(b.count).max(1);
        let offset = offsets.entry(b.set).or_insert(0);
        out.push(BindingSlot {
            set: b.set,
            binding: b.binding,
            offset: *offset,
            stride: 32,
            count,
            ..Default::default()
        });
        *offset += 32 * count;
    }
    out
}

struct Padded {
    bytes: Vec<u8>,
    len: usize,
}

impl Padded {
    fn new(data: &[u8]) -> Padded {
        let mut bytes = vec![ZONE_BYTE; data.len() + 2 * ZONE + 64];
        let start = Padded::start(&bytes);
        bytes[start..start + data.len()].copy_from_slice(data);
        Padded { bytes, len: data.len() }
    }

    /// Buffers begin at a multiple of 64 bytes.
    fn start(bytes: &[u8]) -> usize {
        let base = bytes.as_ptr() as usize;
        (base + ZONE).next_multiple_of(64) - base
    }

    fn addr(&mut self) -> u64 {
        let start = Padded::start(&self.bytes);
        self.bytes[start..].as_mut_ptr() as u64
    }

    fn take(self, place: &(u32, u32, u32)) -> Vec<u8> {
        let start = Padded::start(&self.bytes);
        let end = start + self.len;
        let intact = self.bytes[..start].iter().chain(&self.bytes[end..]).all(|b| *b == ZONE_BYTE);
        assert!(intact, "memory around buffer {place:?} was written");
        self.bytes[start..end].to_vec()
    }
}

unsafe extern "C" fn no_image(
    _: *const DispatchCtx,
    _: *const ImageOp,
    _: *const *const u8,
    _: *const *const u8,
    _: *const u32,
    _: *mut u8,
    _: u32,
    _: u32,
) {
    std::process::abort();
}

unsafe extern "C" fn no_facts(_: *const u8, _: u32, _: u32, _: *mut PlainImage) {
    std::process::abort();
}

unsafe extern "C" fn no_texture(_: *const u8, _: *const u8, _: u32, _: u32, _: u32, _: u32, _: *mut PlainTexture) {
    std::process::abort();
}

/// Helpers of a machine without images.
pub const NO_IMAGES: Helpers = Helpers {
    image_load: no_image,
    image_store: no_image,
    image_atomic: no_image,
    image_cas: no_image,
    image_size: no_image,
    image_levels: no_image,
    image_samples: no_image,
    sample: no_image,
    plain_image: no_facts,
    plain_texture: no_texture,
};

thread_local! {
    /// Duration of the last run.
    pub static SECONDS: std::cell::Cell<f64> = const { std::cell::Cell::new(0.0) };
}

/// Runs a loaded kernel. `parts` splits the dispatch into that many calls.
pub fn run_loaded(
    loaded: &Loaded,
    bindings: &[BindingSlot],
    setup: &Setup,
    helpers: &Helpers,
    user: *const (),
    parts: u64,
    cancel: u32,
) -> Buffers {
    let mut buffers: BTreeMap<(u32, u32, u32), Padded> = BTreeMap::new();
    for (p, data) in &setup.buffers {
        buffers.insert((p.set, p.binding, p.element), Padded::new(data));
    }
    let mut sets: Vec<Vec<u64>> = vec![Vec::new(); MAX_SETS];
    let mut dynamic = vec![BufferDesc::default(); 16];
    for b in bindings {
        if let (Some(size), Some(buffer)) = (b.inline_size, buffers.get(&(b.set, b.binding, 0))) {
            let start = Padded::start(&buffer.bytes);
            let memory = &mut sets[b.set as usize];
            memory.resize(memory.len().max((b.offset + size) as usize / 8), 0);
            for (i, word) in buffer.bytes[start..start + size as usize].chunks(8).enumerate() {
                let mut bytes = [0; 8];
                bytes[..word.len()].copy_from_slice(word);
                memory[b.offset as usize / 8 + i] = u64::from_le_bytes(bytes);
            }
            continue;
        }
        let words = (b.offset + b.stride * b.count) as usize / 8;
        let memory = &mut sets[b.set as usize];
        memory.resize(memory.len().max(words), 0);
        for element in 0..b.count {
            if let Some(buffer) = buffers.get_mut(&(b.set, b.binding, element)) {
                let at = (b.offset + b.stride * element) as usize / 8;
                let desc = BufferDesc { addr: buffer.addr(), size: buffer.len as u64 };
                if let Some(first) = b.dynamic {
                    dynamic[(first + element) as usize] = desc;
                    continue;
                }
                memory[at] = desc.addr;
                memory[at + 1] = desc.size;
            }
        }
    }
    let addresses: [u64; MAX_SETS] =
        std::array::from_fn(|i| if sets[i].is_empty() { 0 } else { sets[i].as_ptr() as u64 });
    let mut addr_of = BTreeMap::new();
    for (k, b) in &mut buffers {
        addr_of.insert(*k, b.addr());
    }
    let given = setup.push_constants(&|p: Place| addr_of.get(&(p.set, p.binding, p.element)).copied());
    let mut push = [0u8; 256];
    push[..given.len()].copy_from_slice(&given);
    let ctx = DispatchCtx {
        push: push.as_ptr(),
        sets: addresses.as_ptr(),
        dynamic: dynamic.as_ptr(),
        helpers,
        user,
        base_group: [0; 3],
        group_count: setup.dispatch,
        cancel: &cancel,
    };
    let mut arena = vec![0u8; loaded.arena_bytes() + ARENA_ALIGN + ZONE];
    let skip = arena.as_ptr().align_offset(ARENA_ALIGN);
    let end = skip + loaded.arena_bytes();
    arena[end..].fill(ZONE_BYTE);
    let groups: u64 = setup.dispatch.iter().map(|n| u64::from(*n)).product();
    let entry = loaded.entry();
    let start = std::time::Instant::now();
    for part in 0..parts {
        let (first, last) = (groups * part / parts, groups * (part + 1) / parts);
        // SAFETY: the context's pointers refer to live arrays of the documented sizes, descriptors describe live buffers, and the
        // arena has the bytes that the kernel asked for at the required alignment.
        unsafe { entry(&ctx, first, last, arena[skip..].as_mut_ptr()) };
    }
    SECONDS.set(start.elapsed().as_secs_f64());
    assert!(arena[end..].iter().all(|b| *b == ZONE_BYTE), "memory behind the arena was written");
    buffers.into_iter().map(|(k, b)| (k, b.take(&k))).collect()
}

/// Compiles and runs a kernel.
pub fn run(kernel: &Kernel, setup: &Setup, width: Width, subgroup_size: u32) -> Result<Buffers, String> {
    run_with(kernel, setup, width, subgroup_size, |o| o)
}

/// As [`run`], of a kernel that keeps to its buffers, with accesses that are not checked.
pub fn run_unchecked(kernel: &Kernel, setup: &Setup, width: Width, subgroup_size: u32) -> Result<Buffers, String> {
    run_with(kernel, setup, width, subgroup_size, |o| Options { robust_storage: false, robust_uniform: false, ..o })
}

/// As [`run`], with options that are changed.
pub fn run_with(
    kernel: &Kernel,
    setup: &Setup,
    width: Width,
    subgroup_size: u32,
    change: impl Fn(Options<'_>) -> Options<'_>,
) -> Result<Buffers, String> {
    let bindings = layout(kernel, setup);
    let show = std::env::var("SIR_SHOW").is_ok();
    let opts = Options { want_ir: show, want_asm: show, ..options(width, subgroup_size, &bindings) };
    let opts = change(opts);
    let binary = compile(kernel, &opts).map_err(|e| e.to_string())?;
    if show {
        println!("{}\n{}", binary.ir.unwrap_or_default(), binary.asm.unwrap_or_default());
    }
    // What kernels of tests do with subgroups of the natural size, there is code for at once.
    if let Some(why) = binary.stats.refused.filter(|_| subgroup_size <= width.lanes() && opts.jam.unwrap_or(1) == 1) {
        return Err(format!("the quick back end refused {why}"));
    }
    let loaded = Loaded::load(&binary.bytes).map_err(|e| e.to_string())?;
    let groups: u64 = setup.dispatch.iter().map(|n| u64::from(*n)).product();
    Ok(run_loaded(&loaded, &bindings, setup, &NO_IMAGES, std::ptr::null(), groups.clamp(1, 2), 0))
}

/// What the interpreter makes of it.
pub fn interpret(kernel: &Kernel, setup: &Setup) -> Result<Buffers, String> {
    let machine = setup.run(kernel).map_err(|e| e.to_string())?;
    Ok(setup
        .buffers
        .iter()
        .map(|(p, _)| {
            let bytes = machine.contents(p.set, p.binding, p.element).unwrap_or_default().to_vec();
            ((p.set, p.binding, p.element), bytes)
        })
        .collect())
}

/// The seeds that `SIR_SEEDS=from..to` names, else the default ones.
pub fn seeds() -> std::ops::Range<u64> {
    let seeds = std::env::var("SIR_SEEDS").ok();
    let range = seeds.as_deref().and_then(|s| {
        let (a, b) = s.split_once("..")?;
        Some(a.parse().ok()?..b.parse().ok()?)
    });
    range.unwrap_or(0..40)
}

/// A kernel after it was decided what is fused.
pub fn contracted(text: &str) -> Kernel {
    let mut kernel = compiler::text::parse(text).expect("parses");
    compiler::passes::run_named(&mut kernel, &["contract".to_owned()]).expect("runs");
    kernel
}
