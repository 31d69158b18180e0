//! What each mask function makes of one value, in PostgreSQL's text and binary formats.

use bytes::{BufMut as _, BytesMut};

use super::Mask;

/// What stands for a value that is redacted, where its type can hold a text.
const REDACTED: &[u8] = b"[redacted]";

/// How many characters a partial mask leaves.
const KEPT: usize = 4;

/// What a masked value became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masked {
    /// The bytes that were appended.
    Value,
    /// NULL; nothing was appended.
    Null,
}

/// Applies mask functions with this node's key.
pub struct Masker {
    key: [u8; 32],
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masker").finish_non_exhaustive()
    }
}

/// Types whose text and binary formats are both the text itself (`pg_type.dat`): text, varchar, bpchar, name, unknown.
const fn is_text(type_oid: u32) -> bool {
    matches!(type_oid, 25 | 1043 | 1042 | 19 | 705)
}

impl Masker {
    /// With the key that `Hash` uses.
    pub fn new(key: [u8; 32]) -> Self {
        Masker { key }
    }

    /// Appends what `mask` makes of `value`, of a column of type `type_oid`, to `out`. The format does not matter: only
    /// types whose two formats are the same are not made NULL.
    pub fn apply(&self, mask: Mask, type_oid: u32, value: &[u8], out: &mut BytesMut) -> Masked {
        if !is_text(type_oid) || mask == Mask::Null {
            return Masked::Null;
        }
        match mask {
            Mask::Partial => match std::str::from_utf8(value) {
                Ok(text) if text.chars().count() > KEPT => {
                    let hidden = text.chars().count().saturating_sub(KEPT);
                    out.put_bytes(b'*', hidden);
                    let kept: String = text.chars().skip(hidden).collect();
                    out.put_slice(kept.as_bytes());
                }
                _ => out.put_slice(REDACTED),
            },
            Mask::Hash => {
                let hash = blake3::keyed_hash(&self.key, value).to_hex();
                out.put_slice(b"h:");
                out.put_slice(hash.as_bytes().get(..32).unwrap_or_default());
            }
            Mask::Redact | Mask::Null => out.put_slice(REDACTED),
        }
        Masked::Value
    }
}

/// The mask that holds where two apply: two different ones are `Redact`.
pub fn strictest(one: Mask, other: Mask) -> Mask {
    if one == other { one } else { Mask::Redact }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(mask: Mask, type_oid: u32, value: &str) -> Option<String> {
        let mut out = BytesMut::new();
        match Masker::new([7; 32]).apply(mask, type_oid, value.as_bytes(), &mut out) {
            Masked::Value => Some(String::from_utf8(out.to_vec()).unwrap()),
            Masked::Null => None,
        }
    }

    #[test]
    fn a_text_keeps_its_last_characters_or_none() {
        assert_eq!(masked(Mask::Partial, 25, "123-45-6789").as_deref(), Some("*******6789"));
        assert_eq!(masked(Mask::Partial, 25, "äöüß€").as_deref(), Some("*öüß€"));
        assert_eq!(masked(Mask::Partial, 25, "6789").as_deref(), Some("[redacted]"));
        assert_eq!(masked(Mask::Redact, 1043, "x").as_deref(), Some("[redacted]"));
        assert_eq!(masked(Mask::Null, 25, "x"), None);
    }

    #[test]
    fn what_is_no_text_is_null() {
        for mask in [Mask::Partial, Mask::Hash, Mask::Redact, Mask::Null] {
            assert_eq!(masked(mask, 23, "12345678"), None);
        }
    }

    #[test]
    fn a_hash_is_the_same_for_the_same_value_only() {
        let hash = masked(Mask::Hash, 25, "a").unwrap();
        assert_eq!(Some(hash.clone()), masked(Mask::Hash, 25, "a"));
        assert_ne!(Some(hash), masked(Mask::Hash, 25, "b"));
    }

    #[test]
    fn two_masks_that_differ_redact() {
        assert_eq!(strictest(Mask::Hash, Mask::Hash), Mask::Hash);
        assert_eq!(strictest(Mask::Hash, Mask::Partial), Mask::Redact);
    }
}
