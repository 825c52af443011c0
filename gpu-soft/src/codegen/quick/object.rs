//! The least object file that the loader takes: a section of code, and a symbol where it begins.

/// An ELF object of code and its constants, with the entry function at `entry`.
pub fn object(code: &[u8], entry: usize, name: &str) -> Vec<u8> {
    let names = b"\0.text\0.symtab\0.strtab\0";
    let strings = [b"\0", name.as_bytes(), b"\0"].concat();
    let mut out = vec![0u8; 64];
    let text = out.len();
    out.extend_from_slice(code);
    out.resize(out.len().next_multiple_of(8), 0);
    let symbols = out.len();
    out.resize(out.len() + 24, 0);
    // Name, global function, section 1, offset, size.
    out.extend_from_slice(&1u32.to_le_bytes());
    out.extend_from_slice(&[0x12, 0, 1, 0]);
    out.extend_from_slice(&(entry as u64).to_le_bytes());
    out.extend_from_slice(&((code.len() - entry) as u64).to_le_bytes());
    let strings_at = out.len();
    out.extend_from_slice(&strings);
    let names_at = out.len();
    out.extend_from_slice(names);
    out.resize(out.len().next_multiple_of(8), 0);
    let headers = out.len();
    let mut section =
        |name: u32, kind: u32, flags: u64, at: usize, size: usize, link: u32, info: u32, align: u64, each: u64| {
            out.extend_from_slice(&name.to_le_bytes());
            out.extend_from_slice(&kind.to_le_bytes());
            out.extend_from_slice(&flags.to_le_bytes());
            out.extend_from_slice(&0u64.to_le_bytes());
            out.extend_from_slice(&(at as u64).to_le_bytes());
            out.extend_from_slice(&(size as u64).to_le_bytes());
            out.extend_from_slice(&link.to_le_bytes());
            out.extend_from_slice(&info.to_le_bytes());
            out.extend_from_slice(&align.to_le_bytes());
            out.extend_from_slice(&each.to_le_bytes());
        };
    section(0, 0, 0, 0, 0, 0, 0, 0, 0);
    // Code that is allocated and executed.
    section(1, 1, 6, text, code.len(), 0, 0, 64, 0);
    section(7, 2, 0, symbols, 48, 3, 1, 8, 24);
    section(15, 3, 0, strings_at, strings.len(), 0, 0, 1, 0);
    section(15, 3, 0, names_at, names.len(), 0, 0, 1, 0);
    let head = &mut out[..64];
    // ELF, 64 bits, little-endian, version 1; relocatable, x86-64, version 1.
    head[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    head[16..24].copy_from_slice(&[1, 0, 62, 0, 1, 0, 0, 0]);
    head[40..48].copy_from_slice(&(headers as u64).to_le_bytes());
    // Sizes of header and section headers, number of sections, the one with the names.
    head[52..54].copy_from_slice(&64u16.to_le_bytes());
    head[58..60].copy_from_slice(&64u16.to_le_bytes());
    head[60..62].copy_from_slice(&5u16.to_le_bytes());
    head[62..64].copy_from_slice(&4u16.to_le_bytes());
    out
}
