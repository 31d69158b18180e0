//! Mask functions and the plans that say which column of a result gets which.

mod function;
mod plan;

use serde::{Deserialize, Serialize};

pub use function::{Masked, Masker, strictest};
pub(crate) use plan::both;
pub use plan::{Answer, Masking, Origin, Plan, Widths};

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
