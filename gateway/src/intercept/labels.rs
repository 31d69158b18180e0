//! Labels in the kernel: which workload a cgroup or user is, for what is there already. New cgroups are labelled by the
//! kernel side itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use aya::maps::MapError;
use gateway_ebpf::{CGROUPS_LABEL_MAX, Cgroup as Known, LabelState, NO_LABEL, PATTERN_HALF, PatternState};

use super::cgroups::{self, CgroupError, Root};
use super::diag::{self, Doomed};
use super::maps::{Maps, Raw, gone, sync};
use super::patterns::Automaton;
use super::plan::Plan;
use super::shares::Shares;

/// linux/bpf.h: only where there is none yet, only where there is one.
const BPF_NOEXIST: u64 = 1;
const BPF_EXIST: u64 = 2;

/// How many unlabelled cgroups are written at most, to save the programs a walk.
const UNLABELLED_MAX: usize = 16_384;

/// Why labels cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The tree cannot be read.
    #[error(transparent)]
    Cgroups(#[from] CgroupError),
    /// A table of the kernel side does not take an entry.
    #[error("a label cannot be stored in the kernel: {0}")]
    Map(#[from] MapError),
}

/// A cgroup of the tree and what it should be labelled.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) cgroup: cgroups::Cgroup,
    pub(super) label: u32,
    /// The labelled cgroup that it is or is below.
    top: Option<u64>,
    /// The cgroup above it; the root has none.
    above: Option<u64>,
}

/// The whole tree at one moment, and who runs in it.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) found: Vec<Found>,
    /// Labelled processes, with their labels: by cgroup, then by user.
    pub(super) processes: Vec<(u32, u32)>,
    /// What the kernel knew before.
    held: HashMap<u64, Known>,
}

/// What had no label before.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    /// The topmost of each.
    cgroups: HashSet<u64>,
    /// Users, and which labels they have.
    pub(super) uids: HashMap<u32, u32>,
}

/// Tells the kernel side everything but which cgroups are whose: labels, settings, patterns, users, allowed datagrams.
/// What is labelled stays so until the end, and a label is known before anything has it.
pub(super) fn apply(plan: &Plan, maps: &mut Maps, shares: &mut Shares) -> Result<Fresh, MapError> {
    let held: HashSet<u32> = maps.labels.keys().collect::<Result<_, _>>()?;
    let new: Vec<u32> = plan.labels.keys().chain([&NO_LABEL]).copied().filter(|label| !held.contains(label)).collect();
    // Counts of an earlier label of that name mean nothing to this one.
    shares.begin(&new, maps)?;
    for label in new {
        maps.labels.insert(label, Raw(LabelState::default()), BPF_NOEXIST)?;
    }
    sync(&mut maps.allow_udp, &plan.allow_udp)?;
    let running = maps.settings.get(&0, 0)?.0;
    let mut settings = plan.settings;
    if !plan.automaton.is_empty() {
        let base = if running.pattern_start > 0 && running.pattern_start < PATTERN_HALF { PATTERN_HALF } else { 0 };
        write_automaton(&plan.automaton, base, maps)?;
        settings.pattern_start = base + 1;
    }
    let held: HashSet<u32> = maps.uids.keys().collect::<Result<_, _>>()?;
    let fresh = plan.uids.iter().map(|(uid, label)| (*uid, *label)).filter(|(uid, _)| !held.contains(uid)).collect();
    if settings.by_uid == 1 {
        // A user's sockets are in whatever cgroup they were made.
        maps.strays()?;
    }
    // By uid is looked up from the first labelled user to the last.
    if settings.by_uid == 0 {
        sync(&mut maps.uids, &plan.uids)?;
        maps.settings.set(0, Raw(settings), 0)?;
    } else {
        maps.settings.set(0, Raw(settings), 0)?;
        sync(&mut maps.uids, &plan.uids)?;
    }
    Ok(Fresh { cgroups: HashSet::new(), uids: fresh })
}

