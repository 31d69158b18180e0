//! `sluice explain`: the verdict on a command, without sending it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;

use crate::access::{Action, Effect, Facts, Name, Object, Tags};
use crate::config::{Mode, Resource};
use crate::guard;
use crate::policy::{Decision, Request, ResourceRef, SqlContext};
use crate::record::text::printable;
use crate::sql::catalog::{Column, Relation, RelationKind};
use crate::sql::{Analysis, Analyzer, Catalog, Settings};
use crate::workload::principal;

/// Shows the verdict on a command, the policies behind it, the columns it reads and their masks.
///
/// No server is asked: names are taken as they stand in the command, in the first schema of the search path, and a
/// `*` for every column that the configuration calls sensitive. A running gateway knows the database and may say less.
/// Nor is the address of a resource that has a name looked up: to rules on addresses it is 0.0.0.0.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Who asks: a name under [workloads].
    #[arg(long, value_name = "NAME")]
    workload: String,
    /// Of which server: a name under [resources].
    #[arg(long, value_name = "NAME")]
    resource: String,
    /// In which database.
    #[arg(long, value_name = "NAME", default_value = "postgres")]
    database: String,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
    /// The SQL text.
    command: String,
}

/// Of the first relation that a command names; what is below is the system's own.
const FIRST_OID: u32 = 16_384;

/// The server's version is not asked for: the grammar's own.
const VERSION: u32 = 180_000;

#[derive(serde::Serialize)]
struct Explained {
    verdict: &'static str,
    /// Why, where none of the effects says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    effects: Vec<Explanation>,
}

