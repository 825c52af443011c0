//! GDeflate 1.0 (draft-uralsky-gdeflate): DEFLATE with a window of 64 KiB whose bits are dealt out to 32 lanes.
//!
//! Each lane has a buffer of up to 64 bits; the words of the input go to the lanes in the order in which they run low. Symbols are
//! taken from the lanes in turn. Where a lane gives a length, it gives the distance that belongs to it one round later, and only
//! then are the bytes copied; what follows is put behind them already.

mod huffman;
#[cfg(test)]
mod tests;

use huffman::Code;

/// Most bytes that one stream decodes to.
pub const PAGE: usize = 1 << 16;

/// Most bytes of a stream that are looked at: pages that do not shrink are longer than a page by their headers.
pub const MAX_INPUT: usize = 2 * PAGE;

const LANES: usize = 32;

/// A lane is filled when it has fewer bits than this: enough for a symbol of 15 bits with 16 more.
const LOW: u32 = 32;

const END_OF_BLOCK: usize = 256;

/// Base and extra bits of the lengths from symbol 257 on. The last stands for anything up to a page.
const LENGTHS: [(u16, u8); 29] = {
    let mut out = [(3, 16); 29];
    let (mut i, mut base) = (0, 3u16);
    while i < 28 {
        let bits = if i < 8 { 0 } else { (i as u8 - 4) / 4 };
        out[i] = (base, bits);
        base += 1 << bits;
        i += 1;
    }
    out
};

/// Base and extra bits of the distances.
const DISTANCES: [(u16, u8); 32] = {
    let mut out = [(0, 0); 32];
    let (mut i, mut base) = (0, 1u32);
    while i < 32 {
        let bits = if i < 4 { 0 } else { (i as u8 - 2) / 2 };
        out[i] = (base as u16, bits);
        base += 1 << bits;
        i += 1;
    }
    out
};

/// Order in which the lengths of the code for code lengths are given.
const ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The lanes and what is left of the input.
struct Lanes<'a> {
    input: &'a [u8],
    bits: [u64; LANES],
    count: [u32; LANES],
    now: usize,
}

impl<'a> Lanes<'a> {
    fn new(input: &'a [u8]) -> Lanes<'a> {
        let mut lanes = Lanes { input, bits: [0; LANES], count: [0; LANES], now: 0 };
        for _ in 0..LANES {
            lanes.fill();
            lanes.next();
        }
        lanes
    }

    /// Gives the lane whose turn it is a word if it runs low. Behind the end of the input there are zeros.
    fn fill(&mut self) {
        if self.count[self.now] < LOW {
            let (word, rest) = self.input.split_at(self.input.len().min(4));
            let mut bytes = [0; 4];
            bytes[..word.len()].copy_from_slice(word);
            self.input = rest;
            self.bits[self.now] |= u64::from(u32::from_le_bytes(bytes)) << self.count[self.now];
            self.count[self.now] += 32;
        }
    }

    fn next(&mut self) {
        self.now = (self.now + 1) % LANES;
    }

    /// Ends a turn.
    fn turn(&mut self) {
        self.fill();
        self.next();
    }

    fn take(&mut self, n: u32) -> u32 {
        let v = self.bits[self.now] & ((1 << n) - 1);
        self.bits[self.now] >>= n;
        self.count[self.now] = self.count[self.now].saturating_sub(n);
        v as u32
    }

    fn symbol(&mut self, code: &Code) -> Option<usize> {
        let (symbol, bits) = code.decode(self.bits[self.now] as u32)?;
        self.take(bits);
        Some(symbol)
    }
}

/// The codes of a block: literals with lengths, and distances.
struct Codes {
    literals: Code,
    distances: Code,
}

impl Codes {
    fn fixed() -> Option<Codes> {
        let mut lengths = [8u8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        Some(Codes { literals: Code::new(&lengths)?, distances: Code::new(&[5; 32])? })
    }

    fn read(lanes: &mut Lanes<'_>) -> Option<Codes> {
        let literals = lanes.take(5) as usize + 257;
        let all = literals + lanes.take(5) as usize + 1;
        let given = lanes.take(4) as usize + 4;
        lanes.fill();
        let mut lengths = [0u8; 19];
        for at in &ORDER[..given.min(19)] {
            lengths[usize::from(*at)] = lanes.take(3) as u8;
            lanes.turn();
        }
        let code = Code::new(&lengths)?;
        let mut lengths = [0u8; 288 + 32 + 138];
        let mut n = 0;
        lanes.now = 0;
        while n < all {
            let (value, times) = match lanes.symbol(&code)? {
                symbol @ 0..=15 => (symbol as u8, 1),
                16 => (lengths[n.checked_sub(1)?], 3 + lanes.take(2)),
                17 => (0, 3 + lanes.take(3)),
                _ => (0, 11 + lanes.take(7)),
            };
            lengths[n..n + times as usize].fill(value);
            n += times as usize;
            lanes.turn();
        }
        lanes.now = 0;
        (n == all).then_some(())?;
        Some(Codes { literals: Code::new(&lengths[..literals])?, distances: Code::new(&lengths[literals..all])? })
    }
}

/// The output, with the copies that the lanes still owe.
struct Output<'a> {
    out: &'a mut [u8],
    at: usize,
    /// Length and place of each lane's copy; length 0: none.
    owed: [(usize, usize); LANES],
}

impl Output<'_> {
    fn put(&mut self, byte: u8) -> Option<()> {
        *self.out.get_mut(self.at)? = byte;
        self.at += 1;
        Some(())
    }

