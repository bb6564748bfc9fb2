//! Says how the program is linked.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    // Places to put right at the start, packed (DT_RELR, glibc 2.36): a megabyte less of file.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        // Functions that came out the same are there once: half a megabyte less. The linker that
        // comes with the compiler on this architecture can do that; others may not.
        if is("CARGO_CFG_TARGET_ARCH", "x86_64") && is("PROFILE", "release") {
            println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
        }
    }
}
