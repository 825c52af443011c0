//! The file format.
//!
//! ```text
//! file   = magic "VKDXGTRC", version u32, zero u32, record*
//! record = tag u8, length u32, that many bytes
//! tag 1  = ioctl:    request u32, result i32, before bytes, after bytes, count u32, buffer*
//! tag 2  = pages:    allocation u32, certain u8, count u32, page*
//! tag 3  = check:    allocation u32, certain u8, size u64, hash 32 bytes, count u32, page*
//! tag 4  = process:  process id u32, name bytes (since version 2): of whom the records are that follow
//! buffer = pointer u8, nested u8, element u32, before bytes, after bytes
//! page   = index u64, kind u8 (0: all zeros, 1: 4096 bytes follow)
//! bytes  = length u32, that many bytes
//! ```
//! Everything is little-endian. A reader refuses what does not fit: lengths are checked before
//! anything is taken.

use std::io::{self, Read, Write};

/// First bytes of a file.
const MAGIC: [u8; 8] = *b"VKDXGTRC";
/// Version written.
pub const VERSION: u32 = 2;
/// Oldest version read.
const OLDEST: u32 = 1;
/// Bytes of a recorded page.
pub const PAGE_BYTES: usize = 4096;
/// Longest record, bytes.
const RECORD_MAX: usize = 1 << 30;
/// Longest file a reader takes, bytes.
const FILE_MAX: u64 = 16 << 30;

/// Why a file is not a recording.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It does not start like one.
    #[error("not a trace file")]
    Magic,
    /// It is of another version.
    #[error("trace version {0} is not supported")]
    Version(u32),
    /// It is damaged.
    #[error("damaged at byte {at}: {what}")]
    Damaged {
        /// Offset in the file.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
}

/// A buffer that an argument points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Which pointer of the argument.
    pub pointer: u8,
    /// Which pointer inside an element of that, plus one; 0 for the buffer itself.
    pub nested: u8,
    /// Which element, for a pointer inside one.
    pub element: u32,
    /// Content before the request.
    pub before: Vec<u8>,
    /// Content after it; empty if it did not change.
    pub after: Vec<u8>,
}

impl Buffer {
    /// Content after the request.
    pub fn after(&self) -> &[u8] {
        if self.after.is_empty() {
            &self.before
        } else {
            &self.after
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoctlRecord {
    /// Request code.
    pub request: u32,
    /// Result.
    pub result: i32,
    /// Argument before.
    pub before: Vec<u8>,
    /// Argument after.
    pub after: Vec<u8>,
    /// Buffers that it points to.
    pub buffers: Vec<Buffer>,
}

/// Content of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageData {
    /// Index of the page in its allocation.
    pub index: u64,
    /// The content; `None` for zeros.
    pub data: Option<Box<[u8; PAGE_BYTES]>>,
}

impl PageData {
    /// The content.
    pub fn bytes(&self) -> &[u8; PAGE_BYTES] {
        const ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];
        self.data.as_deref().unwrap_or(&ZEROS)
    }
}

/// Pages that the CPU changed, before a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Handle of the allocation.
    pub allocation: u32,
    /// Whether the GPU was idle, so that the changes are the CPU's alone.
    pub certain: bool,
    /// The pages.
    pub pages: Vec<PageData>,
}

/// Pages that the GPU changed, after work was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Handle of the allocation.
    pub allocation: u32,
    /// Whether the changes are the GPU's alone.
    pub certain: bool,
    /// Bytes of the allocation.
    pub size: u64,
    /// BLAKE3 over the first 16 bytes of the BLAKE3 hash of each page.
    pub hash: [u8; 32],
    /// The pages that changed.
    pub pages: Vec<PageData>,
}

/// Of whom the records are that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRecord {
    /// Process id.
    pub pid: u32,
    /// Name of its program.
    pub name: String,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A request.
    Ioctl(IoctlRecord),
    /// Changes by the CPU.
    Pages(Snapshot),
    /// Changes by the GPU.
    Check(Check),
    /// Another process.
    Process(ProcessRecord),
}

/// A recording in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The records, in order.
    pub records: Vec<Record>,
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn put_pages(out: &mut Vec<u8>, pages: &[PageData]) {
    out.extend_from_slice(&(pages.len() as u32).to_le_bytes());
    for page in pages {
        out.extend_from_slice(&page.index.to_le_bytes());
        match &page.data {
            None => out.push(0),
            Some(data) => {
                out.push(1);
                out.extend_from_slice(&data[..]);
            }
        }
    }
}

/// Writes the start of a file.
pub(crate) fn write_header(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&0u32.to_le_bytes())
}

