//! Mask functions and the plans that say which column of a result gets which.

mod function;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use function::{Masked, Masker, strictest};

/// A mask function, by the word a policy's `@mask` uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mask {
    /// A fixed text where the type can hold one, NULL otherwise.
    Redact,
    /// NULL.
    Null,
    /// All but the last four characters of a text replaced; what is too short, or not a text, is redacted.
    Partial,
    /// A keyed hash of the value, the same for the same value on this node; what is not a text is redacted.
    Hash,
}

/// Where a result's column came from, as RowDescription says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// Table OID; 0: computed.
    pub table: u32,
    /// Column number; 0: computed.
    pub column: i16,
}

/// What happens to each column of a command's results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Every byte is forwarded as it came.
    Pass,
    /// By origin.
    Columns(Columns),
}

/// A plan that masks by origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Columns of known origin that have a mask.
    pub masked: HashMap<Origin, Mask>,
    /// Relations whose other columns are known to be harmless, up to this column number: what was added since is not
    /// known.
    pub harmless: Arc<HashMap<u32, i16>>,
    /// What a column of any other origin gets, computed ones included.
    pub elsewhere: Option<Mask>,
}
