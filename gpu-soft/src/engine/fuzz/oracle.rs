//! What a stream does to memory, worked out packet by packet on a copy of it. Bytes that nobody can foretell (times, what was
//! decompressed, rows over rows) are *loose*; what depends on them is not foreseen either.

use super::world::{Use, World};
use crate::packet::{self, Found, Opcode, Token, MAX_DYNAMIC, MAX_PUSH, MAX_SEQUENCES, MAX_SETS, MAX_TOKENS};
use zerocopy::FromBytes;

/// What comes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    PageFault,
    BadPacket,
    /// It waits for what does not come.
    Hang,
    /// Nobody can tell.
    Unknown,
}

use Outcome::{BadPacket, Hang, PageFault};

/// Steps after which a stream counts as one that takes long.
const LONG: u64 = 4096;

/// Goes on, or how the stream ends.
type Step<T = ()> = Result<T, Outcome>;

pub struct Oracle<'a> {
    world: &'a World,
    memory: Vec<u8>,
    loose: Vec<bool>,
    /// Whatever the GPU can write may be anything by now.
    blind: bool,
    held_back: bool,
    /// Invocations, if they are known.
    invocations: Option<u64>,
    steps: u64,
}

/// Bytes from the first of the first run to the last of the last.
fn span(run: u64, row: u64, rows: u32, slice: u64, slices: u32) -> Step<u64> {
    if rows == 0 || slices == 0 {
        return Ok(0);
    }
    let [run, row, slice] = [run, row, slice].map(u128::from);
    let [rows, slices] = [rows, slices].map(u128::from);
    let reach = row * (rows - 1) + slice * (slices - 1) + run;
    if run * rows * slices > 1 << 47 || reach > u128::from(u64::MAX) {
        return Err(BadPacket);
    }
    Ok(reach as u64)
}

/// What a kernel finds its data with, as far as it matters, and what follows it.
fn data(tail: &[u8], push: u32, sets: u32, dynamic: u32) -> Step<(Option<u64>, &[u8])> {
    let (push, sets, dynamic) = (push as usize, sets as usize, dynamic as usize);
    if push > MAX_PUSH || sets > MAX_SETS || dynamic > MAX_DYNAMIC {
        return Err(BadPacket);
    }
    let at = push.next_multiple_of(8);
    let rest = tail.get(at + 8 * sets + 16 * dynamic..).ok_or(BadPacket)?;
    let set = (sets > 0).then(|| u64::from_le_bytes(tail[at..at + 8].try_into().expect("eight bytes")));
    Ok((set, rest))
}

