//! What a user runs first: which node there is, which GPUs are behind it, which of them are used and why the others are not, and
//! whether programs that ask the Vulkan loader find this driver.

mod adapters;
mod loader;
mod manifests;
mod node;
mod report;
mod system;
mod text;

use report::Report;
use std::process::ExitCode;
use system::System;
use vulkan_dxg::env::{self, NodeChoice};

const USAGE: &str = "\
usage: dxginfo [--json] [--node auto|model|PATH] [--no-loader]

Shows the /dev/dxg node, the adapters behind it and what drives them, and what the Vulkan loader finds.

  --json        the same as JSON; docs/dxginfo.md describes it
  --node NODE   as VKDXG_NODE: the kernel's node if it has a GPU this driver knows, else the embedded device (auto);
                the embedded device (model); or a device file
  --no-loader   do not ask the Vulkan loader, which loads all drivers of the system

exit code: 0 if there is a GPU for this driver to use, 1 if there is none, 2 for wrong arguments";

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq)]
struct Arguments {
    json: bool,
    node: Option<NodeChoice>,
    no_loader: bool,
    /// Only ask the loader, for a process that must not die of it.
    ask_loader: bool,
    help: bool,
}

fn parse(args: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut out = Arguments::default();
    let mut args = args;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => out.json = true,
            "--no-loader" => out.no_loader = true,
            "--help" | "-h" => out.help = true,
            loader::ASK => out.ask_loader = true,
            "--node" => {
                let value = args.next().unwrap_or_default();
                out.node = Some(NodeChoice::parse(&value).map_err(|e| format!("--node: {e}"))?);
            }
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    Ok(out)
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("dxginfo: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if arguments.help {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if arguments.ask_loader {
        print!("{}", loader::ask());
        return ExitCode::SUCCESS;
    }
    let mut options = env::options().clone();
    if let Some(node) = &arguments.node {
        options.node = node.clone();
    }
    // Looking must leave no traces.
    options.trace = None;
    let report = Report::collect(&System::here(), &options, !arguments.no_loader);
    let text = if arguments.json { report.to_json() } else { text::render(&report) };
    // Whoever reads has seen enough if this fails.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    if report.usable {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Result<Arguments, String> {
        parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_understood_or_refused() {
        let all = args("--json --node model --no-loader").expect("arguments");
        assert_eq!(
            all,
            Arguments { json: true, node: Some(NodeChoice::Model), no_loader: true, ..Arguments::default() }
        );
        assert_eq!(args("--node /dev/dxg").expect("a path").node, Some(NodeChoice::Path("/dev/dxg".into())));
        for bad in ["--jason", "--node", "--node dxg", "x"] {
            assert!(args(bad).is_err(), "{bad}");
        }
    }
}
