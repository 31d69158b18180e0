//! `cargo xtask build-ebpf`: the programs for bpfel-unknown-none, and what building them needs.
//!
//! Two ways lead to a `core` for that target: rustup's rust-src on a nightly toolchain, or Debian's own compiler and its source.
//! bpf-linker has to be built against the very LLVM that the compiler has: rustup's brings it as a library, Debian has
//! a package of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::packages;
use crate::shell::{run, say};

/// The linker's version.
const LINKER: &str = "0.13.0";

/// The LLVM that this version of the linker and Debian's compiler have in common.
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
    /// Without debug information, but for BTF.
    #[arg(long)]
    release: bool,
}

/// A compiler that has the source of `core`.
enum Toolchain {
    /// rustup's nightly, with rust-src.
    Rustup(Rustup),
    /// Debian's packages.
    Debian,
}

/// rustup's nightly.
struct Rustup {
    /// Where its LLVM is.
    lib: PathBuf,
    /// That LLVM, as the shared library it is.
    llvm: PathBuf,
    /// Its version, `22.1.4`.
    version: String,
}

pub(crate) fn run_task(arguments: &Arguments) -> Result<()> {
    let toolchain = toolchain()?;
    let linker = linker(&toolchain)?;
    let object = build(&toolchain, &linker, arguments.release)?;
    say(&format!("built {}", object.display()));
    Ok(())
}

fn toolchain() -> Result<Toolchain> {
    if let Some(rustup) = rustup() {
        say(&format!("building with rustup's nightly, its rust-src and its LLVM {}", rustup.version));
        return Ok(Toolchain::Rustup(rustup));
    }
    say("building with Debian's compiler: rustup's nightly has no rust-src here, or another LLVM");
    packages::ensure(DEBIAN).context("or, with rustup: rustup toolchain install nightly --component rust-src")?;
    Ok(Toolchain::Debian)
}

/// rustup's nightly, where it has the source of `core`, or can get it, and an LLVM that the linker knows.
fn rustup() -> Option<Rustup> {
    let sysroot = PathBuf::from(nightly(&["--print", "sysroot"])?.trim());
    let verbose = nightly(&["-vV"])?;
    let version = verbose.lines().find_map(|line| line.strip_prefix("LLVM version: "))?.to_owned();
    if version.split('.').next() != Some(LLVM) {
        return None;
    }
    let lib = sysroot.join("lib");
    let mut libraries = fs::read_dir(&lib).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let llvm = libraries.find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with(&format!("libLLVM.so.{LLVM}")) || name == format!("libLLVM-{LLVM}.so")
    })?;
    if !sysroot.join("lib/rustlib/src/rust/library/core").exists() {
        let mut add = Command::new("rustup");
        add.args(["component", "add", "rust-src", "--toolchain", "nightly"]);
        if !add.output().is_ok_and(|output| output.status.success()) {
            return None;
        }
        say("added rust-src to rustup's nightly");
    }
    Some(Rustup { lib, llvm, version })
}

fn nightly(arguments: &[&str]) -> Option<String> {
    let output = Command::new("rustup").args(["run", "nightly", "rustc"]).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// bpf-linker of the right version with the compiler's LLVM: the one that was built before, or built now.
fn linker(toolchain: &Toolchain) -> Result<PathBuf> {
    let folder = target().join("bpf-linker").join(match toolchain {
        Toolchain::Rustup(rustup) => format!("rustup-{}", rustup.version),
        Toolchain::Debian => "debian".to_owned(),
    });
    let own = folder.join("bin/bpf-linker");
    let version = Command::new(&own).arg("--version").output();
    if version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(LINKER)) {
        return Ok(own);
    }
    say(&format!("building bpf-linker {LINKER}: a minute or two"));
    let mut install = crate::shell::cargo();
    install.args(["install", "bpf-linker", "--quiet", "--locked", "--version", LINKER, "--root"]).arg(&folder);
    install.args(["--no-default-features", "--features", &format!("llvm-{LLVM}")]);
    match toolchain {
        Toolchain::Rustup(rustup) => {
            // Its name there carries the compiler's version; a linker looks for libLLVM.so.
            let prefix = folder.join("llvm");
            let lib = prefix.join("lib");
            fs::create_dir_all(&lib).with_context(|| format!("cannot make {}", lib.display()))?;
            let link = lib.join("libLLVM.so");
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(&rustup.llvm, &link)
                .with_context(|| format!("cannot link {}", link.display()))?;
            let flags = format!("-L {} -C link-arg=-Wl,-rpath,{}", lib.display(), rustup.lib.display());
            install.env("LLVM_PREFIX", &prefix).env("RUSTFLAGS", flags);
        }
        Toolchain::Debian => {
            let prefix = format!("/usr/lib/llvm-{LLVM}");
            let path = std::env::var("PATH").unwrap_or_default();
            install.env("PATH", format!("{prefix}/bin:{path}")).env("LLVM_PREFIX", &prefix);
            install.env("RUSTFLAGS", format!("-L {prefix}/lib"));
        }
    }
    run(&mut install).with_context(|| {
        format!("bpf-linker {LINKER} does not build; it needs the LLVM {LLVM} of the compiler, as a shared library")
    })?;
    Ok(own)
}

fn build(toolchain: &Toolchain, linker: &Path, release: bool) -> Result<PathBuf> {
    let folder = target().join("ebpf");
    let mut cargo = match toolchain {
        Toolchain::Rustup(_) => {
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
    // BTF, without which nothing loads, is made of the debug information.
    let flags = ["-Cdebuginfo=2".to_owned(), format!("-Clinker={}", linker.display()), "-Clink-arg=--btf".to_owned()];
    cargo
        .args(["build", "--quiet", "--package", "gateway-ebpf", "--bin", "gateway-ebpf", "--features", "programs"])
        .args(["--release", "--target", "bpfel-unknown-none", "-Z", "build-std=core", "--target-dir"])
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .current_dir(root());
    let object = folder.join("bpfel-unknown-none/release/gateway-ebpf");
    // One that was stripped is put back by this.
    let _ = fs::remove_file(&object);
    run(&mut cargo)?;
    if !object.exists() {
        bail!("cargo built no {}", object.display());
    }
    if release {
        strip(toolchain, &object)?;
    }
    Ok(object)
}

/// Takes the debug information out, but for BTF.
fn strip(toolchain: &Toolchain, object: &Path) -> Result<()> {
    let stripped = object.with_extension("stripped");
    let mut objcopy = match toolchain {
        Toolchain::Rustup(rustup) => {
            let host = format!("rustlib/{}-unknown-linux-gnu/bin/rust-objcopy", std::env::consts::ARCH);
            let mut objcopy = Command::new(rustup.lib.join(host));
            objcopy.env("LD_LIBRARY_PATH", &rustup.lib);
            objcopy
        }
        Toolchain::Debian => Command::new(format!("/usr/lib/llvm-{LLVM}/bin/llvm-objcopy")),
    };
    // Cargo keeps another link to the file.
    run(objcopy.arg("--strip-debug").args([object, &stripped]))
        .context("the debug information stays: leave out --release")?;
    fs::rename(&stripped, object).with_context(|| format!("cannot put {} in its place", object.display()))
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
