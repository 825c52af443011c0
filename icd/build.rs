//! Link arguments of the driver library.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the compiler keeps libstdc++ as an archive, if it has it.
fn static_libstdcxx() -> Option<PathBuf> {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let out = Command::new(compiler).arg("-print-file-name=libstdc++.a").output().ok()?;
    let path = PathBuf::from(String::from_utf8(out.stdout).ok()?.trim());
    // A name without a folder is the answer "not found".
    (path.is_absolute() && path.is_file()).then_some(path)
}

/// Lets the linker find the archive before the shared library: programs bring versions of that along which are older than ours, and
/// without it there are no symbols to look up when the driver is loaded.
fn link_libstdcxx_statically(out: &Path) {
    let here = out.join("libstdc++.a");
    let _ = std::fs::remove_file(&here);
    if static_libstdcxx().is_some_and(|archive| std::os::unix::fs::symlink(archive, &here).is_ok()) {
        println!("cargo::rustc-link-search=native={}", out.display());
    }
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=constructors.ld");
    println!("cargo::rerun-if-env-changed=CXX");
    // The driver's own symbols bind to itself, whatever else the process has loaded.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    // What static libraries bring along (LLVM above all) stays inside.
    println!("cargo::rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libvulkan_dxg.so");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,defs");
    // The loader closes the library with the last instance. Signal handlers and thread-local destructors may outlast that,
    // so the code stays mapped; everything else goes when the instance goes.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // A hundred thousand pointers in LLVM's tables are relocated when the library is loaded: as a bitmap they are 30 KB to
    // read, not 2.6 MB.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,pack-relative-relocs");
    // LLVM's constructors run when something is compiled, and stand together, as does what seldom runs: loading the driver
    // touches a twentieth of its pages.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,keep-text-section-prefix");
    if std::env::var_os("CARGO_FEATURE_LLVM").is_some() {
        let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
        println!("cargo::rustc-cdylib-link-arg=-Wl,-T,{}", root.join("constructors.ld").display());
        link_libstdcxx_statically(Path::new(&std::env::var_os("OUT_DIR").unwrap_or_default()));
    }
}
