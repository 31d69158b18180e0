//! Loading and attaching: at the root of cgroup v2, pinned, and swapped without a gap where an earlier daemon's run.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use aya::programs::links::FdLink;
use aya::programs::{CgroupAttachMode, Program, ProgramError};
use aya::util::KernelVersion;
use aya::{Ebpf, EbpfError, EbpfLoader, include_bytes_aligned};

use super::btf::{self, BtfError};
use super::maps::{Maps, SHAPES};
use super::pins::{PinError, Pins, describe_program};
use super::{bpf, cgroups};

/// What build.rs found; empty where the programs were not built before the gateway.
static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/programs"));

/// Why the programs are not in the kernel.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// This binary has none.
    #[error("this binary was built without the eBPF programs: run `cargo xtask build-ebpf`, then `cargo build` again")]
    NotBuilt,
    /// The kernel's structures are not known.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// The pins cannot be used.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// The object or its maps cannot be loaded.
    #[error("the eBPF maps cannot be made: {0}")]
    Object(#[from] EbpfError),
    /// A map is not what it should be.
    #[error("the eBPF maps cannot be used: {0}")]
    Map(#[from] aya::maps::MapError),
    /// The object has no such program, or one of another kind.
    #[error(
        "this binary's eBPF programs are not this version's: run `cargo xtask build-ebpf`, then `cargo build` again"
    )]
    Mismatch,
    /// The kernel does not take a program.
    #[error("the kernel does not load the program {program} (Linux 5.15 or newer is needed): {source}")]
    Verifier {
        /// Which.
        program: &'static str,
        /// What it said.
        source: ProgramError,
    },
    /// Another's program is in the way.
    #[error(
        "{program} cannot be attached at {cgroup}, because a program is attached there that allows no other beside it: {foreign}. Stop what attached it, or have it attach with BPF_F_ALLOW_MULTI"
    )]
    Foreign {
        /// Which of ours.
        program: &'static str,
        /// Where.
        cgroup: PathBuf,
        /// Whose is there.
        foreign: String,
    },
    /// The kernel does not attach a program.
    #[error("the program {program} cannot be attached: {message}")]
    Attach {
        /// Which.
        program: &'static str,
        /// Why.
        message: String,
    },
}

/// Where a program hooks in.
#[derive(Clone, Copy, Debug)]
enum Hook {
    /// At the root cgroup; the number is `enum bpf_attach_type`.
    Cgroup(u32),
    /// A tracepoint by its kernel name.
    Tracepoint(&'static str),
}

/// In the order of attaching: whatever part of them is attached, a labelled process is redirected whole or refused.
/// Those that label new cgroups come when what guards them is there.
const PROGRAMS: [(&str, Hook); 13] = [
    ("sock_release", Hook::Cgroup(34)),
    ("connection", Hook::Cgroup(3)),
    ("getpeername4", Hook::Cgroup(29)),
    ("getpeername6", Hook::Cgroup(30)),
    ("sendmsg4", Hook::Cgroup(14)),
    ("sendmsg6", Hook::Cgroup(15)),
    ("connect4", Hook::Cgroup(10)),
    ("connect6", Hook::Cgroup(11)),
    ("sock_create", Hook::Cgroup(2)),
    ("egress", Hook::Cgroup(1)),
    ("cgroup_rmdir", Hook::Tracepoint("cgroup_rmdir")),
    ("cgroup_mkdir", Hook::Tracepoint("cgroup_mkdir")),
    ("process_exec", Hook::Tracepoint("sched_process_exec")),
];

/// Constants of the programs that depend on the kernel: their name, and the field whose offset they are.
const OFFSETS: [(&str, &str); 15] = [
    ("OFF_CGROUP_KN", "cgroup.kn"),
    ("OFF_CGROUP_ROOT", "cgroup.root"),
    ("OFF_CGROUP_PARENT", "cgroup.self.parent"),
    ("OFF_CSS_CGROUP", "cgroup_subsys_state.cgroup"),
    ("OFF_KN_ID", "kernfs_node.id"),
    ("OFF_ROOT_HIERARCHY", "cgroup_root.hierarchy_id"),
    ("OFF_TASK_NSPROXY", "task_struct.nsproxy"),
    ("OFF_NSPROXY_NET", "nsproxy.net_ns"),
    ("OFF_NET_COOKIE", "net.net_cookie"),
    ("OFF_TASK_CRED", "task_struct.cred"),
    ("OFF_CRED_USERNS", "cred.user_ns"),
    ("OFF_USERNS_PARENT", "user_namespace.parent"),
    ("OFF_USERNS_OWNER", "user_namespace.owner"),
    ("OFF_SKB_SK", "sk_buff.sk"),
    ("OFF_SOCK_UID", "sock.sk_uid"),
];

/// Programs that are loaded and maps that are pinned; nothing is attached yet.
pub(super) struct Loaded {
    ebpf: Ebpf,
}

/// A program in the kernel, for `status`.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Attached {
    name: &'static str,
    id: u32,
    #[serde(skip)]
    hook: Hook,
}

