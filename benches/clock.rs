//! What the calendar costs: `cargo bench --bench clock`.
//!
//! A calendar with lunch breaks and two hundred holidays, in a zone that changes its clocks; budgets of a day, thirty days, a year.

use std::hint::black_box;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use secondline::domain::calendar::{
    CalendarDefinition, Holiday, TimeOfDay, WeekWindow, WorkingCalendar, timeline::Timeline,
};

/// Working days of the budgets.
const BUDGETS: [i32; 3] = [1, 30, 250];

fn time(hour: u16) -> TimeOfDay {
    TimeOfDay::new(hour, 0).unwrap_or(TimeOfDay::MIDNIGHT)
}

#[expect(clippy::expect_used, reason = "the definition is written here")]
fn calendar() -> Timeline {
    let days = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
    let window = |day, from, to| WeekWindow { day, from: time(from), to: time(to) };
    let week = days.into_iter().flat_map(|day| [window(day, 8, 12), window(day, 13, 17)]).collect();
    let first = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap_or_default();
    let holidays = (0..200).map(|number| Holiday {
        on: first + TimeDelta::days(number * 18),
        name: "Holiday".to_owned(),
        closed: None,
    });
    let definition = CalendarDefinition {
        zone: Tz::Europe__Berlin,
        minutes_per_day: 480,
        week,
        holidays: holidays.collect(),
        extra: Vec::new(),
    };
    Timeline::fixed(WorkingCalendar::restore(definition).expect("the definition above is a calendar"))
}

fn clock(criterion: &mut Criterion) {
    let calendar = calendar();
    let start: DateTime<Utc> = DateTime::from_timestamp(1_772_000_000, 0).unwrap_or_default();
    for days in BUDGETS {
        let budget = calendar.working_day() * days;
        let due = calendar.add(start, budget);
        criterion.bench_with_input(BenchmarkId::new("add", days), &budget, |bencher, budget| {
            bencher.iter(|| calendar.add(black_box(start), *budget));
        });
        criterion.bench_with_input(BenchmarkId::new("between", days), &due, |bencher, due| {
            bencher.iter(|| calendar.between(black_box(start), *due));
        });
    }
}

criterion_group!(benches, clock);
criterion_main!(benches);
