//! The instants that RFC 3339 and both databases can write: those of the years 1 to 9999.
//!
//! Pure. What callers state must be one of them, and what is computed ends with the last: SQLite keeps instants as text, which a fifth digit
//! of the year makes unreadable. Example: a due time that a long budget puts into the year 10001 is the end of 9999.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Utc};

/// The years of the instants that can be kept.
const YEARS: RangeInclusive<i32> = 1..=9999;
/// 9999-12-31T23:59:59Z, in seconds since 1970.
const LAST_SECOND: i64 = 253_402_300_799;

/// What a caller is told of any other instant.
pub const OUT_OF_RANGE: &str = "an instant must be of the years 1 to 9999";

/// Returns true if an instant can be kept, compared and written.
pub fn is_in_range(at: DateTime<Utc>) -> bool {
    YEARS.contains(&at.year())
}

/// Returns a computed instant, or the last second of 9999 where it lies beyond.
pub fn at_most_the_last(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(LAST_SECOND, 0).map_or(at, |last| at.min(last))
}

/// Reads an instant as RFC 3339 writes it.
///
/// # Errors
/// What the user of a command is told.
pub fn parse(text: &str) -> Result<DateTime<Utc>, String> {
    let at = text.trim().parse::<DateTime<Utc>>();
    let at = at.map_err(|error| format!("must be an instant, such as 2026-11-27T09:00:00Z: {error}"))?;
    if is_in_range(at) { Ok(at) } else { Err(OUT_OF_RANGE.to_owned()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    proptest! {
        #[test]
        fn what_is_computed_can_be_kept(seconds in -62_135_596_800..=8_000_000_000_000_i64) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            let kept = at_most_the_last(at);
            prop_assert!(is_in_range(kept) && (kept == at) == is_in_range(at), "{at}");
            prop_assert!(parse(&at.to_rfc3339()).is_ok() == is_in_range(at), "{at}");
        }
    }

    #[test]
    fn the_range_is_that_of_four_digits() {
        for (text, is_instant) in [
            ("0001-01-01T00:00:00Z", true),
            ("9999-12-31T23:59:59.999999Z", true),
            ("0000-12-31T23:59:59Z", false),
            ("-0001-01-01T00:00:00Z", false),
            ("+10000-01-01T00:00:00Z", false),
            ("9999-12-31T23:59:59-01:00", false),
            ("tomorrow", false),
        ] {
            assert_eq!(parse(text).is_ok(), is_instant, "{text}");
        }
    }
}
