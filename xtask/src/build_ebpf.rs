//! `cargo xtask build-ebpf`: the programs for bpfel-unknown-none, and what building them needs.
//!
//! Two ways lead to a `core` for that target: rustup's rust-src on a nightly toolchain, or Debian's own compiler and its source.
//! bpf-linker has to be built against the very LLVM that the compiler has.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::packages;
use crate::shell::{run, say};

/// The linker's version; it follows the LLVM of the compiler.
const LINKER: &str = "0.13.0";

/// LLVM of Debian's compiler.
const LLVM: &str = "22";

/// Debian's compiler for this target, its source, and what bpf-linker is built with.
const DEBIAN: &[&str] = &[
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "llvm-22-dev",
    "libpolly-22-dev",
    "zlib1g-dev",
    "libzstd-dev",
    "libxml2-dev",
];

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Without debug information.
    #[arg(long)]
    release: bool,
}

/// A compiler that has the source of `core`.
enum Toolchain {
    /// rustup's nightly, with rust-src.
    Rustup,
    /// Debian's packages.
    Debian,
}

pub(crate) fn run_task(arguments: &Arguments) -> Result<()> {
    let toolchain = toolchain()?;
    let linker = linker(&toolchain)?;
    let object = build(&toolchain, &linker, arguments.release)?;
    say(&format!("built {}", object.display()));
    Ok(())
}

fn toolchain() -> Result<Toolchain> {
    let sysroot = Command::new("rustup").args(["run", "nightly", "rustc", "--print", "sysroot"]).output();
    if let Ok(output) = sysroot
        && output.status.success()
    {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if Path::new(&sysroot).join("lib/rustlib/src/rust/library/core").exists() {
            say("building with rustup's nightly and its rust-src");
            return Ok(Toolchain::Rustup);
        }
        let mut add = Command::new("rustup");
        add.args(["component", "add", "rust-src", "--toolchain", "nightly"]);
        if add.output().is_ok_and(|output| output.status.success()) {
            say("added rust-src to rustup's nightly");
            return Ok(Toolchain::Rustup);
        }
    }
    say("building with Debian's compiler: rustup's nightly has no rust-src here");
    packages::ensure(DEBIAN).context("or, with rustup: rustup toolchain install nightly --component rust-src")?;
    Ok(Toolchain::Debian)
}

/// bpf-linker of the right version: the one that is installed, or built now.
fn linker(toolchain: &Toolchain) -> Result<PathBuf> {
    let folder = target().join("bpf-linker");
    let own = folder.join("bin/bpf-linker");
    for candidate in [own.clone(), PathBuf::from("bpf-linker")] {
        let version = Command::new(&candidate).arg("--version").output();
        let fits = version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(LINKER));
        if fits {
            return Ok(candidate);
        }
    }
    say(&format!("building bpf-linker {LINKER}: a minute or two"));
    let mut install = crate::shell::cargo();
    install.args(["install", "bpf-linker", "--quiet", "--locked", "--version", LINKER, "--root"]).arg(&folder);
    if matches!(toolchain, Toolchain::Debian) {
        let prefix = format!("/usr/lib/llvm-{LLVM}");
        let path = std::env::var("PATH").unwrap_or_default();
        install.args(["--no-default-features", "--features", &format!("llvm-{LLVM}")]);
        install.env("PATH", format!("{prefix}/bin:{path}")).env("LLVM_PREFIX", &prefix);
        install.env("RUSTFLAGS", format!("-L {prefix}/lib"));
    }
    run(&mut install).with_context(|| {
        format!("bpf-linker {LINKER} does not build; it needs the LLVM of the compiler (llvm-{LLVM}-dev and libpolly-{LLVM}-dev on Debian)")
    })?;
    Ok(own)
}

fn build(toolchain: &Toolchain, linker: &Path, release: bool) -> Result<PathBuf> {
    let folder = target().join("ebpf");
    let mut cargo = match toolchain {
        Toolchain::Rustup => {
            let mut rustup = Command::new("rustup");
            rustup.args(["run", "nightly", "cargo"]);
            rustup
        }
        Toolchain::Debian => {
            let mut cargo = Command::new("/usr/bin/cargo");
            // Debian's is a stable compiler, and building `core` is not stable.
            cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
            cargo
        }
    };
    let debug = if release { "0" } else { "2" };
    let flags =
        [format!("-Cdebuginfo={debug}"), format!("-Clinker={}", linker.display()), "-Clink-arg=--btf".to_owned()];
    cargo
        .args(["build", "--quiet", "--package", "gateway-ebpf", "--bin", "gateway-ebpf", "--features", "programs"])
        .args(["--release", "--target", "bpfel-unknown-none", "-Z", "build-std=core", "--target-dir"])
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .current_dir(root());
    run(&mut cargo)?;
    let object = folder.join("bpfel-unknown-none/release/gateway-ebpf");
    if !object.exists() {
        bail!("cargo built no {}", object.display());
    }
    Ok(object)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
