//! Packets on their way into GPU memory: dispatches put theirs here without taking a lock, and from time to time all are moved
//! on at once.
//!
//! As with what is [bound](super::bound), threads that record into one command buffer at a time that they should not find their
//! packets mixed up, which whoever executes them refuses.

use crate::gpu::{EncodeError, EncodeSink};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::OnceLock;
use zerocopy::IntoBytes;

/// Words of a stage. With the link to a following chunk they fill the first chunk of a command buffer.
const WORDS: usize = (4096 - 128) / 8;

/// The place.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    words: OnceLock<Box<[AtomicU64]>>,
    used: AtomicUsize,
    /// Whether packets may be put here: nothing that was recorded before waits to be made a packet.
    open: AtomicBool,
}

impl Stage {
    /// Whether packets may be put here.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }

    /// Says whether packets may be put here.
    pub fn set_open(&self, open: bool) {
        self.open.store(open, Relaxed);
    }

    /// Forgets what was put here.
    pub fn clear(&self) {
        self.open.store(false, Relaxed);
        self.used.store(0, Relaxed);
    }

    /// How much was put here.
    pub fn mark(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Forgets what was put here since a mark.
    pub fn rewind(&self, mark: usize) {
        self.used.store(mark, Relaxed);
    }

    /// Appends words; false where they do not fit.
    #[inline]
    fn put(&self, packet: impl ExactSizeIterator<Item = u64>) -> bool {
        let words = self.words.get_or_init(|| (0..WORDS).map(|_| AtomicU64::new(0)).collect());
        let used = self.used.load(Relaxed);
        let end = used.saturating_add(packet.len());
        let Some(place) = words.get(used..end) else { return false };
        for (word, value) in place.iter().zip(packet) {
            word.store(value, Relaxed);
        }
        self.used.store(end, Relaxed);
        true
    }

    /// Passes on what was put here, and forgets it.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn drain(&self, sink: &mut dyn EncodeSink) -> Result<(), EncodeError> {
        let used = self.used.load(Relaxed).min(WORDS);
        let Some(words) = self.words.get().filter(|_| used > 0) else { return Ok(()) };
        self.used.store(0, Relaxed);
        let mut copy = [0; WORDS];
        for (to, word) in copy.iter_mut().zip(&words[..used]) {
            *to = word.load(Relaxed).to_le();
        }
        sink.emit(copy[..used].as_bytes())
    }
}

/// Encodes onto a stage. What does not fit there is an error, without anything put.
pub(crate) struct StageSink<'a>(pub &'a Stage);

impl EncodeSink for StageSink<'_> {
    fn emit(&mut self, packet: &[u8]) -> Result<(), EncodeError> {
        let words = packet.chunks_exact(8).map(|bytes| {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            u64::from_le_bytes(word)
        });
        match packet.len().is_multiple_of(8) && self.0.put(words) {
            true => Ok(()),
            false => Err(EncodeError::OutOfHostMemory),
        }
    }

    #[inline]
    fn emit_words(&mut self, packet: &[u64]) -> Result<(), EncodeError> {
        match self.0.put(packet.iter().copied()) {
            true => Ok(()),
            false => Err(EncodeError::OutOfHostMemory),
        }
    }

    fn upload(&mut self, _data: &[u8], _align: u64) -> Result<u64, EncodeError> {
        Err(EncodeError::OutOfHostMemory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it is given.
    struct Kept(Vec<u8>);

    impl EncodeSink for Kept {
        fn emit(&mut self, packet: &[u8]) -> Result<(), EncodeError> {
            self.0.extend_from_slice(packet);
            Ok(())
        }

        fn upload(&mut self, _data: &[u8], _align: u64) -> Result<u64, EncodeError> {
            Err(EncodeError::OutOfDeviceMemory)
        }
    }

    #[test]
    fn packets_come_out_as_they_went_in() {
        let (stage, mut kept) = (Stage::default(), Kept(Vec::new()));
        stage.drain(&mut kept).unwrap();
        assert!(kept.0.is_empty());
        let mut want = Vec::new();
        let mut rounds = 0;
        while StageSink(&stage).emit(&[rounds as u8; 24]).is_ok() {
            want.extend([rounds as u8; 24]);
            rounds += 1;
        }
        assert_eq!(rounds, WORDS / 3);
        assert!(StageSink(&stage).emit(&[0; 4]).is_err(), "not whole words");
        stage.drain(&mut kept).unwrap();
        assert_eq!(kept.0, want);
        StageSink(&stage).emit_words(&[0x0807_0605_0403_0201; 3]).unwrap();
        stage.drain(&mut kept).unwrap();
        assert_eq!(kept.0.split_off(want.len()), [1, 2, 3, 4, 5, 6, 7, 8].repeat(3));
        StageSink(&stage).emit(&[7; 8]).unwrap();
        stage.clear();
        stage.drain(&mut kept).unwrap();
        assert_eq!(kept.0, want, "what was forgotten does not come back");
    }
}
