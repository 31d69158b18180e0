//! Dates and times as PostgreSQL writes them: days and microseconds since 2000-01-01, or ISO 8601 as `DateStyle` ISO has it.
//!
//! Years 1 to 9999 are read, in that style only: what is beyond, infinite or in another style is no value to a mask.

use bytes::BytesMut;
use chrono::{Datelike as _, NaiveDate, NaiveDateTime, TimeDelta, Timelike as _};

use super::kind::put;
use super::word::Unit;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
pub(super) const DAY: i64 = 24 * HOUR;

/// Days from 2000-01-01 back to 1900-01-01.
const TO_1900: i32 = -36_524;

/// Days from 1900-01-01 to 2099-12-31, both included.
const TWO_CENTURIES: u64 = 73_049;

const EPOCH: NaiveDate = match NaiveDate::from_ymd_opt(2000, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

fn civil(days: i32) -> Option<NaiveDate> {
    let day = EPOCH.checked_add_signed(TimeDelta::try_days(days.into())?)?;
    (1..=9999).contains(&day.year()).then_some(day)
}

fn days(day: NaiveDate) -> Option<i32> {
    i32::try_from(day.signed_duration_since(EPOCH).num_days()).ok()
}

fn instant(micros: i64) -> Option<NaiveDateTime> {
    let at = EPOCH.and_time(chrono::NaiveTime::MIN).checked_add_signed(TimeDelta::microseconds(micros))?;
    (1..=9999).contains(&at.year()).then_some(at)
}

/// A binary date that can be masked.
pub(super) fn known_day(days: i32) -> Option<i32> {
    civil(days).map(|_| days)
}

/// A binary timestamp that can be masked.
pub(super) fn known_moment(micros: i64) -> Option<i64> {
    instant(micros).map(|_| micros)
}

/// A binary timestamp with time zone that can be masked. A session's time zone can be days off, and writes the first and
/// last years as others: they are left out, so that both formats know the same instants.
pub(super) fn known_instant(micros: i64) -> Option<i64> {
    instant(micros).filter(|at| (2..=9998).contains(&at.year())).map(|_| micros)
}

/// A binary time of day; 24:00:00 is one.
pub(super) fn known_time(micros: i64) -> Option<i64> {
    (0..=DAY).contains(&micros).then_some(micros)
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit & 0xf))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// `2024-05-17`
pub(super) fn date(text: &[u8]) -> Option<i32> {
    let [y @ .., b'-', m1, m2, b'-', d1, d2] = text else { return None };
    if y.len() != 4 {
        return None;
    }
    let year = i32::try_from(number(y)?).ok().filter(|year| *year > 0)?;
    days(NaiveDate::from_ymd_opt(year, number(&[*m1, *m2])?, number(&[*d1, *d2])?)?)
}

/// `13:14:15`, `13:14:15.123456`, `24:00:00`
pub(super) fn time(text: &[u8]) -> Option<i64> {
    let (clock, fraction) = text.split_at_checked(8)?;
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let (hours, minutes, seconds) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?, number(&[*s1, *s2])?);
    let micros = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=6).contains(&digits.len()) => {
            let missing = 6u32.checked_sub(u32::try_from(digits.len()).ok()?)?;
            number(digits)?.checked_mul(10u32.checked_pow(missing)?)?
        }
        _ => return None,
    };
    if minutes > 59 || seconds > 59 {
        return None;
    }
    let seconds = hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?;
    known_time(i64::from(seconds).checked_mul(SECOND)?.checked_add(micros.into())?)
}

/// `2024-05-17 13:14:15.5`
pub(super) fn timestamp(text: &[u8]) -> Option<i64> {
    let (day, clock) = text.split_at_checked(10)?;
    let micros = time(clock.strip_prefix(b" ")?).filter(|micros| *micros < DAY)?;
    i64::from(date(day)?).checked_mul(DAY)?.checked_add(micros)
}

/// `2024-05-17 13:14:15.5+02`, `-03:30`, `+00:19:32`
pub(super) fn timestamptz(text: &[u8]) -> Option<i64> {
    let sign = text.iter().rposition(|byte| matches!(byte, b'+' | b'-')).filter(|at| *at > 10)?;
    let (local, offset) = text.split_at_checked(sign)?;
    let mut seconds = 0u32;
    for (part, unit) in offset.get(1..)?.split(|byte| *byte == b':').zip([3600, 60, 1, 0]) {
        if !(2..=3).contains(&part.len()) || unit == 0 {
            return None;
        }
        seconds = seconds.checked_add(number(part)?.checked_mul(unit)?)?;
    }
    let offset = i64::from(seconds).checked_mul(if text.get(sign) == Some(&b'-') { -SECOND } else { SECOND })?;
    known_instant(timestamp(local)?.checked_sub(offset)?)
}

pub(super) fn put_date(days: i32, out: &mut BytesMut) -> bool {
    let Some(day) = civil(days) else { return false };
    put(out, format_args!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day()));
    true
}

pub(super) fn put_timestamp(micros: i64, out: &mut BytesMut) -> bool {
    let days = i32::try_from(micros.div_euclid(DAY)).unwrap_or(i32::MAX);
    if !put_date(days, out) {
        return false;
    }
    put(out, format_args!(" "));
    put_time(micros.rem_euclid(DAY), out);
    true
}

