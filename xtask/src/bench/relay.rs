//! The measure of what a hop costs by itself: a relay that copies bytes and does nothing else, two threads a connection.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::Result;

/// Listens on loopback for as long as the process lives.
pub(super) struct Relay {
    port: u16,
}

impl Relay {
    pub(super) fn start(to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || relay(client, to));
            }
        });
        Ok(Relay { port })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

fn relay(client: TcpStream, to: SocketAddr) -> Option<()> {
    let server = TcpStream::connect(to).ok()?;
    client.set_nodelay(true).ok()?;
    server.set_nodelay(true).ok()?;
    let (up, down) = (client.try_clone().ok()?, server.try_clone().ok()?);
    let other = thread::spawn(move || copy(up, down));
    copy(server, client);
    other.join().ok()
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
        if to.write_all(read).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
