//! Token streams: the form in which Intel's open compute driver and the helper library of a host's driver package pass each
//! other private structures. A host has its own binary form of them, and the helper translates; the model's host has none, so
//! its private data are streams.
//!
//! A stream is a sequence of words. A token has a header (id in 16 bits, number of value words in 8, flags in 8) and its
//! value. Flag 4 marks tokens of variable length: three more words say which element of an array it is, how many bytes
//! follow, and how many words these are with their padding; inside are tokens again. Flag 3 marks what a reader has to
//! understand. A zero word is a token without id and value, so zeros may follow a stream.

/// Flag of a token that contains tokens.
const NESTED: u32 = 1 << 28;

/// A stream that is being written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer(Vec<u32>);

impl Writer {
    /// A value of up to 32 bits.
    pub(crate) fn word(&mut self, id: u16, value: u32) {
        self.0.extend([u32::from(id) | 1 << 16, value]);
    }

    /// A value of 64 bits.
    pub(crate) fn long(&mut self, id: u16, value: u64) {
        self.0.extend([u32::from(id) | 2 << 16, value as u32, (value >> 32) as u32]);
    }

    /// A structure, or one element of an array of them.
    pub(crate) fn nested(&mut self, id: u16, element: u32, f: impl FnOnce(&mut Writer)) {
        let start = self.0.len();
        self.0.extend([u32::from(id) | NESTED, element, 0, 0]);
        f(self);
        let words = (self.0.len() - start - 4) as u32;
        self.0[start + 2] = words * 4;
        self.0[start + 3] = words;
    }

    /// The stream's bytes, with zeros up to a size; `None` if it does not fit.
    pub(crate) fn into_bytes(self, size: usize) -> Option<Vec<u8>> {
        let mut bytes: Vec<u8> = self.0.iter().flat_map(|w| w.to_le_bytes()).collect();
        (bytes.len() <= size).then(|| {
            bytes.resize(size, 0);
            bytes
        })
    }
}

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A number of up to 64 bits.
    Value(u16, u64),
    /// Tokens inside.
    Nested(u16, &'a [u8]),
}

/// Reads a stream of which nothing is known to be right. It ends where the bytes do or make no sense.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn word(&self, index: usize) -> Option<u32> {
        let bytes = self.0.get(index * 4..index * 4 + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// The first token inside `path`, each step of which is a nested token, with this id.
    pub(crate) fn find(self, path: &[u16], id: u16) -> Option<u64> {
        let Some((first, rest)) = path.split_first() else {
            return self.into_iter().find_map(|t| match t {
                Token::Value(i, value) if i == id => Some(value),
                _ => None,
            });
        };
        let inside = self.into_iter().find_map(|t| match t {
            Token::Nested(i, bytes) if i == *first => Some(bytes),
            _ => None,
        });
        Reader(inside?).find(rest, id)
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let header = self.word(0)?;
        let id = header as u16;
        if header & NESTED != 0 {
            let (bytes, padded) = (self.word(2)? as usize, (self.word(3)? as usize).checked_mul(4)?);
            let inside = self.0.get(16..16usize.checked_add(bytes)?)?;
            self.0 = self.0.get(16usize.checked_add(padded.max(bytes))?..)?;
            return Some(Token::Nested(id, inside));
        }
        let words = (header >> 16 & 0xff) as usize;
        let (low, high) = match words {
            // A truth value stands in the header.
            0 => (header >> 24 & 1, 0),
            1 => (self.word(1)?, 0),
            _ => (self.word(1)?, self.word(2)?),
        };
        self.0 = self.0.get((1 + words) * 4..)?;
        Some(Token::Value(id, u64::from(high) << 32 | u64::from(low)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut w = Writer::default();
        w.word(5, 7);
        w.nested(9, 3, |w| {
            w.long(6, 1 << 40 | 2);
            w.nested(4, 0, |w| w.word(1, 11));
        });
        let bytes = w.into_bytes(128).expect("fits");
        assert_eq!(bytes.len(), 128);
        assert_eq!(Reader(&bytes).find(&[], 5), Some(7));
        assert_eq!(Reader(&bytes).find(&[9], 6), Some(1 << 40 | 2));
        assert_eq!(Reader(&bytes).find(&[9, 4], 1), Some(11));
        assert_eq!(Reader(&bytes).find(&[4], 1), None);
    }

    #[test]
    fn streams_that_do_not_fit_are_not_cut() {
        let mut w = Writer::default();
        w.long(1, 2);
        assert!(w.clone().into_bytes(8).is_none());
        assert!(w.into_bytes(12).is_some());
    }

    #[test]
    fn any_bytes_end() {
        for seed in 0u32..2000 {
            let bytes: Vec<u8> =
                (0..200u32).map(|i| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            assert!(Reader(&bytes).count() <= 50);
        }
        // A nested token longer than what is there.
        let mut w = Writer::default();
        w.nested(1, 0, |w| w.word(2, 3));
        let mut bytes = w.into_bytes(24).expect("fits");
        bytes[8] = 0xff;
        assert_eq!(Reader(&bytes).next(), None);
        bytes[8..16].fill(0xff);
        assert_eq!(Reader(&bytes).next(), None);
    }
}
