//! Working time over versions of a calendar: which hours held when.
//!
//! Pure. A calendar that is edited changes from an instant on, and what was counted before stays counted: the working time
//! of a stay in a stage is read from the eras it went through. Example: a stay that began under version 1 and was still
//! running when version 2 took effect on Wednesday has two eras; its Monday is counted as Monday was worked.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::id::{CalendarId, CalendarVersionId};

use super::{Interval, WorkingCalendar, add_along, between_along};

/// One version of a calendar, as it was stored; it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarVersion {
    /// The version.
    pub id: CalendarVersionId,
    /// The calendar that it is a version of.
    pub calendar_id: CalendarId,
    /// Counts from 1.
    pub version: i32,
    /// From when on it holds, unless a later version holds there.
    pub effective_at: DateTime<Utc>,
    /// When people work.
    pub calendar: WorkingCalendar,
}

/// Every version of one calendar, never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarVersions {
    /// The lowest version.
    first: Arc<CalendarVersion>,
    /// The others, in order.
    later: Vec<Arc<CalendarVersion>>,
}

/// From when on which version counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Era {
    /// The first instant of it; the first era of a timeline reaches back beyond it.
    pub from: DateTime<Utc>,
    /// What is counted in it.
    pub version: Arc<CalendarVersion>,
}

/// The eras of a stay, in order, never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    first: Era,
    later: Vec<Era>,
}

impl CalendarVersions {
    /// All of these; nothing without any.
    pub fn new(versions: impl IntoIterator<Item = Arc<CalendarVersion>>) -> Option<Self> {
        let mut ordered: Vec<_> = versions.into_iter().collect();
        ordered.sort_by_key(|version| version.version);
        let mut ordered = ordered.into_iter();
        Some(Self { first: ordered.next()?, later: ordered.collect() })
    }

    /// What holds from `from` on: at each instant the highest version that is in effect, and before all of them the lowest.
    pub fn from(&self, from: DateTime<Utc>) -> Timeline {
        let first = Era { from, version: Arc::clone(&self.first) };
        let mut timeline = Timeline { first, later: Vec::new() };
        for version in &self.later {
            timeline.switch(vec![Era { from: version.effective_at.max(from), version: Arc::clone(version) }]);
        }
        timeline
    }

    /// The version that holds at an instant.
    pub fn at(&self, instant: DateTime<Utc>) -> &CalendarVersion {
        let holds = |version: &&Arc<CalendarVersion>| version.effective_at <= instant;
        self.later.iter().rev().find(holds).unwrap_or(&self.first)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<CalendarVersion>> {
        std::iter::once(&self.first).chain(&self.later)
    }

    /// The highest version.
    pub fn latest(&self) -> &Arc<CalendarVersion> {
        self.later.last().unwrap_or(&self.first)
    }
}

impl Timeline {
    /// A timeline in which one version holds throughout.
    pub fn of(version: Arc<CalendarVersion>) -> Self {
        Self { first: Era { from: version.effective_at, version }, later: Vec::new() }
    }

    /// A timeline of one calendar that is not stored, for questions about what would be.
    pub fn fixed(calendar: WorkingCalendar) -> Self {
        let (id, calendar_id) = (CalendarVersionId(uuid::Uuid::nil()), CalendarId(uuid::Uuid::nil()));
        Self::of(Arc::new(CalendarVersion {
            id,
            calendar_id,
            version: 0,
            effective_at: DateTime::UNIX_EPOCH,
            calendar,
        }))
    }

    /// The eras in this order; none without any.
    pub fn from_eras(eras: impl IntoIterator<Item = Era>) -> Option<Self> {
        let mut eras = eras.into_iter();
        let first = eras.next()?;
        Some(Self { first, later: eras.collect() })
    }

    /// Lets other eras hold from the first of them on; what was counted before stays.
    pub fn switch(&mut self, eras: Vec<Era>) {
        let Some(from) = eras.first().map(|era| era.from) else { return };
        self.later.retain(|era| era.from < from);
        let mut eras = eras.into_iter();
        if from <= self.first.from
            && let Some(first) = eras.next()
        {
            self.first = Era { from: self.first.from, ..first };
        }
        self.later.extend(eras);
    }

    /// Its eras, in order.
    pub fn eras(&self) -> impl Iterator<Item = &Era> {
        std::iter::once(&self.first).chain(&self.later)
    }

    /// The era that holds at an instant.
    pub fn at(&self, instant: DateTime<Utc>) -> &Era {
        self.later.iter().rev().find(|era| era.from <= instant).unwrap_or(&self.first)
    }

    /// The last version, whether it holds already or not yet.
    pub fn latest(&self) -> &CalendarVersion {
        &self.later.last().unwrap_or(&self.first).version
    }

    /// Since when the calendar of the last version has been the one that counts, in whichever version.
    pub fn latest_calendar_since(&self) -> DateTime<Utc> {
        let calendar = self.latest().calendar_id;
        let eras: Vec<_> = self.eras().collect();
        let last_run = eras.iter().rev().take_while(|era| era.version.calendar_id == calendar);
        last_run.last().map_or(self.first.from, |era| era.from)
    }

