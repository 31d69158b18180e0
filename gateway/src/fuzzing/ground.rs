//! The database that the targets' statements are about.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::access::Tags;
use crate::sql::Catalog;
use crate::sql::catalog::{
    Column, ForeignKey, Function, FunctionKind, Key, Operator, Relation, RelationKind, Rule, Trigger, Type, TypeKind,
    Volatility,
};

const TEXT: u32 = 25;
const INT4: u32 = 23;

/// A relation of `public`; a column is a name, a type, and whether it is sensitive.
fn relation(oid: u32, name: &str, kind: RelationKind, columns: &[(&str, u32, bool)]) -> Relation {
    let columns = columns.iter().zip(1i16..).map(|((name, type_oid, sensitive), number)| Column {
        number,
        name: (*name).into(),
        type_oid: *type_oid,
        tags: Tags::new(sensitive.then(|| "pii".into())),
        ..Column::default()
    });
    Relation {
        oid,
        schema: "public".into(),
        name: name.into(),
        kind,
        columns: columns.collect(),
        row_type: oid.saturating_add(1000),
        ..Relation::default()
    }
}

fn function(oid: u32, name: &str, language: &str, body: &str) -> Function {
    Function {
        oid,
        schema: "public".into(),
        name: name.into(),
        kind: FunctionKind::Function,
        arguments: vec![INT4],
        argument_names: vec!["a".into()],
        returns: TEXT,
        language: language.into(),
        body: Some(body.into()),
        volatility: Volatility::Stable,
        ..Function::default()
    }
}

/// A bit of everything that the analysis reads of a catalog.
fn catalog() -> Catalog {
    let users = Relation {
        checks: vec!["(ssn ~ '^[0-9-]+$'::text)".into()],
        keys: vec![
            Key { columns: vec![1], ..Key::default() },
            Key { columns: vec![3], texts: vec!["(name IS NOT NULL)".into()], excludes: false },
        ],
        indexed: vec!["lower(ssn)".into()],
        policies: vec!["(name = CURRENT_USER)".into()],
        row_security: true,
        ..relation(1, "users", RelationKind::Table, &[("id", INT4, false), ("name", TEXT, false), ("ssn", TEXT, true)])
    };
    let orders = Relation {
        foreign_keys: vec![ForeignKey { columns: vec![2], target: 1, target_columns: vec![1], writes: true }],
        triggers: vec![Trigger {
            function: 102,
            insert: true,
            update: true,
            enabled: true,
            definition:
                "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON public.orders FOR EACH ROW WHEN ((new.total > 0)) \
                         EXECUTE FUNCTION public.p()"
                    .into(),
            ..Trigger::default()
        }],
        ..relation(
            2,
            "orders",
            RelationKind::Table,
            &[("id", INT4, false), ("user_id", INT4, false), ("total", INT4, false)],
        )
    };
    let view = Relation {
        definition: Some("SELECT users.id, upper(users.ssn) AS s FROM public.users WHERE users.id > 0".into()),
        dependencies: vec![(1, 1), (1, 3)],
        ..relation(3, "v", RelationKind::View, &[("id", INT4, false), ("s", TEXT, false)])
    };
    let ruled = Relation {
        rules: vec![Rule {
            event: crate::sql::catalog::Event::Insert,
            instead: true,
            definition: "CREATE RULE r AS ON INSERT TO public.ruled DO INSTEAD INSERT INTO public.users (id, ssn) \
                         VALUES (new.id, new.s) RETURNING users.id, users.ssn"
                .into(),
        }],
        ..relation(4, "ruled", RelationKind::Table, &[("id", INT4, false), ("s", TEXT, false)])
    };
    let child = Relation {
        parents: vec![1],
        ..relation(
            5,
            "users_child",
            RelationKind::Table,
            &[("id", INT4, false), ("name", TEXT, false), ("ssn", TEXT, true), ("more", TEXT, false)],
        )
    };
    // A view of itself, as no server has one.
    let round = Relation {
        definition: Some("SELECT round.a FROM public.round".into()),
        ..relation(6, "round", RelationKind::View, &[("a", TEXT, false)])
    };
    let plain = [
        relation(7, "accounts", RelationKind::Table, &[("aid", INT4, false), ("abalance", INT4, false)]),
        relation(8, "away", RelationKind::Foreign, &[("a", TEXT, false)]),
    ];
    let relations = [users, orders, view, ruled, child, round].into_iter().chain(plain);
    let domain = Type {
        oid: 900,
        schema: "public".into(),
        name: "code".into(),
        kind: TypeKind::Domain,
        base: TEXT,
        checks: vec!["(public.g(1) = VALUE)".into()],
        ..Type::default()
    };
    Catalog {
        generation: 1,
        complete: true,
        database: "appdb".into(),
        version: 150_000,
        relations: relations.map(|relation| (relation.oid, relation)).collect(),
        functions: vec![
            function(100, "f", "c", ""),
            function(101, "g", "sql", "select ssn from users where id = $1"),
            function(102, "p", "plpgsql", "begin perform g(new.id); return new; end"),
            function(103, "again", "sql", "select again(a) || again(a)"),
        ],
        operators: vec![Operator {
            oid: 800,
            schema: "public".into(),
            name: "=~=".into(),
            function: 100,
            left: TEXT,
            right: TEXT,
            result: 16,
        }],
        types: HashMap::from([(900, domain)]),
        search_path: vec!["public".into()],
        definitions_path: vec!["pg_catalog".into()],
        any_sensitive: true,
        ..Catalog::default()
    }
}

/// The same for every run.
pub(crate) fn database() -> Arc<Catalog> {
    static DATABASE: LazyLock<Arc<Catalog>> = LazyLock::new(|| {
        let mut catalog = catalog();
        crate::sql::inherit_tags(&mut catalog);
        catalog.finish();
        Arc::new(catalog)
    });
    Arc::clone(&DATABASE)
}
