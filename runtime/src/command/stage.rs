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
    /// Whether packets may be put here without the command buffer's lock.
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
        self.used.store(mark.min(self.mark()), Relaxed);
    }

    /// Has a packet stored in the room that is left: `store` returns the number of words that it took, 0 for none. Whether it
    /// took any.
    #[inline]
    pub fn put(&self, store: impl FnOnce(&[AtomicU64]) -> usize) -> bool {
        let words = self.words.get_or_init(|| (0..WORDS).map(|_| AtomicU64::new(0)).collect());
        let used = self.used.load(Relaxed);
        let n = words.get(used..).map_or(0, store);
        self.used.store(used.saturating_add(n).min(WORDS), Relaxed);
        n > 0
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

/// Encodes onto a stage. What does not fit there, or is not whole words, is an error.
pub(crate) struct StageSink<'a>(pub &'a Stage);

impl EncodeSink for StageSink<'_> {
    fn emit(&mut self, packet: &[u8]) -> Result<(), EncodeError> {
        let fits = packet.len().is_multiple_of(8)
            && self.0.put(|room| {
                let Some(place) = room.get(..packet.len() / 8) else { return 0 };
                for (word, bytes) in place.iter().zip(packet.chunks_exact(8)) {
                    let mut value = [0; 8];
                    value.copy_from_slice(bytes);
                    word.store(u64::from_le_bytes(value), Relaxed);
                }
                place.len()
            });
        fits.then_some(()).ok_or(EncodeError::OutOfHostMemory)
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
        let three = |value: u64| {
            stage.put(|room| {
                let Some(place) = room.get(..3) else { return 0 };
                place.iter().for_each(|word| word.store(value, Relaxed));
                3
            })
        };
        let mut want = Vec::new();
        let mut rounds = 0;
        while three(rounds) {
            want.extend([rounds; 3].map(u64::to_le_bytes).concat());
            rounds += 1;
        }
        assert_eq!(rounds as usize, WORDS / 3);
        stage.drain(&mut kept).unwrap();
        assert_eq!(kept.0, want);
        assert!(three(7));
        stage.clear();
        stage.drain(&mut kept).unwrap();
        assert_eq!(kept.0, want, "what was forgotten does not come back");
        StageSink(&stage).emit(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let mark = stage.mark();
        StageSink(&stage).emit(&[9; 16]).unwrap();
        stage.rewind(mark);
        assert!(StageSink(&stage).emit(&[0; 4]).is_err(), "not whole words");
        assert!(StageSink(&stage).emit(&[0; WORDS * 8]).is_err(), "no room");
        stage.drain(&mut kept).unwrap();
        assert_eq!(kept.0.split_off(want.len()), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(stage.put(|_| usize::MAX), "a store that does not know how much room there was");
        stage.drain(&mut kept).unwrap();
        assert_eq!(kept.0.len(), want.len() + WORDS * 8);
    }
}
