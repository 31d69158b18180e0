//! The PostgreSQL start-up, both sides: real servers and clients around the gateway's own `serve`, without the kernel's
//! part. What the wire says is checked byte by byte where a client could not show it.

#[path = "postgres_startup/door.rs"]
#[expect(dead_code, reason = "other suites use the rest of it")]
mod door;
#[path = "postgres_startup/raw.rs"]
mod raw;

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use door::{Door, Options};
use harness::{Auth, Netns, Place, Postgres, PostgresOptions, Process, eventually, run};
use nix::sys::signal::Signal;
use raw::{Raw, startup};

fn server(netns: &Netns, auth: Auth, tls: bool) -> Result<Postgres> {
    Postgres::start(netns, &PostgresOptions { auth, tls, settings: Vec::new() })
}

/// psql to the gateway, as whoever the workload believes to be.
fn psql(door: &Door, sslmode: &str, sql: &str) -> Command {
    let mut psql = Place::here().command("psql");
    psql.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", door.port().to_string())
        .env("PGUSER", "somebody")
        .env("PGDATABASE", "appdb")
        .env("PGSSLMODE", sslmode)
        .env("PGSSLROOTCERT", door.ca_file())
        .env("PGCONNECT_TIMEOUT", "20")
        .env_remove("PGPASSWORD");
    psql
}

#[test]
fn a_workload_without_a_credential_is_logged_in_whatever_the_server_asks_for() -> Result<()> {
    let netns = Netns::new("auth")?;
    for auth in [Auth::Scram, Auth::Md5, Auth::Cleartext, Auth::Trust] {
        let server = server(&netns, auth, true)?;
        let door = Door::open(&server, &Options::default())?;
        for sslmode in ["disable", "prefer", "require", "verify-full"] {
            let said = run(&mut psql(&door, sslmode, "select current_user, current_database()"))?.success()?;
            assert_eq!(said.trim(), format!("{}|appdb", server.role()), "{auth:?} {sslmode}");
        }
    }
    Ok(())
}

#[test]
fn a_bare_password_never_crosses_an_unverified_channel_unasked() -> Result<()> {
    let netns = Netns::new("bare")?;
    for auth in [Auth::Md5, Auth::Cleartext] {
        let server = server(&netns, auth, true)?;
        for mode in ["require", "prefer", "disable"] {
            let options = Options { tls: format!("{{ mode = \"{mode}\" }}"), ..Options::default() };
            let said = run(&mut psql(&Door::open(&server, &options)?, "disable", "select 1"))?.failure()?;
            assert!(said.contains("over a channel that is not verified"), "{auth:?} {mode}: {said}");
            let options = Options { more_credentials: ", allow_cleartext = true".into(), ..options };
            run(&mut psql(&Door::open(&server, &options)?, "disable", "select 1"))?.success()?;
        }
    }
    // SCRAM gives nothing away.
    let server = server(&netns, Auth::Scram, false)?;
    for mode in ["prefer", "disable"] {
        let options = Options { tls: format!("{{ mode = \"{mode}\" }}"), ..Options::default() };
        run(&mut psql(&Door::open(&server, &options)?, "disable", "select 1"))?.success()?;
    }
    let options = Options { tls: "{ mode = \"require\" }".into(), ..Options::default() };
    let said = run(&mut psql(&Door::open(&server, &options)?, "disable", "select 1"))?.failure()?;
    assert!(said.contains("the server has no TLS"), "{said}");
    Ok(())
}

#[test]
fn a_server_that_is_not_the_resources_gets_nothing() -> Result<()> {
    let netns = Netns::new("verify")?;
    let server = server(&netns, Auth::Cleartext, true)?;
    let folder = tempfile::tempdir()?;
    let other = harness::Authority::new("another")?.write(folder.path())?;
    let tls = format!("{{ mode = \"verify-full\", ca = \"{}\" }}", other.display());
    let door = Door::open(&server, &Options { tls, ..Options::default() })?;
    let said = run(&mut psql(&door, "disable", "select 1"))?.failure()?;
    assert!(said.contains("TLS failed"), "{said}");
    assert!(!server.log().contains("somebody") && !server.log().contains(server.role()), "{}", server.log());
    Ok(())
}

