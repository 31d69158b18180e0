//! The daemon's side: the local socket for root and the configured group, and metrics for whoever reaches `listen`.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use nix::unistd::{Gid, Group, User, chown};
use tokio::net::unix::UCred;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::{Status, StatusSource};
use crate::config::Control;
use crate::metrics;

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

/// What serves. Dropping it ends every task of it.
#[derive(Debug)]
pub struct Server {
    _tasks: JoinSet<()>,
    socket: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
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
        let listener = UnixListener::bind(&control.socket).map_err(socket)?;
        fs::set_permissions(&control.socket, fs::Permissions::from_mode(0o660)).map_err(socket)?;
        if group.is_some() {
            chown(&control.socket, None, group).map_err(|e| socket(e.into()))?;
        }
        let mut tasks = JoinSet::new();
        let local = Router::new().route("/status", get(status)).with_state(source);
        tasks.spawn(async move {
            // `serve` ends only with this task.
            let _ = axum::serve(Permitted { listener, group }, local).await;
        });
        if let Some(address) = control.listen {
            let listener = TcpListener::bind(address).await;
            let listener = listener.map_err(|cause| ControlError::Listen { address, cause })?;
            let open = Router::new().route("/metrics", get(|| async { metrics::prometheus() }));
            tasks.spawn(async move {
                let _ = axum::serve(listener, open).await;
            });
        }
        Ok(Server { _tasks: tasks, socket: control.socket.clone() })
    }
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
}

impl axum::serve::Listener for Permitted {
    type Io = UnixStream;
    type Addr = ();

    async fn accept(&mut self) -> (UnixStream, ()) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => match stream.peer_cred() {
                    Ok(peer) if may_ask(&peer, self.group) => return (stream, ()),
                    Ok(peer) => tracing::warn!(uid = peer.uid(), "a user who may not use the control socket tried"),
                    Err(error) => tracing::warn!(%error, "a peer of the control socket has no name"),
                },
                Err(error) => {
                    tracing::warn!(%error, "the control socket cannot accept");
                    // Out of file descriptors, most likely: trying at once would only spin.
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
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
