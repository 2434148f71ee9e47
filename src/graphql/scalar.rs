//! Scalars that async-graphql does not have.

use std::ops::RangeInclusive;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use crate::domain::instant;

/// The years of days that anybody means. Further off, a day is a slip, and the databases do not agree on how to keep it.
const YEARS: RangeInclusive<i32> = 1900..=2999;

/// A calendar day, as ISO 8601: `2026-11-27`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A calendar day, as ISO 8601: `2026-11-27`.
#[Scalar(name = "Date")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text
                .parse()
                .ok()
                .filter(|day: &NaiveDate| YEARS.contains(&day.year()))
                .map(Self)
                .ok_or_else(|| InputValueError::custom("a date is written as year-month-day, such as 2026-11-27")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// Refuses an instant that cannot be kept; for the validator of every `DateTime` that callers state.
pub fn in_range(at: &DateTime<Utc>) -> Result<(), &'static str> {
    if instant::is_in_range(*at) { Ok(()) } else { Err(instant::OUT_OF_RANGE) }
}

/// A length of working time, as ISO 8601 in hours, minutes and seconds: `PT7H30M`. Negative ones start with `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub TimeDelta);

/// A length of working time, as ISO 8601 in hours, minutes and seconds: `PT7H30M`. Negative ones start with `-`.
#[Scalar(name = "Duration")]
impl ScalarType for Duration {
    fn parse(value: Value) -> InputValueResult<Self> {
        Err(InputValueError::expected_type(value))
    }

    fn to_value(&self) -> Value {
        let sign = if self.0 < TimeDelta::zero() { "-" } else { "" };
        let seconds = self.0.num_seconds().abs();
        let parts = [(seconds / 3600, "H"), (seconds % 3600 / 60, "M"), (seconds % 60, "S")];
        let text: String =
            parts.into_iter().filter(|(count, _)| *count != 0).map(|(count, unit)| format!("{count}{unit}")).collect();
        Value::String(if text.is_empty() { "PT0S".to_owned() } else { format!("{sign}PT{text}") })
    }
}
