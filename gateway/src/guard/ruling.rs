//! Verdicts: what the policy says to every effect of an analysis, and what a session remembers of it.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use super::evidence::Ruled;
use super::plan::{self, Given, Planned};
use super::{Block, Core, Party, Prepared};
use crate::access::{Action, Effect, Facts, Name, Object, Tags};
use crate::mask::{self, Mask, Plan};
use crate::policy::{ApprovalRule, ContextKey, Decision, Denial, Request, SqlContext};
use crate::sql::{Analysis, Catalog, Outputs};

/// How many verdicts a session remembers; one for each statement text it prepares, for most.
const MAX_RULINGS: usize = 1024;

/// The most effects of a statement whose verdict is remembered, and the longest text: they are kept with it.
const MAX_EFFECTS: usize = 1024;

/// The longest text of a statement whose verdict is remembered, in bytes.
const MAX_STATEMENT: usize = 16 * 1024;

/// The longest text that is part of a remembered verdict, in bytes: policies that read the text make every text one of its own.
const MAX_TEXT: usize = 4096;

/// Why a command is refused whose mask depends on what is not known yet.
const UNSURE: &str = "what is masked depends on whether a transaction block is open, and a command before this one may \
    change that: wait for its answer before sending this";

/// What is decided on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) analysis: &'a Arc<Analysis>,
    /// What it was analysed against.
    pub(super) catalog: &'a Arc<Catalog>,
    pub(super) text: &'a str,
}

impl<'a> From<&'a Prepared> for Subject<'a> {
    fn from(Prepared { analysis, catalog, text, .. }: &'a Prepared) -> Self {
        Subject { analysis, catalog, text }
    }
}

/// A verdict before it has a number.
#[derive(Debug)]
pub(super) struct Ruling {
    _analysis: Arc<Analysis>,
    _catalog: Arc<Catalog>,
    pub(super) answer: Answer,
    pub(super) ruled: Rc<Ruled>,
    /// Whether [`Rulings::given`] holds already what portals under it may show.
    bound: Cell<bool>,
}

impl Ruling {
    fn new(Subject { analysis, catalog, .. }: Subject<'_>, answer: Answer, ruled: Ruled) -> Rc<Self> {
        let (_analysis, _catalog) = (Arc::clone(analysis), Arc::clone(catalog));
        Rc::new(Ruling { _analysis, _catalog, answer, ruled: Rc::new(ruled), bound: Cell::new(false) })
    }
}

/// What becomes of a command.
#[derive(Debug)]
pub(super) enum Answer {
    /// It passes, and this is done to its results.
    Forward { plan: Arc<Plan>, named: Vec<mask::Answer> },
    /// It does not: for good, or until enough people agreed.
    Refuse { hold: bool, action: Action },
}

/// What a verdict depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    analysis: usize,
    catalog: usize,
    policies: u64,
    context: ContextKey,
}

/// What a session was told before.
#[derive(Debug, Default)]
pub(super) struct Rulings {
    /// Verdicts on what it asked. A key's address stays that analysis's while the ruling holds it.
    held: HashMap<Key, Rc<Ruling>>,
    /// The masks that earlier commands were answered under: a cursor that they opened is read by later ones.
    given: Given,
}

impl Rulings {
    /// The verdict in a transaction block or out of one; the stricter of both where nobody can tell.
    pub(super) fn rule_in(&mut self, block: Block, core: &mut Core, party: &Party, subject: Subject<'_>) -> Rc<Ruling> {
        if block != Block::Unsure {
            return self.rule(block == Block::Open, core, party, subject);
        }
        let inside = self.rule(true, core, party, subject);
        let outside = self.rule(false, core, party, subject);
        match (&inside.answer, &outside.answer) {
            (Answer::Refuse { .. }, _) => inside,
            (_, Answer::Refuse { .. }) => outside,
            (Answer::Forward { plan: one, named }, Answer::Forward { plan: other, named: others })
                if one == other && named == others =>
            {
                inside
            }
            _ => {
                let ruled = Ruled { reason: Some(UNSURE.to_owned()), ..Ruled::on(&subject.analysis.effects) };
                Ruling::new(subject, Answer::Refuse { hold: false, action: Action::SqlRead }, ruled)
            }
        }
    }

    /// The verdict on an analysis, from memory where nothing it depends on has changed.
    pub(super) fn rule(
        &mut self,
        in_transaction: bool,
        core: &mut Core,
        party: &Party,
        subject: Subject<'_>,
    ) -> Rc<Ruling> {
        let Subject { analysis, catalog, text } = subject;
        let Core { memo, policies, .. } = core;
        let policies = policies.load();
        let context = SqlContext { text, fingerprint: &analysis.fingerprint, in_transaction, at: SystemTime::now() };
        let key = Key {
            analysis: Arc::as_ptr(analysis).addr(),
            catalog: Arc::as_ptr(catalog).addr(),
            policies: policies.generation(),
            context: policies.context_key(&context),
        };
        if let Some(ruling) = self.held.get(&key) {
            return Rc::clone(ruling);
        }
        let ruled = Ruled::on(&analysis.effects);
        let (answer, ruled) = match &party.resource {
            None => {
                let reason = Some("no resource of this gateway is at that address".to_owned());
                (Answer::Refuse { hold: false, action: Action::SqlUnknown }, Ruled { reason, ..ruled })
            }
            Some(resource) => {
                let ask = |effect: &Effect| {
                    let request = Request { principal: &party.principal, resource, effect, context: &context };
                    policies.decide_cached(memo, &request)
                };
                decide(analysis, catalog, &self.given, ruled, ask)
            }
        };
        let grew = match &answer {
            // What is observed is answered unmasked: nothing was given.
            Answer::Forward { named, .. } if !party.observe => self.given.grow(named),
            _ => false,
        };
        // A verdict keeps its catalog alive: those on an older one go with it.
        let older = self.held.keys().next().is_some_and(|had| had.catalog != key.catalog);
        if grew || older || self.held.len() >= MAX_RULINGS {
            self.held.clear();
        }
        let ruling = Ruling::new(subject, answer, ruled);
        let large = text.len() > MAX_STATEMENT || analysis.effects.len() > MAX_EFFECTS;
        if !large && !key.context.is_longer_than(MAX_TEXT) {
            self.held.insert(key, Rc::clone(&ruling));
        }
        ruling
    }

