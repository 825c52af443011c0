//! The private data of the adapter, as far as they are public: the names and numbers of Intel's open drivers.

use super::tokens::{Reader, Writer};

/// Size of the answer to the driver-private adapter query, bytes. The helper library of the model's driver package says the
/// same.
pub const ADAPTER_INFO_BYTES: usize = 4096;

/// Numbers of tokens.
mod id {
    pub(super) const PLATFORM: u16 = 3551;
    pub(super) const SKU: u16 = 3552;
    pub(super) const WORKAROUNDS: u16 = 3553;
    pub(super) const TIMESTAMP_FREQUENCY: u16 = 3555;
    pub(super) const MAX_RENDER_FREQUENCY: u16 = 3559;
    pub(super) const DEDICATED_MEMORY: u16 = 3577;
    pub(super) const SHARED_MEMORY: u16 = 3578;
    pub(super) const SYSTEM_INFO: u16 = 3585;
    pub(super) const PARTITION: u16 = 3588;
    pub(super) const BUS_ADDRESS: u16 = 3594;

    pub(super) const PRODUCT: u16 = 3475;
    pub(super) const DISPLAY_CORE: u16 = 3477;
    pub(super) const RENDER_CORE: u16 = 3478;
    pub(super) const PLATFORM_TYPE: u16 = 3479;
    pub(super) const DEVICE: u16 = 3480;
    pub(super) const REVISION: u16 = 3481;
    pub(super) const GT_TYPE: u16 = 3484;

    pub(super) const BUS: u16 = 3541;
    pub(super) const BUS_DEVICE: u16 = 3542;
    pub(super) const FUNCTION: u16 = 3543;

    pub(super) const STANDARD: u16 = 3534;
    pub(super) const STANDARD_64K: u16 = 3535;
    pub(super) const SVM: u16 = 3538;
    pub(super) const HEAP32: u16 = 3540;
    pub(super) const BASE: u16 = 3532;
    pub(super) const LIMIT: u16 = 3533;

    pub(super) const RESOURCE: u16 = 7;
    pub(super) const RESOURCE_COMMON: u16 = 3962;
    pub(super) const SURFACE: u16 = 3951;
    pub(super) const SURFACE_SIZE: u16 = 3919;
}

/// Counts of the GPU's parts: number of the token and value.
const SYSTEM: &[(u16, u32)] = &[
    (299, 96),     // execution units
    (300, 96 * 7), // threads
    (301, 1),      // slices
    (302, 12),     // subslices
    (303, 6),      // dual subslices
    (304, 3840),   // L3 cache, KiB
    (308, 8),      // L3 banks
    (309, 16),     // fill rate
    (312, 336),    // threads of each stage before pixels
    (313, 336),
    (314, 336),
    (315, 336),
    (316, 64), // threads of the windower
    (318, 8),  // size of a context's state, MiB
    (319, 16), // most execution units of a subslice
    (320, 1),  // most slices
    (321, 12), // most subslices
    (322, 6),  // most dual subslices
];

/// Features that a driver may use.
const FEATURES: &[u16] = &[
    587, // preemption between batches, and between groups of threads
    588, //
    590, //
    595, // preemption set by context
    598, // page tables of a process
    599, // in the CPU's format
    603, // shared virtual memory
    605, // tiled resources, through a translation table
    606, //
    607, //
    609, // L3 coherent with the CPU
    628, // standard mip tails
    645, // Y tiling
];

/// Workarounds that a driver has to take.
const WORKAROUNDS: &[u16] = &[
    1652, // preemption is set by the user-mode driver
    2490, // planes of NV12 start at pages
    2603, // buffers without a type are not compressed
];

/// The GPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Platform {
    pub(crate) product: u32,
    pub(crate) core: u32,
    pub(crate) device: u32,
    pub(crate) revision: u32,
    pub(crate) bus_address: (u32, u32, u32),
    pub(crate) dedicated: u64,
    pub(crate) shared: u64,
}

/// GPU addresses, by use: all a driver does not take from its process's own lies in one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    heap32: [(u64, u64); 4],
    standard: (u64, u64),
    standard_64k: (u64, u64),
    /// Addresses that are the same for CPU and GPU.
    svm: (u64, u64),
}

/// Size of a heap whose addresses are offsets of 32 bits.
const HEAP32: u64 = 4 << 30;
/// What heaps are aligned to.
const HEAP_ALIGN: u64 = 2 << 20;
/// First address that a process can have memory at on every system.
const LOWEST: u64 = 64 << 10;
/// Number of bits of a CPU address.
const CPU_BITS: u32 = 47;

