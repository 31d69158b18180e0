//! The folder in bpffs that keeps programs and maps attached while no daemon runs: whose it is, what is in it, and its end.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use aya::maps::MapInfo;
use aya::programs::ProgramInfo;
use gateway_ebpf::LAYOUT;
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{FsType, statfs};

use super::bpf;
use super::maps::SHAPES;

/// Where bpffs is by convention.
const BPFFS: &str = "/sys/fs/bpf";
/// linux/magic.h.
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The file system does not do what it should.
    #[error("{path}: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Not in bpffs.
    #[error(
        "intercept.pin_dir {0} is not in a mounted bpffs, so nothing would stay attached: mount -t bpf bpf {BPFFS}, and name a folder below it"
    )]
    NotBpffs(PathBuf),
    /// Somebody else could have put something there.
    #[error(
        "intercept.pin_dir {path} belongs to uid {uid} with mode {mode:o}, and has to belong to root with mode 700: remove it if nobody needs it"
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        uid: u32,
        /// Its mode.
        mode: u32,
    },
    /// Another daemon has it.
    #[error("{0} is in use by a running daemon: stop that first (systemctl stop sluice)")]
    InUse(PathBuf),
    /// A pinned map is not of this layout, though its folder says so.
    #[error("{path} is {found}, and this version's is {wanted}: sluice detach, then start again")]
    Shape {
        /// The pin.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What it should be.
        wanted: String,
    },
    /// A pin is not what its name says.
    #[error("{path} cannot be read: {message}")]
    Unreadable {
        /// The pin.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PinError {
    let path = path.to_owned();
    move |source| PinError::Io { path, source }
}

/// The folder, for this process alone.
#[derive(Debug)]
pub(super) struct Pins {
    folder: PathBuf,
    /// Whether an earlier daemon has left programs and maps of this layout.
    pub(super) takeover: bool,
    _lock: Flock<File>,
}

impl Pins {
    /// Makes the folder where it is missing, and takes it.
    pub(super) fn open(folder: &Path) -> Result<Self, PinError> {
        ensure_bpffs(folder)?;
        private_folder(folder)?;
        let lock = lock(folder)?;
        let pins = Pins { folder: folder.to_owned(), takeover: version(folder).exists(), _lock: lock };
        for part in [version(folder), pins.maps(), pins.links()] {
            private_folder(&part)?;
        }
        Ok(pins)
    }

    /// The folder of maps.
    pub(super) fn maps(&self) -> PathBuf {
        version(&self.folder).join("maps")
    }

    /// The folder of links.
    pub(super) fn links(&self) -> PathBuf {
        version(&self.folder).join("links")
    }

    /// Fails where a map is not what this version's programs and this process take it for.
    pub(super) fn check_shapes(&self) -> Result<(), PinError> {
        for shape in SHAPES {
            let path = self.maps().join(shape.name);
            let info = MapInfo::from_pin(&path);
            let info = info.map_err(|error| PinError::Unreadable { path: path.clone(), message: error.to_string() })?;
            let found = (info.map_type().ok(), info.key_size(), info.value_size(), info.max_entries());
            if found != (Some(shape.kind), shape.key, shape.value, shape.entries) {
                let (kind, key, value, entries) = found;
                let kind = kind.map_or_else(|| "a map".to_owned(), |kind| format!("{kind:?}"));
                let found = format!("{kind} of {key} to {value} bytes, {entries} entries");
                let wanted =
                    format!("{:?} of {} to {} bytes, {} entries", shape.kind, shape.key, shape.value, shape.entries);
                return Err(PinError::Shape { path, found, wanted });
            }
        }
        Ok(())
    }

    /// Removes what other versions have left. For when this one's programs are attached.
    pub(super) fn remove_other_layouts(&self) -> Result<Vec<String>, PinError> {
        let mut removed = Vec::new();
        for folder in layouts(&self.folder)? {
            if folder != version(&self.folder) {
                detach_layout(&folder, &mut removed)?;
            }
        }
        Ok(removed)
    }

