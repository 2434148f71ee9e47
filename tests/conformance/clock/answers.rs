//! Answers questions about working time, for the comparison with the implementations of others: `cargo run --example clock`.
//!
//! Reads one JSON object a line, a calendar as `src/domain/calendar/definition.rs` has it and what to ask of it, and writes
//! one JSON array a line, an answer for each question. Instants are microseconds since 1970, lengths microseconds, which
//! JavaScript's numbers hold exactly. Example: `{"calendar": {…}, "ask": [{"add": [0, 3600000000]}]}` is answered by the
//! instant by which an hour was worked.

use std::io::{BufRead, BufWriter, Write, stdin, stdout};

use anyhow::{Context, Result};
use chrono::{DateTime, Offset, TimeDelta, Utc};
use entity::vocab::Stage;
use secondline::domain::{
    calendar::{CalendarDefinition, WorkingCalendar, timeline::Timeline},
    policy::usual_alerts,
    sla::{Budget, Pause, VisitClock},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// A line of input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    calendar: CalendarDefinition,
    ask: Vec<Question>,
}

/// What can be asked.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Question {
    /// The instant by which so much has been worked: start, length.
    Add(i64, i64),
    /// The working time from one instant to another.
    Between(i64, i64),
    /// The open stretches from one instant to another, each as its two ends.
    Open(i64, i64),
    /// By how many seconds local time is ahead of UTC at an instant.
    Offset(i64),
    /// How a visit's clock stands.
    Clock(Visit),
}

/// A visit to a stage, and when it is looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Visit {
    entered: i64,
    left: Option<i64>,
    /// In working time; a visit has this or a deadline, or neither.
    budget: Option<i64>,
    until: Option<i64>,
    /// Each from, until; not ended without the latter.
    pauses: Vec<(i64, Option<i64>)>,
    now: i64,
}

fn main() -> Result<()> {
    let mut output = BufWriter::new(stdout().lock());
    for line in stdin().lock().lines() {
        let line: Line = serde_json::from_str(&line?).context("a line is no calendar with questions")?;
        let calendar = Timeline::fixed(WorkingCalendar::restore(line.calendar)?);
        let answers: Vec<_> = line.ask.iter().map(|question| answer(&calendar, question)).collect::<Result<_>>()?;
        serde_json::to_writer(&mut output, &answers)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(calendar: &Timeline, question: &Question) -> Result<Value> {
    Ok(match question {
        Question::Add(start, working) => {
            json!(microseconds(calendar.add(instant(*start)?, TimeDelta::microseconds(*working))))
        }
        Question::Between(from, to) => json!(calendar.between(instant(*from)?, instant(*to)?).num_microseconds()),
        Question::Open(from, to) => {
            let to = instant(*to)?;
            let open = calendar.open_intervals(instant(*from)?).take_while(|open| open.start < to);
            json!(open.map(|open| [microseconds(open.start), microseconds(open.end.min(to))]).collect::<Vec<_>>())
        }
        Question::Offset(at) => json!(instant(*at)?.with_timezone(&calendar.zone()).offset().fix().local_minus_utc()),
        Question::Clock(visit) => stand(calendar, visit)?,
    })
}

fn stand(calendar: &Timeline, visit: &Visit) -> Result<Value> {
    let pause = |(from, until): &(i64, Option<i64>)| {
        Ok(Pause { from: instant(*from)?, until: until.map(instant).transpose()? })
    };
    let budget = match (visit.budget, visit.until) {
        (Some(working), _) => Budget::Working(TimeDelta::microseconds(working)),
        (None, Some(deadline)) => Budget::Until(instant(deadline)?),
        (None, None) => Budget::None,
    };
    let alerts = usual_alerts(Stage::Validating);
    let clock = VisitClock {
        calendar,
        alerts: &alerts,
        entered_at: instant(visit.entered)?,
        left_at: visit.left.map(instant).transpose()?,
        budget,
        pauses: visit.pauses.iter().map(pause).collect::<Result<_>>()?,
    };
    let now = instant(visit.now)?;
    Ok(json!({
        "elapsed": clock.elapsed(now).num_microseconds(),
        "remaining": clock.remaining(now).and_then(|left| left.num_microseconds()),
        "due": clock.due_at(now).map(microseconds),
        "due_if_resumed": clock.due_if_resumed_at(now).map(microseconds),
        "breached": clock.breached_at(now).map(microseconds),
        "status": clock.status(now),
        "paused": clock.is_paused(now),
        "alerts": alerts.iter().map(|rule| clock.alert_at(rule.level, now).map(microseconds)).collect::<Vec<_>>(),
    }))
}

fn instant(microseconds: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(microseconds).with_context(|| format!("{microseconds} is no instant"))
}

fn microseconds(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}
