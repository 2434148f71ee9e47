//! When people work: the one place that turns working time into instants and back.
//!
//! Pure: imports chrono, chrono-tz and nothing of this crate; the current time is always an argument. Everything rests
//! on [`WorkingCalendar::open_intervals`]; [`WorkingCalendar::add`] and [`WorkingCalendar::between`] walk along it in
//! the two directions. Example: on a Monday-to-Friday calendar, four hours added to Friday 15:00 are Monday 11:00, and
//! between the two there are four hours.
//!
//! Clock changes: the edges of each window are converted to UTC date by date. A local time that the clock skips becomes
//! the first instant after the gap; of one that it shows twice, opening takes the first and closing the second. Where
//! two windows overlap because of that, their common time counts once.

mod definition;
pub mod icalendar;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
pub mod timeline;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::{GapInfo, Tz};

use crate::domain::instant::at_most_the_last;

pub use self::definition::{
    CalendarDefinition, CalendarError, ClosedHours, ExtraWindow, HOLIDAY_NAME_LIMIT, Holiday, TimeOfDay,
    TimeOfDayError, WeekWindow,
};

/// How far ahead a calendar is read, 200 years: beyond every budget and report, and every walk along it ends.
const HORIZON_DAYS: usize = 200 * 366;

/// Within how many days of its making a calendar must be open at least once: a year, whichever it is.
const MUST_OPEN_WITHIN_DAYS: usize = 366;

/// The days of a week in the order in which [`WorkingCalendar`] keeps their hours.
const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

/// A half-open stretch of time, `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The first instant of it.
    pub start: DateTime<Utc>,
    /// The first instant after it.
    pub end: DateTime<Utc>,
}

impl Interval {
    /// How long it lasts.
    pub fn length(&self) -> TimeDelta {
        self.end - self.start
    }

    /// Whether no time is in it.
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }
}

/// A checked calendar that answers questions about working time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkingCalendar {
    definition: CalendarDefinition,
    /// The opening hours of each weekday, Monday first, disjoint and increasing.
    week: [Vec<Hours>; 7],
    /// The same for every date that is not like its weekday.
    special: BTreeMap<NaiveDate, Vec<Hours>>,
}

impl WorkingCalendar {
    /// Makes a calendar that an administrator has just written.
    ///
    /// # Errors
    /// If the definition contradicts itself, or leaves no working time within 366 days of `today`.
    pub fn new(definition: CalendarDefinition, today: NaiveDate) -> Result<Self, CalendarError> {
        let calendar = Self::restore(definition)?;
        if today.iter_days().take(MUST_OPEN_WITHIN_DAYS + 1).any(|date| calendar.is_open_on(date)) {
            Ok(calendar)
        } else {
            Err(CalendarError::NeverOpen { today })
        }
    }

    /// Makes a calendar that was accepted once and comes from the database: what is closed by now may stay closed.
    ///
    /// # Errors
    /// If the definition contradicts itself.
    pub fn restore(definition: CalendarDefinition) -> Result<Self, CalendarError> {
        definition.check()?;
        Ok(Self::compile(definition))
    }

    /// The default calendar: Monday to Friday, 09:00–17:00, eight hours a day.
    pub fn monday_to_friday(zone: Tz) -> Self {
        let days = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
        let (from, to) = (TimeOfDay::hour(9), TimeOfDay::hour(17));
        let week = days.into_iter().map(|day| WeekWindow { day, from, to }).collect();
        Self::compile(CalendarDefinition { zone, minutes_per_day: 8 * 60, week, holidays: vec![], extra: vec![] })
    }

    /// The `24x7` calendar: always open, a day is 24 hours, in UTC.
    pub fn round_the_clock() -> Self {
        let (zone, minutes_per_day) = (Tz::UTC, 24 * 60);
        let week = WEEK.map(|day| WeekWindow { day, from: TimeOfDay::MIDNIGHT, to: TimeOfDay::END_OF_DAY }).to_vec();
        Self::compile(CalendarDefinition { zone, minutes_per_day, week, holidays: vec![], extra: vec![] })
    }

    /// What the administrator stated.
    pub fn definition(&self) -> &CalendarDefinition {
        &self.definition
    }

    /// The zone in which its times and dates are read.
    pub fn zone(&self) -> Tz {
        self.definition.zone
    }

