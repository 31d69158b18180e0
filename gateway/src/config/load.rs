//! From the text of `gateway.toml` to a [`Config`], or to every error in it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::node::{Node, ThisNode};
use super::problem::{Problem, Problems};
use super::read::{Item, Section, Source};
use super::resource::{self, resource};
use super::{
    Capture, CgroupPattern, Config, Control, Intercept, Match, Mode, OnGatewayDown, PatternError, User, Workload,
};
use crate::access::Name;

/// No configuration that people write comes near; a file that is larger is the wrong file.
const MAX_BYTES: u64 = 1024 * 1024;

impl Config {
    /// Reads and validates the file.
    ///
    /// # Errors
    /// Everything that is wrong in it, each with its place and a way out.
    pub fn load(file: &Path) -> Result<Config, Problems> {
        let text = read_bounded(file, MAX_BYTES)?;
        Config::parse(file, &text, &ThisNode)
    }

    /// Validates a text that was read from `file`: paths in it are relative to the file's folder.
    ///
    /// # Errors
    /// Everything that is wrong in it, each with its place and a way out.
    pub fn parse(file: &Path, text: &str, node: &dyn Node) -> Result<Config, Problems> {
        let source = Source::new(file, text);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let span = error.span().unwrap_or(text.len()..text.len());
            source.report(span, "", error.message(), "");
        }
        let config = config(&Reader { folder: parent(file), node }, Section::root(&source, &table));
        let problems = source.into_problems();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(Problems::new(problems)),
        }
    }
}

/// Reads a file of text that has to be at most `max` bytes long.
pub(crate) fn read_bounded(file: &Path, max: u64) -> Result<String, Problems> {
    let problem = |message: String, help: &str| Problems(vec![Problem::whole_file(file, message, help)]);
    let opened = std::fs::File::open(file)
        .map_err(|e| problem(format!("cannot be opened: {e}"), "check the path and who may read it"))?;
    let mut bytes = Vec::new();
    opened
        .take(max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| problem(format!("cannot be read: {e}"), "check the path and who may read it"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
        return Err(problem(format!("is longer than {max} bytes"), "is it the right file?"));
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        problem(format!("is not UTF-8 at byte {at}"), "save it as UTF-8")
    })
}

fn parent(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What every part of the file is read with.
pub(super) struct Reader<'a> {
    folder: &'a Path,
    pub(super) node: &'a dyn Node,
}

impl Reader<'_> {
    /// A path: what is relative in the file is relative to its folder.
    pub(super) fn path(&self, item: &Item<'_, '_>) -> Option<PathBuf> {
        let text = item.string()?;
        if text.is_empty() {
            item.fail("is empty", "write a path");
            return None;
        }
        Some(self.folder.join(text))
    }

    /// A path of a file that has to be there.
    pub(super) fn existing_file(&self, item: &Item<'_, '_>) -> Option<PathBuf> {
        let path = self.path(item)?;
        if let Err(why) = self.node.readable(&path) {
            item.fail(format!("{}: {why}", path.display()), "put the file there, or correct the path");
        }
        Some(path)
    }
}

/// A name of the operator's: of a workload, a resource, a group, a tag or a user.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

pub(super) const NAME_HELP: &str =
    "names are letters, digits, `_`, `-` and `.`, begin with a letter, a digit or `_`, and have at most 64 characters";

/// A list of names without duplicates.
pub(super) fn names(item: &Item<'_, '_>) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    for entry in item.list().unwrap_or_default() {
        let Some(text) = entry.string() else { continue };
        if !is_name(text) {
            entry.fail(format!("{text:?} is not a name"), NAME_HELP);
        } else if names.iter().any(|name| **name == *text) {
            entry.fail(format!("{text:?} is there twice"), "leave one out");
        } else {
            names.push(text.into());
        }
    }
    names
}

fn config(reader: &Reader<'_>, mut root: Section<'_, '_>) -> Option<Config> {
    let path = |item: Option<Item<'_, '_>>, default: &str| match item {
        Some(item) => reader.path(&item),
        None => Some(default.into()),
    };
    let state_dir = path(root.get("state_dir"), "/var/lib/sluice");
    let policies = path(root.get("policies"), "/etc/sluice/policies");
    let intercept = intercept(reader, root.section("intercept"));
    let control = control(reader, root.section("control"));
    let workloads = named(root.section("workloads"), |name, section| workload(reader, name, section));
    duplicate_matches(&root.section("workloads"), &workloads);
    let resources = named(root.section("resources"), |name, section| resource(reader, name, section));
    resource::indistinguishable(&root.section("resources"), &resources);
    let users = named(root.section("users"), |name, mut section| {
        let groups = section.require("groups", "write groups = [\"dba\"]").map(|item| names(&item));
        section.finish();
        Some(User { name, groups: groups? })
    });
    root.finish();
    Some(Config {
        state_dir: state_dir?,
        policies: policies?,
        intercept: intercept?,
        control: control?,
        workloads,
        resources,
        users,
    })
}

/// A table whose keys are names of the operator's.
fn named<T>(
    section: Section<'_, '_>,
    mut read: impl FnMut(Name, Section<'_, '_>) -> Option<T>,
) -> BTreeMap<Name, Arc<T>> {
    let mut values = BTreeMap::new();
    for (entry, item) in section.entries() {
        if !is_name(entry.name) {
            entry.fail("is not a name", NAME_HELP);
        }
        let name: Name = entry.name.into();
        if let Some(value) = read(name.clone(), item.section()) {
            values.insert(name, Arc::new(value));
        }
    }
    values
}

