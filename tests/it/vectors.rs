//! The published vectors of `tests/vectors`, which say by example what the clock means.

mod histories;

use std::{collections::BTreeMap, fs, path::Path};

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use entity::vocab::{SlaStatus, Stage};
use secondline::domain::{
    calendar::{CalendarDefinition, WorkingCalendar, timeline::Timeline},
    policy::usual_alerts,
    sla::{Budget, BudgetLength, Pause, VisitClock},
};
use serde::Deserialize;

/// As many as there are; fewer would mean that some are no longer read.
const FEWEST_VECTORS: usize = 95;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: String,
    calendars: BTreeMap<String, CalendarDefinition>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    why: String,
    calendar: String,
    budget: Option<BudgetLength>,
    deadline_at: Option<Instant>,
    entered_at: Instant,
    left_at: Option<Instant>,
    #[serde(default)]
    pauses: Vec<Paused>,
    now: Instant,
    #[serde(rename = "differs")]
    _differs: Option<String>,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Paused {
    from: Instant,
    until: Option<Instant>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    elapsed_seconds: i64,
    remaining_seconds: Option<i64>,
    status: SlaStatus,
    due_at: Option<Instant>,
    due_if_resumed_at: Option<Instant>,
    breached_at: Option<Instant>,
    alerts: BTreeMap<String, Option<Instant>>,
}

/// An instant as a vector writes it, with the offset of its zone.
type Instant = DateTime<FixedOffset>;

fn utc(instant: Instant) -> DateTime<Utc> {
    instant.to_utc()
}

fn whole_seconds(length: TimeDelta) -> i64 {
    assert_eq!(length, TimeDelta::seconds(length.num_seconds()), "a vector's lengths are whole seconds");
    length.num_seconds()
}

fn shown(instant: DateTime<Utc>) -> Instant {
    instant.fixed_offset()
}

fn answer(calendar: &Timeline, vector: &Vector) -> Expected {
    let budget = match (vector.budget, vector.deadline_at) {
        (Some(length), None) => Budget::Working(length.in_days_of(calendar.working_day())),
        (None, Some(deadline)) => Budget::Until(utc(deadline)),
        (None, None) => Budget::None,
        (Some(_), Some(_)) => panic!("{}: a budget or a deadline", vector.name),
    };
    let pause = |pause: &Paused| Pause { from: utc(pause.from), until: pause.until.map(utc) };
    let alerts = usual_alerts(Stage::Validating);
    let clock = VisitClock {
        calendar,
        alerts: &alerts,
        entered_at: utc(vector.entered_at),
        left_at: vector.left_at.map(utc),
        budget,
        pauses: vector.pauses.iter().map(pause).collect(),
    };
    let now = utc(vector.now);
    Expected {
        elapsed_seconds: whole_seconds(clock.elapsed(now)),
        remaining_seconds: clock.remaining(now).map(whole_seconds),
        status: clock.status(now),
        due_at: clock.due_at(now).map(shown),
        due_if_resumed_at: clock.due_if_resumed_at(now).map(shown),
        breached_at: clock.breached_at(now).map(shown),
        alerts: alerts.iter().map(|rule| (rule.level.word(), clock.alert_at(rule.level, now).map(shown))).collect(),
    }
}

#[test]
fn every_published_vector_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut count = 0;
    let mut wrong = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let file: File =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let calendars: BTreeMap<_, _> = file
            .calendars
            .into_iter()
            .map(|(name, definition)| (name, Timeline::fixed(WorkingCalendar::restore(definition).unwrap())))
            .collect();
        for vector in &file.vectors {
            count += 1;
            let given = answer(&calendars[&vector.calendar], vector);
            if given != vector.expect {
                wrong.push(format!("{name}, “{}” ({}):\n{:#?}\n{given:#?}", vector.name, vector.why, vector.expect));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}, expected and given:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= FEWEST_VECTORS, "only {count} vectors were found");
}
