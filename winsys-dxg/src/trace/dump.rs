//! Recordings as text.

use super::format::{Buffer, Record, Trace, PAGE_BYTES};
use super::pointers::pointers;
use dxg_abi::layout::{describe, TypeLayout};
use dxg_abi::{Ioctl, Ret};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Elements of a buffer that are printed.
const ELEMENTS: usize = 16;

/// The name and element type of a buffer of a request; none if the request has no such pointer.
pub fn buffer_type(ioctl: Ioctl, buffer: &Buffer) -> Option<(String, &'static TypeLayout)> {
    let pointer = pointers(ioctl).get(usize::from(buffer.pointer))?;
    match usize::from(buffer.nested).checked_sub(1) {
        None => Some((pointer.field.to_owned(), pointer.element)),
        Some(n) => {
            let inner = pointer.nested.get(n)?;
            Some((format!("{}[{}].{}", pointer.field, buffer.element, inner.field), inner.element))
        }
    }
}

/// Prints a recording, a line for each record and buffer.
///
/// # Errors
/// Those of the writer.
pub fn dump(trace: &Trace, out: &mut dyn Write) -> io::Result<()> {
    for (at, record) in trace.records.iter().enumerate() {
        match record {
            Record::Ioctl(r) => {
                let ret = Ret::from_raw(r.result);
                let Some(ioctl) = Ioctl::from_request(r.request) else {
                    writeln!(out, "{at}: request {:#010x} = {ret}", r.request)?;
                    continue;
                };
                write!(out, "{at}: {ioctl} {} = {ret}", describe(ioctl.layout(), &r.before))?;
                if r.before != r.after {
                    write!(out, " -> {}", describe(ioctl.layout(), &r.after))?;
                }
                writeln!(out)?;
                for b in &r.buffers {
                    let Some((name, ty)) = buffer_type(ioctl, b) else { continue };
                    for (tag, bytes) in [("", &b.before), (" ->", &b.after)] {
                        if bytes.is_empty() {
                            continue;
                        }
                        write!(out, "    {name}{tag}")?;
                        for element in bytes.chunks(ty.size).take(ELEMENTS) {
                            write!(out, " {}", describe(ty, element))?;
                        }
                        writeln!(out, "{}", if bytes.len() > ELEMENTS * ty.size { " …" } else { "" })?;
                    }
                }
            }
            Record::Pages(s) => {
                let certain = if s.certain { "" } else { " (uncertain)" };
                writeln!(out, "{at}: CPU changed {} pages of {:#x}{certain}", s.pages.len(), s.allocation)?;
            }
            Record::Check(c) => {
                let certain = if c.certain { "" } else { " (uncertain)" };
                let (n, total) = (c.pages.len(), c.size.div_ceil(PAGE_BYTES as u64));
                writeln!(out, "{at}: GPU changed {n} of {total} pages of {:#x}{certain}", c.allocation)?;
            }
            Record::Process(p) => writeln!(out, "{at}: process {} ({})", p.pid, p.name)?,
        }
    }
    Ok(())
}

/// Prints how often what happens in a recording.
///
/// # Errors
/// Those of the writer.
pub fn stat(trace: &Trace, out: &mut dyn Write) -> io::Result<()> {
    let mut calls: BTreeMap<&'static str, (usize, usize)> = BTreeMap::new();
    let (mut snapshots, mut checks, mut stored, mut uncertain) = (0, 0, 0, 0);
    for record in &trace.records {
        match record {
            Record::Ioctl(r) => {
                let entry = calls.entry(Ioctl::from_request(r.request).map_or("(unknown)", Ioctl::name)).or_default();
                entry.0 += 1;
                entry.1 += usize::from(r.result < 0);
            }
            Record::Pages(s) => {
                snapshots += 1;
                stored += s.pages.len();
                uncertain += usize::from(!s.certain);
            }
            Record::Check(c) => {
                checks += 1;
                stored += c.pages.len();
                uncertain += usize::from(!c.certain);
            }
            Record::Process(p) => writeln!(out, "process {} ({})", p.pid, p.name)?,
        }
    }
    writeln!(out, "{:8} {:8}  request", "calls", "failed")?;
    for (name, (count, failed)) in calls {
        writeln!(out, "{count:8} {failed:8}  {name}")?;
    }
    writeln!(out, "{snapshots} snapshots, {checks} checks ({uncertain} uncertain), {stored} pages stored")
}
