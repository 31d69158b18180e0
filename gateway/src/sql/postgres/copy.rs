//! COPY: between what and what, and how its rows are written.

use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, DefElem, Node};

use super::query::table;
use super::{Lowering, strings};
use crate::access::Action;
use crate::sql::encoding::is_safe_encoding;
use crate::sql::form::{Act, Copy, Inner, Quoted, Statement, Target};
use crate::sql::stream::Written;

impl Lowering {
    pub(super) fn copy(&mut self, copy: &CopyStmt) -> Statement {
        if copy.is_program || !copy.filename.is_empty() {
            // What it reads or writes on the server's side can be anything: it is decided as that.
            let table = copy.relation.as_ref().map(table);
            let action = if copy.is_from { Action::SqlInsert } else { Action::SqlRead };
            let mut effects = vec![(Action::SqlFile, Target::Resource)];
            effects.extend(table.map(|table| (action, Target::Table(table))));
            let inner = copy.query.as_deref().map(|query| Box::new(self.statement(query)));
            return Statement::Act(Act { effects, inner, becomes: Inner::Kept, ..Act::default() });
        }
        let options = Options::read(&copy.options);
        let quoted = options.as_ref().map(|options| options.quoted.clone()).unwrap_or_default();
        Statement::Copy(Box::new(Copy {
            table: copy.relation.as_ref().map(table),
            columns: strings(&copy.attlist),
            query: copy.query.as_deref().map(|query| self.statement(query)),
            from_client: copy.is_from,
            predicate: self.optional(copy.where_clause.as_ref()),
            written: options.and_then(Options::written),
            quoted,
        }))
    }
}

/// The options as they stand in the statement.
#[derive(Debug, Default)]
struct Options {
    format: Option<String>,
    delimiter: Option<String>,
    null: Option<String>,
    quote: Option<String>,
    escape: Option<String>,
    encoding: Option<String>,
    header: Option<bool>,
    quoted: Quoted,
}

impl Options {
    /// Absent: there is one among them that is not known, or not understood, or there twice.
    fn read(nodes: &[Node]) -> Option<Self> {
        let mut options = Options::default();
        for node in nodes {
            let Some(NodeEnum::DefElem(element)) = &node.node else { return None };
            let place = match element.defname.as_str() {
                "format" => &mut options.format,
                "delimiter" => &mut options.delimiter,
                "null" => &mut options.null,
                "quote" => &mut options.quote,
                "escape" => &mut options.escape,
                "encoding" => &mut options.encoding,
                "header" => {
                    if options.header.replace(boolean(element)?).is_some() {
                        return None;
                    }
                    continue;
                }
                "force_quote" => {
                    if options.quoted != Quoted::No {
                        return None;
                    }
                    options.quoted = quoted(element)?;
                    continue;
                }
                _ => return None,
            };
            if place.replace(word(element)?).is_some() {
                return None;
            }
        }
        Some(options)
    }

    /// What `ProcessCopyOptions` of the server makes of them; absent where it refuses them, or writes what cannot be read
    /// byte by byte.
    fn written(self) -> Option<Written> {
        if self.encoding.is_some_and(|encoding| !is_safe_encoding(&encoding)) {
            return None;
        }
        let header = self.header.unwrap_or_default();
        match self.format.as_deref().unwrap_or("text") {
            "text" => {
                if self.quote.is_some() || self.escape.is_some() || self.quoted != Quoted::No {
                    return None;
                }
                let null = self.null.unwrap_or_else(|| "\\N".to_owned());
                Some(Written::Text { delimiter: byte(self.delimiter, b'\t')?, null, header })
            }
            "csv" => {
                let quote = byte(self.quote, b'"')?;
                let escape = byte(self.escape, quote)?;
                let null = self.null.unwrap_or_default();
                Some(Written::Csv { delimiter: byte(self.delimiter, b',')?, quote, escape, null, header })
            }
            "binary" if self.delimiter.is_none() && self.null.is_none() && !header => Some(Written::Binary),
            _ => None,
        }
    }
}

/// The option's only byte.
fn byte(option: Option<String>, default: u8) -> Option<u8> {
    match option.as_deref().map(str::as_bytes) {
        None => Some(default),
        Some([byte]) => Some(*byte),
        Some(_) => None,
    }
}

/// As `defGetString` reads it.
fn word(element: &DefElem) -> Option<String> {
    match element.arg.as_deref()?.node.as_ref()? {
        NodeEnum::String(string) => Some(string.sval.clone()),
        NodeEnum::Integer(integer) => Some(integer.ival.to_string()),
        _ => None,
    }
}

