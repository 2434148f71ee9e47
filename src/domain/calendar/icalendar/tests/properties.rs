//! Whatever a file says, it is read or refused.

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest},
    sample::select,
};

use super::*;

/// Pieces of the format, of which nonsense is made that gets past the first checks.
const PIECES: [&str; 44] = [
    "BEGIN:VCALENDAR",
    "END:VCALENDAR",
    "BEGIN:VEVENT",
    "END:VEVENT",
    "BEGIN",
    "END",
    "DTSTART",
    "DTEND",
    "DURATION",
    "RRULE",
    "RDATE",
    "EXDATE",
    "RECURRENCE-ID",
    "SUMMARY",
    "STATUS:CANCELLED",
    "UID:a",
    ";VALUE=DATE",
    ";TZID=Europe/Berlin",
    ";TZID=",
    "\"",
    ":",
    ";",
    ",",
    "=",
    "\n",
    "\r\n",
    "\n ",
    "\r",
    "\\n",
    "\\",
    "FREQ=DAILY",
    "FREQ=YEARLY",
    "COUNT=3",
    "INTERVAL=0",
    "BYDAY=-1SU,4TH",
    "BYMONTHDAY=-31",
    "BYSETPOS=-1",
    "BYWEEKNO=53",
    "UNTIL=20270101",
    "20260101",
    "T250000",
    "T020000Z",
    "P1D",
    "ÄÖ\u{0}𝄞",
];

fn pieces() -> impl Strategy<Value = String> {
    vec(prop_oneof![9 => select(&PIECES[..]).prop_map(str::to_owned), 1 => any::<String>()], 0..60)
        .prop_map(|pieces| pieces.concat())
}

/// A rule of parts that fit together or not.
fn rule() -> impl Strategy<Value = String> {
    let freq = select(&["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "SECONDLY"][..]);
    let number = || (-400..400_i32).prop_map(|number| number.to_string());
    let numbers = move || vec(number(), 1..4).prop_map(|numbers| numbers.join(","));
    let days = vec((-60..60_i32, select(&["MO", "TU", "SU", "XX"][..])), 1..4)
        .prop_map(|days| days.iter().map(|(nth, day)| format!("{nth}{day}")).collect::<Vec<_>>().join(","));
    let keys =
        select(&["INTERVAL", "COUNT", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS", "UNTIL"][..]);
    let part = prop_oneof![
        4 => (keys, numbers()).prop_map(|(key, value)| format!("{key}={value}")),
        1 => days.prop_map(|days| format!("BYDAY={days}")),
        1 => Just("WKST=SU".to_owned()),
    ];
    (freq, vec(part, 0..4))
        .prop_map(|(freq, parts)| format!("FREQ={freq};{}", parts.join(";")).trim_end_matches(';').to_owned())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = read_holidays(&text, Tz::Europe__Berlin, years(2026, 2028));
    }

    #[test]
    fn any_lines_of_an_event_are_read_or_refused(lines in pieces()) {
        for text in [lines.clone(), calendar(&[&lines]), calendar(&[&format!("DTSTART:20260101\nSUMMARY:A\n{lines}")])] {
            let _ = read_holidays(&text, Tz::America__Havana, years(2026, 2028));
        }
    }

    #[test]
    fn any_rule_is_followed_or_refused(rule in rule(), start in select(&["20260101", "20240229T023000", "19700101T000000Z", "00010101"][..])) {
        let text = calendar(&[&format!("DTSTART:{start}\nDURATION:P1D\nRRULE:{rule}\nSUMMARY:A")]);
        if let Ok(file) = read_holidays(&text, Tz::Australia__Lord_Howe, years(2026, 2028)) {
            for holiday in &file.holidays {
                prop_assert!((2026..=2028).contains(&holiday.on.year()));
                prop_assert!(holiday.closed.is_none_or(|closed| closed.from < closed.to));
            }
            prop_assert!(file.holidays.is_sorted_by_key(|holiday| holiday.on));
        }
    }

    #[test]
    fn a_file_that_was_added_adds_nothing_again(days in vec((1..=366_u32, 1..4_u32, any::<bool>()), 1..30)) {
        let events: Vec<_> = days.iter().filter_map(|(ordinal, length, is_part)| {
            let on = NaiveDate::from_yo_opt(2026, *ordinal)?.format("%Y%m%d");
            let (time, unit) = if *is_part { ("T100000", "H") } else { ("", "D") };
            let duration = if *is_part { format!("PT{length}{unit}") } else { format!("P{length}{unit}") };
            Some(format!("DTSTART:{on}{time}\nDURATION:{duration}\nSUMMARY:Day {ordinal}"))
        }).collect();
        let text = calendar(&events.iter().map(String::as_str).collect::<Vec<_>>());
        let usual = crate::domain::calendar::WorkingCalendar::monday_to_friday(Tz::Europe__Berlin);
        let first = read(&text, 2026, 2027).add_to(usual.definition().clone());
        prop_assert!(first.known.is_empty() && first.definition.check().is_ok());
        let second = read(&text, 2026, 2027).add_to(first.definition.clone());
        prop_assert_eq!((second.added.len(), second.known, second.definition), (0, first.added, first.definition));
    }
}
