//! The daemon's side: the local socket for root and the configured group, and metrics for whoever reaches `listen`.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use nix::unistd::{Gid, Group, User, chown};
use tokio::net::unix::UCred;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::oneshot;

use super::limited::Limited;
use super::{Status, StatusSource};
use crate::config::Control;
use crate::metrics;

const SECOND: Duration = Duration::from_secs(1);

/// The daemon cannot be reached in the way that the configuration names.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The local socket.
    #[error("[control] socket {}: {cause}", socket.display())]
    Socket {
        /// Its path.
        socket: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Another daemon answers there.
    #[error("[control] socket {}: another daemon answers there; stop it, or name another socket", .0.display())]
    InUse(PathBuf),
    /// The metrics' address.
    #[error("[control] listen {address}: {cause}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        cause: io::Error,
    },
}

/// What serves, on a thread of its own: whoever reaches it takes nothing from the connections of workloads. Dropping
/// it ends it.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    socket: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It ended by a panic: there is nothing left to end.
            let _ = thread.join();
        }
        // Nobody answers there any more; a next start would remove it as well.
        let _ = fs::remove_file(&self.socket);
    }
}

impl Server {
    /// Listens where the configuration says.
    ///
    /// # Errors
    /// It cannot be listened there.
    pub async fn start(control: &Control, source: Arc<dyn StatusSource>) -> Result<Self, ControlError> {
        let socket = |cause| ControlError::Socket { socket: control.socket.clone(), cause };
        let group = match &control.group {
            None => None,
            Some(name) => Group::from_name(name).map_err(|e| socket(e.into()))?.map(|group| group.gid),
        };
        clear(&control.socket).await?;
        let local = std::os::unix::net::UnixListener::bind(&control.socket).map_err(socket)?;
        local.set_nonblocking(true).map_err(socket)?;
        fs::set_permissions(&control.socket, fs::Permissions::from_mode(0o660)).map_err(socket)?;
        if group.is_some() {
            chown(&control.socket, None, group).map_err(|e| socket(e.into()))?;
        }
        let metrics = match control.listen {
            None => None,
            Some(address) => {
                let listen = |cause| ControlError::Listen { address, cause };
                let listener = std::net::TcpListener::bind(address).map_err(listen)?;
                listener.set_nonblocking(true).map_err(listen)?;
                Some(listener)
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(socket)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    served = serve(local, group, metrics, source) => {
                        if let Err(error) = served {
                            tracing::error!(%error, "the control socket does not serve");
                        }
                    }
                    _ = stopped => {}
                }
            });
        });
        let thread = Some(thread.map_err(socket)?);
        Ok(Server { stop: Some(stop), thread, socket: control.socket.clone() })
    }
}

/// Serves for ever.
async fn serve(
    local: std::os::unix::net::UnixListener,
    group: Option<Gid>,
    metrics: Option<std::net::TcpListener>,
    source: Arc<dyn StatusSource>,
) -> io::Result<()> {
    let listener = UnixListener::from_std(local)?;
    let told = Instant::now().checked_sub(SECOND);
    let local = Limited::new(Permitted { listener, group, told });
    let status = Router::new().route("/status", get(status)).with_state(source).layer(map_response(close));
    let local = axum::serve(local, status);
    let Some(metrics) = metrics else { return local.await };
    let metrics = Limited::new(TcpListener::from_std(metrics)?);
    let open = Router::new().route("/metrics", get(|| async { metrics::prometheus() })).layer(map_response(close));
    tokio::try_join!(local.into_future(), axum::serve(metrics, open).into_future()).map(drop)
}

/// One request a connection.
async fn close(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Makes room for the socket: removes one that nobody answers behind, and nothing else.
async fn clear(path: &PathBuf) -> Result<(), ControlError> {
    let socket = |cause| ControlError::Socket { socket: path.clone(), cause };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(socket)?;
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(socket(error)),
        Ok(found) if !found.file_type().is_socket() => {
            Err(socket(io::Error::other("something that is no socket is in the way; move it away")))
        }
        Ok(_) if UnixStream::connect(path).await.is_ok() => Err(ControlError::InUse(path.clone())),
        Ok(_) => fs::remove_file(path).map_err(socket),
    }
}

