//! The statements that clients and the model of a server know.

/// What stands in `users.ssn`.
pub(super) const SECRET: &str = "987-65-4321";

/// A column of an answer: its name, the number of its table and in that; and whether it shows the secret.
pub(super) type Column = (&'static str, u32, i16, bool);

/// What a statement is answered with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Rows(&'static [Column]),
    Tag(&'static str),
    Empty,
    CopyOut(&'static [Column]),
    CopyIn,
}

/// A text that the model knows.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) text: &'static str,
    pub(super) answers: &'static [Answer],
    /// Whether policy refuses it: the model must never be asked to run it.
    pub(super) refused: bool,
    /// Whether it has to do with `users`: what the server says about it may hold the secret.
    pub(super) touches: bool,
    /// Whether it is about a cursor, and has to do with what that was declared for.
    pub(super) cursor: bool,
}

const fn plain(text: &'static str, answers: &'static [Answer]) -> Known {
    Known { text, answers, refused: false, touches: false, cursor: false }
}

const fn touching(text: &'static str, answers: &'static [Answer]) -> Known {
    Known { text, answers, refused: false, touches: true, cursor: false }
}

const fn of_cursor(text: &'static str, answers: &'static [Answer]) -> Known {
    Known { text, answers, refused: false, touches: true, cursor: true }
}

const fn refused(text: &'static str) -> Known {
    Known { text, answers: &[Answer::Tag("DONE")], refused: true, touches: true, cursor: false }
}

const ORDERS: &[Column] = &[("id", 2, 1, false), ("total", 2, 3, false)];
const USERS: &[Column] = &[("id", 1, 1, false), ("name", 1, 2, false), ("ssn", 1, 3, true)];
const SSN: &[Column] = &[("ssn", 1, 3, true)];
const COMPUTED: &[Column] = &[("upper", 0, 0, true)];
const ID: &[Column] = &[("id", 1, 1, false)];

/// The first [`PLAIN`] have nothing to do with `users`, and nothing is asked because of them.
pub(super) const STATEMENTS: &[Known] = &[
    plain("select id, total from orders", &[Answer::Rows(ORDERS)]),
    plain("", &[Answer::Empty]),
    plain("insert into accounts values (1, 2)", &[Answer::Tag("INSERT 0 1")]),
    plain("begin", &[Answer::Tag("BEGIN")]),
    plain("commit", &[Answer::Tag("COMMIT")]),
    plain("rollback", &[Answer::Tag("ROLLBACK")]),
    plain(
        "select id, total from orders; delete from accounts where aid = 1",
        &[Answer::Rows(ORDERS), Answer::Tag("DELETE 1")],
    ),
    plain("update accounts set abalance = $1 where aid = $2", &[Answer::Tag("UPDATE 1")]),
    plain("copy orders (id, total) to stdout", &[Answer::CopyOut(ORDERS)]),
    plain("copy accounts from stdin", &[Answer::CopyIn]),
    // The gateway asks what came of it.
    plain("set search_path = public", &[Answer::Tag("SET")]),
    touching("select * from users", &[Answer::Rows(USERS)]),
    touching("select ssn from users", &[Answer::Rows(SSN)]),
    touching("select upper(ssn) from users", &[Answer::Rows(COMPUTED)]),
    touching("select id from users where ssn = '1'", &[Answer::Rows(ID)]),
    touching("select id, total from orders; select * from users", &[Answer::Rows(ORDERS), Answer::Rows(USERS)]),
    touching("declare c cursor for select ssn from users", &[Answer::Tag("DECLARE CURSOR")]),
    of_cursor("fetch all from c", &[Answer::Rows(SSN)]),
    of_cursor("close c", &[Answer::Tag("CLOSE CURSOR")]),
    touching("copy users to stdout", &[Answer::CopyOut(USERS)]),
    refused("drop table orders"),
    refused("select 1; drop table orders"),
    refused("insert into accounts select 1, ascii(ssn) from users"),
    refused("select f(1)"),
    refused("grant select on users to public"),
];

/// How many these are.
#[cfg(test)]
pub(super) const PLAIN: usize = 10;