impl<'a> Oracle<'a> {
    pub fn new(world: &'a World) -> Oracle<'a> {
        Oracle {
            world,
            memory: world.before().to_vec(),
            loose: vec![false; world.before().len()],
            blind: false,
            held_back: false,
            invocations: Some(0),
            steps: 0,
        }
    }

    pub fn memory(&self) -> &[u8] {
        &self.memory
    }

    pub fn loose(&self) -> &[bool] {
        &self.loose
    }

    /// From now on nothing is foreseen.
    fn go_blind(&mut self) {
        self.blind = true;
        self.loose.fill(true);
        self.invocations = None;
    }

    fn offset(&self, at: u64) -> usize {
        (at - self.world.base()) as usize
    }

    /// Whether the GPU may access a range: no two parts that it may are next to each other.
    fn can(&self, at: u64, len: u64, write: bool) -> Step {
        let inside = |p: &super::world::Part| {
            let used = p.used == Use::Write || p.used == Use::Read && !write;
            used && p.start <= at && at.checked_add(len).is_some_and(|end| end <= p.end())
        };
        if len == 0 || self.world.parts().iter().any(inside) {
            Ok(())
        } else {
            Err(PageFault)
        }
    }

    /// A word that may be written, too.
    fn word(&self, at: u64, bytes: u64) -> Step {
        if !at.is_multiple_of(bytes) {
            return Err(BadPacket);
        }
        self.can(at, bytes, true)
    }

    fn is_loose(&self, at: u64, len: u64) -> bool {
        let at = self.offset(at);
        self.loose[at..at + len as usize].iter().any(|l| *l)
    }

    /// Bytes that decide something; `None` if they are loose.
    fn bytes<const N: usize>(&mut self, at: u64) -> Option<[u8; N]> {
        if self.is_loose(at, N as u64) {
            self.go_blind();
            return None;
        }
        let at = self.offset(at);
        Some(self.memory[at..at + N].try_into().expect("N bytes"))
    }

    fn u32(&mut self, at: u64) -> Option<u32> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    fn u64(&mut self, at: u64) -> Option<u64> {
        self.bytes(at).map(u64::from_le_bytes)
    }

    fn put(&mut self, at: u64, bytes: &[u8]) {
        let at = self.offset(at);
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
        if !self.blind {
            self.loose[at..at + bytes.len()].fill(false);
        }
    }

    fn loosen(&mut self, at: u64, len: u64) {
        if len > 0 {
            let at = self.offset(at);
            self.loose[at..at + len as usize].fill(true);
        }
    }

    fn copy(&mut self, src: u64, dst: u64, size: u64) {
        if size > 0 {
            let (src, dst, size) = (self.offset(src), self.offset(dst), size as usize);
            self.memory.copy_within(src..src + size, dst);
            self.loose.copy_within(src..src + size, dst);
        }
    }

    /// Counts what a packet does; too much of it is not followed.
    fn long(&mut self, steps: u64) -> bool {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > LONG {
            self.go_blind();
        }
        self.steps > LONG
    }

    /// Works out a stream.
    pub fn run(&mut self, at: u64, bytes: u64) -> Outcome {
        let outcome = match self.chunks(at, bytes) {
            Ok(()) => Outcome::Done,
            Err(outcome) => outcome,
        };
        if self.blind {
            Outcome::Unknown
        } else {
            outcome
        }
    }

    fn chunks(&mut self, mut at: u64, mut bytes: u64) -> Step {
        loop {
            self.can(at, bytes, false)?;
            if bytes == 0 {
                return Ok(());
            }
            if self.is_loose(at, bytes) {
                self.go_blind();
                return Err(Outcome::Unknown);
            }
            let from = self.offset(at);
            let chunk = self.memory[from..from + bytes as usize].to_vec();
            match self.chunk(&chunk)? {
                None => return Ok(()),
                Some(chain) => (at, bytes) = (chain.target, chain.bytes),
            }
        }
    }

    fn chunk(&mut self, bytes: &[u8]) -> Step<Option<packet::Chain>> {
        let mut at = 0;
        loop {
            let Some((found, next)) = packet::next(bytes, at).map_err(|_| BadPacket)? else { return Ok(None) };
            if self.long(1) {
                return Err(Outcome::Unknown);
            }
            match found.opcode {
                Opcode::End => return Ok(None),
                Opcode::Chain => return found.exact::<packet::Chain>().map(Some).map_err(|_| BadPacket),
                Opcode::Dispatch => self.dispatch(&found)?,
                Opcode::DispatchGenerated => self.generated(&found)?,
                _ => self.packet(&found)?,
            }
            at = next;
        }
    }

    fn packet(&mut self, found: &Found<'_>) -> Step {
        fn exact<P: packet::Packet>(found: &Found<'_>) -> Step<P> {
            found.exact().map_err(|_| BadPacket)
        }
        match found.opcode {
            Opcode::Barrier => exact::<packet::Barrier>(found).map(drop),
            Opcode::Condition => {
                let p: packet::Condition = exact(found)?;
                self.held_back = false;
                if p.src != 0 {
                    self.word(p.src, 4)?;
                    self.held_back = self.u32(p.src).is_some_and(|w| (w == 0) != (p.inverted != 0));
                }
                Ok(())
            }
            Opcode::Count => {
                let p: packet::Count = exact(found)?;
                self.word(p.dst, 8)?;
                let before = if p.add != 0 && !self.is_loose(p.dst, 8) { self.u64(p.dst) } else { Some(0) };
                let loose = p.add != 0 && self.is_loose(p.dst, 8);
                match (before, self.invocations) {
                    (Some(before), Some(n)) if !loose => {
                        let n = if p.add != 0 { n } else { n.wrapping_neg() };
                        self.put(p.dst, &before.wrapping_add(n).to_le_bytes());
                    }
                    _ => self.loosen(p.dst, 8),
                }
                Ok(())
            }
            Opcode::Copy => {
                let p: packet::Copy = exact(found)?;
                self.can(p.src, p.size, false)?;
                self.can(p.dst, p.size, true)?;
                self.copy(p.src, p.dst, p.size);
                Ok(())
            }
            Opcode::Fill => {
                let p: packet::Fill = exact(found)?;
                if !p.dst.is_multiple_of(4) || !p.size.is_multiple_of(4) {
                    return Err(BadPacket);
                }
                self.can(p.dst, p.size, true)?;
                (0..p.size).step_by(4).for_each(|i| self.put(p.dst + i, &p.value.to_le_bytes()));
                Ok(())
            }
            Opcode::Write => {
                let (p, tail) = found.split::<packet::Write>().map_err(|_| BadPacket)?;
                let bytes = usize::try_from(p.bytes).ok().and_then(|n| tail.get(..n)).ok_or(BadPacket)?;
                self.can(p.dst, p.bytes, true)?;
                if !bytes.is_empty() {
                    self.put(p.dst, bytes);
                }
                Ok(())
            }
            Opcode::CopyRect => self.copy_rect(&exact(found)?),
            Opcode::FillRect => self.fill_rect(&exact(found)?),
            // Formats and rounding are not repeated here.
            Opcode::Blit => {
                exact::<packet::Blit>(found)?;
                self.go_blind();
                Ok(())
            }
            Opcode::Regions => self.regions(&exact(found)?),
            Opcode::Timestamp => {
                let p: packet::Timestamp = exact(found)?;
                self.word(p.dst, 8)?;
                self.loosen(p.dst, 8);
                Ok(())
            }
            Opcode::Store64 => {
                let p: packet::Store64 = exact(found)?;
                self.word(p.dst, 8)?;
                self.put(p.dst, &p.value.to_le_bytes());
                Ok(())
            }
            Opcode::Store32 => {
                let p: packet::Store32 = exact(found)?;
                self.word(p.dst, 4)?;
                self.put(p.dst, &p.value.to_le_bytes());
                Ok(())
            }
            Opcode::Wait32 => {
                let p: packet::Wait32 = exact(found)?;
                self.word(p.src, 4)?;
                match self.u32(p.src) {
                    Some(word) if word != p.value => Err(Hang),
                    _ => Ok(()),
                }
            }
            Opcode::CopyQueries => self.copy_queries(&exact(found)?),
            Opcode::Dispatch | Opcode::DispatchGenerated | Opcode::Chain | Opcode::End => Ok(()),
        }
    }

    fn copy_rect(&mut self, p: &packet::CopyRect) -> Step {
        let src = span(p.row_bytes, p.src_row, p.rows, p.src_slice, p.slices)?;
        let dst = span(p.row_bytes, p.dst_row, p.rows, p.dst_slice, p.slices)?;
        self.can(p.src, src, false)?;
        self.can(p.dst, dst, true)?;
        let rows = u64::from(p.rows) * u64::from(p.slices);
        if p.row_bytes == 0 || self.long(rows) {
            return Ok(());
        }
        let apart = |row: u64, slice: u64| {
            (p.rows == 1 || row >= p.row_bytes) && (p.slices == 1 || slice >= row.saturating_mul(u64::from(p.rows)))
        };
        let ordered = apart(p.dst_row, p.dst_slice) && (p.src + src <= p.dst || p.dst + dst <= p.src);
        for (slice, row) in (0..u64::from(p.slices)).flat_map(|s| (0..u64::from(p.rows)).map(move |r| (s, r))) {
            let to = p.dst + slice * p.dst_slice + row * p.dst_row;
            if ordered {
                self.copy(p.src + slice * p.src_slice + row * p.src_row, to, p.row_bytes);
            } else {
                self.loosen(to, p.row_bytes);
            }
        }
        Ok(())
    }

    fn fill_rect(&mut self, p: &packet::FillRect) -> Step {
        if p.texel_bytes == 0 || p.texel_bytes > 16 {
            return Err(BadPacket);
        }
        let run = u64::from(p.texels) * u64::from(p.texel_bytes);
        self.can(p.dst, span(run, p.row, p.rows, p.slice, p.slices)?, true)?;
        if run == 0 || self.long(u64::from(p.rows) * u64::from(p.slices)) {
            return Ok(());
        }
        for (slice, row) in (0..u64::from(p.slices)).flat_map(|s| (0..u64::from(p.rows)).map(move |r| (s, r))) {
            let to = p.dst + slice * p.slice + row * p.row;
            let aligned = [p.row, p.slice].iter().all(|n| n.is_multiple_of(u64::from(p.texel_bytes)));
            if aligned || p.row >= run && p.slice >= p.row.saturating_mul(u64::from(p.rows)) {
                for x in 0..u64::from(p.texels) {
                    self.put(to + x * u64::from(p.texel_bytes), &p.texel[..p.texel_bytes as usize]);
                }
            } else {
                self.loosen(to, run);
            }
        }
        Ok(())
    }

    fn regions(&mut self, p: &packet::Regions) -> Step {
        let mut count = p.max;
        if p.count != 0 {
            self.word(p.count, 4)?;
            let Some(n) = self.u32(p.count) else { return Ok(()) };
            count = count.min(n);
        }
        for i in 0..count {
            if self.long(1) {
                return Ok(());
            }
            let at = p.table.wrapping_add(u64::from(i) * u64::from(p.stride));
            if p.compressed == 0 {
                self.can(at, 24, false)?;
                let (Some(src), Some(dst), Some(size)) = (self.u64(at), self.u64(at + 8), self.u64(at + 16)) else {
                    return Ok(());
                };
                self.can(src, size, false)?;
                self.can(dst, size, true)?;
                self.copy(src, dst, size);
            } else {
                self.can(at, 32, false)?;
                let words = [0, 8, 16, 24].map(|o| self.u64(at + o));
                let [Some(src), Some(dst), Some(compressed), Some(size)] = words else { return Ok(()) };
                self.can(src, compressed, false)?;
                self.can(dst, size, true)?;
                self.loosen(dst, size);
            }
        }
        Ok(())
    }

    fn copy_queries(&mut self, p: &packet::CopyQueries) -> Step {
        if p.values > 32 {
            return Err(BadPacket);
        }
        let word = if p.flags & 1 != 0 { 8u64 } else { 4 };
        for i in 0..u64::from(p.count) {
            if self.long(1) {
                return Ok(());
            }
            let src = p.src.checked_add(i * 16).ok_or(PageFault)?;
            let dst = i.checked_mul(p.stride).and_then(|o| p.dst.checked_add(o)).ok_or(PageFault)?;
            self.word(src.wrapping_add(8), 8)?;
            let Some(available) = self.u64(src.wrapping_add(8)) else { return Ok(()) };
            if p.flags & 2 != 0 && available == 0 {
                return Err(Hang);
            }
            self.word(src, 8)?;
            let Some(value) = self.u64(src) else { return Ok(()) };
            let mut stores = Vec::new();
            if available != 0 || p.flags & 8 != 0 {
                stores.push((0, if available != 0 { value } else { 0 }));
                stores.extend((1..u64::from(p.values)).map(|n| (n, 0)));
            }
            if p.flags & 4 != 0 {
                stores.push((u64::from(p.values.max(1)), available));
            }
            for (n, value) in stores {
                let at = dst.wrapping_add(word * n);
                self.word(at, word)?;
                self.put(at, &value.to_le_bytes()[..word as usize]);
            }
        }
        Ok(())
    }

    /// Looks for a kernel as packets name it.
    fn kernel(&mut self, kernel: (u64, u64)) -> Step<bool> {
        if kernel == self.world.kernel {
            return Ok(true);
        }
        let (at, bytes) = kernel;
        if !(48..=256 << 20).contains(&bytes) {
            return Err(BadPacket);
        }
        self.can(at, bytes, false)?;
        match self.bytes::<8>(at) {
            Some(magic) if &magic != b"vkdxgKB1" => Err(BadPacket),
            // A copy of the kernel, whole or not.
            _ => {
                self.go_blind();
                Ok(false)
            }
        }
    }

    /// Runs our kernel: each invocation adds its number to an element.
    fn groups(&mut self, set: Option<u64>, base: [u32; 3], groups: [u32; 3], kernel: (u64, u64)) -> Step {
        let total = groups.iter().try_fold(1u64, |a, g| a.checked_mul(u64::from(*g)));
        let total = total.filter(|t| *t <= i64::MAX as u64).ok_or(BadPacket)?;
        if total == 0 {
            return Ok(());
        }
        if !self.kernel(kernel)? || self.long(total) {
            return Ok(());
        }
        if let Some(set) = set.filter(|set| *set != self.world.set && *set != 0) {
            self.can(set, 16, false)?;
            // Whatever stands there is the buffer.
            self.go_blind();
            return Ok(());
        }
        self.invocations = self.invocations.map(|n| n.wrapping_add(total * 8));
        let (at, bytes) = self.world.buffer;
        if set != Some(self.world.set) {
            return Ok(());
        }
        if base != [0; 3] || groups[1..] != [1, 1] {
            self.loosen(at, bytes);
            return Ok(());
        }
        for i in 0..(total * 8).min(bytes / 4) {
            let word = at + 4 * i;
            if self.is_loose(word, 4) {
                self.loosen(word, 4);
            } else {
                let sum = self.u32(word).unwrap_or(0).wrapping_add(i as u32);
                self.put(word, &sum.to_le_bytes());
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, found: &Found<'_>) -> Step {
        let (p, tail) = match found.split::<packet::Dispatch>() {
            // What is held back is not looked at.
            _ if self.held_back => return Ok(()),
            other => other.map_err(|_| BadPacket)?,
        };
        let (set, _) = data(tail, p.push_bytes, p.set_count, p.dynamic_count)?;
        let mut groups = p.groups;
        if p.indirect != 0 {
            if !p.indirect.is_multiple_of(4) {
                return Err(BadPacket);
            }
            self.can(p.indirect, 12, false)?;
            for (i, g) in groups.iter_mut().enumerate() {
                *g = self.u32(p.indirect + 4 * i as u64).unwrap_or(1);
            }
        }
        self.groups(set, p.base, groups, (p.kernel, p.kernel_bytes))
    }

    fn generated(&mut self, found: &Found<'_>) -> Step {
        let (p, tail) = match found.split::<packet::DispatchGenerated>() {
            _ if self.held_back => return Ok(()),
            other => other.map_err(|_| BadPacket)?,
        };
        let (set, rest) = data(tail, p.push_bytes, p.set_count, p.dynamic_count)?;
        if p.token_count as usize > MAX_TOKENS || p.sequences > MAX_SEQUENCES || !p.count.is_multiple_of(4) {
            return Err(BadPacket);
        }
        let step = size_of::<Token>();
        let tokens = rest.get(..p.token_count as usize * step).ok_or(BadPacket)?;
        let mut sequences = p.sequences;
        if p.count != 0 {
            self.can(p.count, 4, false)?;
            sequences = sequences.min(self.u32(p.count).unwrap_or(u32::MAX));
        }
        for number in 0..u64::from(sequences) {
            let mut kernel = (p.kernel, p.kernel_bytes);
            if self.long(1 + u64::from(p.token_count)) {
                return Ok(());
            }
            for token in tokens.chunks_exact(step) {
                let t = Token::read_from_bytes(token).expect("a token");
                let at = t.address.wrapping_add(number * u64::from(t.stride));
                let fits = |size: u32| t.offset.checked_add(size).is_some_and(|end| end as usize <= MAX_PUSH);
                match t.action {
                    Token::PUSH if !fits(t.size) => return Err(BadPacket),
                    Token::PUSH => self.can(at, t.size.into(), false)?,
                    Token::SEQUENCE if !fits(4) => return Err(BadPacket),
                    Token::SEQUENCE => {}
                    Token::KERNEL => {
                        self.can(at, 4, false)?;
                        let Some(index) = self.u32(at) else { continue };
                        if index >= t.size {
                            return Err(BadPacket);
                        }
                        let entry = t.table.wrapping_add(u64::from(index) * 16);
                        self.can(entry, 16, false)?;
                        kernel = (self.u64(entry).unwrap_or(0), self.u64(entry + 8).unwrap_or(0));
                    }
                    Token::DISPATCH => {
                        self.can(at, 12, false)?;
                        let words = [0, 4, 8].map(|o| self.u32(at + o).unwrap_or(1));
                        self.groups(set, [0; 3], words, kernel)?;
                    }
                    _ => return Err(BadPacket),
                }
            }
        }
        Ok(())
    }
}
