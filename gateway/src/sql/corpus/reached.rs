//! Relations that a statement comes to without their names: what is sensitive of their rows counts as if they were named.

use std::sync::Arc;

use super::{catalog, relation};
use crate::access::Action;
use crate::sql::catalog::{Catalog, ForeignKey, RelationKind};
use crate::sql::{Analysis, Analyzer, Settings};

/// `teams`, which the rows of `staff` go with; `persons`, and a child of it; a view that leaves out what is sensitive; and a
/// table that is partitioned by a column with a quote in its name.
fn around() -> Arc<Catalog> {
    let mut all = Catalog::clone(&catalog());
    let table = |oid, name, columns: &[(&str, &str)]| relation(oid, name, RelationKind::Table, columns);
    let (_, teams) = table(20, "teams", &[("id", ""), ("name", "")]);
    let (_, mut staff) = table(21, "staff", &[("id", ""), ("team", ""), ("ssn", "pii")]);
    staff.foreign_keys = vec![ForeignKey { columns: vec![2], target: 20, target_columns: vec![1], writes: true }];
    let (_, persons) = table(22, "persons", &[("id", ""), ("city", "")]);
    let (_, mut kept) = table(23, "persons_kept", &[("id", ""), ("city", ""), ("ssn", "pii")]);
    kept.parents = vec![22];
    let (_, mut view) = relation(24, "names", RelationKind::View, &[("id", ""), ("name", "")]);
    view.definition = Some("select id, name from public.users".into());
    view.dependencies = vec![(1, 1), (1, 2)];
    let (_, mut parted) = table(25, "parted", &[("id", ""), ("per\"son", "pii")]);
    parted.partition_key = Some("LIST (\"per\"\"son\")".into());
    for one in [teams, staff, persons, kept, view, parted] {
        all.relations.insert(one.oid, one);
    }
    all.finish();
    Arc::new(all)
}

fn analysis(text: &str) -> Arc<Analysis> {
    Analyzer::default().analyze(text.as_bytes(), &around(), &Settings::default())
}

#[test]
fn a_row_that_is_written_with_another_is_one_that_errors_may_tell_of() {
    for (text, sensitive) in [
        ("delete from teams where id = 1", true),
        ("update teams set id = 2 where id = 1", true),
        ("insert into teams values (1, 'x')", false),
        ("select name from teams", false),
        ("update persons set city = 'x' where id = 1", true),
        ("alter table persons alter city type int", true),
        ("select city from persons", false),
        ("truncate persons", true),
        ("insert into names values (1, 'x')", true),
        ("delete from orders where id = 1", false),
    ] {
        assert_eq!(analysis(text).sensitive, sensitive, "{text}");
    }
}

#[test]
fn a_partition_key_is_found_under_any_name() {
    for (text, tells) in
        [("create table one partition of parted for values in ('x')", true), ("create table one (id int)", false)]
    {
        let effects = Arc::clone(&analysis(text).effects);
        assert_eq!(effects.iter().any(|effect| effect.action == Action::SqlDeclassify), tells, "{text}");
    }
}

#[test]
fn a_table_that_is_emptied_with_another_is_emptied() {
    for (text, with) in [
        ("truncate teams cascade", Some("/db/public.staff")),
        ("truncate persons", Some("/db/public.persons_kept")),
        ("truncate staff", None),
    ] {
        let effects = Arc::clone(&analysis(text).effects);
        let emptied = effects.iter().filter(|effect| effect.action == Action::SqlTruncate);
        let emptied: Vec<String> = emptied.map(|effect| effect.object.id("")).collect();
        assert_eq!(emptied.len(), 1 + usize::from(with.is_some()), "{text}: {emptied:?}");
        assert!(with.is_none_or(|with| emptied.iter().any(|one| one == with)), "{text}: {emptied:?}");
    }
}
