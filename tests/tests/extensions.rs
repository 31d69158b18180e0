//! The extensions that come with PostgreSQL, on a real server: what they compute is as directly, and nothing of it shows what is masked;
//! what runs a text, or only looks like one of theirs, needs a permit of its own.

#[path = "postgres_relay/fixture.rs"]
mod fixture;

use anyhow::Result;
use fixture::Fixture;
use harness::{Finished, run};

const EXTENSIONS: [&str; 13] = [
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "earthdistance",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "ltree",
    "pg_trgm",
    "pgcrypto",
    "tablefunc",
    "unaccent",
];

/// A server with extensions and things that are made with them.
fn extended(role: &str) -> Result<Fixture> {
    let fixture = Fixture::guarded(role)?;
    let made: String = EXTENSIONS.iter().map(|name| format!("create extension {name};")).collect();
    fixture.admin(&format!(
        "{made} create extension \"uuid-ossp\";
         create table things (id int primary key, name text, mail citext unique, props hstore, path ltree, tags int[],
             place cube, token uuid default uuid_generate_v4(), check (mail <> ''));
         insert into things values (1, 'Ann Áy', 'Ann@x.org', 'a=>1, b=>2', 'top.science', '{{1,2,3}}', '(1,2)'),
             (2, 'Bob', 'bob@x.org', 'c=>3', 'top.art', '{{3,4}}', '(4,5)');
         create index on things using gin (name gin_trgm_ops); create index on things using gist (path);
         grant all on things to {role}",
        role = fixture.server.role()
    ))?;
    Ok(fixture)
}

fn both(fixture: &Fixture, statement: &str) -> Result<(Finished, Finished)> {
    let mut seen = fixture.client("psql");
    let mut direct = fixture.client("psql");
    direct
        .env("PGHOST", fixture.server.v4().to_string())
        .env("PGPORT", fixture.server.port().to_string())
        .env("PGUSER", fixture.server.role())
        .env("PGPASSWORD", fixture.server.password())
        .env("PGSSLMODE", "require");
    let arguments = ["-X", "-A", "-t", "-c", statement];
    Ok((run(seen.args(arguments))?, run(direct.args(arguments))?))
}

#[test]
fn what_an_extension_computes_is_as_directly() -> Result<()> {
    let fixture = extended("extended")?;
    for statement in [
        "select props -> 'a', props ? 'b', props -> array['a', 'b'], akeys(props) from things order by id",
        "select id from things where props @> 'a=>1'",
        "select (each(props)).key from things order by 1",
        "select k, v from things, each(props) as e(k, v) order by 1",
        "select props || 'd=>4'::hstore, delete(props, 'a'), hstore('x', name), hstore_to_json(props) from things order by id",
        "select props::json, hstore(array['a', 'b']::text[])::text from things order by id",
        "update things set props = props || hstore('z', '9') where id = 2 returning props -> 'z'",
        "select similarity(name, 'ann'), name % 'bob', name <-> 'bob' from things order by id",
        "select id from things where name % 'bob' order by similarity(name, 'bob') desc",
        "select word_similarity('ann', name), show_trgm(name) from things order by id",
        "select id from things where mail = 'ANN@X.ORG'",
        "select mail from things where mail like 'ann%' or mail in ('BOB@x.org') order by mail",
        "select max(mail), min(mail), count(distinct mail) from things",
        "select a.id from things a join things b using (mail) order by 1",
        "select strpos('abc', 'b'), split_part('a.b', '.', 1), replace('a', 'a', 'b'), regexp_replace('aa', 'a', 'b')",
        "select replace(mail, 'x', 'y'), split_part(mail, '@', 1), lower(mail) from things order by id",
        "select id from things where path <@ 'top' and path ~ '*.science'",
        "select nlevel(path), subpath(path, 0, 1), path || 'x', lca(path, 'top.b'), path @> 'top.science' from things order by id",
        "select tags & '{3}', tags && '{1}', icount(tags), sort(tags, 'desc'), tags @@ '1&2'::query_int, idx(tags, 3), \
            tags + 5, tags - 3 from things order by id",
        "select cube_dim(place), place <-> cube(array[0, 0]), place @> '(1,2)', cube_ll_coord(place, 1) from things order by id",
        "select round(earth_distance(ll_to_earth(1, 2), ll_to_earth(3, 4))::numeric, 2)",
        "select id from things where earth_box(ll_to_earth(1, 2), 1000) @> ll_to_earth(1, 2) order by 1",
        "select point(1, 2) <@> point(3, 4)",
        "select soundex(name), levenshtein(name, 'bob'), metaphone(name, 4), difference('a', 'b'), dmetaphone(name) \
            from things order by id",
        "select unaccent(name), unaccent('unaccent', 'Hôtel') from things order by id",
        "select id from things where lower(unaccent(name)) like '%ay%'",
        "select encode(digest(name, 'sha256'), 'hex'), hmac('a', 'k', 'md5') from things order by id",
        "select crypt('pw', gen_salt('bf', 4)) is not null, length(gen_random_bytes(8)), crypt('a', 'ab')",
        "select pgp_sym_decrypt(pgp_sym_encrypt('text', 'key'), 'key'), decrypt(encrypt('a', 'k', 'aes'), 'k', 'aes')",
        "select uuid_generate_v4() is not null, uuid_generate_v5(uuid_ns_dns(), 'x'), uuid_nil()",
        "insert into things (id, name, mail) values (3, 'cy', 'cy@x.org') on conflict (mail) do nothing",
        "insert into things (id, mail) values (4, 'ANN@x.org') on conflict (mail) do update set name = excluded.name",
        "insert into things (id, mail) values (5, '')",
        "update things set mail = 'new@x.org' where id = 1 and mail = 'ann@X.org'",
        "select count(*) from normal_rand(3, 1, 1)",
        "select 3 <-> 5, date '2020-01-02' <-> date '2020-01-01'",
        "select -id, - 1.5, -(id + 1) from things order by id",
        "select typname[0] = '_' from pg_type where typname in ('_text', 'text') order by 1",
        "select 'x' = any (array['x', 'y']), name ~ '^A', name ~* 'a' from things order by id",
    ] {
        let (seen, direct) = both(&fixture, statement)?;
        // What is written twice is there at the second time.
        let written = statement.starts_with("insert") || statement.starts_with("update");
        let refused = seen.stderr.contains("permits") || seen.stderr.contains("forbid");
        assert!(!refused, "{statement}: {}", seen.stderr);
        if !written {
            assert_eq!((&seen.stdout, &seen.stderr), (&direct.stdout, &direct.stderr), "{statement}");
        }
    }
    Ok(())
}