    /// How much working time one “day” of an SLA is.
    pub fn working_day(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.definition.minutes_per_day))
    }

    /// The first instant by which `working` has elapsed since `start`; `start` itself if that is nothing.
    ///
    /// So it is Friday 17:00, never Monday 09:00. Beyond the 200-year horizon it is the last closing within it.
    pub fn add(&self, start: DateTime<Utc>, working: TimeDelta) -> DateTime<Utc> {
        add_along(self.open_intervals(start), start, working)
    }

    /// The working time of `[from, to)`; none if `to` is not after `from`.
    pub fn between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        between_along(self.open_intervals(from), to)
    }

    /// The open stretches from `from` on: disjoint, increasing, none empty, the first one cut off at `from`.
    ///
    /// They end with each date, so that round the clock is a stretch per day, and not one without an end.
    pub fn open_intervals(&self, from: DateTime<Utc>) -> impl Iterator<Item = Interval> {
        let today = self.today(from);
        // A window that closes at a midnight shown twice reaches into the next date: begin with the date before.
        let first = today.pred_opt().unwrap_or(today);
        let windows = first.iter_days().take(HORIZON_DAYS).flat_map(|date| self.windows_on(date));
        windows
            .scan(from, |counted_up_to, window| {
                let start = window.start.max(*counted_up_to);
                *counted_up_to = window.end.max(*counted_up_to);
                Some(Interval { start, end: *counted_up_to })
            })
            .filter(|open| !open.is_empty())
    }

    /// The last closing of `date`; if it has no working time, the end of that local day.
    pub fn end_of_day(&self, date: NaiveDate) -> DateTime<Utc> {
        self.windows_on(date)
            .map(|window| window.end)
            .max()
            .or_else(|| self.instant(date, TimeOfDay::END_OF_DAY, Edge::Closing))
            .unwrap_or_else(|| date.and_time(NaiveTime::MIN).and_utc())
    }

    /// The local date at `now`.
    pub fn today(&self, now: DateTime<Utc>) -> NaiveDate {
        let utc = now.naive_utc();
        let offset = self.zone().offset_from_utc_datetime(&utc).fix();
        utc.checked_add_offset(offset).unwrap_or(utc).date()
    }

    /// How many dates with working time there are after `from`, up to and with `to`.
    pub fn working_days_until(&self, from: NaiveDate, to: NaiveDate) -> u32 {
        let dates = from.iter_days().skip(1).take(HORIZON_DAYS).take_while(|date| *date <= to);
        dates.map(|date| u32::from(self.is_open_on(date))).sum()
    }

    /// When the local date at `now` ends; nothing for dates that no `DateTime` reaches.
    pub(in crate::domain) fn next_midnight(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.instant(self.today(now), TimeOfDay::END_OF_DAY, Edge::Closing)
    }

    /// The windows that a date of this weekday has where no holiday and no extra opening says otherwise.
    pub(in crate::domain) fn usual_hours_on(&self, date: NaiveDate, day: Weekday) -> Vec<Interval> {
        weekday_hours(&self.week, day).iter().filter_map(|hours| self.window(date, hours.from, hours.to)).collect()
    }

    /// When a part-day holiday is closed; nothing for one of a whole day.
    pub(in crate::domain) fn closure(&self, holiday: &Holiday) -> Option<Interval> {
        holiday.closed.and_then(|closed| self.window(holiday.on, closed.from, closed.to))
    }

    fn is_open_on(&self, date: NaiveDate) -> bool {
        self.windows_on(date).next().is_some()
    }

    /// The windows of one local date as instants, without those that a clock change swallows.
    fn windows_on(&self, date: NaiveDate) -> impl Iterator<Item = Interval> {
        self.hours_on(date)
            .iter()
            .filter_map(move |hours| self.window(date, hours.from, hours.to))
            .filter(|window| !window.is_empty())
    }

    fn window(&self, date: NaiveDate, from: TimeOfDay, to: TimeOfDay) -> Option<Interval> {
        let start = self.instant(date, from, Edge::Opening)?;
        let end = self.instant(date, to, Edge::Closing)?;
        Some(Interval { start, end })
    }

    /// When the local clock shows `time` on `date`. Nothing for dates that no `DateTime` reaches.
    fn instant(&self, date: NaiveDate, time: TimeOfDay, edge: Edge) -> Option<DateTime<Utc>> {
        let since_midnight = TimeDelta::minutes(i64::from(time.minute_of_day()));
        let local = date.and_time(NaiveTime::MIN).checked_add_signed(since_midnight)?;
        let shown = self.zone().from_local_datetime(&local);
        let instant = match edge {
            Edge::Opening => shown.earliest(),
            // The end of a day is the first midnight after it, also where midnight comes twice.
            Edge::Closing if time == TimeOfDay::END_OF_DAY => shown.earliest(),
            Edge::Closing => shown.latest(),
        };
        instant.or_else(|| GapInfo::new(&local, &self.zone())?.end).map(|instant| instant.to_utc())
    }

    fn hours_on(&self, date: NaiveDate) -> &[Hours] {
        self.special.get(&date).map_or_else(|| weekday_hours(&self.week, date.weekday()), Vec::as_slice)
    }

    fn compile(definition: CalendarDefinition) -> Self {
        let week = WEEK.map(|day| {
            let windows = definition.week.iter().filter(|window| window.day == day);
            union(windows.map(|window| Hours { from: window.from, to: window.to }).collect())
        });
        let holidays = definition.holidays.iter().map(|holiday| holiday.on);
        let dates: BTreeSet<_> = holidays.chain(definition.extra.iter().map(|window| window.on)).collect();
        let special = dates
            .into_iter()
            .map(|date| (date, special_hours(&definition, date, weekday_hours(&week, date.weekday()))))
            .collect();
        Self { definition, week, special }
    }
}

