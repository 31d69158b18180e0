//! One policy: what it refers to, what it adds, and what its conditions read.

use std::collections::BTreeSet;
use std::time::Duration;

use cedar_policy::{Effect, Policy};
use serde_json::Value;

use super::{ApprovalRule, Known};
use crate::access::Name;
use crate::mask::{Mask, NoMask};

/// What a policy means beyond Cedar.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// Its `@id`.
    pub(super) id: Name,
    /// Its `@reason`.
    pub(super) reason: Option<String>,
    /// Its `@mask`.
    pub(super) mask: Option<Mask>,
    /// Its `@approve`.
    pub(super) approval: Option<ApprovalRule>,
}

impl Rule {
    /// Whether it only adds to what another policy permits.
    pub(super) fn is_obligation(&self) -> bool {
        self.mask.is_some() || self.approval.is_some()
    }
}

/// What is wrong with a policy, and what to do.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) help: String,
}

fn fault(message: impl Into<String>, help: impl Into<String>) -> Fault {
    Fault { message: message.into(), help: help.into() }
}

/// Reads a policy's annotations and checks every name in it against the configuration.
pub(super) fn rule(policy: &Policy, known: &Known, faults: &mut Vec<Fault>) -> Option<Rule> {
    let before = faults.len();
    let annotations: Vec<(&str, &str)> = policy.annotations().collect();
    for (key, _) in &annotations {
        if !["id", "reason", "mask", "approve", "quorum", "timeout"].contains(key) {
            faults.push(fault(
                format!("@{key} is no annotation of this gateway"),
                "use @id, @reason, @mask, @approve, @quorum or @timeout",
            ));
        }
    }
    let value = |key: &str| annotations.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
    let id = value("id").filter(|id| !id.is_empty());
    if id.is_none() {
        faults.push(fault("has no @id", "begin it with @id(\"a-name\"): errors and recordings name it"));
    }
    let mask = value("mask").and_then(|word| match word.parse::<Mask>() {
        Ok(mask) => Some(mask),
        Err(NoMask { message, help }) => {
            faults.push(fault(message, help));
            None
        }
    });
    let approval = value("approve").map(|group| approval(group, id, value("quorum"), value("timeout"), known, faults));
    if approval.is_none() && (value("quorum").is_some() || value("timeout").is_some()) {
        faults.push(fault("@quorum and @timeout belong to an @approve", "add @approve(\"group\"), or leave them out"));
    }
    let obliges = value("mask").is_some() || approval.is_some();
    if policy.effect() == Effect::Forbid && obliges {
        faults
            .push(fault("a forbid blocks, it cannot add a mask or an approval", "make it a permit, or leave them out"));
    }
    match policy.to_json() {
        Ok(json) => names(&json, known, faults),
        Err(error) => faults.push(fault(format!("cannot be read: {error}"), "write it as a static policy")),
    }
    (faults.len() == before).then(|| Rule {
        id: id.unwrap_or_default().into(),
        reason: value("reason").map(str::to_owned),
        mask,
        approval: approval.flatten(),
    })
}

fn approval(
    group: &str,
    id: Option<&str>,
    quorum: Option<&str>,
    timeout: Option<&str>,
    known: &Known,
    faults: &mut Vec<Fault>,
) -> Option<ApprovalRule> {
    if !known.groups.contains(group) {
        faults.push(fault(
            format!("@approve({group:?}) names a group that gateway.toml does not know"),
            "give a [users.NAME] that group",
        ));
    }
    let quorum = match quorum.unwrap_or("1").parse::<u32>() {
        Ok(n) if n > 0 => Some(n),
        _ => {
            faults.push(fault("@quorum is not a number of people", "write @quorum(\"2\")"));
            None
        }
    };
    let timeout = duration(timeout.unwrap_or("15m"));
    if timeout.is_none() {
        faults.push(fault("@timeout is not a time", "write @timeout(\"30s\"), (\"15m\") or (\"2h\"), up to 24 h"));
    }
    Some(ApprovalRule { group: group.into(), quorum: quorum?, timeout: timeout?, policy: id?.into() })
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => number,
        'm' => number.checked_mul(60)?,
        'h' => number.checked_mul(3600)?,
        _ => return None,
    };
    (1..=86_400).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// Checks every entity that a policy names. Tables, columns and functions begin with their resource's name.
fn names(json: &Value, known: &Known, faults: &mut Vec<Fault>) {
    match json {
        Value::Array(items) => items.iter().for_each(|item| names(item, known, faults)),
        Value::Object(fields) => {
            if let (Some(Value::String(kind)), Some(Value::String(id))) = (fields.get("type"), fields.get("id")) {
                name(kind, id, known, faults);
            }
            fields.values().for_each(|value| names(value, known, faults));
        }
        _ => {}
    }
}

fn name(kind: &str, id: &str, known: &Known, faults: &mut Vec<Fault>) {
    let (set, what, help): (&BTreeSet<Name>, &str, &str) = match kind {
        "Tag" => (&known.tags, id, "give a resource or a sensitive object that tag"),
        "Group" => (&known.groups, id, "give a workload or a user that group"),
        "Workload" => (&known.workloads, id, "add [workloads.NAME]"),
        "User" => (&known.users, id, "add [users.NAME]"),
        "Resource" => (&known.resources, id, "add [resources.NAME]"),
        "Table" | "Column" | "Function" => {
            (&known.resources, id.split('/').next().unwrap_or_default(), "begin it with a resource's name")
        }
        _ => return,
    };
    if !set.contains(what) {
        faults.push(fault(format!("{kind}::{id:?} is not in gateway.toml"), help));
    }
}

/// Adds the attributes of the context that a policy's conditions read; all of them where that cannot be told.
pub(super) fn reads(json: &Value, attributes: &mut BTreeSet<String>) {
    match json {
        Value::Array(items) => items.iter().for_each(|item| reads(item, attributes)),
        Value::Object(fields) => {
            for (key, value) in fields {
                let attribute = value.get("attr").and_then(Value::as_str);
                match attribute {
                    Some(attribute) if (key == "." || key == "has") && value.get("left").is_some_and(is_context) => {
                        attributes.insert(attribute.to_owned());
                    }
                    _ if key == "Var" && value == "context" => {
                        attributes
                            .extend(["text", "fingerprint", "in_transaction", "hour", "weekday"].map(str::to_owned));
                    }
                    _ => reads(value, attributes),
                }
            }
        }
        _ => {}
    }
}

fn is_context(value: &Value) -> bool {
    value.get("Var").is_some_and(|variable| variable == "context")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_a_limit() {
        assert_eq!(duration("15m"), Some(Duration::from_secs(900)));
        for bad in ["", "15", "m", "0s", "25h", "-1s", "99999999999999999999h", "1d", "1ß"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_a_condition_reads_is_told() {
        let policy: Policy =
            "permit (principal, action, resource) when { context.hour > 8 && context has weekday };".parse().unwrap();
        let mut read = BTreeSet::new();
        reads(&policy.to_json().unwrap(), &mut read);
        assert_eq!(read, BTreeSet::from(["hour".to_owned(), "weekday".to_owned()]));
    }
}
