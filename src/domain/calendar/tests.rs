//! Hand-computed days. 6 March 2026 is a Friday.
mod properties;

use super::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn time(text: &str) -> TimeOfDay {
    text.parse().unwrap()
}

fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

fn minutes(count: i64) -> TimeDelta {
    TimeDelta::minutes(count)
}

/// A calendar that is open on every weekday in these windows, `"09:00-12:00 13:00-17:00"`.
fn daily(zone: Tz, windows: &str) -> WorkingCalendar {
    let windows = windows.split(' ').map(|window| window.split_once('-').unwrap());
    let every_day = |(from, to)| WEEK.map(|day| WeekWindow { day, from: time(from), to: time(to) });
    let week = windows.flat_map(every_day).collect();
    let definition = CalendarDefinition { zone, minutes_per_day: 480, week, holidays: vec![], extra: vec![] };
    WorkingCalendar::restore(definition).unwrap()
}

fn with(calendar: &WorkingCalendar, change: impl FnOnce(&mut CalendarDefinition)) -> WorkingCalendar {
    let mut definition = calendar.definition().clone();
    change(&mut definition);
    WorkingCalendar::restore(definition).unwrap()
}

fn holiday(on: &str, closed: Option<(&str, &str)>) -> Holiday {
    let closed = closed.map(|(from, to)| ClosedHours { from: time(from), to: time(to) });
    Holiday { on: date(on), name: "a holiday".to_owned(), closed }
}

/// The working time of one local date.
fn worked_on(calendar: &WorkingCalendar, on: &str) -> TimeDelta {
    calendar.windows_on(date(on)).map(|window| window.length()).sum()
}

#[test]
fn hours_that_do_not_fit_into_a_friday_go_on_after_the_weekend() {
    let calendar = WorkingCalendar::monday_to_friday(Tz::UTC);
    // 6 March 2026 is a Friday.
    assert_eq!(calendar.add(utc("2026-03-06T15:00:00Z"), hours(4)), utc("2026-03-09T11:00:00Z"));
    assert_eq!(calendar.between(utc("2026-03-06T15:00:00Z"), utc("2026-03-09T11:00:00Z")), hours(4));
}

#[test]
fn time_that_fills_a_day_ends_at_its_closing_and_not_at_the_next_opening() {
    let calendar = WorkingCalendar::monday_to_friday(Tz::UTC);
    assert_eq!(calendar.add(utc("2026-03-06T09:00:00Z"), hours(8)), utc("2026-03-06T17:00:00Z"));
}

#[test]
fn no_working_time_is_over_at_once_even_on_a_sunday() {
    let sunday = utc("2026-03-08T12:00:00Z");
    assert_eq!(WorkingCalendar::monday_to_friday(Tz::UTC).add(sunday, TimeDelta::zero()), sunday);
}

#[test]
fn the_wrong_way_round_there_is_no_working_time() {
    let calendar = WorkingCalendar::round_the_clock();
    assert_eq!(calendar.between(utc("2026-03-09T00:00:00Z"), utc("2026-03-08T00:00:00Z")), TimeDelta::zero());
}

#[test]
fn a_day_round_the_clock_is_86400_seconds() {
    let calendar = WorkingCalendar::round_the_clock();
    assert_eq!(calendar.working_day(), TimeDelta::seconds(86_400));
    assert_eq!(calendar.between(utc("2026-03-29T00:00:00Z"), utc("2026-03-30T00:00:00Z")), TimeDelta::seconds(86_400));
    let entered_at = utc("2026-03-28T22:15:00.000001Z");
    assert_eq!(calendar.add(entered_at, calendar.working_day()), utc("2026-03-29T22:15:00.000001Z"));
}

