//! Builds the eBPF programs for bpfel-unknown-none, installing what that needs.

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Without debug information.
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    anyhow::bail!("not built yet: {arguments:?}")
}
