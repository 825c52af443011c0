//! Tables of BC6H and BC7 (Khronos Data Format Specification, "BPTC Compressed Texture Image Formats").

/// Partitions into two subsets: a bit per texel, x first.
#[rustfmt::skip]
pub const TWO_SUBSETS: [u16; 64] = [
    0xcccc, 0x8888, 0xeeee, 0xecc8, 0xc880, 0xfeec, 0xfec8, 0xec80,
    0xc800, 0xffec, 0xfe80, 0xe800, 0xffe8, 0xff00, 0xfff0, 0xf000,
    0xf710, 0x008e, 0x7100, 0x08ce, 0x008c, 0x7310, 0x3100, 0x8cce,
    0x088c, 0x3110, 0x6666, 0x366c, 0x17e8, 0x0ff0, 0x718e, 0x399c,
    0xaaaa, 0xf0f0, 0x5a5a, 0x33cc, 0x3c3c, 0x55aa, 0x9696, 0xa55a,
    0x73ce, 0x13c8, 0x324c, 0x3bdc, 0x6996, 0xc33c, 0x9966, 0x0660,
    0x0272, 0x04e4, 0x4e40, 0x2720, 0xc936, 0x936c, 0x39c6, 0x639c,
    0x9336, 0x9cc6, 0x817e, 0xe718, 0xccf0, 0x0fcc, 0x7744, 0xee22,
];

/// Partitions into three subsets: two bits per texel, x first.
#[rustfmt::skip]
pub const THREE_SUBSETS: [u32; 64] = [
    0xaa685050, 0x6a5a5040, 0x5a5a4200, 0x5450a0a8, 0xa5a50000, 0xa0a05050, 0x5555a0a0, 0x5a5a5050,
    0xaa550000, 0xaa555500, 0xaaaa5500, 0x90909090, 0x94949494, 0xa4a4a4a4, 0xa9a59450, 0x2a0a4250,
    0xa5945040, 0x0a425054, 0xa5a5a500, 0x55a0a0a0, 0xa8a85454, 0x6a6a4040, 0xa4a45000, 0x1a1a0500,
    0x0050a4a4, 0xaaa59090, 0x14696914, 0x69691400, 0xa08585a0, 0xaa821414, 0x50a4a450, 0x6a5a0200,
    0xa9a58000, 0x5090a0a8, 0xa8a09050, 0x24242424, 0x00aa5500, 0x24924924, 0x24499224, 0x50a50a50,
    0x500aa550, 0xaaaa4444, 0x66660000, 0xa5a0a5a0, 0x50a050a0, 0x69286928, 0x44aaaa44, 0x66666600,
    0xaa444444, 0x54a854a8, 0x95809580, 0x96969600, 0xa85454a8, 0x80959580, 0xaa141414, 0x96960000,
    0xaaaa1414, 0xa05050a0, 0xa0a5a5a0, 0x96000000, 0x40804080, 0xa9a8a9a8, 0xaaaaaa44, 0x2a4a5254,
];

/// The texel of the second of two subsets whose index has a bit less.
#[rustfmt::skip]
pub const ANCHOR_2: [u8; 64] = [
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 2, 8, 2, 2, 8, 8, 15, 2, 8, 2, 2, 8, 8, 2, 2,
    15, 15, 6, 8, 2, 8, 15, 15, 2, 8, 2, 2, 2, 15, 15, 6,
    6, 2, 6, 8, 15, 15, 2, 2, 15, 15, 15, 15, 15, 2, 2, 15,
];

/// The same for the second of three subsets.
#[rustfmt::skip]
pub const ANCHOR_3_2: [u8; 64] = [
    3, 3, 15, 15, 8, 3, 15, 15, 8, 8, 6, 6, 6, 5, 3, 3,
    3, 3, 8, 15, 3, 3, 6, 10, 5, 8, 8, 6, 8, 5, 15, 15,
    8, 15, 3, 5, 6, 10, 8, 15, 15, 3, 15, 5, 15, 15, 15, 15,
    3, 15, 5, 5, 5, 8, 5, 10, 5, 10, 8, 13, 15, 12, 3, 3,
];

/// The same for the third.
#[rustfmt::skip]
pub const ANCHOR_3_3: [u8; 64] = [
    15, 8, 8, 3, 15, 15, 3, 8, 15, 15, 15, 15, 15, 15, 15, 8,
    15, 8, 15, 3, 15, 8, 15, 8, 3, 15, 6, 10, 15, 15, 10, 8,
    15, 3, 15, 10, 10, 8, 9, 10, 6, 15, 8, 15, 3, 6, 6, 8,
    15, 3, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 3, 15, 15, 8,
];

/// A mode of BC6H.
#[derive(Debug)]
pub struct Bc6Mode {
    /// Its number in the block's lowest bits: two of them if it is below 2, else five.
    pub number: u8,
    /// Endpoints after the first are differences to it.
    pub transformed: bool,
    /// Two subsets instead of one.
    pub two: bool,
    /// Bits of an endpoint's components.
    pub endpoint: u8,
    /// Bits of the differences of red, green and blue.
    pub delta: [u8; 3],
    /// What the bits after the mode are, from the lowest on: component and endpoint, then the bit or the run of bits.
    pub fields: &'static str,
}

