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

/// What a session would be told of the same files.
#[test]
fn explain_says_what_run_would_do() -> Result<()> {
    let body = |more: &str| {
        format!(
            "[workloads.one]\nmatch = {{ cgroup = \"/one\" }}\n{more}\n[resources.orders]\nprotocol = \"postgres\"\n\
             address = \"192.0.2.1:5432\"\n[resources.orders.sensitive]\n\"public.users.ssn\" = [\"pii\"]\n"
        )
    };
    let baseline = "@id(\"base\") permit (principal, action in [Action::\"sql.session\", Action::\"sql.query\"], resource);\n\
         @id(\"pii\") @mask(\"partial\") permit (principal, action == Action::\"sql.read\", resource in Tag::\"pii\");\n";
    let near = "@id(\"near\") permit (principal, action == Action::\"connect\", resource) \
         when { context.address.isInRange(ip(\"192.0.2.0/24\")) && context.port == 5432 };\n";
    let setup = |more: &str, policy: &str| Setup {
        body: body(more),
        policies: vec![("a.cedar".to_owned(), policy.to_owned())],
        ..Setup::default()
    };
    let sluice = Sluice::prepare(&setup("", baseline))?;
    let explain = |command: &str| -> Result<serde_json::Value> {
        sluice.json(&["explain", "--json", "--workload", "one", "--resource", "orders", command])
    };
    let verdict =
        |command: &str| -> Result<String> { Ok(explain(command)?["verdict"].as_str().unwrap_or("").to_owned()) };
    // Who may not connect, has nothing forwarded.
    let refused = explain("select 1")?;
    ensure!(refused["verdict"] == "block" && refused["effects"][0]["action"] == "connect", "{refused}");
    sluice.configure(&setup("", &format!("{baseline}{near}")))?;
    for (command, expected) in [
        ("select 1", "forward"),
        ("select ssn from public.users", "forward"),
        ("drop table public.users", "block"),
        // Nobody could tell a mask from NULL in what it streams.
        ("copy public.users (ssn) to stdout", "forward"),
        ("copy public.users (ssn) to stdout (null '123-45-6789')", "block"),
    ] {
        ensure!(verdict(command)? == expected, "{command}: {}", explain(command)?);
    }
    // What is only observed, is recorded as that.
    sluice.configure(&setup("mode = \"observe\"", baseline))?;
    ensure!(verdict("drop table public.users")? == "observe", "{}", explain("drop table public.users")?);
    // What run does not take, nobody explains.
    let both = "[workloads.two]\nmatch = { cgroup = \"/o*\" }\n";
    sluice.configure(&setup(both, &format!("{baseline}{near}")))?;
    let explain = ["explain", "--workload", "one", "--resource", "orders", "select 1"];
    for command in [&["check"][..], &explain, &["run"]] {
        let said = sluice.cli(command)?;
        ensure!(said.status.code() == Some(1) && said.stdout.is_empty(), "{command:?}: {said:?}");
        ensure!(said.stderr.contains("two"), "{command:?}: {said:?}");
    }
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
