//! Masks on COPY data: rows in any of PostgreSQL's three formats, in whatever pieces they come.
//!
//! A row goes out when it is whole, and not at all when something in it is not as it has to be. Every byte of a column
//! without a mask, and every one between columns, is the byte that came.
//!
//! The bytes have to be in an encoding in which no character holds the byte of another (UTF-8, the LATINs), as all that
//! a server can have are.

mod binary;
mod csv;
mod text;

use bytes::{Buf as _, BytesMut};

use super::kind::{Column, Format};
use super::{Mask, Masked, Masker};

/// How many bytes are taken in at once: what is buffered is at most this and one row.
const PIECE: usize = 64 * 1024;

/// How the rows are written: the statement's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `FORMAT text`
    Text(TextOptions),
    /// `FORMAT csv`
    Csv(CsvOptions),
    /// `FORMAT binary`
    Binary,
}

/// The options of `FORMAT text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// `DELIMITER`
    pub delimiter: u8,
    /// `NULL`
    pub null: Vec<u8>,
    /// `HEADER`: the first row holds names.
    pub header: bool,
}

impl Default for TextOptions {
    fn default() -> Self {
        TextOptions { delimiter: b'\t', null: b"\\N".to_vec(), header: false }
    }
}

/// The options of `FORMAT csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    /// `DELIMITER`
    pub delimiter: u8,
    /// `QUOTE`
    pub quote: u8,
    /// `ESCAPE`; the quote where the statement does not say.
    pub escape: u8,
    /// `NULL`
    pub null: Vec<u8>,
    /// `HEADER`: the first row holds names.
    pub header: bool,
    /// `FORCE_QUOTE`: for each column whether it is quoted always; columns beyond are not.
    pub force_quote: Vec<bool>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions {
            delimiter: b',',
            quote: b'"',
            escape: b'"',
            null: Vec::new(),
            header: false,
            force_quote: Vec::new(),
        }
    }
}

/// A column of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyColumn {
    /// Its type, as [`Column::type_oid`].
    pub type_oid: u32,
    /// What happens to its values.
    pub mask: Option<Mask>,
}

/// What happens to the data of one COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyPlan {
    /// How the rows are written; absent: nobody here can read them.
    pub layout: Option<Layout>,
    /// What they hold.
    pub columns: CopyColumns,
}

/// What the rows hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyColumns {
    /// Exactly these.
    Known(Vec<CopyColumn>),
    /// As many as there are, of types that nobody knows.
    Any(Option<Mask>),
}

impl CopyPlan {
    /// Whether no column has a mask.
    pub fn passes(&self) -> bool {
        match &self.columns {
            CopyColumns::Known(columns) => columns.iter().all(|column| column.mask.is_none()),
            CopyColumns::Any(mask) => mask.is_none(),
        }
    }

    /// Why rows cannot be masked under this plan, if they cannot.
    pub fn flaw(&self) -> Option<CopyError> {
        match (&self.layout, &self.columns) {
            _ if self.passes() => None,
            (None, _) => Some(CopyError::Options("some are not known here")),
            (Some(layout), CopyColumns::Known(columns)) => {
                CopyMasker::new(layout.clone(), columns.clone(), PIECE).err()
            }
            (Some(layout), CopyColumns::Any(mask)) => {
                CopyMasker::new(layout.clone(), vec![CopyColumn { type_oid: 0, mask: *mask }], PIECE).err()
            }
        }
    }
}

/// Why a stream cannot go on. What was not handed out before is not handed out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// A row does not end.
    #[error("a row of COPY data is longer than {0} bytes, more than the gateway holds to mask it")]
    TooLong(usize),
    /// A row has another number of columns than the statement.
    #[error("a row of COPY data has not the {0} columns that it should have")]
    Columns(usize),
    /// The bytes are not in the format.
    #[error("COPY data is malformed: {0}")]
    Malformed(&'static str),
    /// The options are none that a server takes.
    #[error("COPY data cannot be read with these options: {0}")]
    Options(&'static str),
    /// No rows in this format were to come.
    #[error("COPY data came where it was not to be expected, in a format that nobody asked for")]
    Unexpected,
    /// It went on after an error.
    #[error("COPY data came after it could not be masked")]
    Failed,
}

/// What comes next in what is buffered, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// Not a row: a header, an end mark.
    Pass(usize),
    /// A whole row.
    Row(usize),
}

#[derive(Debug)]
enum Rows {
    Text(text::Rows),
    Csv(csv::Rows),
    Binary(binary::Rows),
}

impl Rows {
    fn next(&mut self, pending: &[u8], limits: &Limits) -> Result<Option<Piece>, CopyError> {
        match self {
            Rows::Text(rows) => rows.next(pending),
            Rows::Csv(rows) => Ok(rows.next(pending)),
            Rows::Binary(rows) => rows.next(pending, limits),
        }
    }
}

/// What the rows have to be.
#[derive(Debug)]
struct Limits {
    columns: usize,
    row: usize,
}

/// The columns and what they are masked with, for the time of one row.
struct Masking<'a> {
    columns: &'a [CopyColumn],
    masker: &'a Masker,
    masked: u64,
}

