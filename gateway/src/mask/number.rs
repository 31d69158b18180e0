//! `numeric` in both of its formats, as far as a mask needs it.

use bytes::{Buf as _, BufMut as _, BytesMut};

/// The base of the binary format's digits, `NBASE` in PostgreSQL.
const BASE: i128 = 10_000;

/// How many decimal digits one of those is.
const DECIMALS: u32 = 4;

/// Values with more significant digits than this are not read.
const MAX_DIGITS: u32 = 34;

const NEGATIVE: u16 = 0x4000;

/// A finite `numeric`: `mantissa / 10^scale`, with the smallest scale. Equal for equal values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numeric {
    mantissa: i128,
    scale: u32,
}

impl Numeric {
    pub(super) fn whole(value: i128) -> Self {
        Numeric { mantissa: value, scale: 0 }
    }

    fn new(mut mantissa: i128, mut scale: u32) -> Option<Self> {
        if mantissa == 0 {
            scale = 0;
        }
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale = scale.saturating_sub(1);
        }
        (mantissa.unsigned_abs() < 10u128.pow(MAX_DIGITS)).then_some(Numeric { mantissa, scale })
    }

    /// As `numeric_out` writes it. NaN and infinity are not read.
    pub(super) fn from_text(text: &[u8]) -> Option<Self> {
        let (negative, text) = match text.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let point = memchr::memchr(b'.', text).unwrap_or(text.len());
        let (whole, fraction) = text.split_at_checked(point)?;
        let fraction = fraction.get(1..).unwrap_or_default();
        let zeros = fraction.iter().rev().take_while(|digit| **digit == b'0').count();
        let significant = fraction.get(..fraction.len().saturating_sub(zeros))?;
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut mantissa = 0i128;
        for digit in whole.iter().chain(significant) {
            let digit = digit.is_ascii_digit().then(|| i128::from(digit & 0xf))?;
            mantissa = mantissa.checked_mul(10)?.checked_add(digit)?;
        }
        Self::new(if negative { mantissa.checked_neg()? } else { mantissa }, u32::try_from(significant.len()).ok()?)
    }

    /// As `numeric_send` writes it: the number of digits in base 10,000, the first one's weight, the sign, the scale
    /// that is displayed, the digits.
    pub(super) fn from_binary(mut bytes: &[u8]) -> Option<Self> {
        let count = bytes.try_get_u16().ok()?;
        let weight = bytes.try_get_i16().ok()?;
        let sign = bytes.try_get_u16().ok()?;
        bytes.try_get_u16().ok()?;
        if bytes.len() != usize::from(count).checked_mul(2)? || !matches!(sign, 0 | NEGATIVE) {
            return None;
        }
        // How many of the digits are behind the point; negative: how many zeros are missing before it.
        let mut behind = i64::from(count).checked_sub(1)?.checked_sub(weight.into())?;
        let mut digits = bytes;
        while let ([rest @ .., 0, 0], 1..) = (digits, behind) {
            digits = rest;
            behind = behind.checked_sub(1)?;
        }
        let mut mantissa = 0i128;
        while let Ok(digit) = digits.try_get_u16() {
            if i128::from(digit) >= BASE {
                return None;
            }
            mantissa = mantissa.checked_mul(BASE)?.checked_add(digit.into())?;
        }
        if mantissa == 0 {
            return Some(Self::whole(0));
        }
        while behind < 0 {
            mantissa = mantissa.checked_mul(BASE)?;
            behind = behind.checked_add(1)?;
        }
        let scale = u32::try_from(behind).ok()?.checked_mul(DECIMALS)?;
        Self::new(if sign == NEGATIVE { mantissa.checked_neg()? } else { mantissa }, scale)
    }

    /// The integer that it is.
    pub(super) fn integer(self) -> Option<i64> {
        (self.scale == 0).then(|| i64::try_from(self.mantissa).ok())?
    }

    /// The largest multiple of `n` that is not above it.
    pub(super) fn bucket(self, n: u32) -> Option<Self> {
        // Beyond that scale it is between -1 and 1.
        let floor = match 10i128.checked_pow(self.scale) {
            Some(power) => self.mantissa.div_euclid(power),
            None => self.mantissa.signum().min(0),
        };
        let n = i128::from(n);
        Some(Self::whole(floor.div_euclid(n).checked_mul(n)?))
    }

    /// The same bytes for the same number.
    pub(super) fn canonical(self) -> [u8; 20] {
        let mut bytes = [0; 20];
        let (mantissa, scale) = bytes.split_at_mut(16);
        mantissa.copy_from_slice(&self.mantissa.to_be_bytes());
        scale.copy_from_slice(&self.scale.to_be_bytes());
        bytes
    }

    pub(super) fn put_text(self, out: &mut BytesMut) {
        let scale = usize::try_from(self.scale).unwrap_or(usize::MAX);
        // With at least one digit before the point.
        let digits = format!("{:0>width$}", self.mantissa.unsigned_abs(), width = scale.saturating_add(1));
        if self.mantissa < 0 {
            out.put_u8(b'-');
        }
        let (whole, fraction) = digits.split_at_checked(digits.len().saturating_sub(scale)).unwrap_or((&digits, ""));
        out.put_slice(whole.as_bytes());
        if !fraction.is_empty() {
            out.put_u8(b'.');
            out.put_slice(fraction.as_bytes());
        }
    }

    pub(super) fn put_binary(self, out: &mut BytesMut) {
        let behind = self.scale.div_ceil(DECIMALS);
        let missing = behind.saturating_mul(DECIMALS).saturating_sub(self.scale);
        // 34 digits and three more fit.
        let mut rest = self.mantissa.unsigned_abs().saturating_mul(10u128.saturating_pow(missing));
        let mut digits: Vec<u16> = Vec::with_capacity(10);
        while rest > 0 {
            digits.push(u16::try_from(rest % BASE.unsigned_abs()).unwrap_or_default());
            rest /= BASE.unsigned_abs();
        }
        let length = i64::try_from(digits.len()).unwrap_or_default();
        let weight = if digits.is_empty() { 0 } else { length.saturating_sub(1).saturating_sub(behind.into()) };
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        out.put_u16(u16::try_from(digits.len().saturating_sub(zeros)).unwrap_or_default());
        out.put_i16(i16::try_from(weight).unwrap_or(i16::MIN));
        out.put_u16(if self.mantissa < 0 { NEGATIVE } else { 0 });
        out.put_u16(u16::try_from(self.scale).unwrap_or(u16::MAX));
        digits.iter().skip(zeros).rev().for_each(|digit| out.put_u16(*digit));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: Numeric) -> String {
        let mut out = BytesMut::new();
        value.put_text(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn binary_is_laid_out_as_numeric_send_does() {
        // select encode(numeric_send('-12345.678'), 'hex')
        let sent = [0u8, 3, 0, 1, 0x40, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1a, 0x7c];
        let value = Numeric::from_binary(&sent).unwrap();
        assert_eq!(text(value), "-12345.678");
        let mut out = BytesMut::new();
        value.put_binary(&mut out);
        assert_eq!(&out[..], &sent);
    }

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        let one = Numeric::from_text(b"1").unwrap();
        for same in [&b"1.0"[..], b"1.0000000000000000000000000000000000000000000000", b"001"] {
            assert_eq!(Numeric::from_text(same), Some(one));
        }
        assert_eq!(Numeric::from_text(b"-0.00"), Some(Numeric::whole(0)));
        for none in
            [&b""[..], b"-", b".", b"NaN", b"Infinity", b"1e5", b"1.2.3", b"99999999999999999999999999999999999"]
        {
            assert_eq!(Numeric::from_text(none), None);
        }
        // NaN and infinity.
        for sign in [0xc0, 0xd0, 0xf0] {
            assert_eq!(Numeric::from_binary(&[0, 0, 0, 0, sign, 0, 0, 0]), None);
        }
    }

    #[test]
    fn a_bucket_is_never_above_the_value() {
        for (value, bucket) in [("123.9", "120"), ("-0.5", "-10"), ("0", "0"), ("-120", "-120"), ("-120.01", "-130")] {
            assert_eq!(text(Numeric::from_text(value.as_bytes()).unwrap().bucket(10).unwrap()), bucket);
        }
        let tiny = format!("-0.{}1", "0".repeat(60));
        assert_eq!(Numeric::from_text(tiny.as_bytes()).unwrap().bucket(7), Some(Numeric::whole(-7)));
    }

    proptest! {
        #[test]
        fn both_formats_say_the_same(mantissa in -(10i128.pow(34) - 1)..10i128.pow(34), scale in 0u32..50) {
            let value = Numeric::new(mantissa, scale).unwrap();
            let (mut as_text, mut as_binary) = (BytesMut::new(), BytesMut::new());
            value.put_text(&mut as_text);
            value.put_binary(&mut as_binary);
            prop_assert_eq!(Numeric::from_text(&as_text), Some(value));
            prop_assert_eq!(Numeric::from_binary(&as_binary), Some(value));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = (Numeric::from_text(&bytes), Numeric::from_binary(&bytes));
        }
    }
}