#[test]
fn a_refused_credential_is_the_gateways_business() -> Result<()> {
    let netns = Netns::new("refused")?;
    let server = server(&netns, Auth::Scram, true)?;
    let door = Door::open(&server, &Options::default())?;
    server.admin(&format!("alter role {} password 'changed'", server.role()))?;
    let said = run(&mut psql(&door, "disable", "select 1"))?.failure()?;
    assert!(said.contains("does not accept the gateway's credentials"), "{said}");
    assert!(!said.contains(server.role()) && !said.contains(server.password()), "{said}");
    // The file is read for every login: the new password holds at once, the old one's keys do not.
    door.set_password("changed")?;
    run(&mut psql(&door, "disable", "select 1"))?.success()?;
    let said = run(psql(&door, "disable", "select 1").env("PGDATABASE", "nowhere"))?.failure()?;
    assert!(said.contains("database \"nowhere\" does not exist"), "{said}");
    Ok(())
}

#[test]
fn without_credentials_the_workloads_own_login_is_relayed() -> Result<()> {
    let netns = Netns::new("relayed")?;
    let own = Options { credentials: false, ..Options::default() };
    for auth in [Auth::Scram, Auth::Md5, Auth::Cleartext, Auth::Trust] {
        let server = server(&netns, auth, true)?;
        let door = Door::open(&server, &own)?;
        let log_in = |sslmode: &str, password: &str| {
            let mut psql = psql(&door, sslmode, "select current_user");
            run(psql.env("PGUSER", server.role()).env("PGPASSWORD", password))
        };
        for sslmode in ["disable", "prefer"] {
            assert_eq!(log_in(sslmode, server.password())?.success()?.trim(), server.role(), "{auth:?} {sslmode}");
        }
        if auth != Auth::Trust {
            let said = log_in("disable", "wrong")?.failure()?;
            assert!(said.contains(&format!("password authentication failed for user \"{}\"", server.role())), "{said}");
        }
        if auth == Auth::Scram {
            let said = log_in("require", server.password())?.failure()?;
            assert!(said.contains("channel_binding=disable"), "{said}");
            let mut unbound = psql(&door, "require", "select 1");
            unbound
                .env("PGUSER", server.role())
                .env("PGPASSWORD", server.password())
                .env("PGCHANNELBINDING", "disable");
            run(&mut unbound)?.success()?;
        }
    }
    Ok(())
}

#[test]
fn a_workload_that_insists_on_scram_gets_it() -> Result<()> {
    let netns = Netns::new("clientpw")?;
    let server = server(&netns, Auth::Scram, true)?;
    let options = Options { client_password: Some("workload".into()), ..Options::default() };
    let door = Door::open(&server, &options)?;
    for (sslmode, binding) in [("disable", "disable"), ("require", "prefer"), ("require", "require")] {
        let log_in = |password: &str| {
            let mut psql = psql(&door, sslmode, "select current_user");
            run(psql.env("PGCHANNELBINDING", binding).env("PGPASSWORD", password))
        };
        assert_eq!(log_in("workload")?.success()?.trim(), server.role(), "{sslmode} {binding}");
        let said = log_in(server.password())?.failure()?;
        assert!(said.contains("password authentication failed for user \"somebody\""), "{said}");
    }
    Ok(())
}

#[test]
fn a_cancel_reaches_the_server_with_the_gateways_key_and_no_other() -> Result<()> {
    let netns = Netns::new("cancel")?;
    let server = server(&netns, Auth::Scram, true)?;
    let door = Door::open(&server, &Options::default())?;
    let sleeping = || {
        let found = server.admin("select pid from pg_stat_activity where query like 'select pg_sleep%'");
        found.ok().and_then(|pid| pid.trim().parse::<u32>().ok())
    };
    for sslmode in ["disable", "require"] {
        let log = tempfile::NamedTempFile::new()?;
        let mut client = Process::start(&mut psql(&door, sslmode, "select pg_sleep(600)"), log.path())?;
        assert!(
            eventually(Duration::from_secs(20), || sleeping().is_some()),
            "{}",
            std::fs::read_to_string(log.path())?
        );
        // The number of the process is right, the secret is not: nothing is said, nothing is cancelled.
        let pid = sleeping().unwrap();
        let mut guess = Raw::connect(door.port())?;
        let mut packet = b"\0\0\0\x10\x04\xd2\x16\x2e".to_vec();
        packet.extend(pid.to_be_bytes());
        packet.extend(7u32.to_be_bytes());
        guess.write_all(&packet)?;
        assert_eq!(guess.rest()?, b"");
        assert!(sleeping().is_some());
        client.signal(Signal::SIGINT)?;
        assert!(eventually(Duration::from_secs(20), || !client.alive()));
        let said = std::fs::read_to_string(log.path())?;
        assert!(said.contains("canceling statement due to user request"), "{said}");
    }
    Ok(())
}

