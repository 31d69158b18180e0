//! `sluice explain`: the verdict on a command, without sending it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;

use crate::access::{Effect, Name, Object, Tags};
use crate::config::{Config, Resource};
use crate::policy::{Decision, Policies, Request, ResourceRef, SqlContext};
use crate::record::text::printable;
use crate::sql::{Analyzer, Catalog, Settings};
use crate::workload::principal;

/// Shows the verdict on a command, the policies behind it, the columns it reads and their masks.
///
/// No server is asked: names are taken as they stand in the command, in the first schema of the search path, and a
/// `*` for every column that the configuration calls sensitive. A running gateway knows the database and may say less.
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

#[derive(serde::Serialize)]
struct Explained {
    verdict: &'static str,
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
    let config = Config::load(config)?;
    let policies = Policies::load(&config, 0)?;
    let workload = config
        .workloads
        .get(arguments.workload.as_str())
        .with_context(|| format!("no [workloads.{}] in the configuration", printable(&arguments.workload)))?;
    let resource = config
        .resources
        .get(arguments.resource.as_str())
        .with_context(|| format!("no [resources.{}] in the configuration", printable(&arguments.resource)))?;
    let catalog = Arc::new(Catalog {
        database: arguments.database.as_str().into(),
        search_path: vec!["public".into()],
        any_sensitive: !resource.sensitive.is_empty(),
        ..Catalog::default()
    });
    let analysis = Analyzer::default().analyze(arguments.command.as_bytes(), &catalog, &Settings::default());
    let principal = principal(workload);
    let on = ResourceRef { name: resource.name.clone(), tags: resource.tags.as_slice().into() };
    let context = SqlContext {
        text: &arguments.command,
        fingerprint: &analysis.fingerprint,
        in_transaction: false,
        at: SystemTime::now(),
    };
    let mut effects = Vec::new();
    for effect in analysis.effects.iter() {
        let effect = Effect { tags: tags(resource, effect), ..effect.clone() };
        let request = Request { principal: &principal, resource: &on, effect: &effect, context: &context };
        effects.push(explanation(&effect, &resource.name, policies.decide(&request)));
    }
    let verdict = ["block", "hold"].into_iter().find(|verdict| effects.iter().any(|e| e.verdict == *verdict));
    let explained = Explained { verdict: verdict.unwrap_or("forward"), effects };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&explained)?);
    } else {
        print(&explained);
    }
    Ok(ExitCode::SUCCESS)
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
    println!("{}", explained.verdict);
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
