//! Runs programs in processes of their own, one for each way of running them, and compares what comes out.

use super::program::{ATOMIC_WORDS, INPUT_WORDS};
use super::{generate, Cap, Caps, Program, Recipe};
use crate::{Error, Gpu, KernelInfo, Setup};
use ash::vk;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::time::Duration;

/// A way of running programs: settings of the environment, `NAME=VALUE` with spaces between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way(pub String);

/// Two ways that must agree.
#[derive(Clone, Debug)]
pub struct Pair {
    /// What is taken to be right.
    pub reference: Way,
    /// What is looked at.
    pub other: Way,
    /// Largest difference of results of limited precision, in units of the last place; differences below `floor` do not count.
    pub ulps: u32,
    /// See `ulps`.
    pub floor: f32,
}

/// Why a program is a finding.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// The reference could not run it.
    Reference(String),
    /// The other way could not run it.
    Other(String),
    /// A word differs: its number among all words, and both values.
    Word(usize, u32, u32),
    /// A result of limited precision is too far off.
    Far(usize, f32, f32),
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Difference::Reference(why) => write!(f, "the reference failed: {why}"),
            Difference::Other(why) => write!(f, "failed: {why}"),
            Difference::Word(i, a, b) => write!(f, "word {i} is {b:#010x}, not {a:#010x}"),
            Difference::Far(i, a, b) => write!(f, "result {i} is {b:e}, not {a:e}"),
        }
    }
}

/// What the device of a worker can do, and its subgroup size.
type Hello = (Caps, u32);

fn caps(gpu: &Gpu) -> Hello {
    let f = &gpu.features;
    let mut subgroup = vk::PhysicalDeviceSubgroupProperties::default();
    let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut subgroup);
    // SAFETY: a plain query with a chain that lives.
    unsafe { gpu.instance().get_physical_device_properties2(gpu.physical, &mut properties) };
    let compute = subgroup.supported_stages.contains(vk::ShaderStageFlags::COMPUTE);
    let has = |flags| compute && subgroup.supported_operations.contains(flags);
    let all = |list: &[vk::Bool32]| list.iter().all(|b| *b != 0);
    type S = vk::SubgroupFeatureFlags;
    let found = [
        (Cap::Int8, all(&[f.v12.shader_int8, f.v12.storage_buffer8_bit_access])),
        (Cap::Int16, all(&[f.core.shader_int16, f.v11.storage_buffer16_bit_access])),
        (Cap::Int64, all(&[f.core.shader_int64])),
        (Cap::Float16, all(&[f.v12.shader_float16, f.v11.storage_buffer16_bit_access])),
        (Cap::Float64, all(&[f.core.shader_float64])),
        (Cap::Int64Atomics, all(&[f.v12.shader_buffer_int64_atomics])),
        (Cap::Subgroups, has(S::BASIC | S::VOTE | S::BALLOT | S::SHUFFLE | S::SHUFFLE_RELATIVE | S::ARITHMETIC)),
        (Cap::Clustered, has(S::CLUSTERED | S::QUAD)),
        (Cap::SubgroupTypes, all(&[f.v12.shader_subgroup_extended_types])),
        (Cap::MaximalReconvergence, all(&[f.maximal_reconvergence.shader_maximal_reconvergence])),
    ];
    let caps = found.into_iter().filter(|(_, yes)| *yes).fold(Caps::default(), |c, (cap, _)| c.with(cap));
    (caps, subgroup.subgroup_size)
}

/// Runs a program: the words of bindings 1, 2 and 3.
///
/// # Errors
/// Whatever Vulkan says.
fn execute(gpu: &Gpu, p: &Program) -> Result<Vec<u32>, Error> {
    let output = vec![0u32; (p.exact + p.approx) as usize];
    // Half of the words of the atomics' buffer begin as all ones, for AND and the minima.
    let atomics: Vec<u32> = (0..ATOMIC_WORDS).map(|i| if i % 8 == 1 || i % 8 == 5 { u32::MAX } else { 0 }).collect();
    let own = vec![0u32; p.own as usize];
    debug_assert_eq!(p.input.len(), INPUT_WORDS as usize);
    let buffers = [gpu.buffer_of(&p.input)?, gpu.buffer_of(&output)?, gpu.buffer_of(&atomics)?, gpu.buffer_of(&own)?];
    let info = KernelInfo {
        spirv: &p.spirv,
        bindings: &[vk::DescriptorType::STORAGE_BUFFER; 4],
        push: 16,
        constants: &p.constants,
        ..KernelInfo::default()
    };
    let done = gpu.kernel(&info).and_then(|kernel| {
        gpu.bind(&kernel, &buffers.each_ref());
        let done = gpu.dispatch(&kernel, bytemuck::cast_slice(&p.push), p.groups);
        gpu.free_kernel(kernel);
        done
    });
    let words = [&buffers[1], &buffers[2], &buffers[3]].iter().flat_map(|b| b.read::<u32>()).collect();
    buffers.into_iter().for_each(|b| gpu.free(b));
    done.map(|()| words)
}

