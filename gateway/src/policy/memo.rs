//! Decisions that were made before.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Decision, Principal, Request, ResourceRef};
use crate::access::{Action, Effect};

/// How many decisions a core remembers before it begins anew.
const MAX: usize = 8192;

/// The longest statement text that is part of a remembered question, in bytes: policies that read the text make every
/// text a question of its own.
const MAX_TEXT: usize = 4096;

/// The values of a context that policies read; absent where none does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ContextKey {
    pub(super) text: Option<Arc<str>>,
    pub(super) fingerprint: Option<Arc<str>>,
    pub(super) in_transaction: Option<bool>,
    pub(super) hour: Option<i64>,
    pub(super) weekday: Option<i64>,
}

impl ContextKey {
    /// Whether it holds a text of more than so many bytes: what is remembered by it would keep that.
    pub fn is_longer_than(&self, bytes: usize) -> bool {
        self.text.as_ref().is_some_and(|text| text.len() > bytes)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Question {
    principal: Principal,
    resource: ResourceRef,
    effect: Effect,
    context: ContextKey,
}

/// One core's memory of one generation's decisions.
#[derive(Debug, Default)]
pub struct Memo {
    generation: u64,
    decisions: HashMap<Question, Decision>,
}

impl Memo {
    pub(super) fn get_or_insert_with(
        &mut self,
        generation: u64,
        context: ContextKey,
        request: &Request<'_>,
        decide: impl FnOnce() -> Decision,
    ) -> Decision {
        if generation != self.generation || self.decisions.len() >= MAX {
            self.generation = generation;
            self.decisions.clear();
        }
        if request.effect.action == Action::Connect || context.is_longer_than(MAX_TEXT) {
            return decide();
        }
        let question = Question {
            principal: request.principal.clone(),
            resource: request.resource.clone(),
            effect: request.effect.clone(),
            context,
        };
        self.decisions.entry(question).or_insert_with(decide).clone()
    }
}
