//! Blits: scaled copies between images, with conversion of formats (Vulkan specification, "Image Copies With Scaling").

use super::arena::Arena;
use super::workers::{Work, Workers};
use crate::image::{cubic_weights, Filter, Level, TILE_BYTES};
use crate::packet::{Blit, BlitSide};
use crate::texel::{self, Class, Format, Texel};
use ash::vk;
use dxg_model::Cancel;

/// One image of a blit, with its format looked up and its numbers checked.
struct Side {
    address: u64,
    level: Level,
    format: &'static Format,
    /// Of the box in texels: where it begins and ends, in either order.
    from: [i32; 3],
    to: [i32; 3],
}

impl Side {
    /// The image and the bytes of its level; `None` for unknown formats and sizes that do not fit.
    fn new(side: &BlitSide) -> Option<(Side, u64)> {
        let format = texel::find(vk::Format::from_raw(side.format)).filter(|f| f.codec.is_none())?;
        let [w, h, d, _] = side.tile;
        let tile = [w, h, d];
        let tiled = tile != [0; 3];
        let texels_of_tile = 1u64.checked_shl(u32::from(w) + u32::from(h) + u32::from(d))?;
        if side.extent.contains(&0)
            || side.extent.iter().any(|e| *e > 1 << 20)
            || tiled && texels_of_tile.checked_mul(u64::from(format.bytes)) != Some(TILE_BYTES)
        {
            return None;
        }
        let tiles = |d: usize| u64::from(side.extent[d]).div_ceil(1 << tile[d]);
        let row = if tiled { tiles(0) * TILE_BYTES } else { u64::from(side.extent[0]) * u64::from(format.bytes) };
        let bytes = super::transfer::span(
            row,
            side.row,
            u32::try_from(tiles(1)).ok()?,
            side.slice,
            u32::try_from(tiles(2)).ok()?,
        )?;
        let level = Level {
            offset: 0,
            extent: side.extent,
            row: side.row,
            slice: side.slice,
            sample: 0,
            layer: 0,
            size: bytes,
            tile,
        };
        Some((Side { address: side.address, level, format, from: side.from, to: side.to }, bytes))
    }

    /// Address of the texel next to these coordinates.
    fn at(&self, xyz: [i32; 3]) -> u64 {
        let inside = std::array::from_fn(|d| u64::from((xyz[d].max(0) as u32).min(self.level.extent[d] - 1)));
        self.address.wrapping_add(self.level.at(self.format.bytes, inside, 0, 0))
    }

    /// # Safety
    /// The level is mapped and readable.
    unsafe fn read(&self, xyz: [i32; 3]) -> Texel {
        let mut bytes = [0u8; 16];
        let n = self.format.bytes.min(16) as usize;
        // SAFETY: this function's contract; `at` stays inside of the level.
        unsafe { std::ptr::copy_nonoverlapping(self.at(xyz) as *const u8, bytes.as_mut_ptr(), n) };
        texel::decode(self.format, &bytes)
    }

    /// # Safety
    /// The level is mapped and writable.
    unsafe fn write(&self, xyz: [i32; 3], texel: &Texel) {
        let bytes = texel::encode(self.format, texel);
        let n = self.format.bytes.min(16) as usize;
        // SAFETY: this function's contract; `at` stays inside of the level.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at(xyz) as *mut u8, n) };
    }

    /// The part of the box along a dimension that lies in the level.
    fn range(&self, d: usize) -> (i32, i32) {
        let end = self.level.extent[d] as i32;
        (self.from[d].min(self.to[d]).clamp(0, end), self.from[d].max(self.to[d]).clamp(0, end))
    }
}

/// A blit that can be run.
pub struct Ready {
    src: Side,
    dst: Side,
    filter: Filter,
}

impl Ready {
    /// Looks at a packet. `None` if it makes no sense: unknown formats, or ones that do not go together.
    pub fn new(packet: &Blit) -> Option<Ready> {
        let (src, _) = Side::new(&packet.src)?;
        let (dst, _) = Side::new(&packet.dst)?;
        let class = src.format.class();
        let filter = Filter::known(packet.filter)?;
        let filter = if class == Class::Float { filter } else { Filter::Nearest };
        (class == dst.format.class()).then_some(Ready { src, dst, filter })
    }