#[test]
fn what_it_computes_of_a_masked_column_is_redacted() -> Result<()> {
    let fixture = extended("redacted")?;
    for (statement, derived) in [
        ("select digest(ssn, 'md5') from users where id = 1", "md5"),
        ("select similarity(ssn, '123-45-6789') from users where id = 1", "1"),
        ("select hstore('a', ssn) -> 'a' from users where id = 1", "123-45-6789"),
        ("select unaccent(ssn) from users where id = 1", "123-45-6789"),
        ("select ssn::citext from users where id = 1", "123-45-6789"),
        ("select max(ssn::citext) from users", "987-65-4321"),
        ("select value from users, each(hstore('a', ssn)) where id = 1", "123-45-6789"),
        ("select levenshtein(ssn, '123-45-6780') from users where id = 1", "1"),
        ("select ssn <-> '123-45-6789' from users where id = 1", "0"),
    ] {
        let (seen, direct) = both(&fixture, statement)?;
        assert!(derived == "md5" || direct.stdout.trim() == derived, "{statement}: {direct:?}");
        assert_ne!(seen.stdout, direct.stdout, "{statement}");
        assert!(!seen.stdout.contains("123-45") && !seen.stdout.contains("987-65"), "{statement}: {}", seen.stdout);
    }
    Ok(())
}

#[test]
fn what_runs_a_text_or_only_looks_like_an_extensions_needs_a_permit() -> Result<()> {
    let fixture = extended("alike")?;
    fixture.admin(
        &format!(
            "create schema own; grant usage on schema own to {role};
         create function own.similarity(text, text) returns real language plpgsql as
             $$ begin execute 'select 1'; return 1; end $$;
         create function own.peek(bigint) returns text[] language c strict as '$libdir/pg_trgm', 'show_trgm';
         create function own.number(text, text) returns bigint language c strict as '$libdir/pg_trgm', 'similarity';
         create function own.of_null(text) returns text[] language c as '$libdir/pg_trgm', 'show_trgm';
         create function own.trigrams(text) returns text[] language c strict as '$libdir/pg_trgm', 'show_trgm';
         create function own.code(text) returns text language plpgsql as $$ begin execute $1; return 1; end $$;
         create cast (text as hstore) with function hstore_of(text) as implicit",
            role = fixture.server.role()
        )
        .replace(
            "create cast",
            "create function hstore_of(text) returns hstore language plpgsql as
             $$ begin execute 'select 1'; return null; end $$; create cast",
        ),
    )?;
    for statement in [
        "select * from crosstab('select 1, 2, 3') as t (a int, b int)",
        "select * from connectby('users', 'id', 'id', '1', 0) as t (a int, b int, c int)",
        "select populate_record(null::users, 'id=>1')",
        "select null::users #= 'id=>1'::hstore",
        "select hstore(users) from users",
        "select own.similarity('a', 'b')",
        "set search_path = own, public; select similarity('a', 'b')",
        "select own.peek(1)",
        "select own.number('a', 'b')",
        "select own.of_null('a')",
        "select own.code('select 1')",
        "select akeys('a'::text)",
        "select name -> 'a' from things",
        "create function again(text) returns text[] language c strict as '$libdir/pg_trgm', 'show_trgm'",
    ] {
        // Not directly as well: some of these end the server.
        let seen = run(fixture.client("psql").args(["-X", "-A", "-t", "-c", statement]))?;
        let refused = seen.stderr.contains("no policy permits") || seen.stderr.contains("permission denied");
        assert!(refused, "{statement}: {seen:?}");
    }
    // Whatever it is called, it is that.
    let (seen, direct) = both(&fixture, "select own.trigrams('abc')")?;
    assert_eq!(seen.stdout, direct.stdout);
    Ok(())
}
