//! Reading and writing single texels through a view.

use super::desc::ImageDesc;
use super::layout::Level;
use crate::texel::{self, Format, Texel};
use ash::vk;
use dxg_model::AddressSpace;
use std::cell::{Cell, OnceCell};

/// Integer coordinates of a texel, after the shader's operands have been sorted out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coords {
    /// x, y, z; unused ones are 0.
    pub xyz: [i32; 3],
    /// Layer of the view (layer·6 + face for cubes).
    pub layer: i32,
    /// Level of the view.
    pub level: i32,
    /// Sample.
    pub sample: i32,
}

/// Takes note of reads from addresses that have no memory.
#[derive(Debug)]
pub struct Residency<'a> {
    space: &'a AddressSpace,
    missing: Cell<bool>,
}

impl<'a> Residency<'a> {
    /// Nothing read yet.
    pub fn new(space: &'a AddressSpace) -> Self {
        Residency { space, missing: Cell::new(false) }
    }

    /// The residency code of what was read since the last time it was asked: 0 if all of it had memory.
    pub fn code(&self) -> u32 {
        u32::from(self.missing.take())
    }
}

/// A level of a view.
#[derive(Clone, Copy, Debug)]
pub struct ViewLevel {
    /// Where it stands.
    pub level: Level,
    /// Width, height and depth in texels of the view's format.
    pub size: [u32; 3],
}

/// Where a texel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Address of its block.
    pub address: u64,
    /// Its column and row in the block.
    pub inside: [u32; 2],
}

/// A view that is not null, with its format looked up. It remembers the levels that were asked for last, so all that goes
/// through one descriptor should go through one view.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The descriptor.
    pub desc: &'a ImageDesc,
    /// The view's format.
    pub format: &'static Format,
    /// Who wants to know whether what is read has memory.
    pub residency: Option<&'a Residency<'a>>,
    /// Even and odd levels: blending takes neighbours in turn.
    known: [Cell<Option<(u32, ViewLevel)>>; 2],
    /// Of formats of blocks, whose texels take long to decode, those that were read last: neighbours share most of theirs.
    decoded: OnceCell<Box<Decoded>>,
}

/// Texels that are remembered.
const DECODED: usize = 64;
type Decoded = [Cell<(Place, Texel)>; DECODED];

impl<'a> View<'a> {
    /// `None` for the null descriptor and for bytes that are no descriptor.
    pub fn new(desc: &'a ImageDesc) -> Option<View<'a>> {
        if desc.kind != ImageDesc::IMAGE && desc.kind != ImageDesc::BUFFER {
            return None;
        }
        // Of several planes it is the first that is seen.
        let format = texel::aspect_format(desc.vk_format(), vk::ImageAspectFlags::PLANE_0);
        Some(View {
            desc,
            format: texel::find(format)?,
            residency: None,
            known: Default::default(),
            decoded: OnceCell::new(),
        })
    }

    /// The view, with somebody who wants to know whether what is read has memory.
    pub fn watched(self, residency: Option<&'a Residency<'a>>) -> View<'a> {
        View { residency, ..self }
    }

    /// Width, height and depth of a level of the view in texels.
    pub fn extent(&self, level: u32) -> [u32; 3] {
        if self.desc.kind == ImageDesc::BUFFER {
            return self.desc.extent;
        }
        let [width, height, depth] =
            self.desc.shape().level_extent(u32::from(self.desc.base_level).saturating_add(level));
        let sliced = self.desc.slices == ImageDesc::SOME_SLICES;
        // Each texel of an uncompressed view of a compressed image is a block of it.
        let [w, h] =
            if self.format.block == self.desc.block { [1, 1] } else { self.desc.block.map(|b| u32::from(b.max(1))) };
        [width.div_ceil(w), height.div_ceil(h), if sliced { self.desc.layers } else { depth }]
    }

