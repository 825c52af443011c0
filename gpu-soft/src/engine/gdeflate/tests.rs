//! An encoder, and what it made decoded again.

use super::*;

/// Bits by lane in the order in which they are read, and with them the order in which a decoder asks for words.
#[derive(Default)]
struct Writer {
    lanes: [Vec<bool>; LANES],
    /// Lane and number of bits of every read that a fill follows.
    reads: Vec<(usize, usize)>,
    now: usize,
}

impl Writer {
    fn put(&mut self, value: u32, n: u32) {
        self.lanes[self.now].extend((0..n).map(|i| value >> i & 1 != 0));
        self.reads.push((self.now, n as usize));
    }

    /// More bits of the same read.
    fn more(&mut self, value: u32, n: u32) {
        self.put(value, n);
        if let [.., (_, a), (_, b)] = &mut self.reads[..] {
            *a += std::mem::take(b);
        }
    }

    fn code(&mut self, (word, n): (u32, u32)) {
        self.put(word.reverse_bits() >> (32 - n), n);
    }

    fn next(&mut self) {
        self.now = (self.now + 1) % LANES;
    }

    fn finish(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut have = [0usize; LANES];
        let mut word = |lane: usize, have: &mut usize| {
            let bits = &mut self.lanes[lane];
            let rest = bits.split_off(bits.len().min(32));
            let word = bits.iter().enumerate().fold(0u32, |w, (i, b)| w | u32::from(*b) << i);
            *bits = rest;
            out.extend(word.to_le_bytes());
            *have += 32;
        };
        for (lane, have) in have.iter_mut().enumerate() {
            word(lane, have);
        }
        for (lane, n) in &self.reads {
            have[*lane] -= n;
            if have[*lane] < 32 {
                word(*lane, &mut have[*lane]);
            }
        }
        out
    }
}

enum Item {
    Literal(u8),
    /// Length and distance.
    Copy(u32, u32),
}

/// Codewords of lengths.
fn words(lengths: &[u8]) -> Vec<(u32, u32)> {
    let mut out = vec![(0, 0); lengths.len()];
    let mut next = 0;
    for n in 1..=15u8 {
        for (i, _) in lengths.iter().enumerate().filter(|l| *l.1 == n) {
            out[i] = (next, u32::from(n));
            next += 1;
        }
        next <<= 1;
    }
    out
}

/// The symbol of a table with base and extra bits, and the extra bits.
fn symbol(table: &[(u16, u8)], value: u32) -> (usize, u32, u32) {
    let at = table
        .iter()
        .position(|(base, bits)| value >= u32::from(*base) && (value - u32::from(*base)) >> bits == 0)
        .unwrap();
    (at, value - u32::from(table[at].0), u32::from(table[at].1))
}

fn compressed(w: &mut Writer, items: &[Item], literals: &[(u32, u32)], distances: &[(u32, u32)]) {
    let mut owed: [Option<u32>; LANES] = [None; LANES];
    let pay = |w: &mut Writer, distance: u32| {
        let (at, extra, bits) = symbol(&DISTANCES, distance);
        w.code(distances[at]);
        w.more(extra, bits);
    };
    let mut items = items.iter();
    loop {
        if let Some(distance) = owed[w.now].take() {
            pay(w, distance);
        } else {
            match items.next() {
                Some(Item::Literal(b)) => w.code(literals[usize::from(*b)]),
                Some(Item::Copy(length, distance)) => {
                    let (at, extra, bits) = symbol(&LENGTHS, *length);
                    w.code(literals[257 + at]);
                    w.more(extra, bits);
                    owed[w.now] = Some(*distance);
                }
                None => break,
            }
        }
        w.next();
    }
    w.code(literals[256]);
    w.next();
    for _ in 0..LANES {
        if let Some(distance) = owed[w.now].take() {
            pay(w, distance);
        }
        w.next();
    }
}

fn header(w: &mut Writer, last: bool, kind: u32) {
    w.now = 0;
    w.put(u32::from(last) | kind << 1, 3);
}

fn stored(w: &mut Writer, bytes: &[u8], last: bool) {
    header(w, last, 0);
    w.put(bytes.len() as u32, 16);
    for b in bytes {
        w.put(u32::from(*b), 8);
        w.next();
    }
}

fn fixed(w: &mut Writer, items: &[Item], last: bool) {
    header(w, last, 1);
    let mut lengths = [8u8; 288];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    compressed(w, items, &words(&lengths), &words(&[5; 32]));
}

