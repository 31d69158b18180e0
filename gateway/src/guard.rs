//! The one door that every command passes: analyse, decide, record; and only then forward.

mod evidence;
mod plan;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::{ArcSwap, Cache};

use self::evidence::{Evidence, Ruled, Said};
use self::plan::{Given, Planned};
use crate::access::{Action, Effect, Facts, Name, Object, Tags};
use crate::log;
use crate::mask::{self, Plan};
use crate::metrics;
use crate::policy::{
    ApprovalRule, ContextKey, Decision, Denial, Memo, Policies, Principal, Request, ResourceRef, SqlContext,
};
pub use crate::record::Outcome;
use crate::record::{CommandId, RecordError, Recorder, SessionId};
use crate::sql::{Analysis, Analyzer, Catalog, Changes, Named, Outputs, Settings, Space};

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

/// A statement as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// Its bytes, without the terminating zero. Not UTF-8: `sql.unknown`.
    pub text: &'a [u8],
    /// The session's settings it will be read under.
    pub settings: &'a Settings,
    /// What is known of the database.
    pub catalog: &'a Arc<Catalog>,
}

/// A statement that was analysed: what the extended protocol prepares, and what a simple query is made of.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The text, lossily decoded where it is not UTF-8.
    pub text: Arc<str>,
    /// What it does.
    pub analysis: Arc<Analysis>,
    /// What it was analysed against.
    catalog: Arc<Catalog>,
    /// The settings it was analysed under.
    settings: Settings,
    /// The text as the recording may hold it.
    recorded: Arc<str>,
    /// What the names that it runs stood for.
    named: Arc<[((Space, Name), Named)]>,
}

impl Prepared {
    /// The settings it was analysed under.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// A bound parameter's value.
#[derive(Clone, Copy, Debug)]
pub enum Parameter<'a> {
    /// NULL.
    Null,
    /// In text format.
    Text(&'a [u8]),
    /// In binary format.
    Binary(&'a [u8]),
}

/// Whether a transaction block will be open when the server comes to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// None is.
    None,
    /// One is.
    Open,
    /// A command before it may open or end one, and has not been answered: both are decided, and the stricter holds.
    Unsure,
}

impl Block {
    fn recorded(self) -> bool {
        self != Block::None
    }
}

/// What happens to a command.
#[derive(Debug)]
pub enum Verdict {
    /// Send it on, after `Guard::commit`, and apply the plan to its results.
    Forward {
        /// Its number, for `Guard::finished`.
        command: CommandId,
        /// What happens to its results.
        plan: Arc<Plan>,
    },
    /// Answer with the protocol's own error; nothing reaches the server.
    Block(Refusal),
    /// Nothing reaches the server until enough people agreed.
    Hold(Refusal),
}

/// Why a command was not forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its number.
    pub command: CommandId,
    /// A sentence for the workload's author.
    pub reason: String,
    /// The ids of the policies behind it; empty: nothing permitted it.
    pub policies: Vec<Name>,
    /// The action that was refused.
    pub action: Action,
}

/// The recording cannot be written, or the connection was not permitted; the message says why and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CommitError(pub String);

/// What the sessions of one core share: analyses and decisions that were made before.
pub struct Core {
    analyzer: Analyzer,
    memo: Memo,
    policies: Cache<Arc<ArcSwap<Policies>>, Arc<Policies>>,
}

