//! Memory that is copied or decompressed as memory says: VK_KHR_copy_memory_indirect, VK_EXT_memory_decompression.

use crate::support::*;
use ash::vk;
use cts::generated::types;

tests! { copies_in_a_table, decompression, decompression_in_a_table }

/// Writes GDeflate: reads of bits, by lane, in the order in which a decoder makes them.
#[derive(Default)]
struct Deflate {
    lanes: [Vec<bool>; 32],
    reads: Vec<(usize, usize)>,
}

impl Deflate {
    /// One read of several fields, the first in the lowest bits.
    fn read(&mut self, lane: usize, fields: &[(u32, u32)]) {
        for (value, n) in fields {
            self.lanes[lane].extend((0..*n).map(|i| value >> i & 1 != 0));
        }
        self.reads.push((lane, fields.iter().map(|f| f.1 as usize).sum()));
    }

    /// A codeword, whose first bit is its highest.
    fn code(word: u32, n: u32) -> (u32, u32) {
        (word.reverse_bits() >> (32 - n), n)
    }

    fn bytes(self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut taken = [0; 32];
        let mut give = |lane: usize| {
            let word =
                (0..32).filter(|i| self.lanes[lane].get(taken[lane] + i) == Some(&true)).fold(0, |w, i| w | 1 << i);
            out.extend(u32::to_le_bytes(word));
            taken[lane] += 32;
        };
        (0..32).for_each(&mut give);
        let mut have = [32; 32];
        for (lane, n) in self.reads {
            have[lane] -= n;
            if have[lane] < 32 {
                give(lane);
                have[lane] += 32;
            }
        }
        out
    }

    /// A block of bytes as they are, and one of five letters that are repeated `times` over.
    fn sample(stored: &[u8], times: u32) -> Vec<u8> {
        let mut d = Deflate::default();
        d.read(0, &[(0, 1), (0, 2)]);
        d.read(0, &[(stored.len() as u32, 16)]);
        for (i, b) in stored.iter().enumerate() {
            d.read(i % 32, &[(u32::from(*b), 8)]);
        }
        // The last block, with the fixed codes.
        d.read(0, &[(1, 1), (1, 2)]);
        for (lane, b) in b"hello".iter().enumerate() {
            d.read(lane, &[Deflate::code(0x30 + u32::from(*b), 8)]);
        }
        // Symbol 285 takes any length; the distance, 5 (symbol 4, and a bit), follows one round later.
        d.read(5, &[Deflate::code(0b1100_0101, 8), (5 * times - 3, 16)]);
        d.read(6, &[Deflate::code(0, 7)]);
        d.read(5, &[Deflate::code(4, 5), (0, 1)]);
        d.bytes()
    }
}

/// A stream, and what it stands for.
fn sample(size: usize, times: u32) -> (Vec<u8>, Vec<u8>) {
    let mut random = Random(size as u64);
    let mut want: Vec<u8> = (0..size).map(|_| random.word() as u8).collect();
    let stream = Deflate::sample(&want, times);
    (0..=times).for_each(|_| want.extend(b"hello"));
    (stream, want)
}

unsafe fn address(t: &T, b: Buf) -> u64 {
    t.d.get_buffer_device_address(&vk::BufferDeviceAddressInfo::default().buffer(b.h))
}

