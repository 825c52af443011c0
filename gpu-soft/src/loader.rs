//! Brings a compiled kernel into executable memory: validates it, lays out and relocates its ELF object, and makes it
//! executable. Memory is never writable and executable at once.

use crate::kernel_abi::{Header, KernelFn, Width};
use object::elf;
use object::read::elf::{FileHeader, Rela, SectionHeader, Sym};
use object::LittleEndian as LE;
use std::collections::HashMap;

/// Name of the entry function in the object file.
pub const ENTRY: &str = "kernel";

/// Why a kernel could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Not a kernel of this version, or damaged.
    #[error("not a compiled kernel of this version, or damaged")]
    Header,
    /// The processor lacks the instruction set.
    #[error("the processor cannot run code of {0} lanes")]
    Unsupported(u32),
    /// The object file is not of the expected form.
    #[error("malformed object file: {0}")]
    Object(&'static str),
    /// The code calls a function that kernels do not have.
    #[error("the object file calls the unknown function `{0}`")]
    External(String),
    /// Executable memory could not be had.
    #[error("no executable memory (errno {0})")]
    Memory(i32),
}

/// A kernel in executable memory; unmapped when dropped.
#[derive(Debug)]
pub struct Loaded {
    map: Mapping,
    entry: usize,
    text: usize,
    header: Header,
}