/// The modes of BC6H; other numbers are reserved.
#[rustfmt::skip]
pub const BC6_MODES: [Bc6Mode; 14] = [
    Bc6Mode { number: 0, transformed: true, two: true, endpoint: 10, delta: [5, 5, 5],
        fields: "g2:4 b2:4 b3:4 r0:0-9 g0:0-9 b0:0-9 r1:0-4 g3:4 g2:0-3 g1:0-4 b3:0 g3:0-3 b1:0-4 b3:1 b2:0-3 r2:0-4 b3:2 r3:0-4 b3:3" },
    Bc6Mode { number: 1, transformed: true, two: true, endpoint: 7, delta: [6, 6, 6],
        fields: "g2:5 g3:4-5 r0:0-6 b3:0-1 b2:4 g0:0-6 b2:5 b3:2 g2:4 b0:0-6 b3:3 b3:5-4 r1:0-5 g2:0-3 g1:0-5 g3:0-3 b1:0-5 b2:0-3 r2:0-5 r3:0-5" },
    Bc6Mode { number: 2, transformed: true, two: true, endpoint: 11, delta: [5, 4, 4],
        fields: "r0:0-9 g0:0-9 b0:0-9 r1:0-4 r0:10 g2:0-3 g1:0-3 g0:10 b3:0 g3:0-3 b1:0-3 b0:10 b3:1 b2:0-3 r2:0-4 b3:2 r3:0-4 b3:3" },
    Bc6Mode { number: 6, transformed: true, two: true, endpoint: 11, delta: [4, 5, 4],
        fields: "r0:0-9 g0:0-9 b0:0-9 r1:0-3 r0:10 g3:4 g2:0-3 g1:0-4 g0:10 g3:0-3 b1:0-3 b0:10 b3:1 b2:0-3 r2:0-3 b3:0 b3:2 r3:0-3 g2:4 b3:3" },
    Bc6Mode { number: 10, transformed: true, two: true, endpoint: 11, delta: [4, 4, 5],
        fields: "r0:0-9 g0:0-9 b0:0-9 r1:0-3 r0:10 b2:4 g2:0-3 g1:0-3 g0:10 b3:0 g3:0-3 b1:0-4 b0:10 b2:0-3 r2:0-3 b3:1-2 r3:0-3 b3:4-3" },
    Bc6Mode { number: 14, transformed: true, two: true, endpoint: 9, delta: [5, 5, 5],
        fields: "r0:0-8 b2:4 g0:0-8 g2:4 b0:0-8 b3:4 r1:0-4 g3:4 g2:0-3 g1:0-4 b3:0 g3:0-3 b1:0-4 b3:1 b2:0-3 r2:0-4 b3:2 r3:0-4 b3:3" },
    Bc6Mode { number: 18, transformed: true, two: true, endpoint: 8, delta: [6, 5, 5],
        fields: "r0:0-7 g3:4 b2:4 g0:0-7 b3:2 g2:4 b0:0-7 b3:3-4 r1:0-5 g2:0-3 g1:0-4 b3:0 g3:0-3 b1:0-4 b3:1 b2:0-3 r2:0-5 r3:0-5" },
    Bc6Mode { number: 22, transformed: true, two: true, endpoint: 8, delta: [5, 6, 5],
        fields: "r0:0-7 b3:0 b2:4 g0:0-7 g2:5-4 b0:0-7 g3:5 b3:4 r1:0-4 g3:4 g2:0-3 g1:0-5 g3:0-3 b1:0-4 b3:1 b2:0-3 r2:0-4 b3:2 r3:0-4 b3:3" },
    Bc6Mode { number: 26, transformed: true, two: true, endpoint: 8, delta: [5, 5, 6],
        fields: "r0:0-7 b3:1 b2:4 g0:0-7 b2:5 g2:4 b0:0-7 b3:5-4 r1:0-4 g3:4 g2:0-3 g1:0-4 b3:0 g3:0-3 b1:0-5 b2:0-3 r2:0-4 b3:2 r3:0-4 b3:3" },
    Bc6Mode { number: 30, transformed: false, two: true, endpoint: 6, delta: [6, 6, 6],
        fields: "r0:0-5 g3:4 b3:0-1 b2:4 g0:0-5 g2:5 b2:5 b3:2 g2:4 b0:0-5 g3:5 b3:3 b3:5-4 r1:0-5 g2:0-3 g1:0-5 g3:0-3 b1:0-5 b2:0-3 r2:0-5 r3:0-5" },
    Bc6Mode { number: 3, transformed: false, two: false, endpoint: 10, delta: [10, 10, 10],
        fields: "r0:0-9 g0:0-9 b0:0-9 r1:0-9 g1:0-9 b1:0-9" },
    Bc6Mode { number: 7, transformed: true, two: false, endpoint: 11, delta: [9, 9, 9],
        fields: "r0:0-9 g0:0-9 b0:0-9 r1:0-8 r0:10 g1:0-8 g0:10 b1:0-8 b0:10" },
    Bc6Mode { number: 11, transformed: true, two: false, endpoint: 12, delta: [8, 8, 8],
        fields: "r0:0-9 g0:0-9 b0:0-9 r1:0-7 r0:11-10 g1:0-7 g0:11-10 b1:0-7 b0:11-10" },
    Bc6Mode { number: 15, transformed: true, two: false, endpoint: 16, delta: [4, 4, 4],
        fields: "r0:0-9 g0:0-9 b0:0-9 r1:0-3 r0:15-10 g1:0-3 g0:15-10 b1:0-3 b0:15-10" },
];
