//! How long a value can be: what puts values together fails at 1 GB, and that tells how long the hidden part is.
//!
//! `x || x` in 27 nested queries tells a value of one character from one of two, and so does a single `||` with a text of
//! nearly 1 GB, that `repeat` made or that was stored before. A value is small if it is made of one row's columns, each so many
//! times, and of what stands in the statement itself. Whoever can write a row that he cannot read can still make
//! it as long as he wants.

/// How many times a row's own data may be in a value: rows of 1 MB can be written down whole.
const MOST: u32 = 1024;

/// How long a value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// How often what it is made of may be in it.
    times: u32,
    of: Of,
}

/// What a value's length depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// On nothing but the statement's text: literals, and types of a fixed length.
    Text,
    /// On the columns of one row of a FROM item.
    Row(u32),
    /// On a column of one row or another.
    Column,
    /// It can be of any length.
    Anything,
}

impl Default for Size {
    fn default() -> Self {
        Size::ANY
    }
}

impl Size {
    /// Of any length.
    pub(super) const ANY: Size = Size { times: 1, of: Of::Anything };
    /// A literal, or a value of a type whose values are all short.
    pub(super) const SHORT: Size = Size { times: 1, of: Of::Text };
    /// Nothing: what others are added to.
    pub(super) const NONE: Size = Size { times: 0, of: Of::Text };

    /// A column of that row.
    pub(super) const fn of_row(row: u32) -> Size {
        Size { times: 1, of: Of::Row(row) }
    }

    /// Both, one behind the other.
    pub(super) fn and(self, other: Size) -> Size {
        let of = match (self.of, other.of) {
            (Of::Text, of) | (of, Of::Text) => of,
            (Of::Row(one), Of::Row(other)) if one == other => Of::Row(one),
            // Of two rows the one may have been written for the other.
            _ => Of::Anything,
        };
        Size { times: self.times.saturating_add(other.times), of }
    }

    /// One of them.
    pub(super) fn or(self, other: Size) -> Size {
        let of = match (self.of, other.of) {
            (one, other) if one == other => one,
            (Of::Anything, _) | (_, Of::Anything) => Of::Anything,
            (Of::Text, of) | (of, Of::Text) => of,
            _ => Of::Column,
        };
        Size { times: self.times.max(other.times), of }
    }

    /// So many times as long.
    pub(super) fn grown(self, times: u32) -> Size {
        Size { times: self.times.saturating_mul(times), ..self }
    }

    /// Whether it is far from 1 GB.
    pub(super) fn is_small(self) -> bool {
        self.times <= MOST && self.of != Of::Anything
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_one_row_is_small_until_it_is_doubled_too_often() {
        let (one, other) = (Size::of_row(1), Size::of_row(2));
        assert!(one.and(one).and(Size::SHORT).is_small());
        assert!(!one.and(other).is_small());
        assert!(one.or(other).is_small() && !one.or(other).and(one).is_small());
        assert!(!Size::ANY.or(one).is_small() && !Size::default().is_small());
        let doubled = |size: Size, times: u32| (0..times).fold(size, |size, _| size.and(size));
        assert!(doubled(one, 10).is_small() && !doubled(one, 11).is_small());
        assert!(!doubled(Size::SHORT, 40).is_small(), "no literal either");
        assert!(!one.grown(2048).is_small());
    }
}
