//! Tokens: values encrypted within their own format, by FF1 (NIST SP 800-38G) with AES-256.
//!
//! What may change of a value is counted as one number below the size of its domain, and that number is encrypted as
//! a string of bits. A result outside the domain is encrypted again until it is within (cycle walking): the domain is at
//! least half of the strings, so that takes two rounds on average.

use aes::Aes256;
use fpe::ff1::{FF1, FlexibleNumeralString};
use num_bigint::BigUint;

/// Smaller domains can be counted through (SP 800-38G revision 1): their values have no token.
const MIN_DOMAIN: u64 = 1_000_000;

/// Texts with more letters and digits than this have no token: the work grows with the square.
const MAX_TEXT: usize = 256;

/// Enough rounds of the walk that not one value in 2^255 is left without a token.
const MAX_WALK: usize = 256;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the token.
    Hide,
    /// Back to the value.
    Reveal,
}

/// Makes tokens with one key.
pub(super) struct Tokens(Option<FF1<Aes256>>);

impl Tokens {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        // Radix 2 is a radix; were it none, there would be no tokens.
        Tokens(FF1::new(key, 2).ok())
    }

    fn permute(&self, way: Way, tweak: &[u8], rank: &BigUint, size: &BigUint) -> Option<BigUint> {
        let cipher = self.0.as_ref()?;
        if *size < BigUint::from(MIN_DOMAIN) || rank >= size {
            return None;
        }
        let length = (size - 1u32).bits();
        let mut bits: FlexibleNumeralString =
            (0..length).rev().map(|at| u16::from(rank.bit(at))).collect::<Vec<u16>>().into();
        for _ in 0..MAX_WALK {
            bits = match way {
                Way::Hide => cipher.encrypt(tweak, &bits),
                Way::Reveal => cipher.decrypt(tweak, &bits),
            }
            .ok()?;
            let numerals = Vec::from(bits);
            let mut found = BigUint::ZERO;
            for (at, bit) in (0..length).rev().zip(&numerals) {
                found.set_bit(at, *bit == 1);
            }
            if found < *size {
                return Some(found);
            }
            bits = numerals.into();
        }
        None
    }

    fn permute_u128(&self, way: Way, tweak: &[u8], rank: u128, size: u128) -> Option<u128> {
        self.permute(way, tweak, &rank.into(), &size.into())?.try_into().ok()
    }

    /// Digits stay digits, letters letters of their case, everything else in its place. Appends to `out`; whether it has.
    pub(super) fn text(&self, way: Way, text: &[u8], out: &mut impl Extend<u8>) -> bool {
        self.permuted_text(way, text).map(|token| out.extend(token)).is_some()
    }

    fn permuted_text(&self, way: Way, text: &[u8]) -> Option<Vec<u8>> {
        if !text.is_ascii() {
            // A letter of another script has no alphabet to stay in.
            return None;
        }
        let (mut rank, mut size) = (BigUint::ZERO, BigUint::from(1u32));
        // The pattern is the tweak: domains of the same size are apart by it.
        let mut tweak = vec![b't'];
        for byte in text {
            let Some((first, radix)) = alphabet(*byte) else { continue };
            if tweak.len() > MAX_TEXT {
                return None;
            }
            tweak.push(first);
            size *= radix;
            rank = rank * radix + byte.saturating_sub(first);
        }
        let mut rank = self.permute(way, &tweak, &rank, &size)?;
        let mut token = text.to_vec();
        for byte in token.iter_mut().rev() {
            let Some((first, radix)) = alphabet(*byte) else { continue };
            *byte = first.saturating_add(u8::try_from(&rank % radix).ok()?);
            rank /= radix;
        }
        Some(token)
    }

    /// An integer's token has its sign. Below ten million it is below ten million; above, it has as many digits.
    ///
    /// It does not depend on the integer's type: what fits int4 has a token that does, so that an int4 and an int8
    /// (or a numeric) that refer to each other still do.
    pub(super) fn integer(&self, way: Way, value: i64) -> Option<i64> {
        let magnitude = (if value < 0 { !value } else { value }).unsigned_abs();
        let (from, to) = domain(magnitude);
        let tweak = [b'i', u8::from(value < 0), u8::try_from(from.checked_ilog10().unwrap_or_default()).ok()?];
        let rank = magnitude.checked_sub(from)?.into();
        let rank = self.permute_u128(way, &tweak, rank, to.checked_sub(from)?.into())?;
        let token = i64::try_from(u64::try_from(rank).ok()?.checked_add(from)?).ok()?;
        Some(if value < 0 { !token } else { token })
    }

    /// A UUID's token has its version and variant.
    pub(super) fn uuid(&self, way: Way, value: [u8; 16]) -> Option<[u8; 16]> {
        const FREE: [(u32, u32); 3] = [(0, 62), (64, 12), (80, 48)];
        let value = u128::from_be_bytes(value);
        let field = |at: u32, length: u32| (1u128 << length).saturating_sub(1) << at;
        let (mut rank, mut packed) = (0u128, 0u32);
        for (at, length) in FREE {
            rank |= (value & field(at, length)) >> at << packed;
            packed = packed.saturating_add(length);
        }
        let mut rank = self.permute_u128(way, b"u", rank, 1 << packed)?;
        let mut token = value;
        for (at, length) in FREE {
            token = token & !field(at, length) | (rank & field(0, length)) << at;
            rank >>= length;
        }
        Some(token.to_be_bytes())
    }
}