/// Makes or reuses the maps and loads the programs.
pub(super) fn load(pins: &Pins) -> Result<(Loaded, Maps), LoadError> {
    if OBJECT.is_empty() {
        return Err(LoadError::NotBuilt);
    }
    let fields: Vec<&str> = OFFSETS.iter().map(|(_, field)| *field).collect();
    let offsets = btf::offsets(&fields)?;
    let since = KernelVersion::new(5, 18, 0);
    let set_retval = u32::from(KernelVersion::current().is_ok_and(|kernel| kernel >= since));
    let mut loader = EbpfLoader::new();
    for ((name, _), offset) in OFFSETS.iter().zip(&offsets) {
        loader.override_global(name, offset, true);
    }
    loader.override_global("HAVE_SET_RETVAL", &set_retval, true);
    for shape in SHAPES {
        loader.map_pin_path(shape.name, pins.maps().join(shape.name));
    }
    let mut ebpf = loader.load(OBJECT)?;
    pins.check_shapes()?;
    for (name, _) in PROGRAMS {
        let program = ebpf.program_mut(name).ok_or(LoadError::Mismatch)?;
        let loaded = match program {
            Program::CgroupSock(program) => program.load(),
            Program::CgroupSockAddr(program) => program.load(),
            Program::CgroupSkb(program) => program.load(),
            Program::SockOps(program) => program.load(),
            Program::RawTracePoint(program) => program.load(),
            _ => return Err(LoadError::Mismatch),
        };
        loaded.map_err(|source| LoadError::Verifier { program: name, source })?;
    }
    let maps = Maps::take(&mut ebpf)?;
    Ok((Loaded { ebpf }, maps))
}

impl Loaded {
    /// Attaches every program, or swaps it in for an earlier daemon's, and pins it. Dropping `Loaded` detaches none.
    pub(super) fn attach(mut self, pins: &Pins, root: &cgroups::Root) -> Result<Vec<Attached>, LoadError> {
        let cgroup =
            root.open().map_err(|error| LoadError::Attach { program: "connect4", message: error.to_string() })?;
        let mut attached = Vec::new();
        for (name, hook) in PROGRAMS {
            let program = self.ebpf.program_mut(name).ok_or(LoadError::Mismatch)?;
            let pin = pins.links().join(name);
            match hook {
                Hook::Cgroup(kind) => at_cgroup(name, program, kind, &pin, &cgroup, root.path())?,
                Hook::Tracepoint(tracepoint) => at_tracepoint(name, program, tracepoint, &pin)?,
            }
            let id = program.info().map(|info| info.id()).unwrap_or(0);
            attached.push(Attached { name, id, hook });
        }
        Ok(attached)
    }
}

