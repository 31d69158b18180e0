//! The ways to the same server that are compared. All of them in plaintext, each as it is used: direct and through the
//! relay a client logs in by itself; pgbouncer and the gateway hold the credential.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use harness::{Cgroup, Place, Postgres, Process, Setup, Sluice, run};
use tempfile::TempDir;

use super::idle::{self, Silent};

/// A way to the server.
pub(super) trait Contestant {
    fn name(&self) -> &'static str;
    /// A libpq client that goes this way.
    fn client(&self, program: &str) -> Command;
}

impl<T: Contestant> Contestant for &T {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn client(&self, program: &str) -> Command {
        (**self).client(program)
    }
}

fn client(place: &Place, program: &str, host: &str, port: u16, server: &Access) -> Command {
    let program = match harness::postgres_bin() {
        Ok(folder) if program == "pgbench" => folder.join(program),
        _ => PathBuf::from(program),
    };
    let mut command = place.command(program);
    command.env("PGHOST", host).env("PGPORT", port.to_string()).env("PGDATABASE", &server.database);
    command.env("PGUSER", &server.role).env("PGSSLMODE", "disable").env("PGCONNECT_TIMEOUT", "20");
    if let Some(password) = &server.password {
        command.env("PGPASSWORD", password);
    }
    command
}

/// What a client needs to log in.
struct Access {
    host: String,
    port: u16,
    database: String,
    role: String,
    password: Option<String>,
}

impl Access {
    fn own(server: &Postgres) -> Self {
        Access {
            host: server.v4().to_string(),
            port: server.port(),
            database: server.database().to_owned(),
            role: server.role().to_owned(),
            password: Some(server.password().to_owned()),
        }
    }
}

/// Nothing between.
pub(super) struct Direct(Access);

impl Direct {
    pub(super) fn new(server: &Postgres) -> Self {
        Direct(Access::own(server))
    }
}

impl Contestant for Direct {
    fn name(&self) -> &'static str {
        "direct"
    }
    fn client(&self, program: &str) -> Command {
        client(&Place::here(), program, &self.0.host, self.0.port, &self.0)
    }
}

/// Behind the relay that only copies bytes.
pub(super) struct Behind(Access);

impl Behind {
    pub(super) fn new(server: &Postgres, port: u16) -> Self {
        Behind(Access { host: "127.0.0.1".to_owned(), port, ..Access::own(server) })
    }
}

impl Contestant for Behind {
    fn name(&self) -> &'static str {
        "relay"
    }
    fn client(&self, program: &str) -> Command {
        client(&Place::here(), program, &self.0.host, self.0.port, &self.0)
    }
}

/// pgbouncer with a server connection for each client's, as the gateway has.
pub(super) struct Pgbouncer {
    access: Access,
    _process: Process,
    _folder: TempDir,
}

impl Pgbouncer {
    pub(super) fn start(server: &Postgres) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("slt-bouncer-").tempdir_in("/tmp")?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("users"), format!("\"{}\" \"{}\"\n", server.role(), server.password()))?;
        fs::write(
            at("ini"),
            format!(
                "[databases]\n{db} = host={host} port={server_port} user={role} password={password}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {port}\nunix_socket_dir =\nauth_type = any\nauth_file = {users}\npool_mode = session\n\
                 default_pool_size = 100\nmax_client_conn = 1000\nserver_reset_query =\nlog_connections = 0\nlog_disconnections = 0\n",
                db = server.database(),
                host = server.v4(),
                server_port = server.port(),
                role = server.role(),
                password = server.password(),
                users = at("users").display(),
            ),
        )?;
        let owner = nix::unistd::User::from_name("postgres")?.context("no user postgres")?;
        for path in [folder.path().to_owned(), at("users"), at("ini")] {
            std::os::unix::fs::chown(&path, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))?;
        }
        let log = tempfile::NamedTempFile::new()?;
        let mut command = Place::here().user("postgres").command("/usr/sbin/pgbouncer");
        let mut process = Process::start(command.arg(at("ini")), log.path())?;
        let access = Access {
            host: "127.0.0.1".to_owned(),
            port,
            database: server.database().to_owned(),
            role: server.role().to_owned(),
            password: None,
        };
        process.ready("pgbouncer", Duration::from_secs(10), || {
            let mut psql = client(&Place::here(), "psql", &access.host, port, &access);
            run(psql.args(["-X", "-c", "select 1"])).is_ok_and(|said| said.status.success())
        })?;
        Ok(Pgbouncer { access, _process: process, _folder: folder })
    }
}

impl Contestant for Pgbouncer {
    fn name(&self) -> &'static str {
        "pgbouncer"
    }
    fn client(&self, program: &str) -> Command {
        client(&Place::here(), program, &self.access.host, self.access.port, &self.access)
    }
}

/// The gateway: the client is in a labelled cgroup and calls the server by its own address.
pub(super) struct Gateway {
    access: Access,
    pub(super) job: Cgroup,
    pub(super) sluice: Sluice,
}

/// As a team would have it: reads and writes granted, a mask and a rule that forbids.
const POLICY: &str = r#"
@id("baseline")
permit (principal in Group::"ci",
        action in [Action::"connect", Action::"sql.session", Action::"sql.query", Action::"sql.write"],
        resource);

@id("baseline-objects")
permit (principal in Group::"ci", action in [Action::"sql.query", Action::"sql.write"], resource in Resource::"orders");

@id("no-drop") @reason("tables are not dropped from a job")
forbid (principal, action == Action::"sql.drop", resource in Tag::"prod");

@id("pii") @mask("partial")
permit (principal, action == Action::"sql.read", resource in Tag::"pii");
"#;

impl Gateway {
    pub(super) fn start(server: &Postgres, silent: &Silent) -> Result<Self> {
        let job = Cgroup::new("job")?;
        let mut setup = Setup::postgres(job.name(), server, POLICY);
        setup.body = format!(
            "{}\n[resources.orders]\nprotocol = \"postgres\"\naddress = \"{}:{}\"\ntags = [\"prod\"]\ntls = {{ mode = \"disable\" }}\n\
             credentials = {{ username = \"{}\", password = {{ env = \"UPSTREAM_PASSWORD\" }} }}\n\
             [resources.orders.sensitive]\n\"public.*.ssn\" = [\"pii\"]\n\
             [resources.silent]\nprotocol = \"postgres\"\naddress = \"{}:{}\"\ntls = {{ mode = \"disable\" }}\n",
            Setup::workload("job", job.name()),
            server.v4(),
            server.port(),
            server.role(),
            silent.address()?,
            idle::PORT
        );
        let mut sluice = Sluice::start(&setup, server)?;
        sluice.quiet();
        let access = Access { password: None, role: "whoever".to_owned(), ..Access::own(server) };
        Ok(Gateway { access, job, sluice })
    }
}

impl Contestant for Gateway {
    fn name(&self) -> &'static str {
        "gateway"
    }
    fn client(&self, program: &str) -> Command {
        client(&Place::here().cgroup(&self.job), program, &self.access.host, self.access.port, &self.access)
    }
}
