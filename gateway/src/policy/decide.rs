//! From a question to Cedar's answer and what matching obligations add to it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet,
    RestrictedExpression, Schema,
};

use super::rule::Rule;
use super::{ContextKey, Decision, Denial, Memo, Obligations, Principal, Request, ResourceRef, SqlContext};
use crate::access::{Action, Name, Object, TableName, Tags};
use crate::config::UNLISTED;
use crate::mask::strictest;

/// A set of policies, as it was loaded.
pub struct Policies {
    generation: u64,
    schema: Schema,
    actions: Entities,
    types: Types,
    /// Forbids and plain permits.
    deciding: PolicySet,
    /// Permits that only add.
    obligations: PolicySet,
    rules: HashMap<PolicyId, Rule>,
    reads: Reads,
    authorizer: Authorizer,
}

/// The entity types of the schema.
struct Types {
    workload: EntityTypeName,
    group: EntityTypeName,
    tag: EntityTypeName,
    resource: EntityTypeName,
    table: EntityTypeName,
    column: EntityTypeName,
    function: EntityTypeName,
    action: EntityTypeName,
}

impl Types {
    fn new() -> Result<Self, String> {
        let name = |text: &str| text.parse::<EntityTypeName>().map_err(|error| error.to_string());
        Ok(Types {
            workload: name("Workload")?,
            group: name("Group")?,
            tag: name("Tag")?,
            resource: name("Resource")?,
            table: name("Table")?,
            column: name("Column")?,
            function: name("Function")?,
            action: name("Action")?,
        })
    }
}

/// Which values of a statement's context some policy reads.
#[derive(Clone, Copy, Debug, Default)]
struct Reads {
    text: bool,
    fingerprint: bool,
    in_transaction: bool,
    hour: bool,
    weekday: bool,
}

/// The question could not be put: a block.
#[derive(Debug)]
struct Unaskable(String);

impl<E: std::error::Error> From<E> for Unaskable {
    fn from(error: E) -> Self {
        Unaskable(error.to_string())
    }
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policies").field("generation", &self.generation).finish_non_exhaustive()
    }
}

fn uid(kind: &EntityTypeName, id: impl AsRef<str>) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// An entity without attributes.
fn plain(uid: EntityUid, parents: impl IntoIterator<Item = EntityUid>) -> Entity {
    Entity::new_no_attrs(uid, parents.into_iter().collect())
}

impl Policies {
    pub(super) fn new(
        generation: u64,
        schema: Schema,
        deciding: PolicySet,
        obligations: PolicySet,
        rules: HashMap<PolicyId, Rule>,
        attributes: &BTreeSet<String>,
    ) -> Result<Self, String> {
        let actions = schema.action_entities().map_err(|error| error.to_string())?;
        let reads = Reads {
            text: attributes.contains("text"),
            fingerprint: attributes.contains("fingerprint"),
            in_transaction: attributes.contains("in_transaction"),
            hour: attributes.contains("hour"),
            weekday: attributes.contains("weekday"),
        };
        let types = Types::new()?;
        Ok(Policies {
            generation,
            schema,
            actions,
            types,
            deciding,
            obligations,
            rules,
            reads,
            authorizer: Authorizer::new(),
        })
    }

    /// Which load these come from; part of every remembered decision.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How many policies there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether some policy makes a difference between objects of a resource, by these tags of theirs or by name, or masks any.
    /// Where none does, nothing in it is sensitive.
    pub fn protects(&self, resource: &ResourceRef, sensitive: &BTreeSet<Name>) -> bool {
        self.rules.values().any(|rule| rule.protects(resource, sensitive))
    }

    /// The values of a context that policies read, and no others.
    pub fn context_key(&self, context: &SqlContext<'_>) -> ContextKey {
        let Reads { text, fingerprint, in_transaction, hour, weekday } = self.reads;
        let (h, w) = if hour || weekday { clock(context) } else { (0, 0) };
        ContextKey {
            text: text.then(|| context.text.into()),
            fingerprint: fingerprint.then(|| context.fingerprint.into()),
            in_transaction: in_transaction.then_some(context.in_transaction),
            hour: hour.then_some(h),
            weekday: weekday.then_some(w),
        }
    }