/// The first character of the alphabet that a byte is in, and how many that has.
fn alphabet(byte: u8) -> Option<(u8, u32)> {
    match byte {
        b'0'..=b'9' => Some((b'0', 10)),
        b'a'..=b'z' => Some((b'a', 26)),
        b'A'..=b'Z' => Some((b'A', 26)),
        _ => None,
    }
}

/// The numbers among which one is permuted: from the first to before the second.
fn domain(magnitude: u64) -> (u64, u64) {
    const SMALL: u64 = 10_000_000;
    /// Where int4 and int8 end.
    const ENDS: [u64; 2] = [1 << 31, 1 << 63];
    if magnitude < SMALL {
        return (0, SMALL);
    }
    let (mut from, mut to) = (SMALL, SMALL.saturating_mul(10));
    while magnitude >= to {
        from = to;
        // 10^19 is beyond the end of int8.
        to = to.saturating_mul(10);
    }
    for end in ENDS {
        if magnitude < end {
            to = to.min(end);
        } else {
            from = from.max(end);
        }
    }
    (from, to)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn token(way: Way, text: &str) -> Option<String> {
        let mut out = Vec::new();
        Tokens::new(&[7; 32]).text(way, text.as_bytes(), &mut out).then(|| String::from_utf8(out).unwrap())
    }

    fn pattern(text: &str) -> String {
        text.bytes().map(|byte| char::from(alphabet(byte).map_or(byte, |(first, _)| first))).collect()
    }

    #[test]
    fn what_has_fewer_than_a_million_values_has_no_token() {
        for text in ["", "12345", "abcd", "A1234", "-- !", "123-45"] {
            assert_eq!(token(Way::Hide, text), None, "{text}");
        }
        for text in ["123456", "abcde", "AB-1234", "123-45-6789", &"x".repeat(256)] {
            assert!(token(Way::Hide, text).is_some(), "{text}");
        }
        assert_eq!(token(Way::Hide, "Müller-Lüdenscheidt"), None);
        assert_eq!(token(Way::Hide, &"x".repeat(257)), None);
    }

    #[test]
    fn no_two_values_share_a_token() {
        let tokens = Tokens::new(&[7; 32]);
        let found: BTreeSet<i64> = (0..2000).map(|value| tokens.integer(Way::Hide, value).unwrap()).collect();
        assert_eq!(found.len(), 2000);
        assert!(found.iter().all(|token| (0..10_000_000).contains(token)));
        let found: BTreeSet<String> =
            (0..2000).map(|value| token(Way::Hide, &format!("{value:06}")).unwrap()).collect();
        assert_eq!(found.len(), 2000);
    }

    #[test]
    fn domains_are_large_enough_and_hold_their_numbers() {
        let mut next = 0;
        while next < 1 << 63 {
            let (from, to) = domain(next);
            assert!(from == next && to - from >= MIN_DOMAIN && domain(to - 1) == (from, to), "{from} {to}");
            next = to;
        }
        assert_eq!(next, 1 << 63);
    }

    proptest! {
        #[test]
        fn a_token_has_its_values_pattern_and_leads_back(text in "[0-9]{6}[a-zA-Z0-9 @.:/-]{0,40}") {
            let hidden = token(Way::Hide, &text).unwrap();
            prop_assert_eq!(pattern(&hidden), pattern(&text));
            prop_assert_eq!(token(Way::Reveal, &hidden), Some(text));
        }

        #[test]
        fn an_integers_token_is_one_of_its_type(value: i64, shift in 0u32..64) {
            let (tokens, value) = (Tokens::new(&[7; 32]), value >> shift);
            let hidden = tokens.integer(Way::Hide, value).unwrap();
            prop_assert_eq!(tokens.integer(Way::Reveal, hidden), Some(value));
            prop_assert_eq!(hidden < 0, value < 0);
            prop_assert_eq!(i32::try_from(hidden).is_ok(), i32::try_from(value).is_ok());
        }

        #[test]
        fn a_uuids_token_is_of_its_version(value: [u8; 16]) {
            let tokens = Tokens::new(&[7; 32]);
            let hidden = tokens.uuid(Way::Hide, value).unwrap();
            prop_assert_eq!((hidden[6] & 0xf0, hidden[8] & 0xc0), (value[6] & 0xf0, value[8] & 0xc0));
            prop_assert_eq!(tokens.uuid(Way::Reveal, hidden), Some(value));
        }
    }
}
