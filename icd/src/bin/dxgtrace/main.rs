//! Looks into recordings of `/dev/dxg` requests: prints them, takes parts of them, compares them and executes them again.

mod json;
mod play;

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use winsys_dxg::dxg_abi::{Errno, Handle, Ret};
use winsys_dxg::trace::{compare, dump, ioctl_named, stat, Outcome, Selection, Trace};

const USAGE: &str = "\
usage: dxgtrace dump [--json] [SELECTION] FILE
       dxgtrace stat [SELECTION] FILE
       dxgtrace filter [SELECTION] FILE… --output FILE
       dxgtrace diff [--content] [SELECTION] FILE FILE
       dxgtrace replay FILE

dump    prints every record: requests with their fields by name, the buffers that they point to, memory that changed;
        with --json an object a line
stat    counts requests and what memory was stored
filter  writes the records that are selected, of one file or of several behind each other
diff    tells what one recording does and another does not; handles, LUIDs and addresses are compared as names; with
        --content what memory held, too
replay  executes a recording again on the embedded device and compares what the GPU wrote

selection:
  --ioctl NAME,…      requests of these names or numbers (CreateDevice, LX_DXCREATEDEVICE, 0x02)
  --handle H,…        requests that pass or return one of these handles, and memory of these allocations
  --process PID,…     records of these processes
  --result RESULT     requests that ended so: ok, failed, the name of an errno, or a number
  --range A..B        records from A up to B, without B; either may be left out
  --memory            keep records of memory even if requests are selected by name or result

exit code: 0; 1 if diff or replay finds a difference; 2 for wrong arguments; 3 for a file that is not a recording or damaged,
or that cannot be executed";

/// Why there is no result.
enum Failure {
    /// The arguments are wrong.
    Usage(String),
    /// A file, or the machine.
    Other(String),
}

type Result<T> = std::result::Result<T, Failure>;

fn usage<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure::Usage(text.into()))
}

/// The arguments behind the command.
#[derive(Default)]
struct Arguments {
    files: Vec<String>,
    selection: Selection,
    json: bool,
    content: bool,
    output: Option<String>,
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Errors that requests end in, for their names.
fn errno_named(name: &str) -> Option<Errno> {
    (1..4096).map(Errno).find(|e| e.name().is_some_and(|n| n.eq_ignore_ascii_case(name)))
}

fn outcome(text: &str) -> Option<Outcome> {
    if let Some(errno) = errno_named(text) {
        return Some(Outcome::Is(Ret::Err(errno)));
    }
    match text {
        "ok" => Some(Outcome::Succeeded),
        "failed" => Some(Outcome::Failed),
        // A plain number is an errno, as people write them; with a prefix it is a result.
        _ => number(text).map(|n| match text.strip_prefix("0x") {
            None if n > 0 && n < 4096 => Outcome::Is(Ret::Err(Errno(n as i32))),
            _ => Outcome::Is(Ret::from_raw(n as i32)),
        }),
    }
}

fn set<T: std::hash::Hash + Eq>(text: &str, what: &str, of: impl Fn(&str) -> Option<T>) -> Result<HashSet<T>> {
    let one = |word: &str| of(word).ok_or_else(|| Failure::Usage(format!("no {what}: {word:?}")));
    text.split(',').map(one).collect()
}

fn range(text: &str) -> Option<std::ops::Range<usize>> {
    let (from, to) = text.split_once("..")?;
    let end = |word: &str, default| if word.is_empty() { Some(default) } else { word.parse().ok() };
    Some(end(from, 0)?..end(to, usize::MAX)?)
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Arguments> {
    let mut out = Arguments::default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| Failure::Usage(format!("{arg} wants a value")));
        let s = &mut out.selection;
        match arg.as_str() {
            "--json" => out.json = true,
            "--content" => out.content = true,
            "--memory" => s.memory = true,
            "--output" | "-o" => out.output = Some(value()?),
            "--ioctl" => s.ioctls = Some(set(&value()?, "request", ioctl_named)?),
            "--handle" => s.handles = Some(set(&value()?, "handle", |w| number(w).map(Handle))?),
            "--process" => s.processes = Some(set(&value()?, "process", number)?),
            "--result" | "--errno" => {
                let text = value()?;
                let Some(outcome) = outcome(&text) else { return usage(format!("no result: {text:?}")) };
                s.outcome = Some(outcome);
            }
            "--range" => {
                let text = value()?;
                let Some(range) = range(&text) else { return usage(format!("no range: {text:?}")) };
                s.range = Some(range);
            }
            other if other.starts_with("--") => return usage(format!("unknown argument {other:?}")),
            _ => out.files.push(arg),
        }
    }
    Ok(out)
}

