//! Statements as they are analysed: once where they are prepared, and again where what is known has changed.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::Guard;
use crate::access::{Action, Effect, Facts, Name, Object, Tags};
use crate::sql::{Analysis, Catalog, Changes, Named, Outputs, Settings, Space, without_literals};

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
    pub(super) catalog: Arc<Catalog>,
    /// The settings it was analysed under.
    settings: Settings,
    /// The text as the recording may hold it.
    pub(super) recorded: Arc<str>,
    /// What the names that it runs stood for.
    named: Arc<[((Space, Name), Named)]>,
}

impl Prepared {
    /// The settings it was analysed under.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl Guard {
    /// Analyses a statement, from the core's cache where it can.
    pub fn prepare(&mut self, statement: Statement<'_>) -> Rc<Prepared> {
        let analysis = self.core.borrow_mut().analyzer.analyze(statement.text, statement.catalog, statement.settings);
        let text: Arc<str> = match std::str::from_utf8(statement.text) {
            Ok(text) => text.into(),
            Err(_) => String::from_utf8_lossy(statement.text).into(),
        };
        let recorded = recorded(&text, &analysis);
        let (catalog, settings) = (Arc::clone(statement.catalog), statement.settings.clone());
        Rc::new(Prepared { text, analysis, catalog, settings, recorded, named: Arc::new([]) })
    }

    /// A statement that was prepared before, by what is known now. Where that makes it another one, the server may run the
    /// one or the other: it is unknown.
    pub fn renew(&mut self, prepared: &Rc<Prepared>, catalog: &Arc<Catalog>, settings: &Settings) -> Rc<Prepared> {
        if Arc::ptr_eq(&prepared.catalog, catalog) && prepared.settings == *settings {
            return Rc::clone(prepared);
        }
        let text = prepared.text.as_bytes();
        let now = self.core.borrow_mut().analyzer.analyze(text, catalog, settings);
        let same = now.effects == prepared.analysis.effects && now.outputs == prepared.analysis.outputs;
        let (analysis, recorded) = if same {
            (now, Arc::clone(&prepared.recorded))
        } else {
            let either = prepared.analysis.either(&now);
            let recorded = without_literals(&prepared.text).into();
            (Arc::new(either), recorded)
        };
        let (catalog, settings) = (Arc::clone(catalog), settings.clone());
        let text = Arc::clone(&prepared.text);
        Rc::new(Prepared { text, analysis, catalog, settings, recorded, named: Arc::new([]) })
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
    pub fn resolve(&mut self, prepared: &Prepared, named: &[((Space, Name), Named)]) -> Rc<Prepared> {
        let Prepared { text, catalog, settings, .. } = prepared;
        let analysis = self.core.borrow_mut().analyzer.analyze_with(text.as_bytes(), catalog, settings, named);
        let recorded = recorded(text, &analysis);
        Rc::new(Prepared { analysis, recorded, named: named.into(), ..prepared.clone() })
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
    pub fn opaque(&self, action: Action, object: Object, text: &str, catalog: &Arc<Catalog>) -> Rc<Prepared> {
        let effect = Effect { action, object, tags: Tags::default(), facts: Facts::default() };
        let analysis = Analysis { changes: Changes::ALL, copies_in: true, ..Analysis::of_operation(effect) };
        let text: Arc<str> = text.into();
        Rc::new(Prepared {
            recorded: Arc::clone(&text),
            text,
            analysis: Arc::new(analysis),
            catalog: Arc::clone(catalog),
            settings: Settings::default(),
            named: Arc::new([]),
        })
    }

    /// A statement that the server reads by other rules than the parser does: unknown, whatever it says, and recorded by
    /// its length alone.
    pub fn unread(&self, text: &[u8], catalog: &Arc<Catalog>) -> Rc<Prepared> {
        let recorded = format!("a statement of {} bytes, read by rules that the gateway does not follow", text.len());
        let text: Arc<str> = String::from_utf8_lossy(text).into();
        let unknown = Rc::unwrap_or_clone(self.opaque(Action::SqlUnknown, Object::Resource, "", catalog));
        Rc::new(Prepared { text, recorded: recorded.into(), ..unknown })
    }
}

/// A text as the recording may hold it.
fn recorded(text: &Arc<str>, analysis: &Analysis) -> Arc<str> {
    let whole = analysis.effects.iter().any(|e| matches!(e.action, Action::SqlUnknown | Action::SqlPrivilege));
    if whole || analysis.literals_sensitive { without_literals(text).into() } else { Arc::clone(text) }
}