/// The worker: tells what its device can do, then answers each line `caps size seed skip…` of the standard input with a
/// frame: number of words or, with the highest bit set, of bytes of an error's text; then these.
///
/// # Errors
/// No device, or nobody listens any more.
pub fn worker() -> Result<(), Box<dyn std::error::Error>> {
    let extensions = [ash::khr::shader_maximal_reconvergence::NAME];
    let gpu = Gpu::open(&Setup { name: "differential", extensions: &extensions, ..Setup::default() }, |_, _| true)?;
    let mut out = std::io::stdout().lock();
    let (caps, size) = caps(&gpu);
    out.write_all(&caps.0.to_le_bytes())?;
    out.write_all(&size.to_le_bytes())?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let numbers: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [caps, size, seed, skip @ ..] = numbers.as_slice() else { continue };
        let skip = skip.iter().copied().collect();
        let program = generate(*seed, &Recipe { caps: Caps(*caps as u32), size: *size as u32, skip });
        match execute(&gpu, &program) {
            Ok(words) => {
                out.write_all(&(words.len() as u32).to_le_bytes())?;
                out.write_all(bytemuck::cast_slice(&words))?;
            }
            Err(e) => {
                let text = e.to_string();
                out.write_all(&(text.len() as u32 | 1 << 31).to_le_bytes())?;
                out.write_all(text.as_bytes())?;
            }
        }
        out.flush()?;
    }
    Ok(())
}

/// The words of an output, or why there is none.
type Answer = Result<Vec<u32>, String>;

/// A worker process, started anew when it has died.
struct Worker {
    way: Way,
    timeout: Duration,
    running: Option<Running>,
}

struct Running {
    child: Child,
    input: ChildStdin,
    answers: Receiver<Answer>,
    hello: Hello,
}

fn read_u32(r: &mut impl Read) -> std::io::Result<u32> {
    let mut b = [0; 4];
    r.read_exact(&mut b)?;
    Ok(u32::from_le_bytes(b))
}

fn frame(r: &mut impl Read) -> std::io::Result<Answer> {
    let n = read_u32(r)?;
    if n >> 31 != 0 {
        let mut text = vec![0; (n & !(1 << 31)) as usize];
        r.read_exact(&mut text)?;
        return Ok(Err(String::from_utf8_lossy(&text).into_owned()));
    }
    let mut words = vec![0u32; n as usize];
    r.read_exact(bytemuck::cast_slice_mut(&mut words))?;
    Ok(Ok(words))
}

impl Worker {
    fn new(way: &Way, timeout: Duration) -> Worker {
        Worker { way: way.clone(), timeout, running: None }
    }

    fn start(&mut self) -> Result<Hello, String> {
        if let Some(running) = &self.running {
            return Ok(running.hello);
        }
        let wrong = |e: std::io::Error| format!("no worker: {e}");
        let settings = self.way.0.split_whitespace().filter_map(|s| s.split_once('='));
        let mut child = Command::new(std::env::current_exe().map_err(wrong)?)
            .arg("worker")
            .envs(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(wrong)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no worker".to_owned());
        };
        let mut output = BufReader::new(output);
        let hello = read_u32(&mut output)
            .and_then(|caps| Ok((Caps(caps), read_u32(&mut output)?)))
            .map_err(|_| format!("no device with {}", self.way.0))?;
        let (send, answers) = channel();
        std::thread::spawn(move || {
            // Ends with the worker, or with whoever listens.
            while let Ok(answer) = frame(&mut output) {
                if send.send(answer).is_err() {
                    return;
                }
            }
        });
        self.running = Some(Running { child, input, answers, hello });
        Ok(hello)
    }

    fn stop(&mut self) -> String {
        let Some(Running { mut child, input, .. }) = self.running.take() else { return String::new() };
        drop(input);
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().map_or_else(|e| e.to_string(), |s| s.to_string())
    }

    fn ask(&mut self, question: &str) -> Result<(), String> {
        self.start()?;
        let Some(Running { input, .. }) = &mut self.running else { return Err("no worker".to_owned()) };
        writeln!(input, "{question}").map_err(|e| format!("the worker does not listen: {e}"))
    }