#[test]
fn encryption_requests_come_in_any_order_and_nothing_is_smuggled_before_tls() -> Result<()> {
    let netns = Netns::new("order")?;
    let server = server(&netns, Auth::Scram, true)?;
    let door = Door::open(&server, &Options::default())?;
    const SSL: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
    const GSS: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x30";

    let mut client = Raw::connect(door.port())?;
    for _ in 0..2 {
        client.write_all(GSS)?;
        assert_eq!(client.exactly(1)?, b"N");
    }
    client.write_all(&startup(0x0003_0000, &[("user", "x"), ("database", "appdb")]))?;
    assert!(client.until_ready()?.ready);

    for first in [GSS, b""] {
        let mut client = Raw::connect(door.port())?;
        if !first.is_empty() {
            client.write_all(first)?;
            assert_eq!(client.exactly(1)?, b"N");
        }
        client.write_all(SSL)?;
        assert_eq!(client.exactly(1)?, b"S");
        let mut client = client.tls(&door.ca_file(), false)?;
        client.write_all(&startup(0x0003_0000, &[("user", "x"), ("database", "appdb")]))?;
        assert!(client.until_ready()?.ready);
    }

    for stuffed in [SSL, GSS] {
        let mut client = Raw::connect(door.port())?;
        let mut bytes = stuffed.to_vec();
        bytes.extend(startup(0x0003_0000, &[("user", "x")]));
        client.write_all(&bytes)?;
        let said = client.until_ready()?;
        assert!(said.error.contains("received unencrypted data"), "{}", said.error);
    }

    let mut direct = Raw::connect(door.port())?.tls(&door.ca_file(), true)?;
    direct.write_all(&startup(0x0003_0000, &[("user", "x"), ("database", "appdb")]))?;
    assert!(direct.until_ready()?.ready);
    let mut strange = Raw::connect(door.port())?.tls(&door.ca_file(), false)?;
    strange.write_all(&startup(0x0003_0000, &[("user", "x")]))?;
    let said = strange.until_ready()?;
    assert!(said.error.contains("ALPN"), "{}", said.error);

    let mut again = Raw::connect(door.port())?.tls(&door.ca_file(), true)?;
    again.write_all(SSL)?;
    assert!(again.until_ready()?.error.contains("within TLS"));
    Ok(())
}

#[test]
fn versions_and_keys_are_negotiated_as_the_protocol_says() -> Result<()> {
    let netns = Netns::new("version")?;
    let server = server(&netns, Auth::Scram, true)?;
    let door = Door::open(&server, &Options::default())?;
    let ask = |version: u32, parameters: &[(&str, &str)]| {
        let mut client = Raw::connect(door.port())?;
        client.write_all(&startup(version, parameters))?;
        client.until_ready()
    };
    let user = [("user", "x"), ("database", "appdb")];
    let old = ask(0x0003_0000, &user)?;
    assert!(old.ready && old.negotiated.is_none());
    assert_eq!(old.key.len(), 4 + 4);
    let new = ask(0x0003_0002, &user)?;
    assert!(new.ready && new.negotiated.is_none());
    assert_eq!(new.key.len(), 4 + 32);
    let newer = ask(0x0003_270f, &[("user", "x"), ("database", "appdb"), ("_pq_.later", "1")])?;
    assert!(newer.ready);
    assert_eq!(newer.negotiated.as_deref(), Some(&b"\0\x03\0\x02\0\0\0\x01_pq_.later\0"[..]));
    assert!(ask(0x0002_0000, &user)?.error.contains("unsupported frontend protocol 2.0"));
    Ok(())
}

#[test]
fn the_client_sees_the_real_servers_parameters() -> Result<()> {
    let netns = Netns::new("params")?;
    let server = server(&netns, Auth::Trust, true)?;
    let door = Door::open(&server, &Options::default())?;
    let asked = [("user", server.role()), ("database", "appdb"), ("application_name", "it"), ("DateStyle", "German")];
    let seen = |mut client: Raw| {
        client.write_all(&startup(0x0003_0000, &asked))?;
        client.until_ready()
    };
    let direct = seen(Raw::connect_to((server.v4(), server.port()))?)?;
    let through = seen(Raw::connect(door.port())?)?;
    assert!(direct.ready && through.ready);
    assert_eq!(direct.parameters, through.parameters);
    assert_ne!(direct.key, through.key);
    Ok(())
}