/// Zone, date, windows, minutes of working time on that date. The comment says what the clock does.
const CLOCK_CHANGES: [(Tz, &str, &str, i64); 20] = [
    // 02:00 becomes 03:00.
    (Tz::Europe__Berlin, "2026-03-29", "00:00-24:00", 23 * 60),
    (Tz::Europe__Berlin, "2026-03-29", "01:00-03:00", 60),
    (Tz::Europe__Berlin, "2026-03-29", "02:30-04:00", 60),
    (Tz::Europe__Berlin, "2026-03-29", "02:15-02:45", 0),
    (Tz::Europe__Berlin, "2026-03-29", "09:00-17:00", 8 * 60),
    // 03:00 becomes 02:00: 02:30 opens early and closes late.
    (Tz::Europe__Berlin, "2026-10-25", "00:00-24:00", 25 * 60),
    (Tz::Europe__Berlin, "2026-10-25", "02:30-04:00", 150),
    (Tz::Europe__Berlin, "2026-10-25", "01:00-02:30", 150),
    (Tz::Europe__Berlin, "2026-10-25", "02:10-02:20 02:30-02:40", 90),
    // 02:00 becomes 03:00; 02:00 becomes 01:00.
    (Tz::America__New_York, "2026-03-08", "00:00-06:00", 5 * 60),
    (Tz::America__New_York, "2026-11-01", "00:00-06:00", 7 * 60),
    // 02:00 becomes 01:30; 02:00 becomes 02:30.
    (Tz::Australia__Lord_Howe, "2024-04-07", "00:00-24:00", 24 * 60 + 30),
    (Tz::Australia__Lord_Howe, "2024-10-06", "00:00-24:00", 23 * 60 + 30),
    // Ramadan: 03:00 becomes 02:00; after it 02:00 becomes 03:00.
    (Tz::Africa__Casablanca, "2024-03-10", "00:00-24:00", 25 * 60),
    (Tz::Africa__Casablanca, "2024-04-14", "00:00-24:00", 23 * 60),
    // Midnight becomes 01:00; at midnight it is 23:00 again, so the last hour of Saturday comes twice.
    (Tz::America__Sao_Paulo, "2017-10-15", "00:00-24:00", 23 * 60),
    (Tz::America__Sao_Paulo, "2018-02-17", "22:00-24:00", 3 * 60),
    // 01:00 becomes midnight again, within the same date.
    (Tz::America__Havana, "2026-11-01", "00:00-24:00", 25 * 60),
    // No clock change; and a date that the zone left out.
    (Tz::Australia__Brisbane, "2026-10-04", "00:00-24:00", 24 * 60),
    (Tz::Pacific__Apia, "2011-12-30", "00:00-24:00", 0),
];

#[test]
fn a_day_on_which_the_clock_changes_has_the_time_that_really_passes() {
    for (zone, on, windows, expected) in CLOCK_CHANGES {
        let calendar = daily(zone, windows);
        let opening = calendar.windows_on(date(on)).map(|window| window.start).min();
        let worked =
            opening.map_or_else(TimeDelta::zero, |opening| calendar.between(opening, calendar.end_of_day(date(on))));
        assert_eq!(worked, minutes(expected), "{zone} {on} {windows}");
    }
}

#[test]
fn an_hour_after_the_first_midnight_belongs_to_the_next_date_alone() {
    // In Havana the midnight that ends 31 October 2026 comes twice, an hour apart, and 1 November begins at the first.
    let calendar = daily(Tz::America__Havana, "00:00-24:00");
    assert_eq!(worked_on(&calendar, "2026-10-31") + worked_on(&calendar, "2026-11-01"), hours(49));
    assert_eq!(calendar.between(utc("2026-10-31T04:00:00Z"), utc("2026-11-02T05:00:00Z")), hours(49));
}

#[test]
fn a_midnight_that_comes_twice_closes_at_the_first_even_if_the_next_date_is_closed() {
    let calendar = with(&daily(Tz::America__Havana, "00:00-24:00"), |calendar| {
        calendar.week.retain(|window| window.day == Weekday::Sat);
    });
    assert_eq!(calendar.between(utc("2026-11-01T04:30:00Z"), utc("2026-11-01T12:00:00Z")), minutes(0));
    assert_eq!(calendar.end_of_day(date("2026-10-31")), utc("2026-11-01T04:00:00Z"));
}

