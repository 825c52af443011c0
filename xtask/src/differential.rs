//! `cargo xtask differential`: random programs through this driver and through another one (lavapipe, where Debian's package
//! is installed), by hand.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Manifest folders of the loader, as far as packages use them.
const FOLDERS: [&str; 2] = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/// Lavapipe's manifest, if it is installed.
fn lavapipe() -> Option<PathBuf> {
    let files = FOLDERS.iter().filter_map(|f| std::fs::read_dir(f).ok()).flatten().flatten();
    files.map(|f| f.path()).find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("lvp_icd")))
}

/// Runs the comparison.
///
/// # Errors
/// No other driver, an argument that is not understood, findings.
pub fn run(root: &Path, flags: &[&str]) -> Result<String, String> {
    let mut peer = Vec::new();
    let mut width = "8";
    let mut rest = Vec::new();
    let mut args = flags.iter();
    while let Some(flag) = args.next() {
        let mut value = || args.next().copied().ok_or_else(|| format!("{flag}: what?"));
        match *flag {
            "--icd" => peer.push(format!("VK_DRIVER_FILES={}", value()?)),
            "--with" => peer.push(value()?.to_owned()),
            "--width" => width = value()?,
            other => rest.push(other),
        }
    }
    if !peer.iter().any(|s| s.starts_with("VK_DRIVER_FILES=")) {
        let icd = lavapipe().ok_or(
            "no other driver: install Debian's mesa-vulkan-drivers, or name a manifest with --icd FILE \
             (and settings it needs with --with NAME=VALUE)",
        )?;
        peer.push(format!("VK_DRIVER_FILES={}", icd.display()));
    }
    let cargo = |args: &[&str]| {
        let status = Command::new("cargo").args(args).current_dir(root).status().map_err(|e| format!("cargo: {e}"))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("cargo {}: {status}", args.join(" ")))
        }
    };
    cargo(&["build", "-q", "--release", "-p", "icd"])?;
    let own = super::manifest::run(root, &["--release"])?;
    let own = format!("{own} VKDXG_DEBUG=width={width},nocache");
    let peer = peer.join(" ");
    let mut command = vec!["run", "-q", "--release", "-p", "cts", "--bin", "differential", "--"];
    command.extend(["--peer", &peer, &own]);
    command.extend(rest);
    cargo(&command)?;
    Ok("both drivers agree".to_owned())
}
