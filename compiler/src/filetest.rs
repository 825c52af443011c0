//! Test files: a kernel in text form, with what to do with it and what to expect in comments at the top.
//!
//! ```text
//! ; test interp                      verify | roundtrip | opt PASS[,PASS…] | interp; several lines are several tests
//! ; dispatch 2 1 1                   workgroups, default 1 1 1
//! ; subgroup 8                       invocations per subgroup, default 4
//! ; push i32 [1 2]                   push constants
//! ; buffer 0.0 = f32 [1 2.5]         contents of a buffer: TYPE [values], TYPE iota N, zeros BYTES
//! ; buffer 0.1[3] = zeros 16         an array element
//! ; address 0.0 at push 8            puts the buffer's address into the push constants
//! ; expect 0.1 = f32 [2 5]           contents afterwards
//! ; expect 0.1 ulp 2 = f32 [2 5]     … within units in the last place; NaN equals NaN
//! ; fault step limit                 the run ends in a fault whose message has this
//! ; error not visible                `verify` fails with a message that has this
//! kernel "k"
//! …
//! ; ----                             for `opt`: below is the kernel after the passes
//! ```
//! A list in brackets may go on over several comment lines.

use crate::interp::{Executor, Fault, GroupInfo, Limits, Program, TestMachine};
use crate::sir::visit::renumber;
use crate::sir::{Kernel, Type};
use std::sync::Arc;

/// Separates the kernel from what is expected of `opt`.
const SEPARATOR: &str = "; ----";

/// One thing to test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The kernel verifies, or fails as `error` says.
    Verify,
    /// Printing and parsing gives the same kernel.
    RoundTrip,
    /// Passes turn the kernel into the text at the end of the file.
    Opt(Vec<String>),
    /// Running gives the expected buffers.
    Interp,
}

/// Which buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Descriptor set.
    pub set: u32,
    /// Binding.
    pub binding: u32,
    /// Array element.
    pub element: u32,
}

/// What a buffer should hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// The buffer.
    pub place: Place,
    /// Units in the last place that floating-point values may be off.
    pub ulp: u64,
    /// Element type.
    pub ty: Type,
    /// The bytes; a buffer may be longer.
    pub bytes: Vec<u8>,
}

/// Inputs of a run, and what should come out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setup {
    /// Workgroups per dimension.
    pub dispatch: [u32; 3],
    /// Invocations per subgroup.
    pub subgroup_size: u32,
    /// Push constants, without addresses.
    pub push: Vec<u8>,
    /// Initial contents of buffers.
    pub buffers: Vec<(Place, Vec<u8>)>,
    /// Buffers whose address goes to a byte offset in the push constants.
    pub addresses: Vec<(Place, usize)>,
    /// Contents afterwards.
    pub expects: Vec<Expect>,
    /// Part of the message of the fault that ends the run.
    pub fault: Option<String>,
}

/// A parsed test file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileTest {
    /// What to do.
    pub tests: Vec<Test>,
    /// How to run.
    pub setup: Setup,
    /// Part of the verifier's message.
    pub error: Option<String>,
    /// The kernel's text.
    pub source: String,
    /// The text after `; ----`.
    pub golden: Option<String>,
}

/// Reads a test file.
///
/// # Errors
/// A message with the directive that is wrong.
pub fn parse_file(text: &str) -> Result<FileTest, String> {
    let (source, golden) = match text.split_once(&format!("\n{SEPARATOR}\n")) {
        Some((s, g)) => (s.to_string() + "\n", Some(g.to_string())),
        None => (text.to_string(), None),
    };
    let mut out = FileTest {
        tests: Vec::new(),
        setup: Setup { dispatch: [1; 3], subgroup_size: 4, ..Setup::default() },
        error: None,
        golden,
        source: source.clone(),
    };
    for d in directives(&source) {
        out.directive(&d).map_err(|m| format!("`; {d}`: {m}"))?;
    }
    if out.tests.is_empty() {
        return Err("no `; test` line".into());
    }
    Ok(out)
}

