//! A server with the fixture's databases, the gateway before it, and an administrator beside it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use harness::{Auth, Netns, Postgres, PostgresOptions};

use crate::client::Client;
use crate::door::{Door, Options};
use crate::search::{Value, values};
use crate::state::{CLUSTER, SHAPE, State, rows};

const SCHEMA: &str = include_str!("../../corpus/fixture/schema.sql");
const DATA: &str = include_str!("../../corpus/fixture/data.sql");
const SENSITIVE: &str = include_str!("../../corpus/fixture/sensitive.toml");
const BASELINE: &str = include_str!("../../../policies/baseline/baseline.cedar");

/// The policies that the leaks and the harmless statements add.
pub(crate) const WITH_DDL: &str = include_str!("../../corpus/fixture/leaks.cedar");

/// A fixture's data set.
pub(crate) const A: usize = 0;
/// The other one, which differs in the sensitive values only.
pub(crate) const B: usize = 1;

/// A database that sessions work in.
pub(crate) struct Database {
    pub(crate) name: String,
    set: usize,
    admin: Client,
    /// The objects that the fixture made have OIDs up to this.
    last_oid: u32,
    /// What the catalog was when it was new.
    shape: String,
    /// What the tables' rows were.
    sums: State,
}

/// All of it.
pub(crate) struct Ground {
    pub(crate) door: Door,
    pub(crate) databases: Vec<Database>,
    pub(crate) values: Vec<Value>,
    server: Postgres,
    tables: Vec<String>,
    /// The role's password as the server keeps it.
    password: String,
    xid: String,
    _netns: Netns,
}

impl Ground {
    /// `databases`: of which data set each one is.
    pub(crate) fn new(name: &str, policy: &str, databases: &[usize]) -> Result<Self> {
        let netns = Netns::new(name)?;
        let settings = [
            "autovacuum = off",
            "shared_buffers = 16MB",
            "statement_timeout = 15s",
            "lock_timeout = 5s",
            "jit = off",
            "timezone = 'UTC'",
        ];
        let settings = settings.map(str::to_owned).to_vec();
        let server = Postgres::start(&netns, &PostgresOptions { auth: Auth::Trust, tls: false, settings })?;
        let options = Options {
            tls: "{ mode = \"disable\" }".to_owned(),
            workload:
                "groups = [\"ci\"]\n[workloads.other]\nmatch = { cgroup = \"/other\" }\ngroups = [\"migrations\"]"
                    .to_owned(),
            more: format!("tags = [\"prod\"]\n[resources.orders.sensitive]\n{SENSITIVE}"),
            policy: format!("{BASELINE}\n{policy}"),
            ..Options::default()
        };
        let door = Door::open(&server, &options)?;
        let mut ground = Self {
            door,
            databases: Vec::new(),
            values: values()?,
            server,
            tables: Vec::new(),
            password: String::new(),
            xid: String::new(),
            _netns: netns,
        };
        ground.furnish()?;
        for (set, letter) in databases.iter().zip(["a", "b", "c", "d"]) {
            ground.open(&format!("corpus_{letter}"), *set)?;
        }
        ground.dirty()?;
        Ok(ground)
    }

    /// The pristine databases that others are copied from: of one schema, so that they have the same OIDs.
    fn furnish(&mut self) -> Result<()> {
        let mut admin = self.local("postgres")?;
        let role = self.server.role().to_owned();
        admin.query(ROLES)?;
        admin.query(&RIGHTS.replace("{role}", &role))?;
        admin.query(&format!("create database base owner {role}"))?;
        let mut base = self.local("base")?;
        base.query(&SCHEMA.replace("{role}", &role))?;
        base.query("reset session authorization")?;
        base.query(&MORE_RIGHTS.replace("{role}", &role))?;
        let tables = base.query(
            "select format('%I.%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace
             where relkind in ('r', 'p') and nspname in ('public', 'other') order by 1",
        )?;
        self.tables = tables.into_iter().flatten().flatten().collect();
        base.bye()?;
        for set in [A, B] {
            admin.query(&format!("create database base_{set} template base owner {role}"))?;
            let mut base = self.local(&format!("base_{set}"))?;
            base.query(&self.reload(set, &self.tables.clone()))?;
            base.query("refresh materialized view m_users; refresh materialized view m_over")?;
            base.query("analyze")?;
            base.bye()?;
        }
        admin.bye()
    }

