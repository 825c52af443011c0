//! Measures one driver, the one the loader finds; `cargo xtask bench` starts it for each driver and compares.

use cts::bench::{self, Scale};
use serde_json::{json, Map, Value};
use std::process::ExitCode;

const USAGE: &str = "usage: bench serve | startup | list | statistics [--text] [NAME…] | check [NAME…]\n\
    \n\
    serve       answers commands on standard input (see cts/src/bench/serve.rs)\n\
    startup     loads the driver, compiles one shader and runs it; prints how long that took\n\
    list        prints the rows\n\
    statistics  prints what the driver says of the code of the rows' programs, with --text also the code\n\
    check       runs every row with little work and checks the result";

fn matching(names: &[String]) -> Vec<bench::Case> {
    bench::cases()
        .into_iter()
        .filter(|c| names.is_empty() || names.iter().any(|n| c.name.contains(n.as_str())))
        .collect()
}

fn startup() -> Result<(), String> {
    let (phases, right) = bench::startup().map_err(|e| e.to_string())?;
    right.map_err(|e| format!("wrong result: {e}"))?;
    let phases: Vec<Value> = phases.iter().map(|p| json!({"name": p.name, "unit": p.unit, "value": p.value})).collect();
    println!("{}", Value::from(phases));
    Ok(())
}

fn statistics(names: &[String], texts: bool) -> Result<(), String> {
    let gpu = bench::open().map_err(|e| e.to_string())?;
    let mut all = Map::new();
    for case in matching(names) {
        if case.needs.iter().any(|n| n.missing(&gpu).is_some()) {
            continue;
        }
        for program in (case.plan)(Scale::Small).programs {
            let (facts, text) = bench::statistics(&gpu, &program, texts).map_err(|e| e.to_string())?;
            for (name, text) in text {
                println!("// {}: {name}\n{text}", program.name);
            }
            all.insert(program.name.to_owned(), json!(facts));
        }
    }
    if !texts {
        println!("{}", Value::from(all));
    }
    Ok(())
}

fn check(names: &[String]) -> Result<(), String> {
    let gpu = bench::open().map_err(|e| e.to_string())?;
    let mut wrong = 0;
    for case in matching(names) {
        if let Some(why) = case.needs.iter().find_map(|n| n.missing(&gpu)) {
            println!("skipped {}: {why}", case.name);
            continue;
        }
        let run = || -> Result<(), String> {
            let mut runner = bench::Runner::new(&gpu, (case.plan)(Scale::Small)).map_err(|e| e.to_string())?;
            runner.verify().map_err(|e| e.to_string())?
        };
        match run() {
            Ok(()) => println!("right   {}", case.name),
            Err(error) => {
                wrong += 1;
                println!("WRONG   {}: {error}", case.name);
            }
        }
    }
    drop(gpu);
    let messages = cts::Gpu::validation_messages();
    if messages > 0 {
        return Err(format!("{messages} validation messages"));
    }
    if wrong > 0 {
        return Err(format!("{wrong} rows are wrong"));
    }
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let texts = args.iter().any(|a| a == "--text");
    let names: Vec<String> = args.iter().skip(1).filter(|a| *a != "--text").cloned().collect();
    let result = match args.first().map(String::as_str) {
        Some("serve") if names.is_empty() => bench::serve(),
        Some("startup") if names.is_empty() => startup(),
        Some("list") if names.is_empty() => {
            println!("{}", bench::list());
            Ok(())
        }
        Some("statistics") => statistics(&names, texts),
        Some("check") => check(&names),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}