/// The comment lines that start with a known word; lists in brackets joined.
fn directives(source: &str) -> Vec<String> {
    const WORDS: [&str; 9] = ["test", "dispatch", "subgroup", "push", "buffer", "address", "expect", "fault", "error"];
    let mut out: Vec<String> = Vec::new();
    let mut open = false;
    for line in source.lines() {
        let Some(c) = line.trim_start().strip_prefix(';') else {
            open = false;
            continue;
        };
        let c = c.trim();
        if open {
            if let Some(last) = out.last_mut() {
                last.push(' ');
                last.push_str(c);
            }
        } else if c.split_whitespace().next().is_some_and(|w| WORDS.contains(&w)) {
            out.push(c.to_string());
        } else {
            continue;
        }
        open = out.last().is_some_and(|d| d.contains(" [") && !d.ends_with(']'));
    }
    out
}

impl FileTest {
    fn directive(&mut self, text: &str) -> Result<(), String> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        match word {
            "test" => {
                let (mode, arg) = rest.split_once(' ').unwrap_or((rest, ""));
                self.tests.push(match mode {
                    "verify" => Test::Verify,
                    "roundtrip" => Test::RoundTrip,
                    "interp" => Test::Interp,
                    "opt" => Test::Opt(arg.split(',').map(|p| p.trim().to_string()).collect()),
                    _ => return Err("unknown kind of test".into()),
                });
            }
            "dispatch" => {
                let n: Vec<u32> = rest.split_whitespace().filter_map(|w| w.parse().ok()).collect();
                self.setup.dispatch = n.try_into().map_err(|_| "three numbers expected")?;
            }
            "subgroup" => self.setup.subgroup_size = rest.parse().map_err(|_| "number expected")?,
            "push" => self.setup.push = data(rest)?.1,
            "buffer" => {
                let (at, value) = rest.split_once('=').ok_or("`=` expected")?;
                self.setup.buffers.push((place(at.trim())?, data(value.trim())?.1));
            }
            "address" => {
                let (at, off) = rest.split_once(" at push ").ok_or("`at push` expected")?;
                let off = off.trim().parse().map_err(|_| "offset expected")?;
                self.setup.addresses.push((place(at.trim())?, off));
            }
            "expect" => {
                let (at, value) = rest.split_once('=').ok_or("`=` expected")?;
                let (at, ulp) = at.trim().split_once(" ulp ").unwrap_or((at.trim(), "0"));
                let (ty, bytes) = data(value.trim())?;
                let ulp = ulp.trim().parse().map_err(|_| "number of ULP expected")?;
                self.setup.expects.push(Expect { place: place(at.trim())?, ulp, ty, bytes });
            }
            "fault" => self.setup.fault = Some(rest.to_string()),
            _ => self.error = Some(rest.to_string()),
        }
        Ok(())
    }
}

fn place(text: &str) -> Result<Place, String> {
    let parse = || {
        let (at, element) = match text.strip_suffix(']') {
            Some(t) => t.split_once('[')?,
            None => (text, "0"),
        };
        let (set, binding) = at.trim().split_once('.')?;
        Some(Place { set: set.parse().ok()?, binding: binding.parse().ok()?, element: element.parse().ok()? })
    };
    parse().ok_or_else(|| format!("`{text}` is not set.binding"))
}

fn element(ty: Type, word: &str) -> Option<u64> {
    let float = |x: f64| crate::interp::from_f64(ty, x, crate::interp::Round::Even);
    if let Some(hex) = word.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    match ty {
        Type::F32 => word.parse::<f32>().ok().map(|x| u64::from(x.to_bits())),
        Type::F16 | Type::F64 => word.parse().ok().map(float),
        _ => word.parse::<i128>().ok().map(|n| n as u64 & ty.mask()),
    }
}

fn data(text: &str) -> Result<(Type, Vec<u8>), String> {
    let (word, rest) = text.split_once(' ').ok_or("TYPE [values], TYPE iota N or zeros N expected")?;
    let rest = rest.trim();
    let count = |w: &str| match w.trim().parse::<usize>() {
        Ok(n) if n <= 1 << 24 => Ok(n),
        _ => Err(format!("`{w}` is no size")),
    };
    if word == "zeros" {
        return Ok((Type::I8, vec![0; count(rest)?]));
    }
    let ty = Type::ALL.into_iter().find(|t| t.name() == word && t.bytes() != 0).ok_or(format!("no type `{word}`"))?;
    let words: Vec<String> = if let Some(n) = rest.strip_prefix("iota ") {
        (0..count(n)?).map(|i| i.to_string()).collect()
    } else {
        let list = rest.strip_prefix('[').and_then(|r| r.strip_suffix(']')).ok_or("`[values]` expected")?;
        list.split_whitespace().map(str::to_string).collect()
    };
    let mut bytes = Vec::new();
    for w in words {
        let bits = element(ty, &w).ok_or_else(|| format!("`{w}` is no {ty}"))?;
        bytes.extend_from_slice(&bits.to_le_bytes()[..ty.bytes() as usize]);
    }
    Ok((ty, bytes))
}

