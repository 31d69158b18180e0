//! The gateway's `serve` behind a listener on loopback: what the kernel's part would hand over, made here.
#![expect(clippy::unwrap_used, reason = "a suite's own scaffolding fails by panicking")]

use std::cell::RefCell;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use gateway::config::{Config, Resource, Workload};
use gateway::guard::Core;
use gateway::intercept::{ClientAddr, OriginalDestination, Process};
use gateway::policy::Policies;
use gateway::protocol::{Services, serve};
use gateway::record::again::Recent;
use gateway::record::chain::Reader;
use gateway::record::entry::Entry;
use gateway::record::{EXTENSION, Recordings};
use gateway::session::{Call, Session};
use harness::Postgres;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How the resource is configured.
pub(crate) struct Options {
    /// `tls`, TOML; empty: verify-full with the server's authority.
    pub(crate) tls: String,
    /// Whether there are credentials.
    pub(crate) credentials: bool,
    /// Further keys of the credentials, with a comma before.
    pub(crate) more_credentials: String,
    /// `client_password`.
    pub(crate) client_password: Option<String>,
    /// Further lines of the workload.
    pub(crate) workload: String,
    /// Further lines of the resource.
    pub(crate) more: String,
    /// The policies.
    pub(crate) policy: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: String::new(),
            credentials: true,
            more_credentials: String::new(),
            client_password: None,
            workload: String::new(),
            more: String::new(),
            policy: "@id(\"all\") permit (principal, action, resource);\n".to_owned(),
        }
    }
}

/// A listener whose connections are served as those of the workload `job` to the resource `orders`.
pub(crate) struct Door {
    folder: TempDir,
    port: u16,
    services: Services,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    pub(crate) fn open(server: &Postgres, options: &Options) -> Result<Self> {
        Self::open_in(tempfile::tempdir()?, server, options)
    }

    /// Ends, as a daemon does, and leaves its folder for another.
    pub(crate) fn close(mut self) -> Result<TempDir> {
        self.stop();
        Ok(std::mem::replace(&mut self.folder, tempfile::tempdir()?))
    }

    /// With what another has left.
    pub(crate) fn open_in(folder: TempDir, server: &Postgres, options: &Options) -> Result<Self> {
        let verified = format!("{{ mode = \"verify-full\", ca = \"{}\" }}", server.ca_file().display());
        let tls = if options.tls.is_empty() { &verified } else { &options.tls };
        let address = SocketAddr::new(server.v4().into(), server.port());
        Self::start(folder, address, tls, (server.role(), server.password()), options)
    }

    /// To whatever answers at `address`.
    pub(crate) fn to(address: SocketAddr, tls: &str, login: (&str, &str), options: &Options) -> Result<Self> {
        Self::start(tempfile::tempdir()?, address, tls, login, options)
    }

    fn start(folder: TempDir, address: SocketAddr, tls: &str, login: (&str, &str), options: &Options) -> Result<Self> {
        let (role, password) = login;
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("policies"))?;
        fs::write(at("policies/all.cedar"), &options.policy)?;
        fs::write(at("password"), password)?;
        let mut credentials = String::new();
        if options.credentials {
            let mut more = options.more_credentials.clone();
            if let Some(password) = &options.client_password {
                fs::write(at("client_password"), password)?;
                more.push_str(&format!(", client_password = {{ file = \"{}\" }}", at("client_password").display()));
            }
            credentials = format!(
                "credentials = {{ username = \"{role}\", password = {{ file = \"{}\" }}{more} }}\n",
                at("password").display()
            );
        }
        let text = format!(
            "state_dir = \"{}\"\npolicies = \"{}\"\n\
             [workloads.job]\nmatch = {{ cgroup = \"/job\" }}\n{}\n\
             [resources.orders]\nprotocol = \"postgres\"\naddress = \"{address}\"\ntls = {tls}\n{credentials}{}",
            at("state").display(),
            at("policies").display(),
            options.workload,
            options.more,
        );
        fs::write(at("gateway.toml"), text)?;
        let config = Config::load(&at("gateway.toml"))?;
        let services = Services::new(&config)?;
        let policies = Arc::new(ArcSwap::from_pointee(Policies::load(&config, 1)?));
        let recordings = Arc::new(Recordings::open(&config.state_dir)?);
        let workload = Arc::clone(config.workloads.get("job").context("workload")?);
        let resource = Arc::clone(config.resources.get("orders").context("resource")?);
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let upstream: Arc<[SocketAddr]> = [address].into();
        let (stop, stopped) = oneshot::channel();
        let shared = services.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let local = tokio::task::LocalSet::new();
            local.spawn_local(accept(listener, workload, resource, upstream, services, policies, recordings));
            runtime.block_on(local.run_until(async { stopped.await.unwrap_or(()) }));
        });
        Ok(Self { folder, port, services: shared, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What its sessions share.
    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("state/ca/ca.pem")
    }

    /// Every byte of every recording.
    pub(crate) fn recorded(&self) -> Result<Vec<u8>> {
        Ok(self.files()?.into_iter().map(fs::read).collect::<std::io::Result<Vec<_>>>()?.concat())
    }

    /// The entries of every session, as they are replayed.
    pub(crate) fn replayed(&self) -> Result<Vec<Vec<Entry<'static>>>> {
        let files = self.files()?.into_iter().filter(|path| path.extension().is_some_and(|of| of == EXTENSION));
        let replay = |path: PathBuf| {
            let (mut reader, mut recent, mut entries) = (Reader::open(&path)?, Recent::default(), Vec::new());
            while let Some(entry) = reader.next_entry()? {
                entries.push(recent.whole(entry));
            }
            Ok(entries)
        };
        files.map(replay).collect()
    }

    /// Every file of the state folder that holds no key.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().join("state")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                match path.is_dir() {
                    true if path.ends_with("ca") => {}
                    true => folders.push(path),
                    false => files.push(path),
                }
            }
        }
        Ok(files)
    }

    pub(crate) fn set_password(&self, password: &str) -> Result<()> {
        Ok(fs::write(self.folder.path().join("password"), password)?)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn accept(
    listener: std::net::TcpListener,
    workload: Arc<Workload>,
    resource: Arc<Resource>,
    upstream: Arc<[SocketAddr]>,
    services: Services,
    policies: Arc<ArcSwap<Policies>>,
    recordings: Arc<Recordings>,
) {
    let core = Rc::new(RefCell::new(Core::new(policies)));
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (client, address) = listener.accept().await.unwrap();
        let call = Call {
            workload: Arc::clone(&workload),
            resource: Some(Arc::clone(&resource)),
            upstream: Arc::clone(&upstream),
            client: ClientAddr(address),
            destination: OriginalDestination(client.local_addr().unwrap()),
            process: Process { pid: 1, uid: 0, cgroup: 1, netns: 1 },
        };
        let session = Session::open(&recordings, Rc::clone(&core), call).unwrap();
        let services = services.clone();
        tokio::task::spawn_local(async move { serve(client, session, &services).await });
    }
}
