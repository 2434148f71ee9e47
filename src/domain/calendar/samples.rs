//! Random calendars for property tests: lunch breaks, night shifts, holidays and extra openings around a random
//! instant, in zones that change their clocks at different hours, by different amounts, or not at all.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;

use super::{CalendarDefinition, ClosedHours, ExtraWindow, Holiday, TimeOfDay, WEEK, WeekWindow, WorkingCalendar};

const ZONES: [Tz; 11] = [
    Tz::UTC,
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Africa__Casablanca,
    Tz::America__Sao_Paulo,
    Tz::Asia__Kathmandu,
    Tz::Australia__Brisbane,
    Tz::America__Havana,
    Tz::Pacific__Apia,
    Tz::Asia__Gaza,
];

/// Microseconds of the years 2015 to 2034, counted from 2015.
const MICROSECONDS: i64 = 20 * 365 * 24 * 60 * 60 * 1_000_000;

/// The first microsecond of 2015.
const FIRST: i64 = 1_420_070_400_000_000;

/// An instant of the years 2015 to 2034.
pub(crate) fn any_instant() -> impl Strategy<Value = DateTime<Utc>> {
    (0..MICROSECONDS).prop_map(|microseconds| DateTime::from_timestamp_micros(FIRST + microseconds).unwrap_or_default())
}

/// Up to so many hours, in microseconds.
pub(crate) fn up_to_hours(hours: i64) -> impl Strategy<Value = TimeDelta> {
    (0..=hours * 3_600_000_000).prop_map(TimeDelta::microseconds)
}

/// A calendar, and an instant around which its holidays and extra openings lie.
pub(crate) fn calendar_and_instant() -> impl Strategy<Value = (WorkingCalendar, DateTime<Utc>)> {
    any_instant().prop_flat_map(|instant| (any_calendar(instant.date_naive()), Just(instant)))
}

fn any_calendar(around: NaiveDate) -> impl Strategy<Value = WorkingCalendar> {
    let holidays = vec((near(around), any::<bool>(), window()), 0..8);
    let extra = vec((near(around), window()), 0..4);
    (select(&ZONES), 1..=1440_u32, any_week(), holidays, extra).prop_map(
        |(zone, minutes_per_day, week, holidays, extra)| {
            let holidays = holidays.into_iter().map(|(on, whole_day, (from, to))| Holiday {
                on,
                name: "holiday".to_owned(),
                closed: if whole_day { None } else { Some(ClosedHours { from, to }) },
            });
            let extra =
                extra.into_iter().map(|(on, (from, to))| ExtraWindow { on, name: "extra".to_owned(), from, to });
            WorkingCalendar::compile(CalendarDefinition {
                zone,
                minutes_per_day,
                week,
                holidays: holidays.collect(),
                extra: extra.collect(),
            })
        },
    )
}

fn any_week() -> impl Strategy<Value = Vec<WeekWindow>> {
    let scattered = vec((select(&WEEK), window()), 1..12);
    let office = Just(on_days(&WEEK[..5], &[(9 * 60, 12 * 60 + 30), (13 * 60 + 15, 17 * 60)]));
    let nights = Just(on_days(&WEEK, &[(0, 6 * 60), (22 * 60, 24 * 60)]));
    let always = Just(on_days(&WEEK, &[(0, 24 * 60)]));
    prop_oneof![
        3 => scattered.prop_map(|windows| {
            windows.into_iter().map(|(day, (from, to))| WeekWindow { day, from, to }).collect()
        }),
        2 => office,
        1 => nights,
        1 => always,
    ]
}

fn on_days(days: &[Weekday], windows: &[(u16, u16)]) -> Vec<WeekWindow> {
    let hours = |day: Weekday| {
        windows.iter().map(move |(from, to)| WeekWindow { day, from: TimeOfDay(*from), to: TimeOfDay(*to) })
    };
    days.iter().flat_map(|day| hours(*day)).collect()
}

/// A window whose edges lie on quarters of an hour, as do the offsets of all the zones.
fn window() -> impl Strategy<Value = (TimeOfDay, TimeOfDay)> {
    (0..96_u16)
        .prop_flat_map(|from| (Just(from), from + 1..=96))
        .prop_map(|(from, to)| (TimeOfDay(from * 15), TimeOfDay(to * 15)))
}

fn near(date: NaiveDate) -> impl Strategy<Value = NaiveDate> {
    (-3..25_i64).prop_map(move |days| date + TimeDelta::days(days))
}