impl Record {
    /// Writes the record.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut body = Vec::new();
        let tag = match self {
            Record::Ioctl(r) => {
                body.extend_from_slice(&r.request.to_le_bytes());
                body.extend_from_slice(&r.result.to_le_bytes());
                put_bytes(&mut body, &r.before);
                put_bytes(&mut body, &r.after);
                body.extend_from_slice(&(r.buffers.len() as u32).to_le_bytes());
                for b in &r.buffers {
                    body.extend_from_slice(&[b.pointer, b.nested]);
                    body.extend_from_slice(&b.element.to_le_bytes());
                    put_bytes(&mut body, &b.before);
                    put_bytes(&mut body, &b.after);
                }
                1u8
            }
            Record::Pages(s) => {
                body.extend_from_slice(&s.allocation.to_le_bytes());
                body.push(u8::from(s.certain));
                put_pages(&mut body, &s.pages);
                2
            }
            Record::Check(c) => {
                body.extend_from_slice(&c.allocation.to_le_bytes());
                body.push(u8::from(c.certain));
                body.extend_from_slice(&c.size.to_le_bytes());
                body.extend_from_slice(&c.hash);
                put_pages(&mut body, &c.pages);
                3
            }
            Record::Process(p) => {
                body.extend_from_slice(&p.pid.to_le_bytes());
                put_bytes(&mut body, p.name.as_bytes());
                4
            }
        };
        if body.len() > RECORD_MAX {
            return Err(io::Error::other("trace record too long"));
        }
        out.write_all(&[tag])?;
        out.write_all(&(body.len() as u32).to_le_bytes())?;
        out.write_all(&body)
    }
}

/// Takes values off a slice of the file.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Offset of the slice in the file.
    base: usize,
}

impl<'a> Cursor<'a> {
    fn damaged(&self, what: &'static str) -> FormatError {
        FormatError::Damaged { at: self.base + self.at, what }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], FormatError> {
        let part = self.at.checked_add(n).and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or_else(|| self.damaged("ends early"))?;
        self.at += n;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    fn u8(&mut self) -> Result<u8, FormatError> {
        Ok(self.array::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32, FormatError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, FormatError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn flag(&mut self) -> Result<bool, FormatError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.damaged("bad flag")),
        }
    }

    fn bytes(&mut self) -> Result<Vec<u8>, FormatError> {
        let n = self.u32()? as usize;
        Ok(self.take(n)?.to_vec())
    }

    fn rest(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// A count of things that take at least `least` bytes each.
    fn count(&mut self, least: usize) -> Result<usize, FormatError> {
        let n = self.u32()? as usize;
        if n > self.rest() / least {
            return Err(self.damaged("count too large"));
        }
        Ok(n)
    }

    fn pages(&mut self) -> Result<Vec<PageData>, FormatError> {
        let n = self.count(9)?;
        let mut pages = Vec::with_capacity(n);
        for _ in 0..n {
            let index = self.u64()?;
            let data = if self.flag()? { Some(Box::new(self.array()?)) } else { None };
            pages.push(PageData { index, data });
        }
        Ok(pages)
    }

    fn record(&mut self, tag: u8) -> Result<Record, FormatError> {
        match tag {
            1 => {
                let request = self.u32()?;
                let result = self.u32()? as i32;
                let (before, after) = (self.bytes()?, self.bytes()?);
                if before.len() != after.len() {
                    return Err(self.damaged("argument changes its size"));
                }
                let n = self.count(14)?;
                let mut buffers = Vec::with_capacity(n);
                for _ in 0..n {
                    let [pointer, nested] = self.array()?;
                    let element = self.u32()?;
                    let (before, after) = (self.bytes()?, self.bytes()?);
                    if !after.is_empty() && before.len() != after.len() {
                        return Err(self.damaged("buffer changes its size"));
                    }
                    buffers.push(Buffer { pointer, nested, element, before, after });
                }
                Ok(Record::Ioctl(IoctlRecord { request, result, before, after, buffers }))
            }
            2 => Ok(Record::Pages(Snapshot { allocation: self.u32()?, certain: self.flag()?, pages: self.pages()? })),
            3 => Ok(Record::Check(Check {
                allocation: self.u32()?,
                certain: self.flag()?,
                size: self.u64()?,
                hash: self.array()?,
                pages: self.pages()?,
            })),
            4 => {
                let pid = self.u32()?;
                let name = String::from_utf8(self.bytes()?).map_err(|_| self.damaged("bad name"))?;
                Ok(Record::Process(ProcessRecord { pid, name }))
            }
            _ => Err(self.damaged("unknown record")),
        }
    }
}

impl Trace {
    /// Parses a file's content. A last record that is cut short is left out: the recorded
    /// program may have died.
    ///
    /// # Errors
    /// [`FormatError`] for anything else that is not a recording.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::parse_part(bytes).map(|(trace, _)| trace)
    }