impl Core {
    /// A core that follows `policies` as they are reloaded.
    pub fn new(policies: Arc<ArcSwap<Policies>>) -> Self {
        Core { analyzer: Analyzer::default(), memo: Memo::default(), policies: Cache::new(policies) }
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}

/// Who asks for what, over a session's whole life.
#[derive(Debug)]
pub struct Party {
    /// The workload.
    pub principal: Principal,
    /// The resource; absent: an unlisted destination.
    pub resource: Option<ResourceRef>,
    /// The original destination's address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Whether verdicts are recorded and not enforced.
    pub observe: bool,
}

/// Whether the connection itself was permitted.
#[derive(Debug)]
enum Entrance {
    /// Nobody asked.
    Unasked,
    /// Commands may pass.
    Open,
    /// Nothing passes.
    Closed(String),
}

/// A session's door. Stays on its session's core.
#[derive(Debug)]
pub struct Guard {
    core: Rc<RefCell<Core>>,
    session: SessionId,
    party: Party,
    evidence: Evidence,
    entrance: Entrance,
    /// Verdicts on what this session asked before. A key's address stays that analysis's while the ruling holds it.
    rulings: HashMap<RulingKey, Rc<Ruling>>,
    /// The masks that earlier commands were answered under: a cursor that they opened is read by later ones.
    given: Given,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct RulingKey {
    analysis: usize,
    catalog: usize,
    policies: u64,
    context: ContextKey,
}

/// A verdict before it has a number.
#[derive(Debug)]
struct Ruling {
    _analysis: Arc<Analysis>,
    _catalog: Arc<Catalog>,
    answer: Answer,
    ruled: Ruled,
    /// Whether `Guard::given` holds already what portals under it may show.
    bound: Cell<bool>,
}

#[derive(Debug)]
enum Answer {
    Forward { plan: Arc<Plan>, named: Vec<mask::Answer> },
    Refuse { hold: bool, action: Action },
}

impl Guard {
    /// A door that is closed until [`Guard::connect`] opens it.
    pub fn new(core: Rc<RefCell<Core>>, party: Party, recorder: Recorder) -> Self {
        Guard {
            core,
            session: recorder.id().clone(),
            party,
            evidence: Evidence::new(recorder),
            entrance: Entrance::Unasked,
            rulings: HashMap::new(),
            given: Given::default(),
        }
    }

    /// Decides whether the connection may be made at all. To be asked once, when the TLS server name is known or known to be absent, and
    /// before [`Guard::commit`] and the first byte upstream.
    ///
    /// # Errors
    /// It may not; the refusal says why. [`Guard::commit`] fails from then on.
    pub fn connect(&mut self, server_name: Option<&str>) -> Result<(), Refusal> {
        let Party { principal, resource, address, port, observe } = &self.party;
        let mut core = self.core.borrow_mut();
        let decision = core.policies.load().decide_connect(principal, resource.as_ref(), *address, *port, server_name);
        drop(core);
        let text = match server_name {
            Some(name) => format!("connect to {address} port {port} as {}", name.escape_default()),
            None => format!("connect to {address} port {port}"),
        };
        let effect = Effect {
            action: Action::Connect,
            object: Object::Resource,
            tags: Tags::default(),
            facts: Facts::default(),
        };
        let ruled = Ruled::on(std::slice::from_ref(&effect));
        let (refused, ruled) = match decision {
            Decision::Permit(given) => match given.approvals.first() {
                None => (false, Ruled { policies: given.policies.clone(), ..ruled }),
                Some(_) => (true, held(&given.approvals, ruled)),
            },
            Decision::Deny(denial) => (true, denied(&denial, ruled)),
        };
        let verdict = match (refused, observe) {
            (false, _) => "forward",
            (true, true) => "observe",
            (true, false) => "block",
        };
        let command = self.evidence.operation("connect", &text, verdict, &ruled, false);
        if refused && !observe {
            let reason = ruled.reason.unwrap_or_else(|| "not permitted".to_owned());
            self.entrance = Entrance::Closed(reason.clone());
            return Err(Refusal { command, reason, policies: ruled.policies, action: Action::Connect });
        }
        self.entrance = Entrance::Open;
        Ok(())
    }

    /// Analyses a statement, from the core's cache where it can.
    pub fn prepare(&mut self, statement: Statement<'_>) -> Prepared {
        let analysis = self.core.borrow_mut().analyzer.analyze(statement.text, statement.catalog, statement.settings);
        let text: Arc<str> = match std::str::from_utf8(statement.text) {
            Ok(text) => text.into(),
            Err(_) => String::from_utf8_lossy(statement.text).into(),
        };
        let recorded = recorded(&text, &analysis);
        let (catalog, settings) = (Arc::clone(statement.catalog), statement.settings.clone());
        Prepared { text, analysis, catalog, settings, recorded, named: Arc::new([]) }
    }

