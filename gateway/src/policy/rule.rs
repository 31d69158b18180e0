//! One policy: what it refers to, what it adds, and what its conditions read.

use std::collections::BTreeSet;
use std::time::Duration;

use cedar_policy::{Effect, Policy};
use serde_json::Value;

use super::{ApprovalRule, Known, ResourceRef};
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
    /// Which objects it makes a difference between.
    objects: Objects,
}

/// Which objects of a resource a policy can tell apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Objects {
    /// Those with these tags.
    tags: BTreeSet<Name>,
    /// Those of these resources.
    resources: BTreeSet<Name>,
    /// Any.
    any: bool,
}

impl Rule {
    /// Whether it only adds to what another policy permits.
    pub(super) fn is_obligation(&self) -> bool {
        self.mask.is_some() || self.approval.is_some()
    }

    /// Whether it may answer otherwise about one object of the resource than about another, or masks any.
    pub(super) fn protects(&self, resource: &ResourceRef, sensitive: &BTreeSet<Name>) -> bool {
        let Objects { tags, resources, any } = &self.objects;
        // A tag of the resource itself is every object's.
        let masks = self.mask.is_some() && resource.tags.iter().any(|tag| tags.contains(tag));
        *any || masks || resources.contains(&resource.name) || tags.intersection(sensitive).next().is_some()
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
    let mut objects = Objects::default();
    match policy.to_json() {
        Ok(json) => {
            names(&json, known, faults);
            objects = told_apart(&json, mask.is_some());
        }
        Err(error) => faults.push(fault(format!("cannot be read: {error}"), "write it as a static policy")),
    }
    (faults.len() == before).then(|| Rule {
        id: id.unwrap_or_default().into(),
        reason: value("reason").map(str::to_owned),
        mask,
        approval: approval.flatten(),
        objects,
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

/// Which objects a policy can tell apart. A mask is one for every object that it is on.
fn told_apart(json: &Value, masks: bool) -> Objects {
    let mut objects = Objects::default();
    let scope = json.get("resource");
    let scope_of = |key: &str| scope.and_then(|scope| scope.get(key)).and_then(Value::as_str);
    objects.any = scope_of("op") == Some("is") || (masks && scope_of("op") == Some("All"));
    objects.any |= json.get("conditions").is_none_or(reads_object);
    if let Some(scope) = scope {
        objects.add(scope, masks);
    }
    objects
}

impl Objects {
    fn add(&mut self, scope: &Value, masks: bool) {
        let text = |key: &str| scope.get("entity").and_then(|entity| entity.get(key)).and_then(Value::as_str);
        match (text("type"), text("id")) {
            (Some("Tag"), Some(tag)) => {
                self.tags.insert(tag.into());
            }
            // Every object of it is meant alike.
            (Some("Resource"), Some(_)) if !masks => {}
            (Some(_), Some(id)) => {
                self.resources.insert(id.split('/').next().unwrap_or_default().into());
            }
            _ => self.any |= scope.get("op").and_then(Value::as_str) != Some("All"),
        }
    }
}

/// Whether conditions read the object that is asked about.
fn reads_object(json: &Value) -> bool {
    match json {
        Value::Array(items) => items.iter().any(reads_object),
        Value::Object(fields) => {
            fields.iter().any(|(key, value)| (key == "Var" && value == "resource") || reads_object(value))
        }
        _ => false,
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
    fn a_policy_protects_what_it_tells_apart() {
        let sensitive = BTreeSet::from([Name::from("pii")]);
        let orders = ResourceRef { name: "orders".into(), tags: ["prod".into()].into() };
        let protects = |mask: bool, scope: &str| {
            let policy: Policy = format!("permit (principal, action, {scope};").parse().unwrap();
            let rule = Rule {
                id: "x".into(),
                reason: None,
                mask: mask.then_some(Mask::Whole),
                approval: None,
                objects: told_apart(&policy.to_json().unwrap(), mask),
            };
            rule.protects(&orders, &sensitive)
        };
        for (scope, plain, mask) in [
            ("resource)", false, true),
            ("resource) when { context.hour > 8 }", false, true),
            ("resource == Resource::\"orders\")", false, true),
            ("resource in Resource::\"other\")", false, false),
            ("resource in Tag::\"prod\")", false, true),
            ("resource in Tag::\"other\")", false, false),
            ("resource in Tag::\"pii\")", true, true),
            ("resource == Table::\"orders/appdb/public.users\")", true, true),
            ("resource in Table::\"other/appdb/public.users\")", false, false),
            ("resource is Column)", true, true),
            ("resource) unless { resource in Tag::\"other\" }", true, true),
        ] {
            assert_eq!((protects(false, scope), protects(true, scope)), (plain, mask), "{scope}");
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