    fn answer(&mut self) -> Answer {
        let Some(Running { answers, .. }) = &self.running else { return Err("no worker".to_owned()) };
        match answers.recv_timeout(self.timeout) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                self.stop();
                Err(format!("no answer within {} s", self.timeout.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(format!("the worker died: {}", self.stop())),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How many units of the last place two numbers are apart.
fn distance(a: f32, b: f32) -> u32 {
    let order = |f: f32| {
        let bits = f.to_bits() as i32;
        i64::from(if bits < 0 { i32::MIN.wrapping_sub(bits) } else { bits })
    };
    order(a).abs_diff(order(b)).try_into().unwrap_or(u32::MAX)
}

/// The first difference of two outputs.
fn compare(pair: &Pair, p: &Program, a: &[u32], b: &[u32]) -> Option<Difference> {
    let approx = p.exact as usize..(p.exact + p.approx) as usize;
    if a.len() != b.len() {
        return Some(Difference::Word(a.len().min(b.len()), a.len() as u32, b.len() as u32));
    }
    a.iter().zip(b).enumerate().find_map(|(i, (a, b))| {
        if a == b {
            None
        } else if approx.contains(&i) {
            let (a, b) = (f32::from_bits(*a), f32::from_bits(*b));
            let close = distance(a, b) <= pair.ulps || (a - b).abs() <= pair.floor || (a.is_nan() && b.is_nan());
            (!close).then_some(Difference::Far(i, a, b))
        } else {
            Some(Difference::Word(i, *a, *b))
        }
    })
}

/// Two workers and what both can do.
pub struct Runner {
    pair: Pair,
    workers: [Worker; 2],
    caps: Caps,
    size: u32,
}

impl Runner {
    /// Starts the workers. `allowed` bounds what programs may use; `size` is [`Recipe::size`].
    ///
    /// # Errors
    /// A worker that does not start.
    pub fn new(pair: &Pair, allowed: Caps, size: u32, timeout: Duration) -> Result<Runner, String> {
        let mut workers = [&pair.reference, &pair.other].map(|w| Worker::new(w, timeout));
        let [(a, m), (b, n)] = [workers[0].start()?, workers[1].start()?];
        let mut caps = a.both(b).both(allowed);
        if m != n {
            // The division into subgroups would differ.
            caps.0 &= !(1 << Cap::Subgroups as u32);
        }
        Ok(Runner { pair: pair.clone(), workers, caps, size })
    }

    /// What programs use.
    pub fn caps(&self) -> Caps {
        self.caps
    }

    /// The recipe of its programs, with statements left out.
    pub fn recipe(&self, skip: &BTreeSet<u64>) -> Recipe {
        Recipe { caps: self.caps, size: self.size, skip: skip.clone() }
    }

    /// Runs the program of a seed both ways.
    ///
    /// # Errors
    /// How they differ.
    pub fn check(&mut self, seed: u64, skip: &BTreeSet<u64>) -> Result<(), Difference> {
        let mut question = format!("{} {} {seed}", self.caps.0, self.size);
        for s in skip {
            question.push_str(&format!(" {s}"));
        }
        // Both work at the same time.
        let asked = self.workers.each_mut().map(|w| w.ask(&question));
        let [a, b] = &mut self.workers;
        let [asked_a, asked_b] = asked;
        let reference = asked_a.and_then(|()| a.answer());
        let other = asked_b.and_then(|()| b.answer());
        let reference = reference.map_err(Difference::Reference)?;
        let other = other.map_err(Difference::Other)?;
        let program = generate(seed, &self.recipe(skip));
        compare(&self.pair, &program, &reference, &other).map_or(Ok(()), Err)
    }

    /// Leaves out statements of a program that differs as long as it differs, in at most `tries` runs; what was left out.
    pub fn reduce(&mut self, seed: u64, tries: u32) -> BTreeSet<u64> {
        let mut skip = BTreeSet::new();
        let mut left = tries;
        loop {
            let mut progress = false;
            for number in generate(seed, &self.recipe(&skip)).statements.into_iter().rev() {
                if left == 0 {
                    return skip;
                }
                left -= 1;
                skip.insert(number);
                if self.check(seed, &skip).is_ok() {
                    skip.remove(&number);
                } else {
                    progress = true;
                }
            }
            if !progress {
                return skip;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_floats() {
        assert_eq!(distance(1.0, 1.0), 0);
        assert_eq!(distance(1.0, f32::from_bits(1.0f32.to_bits() + 3)), 3);
        assert_eq!(distance(0.0, -0.0), 0);
        assert_eq!(distance(f32::from_bits(1), -f32::from_bits(1)), 2);
        assert!(distance(-1.0, 1.0) > 1 << 30);
    }

    #[test]
    fn words_must_agree_and_results_come_near() {
        let p = generate(1, &Recipe::new(Caps::default()));
        let pair = Pair { reference: Way(String::new()), other: Way(String::new()), ulps: 4, floor: 0.0 };
        let good = vec![1.0f32.to_bits(); (p.exact + p.approx + ATOMIC_WORDS + p.own) as usize];
        assert_eq!(compare(&pair, &p, &good, &good), None);
        let with = |i: u32, by: u32| {
            let mut words = good.clone();
            words[i as usize] += by;
            compare(&pair, &p, &good, &words)
        };
        let one = 1.0f32.to_bits();
        assert_eq!(with(0, 1), Some(Difference::Word(0, one, one + 1)));
        assert_eq!(with(p.exact, 4), None);
        assert!(matches!(with(p.exact, 5), Some(Difference::Far(..))));
        assert!(matches!(with(p.exact + p.approx, 1), Some(Difference::Word(..))));
        assert!(matches!(compare(&pair, &p, &good, &good[1..]), Some(Difference::Word(..))));
    }
}
