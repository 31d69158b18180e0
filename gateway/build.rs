//! Embeds the eBPF programs where `cargo xtask build-ebpf` has built them. Without them the gateway builds all the
//! same, and `sluice run` says how to build them.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new("../target").to_owned(), PathBuf::from);
    let object = target.join("ebpf/bpfel-unknown-none/release/gateway-ebpf");
    println!("cargo::rerun-if-changed={}", object.display());
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    let embedded = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("programs");
    match fs::read(&object) {
        Ok(bytes) => fs::write(embedded, bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::write(embedded, []),
        Err(error) => Err(error),
    }
}
