//! What stands behind a kernel that a better one may follow, in GPU memory ([`CompiledKernel::successor`] says where): a 32-bit word
//! that is not 0 once there is one, and from 8 bytes on 64-bit words: its address, its bytes, and what the kernel has taken so
//! far, in ticks, which the GPU counts.
//!
//! [`CompiledKernel::successor`]: super::CompiledKernel::successor

use crate::heap::Block;

/// Bytes of it.
pub(crate) const BYTES: u64 = 32;

/// Says where the better kernel stands. It must live as long as the first one.
pub(crate) fn announce(first: &Block, at: u64, better: &Block) {
    let mut words = [0u8; 16];
    words[..8].copy_from_slice(&better.address().to_le_bytes());
    words[8..].copy_from_slice(&better.size().to_le_bytes());
    first.write(at + 8, &words);
    // Ordered behind them.
    first.store_u32(at, 1);
}

/// What the kernel has taken so far.
pub(crate) fn spent(first: &Block, at: u64) -> u64 {
    first.load_u64(at + 24)
}