    /// What has to be readable: address and bytes.
    pub fn source(&self) -> (u64, u64) {
        (self.src.address, self.src.level.size)
    }

    /// What has to be writable: address and bytes.
    pub fn destination(&self) -> (u64, u64) {
        (self.dst.address, self.dst.level.size)
    }

    /// The place in the source for a texel of the destination, in texels; its fraction is that of texel space.
    fn place(&self, d: usize, at: i32) -> f32 {
        let (s, t) = (&self.src, &self.dst);
        // Corners may be any numbers.
        let reach = |side: &Side| (i64::from(side.to[d]) - i64::from(side.from[d])) as f32;
        (at as f32 + 0.5 - t.from[d] as f32) * (reach(s) / reach(t)) + s.from[d] as f32
    }

    /// # Safety
    /// The source is mapped and readable.
    unsafe fn sample(&self, place: [f32; 3]) -> Texel {
        if self.filter == Filter::Nearest {
            // SAFETY: this function's contract.
            return unsafe { self.src.read(place.map(|p| p.floor() as i32)) };
        }
        // Cubic filters have at most two dimensions; along the third they are linear.
        let cubic = self.filter == Filter::Cubic;
        let taps = if cubic { [4, 4, 2] } else { [2; 3] };
        let low = place.map(|p| (p - 0.5).floor());
        let weights: [[f32; 4]; 3] = std::array::from_fn(|d| {
            let fraction = place[d] - 0.5 - low[d];
            if taps[d] == 4 {
                cubic_weights(fraction)
            } else {
                [1.0 - fraction, fraction, 0.0, 0.0]
            }
        });
        let mut sum = [0f32; 4];
        for tap in 0..taps.iter().product::<usize>() {
            let taps_at = [tap % taps[0], tap / taps[0] % taps[1], tap / taps[0] / taps[1]];
            let weight: f32 = (0..3).map(|d| weights[d][taps_at[d]]).product();
            let xyz = std::array::from_fn(|d| {
                let before = i32::from(taps[d] == 4);
                (low[d] as i32).saturating_add(taps_at[d] as i32 - before)
            });
            if weight != 0.0 {
                // SAFETY: this function's contract.
                let texel = unsafe { self.src.read(xyz) };
                for (s, v) in sum.iter_mut().zip(texel) {
                    *s += weight * f32::from_bits(v as u32);
                }
            }
        }
        sum.map(|v| u64::from(v.to_bits()))
    }
}

struct BlitWork<'a>(&'a Ready, &'a Cancel);

impl Work for BlitWork<'_> {
    fn run(&self, begin: u64, end: u64, _arena: &mut Arena) {
        let blit = self.0;
        let [(x0, x1), (y0, y1), (z0, _)] = [0, 1, 2].map(|d| blit.dst.range(d));
        let rows = (y1 - y0).max(1) as u64;
        for index in begin..end {
            if self.1.is_set() {
                return;
            }
            let (y, z) = (y0 + (index % rows) as i32, z0 + (index / rows) as i32);
            let (v, w) = (blit.place(1, y), blit.place(2, z));
            for x in x0..x1 {
                // SAFETY: `run`'s contract: both levels are mapped.
                unsafe { blit.dst.write([x, y, z], &blit.sample([blit.place(0, x), v, w])) };
            }
        }
    }
}