impl Masking<'_> {
    /// The mask of a column, where the row may have that many.
    fn mask(&self, column: usize) -> Result<Option<(u32, Mask)>, CopyError> {
        let column = self.columns.get(column).ok_or(CopyError::Columns(self.columns.len()))?;
        Ok(column.mask.map(|mask| (column.type_oid, mask)))
    }

    /// A row of so many columns is over.
    fn end(&self, columns: usize) -> Result<(), CopyError> {
        if columns == self.columns.len() { Ok(()) } else { Err(CopyError::Columns(self.columns.len())) }
    }

    fn apply(&mut self, (type_oid, mask): (u32, Mask), format: Format, value: &[u8], out: &mut BytesMut) -> Masked {
        self.masked = self.masked.saturating_add(1);
        self.masker.apply(mask, Column { type_oid, format }, value, out)
    }
}

/// Masks the data of one COPY, as it comes.
#[derive(Debug)]
pub struct CopyMasker {
    columns: Vec<CopyColumn>,
    /// Absent: no column has a mask.
    rows: Option<Rows>,
    limits: Limits,
    pending: BytesMut,
    failed: bool,
    counted: u64,
    masked: u64,
}

impl CopyMasker {
    /// For rows of these columns, none of which is longer than `max_row` bytes as it comes.
    ///
    /// # Errors
    /// Options that PostgreSQL refuses, and, where a column has a mask, a text for NULL that a value can be written as:
    /// such rows cannot be told apart.
    pub fn new(layout: Layout, columns: Vec<CopyColumn>, max_row: usize) -> Result<Self, CopyError> {
        let rows = match layout {
            Layout::Text(options) => Rows::Text(text::Rows::new(options)?),
            Layout::Csv(options) => Rows::Csv(csv::Rows::new(options)?),
            Layout::Binary => Rows::Binary(binary::Rows::default()),
        };
        let rows = columns.iter().any(|column| column.mask.is_some()).then_some(rows);
        if let Some(Rows::Text(rows)) = &rows
            && rows.null_is_a_value()
        {
            return Err(CopyError::Options("a value can be written as NULL is; \\N is none"));
        }
        let limits = Limits { columns: columns.len(), row: max_row };
        Ok(CopyMasker { columns, rows, limits, pending: BytesMut::new(), failed: false, counted: 0, masked: 0 })
    }

    /// Takes the next bytes, and appends those that can go on to `out`.
    ///
    /// # Errors
    /// The data is not what was announced, or a row is too long; from then on, always.
    pub fn push(&mut self, bytes: &[u8], masker: &Masker, out: &mut BytesMut) -> Result<(), CopyError> {
        if self.rows.is_none() {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        for piece in bytes.chunks(PIECE) {
            self.pending.extend_from_slice(piece);
            let drained = self.drain(masker, out);
            self.check(drained)?;
        }
        self.check(Ok(()))
    }

    /// The data is over: appends what is left to `out`.
    ///
    /// # Errors
    /// It ended within a row.
    pub fn finish(&mut self, masker: &Masker, out: &mut BytesMut) -> Result<(), CopyError> {
        self.check(Ok(()))?;
        let length = self.pending.len();
        let piece = match &mut self.rows {
            None => Ok(None),
            Some(Rows::Text(rows)) => rows.finish(&self.pending),
            Some(Rows::Csv(rows)) => rows.finish(length),
            Some(Rows::Binary(rows)) => rows.finish(length),
        };
        let done = piece.and_then(|piece| piece.map_or(Ok(()), |piece| self.take(piece, masker, out)));
        self.check(done)
    }

    /// How many rows were masked. Those of a stream without masks are not counted.
    pub fn rows(&self) -> u64 {
        self.counted
    }

    /// How many values were masked.
    pub fn masked(&self) -> u64 {
        self.masked
    }

    fn check(&mut self, done: Result<(), CopyError>) -> Result<(), CopyError> {
        if self.failed {
            return Err(CopyError::Failed);
        }
        if done.is_err() {
            self.failed = true;
            self.pending = BytesMut::new();
        }
        done
    }

    fn drain(&mut self, masker: &Masker, out: &mut BytesMut) -> Result<(), CopyError> {
        while let Some(rows) = &mut self.rows {
            match rows.next(&self.pending, &self.limits)? {
                Some(piece) => self.take(piece, masker, out)?,
                None if self.pending.len() > self.limits.row => return Err(CopyError::TooLong(self.limits.row)),
                None => break,
            }
        }
        Ok(())
    }

    fn take(&mut self, piece: Piece, masker: &Masker, out: &mut BytesMut) -> Result<(), CopyError> {
        let (Piece::Pass(length) | Piece::Row(length)) = piece;
        if length > self.limits.row {
            return Err(CopyError::TooLong(self.limits.row));
        }
        let row = self.pending.get(..length).unwrap_or_default();
        if matches!(piece, Piece::Pass(_)) {
            out.extend_from_slice(row);
            self.pending.advance(length);
            return Ok(());
        }
        let start = out.len();
        let mut masking = Masking { columns: &self.columns, masker, masked: 0 };
        let done = match &mut self.rows {
            None => Ok(()),
            Some(Rows::Text(rows)) => rows.mask(row, &mut masking, out),
            Some(Rows::Csv(rows)) => rows.mask(row, &mut masking, out),
            Some(Rows::Binary(_)) => binary::mask(row, &mut masking, out),
        };
        if done.is_err() {
            out.truncate(start);
            return done;
        }
        self.counted = self.counted.saturating_add(1);
        self.masked = self.masked.saturating_add(masking.masked);
        self.pending.advance(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