impl Loaded {
    /// Loads what the code generator's `Binary::bytes` holds.
    ///
    /// # Errors
    /// Anything that is not a well-formed kernel for this processor gives an error.
    pub fn load(bytes: &[u8]) -> Result<Loaded, LoadError> {
        let (header, object) = Header::decode(bytes).ok_or(LoadError::Header)?;
        if !header.width.supported() {
            return Err(LoadError::Unsupported(header.width.lanes()));
        }
        // The ELF structures are read in place and want their natural alignment.
        let mut aligned = vec![0u64; object.len().div_ceil(8)];
        for (word, chunk) in aligned.iter_mut().zip(object.chunks(8)) {
            let mut b = [0u8; 8];
            b[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_ne_bytes(b);
        }
        let data = object::pod::bytes_of_slice(&aligned);
        let image = link(&data[..object.len()])?;
        let map = Mapping::new(&image)?;
        Ok(Loaded { map, entry: image.entry, text: image.text, header })
    }

    /// The kernel. Valid as long as this value lives.
    pub fn entry(&self) -> KernelFn {
        // SAFETY: `entry` is the offset of the entry function inside the executable part of the mapping (checked by
        // `link`), and the code there was generated with exactly this signature (the header's version and checksum).
        unsafe { std::mem::transmute::<*const u8, KernelFn>(self.map.base.add(self.entry)) }
    }

    /// As [`Self::entry`], for the guard: what the context is does not matter to who passes its address on.
    pub(crate) fn code(&self) -> guard::Code {
        // SAFETY: the types differ in what the first argument points to.
        unsafe { std::mem::transmute::<KernelFn, guard::Code>(self.entry()) }
    }

    /// Bytes of arena that a running thread needs.
    pub fn arena_bytes(&self) -> usize {
        usize::try_from(self.header.arena_bytes).unwrap_or(usize::MAX)
    }

    /// What the kernel says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Address range of the machine code, to tell whether a fault happened inside it.
    pub fn code_range(&self) -> std::ops::Range<usize> {
        let start = self.map.base as usize;
        start..start + self.text
    }

    /// Instruction set of the code.
    pub fn width(&self) -> Width {
        self.header.width
    }
}

/// A linked image before it is mapped: code first, then read-only data on pages of their own.
struct Image {
    bytes: Vec<u8>,
    /// Bytes of code (whole pages).
    text: usize,
    /// Offset of the entry function.
    entry: usize,
    /// Address-dependent words: offset in the image, function address.
    absolute: Vec<(usize, u64)>,
}

const PAGE: usize = 4096;
/// Bytes of a jump to a function outside the image: `jmp [rip]` and the address.
const STUB: usize = 16;
/// More than any kernel needs; keeps all distances inside the image well below 2 GiB.
const MAX_IMAGE: usize = 256 << 20;

/// Functions outside the image that code may call. The code generator calls nothing else: fused multiply-add is a library call
/// on processors without the instruction.
fn external(name: &[u8]) -> Option<u64> {
    extern "C" fn fmaf(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
    extern "C" fn fma(a: f64, b: f64, c: f64) -> f64 {
        a.mul_add(b, c)
    }
    match name {
        b"fmaf" => Some(fmaf as *const () as u64),
        b"fma" => Some(fma as *const () as u64),
        b"memcpy" => Some(libc::memcpy as *const () as u64),
        b"memset" => Some(libc::memset as *const () as u64),
        _ => None,
    }
}

fn object_error<E>(what: &'static str) -> impl FnOnce(E) -> LoadError {
    move |_| LoadError::Object(what)
}

fn link(data: &[u8]) -> Result<Image, LoadError> {
    let header = elf::FileHeader64::<LE>::parse(data).map_err(object_error("header"))?;
    let endian = header.endian().map_err(object_error("endianness"))?;
    if header.e_type(endian) != elf::ET_REL || header.e_machine(endian) != elf::EM_X86_64 {
        return Err(LoadError::Object("not a relocatable x86-64 object"));
    }
    let sections = header.sections(endian, data).map_err(object_error("sections"))?;
    let symbols = sections.symbols(endian, data, elf::SHT_SYMTAB).map_err(object_error("symbols"))?;

    // Layout: executable sections, stubs, then read-only data from the next page on.
    let mut place: HashMap<usize, usize> = HashMap::new();
    let mut at = 0usize;
    let externals = symbols.iter().filter(|s| s.is_undefined(endian)).count();
    let mut stubs_at = 0;
    let mut text = 0;
    for executable in [true, false] {
        for (index, section) in sections.iter().enumerate() {
            let flags = section.sh_flags(endian);
            if flags & u64::from(elf::SHF_ALLOC) == 0
                || (flags & u64::from(elf::SHF_EXECINSTR) != 0) != executable
                || section.sh_size(endian) == 0
            {
                continue;
            }
            if flags & u64::from(elf::SHF_WRITE | elf::SHF_TLS) != 0 {
                return Err(LoadError::Object("writable section"));
            }
            let align = usize::try_from(section.sh_addralign(endian)).unwrap_or(usize::MAX).max(1);
            if align > PAGE || !align.is_power_of_two() {
                return Err(LoadError::Object("section alignment"));
            }
            let size = usize::try_from(section.sh_size(endian)).unwrap_or(usize::MAX);
            at = at.next_multiple_of(align);
            place.insert(index, at);
            at = at.saturating_add(size);
            if at > MAX_IMAGE {
                return Err(LoadError::Object("too large"));
            }
        }
        if executable {
            at = at.next_multiple_of(STUB);
            stubs_at = at;
            at = (at + externals * STUB).next_multiple_of(PAGE);
            text = at;
            if at > MAX_IMAGE {
                return Err(LoadError::Object("too large"));
            }
        }
    }
    let mut bytes = vec![0u8; at.next_multiple_of(PAGE).max(PAGE)];
    for (index, section) in sections.iter().enumerate() {
        let Some(&offset) = place.get(&index) else { continue };
        let contents = section.data(endian, data).map_err(object_error("section data"))?;
        // No-bits sections have no data and stay zero.
        let end = offset + contents.len();
        bytes.get_mut(offset..end).ok_or(LoadError::Object("section size"))?.copy_from_slice(contents);
    }

    let mut absolute = Vec::new();
    let mut stubs: HashMap<usize, usize> = HashMap::new();
    let mut entry = None;
    for symbol in symbols.iter() {
        if symbols.symbol_name(endian, symbol).ok() == Some(ENTRY.as_bytes()) && !symbol.is_undefined(endian) {
            let base = place
                .get(&usize::from(symbol.st_shndx(endian)))
                .ok_or(LoadError::Object("entry point outside code"))?;
            let offset = base.saturating_add(usize::try_from(symbol.st_value(endian)).unwrap_or(usize::MAX));
            if offset >= stubs_at {
                return Err(LoadError::Object("entry point outside code"));
            }
            entry = Some(offset);
        }
    }

    for section in sections.iter() {
        let Some((relas, _)) = section.rela(endian, data).map_err(object_error("relocations"))? else { continue };
        let Some(&target) = place.get(&(section.sh_info(endian) as usize)) else { continue };
        let target_size = sections
            .section(object::SectionIndex(section.sh_info(endian) as usize))
            .map_err(object_error("relocated section"))?
            .sh_size(endian);
        for rela in relas {
            let r_offset = rela.r_offset(endian);
            let index = rela.r_sym(endian, false) as usize;
            let symbol = symbols.symbol(object::SymbolIndex(index)).map_err(object_error("symbol index"))?;
            let kind = rela.r_type(endian, false);
            let width = match kind {
                elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 => 4,
                elf::R_X86_64_PC64 => 8,
                _ => return Err(LoadError::Object("relocation kind")),
            };
            if r_offset.checked_add(width).is_none_or(|end| end > target_size) {
                return Err(LoadError::Object("relocation outside its section"));
            }
            let address = if symbol.is_undefined(endian) {
                let next = stubs_at + stubs.len() * STUB;
                let stub = *stubs.entry(index).or_insert(next);
                if stub == next {
                    let name = symbols.symbol_name(endian, symbol).map_err(object_error("symbol name"))?;
                    let function = external(name)
                        .ok_or_else(|| LoadError::External(String::from_utf8_lossy(name).into_owned()))?;
                    bytes
                        .get_mut(stub..stub + 6)
                        .ok_or(LoadError::Object("stubs"))?
                        .copy_from_slice(&[0xff, 0x25, 0, 0, 0, 0]);
                    absolute.push((stub + 6, function));
                }
                stub as i64
            } else {
                let base = place
                    .get(&usize::from(symbol.st_shndx(endian)))
                    .ok_or(LoadError::Object("symbol without a place"))?;
                (*base as i64).wrapping_add(symbol.st_value(endian) as i64)
            };
            let at = target + r_offset as usize;
            let value = address.wrapping_add(rela.r_addend(endian)).wrapping_sub(at as i64);
            if width == 4 {
                let value = i32::try_from(value).map_err(object_error("relocation overflow"))?;
                bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            } else {
                bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
    }
    let entry = entry.ok_or(LoadError::Object("no entry point"))?;
    Ok(Image { bytes, text, entry, absolute })
}

/// An anonymous mapping holding a linked image.
#[derive(Debug)]
struct Mapping {
    base: *mut u8,
    len: usize,
}

// SAFETY: the mapping is immutable after `Mapping::new` and owned by the value; code and constants may be read from any thread.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(image: &Image) -> Result<Mapping, LoadError> {
        let len = image.bytes.len();
        let errno = || LoadError::Memory(std::io::Error::last_os_error().raw_os_error().unwrap_or(0));
        // SAFETY: a fresh private anonymous mapping at an address of the kernel's choice touches no existing memory.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(errno());
        }
        let map = Mapping { base: base.cast(), len };
        // SAFETY: the mapping is `len` bytes long, writable, and nobody else knows of it yet.
        let bytes = unsafe { std::slice::from_raw_parts_mut(map.base, len) };
        bytes.copy_from_slice(&image.bytes);
        for &(at, value) in &image.absolute {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        // SAFETY: both ranges are whole pages inside our own mapping, and no reference into it is alive any more.
        let failed = unsafe {
            libc::mprotect(base, image.text, libc::PROT_READ | libc::PROT_EXEC) != 0
                || (len > image.text
                    && libc::mprotect(map.base.add(image.text).cast(), len - image.text, libc::PROT_READ) != 0)
        };
        if failed {
            return Err(errno());
        }
        Ok(map)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `base` and `len` are those of a mapping that this value owns, and code handed out from it is documented
        // to be valid only while the value lives. A failure would leave the mapping in place, which is harmless.
        unsafe { libc::munmap(self.base.cast(), self.len) };
    }
}
