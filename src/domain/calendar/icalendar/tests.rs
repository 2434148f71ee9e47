//! Files as programs write them, what is refused of them, and that nothing breaks the reading.

mod properties;

use chrono_tz::Tz;

use super::*;

const GOOGLE: &str = include_str!("tests/google.ics");
const OFFICES: &str = include_str!("tests/offices.ics");
const APPLE: &str = include_str!("tests/apple.ics");

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn years(from: i32, to: i32) -> Years {
    Years::new(Some(from), Some(to), date("2026-06-01")).unwrap()
}

/// A holiday in short: `2026-12-24 14:00-24:00 Christmas Eve`.
fn short(holiday: &Holiday) -> String {
    let closed = holiday.closed.map(|closed| format!("{}-{} ", closed.from, closed.to)).unwrap_or_default();
    format!("{} {closed}{}", holiday.on, holiday.name)
}

fn read(text: &str, from: i32, to: i32) -> HolidayFile {
    read_holidays(text, Tz::Europe__Berlin, years(from, to)).unwrap()
}

fn all(text: &str, from: i32, to: i32) -> Vec<String> {
    read(text, from, to).holidays.iter().map(short).collect()
}

fn skipped(file: &HolidayFile) -> Vec<(&str, Option<String>, SkipReason)> {
    file.skipped.iter().map(|event| (&*event.name, event.on.map(|on| on.to_string()), event.why)).collect()
}

/// A calendar of these events, each by its lines.
fn calendar(events: &[&str]) -> String {
    let events: String = events.iter().map(|lines| format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT\n")).collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{events}END:VCALENDAR\n")
}

/// What the events of one calendar close in 2026.
fn of(events: &[&str]) -> Vec<String> {
    all(&calendar(events), 2026, 2026)
}