    /// The text that puts a data set's rows back, of these tables.
    fn reload(&self, set: usize, tables: &[String]) -> String {
        let mut data = DATA.to_owned();
        for value in &self.values {
            data = data.replace(&format!("{{{}}}", value.name), &value.sets[set]);
        }
        let wanted = |statement: &&str| {
            let table = statement.trim_start().strip_prefix("insert into ").and_then(|rest| rest.split(' ').next());
            let whole = |name: &str| if name.contains('.') { name.to_owned() } else { format!("public.{name}") };
            table.is_none_or(|table| tables.contains(&whole(table)))
        };
        let without_comments: Vec<&str> = data.lines().filter(|line| !line.starts_with("--")).collect();
        let data = without_comments.join("\n");
        let statements: Vec<&str> = data.split(";\n").filter(wanted).collect();
        let truncate = if tables.is_empty() { String::new() } else { format!("truncate {};", tables.join(", ")) };
        format!(
            "set session_replication_role = replica; {truncate}\n{};\nreset session_replication_role",
            statements.join(";\n")
        )
    }

    /// The tables whose rows are others than when the database was new. A truncation costs the server more than all else,
    /// so that only these are.
    fn changed(&mut self, at: usize) -> Result<Vec<String>> {
        let now = sums(&mut self.databases[at].admin, &self.tables)?;
        let new = &self.databases[at].sums;
        let mut changed: Vec<String> =
            self.tables.iter().filter(|table| now.get(*table) != new.get(*table)).cloned().collect();
        // What refers to each other is truncated together.
        let related: [&[&str]; 2] =
            [&["public.users", "public.products", "public.orders", "public.claims"], &["public.offers", "public.bids"]];
        for related in related {
            if changed.iter().any(|table| related.contains(&table.as_str())) {
                changed.retain(|table| !related.contains(&table.as_str()));
                changed.extend(related.iter().map(|table| (*table).to_owned()));
            }
        }
        // A partitioned table and a parent bring theirs.
        for parent in ["public.events", "public.members"] {
            if changed.iter().any(|table| table.starts_with(parent)) {
                changed.retain(|table| !table.starts_with(parent));
                let family = self.tables.iter().filter(|table| table.starts_with(parent));
                changed.extend(family.cloned());
            }
        }
        Ok(changed)
    }

    fn local(&self, database: &str) -> Result<Client> {
        Client::local(self.server.socket_folder(), "postgres", database).context("the administrator")
    }

    fn open(&mut self, name: &str, set: usize) -> Result<()> {
        let mut admin = self.local("postgres")?;
        admin.query(&format!("create database {name} template base_{set} owner {}", self.server.role()))?;
        admin.bye()?;
        let mut admin = self.local(name)?;
        let last_oid = admin
            .value("select greatest((select max(oid) from pg_class), (select max(oid) from pg_type), (select max(oid) from pg_proc))::text")?
            .parse()?;
        let shape = shape(&mut admin)?;
        let sums = sums(&mut admin, &self.tables)?;
        self.databases.push(Database { name: name.to_owned(), set, admin, last_oid, shape, sums });
        Ok(())
    }