fn elements(ty: Type, bytes: &[u8]) -> Vec<u64> {
    bytes
        .chunks(ty.bytes().max(1) as usize)
        .map(|c| {
            let mut all = [0; 8];
            all[..c.len()].copy_from_slice(c);
            u64::from_le_bytes(all)
        })
        .collect()
}

/// Distance of two floating-point values in units in the last place; 0 for two NaN.
pub fn ulp_distance(ty: Type, a: u64, b: u64) -> u64 {
    let nan = |x: u64| crate::interp::to_f64(ty, x).is_nan();
    if nan(a) || nan(b) {
        return if nan(a) && nan(b) { 0 } else { u64::MAX };
    }
    // Makes the order of the numbers the order of the integers.
    let ordered = |x: u64| {
        let magnitude = (x & (ty.mask() >> 1)) as i128;
        if x > ty.mask() >> 1 {
            -magnitude
        } else {
            magnitude
        }
    };
    u64::try_from((ordered(a) - ordered(b)).abs()).unwrap_or(u64::MAX)
}

/// Values in the form that `[values]` has.
fn show(ty: Type, bytes: &[u8]) -> String {
    let words: Vec<String> = elements(ty, bytes)
        .into_iter()
        .map(|bits| match ty {
            Type::F32 => format!("{}", f32::from_bits(bits as u32)),
            t if t.is_float() => format!("{}", crate::interp::to_f64(t, bits)),
            t => crate::interp::alu::signed(t, bits).to_string(),
        })
        .collect();
    words.join(" ")
}

impl Expect {
    /// Compares with what a buffer holds.
    ///
    /// # Errors
    /// A message with both.
    pub fn check(&self, found: &[u8]) -> Result<(), String> {
        let n = self.bytes.len().min(found.len());
        let (e, f) = (elements(self.ty, &self.bytes), elements(self.ty, &found[..n]));
        let off = |(a, b): (&u64, &u64)| {
            if self.ty.is_float() {
                ulp_distance(self.ty, *a, *b) > self.ulp
            } else {
                a != b
            }
        };
        let Some(bad) = (if e.len() != f.len() { Some(f.len()) } else { e.iter().zip(&f).position(off) }) else {
            return Ok(());
        };
        let Place { set, binding, element } = self.place;
        Err(format!(
            "buffer {set}.{binding}[{element}], element {bad}\n  expected {}\n  found    {}",
            show(self.ty, &self.bytes),
            show(self.ty, &found[..n])
        ))
    }
}

impl Setup {
    /// The push constants with the addresses put in. `address` gives the GPU address of a buffer.
    pub fn push_constants(&self, address: &dyn Fn(Place) -> Option<u64>) -> Vec<u8> {
        let mut push = self.push.clone();
        for (place, off) in &self.addresses {
            push.resize(push.len().max(off + 8), 0);
            push[*off..off + 8].copy_from_slice(&address(*place).unwrap_or(0).to_le_bytes());
        }
        push
    }

    /// Runs a kernel in the interpreter.
    ///
    /// # Errors
    /// The fault of the first workgroup that has one.
    pub fn run(&self, kernel: &Kernel) -> Result<TestMachine, Fault> {
        let mut m = TestMachine::new();
        for (p, bytes) in &self.buffers {
            m.bind(p.set, p.binding, p.element, bytes.clone());
        }
        let push = self.push_constants(&|p| m.address(p.set, p.binding, p.element));
        m.set_push_constants(push);
        let program = Program::new(Arc::new(kernel.clone())).map_err(|e| Fault::Unsupported(e.to_string()))?;
        let mut executor = Executor::new(Arc::new(program));
        let limits = Limits { max_steps: 1_000_000, cancel: None };
        let [nx, ny, nz] = self.dispatch;
        for z in 0..nz {
            for y in 0..ny {
                for x in 0..nx {
                    let info = GroupInfo {
                        workgroup_id: [x, y, z],
                        num_workgroups: self.dispatch,
                        subgroup_size: self.subgroup_size,
                    };
                    executor.run(&info, &mut m, &limits)?;
                }
            }
        }
        Ok(m)
    }