fn refused(text: &str) -> Vec<String> {
    let errors = read_holidays(text, Tz::Europe__Berlin, years(2026, 2028)).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

/// Why an event of these lines is refused.
fn problem(lines: &str) -> String {
    let errors = refused(&calendar(&[lines]));
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

#[test]
fn a_file_of_google_gives_its_days_of_the_years() {
    let file = read(GOOGLE, 2026, 2027);
    let found: Vec<_> = file.holidays.iter().map(short).collect();
    assert_eq!(found, ["2026-12-25 Erster Weihnachtstag", "2027-10-03 Tag der Deutschen Einheit"]);
    assert_eq!(skipped(&file), [("Erster Weihnachtstag", Some("2021-12-25".to_owned()), SkipReason::OutsideYears)]);
}

#[test]
fn a_file_of_offices_gives_each_day_of_an_event_with_its_unfolded_name() {
    let file = read(OFFICES, 2026, 2026);
    let found: Vec<_> = file.holidays.iter().map(short).collect();
    let name = "New Year, and the 2nd of January; Hogmanay's after";
    assert_eq!(found, [&format!("2026-01-01 {name}"), &format!("2026-01-02 {name}"), "2026-11-30 St Andrew's Day"]);
    let cancelled = ("World Cup Bank Holiday", Some("2026-06-15".to_owned()), SkipReason::Cancelled);
    assert_eq!(skipped(&file), [cancelled]);
}

#[test]
fn a_file_of_apple_gives_recurring_days_and_parts_of_days() {
    let expected = [
        "2026-05-01 Tag der Arbeit",
        // 18:00 to 06:00 in UTC is 20:00 to 08:00 in summer.
        "2026-06-10 20:00-24:00 Night of maintenance",
        "2026-06-11 00:00-08:00 Night of maintenance",
        "2026-11-26 Thanksgiving of the American office",
        // In 2026 the rule has an exception, and it ends with 2027.
        "2027-05-01 Tag der Arbeit",
        "2027-11-25 Thanksgiving of the American office",
        "2027-12-24 14:00-24:00 Christmas Eve",
        "2028-05-01 Tag der Arbeit",
        "2028-11-23 Thanksgiving of the American office",
    ];
    assert_eq!(all(APPLE, 2026, 2028), expected);
}

#[test]
fn line_endings_and_a_byte_order_mark_change_nothing() {
    let expected = read(OFFICES, 2026, 2026);
    for text in [OFFICES.replace('\n', "\r\n"), OFFICES.replace('\n', "\r"), format!("\u{feff}{OFFICES}\n\n")] {
        assert_eq!(read(&text, 2026, 2026), expected);
    }
}

#[test]
fn several_calendars_in_one_file_are_all_read() {
    let day = |on: &str| calendar(&[&format!("DTSTART;VALUE=DATE:{on}\nSUMMARY:Day")]);
    assert_eq!(all(&(day("20260101") + &day("20260102")), 2026, 2026), ["2026-01-01 Day", "2026-01-02 Day"]);
}

#[test]
fn days_end_before_the_day_that_is_named_as_their_end() {
    for (end, last) in [("DTEND;VALUE=DATE:20260604", 3), ("DURATION:P3D", 3), ("DTEND:20260601", 1), ("X-NONE:", 1)] {
        let found = of(&[&format!("DTSTART;VALUE=DATE:20260601\n{end}\nSUMMARY:Days")]);
        let expected: Vec<_> = (1..=last).map(|day| format!("2026-06-0{day} Days")).collect();
        assert_eq!(found, expected, "{end}");
    }
}

#[test]
fn an_event_over_the_turn_of_the_year_gives_the_days_of_the_years() {
    let found = of(&["DTSTART;VALUE=DATE:20251224\nDTEND;VALUE=DATE:20260103\nSUMMARY:Closed"]);
    assert_eq!(found, ["2026-01-01 Closed", "2026-01-02 Closed"]);
}

#[test]
fn times_are_those_of_the_zone_that_is_named_or_of_the_calendar() {
    let table = [
        ("DTSTART:20260601T120000\nDTEND:20260601T140000", "12:00-14:00"),
        ("DTSTART:20260601T120000Z\nDTEND:20260601T140000Z", "14:00-16:00"),
        ("DTSTART;TZID=America/New_York:20260601T080000\nDURATION:PT1H30M", "14:00-15:30"),
        ("DTSTART;TZID=/example.org/Europe/London:20260601T080000\nDURATION:PT1H", "09:00-10:00"),
        ("DTSTART;TZID=\"Europe/London\":20260601T080030\nDURATION:PT90S", "09:00-09:02"),
    ];
    for (lines, closed) in table {
        assert_eq!(of(&[&format!("{lines}\nSUMMARY:Part")]), [format!("2026-06-01 {closed} Part")], "{lines}");
    }
}

#[test]
fn a_night_is_split_at_midnight_and_a_whole_day_of_hours_is_a_day() {
    let night = "DTSTART:20260601T220000\nDTEND:20260603T000000\nSUMMARY:Long night";
    assert_eq!(of(&[night]), ["2026-06-01 22:00-24:00 Long night", "2026-06-02 Long night"]);
}

#[test]
fn times_that_clocks_skip_or_show_twice_are_closed_too() {
    // In Berlin 02:00 to 03:00 does not exist on 29 March 2026 and exists twice on 25 October.
    let skipped_hour = of(&["DTSTART:20260329T023000\nDURATION:PT1H\nSUMMARY:Spring"]);
    assert_eq!(skipped_hour, ["2026-03-29 03:00-04:00 Spring"]);
    let doubled = of(&["DTSTART:20261025T003000Z\nDTEND:20261025T011500Z\nSUMMARY:Autumn"]);
    assert_eq!(doubled, ["2026-10-25 02:15-02:30 Autumn"]);
}

#[test]
fn a_series_keeps_its_local_time_over_clock_changes() {
    let monthly = "DTSTART;TZID=Europe/Berlin:20260228T120000\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;COUNT=3\nSUMMARY:M";
    let expected = ["2026-02-28 12:00-13:00 M", "2026-03-28 12:00-13:00 M", "2026-04-28 12:00-13:00 M"];
    assert_eq!(of(&[monthly]), expected);
}

#[test]
fn further_dates_and_exceptions_are_heeded() {
    let event = "DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=WEEKLY;COUNT=4\nRDATE;VALUE=DATE:20260301,20260302\n\
                 EXDATE;VALUE=DATE:20260112\nEXDATE;VALUE=DATE:20260119,20260302\nSUMMARY:D";
    assert_eq!(of(&[event]), ["2026-01-05 D", "2026-01-26 D", "2026-03-01 D"]);
    let with_period = "DTSTART:20260105T080000\nDURATION:PT1H\nRDATE;VALUE=PERIOD:20260106T080000/PT1H\nSUMMARY:P";
    assert_eq!(of(&[with_period]), ["2026-01-05 08:00-09:00 P", "2026-01-06 08:00-09:00 P"]);
}

#[test]
fn an_occurrence_that_was_moved_is_where_it_was_moved_to() {
    let series = "UID:s\nDTSTART;VALUE=DATE:20250601\nRRULE:FREQ=YEARLY\nSUMMARY:Founders' Day";
    let moved = "UID:s\nRECURRENCE-ID;VALUE=DATE:20260601\nDTSTART;VALUE=DATE:20260608\nSUMMARY:Founders' Day, later";
    assert_eq!(of(&[series, moved]), ["2026-06-08 Founders' Day, later"]);
    let cancelled = "UID:s\nRECURRENCE-ID;VALUE=DATE:20260601\nDTSTART;VALUE=DATE:20260601\nSTATUS:CANCELLED";
    assert!(of(&[series, cancelled]).is_empty());
}

#[test]
fn a_rule_ends_with_its_last_day_however_that_is_written() {
    for until in ["20260602", "20260602T000000Z", "20260602T120000"] {
        let event = format!("DTSTART;VALUE=DATE:20260601\nRRULE:FREQ=DAILY;UNTIL={until}\nSUMMARY:D");
        assert_eq!(of(&[&event]), ["2026-06-01 D", "2026-06-02 D"], "{until}");
    }
    for (until, count) in [("20260602", 2), ("20260602T100000Z", 2), ("20260602T095959Z", 1), ("20260602T115959", 1)] {
        let event = format!("DTSTART:20260601T120000\nDURATION:PT1H\nRRULE:UNTIL={until};FREQ=DAILY\nSUMMARY:D");
        assert_eq!(of(&[&event]).len(), count, "{until}");
    }
}

#[test]
fn what_is_closed_twice_is_one_holiday() {
    let file = read(
        &calendar(&[
            "DTSTART:20260501T120000\nDURATION:PT1H\nSUMMARY:Lunch",
            "DTSTART;VALUE=DATE:20260501\nSUMMARY:Labour Day",
            "DTSTART;VALUE=DATE:20260501\nSUMMARY:May Day",
        ]),
        2026,
        2026,
    );
    assert_eq!(file.holidays.iter().map(short).collect::<Vec<_>>(), ["2026-05-01 Labour Day"]);
    let day = Some("2026-05-01".to_owned());
    let expected = [("May Day", day.clone(), SkipReason::SameTime), ("Lunch", day, SkipReason::SameTime)];
    assert_eq!(skipped(&file), expected);
}

#[test]
fn events_without_date_or_length_are_skipped() {
    let file = read(&calendar(&["SUMMARY:Some time", "DTSTART:20260501T120000\nSUMMARY:Bell"]), 2026, 2026);
    let bell = ("Bell", Some("2026-05-01".to_owned()), SkipReason::NoLength);
    assert_eq!(skipped(&file), [("Some time", None, SkipReason::NoDate), bell]);
}

#[test]
fn a_calendar_keeps_what_it_has() {
    let kept = Holiday { on: date("2026-12-25"), name: "Our Christmas".to_owned(), closed: None };
    let mut definition =
        crate::domain::calendar::WorkingCalendar::monday_to_friday(Tz::Europe__Berlin).definition().clone();
    definition.holidays = vec![kept.clone()];
    let addition = read(GOOGLE, 2026, 2027).add_to(definition);
    let shorts = |holidays: &[Holiday]| holidays.iter().map(short).collect::<Vec<_>>();
    assert_eq!(shorts(&addition.added), ["2027-10-03 Tag der Deutschen Einheit"]);
    assert_eq!(shorts(&addition.known), ["2026-12-25 Erster Weihnachtstag"]);
    assert_eq!(addition.definition.holidays, [vec![kept], addition.added.clone()].concat());
    let again = read(GOOGLE, 2026, 2027).add_to(addition.definition.clone());
    assert_eq!((again.added.len(), again.known.len()), (0, 2));
    assert_eq!(again.definition, addition.definition);
}

#[test]
fn what_is_no_calendar_file_is_refused() {
    let no_file = "this is no iCalendar file: it begins with BEGIN:VCALENDAR and ends with END:VCALENDAR";
    for text in ["", "\n", "hello", "<html>", "a:b", "BEGIN:VEVENT\nEND:VEVENT", "BEGIN:VCALENDAR", "END:VCALENDAR"] {
        assert_eq!(refused(text), [no_file], "{text:?}");
    }
    let inside = |line: &str| format!("BEGIN:VCALENDAR\n{line}\nEND:VCALENDAR\n");
    assert!(refused(&inside("END:VEVENT"))[0].starts_with("the line “END:VEVENT” does not belong"));
    assert!(refused(&inside("was: nothing: good"))[0].contains("has no events"));
    assert!(refused(&inside("Märchen:x"))[0].starts_with("the line “Märchen:x”"));
    assert!(refused(&inside(""))[0].contains("has no events"));
    let nested = format!("BEGIN:VCALENDAR\n{}{}END:VCALENDAR\n", "BEGIN:A\n".repeat(10_000), "END:A\n".repeat(10_000));
    assert!(refused(&nested)[0].starts_with("more than 8 components"));
    assert!(refused(&"x".repeat(MOST_BYTES + 1))[0].starts_with("the file has 262145 bytes"));
}

#[test]
fn events_that_are_not_understood_are_named_with_what_to_do() {
    let table = [
        ("DTSTART:tomorrow\nSUMMARY:A", "the event “A” of tomorrow: DTSTART is no date: “tomorrow”"),
        ("DTSTART;VALUE=DATE:20260230\nSUMMARY:A", "the event “A” of 20260230: DTSTART is no date"),
        ("DTSTART;VALUE=DATE:20260201\nDTEND:20260101\nSUMMARY:A", "it ends before it begins"),
        ("DTSTART;VALUE=DATE:20260201\nDTEND:20260202T120000\nSUMMARY:A", "a day and a time"),
        ("DTSTART;VALUE=DATE:20260201\nDURATION:soon\nSUMMARY:A", "DURATION is no length: “soon”"),
        ("DTSTART;TZID=W. Europe Standard Time:20260201T120000\nDURATION:PT1H\nSUMMARY:A", "“W. Europe Standard Time”"),
        ("DTSTART;VALUE=DATE:20260201", "it has no name: give it a SUMMARY"),
        ("DTSTART;VALUE=DATE:20260201\nRRULE:FREQ=NEVER\nSUMMARY:A", "its RRULE is not understood ("),
        ("DTSTART;VALUE=DATE:20260201\nRRULE:nonsense\nSUMMARY:A", "its RRULE is not understood ("),
        ("DTSTART;VALUE=DATE:20260201\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\nSUMMARY:A", "(it names no day)"),
        ("DTSTART;VALUE=DATE:20260201\nRRULE:FREQ=YEARLY;UNTIL=x\nSUMMARY:A", "UNTIL is no date: “x”"),
        ("DTSTART:20260201T120000Z\nDURATION:PT1H\nRRULE:FREQ=SECONDLY\nSUMMARY:A", "it recurs too often"),
        ("DTSTART:20260201T120000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYHOUR=1,2,3\nSUMMARY:A", "it recurs too often"),
        ("DTSTART;VALUE=DATE:18000101\nRRULE:FREQ=DAILY\nSUMMARY:A", "it recurs too often"),
    ];
    for (lines, expected) in table {
        let problem = problem(lines);
        assert!(problem.starts_with("the event “") && problem.contains(expected), "{lines}: {problem}");
    }
    let nameless = "DTSTART;VALUE=DATE:20260201";
    assert_eq!(refused(&calendar(&[nameless; 50])).len(), MOST_ERRORS);
}

#[test]
fn files_that_close_everything_are_refused() {
    let decade = "DTSTART;VALUE=DATE:20200101\nDTEND;VALUE=DATE:20500101\nSUMMARY:Closed";
    let errors = read_holidays(&calendar(&[decade; 3]), Tz::UTC, years(2026, 2035)).unwrap_err();
    assert_eq!(errors, [IcalendarError::TooManyDays]);
    let rule = "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY\nSUMMARY:Closed";
    let errors = refused(&calendar(&[rule; 2_000]));
    assert!(errors[0].contains("it recurs too often"), "{errors:?}");
}

#[test]
fn long_names_are_cut_and_line_breaks_in_them_are_spaces() {
    let found = read(
        &calendar(&[&format!("DTSTART;VALUE=DATE:20260201\nSUMMARY:A\\nb  \\\\ c{}", "x".repeat(300))]),
        2026,
        2026,
    );
    let name = &found.holidays[0].name;
    assert!(name.starts_with(r"A b \ cxx"), "{name}");
    assert_eq!(name.chars().count(), 200);
}

#[test]
fn years_are_this_one_and_the_next_two_or_as_told() {
    let today = date("2026-06-01");
    assert_eq!(Years::new(None, None, today), Ok(years(2026, 2028)));
    assert_eq!(Years::new(Some(2030), None, today), Ok(years(2030, 2032)));
    assert_eq!(Years::new(None, Some(2026), today), Ok(years(2026, 2026)));
    for (from, to) in [(2027, 2026), (2026, 2036), (1969, 1970), (2200, 2201), (i32::MAX, i32::MAX), (i32::MIN, 2026)] {
        assert!(Years::new(Some(from), Some(to), today).is_err(), "{from} {to}");
    }
    assert!(Years::new(Some(i32::MAX), None, today).is_err());
}