pub(super) fn put_time(micros: i64, out: &mut BytesMut) {
    let (seconds, fraction) = (micros / SECOND, micros % SECOND);
    put(out, format_args!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
    if fraction != 0 {
        let digits = format!(".{fraction:06}");
        put(out, format_args!("{}", digits.trim_end_matches('0')));
    }
}

/// The first day of its year or month.
pub(super) fn truncate_date(day: i32, unit: Unit) -> Option<i32> {
    let date = civil(day)?;
    match unit {
        Unit::Year => days(date.with_ordinal(1)?),
        Unit::Month => days(date.with_day(1)?),
        Unit::Day | Unit::Hour => Some(day),
    }
}

/// The start of its year, month, day or hour.
pub(super) fn truncate_timestamp(micros: i64, unit: Unit) -> Option<i64> {
    let at = instant(micros)?;
    let day = truncate_date(days(at.date())?, unit)?;
    let hour = if unit == Unit::Hour { i64::from(at.hour()).checked_mul(HOUR)? } else { 0 };
    i64::from(day).checked_mul(DAY)?.checked_add(hour)
}

/// The start of its hour. A time of day has no day to be cut down to.
pub(super) fn truncate_time(micros: i64, unit: Unit) -> Option<i64> {
    (unit == Unit::Hour).then(|| micros.saturating_sub(micros.rem_euclid(HOUR)))
}

/// A day of 1900 to 2099 by a random number.
pub(super) fn some_day(random: u64) -> i32 {
    i32::try_from(random % TWO_CENTURIES).unwrap_or_default().saturating_add(TO_1900)
}

/// A second of a day by a random number, in microseconds.
pub(super) fn some_second(random: u64) -> i64 {
    i64::try_from(random % 86_400).unwrap_or_default().saturating_mul(SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(micros: i64) -> String {
        let mut out = BytesMut::new();
        assert!(put_timestamp(micros, &mut out));
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn both_ends_and_what_lies_beyond() {
        assert_eq!(date(b"2000-01-01"), Some(0));
        assert_eq!(date(b"1900-01-01"), Some(TO_1900));
        assert_eq!(some_day(TWO_CENTURIES - 1), date(b"2099-12-31").unwrap());
        assert!(date(b"0001-01-01").is_some() && date(b"9999-12-31").is_some());
        for none in
            [&b"0000-01-01"[..], b"10000-01-01", b"0044-03-15 BC", b"infinity", b"17/05/2024", b"2024-02-30", b""]
        {
            assert_eq!(date(none), None);
        }
        for none in [i32::MIN, i32::MAX, date(b"9999-12-31").unwrap() + 1, date(b"0001-01-01").unwrap() - 1] {
            assert_eq!(known_day(none), None);
        }
        assert_eq!((known_moment(i64::MAX), known_moment(i64::MIN)), (None, None));
        assert_eq!(time(b"24:00:00"), Some(DAY));
        assert!(time(b"24:00:01").is_none() && time(b"12:60:00").is_none() && time(b"12:00:00+02").is_none());
    }

    #[test]
    fn an_instant_is_the_same_in_every_time_zone() {
        let utc = timestamptz(b"2023-12-31 23:30:00+00").unwrap();
        assert_eq!(timestamptz(b"2024-01-01 01:30:00+02"), Some(utc));
        assert_eq!(timestamptz(b"2023-12-31 20:00:00-03:30"), Some(utc));
        assert_eq!(text(utc), "2023-12-31 23:30:00");
        assert_eq!(text(timestamp(b"1999-12-31 23:59:59.000120").unwrap()), "1999-12-31 23:59:59.00012");
        assert_eq!(text(truncate_timestamp(utc, Unit::Month).unwrap()), "2023-12-01 00:00:00");
        assert_eq!(text(truncate_timestamp(utc, Unit::Hour).unwrap()), "2023-12-31 23:00:00");
        assert_eq!(timestamptz(b"2024-01-07 22:30:00+167"), Some(utc));
        assert_eq!(timestamptz(b"2023-12-31 23:49:32+00:19:32"), Some(utc));
        for none in [&b"2023-12-31 23:30:00"[..], b"2023-12-31 23:30:00+", b"2023-12-31 23:30:00+00:00:00:00"] {
            assert_eq!(timestamptz(none), None);
        }
    }

    #[test]
    fn an_instant_that_a_time_zone_moves_out_of_the_years_is_none_in_all_of_them() {
        let last = timestamp(b"9998-12-31 23:59:59").unwrap();
        assert_eq!(timestamptz(b"9999-01-01 05:29:59+05:30"), Some(last));
        assert_eq!(known_instant(last), Some(last));
        for late in [&b"9999-12-31 23:59:00+00"[..], b"10000-01-01 05:29:00+05:30", b"9999-01-01 00:00:00+00"] {
            assert_eq!(timestamptz(late), None);
        }
        assert_eq!(known_instant(timestamp(b"9999-12-31 23:59:00").unwrap()), None);
        assert_eq!(known_instant(timestamp(b"0001-12-31 23:59:00").unwrap()), None);
    }
}