    /// A level of the view.
    pub fn level(&self, level: u32) -> ViewLevel {
        let known = &self.known[level as usize % 2];
        match known.get() {
            Some((l, found)) if l == level => found,
            _ => {
                let found = ViewLevel { level: self.layout(level), size: self.extent(level) };
                known.set(Some((level, found)));
                found
            }
        }
    }

    fn layout(&self, level: u32) -> Level {
        if self.desc.kind == ImageDesc::BUFFER {
            let size = u64::from(self.desc.extent[0]) * u64::from(self.desc.bytes);
            return Level {
                offset: 0,
                extent: [self.desc.extent[0], 1, 1],
                row: size,
                slice: size,
                sample: size,
                layer: size,
                size,
                tile: [0; 3],
            };
        }
        self.desc.shape().level(u32::from(self.desc.base_level).saturating_add(level))
    }

    /// Where a texel of a level from [`Self::level`] stands, `None` if it lies outside of the view.
    pub fn place(&self, ViewLevel { level, size }: &ViewLevel, at: &Coords) -> Option<Place> {
        let inside = |value: i32, end: u32| u32::try_from(value).ok().filter(|v| *v < end).map(u64::from);
        let desc = self.desc;
        let x = inside(at.xyz[0], size[0])?;
        let y = inside(at.xyz[1], size[1])?;
        let base = u64::from(desc.base_layer);
        let (z, layer) = match desc.slices {
            ImageDesc::ALL_SLICES => (inside(at.xyz[2], size[2])?, inside(at.layer, desc.layers.max(1))? + base),
            ImageDesc::SLICES_AS_LAYERS => (inside(at.layer, desc.layers)? + base, 0),
            _ => (inside(at.xyz[2], desc.layers)? + base, 0),
        };
        let sample = inside(at.sample, u32::from(desc.samples.max(1)))?;
        let [w, h] = self.format.block.map(u64::from);
        let block = level.at(u32::from(desc.bytes), [x / w, y / h, z], layer, sample);
        Some(Place { address: desc.addr.checked_add(block)?, inside: [(x % w) as u32, (y % h) as u32] })
    }

    fn locate(&self, at: &Coords) -> Option<Place> {
        let level = u32::try_from(at.level).ok().filter(|l| *l < u32::from(self.desc.levels.max(1)))?;
        // Levels below the view's least level of detail are not there.
        if (level + u32::from(self.desc.base_level)) < f32::from_bits(self.desc.min_lod) as u32 {
            return None;
        }
        self.place(&self.level(level), at)
    }

    /// The texel at a place that [`Self::place`] gave.
    ///
    /// # Safety
    /// The descriptor describes memory that is mapped and readable.
    pub unsafe fn read(&self, Place { address, inside }: Place) -> Texel {
        if let Some(residency) = self.residency {
            if !residency.space.is_backed(address, u64::from(self.format.bytes)) {
                residency.missing.set(true);
            }
        }
        let place = Place { address, inside };
        let slot = self.format.codec.is_some().then(|| {
            let nothing = || Cell::new((Place { address: 0, inside: [0; 2] }, [0; 4]));
            let all = self.decoded.get_or_init(|| Box::new(std::array::from_fn(|_| nothing())));
            let block = (address / u64::from(self.format.bytes)) as usize;
            &all[(block * 5 + inside[0] as usize + inside[1] as usize * 16) % DECODED]
        });
        if let Some((known, texel)) = slot.map(Cell::get) {
            if known == place {
                return texel;
            }
        }
        let mut bytes = [0u8; 16];
        let texel = &mut bytes[..self.format.bytes.min(16) as usize];
        if slot.is_some() {
            // A kernel that reads where nothing is must not be left here, with what is remembered on the heap: it goes on with
            // zeros and fails in the end.
            // SAFETY: the caller vouches for the memory.
            let _ = unsafe { guard::read(address, texel) };
        } else {
            // SAFETY: as above.
            unsafe { std::ptr::copy_nonoverlapping(address as *const u8, texel.as_mut_ptr(), texel.len()) };
        }
        let texel = texel::decode_block(self.format, &bytes, inside, self.desc.block_mode());
        if let Some(slot) = slot {
            slot.set((place, texel));
        }
        texel
    }

