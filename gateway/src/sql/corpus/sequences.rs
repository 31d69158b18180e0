//! What statements do to sequences.

use std::sync::Arc;

use super::{catalog, effects_on, relation};
use crate::sql::catalog::{Catalog, RelationKind};

/// `orders`, whose numbers come from a sequence, and another one in a schema that is not searched.
fn numbered() -> Arc<Catalog> {
    let mut all = Catalog::clone(&catalog());
    let (_, sequence) = relation(20, "orders_id_seq", RelationKind::Sequence, &[("last_value", "")]);
    let (_, mut other) = relation(21, "Tickets", RelationKind::Sequence, &[("last_value", "")]);
    other.schema = "other".into();
    for one in [sequence, other] {
        all.relations.insert(one.oid, one);
    }
    if let Some(id) = all.relations.get_mut(&2).and_then(|orders| orders.columns.first_mut()) {
        id.default = Some("nextval('orders_id_seq'::regclass)".into());
    }
    all.finish();
    Arc::new(all)
}

#[test]
fn a_number_that_is_drawn_or_set_is_a_write_of_its_sequence() {
    for (text, effects) in [
        ("select nextval('orders_id_seq')", "read, insert orders_id_seq"),
        ("select pg_catalog.nextval('PUBLIC.\"orders_id_seq\"'::text::regclass)", "read, insert orders_id_seq"),
        ("select nextval(regclass 'other.\"Tickets\"') from orders", "read orders, insert other.\"Tickets\""),
        ("select setval('orders_id_seq', 1, false)", "read, update orders_id_seq [equality]"),
        ("select currval('orders_id_seq'), lastval()", "read"),
        // Anything, where it is computed.
        ("select nextval($1)", "read, insert other.\"Tickets\", insert orders_id_seq"),
        (
            "select setval(pg_get_serial_sequence('orders', 'id'), 7)",
            "read, update other.\"Tickets\" [equality], update orders_id_seq [equality]",
        ),
        ("select nextval('missing')", "read, insert missing"),
        ("select nextval('20')", "read, insert other.\"Tickets\", insert orders_id_seq"),
        // The insert's own.
        ("insert into orders (total) values (1)", "insert orders"),
        ("insert into orders (id) values (nextval('orders_id_seq'))", "insert orders, insert orders_id_seq"),
    ] {
        assert_eq!(effects_on(text, &numbered()), effects, "{text}");
    }
}

#[test]
fn texts_that_name_other_sequences_are_other_texts() {
    use crate::sql::{Analyzer, Settings};
    let (mut analyzer, catalog) = (Analyzer::default(), numbered());
    let mut effects =
        |text: &str| Arc::clone(&analyzer.analyze(text.as_bytes(), &catalog, &Settings::default()).effects);
    let (one, other) = (effects("select nextval('orders_id_seq')"), effects("select nextval('other.\"Tickets\"')"));
    assert_ne!(one, other);
}