/// As `defGetBoolean` reads it.
fn boolean(element: &DefElem) -> Option<bool> {
    let Some(argument) = element.arg.as_deref() else { return Some(true) };
    match argument.node.as_ref()? {
        NodeEnum::Boolean(boolean) => Some(boolean.boolval),
        NodeEnum::Integer(integer) => match integer.ival {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        NodeEnum::String(string) => match string.sval.to_ascii_lowercase().as_str() {
            "true" | "on" => Some(true),
            "false" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn quoted(element: &DefElem) -> Option<Quoted> {
    match element.arg.as_deref()?.node.as_ref()? {
        NodeEnum::AStar(_) => Some(Quoted::All),
        NodeEnum::List(list) => {
            let names = strings(&list.items);
            (names.len() == list.items.len()).then_some(Quoted::Columns(names))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::postgres::{Server, lower};

    fn written(text: &str) -> (Option<Written>, Quoted) {
        match lower(text, Server::new(180_000)).unwrap().statements.as_slice() {
            [Statement::Copy(copy)] => (copy.written.clone(), copy.quoted.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_are_read_in_every_syntax() {
        let text = |delimiter, null: &str, header| Some(Written::Text { delimiter, null: null.to_owned(), header });
        let csv = |delimiter, quote, escape, null: &str, header| {
            Some(Written::Csv { delimiter, quote, escape, null: null.to_owned(), header })
        };
        for (statement, expected) in [
            ("copy t to stdout", text(b'\t', "\\N", false)),
            ("copy t to stdout (format text)", text(b'\t', "\\N", false)),
            ("copy t to stdout (delimiter '|', null '-', header)", text(b'|', "-", true)),
            ("copy t to stdout (delimiter 5)", text(b'5', "\\N", false)),
            ("copy t to stdout (header false)", text(b'\t', "\\N", false)),
            ("copy t to stdout (header 'ON')", text(b'\t', "\\N", true)),
            ("copy t to stdout (header 1, encoding 'latin1')", text(b'\t', "\\N", true)),
            ("copy t to stdout delimiter '|'", text(b'|', "\\N", false)),
            ("copy t to stdout using delimiters '|'", text(b'|', "\\N", false)),
            ("copy t to stdout with null as 'x'", text(b'\t', "x", false)),
            ("copy t to stdout (format csv)", csv(b',', b'"', b'"', "", false)),
            ("copy t to stdout csv header", csv(b',', b'"', b'"', "", true)),
            ("copy t to stdout with csv delimiter ';' quote ''''", csv(b';', b'\'', b'\'', "", false)),
            ("copy t to stdout (format csv, quote '$', escape '!', null 'n')", csv(b',', b'$', b'!', "n", false)),
            ("copy t to stdout (format binary)", Some(Written::Binary)),
            ("copy binary t to stdout", Some(Written::Binary)),
            ("copy t to stdout with binary", Some(Written::Binary)),
            ("copy (select 1) to stdout (format \"csv\")", csv(b',', b'"', b'"', "", false)),
            // None of these is a way that rows can be read in.
            ("copy t to stdout (format 'json')", None),
            ("copy t to stdout (format 'CSV')", None),
            ("copy t to stdout (format csv, format csv)", None),
            ("copy t to stdout (delimiter '||')", None),
            ("copy t to stdout (encoding 'SJIS')", None),
            ("copy t to stdout (header match)", None),
            ("copy t to stdout (quote '!')", None),
            ("copy t to stdout (format binary, header)", None),
            ("copy t to stdout (something 'new')", None),
        ] {
            assert_eq!(written(statement).0, expected, "{statement}");
        }
    }

    #[test]
    fn quoted_columns_are_read_in_every_syntax() {
        let columns = |names: &[&str]| Quoted::Columns(names.iter().map(|&name| name.to_owned()).collect());
        for (statement, expected) in [
            ("copy t to stdout (format csv, force_quote (a, b))", columns(&["a", "b"])),
            ("copy t to stdout (format csv, force_quote *)", Quoted::All),
            ("copy t to stdout csv force quote a, b", columns(&["a", "b"])),
            ("copy t to stdout csv force quote *", Quoted::All),
            ("copy t to stdout csv", Quoted::No),
        ] {
            assert_eq!(written(statement).1, expected, "{statement}");
        }
    }
}