/// The first instant by which `working` has elapsed since `start`, along the open stretches from there on.
fn add_along(
    open_intervals: impl Iterator<Item = Interval>,
    start: DateTime<Utc>,
    working: TimeDelta,
) -> DateTime<Utc> {
    if working <= TimeDelta::zero() {
        return start;
    }
    let mut left = working;
    let mut last_closing = start;
    for open in open_intervals {
        if left <= open.length() {
            return at_most_the_last(open.start + left).max(start);
        }
        left -= open.length();
        last_closing = open.end;
    }
    at_most_the_last(last_closing).max(start)
}

/// The working time up to `to`, along open stretches.
fn between_along(open_intervals: impl Iterator<Item = Interval>, to: DateTime<Utc>) -> TimeDelta {
    open_intervals.take_while(|open| open.start < to).map(|open| open.end.min(to) - open.start).sum()
}

/// Which edge of a window a local time is.
#[derive(Clone, Copy)]
enum Edge {
    Opening,
    Closing,
}

/// A stretch of a local day, `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hours {
    from: TimeOfDay,
    to: TimeOfDay,
}

/// The hours of one day of [`WEEK`].
fn weekday_hours(week: &[Vec<Hours>; 7], day: Weekday) -> &[Hours] {
    week.get(day.num_days_from_monday() as usize).map_or(&[], Vec::as_slice)
}

/// The hours of a date with holidays or extra openings: its usual ones, without what is closed, with what is opened.
fn special_hours(definition: &CalendarDefinition, date: NaiveDate, usual: &[Hours]) -> Vec<Hours> {
    let whole_day = Hours { from: TimeOfDay::MIDNIGHT, to: TimeOfDay::END_OF_DAY };
    let mut open = usual.to_vec();
    for holiday in definition.holidays.iter().filter(|holiday| holiday.on == date) {
        let closed = holiday.closed.map_or(whole_day, |closed| Hours { from: closed.from, to: closed.to });
        open = without(&open, closed);
    }
    let extra = definition.extra.iter().filter(|window| window.on == date);
    open.extend(extra.map(|window| Hours { from: window.from, to: window.to }));
    union(open)
}

/// What stays open when `closed` is taken away.
fn without(open: &[Hours], closed: Hours) -> Vec<Hours> {
    let around = |hours: &Hours| {
        let before = Hours { from: hours.from, to: hours.to.min(closed.from) };
        let after = Hours { from: hours.from.max(closed.to), to: hours.to };
        [before, after]
    };
    open.iter().flat_map(around).filter(|hours| hours.from < hours.to).collect()
}

/// The same time as disjoint stretches in increasing order.
fn union(mut hours: Vec<Hours>) -> Vec<Hours> {
    hours.sort_by_key(|hours| hours.from);
    let mut merged: Vec<Hours> = Vec::with_capacity(hours.len());
    for next in hours {
        match merged.last_mut() {
            Some(last) if next.from <= last.to => last.to = last.to.max(next.to),
            _ => merged.push(next),
        }
    }
    merged
}
