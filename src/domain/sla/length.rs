//! How long an SLA is, as a policy states it: an ISO 8601 duration such as `P1D`, `PT4H` or `P1DT4H30M`.
//!
//! Pure: imports chrono, serde, thiserror. A day is a working day of the calendar it is read in, an
//! hour is an hour of working time; so `P1D` and `PT24H` are two lengths. Example: `P2D` is 16 working hours on an
//! eight-hour calendar.

use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// The most days a length may have: ten years, more than any promise to a client.
const MOST_DAYS: u32 = 3650;

/// The most seconds beside the days: the same ten years, counted round the clock.
const MOST_SECONDS: u32 = MOST_DAYS * 24 * 60 * 60;

/// The length of an SLA in working days and seconds of working time; never nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BudgetLength {
    days: u32,
    seconds: u32,
}

/// Why a text or a number is not the length of an SLA.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetLengthError {
    /// It is not written as a duration of days, hours, minutes and seconds.
    #[error(
        "{text:?} is not an SLA length: write whole days, hours, minutes and seconds like P1D, PT4H or P1DT4H30M, \
         without years, months, weeks or fractions"
    )]
    NotADuration {
        /// What was written.
        text: String,
    },
    /// It is no time at all.
    #[error("an SLA needs a length: write at least PT1S, or give the stage no SLA")]
    Zero,
    /// It is longer than ten years.
    #[error("an SLA may last at most P{MOST_DAYS}D")]
    TooLong,
}

impl BudgetLength {
    /// Makes a length of `days` working days and `seconds` of working time.
    ///
    /// # Errors
    /// If it is nothing, or more than ten years.
    pub const fn new(days: u32, seconds: u32) -> Result<Self, BudgetLengthError> {
        match (days, seconds) {
            (0, 0) => Err(BudgetLengthError::Zero),
            (0..=MOST_DAYS, 0..=MOST_SECONDS) => Ok(Self { days, seconds }),
            _ => Err(BudgetLengthError::TooLong),
        }
    }

    /// So many working days, at least one. For policies written in code.
    pub(in crate::domain) const fn whole_days(days: u32) -> Self {
        Self { days: if days == 0 { 1 } else { days }, seconds: 0 }
    }

    /// Its working days.
    pub const fn days(self) -> u32 {
        self.days
    }

    /// Its working time beside the days, in seconds.
    pub const fn seconds(self) -> u32 {
        self.seconds
    }

    /// Whether it is less, however long a working day is.
    pub fn is_shorter_than(self, other: Self) -> bool {
        self != other && self.days <= other.days && self.seconds <= other.seconds
    }

    /// How much working time it is where a day is so long.
    pub fn in_days_of(self, working_day: TimeDelta) -> TimeDelta {
        let days = i64::from(self.days) * working_day.num_seconds();
        TimeDelta::seconds(days + i64::from(self.seconds))
    }
}

impl fmt::Display for BudgetLength {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("P")?;
        if self.days > 0 {
            write!(out, "{}D", self.days)?;
        }
        if self.seconds > 0 {
            out.write_str("T")?;
        }
        let (hours, minutes, seconds) = (self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60);
        for (count, unit) in [(hours, 'H'), (minutes, 'M'), (seconds, 'S')] {
            if count > 0 {
                write!(out, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for BudgetLength {
    type Err = BudgetLengthError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not_a_duration = || BudgetLengthError::NotADuration { text: text.to_owned() };
        let period = text.strip_prefix('P').ok_or_else(not_a_duration)?;
        let (date, time) = match period.split_once('T') {
            Some((date, time)) if !time.is_empty() => (date, time),
            None if !period.is_empty() => (period, ""),
            _ => return Err(not_a_duration()),
        };
        let [days] = components(date, ['D']).ok_or_else(not_a_duration)?;
        let [hours, minutes, seconds] = components(time, ['H', 'M', 'S']).ok_or_else(not_a_duration)?;
        let seconds = hours.saturating_mul(3600).saturating_add(minutes.saturating_mul(60)).saturating_add(seconds);
        Self::new(days, seconds)
    }
}

/// Reads numbers that are each followed by their unit, such as `4H30M`. Units left out are zero; none may come twice or
/// out of order, and nothing may be left over. A number too large for its type is cut, which is still too long.
fn components<const N: usize>(text: &str, units: [char; N]) -> Option<[u32; N]> {
    let mut rest = text;
    let mut malformed = false;
    let counts = units.map(|unit| match rest.split_once(unit) {
        None => 0,
        Some((digits, after)) => {
            rest = after;
            malformed |= digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().unwrap_or(u32::MAX)
        }
    });
    (!malformed && rest.is_empty()).then_some(counts)
}

impl TryFrom<String> for BudgetLength {
    type Error = BudgetLengthError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<BudgetLength> for String {
    fn from(length: BudgetLength) -> Self {
        length.to_string()
    }
}