#[test]
fn budgets_run_across_a_clock_change_in_real_time() {
    let calendar = daily(Tz::Europe__Berlin, "00:00-24:00");
    assert_eq!(calendar.add(utc("2026-03-28T23:00:00Z"), hours(24)), utc("2026-03-29T23:00:00Z"));
    let office = WorkingCalendar::monday_to_friday(Tz::Europe__Berlin);
    // Friday 16:00 in winter time, Monday 10:00 in summer time.
    assert_eq!(office.add(utc("2026-03-27T15:00:00Z"), hours(2)), utc("2026-03-30T08:00:00Z"));
}

#[test]
fn an_overnight_shift_split_at_midnight_counts_as_one() {
    let calendar = daily(Tz::UTC, "00:00-06:00 22:00-24:00");
    assert_eq!(calendar.add(utc("2026-03-09T21:00:00Z"), hours(3)), utc("2026-03-10T01:00:00Z"));
    assert_eq!(calendar.between(utc("2026-03-09T22:00:00Z"), utc("2026-03-10T22:00:00Z")), hours(8));
}

#[test]
fn a_lunch_break_is_no_working_time() {
    let calendar = daily(Tz::UTC, "09:00-12:00 13:00-17:00");
    assert_eq!(calendar.add(utc("2026-03-09T11:00:00Z"), hours(2)), utc("2026-03-09T14:00:00Z"));
    assert_eq!(calendar.add(utc("2026-03-09T11:00:00Z"), hours(1)), utc("2026-03-09T12:00:00Z"));
}

#[test]
fn overlapping_windows_count_once() {
    assert_eq!(worked_on(&daily(Tz::UTC, "09:00-13:00 12:00-17:00 10:00-11:00"), "2026-03-09"), hours(8));
}

#[test]
fn holidays_close_whole_days_or_hours() {
    let usual = WorkingCalendar::monday_to_friday(Tz::UTC);
    let whole = with(&usual, |calendar| calendar.holidays.push(holiday("2026-12-24", None)));
    let afternoon = with(&usual, |calendar| calendar.holidays.push(holiday("2026-12-24", Some(("12:00", "24:00")))));
    let midday = with(&usual, |calendar| calendar.holidays.push(holiday("2026-12-24", Some(("11:30", "14:00")))));
    let thursday_nine = utc("2026-12-24T09:00:00Z");
    assert_eq!(whole.add(thursday_nine, hours(4)), utc("2026-12-25T13:00:00Z"));
    assert_eq!(afternoon.add(thursday_nine, hours(4)), utc("2026-12-25T10:00:00Z"));
    assert_eq!(midday.add(thursday_nine, hours(4)), utc("2026-12-24T15:30:00Z"));
    assert_eq!(worked_on(&midday, "2026-12-24"), minutes(330));
}

#[test]
fn extra_windows_open_weekends_and_holidays() {
    let calendar = with(&WorkingCalendar::monday_to_friday(Tz::UTC), |calendar| {
        calendar.holidays.push(holiday("2026-12-24", None));
        for on in ["2026-12-24", "2026-12-26"] {
            let (from, to) = (time("10:00"), time("12:00"));
            calendar.extra.push(ExtraWindow { on: date(on), name: "inventory".to_owned(), from, to });
        }
    });
    assert_eq!(worked_on(&calendar, "2026-12-24"), hours(2));
    assert_eq!(worked_on(&calendar, "2026-12-26"), hours(2));
    assert_eq!(worked_on(&calendar, "2026-12-27"), hours(0));
}

#[test]
fn the_end_of_a_day_is_its_last_closing_or_its_midnight() {
    let calendar = WorkingCalendar::monday_to_friday(Tz::Europe__Berlin);
    assert_eq!(calendar.end_of_day(date("2026-07-03")), utc("2026-07-03T15:00:00Z"));
    assert_eq!(calendar.end_of_day(date("2026-07-04")), utc("2026-07-04T22:00:00Z"));
}

