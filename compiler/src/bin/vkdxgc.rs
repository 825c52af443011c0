//! The compiler on the command line: translate, optimise, verify, interpret, count.

use compiler::frontend::{translate, Options as FrontOptions, SpecConstant};
use compiler::passes::{self, Options, PASSES};
use compiler::sir::visit::MAX_DEPTH;
use compiler::sir::{Kernel, Op, Region};
use compiler::{filetest, text, verify};
use std::collections::BTreeMap;
use std::process::ExitCode;

const USAGE: &str = "usage: vkdxgc COMMAND FILE [OPTIONS]

commands
  text FILE      print the kernel
  opt FILE       run passes (default: the whole pipeline) and print the kernel
  verify FILE    check the kernel
  interp FILE    run the tests that a .sir file describes, after passes if -p is given
  stats FILE     run passes and print counts
  passes         list the passes

FILE is a SPIR-V module (.spv) or a kernel in text form.

options
  -p PASS[,PASS…]    passes to run; `optimize` is the whole pipeline, `none` runs nothing
  -e NAME            entry point (default main)
  -s ID=VALUE        specialisation constant; VALUE is an integer or a number with a point (binary32)
  --no-lower-math    the pipeline keeps transcendental operations
  --print-after PASS print the kernel after each run of PASS, or after `all`";

struct Args {
    command: String,
    file: String,
    passes: Option<Vec<String>>,
    entry: String,
    specs: Vec<(u32, Vec<u8>)>,
    lower_math: bool,
    print_after: Option<String>,
}

fn parse_args() -> Result<Args, String> {
    let mut args = std::env::args().skip(1);
    let mut out = Args {
        command: args.next().ok_or(USAGE)?,
        file: String::new(),
        passes: None,
        entry: "main".into(),
        specs: Vec::new(),
        lower_math: true,
        print_after: None,
    };
    while let Some(a) = args.next() {
        let mut value = || args.next().ok_or(format!("{a} needs a value"));
        match a.as_str() {
            "-p" => out.passes = Some(value()?.split(',').map(str::to_string).collect()),
            "-e" => out.entry = value()?,
            "-s" => out.specs.push(spec(&value()?)?),
            "--no-lower-math" => out.lower_math = false,
            "--print-after" => out.print_after = Some(value()?),
            a if a.starts_with('-') => return Err(format!("unknown option {a}\n{USAGE}")),
            _ if out.file.is_empty() => out.file = a,
            _ => return Err(format!("more than one file\n{USAGE}")),
        }
    }
    if out.file.is_empty() && out.command != "passes" {
        return Err(USAGE.into());
    }
    Ok(out)
}

fn spec(text: &str) -> Result<(u32, Vec<u8>), String> {
    let bad = || format!("`{text}` is not ID=VALUE");
    let (id, value) = text.split_once('=').ok_or_else(bad)?;
    let id = id.parse().map_err(|_| bad())?;
    let bytes = if value.contains('.') {
        value.parse::<f32>().map_err(|_| bad())?.to_le_bytes().to_vec()
    } else {
        value.parse::<i64>().map_err(|_| bad())?.to_le_bytes().to_vec()
    };
    Ok((id, bytes))
}

fn load(args: &Args) -> Result<Kernel, String> {
    let bytes = std::fs::read(&args.file).map_err(|e| format!("{}: {e}", args.file))?;
    if bytes.starts_with(&[3, 2, 0x23, 7]) || bytes.starts_with(&[7, 0x23, 2, 3]) {
        let words: Vec<u32> = bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect();
        let specs: Vec<SpecConstant<'_>> = args.specs.iter().map(|(id, data)| SpecConstant { id: *id, data }).collect();
        let options = FrontOptions { entry_point: &args.entry, spec_constants: &specs, ..FrontOptions::default() };
        return translate(&words, &options).map_err(|e| e.to_string());
    }
    let source = String::from_utf8(bytes).map_err(|_| format!("{} is neither SPIR-V nor text", args.file))?;
    text::parse(&source).map_err(|e| format!("{}: {e}", args.file))
}

fn run_passes(kernel: &mut Kernel, args: &Args, names: &[String]) -> Result<(), String> {
    let dump = |name: &str, k: &Kernel| {
        if args.print_after.as_deref().is_some_and(|p| p == name || p == "all") {
            println!("; after {name}\n{}", text::print(k));
        }
    };
    let opts = Options { verify: true, dump: Some(&dump), lower_math: args.lower_math, ..Options::default() };
    for name in names {
        match name.as_str() {
            "none" => {}
            "optimize" => passes::optimize(kernel, &opts).map_err(|e| e.to_string())?,
            _ => {
                let pass = passes::pass(name).ok_or_else(|| format!("there is no pass `{name}`"))?;
                passes::run_pass(kernel, pass, &opts).map_err(|e| e.to_string())?;
            }
        }
    }
    Ok(())
}

/// Deepest nesting of regions.
fn depth(region: &Region) -> usize {
    let mut deepest = 0;
    for inst in &region.insts {
        inst.op.for_each_region(&mut |r| deepest = deepest.max(depth(r)));
    }
    deepest + 1
}

fn stats(k: &Kernel) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut total = 0;
    k.body.walk(&mut |i| {
        total += 1;
        let name = match &i.op {
            Op::Alu { op, .. } => op.name().to_string(),
            Op::Load { addr, .. } => format!("load {:?}", addr.space()).to_lowercase(),
            Op::Store { addr, .. } => format!("store {:?}", addr.space()).to_lowercase(),
            _ => {
                let line = text::print_inst(k, i);
                let body = line.split_once("= ").map_or(line.as_str(), |(_, b)| b);
                body.split_whitespace().next().unwrap_or("?").to_string()
            }
        };
        *counts.entry(name).or_default() += 1;
    });
    let private: u32 = k.slots.iter().map(|s| s.size).sum();
    let mut out = format!(
        "kernel {:?}: {total} instructions, {} values, nesting {} of {MAX_DEPTH}\n\
         workgroup {:?}, {} bytes of workgroup memory, {private} bytes of private memory\n",
        k.name,
        k.types.len(),
        depth(&k.body),
        k.local_size,
        k.shared_size
    );
    for (name, n) in counts {
        out += &format!("{n:8} {name}\n");
    }
    out
}

fn run() -> Result<(), String> {
    let args = parse_args()?;
    let pipeline = || args.passes.clone().unwrap_or_else(|| vec!["optimize".into()]);
    match args.command.as_str() {
        "passes" => {
            for p in PASSES {
                println!("{:16} {}", p.name, p.doc);
            }
        }
        "text" => print!("{}", text::print(&load(&args)?)),
        "verify" => verify::verify(&load(&args)?).map_err(|e| e.to_string())?,
        "opt" => {
            let mut k = load(&args)?;
            run_passes(&mut k, &args, &pipeline())?;
            print!("{}", text::print(&k));
        }
        "stats" => {
            let mut k = load(&args)?;
            run_passes(&mut k, &args, &pipeline())?;
            print!("{}", stats(&k));
        }
        "interp" => {
            let source = std::fs::read_to_string(&args.file).map_err(|e| format!("{}: {e}", args.file))?;
            let file = filetest::parse_file(&source)?;
            let mut k = text::parse(&file.source).map_err(|e| e.to_string())?;
            run_passes(&mut k, &args, args.passes.as_deref().unwrap_or_default())?;
            file.setup.check(&file.setup.run(&k))?;
            println!("as expected");
        }
        other => return Err(format!("unknown command {other}\n{USAGE}")),
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}