/// A buffer that can be decompressed from and to.
unsafe fn page(t: &T, size: usize) -> R<Buf> {
    let usage = types::BUFFER_USAGE_2_MEMORY_DECOMPRESSION_BIT_EXT | vk::BufferUsageFlags2KHR::SHADER_DEVICE_ADDRESS;
    let mut flags = vk::BufferUsageFlags2CreateInfoKHR::default().usage(usage);
    let h = t.own(t.d.create_buffer(&vk::BufferCreateInfo::default().size(size as u64).push_next(&mut flags), None)?);
    let host = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
    let mem = t.memory_for(&t.d.get_buffer_memory_requirements(h), host)?;
    t.d.bind_buffer_memory(h, mem, 0)?;
    let at = t.d.map_memory(mem, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?.cast();
    Ok(Buf { h, mem, size: size as u64, at })
}

unsafe fn copies_in_a_table() -> R {
    let t = T::new(&[c"VK_KHR_copy_memory_indirect"])?;
    need!(t.features.copy_indirect.indirect_memory_copy != 0, "indirectMemoryCopy");
    let copy = command!(t, c"vkCmdCopyMemoryIndirectKHR", PFN_vkCmdCopyMemoryIndirectKHR);
    let from = t.buf_of(&Random(5).words(1024))?;
    let (to, table) = (t.zeros(4096)?, t.zeros(5 * 28)?);
    let (src, dst) = (address(&t, from), address(&t, to));
    let mut want = vec![0u8; 4096];
    for (i, (s, d, n)) in [(0, 8, 4), (100, 1000, 400), (0, 0, 0), (4000, 20, 96), (4, 4092, 4)].into_iter().enumerate()
    {
        table.put(28 * i, &[src + s as u64, dst + d as u64, n as u64]);
        want[d..d + n].copy_from_slice(&from.get::<u8>()[s..s + n]);
    }
    let info = types::CopyMemoryIndirectInfoKHR {
        copy_count: 5,
        copy_address_range: types::StridedDeviceAddressRangeKHR { address: address(&t, table), size: 140, stride: 28 },
        ..Default::default()
    };
    t.now(|c| copy(c, &info))?;
    equal(&to.get::<u8>(), &want)
}

unsafe fn decompressor() -> R<T> {
    let t = T::new(&[c"VK_EXT_memory_decompression", ash::khr::maintenance5::NAME])?;
    need!(t.features.decompression.memory_decompression != 0, "memoryDecompression");
    let methods = t.property_of::<vk::PhysicalDeviceMemoryDecompressionPropertiesNV<'static>>().decompression_methods;
    need!(methods.contains(vk::MemoryDecompressionMethodFlagsNV::GDEFLATE_1_0), "GDeflate 1.0");
    Ok(t)
}

/// Streams in one buffer, where they go in another, and what is there then.
unsafe fn streams(t: &T) -> R<(Vec<types::DecompressMemoryRegionEXT>, Buf, Vec<u8>)> {
    let samples: Vec<_> = (0..20).map(|i| sample(i * 313, 1 + i as u32 * 590)).collect();
    let from = page(t, samples.iter().map(|s| s.0.len().next_multiple_of(64)).sum())?;
    let to = page(t, samples.iter().map(|s| s.1.len().next_multiple_of(64) + 64).sum())?;
    to.fill(0xee);
    let mut want = vec![0xee; to.size as usize];
    let (mut at, mut out) = (0, 0);
    let mut regions = Vec::new();
    for (stream, data) in &samples {
        from.put(at, stream);
        want[out..out + data.len()].copy_from_slice(data);
        regions.push(types::DecompressMemoryRegionEXT {
            src_address: address(t, from) + at as u64,
            dst_address: address(t, to) + out as u64,
            compressed_size: stream.len() as u64,
            decompressed_size: data.len() as u64,
        });
        at += stream.len().next_multiple_of(64);
        out += data.len().next_multiple_of(64) + 64;
    }
    Ok((regions, to, want))
}

unsafe fn decompression() -> R {
    let t = decompressor()?;
    let decompress = command!(t, c"vkCmdDecompressMemoryEXT", PFN_vkCmdDecompressMemoryEXT);
    let (regions, to, want) = streams(&t)?;
    let info = types::DecompressMemoryInfoEXT {
        decompression_method: vk::MemoryDecompressionMethodFlagsNV::GDEFLATE_1_0,
        region_count: regions.len() as u32,
        p_regions: regions.as_ptr(),
        ..Default::default()
    };
    t.now(|c| decompress(c, &info))?;
    equal(&to.get::<u8>(), &want)
}

unsafe fn decompression_in_a_table() -> R {
    let t = decompressor()?;
    let decompress = command!(t, c"vkCmdDecompressMemoryIndirectCountEXT", PFN_vkCmdDecompressMemoryIndirectCountEXT);
    let (regions, to, want) = streams(&t)?;
    let (table, count) = (t.zeros(20 * 48)?, t.buf_of(&[7u32])?);
    for (i, r) in regions.iter().enumerate() {
        table.put(48 * i, &[r.src_address, r.dst_address, r.compressed_size, r.decompressed_size]);
    }
    let method = vk::MemoryDecompressionMethodFlagsNV::GDEFLATE_1_0;
    let run = |max| t.now(|c| decompress(c, method, address(&t, table), address(&t, count), max, 48));
    // The lesser of the two numbers counts.
    run(20)?;
    let first = (regions[7].dst_address - regions[0].dst_address) as usize;
    let got = to.get::<u8>();
    equal(&got[..first], &want[..first])?;
    check!(got[first..].iter().all(|b| *b == 0xee), "more was decompressed than the count says");
    count.put(0, &[1000u32]);
    run(20)?;
    equal(&to.get::<u8>(), &want)
}