#[test]
fn today_is_the_date_of_the_calendars_zone() {
    let now = utc("2026-07-03T22:30:00Z");
    assert_eq!(WorkingCalendar::monday_to_friday(Tz::Europe__Berlin).today(now), date("2026-07-04"));
    assert_eq!(WorkingCalendar::monday_to_friday(Tz::America__New_York).today(now), date("2026-07-03"));
}

#[test]
fn working_days_are_counted_after_the_first_date_and_with_the_last() {
    let calendar = with(&WorkingCalendar::monday_to_friday(Tz::UTC), |calendar| {
        calendar.holidays.push(holiday("2026-07-07", None));
    });
    // Friday to Friday, with a holiday on Tuesday.
    assert_eq!(calendar.working_days_until(date("2026-07-03"), date("2026-07-10")), 4);
    assert_eq!(calendar.working_days_until(date("2026-07-03"), date("2026-07-03")), 0);
    assert_eq!(calendar.working_days_until(date("2026-07-10"), date("2026-07-03")), 0);
}

#[test]
fn definitions_that_no_clock_could_run_on_are_refused() {
    let refused = |change: fn(&mut CalendarDefinition)| {
        let mut definition = WorkingCalendar::monday_to_friday(Tz::UTC).definition().clone();
        change(&mut definition);
        WorkingCalendar::new(definition, date("2026-07-03")).unwrap_err().to_string()
    };
    let overnight = |calendar: &mut CalendarDefinition| {
        let (from, to) = (time("22:00"), time("06:00"));
        calendar.week.push(WeekWindow { day: Weekday::Mon, from, to });
    };
    let closed_for_a_year = |calendar: &mut CalendarDefinition| {
        let dates = date("2026-07-03").iter_days().take(367);
        calendar.holidays = dates.map(|on| holiday(&on.to_string(), None)).collect();
    };
    assert!(refused(|calendar| calendar.week.clear()).contains("at least one weekly window"));
    assert!(refused(overnight).contains("22:00–06:00 of Mon"));
    assert!(refused(|calendar| calendar.minutes_per_day = 0).contains("0 minutes"));
    assert!(refused(|calendar| calendar.minutes_per_day = 1441).contains("1 to 1440"));
    assert!(refused(closed_for_a_year).contains("within 366 days of 2026-07-03"));
    assert!(
        refused(|calendar| calendar.holidays.push(holiday("2026-07-07", Some(("12:00", "12:00")))))
            .contains("12:00–12:00 of 2026-07-07")
    );
    assert!(
        refused(|calendar| {
            calendar.holidays.push(Holiday { on: date("2026-07-07"), name: " ".to_owned(), closed: None });
        })
        .contains("2026-07-07 has no name")
    );
    assert!(refused(|calendar| calendar.holidays = vec![holiday("2026-07-07", None); 1001]).contains("1001 entries"));
}

#[test]
fn a_calendar_that_opens_on_the_366th_day_is_accepted() {
    let mut definition = WorkingCalendar::monday_to_friday(Tz::UTC).definition().clone();
    let dates = date("2026-07-03").iter_days().take(366);
    definition.holidays = dates.map(|on| holiday(&on.to_string(), None)).collect();
    // The 367th date, 4 July 2027, is a Sunday; the week is open on Sundays only.
    definition.week = vec![WeekWindow { day: Weekday::Sun, from: time("09:00"), to: time("17:00") }];
    assert!(WorkingCalendar::new(definition, date("2026-07-03")).is_ok());
}

#[test]
fn a_stored_calendar_that_closed_for_good_still_answers() {
    let dates = date("2026-01-01").iter_days().take(1000);
    let calendar = with(&WorkingCalendar::monday_to_friday(Tz::UTC), |calendar| {
        calendar.holidays = dates.map(|on| holiday(&on.to_string(), None)).collect();
    });
    assert_eq!(calendar.add(utc("2026-01-01T09:00:00Z"), hours(1)), utc("2028-09-27T10:00:00Z"));
}

