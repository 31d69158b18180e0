//! What the programs cannot do for a labelled process (remember a socket, find its label's row, publish its connection)
//! is refused, and nobody else notices.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use aya::Pod;
use aya::maps::{HashMap, Map, MapData};
use harness::{Cgroup, Netns, Place, Setup, Sluice, Sniffer, eventually, run};

use super::{FIRST, Try, counted, server, setup};

/// A pinned map of a daemon's, with keys and values as they are in the kernel.
pub(super) fn map<K: Pod, V: Pod>(sluice: &Sluice, name: &str) -> Result<HashMap<MapData, K, V>> {
    let folder = sluice.status("/intercept/maps")?;
    let path = PathBuf::from(folder.as_str().unwrap_or_default()).join(name);
    Ok(HashMap::try_from(Map::HashMap(MapData::from_pin(path)?))?)
}

/// Puts made-up entries into a map until it takes no more; those.
fn fill<K: Pod, V: Pod>(map: &mut HashMap<MapData, K, V>, key: impl Fn(u64) -> K, value: V) -> Vec<K> {
    let mut filled = Vec::new();
    while filled.len() < 1 << 20 {
        let key = key(filled.len() as u64);
        if map.insert(key, value, 0).is_err() {
            break;
        }
        filled.push(key);
    }
    filled
}

/// A network beside the one where the packets would arrive, a workload's cgroup in it, and somebody else's.
struct Field {
    far: Netns,
    near: Netns,
    sniffer: Sniffer,
    sluice: Sluice,
    job: Cgroup,
    other: Cgroup,
    _server: (harness::Process, tempfile::NamedTempFile),
}

impl Field {
    fn new() -> Result<Self> {
        let far = Netns::new("far")?;
        let near = Netns::beside("near", &far)?;
        let (job, other) = (Cgroup::new("job")?, Cgroup::new("other")?);
        let field = Self {
            _server: server(&far)?,
            sniffer: Sniffer::start(&far)?,
            sluice: Sluice::start(&setup(job.name()), None)?,
            near,
            far,
            job,
            other,
        };
        // Without a failure each is redirected, so that a listener is there.
        field.refuses("tcp4", "redirected")?;
        Ok(field)
    }

    fn tries(&self, way: &str, from: &Cgroup) -> Result<String> {
        // Who begins elsewhere, moves into the workload.
        let (begin, end) = if way == "made_outside" { (&self.other, from) } else { (from, &self.other) };
        Try { far: &self.far, way, port: FIRST }.from(&Place::here().cgroup(begin).netns(&self.near), end)
    }

    fn seen(&self) -> Result<u64> {
        Ok(self.sniffer.count(&format!("port {FIRST}"))?.try_into()?)
    }

    /// Nothing of the labelled process leaves, and the failure is counted; what has no label goes on.
    fn refuses(&self, way: &str, counter: &str) -> Result<()> {
        let (seen, before) = (self.seen()?, counted(&self.sluice, counter)?);
        let said = self.tries(way, &self.job)?;
        ensure!(self.seen()? == seen, "{way}, {counter}: {said}");
        let grown = || counted(&self.sluice, counter).is_ok_and(|n| n > before);
        ensure!(eventually(std::time::Duration::from_secs(3), grown), "{way} did not meet `{counter}`: {said}");
        let said = self.tries(if way == "made_outside" { "tcp4" } else { way }, &self.other)?;
        ensure!(self.seen()? > seen, "{way}, {counter}, without a label: {said}");
        Ok(())
    }

    fn storage(&self, bytes: u32) -> Result<()> {
        let mut sysctl = Place::here().netns(&self.near).command("sysctl");
        run(sysctl.args(["-q", "-w", &format!("net.core.optmem_max={bytes}")]))?.success()?;
        Ok(())
    }
}

#[test]
fn a_socket_that_cannot_be_remembered_is_refused() -> Result<()> {
    let field = Field::new()?;
    // Who made the namespace can set it.
    field.storage(1)?;
    for way in ["tcp4", "tcp6", "tcp_mapped", "udp4", "fastopen", "mptcp", "made_outside"] {
        field.refuses(way, "storage")?;
    }
    field.storage(131_072)?;
    field.refuses("tcp4", "redirected")
}

#[test]
fn a_label_without_a_row_connects_nowhere() -> Result<()> {
    let field = Field::new()?;
    let mut labels = map::<u32, [u8; 40]>(&field.sluice, "LABELS")?;
    let rows: Vec<(u32, [u8; 40])> = labels.iter().flatten().filter(|(label, _)| *label != 0).collect();
    for (label, _) in &rows {
        labels.remove(label)?;
    }
    for way in ["tcp4", "tcp6", "fastopen", "made_outside"] {
        field.refuses(way, "unknown_label")?;
    }
    for (label, row) in rows {
        labels.insert(label, row, 0)?;
    }
    field.refuses("tcp4", "redirected")
}

#[test]
fn a_connection_that_cannot_be_published_goes_nowhere() -> Result<()> {
    let field = Field::new()?;
    let mut origins = map::<[u64; 4], [u64; 6]>(&field.sluice, "ORIGINS")?;
    // Of a namespace that there is not.
    let filled = fill(&mut origins, |n| [u64::MAX, n, 0, 0], [0, u64::MAX, 0, 0, 0, 0]);
    ensure!(filled.len() > 262_000, "{} made-up origins", filled.len());
    for way in ["tcp4", "tcp6", "fastopen"] {
        field.refuses(way, "publish")?;
    }
    for key in &filled {
        // The daemon may have tidied up.
        let _ = origins.remove(key);
    }
    field.refuses("tcp4", "redirected")
}

#[test]
fn a_new_cgroup_whose_label_cannot_be_stored_is_refused() -> Result<()> {
    let far = Netns::new("far")?;
    let _server = server(&far)?;
    let sniffer = Sniffer::start(&far)?;
    let (pool, other) = (Cgroup::new("pool")?, Cgroup::new("other")?);
    let workload = Setup::workload("job", &format!("{}/job-*", pool.name()));
    let body = format!("{workload}\n[resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n");
    let mut sluice = Sluice::start(&Setup { body, ..setup("unused") }, None)?;
    let mut cgroups = map::<u64, [u32; 3]>(&sluice, "CGROUPS")?;
    let filled = fill(&mut cgroups, |n| u64::MAX - n, [0, 0, 0]);
    ensure!(filled.len() > 100_000, "{} made-up cgroups", filled.len());
    let job = pool.child("job-late")?;
    let seen = || sniffer.count(&format!("port {FIRST}"));
    for alive in [true, false] {
        if !alive {
            sluice.kill();
        }
        for way in ["tcp4", "tcp6", "udp4", "udplite"] {
            let before = seen()?;
            let said = Try { far: &far, way, port: FIRST }.from(&Place::here().cgroup(&job), &other)?;
            ensure!(seen()? == before, "{way}, alive: {alive}: {said}");
        }
        let before = seen()?;
        let said = Try { far: &far, way: "tcp4", port: FIRST }.from(&Place::here().cgroup(&other), &other)?;
        ensure!(seen()? > before, "without a label, alive: {alive}: {said}");
    }
    ensure!(cgroups.get(&std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(job.path())?), 0).is_err());
    Ok(())
}
