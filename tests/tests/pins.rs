//! The folder of pins: only root's own is used, only with maps of this layout, and what other layouts left is removed.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{Cgroup, Place, Setup, Sluice, run};

fn setup(job: &Cgroup) -> Setup {
    Setup {
        body: format!(
            "{}\n[resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n",
            Setup::workload("job", job.name())
        ),
        policies: vec![("p.cedar".to_owned(), "@id(\"all\") permit (principal, action, resource);".to_owned())],
        ..Setup::default()
    }
}

/// The start fails, and says so.
fn refuses(sluice: &mut Sluice) -> Result<String> {
    sluice.launch()?;
    ensure!(!sluice.ended(Duration::from_secs(30))?.success(), "it should not have started: {}", sluice.log());
    Ok(sluice.log())
}

/// The folder of this version's layout.
fn layout(pin_dir: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(pin_dir)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    ensure!(entries.len() == 1, "{entries:?}");
    entries.pop().context("no layout")
}

fn connects(job: &Cgroup) -> Result<String> {
    let script = "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 5432), 2)\n    print('connected')\n\
                  except OSError as e:\n    print(e)\n";
    run(Place::here().cgroup(job).command("/usr/bin/python3").args(["-c", script]))?.success()
}

#[test]
fn a_folder_that_somebody_else_could_have_filled_is_not_used() -> Result<()> {
    let job = Cgroup::new("job")?;
    let mut sluice = Sluice::prepare(&setup(&job))?;
    let folder = sluice.pin_dir().to_owned();
    DirBuilder::new().mode(0o700).create(&folder)?;
    chown(&folder, Some(65534), None)?;
    let log = refuses(&mut sluice)?;
    ensure!(log.contains("belongs to uid 65534 with mode 700"), "{log}");
    ensure!(fs::metadata(&folder)?.uid() == 65534 && fs::read_dir(&folder)?.next().is_none(), "nothing was put there");
    let refused = sluice.cli(&["detach"])?.failure()?;
    ensure!(refused.contains("belongs to uid 65534"), "{refused}");
    fs::remove_dir(&folder)?;
    // Root's, but open to others.
    DirBuilder::new().mode(0o755).create(&folder)?;
    let log = refuses(&mut sluice)?;
    ensure!(log.contains("belongs to uid 0 with mode 755"), "{log}");
    fs::remove_dir(&folder)?;
    sluice.run()
}

#[test]
fn a_map_of_another_shape_is_not_used_and_the_guard_stays() -> Result<()> {
    let job = Cgroup::new("job")?;
    let mut sluice = Sluice::start(&setup(&job), None)?;
    ensure!(connects(&job)?.contains("connected"), "to the gateway");
    ensure!(sluice.terminate()?.success());
    let pin = layout(sluice.pin_dir())?.join("maps/ALLOW_UDP");
    fs::remove_file(&pin)?;
    let mut other = Command::new("bpftool");
    other.args(["map", "create"]).arg(&pin);
    run(other.args(["type", "hash", "key", "4", "value", "4", "entries", "8", "name", "other"]))?.success()?;
    let log = refuses(&mut sluice)?;
    ensure!(
        log.contains("ALLOW_UDP is Hash of 4 to 4 bytes, 8 entries, and this version's is Hash of 20 to 4"),
        "{log}"
    );
    ensure!(log.contains("sluice detach, then start again"), "{log}");
    ensure!(connects(&job)?.contains("refused"), "the earlier daemon's programs still guard");
    sluice.detach()?;
    sluice.run()?;
    ensure!(connects(&job)?.contains("connected"));
    Ok(())
}

#[test]
fn what_another_layout_has_left_is_detached_once_this_ones_programs_are_attached() -> Result<()> {
    let job = Cgroup::new("job")?;
    let mut sluice = Sluice::start(&setup(&job), None)?;
    ensure!(sluice.terminate()?.success());
    let own = layout(sluice.pin_dir())?;
    let other = own.with_file_name("v999");
    fs::rename(&own, &other)?;
    let links: Vec<String> = fs::read_dir(other.join("links"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    ensure!(links.iter().any(|name| name == "connect4") && links.iter().any(|name| name == "cgroup_mkdir"));
    let attached = |name: &str| -> Result<usize> {
        let mut shown = Command::new("bpftool");
        let shown = run(shown.args(["cgroup", "show"]).arg(harness::cgroup_root()?))?.success()?;
        Ok(shown.lines().filter(|line| line.split_whitespace().any(|word| word == name)).count())
    };
    let before = attached("connect4")?;
    sluice.run()?;
    assert_eq!(attached("connect4")?, before, "one took the other's place");
    let log = sluice.log();
    for name in links {
        ensure!(log.contains(&format!("removed program {name} of another version")), "{name}: {log}");
    }
    ensure!(log.contains("removed map ORIGINS of another version"), "{log}");
    assert_eq!(layout(sluice.pin_dir())?.file_name(), own.file_name().map(OsStr::new));
    ensure!(connects(&job)?.contains("connected"));
    Ok(())
}
