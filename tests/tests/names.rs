//! Resources by name: whatever DNS says, or does not, no connection to one goes past the gateway.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::{Auth, Cgroup, Dns, Netns, Place, Postgres, PostgresOptions, Setup, Sluice, eventually, run};

const POLICY: &str = r#"
@id("baseline")
permit (principal in Group::"ci", action in [Action::"connect", Action::"sql.session", Action::"sql.query"], resource);
"#;

/// How long the daemon may take until it has asked again.
const STEP: Duration = Duration::from_secs(40);

struct Fixture {
    sluice: Sluice,
    server: Postgres,
    dns: Dns,
    job: Cgroup,
    netns: Netns,
}

impl Fixture {
    /// Resources by name, on one server, where only listed destinations are captured.
    fn new(role: &str, names: &[(&str, &str)], capture: &str, told: impl FnOnce(&Dns, IpAddr)) -> Result<Self> {
        let netns = Netns::new(role)?;
        let server = Postgres::start(&netns, &PostgresOptions { auth: Auth::Scram, tls: true, settings: Vec::new() })?;
        let (dns, job) = (Dns::start()?, Cgroup::new(role)?);
        told(&dns, server.v4().into());
        let resources = names.iter().map(|(name, host)| {
            let resource = Setup::resource(name, &server, host);
            let verified = format!("{{ mode = \"verify-full\", ca = \"{}\" }}", server.ca_file().display());
            resource.replace(&verified, "{ mode = \"require\" }")
        });
        let setup = Setup {
            intercept: format!("capture = \"{capture}\""),
            body: format!("{}\n{}", Setup::workload("job", job.name()), resources.collect::<String>()),
            policies: vec![("policy.cedar".to_owned(), POLICY.to_owned())],
            ..Setup::default()
        };
        let mut sluice = Sluice::prepare(&setup)?;
        sluice.env("UPSTREAM_PASSWORD", server.password());
        sluice.place(Place::here().resolv_conf(dns.resolv_conf()));
        sluice.run()?;
        Ok(Self { sluice, server, dns, job, netns })
    }

    /// What psql says of `current_user` at an address, whichever way it ends.
    fn at(&self, host: IpAddr) -> Result<String> {
        let mut psql = self.server.psql(&Place::here().cgroup(&self.job));
        let said = run(psql.env("PGHOST", host.to_string()).env("PGUSER", "x").args(["-c", "select current_user"]))?;
        Ok(format!("{}{}", said.stdout, said.stderr))
    }

    fn upstream(&self, resource: &str) -> Result<Vec<String>> {
        let status = self.sluice.json(&["status", "--json"])?;
        let resources = status.get("resources").and_then(|list| list.as_array()).cloned().unwrap_or_default();
        let found = resources.iter().find(|entry| entry.get("name").is_some_and(|name| name == resource));
        let found = found.context("no such resource")?;
        let addresses = found.get("upstream").and_then(|list| list.as_array()).cloned().unwrap_or_default();
        Ok(addresses.iter().filter_map(|address| Some(address.as_str()?.to_owned())).collect())
    }

    fn eventually_at(&self, resource: &str, address: IpAddr) -> bool {
        let expected = [format!("{address}:{}", self.server.port())];
        eventually(STEP, || self.upstream(resource).is_ok_and(|upstream| upstream == expected))
    }

    fn status(&self) -> Result<String> {
        run(self.sluice.command()?.arg("status"))?.success()
    }
}

#[test]
fn a_start_without_dns_refuses_and_every_address_there_was_stays_the_resource_s() -> Result<()> {
    let mut fixture = Fixture::new("nodns", &[("orders", "db.test")], "listed", |_, _| {})?;
    let v4: IpAddr = fixture.server.v4().into();
    let role = fixture.server.role().to_owned();
    let unknown = "may be resource orders, whose name does not resolve";
    let said = fixture.at(v4)?;
    assert!(said.contains(unknown), "{said}");
    let status = fixture.status()?;
    assert!(status.contains("UNRESOLVED     db.test:5432") && status.contains("UNKNOWN"), "{status}");

    fixture.dns.set("db.test", &[v4]);
    assert!(fixture.eventually_at("orders", v4), "{}", fixture.status()?);
    assert!(fixture.at(v4)?.contains(&role));
    assert!(!fixture.status()?.contains("UNRESOLVED"));

    // A fail-over: the server has another address, and the workload still holds the first.
    let moved: IpAddr = "198.51.100.77".parse()?;
    let name = fixture.netns.name();
    run(std::process::Command::new("ip").args(["-n", name, "addr", "add", "198.51.100.77/32", "dev", "lo"]))?
        .success()?;
    run(std::process::Command::new("ip").args(["route", "add", "198.51.100.77", "via", &v4.to_string()]))?.success()?;
    fixture.dns.set("db.test", &[moved]);
    assert!(fixture.eventually_at("orders", moved), "{}", fixture.status()?);
    for address in [v4, moved] {
        let said = fixture.at(address)?;
        assert!(said.contains(&role), "{address}: {said}");
    }

    // A restart while DNS is down takes nothing away that an earlier daemon covered.
    fixture.dns.fail();
    fixture.sluice.terminate()?;
    fixture.sluice.run()?;
    for address in [v4, moved] {
        let said = fixture.at(address)?;
        assert!(said.contains(unknown), "{address}: {said}");
    }
    Ok(())
}

#[test]
fn an_address_of_two_resources_is_neither_s_and_nothing_passes() -> Result<()> {
    for capture in ["listed", "all"] {
        let fixture = Fixture::new("contested", &[("one", "one.test"), ("two", "two.test")], capture, |dns, v4| {
            dns.set("one.test", &[v4]);
            dns.set("two.test", &[v4]);
        })?;
        let said = fixture.at(fixture.server.v4().into())?;
        assert!(said.contains("is an address of resources one and two"), "{capture}: {said}");
        let status = fixture.status()?;
        assert!(status.contains("CONTESTED") && !status.contains("UNRESOLVED"), "{capture}: {status}");
        assert!(!fixture.server.log().contains("x@"), "nothing reached the server");
    }
    Ok(())
}
