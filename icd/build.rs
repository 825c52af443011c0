//! Link arguments of the driver library.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The driver's own symbols bind to itself, whatever else the process has loaded.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    // What static libraries bring along (LLVM above all) stays inside.
    println!("cargo::rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libvulkan_dxg.so");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,defs");
    // The loader closes the library with the last instance. Signal handlers and thread-local destructors may outlast that,
    // so the code stays mapped; everything else goes when the instance goes.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