    /// Compares the outcome of [`Setup::run`] with what is expected.
    ///
    /// # Errors
    /// What is different.
    pub fn check(&self, outcome: &Result<TestMachine, Fault>) -> Result<(), String> {
        match (outcome, &self.fault) {
            (Err(e), Some(part)) if e.to_string().contains(part.as_str()) => Ok(()),
            (Err(e), _) => Err(format!("fault: {e}")),
            (Ok(_), Some(part)) => Err(format!("no fault `{part}`")),
            (Ok(m), None) => self.expects.iter().try_for_each(|e| {
                let p = e.place;
                e.check(m.contents(p.set, p.binding, p.element).unwrap_or(&[]))
            }),
        }
    }
}

/// Applies passes by name to a kernel, in order.
pub type RunPasses<'a> = &'a dyn Fn(&mut Kernel, &[String]) -> Result<(), String>;

/// Carries out all tests of a file.
///
/// # Errors
/// What failed. With `bless`, differences from expected text and buffers are no failures; instead the text of
/// the file as it should be is returned.
pub fn run_file(text: &str, passes: RunPasses<'_>, bless: bool) -> Result<String, String> {
    let file = parse_file(text)?;
    let mut text = text.to_string();
    for test in &file.tests {
        let kernel = crate::text::parse(&file.source).map_err(|e| e.to_string())?;
        let verified = crate::verify::verify(&kernel);
        if *test != Test::Verify {
            verified.clone().map_err(|e| e.to_string())?;
        }
        match test {
            Test::Verify => match (&verified, &file.error) {
                (Ok(()), None) => {}
                (Err(e), Some(part)) if e.to_string().contains(part.as_str()) => {}
                (Err(e), _) => return Err(e.to_string()),
                (Ok(()), Some(part)) => return Err(format!("no error `{part}`")),
            },
            Test::RoundTrip => {
                let printed = crate::text::print(&kernel);
                let again = crate::text::parse(&printed).map_err(|e| format!("{e} in\n{printed}"))?;
                if again != kernel {
                    return Err(format!("another kernel after printing and parsing:\n{printed}"));
                }
            }
            Test::Opt(names) => {
                let mut after = kernel.clone();
                passes(&mut after, names)?;
                renumber(&mut after);
                let printed = crate::text::print(&after);
                crate::verify::verify(&after).map_err(|e| format!("{e} in\n{printed}"))?;
                if !file.setup.expects.is_empty() {
                    let m = file.setup.check(&file.setup.run(&kernel));
                    m.map_err(|e| format!("before the passes: {e}"))?;
                    let m = file.setup.check(&file.setup.run(&after));
                    m.map_err(|e| format!("after the passes: {e} in\n{printed}"))?;
                }
                if file.golden.as_deref() != Some(&printed) {
                    if !bless {
                        return Err(format!("the result is not as expected (BLESS=1 rewrites the file):\n{printed}"));
                    }
                    text = format!("{}\n{SEPARATOR}\n{printed}", file.source.trim_end());
                }
            }
            Test::Interp => {
                let outcome = file.setup.run(&kernel);
                match (file.setup.check(&outcome), &outcome) {
                    (Err(_), Ok(m)) if bless && file.setup.fault.is_none() => text = bless_expects(&text, &file, m)?,
                    (result, _) => result?,
                }
            }
        }
    }
    Ok(text)
}

/// Rewrites the `expect` lines with what the buffers hold.
fn bless_expects(text: &str, file: &FileTest, m: &TestMachine) -> Result<String, String> {
    let mut out = String::new();
    let mut expects = file.setup.expects.iter();
    let mut skipping = false;
    for line in text.lines() {
        if skipping {
            skipping = !line.trim_end().ends_with(']');
            continue;
        }
        let is_expect = line.trim_start().strip_prefix(';').is_some_and(|c| c.trim_start().starts_with("expect "));
        match (is_expect, if is_expect { expects.next() } else { None }) {
            (true, Some(e)) => {
                let (head, _) = line.split_once('=').ok_or("`=` expected")?;
                let p = e.place;
                let found = m.contents(p.set, p.binding, p.element).unwrap_or(&[]);
                let found = &found[..found.len().min(e.bytes.len().max(1))];
                out += &format!("{head}= {} [{}]\n", e.ty, show(e.ty, found));
                skipping = line.contains('[') && !line.trim_end().ends_with(']');
            }
            _ => {
                out += line;
                out.push('\n');
            }
        }
    }
    Ok(out)
}