/// Runs a blit; ends early when cancelled: a packet may say the same memory again and again.
///
/// # Safety
/// [`Ready::source`] is mapped and readable, [`Ready::destination`] is mapped and writable.
pub unsafe fn run(workers: &Workers, blit: &Ready, cancel: &Cancel) {
    let [(x0, x1), (y0, y1), (z0, z1)] = [0, 1, 2].map(|d| blit.dst.range(d));
    if x0 < x1 {
        workers.run(&BlitWork(blit, cancel), (y1 - y0) as u64 * (z1 - z0) as u64, 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    fn side(
        memory: &mut [u8],
        format: vk::Format,
        extent: [u32; 2],
        row: u64,
        from: [i32; 2],
        to: [i32; 2],
    ) -> BlitSide {
        BlitSide {
            address: memory.as_mut_ptr() as u64,
            row,
            slice: 0,
            format: format.as_raw(),
            tile: [0; 4],
            extent: [extent[0], extent[1], 1],
            from: [from[0], from[1], 0],
            to: [to[0], to[1], 1],
            reserved: 0,
        }
    }

    fn blit(src: BlitSide, dst: BlitSide, filter: Filter) {
        let ready = Ready::new(&Blit { src, dst, filter: filter as u32, reserved: 0 }).unwrap();
        // SAFETY: the tests' sides describe their arrays.
        unsafe { run(&Workers::new(NonZeroUsize::new(2).unwrap()), &ready, &Cancel::new()) };
    }

    #[test]
    fn scales_flips_converts_and_clips() {
        let f = vk::Format::R8_UNORM;
        let mut src = [0u8, 51, 102, 153, 204, 255, 10, 20];
        let mut out = [7u8; 16];
        // Twice as wide and high, nearest.
        blit(
            side(&mut src, f, [2, 2], 4, [0, 0], [2, 2]),
            side(&mut out, f, [4, 4], 4, [0, 0], [4, 4]),
            Filter::Nearest,
        );
        assert_eq!(out, [0, 0, 51, 51, 0, 0, 51, 51, 204, 204, 255, 255, 204, 204, 255, 255]);
        // Mirrored, into a part, the rest of which lies outside.
        let mut out = [7u8; 16];
        blit(
            side(&mut src, f, [4, 1], 4, [4, 0], [0, 1]),
            side(&mut out, f, [4, 4], 4, [1, 3], [5, 4]),
            Filter::Nearest,
        );
        assert_eq!(out[..12], [7; 12]);
        assert_eq!(out[12..], [7, 153, 102, 51]);
        // Half as wide, linear; into another format.
        let mut out = [0u8; 8];
        let to = side(&mut out, vk::Format::R32_SFLOAT, [2, 1], 8, [0, 0], [2, 1]);
        blit(side(&mut src, f, [4, 1], 4, [0, 0], [4, 1]), to, Filter::Linear);
        let float = |i: usize| f32::from_ne_bytes(out[i * 4..][..4].try_into().unwrap());
        assert!((float(0) - 0.1).abs() < 1e-6 && (float(1) - 0.5).abs() < 1e-6, "{} {}", float(0), float(1));
    }

    #[test]
    fn cubic_filters_reach_beyond_their_neighbours() {
        let f = vk::Format::R8_UNORM;
        let mut src = [0u8, 255, 255, 0];
        let mut out = [0u8; 32];
        // Twice as wide: fractions 3/4 and 1/4, the edges repeated.
        let to = side(&mut out, vk::Format::R32_SFLOAT, [8, 1], 32, [0, 0], [8, 1]);
        blit(side(&mut src, f, [4, 1], 4, [0, 0], [4, 1]), to, Filter::Cubic);
        let float = |i: usize| f32::from_ne_bytes(out[i * 4..][..4].try_into().unwrap());
        // The weights at 1/4 are −9/128, 111/128, 29/128, −3/128.
        let want = [-9f32, 29.0 - 3.0, 111.0 - 9.0, 111.0 + 29.0].map(|w| w / 128.0);
        assert!(want.iter().enumerate().all(|(i, w)| (float(i) - w).abs() < 1e-6), "{:?}", [0, 1, 2, 3].map(float));
        assert!((0..4).all(|i| float(i) == float(7 - i)));
    }

    #[test]
    fn nonsense_is_refused() {
        let mut m = [0u8; 16];
        let f = vk::Format::R8_UNORM;
        let good = side(&mut m, f, [4, 4], 4, [0, 0], [4, 4]);
        let try_one = |src| Ready::new(&Blit { src, dst: good, filter: 0, reserved: 0 }).is_some();
        assert!(try_one(good));
        assert!(!try_one(BlitSide { format: 12345, ..good }));
        assert!(!try_one(BlitSide { format: vk::Format::R8_UINT.as_raw(), ..good }));
        assert!(!try_one(BlitSide { extent: [0, 4, 1], ..good }));
        assert!(!try_one(BlitSide { tile: [1, 1, 0, 0], ..good }));
        assert!(!try_one(BlitSide { tile: [200, 200, 200, 0], ..good }));
        assert!(!try_one(BlitSide { row: u64::MAX, ..good }));
        assert!(Ready::new(&Blit { src: good, dst: good, filter: 3, reserved: 0 }).is_none());
        // An empty destination is no division by zero.
        blit(good, BlitSide { to: good.from, ..good }, Filter::Linear);
    }
}