/// Those of our programs that somebody has detached.
pub(super) fn missing(attached: &[Attached], root: &cgroups::Root) -> Vec<&'static str> {
    let Ok(cgroup) = root.open() else { return Vec::new() };
    let gone = attached.iter().filter(|program| match program.hook {
        Hook::Cgroup(kind) => bpf::attached(&cgroup, kind).is_ok_and(|ids| !ids.contains(&program.id)),
        // Its link is held by its pin alone, and itself by its link: who removes the pin has removed it.
        Hook::Tracepoint(_) => bpf::is_loaded(program.id).is_ok_and(|loaded| !loaded),
    });
    gone.map(|program| program.name).collect()
}

fn at_cgroup(
    name: &'static str,
    program: &mut Program,
    kind: u32,
    pin: &Path,
    cgroup: &File,
    path: &Path,
) -> Result<(), LoadError> {
    let failed = |message: String| LoadError::Attach { program: name, message };
    if pin.exists() {
        let link = bpf::open_pin(pin).map_err(|error| failed(error.to_string()))?;
        let fd = program.fd().map_err(|error| failed(error.to_string()))?;
        match bpf::update_link(&link, &fd.as_fd()) {
            Ok(()) => return Ok(()),
            // Its cgroup is gone, or somebody has detached it: a link that holds nothing.
            Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => {
                fs::remove_file(pin).map_err(|error| failed(error.to_string()))?;
            }
            Err(error) => return Err(failed(error.to_string())),
        }
    }
    let link = link_cgroup(program, cgroup).map_err(|error| {
        let refused =
            matches!(&error, ProgramError::SyscallError(call) if call.io_error.raw_os_error() == Some(libc::EPERM));
        let foreign = bpf::attached(cgroup, kind).unwrap_or_default();
        if refused && !foreign.is_empty() {
            let foreign = foreign.into_iter().map(describe_program).collect::<Vec<_>>().join(", ");
            return LoadError::Foreign { program: name, cgroup: path.to_owned(), foreign };
        }
        failed(chain(&error))
    })?;
    link.pin(pin).map_err(|error| failed(chain(&error)))?;
    Ok(())
}

fn link_cgroup(program: &mut Program, cgroup: &File) -> Result<FdLink, ProgramError> {
    // For links, `Single` is no flag at all: others may attach beside it.
    let mode = CgroupAttachMode::Single;
    let link: Result<FdLink, _> = match program {
        Program::CgroupSock(program) => {
            let id = program.attach(cgroup, mode)?;
            program.take_link(id)?.try_into()
        }
        Program::CgroupSockAddr(program) => {
            let id = program.attach(cgroup, mode)?;
            program.take_link(id)?.try_into()
        }
        Program::CgroupSkb(program) => {
            let kind = aya::programs::CgroupSkbAttachType::Egress;
            let id = program.attach(cgroup, kind, mode)?;
            program.take_link(id)?.try_into()
        }
        Program::SockOps(program) => {
            let id = program.attach(cgroup, mode)?;
            program.take_link(id)?.try_into()
        }
        _ => return Err(ProgramError::UnexpectedProgramType),
    };
    link.map_err(|_| ProgramError::UnexpectedProgramType)
}

/// A tracepoint's link cannot be given another program. The new one is attached beside the old, and its pin takes the
/// old one's place: for a moment both run, and both write the same.
fn at_tracepoint(name: &'static str, program: &mut Program, tracepoint: &str, pin: &Path) -> Result<(), LoadError> {
    let failed = |message: String| LoadError::Attach { program: name, message };
    let Program::RawTracePoint(program) = program else { return Err(LoadError::Mismatch) };
    let link = program.attach(tracepoint).and_then(|id| program.take_link(id));
    let link = FdLink::from(link.map_err(|error| failed(chain(&error)))?);
    // bpffs takes no dot in a name.
    let beside = pin.with_file_name(format!("{name}_new"));
    let _ = fs::remove_file(&beside);
    link.pin(&beside).map_err(|error| failed(chain(&error)))?;
    fs::rename(&beside, pin).map_err(|error| failed(format!("its pin cannot be replaced: {error}")))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        source = error.source();
    }
    text
}