#[test]
fn nothing_in_a_startup_message_changes_how_statements_are_read() -> Result<()> {
    let netns = Netns::new("lexer")?;
    let server = server(&netns, Auth::Scram, true)?;
    let door = Door::open(&server, &Options::default())?;
    for options in ["-c standard_conforming_strings=off", "--client-encoding=SJIS", "-c backslash_quote=on"] {
        let said = run(psql(&door, "disable", "select 1").env("PGOPTIONS", options))?.failure()?;
        assert!(said.contains("through the gateway"), "{options}: {said}");
    }
    // What the role or the database says is overridden, or refused where it cannot be.
    let role = server.role();
    server.admin(&format!("alter role {role} set standard_conforming_strings = off"))?;
    let pinned = "show standard_conforming_strings";
    assert_eq!(run(&mut psql(&door, "disable", pinned))?.success()?.trim(), "on");
    let reset = "reset all; discard all; show standard_conforming_strings";
    let mut after_reset = psql(&door, "disable", "reset all");
    after_reset.args(["-c", "discard all", "-c", pinned]);
    assert!(run(&mut after_reset)?.success()?.trim().ends_with("on"), "{reset}");
    server.admin(&format!("alter role {role} set client_encoding = 'SJIS'"))?;
    let said = run(&mut psql(&door, "disable", "select 1"))?.failure()?;
    assert!(said.contains("client_encoding"), "{said}");
    run(psql(&door, "disable", "select 1").env("PGCLIENTENCODING", "UTF8"))?.success()?;
    Ok(())
}

#[test]
fn lengths_that_lie_and_clients_that_leave_cost_one_connection() -> Result<()> {
    let netns = Netns::new("lies")?;
    let server = server(&netns, Auth::Scram, true)?;
    let door = Door::open(&server, &Options::default())?;
    for bytes in [&b"\0\0\0\x04"[..], b"\0\0\x27\x11\0\x03\0\0", b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff\xff\xff"] {
        let mut client = Raw::connect(door.port())?;
        client.write_all(bytes)?;
        let said = client.until_ready()?;
        assert!(said.error.contains("invalid length of startup packet"), "{bytes:?}: {}", said.error);
    }
    for bytes in [&b""[..], b"\0", b"\0\0\0\x20\0\x03\0\0user", b"\x16\x03\x01"] {
        let mut client = Raw::connect(door.port())?;
        client.write_all(bytes)?;
        drop(client);
    }
    run(&mut psql(&door, "disable", "select 1"))?.success()?;
    Ok(())
}

#[test]
fn a_start_up_that_stalls_is_ended() -> Result<()> {
    let netns = Netns::new("stall")?;
    let server = server(&netns, Auth::Scram, true)?;
    let door = Door::open(&server, &Options::default())?;
    let mut stalled = Vec::new();
    for bytes in [&b""[..], b"\0\0\0", b"\0\0\0\x08\x04\xd2\x16\x2f", b"\x16\x03\x01\x02\0"] {
        let mut client = Raw::connect(door.port())?;
        client.write_all(bytes)?;
        stalled.push(client);
    }
    for mut client in stalled {
        // Within the time that a read may take, which is three times the limit.
        let last = client.rest()?;
        assert!(last.is_empty() || last == b"S", "{last:?}");
    }
    Ok(())
}

#[test]
fn the_operators_own_certificate_is_shown_instead() -> Result<()> {
    let netns = Netns::new("present")?;
    let server = server(&netns, Auth::Scram, true)?;
    let folder = tempfile::tempdir()?;
    let authority = harness::Authority::new("operator")?;
    let ca = authority.write(folder.path())?;
    let own = authority.sign(&["127.0.0.1".to_owned()])?;
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, own.cert)?;
    std::fs::write(&key, own.key)?;
    let present = format!("present = {{ cert = \"{}\", key = \"{}\" }}\n", cert.display(), key.display());
    let door = Door::open(&server, &Options { more: present, ..Options::default() })?;
    run(psql(&door, "verify-full", "select 1").env("PGSSLROOTCERT", &ca))?.success()?;
    run(&mut psql(&door, "verify-full", "select 1"))?.failure()?;
    Ok(())
}

