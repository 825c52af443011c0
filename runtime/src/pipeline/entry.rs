//! A compiled kernel as bytes: what stands in pipeline caches.

use crate::gpu::{successor, CompiledKernel, Statistic, StatisticValue};

/// Reads little-endian fields off the front of a slice; anything that is not there is `None`.
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        let n = self.u32()? as usize;
        String::from_utf8(self.bytes(n)?.to_vec()).ok()
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    // Names are short; a longer one would be cut at a character.
    let text = text.get(..text.len().min(4096)).unwrap_or("");
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The bytes of a kernel without its texts.
pub(crate) fn encode(kernel: &CompiledKernel) -> Vec<u8> {
    let mut out = Vec::with_capacity(kernel.binary.len() + 256);
    out.extend_from_slice(&kernel.subgroup_size.to_le_bytes());
    kernel.local_size.iter().for_each(|s| out.extend_from_slice(&s.to_le_bytes()));
    out.extend_from_slice(&kernel.successor.unwrap_or(u64::MAX).to_le_bytes());
    out.extend_from_slice(&(kernel.binary.len() as u64).to_le_bytes());
    out.extend_from_slice(&kernel.binary);
    out.extend_from_slice(&(kernel.statistics.len() as u32).to_le_bytes());
    for s in &kernel.statistics {
        put_text(&mut out, &s.name);
        put_text(&mut out, &s.description);
        let (tag, bits) = match s.value {
            StatisticValue::Bool(b) => (0u32, u64::from(b)),
            StatisticValue::I64(i) => (1, i as u64),
            StatisticValue::U64(u) => (2, u),
            StatisticValue::F64(f) => (3, f.to_bits()),
        };
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&bits.to_le_bytes());
    }
    out
}

/// The kernel of some bytes, `None` if they are not one.
pub(crate) fn decode(bytes: &[u8]) -> Option<CompiledKernel> {
    let mut r = Reader(bytes);
    let subgroup_size = r.u32()?;
    let local_size = [r.u32()?, r.u32()?, r.u32()?];
    let successor = Some(r.u64()?).filter(|at| *at != u64::MAX);
    let len = usize::try_from(r.u64()?).ok()?;
    let binary = r.bytes(len)?.to_vec();
    let count = r.u32()?;
    let mut statistics = Vec::new();
    for _ in 0..count {
        let (name, description) = (r.text()?, r.text()?);
        let value = match (r.u32()?, r.u64()?) {
            (0, bits) => StatisticValue::Bool(bits != 0),
            (1, bits) => StatisticValue::I64(bits as i64),
            (2, bits) => StatisticValue::U64(bits),
            (3, bits) => StatisticValue::F64(f64::from_bits(bits)),
            _ => return None,
        };
        statistics.push(Statistic { name, description, value });
    }
    let inside = |at: u64| at.is_multiple_of(8) && at.checked_add(successor::BYTES).is_some_and(|e| e <= len as u64);
    let sane =
        r.0.is_empty() && subgroup_size.is_power_of_two() && !local_size.contains(&0) && successor.is_none_or(inside);
    sane.then_some(CompiledKernel { binary, subgroup_size, local_size, statistics, successor, ir: None, asm: None })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> CompiledKernel {
        CompiledKernel {
            binary: vec![1, 2, 3, 4, 5],
            subgroup_size: 8,
            local_size: [64, 1, 2],
            statistics: vec![
                Statistic { name: "Spills".into(), description: "spilled".into(), value: StatisticValue::U64(7) },
                Statistic { name: "Ratio".into(), description: String::new(), value: StatisticValue::F64(0.5) },
            ],
            successor: None,
            ir: None,
            asm: None,
        }
    }

    #[test]
    fn places_of_successors_round_trip_if_they_are_inside() {
        let with = |at| CompiledKernel { binary: vec![1; 48], successor: Some(at), ..sample() };
        assert_eq!(decode(&encode(&with(16))), Some(with(16)));
        for bad in [17, 24, u64::MAX - 7] {
            assert_eq!(decode(&encode(&with(bad))), None, "{bad}");
        }
    }

    #[test]
    fn kernels_round_trip() {
        assert_eq!(decode(&encode(&sample())), Some(sample()));
    }

    #[test]
    fn cut_and_padded_bytes_are_refused() {
        let bytes = encode(&sample());
        for n in 0..bytes.len() {
            assert_eq!(decode(&bytes[..n]), None, "{n} bytes");
        }
        let mut long = bytes;
        long.push(0);
        assert_eq!(decode(&long), None);
    }
}
