//! A throw-away PostgreSQL server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use nix::unistd::{User, chown};
use tempfile::TempDir;

use crate::own::{random_hex, require_root};
use crate::process::{Finished, Process, run, run_within};
use crate::{Authority, Netns, Place};

/// The port, in a namespace of the server's own.
const PORT: u16 = 5432;

/// The user that the server runs as; it refuses root.
const SERVER_USER: &str = "postgres";

/// How the server authenticates clients that come by TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// SCRAM-SHA-256, and -PLUS where the connection has TLS.
    Scram,
    /// md5.
    Md5,
    /// The password in clear text.
    Cleartext,
    /// Not at all.
    Trust,
}

/// What kind of server.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// How it authenticates.
    pub auth: Auth,
    /// Whether it speaks TLS, with a certificate of [`Postgres::authority`] for its addresses.
    pub tls: bool,
    /// Further lines for `postgresql.conf`.
    pub settings: Vec<String>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { auth: Auth::Scram, tls: true, settings: Vec::new() }
    }
}

/// A server in a network namespace, with one database and one role whose password only this value knows.
#[derive(Debug)]
pub struct Postgres {
    /// Before the folder: fields drop in order.
    process: Option<Process>,
    folder: TempDir,
    netns: String,
    place: Place,
    authority: Authority,
    role: String,
    password: String,
    addresses: (std::net::Ipv4Addr, std::net::Ipv6Addr),
}

/// Where the newest installed server's programs are.
///
/// # Errors
/// There is none.
pub fn postgres_bin() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("postgres").exists() && bin.join("initdb").exists())
        .max();
    newest
        .map(|(_, bin)| bin)
        .context("no PostgreSQL server below /usr/lib/postgresql; by hand: apt-get install postgresql")
}

impl Postgres {
    /// Makes a cluster and starts its server in `netns`, which outlives it.
    ///
    /// # Errors
    /// Not root, no PostgreSQL installed, or the server does not come up; the message holds its log.
    pub fn start(netns: &Netns, options: &PostgresOptions) -> Result<Self> {
        require_root()?;
        let bin = postgres_bin()?;
        let folder = tempfile::Builder::new().prefix("slt-pg-").tempdir_in("/tmp")?;
        own(folder.path())?;
        let data = folder.path().join("data");
        let method = match options.auth {
            Auth::Scram => "scram-sha-256",
            Auth::Md5 => "md5",
            Auth::Cleartext => "password",
            Auth::Trust => "trust",
        };
        let encryption = if options.auth == Auth::Md5 { "md5" } else { "scram-sha-256" };
        let as_server = Place::here().user(SERVER_USER);
        let mut initdb = as_server.command(bin.join("initdb"));
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=trust", "--pgdata"]).arg(&data);
        run(initdb.current_dir("/"))?.success().context("initdb")?;

        let addresses = (netns.v4()?, netns.v6()?);
        let authority = Authority::new("upstream authority")?;
        authority.write(folder.path())?;
        let mut settings = format!(
            "listen_addresses = '*'\nport = {PORT}\nunix_socket_directories = '{}'\npassword_encryption = {encryption}\n\
             fsync = off\nmax_connections = 200\nlog_line_prefix = '%m [%p] '\n",
            folder.path().display()
        );
        if options.tls {
            let names = [addresses.0.to_string(), addresses.1.to_string(), "localhost".to_owned()];
            let certificate = authority.sign(&names)?;
            for (name, content) in [("server.crt", &certificate.cert), ("server.key", &certificate.key)] {
                let path = data.join(name);
                fs::write(&path, content)?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
                own(&path)?;
            }
            settings.push_str("ssl = on\n");
        }
        for line in &options.settings {
            settings.push_str(line);
            settings.push('\n');
        }
        fs::write(data.join("postgresql.auto.conf"), settings)?;
        fs::write(data.join("pg_hba.conf"), format!("local all all trust\nhost all all all {method}\n"))?;

        let mut server = Self {
            process: None,
            folder,
            netns: netns.name().to_owned(),
            place: Place::here().netns(netns),
            authority,
            role: format!("app_{}", random_hex(4)?),
            password: random_hex(16)?,
            addresses,
        };
        server.launch()?;
        server.admin_in("postgres", &format!("create role {} login password '{}'", server.role, server.password))?;
        server.admin_in("postgres", &format!("create database appdb owner {}", server.role))?;
        Ok(server)
    }