    /// Notes that a portal was made under a verdict: a later command that does not name its statement may show what it
    /// shows.
    pub(super) fn bound(&mut self, ruling: &Ruling, plan: &Plan, analysis: &Analysis) {
        if ruling.bound.replace(true) {
            return;
        }
        let grew = match plan {
            Plan::Masked(masking) => self.given.grow(&masking.answers),
            Plan::Pass => self.given.grow(&plain(analysis)),
        };
        if grew {
            self.held.clear();
        }
    }
}

/// Asks the policy about every effect. All have to be permitted; the first that is not decides what is said, one
/// that a policy forbids before one that none permits.
fn decide(
    analysis: &Analysis,
    catalog: &Catalog,
    given: &Given,
    ruled: Ruled,
    mut ask: impl FnMut(&Effect) -> Decision,
) -> (Answer, Ruled) {
    let mut refusal: Option<(Action, Arc<Denial>)> = None;
    let mut approvals: Vec<ApprovalRule> = Vec::new();
    let mut held_action = None;
    let mut policies: Vec<Name> = Vec::new();
    let mut masks = Vec::with_capacity(analysis.effects.len());
    for effect in analysis.effects.iter() {
        if effect.facts.reshaped && sees(effect, &mut ask) {
            continue;
        }
        match ask(effect) {
            Decision::Deny(denial) => {
                let better =
                    refusal.as_ref().is_none_or(|(_, first)| first.policies.is_empty() && !denial.policies.is_empty());
                if better {
                    refusal = Some((effect.action, denial));
                }
            }
            Decision::Permit(obligations) => {
                masks.push((effect, obligations.mask));
                for rule in &obligations.approvals {
                    held_action.get_or_insert(effect.action);
                    if !approvals.contains(rule) {
                        approvals.push(rule.clone());
                    }
                }
                for id in &obligations.policies {
                    if !policies.contains(id) {
                        policies.push(id.clone());
                    }
                }
            }
        }
    }
    if let Some((action, denial)) = refusal {
        return (Answer::Refuse { hold: false, action }, denied(&denial, ruled));
    }
    if let Some(action) = held_action {
        return (Answer::Refuse { hold: true, action }, held(&approvals, ruled));
    }
    let withheld = analysis.withholds() && (catalog.any_sensitive || !says_anything(&mut ask));
    match plan::plan(analysis, catalog, &masks, given, withheld.then_some(Mask::Whole)) {
        Planned::Plan { plan, named, masks } => {
            (Answer::Forward { plan: Arc::new(plan), named }, Ruled { policies, masks, ..ruled })
        }
        Planned::Unmaskable(reason) => {
            let refused = Answer::Refuse { hold: false, action: Action::SqlRead };
            (refused, Ruled { reason: Some(reason), policies, ..ruled })
        }
    }
}

/// Whether what is reshaped tells nothing to who asks: the column that it comes into is shown as it is, or not even whether it is
/// NULL.
fn sees(effect: &Effect, mut ask: impl FnMut(&Effect) -> Decision) -> bool {
    let reads = Effect { action: Action::SqlRead, facts: Facts::default(), ..effect.clone() };
    match ask(&reads) {
        Decision::Permit(told) => told.approvals.is_empty() && matches!(told.mask, None | Some(Mask::Null)),
        Decision::Deny(_) => false,
    }
}

/// Whether who asks may say what nobody can read, and so whatever there is to be seen.
fn says_anything(mut ask: impl FnMut(&Effect) -> Decision) -> bool {
    let anything =
        Effect { action: Action::SqlUnknown, object: Object::Resource, tags: Tags::default(), facts: Facts::default() };
    matches!(ask(&anything), Decision::Permit(given) if given.approvals.is_empty())
}

/// What statements show that need no mask.
fn plain(analysis: &Analysis) -> Vec<mask::Answer> {
    let plain = |outputs: &Outputs| match outputs {
        Outputs::Columns(columns) => mask::Answer::Columns(vec![None; columns.len()]),
        _ => mask::Answer::All(None),
    };
    analysis.outputs.iter().map(plain).collect()
}

/// A refusal in the recording's words.
pub(super) fn denied(denial: &Denial, ruled: Ruled) -> Ruled {
    Ruled { reason: Some(denial.reason.clone()), policies: denial.policies.clone(), ..ruled }
}

/// The same of what waits for people.
pub(super) fn held(approvals: &[ApprovalRule], ruled: Ruled) -> Ruled {
    let waits: Vec<String> = approvals
        .iter()
        .map(|rule| format!("{} of group {} within {} s", rule.quorum, rule.group, rule.timeout.as_secs()))
        .collect();
    let reason = format!("it needs approval by {}, and this gateway takes no approvals", waits.join(" and "));
    Ruled { reason: Some(reason), policies: approvals.iter().map(|rule| rule.policy.clone()).collect(), ..ruled }
}