/// Reads a recording; one that is cut short is read up to there, with a warning.
fn read(path: &str) -> Result<Trace> {
    let file = std::fs::File::open(path).map_err(|e| Failure::Other(format!("{path}: {e}")))?;
    let (trace, cut) = Trace::read(file).map_err(|e| Failure::Other(format!("{path}: {e}")))?;
    if let Some(at) = cut {
        eprintln!("dxgtrace: {path}: cut off in the record at byte {at}; what is before it is used");
    }
    Ok(trace)
}

/// Where a command's text goes. Whoever reads may stop.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Other(e.to_string())),
        _ => Ok(()),
    }
}

fn filter(a: &Arguments) -> Result<()> {
    let Some(output) = &a.output else { return usage("filter wants an --output") };
    let mut all = Trace::default();
    for file in &a.files {
        all.records.extend(a.selection.apply(&read(file)?).records);
    }
    let failed = |e: io::Error| Failure::Other(format!("{output}: {e}"));
    let mut out = BufWriter::new(std::fs::File::create(output).map_err(failed)?);
    all.write(&mut out).and_then(|()| out.flush()).map_err(failed)?;
    eprintln!("dxgtrace: {} records in {output}", all.records.len());
    Ok(())
}

/// Runs a command; whether it finds no difference.
fn run(command: &str, a: &Arguments) -> Result<bool> {
    let chosen = |file: &str| read(file).map(|trace| a.selection.apply(&trace));
    match (command, &a.files[..]) {
        ("dump", [file]) if a.json => {
            let trace = chosen(file)?;
            print(|out| json::dump(&trace, out))?;
        }
        ("dump", [file]) => {
            let trace = chosen(file)?;
            print(|out| dump(&trace, out))?;
        }
        ("stat", [file]) => {
            let trace = chosen(file)?;
            print(|out| stat(&trace, out))?;
        }
        ("filter", [_, ..]) => filter(a)?,
        ("diff", [one, other]) => {
            let found = compare(&chosen(one)?, &chosen(other)?, a.content);
            print(|out| {
                found.lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
                writeln!(out, "{} records the same, {} differences", found.same, found.lines.len())
            })?;
            return Ok(found.is_equal());
        }
        ("replay", [file]) => return play::play(&read(file)?).map_err(|e| Failure::Other(format!("{file}: {e}"))),
        ("dump" | "stat" | "filter" | "diff" | "replay", files) => {
            return usage(format!("{command} does not take {} files", files.len()));
        }
        (other, _) => return usage(format!("no command {other:?}")),
    }
    Ok(true)
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    if matches!(command.as_str(), "--help" | "-h" | "help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match parse(args).and_then(|a| run(&command, &a)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure::Usage(text)) => {
            eprintln!("dxgtrace: {text}\n\n{USAGE}");
            ExitCode::from(2)
        }
        Err(Failure::Other(text)) => {
            eprintln!("dxgtrace: {text}");
            ExitCode::from(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_names_and_numbers() {
        assert_eq!(outcome("EINVAL"), Some(Outcome::Is(Ret::Err(Errno::EINVAL))));
        assert_eq!(outcome("22"), Some(Outcome::Is(Ret::Err(Errno::EINVAL))));
        assert_eq!(outcome("0x103"), Some(Outcome::Is(Ret::Pending)));
        assert_eq!(outcome("0"), Some(Outcome::Is(Ret::Ok)));
        assert_eq!((outcome("ok"), outcome("failed")), (Some(Outcome::Succeeded), Some(Outcome::Failed)));
        assert_eq!(outcome("nothing"), None);
    }

    #[test]
    fn ranges_have_ends_or_none() {
        assert_eq!(range("2..5"), Some(2..5));
        assert_eq!(range(".."), Some(0..usize::MAX));
        assert_eq!(range("3.."), Some(3..usize::MAX));
        assert_eq!((range("3"), range("a..b")), (None, None));
    }
}
