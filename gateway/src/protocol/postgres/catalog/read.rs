//! How a catalog is read over a connection: whole, or what changed since it was read last.

use std::sync::Arc;

use super::answer::{Answered, AskError, Row};
use super::build::Read;
use super::prints::{Changed, Fingerprints, fingerprints as read_fingerprints};
use super::questions::{self, DATABASE, SNAPSHOT, TEMPORARY, VERSION, fingerprints};
use super::slot::{Draft, Known, Slot};
use super::tags::Identity;
use crate::access::Name;

/// Above this many changed objects the whole is read: a list of them would be no shorter.
const MANY: usize = 1000;

/// A connection that answers questions.
pub(in crate::protocol::postgres) trait Asks {
    /// Why it does not.
    type Error: From<AskError>;

    /// Whether the server answered that it does not answer that: the connection is as it was.
    fn is_refusal(error: &Self::Error) -> bool;

    /// Asks all of them in one transaction.
    async fn ask(&mut self, questions: &[String]) -> Result<Answered, Self::Error>;
}

/// What the second half of a look asks.
#[derive(Debug)]
pub(super) struct Plan {
    prints: Fingerprints,
    /// Absent: everything.
    changed: Option<Changed>,
    damaged: bool,
}

impl Plan {
    /// From the answer to [`fingerprints`].
    pub(super) fn new(answered: &mut Answered, base: Option<&Known>) -> Self {
        let prints = read_fingerprints(&answered.next());
        let damaged = prints.is_none() || answered.damaged;
        let prints = prints.unwrap_or_default();
        let changed = base
            .filter(|base| base.catalog.complete && !damaged)
            .and_then(|base| Changed::between(&base.prints, &prints))
            .filter(|changed| changed.len() <= MANY);
        Plan { prints, changed, damaged }
    }
}

/// How a look is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub(super) server: u32,
    pub(super) base: Option<&'a Known>,
    /// Whether every session is of the role that asks.
    pub(super) own_role: bool,
    pub(super) identity: &'a Identity,
}

impl Look<'_> {
    /// Looks at the database; `snapshot` is what could be seen before, `answered` the fingerprints.
    pub(super) async fn run<A: Asks>(
        self,
        asker: &mut A,
        snapshot: Box<str>,
        mut answered: Answered,
    ) -> Result<Draft, A::Error> {
        // Another version has other relations of its own.
        let base = self.base.filter(|base| base.catalog.version == self.server);
        let mut plan = Plan::new(&mut answered, base);
        let mut read = self.read(asker, &plan).await?;
        if let (Some(base), Some(_)) = (base, &plan.changed)
            && read.renames(&base.catalog)
        {
            // Texts of what did not change print the old name.
            plan.changed = None;
            read = self.read(asker, &plan).await?;
        }
        let before = base.zip(plan.changed.as_ref()).map(|(base, changed)| (&*base.catalog, changed));
        let mut catalog = read.onto(before, &plan.prints);
        catalog.complete &= !plan.damaged;
        catalog.version = self.server;
        Ok(Draft { catalog, prints: plan.prints, snapshot, identity: self.identity.clone() })
    }

    async fn read<A: Asks>(self, asker: &mut A, plan: &Plan) -> Result<Read, A::Error> {
        let (asked, list) = questions::every(self.server, plan.changed.as_ref());
        let mut answered = asker.ask(&list).await?;
        Ok(Read::of(&mut answered, asked, self.own_role))
    }
}

/// A look over a session's own connection.
pub(in crate::protocol::postgres) struct SessionLook {
    pub(in crate::protocol::postgres) slot: Arc<Slot>,
    /// What the session knew so far.
    pub(in crate::protocol::postgres) known: Option<Arc<Known>>,
    /// The search path of a new session.
    pub(in crate::protocol::postgres) path: Vec<Name>,
    /// Whether there is nothing that only this session sees.
    pub(in crate::protocol::postgres) committed: bool,
}

impl SessionLook {
    /// Looks; also the session's schema for temporary objects, where it has one.
    pub(in crate::protocol::postgres) async fn run<A: Asks>(
        self,
        asker: &mut A,
    ) -> Result<(Arc<Known>, Option<Name>), A::Error> {
        let SessionLook { slot, known, path, committed } = self;
        let base = known.or_else(|| slot.last());
        let mut questions: Vec<String> = [VERSION, DATABASE, SNAPSHOT, TEMPORARY].map(str::to_owned).into();
        // Where it is known that something changed, what it was is asked at once.
        let expected = base.as_ref().map(|base| base.catalog.version).filter(|_| !committed);
        questions.extend(expected.map(fingerprints));
        let mut answered = asker.ask(&questions).await?;
        let server: u32 = answered.value().and_then(|text| text.parse().ok()).ok_or(AskError::Malformed)?;
        let mut identity = identity(answered.next()).ok_or(AskError::Malformed)?;
        let snapshot: Box<str> = answered.value().ok_or(AskError::Malformed)?.into();
        let temporary: Option<Name> = answered.value().map(Name::from);
        identity.cluster = match &base {
            Some(base) => base.identity.cluster.clone(),
            None => cluster(asker).await?,
        };
        let base = base.filter(|base| base.identity.is(&identity));
        let same = |base: &&Arc<Known>| committed && base.snapshot == snapshot && base.catalog.complete;
        if let Some(base) = base.as_ref().filter(same) {
            return Ok((Arc::clone(base), temporary));
        }
        if expected != Some(server) {
            answered = asker.ask(&[fingerprints(server)]).await?;
        }
        let own_role = slot.resource.credentials.is_some();
        let look = Look { server, base: base.as_deref(), own_role, identity: &identity };
        let mut draft = look.run(asker, snapshot, answered).await?;
        // What is in there is printed without it.
        draft.catalog.definitions_path = temporary.iter().cloned().collect();
        let local = base.filter(|_| !committed).map(|base| base.bindings.clone());
        let made = tokio::task::spawn_blocking(move || slot.make(draft, path, local.as_ref(), committed)).await;
        Ok((Arc::new(made.map_err(|_| AskError::Malformed)?), temporary))
    }
}

/// The database of the answer to [`DATABASE`].
pub(super) fn identity(rows: Vec<Row>) -> Option<Identity> {
    let mut row = rows.into_iter().next()?.into_iter();
    Some(Identity { cluster: None, oid: row.next()??.parse().ok()?, name: row.next()?? })
}

/// The cluster's number, where the role may ask for it.
pub(super) async fn cluster<A: Asks>(asker: &mut A) -> Result<Option<String>, A::Error> {
    match asker.ask(&[questions::CLUSTER.to_owned()]).await {
        Ok(mut answered) => Ok(answered.value()),
        Err(error) if A::is_refusal(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