    /// A statement that was prepared before, by what is known now. Where that makes it another one, the server may run the
    /// one or the other: it is unknown.
    pub fn renew(&mut self, prepared: &Prepared, catalog: &Arc<Catalog>, settings: &Settings) -> Prepared {
        if Arc::ptr_eq(&prepared.catalog, catalog) && prepared.settings == *settings {
            return prepared.clone();
        }
        let text = prepared.text.as_bytes();
        let now = self.core.borrow_mut().analyzer.analyze(text, catalog, settings);
        let same = now.effects == prepared.analysis.effects && now.outputs == prepared.analysis.outputs;
        let (analysis, recorded) = if same {
            (now, Arc::clone(&prepared.recorded))
        } else {
            let either = prepared.analysis.either(&now);
            let recorded = now.recorded_text(&prepared.text, true).into();
            (Arc::new(either), recorded)
        };
        let (catalog, settings) = (Arc::clone(catalog), settings.clone());
        Prepared { text: Arc::clone(&prepared.text), analysis, catalog, settings, recorded, named: Arc::new([]) }
    }

    /// Whether what a statement means could matter to a policy that knows these tags of objects.
    pub fn depends_on_names(&self, prepared: &Prepared, sensitive: &BTreeSet<Name>) -> bool {
        let Prepared { analysis, catalog, .. } = prepared;
        // Of what is unknown anything was expected, and so it was where no name was known.
        let unknown = !catalog.complete || analysis.effects.iter().any(|effect| effect.action == Action::SqlUnknown);
        let nameless = analysis.effects.iter().all(|effect| effect.action == Action::SqlSession)
            && analysis.outputs.iter().all(|outputs| matches!(outputs, Outputs::Nothing));
        let Some(resource) = &self.party.resource else { return true };
        !unknown && !nameless && self.core.borrow_mut().policies.load().protects(resource, sensitive)
    }

    /// Whether a statement does by this catalog what was decided on.
    pub fn is_still(&mut self, prepared: &Prepared, catalog: &Arc<Catalog>) -> bool {
        if Arc::ptr_eq(&prepared.catalog, catalog) {
            return true;
        }
        let now = self.core.borrow_mut().analyzer.analyze_with(
            prepared.text.as_bytes(),
            catalog,
            &prepared.settings,
            &prepared.named,
        );
        now.effects == prepared.analysis.effects && now.outputs == prepared.analysis.outputs
    }

    /// A statement that runs what has a name, where each name stands for this.
    pub fn resolve(&mut self, prepared: &Prepared, named: &[((Space, Name), Named)]) -> Prepared {
        let Prepared { text, catalog, settings, .. } = prepared;
        let analysis = self.core.borrow_mut().analyzer.analyze_with(text.as_bytes(), catalog, settings, named);
        let recorded = recorded(text, &analysis);
        Prepared { analysis, recorded, named: named.into(), ..prepared.clone() }
    }

    /// Whether a statement that was prepared before does the same by what is known now.
    pub fn is_same(&mut self, prepared: &Prepared, catalog: &Arc<Catalog>, settings: &Settings) -> bool {
        if Arc::ptr_eq(&prepared.catalog, catalog) && prepared.settings == *settings {
            return true;
        }
        let now = self.core.borrow_mut().analyzer.analyze(prepared.text.as_bytes(), catalog, settings);
        now.effects == prepared.analysis.effects && now.outputs == prepared.analysis.outputs
    }

    /// Something that is not a statement and is executed like one, on a database that is known.
    pub fn opaque(&self, action: Action, object: Object, text: &str, catalog: &Arc<Catalog>) -> Prepared {
        let effect = Effect { action, object, tags: Tags::default(), facts: Facts::default() };
        let analysis = Analysis { changes: Changes::ALL, copies_in: true, ..Analysis::of_operation(effect) };
        let text: Arc<str> = text.into();
        Prepared {
            recorded: Arc::clone(&text),
            text,
            analysis: Arc::new(analysis),
            catalog: Arc::clone(catalog),
            settings: Settings::default(),
            named: Arc::new([]),
        }
    }

    /// A statement that the server reads by other rules than the parser does: unknown, whatever it says, and recorded by
    /// its length alone.
    pub fn unread(&self, text: &[u8], catalog: &Arc<Catalog>) -> Prepared {
        let recorded = format!("a statement of {} bytes, read by rules that the gateway does not follow", text.len());
        let text: Arc<str> = String::from_utf8_lossy(text).into();
        Prepared { text, recorded: recorded.into(), ..self.opaque(Action::SqlUnknown, Object::Resource, "", catalog) }
    }

