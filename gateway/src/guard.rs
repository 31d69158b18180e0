//! The one door that every command passes: analyse, decide, record; and only then forward.

mod evidence;
mod plan;
mod prepared;
mod ruling;

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::{ArcSwap, Cache};

use self::evidence::{Evidence, Ruled, Said};
use self::plan::{Given, Planned};
pub use self::prepared::{Prepared, Statement};
use self::ruling::{Answer, Ruling, Rulings, Subject, denied, held};
use crate::access::{Action, Effect, Facts, Name, Object, Tags};
use crate::log;
use crate::mask::{Mask, Plan};
use crate::metrics;
use crate::policy::{Decision, Memo, Policies, Principal, Request, ResourceRef, SqlContext};
pub use crate::record::Outcome;
use crate::record::{CommandId, RecordError, Recorder, SessionId};
use crate::sql::{Analysis, Analyzer, Catalog};

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
    rulings: Rulings,
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
            rulings: Rulings::default(),
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

    /// Decides on a prepared statement and records command and verdict; `Guard::commit` makes the record durable.
    /// To be asked again at every execution: policy and time may have changed.
    pub fn execute(&mut self, prepared: &Prepared, parameters: &[Parameter<'_>], block: Block) -> Verdict {
        let ruling = self.rulings.rule_in(block, &mut self.core.borrow_mut(), &self.party, prepared.into());
        self.record(&ruling, prepared, parameters, block)
    }

    /// Decides on a statement whose portal is made: as it may be run by a later command that does not name it. Recorded
    /// where it is refused.
    ///
    /// # Errors
    /// It may not be run now; it must not be bound.
    pub fn bind(&mut self, prepared: &Prepared, parameters: &[Parameter<'_>], block: Block) -> Result<(), Refusal> {
        let ruling = self.rulings.rule_in(block, &mut self.core.borrow_mut(), &self.party, prepared.into());
        if self.party.observe {
            return Ok(());
        }
        if let Answer::Forward { plan, .. } = &ruling.answer {
            self.rulings.bound(&ruling, plan, &prepared.analysis);
            return Ok(());
        }
        match self.record(&ruling, prepared, parameters, block) {
            Verdict::Block(refusal) | Verdict::Hold(refusal) => Err(refusal),
            Verdict::Forward { .. } => Ok(()),
        }
    }

    /// Records that a statement was given to the server to be kept: a parse, a bind. What runs it is a command of its own.
    pub fn announce(&mut self, kind: &'static str, prepared: &Prepared, parameters: &[Parameter<'_>]) {
        let ruled = Rc::new(Ruled::on(&prepared.analysis.effects));
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
        let subject = Subject { analysis: &analysis, catalog: &Arc::new(Catalog::default()), text };
        let ruling = self.rulings.rule(in_transaction, &mut self.core.borrow_mut(), &self.party, subject);
        self.answer(&ruling, &analysis, in_transaction, |evidence, verdict, ruled| {
            evidence.operation("operation", text, verdict, ruled, in_transaction)
        })
    }

    /// Whether a value of unknown origin may be shown, which no command asks for: what the session hears since it sent the
    /// statement `text`. Not recorded.
    pub fn shows_anything(&mut self, text: &str) -> bool {
        let Some(resource) = &self.party.resource else { return false };
        let effect = Effect {
            action: Action::SqlDeclassify,
            object: Object::Resource,
            tags: Tags::default(),
            facts: Facts::default(),
        };
        let context = SqlContext { text, fingerprint: "", in_transaction: false, at: SystemTime::now() };
        let request = Request { principal: &self.party.principal, resource, effect: &effect, context: &context };
        let Core { memo, policies, .. } = &mut *self.core.borrow_mut();
        match policies.load().decide_cached(memo, &request) {
            Decision::Permit(given) => given.approvals.is_empty() && given.mask.is_none(),
            Decision::Deny(_) => false,
        }
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

    fn answer(
        &mut self,
        ruling: &Ruling,
        analysis: &Analysis,
        in_transaction: bool,
        record: impl FnOnce(&mut Evidence, &'static str, &Rc<Ruled>) -> CommandId,
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
pub(crate) fn unmaskable(analysis: &Analysis, catalog: &Catalog, masks: &[(&Effect, Option<Mask>)]) -> Option<String> {
    match plan::plan(analysis, catalog, masks, &Given::default(), Some(Mask::Whole)) {
        Planned::Plan { .. } => None,
        Planned::Unmaskable(reason) => Some(reason),
    }
}

fn unwritable(error: &RecordError) -> CommitError {
    CommitError(format!("the gateway cannot record this session, so nothing is forwarded: {error}"))
}
