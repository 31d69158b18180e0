//! From the policy folder to [`Policies`], or to every error in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use cedar_policy::{Effect, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic as _;

use super::rule::{Rule, reads, rule};
use super::{Known, Policies, source};
use crate::config::problem::Lines;
use crate::config::{Config, Problem, Problems};

/// The built-in schema.
const SCHEMA: &str = include_str!("schema.cedarschema");

/// The largest policy file, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

struct File {
    path: PathBuf,
    text: String,
}

impl Policies {
    /// Reads the folder's `*.cedar` files and validates them against the schema and the configuration.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place and a way out.
    pub fn load(config: &Config, generation: u64) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let files = read(&config.policies, &mut problems);
        let schema = match Schema::from_cedarschema_str(SCHEMA) {
            Ok((schema, _)) => schema,
            Err(error) => {
                let message = format!("the built-in schema: {error}");
                return Err(Problems::new(vec![Problem::whole_file(Path::new("schema.cedarschema"), message, "")]));
            }
        };
        let known = Known::new(config);
        let (mut deciding, mut obligations) = (PolicySet::new(), PolicySet::new());
        let mut rules: HashMap<PolicyId, Rule> = HashMap::new();
        let mut seen: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut read_attributes = BTreeSet::new();
        for file in &files {
            let lines = Lines::new(&file.path, &file.text);
            let set: PolicySet = match file.text.parse() {
                Ok(set) => set,
                Err(error) => {
                    problems.extend(syntax(&lines, &file.text, &error));
                    continue;
                }
            };
            let starts = source::starts(&file.text);
            let place = |id: &PolicyId| span(id, &starts, file.text.len());
            for template in set.templates() {
                let help = "write the entity instead of a slot";
                problems.push(problem(&lines, place(template.id()), "is a template", help));
            }
            let checked = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
            for error in checked.validation_errors() {
                let help = error.help().map(|help| help.to_string()).unwrap_or_default();
                problems.push(problem(&lines, place(error.policy_id()), error.to_string(), help));
            }
            for policy in set.policies() {
                let place = place(policy.id());
                let mut faults = Vec::new();
                let rule = rule(policy, &known, &mut faults);
                for fault in faults {
                    problems.push(problem(&lines, place.clone(), fault.message, fault.help));
                }
                let Some(rule) = rule else { continue };
                if let Some(other) = seen.insert(rule.id.to_string(), file.path.clone()) {
                    let message = format!("@id({:?}) is taken, by a policy in {}", &*rule.id, other.display());
                    problems.push(problem(&lines, place, message, "give each policy an id of its own"));
                    continue;
                }
                if let Ok(json) = policy.to_json() {
                    reads(&json, &mut read_attributes);
                }
                let id = PolicyId::new(&*rule.id);
                let set = if rule.is_obligation() && policy.effect() == Effect::Permit {
                    &mut obligations
                } else {
                    &mut deciding
                };
                if let Err(error) = set.add(policy.new_id(id.clone())) {
                    problems.push(problem(&lines, place, error.to_string(), ""));
                }
                rules.insert(id, rule);
            }
        }
        if !problems.is_empty() {
            return Err(Problems::new(problems));
        }
        Policies::new(generation, schema, deciding, obligations, rules, &read_attributes)
            .map_err(|message| Problems::new(vec![Problem::whole_file(&config.policies, message, "")]))
    }
}

fn read(folder: &Path, problems: &mut Vec<Problem>) -> Vec<File> {
    let help = "check the path and who may read it";
    let mut paths: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) => {
            problems.push(Problem::whole_file(folder, format!("cannot be read: {error}"), help));
            return Vec::new();
        }
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "cedar"));
    paths.sort();
    if paths.is_empty() {
        let message = "holds no *.cedar file: nothing would be permitted";
        problems.push(Problem::whole_file(folder, message, "write a policy; README.md has a first one"));
    }
    let mut files = Vec::new();
    for path in paths {
        match crate::config::read_bounded(&path, MAX_BYTES) {
            Ok(text) => files.push(File { path, text }),
            Err(found) => problems.extend(found.0),
        }
    }
    files
}

fn syntax(lines: &Lines<'_>, text: &str, error: &cedar_policy::ParseErrors) -> Vec<Problem> {
    let mut problems = Vec::new();
    for error in error.iter() {
        let at = error.labels().and_then(|mut labels| labels.next()).map_or(text.len(), |label| label.offset());
        let help = error.help().map(|help| help.to_string()).unwrap_or_default();
        problems.push(problem(lines, at..at, error.to_string(), help));
    }
    problems
}

/// Cedar calls a file's policies `policy0`, `policy1` and so on.
fn span(id: &PolicyId, starts: &[usize], end: usize) -> Range<usize> {
    let text: &str = id.as_ref();
    let number: Option<usize> = text.strip_prefix("policy").and_then(|number| number.parse().ok());
    let start = number.and_then(|number| starts.get(number)).copied().unwrap_or(end);
    start..start
}

fn problem(lines: &Lines<'_>, at: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Problem {
    lines.problem(at, None, message, Some(help.into()).filter(|help| !help.is_empty()))
}
