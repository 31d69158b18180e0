//! Masks: what policies call them, what each makes of a value, and the plans that say which column of a result gets which.

pub mod copy;
mod function;
mod kind;
mod moment;
mod number;
mod plan;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod word;

pub use function::{Masked, Masker};
pub use kind::{Column, Format};
pub(crate) use plan::both;
pub use plan::{Announced, Answer, Masking, Origin, Plan, Widths};
pub use word::{Constant, Mask, NoMask, Partial, Shape, Unit, strictest};
