//! A guarded PostgreSQL behind the gateway's `serve`, psql and drivers against it, and the protocol by hand.
#![expect(dead_code, reason = "each suite uses a part of it")]

#[path = "../postgres_startup/door.rs"]
pub(crate) mod door;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use door::{Door, Options};
use harness::{Auth, Netns, Place, Postgres, PostgresOptions, run};

pub(crate) const POLICY: &str = r#"
@id("baseline")
permit (principal, action in [Action::"connect", Action::"sql.session", Action::"sql.query", Action::"sql.write",
                              Action::"sql.create"], resource);
@id("no-drop-in-prod") @reason("destructive DDL is blocked on production")
forbid (principal, action == Action::"sql.drop", resource in Tag::"prod");
@id("bounded-deletes") @reason("a delete names its rows")
forbid (principal, action == Action::"sql.delete", resource) when { !context.bounded };
@id("pii") @mask("partial")
permit (principal, action == Action::"sql.read", resource in Tag::"pii");
"#;

pub(crate) const SENSITIVE: &str =
    "tags = [\"prod\"]\n[resources.orders.sensitive]\n\"public.users.ssn\" = [\"pii\"]\n";

pub(crate) struct Fixture {
    pub(crate) door: Door,
    pub(crate) server: Postgres,
    _netns: Netns,
}

impl Fixture {
    pub(crate) fn new(role: &str, policy: &str, more: &str) -> Result<Self> {
        let netns = Netns::new(role)?;
        let server = Postgres::start(
            &netns,
            &PostgresOptions { auth: Auth::Scram, tls: true, settings: vec!["max_prepared_transactions = 4".into()] },
        )?;
        server.admin_in(
            server.database(),
            &format!(
                "create table users (id int primary key, name text, ssn text);
                 insert into users values (1, 'ann', '123-45-6789'), (2, 'bob', '987-65-4321'), (3, 'cy', null);
                 create view people as select id, ssn from users;
                 create table logs (line text); grant all on users, people, logs to {role};
                 grant create on schema public to {role}",
                role = server.role()
            ),
        )?;
        let options = Options { more: more.to_owned(), policy: policy.to_owned(), ..Options::default() };
        Ok(Self { door: Door::open(&server, &options)?, server, _netns: netns })
    }

    pub(crate) fn guarded(role: &str) -> Result<Self> {
        Self::new(role, POLICY, SENSITIVE)
    }

    pub(crate) fn open(role: &str) -> Result<Self> {
        Self::new(role, "@id(\"all\") permit (principal, action, resource);", "")
    }

    pub(crate) fn client(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Place::here().command(program.as_ref());
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.door.port().to_string())
            .env("PGUSER", "somebody")
            .env("PGDATABASE", self.server.database())
            .env("PGSSLMODE", "disable")
            .env("PGCONNECT_TIMEOUT", "20")
            .env_remove("PGPASSWORD");
        command
    }

    pub(crate) fn psql(&self, statements: &[&str]) -> Result<String> {
        let mut psql = self.client("psql");
        psql.args(["-X", "-A", "-t"]);
        for statement in statements {
            psql.args(["-c", statement]);
        }
        let finished = run(&mut psql)?;
        Ok(format!("{}{}", finished.stdout, finished.stderr))
    }

    pub(crate) fn python(&self, body: &str) -> Result<String> {
        let script = format!("import psycopg2\nc = psycopg2.connect('')\nc.autocommit = True\nq = c.cursor()\n{body}");
        run(self.client("/usr/bin/python3").args(["-c", &script]))?.success()
    }

    pub(crate) fn admin(&self, sql: &str) -> Result<String> {
        self.server.admin_in(self.server.database(), sql)
    }
}

/// The protocol by hand: what no client library sends.
pub(crate) struct Raw(pub(crate) std::net::TcpStream);

impl Raw {
    pub(crate) fn connect(fixture: &Fixture) -> Result<Self> {
        Self::with(fixture, &[])
    }

    /// With further parameters in the startup message.
    pub(crate) fn with(fixture: &Fixture, parameters: &[(&str, &str)]) -> Result<Self> {
        let stream = std::net::TcpStream::connect(("127.0.0.1", fixture.door.port()))?;
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
        let mut raw = Self(stream);
        let more: String = parameters.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
        let body = format!("\0\x03\0\0user\0x\0database\0{}\0{more}\0", fixture.server.database());
        raw.send(&[frame(b'_', body.as_bytes()).split_off(1)])?;
        raw.ready(1)?;
        Ok(raw)
    }

    /// All in one write.
    pub(crate) fn send(&mut self, frames: &[Vec<u8>]) -> Result<()> {
        use std::io::Write;
        Ok(self.0.write_all(&frames.concat())?)
    }

    /// Everything up to so many ReadyForQuery, lossily.
    pub(crate) fn ready(&mut self, mut count: usize) -> Result<String> {
        use std::io::Read;
        let mut seen = Vec::new();
        while count > 0 {
            let mut head = [0; 5];
            self.0.read_exact(&mut head).with_context(|| String::from_utf8_lossy(&seen).into_owned())?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
            let mut body = vec![0; usize::try_from(length)?.saturating_sub(4)];
            self.0.read_exact(&mut body)?;
            seen.push(head[0]);
            seen.extend_from_slice(&body);
            count -= usize::from(head[0] == b'Z');
        }
        Ok(String::from_utf8_lossy(&seen).into_owned())
    }
}

/// What comes back up to so many ReadyForQuery, or up to the end of the connection.
pub(crate) fn said(raw: &mut Raw, count: usize) -> String {
    raw.ready(count).unwrap_or_else(|error| format!("{error:#}"))
}

/// Sends statements, each of its own, and waits for their answers.
pub(crate) fn say(raw: &mut Raw, statements: &[&str]) -> Result<String> {
    raw.send(&statements.iter().map(|text| query(text)).collect::<Vec<_>>())?;
    raw.ready(statements.len())
}

pub(crate) fn said_of(raw: &mut Raw, statement: &str) -> String {
    say(raw, &[statement]).unwrap_or_else(|error| format!("{error:#}"))
}

pub(crate) fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![tag];
    frame.extend_from_slice(&u32::try_from(body.len() + 4).unwrap_or(0).to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

pub(crate) fn query(text: &str) -> Vec<u8> {
    frame(b'Q', format!("{text}\0").as_bytes())
}

pub(crate) fn parse(name: &str, text: &str) -> Vec<u8> {
    frame(b'P', format!("{name}\0{text}\0\0\0").as_bytes())
}

/// Bind and Execute of the unnamed portal.
pub(crate) fn run_statement(name: &str) -> Vec<u8> {
    let bind = frame(b'B', format!("\0{name}\0\0\0\0\0\0\0").as_bytes());
    [bind, frame(b'E', b"\0\0\0\0\0")].concat()
}

pub(crate) fn sync() -> Vec<u8> {
    frame(b'S', b"")
}