/// Into the half that is not in use. `base` is its first state.
fn write_automaton(automaton: &Automaton, base: u32, maps: &mut Maps) -> Result<(), MapError> {
    let offset = u16::try_from(base).unwrap_or(0);
    for (number, state) in (base..).zip(&automaton.states).skip(1) {
        let next = state.next.map(|next| if next == 0 { 0 } else { next.saturating_add(offset) });
        maps.patterns.set(number, Raw(PatternState { label: state.label, reserved: 0, next }), 0)?;
    }
    Ok(())
}

/// Takes workloads that are not configured any more out of the kernel. Sockets that were made under their labels are
/// refused from here on.
pub(super) fn forget(plan: &Plan, maps: &mut Maps, shares: &mut Shares) -> Result<(), MapError> {
    let held: Vec<u32> = maps.labels.keys().collect::<Result<_, _>>()?;
    for label in held.into_iter().filter(|label| *label != NO_LABEL && !plan.labels.contains_key(label)) {
        gone(maps.labels.remove(&label))?;
        shares.end(label, maps)?;
    }
    Ok(())
}

/// Looks at the whole tree and all labelled processes; changes nothing.
///
/// # Errors
/// Some of it cannot be read. Then nothing can be said to be gone.
pub(super) fn survey(root: &Root, plan: &Plan, maps: &Maps) -> Result<Survey, LabelError> {
    // Before the walk: what is held and not found is then a cgroup that is gone.
    let held = maps.cgroups.iter().map(|entry| entry.map(|(id, known)| (id, known.0))).collect::<Result<_, _>>()?;
    let top = root.cgroup();
    let mut found = vec![Found { cgroup: top.clone(), label: NO_LABEL, top: None, above: None }];
    root.walk((NO_LABEL, None, top.id), &mut |cgroup, (inherited, top, above)| {
        let label = if inherited == NO_LABEL { plan.automaton.label(&cgroup.path) } else { inherited };
        let top = top.or((label != NO_LABEL).then_some(cgroup.id));
        found.push(Found { cgroup: cgroup.clone(), label, top, above: Some(above) });
        (label, top, cgroup.id)
    })?;
    let mut processes = Vec::new();
    for found in found.iter().filter(|found| found.label != NO_LABEL) {
        processes.extend(cgroups::processes(&found.cgroup.folder)?.into_iter().map(|pid| (pid, found.label)));
    }
    processes.extend(processes_of(&plan.uids)?);
    Ok(Survey { found, processes, held })
}

/// Makes the kernel's table say what the survey says.
pub(super) fn write(survey: &Survey, maps: &mut Maps, fresh: &mut Fresh) -> Result<(), MapError> {
    let written = write_cgroups(survey, maps, fresh);
    // Whatever became of the rest: what was written is another label.
    maps.labels_changed()?;
    written?;
    let there: HashSet<u64> = survey.found.iter().map(|found| found.cgroup.id).collect();
    for id in survey.held.keys().filter(|id| !there.contains(id)) {
        gone(maps.cgroups.remove(id))?;
    }
    Ok(())
}