/// A block whose codes have lengths up to 15, said with every kind of repetition.
fn dynamic(w: &mut Writer, items: &[Item], last: bool) {
    header(w, last, 2);
    // 'a' 1 bit, 'b' 2, …, the next twelve symbols one more each; all others of the same, longest length.
    let mut literals = [0u8; 286];
    for (n, at) in (1u8..).zip([97usize, 98, 99, 256, 257, 260, 285, 100, 101, 102, 103, 104, 105, 106, 107]) {
        literals[at] = n;
    }
    literals[108] = 15;
    let distances = [5u8; 32];
    w.put(286 - 257, 5);
    w.more(31, 5);
    w.more(15, 4);
    // The code for lengths: all 19 symbols with five bits, but for 13 of them four would not fit: use 5.
    for _ in ORDER {
        w.put(5, 3);
        w.next();
    }
    w.now = 0;
    let code = words(&[5; 19]);
    let all: Vec<u8> = literals.iter().chain(&distances).copied().collect();
    let mut i = 0;
    while i < all.len() {
        let run = all[i..].iter().take_while(|l| **l == all[i]).count();
        match (all[i], run) {
            (0, 11..) => {
                let n = run.min(138);
                w.code(code[18]);
                w.more(n as u32 - 11, 7);
                i += n;
            }
            (0, 3..) => {
                w.code(code[17]);
                w.more(run as u32 - 3, 3);
                i += run;
            }
            (l, _) if i > 0 && all[i - 1] == l && run >= 3 => {
                let n = run.min(6);
                w.code(code[16]);
                w.more(n as u32 - 3, 2);
                i += n;
            }
            (l, _) => {
                w.code(code[usize::from(l)]);
                i += 1;
            }
        }
        w.next();
    }
    w.now = 0;
    compressed(w, items, &words(&literals), &words(&distances));
}

fn expand(items: &[Item], out: &mut Vec<u8>) {
    for item in items {
        match item {
            Item::Literal(b) => out.push(*b),
            Item::Copy(length, distance) => {
                for _ in 0..*length {
                    out.push(out[out.len() - *distance as usize]);
                }
            }
        }
    }
}

/// Three blocks, one of each kind, and what they stand for.
fn sample() -> (Vec<u8>, Vec<u8>) {
    let mut w = Writer::default();
    let mut want: Vec<u8> = (0..77u32).map(|i| (i * i) as u8).collect();
    stored(&mut w, &want.clone(), false);
    let mut items: Vec<Item> = (0..100u8).map(Item::Literal).collect();
    items.extend([Item::Copy(3, 1), Item::Copy(258, 7), Item::Copy(40, 177), Item::Copy(11, 2), Item::Literal(200)]);
    fixed(&mut w, &items, false);
    expand(&items, &mut want);
    let mut items: Vec<Item> = (0..200).map(|i| Item::Literal(97 + i % 12)).collect();
    items.extend([
        Item::Copy(3, 2),
        Item::Copy(6, 300),
        Item::Copy(20000, 5),
        Item::Literal(97),
        Item::Copy(30000, 20000),
    ]);
    dynamic(&mut w, &items, true);
    expand(&items, &mut want);
    (w.finish(), want)
}

#[test]
fn blocks_of_all_kinds() {
    let (bytes, want) = sample();
    let mut out = vec![0; PAGE];
    assert_eq!(decode(&bytes, &mut out), Some(want.len()));
    assert!(out[..want.len()] == want[..]);
    // Exactly as long as it must be, and one shorter.
    assert_eq!(decode(&bytes, &mut out[..want.len()]), Some(want.len()));
    assert_eq!(decode(&bytes, &mut out[..want.len() - 1]), None);
}

#[test]
fn damage_ends() {
    let (bytes, _) = sample();
    let mut out = vec![0; PAGE];
    assert_eq!(decode(&[], &mut out), None);
    // Reserved kind of block.
    assert_eq!(decode(&[7; 128], &mut out), None);
    for cut in [0, 1, 5, 127, 128, 200] {
        let _ = decode(&bytes[..cut], &mut out);
    }
    for bit in (0..bytes.len() * 8).step_by(11) {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let _ = decode(&bad, &mut out);
    }
}

#[test]
fn codes_that_cannot_be() {
    assert!(Code::new(&[1, 1, 1]).is_none());
    assert!(Code::new(&[2, 2, 2, 2, 2]).is_none());
    let one = Code::new(&[0, 1]).unwrap();
    assert_eq!(one.decode(0), Some((1, 1)));
    assert_eq!(one.decode(1), None);
}
