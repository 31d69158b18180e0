//! The eBPF programs in the real kernel: what each refuses a labelled process, and that it leaves others alone.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use aya::Ebpf;
use aya::maps::{Array, HashMap, PerCpuArray};
use aya::programs::{CgroupAttachMode, CgroupSock, Program};
use harness::{Cgroup, Place, require_root, run};

/// The object that `cargo xtask build-ebpf` built.
fn object() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ebpf/bpfel-unknown-none/release/gateway-ebpf")
}

fn load() -> Result<Ebpf> {
    require_root()?;
    let path = object();
    let bytes = std::fs::read(&path)
        .with_context(|| format!("cannot read {}: run cargo xtask build-ebpf first", path.display()))?;
    Ok(Ebpf::load(&bytes)?)
}

/// The programs at a cgroup of the test's own, so that nobody else's processes pass them. Detached when dropped.
struct Attached {
    ebpf: Ebpf,
    labelled: Cgroup,
    other: Cgroup,
    _outer: Cgroup,
}

impl Attached {
    fn new(role: &str) -> Result<Self> {
        let mut ebpf = load()?;
        let outer = Cgroup::new(role)?;
        let (labelled, other) = (outer.child("labelled")?, outer.child("other")?);
        let program: &mut CgroupSock = ebpf.program_mut("sock_create").context("no sock_create")?.try_into()?;
        program.load()?;
        program.attach(File::open(outer.path())?, CgroupAttachMode::Single)?;
        let mut attached = Self { ebpf, labelled, other, _outer: outer };
        let id = std::fs::metadata(attached.labelled.path())?.ino();
        attached.label(id, 7)?;
        Ok(attached)
    }

    fn label(&mut self, cgroup: u64, label: u32) -> Result<()> {
        let map = self.ebpf.map_mut("CGROUPS").context("no CGROUPS")?;
        let mut cgroups: HashMap<_, u64, [u32; 3]> = HashMap::try_from(map)?;
        Ok(cgroups.insert(cgroup, [label, 0, 0], 0)?)
    }

    fn counted(&self, reason: u32) -> Result<u64> {
        let counters: PerCpuArray<_, u64> = PerCpuArray::try_from(self.ebpf.map("COUNTERS").context("no COUNTERS")?)?;
        Ok(counters.get(&reason, 0)?.iter().sum())
    }
}

/// What a process in `cgroup` may make: one line a kind of socket.
fn sockets(cgroup: &Cgroup) -> Result<Vec<String>> {
    let script = "
import socket as s
for name, family, kind, protocol in [
    ('tcp4', s.AF_INET, s.SOCK_STREAM, 0), ('tcp6', s.AF_INET6, s.SOCK_STREAM, 0), ('mptcp', s.AF_INET, s.SOCK_STREAM, 262),
    ('udp4', s.AF_INET, s.SOCK_DGRAM, 0), ('udp6', s.AF_INET6, s.SOCK_DGRAM, 0), ('unix', s.AF_UNIX, s.SOCK_STREAM, 0),
    ('raw', s.AF_INET, s.SOCK_RAW, 255), ('raw-tcp', s.AF_INET, s.SOCK_RAW, 6), ('raw6', s.AF_INET6, s.SOCK_RAW, 58),
    ('udplite', s.AF_INET, s.SOCK_DGRAM, 136), ('ping', s.AF_INET, s.SOCK_DGRAM, 1),
]:
    try:
        s.socket(family, kind, protocol).close()
        print(name, 'made')
    except PermissionError:
        print(name, 'refused')
    except OSError as e:
        print(name, e.errno)
";
    let mut python = Place::here().cgroup(cgroup).command("/usr/bin/python3");
    let said = run(python.args(["-c", script]))?.success()?;
    Ok(said.lines().map(str::to_owned).collect())
}

const REFUSED: [&str; 11] = [
    "tcp4 made",
    "tcp6 made",
    "mptcp made",
    "udp4 made",
    "udp6 made",
    "unix made",
    "raw refused",
    "raw-tcp refused",
    "raw6 refused",
    "udplite refused",
    "ping refused",
];

#[test]
fn the_verifier_takes_every_program() -> Result<()> {
    let mut ebpf = load()?;
    let mut names = Vec::new();
    for (name, program) in ebpf.programs_mut() {
        match program {
            Program::CgroupSock(program) => program.load(),
            Program::CgroupSockAddr(program) => program.load(),
            Program::CgroupSkb(program) => program.load(),
            Program::SockOps(program) => program.load(),
            Program::TracePoint(program) => program.load(),
            Program::RawTracePoint(program) => program.load(),
            Program::BtfTracePoint(program) => {
                program.load("cgroup_mkdir", &aya::Btf::from_sys_fs().context("no BTF of the kernel")?)
            }
            other => anyhow::bail!("{name} is of a kind that nobody expects: {other:?}"),
        }
        .with_context(|| name.to_owned())?;
        names.push(name.to_owned());
    }
    names.sort();
    for hook in [
        "cgroup_mkdir",
        "cgroup_rmdir",
        "connect4",
        "connect6",
        "connection",
        "egress",
        "getpeername4",
        "getpeername6",
        "process_exec",
        "sendmsg4",
        "sendmsg6",
        "sock_create",
        "sock_release",
    ] {
        assert!(names.iter().any(|name| name == hook), "{hook} is not in {names:?}");
    }
    Ok(())
}

#[test]
fn a_labelled_process_gets_no_socket_that_other_programs_would_not_see() -> Result<()> {
    let attached = Attached::new("sockets")?;
    assert_eq!(sockets(&attached.labelled)?, REFUSED);
    // The kernel itself may refuse a ping socket before the program is asked (net.ipv4.ping_group_range).
    assert!(attached.counted(8)? >= 4, "each refusal is counted as `protocol`");
    Ok(())
}

#[test]
fn an_unlabelled_process_is_left_alone() -> Result<()> {
    let attached = Attached::new("others")?;
    let outside = Cgroup::new("outside")?;
    assert_eq!(sockets(&attached.other)?, sockets(&outside)?, "as without the programs");
    assert_eq!(attached.counted(8)?, 0);
    Ok(())
}

#[test]
fn where_users_have_labels_a_process_whose_user_cannot_be_read_is_nobodys_and_refused() -> Result<()> {
    // Nobody has said where the kernel keeps a process's user: as on a kernel whose structures are not known.
    let mut attached = Attached::new("unread")?;
    let map = attached.ebpf.map_mut("SETTINGS").context("no SETTINGS")?;
    let mut settings: Array<_, [u32; 6]> = Array::try_from(map)?;
    settings.set(0, [0, 0, 1, 0, 0, 0], 0)?;
    assert_eq!(sockets(&attached.other)?, REFUSED);
    assert!(attached.counted(8)? >= 4);
    Ok(())
}

#[test]
fn a_cgroup_below_a_labelled_one_has_its_label_before_anyone_says_so() -> Result<()> {
    let mut attached = Attached::new("nested")?;
    let between = attached.labelled.child("a")?;
    let nested = between.child("b")?;
    assert_eq!(sockets(&nested)?, REFUSED);
    // An entry of its own decides: one look-up.
    let id = std::fs::metadata(nested.path())?.ino();
    attached.label(id, 0)?;
    assert_eq!(sockets(&nested)?, sockets(&attached.other)?);
    Ok(())
}