    /// Takes back a start that failed: nothing stays, if nothing was there before.
    pub(super) fn give_up(self) {
        if !self.takeover {
            let mut removed = Vec::new();
            if let Err(error) = detach_layout(&version(&self.folder), &mut removed) {
                tracing::error!(%error, "what the failed start had attached could not be removed: sluice detach");
            }
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

fn version(folder: &Path) -> PathBuf {
    folder.join(format!("v{LAYOUT}"))
}

fn ensure_bpffs(folder: &Path) -> Result<(), PinError> {
    if folder.starts_with(BPFFS) && !is_bpffs(Path::new(BPFFS)) && Path::new(BPFFS).exists() {
        mount(
            Some("bpf"),
            BPFFS,
            Some("bpf"),
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
            Some("mode=0700"),
        )
        .map_err(|error| at(Path::new(BPFFS))(error.into()))?;
        tracing::info!("mounted bpffs at {BPFFS}");
    }
    let existing = folder.ancestors().find(|part| part.exists()).unwrap_or(folder);
    if is_bpffs(existing) { Ok(()) } else { Err(PinError::NotBpffs(folder.to_owned())) }
}

fn is_bpffs(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.filesystem_type() == FsType(BPF_FS_MAGIC))
}

/// Makes a folder that only root can look into; one that is there has to be so.
fn private_folder(folder: &Path) -> Result<(), PinError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(at(folder)(error)),
    }
    let found = fs::symlink_metadata(folder).map_err(at(folder))?;
    let ours = found.is_dir() && found.uid() == 0 && found.mode() & 0o077 == 0;
    if ours {
        return Ok(());
    }
    Err(PinError::NotOurs { path: folder.to_owned(), uid: found.uid(), mode: found.mode() & 0o7777 })
}

fn lock(folder: &Path) -> Result<Flock<File>, PinError> {
    let file = File::open(folder).map_err(at(folder))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(PinError::InUse(folder.to_owned())),
        Err((_, error)) => Err(at(folder)(error.into())),
    }
}

/// The folders of every layout that has been pinned.
fn layouts(folder: &Path) -> Result<Vec<PathBuf>, PinError> {
    let mut found = Vec::new();
    for entry in entries(folder)? {
        let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok()) {
            found.push(entry);
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, PinError> {
    let read = match fs::read_dir(folder) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(folder)(error)),
    };
    let mut found: Vec<PathBuf> =
        read.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(at(folder))?;
    found.sort();
    Ok(found)
}

/// Removes everything from the kernel and says what: one line each.
///
/// # Errors
/// A daemon runs, or the kernel refuses; what was removed before stays removed.
pub fn detach(folder: &Path) -> Result<Vec<String>, PinError> {
    let mut removed = Vec::new();
    if !folder.exists() {
        return Ok(removed);
    }
    private_folder(folder)?;
    let _lock = lock(folder)?;
    for layout in layouts(folder)? {
        detach_layout(&layout, &mut removed)?;
    }
    fs::remove_dir(folder).map_err(at(folder))?;
    removed.push(format!("folder {}", folder.display()));
    Ok(removed)
}

/// Programs first: maps without programs do nothing, programs without userspace refuse.
fn detach_layout(layout: &Path, removed: &mut Vec<String>) -> Result<(), PinError> {
    for path in entries(&layout.join("links"))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let link = bpf::open_pin(&path).map_err(at(&path))?;
        // By the link, whoever else holds it. A tracepoint's has no such call and goes with its pin.
        match bpf::detach_link(&link) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            Err(error) => return Err(at(&path)(error)),
        }
        fs::remove_file(&path).map_err(at(&path))?;
        removed.push(format!("program {name}"));
    }
    for path in entries(&layout.join("maps"))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        fs::remove_file(&path).map_err(at(&path))?;
        removed.push(format!("map {name}"));
    }
    for part in [layout.join("links"), layout.join("maps"), layout.to_owned()] {
        match fs::remove_dir(&part) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&part)(error)),
        }
    }
    Ok(())
}

/// What a program that is not ours is called, for an error that names it.
pub(super) fn describe_program(id: u32) -> String {
    let found =
        aya::programs::loaded_programs().filter_map(Result::ok).find(|program: &ProgramInfo| program.id() == id);
    let name = found.as_ref().and_then(ProgramInfo::name_as_str).unwrap_or("without a name");
    format!("{} (id {id})", name.escape_default())
}