    /// A session of the workload's.
    pub(crate) fn through(&self, at: usize, more: &[(String, String)]) -> Result<Client> {
        let mut parameters = vec![("user", "somebody"), ("database", self.databases[at].name.as_str())];
        parameters.extend(more.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        Client::tcp(([127, 0, 0, 1], self.door.port()).into(), &parameters)
    }

    /// A session without the gateway, as the role that the gateway logs in with, by TCP as well.
    pub(crate) fn direct(&self, at: usize, more: &[(String, String)]) -> Result<Client> {
        let mut parameters = vec![("user", self.server.role()), ("database", self.databases[at].name.as_str())];
        parameters.extend(more.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        Client::tcp((self.server.v4(), self.server.port()).into(), &parameters)
    }

    /// The administrator's own session.
    pub(crate) fn admin(&mut self, at: usize) -> &mut Client {
        &mut self.databases[at].admin
    }

    /// Up to which OID objects are the fixture's.
    pub(crate) fn last_oid(&self, at: usize) -> u32 {
        self.databases[at].last_oid
    }

    /// The role that the gateway logs in with.
    pub(crate) fn role(&self) -> &str {
        self.server.role()
    }

    /// A folder that the server can write.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.server.socket_folder()
    }

    /// Gives the gateway's role every right there is.
    pub(crate) fn empower(&mut self) -> Result<()> {
        let role = self.role().to_owned();
        self.admin(0).query(&format!("alter role {role} superuser"))?;
        self.password = self.admin(0).value(&format!("select rolpassword from pg_authid where rolname = '{role}'"))?;
        Ok(())
    }

    /// Everything that matters on the server, in words and sums.
    pub(crate) fn state(&mut self, at: usize) -> Result<State> {
        let mut admin = self.databases.remove(at);
        let state = self.state_by(&mut admin.admin);
        self.databases.insert(at, admin);
        state
    }

    /// The same as a session sees it.
    pub(crate) fn state_by(&self, client: &mut Client) -> Result<State> {
        let mut state = BTreeMap::new();
        for query in [rows(&self.tables).as_str(), CLUSTER] {
            for row in client.query(query)? {
                let mut cells = row.into_iter().map(Option::unwrap_or_default);
                state.insert(cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
            }
        }
        state.insert("catalog".to_owned(), shape(client)?);
        let mut files: Vec<String> = Vec::new();
        for entry in std::fs::read_dir(self.folder())? {
            files.push(entry?.file_name().to_string_lossy().into_owned());
        }
        files.sort();
        state.insert("files".to_owned(), files.join(" "));
        let settings = self.folder().join("data/postgresql.auto.conf");
        state.insert("settings file".to_owned(), std::fs::read_to_string(settings)?);
        Ok(state)
    }

    /// Undoes whatever was done to the server, and makes the database anew.
    pub(crate) fn restore(&mut self, at: usize, before: &State) -> Result<()> {
        let settings = before.get("settings file").context("a state")?;
        std::fs::write(self.folder().join("data/postgresql.auto.conf"), settings)?;
        let keep: Vec<&str> = before.get("files").map(|files| files.split(' ').collect()).unwrap_or_default();
        for entry in std::fs::read_dir(self.folder())? {
            let entry = entry?;
            if !keep.contains(&entry.file_name().to_string_lossy().as_ref()) && entry.file_type()?.is_file() {
                std::fs::remove_file(entry.path())?;
            }
        }
        let cluster = |state: &State| -> Vec<Option<String>> {
            ["roles", "members", "role settings", "databases", "tablespaces", "slots", "settings file"]
                .map(|name| state.get(name).cloned())
                .to_vec()
        };
        self.rebuild(at)?;
        let whole = self.state(at);
        if !whole.is_ok_and(|now| cluster(&now) == cluster(before)) {
            self.restore_cluster()?;
            self.rebuild(at)?;
        }
        Ok(())
    }

    /// Roles, other databases, tablespaces and slots as they were.
    fn restore_cluster(&mut self) -> Result<()> {
        let role = self.role().to_owned();
        let mut admin = self.local("postgres")?;
        let mut each = |query: &str, command: &dyn Fn(&str) -> String| -> Result<()> {
            for name in admin.query(query)?.into_iter().flatten().flatten() {
                admin.query(&command(&name))?;
            }
            Ok(())
        };
        each("select 1 where pg_reload_conf()", &|_| "select 1".to_owned())?;
        each("select slot_name from pg_replication_slots", &|name| {
            format!("select pg_drop_replication_slot('{name}')")
        })?;
        each(
            "select datname from pg_database where datname !~ '^(base|base_.|corpus_.|template.|postgres)$'",
            &|name| format!("alter database {name} is_template false"),
        )?;
        each(
            "select datname from pg_database where datname !~ '^(base|base_.|corpus_.|template.|postgres)$'",
            &|name| format!("drop database {name} with (force)"),
        )?;
        each("select spcname from pg_tablespace where oid >= 16384", &|name| format!("drop tablespace {name}"))?;
        each("select datname from pg_database where datname ~ '^(base|base_.|corpus_.)$'", &|name| {
            format!("alter database {name} owner to {role}")
        })?;
        each(&format!("select rolname from pg_roles where oid >= 16384 and rolname <> '{role}'"), &|name| {
            format!("drop owned by {name} cascade; drop role {name}")
        })?;
        let password = &self.password;
        for command in [
            ROLES.to_owned(),
            RIGHTS.replace("{role}", &role),
            format!("alter role {role} superuser login nocreatedb password '{password}'; alter role {role} reset all"),
            "alter role all reset all".to_owned(),
            format!("create database appdb owner {role}"),
        ] {
            admin.query(&command)?;
        }
        admin.bye()
    }

    /// Whether a transaction wrote something since this was last asked.
    pub(crate) fn dirty(&mut self) -> Result<bool> {
        let now = self.databases[0].admin.value("select pg_snapshot_xmax(pg_current_snapshot())::text")?;
        let dirty = now != self.xid;
        self.xid = now;
        Ok(dirty)
    }

    /// Puts a database back: its rows, what was made beside them, and all of it where the fixture itself is another.
    pub(crate) fn reset(&mut self, at: usize) -> Result<()> {
        if !self.put_back(at).unwrap_or(false) {
            self.rebuild(at)?;
            self.nudge(at)?;
        }
        self.dirty()?;
        Ok(())
    }

    /// Whether a database is as it was without making it anew.
    fn put_back(&mut self, at: usize) -> Result<bool> {
        let database = &mut self.databases[at];
        database.admin.query(&CLEAN.replace("{last}", &database.last_oid.to_string()))?;
        if shape(&mut database.admin)? != database.shape {
            return Ok(false);
        }
        let changed = self.changed(at)?;
        let data = self.reload(self.databases[at].set, &changed);
        let admin = &mut self.databases[at].admin;
        admin.query(&data)?;
        if !changed.is_empty() {
            // A truncation forgets the statistics: plans would tell in which data set an entry changed rows.
            admin.query(&format!("analyze {}", changed.join(", ")))?;
        }
        Ok(true)
    }

    /// Waits until the gateway serves a database that was made anew.
    fn nudge(&mut self, at: usize) -> Result<()> {
        for _ in 0..100 {
            let mut client = self.through(at, &[])?;
            // What a session makes has the gateway read the catalog again.
            let _ = client.query("create temp table nudge (id int)");
            let read = client.query("select id from users").is_ok_and(|rows| rows.len() == 6);
            client.bye()?;
            if read {
                return Ok(());
            }
            // It was refused: the gateway has yet to read the catalog.
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        anyhow::bail!("the gateway does not serve a database that was made anew")
    }

    /// Makes a database anew.
    pub(crate) fn rebuild(&mut self, at: usize) -> Result<()> {
        let Database { name, set, mut admin, .. } = self.databases.remove(at);
        admin.bye()?;
        let mut admin = self.local("postgres")?;
        admin.query(&format!("drop database if exists {name} with (force)"))?;
        admin.bye()?;
        self.open(&name, set)?;
        if let Some(database) = self.databases.pop() {
            self.databases.insert(at, database);
        }
        self.dirty()?;
        Ok(())
    }
}

/// What the catalog is, in a sum. A backend that ends takes its temporary objects away: what was one of them is no error.
fn shape(client: &mut Client) -> Result<String> {
    (0..3).find_map(|_| client.value(SHAPE).ok()).map_or_else(|| client.value(SHAPE), Ok)
}

/// What the tables' rows are and where they lie.
fn sums(client: &mut Client, tables: &[String]) -> Result<State> {
    let one = |table: &String| {
        format!("select '{table}', coalesce(md5(string_agg(ctid::text || t::text, ',')), '') from only {table} t")
    };
    let query = tables.iter().map(one).collect::<Vec<_>>().join(" union all ");
    let rows = client.query(&query)?.into_iter();
    Ok(rows.filter_map(|row| Some((row.first()?.clone()?, row.get(1)?.clone()?))).collect())
}

/// What the workload's role may read beside its own, so that it is the gateway that keeps it from that.
const RIGHTS: &str = "grant pg_monitor, pg_read_server_files, pg_write_server_files, pg_execute_server_program, boss, bystander to {role}";

/// The same in each database.
const MORE_RIGHTS: &str =
    "grant select on pg_statistic, pg_statistic_ext_data, pg_largeobject, pg_authid, pg_user_mapping to {role};
  grant usage on foreign data wrapper postgres_fdw to {role}; grant all on schema public to {role}";

/// Who else is there.
const ROLES: &str = "create role bystander nologin; create role boss nologin superuser";

/// Drops what the fixture did not make.
const CLEAN: &str = "do $clean$ declare command text; begin
  for command in
    select format('drop schema %I cascade', nspname) from pg_namespace where oid > {last} and nspname !~ '^pg_'
    union all select format('drop %s %s cascade', case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
      when 'f' then 'foreign table' else 'table' end, c.oid::regclass)
      from pg_class c join pg_namespace n on n.oid = relnamespace where c.oid > {last} and relkind in ('r', 'p', 'v', 'm', 'S', 'f')
      and nspname in ('public', 'other')
    union all select format('drop routine %s cascade', p.oid::regprocedure) from pg_proc p join pg_namespace n on n.oid = pronamespace
      where p.oid > {last} and nspname in ('public', 'other')
    union all select format('drop type %s cascade', t.oid::regtype) from pg_type t join pg_namespace n on n.oid = typnamespace
      where t.oid > {last} and typrelid = 0 and typelem = 0 and nspname in ('public', 'other')
    union all select format('select lo_unlink(%s)', oid) from pg_largeobject_metadata
  loop
    begin execute command; exception when undefined_table or undefined_function or undefined_object then null; end;
  end loop;
end $clean$";
