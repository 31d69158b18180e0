//! What policies mean: the design's own examples, and every load error.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::access::{Action, ColumnName, Facts, Object, TableName, Tags};

const CONFIG: &str = r#"
state_dir = "/tmp/s"
policies = "policies"
[workloads.job]
match = { cgroup = "/job" }
groups = ["ci"]
[users.ann]
groups = ["dba"]
[resources.orders]
protocol = "postgres"
address = "192.0.2.1:5432"
tags = ["prod"]
[resources.orders.sensitive]
"public.users.ssn" = ["pii"]
"#;

const POLICY: &str = r#"
@id("baseline")
permit (principal in Group::"ci",
        action in [Action::"connect", Action::"sql.session", Action::"sql.query", Action::"sql.write"], resource);

@id("no-drop-in-prod") @reason("destructive DDL is blocked on production")
forbid (principal, action == Action::"sql.drop", resource in Tag::"prod");

@id("unbounded-write") @approve("dba") @quorum("2") @timeout("15m")
permit (principal, action in [Action::"sql.delete", Action::"sql.update"], resource in Tag::"prod")
when { !context.bounded };

@id("pii") @mask("partial")
permit (principal, action == Action::"sql.read", resource in Tag::"pii");
"#;

fn load(policy: &str) -> Result<Policies, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    std::fs::create_dir(&policies).unwrap();
    std::fs::write(policies.join("p.cedar"), policy).unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, CONFIG).unwrap();
    Policies::load(&Config::load(&file).unwrap(), 1)
}

use crate::config::Problems;

fn object(table: &str, column: Option<&str>) -> Object {
    let table = TableName { database: "appdb".into(), schema: "public".into(), table: table.into() };
    match column {
        None => Object::Table(table.into()),
        Some(column) => Object::Column(ColumnName { table, column: column.into() }.into()),
    }
}

fn decide_at(
    policies: &Policies,
    action: Action,
    object: Object,
    tags: &[&str],
    bounded: bool,
    at: SystemTime,
) -> Decision {
    let principal = Principal { workload: "job".into(), groups: Arc::new(["ci".into()]), claims: Arc::new([]) };
    let resource = ResourceRef { name: "orders".into(), tags: Arc::new(["prod".into()]) };
    let facts = Facts { bounded, ..Facts::default() };
    let effect = Effect { action, object, tags: Tags::new(tags.iter().map(|tag| (*tag).into())), facts };
    let context = SqlContext { text: "select 1", fingerprint: "f", in_transaction: false, at };
    let request = Request { principal: &principal, resource: &resource, effect: &effect, context: &context };
    let mut memo = Memo::default();
    let first = policies.decide_cached(&mut memo, &request);
    assert_eq!(first, policies.decide_cached(&mut memo, &request));
    first
}

fn decide(policies: &Policies, action: Action, object: Object, tags: &[&str], bounded: bool) -> Decision {
    decide_at(policies, action, object, tags, bounded, SystemTime::now())
}

fn obligations(decision: Decision) -> Obligations {
    match decision {
        Decision::Permit(obligations) => (*obligations).clone(),
        Decision::Deny(denial) => panic!("{denial:?}"),
    }
}

fn denial(decision: Decision) -> Denial {
    match decision {
        Decision::Deny(denial) => (*denial).clone(),
        Decision::Permit(obligations) => panic!("{obligations:?}"),
    }
}

#[test]
fn the_first_policy_of_the_readme_means_what_it_says() {
    let policies = load(POLICY).unwrap();
    let plain = obligations(decide(&policies, Action::SqlRead, object("users", Some("id")), &[], false));
    assert_eq!(plain, Obligations::default());
    let masked = obligations(decide(&policies, Action::SqlRead, object("users", Some("ssn")), &["pii"], false));
    assert_eq!(masked.mask, Some(Mask::PARTIAL));
    let drop = denial(decide(&policies, Action::SqlDrop, object("users", None), &[], false));
    assert_eq!(drop.reason, "destructive DDL is blocked on production");
    assert_eq!(drop.policies, ["no-drop-in-prod".into()]);
    assert!(obligations(decide(&policies, Action::SqlUpdate, object("users", None), &[], true)).approvals.is_empty());
    let held = obligations(decide(&policies, Action::SqlUpdate, object("users", None), &[], false)).approvals;
    assert_eq!((&*held[0].group, held[0].quorum, held[0].timeout), ("dba", 2, Duration::from_secs(900)));
}

