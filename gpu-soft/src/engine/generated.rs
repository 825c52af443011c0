//! Generated dispatches: tokens in memory say what runs.

use super::dispatch::{run_groups, total, Data};
use super::kernels::Found as Kernel;
use super::{bad, readable, SoftEngine};
use crate::packet::{self, Found, PacketError, Token, MAX_PUSH, MAX_SEQUENCES, MAX_TOKENS};
use dxg_model::{AddressSpace, EngineFault, Job};
use std::sync::Arc;
use zerocopy::FromBytes;

/// Copies `N` bytes out of GPU memory.
fn load<const N: usize>(space: &AddressSpace, at: u64) -> Result<[u8; N], EngineFault> {
    readable(space, at, N as u64)?;
    // SAFETY: mapped and readable, as checked; bytes need no alignment. What others write meanwhile gives some bytes.
    Ok(unsafe { (at as *const [u8; N]).read_volatile() })
}

/// Copies a token's data into push constants.
fn load_push(space: &AddressSpace, at: u64, into: &mut [u8]) -> Result<(), EngineFault> {
    readable(space, at, into.len() as u64)?;
    // SAFETY: mapped and readable, as checked; the destination is a slice of its own.
    unsafe { std::ptr::copy_nonoverlapping(at as *const u8, into.as_mut_ptr(), into.len()) };
    Ok(())
}

fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut out = [0; N];
    for (word, chunk) in out.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32::from_le_bytes(chunk.try_into().unwrap_or_default());
    }
    out
}

/// A kernel as packets and tables name it: address and bytes.
type Place = (u64, u64);

/// The sequences of one packet in execution.
struct Run<'a> {
    engine: &'a SoftEngine,
    job: &'a Job<'a>,
    /// The packet, to blame.
    address: u64,
    /// The kernel that ran last.
    last: Option<(Place, Arc<Kernel<'a>>)>,
    /// Invocations so far, modulo 2⁶⁴.
    invocations: u64,
}

impl<'a> Run<'a> {
    fn field(&self) -> EngineFault {
        EngineFault::BadPacket { address: self.address, reason: "packet field out of range" }
    }

    fn kernel(&mut self, place: Place) -> Result<Arc<Kernel<'a>>, EngineFault> {
        match &self.last {
            Some((at, executable)) if *at == place => Ok(executable.clone()),
            _ => {
                let found = Arc::new(self.engine.kernels.find(self.job.space, self.address, place.0, place.1)?);
                self.last = Some((place, found.clone()));
                Ok(found)
            }
        }
    }

    fn sequence(
        &mut self,
        number: u32,
        tokens: &[Token],
        data: &mut Data,
        mut place: Place,
    ) -> Result<(), EngineFault> {
        let space = self.job.space;
        for t in tokens {
            let at = t.address.wrapping_add(u64::from(number) * u64::from(t.stride));
            let size = if t.action == Token::SEQUENCE { 4 } else { t.size };
            let range = t.offset as usize..t.offset.saturating_add(size) as usize;
            match t.action {
                Token::PUSH => load_push(space, at, data.push.get_mut(range).ok_or_else(|| self.field())?)?,
                Token::SEQUENCE => {
                    data.push.get_mut(range).ok_or_else(|| self.field())?.copy_from_slice(&number.to_le_bytes());
                }
                Token::KERNEL => {
                    let [index] = words(&load::<4>(space, at)?);
                    if index >= t.size {
                        return Err(self.field());
                    }
                    let entry = load::<16>(space, t.table.wrapping_add(u64::from(index) * 16))?;
                    let word = |i: usize| u64::from_le_bytes(entry[i..i + 8].try_into().unwrap_or_default());
                    place = (word(0), word(8));
                }
                Token::DISPATCH => {
                    let groups = words(&load::<12>(space, at)?);
                    let total = total(groups).ok_or_else(|| self.field())?;
                    if total > 0 {
                        let executable = self.kernel(place)?;
                        let ran = run_groups(self.engine, self.job, &executable, data, [0; 3], groups, total)?;
                        self.invocations = self.invocations.wrapping_add(ran);
                    }
                }
                _ => return Err(self.field()),
            }
        }
        Ok(())
    }
}

/// Executes a packet of generated dispatches to its end; the number of invocations that ran, modulo 2⁶⁴.
pub fn run(engine: &SoftEngine, job: &Job<'_>, found: &Found<'_>, base: u64) -> Result<u64, EngineFault> {
    let malformed = |error: PacketError| bad(base, found.at, &error);
    let (p, tail) = found.split::<packet::DispatchGenerated>().map_err(malformed)?;
    let wrong_size = || malformed(PacketError::Size(found.at));
    let (mut data, rest) = Data::read(tail, p.push_bytes, p.set_count, p.dynamic_count).ok_or_else(wrong_size)?;
    if p.token_count as usize > MAX_TOKENS || p.sequences > MAX_SEQUENCES || !p.count.is_multiple_of(4) {
        return Err(malformed(PacketError::Field(found.at)));
    }
    let (tokens, _) = <[Token]>::ref_from_prefix_with_elems(rest, p.token_count as usize).map_err(|_| wrong_size())?;
    let mut sequences = p.sequences;
    if p.count != 0 {
        let [count] = words(&load::<4>(job.space, p.count)?);
        sequences = sequences.min(count);
    }
    let push: [u8; MAX_PUSH] = data.push;
    let mut run = Run { engine, job, address: base.wrapping_add(found.at as u64), last: None, invocations: 0 };
    for number in 0..sequences {
        if job.cancel.is_set() {
            return Err(EngineFault::Hang);
        }
        data.push = push;
        run.sequence(number, tokens, &mut data, (p.kernel, p.kernel_bytes))?;
    }
    Ok(run.invocations)
}
