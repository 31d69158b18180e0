//! Names: of columns, relations, functions and types.

use sqlparser::ast::{ArrayElemTypeDef, DataType, Ident, ObjectName, ObjectNamePart, TableAlias, TimezoneInfo};

use super::Lowering;
use crate::sql::form::Table;

impl Lowering<'_> {
    pub(super) fn name(&self, ident: &Ident) -> String {
        self.dialect.name(ident)
    }

    pub(super) fn name_list(&self, idents: &[Ident]) -> Vec<String> {
        idents.iter().map(|ident| self.name(ident)).collect()
    }

    /// The parts of a qualified name; `None`: one of them is not a name.
    pub(super) fn path(&self, name: &ObjectName) -> Option<Vec<String>> {
        let part = |part: &ObjectNamePart| match part {
            ObjectNamePart::Identifier(ident) => Some(self.name(ident)),
            ObjectNamePart::Function(_) => None,
        };
        name.0.iter().map(part).collect()
    }

    /// A relation.
    pub(super) fn table(&mut self, name: &ObjectName) -> Table {
        let Some(path) = self.path(name) else {
            self.opaque.push("a relation's name that is computed");
            return Table::default();
        };
        let schema = path.len().checked_sub(2).and_then(|at| path.get(at)).cloned();
        Table { schema, name: path.last().cloned().unwrap_or_default(), ..Table::default() }
    }

    /// What a FROM item is called, and its columns.
    pub(super) fn called(&self, alias: Option<&TableAlias>) -> (Option<String>, Vec<String>) {
        match alias {
            Some(alias) => {
                let columns = alias.columns.iter().map(|column| self.name(&column.name)).collect();
                (Some(self.name(&alias.name)), columns)
            }
            None => (None, Vec::new()),
        }
    }

    /// A type's name; an array ends in `[]`.
    pub(super) fn type_name(&self, of: &DataType) -> Option<Vec<String>> {
        let word = match of {
            DataType::Custom(name, _) => {
                let mut path = self.path(name)?;
                if path.len() > 1 && self.dialect.is_system(path.first()?) {
                    path.remove(0);
                }
                return Some(path);
            }
            DataType::Array(ArrayElemTypeDef::SquareBracket(inner, _) | ArrayElemTypeDef::Qualified(inner, _)) => {
                let mut path = self.type_name(inner)?;
                if let Some(last) = path.last_mut()
                    && !last.ends_with("[]")
                {
                    last.push_str("[]");
                }
                return Some(path);
            }
            DataType::Character(_) | DataType::Char(_) => "char".to_owned(),
            DataType::CharacterVarying(_) | DataType::CharVarying(_) | DataType::Varchar(_) => "varchar".to_owned(),
            DataType::Numeric(_) | DataType::Decimal(_) | DataType::Dec(_) => "numeric".to_owned(),
            DataType::Float(info) => match info {
                sqlparser::ast::ExactNumberInfo::Precision(bits) if *bits <= 24 => "real".to_owned(),
                _ => "float".to_owned(),
            },
            DataType::Time(_, zone) => zoned("time", zone),
            DataType::Timestamp(_, zone) => zoned("timestamp", zone),
            DataType::Interval { .. } => "interval".to_owned(),
            DataType::Bit(_) => "bit".to_owned(),
            DataType::BitVarying(_) | DataType::VarBit(_) => "varbit".to_owned(),
            DataType::Int(None)
            | DataType::Integer(None)
            | DataType::SmallInt(None)
            | DataType::BigInt(None)
            | DataType::Int2(None)
            | DataType::Int4(None)
            | DataType::Int8(None)
            | DataType::Uuid
            | DataType::Float4
            | DataType::Real
            | DataType::Float8
            | DataType::DoublePrecision
            | DataType::Bool
            | DataType::Boolean
            | DataType::Date
            | DataType::JSON
            | DataType::JSONB
            | DataType::Regclass
            | DataType::Text
            | DataType::Bytea
            | DataType::TsVector
            | DataType::TsQuery
            | DataType::GeometricType(_) => of.to_string().to_ascii_lowercase(),
            _ => return None,
        };
        Some(vec![self.dialect.type_name(&word)])
    }
}

fn zoned(word: &str, zone: &TimezoneInfo) -> String {
    match zone {
        TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => format!("{word}tz"),
        TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => word.to_owned(),
    }
}