fn write_cgroups(survey: &Survey, maps: &mut Maps, fresh: &mut Fresh) -> Result<(), MapError> {
    let mut stored: HashMap<u32, i64> = HashMap::new();
    for known in survey.held.values() {
        *stored.entry(known.label).or_default() += 1;
    }
    let mut unlabelled = survey.held.values().filter(|known| known.label == NO_LABEL).count();
    for Found { cgroup, label, top, above } in &survey.found {
        let own = *top == Some(cgroup.id);
        match survey.held.get(&cgroup.id) {
            Some(known) if known.label == *label => {}
            Some(known) => {
                if *label == NO_LABEL {
                    // Sockets that were made in it keep theirs.
                    maps.strays()?;
                }
                let known = Known { label: *label, ..*known };
                // One that is gone meanwhile has been removed.
                gone(maps.cgroups.insert(cgroup.id, Raw(known), BPF_EXIST))?;
                if own {
                    fresh.cgroups.insert(cgroup.id);
                }
            }
            // The programs look upwards.
            None if *label != NO_LABEL && !own => {}
            None if *label == NO_LABEL && unlabelled >= UNLABELLED_MAX && above.is_some() => {}
            None if own && stored.get(label).is_some_and(|stored| *stored >= CGROUPS_LABEL_MAX) => {
                crowd(above.unwrap_or(cgroups::ROOT_ID), maps)?;
            }
            None => {
                *stored.entry(*label).or_default() += 1;
                let known = Known { label: *label, counted: 0, crowded: 0 };
                match maps.cgroups.insert(cgroup.id, Raw(known), BPF_NOEXIST) {
                    // Made since, and labelled by the kernel side.
                    Err(error) if exists(&error) => {}
                    Err(_) if *label == NO_LABEL => {}
                    other => {
                        other?;
                        if own {
                            fresh.cgroups.insert(cgroup.id);
                        }
                    }
                }
                unlabelled += usize::from(*label == NO_LABEL);
            }
        }
    }
    Ok(())
}

/// A cgroup below `above`, which is unlabelled, has a label and no entry, because its workload has as many as it may.
fn crowd(above: u64, maps: &mut Maps) -> Result<(), MapError> {
    let held = match maps.cgroups.get(&above, 0) {
        Ok(Raw(held)) if held.crowded == 1 => return Ok(()),
        Ok(Raw(held)) => held,
        Err(MapError::KeyNotFound) => Known { label: NO_LABEL, counted: 0, crowded: 0 },
        Err(error) => return Err(error),
    };
    maps.cgroups.insert(above, Raw(Known { crowded: 1, ..held }), 0)
}

fn exists(error: &MapError) -> bool {
    matches!(error, MapError::SyscallError(call) if call.io_error.raw_os_error() == Some(libc::EEXIST))
}

impl Survey {
    /// How many cgroups a label was given to by their own paths.
    pub(super) fn labelled(&self) -> usize {
        self.found.iter().filter(|found| found.top == Some(found.cgroup.id)).count()
    }

    /// Whose connections are older than their label.
    ///
    /// # Errors
    /// A cgroup cannot be read.
    pub(super) fn doomed(&self, fresh: &Fresh) -> Result<Doomed, CgroupError> {
        let mut doomed = Doomed { uids: fresh.uids.keys().copied().collect(), ..Doomed::default() };
        // In a user namespace of theirs users have other uids.
        let users: HashSet<u32> = fresh.uids.values().copied().collect();
        let held = self.processes.iter().filter(|(_, label)| users.contains(label));
        doomed.inodes.extend(held.flat_map(|(pid, _)| diag::held_by(*pid)));
        for found in &self.found {
            if found.label != NO_LABEL && found.top.is_some_and(|top| fresh.cgroups.contains(&top)) {
                doomed.cgroups.insert(found.cgroup.id);
                // Again: one may have come since the survey.
                let pids = cgroups::processes(&found.cgroup.folder)?;
                doomed.inodes.extend(pids.into_iter().flat_map(diag::held_by));
            }
        }
        Ok(doomed)
    }
}

impl Fresh {
    pub(super) fn is_empty(&self) -> bool {
        self.cgroups.is_empty() && self.uids.is_empty()
    }
}

/// Processes of labelled users, with their labels.
fn processes_of(uids: &BTreeMap<u32, u32>) -> Result<Vec<(u32, u32)>, CgroupError> {
    if uids.is_empty() {
        return Ok(Vec::new());
    }
    let found = cgroups::processes_of_users(|uid| uids.contains_key(&uid))?;
    Ok(found.into_iter().filter_map(|(pid, uid)| Some((pid, *uids.get(&uid)?))).collect())
}