    /// Decides on a prepared statement and records command and verdict; `Guard::commit` makes the record durable.
    /// To be asked again at every execution: policy and time may have changed.
    pub fn execute(&mut self, prepared: &Prepared, parameters: &[Parameter<'_>], block: Block) -> Verdict {
        let ruling = self.rule_in(block, prepared);
        self.record(&ruling, prepared, parameters, block)
    }

    /// Decides on a statement whose portal is made: as it may be run by a later command that does not name it. Recorded
    /// where it is refused.
    ///
    /// # Errors
    /// It may not be run now; it must not be bound.
    pub fn bind(&mut self, prepared: &Prepared, parameters: &[Parameter<'_>], block: Block) -> Result<(), Refusal> {
        let ruling = self.rule_in(block, prepared);
        if let (Answer::Forward { plan, .. }, false) = (&ruling.answer, self.party.observe) {
            if ruling.bound.replace(true) {
                return Ok(());
            }
            let shown = match &**plan {
                Plan::Masked(masking) => masking.answers.clone(),
                Plan::Pass => plain(&prepared.analysis),
            };
            if self.given.grow(&shown) {
                self.rulings.clear();
            }
            return Ok(());
        }
        if self.party.observe {
            return Ok(());
        }
        match self.record(&ruling, prepared, parameters, block) {
            Verdict::Block(refusal) | Verdict::Hold(refusal) => Err(refusal),
            Verdict::Forward { .. } => Ok(()),
        }
    }

    /// Records that a statement was given to the server to be kept: a parse, a bind. What runs it is a command of its own.
    pub fn announce(&mut self, kind: &'static str, prepared: &Prepared, parameters: &[Parameter<'_>]) {
        let ruled = Ruled::on(&prepared.analysis.effects);
        let said = Said { kind, text: &prepared.recorded, analysis: &prepared.analysis, parameters };
        self.evidence.statement(&said, "forward", &ruled, false);
    }

    fn record(&mut self, ruling: &Ruling, prepared: &Prepared, parameters: &[Parameter<'_>], block: Block) -> Verdict {
        let in_transaction = block.recorded();
        self.answer(ruling, &prepared.analysis, in_transaction, |evidence, verdict, ruled| {
            let said = Said { kind: "statement", text: &prepared.recorded, analysis: &prepared.analysis, parameters };
            evidence.statement(&said, verdict, ruled, in_transaction)
        })
    }

    /// Decides on something that is not a statement: replication, a function call by OID.
    pub fn operation(&mut self, action: Action, object: Object, text: &str, in_transaction: bool) -> Verdict {
        let effect = Effect { action, object, tags: Tags::default(), facts: Facts::default() };
        let analysis = Arc::new(Analysis::of_operation(effect));
        let ruling = self.rule(&analysis, &Arc::new(Catalog::default()), text, in_transaction);
        self.answer(&ruling, &analysis, in_transaction, |evidence, verdict, ruled| {
            evidence.operation("operation", text, verdict, ruled, in_transaction)
        })
    }

    /// Puts everything decided since the last call into the page cache. An error stops the session: nothing decided
    /// since may be forwarded.
    ///
    /// # Errors
    /// The recording cannot be written, or the connection was not permitted.
    pub fn commit(&mut self) -> Result<(), CommitError> {
        let flushed = self.evidence.flush();
        match &self.entrance {
            Entrance::Unasked => Err(CommitError("nobody decided whether this connection may be made".to_owned())),
            Entrance::Closed(reason) => Err(CommitError(reason.clone())),
            Entrance::Open => flushed.map_err(|error| unwritable(&error)),
        }
    }

    /// Whether something decided waits for [`Guard::commit`], which has to come before anyone learns of it.
    pub fn is_due(&self) -> bool {
        self.evidence.is_due()
    }

    /// Whether so much waits for [`Guard::commit`] that it has to come before anything more is decided.
    pub fn is_full(&self) -> bool {
        self.evidence.is_full()
    }

    /// Whether only outcomes wait for [`Guard::commit`]: they may wait for the next command, but not for long.
    pub fn lingers(&self) -> bool {
        self.evidence.lingers()
    }

    /// Records how a forwarded command ended.
    pub fn finished(&mut self, command: CommandId, outcome: Outcome) {
        metrics::MASKED_VALUES.add(outcome.masked);
        self.evidence.finished(command, &outcome);
    }

    /// Records something about the session that an auditor has to know: a protocol error, a masked value that could
    /// not be, how the workload authenticated.
    pub fn note(&mut self, what: &str) {
        self.evidence.note(what);
    }

    /// Seals the recording. What comes afterwards is not recorded, and [`Guard::commit`] fails.
    pub fn close(&mut self) {
        self.entrance = Entrance::Closed("the session is closed".to_owned());
        self.evidence.close();
    }

    /// The verdict in a transaction block or out of one; the stricter of both where nobody can tell.
    fn rule_in(&mut self, block: Block, prepared: &Prepared) -> Rc<Ruling> {
        let Prepared { analysis, catalog, text, .. } = prepared;
        if block != Block::Unsure {
            return self.rule(analysis, catalog, text, block == Block::Open);
        }
        let (inside, outside) = (self.rule(analysis, catalog, text, true), self.rule(analysis, catalog, text, false));
        match (&inside.answer, &outside.answer) {
            (Answer::Refuse { .. }, _) => inside,
            (_, Answer::Refuse { .. }) => outside,
            (Answer::Forward { plan: one, named }, Answer::Forward { plan: other, named: others })
                if one == other && named == others =>
            {
                inside
            }
            _ => Rc::new(Ruling {
                _analysis: Arc::clone(analysis),
                _catalog: Arc::clone(catalog),
                answer: Answer::Refuse { hold: false, action: Action::SqlRead },
                bound: Cell::new(false),
                ruled: Ruled { reason: Some(UNSURE.to_owned()), ..Ruled::on(&analysis.effects) },
            }),
        }
    }

    /// The verdict on an analysis, from this session's memory where nothing it depends on has changed.
    fn rule(
        &mut self,
        analysis: &Arc<Analysis>,
        catalog: &Arc<Catalog>,
        text: &str,
        in_transaction: bool,
    ) -> Rc<Ruling> {
        let mut core = self.core.borrow_mut();
        let Core { memo, policies, .. } = &mut *core;
        let policies = policies.load();
        let context = SqlContext { text, fingerprint: &analysis.fingerprint, in_transaction, at: SystemTime::now() };
        let key = RulingKey {
            analysis: Arc::as_ptr(analysis).addr(),
            catalog: Arc::as_ptr(catalog).addr(),
            policies: policies.generation(),
            context: policies.context_key(&context),
        };
        if let Some(ruling) = self.rulings.get(&key) {
            return Rc::clone(ruling);
        }
        let ruled = Ruled::on(&analysis.effects);
        let (answer, ruled) = match &self.party.resource {
            None => {
                let reason = Some("no resource of this gateway is at that address".to_owned());
                (Answer::Refuse { hold: false, action: Action::SqlUnknown }, Ruled { reason, ..ruled })
            }
            Some(resource) => {
                let ask = |effect: &Effect| {
                    let request = Request { principal: &self.party.principal, resource, effect, context: &context };
                    policies.decide_cached(memo, &request)
                };
                decide(analysis, catalog, &self.given, ruled, ask)
            }
        };
        let grew = match &answer {
            // What is observed is answered unmasked: nothing was given.
            Answer::Forward { named, .. } if !self.party.observe => self.given.grow(named),
            _ => false,
        };
        // A verdict keeps its catalog alive: those on an older one go with it.
        let older = self.rulings.keys().next().is_some_and(|had| had.catalog != key.catalog);
        if grew || older || self.rulings.len() >= MAX_RULINGS {
            self.rulings.clear();
        }
        let ruling = Ruling {
            _analysis: Arc::clone(analysis),
            _catalog: Arc::clone(catalog),
            answer,
            ruled,
            bound: Cell::new(false),
        };
        let ruling = Rc::new(ruling);
        let large = text.len() > MAX_STATEMENT || analysis.effects.len() > MAX_EFFECTS;
        if !large && !key.context.is_longer_than(MAX_TEXT) {
            self.rulings.insert(key, Rc::clone(&ruling));
        }
        ruling
    }

    fn answer(
        &mut self,
        ruling: &Ruling,
        analysis: &Analysis,
        in_transaction: bool,
        record: impl FnOnce(&mut Evidence, &'static str, &Ruled) -> CommandId,
    ) -> Verdict {
        let ruled = &ruling.ruled;
        match &ruling.answer {
            Answer::Forward { plan, .. } => {
                metrics::COMMANDS_FORWARDED.add(1);
                let command = record(&mut self.evidence, "forward", ruled);
                let plan = if self.party.observe { Arc::new(Plan::Pass) } else { Arc::clone(plan) };
                Verdict::Forward { command, plan }
            }
            Answer::Refuse { .. } if self.party.observe => {
                metrics::COMMANDS_OBSERVED.add(1);
                let command = record(&mut self.evidence, "observe", ruled);
                Verdict::Forward { command, plan: Arc::new(Plan::Pass) }
            }
            Answer::Refuse { hold, action } => {
                let (verdict, counter) =
                    if *hold { ("hold", &metrics::COMMANDS_HELD) } else { ("block", &metrics::COMMANDS_BLOCKED) };
                counter.add(1);
                let command = record(&mut self.evidence, verdict, ruled);
                let reason = ruled.reason.clone().unwrap_or_else(|| "not permitted".to_owned());
                let workload = &self.party.principal.workload;
                if log::may_say(workload, log::Kind::Refused) {
                    tracing::info!(session = %self.session, %workload, command = command.0, %action, %verdict,
                        in_transaction, statements = analysis.statements, %reason, "refused");
                }
                let refusal = Refusal { command, reason, policies: ruled.policies.clone(), action: *action };
                if *hold { Verdict::Hold(refusal) } else { Verdict::Block(refusal) }
            }
        }
    }
}

/// Why a statement's results, all of whose effects are permitted under these masks, cannot be masked: then it is refused.
pub(crate) fn unmaskable(
    analysis: &Analysis,
    catalog: &Catalog,
    masks: &[(&Effect, Option<mask::Mask>)],
) -> Option<String> {
    match plan::plan(analysis, catalog, masks, &Given::default()) {
        Planned::Plan { .. } => None,
        Planned::Unmaskable(reason) => Some(reason),
    }
}

/// A text as the recording may hold it.
fn recorded(text: &Arc<str>, analysis: &Analysis) -> Arc<str> {
    let whole = analysis.effects.iter().any(|e| matches!(e.action, Action::SqlUnknown | Action::SqlPrivilege));
    if whole || analysis.literals.iter().any(|literal| literal.sensitive) {
        analysis.recorded_text(text, whole).into()
    } else {
        Arc::clone(text)
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
    match plan::plan(analysis, catalog, &masks, given) {
        Planned::Plan { plan, named, masks } => {
            (Answer::Forward { plan: Arc::new(plan), named }, Ruled { policies, masks, ..ruled })
        }
        Planned::Unmaskable(reason) => {
            let refused = Answer::Refuse { hold: false, action: Action::SqlRead };
            (refused, Ruled { reason: Some(reason), policies, ..ruled })
        }
    }
}

/// What statements show that need no mask.
fn plain(analysis: &Analysis) -> Vec<mask::Answer> {
    let plain = |outputs: &Outputs| match outputs {
        Outputs::Columns(columns) => mask::Answer::Columns(vec![None; columns.len()]),
        _ => mask::Answer::All(None),
    };
    analysis.outputs.iter().map(plain).collect()
}

fn denied(denial: &Denial, ruled: Ruled) -> Ruled {
    Ruled { reason: Some(denial.reason.clone()), policies: denial.policies.clone(), ..ruled }
}

fn held(approvals: &[ApprovalRule], ruled: Ruled) -> Ruled {
    let waits: Vec<String> = approvals
        .iter()
        .map(|rule| format!("{} of group {} within {} s", rule.quorum, rule.group, rule.timeout.as_secs()))
        .collect();
    let reason = format!("it needs approval by {}, and this gateway takes no approvals", waits.join(" and "));
    Ruled { reason: Some(reason), policies: approvals.iter().map(|rule| rule.policy.clone()).collect(), ..ruled }
}

fn unwritable(error: &RecordError) -> CommitError {
    CommitError(format!("the gateway cannot record this session, so nothing is forwarded: {error}"))
}
