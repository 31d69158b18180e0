//! The policy sets of `policies/`: each says what its `cases.toml` promises.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use gateway::access::Tags;
use gateway::config::Config;
use gateway::policy::{Decision, Policies, Principal, Request, ResourceRef, SqlContext};
use gateway::sql::catalog::{Column, Relation, RelationKind};
use gateway::sql::{Analyzer, Catalog, Settings};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    group: String,
    sql: String,
    verdict: String,
    by: Option<String>,
    mask: Option<String>,
}

fn sets() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

fn load(set: &Path) -> Policies {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let text = format!(
        "state_dir = \"/tmp\"\npolicies = \"{}\"\n\
         [workloads.ci]\nmatch = {{ cgroup = \"/ci\" }}\ngroups = [\"ci\"]\n\
         [workloads.migrations]\nmatch = {{ cgroup = \"/migrations\" }}\ngroups = [\"migrations\"]\n\
         [workloads.other]\nmatch = {{ cgroup = \"/other\" }}\ngroups = [\"other\"]\n\
         [resources.orders]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\ntags = [\"prod\"]\n\
         [resources.orders.sensitive]\n\"public.users.ssn\" = [\"pii\"]\n",
        set.canonicalize().unwrap().display()
    );
    std::fs::write(&file, text).unwrap();
    Policies::load(&Config::load(&file).unwrap(), 1).unwrap()
}

fn catalog() -> Arc<Catalog> {
    let columns = [(1, "id"), (2, "name"), (3, "ssn")].map(|(number, name)| Column {
        number,
        name: name.into(),
        type_oid: 25,
        tags: Tags::new((name == "ssn").then(|| "pii".into())),
        ..Column::default()
    });
    let users = Relation {
        oid: 1,
        schema: "public".into(),
        name: "users".into(),
        kind: RelationKind::Table,
        tags: Tags::default(),
        columns: columns.into(),
        ..Relation::default()
    };
    Arc::new(Catalog {
        complete: true,
        database: "appdb".into(),
        relations: HashMap::from([(1, users)]),
        search_path: vec!["public".into()],
        any_sensitive: true,
        ..Catalog::default()
    })
}

#[test]
fn every_set_says_what_its_cases_promise() {
    for set in sets() {
        let policies = load(&set);
        let text = std::fs::read_to_string(set.join("cases.toml")).unwrap();
        let cases: Cases = toml::from_str(&text).unwrap();
        assert!(cases.case.len() > 10, "{}", set.display());
        for case in cases.case {
            check(&policies, &case);
        }
    }
}

fn check(policies: &Policies, case: &Case) {
    let Case { group, sql, .. } = case;
    let principal =
        Principal { workload: group.as_str().into(), groups: Arc::new([group.as_str().into()]), claims: Arc::new([]) };
    let resource = ResourceRef { name: "orders".into(), tags: Arc::new(["prod".into()]) };
    let analysis = Analyzer::default().analyze(sql.as_bytes(), &catalog(), &Settings::default());
    let context =
        SqlContext { text: sql, fingerprint: &analysis.fingerprint, in_transaction: false, at: SystemTime::now() };
    let (mut verdict, mut by, mut mask) = ("forward", Vec::new(), None);
    for effect in analysis.effects.iter() {
        match policies.decide(&Request { principal: &principal, resource: &resource, effect, context: &context }) {
            Decision::Deny(denial) => {
                verdict = "block";
                by.extend(denial.policies.iter().map(ToString::to_string));
            }
            Decision::Permit(added) => {
                if !added.approvals.is_empty() && verdict == "forward" {
                    verdict = "hold";
                }
                mask = mask.or(added.mask.map(|mask| mask.to_string()));
            }
        }
    }
    assert_eq!(verdict, case.verdict, "{group}: {sql}");
    if let Some(expected) = &case.by {
        assert!(by.contains(expected), "{group}: {sql}: {by:?}");
    }
    // What is blocked has no result to mask.
    let mask = mask.filter(|_| verdict == "forward");
    assert_eq!(mask, case.mask, "{group}: {sql}");
}
