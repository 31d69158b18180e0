//! Statements that give a name to another, and those that run what has one.

use pg_query::NodeEnum;
use pg_query::protobuf::{DeclareCursorStmt, DiscardMode, Node, PrepareStmt, Token};

use super::expr::type_name;
use super::{Lowering, session};
use crate::access::Action;
use crate::sql::Changes;
use crate::sql::form::{Act, Constant, Expr, Inner, Naming, Runs, Statement, Target};
use crate::sql::names::{Made, Space};

/// CURSOR_OPT_HOLD of `parsenodes.h`.
const HOLD: i32 = 0x0020;

impl Lowering {
    pub(super) fn prepare(&mut self, prepare: &PrepareStmt) -> Statement {
        let made = Made { text: self.source_after(Token::As).map(Into::into), holds: true };
        let naming = Naming { space: Space::Statements, name: Some(prepare.name.clone()), made: Some(made) };
        // Values of its parameters' types are made when it is executed, which may run somebody's code.
        let cast = |node: &Node| match &node.node {
            Some(NodeEnum::TypeName(name)) => {
                Expr::Cast { value: Box::new(Expr::Constant(Constant::Null)), to: type_name(name), sized: false }
            }
            _ => Expr::Opaque,
        };
        let computes = prepare.argtypes.iter().map(cast).collect();
        match self.naming(prepare.query.as_deref(), Inner::Prepared, naming) {
            Statement::Act(act) => Statement::Act(Act { computes, ..act }),
            other => other,
        }
    }

    pub(super) fn declare(&mut self, declare: &DeclareCursorStmt) -> Statement {
        let text = self.source_after(Token::For).map(Into::into);
        let made = Made { text, holds: declare.options & HOLD != 0 };
        let naming = Naming { space: Space::Cursors, name: Some(declare.portalname.clone()), made: Some(made) };
        self.naming(declare.query.as_deref(), Inner::Named, naming)
    }

    /// A statement of the session that gives another a name.
    fn naming(&mut self, inner: Option<&Node>, becomes: Inner, naming: Naming) -> Statement {
        let inner = inner.map_or(Statement::Opaque, |inner| self.statement(inner));
        Statement::Act(Act {
            effects: vec![(Action::SqlSession, Target::Resource)],
            inner: Some(Box::new(inner)),
            becomes,
            namings: vec![naming],
            ..Act::default()
        })
    }

    pub(super) fn execute(&mut self, name: &str, parameters: &[Node]) -> Statement {
        let arguments = self.exprs(parameters);
        Statement::Runs(Runs { space: Space::Statements, name: name.to_owned(), arguments, moves: false })
    }

    /// What stands in the statement that is lowered behind the first keyword of that kind, which none before it can be: names are no
    /// keywords, and types hold none.
    fn source_after(&self, keyword: Token) -> Option<String> {
        let scanned = pg_query::scan(&self.source).ok()?;
        let found = scanned.tokens.iter().find(|token| token.token == i32::from(keyword))?;
        self.source.get(usize::try_from(found.end).ok()?..).map(str::to_owned)
    }
}

pub(super) fn fetch(name: &str, moves: bool) -> Statement {
    Statement::Runs(Runs { space: Space::Cursors, name: name.to_owned(), arguments: Vec::new(), moves })
}

/// A statement that takes a name away; an empty one stands for all.
pub(super) fn forget(space: Space, name: &str) -> Statement {
    let name = (!name.is_empty()).then(|| name.to_owned());
    act(vec![Naming { space, name, made: None }], Changes::default())
}

pub(super) fn discard(target: DiscardMode) -> Statement {
    let all = |space| Naming { space, name: None, made: None };
    match target {
        DiscardMode::DiscardPlans | DiscardMode::DiscardSequences => session(),
        DiscardMode::DiscardTemp => act(Vec::new(), Changes { catalog: true, settings: true, ..Changes::default() }),
        DiscardMode::DiscardAll | DiscardMode::Undefined => act(
            vec![all(Space::Statements), all(Space::Cursors)],
            Changes { catalog: true, settings: true, ..Changes::default() },
        ),
    }
}

fn act(namings: Vec<Naming>, changes: Changes) -> Statement {
    Statement::Act(Act { namings, changes, effects: vec![(Action::SqlSession, Target::Resource)], ..Act::default() })
}
