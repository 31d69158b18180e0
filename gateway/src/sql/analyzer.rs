//! The analyses of one core, remembered.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::literal::{scan, shape};
use super::postgres::Server;
use super::{Analysis, Catalog, Named, Settings, Space, flow, postgres};
use crate::access::Name;

/// The longest text whose analysis is remembered, in bytes.
const MAX_REMEMBERED: usize = 16 * 1024;

/// How many analyses are remembered of one catalog and one set of settings.
const MAX_ENTRIES: usize = 2048;

/// How long all of those texts are together at most, in bytes: an analysis is larger the longer its text is.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// How many pairs of catalog and settings are remembered.
const MAX_VIEWS: usize = 32;

/// Analyses texts, from memory where it can. One a core.
#[derive(Debug, Default)]
pub struct Analyzer {
    views: Vec<View>,
}

/// What was analysed under one catalog and one set of settings.
#[derive(Debug)]
struct View {
    catalog: Arc<Catalog>,
    settings: Settings,
    texts: Remembered<Box<[u8]>>,
    shapes: Remembered<Vec<u8>>,
}

/// Analyses by what they are of.
#[derive(Debug)]
struct Remembered<K> {
    entries: HashMap<K, Arc<Analysis>>,
    /// How long the texts are together.
    bytes: usize,
}

impl<K> Default for Remembered<K> {
    fn default() -> Self {
        Remembered { entries: HashMap::new(), bytes: 0 }
    }
}

impl Analyzer {
    /// What `text` does in a session with these settings on this database. What cannot be read is `sql.unknown`.
    pub fn analyze(&mut self, text: &[u8], catalog: &Arc<Catalog>, settings: &Settings) -> Arc<Analysis> {
        self.analyze_with(text, catalog, settings, &[])
    }

    /// The same, where these names stand for these statements.
    pub fn analyze_with(
        &mut self,
        text: &[u8],
        catalog: &Arc<Catalog>,
        settings: &Settings,
        named: &[((Space, Name), Named)],
    ) -> Arc<Analysis> {
        let view = self.view(catalog, settings);
        let key = key(text, named);
        let size = key.len();
        if let Some(known) = view.texts.entries.get(&*key) {
            return Arc::clone(known);
        }
        let scanned = scan(text);
        let shape = if size <= MAX_REMEMBERED { shape(text, &scanned) } else { None };
        if let Some(known) = shape.as_ref().and_then(|shape| view.shapes.entries.get(shape)) {
            return Arc::clone(known);
        }
        let (analysis, by_shape) = analyze(text, catalog, settings, named);
        let analysis = Arc::new(analysis);
        match shape.filter(|_| by_shape) {
            Some(shape) => remember(&mut view.shapes, shape, &analysis),
            None if size <= MAX_REMEMBERED => remember(&mut view.texts, key.into(), &analysis),
            None => {}
        }
        analysis
    }

    fn view(&mut self, catalog: &Arc<Catalog>, settings: &Settings) -> &mut View {
        let found = self.views.iter().position(|v| Arc::ptr_eq(&v.catalog, catalog) && v.settings == *settings);
        let at = found.unwrap_or_else(|| {
            if self.views.len() >= MAX_VIEWS {
                self.views.remove(0);
            }
            self.views.push(View {
                catalog: Arc::clone(catalog),
                settings: settings.clone(),
                texts: Remembered::default(),
                shapes: Remembered::default(),
            });
            self.views.len().saturating_sub(1)
        });
        #[expect(clippy::indexing_slicing, reason = "found by position, or pushed above")]
        &mut self.views[at]
    }
}

/// What an analysis is remembered by: the text, and what its names stand for. A text that is run holds no zero.
fn key<'t>(text: &'t [u8], named: &[((Space, Name), Named)]) -> Cow<'t, [u8]> {
    if named.is_empty() {
        return text.into();
    }
    let mut key = text.to_vec();
    for ((space, name), named) in named {
        key.extend_from_slice(&[0, u8::from(*space == Space::Cursors)]);
        key.extend_from_slice(name.as_bytes());
        match named {
            Named::Text(text) => {
                key.extend_from_slice(&[0, 0]);
                key.extend_from_slice(text.as_bytes());
            }
            Named::Absent => key.extend_from_slice(&[0, 1]),
            Named::Unknown => key.extend_from_slice(&[0, 2]),
        }
    }
    key.into()
}

fn remember<K: std::hash::Hash + Eq + AsRef<[u8]>>(remembered: &mut Remembered<K>, key: K, analysis: &Arc<Analysis>) {
    let size = key.as_ref().len();
    if remembered.entries.len() >= MAX_ENTRIES || remembered.bytes.saturating_add(size) > MAX_BYTES {
        *remembered = Remembered::default();
    }
    remembered.bytes = remembered.bytes.saturating_add(size);
    remembered.entries.insert(key, Arc::clone(analysis));
}

/// An analysis, and whether texts of its shape share it.
fn analyze(text: &[u8], catalog: &Catalog, settings: &Settings, named: &[((Space, Name), Named)]) -> (Analysis, bool) {
    let Ok(readable) = std::str::from_utf8(text) else { return (flow::unreadable(text), false) };
    let read = || {
        let program = postgres::lower(readable, Server::new(catalog.version))?;
        let fingerprint = postgres::fingerprint(readable)?;
        Some((flow::told(&program, &fingerprint, catalog, settings, named), program.shape_decides))
    };
    postgres::deep(readable, || match read() {
        Some(told) => told,
        None => {
            let mut told = flow::unreadable(text);
            told.doubtful = true;
            // What the grammar does not take, a server whose grammar it is refuses before it reads literals.
            told.parses_by_code = !Server::new(catalog.version).is_known();
            (told, false)
        }
    })
}
