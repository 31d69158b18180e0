//! The bpf(2) commands that aya has no call for (linux/bpf.h), and those alone.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

const BPF_OBJ_GET: libc::c_long = 7;
const BPF_PROG_GET_FD_BY_ID: libc::c_long = 13;
const BPF_PROG_QUERY: libc::c_long = 16;
const BPF_LINK_UPDATE: libc::c_long = 29;
const BPF_LINK_DETACH: libc::c_long = 34;

/// How many programs of one kind at one cgroup are looked at.
const QUERY_MAX: usize = 64;

#[repr(C)]
struct ObjGet {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

#[repr(C)]
struct GetById {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

#[repr(C)]
struct ProgQuery {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    reserved: u32,
}

#[repr(C)]
struct LinkUpdate {
    link_fd: u32,
    new_prog_fd: u32,
    flags: u32,
    old_prog_fd: u32,
}

#[repr(C)]
struct LinkDetach {
    link_fd: u32,
}

/// # Safety
/// `T` is what the command takes; addresses in it stay valid for the call.
unsafe fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads and writes no more than the size it is told; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn number(fd: &impl AsFd) -> u32 {
    fd.as_fd().as_raw_fd().cast_unsigned()
}

/// Opens a pinned program, map or link.
pub(super) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = ObjGet { pathname: path.as_ptr() as u64, bpf_fd: 0, file_flags: 0 };
    // SAFETY: the path outlives the call.
    let fd = unsafe { bpf(BPF_OBJ_GET, &mut attributes)? };
    let fd = i32::try_from(fd).map_err(|_| io::Error::other("not a file descriptor"))?;
    // SAFETY: the kernel has just given it to us, and to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Swaps the program of an attached link, without a moment in which none runs.
pub(super) fn update_link(link: &impl AsFd, program: &impl AsFd) -> io::Result<()> {
    let mut attributes = LinkUpdate { link_fd: number(link), new_prog_fd: number(program), flags: 0, old_prog_fd: 0 };
    // SAFETY: numbers only.
    unsafe { bpf(BPF_LINK_UPDATE, &mut attributes) }.map(drop)
}

/// Detaches a link, whoever else holds it.
pub(super) fn detach_link(link: &impl AsFd) -> io::Result<()> {
    let mut attributes = LinkDetach { link_fd: number(link) };
    // SAFETY: a number only.
    unsafe { bpf(BPF_LINK_DETACH, &mut attributes) }.map(drop)
}

/// Whether a program is in the kernel. One that nothing holds is not.
pub(super) fn is_loaded(program: u32) -> io::Result<bool> {
    let mut attributes = GetById { id: program, next_id: 0, open_flags: 0 };
    // SAFETY: numbers only.
    match unsafe { bpf(BPF_PROG_GET_FD_BY_ID, &mut attributes) } {
        Ok(fd) => {
            let fd = i32::try_from(fd).map_err(|_| io::Error::other("not a file descriptor"))?;
            // SAFETY: the kernel has just given it to us, and to nobody else.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
            Ok(true)
        }
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ids of the programs of one attach type at a cgroup.
pub(super) fn attached(cgroup: &impl AsFd, attach_type: u32) -> io::Result<Vec<u32>> {
    let mut ids = vec![0_u32; QUERY_MAX];
    let mut attributes = ProgQuery {
        target_fd: number(cgroup),
        attach_type,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: QUERY_MAX as u32,
        reserved: 0,
    };
    // SAFETY: room for as many ids as said, for as long as the call takes.
    unsafe { bpf(BPF_PROG_QUERY, &mut attributes)? };
    ids.truncate(attributes.prog_cnt as usize);
    Ok(ids)
}