#[test]
fn an_obligation_grants_nothing_and_nothing_is_granted_that_no_policy_names() {
    let policies =
        load("@id(\"pii\") @mask(\"null\") permit (principal, action == Action::\"sql.read\", resource);").unwrap();
    let none = denial(decide(&policies, Action::SqlRead, object("Users", Some("ssn")), &["pii"], false));
    assert!(none.policies.is_empty());
    assert_eq!(none.reason, "no policy permits sql.read on orders/appdb/public.\"Users\".ssn");
    let unlisted = policies.decide_connect(
        &Principal { workload: "job".into(), groups: Arc::new([]), claims: Arc::new([]) },
        None,
        "192.0.2.9".parse().unwrap(),
        443,
        None,
    );
    assert!(matches!(unlisted, Decision::Deny(_)));
}

#[test]
fn two_different_masks_redact_and_the_shortest_time_counts() {
    let policies = load(
        r#"@id("all") permit (principal, action, resource);
           @id("a") @mask("partial") @approve("dba") @timeout("1h") permit (principal, action == Action::"sql.read", resource);
           @id("b") @mask("hash") @approve("ci") @timeout("30s") permit (principal, action == Action::"sql.read", resource);"#,
    )
    .unwrap();
    let given = obligations(decide(&policies, Action::SqlRead, object("users", Some("ssn")), &["pii"], false));
    assert_eq!(given.mask, Some(Mask::Redact));
    assert_eq!(given.approvals.len(), 2);
    assert!(given.approvals.iter().all(|rule| rule.timeout == Duration::from_secs(30)));
}

#[test]
fn a_condition_on_the_time_is_asked_again_when_the_hour_changes() {
    let policies =
        load("@id(\"night\") permit (principal, action, resource) when { context has hour && context.hour < 4 };");
    // `connect` has no hour: the schema demands the test, and the policy does not hold there.
    let policies = policies.unwrap();
    let at = |hour: u64| UNIX_EPOCH + Duration::from_secs(1_700_000_000 / 86_400 * 86_400 + hour * 3600);
    let ask = |hour| decide_at(&policies, Action::SqlRead, object("users", None), &[], false, at(hour));
    assert!(matches!(ask(3), Decision::Permit(_)));
    assert!(matches!(ask(4), Decision::Deny(_)));
}

#[test]
fn an_error_while_evaluating_is_a_block() {
    let policies = load(
        r#"@id("all") permit (principal, action, resource);
           @id("broken") forbid (principal, action == Action::"sql.read", resource) when { 9223372036854775807 + context.hour > 0 };"#,
    )
    .unwrap();
    let at = UNIX_EPOCH + Duration::from_secs(3600);
    let decision = decide_at(&policies, Action::SqlRead, object("users", None), &[], false, at);
    assert!(denial(decision).reason.contains("cannot be evaluated"));
}

#[test]
fn every_load_error_is_said_at_once_with_its_line() {
    let text = r#"@id("a") @colour("red") permit (principal, action, resource);
permit (principal, action, resource);
@id("a") permit (principal, action, resource);
@id("b") @mask("blur") permit (principal, action, resource);
@id("c") @mask("null") forbid (principal, action, resource);
@id("d") @approve("nobody") permit (principal, action, resource);
@id("e") permit (principal in Group::"none", action, resource in Tag::"none");
@id("f") permit (principal, action == Action::"sql.nothing", resource);
@id("g") permit (principal, action, resource == Table::"other/db/public.users");
@id("h") @quorum("2") permit (principal, action, resource);
@id("i") @mask("partial:iban") permit (principal, action, resource);
@id("j") @mask("bucket:0") permit (principal, action, resource);
"#;
    let problems = load(text).unwrap_err().0;
    for (line, said) in [
        (1, "@colour"),
        (2, "no @id"),
        (4, "no mask"),
        (5, "forbid"),
        (6, "nobody"),
        (7, "Group::\"none\""),
        (7, "Tag::\"none\""),
        (8, "sql.nothing"),
        (9, "other/db"),
        (10, "@quorum"),
        (11, "names nothing of which a part can be kept"),
        (12, "of what to take multiples"),
    ] {
        let found = problems.iter().any(|p| p.line == Some(line) && p.message.contains(said));
        assert!(found, "line {line}: {said} in {problems:#?}");
    }
    let syntax = load("permit (principal, action, resource").unwrap_err().0;
    assert_eq!(syntax[0].line, Some(1));
    assert_eq!(syntax[0].file.file_name(), Path::new("p.cedar").file_name());
    let twice = "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") permit (principal, action, resource);";
    assert!(load(twice).unwrap_err().0[0].message.contains("taken"));
}