    /// As [`Trace::parse`]; and where in the file the last record begins that is cut short, if one is.
    ///
    /// # Errors
    /// As for [`Trace::parse`].
    pub fn parse_part(bytes: &[u8]) -> Result<(Self, Option<usize>), FormatError> {
        let mut file = Cursor { bytes, at: 0, base: 0 };
        if file.take(8).ok() != Some(&MAGIC[..]) {
            return Err(FormatError::Magic);
        }
        let version = file.u32()?;
        if !(OLDEST..=VERSION).contains(&version) {
            return Err(FormatError::Version(version));
        }
        if file.u32()? != 0 {
            return Err(file.damaged("bad header"));
        }
        let mut records = Vec::new();
        let mut cut = None;
        while file.rest() > 0 {
            cut = Some(file.at);
            let Ok(tag) = file.u8() else { break };
            let Ok(length) = file.u32() else { break };
            if length as usize > RECORD_MAX {
                return Err(file.damaged("record too long"));
            }
            let base = file.at;
            let Ok(body) = file.take(length as usize) else { break };
            let mut body = Cursor { bytes: body, at: 0, base };
            records.push(body.record(tag)?);
            if body.rest() != 0 {
                return Err(body.damaged("record longer than its content"));
            }
            cut = None;
        }
        Ok((Self { records }, cut))
    }

    /// Reads a file, as [`Trace::parse_part`] does; what is beyond the largest size of a file counts as cut off.
    ///
    /// # Errors
    /// As for [`Trace::parse_part`]; those of the reader.
    pub fn read(from: impl Read) -> Result<(Self, Option<usize>), FormatError> {
        let mut bytes = Vec::new();
        from.take(FILE_MAX).read_to_end(&mut bytes)?;
        Self::parse_part(&bytes)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write_header(out)?;
        self.records.iter().try_for_each(|r| r.write(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Trace {
        let mut data = Box::new([0u8; PAGE_BYTES]);
        data[17] = 3;
        let pages = vec![PageData { index: 0, data: None }, PageData { index: 9, data: Some(data) }];
        Trace {
            records: vec![
                Record::Ioctl(IoctlRecord {
                    request: 0xc004_4715,
                    result: -22,
                    before: vec![1, 2, 3, 4],
                    after: vec![1, 2, 3, 5],
                    buffers: vec![Buffer { pointer: 1, nested: 2, element: 3, before: vec![9; 7], after: vec![] }],
                }),
                Record::Pages(Snapshot { allocation: 64, certain: true, pages: pages.clone() }),
                Record::Process(ProcessRecord { pid: 7, name: "x".to_owned() }),
                Record::Check(Check { allocation: 64, certain: false, size: 40960, hash: [7; 32], pages }),
            ],
        }
    }

    #[test]
    fn files_round_trip() {
        let mut bytes = Vec::new();
        sample().write(&mut bytes).expect("write");
        assert_eq!(Trace::parse(&bytes).expect("parse"), sample());
    }

    #[test]
    fn cut_files_lose_their_last_record_only() {
        let mut bytes = Vec::new();
        sample().write(&mut bytes).expect("write");
        let cut = Trace::parse(&bytes[..bytes.len() - 1]).expect("parse");
        assert_eq!(cut.records, sample().records[..3]);
        let at = Trace::parse_part(&bytes[..bytes.len() - 1]).expect("parse").1.expect("a cut record");
        assert_eq!(Trace::parse_part(&bytes[..at]).expect("parse"), (cut, None));
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        let mut bytes = Vec::new();
        sample().write(&mut bytes).expect("write");
        assert!(matches!(Trace::parse(b"VKDX"), Err(FormatError::Magic)));
        let mut other = bytes.clone();
        other[8] = 99;
        assert!(matches!(Trace::parse(&other), Err(FormatError::Version(99))));
        // No change of one byte may panic, and a change of structure is noticed or yields
        // another well-formed trace.
        for at in 0..bytes.len().min(200) {
            for flip in [1u8, 0x80, 0xff] {
                let mut broken = bytes.clone();
                broken[at] ^= flip;
                let _ = Trace::parse(&broken);
            }
        }
        // A count that promises more than there is does not reserve memory for it.
        let mut huge = bytes[..16].to_vec();
        huge.push(2);
        huge.extend_from_slice(&9u32.to_le_bytes());
        huge.extend_from_slice(&[0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
        assert!(matches!(Trace::parse(&huge), Err(FormatError::Damaged { .. })));
    }
}
