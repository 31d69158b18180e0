//! What runs by name: EXECUTE and FETCH do what the statement does that has the name.

use super::scope::Scope;
use super::{MAX_DEPTH, Shown, Walk};
use crate::access::{Action, Object};
use crate::sql::Changes;
use crate::sql::form::{Act, Naming, Runs, Statement};
use crate::sql::names::{Made, Named, Rename, Space};
use crate::sql::postgres;

impl Walk<'_> {
    pub(super) fn by_name(&mut self, runs: &Runs, outer: &Scope<'_>) -> Shown {
        self.plain(Action::SqlSession, Object::Resource);
        for argument in &runs.arguments {
            let value = self.operand(argument, outer);
            self.taken(std::slice::from_ref(&value));
            if !value.nodes.is_empty() {
                // What it is compared with or returned as then may be anything.
                self.unknown();
            }
        }
        let shown = match self.named(runs.space, &runs.name) {
            Named::Text(text) => postgres::deep(&text, || self.run(&text)),
            Named::Absent if runs.space == Space::Cursors => Shown::Fetched,
            Named::Absent => Shown::Unknown,
            Named::Unknown => {
                if runs.space == Space::Statements {
                    self.changes = Changes::ALL;
                    self.unknown();
                }
                Shown::Unknown
            }
        };
        if runs.moves { Shown::Nothing } else { shown }
    }

    fn run(&mut self, text: &str) -> Shown {
        let program = postgres::lower(text, self.server()).filter(|_| self.depth < MAX_DEPTH);
        let Some([statement]) = program.as_ref().map(|program| program.statements.as_slice()) else {
            return self.opaque_statement();
        };
        self.depth += 1;
        let shown = self.statement(statement, &Scope::default());
        self.depth -= 1;
        shown
    }

    /// What a name stands for: what this very text made it, or what the session knew before.
    fn named(&mut self, space: Space, name: &str) -> Named {
        // Code may have done anything with it, and a body's is not known where it runs.
        if self.changes.names || self.depth > 0 {
            return Named::Unknown;
        }
        let own = self
            .renames
            .iter()
            .rev()
            .find(|rename| rename.space == space && rename.name.as_deref().is_none_or(|renamed| renamed == name));
        if let Some(rename) = own {
            return match &rename.made {
                None => Named::Absent,
                Some(Made { text: Some(text), .. }) => Named::Text(text.clone()),
                Some(Made { text: None, .. }) => Named::Unknown,
            };
        }
        let key = (space, name.into());
        let known = self.known.iter().find(|(known, _)| *known == key).map(|(_, named)| named.clone());
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        known.unwrap_or(Named::Unknown)
    }

    /// What a statement of the text, with that number, does to names when it is over.
    pub(super) fn rename(&mut self, number: usize, statement: &Statement) {
        let Statement::Act(Act { namings, .. }) = statement else { return };
        // Read by what is not known yet, nobody can say later whether it is still the same.
        let certain = !(self.changes.catalog || self.changes.settings || self.changes.rules || self.changes.undoes);
        for Naming { space, name, made } in namings {
            let made = made.clone().map(|made| Made { text: made.text.filter(|_| certain), ..made });
            let name = name.as_deref().map(Into::into);
            self.renames.push(Rename { statement: number, space: *space, name, made });
        }
    }
}