#[derive(serde::Serialize)]
struct Explanation {
    action: &'static str,
    object: String,
    tags: Vec<Name>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<crate::mask::Mask>,
    policies: Vec<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(super) fn run(config: &Path, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (config, policies) = super::check::load(config)?;
    let workload = config
        .workloads
        .get(arguments.workload.as_str())
        .with_context(|| format!("no [workloads.{}] in the configuration", printable(&arguments.workload)))?;
    let resource = config
        .resources
        .get(arguments.resource.as_str())
        .with_context(|| format!("no [resources.{}] in the configuration", printable(&arguments.resource)))?;
    let (analysis, catalog) = analysed(&arguments.command, &arguments.database, resource);
    let principal = principal(workload);
    let on = ResourceRef { name: resource.name.clone(), tags: resource.tags.as_slice().into() };
    let context = SqlContext {
        text: &arguments.command,
        fingerprint: &analysis.fingerprint,
        in_transaction: false,
        at: SystemTime::now(),
    };
    // Before there is a command, there has to be a connection.
    let address = resource.address.host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let connect =
        Effect { action: Action::Connect, object: Object::Resource, tags: Tags::default(), facts: Facts::default() };
    let decision = policies.decide_connect(&principal, Some(&on), address, resource.address.port, None);
    let mut effects = vec![explanation(&connect, &resource.name, decision)];
    let tagged: Vec<Effect> =
        analysis.effects.iter().map(|effect| Effect { tags: tags(resource, effect), ..effect.clone() }).collect();
    let mut masks = Vec::new();
    for effect in &tagged {
        let request = Request { principal: &principal, resource: &on, effect, context: &context };
        let explained = explanation(effect, &resource.name, policies.decide(&request));
        masks.push((effect, explained.mask));
        effects.push(explained);
    }
    let verdict = ["block", "hold"].into_iter().find(|verdict| effects.iter().any(|e| e.verdict == *verdict));
    let mut explained = Explained { verdict: verdict.unwrap_or("forward"), reason: None, effects };
    if verdict.is_none()
        && let Some(reason) = guard::unmaskable(&analysis, &catalog, &masks)
    {
        (explained.verdict, explained.reason) = ("block", Some(reason));
    }
    if workload.mode == Mode::Observe {
        // As its recording would say.
        explained.verdict = if explained.verdict == "forward" { "forward" } else { "observe" };
        explained.reason = Some("the workload is only observed: neither verdicts nor masks are enforced".to_owned());
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&explained)?);
    } else {
        print(&explained);
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a command twice: what it names by a database of which nothing is known, is there the second time.
fn analysed(command: &str, database: &str, resource: &Resource) -> (Arc<Analysis>, Arc<Catalog>) {
    let mut catalog = Catalog {
        database: database.into(),
        search_path: vec!["public".into()],
        any_sensitive: !resource.sensitive.is_empty(),
        ..Catalog::default()
    };
    let analyse =
        |catalog: &Arc<Catalog>| Analyzer::default().analyze(command.as_bytes(), catalog, &Settings::default());
    let first = analyse(&Arc::new(catalog.clone()));
    let mut tables: BTreeMap<(Name, Name), BTreeSet<Name>> = BTreeMap::new();
    for effect in first.effects.iter() {
        match &effect.object {
            Object::Table(t) => drop(tables.entry((t.schema.clone(), t.table.clone())).or_default()),
            Object::Column(c) => {
                let of = (c.table.schema.clone(), c.table.table.clone());
                tables.entry(of).or_default().insert(c.column.clone());
            }
            Object::Resource | Object::Function(_) => {}
        }
    }
    for (((schema, name), mut columns), oid) in tables.into_iter().zip(FIRST_OID..) {
        let sensitive = resource.sensitive.iter().filter(|line| line.pattern.matches_table(database, &schema, &name));
        columns.extend(sensitive.filter_map(|line| line.pattern.one_column()).map(Name::from));
        let columns = columns.into_iter().zip(1..).map(|(name, number)| Column { number, name, ..Column::default() });
        let relation = Relation {
            oid,
            schema,
            name,
            kind: RelationKind::Table,
            columns: columns.collect(),
            ..Relation::default()
        };
        catalog.relations.insert(oid, relation);
    }
    // As far as anybody asks.
    (catalog.complete, catalog.version) = (true, VERSION);
    catalog.finish();
    let catalog = Arc::new(catalog);
    (analyse(&catalog), catalog)
}

/// The tags that the configuration gives to what an effect names. A whole table counts for each of its columns.
fn tags(resource: &Resource, effect: &Effect) -> Tags {
    let of = |database: &str, schema: &str, table: &str, column: Option<&str>| {
        let matching = resource.sensitive.iter().filter(|line| {
            let whole_table = column.is_none() && line.pattern.matches_table(database, schema, table);
            whole_table || line.pattern.matches(database, schema, table, column)
        });
        Tags::new(matching.flat_map(|line| line.tags.iter().cloned()))
    };
    match &effect.object {
        Object::Resource | Object::Function(_) => Tags::default(),
        Object::Table(t) => of(&t.database, &t.schema, &t.table, None),
        Object::Column(c) => of(&c.table.database, &c.table.schema, &c.table.table, Some(&c.column)),
    }
}

fn explanation(effect: &Effect, resource: &str, decision: Decision) -> Explanation {
    let base = Explanation {
        action: effect.action.as_str(),
        object: effect.object.id(resource),
        tags: effect.tags.iter().cloned().collect(),
        verdict: "forward",
        mask: None,
        policies: Vec::new(),
        reason: None,
    };
    match decision {
        Decision::Deny(denial) => Explanation {
            verdict: "block",
            policies: denial.policies.clone(),
            reason: Some(denial.reason.clone()),
            ..base
        },
        Decision::Permit(added) => Explanation {
            verdict: if added.approvals.is_empty() { "forward" } else { "hold" },
            mask: added.mask,
            policies: added.policies.clone(),
            ..base
        },
    }
}

fn print(explained: &Explained) {
    match &explained.reason {
        None => println!("{}", explained.verdict),
        Some(reason) => println!("{} ({})", explained.verdict, printable(reason)),
    }
    for effect in &explained.effects {
        let mut line = format!("  {:<8} {:<15} {}", effect.verdict, effect.action, printable(&effect.object));
        if let Some(mask) = effect.mask {
            line.push_str(&format!("  mask {}", printable(&mask.to_string())));
        }
        if !effect.policies.is_empty() {
            let ids: Vec<String> = effect.policies.iter().map(|id| printable(id)).collect();
            line.push_str(&format!("  by {}", ids.join(", ")));
        }
        if let Some(reason) = &effect.reason {
            line.push_str(&format!("  ({})", printable(reason)));
        }
        println!("{line}");
    }
}
