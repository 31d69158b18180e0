//! A client that says exactly the bytes it is given.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a suite's own scaffolding fails by panicking")]

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A connection.
pub(crate) enum Raw {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// What a start-up ended with.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) ready: bool,
    pub(crate) error: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) key: Vec<u8>,
    pub(crate) negotiated: Option<Vec<u8>>,
}

impl Raw {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        Self::connect_to(("127.0.0.1", port))
    }

    pub(crate) fn connect_to(to: impl ToSocketAddrs) -> Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Raw::Plain(stream))
    }

    /// TLS that trusts `ca`, to 127.0.0.1.
    pub(crate) fn tls(self, ca: &Path, alpn: bool) -> Result<Self> {
        let Raw::Plain(stream) = self else { anyhow::bail!("TLS within TLS") };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        if alpn {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1")?)?;
        Ok(Raw::Tls(Box::new(StreamOwned::new(connection, stream))))
    }

    pub(crate) fn exactly(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Everything until the connection ends.
    pub(crate) fn rest(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads messages until ReadyForQuery or an error.
    pub(crate) fn until_ready(&mut self) -> Result<Said> {
        let mut said = Said::default();
        loop {
            let tag = self.exactly(1).context("the gateway closed without an answer")?;
            let length = u32::from_be_bytes(self.exactly(4)?.try_into().unwrap());
            let body = self.exactly(length as usize - 4)?;
            let texts = || String::from_utf8_lossy(&body).split('\0').map(str::to_owned).collect::<Vec<_>>();
            match tag[0] {
                b'R' => assert_eq!(body, [0; 4], "no workload is asked for a password"),
                b'S' => {
                    let texts = texts();
                    said.parameters.insert(texts[0].clone(), texts[1].clone());
                }
                b'K' => said.key = body,
                b'v' => said.negotiated = Some(body),
                b'E' => {
                    said.error = texts().join("\n");
                    return Ok(said);
                }
                b'Z' => {
                    said.ready = true;
                    return Ok(said);
                }
                other => anyhow::bail!("message {other:#04x}"),
            }
        }
    }
}

impl Read for Raw {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Raw::Plain(stream) => stream.read(buf),
            Raw::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Raw {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Raw::Plain(stream) => stream.write(buf),
            Raw::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Raw::Plain(stream) => stream.flush(),
            Raw::Tls(stream) => stream.flush(),
        }
    }
}

/// A StartupMessage.
pub(crate) fn startup(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        for text in [name, value] {
            body.extend(text.as_bytes());
            body.push(0);
        }
    }
    body.push(0);
    let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
    packet.extend(body);
    packet
}
