//! What the command line says of what is wrong, and how it exits: 2 for usage, 1 for the rest.

use std::fs;

use anyhow::{Result, ensure};
use harness::{Setup, Sluice};

const BROKEN: &str = r#"
[workloads.one]
match = { cgroup = "relative/path" }
colour = "red"

[workloads.two]
match = { user = "nobody-has-this-name" }
mode = "sometimes"

[resources.orders]
protocol = "postgres"
address = "no port"
tls = { mode = "maybe" }
"#;

#[test]
fn every_error_is_told_at_once_with_its_place_and_what_to_do() -> Result<()> {
    let setup = Setup {
        body: BROKEN.to_owned(),
        policies: vec![("rules.cedar".to_owned(), "@id(\"x\") permit (principal, action, resource;".to_owned())],
        ..Setup::default()
    };
    let sluice = Sluice::prepare(&setup)?;
    let text = fs::read_to_string(sluice.config())?;
    let line = |word: &str| text.lines().position(|line| line.contains(word)).map_or(0, |at| at + 1);
    for command in ["check", "run"] {
        let said = sluice.cli(&[command])?;
        ensure!(said.status.code() == Some(1), "{command}: {said:?}");
        for word in ["relative/path", "colour", "nobody-has-this-name", "sometimes", "no port", "maybe"] {
            let place = format!("{}:{}:", sluice.config().display(), line(word));
            ensure!(said.stderr.contains(&place), "{command} says nothing of {word} at {place}\n{}", said.stderr);
        }
        ensure!(said.stderr.lines().filter(|line| line.starts_with("    ")).count() >= 6, "{}", said.stderr);
    }
    let problems = sluice.cli(&["check", "--json"])?;
    let problems: serde_json::Value = serde_json::from_str(&problems.stdout)?;
    ensure!(problems.as_array().is_some_and(|all| all.len() >= 6), "{problems}");

    // Policies are looked at when the configuration that they name is whole.
    let setup = Setup {
        body: "[workloads.one]\nmatch = { cgroup = \"/one\" }\n".to_owned(),
        policies: vec![
            ("a.cedar".to_owned(), "@id(\"x\")\npermit (principal, action, resource;".to_owned()),
            ("b.cedar".to_owned(), "@id(\"y\") @colour(\"red\")\npermit (principal, action, resource);".to_owned()),
        ],
        ..Setup::default()
    };
    sluice.configure(&setup)?;
    let said = sluice.cli(&["check"])?;
    ensure!(said.status.code() == Some(1) && said.stderr.contains("a.cedar:2"), "{said:?}");
    ensure!(said.stderr.contains("b.cedar:") && said.stderr.contains("colour"), "{said:?}");
    Ok(())
}

#[test]
fn usage_exits_with_2_and_what_cannot_be_done_with_1() -> Result<()> {
    let setup = Setup {
        body: "[workloads.one]\nmatch = { cgroup = \"/one\" }\n".to_owned(),
        policies: vec![("a.cedar".to_owned(), "@id(\"x\") permit (principal, action, resource);".to_owned())],
        ..Setup::default()
    };
    let sluice = Sluice::prepare(&setup)?;
    for usage in [
        &["nonsense"][..],
        &["status", "--wait", "soon"],
        &["sessions", "--since", "whenever"],
        &["verify", "--anchor", "x"],
        &["explain"],
        &["replay"],
    ] {
        let said = sluice.cli(usage)?;
        ensure!(said.status.code() == Some(2) && !said.stderr.is_empty(), "{usage:?}: {said:?}");
    }
    for failure in [
        &["status"][..],
        &["replay", "19990101T000000Z-0000000000000000"],
        &["verify", "/nowhere"],
        &["explain", "--workload", "nobody", "--resource", "nothing", "select 1"],
    ] {
        let said = sluice.cli(failure)?;
        ensure!(said.status.code() == Some(1) && !said.stderr.is_empty(), "{failure:?}: {said:?}");
    }
    ensure!(sluice.cli(&["check"])?.status.code() == Some(0));
    ensure!(sluice.cli(&["--version"])?.status.code() == Some(0));
    Ok(())
}
