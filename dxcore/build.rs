//! Link arguments of the library.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    println!("cargo::rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libdxcore.so");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,defs");
    // Drivers close it while the model's threads are still on their way out, and open it again.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