    /// What a load outside of the image gives: zeros, and for formats without alpha 1 in alpha
    /// (Vulkan specification, "Robust Image Access").
    pub fn outside(&self) -> Texel {
        if self.format.fields[3].is_some() {
            [0; 4]
        } else {
            self.format.missing()
        }
    }

    /// Loads a texel; `None` outside of the view.
    ///
    /// # Safety
    /// As [`Self::read`].
    pub unsafe fn load(&self, at: &Coords) -> Option<Texel> {
        // SAFETY: this function's contract.
        self.locate(at).map(|place| unsafe { self.read(place) })
    }

    /// Stores a texel; outside of the view nothing happens.
    ///
    /// # Safety
    /// The descriptor describes memory that is mapped and writable.
    pub unsafe fn store(&self, at: &Coords, texel: &Texel) {
        // Nothing is stored to formats of blocks.
        if let Some(Place { address, .. }) = self.locate(at).filter(|_| self.format.codec.is_none()) {
            let bytes = texel::encode(self.format, texel);
            // SAFETY: the caller vouches for the memory; a texel has at most 16 bytes.
            unsafe {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, self.format.bytes.min(16) as usize)
            };
        }
    }

    /// Address of a texel for an atomic operation of `bytes` bytes; `None` outside or if the format is of another size.
    pub fn atomic(&self, at: &Coords, bytes: u32) -> Option<u64> {
        (self.format.bytes == bytes).then(|| self.locate(at)).flatten().map(|p| p.address)
    }

    /// Applies the view's swizzle.
    pub fn swizzle(&self, texel: &Texel) -> Texel {
        let one = self.format.missing()[3];
        self.desc.swizzle.map(|s| match s {
            0..=3 => texel[usize::from(s)],
            5 => one,
            _ => 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desc(memory: &mut [u8]) -> ImageDesc {
        ImageDesc {
            addr: memory.as_mut_ptr() as u64,
            format: vk::Format::R8G8B8A8_UINT.as_raw(),
            extent: [4, 2, 1],
            image_layers: 2,
            layers: 1,
            base_layer: 1,
            image_levels: 1,
            levels: 1,
            samples: 1,
            kind: ImageDesc::IMAGE,
            bytes: 4,
            block: [1, 1],
            swizzle: [0, 1, 2, 3],
            ..ImageDesc::default()
        }
    }

    #[test]
    fn stores_land_in_the_layer_and_not_outside() {
        let mut memory = vec![0u8; 64];
        let desc = desc(&mut memory);
        let view = View::new(&desc).unwrap();
        let at = |x, y, layer| Coords { xyz: [x, y, 0], layer, ..Coords::default() };
        // SAFETY: the descriptor describes `memory`: two layers of two rows of 16 bytes.
        unsafe {
            view.store(&at(3, 1, 0), &[1, 2, 3, 4]);
            view.store(&at(4, 0, 0), &[9; 4]);
            view.store(&at(0, -1, 0), &[9; 4]);
            view.store(&at(0, 0, 1), &[9; 4]);
            assert_eq!(view.load(&at(3, 1, 0)), Some([1, 2, 3, 4]));
            assert_eq!(view.load(&at(3, 2, 0)), None);
        }
        assert_eq!(memory[60..], [1, 2, 3, 4]);
        assert!(memory[..60].iter().all(|b| *b == 0));
        let late = ImageDesc { min_lod: 1.5f32.to_bits(), ..desc };
        // SAFETY: as above.
        assert_eq!(unsafe { View::new(&late).unwrap().load(&at(3, 1, 0)) }, None);
        assert!(View::new(&ImageDesc::default()).is_none());
    }

    #[test]
    fn views_of_blocks() {
        // Two blocks of two texels each.
        let mut memory = vec![10u8, 20, 30, 40, 50, 60, 70, 80, 0, 0, 0, 0, 0, 0, 0, 0];
        let packed = ImageDesc {
            format: vk::Format::G8B8G8R8_422_UNORM.as_raw(),
            extent: [4, 1, 1],
            image_layers: 1,
            base_layer: 0,
            block: [2, 1],
            ..desc(&mut memory)
        };
        let texels = ImageDesc { format: vk::Format::R8G8B8A8_UINT.as_raw(), ..packed };
        let at = |x| Coords { xyz: [x, 0, 0], ..Coords::default() };
        let (packed, texels) = (View::new(&packed).unwrap(), View::new(&texels).unwrap());
        assert_eq!((packed.extent(0), texels.extent(0)), ([4, 1, 1], [2, 1, 1]));
        // SAFETY: the descriptors describe `memory`.
        unsafe {
            let luma = |x| (f32::from_bits(packed.load(&at(x)).unwrap()[1] as u32) * 255.0).round();
            assert_eq!([0, 1, 2, 3].map(luma), [10.0, 30.0, 50.0, 70.0]);
            assert_eq!(packed.load(&at(4)), None);
            assert_eq!(texels.load(&at(1)), Some([50, 60, 70, 80]));
            assert_eq!(texels.load(&at(2)), None);
            packed.store(&at(0), &[0; 4]);
        }
        assert_eq!(memory[0], 10);
    }

    #[test]
    fn remembered_texels_are_those_of_their_places() {
        // 64 blocks of 4 × 4 in BC4: each texel chooses between two values that differ by block.
        let mut memory: Vec<u8> =
            (0..64u32).flat_map(|i| [i as u8 + 100, i as u8, 0x53, 0x21, 0x77, 9, 0x88, i as u8]).collect();
        let desc = ImageDesc {
            format: vk::Format::BC4_UNORM_BLOCK.as_raw(),
            extent: [32, 32, 1],
            image_layers: 1,
            base_layer: 0,
            bytes: 8,
            block: [4, 4],
            ..desc(&mut memory)
        };
        let together = View::new(&desc).unwrap();
        for round in 0..2 {
            for i in 0..32 * 32 {
                let i = if round == 0 { i } else { i * 37 % 1024 };
                let at = Coords { xyz: [i % 32, i / 32, 0], ..Coords::default() };
                // SAFETY: the descriptor describes `memory`.
                let (a, b) = unsafe { (together.load(&at), View::new(&desc).unwrap().load(&at)) };
                assert_eq!(a, b, "{at:?}");
            }
        }
    }

    #[test]
    fn views_of_slices() {
        let mut memory = vec![0u8; 3 * 32];
        let all = ImageDesc { extent: [4, 2, 3], image_layers: 1, base_layer: 0, ..desc(&mut memory) };
        let layers = ImageDesc { slices: ImageDesc::SLICES_AS_LAYERS, base_layer: 1, layers: 2, ..all };
        let some = ImageDesc { slices: ImageDesc::SOME_SLICES, ..layers };
        let texel = |n: u8| [u64::from(n), 0, 0, 0];
        let at = |z, layer| Coords { xyz: [0, 0, z], layer, ..Coords::default() };
        // SAFETY: the descriptors describe `memory`: three slices of two rows of 16 bytes.
        unsafe {
            View::new(&layers).unwrap().store(&at(0, 1), &texel(7));
            View::new(&some).unwrap().store(&at(0, 0), &texel(8));
            View::new(&some).unwrap().store(&at(2, 0), &texel(9));
            let all = View::new(&all).unwrap();
            assert_eq!([0, 1, 2].map(|z| all.load(&at(z, 0)).unwrap()[0]), [0, 8, 7]);
        }
        assert_eq!(View::new(&some).unwrap().extent(0), [4, 2, 2]);
    }
}