    /// The zone of the last version.
    pub fn zone(&self) -> Tz {
        self.latest().calendar.zone()
    }

    /// How much working time one “day” of an SLA is, in the last version.
    pub fn working_day(&self) -> TimeDelta {
        self.latest().calendar.working_day()
    }

    /// The first instant by which `working` has elapsed since `start`, as [`WorkingCalendar::add`].
    pub fn add(&self, start: DateTime<Utc>, working: TimeDelta) -> DateTime<Utc> {
        add_along(self.open_intervals(start), start, working)
    }

    /// The working time of `[from, to)`, as [`WorkingCalendar::between`].
    pub fn between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        between_along(self.open_intervals(from), to)
    }

    /// The open stretches from `from` on: disjoint, increasing, none empty. They end with each date and each era.
    pub fn open_intervals(&self, from: DateTime<Utc>) -> impl Iterator<Item = Interval> {
        let ends = self.later.iter().map(|era| Some(era.from)).chain(std::iter::once(None));
        self.eras().zip(ends).filter(move |(_, end)| end.is_none_or(|end| from < end)).flat_map(move |(era, end)| {
            let is_first = std::ptr::eq(era, &raw const self.first);
            let start = if is_first { from } else { from.max(era.from) };
            let open = era.version.calendar.open_intervals(start);
            open.take_while(move |open| end.is_none_or(|end| open.start < end))
                .map(move |open| Interval { start: open.start, end: end.map_or(open.end, |end| open.end.min(end)) })
        })
    }

    /// The last closing of a date, in the version that holds then; if it has no working time, the end of that local day.
    pub fn end_of_day(&self, date: NaiveDate) -> DateTime<Utc> {
        let holds = |era: &&Era| era.version.calendar.end_of_day(date) > era.from;
        let era = self.later.iter().rev().find(holds).unwrap_or(&self.first);
        era.version.calendar.end_of_day(date)
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use uuid::Uuid;

    use super::*;
    use crate::domain::samples::at;

    fn version(number: i32, effective_at: &str, calendar: WorkingCalendar) -> Arc<CalendarVersion> {
        Arc::new(CalendarVersion {
            id: CalendarVersionId(Uuid::from_u128(number.unsigned_abs().into())),
            calendar_id: CalendarId(Uuid::from_u128(1)),
            version: number,
            effective_at: at(effective_at),
            calendar,
        })
    }

    fn office() -> WorkingCalendar {
        WorkingCalendar::monday_to_friday(Tz::UTC)
    }

    fn froms(timeline: &Timeline) -> Vec<(DateTime<Utc>, i32)> {
        timeline.eras().map(|era| (era.from, era.version.version)).collect()
    }

    #[test]
    fn what_was_counted_before_a_version_took_effect_stays_counted() {
        let versions = [version(1, "01 00:00", office()), version(2, "03 12:00", WorkingCalendar::round_the_clock())];
        let timeline = CalendarVersions::new(versions).unwrap().from(at("02 09:00"));
        assert_eq!(froms(&timeline), [(at("02 09:00"), 1), (at("03 12:00"), 2)]);
        assert_eq!(timeline.between(at("02 09:00"), at("03 12:00")), TimeDelta::hours(11));
        assert_eq!(timeline.between(at("02 09:00"), at("03 20:00")), TimeDelta::hours(19));
        assert_eq!(timeline.add(at("02 09:00"), TimeDelta::hours(19)), at("03 20:00"));
        assert_eq!(timeline.between(at("01 00:00"), at("02 10:00")), TimeDelta::hours(1));
    }

    #[test]
    fn the_highest_version_in_effect_holds_even_when_it_was_written_for_an_earlier_instant() {
        let [first, second, third] = [(1, "01 00:00"), (2, "10 00:00"), (3, "05 00:00")]
            .map(|(number, effective_at)| version(number, effective_at, office()));
        let timeline = CalendarVersions::new([second, third, first]).unwrap().from(at("02 09:00"));
        assert_eq!(froms(&timeline), [(at("02 09:00"), 1), (at("05 00:00"), 3)]);
    }

    #[test]
    fn a_version_that_took_effect_before_the_stay_is_the_only_one() {
        let versions = [version(1, "01 00:00", office()), version(2, "01 12:00", office())];
        let timeline = CalendarVersions::new(versions).unwrap().from(at("02 09:00"));
        assert_eq!(froms(&timeline), [(at("02 09:00"), 2)]);
    }

    #[test]
    fn the_end_of_a_day_is_that_of_the_version_that_holds_then() {
        let versions = [version(1, "01 00:00", office()), version(2, "04 00:00", WorkingCalendar::round_the_clock())];
        let timeline = CalendarVersions::new(versions).unwrap().from(at("02 09:00"));
        let day = crate::domain::samples::day;
        assert_eq!(timeline.end_of_day(day(3)), at("03 17:00"));
        assert_eq!(timeline.end_of_day(day(4)), at("05 00:00"));
    }
}