    fn owe(&mut self, lane: usize, length: usize) -> Option<()> {
        self.owed[lane] = (length, self.at);
        self.at += length;
        (self.at <= self.out.len()).then_some(())
    }

    /// Does the copy that the lane whose turn it is owes, with the distance that it gives.
    fn pay(&mut self, lanes: &mut Lanes<'_>, codes: &Codes) -> Option<()> {
        let (length, to) = std::mem::take(&mut self.owed[lanes.now]);
        let (base, bits) = DISTANCES.get(lanes.symbol(&codes.distances)?)?;
        let distance = usize::from(*base) + lanes.take(u32::from(*bits)) as usize;
        let from = to.checked_sub(distance)?;
        if distance >= length {
            self.out.copy_within(from..from + length, to);
        } else {
            for i in 0..length {
                self.out[to + i] = self.out[from + i];
            }
        }
        Some(())
    }
}

fn block(lanes: &mut Lanes<'_>, output: &mut Output<'_>, codes: &Codes) -> Option<()> {
    loop {
        if output.owed[lanes.now].0 > 0 {
            output.pay(lanes, codes)?;
        } else {
            match lanes.symbol(&codes.literals)? {
                END_OF_BLOCK => break,
                literal @ 0..=255 => output.put(literal as u8)?,
                length => {
                    let (base, bits) = LENGTHS.get(length - END_OF_BLOCK - 1)?;
                    let length = usize::from(*base) + lanes.take(u32::from(*bits)) as usize;
                    output.owe(lanes.now, length)?;
                }
            }
        }
        lanes.turn();
    }
    lanes.turn();
    for _ in 0..LANES {
        if output.owed[lanes.now].0 > 0 {
            output.pay(lanes, codes)?;
        }
        lanes.turn();
    }
    Some(())
}

/// Decodes a stream; the number of bytes. `None` if the stream is damaged or does not fit, and then `out` holds anything.
pub fn decode(input: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut lanes = Lanes::new(input);
    let mut output = Output { out, at: 0, owed: [(0, 0); LANES] };
    // Every block that holds nothing takes bits of the input, so damaged streams end.
    let mut blocks = 0..=input.len() * 8;
    loop {
        blocks.next()?;
        lanes.now = 0;
        let last = lanes.take(1) != 0;
        let kind = lanes.take(2);
        lanes.fill();
        match kind {
            0 => {
                let n = lanes.take(16);
                lanes.fill();
                for _ in 0..n {
                    let byte = lanes.take(8) as u8;
                    output.put(byte)?;
                    lanes.turn();
                }
            }
            1 => block(&mut lanes, &mut output, &Codes::fixed()?)?,
            2 => {
                let codes = Codes::read(&mut lanes)?;
                block(&mut lanes, &mut output, &codes)?;
            }
            _ => return None,
        }
        if last {
            return Some(output.at);
        }
    }
}
