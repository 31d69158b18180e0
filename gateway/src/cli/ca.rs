//! `sluice ca`: prints the node CA's certificate and how to make workloads trust it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::config::Config;
use crate::tls::Authority;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One JSON object instead of PEM and instructions.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = Config::load(config)?;
    let authority = Authority::open(&config.state_dir).with_context(|| {
        format!("there is no certificate authority to print (state_dir is {})", config.state_dir.display())
    })?;
    let (pem, path, until) = (authority.pem(), authority.path(), authority.not_after().date());
    if arguments.json {
        let object = serde_json::json!({
            "pem": pem,
            "path": path.display().to_string(),
            "not_after": authority.not_after().unix_timestamp(),
        });
        println!("{object}");
        return Ok(ExitCode::SUCCESS);
    }
    print!("{pem}");
    eprintln!(
        "This is the certificate of this node's own authority ({}), valid until {until}.\n\
         Workloads of this node that verify their server have to trust it; nobody else should.\n\
         \n\
         One PostgreSQL client:\n    \
             sluice ca > sluice-ca.pem\n    \
             PGSSLROOTCERT=$PWD/sluice-ca.pem PGSSLMODE=verify-full psql ...\n\
         Everything that reads the node's trust store (Debian, Ubuntu):\n    \
             sluice ca > /usr/local/share/ca-certificates/sluice.crt && update-ca-certificates\n\
         A container: mount the file, and set PGSSLROOTCERT to where it is.",
        path.display()
    );
    Ok(ExitCode::SUCCESS)
}