impl Partition {
    /// Divides a range; `None` if it is too small.
    pub(crate) fn new(base: u64, size: u64) -> Option<Self> {
        let end = base.checked_add(size)?;
        let start = base.next_multiple_of(HEAP_ALIGN);
        let heaps = start.checked_add(4 * HEAP32)?;
        let half = (end.checked_sub(heaps)? / 2) & !(HEAP_ALIGN - 1);
        if half < HEAP32 {
            return None;
        }
        let range = |from: u64, bytes: u64| (from, from + bytes - 1);
        Some(Self {
            heap32: core::array::from_fn(|i| range(start + i as u64 * HEAP32, HEAP32)),
            standard: range(heaps, half),
            standard_64k: range(heaps + half, half),
            svm: (LOWEST, (1 << CPU_BITS) - 1),
        })
    }

    fn write(&self, w: &mut Writer) {
        let mut range = |id, element, (base, limit): (u64, u64)| {
            w.nested(id, element, |w| {
                w.long(id::BASE, base);
                w.long(id::LIMIT, limit);
            });
        };
        range(id::STANDARD, 0, self.standard);
        range(id::STANDARD_64K, 0, self.standard_64k);
        range(id::SVM, 0, self.svm);
        for (i, heap) in self.heap32.iter().enumerate() {
            range(id::HEAP32, i as u32, *heap);
        }
    }
}

/// The answer to the driver-private adapter query.
pub(crate) fn adapter_info(p: &Platform, partition: &Partition) -> Vec<u8> {
    let mut w = Writer::default();
    w.nested(id::PLATFORM, 0, |w| {
        w.word(id::PRODUCT, p.product);
        w.word(id::DISPLAY_CORE, p.core);
        w.word(id::RENDER_CORE, p.core);
        w.word(id::PLATFORM_TYPE, 2); // mobile
        w.word(id::DEVICE, p.device);
        w.word(id::REVISION, p.revision);
        w.word(id::GT_TYPE, 1); // GT2
    });
    w.nested(id::SKU, 0, |w| FEATURES.iter().for_each(|f| w.word(*f, 1)));
    w.nested(id::WORKAROUNDS, 0, |w| WORKAROUNDS.iter().for_each(|f| w.word(*f, 1)));
    w.nested(id::SYSTEM_INFO, 0, |w| SYSTEM.iter().for_each(|(id, value)| w.word(*id, *value)));
    w.word(id::TIMESTAMP_FREQUENCY, super::CLOCK as u32);
    w.word(id::MAX_RENDER_FREQUENCY, 1350);
    w.long(id::DEDICATED_MEMORY, p.dedicated);
    w.long(id::SHARED_MEMORY, p.shared);
    w.nested(id::PARTITION, 0, |w| partition.write(w));
    w.nested(id::BUS_ADDRESS, 0, |w| {
        let (bus, device, function) = p.bus_address;
        w.word(id::BUS, bus);
        w.word(id::BUS_DEVICE, device);
        w.word(id::FUNCTION, function);
    });
    // The tables above are of one size, far below this one.
    w.into_bytes(ADAPTER_INFO_BYTES).unwrap_or_default()
}

/// Size of an allocation from its private data, bytes.
pub(crate) fn allocation_size(data: &[u8]) -> Option<u64> {
    let inner = [id::RESOURCE_COMMON, id::SURFACE];
    let outer = [id::RESOURCE, id::RESOURCE_COMMON, id::SURFACE];
    let size = Reader(data).find(&outer, id::SURFACE_SIZE).or_else(|| Reader(data).find(&inner, id::SURFACE_SIZE));
    size.filter(|s| *s > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heaps_lie_side_by_side_in_their_range() {
        let p = Partition::new(0x2000_0000_0000, 4 << 40).expect("large enough");
        let all = p.heap32.iter().chain([&p.standard, &p.standard_64k]);
        let mut last = 0x2000_0000_0000 - 1;
        for (base, limit) in all {
            assert_eq!(*base, last + 1);
            assert_eq!(base % HEAP_ALIGN, 0);
            last = *limit;
        }
        assert!(last < 0x2000_0000_0000 + (4 << 40));
        assert_eq!(Partition::new(0x2000_0000_0000, 16 << 30), None);
        assert_eq!(Partition::new(u64::MAX - 5, 16 << 30), None);
    }

    #[test]
    fn sizes_are_found_wherever_the_structure_begins() {
        let surface = |w: &mut Writer| {
            w.nested(id::RESOURCE_COMMON, 0, |w| w.nested(id::SURFACE, 0, |w| w.long(id::SURFACE_SIZE, 8192)));
        };
        let mut bare = Writer::default();
        surface(&mut bare);
        assert_eq!(allocation_size(&bare.into_bytes(256).expect("fits")), Some(8192));
        let mut whole = Writer::default();
        whole.nested(id::RESOURCE, 0, surface);
        assert_eq!(allocation_size(&whole.into_bytes(256).expect("fits")), Some(8192));
        assert_eq!(allocation_size(&[0; 64]), None);
    }
}