    fn launch(&mut self) -> Result<()> {
        let bin = postgres_bin()?;
        let mut command = self.place.clone().user(SERVER_USER).command(bin.join("postgres"));
        command.arg("-D").arg(self.folder.path().join("data")).current_dir("/");
        let mut process = Process::start(&mut command, &self.folder.path().join("log"))?;
        let what = format!("PostgreSQL in {}", self.netns);
        process.ready(&what, Duration::from_secs(60), || self.admin_in("postgres", "select 1").is_ok())?;
        self.process = Some(process);
        Ok(())
    }

    /// Stops the server at once; its data stays.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            // Immediate shutdown; SIGKILL would leave its children.
            process.signal(Signal::SIGQUIT)?;
            process.wait(Duration::from_secs(20))?;
        }
        Ok(())
    }

    /// Starts the server again after [`Postgres::stop`].
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.launch()
    }

    /// Its IPv4 address.
    #[must_use]
    pub fn v4(&self) -> std::net::Ipv4Addr {
        self.addresses.0
    }

    /// Its IPv6 address.
    #[must_use]
    pub fn v6(&self) -> std::net::Ipv6Addr {
        self.addresses.1
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        PORT
    }

    /// The database that [`Postgres::role`] owns.
    #[must_use]
    pub fn database(&self) -> &'static str {
        "appdb"
    }

    /// The role that may log in.
    #[must_use]
    pub fn role(&self) -> &str {
        &self.role
    }

    /// That role's password, made for this server.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Who signed its certificate.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The PEM file of [`Postgres::authority`]'s certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The folder of its local socket: psql and pg_regress take it as the host. Only root and the server may enter.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the server wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Runs SQL as the superuser in `appdb`, by the local socket; the answer unaligned, without headers.
    ///
    /// # Errors
    /// The server's error.
    pub fn admin(&self, sql: &str) -> Result<String> {
        self.admin_in(self.database(), sql)
    }

    /// [`Postgres::admin`] in another database.
    ///
    /// # Errors
    /// The server's error.
    pub fn admin_in(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = Place::here().command("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-c", sql])
            .arg("-h")
            .arg(self.folder.path());
        run_within(Duration::from_secs(120), psql.env("PGCONNECT_TIMEOUT", "10"))?.success()
    }

    /// psql in `place` to this server's IPv4 address as its role, with nothing to log in with.
    #[must_use]
    pub fn psql(&self, place: &Place) -> Command {
        let mut psql = place.command("psql");
        psql.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .env("PGHOST", self.v4().to_string())
            .env("PGPORT", PORT.to_string())
            .env("PGUSER", &self.role)
            .env("PGDATABASE", self.database())
            .env("PGCONNECT_TIMEOUT", "20");
        psql
    }

    /// One statement by [`Postgres::psql`].
    ///
    /// # Errors
    /// psql cannot be run; what the server says is in the result.
    pub fn query(&self, place: &Place, sql: &str) -> Result<Finished> {
        run(self.psql(place).args(["-c", sql]))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.stop().is_err() {
            eprintln!("PostgreSQL in {} had to be killed", self.netns);
        }
        if std::thread::panicking() {
            eprintln!("--- PostgreSQL's log\n{}---", self.log());
        }
    }
}

fn own(path: &Path) -> Result<()> {
    let user = User::from_name(SERVER_USER)?
        .with_context(|| format!("no user {SERVER_USER}; Debian's postgresql makes it: apt-get install postgresql"))?;
    chown(path, Some(user.uid), Some(user.gid))?;
    Ok(())
}