fn intercept(reader: &Reader<'_>, mut section: Section<'_, '_>) -> Option<Intercept> {
    let capture = match section.get("capture") {
        Some(item) => item.word(&[("all", Capture::All), ("listed", Capture::Listed)]),
        None => Some(Capture::All),
    };
    let pin_dir = match section.get("pin_dir") {
        Some(item) => reader.path(&item),
        None => Some("/sys/fs/bpf/sluice".into()),
    };
    let on_gateway_down = match section.get("on_gateway_down") {
        Some(item) => item.word(&[("closed", OnGatewayDown::Closed), ("open", OnGatewayDown::Open)]),
        None => Some(OnGatewayDown::Closed),
    };
    let allow_udp = match section.get("allow_udp") {
        Some(item) => item.list().unwrap_or_default().iter().filter_map(socket_addr).collect(),
        None => reader.node.resolvers(),
    };
    section.finish();
    Some(Intercept { capture: capture?, pin_dir: pin_dir?, on_gateway_down: on_gateway_down?, allow_udp })
}

fn control(reader: &Reader<'_>, mut section: Section<'_, '_>) -> Option<Control> {
    let socket = match section.get("socket") {
        Some(item) => reader.path(&item),
        None => Some("/run/sluice/control.sock".into()),
    };
    if let Some(item) = section.get("group")
        && let Some(group) = item.string()
    {
        match reader.node.has_group(group) {
            Ok(true) => {}
            Ok(false) => item.fail(format!("this node has no group {group:?}"), "create it, or name another"),
            Err(why) => item.fail(format!("the groups of this node cannot be read: {why}"), ""),
        }
    }
    let group = section.get("group").and_then(|item| match item.is_string() {
        true => item.string().map(str::to_owned),
        false => None,
    });
    let listen = section.get("listen").map(|item| socket_addr(&item));
    section.finish();
    let listen = match listen {
        Some(read) => Some(read?),
        None => None,
    };
    Some(Control { socket: socket?, group, listen })
}

fn socket_addr(item: &Item<'_, '_>) -> Option<SocketAddr> {
    let text = item.string()?;
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Some(address),
        _ => {
            let help = "write address and port, as in \"127.0.0.53:53\" or \"[::1]:53\"";
            item.fail(format!("{text:?} is not an IP address with a port"), help);
            None
        }
    }
}

fn workload(reader: &Reader<'_>, name: Name, mut section: Section<'_, '_>) -> Option<Workload> {
    const HELP: &str = "write match = { cgroup = \"/ci.slice/nightly-*\" } or match = { user = \"ci\" }";
    let matcher = section.require("match", HELP).and_then(|item| {
        let mut ways = item.section();
        let (by_cgroup, by_user) = (ways.get("cgroup"), ways.get("user"));
        let matcher = match (&by_cgroup, &by_user) {
            (Some(pattern), None) => cgroup(pattern),
            (None, Some(user)) => by_name(reader, user),
            (Some(_), Some(_)) => {
                ways.fail("has two ways to match", "split it into two workloads, one for each");
                None
            }
            (None, None) => {
                if item.is_table() {
                    ways.fail("has no way to match", HELP);
                }
                None
            }
        };
        ways.finish();
        matcher
    });
    let groups = section.get("groups").map(|item| names(&item)).unwrap_or_default();
    let mode = match section.get("mode") {
        Some(item) => item.word(&[("enforce", Mode::Enforce), ("observe", Mode::Observe)]),
        None => Some(Mode::Enforce),
    };
    section.finish();
    Some(Workload { name, matcher: matcher?, groups, mode: mode? })
}

fn cgroup(item: &Item<'_, '_>) -> Option<Match> {
    let text = item.string()?;
    match CgroupPattern::parse(text) {
        Ok(pattern) => Some(Match::Cgroup(pattern)),
        Err(PatternError { message, help }) => {
            item.fail(message, help);
            None
        }
    }
}

fn by_name(reader: &Reader<'_>, item: &Item<'_, '_>) -> Option<Match> {
    let name = item.string()?;
    match reader.node.uid(name) {
        Ok(Some(0)) => item.fail("labels root, and with it the gateway", "run the workload as a user of its own"),
        Ok(Some(uid)) => return Some(Match::User { name: name.to_owned(), uid }),
        Ok(None) => item.fail(format!("this node has no user {name:?}"), "create it, or name another"),
        Err(why) => item.fail(format!("the users of this node cannot be read: {why}"), ""),
    }
    None
}

/// Two workloads that match the same processes: which one a process belongs to would be chance.
fn duplicate_matches(section: &Section<'_, '_>, workloads: &BTreeMap<Name, Arc<Workload>>) {
    let mut seen: BTreeMap<String, &Name> = BTreeMap::new();
    let mut reported = BTreeSet::new();
    for (name, workload) in workloads {
        let key = match &workload.matcher {
            Match::Cgroup(pattern) => format!("cgroup {pattern}"),
            Match::User { uid, .. } => format!("uid {uid}"),
        };
        if let Some(first) = seen.get(&key) {
            reported.insert((name.clone(), Name::clone(first)));
        } else {
            seen.insert(key, name);
        }
    }
    for (entry, _) in section.entries() {
        for (_, first) in reported.iter().filter(|(name, _)| **name == *entry.name) {
            entry.fail(format!("matches the same processes as workload {first:?}"), "merge the two, or narrow one");
        }
    }
}