    /// Decides from memory where the same was asked before.
    pub fn decide_cached(&self, memo: &mut Memo, request: &Request<'_>) -> Decision {
        memo.get_or_insert_with(self.generation, self.context_key(request.context), request, || self.decide(request))
    }

    /// Decides on one effect. Whatever cannot be evaluated is denied.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let (hour, weekday) = clock(request.context);
        let facts = request.effect.facts;
        let pairs = [
            ("text", RestrictedExpression::new_string(request.context.text.to_owned())),
            ("fingerprint", RestrictedExpression::new_string(request.context.fingerprint.to_owned())),
            ("in_transaction", RestrictedExpression::new_bool(request.context.in_transaction)),
            ("hour", RestrictedExpression::new_long(hour)),
            ("weekday", RestrictedExpression::new_long(weekday)),
            ("bounded", RestrictedExpression::new_bool(facts.bounded)),
            ("equality", RestrictedExpression::new_bool(facts.equality)),
            ("predicate", RestrictedExpression::new_string(facts.predicate.as_str().to_owned())),
        ];
        let asked = (|| {
            let (object, mut entities) = self.object(request.resource, &request.effect.object, &request.effect.tags);
            let principal = self.principal(request.principal, &mut entities)?;
            let context = Context::from_pairs(pairs.map(|(key, value)| (key.to_owned(), value)))?;
            self.ask(principal, request.effect.action, object, context, entities)
        })();
        let what = || match &request.effect.object {
            Object::Resource => request.resource.name.to_string(),
            object => object.id(&request.resource.name),
        };
        asked.unwrap_or_else(|error| denied(error.0)).or_explained(request.effect.action, what)
    }

    /// Decides whether a workload may connect to a resource, or where there is none, to an unlisted destination.
    pub fn decide_connect(
        &self,
        principal: &Principal,
        resource: Option<&ResourceRef>,
        address: IpAddr,
        port: u16,
        server_name: Option<&str>,
    ) -> Decision {
        let asked = (|| {
            let mut pairs = vec![
                ("address".to_owned(), RestrictedExpression::new_ip(address.to_string())),
                ("port".to_owned(), RestrictedExpression::new_long(port.into())),
            ];
            if let Some(name) = server_name {
                pairs.push(("server_name".to_owned(), RestrictedExpression::new_string(name.to_owned())));
            }
            let unlisted = ResourceRef { name: UNLISTED.into(), tags: Arc::new([]) };
            let resource = resource.unwrap_or(&unlisted);
            let (object, mut entities) = self.object(resource, &Object::Resource, &Tags::default());
            let principal = self.principal(principal, &mut entities)?;
            self.ask(principal, Action::Connect, object, Context::from_pairs(pairs)?, entities)
        })();
        let what = || match resource {
            Some(resource) => resource.name.to_string(),
            None => format!("{address} port {port}, which is no resource of this gateway"),
        };
        asked.unwrap_or_else(|error| denied(error.0)).or_explained(Action::Connect, what)
    }

    fn ask(
        &self,
        principal: EntityUid,
        action: Action,
        object: EntityUid,
        context: Context,
        entities: Vec<Entity>,
    ) -> Result<Decision, Unaskable> {
        let action = uid(&self.types.action, action.as_str());
        let request = cedar_policy::Request::new(principal, action, object, context, Some(&self.schema))?;
        let entities = self.actions.clone().add_entities(entities, None)?;
        let answer = self.authorizer.is_authorized(&request, &self.deciding, &entities);
        if let Some(error) = answer.diagnostics().errors().next() {
            return Err(Unaskable(format!("a policy cannot be evaluated: {error}")));
        }
        let reasons: Vec<&Rule> = answer.diagnostics().reason().filter_map(|id| self.rules.get(id)).collect();
        if answer.decision() == cedar_policy::Decision::Deny {
            let mut policies: Vec<Name> = reasons.iter().map(|rule| rule.id.clone()).collect();
            policies.sort();
            let mut spoken: Vec<&&Rule> = reasons.iter().filter(|rule| rule.reason.is_some()).collect();
            spoken.sort_by(|a, b| a.id.cmp(&b.id));
            let reason = spoken.first().and_then(|rule| rule.reason.clone()).unwrap_or_default();
            return Ok(Decision::Deny(Arc::new(Denial { policies, reason })));
        }
        let added = self.authorizer.is_authorized(&request, &self.obligations, &entities);
        if let Some(error) = added.diagnostics().errors().next() {
            return Err(Unaskable(format!("a policy cannot be evaluated: {error}")));
        }
        let mut rules: Vec<&Rule> = added.diagnostics().reason().filter_map(|id| self.rules.get(id)).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Decision::Permit(Arc::new(combine(&rules))))
    }

    fn principal(&self, principal: &Principal, entities: &mut Vec<Entity>) -> Result<EntityUid, Unaskable> {
        let who = uid(&self.types.workload, &principal.workload);
        let groups = principal.groups.iter().map(|group| uid(&self.types.group, group));
        let claims = principal.claims.iter();
        let tags = claims.map(|(key, value)| (key.to_string(), RestrictedExpression::new_string(value.to_string())));
        entities.push(Entity::new_with_tags(who.clone(), [], groups, tags)?);
        Ok(who)
    }

    /// An object, and everything that it is in.
    fn object(&self, resource: &ResourceRef, object: &Object, tags: &Tags) -> (EntityUid, Vec<Entity>) {
        let types = &self.types;
        let root = uid(&types.resource, &resource.name);
        let mut entities = vec![plain(root.clone(), resource.tags.iter().map(|tag| uid(&types.tag, tag)))];
        let id = object.id(&resource.name);
        let tags = tags.iter().map(|tag| uid(&types.tag, tag));
        let table_id = |table: &Arc<TableName>| Object::Table(Arc::clone(table)).id(&resource.name);
        let this = match object {
            Object::Resource => return (root, entities),
            Object::Table(_) => {
                let this = uid(&types.table, id);
                entities.push(plain(this.clone(), tags.chain([root])));
                this
            }
            Object::Column(column) => {
                let table = uid(&types.table, table_id(&Arc::new(column.table.clone())));
                entities.push(plain(table.clone(), [root]));
                let this = uid(&types.column, id);
                entities.push(plain(this.clone(), tags.chain([table])));
                this
            }
            Object::Function(_) => {
                let this = uid(&types.function, id);
                entities.push(plain(this.clone(), tags.chain([root])));
                this
            }
        };
        (this, entities)
    }
}