async fn status(State(source): State<Arc<dyn StatusSource>>) -> Json<Status> {
    Json(source.status())
}

/// The local socket's connections, but for those of users who may not ask.
struct Permitted {
    listener: UnixListener,
    group: Option<Gid>,
    /// When the log was told of one last: any local user can try.
    told: Option<Instant>,
}

impl Permitted {
    fn refused(&mut self, peer: &UCred) {
        if self.told.is_none_or(|told| told.elapsed() >= SECOND) {
            self.told = Some(Instant::now());
            tracing::warn!(uid = peer.uid(), "a user who may not use the control socket tried");
        }
    }
}

impl axum::serve::Listener for Permitted {
    type Io = UnixStream;
    type Addr = ();

    async fn accept(&mut self) -> (UnixStream, ()) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => match stream.peer_cred() {
                    Ok(peer) if may_ask(&peer, self.group) => return (stream, ()),
                    Ok(peer) => self.refused(&peer),
                    Err(error) => tracing::warn!(%error, "a peer of the control socket has no name"),
                },
                Err(error) => {
                    tracing::warn!(%error, "the control socket cannot accept");
                    // Out of file descriptors, most likely: trying at once would only spin.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Root, and members of the group, by their primary group or by the group database.
fn may_ask(peer: &UCred, group: Option<Gid>) -> bool {
    if peer.uid() == 0 {
        return true;
    }
    let Some(group) = group else { return false };
    let listed = || -> Option<bool> {
        let user = User::from_uid(peer.uid().into()).ok()??;
        let group = Group::from_gid(group).ok()??;
        Some(user.gid == group.gid || group.mem.contains(&user.name))
    };
    peer.gid() == group.as_raw() || listed().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::control::client;

    struct Fixed;

    impl StatusSource for Fixed {
        fn status(&self) -> Status {
            Status { serving: true, version: "1".to_owned(), ..Status::default() }
        }
    }

    fn control(folder: &tempfile::TempDir) -> Control {
        Control { socket: folder.path().join("run/control.sock"), group: None, listen: None }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_command_line_is_answered_and_a_second_daemon_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let control = control(&folder);
        let server = Server::start(&control, Arc::new(Fixed)).await.unwrap();
        let socket = control.socket.clone();
        let asked = tokio::task::spawn_blocking(move || client::status(&socket)).await.unwrap();
        // Only root may ask where no group is configured.
        assert_eq!(asked.is_ok_and(|status| status.serving), nix::unistd::geteuid().is_root());
        assert!(matches!(Server::start(&control, Arc::new(Fixed)).await, Err(ControlError::InUse(_))));
        drop(server);
        assert!(client::status(&control.socket).is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn metrics_are_served_and_connections_that_say_nothing_end_and_keep_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let control = Control { listen: Some(free), ..control(&folder) };
        let _server = Server::start(&control, Arc::new(Fixed)).await.unwrap();
        let dial = move || {
            let stream = std::net::TcpStream::connect(free).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            stream
        };
        let asked = tokio::task::spawn_blocking(move || {
            // More than are served at a time; some begin to speak.
            let mut silent: Vec<_> = (0..40).map(|_| dial()).collect();
            for stream in silent.iter_mut().step_by(2) {
                let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nx: ");
            }
            let mut asking = dial();
            asking.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            let mut answer = String::new();
            // To the connection's end, which is the server's doing.
            asking.read_to_string(&mut answer).unwrap();
            for stream in &mut silent {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest);
                assert!(!rest.starts_with(b"HTTP/1.1 200"));
            }
            answer
        });
        let answer = asked.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
        assert!(answer.contains("# TYPE sluice_sessions_open gauge\nsluice_sessions_open "), "{answer}");
    }

    #[tokio::test]
    async fn a_file_in_the_socket_s_place_stays() {
        let folder = tempfile::tempdir().unwrap();
        let control = control(&folder);
        fs::create_dir_all(control.socket.parent().unwrap()).unwrap();
        fs::write(&control.socket, "mine").unwrap();
        assert!(Server::start(&control, Arc::new(Fixed)).await.is_err());
        assert_eq!(fs::read_to_string(&control.socket).unwrap(), "mine");
    }
}