#[test]
fn the_minted_certificate_holds_for_every_name_of_the_resource() -> Result<()> {
    let netns = Netns::new("names")?;
    let server = server(&netns, Auth::Scram, true)?;
    let door = Door::open(&server, &Options::default())?;
    let address = server.v4().to_string();
    for host in ["localhost", "orders", &address] {
        let mut psql = psql(&door, "verify-full", "select 1");
        psql.env("PGHOST", host).env("PGHOSTADDR", "127.0.0.1");
        run(&mut psql)?.success()?;
    }
    Ok(())
}

#[test]
fn policy_decides_before_the_server_hears_of_it() -> Result<()> {
    let netns = Netns::new("policy")?;
    let server = server(&netns, Auth::Scram, true)?;
    let refused =
        Options { policy: "@id(\"none\") forbid (principal, action, resource);\n".into(), ..Options::default() };
    let said = run(&mut psql(&Door::open(&server, &refused)?, "disable", "select 1"))?.failure()?;
    assert!(said.contains("none"), "{said}");
    assert!(!server.log().contains("somebody"), "{}", server.log());

    let plain = Options {
        policy:
            "@id(\"plain\") permit (principal, action in [Action::\"connect\", Action::\"sql.query\"], resource);\n"
                .into(),
        ..Options::default()
    };
    let door = Door::open(&server, &plain)?;
    run(&mut psql(&door, "disable", "select 1"))?.success()?;
    for (options, action) in [("-c role=postgres", "sql.privilege"), ("-c search_path=other", "sql.session")] {
        let said = run(psql(&door, "disable", "select 1").env("PGOPTIONS", options))?.failure()?;
        assert!(said.contains(action), "{options}: {said}");
    }
    let mut walsender = Raw::connect(door.port())?;
    walsender.write_all(&startup(0x0003_0000, &[("user", "x"), ("database", "appdb"), ("replication", "database")]))?;
    let said = walsender.until_ready()?;
    assert!(said.error.contains("sql.replication"), "{}", said.error);
    Ok(())
}

#[test]
fn a_password_that_nobody_asked_for_ends_the_session_as_on_the_server_and_is_not_stored() -> Result<()> {
    let netns = Netns::new("unasked")?;
    let server = server(&netns, Auth::Trust, true)?;
    let door = Door::open(&server, &Options::default())?;
    let unasked = |mut client: Raw, at_once: bool| {
        let password = b"p\0\0\0\x0chunter2\0";
        let mut packet = startup(0x0003_0000, &[("user", server.role()), ("database", "appdb")]);
        if at_once {
            packet.extend(password);
        }
        client.write_all(&packet)?;
        let said = client.until_ready()?;
        assert!(said.ready, "{}", said.error);
        if !at_once {
            client.write_all(password)?;
        }
        Ok::<_, anyhow::Error>(String::from_utf8_lossy(&client.rest()?).into_owned())
    };
    for at_once in [false, true] {
        let direct = unasked(Raw::connect_to((server.v4(), server.port()))?, at_once)?;
        let through = unasked(Raw::connect(door.port())?, at_once)?;
        assert!(direct.contains("FATAL") && direct.contains("08P01"), "{direct}");
        assert!(through.contains("FATAL") && through.contains("08P01"), "{through}");
    }
    assert!(!door.recorded()?.windows(7).any(|bytes| bytes == b"hunter2"));
    Ok(())
}

#[test]
fn no_recording_holds_a_credential() -> Result<()> {
    let netns = Netns::new("secret")?;
    let server = server(&netns, Auth::Cleartext, true)?;
    let injected = Options { client_password: Some("what-the-workload-knows".into()), ..Options::default() };
    let door = Door::open(&server, &injected)?;
    run(psql(&door, "disable", "select 1").env("PGPASSWORD", "what-the-workload-knows"))?.success()?;
    run(psql(&door, "disable", "select 1").env("PGPASSWORD", "what-it-guesses"))?.failure()?;
    let relayed = Door::open(&server, &Options { credentials: false, ..Options::default() })?;
    let mut own = psql(&relayed, "disable", "select 1");
    run(own.env("PGUSER", server.role()).env("PGPASSWORD", server.password()))?.success()?;
    for door in [&door, &relayed] {
        let recorded = door.recorded()?;
        assert!(!recorded.is_empty());
        for secret in [server.password(), "what-the-workload-knows", "what-it-guesses"] {
            assert!(!recorded.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret}");
        }
    }
    let recorded = String::from_utf8_lossy(&relayed.recorded()?).into_owned();
    assert!(recorded.contains("authenticates with its own credentials"), "{recorded:?}");
    Ok(())
}
