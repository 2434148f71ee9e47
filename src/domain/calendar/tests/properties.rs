//! What holds for every calendar, in every zone, across clock changes.

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::domain::calendar::samples::{calendar_and_instant, up_to_hours};

/// Reads the wall clock: whether it is working time at `instant`, as long as the zone does not change its clock.
fn wall_clock_says_open(calendar: &WorkingCalendar, instant: DateTime<Utc>) -> bool {
    let definition = calendar.definition();
    let local = instant.with_timezone(&definition.zone).naive_local();
    let shown = TimeOfDay((local.signed_duration_since(local.date().and_time(NaiveTime::MIN))).num_minutes() as u16);
    let within = |from: TimeOfDay, to: TimeOfDay| from <= shown && shown < to;
    let closed = |holiday: &Holiday| holiday.closed.is_none_or(|hours| within(hours.from, hours.to));
    let usual = definition.week.iter().any(|window| window.day == local.weekday() && within(window.from, window.to));
    let holiday = definition.holidays.iter().any(|holiday| holiday.on == local.date() && closed(holiday));
    let extra = definition.extra.iter().any(|window| window.on == local.date() && within(window.from, window.to));
    (usual && !holiday) || extra
}

proptest! {
    #[test]
    fn what_was_added_lies_between((calendar, start) in calendar_and_instant(), working in up_to_hours(80)) {
        prop_assert_eq!(calendar.between(start, calendar.add(start, working)), working);
    }

    #[test]
    fn an_addition_ends_at_the_first_such_instant(
        (calendar, start) in calendar_and_instant(),
        working in up_to_hours(80),
    ) {
        let end = calendar.add(start, working);
        prop_assert!(end == start || calendar.between(start, end - TimeDelta::microseconds(1)) < working);
    }

    #[test]
    fn adding_twice_is_adding_the_sum(
        (calendar, start) in calendar_and_instant(),
        first in up_to_hours(40),
        second in up_to_hours(40),
    ) {
        prop_assert_eq!(calendar.add(calendar.add(start, first), second), calendar.add(start, first + second));
    }

    #[test]
    fn parts_of_a_time_make_up_the_whole(
        (calendar, start) in calendar_and_instant(),
        first in up_to_hours(600),
        second in up_to_hours(600),
    ) {
        let (middle, end) = (start + first, start + first + second);
        let parts = calendar.between(start, middle) + calendar.between(middle, end);
        prop_assert_eq!(parts, calendar.between(start, end));
        prop_assert!(parts <= first + second);
    }

    #[test]
    fn more_work_and_a_later_start_never_end_earlier(
        (calendar, start) in calendar_and_instant(),
        later in up_to_hours(100),
        working in up_to_hours(40),
        more in up_to_hours(10),
    ) {
        let end = calendar.add(start, working);
        prop_assert!(end <= calendar.add(start, working + more));
        prop_assert!(end <= calendar.add(start + later, working));
    }

    #[test]
    fn open_stretches_are_disjoint_and_increasing((calendar, start) in calendar_and_instant()) {
        let mut latest = start;
        for open in calendar.open_intervals(start).take(60) {
            prop_assert!(latest <= open.start && open.start < open.end);
            latest = open.end;
        }
    }

    #[test]
    fn working_time_agrees_with_reading_the_wall_clock_every_quarter_hour(
        (calendar, start) in calendar_and_instant(),
    ) {
        let start = DateTime::from_timestamp(start.timestamp() / 900 * 900, 0).unwrap();
        let offset = |hours: i64| {
            calendar.zone().offset_from_utc_datetime(&(start + TimeDelta::hours(hours)).naive_utc()).fix()
        };
        // Two dates more on both sides, for edges that a clock change moves over midnight.
        if (-48..=120).all(|hours| offset(hours) == offset(0)) {
            let quarters = (0..72 * 4).map(|quarter| start + minutes(15 * quarter));
            let open = quarters.filter(|instant| wall_clock_says_open(&calendar, *instant)).count();
            prop_assert_eq!(calendar.between(start, start + hours(72)), minutes(15 * open as i64));
        }
    }
}