#[test]
fn extreme_instants_and_lengths_end_and_do_not_panic() {
    for calendar in [WorkingCalendar::round_the_clock(), daily(Tz::Pacific__Apia, "09:00-09:01")] {
        for instant in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, utc("2026-01-01T00:00:00Z")] {
            assert!(calendar.add(instant, TimeDelta::MAX) >= instant);
            assert_eq!(calendar.add(instant, TimeDelta::MIN), instant);
            assert!(calendar.between(instant, DateTime::<Utc>::MAX_UTC) >= TimeDelta::zero());
            calendar.end_of_day(calendar.today(instant));
        }
        assert!(calendar.working_days_until(NaiveDate::MIN, NaiveDate::MAX) > 0);
        calendar.end_of_day(NaiveDate::MAX);
        calendar.end_of_day(NaiveDate::MIN);
    }
}

#[test]
fn a_definition_reads_as_people_write_it() {
    let json = r#"{
        "zone": "Europe/Berlin",
        "minutes_per_day": 480,
        "week": [{ "day": "Fri", "from": "00:00", "to": "24:00" }],
        "holidays": [{ "on": "2026-12-24", "name": "Christmas Eve", "closed": { "from": "12:00", "to": "24:00" } }]
    }"#;
    let definition: CalendarDefinition = serde_json::from_str(json).unwrap();
    let again = serde_json::to_string(&definition).unwrap();
    assert_eq!(definition.week.first().unwrap().to, TimeOfDay::END_OF_DAY);
    assert!(again.contains(r#""from":"12:00","to":"24:00""#));
    assert_eq!(serde_json::from_str::<CalendarDefinition>(&again).unwrap(), definition);
    assert!(serde_json::from_str::<CalendarDefinition>(&json.replace("holidays", "holiday")).is_err());
}

#[test]
fn only_two_digits_and_two_digits_are_a_time_of_day() {
    for text in ["", "9:00", "09:60", "24:01", "25:00", "+9:00", "09:0", "09-00", "09:00:00", "０９:00"] {
        assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
    }
}

#[test]
fn the_day_before_midnight_comes_twice_has_24_hours() {
    let calendar = daily(Tz::Atlantic__Azores, "00:00-24:00");
    assert_eq!(worked_on(&calendar, "2027-10-30"), hours(24));
    assert_eq!(worked_on(&calendar, "2027-10-31"), hours(25));
    assert_eq!(calendar.end_of_day(date("2027-10-30")), utc("2027-10-31T00:00:00Z"));
}

/// The oracle walks minute by minute: a day begins when the local clock first shows it, or a later one.
#[test]
fn days_meet_wherever_a_clock_change_touches_midnight() {
    let mut changes = 0;
    for zone in chrono_tz::TZ_VARIANTS {
        let calendar = daily(zone, "00:00-24:00");
        for first in date("2005-01-01").iter_weeks().take_while(|first| first.year() < 2033) {
            let offset = |date: NaiveDate| zone.offset_from_utc_datetime(&date.and_time(NaiveTime::MIN)).fix();
            if offset(first) == offset(first + TimeDelta::weeks(1)) {
                continue;
            }
            for day in first.iter_days().skip(1).take(7) {
                let midnight = zone.from_local_datetime(&day.and_time(NaiveTime::MIN));
                if midnight.single().is_some() {
                    continue;
                }
                changes += 1;
                let search = (day - TimeDelta::days(1)).and_time(NaiveTime::MIN).and_utc() - hours(6);
                let begins = (0..60 * 48)
                    .map(|minute| search + minutes(minute))
                    .find(|at| at.with_timezone(&zone).date_naive() >= day)
                    .unwrap();
                let window = |date: NaiveDate| calendar.windows_on(date).next();
                if let Some(before) = window(day - TimeDelta::days(1)) {
                    assert_eq!(before.end, begins, "{zone}: the day before {day} ends");
                }
                if let Some(opens) = window(day) {
                    assert_eq!(opens.start, begins, "{zone}: {day} begins");
                }
            }
        }
    }
    assert!(changes > 100, "{changes}");
}
