//! PostgreSQL's own regression suite, for the installed server's major version: its sources from Debian's archive, and
//! the small libraries that its tests load. Kept below `target/`, so that a second run needs no network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::build_ebpf::target;
use crate::packages;
use crate::shell::{run, say};

/// What the tests load into the server, and where the source is.
const LIBRARIES: [(&str, &str); 3] = [
    ("regress", "src/test/regress/regress.c"),
    ("refint", "contrib/spi/refint.c"),
    ("autoinc", "contrib/spi/autoinc.c"),
];

/// Makes `target/regress/` hold `source/`, `lib/` and `pg_regress`.
pub(crate) fn prepare() -> Result<()> {
    let folder = std::path::absolute(target().join("regress"))?;
    if folder.join("ready").exists() {
        return Ok(());
    }
    let (major, bin) = installed()?;
    packages::ensure(&[&format!("postgresql-server-dev-{major}")])?;
    say(&format!("PostgreSQL {major}'s regression suite: fetching its sources"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("lib"))?;
    let archive = download(&folder, &major)?;
    let source = folder.join("source");
    fs::create_dir_all(&source)?;
    run(Command::new("tar").arg("-xf").arg(&archive).args(["--strip-components=1", "-C"]).arg(&source))?;
    let config = bin.join("pg_config");
    let includes = output(Command::new(&config).arg("--includedir-server"))?;
    for (name, file) in LIBRARIES {
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-w", "-I", includes.trim(), "-o"]);
        run(cc.arg(folder.join("lib").join(format!("{name}.so"))).arg(source.join(file)))?;
    }
    let pgxs = PathBuf::from(output(Command::new(&config).arg("--pgxs"))?.trim());
    let program = pgxs.ancestors().nth(2).map(|base| base.join("test/regress/pg_regress")).filter(|path| path.exists());
    fs::copy(program.context("postgresql-server-dev has no pg_regress")?, folder.join("pg_regress"))?;
    fs::write(folder.join("ready"), major)?;
    Ok(())
}

/// The newest installed server's major version and its programs.
fn installed() -> Result<(String, PathBuf)> {
    let bin = harness::postgres_bin()?;
    let version = bin.parent().and_then(Path::file_name).context("an odd place for a server")?;
    Ok((version.to_string_lossy().into_owned(), bin))
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The source package's archive, by apt with a list of its own: this machine's may have no sources.
fn download(folder: &Path, major: &str) -> Result<PathBuf> {
    let lists = folder.join("apt");
    fs::create_dir_all(lists.join("parts"))?;
    fs::create_dir_all(lists.join("lists/partial"))?;
    if let Ok(text) = fs::read_to_string("/etc/apt/sources.list") {
        let lines = text.lines().filter_map(|line| line.strip_prefix("deb ")).map(|rest| format!("deb-src {rest}\n"));
        fs::write(lists.join("parts/main.list"), lines.collect::<String>())?;
    }
    for entry in fs::read_dir("/etc/apt/sources.list.d")?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let text = fs::read_to_string(&path).unwrap_or_default();
        let sources = match path.extension().and_then(|kind| kind.to_str()) {
            Some("sources") => text
                .lines()
                .map(|line| if line.starts_with("Types:") { "Types: deb-src" } else { line })
                .fold(String::new(), |all, line| all + line + "\n"),
            Some("list") => text
                .lines()
                .filter_map(|line| line.strip_prefix("deb "))
                .fold(String::new(), |all, rest| all + "deb-src " + rest + "\n"),
            _ => continue,
        };
        fs::write(lists.join("parts").join(name), sources)?;
    }
    let options = [
        "Dir::Etc::SourceList=/dev/null".to_owned(),
        format!("Dir::Etc::SourceParts={}", lists.join("parts").display()),
        format!("Dir::State::Lists={}", lists.join("lists").display()),
        // The archive is read by root here, not by apt's own user.
        "APT::Sandbox::User=root".to_owned(),
    ];
    let apt = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        for option in &options {
            command.args(["-o", option]);
        }
        command.args(["-qq"]).args(arguments).current_dir(folder);
        command
    };
    run(&mut apt("apt-get", &["update"]))?;
    let package = format!("postgresql-{major}");
    let listed = output(&mut apt("apt-cache", &["showsrc", &package]))?;
    let mut versions: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix("Version: ")).collect();
    versions.reverse();
    // A mirror can list a version whose source it does not have: the newest that it has.
    let fetched = versions.iter().any(|version| {
        run(&mut apt("apt-get", &["source", "--download-only", &format!("{package}={version}")])).is_ok()
    });
    if !fetched {
        bail!("Debian's archive has no source of {package}");
    }
    let archive = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).find(|path| {
        path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name.contains(".orig.tar") && !name.ends_with(".asc")
        })
    });
    archive.context("apt-get source gave no archive")
}