impl Decision {
    /// Gives a denial that no policy explains a sentence.
    fn or_explained(self, action: Action, object: impl FnOnce() -> String) -> Self {
        match self {
            Decision::Deny(denial) if denial.reason.is_empty() => {
                let why = if denial.policies.is_empty() { "no policy permits" } else { "a policy forbids" };
                let reason = format!("{why} {action} on {}", object());
                Decision::Deny(Arc::new(Denial { policies: denial.policies.clone(), reason }))
            }
            decision => decision,
        }
    }
}

fn denied(reason: String) -> Decision {
    Decision::Deny(Arc::new(Denial { policies: Vec::new(), reason }))
}

fn combine(rules: &[&Rule]) -> Obligations {
    let mut all = Obligations::default();
    for rule in rules {
        all.policies.push(rule.id.clone());
        all.mask = match (all.mask, rule.mask) {
            (Some(one), Some(other)) => Some(strictest(one, other)),
            (one, other) => one.or(other),
        };
        all.approvals.extend(rule.approval.clone());
    }
    // The shortest time counts for all.
    if let Some(shortest) = all.approvals.iter().map(|rule| rule.timeout).min() {
        all.approvals.iter_mut().for_each(|rule| rule.timeout = shortest);
    }
    all
}

/// Hour (0 to 23) and weekday (1, Monday, to 7), UTC.
fn clock(context: &SqlContext<'_>) -> (i64, i64) {
    let seconds = context.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let hours = seconds / 3600;
    // 1 January 1970 was a Thursday.
    let (hour, weekday) = (hours % 24, (hours / 24).saturating_add(3) % 7);
    (hour.cast_signed(), weekday.saturating_add(1).cast_signed())
}
